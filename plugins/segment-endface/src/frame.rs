//! The part of a picture that the microscope exposed: black bars at the margins of a camera's frame are left out.
//!
//! Bars end in a step; the falloff of the illumination does not, and is kept. Called first, before anything is searched.

use ferrule_vision::plane::Gray;

/// Columns `x0..x1`, rows `y0..y1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    pub x0: usize,
    pub y0: usize,
    pub x1: usize,
    pub y1: usize,
}

impl Frame {
    pub const fn width(&self) -> usize {
        self.x1 - self.x0
    }

    pub const fn height(&self) -> usize {
        self.y1 - self.y0
    }

    pub fn shorter_side(&self) -> usize {
        self.width().min(self.height())
    }
}

/// A bar is darker than this share of the picture's usual level.
const BAR_LEVEL: f32 = 0.55;
/// A bar may take this share of a side at each end (a 4:3 picture in a 16:9 frame has 12.5 %).
const WIDEST_BAR: f32 = 0.2;
/// Rows or columns looked at for each profile.
const SAMPLES: usize = 48;

/// Finds the exposed part. Keeps its buffers.
#[derive(Debug, Default)]
pub struct FrameFinder {
    profile: Vec<f32>,
    sorted: Vec<f32>,
}

impl FrameFinder {
    pub fn find(&mut self, picture: Gray<'_>) -> Frame {
        let (width, height) = (picture.width(), picture.height());
        // The middle half across, so that the other two bars stay out of a profile.
        self.profile.clear();
        self.profile.resize(width, 0.0);
        for i in 0..SAMPLES {
            let y = height / 4 + i * (height / 2) / SAMPLES;
            for (sum, &sample) in self.profile.iter_mut().zip(picture.row(y)) {
                *sum += f32::from(sample);
            }
        }
        let (x0, x1) = self.exposed();
        self.profile.clear();
        self.profile.extend((0..height).map(|y| {
            let row = picture.row(y);
            (0..SAMPLES).map(|i| f32::from(row[width / 4 + i * (width / 2) / SAMPLES])).sum::<f32>()
        }));
        let (y0, y1) = self.exposed();
        Frame { x0, y0, x1, y1 }
    }

    /// First and end of the exposed part of the profile.
    fn exposed(&mut self) -> (usize, usize) {
        self.sorted.clone_from(&self.profile);
        let middle = self.sorted.len() / 2;
        let level = *self.sorted.select_nth_unstable_by(middle, f32::total_cmp).1;
        let first = bar(self.profile.iter().copied(), self.profile.len(), level);
        let last = bar(self.profile.iter().rev().copied(), self.profile.len(), level);
        (first, self.profile.len() - last)
    }
}

/// Samples that a bar at the beginning of this profile takes, its soft edge included; 0 without a bar.
fn bar(profile: impl Iterator<Item = f32> + Clone, length: usize, level: f32) -> usize {
    /// Over this many samples a bar's edge is complete.
    const EDGE: usize = 6;
    let longest = (length as f32 * WIDEST_BAR) as usize;
    // A level of one gray step is a black picture: nothing can be told apart.
    if level < SAMPLES as f32 || length < 4 * EDGE {
        return 0;
    }
    // Frames carry stray lines; the bar ends behind the last dark sample near the margin, not before the first bright one.
    let near = (length / 12).min(longest);
    let Some(dark) = profile.clone().take(near.max(1)).collect_last_below(BAR_LEVEL * level) else { return 0 };
    let dark =
        dark + profile.clone().skip(dark).take(longest).take_while(|&v| v < BAR_LEVEL * level).count().max(1) - 1;
    if dark + EDGE + 1 >= longest {
        return 0;
    }
    let before = profile.clone().take(dark + 1).fold(0.0, |sum, v| sum + v) / (dark + 1) as f32;
    let behind = profile.clone().nth(dark + EDGE).unwrap_or(0.0);
    if behind < 1.5 * before + SAMPLES as f32 { 0 } else { dark + EDGE - 1 }
}

/// The place of the last value below a limit.
trait CollectLastBelow {
    fn collect_last_below(self, limit: f32) -> Option<usize>;
}

impl<I: Iterator<Item = f32>> CollectLastBelow for I {
    fn collect_last_below(self, limit: f32) -> Option<usize> {
        self.enumerate().filter(|&(_, v)| v < limit).map(|(i, _)| i).last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferrule_vision::plane::Plane;

    fn painted(width: usize, height: usize, gray: impl Fn(usize, usize) -> u8) -> Frame {
        let pixels: Vec<u8> = (0..width * height).map(|i| gray(i % width, i / width)).collect();
        FrameFinder::default().find(Plane::new(&pixels, width, height, width).unwrap())
    }

    #[test]
    fn black_bars_are_left_out_within_a_soft_edge() {
        let frame = painted(360, 288, |x, y| if (12..345).contains(&x) && y >= 10 { 120 } else { 14 });
        assert!((12..18).contains(&frame.x0) && (340..=345).contains(&frame.x1), "{frame:?}");
        assert!((10..16).contains(&frame.y0) && frame.y1 == 288, "{frame:?}");
    }

    #[test]
    fn falloff_and_flat_pictures_keep_everything() {
        let whole = Frame { x0: 0, y0: 0, x1: 400, y1: 300 };
        let falloff = |x: usize, y: usize| {
            let r2 = (x as f32 - 200.0).powi(2) / 40_000.0 + (y as f32 - 150.0).powi(2) / 22_500.0;
            (150.0 * (1.0 - 0.42 * r2).max(0.1)) as u8
        };
        assert_eq!(painted(400, 300, falloff), whole);
        for level in [0, 1, 90, 255] {
            assert_eq!(painted(400, 300, |_, _| level), whole);
        }
    }

    #[test]
    fn a_bar_in_a_nearly_black_picture_is_found() {
        let frame = painted(400, 300, |x, _| if x < 20 { 0 } else { 9 });
        assert!((20..26).contains(&frame.x0), "{frame:?}");
    }
}
