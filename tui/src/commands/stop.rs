//! `ferrule stop`: ends the engine after what is in hand, and waits until it has ended.

use std::{
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use ferrule_core::{client::Client, engine::lock, protocol::Request};
use serde_json::json;

use crate::{
    failure::{Failure, Kind},
    output::Output,
    place::Place,
};

/// Stop the engine after what is in hand; queued captures wait for the next start
#[derive(Debug, Args)]
pub struct Stop {
    #[command(flatten)]
    place: Place,
    /// Longest wait for its end, in seconds
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    wait: u64,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl Stop {
    pub fn run(self) -> Result<(), Failure> {
        let (_, dataset) = self.place.dataset()?;
        let limit = Duration::from_secs(self.wait);
        let deadline = Instant::now() + limit;
        let mut client = Client::connect(&dataset)?;
        let pid = client.engine().pid;
        client.ask(Request::Stop, limit)?;
        // The lock is what the next engine waits for; the socket closes earlier.
        while lock::holder(&dataset).is_ok_and(|holder| holder.is_some_and(|holder| holder.pid == pid)) {
            if Instant::now() > deadline {
                let message = format!("the engine (pid {pid}) is still working after {} s", self.wait);
                return Err(Failure::new(Kind::Unreachable, message)
                    .hint("it ends after the captures in hand; `ferrule status` shows them"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        let mut output = Output::new();
        if self.json {
            output.object(&json!({"stopped": true, "pid": pid}))?;
        } else {
            output.line(&format!("the engine (pid {pid}) has ended"))?;
        }
        output.flush()
    }
}
