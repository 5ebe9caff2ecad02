//! What several detectors say of the same thing becomes one defect that lists its parts.
//!
//! Three ways of being the same thing: two masks of a kind that overlap by half of the smaller; two scratches along one
//! line with a gap that is small against their lengths; a blot of which half lies in the corridor of a scratch (region
//! detectors break a scratch into crumbs). A film in which a scratch lies stays a film.
//!
//! The answer is a function of the *set* of findings: order of plug-ins and of their lists does not matter. It is a fixed
//! point: no two merged defects speak of the same thing any more. Never reads pixels. Called by [`super::run`].

use std::cmp::Ordering;

use ferrule_abi::{BoundingBox, Defect, DefectKind, Run};

use super::runs::{self, Moments};

/// One defect as a detector reported it, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Place of the detector in the pipeline's list.
    pub detector: usize,
    pub defect: Defect,
}

/// One merged defect.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// Kind (but for scratches that make a blot together), direction and attributes of the leading part; mask, box, area
    /// and centroid of all parts together; the worst severity and the highest confidence.
    pub defect: Defect,
    /// The leading part first.
    pub parts: Vec<Found>,
}

/// Overlap over the smaller mask from which two findings are one.
const SAME: f64 = 0.5;
/// Two fragments of one scratch differ at most so much in direction.
const MAX_TURN_DEG: f64 = 8.0;
/// A fragment must be this many times longer than wide before its direction means anything.
const MIN_ELONGATION: f64 = 3.0;
/// Widest corridor along a scratch, beyond its mask, in which crumbs count as the scratch.
const MAX_CORRIDOR: u32 = 6;

/// Parts together are a scratch while its length is so many times their mean width; what is broader is a blot, in whose
/// folds or through whose middle a line detector saw lines. These limits were measured on annotated photographs.
const THIN: f64 = 6.5;
/// The same where most of it is what a detector calls a film: then a line in it needs better evidence.
const THIN_IN_FILM: f64 = 10.0;
/// Nor are they a scratch if they are so stout together, unless its course is [`WINDING`].
const STOUT: f64 = 4.0;
/// A curved scratch is stout, but its length is so many times its mean width.
const WINDING: f64 = 20.0;
/// Share of the area from which a part that is no scratch says what the blot is; else it is a film.
const TELLING: f64 = 0.4;

/// Merges all findings of one picture; strongest confidence first.
pub fn merge(mut found: Vec<Found>) -> Vec<Merged> {
    found.sort_by(total_order);
    let mut groups: Vec<Group> = found.into_iter().map(|found| Group::of(vec![found])).collect();
    loop {
        let clusters = clusters(&groups);
        if clusters.len() == groups.len() {
            break;
        }
        let mut taken: Vec<Option<Group>> = groups.into_iter().map(Some).collect();
        groups = clusters
            .into_iter()
            .map(|members| {
                let mut members: Vec<Group> = members.into_iter().filter_map(|i| taken[i].take()).collect();
                match members.len() {
                    1 => members.swap_remove(0),
                    _ => Group::of(members.into_iter().flat_map(|group| group.parts).collect()),
                }
            })
            .collect();
    }
    let mut merged: Vec<Merged> = groups.into_iter().map(Group::into_merged).collect();
    merged.sort_by(|a, b| rank(&a.defect, &b.defect));
    merged
}

/// Findings that belong together, with what the comparison needs.
struct Group {
    parts: Vec<Found>,
    mask: Vec<Run>,
    area: u32,
    bbox: BoundingBox,
    scratch: Option<Scratch>,
}

/// The scratch in a group: all its scratch parts as one line.
struct Scratch {
    line: Moments,
    length: f64,
    width: f64,
    corridor: Vec<Run>,
}

