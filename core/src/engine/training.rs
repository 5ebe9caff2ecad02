//! The one training that runs beside the captures: begun and steered by clients, whoever of them stays.

use super::state::Engine;
use crate::{
    protocol::{Answer, Event, Refusal},
    training::{Places, Plan, Session, Site, Steer, Told, TrainingError, Wish},
};

impl Engine {
    /// Begins a training, or goes on with one.
    pub fn train(&mut self, plan: Option<Plan>, resume: Option<String>) -> Answer {
        if let Some(training) = &self.training {
            return refused(
                format!("run {} is being trained already", training.run),
                "one training runs at a time: wait for it, or end it (`ferrule train --steer stop-after-epoch`)",
            );
        }
        match self.begin(Wish { plan, resume }) {
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

    fn begin(&self, wish: Wish) -> Result<Session, TrainingError> {
        let missing = || TrainingError::NoTrainer("plug-ins are still being looked at; try again".into());
        let trainer = Session::trainer(self.reload.catalogue().ok_or_else(missing)?)?;
        let places = Places::below(self.settings.workspace.root());
        let limits = Site::limits(&self.configuration.settings.workers);
        let (dataset, program) = (self.dataset.clone(), self.settings.program.clone());
        Session::begin(wish, Site { places, dataset, trainer, program, limits })
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
