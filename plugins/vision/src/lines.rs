//! Oriented line responses: the linear enhancement inspector (LEI) of Mei, Wang, Wen and Hu, Sensors 18(5):1408, 2018.
//!
//! For each direction the sum along a line of pixels is compared with the parallel sums on both sides; what exceeds both
//! is a bright line, what stays below both a dark one, and an edge is neither. Sums run along the line, so that a pixel
//! costs the same for every length, and each direction is scaled by its own noise, for the noise of a camera is not the
//! same in all directions. Called by `detect-scratch` with a residual in units of its noise.

use multiversion::multiversion;

/// How to look for lines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LineBank {
    /// Directions over half a turn; a multiple of four keeps those at 45° exact.
    pub directions: usize,
    /// Length of a line in pixels.
    pub length: f32,
    /// Distance of the parallel lines in pixels.
    pub aside: f32,
}

/// Units of a score a standard deviation of its direction's noise.
pub const SCORE_UNIT: i16 = 16;
/// Bits of a packed response that say which line it is; the score is above them, so that the larger response wins.
const KIND_BITS: u32 = 6;
/// Most directions a bank has: direction and polarity must fit [`KIND_BITS`].
const MOST_DIRECTIONS: usize = 1 << (KIND_BITS - 1);
const MOST_SCORE: i16 = (1 << (16 - KIND_BITS)) - 1;
/// Rows whose responses are taken as samples of their noise, and about as many columns of those.
const SAMPLED_ROWS: usize = 14;
const SAMPLED_COLUMNS: usize = 160;

/// The strongest line through each pixel.
#[derive(Debug, Clone, Default)]
pub struct LineMap {
    /// Score and kind of each pixel, packed: see [`Self::score`] and [`Self::direction`].
    best: Vec<u16>,
    turned_best: Vec<u16>,
    padded: Vec<i16>,
    turned: Vec<i16>,
    sums: [Vec<i16>; 2],
    tally: Vec<u16>,
}

/// One direction on a plane where it is steep: the line moves by `slope` columns a row.
#[derive(Debug, Clone, Copy)]
struct Course {
    slope: f32,
    rows: usize,
    aside: usize,
    kind: u16,
}

impl Course {
    /// Column offset of the line in row `y`.
    fn shift(&self, y: isize) -> isize {
        (self.slope * y as f32 + 0.5).floor() as isize
    }

    /// Columns from one row to another.
    fn between(&self, from: usize, to: usize) -> isize {
        self.shift(to as isize) - self.shift(from as isize)
    }
}

/// Middle of a course's responses, and the factor from there to [`SCORE_UNIT`] in 1 / 65536.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Gain {
    middle: i16,
    factor: i16,
}

/// A plane with a margin of zeros on all sides.
#[derive(Debug, Clone, Copy)]
struct Padded<'a> {
    values: &'a [i16],
    /// Columns with the margin.
    wide: usize,
    margin: usize,
    /// Size without the margin.
    width: usize,
    height: usize,
}

impl<'a> Padded<'a> {
    /// Columns that a line may reach from inside the picture; beyond them there are only zeros to add.
    fn span(&self) -> std::ops::Range<usize> {
        self.margin / 2..self.wide - self.margin / 2
    }

    /// The span of row `y`, moved `by` columns to the left.
    fn row(&self, y: usize, by: isize) -> &'a [i16] {
        let span = self.span();
        &self.values[y * self.wide + (span.start as isize - by) as usize..][..span.len()]
    }
}