impl Group {
    fn of(mut parts: Vec<Found>) -> Self {
        parts.sort_by(|a, b| {
            let scratch = |found: &Found| found.defect.kind == DefectKind::Scratch;
            scratch(b).cmp(&scratch(a)).then_with(|| rank(&a.defect, &b.defect)).then_with(|| total_order(a, b))
        });
        let joined = |parts: &mut dyn Iterator<Item = &Found>| {
            runs::normalised(parts.flat_map(|found| found.defect.mask.iter().copied()).collect())
        };
        let mask = joined(&mut parts.iter());
        let scratches = || parts.iter().filter(|found| found.defect.kind == DefectKind::Scratch);
        let scratch = scratches().next().map(|_| {
            let own = joined(&mut scratches());
            let line = Moments::of(&own);
            let longest = scratches().map(|found| found.defect.length_px).fold(0.0, f64::max);
            // Mean width over the parts, each as much as its mask says.
            let (sum, weight) = scratches().fold((0.0, 0.0), |(sum, weight), found| {
                let area = f64::from(found.defect.area_px);
                (sum + area * found.defect.width_px, weight + area)
            });
            let width = sum / f64::max(weight, 1.0);
            let reach = ((width / 2.0).ceil() as u32 + 1).min(MAX_CORRIDOR);
            // A curved scratch is longer than its chord.
            Scratch { length: longest.max(line.length()), width, corridor: runs::grown(&own, reach), line }
        });
        Self { area: runs::area(&mask), bbox: runs::bounding_box(&mask), mask, scratch, parts }
    }

    fn is_same_as(&self, other: &Self) -> bool {
        match (&self.scratch, &other.scratch) {
            (Some(a), Some(b)) => self.overlaps(other) || a.continues(b),
            (Some(scratch), None) => other.lies_in(&scratch.corridor),
            (None, Some(scratch)) => self.lies_in(&scratch.corridor),
            (None, None) => self.overlaps(other),
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        let smaller = f64::from(self.area.min(other.area));
        f64::from(runs::common_area(&self.mask, &other.mask)) >= SAME * smaller
    }

    fn lies_in(&self, corridor: &[Run]) -> bool {
        f64::from(runs::common_area(&self.mask, corridor)) >= SAME * f64::from(self.area)
    }

    /// Cheap and never wrong with `false`: how far apart the boxes may be for two groups to be the same.
    fn may_touch(&self, other: &Self) -> bool {
        let reach = match (&self.scratch, &other.scratch) {
            (Some(a), Some(b)) => a.longest_gap(b).ceil() as u32 + 1,
            (None, None) => 0,
            _ => MAX_CORRIDOR,
        };
        let apart = |a: u32, a_size: u32, b: u32, b_size: u32| {
            a > b.saturating_add(b_size).saturating_add(reach) || b > a.saturating_add(a_size).saturating_add(reach)
        };
        !apart(self.bbox.x, self.bbox.width, other.bbox.x, other.bbox.width)
            && !apart(self.bbox.y, self.bbox.height, other.bbox.y, other.bbox.height)
    }

    /// What the parts are that are no scratch after all.
    fn blot(&self) -> DefectKind {
        let others = self.parts.iter().map(|found| &found.defect).filter(|part| part.kind != DefectKind::Scratch);
        let largest = others.max_by_key(|part| part.area_px);
        let telling = largest.filter(|part| f64::from(part.area_px) >= TELLING * f64::from(self.area));
        telling.map_or(DefectKind::Residue, |part| part.kind)
    }

    fn into_merged(self) -> Merged {
        let worst = self.parts.iter().map(|found| found.defect.severity).max();
        let surest = self.parts.iter().map(|found| found.defect.confidence).fold(0.0, f64::max);
        let lead = &self.parts[0].defect;
        let centre = Moments::of(&self.mask);
        let (length_px, width_px, angle_deg) = match &self.scratch {
            // What one part says of itself, or of all that is there, needs no correction.
            _ if lead.area_px == self.area => (lead.length_px, lead.width_px, lead.angle_deg),
            Some(scratch) => (scratch.length, scratch.width, scratch.line.angle_deg),
            None => (centre.length(), f64::from(self.area) / centre.length(), centre.angle_deg),
        };
        let thin = length_px * length_px / f64::from(self.area);
        let films = self.parts.iter().map(|found| &found.defect).filter(|part| part.kind == DefectKind::Residue);
        let mostly_film = 2 * films.map(|film| film.area_px).sum::<u32>() >= self.area;
        let limit = if mostly_film { THIN_IN_FILM } else { THIN };
        let broad = self.parts.len() > 1 && thin < limit || centre.elongation < STOUT && thin < WINDING;
        let defect = Defect {
            kind: if self.scratch.is_some() && broad { self.blot() } else { lead.kind },
            severity: worst.unwrap_or(lead.severity),
            confidence: surest,
            bbox: self.bbox,
            x: centre.x,
            y: centre.y,
            area_px: self.area,
            length_px,
            width_px,
            angle_deg,
            mask: self.mask.into(),
            ..lead.clone()
        };
        Merged { defect, parts: self.parts }
    }
}

impl Scratch {
    /// Along one line, with a gap that is small against the lengths?
    fn continues(&self, other: &Self) -> bool {
        let straight = |scratch: &Self| scratch.line.length() >= MIN_ELONGATION * scratch.width;
        let turn = (self.line.angle_deg - other.line.angle_deg + 90.0).rem_euclid(180.0) - 90.0;
        if !straight(self) || !straight(other) || turn.abs() > MAX_TURN_DEG {
            return false;
        }
        // The longer one's direction is the better known; any tie is broken by place, so that the answer is symmetric.
        let key = |scratch: &Self| (scratch.line.length(), scratch.line.x, scratch.line.y);
        let (long, short) = if key(self) >= key(other) { (&self.line, &other.line) } else { (&other.line, &self.line) };
        let (sin, cos) = long.angle_deg.to_radians().sin_cos();
        let (short_sin, short_cos) = short.angle_deg.to_radians().sin_cos();
        let ends = [short.low, short.high].map(|t| {
            let (dx, dy) = (short.x + t * short_cos - long.x, short.y + t * short_sin - long.y);
            (dx * cos + dy * sin, (dy * cos - dx * sin).abs())
        });
        let first = ends[0].0.min(ends[1].0);
        let last = ends[0].0.max(ends[1].0);
        let gap = (first - long.high).max(long.low - last);
        let offset = ends[0].1.min(ends[1].1);
        gap <= self.longest_gap(other) && offset <= f64::midpoint(self.width, other.width) + 1.5
    }

