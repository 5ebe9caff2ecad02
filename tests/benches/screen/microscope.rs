//! A microscope that puts ten pictures a second into the watched folder. They are drawn beforehand: drawing one costs more
//! than everything that is measured.

use std::{
    fs,
    path::PathBuf,
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use ferrule_tests::Lab;

/// Pictures a second.
pub const RATE: u64 = 10;

/// The pictures that are left.
pub struct Microscope {
    drawn: Vec<PathBuf>,
    to: PathBuf,
    taken: usize,
    back: (Sender<PathBuf>, std::sync::mpsc::Receiver<PathBuf>),
}

/// It works until this is dropped.
pub struct AtWork {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Microscope {
    /// Draws so many.
    pub fn new(lab: &Lab, count: u64) -> Self {
        let apart = lab.root().join("drawn");
        lab.simulate(&apart, count, "demo-v1", 11);
        let drawn = ferrule_tests::files_below(&apart);
        Self { drawn, to: lab.captures(), taken: 0, back: channel() }
    }

    /// How many it has taken.
    pub fn taken(&mut self) -> u64 {
        self.put_back();
        self.taken as u64
    }

    fn put_back(&mut self) {
        let left: Vec<PathBuf> = self.back.1.try_iter().collect();
        self.taken -= left.len();
        self.drawn.extend(left);
    }

    pub fn start(&mut self) -> AtWork {
        self.put_back();
        let pictures = std::mem::take(&mut self.drawn);
        assert!(!pictures.is_empty(), "too few pictures were drawn");
        self.taken += pictures.len();
        let (to, back) = (self.to.clone(), self.back.0.clone());
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::spawn(move || {
            let pause = Duration::from_secs(1) / RATE as u32;
            let mut next = Instant::now();
            let mut pictures = pictures.into_iter();
            for picture in pictures.by_ref() {
                let name = picture.file_name().unwrap();
                fs::rename(&picture, to.join(name)).unwrap();
                next += pause;
                let wait = next.saturating_duration_since(Instant::now());
                if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            pictures.for_each(|picture| back.send(picture).unwrap_or_default());
        });
        AtWork { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.stop = None;
        self.thread.take().map(JoinHandle::join);
    }
}
