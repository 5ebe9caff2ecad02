//! Every rule, and the alarms that stand: at most one a rule, so that the list is as long as the configuration at most.

use std::{collections::BTreeMap, time::Instant};

use jiff::Timestamp;

use super::{
    Alarm, AlarmCall, AlarmRule, AlarmStep,
    watch::{Around, Ended, Watch},
};

/// Rules with their memories, and what stands.
#[derive(Debug, Default)]
pub struct Board {
    watches: Vec<Watch>,
    /// By the rule's name. Also of a rule that is configured no more, until it is acknowledged.
    standing: BTreeMap<String, Alarm>,
}

impl Board {
    /// What was not acknowledged when the engine before this one ended. Whether it still holds is judged anew.
    pub fn restore(&mut self, alarms: Vec<Alarm>) {
        for alarm in alarms {
            self.standing.insert(alarm.rule.clone(), alarm);
        }
    }

    /// These rules from now on; one that has not changed keeps its memory.
    pub fn take(&mut self, rules: &[AlarmRule], now: Instant) {
        let mut before = std::mem::take(&mut self.watches);
        let watch = |rule: &AlarmRule| match before.iter().position(|watch| {
            let was = &watch.rule;
            (&was.name, was.kind, was.window, &was.source) == (&rule.name, rule.kind, rule.window, &rule.source)
        }) {
            Some(place) => before.swap_remove(place).of(rule.clone()),
            None => Watch::new(rule.clone(), now),
        };
        self.watches = rules.iter().map(watch).collect();
    }

    /// A new capture was seen.
    pub fn seen(&mut self, source: &str, now: Instant) {
        self.watches.iter_mut().for_each(|watch| watch.seen(source, now));
    }

    /// A capture is through.
    pub fn ended(&mut self, ended: &Ended<'_>, now: Instant) {
        self.watches.iter_mut().for_each(|watch| watch.ended(ended, now));
    }

    /// Judges every rule. Whatever changed is told, and commands of alarms that were raised.
    pub fn judge(&mut self, now: Instant, at: Timestamp, around: &Around) -> (Vec<(AlarmStep, Alarm)>, Vec<AlarmCall>) {
        let (mut steps, mut calls) = (Vec::new(), Vec::new());
        for watch in &mut self.watches {
            let holds = watch.holds(now, around);
            let rule = &watch.rule;
            match (holds, self.standing.get_mut(&rule.name)) {
                (Some(_), Some(alarm)) => alarm.over_at = None,
                (Some(message), None) => {
                    let alarm = Alarm {
                        rule: rule.name.clone(),
                        kind: rule.kind,
                        message,
                        raised_at: at.to_string(),
                        over_at: None,
                        seen_by: None,
                        bell: rule.bell,
                    };
                    if !rule.command.is_empty() {
                        calls.push(AlarmCall { command: rule.command.clone(), alarm: alarm.clone() });
                    }
                    self.standing.insert(rule.name.clone(), alarm.clone());
                    steps.push((AlarmStep::Raised, alarm));
                }
                (None, Some(alarm)) if alarm.over_at.is_none() => {
                    alarm.over_at = Some(at.to_string());
                    steps.push((AlarmStep::Over, alarm.clone()));
                }
                (None, _) => {}
            }
        }
        // A rule that is configured no more judges nothing: its alarm is over.
        for alarm in self.standing.values_mut().filter(|alarm| alarm.over_at.is_none()) {
            if !self.watches.iter().any(|watch| watch.rule.name == alarm.rule) {
                alarm.over_at = Some(at.to_string());
                steps.push((AlarmStep::Over, alarm.clone()));
            }
        }
        self.sweep();
        (steps, calls)
    }

    /// Somebody has seen this alarm, or all of them. What that changed.
    pub fn acknowledge(&mut self, rule: Option<&str>, by: &str) -> Vec<Alarm> {
        let mut seen = Vec::new();
        for alarm in self.standing.values_mut() {
            if alarm.seen_by.is_none() && rule.is_none_or(|rule| rule == alarm.rule) {
                alarm.seen_by = Some(by.to_owned());
                seen.push(alarm.clone());
            }
        }
        self.sweep();
        seen
    }

    /// What stands: those that nobody has acknowledged first, then by name.
    #[must_use]
    pub fn standing(&self) -> Vec<Alarm> {
        let (mut unseen, seen): (Vec<Alarm>, Vec<Alarm>) =
            self.standing.values().cloned().partition(|alarm| alarm.seen_by.is_none());
        unseen.extend(seen);
        unseen
    }

    /// What is over and acknowledged is gone.
    fn sweep(&mut self) {
        self.standing.retain(|_, alarm| alarm.seen_by.is_none() || alarm.over_at.is_none());
    }
}
