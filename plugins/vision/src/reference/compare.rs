//! How far a capture is off a model, cell by cell: beyond what the model's neighbouring cells span, so that an outline a
//! pixel off is no deviation, and in units of the larger of the model's spread and the capture's own noise.

use super::{Model, Part, UNIT, UNKNOWN, deviation, median, radius_of};

/// Noise of the capture is measured in rings so wide, in cells.
const RING: u16 = 4;
/// A ring counts as at most so many times as noisy as its part: a ring full of dirt is not noise.
const RING_LIMIT: f32 = 2.5;
/// Cells below which a ring has its part's noise.
const RING_CELLS: usize = 40;
/// Least noise in gray levels.
const LEAST_GRAY: f32 = 0.35;
/// Standard deviation of an outline's place beyond the tolerance, as a share of what neighbouring cells span.
const OF_SLOPE: f32 = 0.25;

/// A model made ready for comparing, and the answer of the last comparison. Keeps its buffers.
#[derive(Debug, Clone)]
pub struct Comparer {
    model: Model,
    /// Least and largest median within the tolerance, for one and for two cells.
    bands: [Band; 2],
    /// Largest spread of the neighbourhood.
    spread: Vec<i16>,
    /// Ring and part of each cell.
    places: Vec<(u16, Part)>,
    rings: Vec<Vec<f32>>,
    /// Gray levels beyond the model's band, signed; 0 where nothing is known.
    pub gray: Vec<f32>,
    /// The same in standard deviations.
    pub sigma: Vec<f32>,
}

#[derive(Debug, Clone, Default)]
struct Band {
    low: Vec<i16>,
    high: Vec<i16>,
}

impl Comparer {
    #[must_use]
    pub fn new(model: Model) -> Self {
        let side = model.layout.side();
        let band = |from: &Band| {
            let low = neighbourhood(&from.low, side, |a, b| if b == UNKNOWN { a } else { a.min(b) });
            Band { low, high: neighbourhood(&from.high, side, i16::max) }
        };
        let one = band(&Band { low: model.median.clone(), high: model.median.clone() });
        let two = band(&one);
        let spread = neighbourhood(&model.spread, side, i16::max);
        let place = |place| {
            let radius = radius_of(place);
            ((radius * f64::from(model.layout.cells)) as u16 / RING, Part::at(radius, model.core_ratio))
        };
        let places = model.layout.places().map(place).collect();
        Self { model, bands: [one, two], spread, places, rings: Vec::new(), gray: Vec::new(), sigma: Vec::new() }
    }

    #[must_use]
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// Compares an aligned capture, which is put into the model's light. `cell_px` is a cell's side in pixels.
    pub fn compare(&mut self, aligned: &mut [i16], cell_px: f64) {
        self.model.relight(aligned);
        self.measure_rings(aligned);
        // A pixel of tolerance, at least a cell.
        let band = &self.bands[usize::from(cell_px < 0.7)];
        let Self { spread, places, rings, gray, sigma, .. } = self;
        gray.clear();
        sigma.clear();
        for (cell, value) in aligned.iter().enumerate() {
            if *value == UNKNOWN {
                gray.push(0.0);
                sigma.push(0.0);
                continue;
            }
            let (low, high) = (band.low[cell], band.high[cell]);
            let beyond =
                f32::from((*value).saturating_sub(high).max(0)) + f32::from((*value).saturating_sub(low).min(0));
            let noise = rings.get(usize::from(places[cell].0)).and_then(|ring| ring.first()).copied().unwrap_or(0.0);
            let noise = noise.max(f32::from(spread[cell])).max(LEAST_GRAY * UNIT);
            let noise = noise.hypot(OF_SLOPE * (f32::from(high) - f32::from(low)));
            gray.push(beyond / UNIT);
            sigma.push(beyond / noise);
        }
    }

