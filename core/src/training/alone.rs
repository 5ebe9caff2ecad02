//! A training without an engine: this process owns it, and the dataset's lock, until it ends. Called by `ferrule train`.

use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;

use super::{Ended, Said, Session, Site, Steer, Told, TrainingError, Wish};
use crate::{
    engine::lock::EngineLock,
    settings::ImageLinks,
    store::{Store, StoreSettings},
};

/// The one training of this process.
#[derive(Debug)]
pub struct Alone {
    session: Session,
    rows: Store,
    // Last: nobody else may write before the store has closed.
    _lock: EngineLock,
}

/// What there is to show.
#[derive(Debug)]
pub enum News {
    Said(Said),
    Ended(Box<Ended>),
    /// Nothing, so far.
    Quiet,
}

impl Alone {
    /// Takes the dataset's lock and begins, or goes on.
    ///
    /// # Errors
    /// An engine or another command has the dataset; it cannot be used; or what [`Session::begin`] says.
    pub fn begin(wish: Wish, site: Site, images: ImageLinks) -> Result<Self, TrainingError> {
        let lock = EngineLock::take(&site.dataset)?;
        let (rows, _) = Store::open(&site.dataset, StoreSettings { images })?;
        Ok(Self { session: Session::begin(wish, site)?, rows, _lock: lock })
    }

    /// The run's name.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.session.run
    }

    /// Hands a wish over.
    pub fn steer(&self, steer: Steer) {
        self.session.steer(steer);
    }

    /// Waits so long for something to show, and stores what is to be stored meanwhile.
    ///
    /// # Errors
    /// The store, or the training's thread, is gone.
    pub fn news(&self, patience: Duration) -> Result<News, TrainingError> {
        // Nothing waits for the receipts, and the channel has no end.
        self.rows.receipts().try_iter().for_each(drop);
        match self.session.told().recv_timeout(patience) {
            Ok(Told::Write(write)) => {
                self.rows.submit(*write)?;
                Ok(News::Quiet)
            }
            Ok(Told::Said(said)) => Ok(News::Said(said)),
            Ok(Told::Ended(ended)) => Ok(News::Ended(Box::new(ended))),
            Err(RecvTimeoutError::Timeout) => Ok(News::Quiet),
            Err(RecvTimeoutError::Disconnected) => Err(TrainingError::Gone),
        }
    }
}
