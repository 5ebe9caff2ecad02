//! `ferrule tidy`: lets go what `[dataset.keep]` says, by the engine where one runs, else by itself; or tells what would go.

use std::time::{Duration, Instant};

use clap::Args;
use crossbeam_channel::RecvTimeoutError;
use ferrule_core::{
    client::{Client, Incoming},
    engine::lock,
    protocol::{Answer, Event, Request},
    store::{self, Reader, Tidied, TidyPlan},
    workspace::DatasetPaths,
};
use jiff::Timestamp;
use serde_json::json;

use crate::{
    batch,
    failure::{Failure, Kind},
    interrupt::Interrupt,
    output::Output,
    place::DatasetPlace,
};

/// How often a person's Ctrl-C is looked for while an engine tidies.
const LOOK: Duration = Duration::from_millis(200);

/// Let go what [dataset.keep] says: former inspections, old masks and pictures
///
/// Nothing goes without a rule, and as shipped there is none. Files in capture directories are never touched. What is tidied
/// by the engine on its own goes by the same rules.
#[derive(Debug, Args)]
pub struct Tidy {
    /// Only tell what would go
    #[arg(long)]
    dry_run: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    dataset: DatasetPlace,
}

impl Tidy {
    pub fn run(self) -> Result<(), Failure> {
        let dataset = self.dataset.find()?;
        let settings = batch::settings_around(&dataset)?.dataset;
        if !settings.keep.has_rules() {
            return self.tell(Tidied::default(), None, "no rule is set: everything is kept (`[dataset.keep]`)");
        }
        let interrupt = Interrupt::listen()?;
        let engine = lock::holder(&dataset).ok().flatten().is_some_and(|holder| !holder.command);
        if engine && !self.dry_run {
            let done = ask(&dataset, &interrupt)?;
            return self.tell(done, None, "went");
        }
        let reader = Reader::open(&dataset).map_err(Failure::wrong)?;
        let plan = reader
            .tidy_plan(&dataset, settings.keep, Timestamp::now(), &mut || !interrupt.asked())
            .map_err(Failure::wrong)?
            .ok_or_else(|| Failure::failed("ended; nothing went"))?;
        drop(reader);
        if self.dry_run {
            return self.tell(plan.going, Some(&plan), "would go");
        }
        let mut ended = false;
        let spared = plan.clone();
        let done = store::tidy_alone(&dataset, settings.images, plan, &mut |_| {
            ended = interrupt.asked();
            !ended
        });
        self.tell(done.map_err(Failure::wrong)?, Some(&spared), "went")?;
        if ended { Err(Failure::failed("ended; the rest goes with the next `ferrule tidy`")) } else { Ok(()) }
    }

    fn tell(&self, done: Tidied, plan: Option<&TidyPlan>, went: &str) -> Result<(), Failure> {
        let mut output = Output::new();
        if self.json {
            let mut object = json!(done);
            object["dry_run"] = self.dry_run.into();
            object["spared"] = json!(plan.map(|plan| plan.spared));
            output.object(&object)?;
        } else if went.starts_with("no rule") {
            output.line(went)?;
        } else {
            output.line(&format!("{done} {went}"))?;
            if let Some(spared) = plan.map(|plan| plan.spared).filter(|spared| *spared > 0) {
                output.line(&format!("{spared} images are spared (dataset.keep.protect)"))?;
            }
        }
        output.flush()
    }
}

/// Has the engine do it, and waits until it is done. Ended here, it goes on there.
fn ask(dataset: &DatasetPaths, interrupt: &Interrupt) -> Result<Tidied, Failure> {
    let lost = |reason: String| Failure::new(Kind::Unreachable, reason);
    let (mut requests, incoming) = Client::connect(dataset)?.split();
    // Events first: the end must not come before anybody listens.
    let mut asked = None;
    requests.send(Request::Subscribe).map_err(|error| lost(error.to_string()))?;
    loop {
        match incoming.recv_deadline(Instant::now() + LOOK) {
            Ok(Incoming::Answer { body: Answer::Status(_), .. }) if asked.is_none() => {
                asked = Some(requests.send(Request::Tidy).map_err(|error| lost(error.to_string()))?);
            }
            Ok(Incoming::Answer { body: Answer::Refused(refusal), .. }) => {
                return Err(Failure::failed(refusal.message).hint(refusal.hint));
            }
            Ok(Incoming::Event(Event::Tidied(end))) if asked.is_some() => {
                return end.problem.map_or(Ok(end.done), |problem| Err(Failure::failed(problem)));
            }
            Ok(Incoming::Lost(reason)) => return Err(lost(reason)),
            Err(RecvTimeoutError::Disconnected) => return Err(lost("the engine ended".into())),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
        }
        if interrupt.asked() {
            return Err(Failure::failed("no longer waiting; the engine goes on, and its log says what went"));
        }
    }
}
