//! A real pseudo-terminal with a program in it, and the screen that it draws. It answers a program's question whether it is
//! well, as every terminal does, and no other one.

use std::{
    io::{Read, Write},
    num::NonZeroU16,
    os::fd::BorrowedFd,
    path::Path,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{HANG, Lab, binary};

/// The workbench in a pseudo-terminal.
pub struct Terminal {
    /// Dropping it hangs the terminal up.
    master: Option<Box<dyn MasterPty + Send>>,
    keys: Arc<Mutex<Option<Box<dyn Write + Send>>>>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<Watched>,
    reading: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

fn screen_of(rows: u16, cols: u16) -> vt100::Parser {
    let positive = |count: u16| NonZeroU16::new(count).expect("a terminal has rows and columns");
    vt100::Parser::new(positive(rows), positive(cols), 0)
}

struct Seen {
    screen: vt100::Parser,
    bytes: u64,
    bells: usize,
    /// When the last of it came.
    at: Instant,
}

/// What was seen, and who waits for more.
struct Watched {
    seen: Mutex<Seen>,
    more: Condvar,
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// "Are you well?" (DSR), and "yes".
const STATUS_ASKED: &[u8] = b"\x1b[5n";
const STATUS_TOLD: &[u8] = b"\x1b[0n";

impl Terminal {
    /// Opens the workbench on the lab's workspace.
    #[must_use]
    pub fn open(lab: &Lab, rows: u16, cols: u16, environment: &[(&str, &str)]) -> Self {
        Self::open_with(lab, rows, cols, environment, &[lab.workspace.as_path()])
    }

    /// Opens the binary with these arguments.
    #[must_use]
    pub fn open_with(lab: &Lab, rows: u16, cols: u16, environment: &[(&str, &str)], arguments: &[&Path]) -> Self {
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(binary());
        command.args(arguments.iter().map(|argument| argument.as_os_str()));
        command.env_clear();
        let home = lab.root().join("home");
        command.env("PATH", "/usr/bin:/bin");
        command.env("HOME", home.as_os_str());
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for (name, value) in environment {
            command.env(name, value);
        }
        command.cwd(lab.root());
        let child = pair.slave.spawn_command(command).expect("the workbench starts");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let keys = Arc::new(Mutex::new(Some(pair.master.take_writer().expect("a writer"))));
        let seen = Seen { screen: screen_of(rows, cols), bytes: 0, bells: 0, at: Instant::now() };
        let seen = Arc::new(Watched { seen: Mutex::new(seen), more: Condvar::new() });
        let (watching, answering) = (Arc::clone(&seen), Arc::clone(&keys));
        let reading = Arc::new(AtomicBool::new(true));
        let go_on = Arc::clone(&reading);
        let descriptor = pair.master.as_raw_fd().expect("a descriptor");
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while go_on.load(Ordering::Acquire) {
                // SAFETY: the master is closed only after this thread was joined.
                let master = unsafe { BorrowedFd::borrow_raw(descriptor) };
                let pause = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
                if poll(&mut [PollFd::from_borrowed_fd(master, PollFlags::IN)], Some(&pause)) == Ok(0) {
                    continue;
                }
                let Ok(count) = reader.read(&mut buffer) else { return };
                if count == 0 {
                    return;
                }
                let at = Instant::now();
                if buffer[..count].windows(STATUS_ASKED.len()).any(|window| window == STATUS_ASKED) {
                    // A program that has ended by now needs no answer.
                    let _ = write(&answering, STATUS_TOLD);
                }
                let mut seen = watching.lock();
                seen.at = at;
                seen.bytes += count as u64;
                seen.bells += buffer[..count].iter().filter(|byte| **byte == 0x07).count();
                seen.screen.process(&buffer[..count]);
                watching.more.notify_all();
            }
        });
        Self { master: Some(pair.master), keys, child, seen, reading, reader: Some(reader) }
    }

    /// Types.
    pub fn press(&mut self, keys: &str) {
        write(&self.keys, keys.as_bytes()).expect("keys");
    }

    /// The screen as text.
    #[must_use]
    pub fn screen(&self) -> String {
        self.seen.lock().screen.screen().contents()
    }

    /// Bytes that the program has written to the terminal so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.seen.lock().bytes
    }

    /// How often the bell rang (or a string for the terminal ended, where one was sent).
    #[must_use]
    pub fn bells(&self) -> usize {
        self.seen.lock().bells
    }

    /// Looks at the screen, cell by cell.
    pub fn look<T>(&self, at: impl FnOnce(&vt100::Screen) -> T) -> T {
        at(self.seen.lock().screen.screen())
    }

    /// Waits until the screen is so; when what made it so had come.
    ///
    /// # Panics
    /// It does not within [`HANG`]; shows the last screen.
    pub fn wait_until(&self, what: &str, is_so: impl Fn(&vt100::Screen) -> bool) -> Instant {
        let start = Instant::now();
        let mut seen = self.seen.lock();
        while !is_so(seen.screen.screen()) {
            assert!(start.elapsed() < HANG, "waited {HANG:?} for {what} on:\n{}", seen.screen.screen().contents());
            let waited = self.seen.more.wait_timeout(seen, Duration::from_millis(200));
            seen = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        seen.at
    }

    /// Waits until the screen holds that text.
    ///
    /// # Panics
    /// It does not within [`HANG`]; shows the last screen.
    pub fn wait_for(&self, text: &str) {
        let start = Instant::now();
        while !self.screen().contains(text) {
            assert!(start.elapsed() < HANG, "waited {HANG:?} for {text:?} on the screen:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Process id of the workbench.
    ///
    /// # Panics
    /// It has ended.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("it runs")
    }

    /// Takes the terminal away, as a lost SSH connection does.
    pub fn hang_up(&mut self) {
        // The reader holds the terminal open too.
        self.reading.store(false, Ordering::Release);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.master = None;
    }

    /// Waits for the workbench to end by itself.
    ///
    /// # Panics
    /// It does not within [`HANG`].
    pub fn wait_end(&mut self) -> u32 {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.exit_code();
            }
            assert!(start.elapsed() < HANG, "the workbench did not end; its screen:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Writes to the program, while the terminal is there.
fn write(keys: &Mutex<Option<Box<dyn Write + Send>>>, bytes: &[u8]) -> std::io::Result<()> {
    let mut keys = keys.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(writer) = keys.as_mut() else { return Err(std::io::ErrorKind::NotConnected.into()) };
    writer.write_all(bytes).and_then(|()| writer.flush())
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.hang_up();
    }
}
