//! Training: the run that goes on, past runs with their curves and samples, and the form of a new one. It only shows and
//! asks: a training belongs to the engine and goes on whoever looks.

mod compare;
mod draw;
mod plan;
mod progress;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use ferrule_core::{
    protocol::{Trainer, TrainingEvent, TrainingNow},
    training::Steer,
};
use ratatui::layout::{Rect, Size};
use tui_input::Input;

pub use self::{plan::PlanForm, progress::Now};
use crate::workbench::{
    chrome::Prompt,
    keys::{self, Action, Binding, Bindings, Key, TrainAction, hidden, shown},
    layout,
    picture::CellPicture,
    plain,
    runs::{Epoch, Run, RunsAnswer, RunsRequest, WorstKey},
    text,
    theme::Theme,
};

pub const KEYS: Bindings = Bindings { title: text::screen(super::ScreenName::Training), list: LIST };

const LIST: &[Binding] = &[
    shown(&[Key::char('n')], Action::Train(TrainAction::New)),
    shown(&[Key::char('p')], Action::Train(TrainAction::Pause)),
    shown(&[Key::char('e')], Action::Train(TrainAction::StopAfterEpoch)),
    shown(&[Key::char('v')], Action::Train(TrainAction::View)),
    shown(&[Key::char('m')], Action::Train(TrainAction::Metric)),
    shown(&[Key::char('d')], Action::Train(TrainAction::Deploy)),
    hidden(&[Key::char(' ')], Action::Train(TrainAction::Mark)),
    hidden(&[Key::char('x')], Action::Train(TrainAction::StopNow)),
    hidden(&[Key::char('r')], Action::Train(TrainAction::Resume)),
    hidden(&[Key::char('N')], Action::Train(TrainAction::Notes)),
    hidden(&[Key::char('T')], Action::Train(TrainAction::Tags)),
    hidden(&[Key::char('D')], Action::Train(TrainAction::Delete)),
    hidden(keys::UP, Action::Up),
    hidden(keys::DOWN, Action::Down),
    hidden(keys::FIRST, Action::First),
    hidden(keys::LAST, Action::Last),
];

/// Runs laid over each other at most: more cannot be told apart.
const MOST_MARKED: usize = 6;

/// Samples shown as pictures at most.
const MOST_WORST: usize = 12;

/// What the lower part shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    #[default]
    Curves,
    /// Validation samples that the network got wrong.
    Worst,
    /// Settings and figures side by side.
    Compare,
}

/// A line that is typed about a run.
#[derive(Debug)]
pub struct Note {
    pub run: String,
    pub is_tags: bool,
    pub line: Input,
}

/// What the Training screen holds.
#[derive(Debug, Default)]
pub struct Training {
    runs: Vec<Run>,
    cursor: usize,
    top: usize,
    marked: Vec<String>,
    epochs: BTreeMap<String, Vec<Epoch>>,
    view: View,
    metric: usize,
    trainer: Option<Trainer>,
    now: Option<Now>,
    form: Option<PlanForm>,
    form_is_open: bool,
    note: Option<Note>,
    worst: Option<(WorstKey, Vec<Option<CellPicture>>)>,
    worst_asked: Option<WorstKey>,
    /// The list of runs is in hand as it is in the database.
    listed: bool,
    /// Runs whose epochs in hand may not be all.
    outdated: BTreeSet<String>,
    trainer_asked: bool,
}

impl Training {
    /// Everything is read again, the trainer asked again.
    pub fn reload(&mut self) {
        self.listed = false;
        self.outdated.extend(self.epochs.keys().cloned());
        self.worst_asked = None;
        self.trainer_asked = false;
    }

    /// Rows of a run changed.
    pub fn changed(&mut self, run: &str) {
        self.listed = false;
        self.outdated.insert(run.to_owned());
    }

    /// The engine says how the training stands; whether that is news.
    pub fn stands(&mut self, now: Option<&TrainingNow>) -> bool {
        match (now, &mut self.now) {
            (None, None) => false,
            (None, Some(_)) => {
                self.now = None;
                true
            }
            (Some(now), Some(known)) if known.run == now.run => {
                std::mem::replace(&mut known.wish, now.wish) != now.wish
            }
            (Some(now), _) => {
                self.now = Some(Now::of(now));
                self.changed(&now.run);
                true
            }
        }
    }

    /// A step of the training.
    pub fn hear(&mut self, event: &TrainingEvent) {
        if event.ended.is_some() {
            self.now = None;
            self.changed(&event.run);
            return;
        }
        if self.now.as_ref().is_none_or(|now| now.run != event.run) {
            self.now = Some(Now::begun(&event.run));
            self.changed(&event.run);
        }
        if let Some(now) = &mut self.now {
            now.hear(event);
        }
    }

