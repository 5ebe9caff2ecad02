//! Workers that decode pictures and lay them onto the grid, one picture a question. A worker that dies is replaced and
//! asked once more; a second death, or a picture that cannot be read, costs that picture alone.
//!
//! Each worker has a thread, because a worker must not outlive the thread that started it.

use std::{
    path::PathBuf,
    thread::{self, ScopedJoinHandle},
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Correlate, CorrelateError};
use crate::{
    host::card::Profile,
    ids::ImageId,
    report::Outline,
    worker::{
        messages::{FromWorker, GridJob, ToWorker},
        talk::Talk,
    },
};

/// For a picture, a slow disk included.
const DEADLINE: Duration = Duration::from_secs(60);

/// A picture to lay.
#[derive(Debug, Clone)]
pub(super) struct Errand {
    pub image: ImageId,
    pub path: PathBuf,
    pub cladding: Option<Outline>,
    /// See [`super::cache::Record::key`].
    pub key: u64,
}

/// Its cells, or why there are none.
#[derive(Debug)]
pub(super) struct Laid {
    pub image: ImageId,
    pub key: u64,
    pub cells: Result<Vec<u8>, String>,
}

/// The two ends of a running crew.
pub(super) struct Crew<'scope> {
    pub errands: Sender<Errand>,
    pub laid: Receiver<Laid>,
    hands: Vec<ScopedJoinHandle<'scope, Result<(), CorrelateError>>>,
}

impl<'scope> Crew<'scope> {
    pub fn start<'env>(
        scope: &'scope thread::Scope<'scope, 'env>,
        settings: &'env Correlate,
    ) -> Result<Self, CorrelateError> {
        let count = settings.threads.max(1);
        let (errands, inbox) = bounded(2 * count);
        let (outbox, laid) = bounded(2 * count);
        let mut hands = Vec::new();
        for _ in 0..count {
            let (inbox, outbox) = (inbox.clone(), outbox.clone());
            let hand = thread::Builder::new()
                .name("grid-worker".into())
                .spawn_scoped(scope, move || work(settings, &inbox, &outbox));
            hands.push(hand.map_err(CorrelateError::Thread)?);
        }
        Ok(Self { errands, laid, hands })
    }

    /// Waits for the last of them, after `errands` is gone or nobody listens any more.
    pub fn end(hands: Vec<ScopedJoinHandle<'scope, Result<(), CorrelateError>>>) -> Result<(), CorrelateError> {
        for hand in hands {
            let ended = || CorrelateError::Worker(std::io::Error::other("the thread of a worker has panicked"));
            hand.join().map_err(|_| ended())??;
        }
        Ok(())
    }

    pub fn split(self) -> Split<'scope> {
        (self.errands, self.laid, self.hands)
    }
}

type Split<'scope> = (Sender<Errand>, Receiver<Laid>, Vec<ScopedJoinHandle<'scope, Result<(), CorrelateError>>>);

fn work(settings: &Correlate, inbox: &Receiver<Errand>, outbox: &Sender<Laid>) -> Result<(), CorrelateError> {
    let start = || Talk::start(&settings.program, Profile::Narrow, settings.limits).map_err(CorrelateError::Worker);
    let mut talk = None;
    for errand in inbox {
        let question = ToWorker::Grid(Box::new(GridJob {
            path: errand.path,
            expected: errand.image,
            cladding: errand.cladding,
            side: settings.grid.side(),
        }));
        let mut cells = Err(String::new());
        for _ in 0..2 {
            let asked = match &mut talk {
                Some(talk) => talk,
                none => none.insert(start()?),
            };
            match asked.ask(&question, DEADLINE) {
                Ok(FromWorker::Gridded(Ok(grid))) if grid.len() == settings.grid.cells() => cells = Ok(grid),
                Ok(FromWorker::Gridded(Err(failure))) => cells = Err(failure.to_string()),
                Ok(_) => {
                    cells = Err("the worker answered something else".into());
                    talk = None;
                }
                Err(death) => {
                    cells = Err(format!("the worker died: {death}"));
                    talk = None;
                    continue;
                }
            }
            break;
        }
        if outbox.send(Laid { image: errand.image, key: errand.key, cells }).is_err() {
            break;
        }
    }
    Ok(())
}
