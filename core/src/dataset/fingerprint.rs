//! What an image looks like, small: so that near-duplicates (the same exposure encoded again, cropped, rescaled or shifted)
//! are found by comparing numbers, and nobody decodes a picture twice.
//!
//! All end faces of one kind look alike: what they have in common, rings and light, is taken off. What is left is the fine
//! structure of the glass, its dirt and scratches, on a grid that is laid over the fitted cladding; by that crops, shifts
//! and scales are undone before anything is compared. A hash of 256 signs finds candidates; whether two are one exposure is
//! said by the share of their structure that differs once they are registered to a fraction of a cell.
//!
//! On 122 photographs of 71 end faces no two end faces correlated above 0.79 here, because one microscope's pictures share
//! the marks of its optics; crops, shifts, scales from 0.7 to 1.3 and JPEG at quality 80 stayed above 0.89. What JPEG takes
//! away below that a clean face may not have enough structure to outweigh: such a pair is not joined. Made in workers,
//! compared by the store.

use ferrule_vision::{cholesky, hamming};
use serde::{Deserialize, Serialize};

use crate::report::Outline;

/// Cells a side.
const SIDE: usize = 48;
pub const CELLS: usize = SIDE * SIDE;
/// How much of the cladding's radius the grid covers: what lies inside its edge.
const REACH: f64 = 0.95;
/// Rings whose means are taken off.
const RINGS: usize = 24;
/// What is smoother than this many cells belongs to the light.
const SMOOTH: f64 = 1.5;
/// Structure beyond so many times its usual height counts as that: one large defect is not the whole picture.
const TALLEST: f64 = 3.0;
/// A cell that is not in the picture.
const OUTSIDE: i8 = i8::MIN;
/// Cells that must be in both pictures.
const COMMON: f64 = 0.6;
/// Signs of the hash that may differ in candidates. Two images that correlate at 0.85 differ in 45 of 256, give or take 6.
const CANDIDATE: u32 = 66;
/// The largest share of structure that differs within one exposure: a correlation of 0.85.
const SAME: f64 = 1.0 - 0.85 * 0.85;
/// Steps of the registration; each moves by less than a cell.
const STEPS: usize = 4;

/// An image's structure and its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    pub hash: [u64; 4],
    /// Row by row, structure in units of its usual height; [`CELLS`] signed bytes, -128 outside the picture.
    pub grid: Vec<i8>,
}

impl Fingerprint {
    /// Of a picture with this outline of the cladding. `None` where too little of it is in the picture, or it has no
    /// structure.
    #[must_use]
    pub fn of(gray: &[u8], width: u32, height: u32, cladding: &Outline) -> Option<Self> {
        let (mut cells, valid) = averages(gray, width as usize, height as usize, cladding)?;
        take_rings_off(&mut cells, &valid);
        let light = smooth(&cells, &valid);
        let mut heights: Vec<f64> = Vec::with_capacity(CELLS);
        for ((cell, light), valid) in cells.iter_mut().zip(&light).zip(&valid) {
            *cell -= light;
            if *valid {
                heights.push(cell.abs());
            }
        }
        let usual = median(&mut heights)? * 1.4826;
        if usual < 1e-3 {
            return None;
        }
        let scale = 127.0 / (TALLEST * usual);
        let grid: Vec<i8> = cells
            .iter()
            .zip(&valid)
            .map(|(cell, valid)| if *valid { (cell * scale).round().clamp(-127.0, 127.0) as i8 } else { OUTSIDE })
            .collect();
        Some(Self { hash: hash(&grid), grid })
    }

    /// Puts the places of the hashes into `found` that could be of the same exposure as this one.
    pub fn candidates(hash: &[u64; 4], others: &[[u64; 4]], found: &mut Vec<usize>) {
        hamming::within(hash, others, CANDIDATE, found);
    }

    /// The share of structure, 0 to 1, in which `other` differs from this one after registration, where that is small
    /// enough for one exposure.
    #[must_use]
    pub fn same_exposure(grid: &[i8], other: &[i8]) -> Option<f64> {
        difference(grid, other).filter(|share| *share <= SAME)
    }
}

