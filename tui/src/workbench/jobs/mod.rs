//! The threads beside the loop: each does one kind of waiting or working, sends [`super::event::Event`]s, and is joined.

pub mod answers;
pub mod engine;
pub mod input;
pub mod pictures;
pub mod program;
pub mod rows;
pub mod signals;
pub mod slot;

use std::{
    io,
    thread::{self, JoinHandle},
    time::Duration,
};

use crossbeam_channel::{Receiver, bounded};

/// A named thread that can be waited for with patience.
pub struct Job {
    handle: JoinHandle<()>,
    /// Disconnects when the thread's work is over.
    over: Receiver<()>,
}

impl Job {
    pub fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (alive, over) = bounded(0);
        let handle = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _alive = alive;
            work();
        })?;
        Ok(Self { handle, over })
    }

    /// Joins the thread, unless it is still held up (by a file system, by a socket) after that long; the process ends then
    /// without it.
    pub fn join(self, patience: Duration) {
        // Nothing is ever sent: the channel only ends.
        if self.over.recv_timeout(patience) != Err(crossbeam_channel::RecvTimeoutError::Timeout) {
            let _ = self.handle.join();
        }
    }
}
