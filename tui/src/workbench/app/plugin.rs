//! What a person does on the Plug-ins screen, and what comes of it.

use ferrule_core::protocol::Request;

use super::{App, Engine};
use crate::workbench::{
    event::{Command, Effects},
    keys::{Key, PluginAction},
    screens::ScreenName,
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
                self.plugins.close_form();
                None
            }
            PluginAction::Default => {
                if let Some(form) = self.plugins.form() {
                    form.form.reset();
                }
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
            PluginsAnswer::Tried { ticket, result } => {
                if let Some(form) = self.plugins.form() {
                    form.take(ticket, result);
                }
            }
        }
        Effects::redraw()
    }
}
