//! The workbench in a real pseudo-terminal: keys in, screens out, the terminal lost, suspended, silent.
//!
//! The test binary starts itself as the program in the terminal ([`workbench_in_this_terminal`]).
#![allow(clippy::expect_used, clippy::panic, reason = "what fails in a helper fails its test")]

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

use ferrule::workbench::{self, Colours, Exit, TerminalFacts, WorkbenchSettings};
use ferrule_core::{
    settings::{PictureProtocol, Screen},
    workspace::DatasetPaths,
};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Where the child finds its dataset; set only for the child.
const DATASET: &str = "FERRULE_TEST_DATASET";

/// Nothing below takes long; this is for a machine that is busy with something else.
const HANG: Duration = Duration::from_secs(60);

/// Not a test: what runs inside the terminal.
#[test]
#[ignore = "started by the other tests, inside a terminal of theirs"]
fn workbench_in_this_terminal() {
    let Ok(dataset) = std::env::var(DATASET) else { return };
    let settings = WorkbenchSettings {
        workspace: "pty".into(),
        dataset: DatasetPaths::at(dataset),
        log: None,
        terminal: TerminalFacts { colours: Colours::Palette256, multiplexer: true, ..TerminalFacts::default() },
        screen: Screen { picture: PictureProtocol::Halfblocks, theme: "dark".into(), mouse: false },
        time_zone: jiff::tz::TimeZone::UTC,
        start_engine: Box::new(|| Err("no engine can be started in this test".into())),
        at_logout: None,
    };
    let code = match workbench::run(settings) {
        Ok(Exit::Left) => 10,
        Ok(Exit::EngineStopped) => 11,
        Ok(Exit::Signalled) => 12,
        Ok(Exit::TerminalLost) => 13,
        Err(_) => 1,
    };
    // Past the test harness, which would write its own words to a terminal that may be gone.
    std::process::exit(code);
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("some")
}

/// What came out of the terminal.
struct Seen {
    parser: vt100::Parser,
    bytes: usize,
}

struct Running {
    child: Box<dyn Child + Send + Sync>,
    /// Dropped to hang up. The reading thread borrows its descriptor, and is joined before.
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    _dataset: tempfile::TempDir,
}

impl Running {
    fn start() -> Self {
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
        Self { child, master: Some(pty.master), writer: Some(writer), seen, stop, reader, _dataset: dataset }
    }

    /// Closes the terminal from outside, as a lost line does.
    fn hang_up(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        drop(self.writer.take());
        drop(self.master.take());
    }

    fn type_keys(&mut self, keys: &str) {
        let writer = self.writer.as_mut().expect("the terminal stands");
        writer.write_all(keys.as_bytes()).and_then(|()| writer.flush()).expect("keys");
    }

    /// Waits until the screen is as described; prints the last one when it does not come.
    fn wait_for(&self, what: &str, condition: impl Fn(&vt100::Screen) -> bool) {
        let (seen, changed) = &*self.seen;
        let guard = seen.lock().expect("the screen");
        let late = |seen: &mut Seen| !condition(seen.parser.screen());
        let (guard, timeout) = changed.wait_timeout_while(guard, HANG, late).expect("the screen");
        assert!(!timeout.timed_out(), "{what} did not come:\n{}", guard.parser.screen().contents());
    }

    fn wait_for_text(&self, text: &str) {
        self.wait_for(text, |screen| screen.contents().contains(text));
    }

    fn bytes(&self) -> usize {
        self.seen.0.lock().expect("the screen").bytes
    }

    fn exit_code(mut self) -> u32 {
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

    fn signal(&self, name: &str) {
        let process = self.child.process_id().expect("a process").to_string();
        assert!(Command::new("kill").args([name, &process]).status().expect("kill").success());
    }

    /// Ticks of processor time (hundredths of a second) that it has used.
    fn ticks(&self) -> u64 {
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

#[test]
fn keys_lead_through_the_screens_and_out() {
    let mut running = Running::start();
    running.wait_for_text("gone, reconnecting");
    running.type_keys("2");
    running.wait_for_text("label");
    running.type_keys("4");
    running.wait_for_text("no engine: ");
    running.type_keys("?");
    running.wait_for_text("Everywhere");
    running.type_keys("\u{1b}");
    running.wait_for("the help gone", |screen| !screen.contents().contains("Everywhere"));
    running.type_keys("q");
    let seen = Arc::clone(&running.seen);
    assert_eq!(running.exit_code(), 10);
    let seen = seen.0.lock().expect("the screen");
    assert!(
        !seen.parser.screen().alternate_screen() && !seen.parser.screen().hide_cursor(),
        "the terminal is as it was"
    );
}

#[test]
fn a_lost_terminal_ends_the_client() {
    let mut running = Running::start();
    running.wait_for_text("gone, reconnecting");
    running.hang_up();
    let code = running.exit_code();
    assert!([12, 13].contains(&code), "by the signal or by the descriptor, whichever came first: {code}");
}

#[test]
fn a_terminal_lost_while_keys_arrive_ends_the_client() {
    let mut running = Running::start();
    running.wait_for_text("gone, reconnecting");
    running.type_keys(&"1234".repeat(200));
    running.hang_up();
    assert!([12, 13].contains(&running.exit_code()));
}

#[test]
fn terminate_restores_the_terminal() {
    let running = Running::start();
    running.wait_for_text("gone, reconnecting");
    running.signal("-TERM");
    let seen = Arc::clone(&running.seen);
    assert_eq!(running.exit_code(), 12);
    assert!(!seen.0.lock().expect("the screen").parser.screen().alternate_screen());
}

#[test]
fn a_new_size_is_drawn_without_a_key() {
    let mut running = Running::start();
    running.wait_for_text("gone, reconnecting");
    let size = PtySize { rows: 10, cols: 40, pixel_width: 0, pixel_height: 0 };
    running.seen.0.lock().expect("the screen").parser.screen_mut().set_size(cells(10), cells(40));
    running.master.as_ref().expect("the terminal").resize(size).expect("a size");
    running.wait_for_text("60x16 are needed");
    running.type_keys("q");
    assert_eq!(running.exit_code(), 10);
}

#[test]
fn it_comes_back_whole_after_a_stop() {
    let mut running = Running::start();
    running.wait_for_text("gone, reconnecting");
    running.signal("-STOP");
    // A shell may write over the screen meanwhile.
    running.seen.0.lock().expect("the screen").parser.process(b"\x1b[?1049l\x1b[2Jshell$ ");
    running.signal("-CONT");
    running.wait_for("the whole screen again", |screen| {
        screen.alternate_screen() && screen.contents().contains("gone, reconnecting")
    });
    running.type_keys("q");
    assert_eq!(running.exit_code(), 10);
}

#[test]
fn an_idle_workbench_writes_nothing_and_rests() {
    let mut running = Running::start();
    running.wait_for_text("gone, reconnecting");
    running.type_keys("2");
    running.wait_for_text("label");
    // Silence can only be shown by listening: five seconds, in which several attempts to reach the engine fall.
    let listen = Duration::from_secs(5);
    std::thread::sleep(Duration::from_secs(1));
    let (bytes, ticks) = (running.bytes(), running.ticks());
    std::thread::sleep(listen);
    assert_eq!(running.bytes(), bytes, "it wrote while nothing happened");
    assert!(running.ticks() - ticks <= 5, "it used {} hundredths of a second", running.ticks() - ticks);
    running.type_keys("q");
    assert_eq!(running.exit_code(), 10);
}
