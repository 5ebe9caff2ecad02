//! What a person does on the Plug-ins screen, and what comes of it.

use ferrule_core::{ids::PluginId, protocol::Request};

use super::{App, Confirm, Dialog, Engine};
use crate::workbench::{
    comparison::{ComparisonAnswer, Word},
    event::{Command, Effects},
    keys::{Key, PluginAction},
    screens::{ScreenName, detail::Open, plugins::Builds},
    tasks::{TaskOf, TaskState},
    text,
    trial::{PluginsAnswer, PluginsRequest},
};

impl App {
    pub(super) fn on_plugins(&self) -> bool {
        self.screen == ScreenName::Plugins && self.open.is_none()
    }

    pub(super) fn plugin(&mut self, action: PluginAction) -> Effects {
        let status = self.status.as_ref();
        let change = match action {
            PluginAction::Switch => self.plugins.switch(status),
            PluginAction::Earlier => self.plugins.shifted(status, false),
            PluginAction::Later => self.plugins.shifted(status, true),
            PluginAction::Open => {
                if !self.plugins.open_form(status) {
                    self.say(true, text::NO_PARAMETERS.to_owned());
                }
                None
            }
            PluginAction::Apply => return self.apply_parameters(),
            PluginAction::Close => {
                if self.plugins.open().is_some() {
                    self.plugins.close_form();
                } else {
                    self.close_builds();
                }
                None
            }
            PluginAction::Default => {
                if let Some(form) = self.plugins.form() {
                    form.form.reset();
                }
                None
            }
            PluginAction::Builds => {
                self.plugins.open_builds(status);
                None
            }
            PluginAction::PutBack => {
                self.ask_to_put_back();
                None
            }
            PluginAction::Differences => return self.compare_builds(),
            PluginAction::OpenDiffering => {
                self.open = self.plugins.builds().and_then(Builds::capture).map(Open::new);
                None
            }
            PluginAction::Swaps => {
                self.plugins.show_swaps();
                None
            }
        };
        match change {
            Some(change) => self.ask(Request::Change { change }),
            None => Effects::redraw(),
        }
    }

    fn ask_to_put_back(&mut self) {
        let Some(builds) = self.plugins.builds() else { return };
        match builds.to_put_back() {
            Some(build) => {
                let plugin = builds.plugin.clone();
                self.dialog = Some(Dialog::Confirm(Confirm::PutBack { plugin, build }));
            }
            None => self.say(false, text::ALREADY_IN_FORCE.to_owned()),
        }
    }

    /// Of the marked captures, where there are any.
    fn compare_builds(&mut self) -> Effects {
        let (images, number) = (self.captures.marks.images(), self.plugins.ticket());
        match self.plugins.builds_mut().and_then(|builds| builds.compare(images, number)) {
            Some(wanted) => {
                self.comparison_stands(number, wanted.plugin.clone(), TaskState::Running(None, String::new()));
                Effects::command(Command::Compare(Box::new(wanted)))
            }
            None => {
                self.say(false, text::ONE_BUILD.to_owned());
                Effects::redraw()
            }
        }
    }

    fn apply_parameters(&mut self) -> Effects {
        let Some(form) = self.plugins.form() else { return Effects::redraw() };
        match form.change() {
            Ok(Some(change)) => self.ask(Request::Change { change }),
            Ok(None) => {
                self.say(false, text::UNCHANGED.to_owned());
                Effects::redraw()
            }
            Err(wrong) => {
                self.say(true, wrong);
                Effects::redraw()
            }
        }
    }

    /// A key that is no binding, while parameters are typed; whether they are.
    pub(super) fn typed_for_plugins(&mut self, key: Key) -> bool {
        self.plugins.form().is_some_and(|form| {
            form.form.key(key);
            true
        })
    }

    pub(super) fn pasted_for_plugins(&mut self, pasted: &str) -> bool {
        self.plugins.form().is_some_and(|form| {
            form.form.paste(pasted);
            true
        })
    }

    /// What the Plug-ins screen has to ask and to read.
    pub(super) fn plugin_wishes(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.engine == Engine::Connected && self.plugins.wants_list() {
            commands.push(Command::Ask(Request::Plugins));
        }
        if self.plugins.wants_swaps() {
            commands.push(Command::Plugins(PluginsRequest::Swaps));
        }
        commands.extend(self.plugins.wants_builds().map(|plugin| Command::Plugins(PluginsRequest::Builds(plugin))));
        let ticket = self.plugins.ticket();
        let subject = self.live.detail().cloned();
        if let Some(trial) = self.plugins.form().and_then(|form| form.wanted(subject.as_ref(), || ticket)) {
            commands.push(Command::Plugins(PluginsRequest::Try(Box::new(trial))));
        }
        commands
    }

    pub(super) fn plugins_answered(&mut self, answer: PluginsAnswer) -> Effects {
        match answer {
            PluginsAnswer::Swaps(Ok(swaps)) => self.plugins.take_swaps(swaps),
            PluginsAnswer::Swaps(Err(message)) => self.say(true, message),
            PluginsAnswer::Builds(plugin, Ok(rows)) => {
                if let Some(builds) = self.plugins.builds_mut() {
                    builds.take(&plugin, rows);
                }
            }
            PluginsAnswer::PutBack(Ok(path)) => self.say(false, text::put_back(&path)),
            PluginsAnswer::Builds(_, Err(message)) | PluginsAnswer::PutBack(Err(message)) => self.say(true, message),
            PluginsAnswer::Tried { ticket, result } => {
                if let Some(form) = self.plugins.form() {
                    form.take(ticket, result);
                }
            }
        }
        Effects::redraw()
    }

    /// Out of the differences, which end if they are still read, then out of the builds.
    fn close_builds(&mut self) {
        if let Some((number, plugin)) = self.plugins.close_builds() {
            self.comparison_stands(number, plugin, TaskState::Ended { good: false, words: text::CANCELLED.to_owned() });
        }
    }

    /// A comparison is so far, or over. One that was left has ended already.
    pub(super) fn compared(&mut self, ComparisonAnswer { number, plugin, word }: ComparisonAnswer) -> Effects {
        let Some(builds) = self.plugins.builds_mut().filter(|builds| builds.comparing() == Some(number)) else {
            return Effects::none();
        };
        let state = match word {
            Word::Reading(done, of) => {
                builds.reads(done, of);
                TaskState::Running(Some(done as f64 / of.max(1) as f64), String::new())
            }
            Word::Compared(comparison) => {
                let words = text::captures_differ(comparison.report.differing, comparison.report.pictures);
                builds.take_comparison(comparison);
                TaskState::Ended { good: true, words }
            }
            Word::Cancelled => {
                builds.leave_comparison();
                TaskState::Ended { good: false, words: text::CANCELLED.to_owned() }
            }
            Word::Failed(message) => {
                builds.leave_comparison();
                self.say(true, message.clone());
                TaskState::Ended { good: false, words: message }
            }
        };
        self.comparison_stands(number, plugin, state);
        Effects::redraw()
    }

    fn comparison_stands(&mut self, number: u64, plugin: PluginId, state: TaskState) {
        let at = self.clock((self.setup.now)());
        self.tasks.stands(TaskOf::Comparison(number, plugin), &at, state);
    }
}
