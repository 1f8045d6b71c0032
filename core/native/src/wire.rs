//! Reading what a library points to: sizes, nulls, alignment and UTF-8 are checked, that the memory is there is believed.

use std::borrow::Cow;
use std::mem::{MaybeUninit, size_of};
use std::{ptr, slice, str};

use hookmq_plugin_api::abi::{
    self, Answer, Bytes, Event, EventCalls, Host, HostCalls, Listen, Pair, Part, Plugin, Record,
    Refusal, host,
};

/// The longest text or binary that can come: MQTT's longest packet [MQTT-1.5.5-1].
const MAX_LEN: usize = 268_435_455;

/// The longest text that a packet can carry [MQTT-1.5.4].
const MAX_STRING: usize = 65_535;

/// A struct that begins with its size in bytes.
///
/// # Safety
/// It is `repr(C)`, its first field is a `u32` that says its size, and all zeroes are a value of it.
pub(crate) unsafe trait Sized32 {}

// SAFETY: numbers, raw pointers and optional functions behind a `u32`.
unsafe impl Sized32 for Plugin {}
// SAFETY: as above.
unsafe impl Sized32 for Listen {}
// SAFETY: as above.
unsafe impl Sized32 for Refusal {}
// SAFETY: as above.
unsafe impl Sized32 for host::Message {}

/// A copy of a struct of another age: what the sender's struct does not have is zero.
///
/// # Errors
/// The pointer is null or not aligned, or the struct is shorter than `minimum`.
///
/// # Safety
/// Unless null, `at` points to as many readable bytes as the `u32` at its start says, and at least to that `u32`.
pub(crate) unsafe fn copied<T: Sized32>(
    at: *const T,
    what: &str,
    minimum: usize,
) -> Result<T, String> {
    check_pointer(at, what)?;
    // SAFETY: not null and aligned; the caller says that the size is there.
    let size = unsafe { at.cast::<u32>().read() } as usize;
    if size < minimum {
        return Err(format!(
            "{what} is {size} bytes long by its own size, and must have at least {minimum}"
        ));
    }
    let mut copy = MaybeUninit::<T>::zeroed();
    // SAFETY: the source has `size` bytes, the target `size_of::<T>()`, and they cannot overlap.
    unsafe {
        ptr::copy_nonoverlapping(
            at.cast::<u8>(),
            copy.as_mut_ptr().cast::<u8>(),
            size.min(size_of::<T>()),
        );
    }
    // SAFETY: `Sized32` says that zeroes are a value; numbers and pointers take any bytes, and functions were written by the sender.
    Ok(unsafe { copy.assume_init() })
}

pub(crate) fn check_pointer<T>(at: *const T, what: &str) -> Result<(), String> {
    if at.is_null() {
        return Err(format!("{what} is a null pointer"));
    }
    if !at.is_aligned() {
        return Err(format!("{what} is not aligned"));
    }
    Ok(())
}

/// Some bytes.
///
/// # Errors
/// Null with a length, or a length that no message can have.
///
/// # Safety
/// `data` points to `len` readable bytes for as long as the result lives, unless `len` is 0 or it is null.
pub(crate) unsafe fn bytes<'a>(from: Bytes, what: &str) -> Result<&'a [u8], String> {
    if from.len == 0 {
        return Ok(&[]);
    }
    if from.data.is_null() {
        return Err(format!("{what} has {} bytes at a null pointer", from.len));
    }
    if from.len > MAX_LEN {
        return Err(format!(
            "{what} has {} bytes, at most {MAX_LEN} fit",
            from.len
        ));
    }
    // SAFETY: not null, and the caller says that the bytes are there.
    Ok(unsafe { slice::from_raw_parts(from.data, from.len) })
}

/// Some text.
///
/// # Errors
/// As [`bytes`]; it is not UTF-8.
///
/// # Safety
/// As [`bytes`].
pub(crate) unsafe fn text<'a>(from: Bytes, what: &str) -> Result<&'a str, String> {
    // SAFETY: as the caller says.
    let bytes = unsafe { bytes(from, what) }?;
    str::from_utf8(bytes).map_err(|error| {
        let start = error.valid_up_to();
        let rest = bytes.get(start..).unwrap_or_default();
        let shown = rest.get(..8).unwrap_or(rest);
        format!("{what} is not UTF-8: byte {start} begins {shown:02x?}")
    })
}

/// Words of a refusal, whatever bytes they are: U+FFFD stands for what is not UTF-8. Of what is too long for any packet there is one
/// byte too much; the broker cuts it or leaves it out.
///
/// # Errors
/// As [`bytes`].
///
/// # Safety
/// As [`bytes`].
pub(crate) unsafe fn words<'a>(from: Bytes, what: &str) -> Result<Cow<'a, str>, String> {
    // SAFETY: as the caller says.
    let bytes = unsafe { bytes(from, what) }?;
    let start = bytes.get(..=MAX_STRING).unwrap_or(bytes);
    Ok(String::from_utf8_lossy(start))
}

/// Some items.
///
/// # Errors
/// Null or not aligned with a count, or more than `most`.
///
/// # Safety
/// `items` points to `count` readable items for as long as the result lives, unless `count` is 0 or it is null.
pub(crate) unsafe fn items<'a, T>(
    items: *const T,
    count: usize,
    what: &str,
    most: usize,
) -> Result<&'a [T], String> {
    if count == 0 {
        return Ok(&[]);
    }
    if count > most {
        return Err(format!("{what} has {count} items, at most {most} fit"));
    }
    check_pointer(items, what)?;
    // SAFETY: not null and aligned, and the caller says that the items are there.
    Ok(unsafe { slice::from_raw_parts(items, count) })
}

/// A slice as it is lent.
pub(crate) const fn lent(bytes: &[u8]) -> Bytes {
    Bytes {
        data: bytes.as_ptr(),
        len: bytes.len(),
    }
}

/// Nothing.
pub(crate) const NIL: abi::Value = abi::Value {
    tag: abi::tag::NIL,
    reserved: 0,
    body: abi::Body { integer: 0 },
};

/// The size of a struct, for its first field.
#[expect(
    clippy::cast_possible_truncation,
    reason = "structs of the ABI have some dozens of bytes"
)]
pub(crate) const fn size<T>() -> u32 {
    size_of::<T>() as u32
}

// What is lent and taken here by pointer must not need more alignment than C's malloc gives.
const _: () = assert!(
    align_of::<Pair>() <= 8
        && align_of::<Part>() <= 8
        && align_of::<Record>() <= 8
        && align_of::<Event>() <= 8
        && align_of::<EventCalls>() <= 8
        && align_of::<Answer>() <= 8
        && align_of::<Host>() <= 8
        && align_of::<HostCalls>() <= 8
);
