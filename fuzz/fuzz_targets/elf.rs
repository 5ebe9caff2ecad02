//! libFuzzer's way to `targets::elf`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferrule_fuzz::targets::elf(data));