/// Mean gray levels of the cells, and which of them lie in the picture.
fn averages(gray: &[u8], width: usize, height: usize, cladding: &Outline) -> Option<(Vec<f64>, Vec<bool>)> {
    let step = |axis: f64| 2.0 * REACH * axis / SIDE as f64;
    let (dx, dy) = (step(cladding.ax), step(cladding.by));
    if !(dx > 0.2 && dy > 0.2) || gray.len() != width * height {
        return None;
    }
    // Edges of cells, in pixels; pixel 0 reaches from -0.5 to 0.5.
    let left = cladding.cx + 0.5 - REACH * cladding.ax;
    let top = cladding.cy + 0.5 - REACH * cladding.by;
    let (mut cells, mut valid) = (vec![0.0; CELLS], vec![false; CELLS]);
    // Gray levels of a few rows: exact enough, and twice as many at a time.
    let mut columns = vec![0.0_f32; width];
    let all = Span::of(left, SIDE as f64 * dx, width);
    let all = all.from as usize..(all.to.ceil() as usize).min(width);
    for j in 0..SIDE {
        let rows = Span::of(top + j as f64 * dy, dy, height);
        columns.fill(0.0);
        for (y, weight) in rows.pixels() {
            for (sum, pixel) in columns[all.clone()].iter_mut().zip(&gray[y * width..][all.clone()]) {
                *sum += weight as f32 * f32::from(*pixel);
            }
        }
        for i in 0..SIDE {
            let across = Span::of(left + i as f64 * dx, dx, width);
            let area = rows.length() * across.length();
            if distance(i, j) <= 1.0 && area > 0.5 * dx * dy {
                let sum: f64 = across.pixels().map(|(x, weight)| weight * f64::from(columns[x])).sum();
                (cells[j * SIDE + i], valid[j * SIDE + i]) = (sum / area, true);
            }
        }
    }
    let inside = valid.iter().filter(|valid| **valid).count();
    // A disc fills pi/4 of its square.
    (inside as f64 > 0.5 * CELLS as f64 * std::f64::consts::FRAC_PI_4).then_some((cells, valid))
}

/// A cell's distance from the middle, 1 at the grid's edge.
fn distance(i: usize, j: usize) -> f64 {
    let at = |n: usize| (n as f64 + 0.5) / SIDE as f64 * 2.0 - 1.0;
    at(i).hypot(at(j))
}

/// A stretch of pixels, the outer ones in part.
struct Span {
    from: f64,
    to: f64,
}

impl Span {
    fn of(from: f64, length: f64, limit: usize) -> Self {
        let limit = limit as f64;
        Self { from: from.clamp(0.0, limit), to: (from + length).clamp(0.0, limit) }
    }

    fn length(&self) -> f64 {
        self.to - self.from
    }

    fn pixels(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        let (first, end) = (self.from.floor() as usize, self.to.ceil() as usize);
        (first..end).map(|pixel| {
            let at = pixel as f64;
            (pixel, (self.to.min(at + 1.0) - self.from.max(at)).max(0.0))
        })
    }
}

/// Takes off what depends on the distance from the middle alone: core, rings, fall of light.
fn take_rings_off(cells: &mut [f64], valid: &[bool]) {
    let place = |i: usize| {
        let at = (distance(i % SIDE, i / SIDE) * RINGS as f64 - 0.5).clamp(0.0, RINGS as f64 - 1.001);
        (at as usize, at.fract())
    };
    let (mut sums, mut weights) = ([0.0; RINGS], [0.0; RINGS]);
    for i in (0..CELLS).filter(|i| valid[*i]) {
        let (ring, part) = place(i);
        for (ring, weight) in [(ring, 1.0 - part), (ring + 1, part)] {
            sums[ring] += weight * cells[i];
            weights[ring] += weight;
        }
    }
    let mean = |ring: usize| if weights[ring] > 0.0 { sums[ring] / weights[ring] } else { 0.0 };
    for i in (0..CELLS).filter(|i| valid[*i]) {
        let (ring, part) = place(i);
        cells[i] -= (1.0 - part) * mean(ring) + part * mean(ring + 1);
    }
}

/// Gaussian means over valid cells.
fn smooth(cells: &[f64], valid: &[bool]) -> Vec<f64> {
    let radius = (SMOOTH * 3.0).ceil() as isize;
    let weights: Vec<f64> = (-radius..=radius).map(|d| (-0.5 * (d as f64 / SMOOTH).powi(2)).exp()).collect();
    let pass = |values: &[f64], along: usize, across: usize| -> Vec<f64> {
        let mut out = vec![0.0; CELLS];
        for line in 0..SIDE {
            for at in 0..SIDE {
                let sum = weights.iter().enumerate().filter_map(|(k, weight)| {
                    let from = at as isize + k as isize - radius;
                    let from = usize::try_from(from).ok().filter(|from| *from < SIDE)?;
                    Some(weight * values[line * across + from * along])
                });
                out[line * across + at * along] = sum.sum();
            }
        }
        out
    };
    let both = |values: &[f64]| pass(&pass(values, 1, SIDE), SIDE, 1);
    let masked: Vec<f64> = cells.iter().zip(valid).map(|(cell, valid)| if *valid { *cell } else { 0.0 }).collect();
    let mask: Vec<f64> = valid.iter().map(|valid| f64::from(u8::from(*valid))).collect();
    let (sums, counts) = (both(&masked), both(&mask));
    sums.iter().zip(&counts).map(|(sum, count)| if *count > 0.0 { sum / count } else { 0.0 }).collect()
}

fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    Some(*values.select_nth_unstable_by(middle, f64::total_cmp).1)
}

/// Signs of 256 sums of the cells, each with signs drawn once and for all.
fn hash(grid: &[i8]) -> [u64; 4] {
    let mut signs = blake3::Hasher::new().update(b"ferrule fingerprint 1").finalize_xof();
    let mut drawn = [0_u8; CELLS / 8];
    let mut hash = [0_u64; 4];
    for bit in 0..256 {
        signs.fill(&mut drawn);
        let sum: i32 = grid
            .iter()
            .enumerate()
            .filter(|(_, cell)| **cell != OUTSIDE)
            .map(|(i, cell)| {
                let cell = i32::from(*cell);
                if drawn[i / 8] >> (i % 8) & 1 == 1 { cell } else { -cell }
            })
            .sum();
        hash[bit / 64] |= u64::from(sum > 0) << (bit % 64);
    }
    hash
}

/// `1 - r²` of two grids after the second was moved and stretched onto the first; `None` where they have too little in
/// common. Gauss-Newton on the mean squared difference (Lucas and Kanade 1981), with a factor between the two.
fn difference(a: &[i8], b: &[i8]) -> Option<f64> {
    if a.len() != CELLS || b.len() != CELLS {
        return None;
    }
    // Shift in x and y, stretch in x and y, in cells and cells a cell.
    let mut warp = [0.0; 4];
    let mut best: Option<f64> = None;
    for _ in 0..=STEPS {
        let (r, step) = compare(a, b, &warp)?;
        if best.is_none_or(|best| r > best) {
            best = Some(r);
        }
        let Some(step) = step else { break };
        for (value, (step, most)) in warp.iter_mut().zip(step.iter().zip([0.5, 0.5, 0.02, 0.02])) {
            *value += step.clamp(-most, most);
        }
    }
    // A negative of the picture is not the picture.
    best.map(|r| 1.0 - r.clamp(0.0, 1.0).powi(2))
}

/// The correlation of `a` with `b` warped, and the step that would improve it.
fn compare(a: &[i8], b: &[i8], warp: &[f64; 4]) -> Option<(f64, Option<[f64; 4]>)> {
    let middle = (SIDE as f64 - 1.0) / 2.0;
    let (mut aa, mut ab, mut bb, mut count, mut all) = (0.0, 0.0, 0.0, 0_u32, 0_u32);
    let mut normal = [[0.0; 5]; 5];
    let mut right = [0.0; 5];
    for j in 1..SIDE - 1 {
        for i in 1..SIDE - 1 {
            let value = a[j * SIDE + i];
            if value == OUTSIDE {
                continue;
            }
            all += 1;
            let (x, y) = (i as f64 - middle, j as f64 - middle);
            let at = (i as f64 + warp[0] + warp[2] * x, j as f64 + warp[1] + warp[3] * y);
            let Some((other, slope)) = sample(b, at.0, at.1) else { continue };
            let value = f64::from(value);
            count += 1;
            (aa, ab, bb) = (aa + value * value, ab + value * other, bb + other * other);
            let row = [slope.0, slope.1, slope.0 * x, slope.1 * y, -value];
            for (k, left) in row.iter().enumerate() {
                right[k] -= left * other;
                for (l, with) in row.iter().enumerate() {
                    normal[k][l] += left * with;
                }
            }
        }
    }
    if f64::from(count) < COMMON * f64::from(all) || aa <= 0.0 || bb <= 0.0 {
        return None;
    }
    // A picture without structure in one direction says nothing of that direction: then it stays where it is.
    for (k, row) in normal.iter_mut().enumerate() {
        row[k] = row[k] * (1.0 + 1e-9) + 1e-9;
    }
    let step = cholesky::solve(normal, right, 5).map(|[dx, dy, sx, sy, _]| [dx, dy, sx, sy]);
    Some((ab / (aa * bb).sqrt(), step))
}

