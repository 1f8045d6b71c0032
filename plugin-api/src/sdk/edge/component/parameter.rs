//! What the broker hands over before a call: one text, in a place that is kept for it.
//!
//! Most topics are short, and there is one call at a time: so that a call need not ask the allocator, a short parameter lies in a place of
//! its own. What the broker hands over during a call is the plugin's, and comes from the allocator.

use std::alloc::{Layout, alloc, handle_alloc_error, realloc};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use super::layout;

/// Bytes of the place.
const SIZE: usize = 512;

/// Aligned for whatever the canonical ABI hands over.
#[repr(align(16))]
struct Place(UnsafeCell<[u8; SIZE]>);

// SAFETY: a component runs on one thread at a time.
unsafe impl Sync for Place {}

static PLACE: Place = Place(UnsafeCell::new([0; SIZE]));

/// Whether the place has a parameter in it, or a call runs. Until `create` has ended it is not given away: what a library does as it is
/// loaded may ask the broker for something, and takes the answer for the allocator's.
static IS_TAKEN: AtomicBool = AtomicBool::new(true);

/// `cabi_realloc`: room for what the broker hands over.
///
/// # Safety
/// As the canonical ABI calls it.
#[must_use]
#[inline]
pub unsafe fn allocate(old: *mut u8, old_size: usize, align: usize, size: usize) -> *mut u8 {
    if old_size == 0 && size <= SIZE && !IS_TAKEN.load(Ordering::Relaxed) {
        IS_TAKEN.store(true, Ordering::Relaxed);
        return PLACE.0.get().cast();
    }
    // SAFETY: the caller's.
    unsafe { allocate_anew(old, old_size, align, size) }
}

#[inline(never)]
unsafe fn allocate_anew(old: *mut u8, old_size: usize, align: usize, size: usize) -> *mut u8 {
    if size == 0 {
        return ptr::without_provenance_mut(align);
    }
    // SAFETY: the canonical ABI gives valid alignments, and old places as they were made here.
    unsafe {
        let layout = Layout::from_size_align_unchecked(size, align);
        let place = if old_size == 0 || is_place(old) {
            alloc(layout)
        } else {
            realloc(
                old,
                Layout::from_size_align_unchecked(old_size, align),
                size,
            )
        };
        if place.is_null() {
            handle_alloc_error(layout);
        }
        if is_place(old) {
            ptr::copy_nonoverlapping(old, place, old_size.min(size));
        }
        place
    }
}

fn is_place(data: *const u8) -> bool {
    ptr::eq(data, PLACE.0.get().cast())
}

/// The parameter of the call that runs.
pub(super) struct Parameter {
    data: *mut u8,
    len: usize,
}

impl Parameter {
    /// # Safety
    /// The broker handed over a string, as the parameter of a call that begins; or `len` is 0.
    #[inline]
    pub(super) unsafe fn new(data: *mut u8, len: usize) -> Self {
        IS_TAKEN.store(true, Ordering::Relaxed);
        Self { data, len }
    }

    #[inline]
    pub(super) fn text(&self) -> &str {
        if self.len == 0 {
            return "";
        }
        // SAFETY: see `new`; the canonical ABI sees to it that it is UTF-8.
        unsafe { str::from_utf8_unchecked(std::slice::from_raw_parts(self.data, self.len)) }
    }
}

impl Drop for Parameter {
    #[inline]
    fn drop(&mut self) {
        if self.len != 0 && !is_place(self.data) {
            // SAFETY: see `new`; what does not lie in the place was made by the allocator.
            drop(unsafe { layout::string(self.data, self.len) });
        }
        IS_TAKEN.store(false, Ordering::Relaxed);
    }
}
