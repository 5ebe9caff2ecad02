//! A worker's whole life: leave everything but the line to the engine behind, enter the sandbox, then load, inspect and
//! answer until the line closes. The hidden subcommand calls [`main`] before anything else happens in the process.
//!
//! Nothing here survives a crash, and nothing tries to: the engine sees the end of the line, and the last turn says who
//! it was. Standard error is the engine's to read; standard output is nobody's.

use std::{
    cell::RefCell,
    ffi::OsString,
    io::{self, Write},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::Path,
    process::ExitCode,
    rc::Rc,
};

use super::{
    arguments::Arguments,
    frames::{FrameError, MAX_ANSWER, read_frame, write_frame},
    grid,
    line::Line,
    memory::Mapped,
    messages::{Ask, FromWorker, GridJob, Job, Pipeline, ToWorker},
    sandbox,
    serve::Desk,
    turns::TurnPage,
};
use crate::{
    host::{Script, probe},
    ids::PluginId,
    pipeline::{
        remote::Office,
        run::{self, Bench},
        tools::{Libraries, Tools},
    },
    report::Failure,
    training,
    trial::{self, Trial},
};

/// The descriptor that the line moves to, so that no plug-in finds it as standard input.
const LINE: i32 = 3;
/// And the one that the shared memory moves to.
const MEMORY: i32 = 4;

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
    let (line, memory, turns) = take_line()?;
    let sandbox = sandbox::enter(&arguments)?;
    let line = Rc::new(RefCell::new(line));
    let office = memory.map(|memory| Rc::new(RefCell::new(Office::new(Rc::clone(&line), memory))));
    let libraries = Libraries::new(arguments.profile, office);
    let (bench, desk) = (Bench::default(), Desk::default());
    let mut worker = Worker { line, turns, libraries, tools: None, bench, desk, arguments };
    worker.say(&FromWorker::Started { sandbox })?;
    let mut trials = trial::desk::Desk::default();
    // A narrow worker gets pipelines and jobs; a wide one also what plug-ins found before it.
    loop {
        let message = read_frame(&mut *worker.line.borrow_mut(), MAX_ANSWER);
        match message {
            Ok(ToWorker::Configure(pipeline)) => worker.configure(&pipeline)?,
            Ok(ToWorker::Inspect(job)) => worker.inspect(&job)?,
            Ok(ToWorker::Probe { library }) => worker.probe(&library)?,
            Ok(ToWorker::Try(trial)) => worker.try_out(&trial, &mut trials)?,
            Ok(ToWorker::Describe { bridge, script }) => worker.describe(&bridge, &script)?,
            Ok(ToWorker::Grid(job)) => worker.grid(&job)?,
            Ok(ToWorker::Memory { of }) => worker.take_memory(of)?,
            Ok(ToWorker::Forget { of }) => worker.desk.forget(of),
            Ok(ToWorker::Serve(asks)) => worker.serve(&asks)?,
            Ok(ToWorker::Train(order)) => training::desk::train(&order, &worker.arguments.limits, &worker.line)?,
            // The training that it was for has ended.
            Ok(ToWorker::Steer(_)) => {}
            Ok(ToWorker::Reply(_)) => return Err("a reply to no question".into()),
            // The engine has no more work, or is gone.
            Err(FrameError::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

struct Worker {
    line: Rc<RefCell<Line>>,
    /// Where a narrow worker writes whose turn it is.
    turns: Option<TurnPage>,
    libraries: Libraries,
    tools: Option<Tools>,
    bench: Bench,
    /// A wide worker's answers to others' questions.
    desk: Desk,
    arguments: Arguments,
}

impl Worker {
    fn say(&mut self, message: &FromWorker) -> Result<(), FrameError> {
        write_frame(&mut *self.line.borrow_mut(), message)
    }

    /// A pipeline that is refused leaves the one before in force.
    fn configure(&mut self, pipeline: &Pipeline) -> Result<(), FrameError> {
        let line = Rc::clone(&self.line);
        let mut turn = |plugin: &PluginId| announce(&line, plugin);
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
        let answer = match (&mut self.tools, &self.turns) {
            (Some(tools), Some(turns)) => {
                let places: Vec<PluginId> = tools.pipeline.stages().map(|stage| stage.plugin.clone()).collect();
                let mut turn = |plugin: &PluginId| {
                    if let Some(place) = places.iter().position(|stage| stage == plugin) {
                        turns.take(place);
                    }
                };
                run::inspect(tools, &mut self.bench, &self.arguments.limits, job, &mut turn)
            }
            _ => run::refused(
                job,
                Failure {
                    stage: "worker".into(),
                    plugin: None,
                    message: "no pipeline was loaded, or no memory shared".into(),
                    transient: true,
                },
            ),
        };
        self.say(&FromWorker::Done(Box::new(answer)))
    }

    fn try_out(&mut self, trial: &Trial, desk: &mut trial::desk::Desk) -> Result<(), FrameError> {
        let line = Rc::clone(&self.line);
        let tried = desk.take(trial, &mut |plugin| announce(&line, plugin));
        self.say(&FromWorker::Tried(Box::new(tried)))
    }

    fn probe(&mut self, library: &Path) -> Result<(), FrameError> {
        let line = Rc::clone(&self.line);
        let profile = self.arguments.profile;
        let found = probe::look(library, profile, &mut |plugin| announce(&line, plugin));
        self.say(&FromWorker::Probed(found))
    }

    fn grid(&mut self, job: &GridJob) -> Result<(), FrameError> {
        let gridded = grid::lay(job, &self.arguments.limits);
        self.say(&FromWorker::Gridded(gridded))
    }

    fn describe(&mut self, bridge: &Path, script: &Script) -> Result<(), FrameError> {
        let line = Rc::clone(&self.line);
        let found = probe::look_at_script(bridge, script, &mut |plugin| announce(&line, plugin));
        self.say(&FromWorker::Described(found))
    }

    fn take_memory(&mut self, of: u64) -> Result<(), Box<dyn std::error::Error>> {
        let descriptor = self.line.borrow_mut().take_descriptor().ok_or("memory without a descriptor")?;
        self.desk.remember(of, Mapped::of(descriptor, false)?);
        Ok(())
    }

    fn serve(&mut self, asks: &[Ask]) -> Result<(), FrameError> {
        let line = Rc::clone(&self.line);
        let mut turn = |plugin: &PluginId| announce(&line, plugin);
        let answers = self.desk.serve(self.tools.as_mut(), asks, &mut turn);
        self.say(&FromWorker::Served(answers))
    }
}

/// Says whose turn it is, outside of captures. An engine that cannot be told is gone, and then nobody waits for this call.
fn announce(line: &RefCell<Line>, plugin: &PluginId) {
    if write_frame(&mut *line.borrow_mut(), &FromWorker::Turn { plugin: plugin.clone() }).is_err() {
        std::process::exit(1);
    }
}

/// Moves the line from standard input to a descriptor of its own, and shared memory, where there is any, from standard
/// output; puts `/dev/null` in their places, and closes whatever else leaked in.
fn take_line() -> io::Result<(Line, Option<Mapped>, Option<TurnPage>)> {
    let moved = |from: i32, to: i32, flags: i32| {
        // SAFETY: plain system calls on this process's own descriptors, before anything else has opened one: whatever
        // has these numbers leaked in and is nobody's.
        let result = unsafe { libc::dup3(from, to, flags) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    moved(libc::STDIN_FILENO, LINE, libc::O_CLOEXEC)?;
    moved(libc::STDOUT_FILENO, MEMORY, libc::O_CLOEXEC)?;
    // SAFETY: as above; an old kernel without the call keeps the leaked descriptors.
    unsafe { libc::syscall(libc::SYS_close_range, MEMORY + 1, libc::c_uint::MAX, 0) };
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    moved(null.as_raw_fd(), libc::STDIN_FILENO, 0)?;
    moved(null.as_raw_fd(), libc::STDOUT_FILENO, 0)?;
    // SAFETY: both descriptors were just made and have no other owner.
    let (line, output) = unsafe { (OwnedFd::from_raw_fd(LINE), OwnedFd::from_raw_fd(MEMORY)) };
    // Without memory to share, standard output was `/dev/null`, which has no size.
    let turns = TurnPage::of(&output).ok();
    Ok((Line::over(UnixStream::from(line)), Mapped::of(output, true).ok(), turns))
}
