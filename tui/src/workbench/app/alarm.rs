//! Alarms as a person meets them: rung, listed, acknowledged by name.

use ferrule_core::{
    alarm::{Alarm, AlarmStep},
    protocol::Request,
};

use super::{App, Dialog};
use crate::workbench::{
    alarms,
    event::{Command, Effects},
    plain, text,
};

impl App {
    /// The engine says what became of an alarm. The list comes with its next status.
    pub(super) fn alarm(&mut self, step: AlarmStep, alarm: Alarm) -> Effects {
        if step != AlarmStep::Raised {
            return Effects::none();
        }
        let alarm = plain::clean_alarm(alarm);
        self.say(true, text::alarm_raised(&alarm));
        if alarm.bell { Effects::command(Command::Bell) } else { Effects::redraw() }
    }

    pub(super) fn alarms(&self) -> &[Alarm] {
        self.status.as_ref().map_or(&[], |status| &status.alarms)
    }

    /// How many nobody has acknowledged.
    pub(super) fn unseen_alarms(&self) -> usize {
        alarms::unseen(self.alarms())
    }

    pub(super) fn step_alarms(&mut self, by: isize) {
        let last = self.alarms().len().saturating_sub(1);
        if let Some(Dialog::Alarms { at }) = &mut self.dialog {
            *at = at.saturating_add_signed(by).min(last);
        }
    }

    /// The person has seen the alarm under the cursor, or all of them.
    pub(super) fn acknowledge(&mut self, all: bool) -> Effects {
        let Some(Dialog::Alarms { at }) = &self.dialog else { return Effects::none() };
        let rule = match self.alarms().get(*at) {
            Some(alarm) if !all => Some(alarm.rule.clone()),
            Some(_) => None,
            None => return Effects::none(),
        };
        let name = self.review.reviewer().or(self.setup.user.as_deref()).unwrap_or(text::SOMEBODY);
        let by = name.to_owned();
        self.ask(Request::Acknowledge { rule, by })
    }
}
