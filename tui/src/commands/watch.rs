//! `ferrule watch`: how the work goes, without the workbench: one line renewed on a terminal, plain lines elsewhere, or one
//! line a capture.

use std::io::{IsTerminal, stderr};

use clap::Args;
use ferrule_core::{
    protocol::{Counts, Event, Status},
    report::CaptureState,
};
use indicatif::{ProgressBar, ProgressStyle};

use super::{
    events::{Follow, alarm_line, capture_line, follow},
    status::counts,
};
use crate::{failure::Failure, output::Output, place::Place};

/// Watch the work go on, without the workbench
#[derive(Debug, Args)]
pub struct Watch {
    #[command(flatten)]
    place: Place,
    /// End when nothing waits any more; exit status 1 if captures failed
    #[arg(long)]
    until_idle: bool,
    /// One JSON object (the status) a line, at each change
    #[arg(long)]
    json: bool,
    /// One line a capture once it is through, for logs and screen readers: how things stand first, then each
    #[arg(long, conflicts_with = "json")]
    plain: bool,
}

impl Watch {
    pub fn run(self) -> Result<(), Failure> {
        let (_, dataset) = self.place.dataset()?;
        let mut output = Output::new();
        let live = !self.json && !self.plain && stderr().is_terminal();
        let mut told = false;
        let bar = if live { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        let mut failed = 0;
        let followed = follow(&dataset, |event| {
            match event {
                Event::Status(status) => {
                    failed = status.counts.failed;
                    if self.json {
                        output.object(status)?;
                    } else if live {
                        bar.set_message(summary(status));
                    } else if !self.plain || !std::mem::replace(&mut told, true) {
                        output.line(&summary(status))?;
                    }
                    output.flush()?;
                    if self.until_idle && is_idle(&status.counts) {
                        return Ok(Follow::Enough);
                    }
                }
                Event::Capture(capture) if self.plain && is_through(capture.state) => {
                    output.line(&capture_line(capture))?;
                    output.flush()?;
                }
                Event::Alarm { step, alarm } if self.plain => {
                    output.line(&alarm_line(*step, alarm))?;
                    output.flush()?;
                }
                Event::Alarm { step, alarm } if live => bar.println(alarm_line(*step, alarm)),
                Event::Capture(capture) if live && capture.message.is_some() => bar.println(capture_line(capture)),
                _ => {}
            }
            Ok(Follow::On)
        });
        bar.abandon();
        followed?;
        if self.until_idle && failed > 0 {
            let captures = if failed == 1 { "capture" } else { "captures" };
            return Err(Failure::failed(format!("{failed} {captures} failed"))
                .hint("`ferrule events` and the workbench say why; failed captures can be retried there"));
        }
        Ok(())
    }
}

fn summary(status: &Status) -> String {
    let problems = if status.problems.is_empty() { String::new() } else { format!("; {}", status.problems.join("; ")) };
    format!("{}; {:.1} a second{problems}", counts(&status.counts), status.per_second)
}

/// Nothing more happens to it by itself.
fn is_through(state: CaptureState) -> bool {
    !matches!(state, CaptureState::Settling | CaptureState::Queued | CaptureState::Running)
}

/// Nothing of what was seen waits for anything.
fn is_idle(counts: &Counts) -> bool {
    counts.settling + counts.queued + counts.running == 0
}
