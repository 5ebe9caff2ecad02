//! A place of their own for the pages that SQLite keeps, in a process that lives for weeks: among everything else that is
//! allocated they come and go by the thousand, and part the heap.

use std::ffi::c_int;

use rusqlite::ffi;

/// Bytes of a page, as new databases have them.
const PAGE: c_int = 4096;
/// What the writer, the engine's reader, the one that divides and the one that tidies keep together; what is more comes
/// from the heap.
const PAGES: c_int = 320;

/// Sets a place aside for the pages of all connections of this process. SQLite does not take it after the first connection,
/// which is told and nothing more.
///
/// # Safety
/// No other thread calls SQLite meanwhile: `sqlite3_config` is not safe among threads.
pub unsafe fn set_aside() {
    let mut header: c_int = 0;
    // SAFETY: nobody else is inside SQLite, as the caller sees to; it writes one C integer, which lives through the call.
    let known = unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_PCACHE_HDRSZ, &raw mut header) };
    // Slots begin at multiples of eight bytes.
    let words = (PAGE + header).unsigned_abs().div_ceil(8);
    let place = vec![0_u64; PAGES.unsigned_abs() as usize * words as usize].into_boxed_slice();
    let place: *mut u64 = Box::leak(place).as_mut_ptr();
    let slot = (words * 8).cast_signed();
    // SAFETY: as above; the place is aligned to eight bytes, holds as many slots of that size, and is never given back.
    let taken =
        unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_PAGECACHE, place.cast::<std::ffi::c_void>(), slot, PAGES) };
    if (known, taken) != (ffi::SQLITE_OK, ffi::SQLITE_OK) {
        tracing::debug!(known, taken, "SQLite keeps its pages in the heap");
    }
}
