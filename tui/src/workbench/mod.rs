//! The workbench: the screen that shows what the engine does and takes a person's commands.
//!
//! One loop owns all state (`App`) and the terminal; everything that waits or works is a thread that sends
//! `Event`s. It never opens a plug-in, never writes the database, and the engine does not notice when it ends.
//! Called by the binary once an engine runs.

mod alarms;
mod app;
mod chrome;
mod comparison;
mod curve;
mod dataset;
mod event;
mod figures;
mod form;
mod jobs;
mod keymap;
mod keys;
mod layout;
mod line;
mod pace;
mod palette;
mod picture;
mod plain;
mod reader;
mod reference;
mod rows;
mod runs;
mod runs_reader;
mod screens;
mod settings;
mod tasks;
mod terminal;
mod text;
mod theme;
mod trial;
mod typing;
mod welcome;

#[cfg(test)]
mod tests;

use std::{
    io::IsTerminal,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use ferrule_core::{settings::PictureProtocol, training::Places};
use jiff::Timestamp;

use self::{
    app::{App, Setup},
    comparison::Compare,
    dataset::DatasetRequest,
    event::{Command, Effects, Event},
    jobs::{
        answers::AnswerJob,
        engine::{EngineJob, ToEngine},
        input::Input,
        pictures::{PictureJob, PictureTask},
        program,
        rows::{OpenRows, RowsJob},
        signals::SignalJob,
    },
    pace::Pace,
    reader::DatasetRows,
    reference::MakeReference,
    rows::Rows,
    runs::{RunsAnswer, RunsRequest},
    runs_reader::DatasetRuns,
    terminal::Screen,
    theme::Theme,
    trial::PluginsRequest,
};
pub use self::{
    event::Exit,
    keymap::{KeyMap, names as key_names},
    reference::{Learn, Learning},
    settings::{TerminalFacts, WorkbenchSettings},
    theme::Colours,
    trial::{PutBack, Trial, TryOut},
    welcome::{Wish, welcome},
};

/// Events that wait for the loop; a sender beyond that waits.
const BACKLOG: usize = 1024;

/// How long the threads may take to end when a person leaves.
const PATIENCE: Duration = Duration::from_millis(500);

/// Shows the workbench until the person leaves or the terminal is lost.
///
/// # Errors
/// There is no terminal, it cannot show anything, or it cannot be set up.
pub fn run(settings: WorkbenchSettings) -> anyhow::Result<Exit> {
    if settings.terminal.dumb {
        bail!(text::DUMB);
    }
    if !is_terminal() {
        bail!(text::NO_TERMINAL);
    }
    terminal::tell_panics(settings.log.clone());
    let mut screen = Screen::take(settings.screen.mouse).context("the terminal cannot be set up")?;
    let stdin = std::io::stdin();
    let line = settings.terminal.line(settings.low_bandwidth);
    let wish = if settings.low_bandwidth { PictureProtocol::Outline } else { settings.screen.picture };
    let graphics = picture::probe::graphics(wish, &settings.terminal, stdin.as_fd(), &mut std::io::stdout());
    let (events, incoming) = bounded(BACKLOG);
    let open = open_rows(&settings);
    let trainings = answer_runs(&settings);
    let mut about_dataset = dataset::answering(settings.dataset.clone(), settings.limits, events.clone());
    let compare = comparison::answering(settings.dataset.clone(), events.clone());
    let references =
        reference::answering(settings.dataset.clone(), settings.root.clone(), settings.learn, events.clone());
    let mut about_plugins = trial::answering(settings.dataset.clone(), settings.try_out, settings.put_back);
    let exports = settings.dataset.exports();
    let threads = Threads {
        input: Input::start(&stdin, events.clone())?,
        signals: SignalJob::start(events.clone())?,
        engine: EngineJob::start(settings.dataset, settings.start_engine, events.clone())?,
        rows: RowsJob::start(open, events.clone())?,
        runs: AnswerJob::start("runs", trainings, events.clone())?,
        plugins: AnswerJob::start("trials", move |question| Event::Plugins(about_plugins(question)), events.clone())?,
        comparisons: AnswerJob::start("comparisons", compare, events.clone())?,
        references: AnswerJob::start("references", references, events.clone())?,
        dataset: AnswerJob::start("dataset", move |question| Event::Dataset(about_dataset(question)), events.clone())?,
        pictures: PictureJob::start(graphics, line, exports, events.clone())?,
        events,
        reviewer_file: settings.reviewer_file.clone(),
    };
    let mut app = App::new(Setup {
        workspace: plain::clean(&settings.workspace),
        theme: Theme::of(
            settings.screen.theme,
            settings.screen.chart,
            settings.terminal.colours,
            settings.terminal.utf8,
        ),
        keys: settings.keys,
        mouse: settings.screen.mouse,
        open: settings.screen.open,
        zone: settings.time_zone,
        at_logout: settings.at_logout,
        reviewer: settings.reviewer_file.as_deref().and_then(kept_reviewer),
        user: settings.user,
        size: screen.size().context("the terminal does not tell its size")?,
        now: Timestamp::now,
    });
    app.warn(settings.key_problems);
    let exit = turn(&mut app, &mut screen, &threads, &incoming, Pace::over(line, Instant::now()));
    screen.give_back();
    // Whoever waits to send an event wakes up and ends.
    drop(incoming);
    if exit != Exit::TerminalLost {
        threads.join();
    }
    Ok(exit)
}

/// Whether somebody can be shown something and asked.
pub fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// The first line of the file, if it is a name.
fn kept_reviewer(file: &std::path::Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let name = text.lines().next().unwrap_or_default().trim().to_owned();
    (!name.is_empty() && !name.chars().any(char::is_control)).then_some(name)
}

/// Opens the dataset's database when the first question comes, and again after a failure.
fn open_rows(settings: &WorkbenchSettings) -> OpenRows {
    let paths = settings.dataset.clone();
    Box::new(move || DatasetRows::open(&paths).map(|rows| Box::new(rows) as Box<dyn Rows>))
}

/// Answers questions about trainings; opens the database when the first one comes, and again after a failure.
fn answer_runs(settings: &WorkbenchSettings) -> impl FnMut(RunsRequest) -> Event + Send + 'static {
    let (paths, places) = (settings.dataset.clone(), Places::below(&settings.root));
    let mut open: Option<DatasetRuns> = None;
    move |request| {
        let runs = match &mut open {
            Some(runs) => Ok(runs),
            None => DatasetRuns::open(&paths, &places).map(|opened| open.insert(opened)),
        };
        let answer = runs.and_then(|runs| runs::answer(runs, request)).unwrap_or_else(|message| {
            open = None;
            RunsAnswer::Failed(message)
        });
        Event::Runs(answer)
    }
}

