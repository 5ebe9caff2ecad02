//! libFuzzer's way to `targets::configuration`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferrule_fuzz::targets::configuration(data));
