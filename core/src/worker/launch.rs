//! Starts a worker process and hands back both ends that matter: the child and its line.
//!
//! Only what std can do without a hook between fork and exec, so that std keeps to posix_spawn: a hook forces a real
//! fork, which takes tens of milliseconds in a large engine. Everything else the worker does to itself before it loads
//! a plug-in. Called by the pool and by probes; the thread that calls must live as long as the worker, for the worker
//! asks to be killed when that thread ends.

use std::{
    ffi::OsString,
    io,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Child, Command, Stdio},
};

use super::{
    arguments::{Arguments, WorkerProgram},
    memory::SharedMemory,
};
use crate::host::card::Profile;

/// A running worker.
#[derive(Debug)]
pub struct Launched {
    /// Its standard error is a pipe that must be drained; its process group is its own, so a signal can reach all of it.
    pub child: Child,
    /// Frames in both directions.
    pub line: UnixStream,
}

/// Starts a worker; a narrow one that will ask wide ones is given the `memory` in which it puts its pictures. Dropping the line lets it end by itself; a worker that hangs must be killed and waited for.
///
/// # Errors
/// No socket pair, or the program cannot be started.
pub fn launch(program: &WorkerProgram, arguments: &Arguments, memory: Option<&SharedMemory>) -> io::Result<Launched> {
    let (line, theirs) = UnixStream::pair()?;
    let mut command = Command::new(&program.executable);
    command.env_clear();
    if arguments.profile == Profile::Wide {
        command.envs(surroundings(arguments));
    }
    if let Some(libraries) = &program.libraries {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    let child = command
        .args(&program.arguments)
        .args(arguments.command_line())
        // More arenas only spread the same work over more memory; a backtrace costs a panicking plug-in 60 to 120 ms.
        .envs([("MALLOC_ARENA_MAX", "2"), ("RUST_BACKTRACE", "0")])
        // Keeps a terminal's Ctrl-C away from it.
        .process_group(0)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(memory.map_or_else(|| Ok(Stdio::null()), |memory| memory.handle().map(Stdio::from))?)
        .stderr(Stdio::piped())
        .spawn()?;
    Ok(Launched { child, line })
}

/// What runtimes that a wide plug-in brings along look for: programs, a folder of their own for what they keep. Nothing
/// of the user's own environment.
fn surroundings(arguments: &Arguments) -> Vec<(&'static str, OsString)> {
    let mut set: Vec<(&str, OsString)> = vec![
        ("PATH", "/usr/local/bin:/usr/bin:/bin".into()),
        ("LANG", "C.UTF-8".into()),
        // Several wide workers with a thread a core each would only wait for each other.
        ("OMP_NUM_THREADS", "1".into()),
        ("OPENBLAS_NUM_THREADS", "1".into()),
        ("PYTHONDONTWRITEBYTECODE", "1".into()),
        ("PYTHONNOUSERSITE", "1".into()),
    ];
    if let Some(staging) = &arguments.staging {
        set.extend(["HOME", "TMPDIR"].map(|name| (name, staging.as_os_str().to_owned())));
    }
    set
}
