//! The line to a child that answers one question after the other, outside any pool: asks, waits under a deadline that
//! each word of the child begins anew, and tells how a child ended that did not answer. The thread that asks must live as
//! long as the child. Called by trials of plug-ins and by correlations.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read},
    os::unix::{net::UnixStream, process::ExitStatusExt},
    process::Child,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{
    arguments::{Arguments, Limits, WorkerProgram},
    frames::{Incoming, MAX_ANSWER, write_frame},
    launch::{Launched, launch},
    messages::{FromWorker, ToWorker},
};
use crate::{host::card::Profile, pool::Cause};

/// What is kept of a child's standard error: its last words.
const TAIL: usize = 4 << 10;

/// Longest wait for a child that is at its own work, like painting a picture.
const STARTING: Duration = Duration::from_secs(20);

/// How a child ended that did not answer.
#[derive(Debug)]
pub struct Death {
    pub cause: Cause,
    /// The last line that it wrote to standard error.
    pub said: String,
}

impl Death {
    pub fn is_hang(&self) -> bool {
        matches!(self.cause, Cause::Deadline(_))
    }
}

impl std::fmt::Display for Death {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.cause)?;
        if self.said.is_empty() { Ok(()) } else { write!(f, "; it said: {}", self.said) }
    }
}

/// A child and its line.
pub struct Talk {
    child: Child,
    line: UnixStream,
    incoming: Incoming,
    tail: Arc<Mutex<VecDeque<u8>>>,
    stderr: Option<JoinHandle<()>>,
    /// Waited for: its number may be another process's by now.
    dead: bool,
}

impl Talk {
    /// Starts a child of that profile.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(program: &WorkerProgram, profile: Profile, limits: Limits) -> std::io::Result<Self> {
        let arguments = Arguments { parent: std::process::id(), profile, staging: None, limits };
        let Launched { mut child, line } = launch(program, &arguments, None)?;
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let (stderr, kept) = (child.stderr.take(), Arc::clone(&tail));
        let drain = move || {
            let Some(mut stderr) = stderr else { return };
            let mut chunk = [0; 4 << 10];
            while let Ok(count @ 1..) = stderr.read(&mut chunk) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(&chunk[..count]);
                let over = kept.len().saturating_sub(TAIL);
                kept.drain(..over);
            }
        };
        let stderr = Some(thread::Builder::new().name("talk-stderr".into()).spawn(drain)?);
        Ok(Self { child, line, incoming: Incoming::default(), tail, stderr, dead: false })
    }

    /// Asks, and waits for the answer: `deadline` is for each call of a plug-in, which the child announces.
    ///
    /// # Errors
    /// How the child ended; it is dead then.
    pub fn ask(&mut self, question: &ToWorker, deadline: Duration) -> Result<FromWorker, Death> {
        let _ = self.line.set_write_timeout(Some(STARTING));
        if let Err(error) = write_frame(&mut self.line, question) {
            return Err(self.died(Some(Cause::Nonsense(error.to_string()))));
        }
        let mut limit = STARTING;
        loop {
            match self.hear(limit)? {
                FromWorker::Started { .. } => limit = STARTING,
                FromWorker::Turn { .. } => limit = deadline,
                answer => return Ok(answer),
            }
        }
    }

    /// Where the last panic happened, as the child's standard error says: `src/lib.rs:12:5`.
    pub fn panicked_at(&self) -> Option<String> {
        // What was written before the answer may be read after it.
        let until = Instant::now() + Duration::from_millis(500);
        loop {
            let text = self.tail();
            let place = text.rsplit_once("panicked at ").and_then(|(_, rest)| rest.split_once(":\n"));
            if let Some((place, _)) = place {
                return Some(place.chars().filter(|c| !c.is_control()).take(200).collect());
            }
            if Instant::now() > until {
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn tail(&self) -> String {
        let tail: Vec<u8> = self.tail.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        String::from_utf8_lossy(&tail).into_owned()
    }

    fn hear(&mut self, limit: Duration) -> Result<FromWorker, Death> {
        let until = Instant::now() + limit;
        loop {
            match self.incoming.next(MAX_ANSWER) {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(error) => return Err(self.died(Some(Cause::Nonsense(error.to_string())))),
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.died(Some(Cause::Deadline(limit))));
            }
            let _ = self.line.set_read_timeout(Some(left));
            match self.incoming.fill(&mut self.line) {
                Ok(0) => return Err(self.died(None)),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => return Err(self.died(None)),
            }
        }
    }

    /// Ends what is left of it. Without a `cause` of ours it is ending by itself, and the kernel says how.
    fn died(&mut self, cause: Option<Cause>) -> Death {
        if cause.is_some() {
            self.kill();
        }
        let status = self.wait_a_moment();
        if status.is_none() {
            self.kill();
            let _ = self.child.wait();
        }
        self.dead = true;
        if let Some(stderr) = self.stderr.take() {
            // Its end of the pipe is closed now.
            let _ = stderr.join();
        }
        let told = status.and_then(|status| status.signal().map(Cause::Signal).or(status.code().map(Cause::Exit)));
        let text = self.tail();
        let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let said = last.chars().filter(|c| !c.is_control()).take(200).collect();
        Death { cause: cause.or(told).unwrap_or(Cause::Silent), said }
    }

    fn wait_a_moment(&mut self) -> Option<std::process::ExitStatus> {
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(2));
        }
        None
    }

    fn kill(&mut self) {
        // The group: a library may have started something before it was forbidden.
        if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        if self.dead {
            return;
        }
        self.kill();
        let _ = self.child.wait();
        if let Some(stderr) = self.stderr.take() {
            let _ = stderr.join();
        }
    }
}
