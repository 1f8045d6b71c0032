//! Keys for hash tables in WASM, where there is no operating system to ask: the broker's random numbers.
#![allow(
    unsafe_code,
    reason = "the function that getrandom wants of whoever links it"
)]

use getrandom_03::Error;

#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(to: *mut u8, len: usize) -> Result<(), Error> {
    // SAFETY: getrandom hands over room for so many bytes, which need not hold anything yet: they are zeroed first.
    let buffer = unsafe {
        to.write_bytes(0, len);
        std::slice::from_raw_parts_mut(to, len)
    };
    for part in buffer.chunks_mut(64 * 1024) {
        hookmq_plugin_api::sdk::random::fill(part);
    }
    Ok(())
}
