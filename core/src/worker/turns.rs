//! Whose turn it is, written where the engine can read it after the worker is gone: a crash gets a name without a message
//! before every call, each of which would wake the engine.
//!
//! Plug-ins are known by their places among a pipeline's stages. What stands here is a worker's word, as its messages
//! are: a place that no stage has is nobody.

use std::{
    io,
    os::fd::AsFd,
    ptr::NonNull,
    sync::atomic::{AtomicU16, AtomicU64, Ordering},
};

use rustix::{
    fs::fstat,
    mm::{MapFlags, ProtFlags, mmap, munmap},
};

/// Bytes at the start of the shared memory that turns take: a page, so that what follows can be mapped without them.
pub(super) const TURNS: usize = 4096;
const _: () = assert!(size_of::<Turns>() <= TURNS);

/// Stages that are told apart; later ones are nobody.
const MOST: usize = 1024;

/// Turns of one capture. Zeroed memory says that there was none.
#[repr(C)]
#[derive(Debug)]
pub struct Turns {
    /// One more than the place of the last; 0 before the first.
    last: AtomicU16,
    /// A bit for each that had one.
    had: [AtomicU64; MOST / 64],
}

impl Turns {
    /// Before a capture. Only while the worker is idle.
    pub fn clear(&self) {
        self.last.store(0, Ordering::Release);
        for word in &self.had {
            word.store(0, Ordering::Release);
        }
    }

    /// It is the turn of the stage at that place.
    pub fn take(&self, place: usize) {
        if place < MOST {
            self.had[place / 64].fetch_or(1 << (place % 64), Ordering::AcqRel);
            self.last.store(place as u16 + 1, Ordering::Release);
        }
    }

    /// Who had the last turn.
    #[must_use]
    pub fn last(&self) -> Option<usize> {
        usize::from(self.last.load(Ordering::Acquire)).checked_sub(1)
    }

    /// Whether the stage at that place had one.
    #[must_use]
    pub fn had(&self, place: usize) -> bool {
        self.had.get(place / 64).is_some_and(|word| word.load(Ordering::Acquire) >> (place % 64) & 1 == 1)
    }
}

/// The mapped page.
#[derive(Debug)]
pub struct TurnPage(NonNull<Turns>);

// SAFETY: nothing but atomics lies there, and the mapping belongs to the whole process.
unsafe impl Send for TurnPage {}

impl TurnPage {
    /// Maps the first page of a worker's shared memory. The descriptor is not needed after that.
    ///
    /// # Errors
    /// A descriptor of something else.
    pub fn of(memory: impl AsFd) -> io::Result<Self> {
        if fstat(&memory)?.st_size < TURNS as i64 {
            return Err(io::Error::other("no shared memory for turns"));
        }
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice; nothing of this process lies there.
        let start = unsafe { mmap(std::ptr::null_mut(), TURNS, access, MapFlags::SHARED, &memory, 0) }?;
        NonNull::new(start.cast()).map(Self).ok_or_else(|| io::Error::other("mapped at nowhere"))
    }
}

impl std::ops::Deref for TurnPage {
    type Target = Turns;

    fn deref(&self) -> &Turns {
        // SAFETY: a mapping large enough and aligned to a page that lives as long as `self`, sealed in size, and any
        // bytes in it are values of atomics.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for TurnPage {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `of`; no reference into it outlives `self`.
        let _ = unsafe { munmap(self.0.as_ptr().cast(), TURNS) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_kept_until_they_are_cleared_and_no_place_is_out_of_bounds() {
        // SAFETY: atomics of integers, for which all zeros is a value.
        let turns: Turns = unsafe { std::mem::zeroed() };
        assert_eq!(turns.last(), None);
        for place in [0, 70, 3, MOST, usize::MAX] {
            turns.take(place);
        }
        assert_eq!(turns.last(), Some(3));
        let had: Vec<usize> = (0..2 * MOST).filter(|place| turns.had(*place)).collect();
        assert_eq!(had, [0, 3, 70]);
        turns.clear();
        assert_eq!((turns.last(), turns.had(70)), (None, false));
    }

    #[test]
    fn both_sides_see_one_page() {
        let memory = crate::worker::memory::SharedMemory::for_megapixels(0.0).unwrap();
        let (worker, engine) = (TurnPage::of(&memory).unwrap(), TurnPage::of(memory.handle().unwrap()).unwrap());
        worker.take(2);
        assert_eq!(engine.last(), Some(2));
        assert!(TurnPage::of(std::fs::File::open("/dev/null").unwrap()).is_err());
    }
}