impl LineMap {
    /// Looks for lines in `values` (magnitudes at most 127, a bank of at most 32 directions).
    pub fn look(&mut self, values: &[i16], width: usize, bank: LineBank) {
        let height = values.len().checked_div(width).unwrap_or(0);
        let bank = LineBank { directions: bank.directions.min(MOST_DIRECTIONS), ..bank };
        let steep = |d: usize| 4 * d >= bank.directions && 4 * d <= 3 * bank.directions;
        let margin = 2 * bank.length.ceil() as usize;
        let Self { best, turned_best, padded, turned, sums, tally } = self;
        for map in [&mut *best, &mut *turned_best] {
            map.clear();
            map.resize(values.len(), 0);
        }
        let plane = pad(values, width, margin, padded);
        for d in (0..bank.directions).filter(|d| steep(*d)) {
            let course = course(bank, d, false);
            along(plane, course, gain_of(plane, course, &mut sums[0], tally), sums, best);
        }
        // Shallow lines are steep on the turned picture.
        transpose(values, width, turned);
        let plane = pad(turned, height, margin, padded);
        for d in (0..bank.directions).filter(|d| !steep(*d)) {
            let course = course(bank, d, true);
            along(plane, course, gain_of(plane, course, &mut sums[0], tally), sums, turned_best);
        }
        keep_larger(turned_best, height, best);
    }

    /// The strongest line's score at each pixel in [`SCORE_UNIT`]; 0 where nothing looks like a line.
    #[must_use]
    pub fn score(&self, index: usize) -> i16 {
        (self.best[index] >> KIND_BITS) as i16
    }

    /// Its direction: `d` of `n` points `180° · d / n` from +x toward +y.
    #[must_use]
    pub fn direction(&self, index: usize) -> usize {
        usize::from(self.best[index] >> 1) & (MOST_DIRECTIONS - 1)
    }

    /// True if it is darker than both sides.
    #[must_use]
    pub fn is_dark(&self, index: usize) -> bool {
        self.best[index] & 1 == 1
    }

    /// Number of pixels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.best.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.best.is_empty()
    }

    /// Calls `found` with each pixel of the row whose score exceeds `low`, in rising order.
    pub fn exceeding(&self, start: usize, width: usize, low: i16, mut found: impl FnMut(usize)) {
        let least = ((low.max(0) as u16) << KIND_BITS) | ((1 << KIND_BITS) - 1);
        let row = &self.best[start..start + width];
        let mut at = start;
        for block in row.chunks(32) {
            // Most blocks hold nothing: one comparison of their largest tells.
            if block.iter().fold(0, |most: u16, v| most.max(*v)) > least {
                block.iter().enumerate().filter(|(_, v)| **v > least).for_each(|(x, _)| found(at + x));
            }
            at += block.len();
        }
    }
}

/// Copies a plane into `padded`, with `margin` zeros on all sides.
fn pad<'a>(values: &[i16], width: usize, margin: usize, padded: &'a mut Vec<i16>) -> Padded<'a> {
    let height = values.len().checked_div(width).unwrap_or(0);
    let wide = width + 2 * margin;
    padded.clear();
    padded.resize(wide * (height + 2 * margin), 0);
    for (y, row) in values.chunks_exact(width.max(1)).enumerate() {
        padded[(y + margin) * wide + margin..][..width].copy_from_slice(row);
    }
    Padded { values: padded, wide, margin, width, height }
}

/// Scores one course over the plane and keeps what is stronger than before.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn along(plane: Padded<'_>, course: Course, gain: Gain, sums: &mut [Vec<i16>; 2], best: &mut [u16]) {
    let Padded { wide, margin, width, height, .. } = plane;
    let span = plane.span();
    let n = span.len();
    // Two rows take turns: the sums that end in this row are made of those that end in the row before.
    let [before, here] = sums;
    for row in [&mut *before, &mut *here] {
        row.clear();
        row.resize(wide, 0);
    }
    let half = course.rows / 2;
    for y in margin..height + margin + half {
        std::mem::swap(before, here);
        let from = &before[(span.start as isize - course.between(y - 1, y)) as usize..][..n];
        let leaving = plane.row(y - course.rows, course.between(y - course.rows, y));
        let entering = plane.row(y, 0);
        let out = &mut here[span.clone()][..n];
        for x in 0..n {
            out[x] = from[x] + entering[x] - leaving[x];
        }
        // The line that ends in this row has its middle half a line above.
        let Some(row) = (y - half).checked_sub(margin) else { continue };
        let start = (margin as isize + course.between(y - half, y)) as usize;
        let sides = |from: usize| &here[from..][..width];
        let (middle, left, right) = (sides(start), sides(start - course.aside), sides(start + course.aside));
        let best = &mut best[row * width..][..width];
        for x in 0..width {
            let (bright, dark) = contrasts(middle[x], left[x], right[x]);
            let strength = bright.max(dark) - gain.middle;
            let score = ((i32::from(strength) * i32::from(gain.factor)) >> 16) as i16;
            let score = score.clamp(0, MOST_SCORE) as u16;
            let packed = (score << KIND_BITS) | course.kind | u16::from(dark > bright);
            best[x] = best[x].max(packed);
        }
    }
}

