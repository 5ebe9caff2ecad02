//! The engine's own memory. It lives for weeks with a dozen threads, and glibc keeps what they free, in pieces, in an arena
//! for each: at 12 captures a second it grew by a MiB every two minutes with 5 MiB in use. One arena, large blocks in
//! mappings of their own, and what is free goes back to the system now and then.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How often. What a passing task needed for a moment, a sixth of a MiB every few seconds, stays with the process until then.
const PAUSE: Duration = Duration::from_secs(2);
/// Bytes from which a block is a mapping of its own. Left to itself glibc raises this to the size of whatever was freed:
/// plug-ins are read whole at the start, and from then on blocks of tens of MiB would lie in the arenas and part them.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 64 << 10;

/// Bytes of address space for the stack of a thread that comes and goes; it touches a few pages of them.
const STACK: usize = 16 << 20;

/// A thread that comes and goes: of a client, or of a task. Of the stacks of ended threads glibc keeps 40 MiB, as they are; at
/// the usual 2 MiB those were twenty, each of which in time had served somebody who goes deep.
pub(super) fn passing_thread(name: String) -> thread::Builder {
    thread::Builder::new().name(name).stack_size(STACK)
}

/// When memory was given back.
#[derive(Debug)]
pub(super) struct Heap {
    next: Instant,
}

impl Heap {
    pub const fn new(now: Instant) -> Self {
        Self { next: now }
    }

    /// Gives back what is free, if it is time.
    pub fn give_back_when_due(&mut self, now: Instant) {
        if self.next <= now {
            give_back();
            self.next = now + PAUSE;
        }
    }
}

/// One heap for all threads of this process, from now on. For a program that becomes an engine, before anything else: the
/// threads that are there keep the arenas that they have, and pass them on when they end.
#[cfg(target_env = "gnu")]
pub fn keep_together() {
    for (what, setting, value) in [("arenas", libc::M_ARENA_MAX, 1), ("large blocks", libc::M_MMAP_THRESHOLD, LARGE)] {
        // SAFETY: a plain setting of the C library's allocator.
        if unsafe { libc::mallopt(setting, value) } == 0 {
            tracing::debug!(what, value, "the allocator does not take it");
        }
    }
}

#[cfg(target_env = "gnu")]
fn give_back() {
    // SAFETY: takes the allocator's own locks; what is in use stays where it is.
    let _ = unsafe { libc::malloc_trim(0) };
}

/// Only glibc has an arena for each thread.
#[cfg(not(target_env = "gnu"))]
pub fn keep_together() {}

#[cfg(not(target_env = "gnu"))]
fn give_back() {}
