//! The way to the store's writer.

use super::CorrelateError;
use crate::store::{CorrelationWrite, Receipt, Store, StoreError, Write};

/// Rows of one write, and writes on their way at once: enough to keep the writer busy.
pub(super) const ROWS: usize = 4_096;
const IN_FLIGHT: usize = 8;

/// The way to the store: never more than a few writes ahead of it.
pub(super) struct Desk<'a> {
    store: &'a Store,
    in_flight: usize,
}

impl<'a> Desk<'a> {
    pub fn new(store: &'a Store) -> Self {
        Self { store, in_flight: 0 }
    }

    pub fn write(&mut self, write: CorrelationWrite) -> Result<(), CorrelateError> {
        self.wait(IN_FLIGHT)?;
        self.store.submit(Write::Correlations(write))?;
        self.in_flight += 1;
        Ok(())
    }

    /// Until at most so many writes are on their way.
    pub fn wait(&mut self, most: usize) -> Result<(), CorrelateError> {
        while self.in_flight > most {
            match self.store.receipts().recv().map_err(|_| StoreError::Ended)? {
                Receipt::Correlations => self.in_flight -= 1,
                Receipt::Rejected { message } => return Err(CorrelateError::Refused(message)),
                Receipt::Trouble { message, hint } => {
                    return Err(CorrelateError::Refused(format!("{message}; {hint}")));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
