//! Layouts carry the name of the crate that declares them; this one poses as the interface.

fn main() {
    println!("cargo::rustc-env=CARGO_PKG_NAME=ferrule-abi");
}
