//! What reaches the workbench, and what it wants done in return: the two closed lists between the state and the world.
//!
//! Threads only ever send an [`Event`]; [`super::app::App::update`] only ever answers with [`Effects`]. Neither side
//! holds a reference into the other.

use std::path::PathBuf;

use ferrule_core::protocol::{Answer, Event as EngineEvent, Request};

use super::{
    comparison::{Compare, ComparisonAnswer},
    dataset::{DatasetAnswer, DatasetRequest},
    picture::{PictureAnswer, PictureRequest},
    reference::{MakeReference, ReferenceAnswer},
    rows::{RowsAnswer, RowsRequest},
    runs::{RunsAnswer, RunsRequest},
    trial::{PluginsAnswer, PluginsRequest},
    welcome::FoldersAnswer,
};

/// Everything that can happen to the workbench. Nothing on the screen ages by itself, so there is no clock in it.
#[derive(Debug)]
pub enum Event {
    /// A key, a wheel, a paste or a new size.
    Input(crossterm::event::Event),
    Engine(FromEngine),
    Rows(RowsAnswer),
    Runs(RunsAnswer),
    Plugins(PluginsAnswer),
    Comparison(ComparisonAnswer),
    Reference(ReferenceAnswer),
    Dataset(DatasetAnswer),
    /// Where a workspace is still to be made.
    Folders(FoldersAnswer),
    Picture(PictureAnswer),
    /// Where a picture was written, or why not.
    Saved(Result<String, String>),
    /// Another program did not start, or complained.
    NotOpened(String),
    Signal(Signal),
    /// The terminal hung up or fails: nothing can be shown any more.
    TerminalLost,
}

/// What the engine's connection has to say.
#[derive(Debug)]
pub enum FromEngine {
    Connected,
    Event(EngineEvent),
    /// The answer to a request of ours.
    Answer {
        request: Request,
        answer: Answer,
    },
    /// Not connected, and why. Another attempt follows by itself.
    Gone(String),
    /// The engine could not be started, and why.
    NotStarted(String),
}

/// Signals that the workbench handles itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// HUP, TERM: end at once, the engine goes on.
    End,
    /// INT from outside: the same question as the quit key.
    Interrupt,
    /// TSTP: give the terminal back and stop.
    Suspend,
    /// CONT: the shell may have changed the terminal; take it again and draw everything.
    Continue,
}

/// How the workbench ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The engine goes on.
    Left,
    /// The engine was asked to stop and has gone.
    EngineStopped,
    /// HUP or TERM.
    Signalled,
    TerminalLost,
}

/// Something for the world to do.
#[derive(Debug)]
pub enum Command {
    Ask(Request),
    Rows(RowsRequest),
    Runs(RunsRequest),
    Plugins(PluginsRequest),
    Compare(Box<Compare>),
    Reference(Box<MakeReference>),
    Dataset(DatasetRequest),
    Picture(PictureRequest),
    /// The whole picture, and what lies over it, into a file.
    SavePicture(Box<PictureRequest>),
    /// The first of these files that is there, in another program.
    OpenWith {
        program: Vec<String>,
        files: Vec<PathBuf>,
    },
    StartEngine,
    /// Ring the terminal's bell.
    Bell,
    /// Bytes into the terminal's clipboard.
    Copy(Vec<u8>),
    /// Take the mouse, or give it back.
    Mouse(bool),
    /// The reviewer's name is to be there the next time.
    KeepReviewer(String),
    Suspend,
    /// Take the terminal again after a stop.
    Resume,
    Quit(Exit),
}

/// What an update asks for.
#[derive(Debug, Default)]
pub struct Effects {
    /// Something that is shown has changed.
    pub redraw: bool,
    /// What the terminal shows is not to be trusted: clear it and write every cell.
    pub repaint: bool,
    /// Bytes that a picture takes which is shown from now on.
    pub picture: usize,
    pub commands: Vec<Command>,
}

impl Effects {
    pub fn none() -> Self {
        Self::default()
    }

    pub fn redraw() -> Self {
        Self { redraw: true, ..Self::default() }
    }

    /// A changed screen and something to do.
    pub fn command(command: Command) -> Self {
        Self { redraw: true, commands: vec![command], ..Self::default() }
    }

    pub fn merge(&mut self, other: Self) {
        self.redraw |= other.redraw;
        self.repaint |= other.repaint;
        self.picture = self.picture.max(other.picture);
        self.commands.extend(other.commands);
    }
}
