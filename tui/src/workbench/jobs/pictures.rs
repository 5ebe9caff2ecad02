//! Makes pictures beside the loop: the latest request wins, and a remote line is not given more than it can carry.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::Sender;

use super::{
    Job,
    slot::{Replaceable, Slot},
};
use crate::workbench::{
    event::Event,
    picture::{Graphics, PictureAnswer, PictureRequest, Studio},
    text,
};

/// Pictures that nobody asked for with a key come at most this often.
const LOCAL_PACE: Duration = Duration::from_millis(200);

/// What pictures may take of a remote line, in bytes a second.
const REMOTE_BUDGET: usize = 12_000;

impl Replaceable for PictureRequest {
    fn kind(&self) -> u8 {
        0
    }

    fn urgent(&self) -> bool {
        self.urgent
    }
}

/// The thread and the way to it.
pub struct PictureJob {
    slot: Arc<Slot<PictureRequest>>,
    job: Job,
}

impl PictureJob {
    pub fn start(graphics: Graphics, events: Sender<Event>) -> io::Result<Self> {
        let slot = Arc::new(Slot::<PictureRequest>::default());
        let work = Arc::clone(&slot);
        let job = Job::start("pictures", move || {
            let mut studio = Studio::new(graphics);
            let mut next = Instant::now();
            while let Some(request) = work.take(next) {
                // A decoder's bug on a hostile file costs that picture, not the thread.
                let made = catch_unwind(AssertUnwindSafe(|| studio.make(&request)));
                let result = made.unwrap_or_else(|_| Err(text::NO_PICTURE.to_owned()));
                let pace = match &result {
                    Ok(picture) if graphics.remote => {
                        Duration::from_millis((picture.bytes() * 1000 / REMOTE_BUDGET) as u64).max(LOCAL_PACE)
                    }
                    _ => LOCAL_PACE,
                };
                next = Instant::now() + pace;
                let answer = PictureAnswer { key: request.key, detail: request.detail, result };
                if events.send(Event::Picture(answer)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { slot, job })
    }

    pub fn ask(&self, request: PictureRequest) {
        self.slot.put(request);
    }

    pub fn join(self, patience: Duration) {
        self.slot.close();
        self.job.join(patience);
    }
}
