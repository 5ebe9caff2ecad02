//! Looking closer than at one capture: two side by side, defects of a whole list as a heat map; and taking along what is seen:
//! the picture as a file, the list as a file, the file in another program.

use std::sync::{Arc, atomic::AtomicBool};

use ferrule_core::{export::CaptureFile, filter::Filter, store::Heat};

use super::App;
use crate::workbench::{
    dataset::{DatasetAnswer, DatasetRequest},
    event::{Command, Effects},
    keys::Action,
    picture::{Layers, PictureRequest},
    rows::{DetailFor, Hand, RowsRequest},
    screens::pair::{Pair, Two},
    tasks::{TaskOf, TaskState},
    text,
};

/// Captures that a heat map is made of: a tenth of a second's reading.
const MOST_HEAT: usize = 5_000;

/// The heat map in hand.
#[derive(Debug, Default)]
pub(super) struct Heating {
    /// Counted up with each question.
    pub ticket: u64,
    /// Of which list it is, or will be.
    of: Option<Filter>,
    pub heat: Option<Arc<Heat>>,
}

/// The list that is being written.
#[derive(Debug, Default)]
pub(super) struct Listing {
    number: u64,
    stop: Option<Arc<AtomicBool>>,
}

impl App {
    /// `None` for an action that belongs elsewhere.
    pub(super) fn look_action(&mut self, action: Action) -> Option<Effects> {
        match action {
            Action::Layers => {
                self.layers = self.layers.next(self.looked_at(), self.open.is_some());
                // What came since is in it the next time.
                self.heating.of = None;
            }
            Action::NearPairs => {
                let pairs = self.dataset.pairs();
                self.show_pairs(pairs, text::NO_PAIRS);
            }
            Action::NextPair => self.step_pair(1),
            Action::PreviousPair => self.step_pair(-1),
            Action::SaveCsv => return Some(self.save_list(CaptureFile::Csv)),
            Action::SaveJson => return Some(self.save_list(CaptureFile::Json)),
            Action::SavePicture => return Some(self.save_picture()),
            Action::OpenWith => return Some(self.open_with()),
            _ => return None,
        }
        Some(Effects::redraw())
    }

    pub(super) fn show_pairs(&mut self, pairs: Vec<Two>, none: &str) {
        self.pair = Pair::of(pairs);
        self.beside = Default::default();
        if self.pair.is_none() {
            self.say(true, none.to_owned());
        }
    }

    fn step_pair(&mut self, by: isize) {
        if let Some(pair) = &mut self.pair {
            pair.step(by);
        }
    }

    /// Details of the two, and where defects lie, if that is to be shown and not known.
    pub(super) fn look_wishes(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        for hand in [Hand::Left, Hand::Right] {
            if let Some(capture) = self.pair.as_mut().and_then(|pair| pair.wanted(hand)) {
                let asker = DetailFor::Pair(hand);
                commands.push(Command::Rows(RowsRequest::Detail { asker, capture, urgent: true }));
            }
        }
        let filter = &self.captures.list().filter;
        if self.layers == Layers::Heat && self.open.is_some() && self.heating.of.as_ref() != Some(filter) {
            let filter = filter.clone();
            self.heating.ticket += 1;
            self.heating.of = Some(filter.clone());
            let ticket = self.heating.ticket;
            commands.push(Command::Rows(RowsRequest::Heat { ticket, filter, most: MOST_HEAT }));
        }
        commands
    }

    pub(super) fn take_heat(&mut self, ticket: u64, heat: Arc<Heat>) {
        if ticket == self.heating.ticket {
            self.heating.heat = Some(heat);
            // It is another picture.
            self.asked = None;
        }
    }

    /// The heat map to draw, with its number.
    pub(super) fn heat(&self) -> Option<(u64, &Arc<Heat>)> {
        let wanted = self.layers == Layers::Heat;
        self.heating.heat.as_ref().filter(|_| wanted).map(|heat| (self.heating.ticket, heat))
    }

    fn save_list(&mut self, format: CaptureFile) -> Effects {
        if self.listing.stop.is_some() {
            self.say(true, text::LIST_RUNS.to_owned());
            return Effects::redraw();
        }
        self.listing.number += 1;
        let (number, stop) = (self.listing.number, Arc::new(AtomicBool::new(false)));
        self.listing.stop = Some(Arc::clone(&stop));
        let at = self.clock((self.setup.now)());
        self.tasks.stands(TaskOf::List(number), &at, TaskState::Running(None, String::new()));
        let list = Box::new(self.captures.list().clone());
        Effects::command(Command::Dataset(DatasetRequest::List { number, list, format, stop }))
    }

    pub(super) fn cancel_list(&mut self) {
        if let Some(stop) = &self.listing.stop {
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Whether the answer was about a list.
    pub(super) fn listed(&mut self, answer: &DatasetAnswer) -> bool {
        let at = self.clock((self.setup.now)());
        match answer {
            DatasetAnswer::Listing { number, done } => {
                let state = TaskState::Running(None, text::captures(*done));
                self.tasks.stands(TaskOf::List(*number), &at, state);
            }
            DatasetAnswer::Listed { number, result } => {
                self.listing.stop = None;
                let (good, words) = match result {
                    Ok(line) => (true, line.clone()),
                    Err(line) => (false, line.clone()),
                };
                self.say(!good, words.clone());
                self.tasks.stands(TaskOf::List(*number), &at, TaskState::Ended { good, words });
            }
            _ => return false,
        }
        true
    }

    fn save_picture(&mut self) -> Effects {
        let Some(detail) = self.open.as_ref().and_then(|open| open.detail()).cloned() else { return Effects::redraw() };
        let Some(key) = self.picture_key(detail.row.capture, Hand::Left) else { return Effects::redraw() };
        let heat = self.heat().map(|(_, heat)| Arc::clone(heat));
        let request = PictureRequest { key, detail, heat, hand: Hand::Left, urgent: true };
        Effects::command(Command::SavePicture(Box::new(request)))
    }

    /// The picture is written, or not.
    pub(super) fn saved(&mut self, result: Result<String, String>) -> Effects {
        match result {
            Ok(path) => self.say(false, text::saved(&path)),
            Err(message) => self.say(true, message),
        }
        Effects::redraw()
    }

    fn open_with(&mut self) -> Effects {
        if self.setup.open.is_empty() {
            self.say(true, text::NO_PROGRAM.to_owned());
            return Effects::redraw();
        }
        let detail = self.open.as_ref().and_then(|open| open.detail());
        let Some(files) = detail.map(|detail| detail.own_files()) else { return Effects::redraw() };
        self.say(false, text::opening(&self.setup.open[0]));
        Effects::command(Command::OpenWith { program: self.setup.open.clone(), files })
    }

    /// The other program could not be started, or ended at once with a complaint.
    pub(super) fn not_opened(&mut self, message: String) -> Effects {
        self.note("warn", message.clone());
        self.say(true, message);
        Effects::redraw()
    }
}
