//! Looks at the engine once a second, whatever is done to it meanwhile.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const PAUSE: Duration = Duration::from_secs(1);

/// What /proc says of an engine.
#[derive(Debug, Clone, Copy)]
pub struct Sight {
    pub at: Instant,
    pub pid: u32,
    /// Private memory in KiB.
    pub memory: f64,
    pub descriptors: f64,
}

/// A thread that looks, until it is ended.
pub struct Watch {
    pid: Arc<AtomicU32>,
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Sight>>,
}

impl Watch {
    pub fn start() -> Self {
        let (pid, ended) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let (whom, until) = (Arc::clone(&pid), Arc::clone(&ended));
        let look = move || {
            let mut seen = Vec::new();
            while !until.load(Ordering::Relaxed) {
                seen.extend(sight(whom.load(Ordering::Relaxed)));
                thread::park_timeout(PAUSE);
            }
            seen
        };
        Self { pid, ended, thread: thread::spawn(look) }
    }

    /// This engine, from now on.
    pub fn follow(&self, pid: u32) {
        self.pid.store(pid, Ordering::Relaxed);
    }

    /// All that was seen, in its order.
    pub fn end(self) -> Vec<Sight> {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        self.thread.join().unwrap()
    }
}

/// `None` where there is no such process.
fn sight(pid: u32) -> Option<Sight> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let memory =
        status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")?.parse().ok())?;
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as f64;
    Some(Sight { at: Instant::now(), pid, memory, descriptors })
}