/// How much a sum exceeds both sides, and how much it stays below both.
#[inline(always)]
fn contrasts(middle: i16, left: i16, right: i16) -> (i16, i16) {
    (middle - left.max(right), left.min(right) - middle)
}

/// A course's noise, from the responses in some rows, robust against real lines.
fn gain_of(plane: Padded<'_>, course: Course, sums: &mut Vec<i16>, tally: &mut Vec<u16>) -> Gain {
    let Padded { margin, width, height, .. } = plane;
    tally.clear();
    tally.resize(TALLY, 0);
    let offset = plane.span().start;
    let columns = margin + course.rows..(margin + width).saturating_sub(course.rows);
    let mut samples = 0;
    let (down, across) = ((height / SAMPLED_ROWS).max(1), (width / SAMPLED_COLUMNS).max(1));
    for y in (margin + course.rows..margin + height).step_by(down) {
        sum_line(plane, course, y, sums);
        for x in columns.clone().step_by(across) {
            let at = x - offset;
            let (middle, left, right) = (sums[at], sums[at - course.aside], sums[at + course.aside]);
            // Exact zeros are the masked part of the picture, not noise.
            if middle != 0 || left != 0 || right != 0 {
                let (bright, dark) = contrasts(middle, left, right);
                let bin = (i32::from(bright.max(dark)) + TALLY as i32 / 2).clamp(0, TALLY as i32 - 1);
                tally[bin as usize] += 1;
                samples += 1;
            }
        }
    }
    if samples < 64 {
        return Gain { middle: 0, factor: 0 };
    }
    let middle = rank(tally, samples / 2);
    // A Gaussian has its 80th percentile 0.8416 deviations above its median.
    let sigma = (f32::from(rank(tally, samples * 4 / 5) - middle) / 0.841_6).max(2.0);
    Gain { middle, factor: (f32::from(SCORE_UNIT) / sigma * 65_536.0).min(32_767.0) as i16 }
}

/// Bins of a tally of responses, one a unit, with 0 in the middle; what lies outside counts in the outermost.
const TALLY: usize = 2048;

/// The response of that rank.
fn rank(tally: &[u16], rank: usize) -> i16 {
    let mut seen = 0;
    let bin = tally.iter().position(|n| {
        seen += usize::from(*n);
        seen > rank
    });
    (bin.unwrap_or(TALLY / 2) as i32 - TALLY as i32 / 2) as i16
}

/// The sums over the lines that end in row `y`, one by one; the first is that of the span's first column.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn sum_line(plane: Padded<'_>, course: Course, y: usize, sums: &mut Vec<i16>) {
    sums.clear();
    sums.extend_from_slice(plane.row(y, 0));
    let n = sums.len();
    let row = |k: usize| &plane.row(y - k, course.between(y - k, y))[..n];
    // Rows in pairs (a line's are odd in number), so that the sums are read and written half as often.
    for k in (1..course.rows).step_by(2) {
        let (a, b) = (row(k), row(k + 1));
        for x in 0..n {
            sums[x] += a[x] + b[x];
        }
    }
}

fn course(bank: LineBank, direction: usize, turned: bool) -> Course {
    let angle = std::f32::consts::PI * direction as f32 / bank.directions as f32;
    let (across, along) = if turned { (angle.sin(), angle.cos()) } else { (angle.cos(), angle.sin()) };
    let steepness = along.abs();
    Course {
        slope: across / along,
        rows: (bank.length * steepness).round() as usize | 1,
        aside: (bank.aside / steepness).round() as usize,
        kind: 2 * direction as u16,
    }
}

