//! Masks as runs: sorted by (y, x), not empty, not overlapping, inside the picture. Plain functions; they never see a
//! picture and trust their input, which [`super::check`] has checked. Called by merging, zones and artefacts.

use ferrule_abi::{BoundingBox, Run};

/// Pixels of a mask.
pub fn area(mask: &[Run]) -> u32 {
    mask.iter().map(|run| run.length).sum()
}

/// The box tight around a mask; all zero for an empty one.
pub fn bounding_box(mask: &[Run]) -> BoundingBox {
    let (Some(first), Some(last)) = (mask.first(), mask.last()) else { return BoundingBox::default() };
    let left = mask.iter().map(|run| run.x).min().unwrap_or(0);
    let right = mask.iter().map(|run| run.x + run.length).max().unwrap_or(0);
    BoundingBox { x: left, y: first.y, width: right - left, height: last.y - first.y + 1 }
}

/// The mask of a whole box.
pub fn filled(bbox: BoundingBox) -> Vec<Run> {
    (bbox.y..bbox.y + bbox.height).map(|y| Run { y, x: bbox.x, length: bbox.width }).collect()
}

/// Pixels that either mask has.
pub fn union(a: &[Run], b: &[Run]) -> Vec<Run> {
    joined(in_order(a.iter().copied(), b.iter().copied()))
}

/// Sorts runs and joins those that overlap or touch within a row.
pub fn normalised(mut runs: Vec<Run>) -> Vec<Run> {
    // The stable sort: it merges the sorted stretches that masks come in.
    runs.sort();
    joined(runs.into_iter())
}

/// How many pixels both masks have.
pub fn common_area(a: &[Run], b: &[Run]) -> u32 {
    let (mut i, mut j, mut common) = (0, 0, 0);
    while let (Some(p), Some(q)) = (a.get(i), b.get(j)) {
        let (p_end, q_end) = (p.x + p.length, q.x + q.length);
        if p.y == q.y {
            common += p_end.min(q_end).saturating_sub(p.x.max(q.x));
        }
        if (p.y, p_end) <= (q.y, q_end) { i += 1 } else { j += 1 }
    }
    common
}

/// How many pixels of the mask lie within `reach` pixels of the other mask, from centre to centre.
pub fn area_near(mask: &[Run], other: &[Run], reach: f64) -> u32 {
    let rows = reach.max(0.0) as u32;
    let mut near = Vec::new();
    let mut area = 0;
    for run in mask {
        let first = other.partition_point(|it| it.y < run.y.saturating_sub(rows));
        let around = other[first..].iter().take_while(|it| it.y <= run.y + rows);
        near.extend(around.filter_map(|it| {
            let aside = (reach * reach - f64::from(it.y.abs_diff(run.y)).powi(2)).sqrt() as u32;
            let from = it.x.saturating_sub(aside).max(run.x);
            let to = (it.x + it.length + aside).min(run.x + run.length);
            (from < to).then_some((from, to))
        }));
        near.sort_unstable();
        let mut counted = run.x;
        for (from, to) in near.drain(..) {
            area += to.saturating_sub(from.max(counted));
            counted = counted.max(to);
        }
    }
    area
}

/// The mask grown by `reach` pixels in every direction (a square), cut at the top and left edge only.
pub fn grown(mask: &[Run], reach: u32) -> Vec<Run> {
    let wider = mask.iter().map(|run| {
        let x = run.x.saturating_sub(reach);
        Run { x, length: run.x + run.length + reach - x, ..*run }
    });
    // Downwards by twice the reach, each step by as much as there is already, and up again by half of that.
    let mut tall = joined(wider);
    let (mut rows, all) = (1, 2 * reach + 1);
    while rows < all {
        let down = rows.min(all - rows);
        let lower = tall.iter().map(|run| Run { y: run.y + down, ..*run });
        tall = joined(in_order(tall.iter().copied(), lower));
        rows += down;
    }
    tall.into_iter().filter_map(|run| Some(Run { y: run.y.checked_sub(reach)?, ..run })).collect()
}

/// Both of two sorted stretches, sorted.
fn in_order(a: impl Iterator<Item = Run>, b: impl Iterator<Item = Run>) -> impl Iterator<Item = Run> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some(first), Some(second)) if second < first => b.next(),
        (Some(_), _) => a.next(),
        (None, _) => b.next(),
    })
}

/// Sorted runs, those joined that overlap or touch within a row.
fn joined(runs: impl Iterator<Item = Run>) -> Vec<Run> {
    let mut joined: Vec<Run> = Vec::with_capacity(runs.size_hint().0);
    for run in runs {
        match joined.last_mut().filter(|last| last.y == run.y && run.x <= last.x + last.length) {
            Some(last) => last.length = last.length.max(run.x + run.length - last.x),
            None => joined.push(run),
        }
    }
    joined
}

/// Centroid and shape of a mask about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    pub x: f64,
    pub y: f64,
    /// Direction of the longest spread, from +x toward +y, in (-90, 90].
    pub angle_deg: f64,
    /// Ends of the mask's pixels along that direction, from the centroid.
    pub low: f64,
    pub high: f64,
    /// Spread along the direction over the spread across it: of a filled rectangle, its length over its width.
    pub elongation: f64,
}

