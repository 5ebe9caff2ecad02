//! The square that a network looks at: which part of a picture, and at what scale. Round fibres stay round.
//!
//! The same function cuts pictures for training and for judging, so that a network sees in both what it learned from.
//! Called by core, which fills the feed, and by the plug-ins on libtorch.

use crate::ellipse::Ellipse;

/// Model files name it; counted up when a network would see another square of the same picture, so that one that learned
/// from the former kind is refused and not believed.
pub const MODEL_FORMAT: u32 = 2;

/// A square of `side` pixels over a picture. The middle of its pixel (u, v) lies at source
/// `(left + (u + 0.5) * step_x - 0.5, top + (v + 0.5) * step_y - 0.5)`. It may reach beyond the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    pub side: usize,
    pub left: f64,
    pub top: f64,
    /// Source pixels a pixel of the square.
    pub step_x: f64,
    pub step_y: f64,
}

/// What of a picture is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Part {
    Whole,
    /// The fibre, with so many cladding radii from its middle to the square's edge.
    Fibre {
        margin: f64,
    },
}

/// What a square shows beyond the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// The edge goes on.
    Edge,
    /// That level.
    Level(u8),
}

/// A share of the square's pixel that a defect must cover to count there: thin scratches would be lost to a half.
const COVERED: f64 = 0.35;

impl Frame {
    /// The square over that part of a picture. Pixels are as wide for their height as `aspect` says, else as a round
    /// fibre shows, else square. `None` where a fibre is wanted and there is none.
    #[must_use]
    pub fn of(
        part: Part,
        side: usize,
        (width, height): (usize, usize),
        aspect: Option<f64>,
        cladding: Option<&Ellipse>,
    ) -> Option<Self> {
        match part {
            Part::Fibre { margin } => cladding.map(|cladding| Self::fibre(cladding, margin, side)),
            Part::Whole => {
                let aspect = aspect.or_else(|| cladding.map(|cladding| cladding.by / cladding.ax)).unwrap_or(1.0);
                Some(Self::whole(width, height, aspect, side))
            }
        }
    }

    /// The whole picture, its longer side (as seen, not as stored) filling the square. `aspect` is the width of a pixel
    /// divided by its height.
    #[must_use]
    pub fn whole(width: usize, height: usize, aspect: f64, side: usize) -> Self {
        let seen = (width as f64 * aspect).max(height as f64);
        let step_y = seen / side as f64;
        Self::around(width as f64 / 2.0, height as f64 / 2.0, step_y / aspect, step_y, side)
    }

    /// A fibre with `margin` cladding radii from its middle to the square's edge.
    #[must_use]
    pub fn fibre(cladding: &Ellipse, margin: f64, side: usize) -> Self {
        let step = 2.0 * margin / side as f64;
        Self::around(cladding.cx + 0.5, cladding.cy + 0.5, step * cladding.ax, step * cladding.by, side)
    }

    /// A patch of the picture as it is, around the middle of pixel (x, y).
    #[must_use]
    pub fn patch(x: f64, y: f64, side: usize) -> Self {
        Self::around(x + 0.5, y + 0.5, 1.0, 1.0, side)
    }

    fn around(x: f64, y: f64, step_x: f64, step_y: f64, side: usize) -> Self {
        let half = side as f64 / 2.0;
        Self { side, left: x - half * step_x, top: y - half * step_y, step_x, step_y }
    }

    /// The picture inside the square: the mean of what each of its pixels covers where it shrinks, bilinear where it
    /// grows. `gray` has `width` pixels a row.
    #[must_use]
    pub fn cut(&self, gray: &[u8], width: usize, beyond: Beyond) -> Vec<u8> {
        let height = gray.len().checked_div(width).unwrap_or(0);
        if height == 0 {
            return vec![0; self.side * self.side];
        }
        let columns = self.weights(self.left, self.step_x, width, beyond == Beyond::Edge);
        let rows = self.weights(self.top, self.step_y, height, beyond == Beyond::Edge);
        let around = if let Beyond::Level(level) = beyond { f32::from(level) } else { 0.0 };
        let mut out = vec![0; self.side * self.side];
        let mut line = vec![0.0_f32; self.side];
        let mut sums = vec![0.0_f32; self.side];
        // The last source row that was gathered, for neighbours share it when the picture grows.
        let mut gathered = usize::MAX;
        for (row, out) in rows.iter().zip(out.chunks_exact_mut(self.side)) {
            sums.fill(around);
            for (y, share) in row {
                if *y != gathered {
                    gather(&gray[y * width..][..width], &columns, around, &mut line);
                    gathered = *y;
                }
                sums.iter_mut().zip(&line).for_each(|(sum, value)| *sum += share * value);
            }
            out.iter_mut().zip(&sums).for_each(|(out, sum)| *out = (sum + 0.5) as u8);
        }
        out
    }

