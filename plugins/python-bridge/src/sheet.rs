//! The memory that bridge and interpreter share: a picture, its labels, and the masks that are found in it.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    ptr::NonNull,
    slice,
};

use ferrule_abi::{ImageView, LABEL_NONE};
use rustix::{
    fs::{MemfdFlags, ftruncate, memfd_create},
    mm::{MapFlags, ProtFlags, mmap, munmap},
};

/// Each part begins at a multiple of this.
const ALIGNED: usize = 64;

/// Where the parts of a picture lie; `found` is two bytes a pixel, the others as their names say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub labels_at: usize,
    pub found_at: usize,
    pub bytes: usize,
    pixels: usize,
    count: usize,
}

impl Layout {
    fn of(image: &ImageView<'_>) -> Option<Self> {
        let count = (image.width as usize).checked_mul(image.height as usize)?;
        let pixels = count.checked_mul(image.format.bytes())?;
        let labels_at = pixels.checked_next_multiple_of(ALIGNED)?;
        let found_at = labels_at.checked_add(count)?.checked_next_multiple_of(ALIGNED)?;
        let bytes = found_at.checked_add(count.checked_mul(2)?)?;
        Some(Self { labels_at, found_at, bytes, pixels, count })
    }
}

/// One end of the memory; the other is inherited by the interpreter.
#[derive(Debug)]
pub struct Sheet {
    memory: OwnedFd,
    start: Option<NonNull<u8>>,
    bytes: usize,
}

// SAFETY: the mapping belongs to this value alone; nothing about it is bound to a thread.
unsafe impl Send for Sheet {}

impl Sheet {
    /// Empty, with a descriptor that children inherit.
    ///
    /// # Errors
    /// No descriptor left.
    pub fn new() -> io::Result<Self> {
        let memory = memfd_create("ferrule-python", MemfdFlags::empty())?;
        Ok(Self { memory, start: None, bytes: 0 })
    }

    /// The number that the interpreter knows it by.
    pub fn number(&self) -> i32 {
        self.memory.as_raw_fd()
    }

    /// Lays a picture and its labels out; without labels every pixel is of no zone.
    ///
    /// # Errors
    /// No memory for a picture of that size.
    pub fn lay_out(&mut self, image: &ImageView<'_>, labels: &[u8]) -> io::Result<Layout> {
        let layout = Layout::of(image).ok_or_else(|| io::Error::other("the picture is too large"))?;
        if layout.bytes > self.bytes {
            self.grow(layout.bytes)?;
        }
        let memory = self.bytes_mut();
        let wide = image.width as usize * image.format.bytes();
        for (y, row) in memory[..layout.pixels].chunks_exact_mut(wide).enumerate() {
            row.copy_from_slice(&image.row(y as u32)[..wide]);
        }
        let room = &mut memory[layout.labels_at..layout.labels_at + layout.count];
        if labels.len() == room.len() {
            room.copy_from_slice(labels);
        } else {
            room.fill(LABEL_NONE);
        }
        Ok(layout)
    }

    /// What was found, one number a pixel, after an answer.
    pub fn found(&self, layout: &Layout) -> Vec<u16> {
        let Some(start) = self.start else { return Vec::new() };
        // SAFETY: `start` begins a mapping of `bytes` bytes, no less than the layout's; the interpreter has answered and
        // writes no more until it is asked again.
        let memory = unsafe { slice::from_raw_parts(start.as_ptr(), self.bytes) };
        let found = &memory[layout.found_at..layout.found_at + 2 * layout.count];
        found.as_chunks::<2>().0.iter().map(|pair| u16::from_ne_bytes(*pair)).collect()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self.start {
            // SAFETY: as in `found`; the interpreter waits for a question.
            Some(start) => unsafe { slice::from_raw_parts_mut(start.as_ptr(), self.bytes) },
            None => &mut [],
        }
    }

    fn grow(&mut self, bytes: usize) -> io::Result<()> {
        ftruncate(&self.memory, bytes as u64)?;
        self.unmap();
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe { mmap(std::ptr::null_mut(), bytes, access, MapFlags::SHARED, &self.memory, 0) }?;
        (self.start, self.bytes) = (NonNull::new(start.cast()), bytes);
        Ok(())
    }

    fn unmap(&mut self) {
        if let Some(start) = self.start.take() {
            // SAFETY: the mapping made in `grow`; no slice of it is alive.
            let _ = unsafe { munmap(start.as_ptr().cast(), self.bytes) };
        }
    }
}

impl Drop for Sheet {
    fn drop(&mut self) {
        self.unmap();
    }
}
