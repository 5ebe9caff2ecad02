//! `ferrule engine`: the engine in the foreground, for systemd, nohup and the curious.

use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{self, Command},
    thread,
};

use clap::Args;
use crossbeam_channel::{Receiver, bounded};
use ferrule_core::engine::{self, EngineSettings};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{
    alarm,
    environment::{self, Environment},
    failure::Failure,
    log::{self, CappedLog},
    place::Place,
    program::{self, PluginPath},
};

/// Run the engine in the foreground
#[derive(Debug, Args)]
pub struct Engine {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    path: PluginPath,
    /// In a session of its own, saying nothing on standard error but why it could not start
    #[arg(long, hide = true)]
    detached: bool,
}

impl Engine {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        start_anew();
        // Before the threads for signals, the log and alarms.
        engine::keep_memory_together();
        if self.detached {
            // Refused where it leads a group already, which then is its own.
            let _ = rustix::process::setsid();
        }
        let (workspace, configuration) = self.place.configured()?;
        let refused = |path: PathBuf| {
            move |error: io::Error| {
                Failure::wrong(format!("{}: {error}", path.display()))
                    .hint("the workspace must be yours and writable, with room on its disk")
            }
        };
        engine::access::make_private(&workspace.private()).map_err(refused(workspace.private()))?;
        let settings = &configuration.settings.log;
        let file = CappedLog::open(&workspace.log(), settings.max_mb << 20).map_err(refused(workspace.log()))?;
        log::start(file, &settings.level, !self.detached);
        let search = self.path.search(Some(&workspace), environment)?;
        let (alarm_calls, alarm_calls_ended) = alarm::runner(&workspace, environment)?;
        let settings = EngineSettings {
            search,
            alarm_calls,
            alarm_calls_ended,
            program: program::worker_program()?,
            runtime: runtime_folders(environment),
            stop: stop_on_signals()?,
            workspace,
        };
        engine::run(settings).map_err(|error| {
            tracing::error!(%error, "the engine did not start or could not go on");
            Failure::from(error)
        })
    }
}

/// Becomes the same engine, in the same process, with an allocator that keeps nothing in each thread: that can only be said
/// before a program starts. Where it cannot be done the engine is a little larger, and goes on.
fn start_anew() {
    if let (Some(variables), Ok(executable)) = (environment::for_an_engine(), environment::executable()) {
        // Nothing is open yet, and what was ignored stays so.
        let _ = Command::new(executable).args(environment::arguments()).envs(variables).exec();
    }
}

/// Where the socket may lie, the best first. The second needs no login session.
fn runtime_folders(environment: &Environment) -> Vec<PathBuf> {
    let own = environment.runtime_dir.iter().map(|folder| folder.join("ferrule"));
    own.chain([PathBuf::from(format!("/tmp/ferrule-{}", rustix::process::getuid().as_raw()))]).collect()
}

/// The first signal asks the engine to finish what is in hand, the second ends it as it stands.
fn stop_on_signals() -> Result<Receiver<()>, Failure> {
    let (stop, stopped) = bounded(1);
    let mut wanted = vec![SIGTERM, SIGINT];
    // `nohup` says: not this one.
    if !is_ignored(SIGHUP) {
        wanted.push(SIGHUP);
    }
    let mut signals =
        Signals::new(wanted).map_err(|error| Failure::failed(format!("signals cannot be handled: {error}")))?;
    let watch = move || {
        for (count, signal) in signals.forever().enumerate() {
            if count > 0 {
                process::exit(128 + signal);
            }
            tracing::info!(signal, "asked to stop");
            let _ = stop.try_send(());
        }
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(watch)
        .map_err(|error| Failure::failed(format!("no thread for signals: {error}")))?;
    Ok(stopped)
}

/// Whether this process was started with that signal ignored (`SigIgn` in proc(5), a mask in hexadecimal).
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
