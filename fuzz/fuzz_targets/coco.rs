//! libFuzzer's way to `targets::coco`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferrule_fuzz::targets::coco(data));
