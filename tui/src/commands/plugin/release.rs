//! `ferrule plugin release ID`: out of quarantine, and what is incomplete because of it queued again.

use std::{
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use ferrule_core::{
    client::Client,
    ids::PluginId,
    protocol::{Answer, Request},
};
use serde_json::json;

use crate::{
    failure::{Failure, Kind},
    output::Output,
    place::Place,
};

/// Take a plug-in out of quarantine, and queue what is incomplete because of it
#[derive(Debug, Args)]
pub struct Release {
    /// The plug-in
    #[arg(value_name = "ID")]
    id: PluginId,
    #[command(flatten)]
    place: Place,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

const LIMIT: Duration = Duration::from_secs(30);

impl Release {
    pub fn run(self) -> Result<(), Failure> {
        let (_, dataset) = self.place.dataset()?;
        let mut client = Client::connect(&dataset)?;
        client.ask(Request::Release { plugin: self.id.clone() }, LIMIT)?;
        let deadline = Instant::now() + LIMIT;
        loop {
            let Answer::Status(status) = client.ask(Request::Status, LIMIT)? else {
                return Err(Failure::failed("the engine answered something else than its status"));
            };
            if !status.plugins.iter().any(|plugin| plugin.id == self.id && plugin.quarantined) {
                break;
            }
            if Instant::now() > deadline {
                let message = format!("{} is still in quarantine after {} s", self.id, LIMIT.as_secs());
                return Err(Failure::new(Kind::Unreachable, message).hint("`ferrule status` shows its health"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        let mut output = Output::new();
        if self.json {
            output.object(&json!({"id": self.id, "released": true}))?;
        } else {
            output.line(&format!(
                "{} is back in the pipeline; what is incomplete because of it is queued again",
                self.id
            ))?;
        }
        output.flush()
    }
}
