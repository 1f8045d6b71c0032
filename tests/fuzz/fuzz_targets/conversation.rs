//! libFuzzer's way into [`hookmq_fuzz::conversation`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hookmq_fuzz::conversation::run(data));