    pub fn now(&self) -> Option<&Now> {
        self.now.as_ref()
    }

    /// What was asked of the running training was taken.
    pub fn steered(&mut self, wish: Steer) {
        if let Some(now) = &mut self.now {
            now.wish = wish;
            now.paused &= wish == Steer::Pause;
        }
    }

    /// Whether the trainer is to be asked what it takes.
    pub fn wants_trainer(&mut self) -> bool {
        !std::mem::replace(&mut self.trainer_asked, true)
    }

    pub fn take_trainer(&mut self, trainer: Trainer) {
        let same = self.trainer.as_ref().is_some_and(|known| known.parameters == trainer.parameters);
        if !same || self.form.is_none() {
            // What was typed stays for the same trainer only.
            self.form = trainer.problem.is_none().then(|| PlanForm::new(&trainer.parameters));
        }
        self.trainer = Some(trainer);
    }

    /// Plug-ins were looked at: where there was no trainer, there may be one now.
    pub fn looked(&mut self) {
        self.trainer_asked &= self.form.is_some();
    }

    pub fn open_form(&mut self) {
        self.form_is_open = true;
        // Built or fetched since, perhaps.
        self.trainer_asked &= self.form.is_some();
        if let Some(form) = &mut self.form {
            form.outdated();
        }
    }

    pub fn close_form(&mut self) {
        self.form_is_open = false;
    }

    pub fn is_form_open(&self) -> bool {
        self.form_is_open
    }

    /// The form, while it is open and there is a trainer.
    pub fn form(&mut self) -> Option<&mut PlanForm> {
        self.form.as_mut().filter(|_| self.form_is_open)
    }

    /// Begins to type what is to be said of the run under the cursor.
    pub fn start_note(&mut self, is_tags: bool) {
        self.note = self.selected().map(|run| {
            let text = if is_tags { &run.tags } else { &run.notes };
            Note { run: run.name.clone(), is_tags, line: Input::new(text.clone()) }
        });
    }

    pub fn note(&mut self) -> Option<&mut Note> {
        self.note.as_mut()
    }

    /// What is typed about a run, and what it is.
    pub fn prompt(&self) -> Option<Prompt> {
        let note = self.note.as_ref()?;
        let sign = if note.is_tags { text::TAGS } else { text::NOTES };
        let (typed, cursor) = (plain::clean(note.line.value()), note.line.visual_cursor());
        Some(Prompt { sign, keys: text::NOTE_KEYS, typed, cursor, hint: "", error: None })
    }

    pub fn is_noting(&self) -> bool {
        self.note.is_some()
    }

    /// Ends typing: the run, its notes and its tags as they are to be.
    pub fn take_note(&mut self) -> Option<(String, String, String)> {
        let note = self.note.take()?;
        let run = self.runs.iter().find(|run| run.name == note.run)?;
        let typed = note.line.value().trim().to_owned();
        let (notes, tags) = if note.is_tags { (run.notes.clone(), typed) } else { (typed, run.tags.clone()) };
        Some((note.run, notes, tags))
    }

    pub fn cancel_note(&mut self) {
        self.note = None;
    }

    pub fn selected(&self) -> Option<&Run> {
        self.runs.get(self.cursor)
    }

    pub fn step(&mut self, by: isize) {
        self.cursor = self.cursor.saturating_add_signed(by).min(self.runs.len().saturating_sub(1));
    }

    pub fn next_view(&mut self) {
        self.view = match self.view {
            View::Curves => View::Worst,
            View::Worst => View::Compare,
            View::Compare => View::Curves,
        };
    }

    pub fn next_metric(&mut self) {
        self.metric += 1;
        self.view = View::Curves;
    }

    /// Lays the run under the cursor over others, or takes it away again.
    pub fn mark(&mut self) {
        let Some(name) = self.selected().map(|run| run.name.clone()) else { return };
        match self.marked.iter().position(|marked| *marked == name) {
            Some(place) => {
                self.marked.remove(place);
            }
            None if self.marked.len() < MOST_MARKED => self.marked.push(name),
            None => {}
        }
        self.step(1);
    }

    /// Runs whose curves are shown: those marked, else the one under the cursor.
    fn shown(&self) -> Vec<&Run> {
        if self.marked.is_empty() {
            return self.selected().into_iter().collect();
        }
        let find = |name: &String| self.runs.iter().find(|run| run.name == *name);
        self.marked.iter().filter_map(find).collect()
    }

    fn epochs_of(&self, run: &str) -> &[Epoch] {
        self.epochs.get(run).map_or(&[], Vec::as_slice)
    }

    /// The epoch whose samples and confusion are shown: the best, else the last.
    fn telling(&self, run: &Run) -> Option<&Epoch> {
        let epochs = self.epochs_of(&run.name);
        let best = self.best_epoch(run);
        best.and_then(|best| epochs.iter().find(|epoch| epoch.epoch == best)).or_else(|| epochs.last())
    }

