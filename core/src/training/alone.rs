//! A training without an engine: this process owns it, and the dataset's lock, until it ends. Called by `ferrule train`.

use std::time::{Duration, Instant};

use crossbeam_channel::{at, never, select};

use super::{Ended, Fence, Places, Said, Session, Site, Steer, Told, TrainingError, Wish};
use crate::{
    engine::lock::{EngineLock, Holder},
    settings::ImageLinks,
    store::{Receipt, RunChange, Store, StoreError, StoreSettings, Write},
    workspace::DatasetPaths,
};

/// The one training of this process.
#[derive(Debug)]
pub struct Alone {
    session: Session,
    rows: Store,
    fence: Fence,
    // Last: nobody else may write before the store has closed.
    _lock: EngineLock,
}

/// Stores one row of a run where no engine runs: its notes, or that it is gone, with its folder.
///
/// # Errors
/// An engine or another command has the dataset, it cannot be used, or there is no such run.
pub fn store_alone(
    change: RunChange,
    places: &Places,
    dataset: &DatasetPaths,
    images: ImageLinks,
) -> Result<(), TrainingError> {
    let _lock = EngineLock::take(dataset, &Holder::of_command())?;
    // The folder first: rows without a folder can be removed again, a folder without rows is found by nobody.
    if let RunChange::Delete { run } = &change {
        places.remove(run)?;
    }
    let (rows, _) = Store::open(dataset, StoreSettings::at_once(images))?;
    rows.submit(Write::Run(Box::new(change)))?;
    loop {
        match rows.receipts().recv().map_err(|_| StoreError::Ended)? {
            Receipt::Run(_) => return Ok(rows.close()?),
            Receipt::Rejected { message } => return Err(TrainingError::Refused(message)),
            // Tried again until it is stored; a person's Ctrl-C ends it.
            _ => {}
        }
    }
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
        let lock = EngineLock::take(&site.dataset, &Holder::of_command())?;
        let (rows, _) = Store::open(&site.dataset, StoreSettings::at_once(images))?;
        Ok(Self { session: Session::begin(wish, site)?, rows, fence: Fence::default(), _lock: lock })
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
    pub fn news(&mut self, patience: Duration) -> Result<News, TrainingError> {
        let deadline = Instant::now() + patience;
        loop {
            match self.fence.next() {
                Some(Told::Said(said)) => return Ok(News::Said(said)),
                Some(Told::Ended(ended)) => return Ok(News::Ended(Box::new(ended))),
                Some(Told::Write(_)) | None => {}
            }
            let told = if self.fence.holds_the_end() { never() } else { self.session.told().clone() };
            select! {
                recv(self.rows.receipts()) -> receipt => {
                    self.fence.receipt(receipt.map_err(|_| StoreError::Ended)?);
                }
                recv(told) -> told => {
                    let told = told.map_err(|_| TrainingError::Gone(self.session.run.clone()))?;
                    for write in self.fence.take(told) {
                        self.rows.submit(write)?;
                    }
                }
                recv(at(deadline)) -> _ => return Ok(News::Quiet),
            }
        }
    }
}