    fn longest_gap(&self, other: &Self) -> f64 {
        let (a, b) = (self.line.length(), other.line.length());
        a.min(b).min(0.25 * (a + b)) + 4.0
    }
}

/// Connected components of "is the same as", each sorted, in order of their first member.
fn clusters(groups: &[Group]) -> Vec<Vec<usize>> {
    let mut parent: Vec<usize> = (0..groups.len()).collect();
    fn root(parent: &mut [usize], mut i: usize) -> usize {
        while parent[i] != i {
            parent[i] = parent[parent[i]];
            i = parent[i];
        }
        i
    }
    for i in 0..groups.len() {
        for j in i + 1..groups.len() {
            if !groups[i].may_touch(&groups[j]) {
                continue;
            }
            let (a, b) = (root(&mut parent, i), root(&mut parent, j));
            if a != b && groups[i].is_same_as(&groups[j]) {
                parent[a.max(b)] = a.min(b);
            }
        }
    }
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); groups.len()];
    for i in 0..groups.len() {
        let first = root(&mut parent, i);
        members[first].push(i);
    }
    members.retain(|cluster| !cluster.is_empty());
    members
}

/// Most certain first, then the worst, the largest, the topmost.
fn rank(a: &Defect, b: &Defect) -> Ordering {
    b.confidence
        .total_cmp(&a.confidence)
        .then_with(|| b.severity.cmp(&a.severity))
        .then_with(|| b.area_px.cmp(&a.area_px))
        .then_with(|| a.mask.as_slice().cmp(b.mask.as_slice()))
}

/// An order in which two findings are equal only if nothing tells them apart.
fn total_order(a: &Found, b: &Found) -> Ordering {
    let numbers = |found: &Found| {
        [found.defect.confidence, found.defect.length_px, found.defect.width_px, found.defect.angle_deg]
    };
    (a.defect.mask.as_slice().cmp(b.defect.mask.as_slice()))
        .then_with(|| a.defect.kind.cmp(&b.defect.kind))
        .then_with(|| a.defect.severity.cmp(&b.defect.severity))
        .then_with(|| {
            let pairs = numbers(a).into_iter().zip(numbers(b));
            pairs.map(|(x, y)| x.total_cmp(&y)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        })
        .then_with(|| a.detector.cmp(&b.detector))
}

#[cfg(test)]
mod tests;
