//! A job: the connector ends that somebody photographs one after the other, by the job, port and side that a source's
//! `name_pattern` finds in file names; and whether it can be handed over.
//!
//! The latest capture of an end decides: a connector that failed is cleaned and captured again. What was before is kept and
//! shown beside it. Pure: the store reads the captures, the workbench and the export show what is made of them here.

use std::{cmp::Ordering, collections::BTreeSet, fmt};

use serde::Serialize;

use crate::{
    ids::{CaptureId, ImageId},
    report::{CaptureState, Outcome},
};

/// One capture of an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shot {
    pub capture: CaptureId,
    pub image: Option<ImageId>,
    /// The file's name, on one line.
    pub name: String,
    /// RFC 3339, UTC.
    pub seen_at: String,
    pub state: CaptureState,
    pub port: String,
    pub side: String,
    /// What is known of its content.
    pub verdict: Option<Outcome>,
    pub has_defect: Option<bool>,
}

/// How an end stands, by its latest capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Pass,
    Fail,
    /// Inspected, and the grader does not say.
    NotGraded,
    /// It could not be inspected.
    Failed,
    /// Its latest capture is on its way.
    Waiting,
    /// No capture, though other ports have this side.
    Missing,
}

impl Standing {
    pub const ALL: [Self; 6] = [Self::Pass, Self::Fail, Self::NotGraded, Self::Failed, Self::Waiting, Self::Missing];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotGraded => "not graded",
            Self::Failed => "not inspected",
            Self::Waiting => "waiting",
            Self::Missing => "missing",
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One end of a connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct End {
    pub port: String,
    pub side: String,
    pub standing: Standing,
    /// The oldest first; none where it is missing.
    pub shots: Vec<Shot>,
}

impl End {
    /// The capture that decides.
    #[must_use]
    pub fn latest(&self) -> Option<&Shot> {
        self.shots.last()
    }

    /// The capture that it superseded.
    #[must_use]
    pub fn before(&self) -> Option<&Shot> {
        self.shots.len().checked_sub(2).and_then(|place| self.shots.get(place))
    }
}

/// Whether a job can be handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HandOver {
    /// Every end passes.
    Pass,
    /// An end fails.
    Fail,
    /// None fails, and not all pass: some are missing, waiting or not graded.
    Open,
}

impl HandOver {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Open => "open",
        }
    }
}

impl fmt::Display for HandOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A job with its ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Job {
    pub name: String,
    pub hand_over: HandOver,
    /// By port, then side, numbers in them by their value; missing ones among them.
    pub ends: Vec<End>,
}

impl Job {
    /// The job of these captures, the oldest first.
    #[must_use]
    pub fn of(name: String, shots: Vec<Shot>) -> Self {
        let mut ends: Vec<End> = Vec::new();
        for shot in shots {
            let (port, side) = (shot.port.clone(), shot.side.clone());
            match ends.iter_mut().find(|end| (&end.port, &end.side) == (&port, &side)) {
                Some(end) => end.shots.push(shot),
                None => ends.push(End { port, side, standing: Standing::Missing, shots: vec![shot] }),
            }
        }
        for end in &mut ends {
            end.standing = end.latest().map_or(Standing::Missing, standing);
        }
        let ports: BTreeSet<String> = ends.iter().map(|end| end.port.clone()).collect();
        let sides: BTreeSet<String> = ends.iter().map(|end| end.side.clone()).collect();
        for (port, side) in ports.iter().flat_map(|port| sides.iter().map(move |side| (port, side))) {
            if !ends.iter().any(|end| (&end.port, &end.side) == (port, side)) {
                let (port, side) = (port.clone(), side.clone());
                ends.push(End { port, side, standing: Standing::Missing, shots: Vec::new() });
            }
        }
        ends.sort_by(|one, other| natural(&one.port, &other.port).then_with(|| natural(&one.side, &other.side)));
        let hand_over = if ends.iter().any(|end| end.standing == Standing::Fail) {
            HandOver::Fail
        } else if !ends.is_empty() && ends.iter().all(|end| end.standing == Standing::Pass) {
            HandOver::Pass
        } else {
            HandOver::Open
        };
        Self { name, hand_over, ends }
    }

    /// How many ends stand so.
    #[must_use]
    pub fn count(&self, standing: Standing) -> usize {
        self.ends.iter().filter(|end| end.standing == standing).count()
    }

    /// Its newest capture.
    #[must_use]
    pub fn last(&self) -> Option<&Shot> {
        self.ends.iter().flat_map(|end| &end.shots).max_by_key(|shot| shot.capture)
    }
}

fn standing(shot: &Shot) -> Standing {
    match (shot.state, shot.verdict) {
        (CaptureState::Settling | CaptureState::Queued | CaptureState::Running, _) => Standing::Waiting,
        (CaptureState::Failed, _) => Standing::Failed,
        (_, Some(Outcome::Pass)) => Standing::Pass,
        (_, Some(Outcome::Fail)) => Standing::Fail,
        (_, Some(Outcome::NotGraded) | None) => Standing::NotGraded,
    }
}

