//! libFuzzer's way to `targets::filter`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferrule_fuzz::targets::filter(data));
