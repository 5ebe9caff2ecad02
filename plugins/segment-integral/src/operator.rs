//! Where circles may be: Daugman's integro-differential operator, everywhere and at every radius.
//!
//! The mean gray along a circle, as a function of its radius, jumps where the circle lies on an outline (Daugman 1993). No
//! edge is chosen and no threshold is set before whole circles have been summed, so texture that drowns single edges
//! averages out. Quarters of a circle are summed apart, and the two weakest count: what jumps on one side only (a frame's
//! bar, a window's edge) is no outline. Works on a small picture padded by its own border; called once a picture, first of all.

use ferrule_vision::reduce::SmallPicture;
use multiversion::multiversion;

/// A circle along which the picture jumps, in the small picture's pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circle {
    pub x: f64,
    pub y: f64,
    pub radius: f64,
    /// +1 where the outside is brighter, else -1.
    pub sign: f32,
}

/// Places on a quarter of a circle that are summed.
const PLACES: usize = 8;
const QUARTERS: usize = 4;
/// Radii on each side of a circle that its jump is taken from, and so how many sums are kept.
const SIDE: usize = 2;
const KEPT: usize = 2 * SIDE + 1;
/// Circles that are looked at closer.
const CIRCLES: usize = 10;
/// Smallest radius at which summed places are still apart.
const SMALLEST: usize = 3;

/// Sums circles; keeps its buffers.
#[derive(Debug, Default)]
pub struct RingOperator {
    padded: Vec<f32>,
    /// Sums along quarters of circles of [`KEPT`] radii in turn, by centre.
    sums: [[Vec<f32>; QUARTERS]; KEPT],
    /// By centre: the strongest jump, weighed, and its radius.
    strongest: Vec<f32>,
    radius: Vec<f32>,
}

impl RingOperator {
    /// The most promising circles with radii from `smallest` to `largest`, the strongest first.
    pub fn circles(&mut self, picture: &SmallPicture, smallest: f64, largest: f64, found: &mut Vec<Circle>) {
        found.clear();
        let (width, height) = (picture.width, picture.height);
        let (first, last) = ((smallest as usize).max(SMALLEST), largest as usize);
        if width < 4 * SMALLEST || height < 4 * SMALLEST || last < first {
            return;
        }
        let margin = last + SIDE + 1;
        self.pad(picture, margin);
        let stride = width + 2 * margin;
        self.strongest.clear();
        self.strongest.resize(width * height, 0.0);
        self.radius.clear();
        self.radius.resize(width * height, 0.0);
        for r in first.saturating_sub(SIDE).max(1)..=last + SIDE {
            for (quarter, sums) in self.sums[r % KEPT].iter_mut().enumerate() {
                let mut offsets = [0isize; PLACES];
                for (i, offset) in offsets.iter_mut().enumerate() {
                    let turn = (quarter as f64 + (i as f64 + 0.5) / PLACES as f64) / QUARTERS as f64;
                    let (sin, cos) = (std::f64::consts::TAU * turn).sin_cos();
                    let (dx, dy) = ((r as f64 * cos).round() as isize, (r as f64 * sin).round() as isize);
                    *offset = dy * stride as isize + dx;
                }
                sums.resize(width * height, 0.0);
                for (y, out) in sums.chunks_exact_mut(width).enumerate() {
                    sum_row(&self.padded, ((y + margin) * stride + margin) as isize, &offsets, out);
                }
            }
            if r >= first + SIDE {
                let middle = r - SIDE;
                // A small bright spot jumps as far as a cladding does; a cladding is the larger of the two.
                let weight = (middle as f32).sqrt();
                let plane = |radius: usize| &self.sums[radius % KEPT];
                let sides = [plane(middle - 2), plane(middle - 1), plane(middle + 1), plane(middle + 2)];
                keep_stronger(sides, weight, middle as f32, &mut self.strongest, &mut self.radius);
            }
        }
        self.pick(width, found);
    }

    /// Copies the picture as square roots, in which a camera's noise is about the same everywhere (Anscombe 1948) and a
    /// bright ring says no more than a dark one; the border is repeated outward.
    fn pad(&mut self, picture: &SmallPicture, margin: usize) {
        let (width, height) = (picture.width, picture.height);
        self.padded.clear();
        for y in 0..height + 2 * margin {
            let row = y.saturating_sub(margin).min(height - 1) * width;
            let row = &picture.samples[row..row + width];
            let root = |x: usize| row[x].max(0.0).sqrt();
            self.padded.extend(std::iter::repeat_n(root(0), margin));
            self.padded.extend((0..width).map(root));
            self.padded.extend(std::iter::repeat_n(root(width - 1), margin));
        }
    }

