//! The one training that runs beside the captures: begun and steered by clients, whoever of them stays.

use super::state::Engine;
use crate::{
    protocol::{Answer, Event, Refusal},
    training::{Places, Plan, Session, Start, Steer, Told, TrainingError, check},
    worker::arguments::Limits,
};

/// A training takes what the machine has, in megabytes; the kernel ends it first when there is no more.
pub const MEMORY_MB: u64 = 1 << 20;

impl Engine {
    /// Begins a training, or goes on with one.
    pub fn train(&mut self, plan: Option<Plan>, resume: Option<String>) -> Answer {
        if let Some(training) = &self.training {
            return refused(
                format!("run {} is being trained already", training.run),
                "one training runs at a time: wait for it, or stop it (`ferrule train --stop`)",
            );
        }
        match self.begin(plan, resume) {
            Ok(session) => {
                let run = session.run.clone();
                tracing::info!(run, "training begun");
                self.training = Some(session);
                self.dirty = true;
                Answer::Training { run }
            }
            Err(error) => refused(error.to_string(), "`ferrule train --help` lists what can be set"),
        }
    }

    fn begin(&self, plan: Option<Plan>, resume: Option<String>) -> Result<Session, TrainingError> {
        let missing = || TrainingError::NoTrainer("plug-ins are still being looked at; try again".into());
        let trainer = Session::trainer(self.reload.catalogue().ok_or_else(missing)?)?;
        let places = Places::below(self.settings.workspace.root());
        let (folder, plan, resume) = match (resume, plan) {
            (Some(run), _) => {
                let (folder, plan) = places.resume(&run)?;
                (folder, plan, true)
            }
            (None, Some(plan)) => {
                check(&plan, &trainer)?;
                (places.begin(&plan)?, plan, false)
            }
            (None, None) => return Err(TrainingError::Setting("neither a plan nor a run to go on with".into())),
        };
        let workers = &self.configuration.settings.workers;
        let limits =
            Limits { memory_mb: MEMORY_MB, max_megapixels: workers.max_megapixels, max_file_mb: workers.max_file_mb };
        let (dataset, program) = (self.dataset.clone(), self.settings.program.clone());
        Session::start(Start { plan, folder, places, dataset, trainer, program, limits, resume })
    }

    /// Hands a wish over.
    pub fn steer(&mut self, steer: Steer) -> Answer {
        match &self.training {
            Some(training) => {
                training.steer(steer);
                Answer::Ok { count: 1 }
            }
            None => refused("nothing is being trained".into(), "`ferrule train` begins a training"),
        }
    }

    /// What the training says: rows to the store, the rest to clients.
    pub fn training_told(&mut self, told: Told) {
        let Some(run) = self.training.as_ref().map(|training| training.run.clone()) else { return };
        let event = match told {
            Told::Write(write) => return self.store_write(*write),
            Told::Said(said) => said.event(&run),
            Told::Ended(ended) => ended.event(&run),
        };
        if let Some(ended) = &event.ended {
            tracing::info!(run, state = ended.state, message = ended.message, "training ended");
            self.training = None;
            self.dirty = true;
        }
        self.broadcast(Event::Training(Box::new(event)));
    }
}

fn refused(message: String, hint: &str) -> Answer {
    Answer::Refused(Refusal { message, hint: hint.into() })
}
