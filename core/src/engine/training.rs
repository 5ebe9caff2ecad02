//! The one training that runs beside the captures: begun and steered by clients, whoever of them stays.

use crossbeam_channel::{Receiver, never};

use super::{requests::refused, state::Engine};
use crate::{
    protocol::{Answer, Event, Trainer, TrainingEvent, TrainingNow},
    store::{RunChange, StoreError, Write},
    training::{Fence, Places, Plan, Session, Site, Steer, Told, TrainingError, Wish},
};

/// The session, and what a client that comes late has to know of it.
pub struct Running {
    pub session: Session,
    started: Option<Box<TrainingEvent>>,
    last: Option<Box<TrainingEvent>>,
}

impl Running {
    fn keep(&mut self, event: &TrainingEvent) {
        match event.name.as_str() {
            "started" => self.started = Some(Box::new(event.clone())),
            "feed" | "batch" | "paused" => self.last = Some(Box::new(event.clone())),
            _ => {}
        }
    }
}

impl Engine {
    /// Begins a training, or goes on with one.
    pub fn train(&mut self, plan: Option<Plan>, resume: Option<String>) -> Answer {
        if let Some(training) = &self.training {
            return refused(
                format!("run {} is being trained already", training.session.run),
                "one training runs at a time: wait for it, or end it (`ferrule train --steer stop-after-epoch`)",
            );
        }
        match self.begin(Wish { plan, resume }) {
            Ok(session) => {
                let run = session.run.clone();
                tracing::info!(run, "training begun");
                self.training = Some(Running { session, started: None, last: None });
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
                training.session.steer(steer);
                self.dirty = true;
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
        speaking.map_or_else(never, |training| training.session.told().clone())
    }

    /// Its thread is gone without a last word.
    pub fn training_lost(&mut self) {
        self.fence = Fence::default();
        if let Some(training) = self.training.take() {
            self.log(tracing::Level::ERROR, TrainingError::Gone(training.session.run.clone()).to_string());
        }
        self.dirty = true;
    }

    /// Ends it with the engine: its checkpoint is whole, and what it says of its end is stored.
    pub fn end_training(&mut self) {
        let Some(training) = self.training.take() else { return };
        let told = training.session.told().clone();
        drop(training);
        told.try_iter().for_each(|told| self.training_told(told));
    }

    /// Tells clients what the store has caught up with.
    pub fn tell_of_training(&mut self) {
        while let Some(run) = self.training.as_ref().map(|training| training.session.run.clone()) {
            let event = match self.fence.next() {
                Some(Told::Said(said)) => said.event(&run),
                Some(Told::Ended(ended)) => ended.event(&run),
                Some(Told::Write(_)) | None => return,
            };
            if let Some(training) = &mut self.training {
                training.keep(&event);
            }
            if let Some(ended) = &event.ended {
                tracing::info!(run, state = ended.state, message = ended.message, "training ended");
                self.training = None;
                self.dirty = true;
            }
            self.broadcast(Event::Training(Box::new(event)));
        }
    }

    /// The training as it stands.
    pub fn training_now(&self) -> Option<TrainingNow> {
        let Running { session, started, last } = self.training.as_ref()?;
        let (started, last) = (started.clone(), last.clone());
        Some(TrainingNow { run: session.run.clone(), wish: session.wish(), started, last })
    }

    /// What the trainer can be told.
    pub fn trainer(&self) -> Trainer {
        let trainer = self.reload.catalogue().ok_or_else(|| "plug-ins are still being looked at; try again".to_owned());
        match trainer.and_then(|catalogue| Session::trainer(catalogue).map_err(|error| error.to_string())) {
            Ok(trainer) => Trainer { parameters: trainer.card.parameters, problem: None },
            Err(problem) => Trainer { parameters: Vec::new(), problem: Some(problem) },
        }
    }

    /// Keeps what a person says of a run.
    pub fn note(&mut self, run: String, notes: String, tags: String) -> Answer {
        match self.reader.run(&run) {
            Ok(Some(_)) => {
                self.store_write(Write::Run(Box::new(RunChange::Note { run, notes, tags })));
                Answer::Ok { count: 1 }
            }
            other => no_run(&run, other.err()),
        }
    }

    /// Removes a run that is not being trained.
    pub fn delete_run(&mut self, run: &str) -> Answer {
        if self.training.as_ref().is_some_and(|training| training.session.run == run) {
            return refused(format!("run {run} is being trained"), "end it first (`ferrule train --steer stop-now`)");
        }
        match self.reader.run(run) {
            Ok(Some(_)) => {}
            other => return no_run(run, other.err()),
        }
        // The folder first: rows without a folder can be removed again, a folder without rows is found by nobody.
        if let Err(error) = Places::below(self.settings.workspace.root()).remove(run) {
            return refused(error.to_string(), "nothing of the run's rows was removed");
        }
        self.store_write(Write::Run(Box::new(RunChange::Delete { run: run.into() })));
        Answer::Ok { count: 1 }
    }
}

fn no_run(run: &str, error: Option<StoreError>) -> Answer {
    let message = error.map_or_else(|| format!("there is no run `{run}`"), |error| error.to_string());
    refused(message, "`ferrule runs list` shows those that there are")
}
