//! Oriented line responses: the linear enhancement inspector (LEI) of Mei, Wang, Wen and Hu, Sensors 18(5):1408, 2018.
//!
//! For each direction the sum along a line of pixels is compared with the parallel sums on both sides; what exceeds both
//! is a bright line, what stays below both a dark one, and an edge is neither. Sums run along the line, so that a pixel
//! costs the same for every length, and each direction is scaled by its own noise, for the noise of a camera is not the
//! same in all directions. Called by `detect-scratch` with a residual in units of its noise.

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
pub const SCORE_UNIT: i16 = 32;

/// The strongest line through each pixel.
#[derive(Debug, Clone, Default)]
pub struct LineMap {
    /// Scores in [`SCORE_UNIT`]; 0 or less where nothing looks like a line.
    pub score: Vec<i16>,
    /// `2 · direction`, plus 1 for dark lines; direction `d` of `n` points `180° · d / n` from +x toward +y.
    pub kind: Vec<i16>,
    padded: Vec<i16>,
    sums: Vec<i16>,
    turned: Vec<i16>,
    turned_score: Vec<i16>,
    turned_kind: Vec<i16>,
    samples: Vec<i16>,
}

/// One direction on a plane where it is steep: the line moves by `slope` columns a row.
#[derive(Debug, Clone, Copy)]
struct Course {
    slope: f32,
    rows: usize,
    aside: usize,
    kind: i16,
}

impl Course {
    /// Column offset of the line in row `y`.
    fn shift(&self, y: isize) -> isize {
        (self.slope * y as f32 + 0.5).floor() as isize
    }
}

impl LineMap {
    /// Looks for lines in `values` (magnitudes at most 127).
    pub fn look(&mut self, values: &[i16], width: usize, bank: LineBank) {
        let height = values.len().checked_div(width).unwrap_or(0);
        let steep = |d: usize| 4 * d >= bank.directions && 4 * d <= 3 * bank.directions;
        let pad = 2 * bank.length.ceil() as usize;
        self.score.clear();
        self.score.resize(values.len(), 0);
        self.kind.clear();
        self.kind.resize(values.len(), 0);
        let (mut score, mut kind) = (std::mem::take(&mut self.score), std::mem::take(&mut self.kind));
        self.pad(values, width, pad);
        for d in (0..bank.directions).filter(|d| steep(*d)) {
            self.along(course(bank, d, false), width, height, pad, &mut score, &mut kind);
        }
        // Shallow lines are steep on the turned picture.
        let mut turned = std::mem::take(&mut self.turned);
        transpose(values, width, &mut turned);
        self.pad(&turned, height, pad);
        let (mut other, mut other_kind) =
            (std::mem::take(&mut self.turned_score), std::mem::take(&mut self.turned_kind));
        transpose(&score, width, &mut other);
        transpose(&kind, width, &mut other_kind);
        for d in (0..bank.directions).filter(|d| !steep(*d)) {
            self.along(course(bank, d, true), height, width, pad, &mut other, &mut other_kind);
        }
        transpose(&other, height, &mut score);
        transpose(&other_kind, height, &mut kind);
        (self.score, self.kind, self.turned) = (score, kind, turned);
        (self.turned_score, self.turned_kind) = (other, other_kind);
    }

    /// Copies a plane into `padded`, with `pad` zeros on all sides.
    fn pad(&mut self, values: &[i16], width: usize, pad: usize) {
        let height = values.len() / width.max(1);
        let wide = width + 2 * pad;
        self.padded.clear();
        self.padded.resize(wide * (height + 2 * pad), 0);
        for (y, row) in values.chunks_exact(width.max(1)).enumerate() {
            self.padded[(y + pad) * wide + pad..][..width].copy_from_slice(row);
        }
    }

    /// Scores one course over the padded plane and keeps what is stronger than before.
    fn along(&mut self, course: Course, width: usize, height: usize, pad: usize, score: &mut [i16], kind: &mut [i16]) {
        self.sum_along(course, width, height, pad);
        let (middle, gain) = self.noise_of(course, width, height, pad);
        let wide = width + 2 * pad;
        let half = course.rows / 2;
        for yc in 0..height {
            let y = yc + pad + half;
            let move_by = course.shift(y as isize) - course.shift((yc + pad) as isize);
            let row = &self.sums[y * wide..][..wide];
            let start = (pad as isize + move_by) as usize;
            let span = |from: usize| &row[from..][..width];
            let (here, left, right) = (span(start), span(start - course.aside), span(start + course.aside));
            let best = &mut score[yc * width..][..width];
            let kinds = &mut kind[yc * width..][..width];
            for x in 0..width {
                let (low, high) = (left[x].min(right[x]), left[x].max(right[x]));
                let (bright, dark) = (here[x] - high, low - here[x]);
                let strength = bright.max(dark) - middle;
                let scaled = ((i32::from(strength) * i32::from(gain)) >> 16) as i16;
                let what = if dark > bright { course.kind + 1 } else { course.kind };
                kinds[x] = if scaled > best[x] { what } else { kinds[x] };
                best[x] = scaled.max(best[x]);
            }
        }
    }

