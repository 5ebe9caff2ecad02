//! Reads the terminal, and notices when it is gone.
//!
//! crossterm's `poll` and `read` never return once the terminal is gone (crossterm issue 793). So this thread waits on the
//! descriptor itself and stops at a hang-up *before* it calls crossterm. A second thread waits for nothing but the hang-up:
//! should it fall between this thread's look and crossterm's read, the loop still hears of it.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use crossbeam_channel::Sender;
use crossterm::event::{Event as Terminal, KeyCode, KeyModifiers};
use rustix::event::{PollFd, PollFlags, poll};

use super::Job;
use crate::workbench::event::Event;

/// How long crossterm may wait for the rest of what made the descriptor readable.
const REST: Duration = Duration::from_millis(20);

/// Both threads; dropping `stop` ends them.
pub struct Input {
    stop: OwnedFd,
    jobs: [Job; 2],
}

impl Input {
    /// `terminal` is the descriptor that crossterm reads: standard input.
    pub fn start(terminal: &impl AsFd, events: Sender<Event>) -> io::Result<Self> {
        let (stopped, stop) = rustix::pipe::pipe()?;
        let watch_stopped = stopped.try_clone()?;
        let (read_end, watch_end) = (terminal.as_fd().try_clone_to_owned()?, terminal.as_fd().try_clone_to_owned()?);
        let watch_events = events.clone();
        let jobs = [
            Job::start("input", move || read(&read_end, &stopped, &events))?,
            Job::start("hang-up", move || watch(&watch_end, &watch_stopped, &watch_events))?,
        ];
        Ok(Self { stop, jobs })
    }

    pub fn join(self, patience: Duration) {
        drop(self.stop);
        for job in self.jobs {
            job.join(patience);
        }
    }
}

/// Why waiting ended.
#[derive(Debug, PartialEq, Eq)]
enum Waited {
    Readable,
    Gone,
    Stopped,
}

/// Waits until the terminal has something (where `wanted` says so), hangs up, or the loop has ended.
fn wait(terminal: BorrowedFd<'_>, stopped: BorrowedFd<'_>, wanted: PollFlags) -> Waited {
    const GONE: PollFlags = PollFlags::HUP.union(PollFlags::ERR).union(PollFlags::NVAL);
    loop {
        let mut watched =
            [PollFd::from_borrowed_fd(terminal, wanted), PollFd::from_borrowed_fd(stopped, PollFlags::IN)];
        match poll(&mut watched, None) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return Waited::Gone,
            Ok(_) => {}
        }
        if !watched[1].revents().is_empty() {
            return Waited::Stopped;
        }
        if watched[0].revents().intersects(GONE) {
            return Waited::Gone;
        }
        if watched[0].revents().contains(PollFlags::IN) {
            return Waited::Readable;
        }
    }
}

fn watch(terminal: &OwnedFd, stopped: &OwnedFd, events: &Sender<Event>) {
    if wait(terminal.as_fd(), stopped.as_fd(), PollFlags::empty()) == Waited::Gone {
        let _ = events.send(Event::TerminalLost);
    }
}

fn read(terminal: &OwnedFd, stopped: &OwnedFd, events: &Sender<Event>) {
    let mut strays = Strays::default();
    loop {
        match wait(terminal.as_fd(), stopped.as_fd(), PollFlags::IN) {
            Waited::Readable => {}
            Waited::Gone => {
                let _ = events.send(Event::TerminalLost);
                return;
            }
            Waited::Stopped => return,
        }
        let mut patience = REST;
        loop {
            match crossterm::event::poll(patience).and_then(|ready| ready.then(crossterm::event::read).transpose()) {
                Ok(Some(event)) if strays.swallow(&event) => {}
                Ok(Some(event)) => {
                    if events.send(Event::Input(event)).is_err() {
                        return;
                    }
                }
                Ok(None) => break,
                Err(_) => {
                    let _ = events.send(Event::TerminalLost);
                    return;
                }
            }
            patience = Duration::ZERO;
        }
    }
}

