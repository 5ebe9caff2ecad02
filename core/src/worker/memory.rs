//! Memory that a narrow worker shares: with the engine whose turn it is, with wide workers a picture and its label map,
//! without copying them through the engine.
//!
//! The engine makes one for each narrow worker: it gives it to that worker as its standard output at the start, and to
//! wide workers over their lines. Its size is sealed, so neither side can pull it away under the other. The first page
//! holds the [`Turns`](super::turns::Turns), all that the engine looks at; what lies behind it is decided by [`Layout`],
//! and a question says which picture it is.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::NonNull,
    slice,
};

use rustix::{
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, fstat, ftruncate, memfd_create},
    mm::{MapFlags, ProtFlags, mmap, munmap},
};

use super::turns::TURNS;
use crate::host::card::Pixels;

/// Labels begin at a multiple of this.
const ALIGNED: usize = 64;

/// Most bytes a pixel takes: red, green, blue and a label.
const BYTES_PER_PIXEL: f64 = 4.0;

/// Where things lie behind the first page: rows of pixels without padding from the first byte on, then, from the next multiple of 64 bytes, one
/// label a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub pixels: usize,
    pub labels_at: usize,
    pub labels: usize,
}

impl Layout {
    /// For a picture of that size; `None` where it cannot be addressed.
    #[must_use]
    pub fn of(width: u32, height: u32, format: Pixels) -> Option<Self> {
        let labels = usize::try_from(u64::from(width) * u64::from(height)).ok()?;
        let pixels = labels.checked_mul(format.bytes())?;
        let labels_at = pixels.checked_next_multiple_of(ALIGNED)?;
        labels_at.checked_add(labels).map(|_| Self { pixels, labels_at, labels })
    }

    /// Bytes in all.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.labels_at + self.labels
    }
}

/// The engine's end: a descriptor to hand on.
#[derive(Debug)]
pub struct SharedMemory(OwnedFd);

impl SharedMemory {
    /// Turns, and room for one picture of at most so many megapixels, which may be 0. Costs nothing until it is written to.
    ///
    /// # Errors
    /// No descriptor left, a kernel without memory files.
    pub fn for_megapixels(most: f64) -> io::Result<Self> {
        let picture = if most > 0.0 { (most * 1e6 * BYTES_PER_PIXEL) as u64 + ALIGNED as u64 } else { 0 };
        let bytes = TURNS as u64 + picture;
        let memory = memfd_create("ferrule-picture", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&memory, bytes)?;
        fcntl_add_seals(&memory, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok(Self(memory))
    }

    /// Another descriptor of the same memory.
    ///
    /// # Errors
    /// No descriptor left.
    pub fn handle(&self) -> io::Result<OwnedFd> {
        self.0.try_clone()
    }
}

impl AsFd for SharedMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A worker's end: the room for pictures.
#[derive(Debug)]
pub struct Mapped {
    start: NonNull<u8>,
    bytes: usize,
    writable: bool,
}

impl Mapped {
    /// Maps all that lies behind the turns. The descriptor is not needed after that.
    ///
    /// # Errors
    /// A descriptor of something else; memory without room for a picture.
    pub fn of(memory: impl AsFd, writable: bool) -> io::Result<Self> {
        let bytes = usize::try_from(fstat(&memory)?.st_size).ok().and_then(|bytes| bytes.checked_sub(TURNS));
        let bytes = bytes.filter(|bytes| *bytes > 0);
        let bytes = bytes.ok_or_else(|| io::Error::other("no room for a picture in the shared memory"))?;
        let access = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: a new mapping at an address of the kernel's choice; nothing of this process lies there.
        let start = unsafe { mmap(std::ptr::null_mut(), bytes, access, MapFlags::SHARED, &memory, TURNS as u64) }?;
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mapped at nowhere"))?;
        Ok(Self { start, bytes, writable })
    }

    /// All of it. The other side writes only between questions; if it breaks that rule, its own capture gets nonsense.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `start` begins a mapping of `bytes` bytes that lives as long as `self`; its size is sealed.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }

    /// All of it, to write; `None` where it was mapped for reading.
    pub fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        // SAFETY: as above, and writable.
        self.writable.then(|| unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) })
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `of`; no slice of it outlives `self`.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_writes_the_other_reads_and_nobody_can_shorten_it() {
        let memory = SharedMemory::for_megapixels(0.01).unwrap();
        let (mut writer, reader) =
            (Mapped::of(&memory, true).unwrap(), Mapped::of(memory.handle().unwrap(), false).unwrap());
        writer.bytes_mut().unwrap()[40_000] = 7;
        assert_eq!(reader.bytes()[40_000], 7);
        assert_eq!(reader.bytes().len(), 40_064);
        assert!(ftruncate(&memory, 10).is_err());
        let mut reader = reader;
        assert!(reader.bytes_mut().is_none());
        assert!(Mapped::of(SharedMemory::for_megapixels(0.0).unwrap(), true).is_err());
    }

    #[test]
    fn a_layout_holds_every_format_and_refuses_what_cannot_be_addressed() {
        let layout = Layout::of(101, 3, Pixels::Rgb8).unwrap();
        assert_eq!((layout.pixels, layout.labels_at, layout.labels, layout.bytes()), (909, 960, 303, 1263));
        assert!(Layout::of(u32::MAX, u32::MAX, Pixels::Rgb8).is_none());
    }
}
