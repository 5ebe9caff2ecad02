//! One worker process as the supervisor holds it: its line, its standard error, its pidfd, its memory.
//!
//! Nothing here blocks and nothing here decides. Called by the supervisor's thread only, which must outlive the process.

use std::{
    collections::VecDeque,
    fs,
    io::{self, ErrorKind, Read, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process::{Child, ChildStderr, ExitStatus},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};

use crate::worker::{
    arguments::{Arguments, WorkerProgram},
    frames::{self, FrameError, Incoming},
    launch::launch,
    line::send_with,
    memory::SharedMemory,
    messages::{FromWorker, ToWorker},
};

/// What is kept of a worker's standard error.
const TAIL: usize = 8 << 10;

/// Reads a worker gets before the others' turn: 64 KB each.
const READS: usize = 64;

/// A running, or dead but not yet buried, worker.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: Pid,
    pidfd: OwnedFd,
    line: std::os::unix::net::UnixStream,
    incoming: Incoming,
    outgoing: Vec<u8>,
    /// Descriptors that go along, and before which byte of `outgoing`.
    attached: VecDeque<(usize, OwnedFd)>,
    stderr: Option<ChildStderr>,
    tail: VecDeque<u8>,
}

/// What the line had to say.
pub(super) struct Received {
    pub messages: Vec<FromWorker>,
    pub end: Option<LineEnd>,
}

/// The line is of no more use.
pub(super) enum LineEnd {
    Closed,
    Nonsense(String),
}

impl Process {
    pub fn start(program: &WorkerProgram, arguments: &Arguments, memory: Option<&SharedMemory>) -> io::Result<Self> {
        let launched = launch(program, arguments, memory)?;
        let mut child = launched.child;
        let pid = Pid::from_child(&child);
        let ready = pidfd_open(pid, PidfdFlags::empty()).map_err(io::Error::from).and_then(|pidfd| {
            launched.line.set_nonblocking(true)?;
            let stderr = child.stderr.take();
            if let Some(stderr) = &stderr {
                rustix::io::ioctl_fionbio(stderr, true)?;
            }
            Ok((pidfd, stderr))
        });
        let (pidfd, stderr) = match ready {
            Ok(ready) => ready,
            Err(error) => {
                // Out of descriptors: leave nothing behind.
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        };
        let (incoming, outgoing, attached) = (Incoming::default(), Vec::new(), VecDeque::new());
        let tail = VecDeque::new();
        Ok(Self { child, pid, pidfd, line: launched.line, incoming, outgoing, attached, stderr, tail })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn line(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }

    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    pub fn stderr(&self) -> Option<BorrowedFd<'_>> {
        self.stderr.as_ref().map(AsFd::as_fd)
    }

    /// Queues a message and writes what the line takes now.
    ///
    /// # Errors
    /// A message that cannot be written down. A broken line is no error here: its end is told by reading.
    pub fn send(&mut self, message: &ToWorker) -> Result<(), FrameError> {
        frames::write_frame(&mut self.outgoing, message)?;
        self.flush();
        Ok(())
    }

    /// The same for a message that brings a descriptor along.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_with(&mut self, message: &ToWorker, descriptor: OwnedFd) -> Result<(), FrameError> {
        self.attached.push_back((self.outgoing.len(), descriptor));
        self.send(message)
    }

    /// Something waits for the line.
    pub fn wants_to_write(&self) -> bool {
        !self.outgoing.is_empty()
    }

    pub fn flush(&mut self) {
        while !self.outgoing.is_empty() {
            // No further than to the next descriptor, which goes with the byte behind it.
            let next = self.attached.iter().map(|(before, _)| *before).find(|before| *before > 0);
            let bytes = &self.outgoing[..next.unwrap_or(self.outgoing.len())];
            let written = match self.attached.front() {
                Some((0, descriptor)) => send_with(&self.line, bytes, descriptor.as_fd()),
                _ => self.line.write(bytes),
            };
            match written {
                Ok(count) if count > 0 => {
                    self.outgoing.drain(..count);
                    // One at the first byte has gone with it.
                    self.attached.pop_front_if(|(before, _)| *before == 0);
                    self.attached.iter_mut().for_each(|(before, _)| *before -= count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Nobody reads it any more.
                Ok(_) | Err(_) => {
                    self.outgoing.clear();
                    self.attached.clear();
                }
            }
        }
    }

    /// Takes what has arrived, a fair share of it.
    pub fn receive(&mut self) -> Received {
        let mut messages = Vec::new();
        for _ in 0..READS {
            let end = match self.incoming.fill(&mut self.line) {
                Ok(0) => Some(LineEnd::Closed),
                Ok(_) => None,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => Some(LineEnd::Closed),
            };
            let told = loop {
                match self.incoming.next(frames::MAX_ANSWER) {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) => break end,
                    Err(error) => break Some(LineEnd::Nonsense(error.to_string())),
                }
            };
            if told.is_some() {
                return Received { messages, end: told };
            }
        }
        Received { messages, end: None }
    }

    /// Takes what it wrote to standard error and keeps the end.
    pub fn drain_stderr(&mut self) {
        let Some(stderr) = &mut self.stderr else { return };
        let mut chunk = [0; 16 << 10];
        // A flood goes on at the next turn: it costs time until the deadline, never memory.
        for _ in 0..8 {
            match stderr.read(&mut chunk) {
                Ok(count) if count > 0 => {
                    self.tail.extend(&chunk[..count]);
                    let over = self.tail.len().saturating_sub(TAIL);
                    self.tail.drain(..over);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Ok(_) | Err(_) => {
                    self.stderr = None;
                    return;
                }
            }
        }
    }

    /// The end of its standard error as text, control characters taken out.
    pub fn last_words(&self) -> String {
        let bytes: Vec<u8> = self.tail.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        text.chars().filter(|c| *c == '\n' || !c.is_control()).collect::<String>().trim().to_owned()
    }

    /// Bytes in use now; `None` once it is gone.
    pub fn resident(&self) -> Option<u64> {
        resident_bytes(self.pid())
    }

    /// Ends it and whatever it started.
    pub fn kill(&self) {
        // Not yet waited for, so its number is still its own; gone already is as good.
        let _ = kill_process_group(self.pid, Signal::KILL);
    }

    /// Tells it to end by itself: no more work will come.
    pub fn hang_up(&self) {
        let _ = self.line.shutdown(std::net::Shutdown::Both);
    }

    /// Waits for a killed one, so that it is no zombie; one that the kernel holds is left to it.
    pub fn await_death(&mut self, at_most: Duration) {
        let mut dead = [PollFd::from_borrowed_fd(self.pidfd.as_fd(), PollFlags::IN)];
        let limit = Timespec { tv_sec: at_most.as_secs().cast_signed(), tv_nsec: i64::from(at_most.subsec_nanos()) };
        let _ = poll(&mut dead, Some(&limit));
        let _ = self.child.try_wait();
    }

    /// Its exit status once it is dead; also ends what it may have left running in its group.
    pub fn try_reap(&mut self) -> Option<ExitStatus> {
        let mut dead = [PollFd::from_borrowed_fd(self.pidfd.as_fd(), PollFlags::IN)];
        if !matches!(poll(&mut dead, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1)) {
            return None;
        }
        self.kill();
        self.drain_stderr();
        self.child.try_wait().ok().flatten()
    }
}

/// Resident memory of a process, from the kernel's `statm` (pages: all, resident, …).
pub(super) fn resident_bytes(pid: u32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
