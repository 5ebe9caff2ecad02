//! libFuzzer's way to `targets::answer`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferrule_fuzz::targets::answer(data));