    /// Running sums: in each row of the padded plane, the sum over the line that ends there.
    fn sum_along(&mut self, course: Course, width: usize, height: usize, pad: usize) {
        let wide = width + 2 * pad;
        self.sums.clear();
        self.sums.resize(self.padded.len(), 0);
        // The columns that a line may reach from inside the picture; beyond them there are only zeros to add.
        let span = pad / 2..wide - pad / 2;
        let n = span.len();
        for y in pad..height + pad + course.rows / 2 + 1 {
            let step = course.shift(y as isize) - course.shift(y as isize - 1);
            let fall = course.shift(y as isize) - course.shift(y as isize - course.rows as isize);
            let (above, here) = self.sums.split_at_mut(y * wide);
            let at = |from: isize| (span.start as isize - from) as usize;
            let before = &above[(y - 1) * wide + at(step)..][..n];
            let leaving = &self.padded[(y - course.rows) * wide + at(fall)..][..n];
            let entering = &self.padded[y * wide + span.start..][..n];
            let out = &mut here[span.start..][..n];
            for x in 0..n {
                out[x] = before[x] + entering[x] - leaving[x];
            }
        }
    }

    /// Median of a course's responses, and the factor to [`SCORE_UNIT`] in 1 / 65536, both robust against real lines.
    fn noise_of(&mut self, course: Course, width: usize, height: usize, pad: usize) -> (i16, i16) {
        let wide = width + 2 * pad;
        self.samples.clear();
        for y in (pad + course.rows..pad + height).step_by(7) {
            let row = &self.sums[y * wide..][..wide];
            for x in (pad + course.rows..(pad + width).saturating_sub(course.rows)).step_by(5) {
                let (left, right) = (row[x - course.aside], row[x + course.aside]);
                let strength = (row[x] - left.max(right)).max(left.min(right) - row[x]);
                // Exact zeros are the masked part of the picture, not noise.
                if row[x] != 0 || left != 0 || right != 0 {
                    self.samples.push(strength);
                }
            }
        }
        if self.samples.len() < 64 {
            return (0, 0);
        }
        let n = self.samples.len();
        let middle = *self.samples.select_nth_unstable(n / 2).1;
        let upper = *self.samples.select_nth_unstable(n * 4 / 5).1;
        // A Gaussian has its 80th percentile 0.8416 deviations above its median.
        let sigma = (f32::from(upper - middle) / 0.841_6).max(2.0);
        (middle, (f32::from(SCORE_UNIT) / sigma * 65_536.0).min(32_767.0) as i16)
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
        kind: 2 * direction as i16,
    }
}

/// Turns rows into columns, in blocks that stay in the cache.
fn transpose(src: &[i16], width: usize, dst: &mut Vec<i16>) {
    const BLOCK: usize = 32;
    let height = src.len().checked_div(width).unwrap_or(0);
    dst.resize(src.len(), 0);
    for top in (0..height).step_by(BLOCK) {
        for left in (0..width).step_by(BLOCK) {
            for x in left..(left + BLOCK).min(width) {
                for y in top..(top + BLOCK).min(height) {
                    dst[x * height + y] = src[y * width + x];
                }
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
        fn running_sums_are_the_sums_along_the_line(
            seed in any::<u64>(), w in 1..40usize, h in 1..40usize, direction in 4..13usize, length in 5.0..12.0f32,
        ) {
            let values = noise(seed, w * h);
            let bank = LineBank { directions: 16, length, aside: 2.0 };
            let (course, pad) = (course(bank, direction, false), 2 * length.ceil() as usize);
            let mut map = LineMap::default();
            map.pad(&values, w, pad);
            map.sum_along(course, w, h, pad);
            let at = |x: isize, y: isize| {
                let inside = x >= 0 && y >= 0 && (x as usize) < w && (y as usize) < h;
                if inside { values[y as usize * w + x as usize] } else { 0 }
            };
            for y in 0..h {
                for x in 0..w {
                    let padded = (y + pad) as isize;
                    let plain: i16 = (0..course.rows as isize).map(|k| {
                        at(x as isize + course.shift(padded - k) - course.shift(padded), y as isize - k)
                    }).sum();
                    prop_assert_eq!(map.sums[(y + pad) * (w + 2 * pad) + x + pad], plain, "at {}, {}", x, y);
                }
            }
        }

        #[test]
        fn a_line_is_found_in_its_direction(seed in any::<u64>(), angle in 0.0..180.0f32, dark in any::<bool>()) {
            let (w, h) = (120usize, 110usize);
            let mut values = noise(seed, w * h);
            let (sin, cos) = angle.to_radians().sin_cos();
            for t in -80..=80 {
                let (x, y) = (60.0 + t as f32 * 0.5 * cos, 55.0 + t as f32 * 0.5 * sin);
                values[y.round() as usize * w + x.round() as usize] = if dark { -96 } else { 96 };
            }
            let bank = LineBank { directions: 28, length: 23.0, aside: 3.0 };
            let mut map = LineMap::default();
            map.look(&values, w, bank);
            let middle = 55 * w + 60;
            prop_assert!(map.score[middle] > 8 * SCORE_UNIT, "score {}", map.score[middle]);
            prop_assert_eq!(map.kind[middle] % 2 == 1, dark);
            let found = f32::from(map.kind[middle] / 2) * 180.0 / 28.0;
            let off = (found - angle).abs();
            prop_assert!(off.min(180.0 - off) < 10.0, "{found} for {angle}");
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

    #[test]
    fn a_step_is_no_line() {
        let (w, h) = (120, 110);
        let mut values = noise(5, w * h);
        for row in values.chunks_exact_mut(w) {
            row[60..].iter_mut().for_each(|v| *v = (*v + 60).min(127));
        }
        let mut map = LineMap::default();
        map.look(&values, w, LineBank { directions: 28, length: 23.0, aside: 3.0 });
        let strongest = (30..80).flat_map(|y| (40..80).map(move |x| y * w + x)).map(|i| map.score[i]).max().unwrap();
        assert!(strongest < 7 * SCORE_UNIT, "{strongest}");
    }
}
