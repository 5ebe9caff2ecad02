//! The training that runs, as its events tell: where it stands, how fast it is, how long the whole run still takes.

use ferrule_core::{
    protocol::{TrainingEvent, TrainingNow},
    training::Steer,
};

use crate::workbench::{plain::clean, runs::Epoch};

/// Epochs whose length says how long the next ones take.
const RECENT: usize = 5;

/// A running training.
#[derive(Debug, Clone, PartialEq)]
pub struct Now {
    pub run: String,
    pub wish: Steer,
    /// Planned; 0 until it has started.
    pub epochs: u32,
    pub train: u64,
    pub val: u64,
    pub weights: u64,
    pub device: String,
    /// Pictures laid into the feed, of how many.
    pub feed: Option<(u32, u32)>,
    /// The one in hand, from 1.
    pub epoch: u32,
    pub batch: u32,
    pub batches: u32,
    pub loss: Option<f64>,
    pub rate: Option<f64>,
    pub speed: Option<f64>,
    pub paused: bool,
}

impl Now {
    /// One that was just begun.
    pub fn begun(run: &str) -> Self {
        Self {
            run: clean(run),
            wish: Steer::GoOn,
            epochs: 0,
            train: 0,
            val: 0,
            weights: 0,
            device: String::new(),
            feed: None,
            epoch: 0,
            batch: 0,
            batches: 0,
            loss: None,
            rate: None,
            speed: None,
            paused: false,
        }
    }

    /// One that was begun before this screen looked.
    pub fn of(now: &TrainingNow) -> Self {
        let mut found = Self::begun(&now.run);
        for event in [&now.started, &now.last].into_iter().flatten() {
            found.hear(event);
        }
        found.wish = now.wish;
        found
    }

    /// Takes one of its events.
    pub fn hear(&mut self, event: &TrainingEvent) {
        let whole = |name: &str| event.number(name).filter(|value| *value >= 0.0).map(|value| value as u64);
        match event.name.as_str() {
            "started" => {
                self.feed = None;
                self.epochs = whole("epochs").and_then(|epochs| u32::try_from(epochs).ok()).unwrap_or(0);
                self.epoch = whole("resumed").and_then(|epoch| u32::try_from(epoch).ok()).unwrap_or(0) + 1;
                (self.train, self.val) = (whole("train").unwrap_or(0), whole("val").unwrap_or(0));
                self.weights = whole("weights").unwrap_or(0);
                self.device = event.values.get("device").and_then(|it| it.as_str()).map(clean).unwrap_or_default();
            }
            "feed" => self.feed = Some((event.batch, event.batches)),
            // A trainer need not say where it waits.
            "paused" if event.batches == 0 => self.paused = true,
            "batch" | "paused" => {
                (self.epoch, self.batch, self.batches) = (event.epoch.max(1), event.batch, event.batches);
                self.loss = event.number("loss");
                self.rate = event.number("learning_rate");
                self.speed = event.number("images_per_second");
                self.paused = event.name == "paused";
            }
            "epoch" => (self.epoch, self.batch) = (event.epoch + 1, 0),
            _ => {}
        }
    }

    /// The share of the whole run that is done.
    pub fn share(&self) -> f64 {
        if self.epochs == 0 {
            return 0.0;
        }
        let begun = f64::from(self.epoch.saturating_sub(1)) + f64::from(self.batch) / f64::from(self.batches.max(1));
        (begun / f64::from(self.epochs)).min(1.0)
    }

    /// Seconds until the last planned epoch is over, by the length of the last few; before there is one, by the speed of
    /// training alone. `None` while nothing is known.
    pub fn seconds_left(&self, epochs: &[Epoch]) -> Option<f64> {
        let left = f64::from(self.epochs) * (1.0 - self.share());
        let mut lengths: Vec<f64> = epochs
            .windows(2)
            .rev()
            .take(RECENT)
            .filter_map(|pair| {
                let waited = pair[1].figures.get("paused_seconds").copied().unwrap_or(0.0);
                Some((pair[1].at?.as_second() - pair[0].at?.as_second()) as f64 - waited)
            })
            .filter(|seconds| *seconds > 0.0)
            .collect();
        // The middle one: a night between two halves of a run makes one epoch long, and says nothing about the next.
        lengths.sort_by(f64::total_cmp);
        let measured = lengths.get(lengths.len() / 2).copied();
        let by_speed = || {
            let speed = self.speed.filter(|speed| *speed > 0.0)?;
            Some((self.train + self.val) as f64 / speed)
        };
        Some(left * measured.or_else(by_speed)?)
    }
}

/// `0:07`, `12:30`, `2:05:00`.
pub fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(name: &str, epoch: u32, batch: u32, values: serde_json::Value) -> TrainingEvent {
        let values = values.as_object().cloned().unwrap_or_default();
        TrainingEvent {
            run: "r".into(),
            name: name.into(),
            epoch,
            batch,
            batches: 10,
            values,
            ..TrainingEvent::default()
        }
    }

    #[test]
    fn a_client_that_comes_late_knows_as_much_as_one_that_was_there() {
        let started = event("started", 0, 0, json!({"epochs": 20, "train": 90, "val": 10, "resumed": 4}));
        let batch = event("batch", 5, 5, json!({"images_per_second": 50.0}));
        let mut there = Now::begun("r");
        there.hear(&started);
        assert_eq!((there.epoch, there.share()), (5, 0.2));
        there.hear(&batch);
        let late = TrainingNow {
            run: "r".into(),
            wish: Steer::GoOn,
            started: Some(Box::new(started)),
            last: Some(Box::new(batch)),
        };
        assert_eq!(Now::of(&late), there);
        // One that comes during a pause sees where it stands, too.
        let paused = event("paused", 5, 5, json!({"images_per_second": 50.0}));
        let waiting = Now::of(&TrainingNow { last: Some(Box::new(paused)), ..late });
        assert_eq!(waiting, Now { paused: true, ..there.clone() });
        // Half of epoch 5 of 20 is 4.5 of 20; 100 pictures an epoch at 50 a second.
        assert_eq!(there.share(), 0.225);
        assert_eq!(there.seconds_left(&[]), Some(31.0));
    }

    #[test]
    fn the_time_left_is_by_whole_epochs_and_a_pause_does_not_count() {
        let mut now = Now::begun("r");
        now.hear(&event("started", 0, 0, json!({"epochs": 10, "train": 90})));
        let at = [0, 10, 20, 500, 510, 520].into_iter().enumerate();
        let epochs: Vec<Epoch> = at
            .map(|(epoch, second)| Epoch {
                epoch: epoch as u32 + 1,
                at: jiff::Timestamp::from_second(1_790_000_000 + second).ok(),
                ..Epoch::default()
            })
            .collect();
        now.hear(&event("epoch", 6, 0, json!({})));
        assert_eq!(now.seconds_left(&epochs), Some(40.0));
        // The first two epochs, the second of which waited for a minute and a half.
        let mut first = epochs[..2].to_vec();
        first[1].at = jiff::Timestamp::from_second(1_790_000_100).ok();
        first[1].figures.insert("paused_seconds".into(), 90.0);
        now.hear(&event("epoch", 2, 0, json!({})));
        assert_eq!(now.seconds_left(&first), Some(80.0));
        assert_eq!((clock(40.0), clock(7530.2)), ("0:40".into(), "2:05:30".into()));
    }
}
