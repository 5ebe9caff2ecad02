//! Reads the database for the screen: the latest question of its kind wins.

use std::{
    io,
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
    rows::{DetailFor, Hand, Rows, RowsAnswer, RowsRequest, answer},
};

/// Between answers that nobody waits for: a list that changes more often cannot be read.
const PACE: Duration = Duration::from_millis(250);

/// And they take one part in so many of a processor at most.
const SHARE: u32 = 50;

/// Opens the database; again after a failure, when the next question comes.
pub type OpenRows = Box<dyn FnMut() -> Result<Box<dyn Rows>, String> + Send>;

impl Replaceable for RowsRequest {
    fn kind(&self) -> u8 {
        match self {
            Self::Page { .. } => 0,
            Self::Recent { .. } => 1,
            Self::Detail { asker: DetailFor::Live, .. } => 2,
            Self::Detail { asker: DetailFor::Browse, .. } => 3,
            Self::Count { .. } => 4,
            Self::Matching { .. } => 5,
            Self::Views => 6,
            Self::Queue { .. } => 7,
            Self::Agreements => 8,
            Self::Detail { asker: DetailFor::Review, .. } => 9,
            Self::Trend { .. } => 10,
            Self::Jobs { .. } => 11,
            Self::Detail { asker: DetailFor::Pair(Hand::Left), .. } => 12,
            Self::Detail { asker: DetailFor::Pair(Hand::Right), .. } => 13,
            Self::Heat { .. } => 14,
        }
    }

    fn urgent(&self) -> bool {
        match self {
            Self::Page { urgent, .. } | Self::Detail { urgent, .. } => *urgent,
            Self::Recent { .. } | Self::Matching { .. } | Self::Views | Self::Queue { .. } | Self::Heat { .. } => true,
            Self::Count { .. } | Self::Agreements | Self::Trend { .. } | Self::Jobs { .. } => false,
        }
    }
}

/// The thread and the way to it.
pub struct RowsJob {
    slot: Arc<Slot<RowsRequest>>,
    job: Job,
}

impl RowsJob {
    pub fn start(mut open: OpenRows, events: Sender<Event>) -> io::Result<Self> {
        let slot = Arc::new(Slot::default());
        let work = Arc::clone(&slot);
        let job = Job::start("rows", move || {
            let mut rows: Option<Box<dyn Rows>> = None;
            let mut next = Instant::now();
            while let Some(request) = work.take(next) {
                let begun = Instant::now();
                let answer = match &mut rows {
                    Some(rows) => answer(rows.as_mut(), &request),
                    None => open().and_then(|opened| answer(rows.insert(opened).as_mut(), &request)),
                };
                let answer = answer.unwrap_or_else(|message| {
                    rows = None;
                    RowsAnswer::Failed(message)
                });
                if events.send(Event::Rows(answer)).is_err() {
                    return;
                }
                // What nobody waits for takes little of a processor.
                next = Instant::now() + PACE.max(begun.elapsed() * SHARE);
            }
        })?;
        Ok(Self { slot, job })
    }

    pub fn ask(&self, request: RowsRequest) {
        self.slot.put(request);
    }

    pub fn join(self, patience: Duration) {
        self.slot.close();
        self.job.join(patience);
    }
}