    /// The strongest centre, then the strongest that is not near it, and so on.
    fn pick(&mut self, width: usize, found: &mut Vec<Circle>) {
        for _ in 0..CIRCLES {
            let strength = |&i: &usize| self.strongest[i].abs();
            let Some(best) = (0..self.strongest.len()).max_by(|a, b| strength(a).total_cmp(&strength(b))) else {
                return;
            };
            if self.strongest[best] == 0.0 {
                return;
            }
            let (x, y, radius) = (best % width, best / width, self.radius[best]);
            let sign = self.strongest[best].signum();
            found.push(Circle { x: x as f64, y: y as f64, radius: f64::from(radius), sign });
            let reach = (0.4 * radius).max(2.0) as usize;
            for row in self.strongest.chunks_exact_mut(width).skip(y.saturating_sub(reach)).take(2 * reach + 1) {
                row[x.saturating_sub(reach)..(x + reach + 1).min(width)].fill(0.0);
            }
        }
    }
}

/// Sums the samples at these offsets from each place of a row that begins at `start`.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn sum_row(padded: &[f32], start: isize, offsets: &[isize; PLACES], out: &mut [f32]) {
    out.fill(0.0);
    for offset in offsets {
        let from = (start + offset) as usize;
        let samples = &padded[from..from + out.len()];
        for (sum, sample) in out.iter_mut().zip(samples) {
            *sum += sample;
        }
    }
}

/// Compares the jump across one radius, outside less inside, with the strongest so far.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn keep_stronger(
    sides: [&[Vec<f32>; QUARTERS]; 2 * SIDE],
    weight: f32,
    middle: f32,
    strongest: &mut [f32],
    radius: &mut [f32],
) {
    /// Centres at a time.
    const LANES: usize = 16;
    for (place, (strongest, radius)) in strongest.chunks_mut(LANES).zip(radius.chunks_mut(LANES)).enumerate() {
        let mut jumps = [[0.0f32; LANES]; QUARTERS];
        for (quarter, jumps) in jumps.iter_mut().enumerate() {
            for (side, sign) in sides.iter().zip([-1.0, -1.0, 1.0, 1.0]) {
                let sums = side[quarter].iter().skip(place * LANES);
                jumps.iter_mut().zip(sums).for_each(|(jump, sum)| *jump += sign * sum);
            }
        }
        let [a, b, c, d] = jumps;
        for (lane, (strongest, radius)) in strongest.iter_mut().zip(radius).enumerate() {
            let (low, high) = (a[lane].min(b[lane]), a[lane].max(b[lane]));
            let (other_low, other_high) = (c[lane].min(d[lane]), c[lane].max(d[lane]));
            let inner = (low.max(other_low), high.min(other_high));
            // The two weakest of those that rise, or of those that fall.
            let rise = low.min(other_low) + inner.0.min(inner.1);
            let fall = high.max(other_high) + inner.0.max(inner.1);
            let jump = weight * (rise.max(0.0) + fall.min(0.0));
            let more = jump.abs() > strongest.abs();
            *strongest = if more { jump } else { *strongest };
            *radius = if more { middle } else { *radius };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disc(width: usize, height: usize, (cx, cy, r): (f64, f64, f64), inside: f32, outside: f32) -> SmallPicture {
        let samples = (0..width * height).map(|i| {
            let (x, y) = ((i % width) as f64, (i / width) as f64);
            if (x - cx).hypot(y - cy) < r { inside } else { outside }
        });
        let mut picture = SmallPicture::default();
        (picture.width, picture.height, picture.samples) = (width, height, samples.collect());
        picture
    }

    #[test]
    fn the_strongest_circle_is_the_disc_of_either_polarity() {
        let (mut operator, mut found) = (RingOperator::default(), Vec::new());
        for (inside, outside, sign) in [(40.0, 120.0, 1.0), (200.0, 15.0, -1.0)] {
            for at in [(60.0, 45.0, 14.0), (25.0, 70.0, 20.0), (118.0, 48.0, 18.0)] {
                operator.circles(&disc(128, 96, at, inside, outside), 4.0, 44.0, &mut found);
                let best = found[0];
                assert!((best.x - at.0).hypot(best.y - at.1) < 2.0, "{at:?}: {best:?}");
                assert!((best.radius - at.2).abs() < 2.0 && best.sign == sign, "{at:?}: {best:?}");
            }
        }
    }

    #[test]
    fn nothing_is_found_in_nothing() {
        let (mut operator, mut found) = (RingOperator::default(), Vec::new());
        for (width, height) in [(0, 0), (1, 90), (5, 5), (128, 96)] {
            operator.circles(&disc(width, height, (0.0, 0.0, 0.0), 9.0, 9.0), 3.0, 40.0, &mut found);
            assert!(found.is_empty(), "{width} x {height}");
        }
    }
}
