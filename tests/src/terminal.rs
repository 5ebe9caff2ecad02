//! A real pseudo-terminal with a program in it, and the screen that it draws.

use std::{
    io::{Read, Write},
    num::NonZeroU16,
    os::fd::BorrowedFd,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
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
    keys: Option<Box<dyn Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<Mutex<Seen>>,
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
}

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
        let keys = pair.master.take_writer().expect("a writer");
        let seen = Arc::new(Mutex::new(Seen { screen: screen_of(rows, cols), bytes: 0, bells: 0 }));
        let watching = Arc::clone(&seen);
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
                let mut seen = watching.lock().unwrap_or_else(PoisonError::into_inner);
                seen.bytes += count as u64;
                seen.bells += buffer[..count].iter().filter(|byte| **byte == 0x07).count();
                seen.screen.process(&buffer[..count]);
            }
        });
        Self { master: Some(pair.master), keys: Some(keys), child, seen, reading, reader: Some(reader) }
    }

    /// Types.
    pub fn press(&mut self, keys: &str) {
        let writer = self.keys.as_mut().expect("the terminal is there");
        writer.write_all(keys.as_bytes()).and_then(|()| writer.flush()).expect("keys");
    }

    /// The screen as text.
    #[must_use]
    pub fn screen(&self) -> String {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).screen.screen().contents()
    }

    /// Bytes that the program has written to the terminal so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// How often the bell rang (or a string for the terminal ended, where one was sent).
    #[must_use]
    pub fn bells(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).bells
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
        self.keys = None;
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

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.hang_up();
    }
}
