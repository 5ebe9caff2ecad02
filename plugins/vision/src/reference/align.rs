//! A capture laid on a model's grid: area means of its pixels, a little smoothed, so that a cell's value says as much about
//! noise on every capture and half a pixel of misfit costs little.

use super::{Layout, UNIT, UNKNOWN, frame::Frame};
use crate::smooth::{gaussian_taps, smooth_plane};

/// Standard deviation of the smoothing, in cells.
const SMOOTHING: f32 = 0.8;
/// Most samples a cell and side: a cell of a coarser grid is the mean of its pixels.
const MOST_SAMPLES: usize = 8;

/// A gray picture and which of its pixels belong to the end face, both without padding.
#[derive(Debug, Clone, Copy)]
pub struct Capture<'a> {
    pub gray: &'a [u8],
    /// Not 0 where a pixel counts.
    pub usable: &'a [u8],
    pub width: usize,
}

impl Capture<'_> {
    /// The gray level between pixels; `None` where one of the four does not count.
    fn at(&self, x: f64, y: f64) -> Option<f32> {
        let (left, top) = (x.floor(), y.floor());
        if left < 0.0 || top < 0.0 || left + 1.0 >= self.width as f64 {
            return None;
        }
        let index = top as usize * self.width + left as usize;
        let (below, (right, down)) = (index + self.width, ((x - left) as f32, (y - top) as f32));
        let last = below + 1;
        if last >= self.gray.len() || last >= self.usable.len() {
            return None;
        }
        if [index, index + 1, below, last].iter().any(|i| self.usable[*i] == 0) {
            return None;
        }
        let gray = |i: usize| f32::from(self.gray[i]);
        let upper = gray(index) * (1.0 - right) + gray(index + 1) * right;
        let lower = gray(below) * (1.0 - right) + gray(last) * right;
        Some(upper * (1.0 - down) + lower * down)
    }
}

/// Buffers for one capture after the other.
#[derive(Debug, Clone, Default)]
pub struct Aligner {
    values: Vec<f32>,
    known: Vec<f32>,
    buffer: Vec<f32>,
}

impl Aligner {
    /// The capture on the grid in 1 / [`UNIT`] gray levels; [`UNKNOWN`] where it does not reach, or nearly.
    pub fn align(&mut self, capture: Capture<'_>, frame: &Frame, layout: Layout, aligned: &mut Vec<i16>) {
        let side = layout.side();
        self.values.clear();
        self.known.clear();
        let samples = ((frame.radius_px() / f64::from(layout.cells)).round() as usize).clamp(1, MOST_SAMPLES);
        let step = 1.0 / (f64::from(layout.cells) * samples as f64);
        let [along, across] = frame.steps().map(|(x, y)| (x * step, y * step));
        let half = (samples as f64 - 1.0) / 2.0;
        for place in layout.places() {
            let (x, y) = frame.to_picture(place);
            let mut sum = Some(0.0);
            for i in 0..samples * samples {
                let (a, b) = ((i % samples) as f64 - half, (i / samples) as f64 - half);
                let value = capture.at(x + a * along.0 + b * across.0, y + a * along.1 + b * across.1);
                sum = sum.zip(value).map(|(sum, value)| sum + value);
            }
            self.values.push(sum.map_or(0.0, |sum| sum / (samples * samples) as f32));
            self.known.push(if sum.is_some() { 1.0 } else { 0.0 });
        }
        let taps = gaussian_taps(SMOOTHING);
        smooth_plane(&mut self.values, side, &taps, &mut self.buffer);
        // Usually the capture reaches everywhere.
        if self.known.contains(&0.0) {
            smooth_plane(&mut self.known, side, &taps, &mut self.buffer);
        }
        aligned.clear();
        let whole = self.values.iter().zip(&self.known);
        aligned
            .extend(whole.map(|(value, known)| if *known > 0.999 { (value * UNIT).round() as i16 } else { UNKNOWN }));
    }
}
