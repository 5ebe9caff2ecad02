//! A worker's whole life: leave everything but the line to the engine behind, enter the sandbox, then load, inspect and
//! answer until the line closes. The hidden subcommand calls [`main`] before anything else happens in the process.
//!
//! Nothing here survives a crash, and nothing tries to: the engine sees the end of the line, and the last `Turn` says
//! who it was. Standard error is the engine's to read; standard output is nobody's.

use std::{
    ffi::OsString,
    io::{self, Write},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::Path,
    process::ExitCode,
};

use super::{
    arguments::Arguments,
    frames::{FrameError, MAX_REQUEST, read_frame, write_frame},
    messages::{FromWorker, Job, Pipeline, ToWorker},
    sandbox,
};
use crate::{
    host::probe,
    ids::PluginId,
    pipeline::{
        run::{self, Bench},
        tools::{Libraries, Tools},
    },
    report::Failure,
};

/// The descriptor that the line moves to, so that no plug-in finds it as standard input.
const LINE: i32 = 3;

/// Runs a worker with the arguments that follow the subcommand.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match live(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The engine keeps the last of what a worker says here.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn live(arguments: impl IntoIterator<Item = OsString>) -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse(arguments)?;
    let line = take_line()?;
    let sandbox = sandbox::enter(&arguments)?;
    let mut worker = Worker { line, libraries: Libraries::default(), tools: None, bench: Bench::default(), arguments };
    worker.say(&FromWorker::Started { sandbox })?;
    loop {
        match read_frame(&mut worker.line, MAX_REQUEST) {
            Ok(ToWorker::Configure(pipeline)) => worker.configure(&pipeline)?,
            Ok(ToWorker::Inspect(job)) => worker.inspect(&job)?,
            Ok(ToWorker::Probe { library }) => worker.probe(&library)?,
            // The engine has no more work, or is gone.
            Err(FrameError::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

struct Worker {
    line: UnixStream,
    libraries: Libraries,
    tools: Option<Tools>,
    bench: Bench,
    arguments: Arguments,
}

impl Worker {
    fn say(&mut self, message: &FromWorker) -> Result<(), FrameError> {
        write_frame(&mut self.line, message)
    }

    /// A pipeline that is refused leaves the one before in force.
    fn configure(&mut self, pipeline: &Pipeline) -> Result<(), FrameError> {
        let line = &mut self.line;
        let mut turn = |plugin: &PluginId| announce(line, 0, plugin);
        let message = match self.libraries.equip(pipeline, &mut turn) {
            Ok(tools) => {
                self.tools = Some(tools);
                FromWorker::Ready { pipeline: pipeline.id.clone() }
            }
            Err(refused) => {
                if let Some(dump) = refused.dump {
                    let _ = writeln!(io::stderr(), "{dump}");
                }
                FromWorker::Refused {
                    pipeline: pipeline.id.clone(),
                    plugin: Some(refused.plugin),
                    reason: refused.reason,
                }
            }
        };
        self.say(&message)
    }

    fn inspect(&mut self, job: &Job) -> Result<(), FrameError> {
        let line = &mut self.line;
        let mut turn = |plugin: &PluginId| announce(line, job.job, plugin);
        let answer = match &mut self.tools {
            Some(tools) => run::inspect(tools, &mut self.bench, &self.arguments.limits, job, &mut turn),
            None => run::refused(
                job,
                Failure {
                    stage: "worker".into(),
                    plugin: None,
                    message: "no pipeline was loaded".into(),
                    transient: true,
                },
            ),
        };
        self.say(&FromWorker::Done(Box::new(answer)))
    }

    fn probe(&mut self, library: &Path) -> Result<(), FrameError> {
        let line = &mut self.line;
        let found = probe::look(library, &mut |plugin| announce(line, 0, plugin));
        self.say(&FromWorker::Probed(found))
    }
}

/// Says whose turn it is. An engine that cannot be told is gone, and then nobody waits for this call.
fn announce(line: &mut UnixStream, job: u64, plugin: &PluginId) {
    if write_frame(line, &FromWorker::Turn { job, plugin: plugin.clone() }).is_err() {
        std::process::exit(1);
    }
}

/// Moves the line from standard input to a descriptor of its own, puts `/dev/null` in its place, and closes whatever else
/// leaked in.
fn take_line() -> io::Result<UnixStream> {
    let moved = |from: i32, to: i32, flags: i32| {
        // SAFETY: plain system calls on this process's own descriptors, before anything else has opened one: whatever
        // has the number `LINE` leaked in and is nobody's.
        let result = unsafe { libc::dup3(from, to, flags) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    moved(libc::STDIN_FILENO, LINE, libc::O_CLOEXEC)?;
    moved(std::fs::File::open("/dev/null")?.as_raw_fd(), libc::STDIN_FILENO, 0)?;
    // SAFETY: as above; an old kernel without the call keeps the leaked descriptors.
    unsafe { libc::syscall(libc::SYS_close_range, LINE + 1, libc::c_uint::MAX, 0) };
    // SAFETY: the descriptor was just made and has no other owner.
    Ok(unsafe { UnixStream::from(OwnedFd::from_raw_fd(LINE)) })
}
