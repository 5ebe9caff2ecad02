//! `ferrule events`: what happens, as it happens, one line each. The first is the status that the rest starts from.

use clap::Args;
use ferrule_core::{
    alarm::{Alarm, AlarmStep},
    client::{Client, Incoming},
    protocol::{Answer, CaptureEvent, Event, Request},
    words::counted,
    workspace::DatasetPaths,
};

use super::{plugin::swap_line, status::counts};
use crate::{
    failure::{Failure, Kind},
    output::Output,
    place::Place,
};

/// Print what happens, as it happens
#[derive(Debug, Args)]
pub struct Events {
    #[command(flatten)]
    place: Place,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Events {
    pub fn run(self) -> Result<(), Failure> {
        let (_, dataset) = self.place.dataset()?;
        let mut output = Output::new();
        follow(&dataset, |event| {
            if self.json {
                output.object(event)?;
            } else if let Some(line) = line(event) {
                output.line(&line)?;
            }
            output.flush()?;
            Ok(Follow::On)
        })
    }
}

/// Whether to hear more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    On,
    Enough,
}

/// Hands every event to `each` until it has enough or the engine ends. The status at the start comes as an event too.
pub(super) fn follow(
    dataset: &DatasetPaths,
    mut each: impl FnMut(&Event) -> Result<Follow, Failure>,
) -> Result<(), Failure> {
    let (mut requests, incoming) = Client::connect(dataset)?.split();
    requests
        .send(Request::Subscribe)
        .map_err(|error| Failure::new(Kind::Unreachable, format!("the engine does not read: {error}")))?;
    let mut stopping = false;
    for message in incoming {
        let event = match message {
            Incoming::Event(event) => event,
            Incoming::Answer { body: Answer::Status(status), .. } => Event::Status(status),
            Incoming::Answer { body: Answer::Refused(refusal), .. } => {
                return Err(Failure::failed(refusal.message).hint(refusal.hint));
            }
            Incoming::Answer { .. } => continue,
            Incoming::Lost(_) if stopping => return Ok(()),
            Incoming::Lost(reason) => return Err(Failure::new(Kind::Unreachable, reason)),
        };
        stopping |= event == Event::Stopping;
        if each(&event)? == Follow::Enough {
            return Ok(());
        }
    }
    Ok(())
}

/// An event in words; `None` where a person has no use for it.
fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Capture(capture) => capture_line(capture),
        Event::Status(status) => format!("status {}", counts(&status.counts)),
        // What a look came to is in the log's words already; a swap's end is not.
        Event::Looked(_) => return None,
        Event::Alarm { step, alarm } => alarm_line(*step, alarm),
        // Its beginning and its end are in the log's words already.
        Event::Tidied(_) => return None,
        Event::Views => "saved views changed".to_owned(),
        Event::Reviewed(reviewed) => format!("{} stored", counted(reviewed.added, "review")),
        Event::Swap(swap) => format!("swap {}", swap_line(swap)),
        Event::Log { at, level, message } => format!("{level} {at} {message}"),
        // Its steps are many: `ferrule train` shows them.
        Event::Training(event) => match (event.name.as_str(), &event.ended) {
            (_, Some(ended)) => format!("run {} {}", event.run, ended.state),
            ("epoch", _) => format!("run {} epoch {}", event.run, event.epoch),
            _ => return None,
        },
        // Every epoch is one: `ferrule runs` shows them.
        Event::Run { .. } => return None,
        Event::Stopping => "the engine is stopping".into(),
    })
}

/// What became of an alarm.
pub(super) fn alarm_line(step: AlarmStep, alarm: &Alarm) -> String {
    let by = alarm.seen_by.as_deref().unwrap_or_default();
    match step {
        AlarmStep::Raised => format!("alarm {}: {}", alarm.rule, alarm.message),
        AlarmStep::Over => format!("alarm {} is over: {}", alarm.rule, alarm.message),
        AlarmStep::Acknowledged => format!("alarm {} acknowledged by {by}", alarm.rule),
    }
}

pub(super) fn capture_line(capture: &CaptureEvent) -> String {
    let mut line = format!("{} {}", capture.state, capture.path);
    if let Some(defects) = capture.defects {
        line.push_str(&format!(", {defects} {}", if defects == 1 { "defect" } else { "defects" }));
    }
    if let Some(verdict) = capture.verdict {
        line.push_str(&format!(", {verdict}"));
    }
    if let Some(ms) = capture.ms {
        line.push_str(&format!(", {ms:.0} ms"));
    }
    if !capture.incomplete.is_empty() {
        line.push_str(&format!(", incomplete: {}", capture.incomplete.join(", ")));
    }
    if let Some(message) = &capture.message {
        line.push_str(&format!(": {message}"));
    }
    line
}