    /// As the database says at a run's end; until then, the last that was better than all before it.
    fn best_epoch(&self, run: &Run) -> Option<u32> {
        let so_far = || {
            let better = |epoch: &&Epoch| epoch.figures.get("best") == Some(&1.0);
            self.epochs_of(&run.name).iter().rev().find(better).map(|epoch| epoch.epoch)
        };
        run.best_epoch.or_else(so_far)
    }

    /// What is to be read for the screen as it is.
    pub fn wanted(&mut self, body: Rect, theme: &Theme) -> Vec<RunsRequest> {
        let mut wanted = Vec::new();
        if !std::mem::replace(&mut self.listed, true) {
            wanted.push(RunsRequest::List);
        }
        let names: BTreeSet<String> = self
            .shown()
            .into_iter()
            .chain(self.selected())
            .map(|run| run.name.clone())
            .chain(self.now.iter().map(|now| now.run.clone()))
            .collect();
        let mut ask = Vec::new();
        for name in names {
            if self.outdated.remove(&name) || !self.epochs.contains_key(&name) {
                let after = self.epochs_of(&name).last().map_or(0, |epoch| epoch.epoch);
                // In hand from now on, if empty: it is asked for once.
                self.epochs.entry(name.clone()).or_default();
                ask.push((name, after));
            }
        }
        if !ask.is_empty() {
            wanted.push(RunsRequest::Epochs(ask));
        }
        if let Some(plan) = self.form().and_then(PlanForm::wanted) {
            wanted.push(RunsRequest::Summary(Box::new(plan)));
        }
        wanted.extend(self.wanted_worst(body, theme));
        wanted
    }

    fn wanted_worst(&mut self, body: Rect, theme: &Theme) -> Option<RunsRequest> {
        if self.view != View::Worst || self.form_is_open {
            return None;
        }
        let run = self.selected()?;
        let epoch = self.telling(run)?;
        let feed = run.feed.clone()?;
        let lower = layout::training(body, self.now.is_some(), self.runs.len()).lower;
        let room = draw::worst_room(layout::inner(lower));
        let key = WorstKey { run: run.name.clone(), epoch: epoch.epoch, room, colours: theme.colours };
        if self.worst_asked.as_ref() == Some(&key) || room == Size::ZERO {
            return None;
        }
        let items = epoch.worst.iter().take(MOST_WORST).map(|worst| worst.item).collect();
        self.worst_asked = Some(key.clone());
        Some(RunsRequest::Worst { key, feed, items })
    }

    /// Takes what was read.
    pub fn take(&mut self, answer: RunsAnswer) {
        match answer {
            RunsAnswer::List(runs) => {
                let on = self.selected().map(|run| run.name.clone());
                // A run that was just begun is what a person wants to see.
                let new = self.now.as_ref().map(|now| &now.run).filter(|name| {
                    !self.runs.iter().any(|run| run.name == **name) && runs.iter().any(|run| run.name == **name)
                });
                let on = new.cloned().or(on);
                self.runs = runs;
                let place = on.and_then(|name| self.runs.iter().position(|run| run.name == name));
                self.cursor = place.unwrap_or(self.cursor).min(self.runs.len().saturating_sub(1));
                self.marked.retain(|name| self.runs.iter().any(|run| run.name == *name));
                self.epochs.retain(|name, _| {
                    self.runs.iter().any(|run| run.name == *name)
                        || self.now.as_ref().is_some_and(|now| now.run == *name)
                });
            }
            RunsAnswer::Epochs(read) => {
                for (run, epochs) in read {
                    let known = self.epochs.entry(run).or_default();
                    let first = epochs.first().map_or(u32::MAX, |epoch| epoch.epoch);
                    known.retain(|epoch| epoch.epoch < first);
                    known.extend(epochs);
                }
            }
            RunsAnswer::Summary { plan, summary } => {
                if let Some(form) = &mut self.form {
                    form.take(&plan, summary);
                }
            }
            RunsAnswer::Worst { key, pictures } => self.worst = Some((key, pictures)),
            RunsAnswer::Failed(_) => {}
        }
    }

    /// Puts cursors into bounds for the room there is.
    pub fn show(&mut self, body: Rect) {
        let parts = layout::training(body, self.now.is_some(), self.runs.len());
        let rows = usize::from(parts.runs.height.saturating_sub(2)).max(1);
        self.top = self.top.clamp((self.cursor + 1).saturating_sub(rows), self.cursor);
        self.top = self.top.min(self.runs.len().saturating_sub(rows));
        let fields = layout::inner(layout::form(body).fields);
        if let Some(form) = &mut self.form {
            form.form.show(fields.height);
        }
    }
}
