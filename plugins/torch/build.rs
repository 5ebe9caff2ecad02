//! Lets the built plug-in find libtorch by itself: first beside it, then where it was built against.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    // Told by torch-sys, and only where the feature names it.
    if let Some(folder) = std::env::var_os("DEP_TCH_LIBTORCH_LIB") {
        let folder = std::path::PathBuf::from(folder);
        let folder = std::fs::canonicalize(&folder).unwrap_or(folder);
        // For the library and for its tests. New tags: LD_LIBRARY_PATH comes first.
        println!(
            "cargo::rustc-link-arg=-Wl,--enable-new-dtags,-rpath,$ORIGIN/libtorch/lib,-rpath,{}",
            folder.display()
        );
    }
}