/// Swallows a terminal's late answer to the question about kitty pictures (`ESC _ G … ESC \`), which crossterm takes for
/// keys: over a slow line it comes after the probe has given up, and its letters must not act.
#[derive(Debug, Default)]
struct Strays {
    state: Stray,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stray {
    #[default]
    None,
    /// `ESC _` came.
    Begun,
    /// Inside an answer, with so many keys swallowed.
    Inside(u8),
}

impl Strays {
    /// Whether this is no key that a person pressed.
    fn swallow(&mut self, event: &Terminal) -> bool {
        let Terminal::Key(key) = event else { return false };
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        self.state = match (self.state, key.code) {
            (Stray::None, KeyCode::Char('_')) if alt => Stray::Begun,
            (Stray::None, _) => return false,
            (Stray::Begun, KeyCode::Char('G')) => Stray::Inside(0),
            (Stray::Begun, _) => {
                self.state = Stray::None;
                return false;
            }
            (Stray::Inside(_), KeyCode::Char('\\')) if alt => Stray::None,
            // No answer is that long: what follows is a person again.
            (Stray::Inside(64..), _) => Stray::None,
            (Stray::Inside(count), _) => Stray::Inside(count + 1),
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyEvent;

    use super::*;

    fn key(character: char, modifiers: KeyModifiers) -> Terminal {
        Terminal::Key(KeyEvent::new(KeyCode::Char(character), modifiers))
    }

    #[test]
    fn a_late_answer_of_the_terminal_presses_no_keys() {
        let mut strays = Strays::default();
        assert!(strays.swallow(&key('_', KeyModifiers::ALT)));
        for character in "Gi=31;OK".chars() {
            assert!(strays.swallow(&key(character, KeyModifiers::NONE)), "{character}");
        }
        assert!(strays.swallow(&key('\\', KeyModifiers::ALT)));
        assert!(!strays.swallow(&key('q', KeyModifiers::NONE)));
    }

    #[test]
    fn keys_of_a_person_pass() {
        let mut strays = Strays::default();
        for character in "qG_\\i".chars() {
            assert!(!strays.swallow(&key(character, KeyModifiers::NONE)), "{character}");
        }
    }

    #[test]
    fn the_threads_end_when_a_real_terminal_hangs_up_before_crossterm_reads_it() {
        let pty = portable_pty::native_pty_system().openpty(portable_pty::PtySize::default()).expect("a terminal");
        let path = pty.master.tty_name().expect("its name");
        // Not the controlling terminal of the test: no signal tells of the hang-up.
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
        let terminal = rustix::fs::open(path, flags, rustix::fs::Mode::empty()).expect("the terminal");
        let (events, heard) = crossbeam_channel::bounded(8);
        let input = Input::start(&terminal, events).expect("threads");
        assert!(heard.try_recv().is_err(), "nothing is heard while it stands");
        drop(pty);
        let limit = Duration::from_secs(60);
        assert!(matches!(heard.recv_timeout(limit), Ok(Event::TerminalLost)));
        assert!(matches!(heard.recv_timeout(limit), Ok(Event::TerminalLost)), "the watch hears it too");
        // Both threads are over: nobody holds the sending end any more.
        assert_eq!(heard.recv_timeout(limit).err(), Some(crossbeam_channel::RecvTimeoutError::Disconnected));
        input.join(limit);
    }

    #[test]
    fn waiting_tells_a_hang_up_from_a_key_and_from_the_end() {
        let (stopped, stop) = rustix::pipe::pipe().expect("a pipe");
        let (ours, theirs) = rustix::net::socketpair(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::STREAM,
            rustix::net::SocketFlags::CLOEXEC,
            None,
        )
        .expect("a pair");
        rustix::io::write(&theirs, b"x").expect("a byte");
        assert_eq!(wait(ours.as_fd(), stopped.as_fd(), PollFlags::IN), Waited::Readable);
        drop(theirs);
        assert_eq!(wait(ours.as_fd(), stopped.as_fd(), PollFlags::IN), Waited::Gone);
        assert_eq!(wait(ours.as_fd(), stopped.as_fd(), PollFlags::empty()), Waited::Gone);
        drop(stop);
        assert_eq!(wait(ours.as_fd(), stopped.as_fd(), PollFlags::empty()), Waited::Stopped);
    }
}
