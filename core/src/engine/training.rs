//! The one training that runs beside the captures: begun and steered by clients, whoever of them stays.

use crossbeam_channel::{Receiver, never};

use super::state::Engine;
use crate::{
    protocol::{Answer, Event, Refusal},
    training::{Fence, Places, Plan, Session, Site, Steer, Told, TrainingError, Wish},
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
        self.fence.take(told).into_iter().for_each(|write| self.store_write(write));
        self.tell_of_training();
    }

    /// What a training says; nothing more once it has said its last word, told or not.
    pub fn training_says(&self) -> Receiver<Told> {
        let speaking = self.training.as_ref().filter(|_| !self.fence.holds_the_end());
        speaking.map_or_else(never, |training| training.told().clone())
    }

    /// Its thread is gone without a last word.
    pub fn training_lost(&mut self) {
        self.fence = Fence::default();
        if let Some(training) = self.training.take() {
            self.log(tracing::Level::ERROR, TrainingError::Gone(training.run.clone()).to_string());
        }
        self.dirty = true;
    }

    /// Ends it with the engine: its checkpoint is whole, and what it says of its end is stored.
    pub fn end_training(&mut self) {
        let Some(training) = self.training.take() else { return };
        let told = training.told().clone();
        drop(training);
        told.try_iter().for_each(|told| self.training_told(told));
    }

    /// Tells clients what the store has caught up with.
    pub fn tell_of_training(&mut self) {
        while let Some(run) = self.training.as_ref().map(|training| training.run.clone()) {
            let event = match self.fence.next() {
                Some(Told::Said(said)) => said.event(&run),
                Some(Told::Ended(ended)) => ended.event(&run),
                Some(Told::Write(_)) | None => return,
            };
            if let Some(ended) = &event.ended {
                tracing::info!(run, state = ended.state, message = ended.message, "training ended");
                self.training = None;
                self.dirty = true;
            }
            self.broadcast(Event::Training(Box::new(event)));
        }
    }
}

fn refused(message: String, hint: &str) -> Answer {
    Answer::Refused(Refusal { message, hint: hint.into() })
}
