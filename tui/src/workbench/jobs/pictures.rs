//! Makes pictures beside the loop: the latest request wins, and a remote line is not given more than it can carry.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
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
    pace::Line,
    picture::{Graphics, PictureAnswer, PictureRequest, Studio, save},
    text,
};

/// Pictures that nobody asked for with a key come at most this often.
const PACE: Duration = Duration::from_millis(200);

/// And they take one part in so many of a processor at most.
const SHARE: u32 = 50;

/// What is wanted of a picture.
#[derive(Debug)]
pub enum PictureTask {
    Show(PictureRequest),
    /// A file of it.
    Save(Box<PictureRequest>),
}

impl Replaceable for PictureTask {
    fn kind(&self) -> u8 {
        match self {
            Self::Show(request) => request.hand as u8,
            Self::Save(_) => u8::MAX,
        }
    }

    fn urgent(&self) -> bool {
        match self {
            Self::Show(request) => request.urgent,
            Self::Save(_) => true,
        }
    }
}

/// The thread and the way to it.
pub struct PictureJob {
    slot: Arc<Slot<PictureTask>>,
    job: Job,
}

impl PictureJob {
    /// Files go into the folder `exports`.
    pub fn start(graphics: Graphics, line: Option<Line>, exports: PathBuf, events: Sender<Event>) -> io::Result<Self> {
        let slot = Arc::new(Slot::<PictureTask>::default());
        let work = Arc::clone(&slot);
        let job = Job::start("pictures", move || {
            let mut studio = Studio::new(graphics);
            let mut next = Instant::now();
            while let Some(task) = work.take(next) {
                let request = match task {
                    PictureTask::Show(request) => request,
                    PictureTask::Save(request) => {
                        let saved = catch_unwind(AssertUnwindSafe(|| save(&mut studio, &request, &exports)));
                        let result = saved.unwrap_or_else(|_| Err(text::NO_PICTURE.to_owned()));
                        if events.send(Event::Saved(result)).is_err() {
                            return;
                        }
                        continue;
                    }
                };
                let begun = Instant::now();
                // A decoder's bug on a hostile file costs that picture, not the thread.
                let made = catch_unwind(AssertUnwindSafe(|| studio.make(&request)));
                let result = made.unwrap_or_else(|_| Err(text::NO_PICTURE.to_owned()));
                let carried = match (&result, line) {
                    (Ok(picture), Some(line)) => {
                        let a_second = if picture.is_pixels() { line.pixels } else { line.pictures };
                        Duration::from_secs_f64(picture.bytes() as f64 / f64::from(a_second))
                    }
                    _ => Duration::ZERO,
                };
                next = Instant::now() + carried.max(begun.elapsed() * SHARE).max(PACE);
                let answer = PictureAnswer { key: request.key, detail: request.detail, hand: request.hand, result };
                if events.send(Event::Picture(answer)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { slot, job })
    }

    pub fn ask(&self, task: PictureTask) {
        self.slot.put(task);
    }

    pub fn join(self, patience: Duration) {
        self.slot.close();
        self.job.join(patience);
    }
}
