//! What a person does about jobs, and what comes of it.

use super::App;
use crate::workbench::{
    dataset::DatasetRequest,
    event::{Command, Effects},
    keys::JobAction,
    screens::{ScreenName, detail::Open},
    tasks::{TaskOf, TaskState},
    text,
};

impl App {
    pub(super) fn on_jobs(&self) -> bool {
        self.screen == ScreenName::Captures && self.jobs.is_open()
    }

    pub(super) fn job(&mut self, action: JobAction) -> Effects {
        match action {
            JobAction::Show => self.jobs.show(),
            JobAction::Back => self.jobs.back(),
            JobAction::Open => self.open = self.jobs.enter().map(Open::new),
            JobAction::Before => match self.jobs.before() {
                Some(capture) => self.open = Some(Open::new(capture)),
                None => self.say(true, text::NO_BEFORE.to_owned()),
            },
            JobAction::Beside => {
                let pairs = self.jobs.pairs();
                self.show_pairs(pairs, text::NO_BEFORE);
            }
            JobAction::HandOver => {
                let Some(job) = self.jobs.selected() else { return Effects::redraw() };
                let job = job.name.clone();
                let at = self.clock((self.setup.now)());
                self.tasks.stands(TaskOf::HandOver(job.clone()), &at, TaskState::Running(None, String::new()));
                return Effects::command(Command::Dataset(DatasetRequest::HandOver { job }));
            }
        }
        Effects::redraw()
    }

    /// The page of a job is written, or not.
    pub(super) fn handed_over(&mut self, job: String, result: Result<String, String>) {
        let at = self.clock((self.setup.now)());
        let (good, words) = match result {
            Ok(line) => (true, line),
            Err(line) => (false, line),
        };
        self.say(!good, format!("{job}: {words}"));
        self.tasks.stands(TaskOf::HandOver(job), &at, TaskState::Ended { good, words });
    }
}
