//! The screen of Ferrule, apart from the binary so that tests can drive it. The binary's commands are in `main.rs`.

pub mod workbench;
