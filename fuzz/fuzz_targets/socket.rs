//! libFuzzer's way to `targets::socket`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferrule_fuzz::targets::socket(data));
