//! The workbench without a terminal: drawn into a buffer, its questions answered at once. Lets tests press keys and look.

use std::path::PathBuf;

use ferrule_core::protocol::Request;
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer, layout::Size};
use tempfile::TempDir;

use crate::workbench::{
    app::{App, Setup},
    comparison::{Compare, ComparisonAnswer, Word},
    dataset::{DatasetAnswer, DatasetRequest},
    event::{Command, Effects, Event, Exit},
    picture::{Graphics, PictureAnswer, Studio, save},
    reference::MakeReference,
    rows::{Rows, RowsAnswer, answer},
    runs::{self, Runs, RunsAnswer},
    trial::{PluginsAnswer, PluginsRequest},
};

/// A workbench whose threads are plain calls.
pub struct Headless {
    pub app: App,
    rows: Box<dyn Rows>,
    runs: Box<dyn Runs>,
    /// Answers about plug-ins; tests put their own in.
    pub plugins: Box<dyn FnMut(PluginsRequest) -> PluginsAnswer>,
    /// Answers to comparisons of builds; tests put their own in.
    pub comparisons: Box<dyn FnMut(Compare) -> Word>,
    /// Answers about the dataset; tests put their own in.
    pub dataset: Box<dyn FnMut(DatasetRequest) -> DatasetAnswer>,
    studio: Studio,
    /// Where pictures are saved.
    pub exports: TempDir,
    /// What was handed to another program.
    pub opened: Vec<(Vec<String>, Vec<PathBuf>)>,
    /// What the engine was asked.
    pub asked: Vec<Request>,
    /// References that were asked for.
    pub references: Vec<MakeReference>,
    /// What went to the terminal's clipboard.
    pub copied: Vec<Vec<u8>>,
    /// How often the bell rang.
    pub rung: usize,
    /// How it ended, if it has.
    pub ended: Option<Exit>,
}

impl Headless {
    pub fn new(setup: Setup, rows: Box<dyn Rows>, runs: Box<dyn Runs>) -> Self {
        let studio = Studio::new(Graphics::characters(setup.theme.colours));
        Self {
            app: App::new(setup),
            rows,
            runs,
            plugins: Box::new(|_| PluginsAnswer::Swaps(Ok(Vec::new()))),
            comparisons: Box::new(|_| Word::Cancelled),
            dataset: Box::new(|_| DatasetAnswer::Summary(Ok(Box::default()))),
            studio,
            exports: tempfile::tempdir().expect("a folder"),
            opened: Vec::new(),
            asked: Vec::new(),
            copied: Vec::new(),
            references: Vec::new(),
            rung: 0,
            ended: None,
        }
    }

    /// Takes an event in and answers every question that follows. Returns whether the screen changed.
    pub fn feed(&mut self, event: Event) -> bool {
        let mut effects = self.app.update(event);
        while !effects.commands.is_empty() {
            for command in std::mem::take(&mut effects.commands) {
                let answered = self.obey(command);
                effects.merge(answered);
            }
        }
        effects.redraw
    }

    fn obey(&mut self, command: Command) -> Effects {
        let event = match command {
            Command::Rows(request) => {
                Event::Rows(answer(self.rows.as_mut(), &request).unwrap_or_else(RowsAnswer::Failed))
            }
            Command::Runs(request) => {
                Event::Runs(runs::answer(self.runs.as_mut(), request).unwrap_or_else(RunsAnswer::Failed))
            }
            Command::Plugins(request) => Event::Plugins((self.plugins)(request)),
            Command::Compare(wanted) => {
                let (number, plugin) = (wanted.number, wanted.plugin.clone());
                Event::Comparison(ComparisonAnswer { number, plugin, word: (self.comparisons)(*wanted) })
            }
            Command::Reference(wanted) => {
                self.references.push(*wanted);
                return Effects::none();
            }
            Command::Dataset(request) => Event::Dataset((self.dataset)(request)),
            Command::Picture(request) => {
                let result = self.studio.make(&request);
                Event::Picture(PictureAnswer { key: request.key, detail: request.detail, hand: request.hand, result })
            }
            Command::SavePicture(request) => Event::Saved(save(&mut self.studio, &request, self.exports.path())),
            Command::Ask(request) => {
                self.asked.push(request);
                return Effects::none();
            }
            Command::Quit(exit) => {
                self.ended = Some(exit);
                return Effects::none();
            }
            Command::Bell => {
                self.rung += 1;
                return Effects::none();
            }
            Command::Copy(bytes) => {
                self.copied.push(bytes);
                return Effects::none();
            }
            Command::OpenWith { program, files } => {
                self.opened.push((program, files));
                return Effects::none();
            }
            Command::StartEngine
            | Command::KeepReviewer(_)
            | Command::Mouse(_)
            | Command::Suspend
            | Command::Resume => return Effects::none(),
        };
        self.app.update(event)
    }

    /// The screen as it is now.
    pub fn draw(&self, size: Size) -> Buffer {
        let mut terminal = match Terminal::new(TestBackend::new(size.width, size.height)) {
            Ok(terminal) => terminal,
            Err(never) => match never {},
        };
        match terminal.draw(|frame| self.app.draw(frame)) {
            Ok(frame) => frame.buffer.clone(),
            Err(never) => match never {},
        }
    }
}
