//! A dataset written by a command where no engine has it: under the lock, one write after the other, each waited for. Called by
//! tidying, mending and reviews from files.

use super::{Receipt, Store, StoreError, StoreSettings, Write};
use crate::{
    engine::lock::{EngineLock, Holder, LockError},
    settings::ImageLinks,
    workspace::DatasetPaths,
};

/// Why a command did not write, or not all.
#[derive(Debug, thiserror::Error)]
pub enum AloneError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{message}; {hint}")]
    Disk { message: String, hint: String },
}

/// The dataset's lock, as a command holds it.
#[derive(Debug)]
pub(crate) struct Alone {
    paths: DatasetPaths,
    _lock: EngineLock,
}

impl Alone {
    /// Takes the lock; the database is not opened yet.
    ///
    /// # Errors
    /// An engine or another command has the dataset.
    pub fn take(paths: &DatasetPaths) -> Result<Self, AloneError> {
        Ok(Self { paths: paths.clone(), _lock: EngineLock::take(paths, &Holder::of_command())? })
    }

    /// Opens the store for `work`, and closes it.
    ///
    /// # Errors
    /// What opening, writing or closing says.
    pub fn write<T>(
        &self,
        images: ImageLinks,
        work: impl FnOnce(&mut dyn FnMut(Write) -> Result<Receipt, AloneError>) -> Result<T, AloneError>,
    ) -> Result<T, AloneError> {
        let (store, _) = Store::open(&self.paths, StoreSettings::at_once(images))?;
        let done = work(&mut |write| commit(&store, write))?;
        store.close()?;
        Ok(done)
    }
}

/// Its receipt, once it is committed.
fn commit(store: &Store, write: Write) -> Result<Receipt, AloneError> {
    store.submit(write)?;
    loop {
        match store.receipts().recv().map_err(|_| StoreError::Ended)? {
            Receipt::Trouble { message, hint } => return Err(AloneError::Disk { message, hint }),
            Receipt::Rejected { message } => return Err(AloneError::Disk { message, hint: "see the log".into() }),
            Receipt::TroubleOver => {}
            receipt => return Ok(receipt),
        }
    }
}