/// Between cells, with the slope there; `None` where one of the four is outside.
fn sample(grid: &[i8], x: f64, y: f64) -> Option<(f64, (f64, f64))> {
    if !(x >= 0.0 && y >= 0.0 && x < SIDE as f64 - 1.0 && y < SIDE as f64 - 1.0) {
        return None;
    }
    let (i, j, u, v) = (x as usize, y as usize, x.fract(), y.fract());
    let at = |i: usize, j: usize| Some(grid[j * SIDE + i]).filter(|cell| *cell != OUTSIDE).map(f64::from);
    let (a, b, c, d) = (at(i, j)?, at(i + 1, j)?, at(i, j + 1)?, at(i + 1, j + 1)?);
    let value = (a * (1.0 - u) + b * u) * (1.0 - v) + (c * (1.0 - u) + d * u) * v;
    Some((value, ((b - a) * (1.0 - v) + (d - c) * v, (c - a) * (1.0 - u) + (d - b) * u)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLADDING: Outline = Outline { cx: 200.0, cy: 190.0, ax: 120.0, by: 120.0, angle_deg: 0.0, confidence: 1.0 };

    /// A face with its own dirt, as a function of the place, so that it can be drawn at any scale and shift.
    fn face(seed: u64, x: f64, y: f64) -> f64 {
        let mut state = seed;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5
        };
        let rings = 110.0 + 30.0 * (x.hypot(y) / 9.0).cos() + 0.05 * x;
        let specks: f64 = (0..400)
            .map(|_| {
                let (u, v, height) = (draw() * 240.0, draw() * 240.0, draw() * 40.0);
                height * (-((x - u).powi(2) + (y - v).powi(2)) / 18.0).exp()
            })
            .sum();
        rings + specks
    }

    /// The face as a picture whose cladding is there.
    fn picture(seed: u64, at: &Outline, width: u32, height: u32) -> Vec<u8> {
        let pixel = |i: u32| {
            let (x, y) = (f64::from(i % width) - at.cx, f64::from(i / width) - at.cy);
            let (x, y) = (x * 120.0 / at.ax, y * 120.0 / at.by);
            if x.hypot(y) < 125.0 { face(seed, x, y) as u8 } else { 60 }
        };
        (0..width * height).map(pixel).collect()
    }

    fn print(seed: u64, at: Outline, width: u32, height: u32) -> Fingerprint {
        Fingerprint::of(&picture(seed, &at, width, height), width, height, &at).unwrap()
    }

    fn is_same(a: &Fingerprint, b: &Fingerprint) -> bool {
        let mut found = Vec::new();
        Fingerprint::candidates(&a.hash, &[b.hash], &mut found);
        !found.is_empty() && Fingerprint::same_exposure(&a.grid, &b.grid).is_some()
    }

    #[test]
    fn one_exposure_is_known_shifted_rescaled_cropped_and_with_a_fit_that_is_a_little_off() {
        let first = print(1, CLADDING, 400, 380);
        let same = [
            print(1, Outline { cx: 209.4, cy: 183.3, ..CLADDING }, 400, 380),
            print(1, Outline { cx: 140.0, cy: 133.0, ax: 84.0, by: 84.0, ..CLADDING }, 280, 266),
            // Cut through the cladding.
            print(1, Outline { cx: 100.0, cy: 190.0, ..CLADDING }, 400, 380),
        ];
        for (i, other) in same.iter().enumerate() {
            assert!(is_same(&first, other), "{i}: {:?}", difference(&first.grid, &other.grid));
        }
        let pixels = picture(1, &CLADDING, 400, 380);
        let off = Outline { cx: 201.0, cy: 189.4, ax: 121.0, by: 119.5, ..CLADDING };
        assert!(is_same(&first, &Fingerprint::of(&pixels, 400, 380, &off).unwrap()));
    }

    #[test]
    fn faces_of_one_kind_with_other_dirt_are_not_one_exposure() {
        let prints: Vec<Fingerprint> = (1..8).map(|seed| print(seed, CLADDING, 400, 380)).collect();
        for (i, a) in prints.iter().enumerate() {
            for b in &prints[i + 1..] {
                assert!(!is_same(a, b));
            }
        }
    }

    #[test]
    fn what_has_no_structure_or_no_picture_has_no_fingerprint() {
        assert_eq!(Fingerprint::of(&[7; 400 * 380], 400, 380, &CLADDING), None);
        assert_eq!(Fingerprint::of(&[7; 10], 400, 380, &CLADDING), None);
        let outside = Outline { cx: -90.0, ..CLADDING };
        assert_eq!(Fingerprint::of(&picture(1, &CLADDING, 400, 380), 400, 380, &outside), None);
        assert_eq!(Fingerprint::same_exposure(&[], &[]), None);
    }
}
