//! Starts a worker process and hands back both ends that matter: the child and its line.
//!
//! Only what std can do without a hook between fork and exec, so that std keeps to posix_spawn: a hook forces a real
//! fork, which takes tens of milliseconds in a large engine. Everything else the worker does to itself before it loads
//! a plug-in. Called by the pool and by probes; the thread that calls must live as long as the worker, for the worker
//! asks to be killed when that thread ends.

use std::{
    io,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Child, Command, Stdio},
};

use super::arguments::{Arguments, WorkerProgram};

/// A running worker.
#[derive(Debug)]
pub struct Launched {
    /// Its standard error is a pipe that must be drained; its process group is its own, so a signal can reach all of it.
    pub child: Child,
    /// Frames in both directions.
    pub line: UnixStream,
}

/// Starts a worker. Dropping the line lets it end by itself; a worker that hangs must be killed and waited for.
///
/// # Errors
/// No socket pair, or the program cannot be started.
pub fn launch(program: &WorkerProgram, arguments: &Arguments) -> io::Result<Launched> {
    let (line, theirs) = UnixStream::pair()?;
    let child = Command::new(&program.executable)
        .args(&program.arguments)
        .args(arguments.command_line())
        .env_clear()
        // More arenas only spread the same work over more memory; a backtrace costs a panicking plug-in 60 to 120 ms.
        .envs([("MALLOC_ARENA_MAX", "2"), ("RUST_BACKTRACE", "0")])
        // Keeps a terminal's Ctrl-C away from it.
        .process_group(0)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    Ok(Launched { child, line })
}
