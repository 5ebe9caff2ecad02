//! Reviews into a dataset: through its engine where one runs, else directly, under the dataset's lock.

use std::{
    io,
    time::{Duration, Instant},
};

use super::{Review, Reviewed};
use crate::{
    client::{Client, ConnectError, Incoming},
    engine::lock,
    protocol::{Answer, Event, Refusal, Request},
    settings::ImageLinks,
    store::{Alone, AloneError, Receipt, Write},
    workspace::DatasetPaths,
};

/// Bytes of reviews in one request: a line of the protocol is limited, and masks are long.
const BYTES: usize = 256 << 10;
/// How long the engine may take to store one request.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why not all of them are stored. Those of earlier requests are.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the engine does not read: {0}")]
    Unread(io::Error),
    #[error("the connection to the engine ended: {0}")]
    Lost(String),
    #[error("the engine has not stored it within {} s; `ferrule status` says how it stands", PATIENCE.as_secs())]
    Late,
    #[error("{}; {}", .0.message, .0.hint)]
    Refused(Refusal),
    #[error(transparent)]
    Alone(#[from] AloneError),
}

/// Stores reviews; returns once they are committed.
///
/// # Errors
/// Nobody takes them, or not all.
pub fn take(paths: &DatasetPaths, reviews: Vec<Review>) -> Result<Reviewed, TakeError> {
    let batches = batches(reviews);
    match lock::holder(paths) {
        Ok(Some(holder)) if !holder.command => through_engine(paths, batches),
        _ => Ok(directly(paths, batches)?),
    }
}

/// In order, as many as fit into a request.
fn batches(reviews: Vec<Review>) -> Vec<Vec<Review>> {
    let (mut batches, mut bytes) = (Vec::new(), BYTES);
    for review in reviews {
        let size = 512 + review.defect.as_ref().map_or(0, |defect| 24 * defect.mask.len());
        if bytes + size > BYTES {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(batch) = batches.last_mut() {
            batch.push(review);
        }
    }
    batches
}

fn through_engine(paths: &DatasetPaths, batches: Vec<Vec<Review>>) -> Result<Reviewed, TakeError> {
    let (mut requests, incoming) = Client::connect(paths)?.split();
    requests.send(Request::Subscribe).map_err(TakeError::Unread)?;
    let mut all = Reviewed::default();
    for reviews in batches {
        let asked = requests.send(Request::Review { reviews }).map_err(TakeError::Unread)?;
        let deadline = Instant::now() + PATIENCE;
        let mut taken = false;
        loop {
            match incoming.recv_deadline(deadline) {
                Ok(Incoming::Answer { id, body: Answer::Ok { .. } }) if id == asked => taken = true,
                Ok(Incoming::Answer { id, body: Answer::Refused(refusal) }) if id == asked => {
                    return Err(TakeError::Refused(refusal));
                }
                Ok(Incoming::Event(Event::Reviewed(reviewed))) if taken => {
                    all.add(reviewed);
                    break;
                }
                Ok(Incoming::Lost(reason)) => return Err(TakeError::Lost(reason)),
                Ok(_) => {}
                Err(_) => return Err(TakeError::Late),
            }
        }
    }
    Ok(all)
}

fn directly(paths: &DatasetPaths, batches: Vec<Vec<Review>>) -> Result<Reviewed, AloneError> {
    // How pictures come in does not matter: none does.
    Alone::take(paths)?.write(ImageLinks::Copy, |write| {
        let mut all = Reviewed::default();
        for reviews in batches {
            if let Receipt::Reviewed(reviewed) = write(Write::Reviews(reviews))? {
                all.add(*reviewed);
            }
        }
        Ok(all)
    })
}

impl Reviewed {
    fn add(&mut self, other: Self) {
        self.added += other.added;
        self.known += other.known;
        self.refused.extend(other.refused);
    }
}
