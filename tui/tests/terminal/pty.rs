//! The workbench running in a pseudo-terminal: keys go in, and what comes out is read into a screen.

use std::{
    io::Write,
    num::NonZeroU16,
    path::Path,
    process::Command,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Where the child finds its dataset; set only for the child.
pub const DATASET: &str = "FERRULE_TEST_DATASET";

/// Nothing here takes long; this is for a machine that is busy with something else.
const HANG: Duration = Duration::from_secs(60);

pub fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("some")
}

/// What came out of the terminal.
pub struct Seen {
    pub parser: vt100::Parser,
    bytes: usize,
}

/// The workbench, running in a terminal.
pub struct Running {
    child: Box<dyn Child + Send + Sync>,
    /// Dropped to hang up. The reading thread borrows its descriptor, and is joined before.
    pub master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    pub seen: Arc<(Mutex<Seen>, Condvar)>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    pub dataset: tempfile::TempDir,
}

impl Running {
    pub fn start() -> Self {
        let dataset = tempfile::tempdir().expect("a folder");
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(std::env::current_exe().expect("this test"));
        command.args(["--exact", "workbench_in_this_terminal", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env(DATASET, dataset.path());
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        let child = pty.slave.spawn_command(command).expect("the child");
        drop(pty.slave);
        let seen = Arc::new((
            Mutex::new(Seen { parser: vt100::Parser::new(cells(24), cells(80), 0), bytes: 0 }),
            Condvar::new(),
        ));
        let descriptor = pty.master.as_raw_fd().expect("a descriptor");
        let fill = Arc::clone(&seen);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let reader = Some(std::thread::spawn(move || read(descriptor, &fill, &stopped)));
        let writer = pty.master.take_writer().expect("the way in");
        Self { child, master: Some(pty.master), writer: Some(writer), seen, stop, reader, dataset }
    }

    /// Closes the terminal from outside, as a lost line does.
    pub fn hang_up(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        drop(self.writer.take());
        drop(self.master.take());
    }

    pub fn type_keys(&mut self, keys: &str) {
        let writer = self.writer.as_mut().expect("the terminal stands");
        writer.write_all(keys.as_bytes()).and_then(|()| writer.flush()).expect("keys");
    }

    /// Waits until the screen is as described; prints the last one when it does not come.
    pub fn wait_for(&self, what: &str, condition: impl Fn(&vt100::Screen) -> bool) {
        let (seen, changed) = &*self.seen;
        let guard = seen.lock().expect("the screen");
        let late = |seen: &mut Seen| !condition(seen.parser.screen());
        let (guard, timeout) = changed.wait_timeout_while(guard, HANG, late).expect("the screen");
        assert!(!timeout.timed_out(), "{what} did not come:\n{}", guard.parser.screen().contents());
    }

    pub fn wait_for_text(&self, text: &str) {
        self.wait_for(text, |screen| screen.contents().contains(text));
    }

    pub fn bytes(&self) -> usize {
        self.seen.0.lock().expect("the screen").bytes
    }

    pub fn exit_code(mut self) -> u32 {
        let begin = Instant::now();
        while begin.elapsed() < HANG {
            if let Some(status) = self.child.try_wait().expect("the child") {
                return status.exit_code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        panic!(
            "it did not end; the last screen:\n{}",
            self.seen.0.lock().expect("the screen").parser.screen().contents()
        );
    }

    pub fn signal(&self, name: &str) {
        let process = self.child.process_id().expect("a process").to_string();
        assert!(Command::new("kill").args([name, &process]).status().expect("kill").success());
    }

    /// Ticks of processor time (hundredths of a second) that it has used.
    pub fn ticks(&self) -> u64 {
        let process = self.child.process_id().expect("a process");
        let stat =
            std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat")).expect("its times");
        let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
        [fields[11], fields[12]].iter().map(|field| field.parse::<u64>().expect("a number")).sum()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.hang_up();
        let _ = self.child.kill();
    }
}

/// Reads the terminal without a handle of its own, so that dropping the master hangs up; looks every now and then whether
/// it is to end.
fn read(descriptor: std::os::fd::RawFd, seen: &(Mutex<Seen>, Condvar), stop: &AtomicBool) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    // SAFETY: whoever closes the descriptor joins this thread first.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(descriptor) };
    let wait = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    let mut bytes = [0; 8192];
    while !stop.load(Ordering::SeqCst) {
        let mut watched = [PollFd::new(&borrowed, PollFlags::IN)];
        match poll(&mut watched, Some(&wait)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) if watched[0].revents().contains(PollFlags::IN) => {}
            _ => return,
        }
        let Ok(count) = rustix::io::read(borrowed, &mut bytes) else { return };
        let mut inner = seen.0.lock().expect("the screen");
        inner.parser.process(&bytes[..count]);
        inner.bytes += count;
        drop(inner);
        seen.1.notify_all();
    }
}
