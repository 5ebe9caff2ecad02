//! What a person does on the Training screen, and what comes of it.

use ferrule_core::{
    change::Change,
    protocol::{Request, TrainingEvent},
    training::Steer,
};

use super::{App, Confirm, Dialog};
use crate::workbench::{
    event::{Command, Effects},
    keys::{Key, TrainAction},
    plain,
    tasks::{TaskOf, TaskState},
    text,
    trial::PluginsRequest,
    typing,
};

impl App {
    pub(super) fn train(&mut self, action: TrainAction) -> Effects {
        match action {
            TrainAction::New => self.training.open_form(),
            TrainAction::Close => self.training.close_form(),
            TrainAction::Submit => return self.submit_training(),
            TrainAction::Default => {
                if let Some(form) = self.training.form() {
                    form.form.reset();
                    form.follow();
                }
            }
            TrainAction::Pause => {
                let wish = match self.training.now().map(|now| now.wish) {
                    Some(Steer::GoOn) => Steer::Pause,
                    _ => Steer::GoOn,
                };
                return self.steer(wish);
            }
            TrainAction::StopAfterEpoch => return self.steer(Steer::StopAfterEpoch),
            TrainAction::StopNow => match self.training.now() {
                Some(_) => self.dialog = Some(Dialog::Confirm(Confirm::StopTraining)),
                None => self.say(true, text::NOTHING_TRAINED.to_owned()),
            },
            TrainAction::Resume => {
                let Some(run) = self.training.selected().map(|run| run.name.clone()) else { return Effects::none() };
                return self.ask(Request::Train { plan: None, resume: Some(run) });
            }
            TrainAction::View => self.training.next_view(),
            TrainAction::Metric => self.training.next_metric(),
            TrainAction::Mark => self.training.mark(),
            TrainAction::Notes => self.training.start_note(false),
            TrainAction::Tags => self.training.start_note(true),
            TrainAction::KeepNote => {
                if let Some((run, notes, tags)) = self.training.take_note() {
                    return self.ask(Request::Note { run, notes, tags });
                }
            }
            TrainAction::CancelNote => self.training.cancel_note(),
            TrainAction::Delete => {
                if let Some(run) = self.training.selected().map(|run| run.name.clone()) {
                    self.dialog = Some(Dialog::Confirm(Confirm::DeleteRun(run)));
                }
            }
            TrainAction::Deploy => self.ask_to_deploy(),
        }
        Effects::redraw()
    }

    fn steer(&mut self, steer: Steer) -> Effects {
        if self.training.now().is_none() {
            self.say(true, text::NOTHING_TRAINED.to_owned());
            return Effects::redraw();
        }
        self.ask(Request::Steer { steer })
    }

    fn submit_training(&mut self) -> Effects {
        let Some(form) = self.training.form() else { return Effects::redraw() };
        let refused = form.summary.as_ref().and_then(|summary| summary.as_ref().err().cloned());
        match (form.plan(), refused) {
            (Err(wrong), _) | (Ok(_), Some(wrong)) => {
                self.say(true, wrong);
                Effects::redraw()
            }
            (Ok(plan), None) => self.ask(Request::Train { plan: Some(Box::new(plan)), resume: None }),
        }
    }

    fn ask_to_deploy(&mut self) {
        let Some(run) = self.training.selected() else { return };
        match run.model.as_ref().or_else(|| run.has_ended_well().then_some(&run.name)) {
            Some(model) => {
                let (run, model, task) = (run.name.clone(), model.clone(), run.task.clone());
                self.dialog = Some(Dialog::Confirm(Confirm::Deploy { run, model, task }));
            }
            None => {
                let message = text::no_model(&run.name);
                self.say(true, message);
            }
        }
    }

    /// What was asked about is to be done.
    pub(super) fn confirmed(&mut self) -> Effects {
        let Some(Dialog::Confirm(confirm)) = self.dialog.take() else { return Effects::redraw() };
        match confirm {
            Confirm::StopTraining => self.steer(Steer::StopNow),
            Confirm::PutBack { build, .. } => Effects::command(Command::Plugins(PluginsRequest::PutBack(build))),
            Confirm::DeleteRun(run) => self.ask(Request::DeleteRun { run }),
            Confirm::Deploy { run, .. } => {
                self.ask(Request::Change { change: Change::Deploy { model: run, threshold: None, alone: false } })
            }
        }
    }

    /// A key that is no binding, while a line or a form of this screen is typed into; whether there is one.
    pub(super) fn typed_for_training(&mut self, key: Key) -> bool {
        if let Some(note) = self.training.note() {
            typing::edit(&mut note.line, key);
            return true;
        }
        match self.training.form() {
            Some(form) => {
                if form.form.key(key) {
                    form.follow();
                }
                true
            }
            None => false,
        }
    }

    pub(super) fn pasted_for_training(&mut self, pasted: &str) -> bool {
        if let Some(note) = self.training.note() {
            typing::paste(&mut note.line, pasted);
            return true;
        }
        let Some(form) = self.training.form() else { return false };
        form.form.paste(pasted);
        form.follow();
        true
    }

    /// A step of the training: into its screen, and what a person should not miss as a line of the log.
    pub(super) fn trained(&mut self, event: &TrainingEvent) -> Effects {
        self.training.hear(event);
        self.training_as_task(event);
        let line = match (event.name.as_str(), &event.ended) {
            ("started", _) => Some(("info", format!("run {} is being trained", event.run))),
            ("warning", _) => Some(("warn", event.message.clone())),
            (_, Some(ended)) => {
                let level = if ended.state == "failed" { "error" } else { "info" };
                let message = ended.message.as_deref().unwrap_or_default();
                Some((level, format!("run {}: {} {message}", event.run, ended.state)))
            }
            _ => None,
        };
        if let Some((level, line)) = line {
            let line = plain::clean(line.trim_end());
            if event.ended.is_some() {
                self.say(level == "error", line.clone());
            }
            self.note(level, line);
        }
        Effects::redraw()
    }

    fn training_as_task(&mut self, event: &TrainingEvent) {
        let Some(ended) = &event.ended else { return self.list_training() };
        let words = format!("{} {}", ended.state, ended.message.as_deref().unwrap_or_default());
        let state = TaskState::Ended { good: ended.state != "failed", words: plain::clean(words.trim_end()) };
        let at = self.clock((self.setup.now)());
        self.tasks.stands(TaskOf::Training(plain::clean(&event.run)), &at, state);
    }

    /// The training that runs as a task; one that ended while nobody told of it has ended.
    pub(super) fn list_training(&mut self) {
        let at = self.clock((self.setup.now)());
        match self.training.now() {
            Some(now) => {
                let words = format!("epoch {} of {}", now.epoch.min(now.epochs), now.epochs);
                let state = TaskState::Running(Some(now.share()), words);
                self.tasks.stands(TaskOf::Training(now.run.clone()), &at, state);
            }
            None => self.tasks.end_trainings(),
        }
    }

    /// What the Training screen has to read, and to ask.
    pub(super) fn training_wishes(&mut self) -> Vec<Command> {
        let Some(parts) = crate::workbench::layout::parts(self.setup.size) else { return Vec::new() };
        let mut commands: Vec<Command> =
            self.training.wanted(parts.body, &self.setup.theme).into_iter().map(Command::Runs).collect();
        if self.engine == super::Engine::Connected && self.training.wants_trainer() {
            commands.push(Command::Ask(Request::Trainer));
        }
        commands
    }
}
