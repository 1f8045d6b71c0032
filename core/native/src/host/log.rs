//! `hookmq.log.1`: the broker's log.

use hookmq_plugin_api::LogLevel;
use hookmq_plugin_api::abi::host::{LogCalls, level};
use hookmq_plugin_api::abi::{Bytes, Host};

use super::ask;
use crate::draft::words;
use crate::wire::size;

pub(super) static CALLS: LogCalls = LogCalls {
    size: size::<LogCalls>(),
    reserved: 0,
    log: Some(log),
};

unsafe extern "C" fn log(host: *const Host, loudness: u32, place: Bytes, message: Bytes) {
    let loudness = match loudness {
        level::DEBUG => LogLevel::Debug,
        level::INFO => LogLevel::Info,
        level::WARN => LogLevel::Warn,
        // A level that nobody knows is no reason to lose the line.
        _ => LogLevel::Error,
    };
    // SAFETY: the library passes on the host that it was given, and says where its texts are.
    unsafe {
        ask(host, |host| {
            host.log(loudness, &words(place), &words(message), &[]);
            Ok(0)
        });
    }
}
