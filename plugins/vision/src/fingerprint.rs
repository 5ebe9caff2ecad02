//! What an image looks like, small: the fine structure of the glass, its dirt and scratches, on a grid over the fitted
//! cladding, and how much of it two pictures share.
//!
//! All end faces of one kind look alike: what they have in common, rings and light, is taken off. Crops, shifts and scales
//! are undone by the fit before anything is compared, and what is left of them by a registration to a fraction of a cell.

use crate::{cholesky, ellipse::Ellipse};

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
/// Steps of the registration; each moves by less than a cell.
const STEPS: usize = 4;

/// The structure of a picture with this outline of the cladding, row by row in units of its usual height; [`CELLS`] signed
/// bytes, -128 outside the picture. `None` where too little of the cladding is in the picture, or it has no structure.
#[must_use]
pub fn grid(gray: &[u8], width: usize, height: usize, cladding: &Ellipse) -> Option<Vec<i8>> {
    let (mut cells, valid) = averages(gray, width, height, cladding)?;
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
    let cells = cells.iter().zip(&valid);
    let height = |(cell, valid): (&f64, &bool)| match valid {
        true => (cell * scale).round().clamp(-127.0, 127.0) as i8,
        false => OUTSIDE,
    };
    Some(cells.map(height).collect())
}

/// Mean gray levels of the cells, and which of them lie in the picture.
fn averages(gray: &[u8], width: usize, height: usize, cladding: &Ellipse) -> Option<(Vec<f64>, Vec<bool>)> {
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
#[must_use]
pub fn hash(grid: &[i8]) -> [u64; 4] {
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
#[must_use]
pub fn difference(a: &[i8], b: &[i8]) -> Option<f64> {
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
