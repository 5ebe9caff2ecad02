//! The way to the store's writer: this process's own, or the engine that has the dataset.

use std::time::Duration;

use super::CorrelateError;
use crate::{
    client::Client,
    protocol::Request,
    store::{CorrelationWrite, Receipt, Store, StoreError, Write},
};

/// Rows of one write: enough to keep the writer busy, and well within a line of the protocol.
pub(super) const ROWS: usize = 4_096;
/// Writes on their way at once.
const IN_FLIGHT: usize = 8;
/// How long an engine may take for one of them: captures go before.
const PATIENCE: Duration = Duration::from_secs(120);

/// The way to the store: never more than a few writes ahead of it.
pub(super) struct Desk<'a> {
    way: Way<'a>,
    in_flight: usize,
}

enum Way<'a> {
    Store(&'a Store),
    /// One write at a time, so that captures wait for no more.
    Engine(Box<Client>),
}

impl<'a> Desk<'a> {
    pub fn of_store(store: &'a Store) -> Self {
        Self { way: Way::Store(store), in_flight: 0 }
    }

    /// Borrows the correlations of the engine's dataset; they go back when the desk is dropped.
    pub fn of_engine(mut client: Client) -> Result<Self, CorrelateError> {
        client.ask(Request::Correlate, PATIENCE)?;
        Ok(Self { way: Way::Engine(Box::new(client)), in_flight: 0 })
    }

    pub fn write(&mut self, write: CorrelationWrite) -> Result<(), CorrelateError> {
        self.wait(IN_FLIGHT)?;
        match &mut self.way {
            Way::Store(store) => {
                store.submit(Write::Correlations(write))?;
                self.in_flight += 1;
            }
            Way::Engine(client) => {
                client.ask(Request::Correlations { write }, PATIENCE)?;
            }
        }
        Ok(())
    }

    /// Until at most so many writes are on their way.
    pub fn wait(&mut self, most: usize) -> Result<(), CorrelateError> {
        let Way::Store(store) = &self.way else { return Ok(()) };
        while self.in_flight > most {
            match store.receipts().recv().map_err(|_| StoreError::Ended)? {
                Receipt::Correlations(written) => {
                    written.map_err(CorrelateError::Refused)?;
                    self.in_flight -= 1;
                }
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
