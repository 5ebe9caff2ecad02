//! Which defect of one inspection is which of another, in one picture.
//!
//! Two are the same if at least half of the smaller one lies on the other, both grown by a pixel; each has one partner at
//! most, the likest pairs first. What is left over and lies on a defect that has its partner already is a fragment of it.

use std::cmp::Reverse;

use ferrule_abi::{BoundingBox, Run};

use crate::{
    evaluate::touch,
    pipeline::runs::{area, bounding_box, common_area, grown},
    report::Defect,
};

/// A smaller change of confidence is no news.
pub const CONFIDENCE_STEP: f64 = 0.05;

/// Pixels by which masks are grown: lines a pixel wide may lie side by side.
const GROWN: u32 = 1;

/// What became of the defects of both, as places in their lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairing {
    /// In the order of the first list.
    pub pairs: Vec<(usize, usize, Changes)>,
    /// Only in the first.
    pub gone: Vec<usize>,
    /// Only in the second.
    pub new: Vec<usize>,
    /// Pieces, in either, of what is paired already.
    pub fragments: usize,
}

/// What differs between the two of a pair.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    pub kind: bool,
    pub severity: bool,
    /// By at least [`CONFIDENCE_STEP`].
    pub confidence: bool,
    pub zone: bool,
}

impl Changes {
    fn between(a: &Defect, b: &Defect) -> Self {
        Self {
            kind: a.kind != b.kind,
            severity: a.severity != b.severity,
            // The step itself must not depend on how a float was rounded.
            confidence: (a.confidence - b.confidence).abs() >= CONFIDENCE_STEP - 1e-9,
            zone: a.zone != b.zone,
        }
    }

    /// Anything at all.
    #[must_use]
    pub const fn any(self) -> bool {
        self.kind || self.severity || self.confidence || self.zone
    }
}

struct Grown {
    mask: Vec<Run>,
    area: u32,
    bounds: BoundingBox,
}

impl Grown {
    fn of(defect: &Defect) -> Self {
        let mask: Vec<Run> = defect.mask.iter().map(|[y, x, length]| Run { y: *y, x: *x, length: *length }).collect();
        let mask = grown(&mask, GROWN);
        Self { area: area(&mask), bounds: bounding_box(&mask), mask }
    }
}

impl Pairing {
    /// Pairs the defects of two inspections of the same picture.
    #[must_use]
    pub fn of(first: &[Defect], second: &[Defect]) -> Self {
        let (a, b): (Vec<Grown>, Vec<Grown>) =
            (first.iter().map(Grown::of).collect(), second.iter().map(Grown::of).collect());
        // Parts in a million of the union, so that they sort exactly.
        let mut likenesses: Vec<(Reverse<u64>, usize, usize)> = Vec::new();
        for (i, one) in a.iter().enumerate() {
            for (j, other) in b.iter().enumerate().filter(|(_, other)| touch(&one.bounds, &other.bounds)) {
                let common = u64::from(common_area(&one.mask, &other.mask));
                let smaller = u64::from(one.area.min(other.area));
                if common > 0 && 2 * common >= smaller {
                    let union = u64::from(one.area) + u64::from(other.area) - common;
                    likenesses.push((Reverse(common * 1_000_000 / union), i, j));
                }
            }
        }
        likenesses.sort_unstable();
        let (mut of_a, mut of_b) = (vec![None; a.len()], vec![None; b.len()]);
        for (_, i, j) in &likenesses {
            if of_a[*i].is_none() && of_b[*j].is_none() {
                (of_a[*i], of_b[*j]) = (Some(*j), Some(*i));
            }
        }
        let piece_a = |i: usize| likenesses.iter().any(|(_, one, other)| *one == i && of_b[*other].is_some());
        let piece_b = |j: usize| likenesses.iter().any(|(_, one, other)| *other == j && of_a[*one].is_some());
        let mut pairing = Self::default();
        for (i, partner) in of_a.iter().enumerate() {
            match partner {
                Some(j) => pairing.pairs.push((i, *j, Changes::between(&first[i], &second[*j]))),
                None if piece_a(i) => pairing.fragments += 1,
                None => pairing.gone.push(i),
            }
        }
        for j in (0..b.len()).filter(|j| of_b[*j].is_none()) {
            if piece_b(j) { pairing.fragments += 1 } else { pairing.new.push(j) }
        }
        pairing
    }

    /// How many pairs differ.
    #[must_use]
    pub fn changed(&self) -> usize {
        self.pairs.iter().filter(|(_, _, changes)| changes.any()).count()
    }
}
