//! Everything that strangers' bytes reach, one function each, for libFuzzer and for the mutator of `cargo xtask fuzz`.

pub mod targets;