impl Moments {
    /// Of a mask that is not empty.
    pub fn of(mask: &[Run]) -> Self {
        let (mut n, mut sx, mut sy) = (0.0, 0.0, 0.0);
        for run in mask {
            let length = f64::from(run.length);
            n += length;
            sx += length * middle(run);
            sy += length * f64::from(run.y);
        }
        let n = f64::max(n, 1.0);
        let (x, y) = (sx / n, sy / n);
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for run in mask {
            let length = f64::from(run.length);
            let (dx, dy) = (middle(run) - x, f64::from(run.y) - y);
            // Spread of `length` equidistant points about their own middle, beside the spread of the middle.
            xx += length * (dx * dx + (length * length - 1.0) / 12.0);
            xy += length * dx * dy;
            yy += length * dy * dy;
        }
        let half_turn = 0.5 * (2.0 * xy).atan2(xx - yy);
        let (sin, cos) = half_turn.sin_cos();
        let (mut low, mut high) = (0.0_f64, 0.0_f64);
        for run in mask {
            let dy = f64::from(run.y) - y;
            for column in [f64::from(run.x), f64::from(run.x + run.length - 1)] {
                let along = (column - x) * cos + dy * sin;
                low = low.min(along);
                high = high.max(along);
            }
        }
        // atan2 gives -90 as well as 90 for an upright mask.
        let degrees = half_turn.to_degrees();
        // A pixel is a unit square, not a point: its own spread is 1 / 12.
        let (mean, apart) = ((xx + yy) / (2.0 * n) + 1.0 / 12.0, ((xx - yy) / 2.0).hypot(xy) / n);
        let elongation = ((mean + apart) / (mean - apart).max(1.0 / 12.0)).sqrt();
        Self { x, y, angle_deg: if degrees <= -90.0 { 90.0 } else { degrees }, low, high, elongation }
    }

    /// From the first to the last pixel along the direction, both whole.
    pub fn length(&self) -> f64 {
        self.high - self.low + 1.0
    }
}

fn middle(run: &Run) -> f64 {
    f64::from(run.x) + (f64::from(run.length) - 1.0) / 2.0
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    type Pixels = BTreeSet<(u32, u32)>;

    pub(crate) fn pixels(mask: &[Run]) -> Pixels {
        mask.iter().flat_map(|run| (run.x..run.x + run.length).map(|x| (run.y, x))).collect()
    }

    /// Any mask in a picture of 40 x 30.
    pub(crate) fn masks() -> impl Strategy<Value = Vec<Run>> {
        let run = (0u32..30, 0u32..34, 1u32..7).prop_map(|(y, x, length)| Run { y, x, length });
        prop::collection::vec(run, 1..12).prop_map(normalised)
    }

    proptest! {
        #[test]
        fn operations_agree_with_sets_of_pixels(a in masks(), b in masks(), reach in 0u32..4) {
            let (p, q) = (pixels(&a), pixels(&b));
            prop_assert_eq!(area(&a) as usize, p.len());
            prop_assert_eq!(common_area(&a, &b) as usize, p.intersection(&q).count());
            prop_assert_eq!(common_area(&a, &b), common_area(&b, &a));
            prop_assert_eq!(pixels(&union(&a, &b)), p.union(&q).copied().collect::<Pixels>());
            let bbox = bounding_box(&a);
            prop_assert_eq!(bounding_box(&filled(bbox)), bbox);
            prop_assert!(p.iter().all(|(y, x)| (bbox.x..bbox.x + bbox.width).contains(x) && (bbox.y..bbox.y + bbox.height).contains(y)));
            let distance = |(y, x): (u32, u32), (v, u): (u32, u32)| f64::from(y.abs_diff(v)).hypot(f64::from(x.abs_diff(u)));
            let closest = |at| q.iter().map(|to| distance(at, *to)).fold(f64::MAX, f64::min);
            let within = f64::from(reach) * 1.3;
            prop_assert_eq!(area_near(&a, &b, within) as usize, p.iter().filter(|at| closest(**at) <= within).count());
            let near = |(y, x): (u32, u32)| {
                let around = |v: u32| v.saturating_sub(reach)..=v + reach;
                around(y).flat_map(|y| around(x).map(move |x| (y, x))).collect::<Vec<_>>()
            };
            prop_assert_eq!(pixels(&grown(&a, reach)), p.iter().flat_map(|at| near(*at)).collect::<Pixels>());
        }

        #[test]
        fn moments_of_a_line_give_its_direction_and_length(angle in -89.0..90.0f64, length in 20u32..60) {
            let (sin, cos) = angle.to_radians().sin_cos();
            let dots = (0..=4 * length).map(|i| f64::from(i) / 4.0).map(|t| Run {
                x: (80.0 + t * cos).round() as u32,
                y: (80.0 + t * sin).round() as u32,
                length: 1,
            });
            let moments = Moments::of(&normalised(dots.collect()));
            let turn = (moments.angle_deg - angle + 90.0).rem_euclid(180.0) - 90.0;
            prop_assert!(turn.abs() < 3.0, "{} for {angle}", moments.angle_deg);
            prop_assert!((moments.length() - f64::from(length) - 1.0).abs() < 1.5);
            prop_assert!(moments.elongation > 0.5 * f64::from(length));
        }
    }
}
