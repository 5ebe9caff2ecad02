//! Reading complete files once to learn their identity. Threads of their own, because a network mount can hold a read
//! for minutes and the main loop must not wait for it.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::{
    ids::ImageId,
    ingest::{FileKey, SeenFile},
    report::Failure,
    store::is_scarcity,
};

/// One disk serves two readers well, and a slow network mount leaves one free.
const THREADS: usize = 2;
const CHUNK: usize = 256 * 1024;
/// Between two tries where descriptors are scarce, and how long that may go on.
const PAUSE: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(300);

/// What became of a complete file.
#[derive(Debug)]
pub struct Hashed {
    pub file: SeenFile,
    pub content: Reading,
}

/// What reading it gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading {
    Content(ImageId),
    Unreadable(Failure),
    /// It is another version by now, which ingest will name in its turn.
    Changed,
}

/// The reading threads. Requests are answered in any order.
#[derive(Debug)]
pub struct Hashers {
    requests: Option<Sender<SeenFile>>,
    answers: Receiver<Hashed>,
    threads: Vec<JoinHandle<()>>,
}

impl Hashers {
    /// # Errors
    /// No threads are to be had.
    pub fn start() -> io::Result<Self> {
        let (requests, waiting) = unbounded::<SeenFile>();
        let (sender, answers) = unbounded();
        let threads = (0..THREADS)
            .map(|n| {
                let (waiting, sender) = (waiting.clone(), sender.clone());
                thread::Builder::new().name(format!("hasher-{n}")).spawn(move || {
                    let mut chunk = vec![0; CHUNK];
                    for file in waiting {
                        let content = read(&file, &mut chunk);
                        if sender.send(Hashed { file, content }).is_err() {
                            return;
                        }
                    }
                })
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { requests: Some(requests), answers, threads })
    }

    /// Asks for a file's identity. How many are asked for at once is the caller's to bound.
    pub fn ask(&self, file: SeenFile) {
        if let Some(requests) = &self.requests {
            let _ = requests.send(file);
        }
    }

    #[must_use]
    pub fn answers(&self) -> &Receiver<Hashed> {
        &self.answers
    }
}

impl Drop for Hashers {
    fn drop(&mut self) {
        self.requests = None;
        while self.answers.try_recv().is_ok() {}
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Without descriptors to be had it is the engine that is in trouble, not the file: it waits for some, and only after
/// minutes lets the capture fail, which a person can retry.
fn patiently(open: impl Fn() -> io::Result<File>) -> io::Result<File> {
    let began = Instant::now();
    loop {
        match open() {
            Err(error) if is_scarcity(&error) && began.elapsed() < PATIENCE => thread::sleep(PAUSE),
            opened => return opened,
        }
    }
}

fn read(seen: &SeenFile, chunk: &mut [u8]) -> Reading {
    let unreadable = |error: &io::Error| {
        let remedy = match error.kind() {
            io::ErrorKind::PermissionDenied => "; give the engine's user permission to read it, then retry",
            io::ErrorKind::NotFound => "; it was removed before it was read",
            _ => "",
        };
        Reading::Unreadable(Failure {
            stage: "read".into(),
            plugin: None,
            message: format!("{error}{remedy}"),
            transient: true,
        })
    };
    // Non-blocking, so that a FIFO put in the file's place cannot hold this thread for ever.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::CLOEXEC;
    let open = || std::fs::OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(&seen.path);
    let mut file = match patiently(open) {
        Ok(file) => file,
        Err(error) => return unreadable(&error),
    };
    let key = |file: &File| file.metadata().map(|found| (found.is_file(), FileKey::of(&found)));
    match key(&file) {
        Ok((true, key)) if key == seen.key => {}
        Ok((true, _)) => return Reading::Changed,
        Ok((false, _)) => return unreadable(&io::Error::other("it is not a regular file")),
        Err(error) => return unreadable(&error),
    }
    let mut hasher = blake3::Hasher::new();
    loop {
        match file.read(chunk) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&chunk[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return unreadable(&error),
        }
    }
    match key(&file) {
        Ok((_, key)) if key == seen.key => Reading::Content(ImageId::from_hash(&hasher.finalize())),
        _ => Reading::Changed,
    }
}
