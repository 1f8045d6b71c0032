//! libFuzzer's way into [`hookmq_fuzz::decode`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hookmq_fuzz::decode::run(data));