/// The threads beside the loop.
struct Threads {
    input: Input,
    signals: SignalJob,
    engine: EngineJob,
    rows: RowsJob,
    runs: AnswerJob<RunsRequest>,
    plugins: AnswerJob<PluginsRequest>,
    comparisons: AnswerJob<Compare>,
    references: AnswerJob<MakeReference>,
    dataset: AnswerJob<DatasetRequest>,
    pictures: PictureJob,
    reviewer_file: Option<std::path::PathBuf>,
    /// For what is started once and then left alone.
    events: Sender<Event>,
}

impl Threads {
    /// A name that cannot be kept is asked for again the next time; nothing else hangs on it.
    fn keep_reviewer(&self, name: &str) {
        let Some(file) = &self.reviewer_file else { return };
        if let Some(folder) = file.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        let _ = std::fs::write(file, format!("{name}\n"));
    }

    fn join(self) {
        self.input.join(PATIENCE);
        self.engine.join(PATIENCE);
        self.rows.join(PATIENCE);
        self.runs.join(PATIENCE);
        self.plugins.join(PATIENCE);
        self.comparisons.join(PATIENCE);
        self.references.join(PATIENCE);
        self.dataset.join(PATIENCE);
        self.pictures.join(PATIENCE);
        self.signals.join(PATIENCE);
    }
}

