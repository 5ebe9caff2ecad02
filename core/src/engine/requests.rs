//! What clients ask, answered at once; what takes time is told by events.

use super::{
    handed::Asker,
    socket::{FromClients, encode},
    state::{Attached, Engine},
};
use crate::{
    change::{self, Change},
    protocol::{Answer, EngineLine, Refusal, Request},
    store::{Requeue, Write},
};

impl Engine {
    pub fn client(&mut self, message: FromClients) {
        match message {
            FromClients::Bound(path) => self.announce(path),
            FromClients::Unbound(reason) => {
                self.problem("socket", format!("clients cannot connect: {reason}; captures go on being inspected"));
            }
            FromClients::Joined(client, outbox) => {
                self.clients.insert(client, Attached { outbox, subscribed: false });
            }
            FromClients::Left(client) => {
                self.clients.remove(&client);
                self.handed.left(client);
            }
            FromClients::Request { client, id, body } => {
                let asker = Asker { client, request: id };
                if let Some(answer) = self.answer(asker, body) {
                    self.reply(asker, answer);
                }
            }
        }
    }

    /// Answers a request, now or when what it waited for is committed.
    pub(super) fn reply(&mut self, asker: Asker, answer: Answer) {
        let line = encode(&EngineLine::Answer { id: asker.request, body: answer });
        if self.clients.get(&asker.client).is_some_and(|attached| !attached.outbox.post(line)) {
            self.clients.remove(&asker.client);
        }
    }

    /// `None` where the answer follows once something is committed.
    fn answer(&mut self, asker: Asker, request: Request) -> Option<Answer> {
        let client = asker.client;
        Some(match request {
            Request::Settle => {
                self.settle(asker);
                return None;
            }
            Request::Divide => {
                self.divide(Some(asker));
                return None;
            }
            Request::Correlations { write } => return self.correlate(asker, write),
            Request::Correlate => self.lend_correlations(client),
            Request::Inspect { files } => self.inspect_files(client, &files),
            Request::Status => Answer::Status(Box::new(self.status())),
            Request::Subscribe => {
                if let Some(attached) = self.clients.get_mut(&client) {
                    attached.subscribed = true;
                }
                Answer::Status(Box::new(self.status()))
            }
            Request::Stop => {
                self.ending = true;
                Answer::Ok { count: 0 }
            }
            Request::Rescan => {
                if let Some(ingest) = &self.ingest {
                    ingest.rescan();
                }
                Answer::Ok { count: self.configuration.settings.sources.len() as u64 }
            }
            Request::Retry { captures } => {
                let count = captures.as_ref().map_or_else(|| self.counts().failed, |captures| captures.len() as u64);
                self.store_write(Write::Requeue(captures.map_or(Requeue::AllFailed, Requeue::Failed)));
                Answer::Ok { count }
            }
            Request::Reinspect { images } => {
                let count = images.len() as u64;
                self.store_write(Write::Requeue(Requeue::Images(images)));
                Answer::Ok { count }
            }
            Request::Release { plugin } => match (&self.pool, self.quarantined.contains_key(&plugin)) {
                (Some(pool), true) => {
                    pool.release(plugin);
                    Answer::Ok { count: 1 }
                }
                _ => refused(
                    format!("{plugin} is not in quarantine"),
                    "`ferrule status` lists plug-ins and their health",
                ),
            },
            Request::Review { reviews } => {
                let count = reviews.len() as u64;
                self.store_write(Write::Reviews(reviews));
                Answer::Ok { count }
            }
            Request::KeepView { view } => match view.fault() {
                Some(message) => Answer::Refused(Refusal { message, hint: "choose other words".into() }),
                None => {
                    self.store_write(Write::KeepView(view));
                    Answer::Ok { count: 1 }
                }
            },
            Request::ForgetView { name } => {
                self.store_write(Write::ForgetView(name));
                Answer::Ok { count: 1 }
            }
            Request::Tidy => self.tidy_now(),
            Request::Look => Answer::Ok { count: self.look_now() },
            Request::Train { plan, resume } => self.train(plan.map(|plan| *plan), resume),
            Request::Steer { steer } => self.steer(steer),
            Request::Plugins => Answer::Plugins(Box::new(self.plugin_list())),
            Request::Trainer => Answer::Trainer(Box::new(self.trainer())),
            Request::Note { run, notes, tags } => self.note(run, notes, tags),
            Request::DeleteRun { run } => self.delete_run(&run),
            Request::Change { change } => self.change(&change),
            Request::Acknowledge { rule, by } => self.acknowledge(rule.as_deref(), &by),
            Request::Pause { paused } => {
                self.paused = paused;
                self.dirty = true;
                Answer::Ok { count: 0 }
            }
        })
    }

    /// Edits `ferrule.toml`; what comes of it is told like after any other edit.
    fn change(&mut self, change: &Change) -> Answer {
        let Some(catalogue) = self.reload.catalogue() else {
            return refused("plug-ins are still being looked at".into(), "try again in a moment");
        };
        match change::make(change, &self.settings.workspace, catalogue) {
            Ok(made) => {
                if made.changed {
                    self.look_now();
                }
                Answer::Ok { count: u64::from(made.changed) }
            }
            Err(error) => refused(error.to_string(), "what was in force stays so"),
        }
    }
}

/// No, and what the person can do.
pub(super) fn refused(message: String, hint: &str) -> Answer {
    Answer::Refused(Refusal { message, hint: hint.into() })
}