    /// Classes inside the square: the one (not 0) that covers most of a pixel, if all together cover enough of it.
    #[must_use]
    pub fn cut_classes(&self, classes: &[u8], width: usize) -> Vec<u8> {
        let height = classes.len().checked_div(width).unwrap_or(0);
        if height == 0 {
            return vec![0; self.side * self.side];
        }
        // A defect at the picture's edge does not go on beyond it.
        let columns = self.weights(self.left, self.step_x, width, false);
        let rows = self.weights(self.top, self.step_y, height, false);
        let mut out = vec![0; self.side * self.side];
        for (row, out) in rows.iter().zip(out.chunks_exact_mut(self.side)) {
            let touched = row.iter().any(|(y, _)| classes[y * width..][..width].iter().any(|class| *class != 0));
            if !touched {
                continue;
            }
            for (column, out) in columns.iter().zip(out) {
                let mut shares = [0.0_f32; 256];
                for (y, tall) in row {
                    for (x, wide) in column {
                        shares[usize::from(classes[y * width + x])] += tall * wide;
                    }
                }
                let best = (1..256).max_by(|a, b| shares[*a].total_cmp(&shares[*b])).unwrap_or(0);
                if f64::from(shares[1..].iter().sum::<f32>()) >= COVERED {
                    *out = best as u8;
                }
            }
        }
        out
    }

    /// The place in the square of a source pixel's middle.
    #[must_use]
    pub fn place_of(&self, x: f64, y: f64) -> (f64, f64) {
        ((x + 0.5 - self.left) / self.step_x - 0.5, (y + 0.5 - self.top) / self.step_y - 0.5)
    }

    /// Values of the square back in the picture's pixels, bilinear; 0 outside of the square.
    #[must_use]
    pub fn spread(&self, values: &[f32], width: usize, height: usize) -> Vec<f32> {
        let side = self.side;
        let mut out = vec![0.0; width * height];
        if values.len() != side * side || side == 0 {
            return out;
        }
        let last = side as f64 - 1.0;
        let inside = -0.5..=last + 0.5;
        for (y, out) in out.chunks_exact_mut(width.max(1)).enumerate() {
            for (x, out) in out.iter_mut().enumerate() {
                let (u, v) = self.place_of(x as f64, y as f64);
                if !inside.contains(&u) || !inside.contains(&v) {
                    continue;
                }
                let (u, v) = (u.clamp(0.0, last), v.clamp(0.0, last));
                let (left, top) = (u as usize, v as usize);
                let (right, below) = ((left + 1).min(side - 1), (top + 1).min(side - 1));
                let (fu, fv) = ((u - left as f64) as f32, (v - top as f64) as f32);
                let at = |x: usize, y: usize| values[y * side + x];
                let above = at(left, top) + fu * (at(right, top) - at(left, top));
                let under = at(left, below) + fu * (at(right, below) - at(left, below));
                *out = above + fv * (under - above);
            }
        }
        out
    }

    /// For each pixel of the square along one axis the source pixels under it, with shares that sum to 1; less where part
    /// of it lies beyond the picture, unless the edge `goes_on`.
    fn weights(&self, start: f64, step: f64, count: usize, goes_on: bool) -> Vec<Vec<(usize, f32)>> {
        let last = count as i64 - 1;
        let mut all = Vec::with_capacity(self.side);
        for pixel in 0..self.side {
            let mut shares: Vec<(usize, f32)> = Vec::new();
            let mut add = |index: i64, share: f64| {
                if !goes_on && !(0..=last).contains(&index) {
                    return;
                }
                let index = index.clamp(0, last) as usize;
                match shares.last_mut() {
                    Some((last, sum)) if *last == index => *sum += share as f32,
                    _ => shares.push((index, share as f32)),
                }
            };
            if step > 1.0 {
                let (low, high) = (start + pixel as f64 * step, start + (pixel + 1) as f64 * step);
                let mut at = low;
                while at < high {
                    let next = (at.floor() + 1.0).min(high);
                    add(at.floor() as i64, (next - at) / step);
                    at = next;
                }
            } else {
                let at = start + (pixel as f64 + 0.5) * step - 0.5;
                let share = at - at.floor();
                add(at.floor() as i64, 1.0 - share);
                if share > 0.0 {
                    add(at.floor() as i64 + 1, share);
                }
            }
            all.push(shares);
        }
        all
    }
}

