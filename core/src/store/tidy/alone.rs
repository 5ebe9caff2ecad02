//! Tidying where no engine runs. Called by `ferrule tidy`.

use super::{Tidied, TidyPlan, TidyStep};
use crate::{
    engine::lock::{EngineLock, Holder, LockError},
    settings::ImageLinks,
    store::{Receipt, Store, StoreError, StoreSettings, Write},
    workspace::DatasetPaths,
};

/// Why not all that was to go went.
#[derive(Debug, thiserror::Error)]
pub enum TidyError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{message}; {hint}")]
    Disk { message: String, hint: String },
}

/// Carries a plan out. `told` hears what went so far, and says whether to go on: what went is gone, the rest stays.
///
/// # Errors
/// An engine or another command has the dataset; the disk.
pub fn tidy_alone(
    paths: &DatasetPaths,
    images: ImageLinks,
    plan: TidyPlan,
    told: &mut dyn FnMut(Tidied) -> bool,
) -> Result<Tidied, TidyError> {
    let mut lock = EngineLock::take(paths)?;
    lock.announce(&Holder::of_command())?;
    let (store, _) = Store::open(paths, StoreSettings { images })?;
    let (mut done, mut next) = (Tidied::default(), Some(Box::new(TidyStep::first(plan))));
    while let Some(step) = next.take() {
        store.submit(Write::Tidy(step))?;
        loop {
            match store.receipts().recv().map_err(|_| StoreError::Ended)? {
                Receipt::Tidied(tidying) => {
                    done.add(tidying.done);
                    next = tidying.next;
                    break;
                }
                Receipt::Trouble { message, hint } => return Err(TidyError::Disk { message, hint }),
                Receipt::Rejected { message } => return Err(TidyError::Disk { message, hint: "see the log".into() }),
                _ => {}
            }
        }
        if !told(done) {
            break;
        }
    }
    store.close()?;
    Ok(done)
}
