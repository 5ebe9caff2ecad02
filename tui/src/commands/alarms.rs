//! `ferrule alarms`: what rang, and who has seen it; acknowledges it without a screen.

use std::time::Duration;

use clap::Args;
use ferrule_core::{
    alarm::Alarm,
    client::Client,
    protocol::{Answer, Request},
    store::{Reader, StoreError},
};
use serde_json::json;

use crate::{
    environment::Environment,
    failure::{Failure, Kind},
    output::Output,
    place::Place,
};

/// An engine answers from memory; later than this it hangs.
const LIMIT: Duration = Duration::from_secs(30);

/// Show what rang, the newest first, or acknowledge it
#[derive(Debug, Args)]
pub struct Alarms {
    #[command(flatten)]
    place: Place,
    /// Say that you have seen what nobody has acknowledged yet; needs the engine
    #[arg(long)]
    acknowledge: bool,
    /// Only the alarm of this rule
    #[arg(long, value_name = "NAME", requires = "acknowledge")]
    rule: Option<String>,
    /// Who has seen it [default: you, by the name of your account]
    #[arg(long, value_name = "NAME", requires = "acknowledge")]
    by: Option<String>,
    /// How many are shown
    #[arg(long, default_value_t = 20, value_name = "COUNT", conflicts_with = "acknowledge")]
    limit: usize,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Alarms {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let (_, dataset) = self.place.dataset()?;
        let mut output = Output::new();
        if self.acknowledge {
            let by = self.by.or_else(|| environment.user.clone());
            let by = by.ok_or_else(|| Failure::wrong("nobody says who you are").hint("name yourself: --by NAME"))?;
            let request = Request::Acknowledge { rule: self.rule, by: by.clone() };
            let count = match Client::connect(&dataset)?.ask(request, LIMIT)? {
                Answer::Ok { count } => count,
                Answer::Refused(refusal) => return Err(Failure::wrong(refusal.message).hint(refusal.hint)),
                _ => return Err(Failure::new(Kind::Unreachable, "the engine answered something else")),
            };
            if self.json {
                output.object(&json!({"acknowledged": count, "by": by}))?;
            } else {
                let alarms = if count == 1 { "alarm" } else { "alarms" };
                output.line(&format!("{count} {alarms} acknowledged by {by}"))?;
            }
            return output.flush();
        }
        let alarms = match Reader::open(&dataset).and_then(|reader| reader.alarms(self.limit)) {
            Ok(alarms) => alarms,
            // Where nothing was ever inspected nothing ever rang.
            Err(StoreError::Missing { .. }) => Vec::new(),
            Err(error) => return Err(Failure::wrong(error)),
        };
        for alarm in &alarms {
            if self.json {
                output.object(alarm)?;
            } else {
                output.line(&line(alarm))?;
            }
        }
        if alarms.is_empty() && !self.json {
            output.line("nothing has rung yet; rules are [[alarm]] of ferrule.toml")?;
        }
        output.flush()
    }
}

/// An alarm and how it stands.
pub(super) fn line(alarm: &Alarm) -> String {
    let over = alarm.over_at.as_ref().map_or_else(|| "holds".to_owned(), |at| format!("over {at}"));
    let seen =
        alarm.seen_by.as_ref().map_or_else(|| "not acknowledged".to_owned(), |by| format!("acknowledged by {by}"));
    format!("{}  {}: {}; {over}; {seen}", alarm.raised_at, alarm.rule, alarm.message)
}
