//! What is kept of a capture until its end is known: when its file was complete, and when it is to be tried again.
//!
//! A capture whose end will never be told, because another version of its file stands in its place, is forgotten: an engine
//! lives for weeks.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    ids::CaptureId,
    report::CaptureState,
    store::{Admitted, Finished},
};

/// Captures whose times are kept at once; beyond that a latency is not measured.
const MOST_WAITING: usize = 16_384;
/// Captures whose retries are counted at once; more would be a broken source.
const MOST_RETRIES: usize = 4096;
/// First pause before a capture that failed for the moment is tried again; it doubles.
const FIRST_RETRY: Duration = Duration::from_millis(500);

/// Captures whose end is awaited. In trees: tables would keep for weeks the room that one burst needed.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    /// When the file was complete, for the latency.
    complete: BTreeMap<CaptureId, Instant>,
    /// Those that failed for the moment: how often, and when to try again.
    retries: BTreeMap<CaptureId, (u32, Option<Instant>)>,
}

impl Awaited {
    /// A capture as it was committed, whose file was complete at that time. One that could not be read is tried again, at
    /// most so often: its directory may be away for a moment.
    pub fn admitted(&mut self, admitted: &Admitted, complete: Instant, most: u32, now: Instant) {
        if let Some(former) = admitted.replaces {
            self.forget(former);
        }
        match (admitted.state, admitted.image) {
            (CaptureState::Queued, Some(_)) if self.complete.len() < MOST_WAITING => {
                self.complete.insert(admitted.capture, complete);
            }
            (CaptureState::Failed, None) => {
                self.retry_later(admitted.capture, most, now);
            }
            (CaptureState::Duplicate | CaptureState::Ignored, _) => self.forget(admitted.capture),
            _ => {}
        }
    }

    /// An inspection is committed. When the file was complete, if that is known and the capture is through: one that is
    /// tried again, at most so often, is not.
    pub fn ended(&mut self, finished: &Finished, most: u32, now: Instant) -> Option<Instant> {
        let transient = finished.failure.as_ref().is_some_and(|failure| failure.transient);
        if transient && self.retry_later(finished.capture, most, now) {
            return None;
        }
        if !transient {
            self.retries.remove(&finished.capture);
        }
        self.complete.remove(&finished.capture)
    }

    fn forget(&mut self, capture: CaptureId) {
        self.complete.remove(&capture);
        self.retries.remove(&capture);
    }

    /// Whether it will be tried again.
    fn retry_later(&mut self, capture: CaptureId, most: u32, now: Instant) -> bool {
        if self.retries.len() >= MOST_RETRIES && !self.retries.contains_key(&capture) {
            return false;
        }
        let (count, at) = self.retries.entry(capture).or_default();
        if *count < most {
            *at = Some(now + FIRST_RETRY * 2_u32.saturating_pow(*count));
            *count += 1;
            return true;
        }
        self.retries.remove(&capture);
        false
    }

    /// When the next failed capture is to be tried again.
    pub fn next_retry(&self) -> Option<Instant> {
        self.retries.values().filter_map(|(_, at)| *at).min()
    }

    /// Failed captures whose time has come.
    pub fn due(&mut self, now: Instant) -> Vec<CaptureId> {
        self.retries
            .iter_mut()
            .filter_map(|(capture, (_, at))| at.is_some_and(|at| at <= now).then(|| (*at = None, *capture).1))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ids::ImageId, report::Failure};

    fn admitted(capture: i64, state: CaptureState, image: Option<ImageId>, replaces: Option<CaptureId>) -> Admitted {
        let (source, path) = ("microscope".into(), format!("/captures/{capture}.png").into());
        let (duplicate_of, promoted, message) = (None, None, None);
        let capture = CaptureId(capture);
        Admitted { capture, source, path, image, state, duplicate_of, replaces, promoted, new: true, message }
    }

    fn ended(capture: i64, transient: Option<bool>) -> Finished {
        let (source, path) = ("microscope".into(), format!("/captures/{capture}.png").into());
        Finished {
            capture: CaptureId(capture),
            source,
            path,
            image: image(),
            state: if transient.is_some() { CaptureState::Failed } else { CaptureState::Done },
            has_defect: None,
            verdict: None,
            defects: None,
            incomplete: Vec::new(),
            failure: transient.map(|transient| Failure {
                stage: "decode".into(),
                plugin: None,
                message: "cut off".into(),
                transient,
            }),
            ms: None,
        }
    }

    fn image() -> ImageId {
        ImageId::from_hash(&blake3::hash(b"a picture"))
    }

    #[test]
    fn nothing_is_kept_of_captures_that_another_version_or_another_file_stands_for() {
        let (now, mut awaited) = (Instant::now(), Awaited::default());
        let several = 2 * MOST_WAITING as i64;
        for n in 0..several {
            // By turns a version that waits and one that cannot be read; each takes the place of the one before.
            let former = (n > 0).then(|| CaptureId(n - 1));
            let (state, image) =
                if n % 2 == 0 { (CaptureState::Queued, Some(image())) } else { (CaptureState::Failed, None) };
            awaited.admitted(&admitted(n, state, image, former), now, 3, now);
        }
        assert_eq!((awaited.complete.len(), awaited.retries.len()), (0, 1));

        // What could not be read before is another file's picture by now.
        awaited.admitted(&admitted(several - 1, CaptureState::Duplicate, Some(image()), None), now, 3, now);
        assert!(awaited.retries.is_empty());
        let last = CaptureId(several);
        awaited.admitted(&admitted(last.0, CaptureState::Queued, Some(image()), None), now, 3, now);
        assert_eq!(awaited.ended(&ended(last.0, None), 3, now), Some(now), "its latency is still measured");
    }

    #[test]
    fn a_capture_that_fails_for_the_moment_is_tried_so_often_and_ends_once() {
        let (now, mut awaited) = (Instant::now(), Awaited::default());
        awaited.admitted(&admitted(1, CaptureState::Queued, Some(image()), None), now, 2, now);
        let mut at = now;
        for pause in [FIRST_RETRY, 2 * FIRST_RETRY] {
            assert_eq!(awaited.ended(&ended(1, Some(true)), 2, at), None);
            assert_eq!(awaited.next_retry(), Some(at + pause));
            assert!(awaited.due(at + pause - Duration::from_millis(1)).is_empty());
            at += pause;
            assert_eq!(awaited.due(at), [CaptureId(1)]);
            assert_eq!((awaited.due(at), awaited.next_retry()), (Vec::new(), None), "once for each failure");
        }
        assert_eq!(awaited.ended(&ended(1, Some(true)), 2, at), Some(now), "that was the last time");
        assert!(awaited.complete.is_empty() && awaited.retries.is_empty());

        awaited.admitted(&admitted(2, CaptureState::Queued, Some(image()), None), now, 2, now);
        assert_eq!(awaited.ended(&ended(2, Some(false)), 2, now), Some(now), "it fails for good");
        assert!(awaited.complete.is_empty() && awaited.retries.is_empty());
    }
}