/// `P2` before `P10`: stretches of digits by their value, everything else by its letters.
fn natural(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        match (one.chars().next(), other.chars().next()) {
            (Some(a), Some(b)) if a.is_ascii_digit() && b.is_ascii_digit() => {
                let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
                let ((left, rest), (right, more)) = (one.split_at(digits(one)), other.split_at(digits(other)));
                let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
                // Without zeros before them, more digits are a larger number, however long it is.
                let order = left.len().cmp(&right.len()).then_with(|| left.cmp(right));
                if order != Ordering::Equal {
                    return order;
                }
                (one, other) = (rest, more);
            }
            (Some(a), Some(b)) if a == b => (one, other) = (&one[a.len_utf8()..], &other[b.len_utf8()..]),
            (a, b) => return a.cmp(&b),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shot(capture: i64, port: &str, side: &str, verdict: Option<Outcome>) -> Shot {
        Shot {
            capture: CaptureId(capture),
            image: None,
            name: format!("{port}{side}-{capture}.png"),
            seen_at: "2026-09-21T14:00:00Z".into(),
            state: CaptureState::Done,
            port: port.into(),
            side: side.into(),
            verdict,
            has_defect: None,
        }
    }

    const PASS: Option<Outcome> = Some(Outcome::Pass);
    const FAIL: Option<Outcome> = Some(Outcome::Fail);

    fn job(shots: Vec<Shot>) -> Job {
        Job::of("J7".into(), shots)
    }

    #[test]
    fn a_capture_after_cleaning_supersedes_the_one_before_which_is_kept() {
        let dirty = job(vec![shot(1, "1", "A", FAIL)]);
        assert_eq!((dirty.hand_over, dirty.ends[0].before()), (HandOver::Fail, None));
        let cleaned = job(vec![shot(1, "1", "A", FAIL), shot(2, "1", "A", PASS)]);
        assert_eq!((cleaned.hand_over, cleaned.ends.len()), (HandOver::Pass, 1));
        let end = &cleaned.ends[0];
        assert_eq!(end.before().map(|shot| shot.verdict), Some(FAIL));
        assert_eq!(end.latest().map(|shot| shot.capture), Some(CaptureId(2)));
        assert_eq!(cleaned.last().map(|shot| shot.capture), Some(CaptureId(2)));
    }

    #[test]
    fn a_side_that_other_ports_have_is_missing_and_keeps_the_job_open() {
        let some = job(vec![shot(1, "1", "A", PASS), shot(2, "1", "B", PASS), shot(3, "2", "A", PASS)]);
        assert_eq!((some.hand_over, some.count(Standing::Missing)), (HandOver::Open, 1));
        let missing = some.ends.iter().find(|end| end.standing == Standing::Missing).unwrap();
        assert_eq!((missing.port.as_str(), missing.side.as_str()), ("2", "B"));
    }

    #[test]
    fn what_waits_or_was_not_graded_keeps_a_job_open_and_a_fail_decides() {
        let waiting = Shot { state: CaptureState::Queued, ..shot(2, "2", "A", None) };
        let failed = Shot { state: CaptureState::Failed, ..shot(3, "3", "A", None) };
        let open = job(vec![shot(1, "1", "A", PASS), waiting.clone(), failed, shot(4, "4", "A", None)]);
        let standings: Vec<Standing> = open.ends.iter().map(|end| end.standing).collect();
        assert_eq!(standings, [Standing::Pass, Standing::Waiting, Standing::Failed, Standing::NotGraded]);
        assert_eq!(open.hand_over, HandOver::Open);
        assert_eq!(job(vec![shot(1, "1", "A", FAIL), waiting]).hand_over, HandOver::Fail);
        assert_eq!(job(Vec::new()).hand_over, HandOver::Open);
    }

    #[test]
    fn ports_are_in_the_order_of_their_numbers() {
        let ports = ["P10", "P2", "P1", "Q1", "P02"];
        let shots = ports.iter().enumerate().map(|(place, port)| shot(place as i64, port, "", PASS)).collect();
        let sorted: Vec<String> = job(shots).ends.into_iter().map(|end| end.port).collect();
        assert_eq!(sorted, ["P1", "P2", "P02", "P10", "Q1"]);
    }

    proptest! {
        #[test]
        fn no_capture_is_lost_and_each_end_is_there_once(
            all in prop::collection::vec((0_u8..4, 0_u8..3, 0_u8..3), 0..60),
        ) {
            let verdict = |it: u8| [PASS, FAIL, None][usize::from(it)];
            let shots: Vec<Shot> = all
                .iter()
                .enumerate()
                .map(|(place, &(port, side, it))| shot(place as i64, &port.to_string(), &side.to_string(), verdict(it)))
                .collect();
            let job = job(shots);
            prop_assert_eq!(job.ends.iter().map(|end| end.shots.len()).sum::<usize>(), all.len());
            let names: BTreeSet<(&str, &str)> =
                job.ends.iter().map(|end| (end.port.as_str(), end.side.as_str())).collect();
            prop_assert_eq!(names.len(), job.ends.len());
            let counted: usize = Standing::ALL.iter().map(|standing| job.count(*standing)).sum();
            prop_assert_eq!(counted, job.ends.len());
        }

        #[test]
        fn the_order_of_names_is_an_order(a in "[a-b0-9]{0,4}", b in "[a-b0-9]{0,4}", c in "[a-b0-9]{0,4}") {
            prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
            if natural(&a, &b).is_le() && natural(&b, &c).is_le() {
                prop_assert!(natural(&a, &c).is_le());
            }
        }
    }
}
