//! Hears from a running engine what came of a change to plug-ins or settings. The engine decides and swaps; a command
//! only made the change, and tells the person how it ended.

use std::time::{Duration, Instant};

use clap::Args;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use ferrule_core::{
    client::{Client, Incoming, Requests},
    engine::lock,
    ids::BuildHash,
    protocol::{Answer, Event, Looked, Request},
    swap::{Swap, SwapOutcome},
    workspace::Workspace,
};
use serde::Serialize;

use crate::{
    failure::{Failure, Kind},
    output::Output,
};

/// How long a command waits for the engine.
#[derive(Debug, Clone, Args)]
pub struct Patience {
    /// Longest wait for a running engine to take it up, in seconds
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    wait: u64,
}

/// An engine that is about to hear of a change.
pub struct Listener {
    requests: Requests,
    incoming: Receiver<Incoming>,
    /// In force, or being loaded, before the change.
    before: u64,
    patience: Duration,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum TakenUp {
    InForce {
        generation: u64,
        took_ms: Option<f64>,
    },
    Refused {
        reason: String,
    },
    /// The pipeline is what it was.
    Unchanged {
        generation: u64,
    },
    /// None runs; `problem` is what it would say.
    NoEngine {
        problem: Option<String>,
    },
}

impl Patience {
    /// The workspace's engine, listening before anything is changed; `None` where none runs.
    pub fn listen(&self, workspace: &Workspace) -> Result<Option<Listener>, Failure> {
        let Some(dataset) = lock::running(workspace) else { return Ok(None) };
        let patience = Duration::from_secs(self.wait);
        let (mut requests, incoming) = Client::connect(&dataset)?.split();
        requests.send(Request::Subscribe).map_err(unread)?;
        let deadline = Instant::now() + patience;
        loop {
            if let Incoming::Answer { body: Answer::Status(status), .. } = next(&incoming, deadline, patience)? {
                return Ok(Some(Listener { requests, incoming, before: status.generation, patience }));
            }
        }
    }
}

impl Listener {
    /// Has the engine look now and waits for the end: a refusal of that very build, or the end of the swap that follows.
    pub fn wait(mut self, build: Option<&BuildHash>) -> Result<TakenUp, Failure> {
        let asked = self.requests.send(Request::Look).map_err(unread)?;
        let deadline = Instant::now() + self.patience;
        let (mut wanted, mut looked, mut ended): (Option<u64>, Option<Looked>, Option<Swap>) = (None, None, None);
        loop {
            match next(&self.incoming, deadline, self.patience)? {
                Incoming::Answer { id, body: Answer::Ok { count } } if id == asked => wanted = Some(count),
                Incoming::Answer { id, body: Answer::Refused(refusal) } if id == asked => {
                    return Err(Failure::failed(refusal.message).hint(refusal.hint));
                }
                Incoming::Event(Event::Looked(look)) if wanted.is_some_and(|wanted| look.look >= wanted) => {
                    let refused =
                        look.refused.iter().find(|refused| build.is_some() && refused.build.as_ref() == build);
                    if let Some(refused) = refused {
                        return Ok(TakenUp::Refused { reason: refused.reason.clone() });
                    }
                    looked = Some(look);
                }
                Incoming::Event(Event::Swap(swap)) if swap.generation.is_some_and(|number| number > self.before) => {
                    ended = Some(*swap);
                }
                _ => continue,
            }
            let Some(look) = &looked else { continue };
            match &ended {
                // A refused generation gives its number back to the one before.
                Some(swap) if swap.generation >= Some(look.generation) && swap.outcome.is_final() => {
                    return Ok(end(swap));
                }
                _ if look.generation > self.before => {}
                _ => {
                    return Ok(match &look.problem {
                        Some(problem) => TakenUp::Refused { reason: problem.clone() },
                        None => TakenUp::Unchanged { generation: look.generation },
                    });
                }
            }
        }
    }
}

fn end(swap: &Swap) -> TakenUp {
    match (swap.outcome, swap.generation) {
        (SwapOutcome::InForce, Some(generation)) => TakenUp::InForce { generation, took_ms: swap.took_ms },
        _ => TakenUp::Refused { reason: swap.refusal.clone().unwrap_or_else(|| "another swap came first".into()) },
    }
}

fn next(incoming: &Receiver<Incoming>, deadline: Instant, patience: Duration) -> Result<Incoming, Failure> {
    match incoming.recv_deadline(deadline) {
        Ok(Incoming::Lost(reason)) => Err(Failure::new(Kind::Unreachable, reason)),
        Ok(message) => Ok(message),
        Err(RecvTimeoutError::Timeout) => {
            let message = format!("the engine has not taken it up within {} s", patience.as_secs());
            Err(Failure::new(Kind::Unreachable, message)
                .hint("`ferrule plugin log` and `ferrule status` say how it stands"))
        }
        Err(RecvTimeoutError::Disconnected) => Err(Failure::new(Kind::Unreachable, "the engine ended")),
    }
}

fn unread(error: std::io::Error) -> Failure {
    Failure::new(Kind::Unreachable, format!("the engine does not read: {error}"))
}

impl TakenUp {
    /// In words; what went wrong is the failure's to tell.
    pub fn tell(&self, output: &mut Output) -> Result<(), Failure> {
        match self {
            Self::InForce { generation, took_ms } => {
                let took = took_ms.map_or_else(String::new, |ms| format!(", all workers after {ms:.0} ms"));
                output.line(&format!("in force: generation {generation}{took}"))
            }
            Self::Unchanged { generation } => {
                output.line(&format!("the pipeline is what it was: generation {generation}"))
            }
            Self::NoEngine { problem: None } => output.line("no engine runs; the next one uses it"),
            Self::NoEngine { problem: Some(_) } | Self::Refused { .. } => Ok(()),
        }
    }

    /// The bad end that it is, if it is one.
    pub fn failure(&self) -> Result<(), Failure> {
        match self {
            Self::Refused { reason } => {
                Err(Failure::failed(format!("refused: {reason}")).hint("what was in force before stays so"))
            }
            Self::NoEngine { problem: Some(problem) } => {
                Err(Failure::failed(problem).hint("no engine runs; the next one will not inspect until that is mended"))
            }
            _ => Ok(()),
        }
    }
}