    /// The capture's noise a ring, left as the ring's only value.
    fn measure_rings(&mut self, aligned: &[i16]) {
        let Self { model, places, rings, .. } = self;
        rings.iter_mut().for_each(Vec::clear);
        let mut parts: [Vec<f32>; 3] = Default::default();
        for (cell, (value, middle)) in aligned.iter().zip(&model.median).enumerate() {
            if *value == UNKNOWN {
                continue;
            }
            let (ring, part) = (usize::from(places[cell].0), places[cell].1);
            let off = f32::from(*value) - f32::from(*middle);
            if rings.len() <= ring {
                rings.resize_with(ring + 1, Vec::new);
            }
            rings[ring].push(off);
            parts[part as usize].push(off);
        }
        let usual = parts.map(|mut part| deviation(&mut part, 0.0));
        for (number, ring) in rings.iter_mut().enumerate() {
            let radius = (number as f64 + 0.5) * f64::from(RING) / f64::from(model.layout.cells);
            let usual = usual[Part::at(radius, model.core_ratio) as usize];
            let own = if ring.len() < RING_CELLS {
                usual
            } else {
                let middle = median(ring);
                deviation(ring, middle).min(RING_LIMIT * usual)
            };
            ring.clear();
            ring.push(own);
        }
    }
}

/// `pick` over a cell and its eight neighbours; the plane's border repeats. Cells that are [`UNKNOWN`] stay so.
fn neighbourhood(plane: &[i16], side: usize, pick: impl Fn(i16, i16) -> i16) -> Vec<i16> {
    let around = |cell: usize| {
        let (x, y) = (cell % side, cell / side);
        if plane[cell] == UNKNOWN {
            return UNKNOWN;
        }
        let mut best = plane[cell];
        for v in y.saturating_sub(1)..(y + 2).min(side) {
            for u in x.saturating_sub(1)..(x + 2).min(side) {
                best = pick(best, plane[v * side + u]);
            }
        }
        best
    };
    (0..plane.len()).map(around).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Layout;

    const LAYOUT: Layout = Layout { cells: 40 };

    fn face(shift: f64, spot: f64) -> Vec<i16> {
        let side = LAYOUT.side();
        let cell = |cell: usize| {
            let (u, v) = LAYOUT.place(cell);
            let edge = 1.0 / (1.0 + ((u.hypot(v) - 1.0 - shift) * 40.0 / 0.7).exp());
            let spot = if (u + 0.5).hypot(v) < 0.08 { spot } else { 0.0 };
            // A texture that stands for noise, the same each time.
            let noise = ((cell * 7919) % 13) as f64 / 6.0 - 1.0;
            ((170.0 - 90.0 * edge + spot + noise) * f64::from(UNIT)) as i16
        };
        (0..side * side).map(cell).collect()
    }

    fn comparer() -> Comparer {
        let median = face(0.0, 0.0);
        let spread = vec![UNIT as i16; median.len()];
        Comparer::new(Model { layout: LAYOUT, core_ratio: None, captures: 9, median, spread })
    }

    #[test]
    fn an_outline_a_pixel_off_is_no_deviation_and_a_spot_is_one() {
        let mut comparer = comparer();
        for shift in [-1.0, 0.0, 1.0] {
            comparer.compare(&mut face(shift / 40.0, 0.0), 1.0);
            let worst = comparer.sigma.iter().fold(0.0, |worst: f32, sigma| worst.max(sigma.abs()));
            assert!(worst < 3.0, "{worst} for a shift of {shift}");
        }
        comparer.compare(&mut face(0.0, -12.0), 1.0);
        let spot = LAYOUT.cell((-0.5, 0.0)).unwrap();
        assert!(comparer.sigma[spot] < -6.0 && comparer.gray[spot] < -8.0);
    }

    #[test]
    fn what_is_unknown_does_not_deviate() {
        let mut comparer = comparer();
        let mut capture = face(0.0, 0.0);
        capture[100] = UNKNOWN;
        comparer.compare(&mut capture, 1.0);
        assert_eq!((comparer.sigma[100], comparer.gray[100]), (0.0, 0.0));
    }
}