/// One row of the picture at the square's columns, relative to what is `around` the picture.
fn gather(row: &[u8], columns: &[Vec<(usize, f32)>], around: f32, line: &mut [f32]) {
    for (value, column) in line.iter_mut().zip(columns) {
        *value = column.iter().map(|(x, share)| share * (f32::from(row[*x]) - around)).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_square_picture_of_the_right_size_is_itself() {
        let gray: Vec<u8> = (0..64).map(|v| v * 3).collect();
        let frame = Frame::whole(8, 8, 1.0, 8);
        assert_eq!(frame.cut(&gray, 8, Beyond::Edge), gray);
        assert_eq!(frame.cut_classes(&gray, 8), gray);
    }

    #[test]
    fn halving_takes_the_mean_of_four() {
        let gray = [0, 100, 10, 10, 100, 200, 10, 10, 1, 1, 0, 0, 1, 1, 0, 0];
        assert_eq!(Frame::whole(4, 4, 1.0, 2).cut(&gray, 4, Beyond::Edge), [100, 10, 1, 0]);
    }

    #[test]
    fn beyond_the_picture_its_edge_goes_on_or_there_is_nothing() {
        let frame = Frame::whole(4, 2, 1.0, 4);
        let gray = [50, 60, 70, 80, 90, 100, 110, 120];
        assert_eq!(frame.cut(&gray, 4, Beyond::Edge)[..4], gray[..4]);
        let cut = frame.cut(&gray, 4, Beyond::Level(7));
        assert_eq!((&cut[..4], &cut[4..12], &cut[12..]), (&[7; 4][..], &gray[..], &[7; 4][..]));
        assert_eq!(frame.cut_classes(&[1; 8], 4), [[0; 4], [1; 4], [1; 4], [0; 4]].concat());
    }

    #[test]
    fn a_round_fibre_on_pixels_that_are_not_square_is_round_in_the_square() {
        let cladding = Ellipse { cx: 180.0, cy: 140.0, ax: 65.0, by: 60.0, angle_deg: 0.0 };
        for frame in [Frame::fibre(&cladding, 1.5, 96), Frame::whole(360, 288, 60.0 / 65.0, 96)] {
            let (right, _) = frame.place_of(180.0 + 65.0, 140.0);
            let (left, _) = frame.place_of(180.0 - 65.0, 140.0);
            let (_, below) = frame.place_of(180.0, 140.0 + 60.0);
            let (_, above) = frame.place_of(180.0, 140.0 - 60.0);
            assert!(((right - left) - (below - above)).abs() < 1e-9);
        }
    }

    #[test]
    fn what_is_spread_comes_back_where_it_was_cut_from() {
        let (width, height) = (90, 60);
        let mut classes = vec![0; width * height];
        for y in 20..30 {
            for x in 50..62 {
                classes[y * width + x] = 3;
            }
        }
        let frame = Frame::whole(width, height, 1.0, 64);
        let cut = frame.cut_classes(&classes, width);
        let values: Vec<f32> = cut.iter().map(|class| f32::from(u8::from(*class == 3))).collect();
        let back = frame.spread(&values, width, height);
        let differing = back.iter().zip(&classes).filter(|(value, class)| (**value >= 0.5) != (**class == 3)).count();
        assert!(differing <= 44, "{differing} pixels: more than a rim of the 120");
    }

    #[test]
    fn a_thin_scratch_survives_a_smaller_square() {
        let mut classes = vec![0; 512 * 512];
        (0..512).for_each(|x| classes[200 * 512 + x] = 1);
        let cut = Frame::whole(512, 512, 1.0, 256).cut_classes(&classes, 512);
        assert_eq!(cut.iter().filter(|class| **class == 1).count(), 256);
    }
}