/// Turns rows into columns, in blocks that stay in the cache.
fn transpose(src: &[i16], width: usize, dst: &mut Vec<i16>) {
    dst.resize(src.len(), 0);
    turn(src, width, |turned, row| row.copy_from_slice(turned), dst);
}

/// Lays a turned map (`width` columns) over another one and keeps what is larger.
fn keep_larger(turned: &[u16], width: usize, best: &mut [u16]) {
    let larger = |turned: &[u16], row: &mut [u16]| row.iter_mut().zip(turned).for_each(|(b, t)| *b = (*b).max(*t));
    turn(turned, width, larger, best);
}

/// Hands pieces of columns, as rows, to `put`, together with the pieces of the turned plane that they belong to.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn turn<T: Copy + Default>(src: &[T], width: usize, put: impl Fn(&[T], &mut [T]), dst: &mut [T]) {
    const BLOCK: usize = 32;
    let height = src.len().checked_div(width).unwrap_or(0);
    let mut tile = [[T::default(); BLOCK]; BLOCK];
    for top in (0..height).step_by(BLOCK) {
        let rows = BLOCK.min(height - top);
        for left in (0..width).step_by(BLOCK) {
            let columns = BLOCK.min(width - left);
            for (y, line) in tile.iter_mut().take(rows).enumerate() {
                line[..columns].copy_from_slice(&src[(top + y) * width + left..][..columns]);
            }
            for x in 0..columns {
                let mut column = [T::default(); BLOCK];
                for y in 0..BLOCK {
                    column[y] = tile[y][x];
                }
                put(&column[..rows], &mut dst[(left + x) * height + top..][..rows]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn noise(seed: u64, n: usize) -> Vec<i16> {
        let mut state = seed | 1;
        (0..n)
            .map(|_| {
                let mut sum = 0;
                for _ in 0..4 {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    sum += (state % 41) as i16 - 20;
                }
                sum
            })
            .collect()
    }

    proptest! {
        #[test]
        fn responses_are_those_of_the_plain_sums(
            seed in any::<u64>(), w in 1..40usize, h in 1..40usize, direction in 4..13usize, length in 5.0..12.0f32,
        ) {
            let values = noise(seed, w * h);
            let bank = LineBank { directions: 16, length, aside: 2.0 };
            let (course, margin) = (course(bank, direction, false), 2 * length.ceil() as usize);
            let at = |x: isize, y: isize| {
                let inside = x >= 0 && y >= 0 && (x as usize) < w && (y as usize) < h;
                if inside { values[y as usize * w + x as usize] } else { 0 }
            };
            // The sum over the line that ends at a place.
            let line = |x: isize, y: isize| -> i16 {
                let padded = y + margin as isize;
                let column = |k: isize| x + course.shift(padded - k) - course.shift(padded);
                (0..course.rows as isize).map(|k| at(column(k), y - k)).sum()
            };
            let (mut padded, mut sums, mut best) = (Vec::new(), <[Vec<i16>; 2]>::default(), vec![0; w * h]);
            let plane = pad(&values, w, margin, &mut padded);
            let gain = Gain { middle: 3, factor: 20_000 };
            along(plane, course, gain, &mut sums, &mut best);
            let (half, aside) = ((course.rows / 2) as isize, course.aside as isize);
            for y in 0..h {
                sum_line(plane, course, y + margin, &mut sums[0]);
                for x in 0..w {
                    let (column, end) = (x as isize, y as isize + half);
                    prop_assert_eq!(sums[0][x + margin - plane.span().start], line(column, y as isize));
                    let column = column + course.between(y + margin, y + margin + half as usize);
                    let (left, right) = (line(column - aside, end), line(column + aside, end));
                    let (bright, dark) = contrasts(line(column, end), left, right);
                    let score = ((i32::from(bright.max(dark) - 3) * 20_000) >> 16).clamp(0, 1023) as u16;
                    let packed = score << KIND_BITS | course.kind | u16::from(dark > bright);
                    prop_assert_eq!(best[y * w + x], packed, "at {}, {}", x, y);
                }
            }
        }

        #[test]
        fn turning_twice_changes_nothing(values in proptest::collection::vec(any::<i16>(), 1..3000), width in 1..70usize) {
            let n = values.len() / width * width;
            let (mut once, mut twice) = (Vec::new(), Vec::new());
            transpose(&values[..n], width, &mut once);
            transpose(&once, n / width, &mut twice);
            prop_assert_eq!(&twice[..], &values[..n]);
        }
    }

    /// How strong one line is in noise is a matter of chance: said of two hundred of them, always the same.
    #[test]
    fn a_line_of_four_sigma_is_found_in_its_direction() {
        let (w, h) = (180usize, 170usize);
        let bank = LineBank { directions: 28, length: 23.0, aside: 3.0 };
        let mut map = LineMap::default();
        let mut scores: Vec<i16> = (0..200u32)
            .map(|i| {
                let (angle, dark) = ((i as f32 * 0.618_034).fract() * 180.0, i % 2 == 0);
                let mut values = noise(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(u64::from(i + 1)), w * h);
                let (sin, cos) = angle.to_radians().sin_cos();
                for t in -80..=80 {
                    let (x, y) = (90.0 + t as f32 * 0.5 * cos, 85.0 + t as f32 * 0.5 * sin);
                    values[y.round() as usize * w + x.round() as usize] = if dark { -96 } else { 96 };
                }
                map.look(&values, w, bank);
                let middle = 85 * w + 90;
                assert_eq!(map.is_dark(middle), dark, "at {angle} degrees");
                let found = map.direction(middle) as f32 * 180.0 / 28.0;
                let off = (found - angle).abs();
                assert!(off.min(180.0 - off) < 10.0, "{found} for {angle}");
                map.score(middle)
            })
            .collect();
        scores.sort_unstable();
        assert!(scores[0] > 8 * SCORE_UNIT && scores[100] > 14 * SCORE_UNIT, "{scores:?}");
    }

    #[test]
    fn the_gain_makes_plain_noise_one_unit() {
        let (size, margin) = (600, 46);
        let values = noise(11, size * size);
        let bank = LineBank { directions: 28, length: 23.0, aside: 3.0 };
        let (mut padded, mut sums, mut tally) = (Vec::new(), Vec::new(), Vec::new());
        let plane = pad(&values, size, margin, &mut padded);
        for direction in 7..22 {
            let course = course(bank, direction, false);
            let gain = gain_of(plane, course, &mut sums, &mut tally);
            let mut strengths: Vec<i16> = Vec::new();
            for y in margin + 30..margin + size {
                sum_line(plane, course, y, &mut sums);
                strengths.extend((60..size - 60).map(|x| {
                    let (bright, dark) = contrasts(sums[x], sums[x - course.aside], sums[x + course.aside]);
                    bright.max(dark)
                }));
            }
            strengths.sort_unstable();
            let (middle, upper) = (strengths[strengths.len() / 2], strengths[strengths.len() * 4 / 5]);
            assert!((middle - gain.middle).abs() <= 6, "{middle} {gain:?}");
            let unit = f32::from(upper - middle) / 0.841_6 * f32::from(gain.factor) / 65_536.0;
            assert!((unit / f32::from(SCORE_UNIT) - 1.0).abs() < 0.12, "{unit} in direction {direction}");
        }
    }

    #[test]
    fn a_step_is_no_line() {
        let (w, h) = (120, 110);
        let mut values = noise(5, w * h);
        for row in values.chunks_exact_mut(w) {
            row[60..].iter_mut().for_each(|v| *v = (*v + 60).min(127));
        }
        let mut map = LineMap::default();
        map.look(&values, w, LineBank { directions: 28, length: 23.0, aside: 3.0 });
        let strongest = (30..80).flat_map(|y| (40..80).map(move |x| y * w + x)).map(|i| map.score(i)).max().unwrap();
        assert!(strongest < 7 * SCORE_UNIT, "{strongest}");
    }
}
