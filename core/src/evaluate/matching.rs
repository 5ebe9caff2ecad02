//! Which found defects are which true ones, in one picture.
//!
//! The rule. A found defect is *right* if at least [`OVERLAP`] of its pixels lie on true defects or within [`REACH`] pixels
//! of them: a flood over half the picture is right about nothing. It is then *about* the one that it resembles most.
//! A true defect is *found* if right ones together, grown by [`REACH`], cover at least [`OVERLAP`] of its pixels; where
//! the truth is only a box, of the box's longer side, because a scratch leaves its box mostly empty. Several right
//! ones about the same true defect are fragments and count once; one that runs over several finds each of them. What is
//! not right but lies mostly on an area to ignore is neither right nor wrong; the rest are false alarms.

use ferrule_abi::{BoundingBox, Run};

use super::truth::{TrueDefect, TrueImage, in_truth};
use crate::{
    pipeline::runs::{area, bounding_box, common_area, grown, normalised, union},
    report::{Defect, DefectKind, ZoneName},
};

/// Pixels by which two outlines of the same defect may differ: the blur of the optics on both sides.
pub const REACH: u32 = 3;

/// The least share that makes an overlap.
pub const OVERLAP: f64 = 0.3;

/// What became of a picture's defects, true and found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matched {
    pub truths: Vec<TruthOutcome>,
    pub found: Vec<FoundOutcome>,
}

/// What became of a true defect.
#[derive(Debug, Clone, PartialEq)]
pub struct TruthOutcome {
    pub kind: Option<DefectKind>,
    pub zone: Option<ZoneName>,
    pub contrast_sigma: Option<f64>,
    pub bbox: [u32; 4],
    pub is_found: bool,
    /// What the found defect that resembles it most was called, among those about it.
    pub called: Option<DefectKind>,
}

/// What became of a found defect.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundOutcome {
    pub kind: DefectKind,
    pub zone: Option<ZoneName>,
    /// The zone that it was said to be in.
    pub said_zone: Option<ZoneName>,
    pub confidence: f64,
    pub bbox: [u32; 4],
    pub verdict: Verdict,
}

/// Right, wrong or neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// About the true defect at this place of the list.
    Right(usize),
    /// In an area to ignore.
    Neutral,
    False,
}

impl TruthOutcome {
    fn of(truth: &TrueDefect) -> Self {
        let TrueDefect { kind, zone, contrast_sigma, bbox, .. } = *truth;
        Self { kind, zone, contrast_sigma, bbox, is_found: false, called: None }
    }
}

/// A true defect with its surroundings.
struct Target<'a> {
    truth: &'a TrueDefect,
    near: Vec<Run>,
    near_area: u32,
    near_box: BoundingBox,
    /// Pixels of right finds that reach it.
    covered_by: Vec<Run>,
    /// The likeness of the best find about it.
    best: f64,
}

/// Compares what was found with what is there; `None` where nobody knows what is there.
#[must_use]
pub(super) fn compare(image: &TrueImage, found: &[Defect]) -> Option<Matched> {
    let truths = image.defects.as_ref()?;
    let mut targets: Vec<Target<'_>> = truths.iter().map(Target::of).collect();
    let everywhere = normalised(targets.iter().flat_map(|target| target.near.iter().copied()).collect());
    let mut matched = Matched { truths: truths.iter().map(TruthOutcome::of).collect(), found: Vec::new() };
    for defect in found {
        let mask: Vec<Run> = defect.mask.iter().map(|[y, x, length]| Run { y: *y, x: *x, length: *length }).collect();
        let size = f64::from(area(&mask).max(1));
        let share = |of: &[Run]| f64::from(common_area(&mask, of)) / size;
        let verdict = if share(&everywhere) >= OVERLAP {
            about(&mask, defect.kind, &mut targets, &mut matched.truths)
        } else if share(&image.ignore) >= 0.5 {
            Verdict::Neutral
        } else {
            Verdict::False
        };
        let zone = match verdict {
            // The truth's own: a find that is a pixel off must not be right in one zone and missing in another.
            Verdict::Right(place) => truths[place].zone,
            Verdict::Neutral | Verdict::False => image.zone_of(&mask, false).or(defect.zone.map(in_truth)),
        };
        matched.found.push(FoundOutcome {
            kind: defect.kind,
            zone,
            said_zone: defect.zone.map(in_truth),
            confidence: defect.confidence,
            bbox: defect.bbox,
            verdict,
        });
    }
    for (target, outcome) in targets.iter().zip(&mut matched.truths) {
        outcome.is_found = target.is_covered();
    }
    Some(matched)
}

/// Notes a right find with every true defect that it reaches, and says which one it is about.
fn about(mask: &[Run], kind: DefectKind, targets: &mut [Target<'_>], outcomes: &mut [TruthOutcome]) -> Verdict {
    let (size, bounds) = (area(mask), bounding_box(mask));
    let mut chosen = (0, 0.0);
    for (place, target) in targets.iter_mut().enumerate() {
        if !touch(&bounds, &target.near_box) {
            continue;
        }
        let common = common_area(mask, &target.near);
        if common == 0 {
            continue;
        }
        target.covered_by = union(&target.covered_by, mask);
        let likeness = f64::from(common) / f64::from(size + target.near_area - common);
        if likeness > chosen.1 {
            chosen = (place, likeness);
        }
    }
    let (place, likeness) = chosen;
    if let (Some(target), Some(outcome)) = (targets.get_mut(place), outcomes.get_mut(place))
        && likeness > target.best
    {
        target.best = likeness;
        outcome.called = Some(kind);
    }
    Verdict::Right(place)
}

impl<'a> Target<'a> {
    fn of(truth: &'a TrueDefect) -> Self {
        let near = grown(&truth.mask, REACH);
        Self { truth, near_area: area(&near), near_box: bounding_box(&near), near, covered_by: Vec::new(), best: 0.0 }
    }

    fn is_covered(&self) -> bool {
        if self.covered_by.is_empty() {
            return false;
        }
        let reached = grown(&self.covered_by, REACH);
        if self.truth.only_box {
            let [x, y, width, height] = self.truth.bbox;
            let inside: Vec<Run> = reached
                .iter()
                .filter(|run| (y..y + height).contains(&run.y))
                .filter_map(|run| {
                    let (start, end) = (run.x.max(x), (run.x + run.length).min(x + width));
                    (end > start).then(|| Run { y: run.y, x: start, length: end - start })
                })
                .collect();
            let bounds = bounding_box(&inside);
            let (along, whole) = if width >= height { (bounds.width, width) } else { (bounds.height, height) };
            return f64::from(along) >= OVERLAP * f64::from(whole);
        }
        let common = common_area(&self.truth.mask, &reached);
        f64::from(common) >= OVERLAP * f64::from(area(&self.truth.mask))
    }
}

/// Do two boxes share a pixel?
pub(crate) fn touch(a: &BoundingBox, b: &BoundingBox) -> bool {
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
}
