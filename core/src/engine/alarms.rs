//! Alarms of a running engine: what it sees goes to the board, what the board says goes to clients, the log, the database
//! and whoever runs commands.

use std::time::Instant;

use jiff::Timestamp;

use super::state::Engine;
use crate::{
    alarm::{Alarm, AlarmCallEnd, AlarmStep, Around, Ended},
    protocol::{Answer, Event},
    report::CaptureState,
    store::{Finished, Write},
};

/// Longest name of whoever acknowledges, in bytes.
const LONGEST_NAME: usize = 200;

impl Engine {
    /// A capture is through for the first time; passes over what was inspected before are not news about a microscope.
    pub fn watch_ended(&mut self, finished: &Finished, now: Instant) {
        let ended = Ended {
            source: &finished.source,
            failed: finished.state == CaptureState::Failed,
            has_defect: finished.has_defect,
            verdict: finished.verdict,
        };
        self.alarms.ended(&ended, now);
        self.judge_alarms(now);
    }

    /// Judges every rule, and tells what changed.
    pub fn judge_alarms(&mut self, now: Instant) {
        let quarantined = self.quarantined.keys().map(ToString::to_string).collect();
        let around = Around { quarantined, free_mb: self.disk.map(|disk| disk.free_mb) };
        let (steps, calls) = self.alarms.judge(now, Timestamp::now(), &around);
        for (step, alarm) in steps {
            self.tell_alarm(step, alarm);
        }
        for call in calls {
            let rule = call.alarm.rule.clone();
            if self.settings.alarm_calls.try_send(call).is_err() {
                let line = "its command was not run: those before it have not ended".to_owned();
                self.alarm_called(AlarmCallEnd { rule, fault: Some(line) });
            }
        }
    }

    /// Somebody has seen an alarm, or all.
    pub fn acknowledge(&mut self, rule: Option<&str>, by: &str) -> Answer {
        let sound = !by.trim().is_empty() && by.len() <= LONGEST_NAME && !by.chars().any(char::is_control);
        if !sound {
            let message = format!("whoever acknowledges has a name of one line and at most {LONGEST_NAME} bytes");
            return super::requests::refused(message, "say who you are");
        }
        let seen = self.alarms.acknowledge(rule, by.trim());
        let count = seen.len() as u64;
        for alarm in seen {
            self.tell_alarm(AlarmStep::Acknowledged, alarm);
        }
        Answer::Ok { count }
    }

    /// How a command ended.
    pub fn alarm_called(&mut self, end: AlarmCallEnd) {
        let about = format!("command of alarm {}", end.rule);
        match end.fault {
            Some(fault) => self.problem(&about, format!("alarm {}: {fault}", end.rule)),
            None => self.solved(&about),
        }
    }

    fn tell_alarm(&mut self, step: AlarmStep, alarm: Alarm) {
        let (rule, message) = (&alarm.rule, &alarm.message);
        let (level, line) = match step {
            AlarmStep::Raised => (tracing::Level::WARN, format!("alarm {rule}: {message}")),
            AlarmStep::Over => (tracing::Level::INFO, format!("alarm {rule} is over: {message}")),
            AlarmStep::Acknowledged => {
                let by = alarm.seen_by.as_deref().unwrap_or_default();
                (tracing::Level::INFO, format!("alarm {rule} was acknowledged by {by}"))
            }
        };
        self.log(level, line);
        self.store_write(Write::Alarm(step, Box::new(alarm.clone())));
        self.broadcast(Event::Alarm { step, alarm: Box::new(alarm) });
        self.dirty = true;
    }
}
