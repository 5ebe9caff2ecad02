//! libFuzzer's way to `targets::model`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferrule_fuzz::targets::model(data));
