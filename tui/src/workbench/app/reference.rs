//! Marked captures become a reference of clean end faces.

use crossbeam_channel::{Sender, bounded};

use super::App;
use crate::workbench::{
    event::{Command, Effects},
    reference::{MakeReference, ReferenceAnswer, Word},
    tasks::{TaskOf, TaskState},
    text,
};

/// The one that is being made.
#[derive(Debug, Default)]
pub(super) struct References {
    number: u64,
    stop: Option<Sender<()>>,
}

impl App {
    /// Begins it, as a task.
    pub(super) fn make_reference(&mut self) -> Effects {
        if self.references.stop.is_some() {
            self.say(true, text::REFERENCE_RUNS.to_owned());
            return Effects::redraw();
        }
        let images = self.captures.marks.images();
        if images.is_empty() {
            self.say(true, text::MARK_CLEAN.to_owned());
            return Effects::redraw();
        }
        self.references.number += 1;
        let (number, (stopper, stop)) = (self.references.number, bounded(1));
        self.references.stop = Some(stopper);
        self.reference_stands(number, TaskState::Running(Some(0.0), String::new()));
        Effects::command(Command::Reference(Box::new(MakeReference { number, images, stop })))
    }

    pub(super) fn cancel_reference(&mut self) {
        if let Some(stop) = &self.references.stop {
            // Full where it was said before.
            let _ = stop.try_send(());
        }
    }

    /// It is so far, or over.
    pub(super) fn reference_answered(&mut self, ReferenceAnswer { number, word }: ReferenceAnswer) -> Effects {
        let state = match word {
            Word::Reading(done, of) => TaskState::Running(Some(done as f64 / of.max(1) as f64), String::new()),
            Word::Made(words) => {
                self.references.stop = None;
                self.say(false, words.clone());
                TaskState::Ended { good: true, words }
            }
            Word::Failed(words) => {
                self.references.stop = None;
                self.note("warn", words.clone());
                self.say(true, words.clone());
                TaskState::Ended { good: false, words }
            }
        };
        self.reference_stands(number, state);
        Effects::redraw()
    }

    fn reference_stands(&mut self, number: u64, state: TaskState) {
        let at = self.clock((self.setup.now)());
        self.tasks.stands(TaskOf::Reference(number), &at, state);
    }
}