/// Turns events into state, state into frames, and wishes into work, until one of them ends it.
fn turn(app: &mut App, screen: &mut Screen, threads: &Threads, events: &Receiver<Event>, mut pace: Pace) -> Exit {
    let mut effects = Effects::redraw();
    loop {
        for command in std::mem::take(&mut effects.commands) {
            if let Some(exit) = obey(command, screen, threads) {
                return exit;
            }
        }
        let now = Instant::now();
        let due = pace.due(now);
        if effects.redraw && now >= due {
            let Ok(bytes) = screen.draw(app, effects.repaint) else { return Exit::TerminalLost };
            pace.drawn(Instant::now(), bytes, effects.picture);
            effects = Effects::none();
        }
        // Without a draw that is due there is nothing to wake up for but an event.
        let event = if effects.redraw { events.recv_deadline(due) } else { events.recv().map_err(Into::into) };
        let event = match event {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Exit::TerminalLost,
        };
        for event in std::iter::once(event).chain(events.try_iter().take(BACKLOG)) {
            attend(&event, &mut pace);
            effects.merge(app.update(event));
        }
    }
}

/// What a person does is shown at once.
fn attend(event: &Event, pace: &mut Pace) {
    match event {
        Event::Input(crossterm::event::Event::Resize(..)) | Event::Signal(_) => pace.attended(Instant::now()),
        Event::Input(_) => pace.pressed(Instant::now()),
        _ => {}
    }
}

/// Does one thing that an update asked for.
fn obey(command: Command, screen: &mut Screen, threads: &Threads) -> Option<Exit> {
    match command {
        Command::Ask(request) => threads.engine.send(ToEngine::Ask(request)),
        Command::StartEngine => threads.engine.send(ToEngine::Start),
        Command::Rows(request) => threads.rows.ask(request),
        Command::Runs(request) => threads.runs.ask(request),
        Command::Plugins(request) => threads.plugins.ask(request),
        Command::Compare(wanted) => threads.comparisons.ask(*wanted),
        Command::Reference(wanted) => threads.references.ask(*wanted),
        Command::Dataset(request) => threads.dataset.ask(request),
        Command::Picture(request) => threads.pictures.ask(PictureTask::Show(request)),
        Command::SavePicture(request) => threads.pictures.ask(PictureTask::Save(request)),
        Command::OpenWith { program, files } => program::open(program, files, threads.events.clone()),
        Command::Bell => {
            if screen.ring().is_err() {
                return Some(Exit::TerminalLost);
            }
        }
        Command::Mouse(on) => {
            if screen.mouse(on).is_err() {
                return Some(Exit::TerminalLost);
            }
        }
        Command::Copy(bytes) => {
            if screen.copy(&bytes).is_err() {
                return Some(Exit::TerminalLost);
            }
        }
        Command::KeepReviewer(name) => threads.keep_reviewer(&name),
        Command::Suspend => suspend(screen),
        Command::Resume => {
            if screen.resume().is_err() {
                return Some(Exit::TerminalLost);
            }
        }
        Command::Quit(exit) => return Some(exit),
    }
    None
}

/// Gives the terminal back and stops, with whatever shares the terminal; the shell's `fg` sends CONT, which arrives as an
/// event. Without a shell above us nobody could.
fn suspend(screen: &mut Screen) {
    if rustix::process::getsid(None).is_ok_and(|session| session == rustix::process::getpid()) {
        return;
    }
    screen.give_back();
    if rustix::process::kill_current_process_group(rustix::process::Signal::STOP).is_err() {
        let _ = screen.resume();
    }
}
