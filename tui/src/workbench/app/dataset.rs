//! What a person does on the Dataset screen, and what comes of it.

use super::App;
use crate::workbench::{
    dataset::DatasetAnswer,
    event::{Command, Effects},
    screens::dataset::Exporting,
    tasks::{TaskOf, TaskState},
    text,
};

impl App {
    /// Begins the export under the cursor. It is a task: it goes on whatever is looked at, until the workbench is left.
    pub(super) fn export(&mut self) -> Effects {
        match self.dataset.export() {
            Some(request) => Effects::command(Command::Dataset(request)),
            None => {
                self.say(true, text::EXPORT_RUNS.to_owned());
                Effects::redraw()
            }
        }
    }

    pub(super) fn dataset_answered(&mut self, answer: DatasetAnswer) -> Effects {
        if self.listed(&answer) {
            return Effects::redraw();
        }
        if let DatasetAnswer::HandedOver { job, result } = answer {
            self.handed_over(job, result);
            return Effects::redraw();
        }
        if let Some((number, format, state)) = self.dataset.take(answer) {
            let at = self.clock((self.setup.now)());
            let state = match state {
                Exporting::Running(share) => TaskState::Running(Some(share), String::new()),
                Exporting::Written(line) => {
                    self.say(false, format!("{}: {line}", text::format(format).0));
                    TaskState::Ended { good: true, words: line }
                }
                Exporting::Failed(line) => {
                    self.note("error", format!("{}: {line}", text::format(format).0));
                    self.say(true, format!("{}: {line}", text::format(format).0));
                    TaskState::Ended { good: false, words: line }
                }
            };
            self.tasks.stands(TaskOf::Export(number, format), &at, state);
        }
        Effects::redraw()
    }
}
