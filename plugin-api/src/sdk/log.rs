//! The broker's log. Lines carry the place in the plugin's source that wrote them, and are limited per second.

use std::panic::Location;

use super::edge::carrier;
use crate::host::LogLevel;

/// For whoever looks for a fault.
#[track_caller]
pub fn debug(message: impl AsRef<str>) {
    write(LogLevel::Debug, message.as_ref());
}

/// For the record.
#[track_caller]
pub fn info(message: impl AsRef<str>) {
    write(LogLevel::Info, message.as_ref());
}

/// Something is odd.
#[track_caller]
pub fn warn(message: impl AsRef<str>) {
    write(LogLevel::Warn, message.as_ref());
}

/// Something failed.
#[track_caller]
pub fn error(message: impl AsRef<str>) {
    write(LogLevel::Error, message.as_ref());
}

#[track_caller]
fn write(level: LogLevel, message: &str) {
    let place = Location::caller();
    let place = format!("{}:{}", place.file(), place.line());
    carrier::log(level, &place, message);
}
