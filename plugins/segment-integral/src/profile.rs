//! The gray level by distance from the middle, sector by sector: which closed outlines surround a place.
//!
//! What lies in some directions only (a scratch, dirt, a film's texture) does not agree with the others and is no outline.
//! Called with the reduced picture to find the cladding, and with the full one, inside the cladding, to find the core.

use ferrule_vision::{
    ellipse::Ellipse,
    plane::Plane,
    polar::{PolarGrid, PolarPatch},
};

/// A closed outline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ring {
    /// Size relative to the ellipse that the profile was taken around.
    pub scale: f64,
    /// Gray levels from inside to outside.
    pub step: f64,
    /// Standard error of the step over the sectors.
    pub error: f64,
    /// Share of the sectors in the picture that agree.
    pub agreement: f64,
    /// Share of the sectors that lie in the picture.
    pub visible: f64,
}

/// What is read.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Relative to the ellipse.
    pub from: f64,
    pub to: f64,
    pub step_px: f64,
    /// Width of the two sides of a step: a share of the radius there, within these limits in pixels.
    pub side: f64,
    pub least_px: f64,
    pub most_px: f64,
    /// Half width of the edge itself, which belongs to neither side.
    pub edge_px: f64,
}

const RAYS: usize = 96;
const SECTORS: usize = 16;
/// A closed outline lies in the picture, and agrees, in at least these shares of the sectors.
const LEAST_VISIBLE: f64 = 0.5;
const LEAST_AGREEMENT: f64 = 0.74;

/// Reads profiles; keeps its buffers.
#[derive(Debug, Default)]
pub struct Profile {
    patch: PolarPatch,
    /// Prefix sums: `SECTORS` rows of `steps + 1`.
    sums: Vec<f32>,
    reach: Vec<usize>,
    steps: Vec<Ring>,
}

impl Profile {
    /// Lists the closed outlines in a span, from the inside out.
    pub fn rings<T: Copy + Into<f32>>(
        &mut self,
        picture: Plane<'_, T>,
        around: &Ellipse,
        span: &Span,
        found: &mut Vec<Ring>,
    ) {
        found.clear();
        let radius = around.mean_radius();
        let grid = PolarGrid::between(span.from, span.to, span.step_px, around, RAYS);
        self.patch.resample(picture, around, grid);
        self.add_up(grid.steps);
        let px = |pixels: f64| ((pixels / span.step_px).round() as usize).max(1);
        let edge = (span.edge_px / span.step_px) as usize;
        self.steps.clear();
        for j in 0..grid.steps {
            let scale = grid.radius(j as f64);
            let side = px((span.side * scale * radius).clamp(span.least_px, span.most_px));
            self.steps.push(self.step(j, edge, side, grid.steps, scale));
        }
        for (j, here) in self.steps.iter().enumerate() {
            let near = &self.steps[j.saturating_sub(2)..(j + 3).min(self.steps.len())];
            let highest = near.iter().all(|other| other.step * here.step.signum() <= here.step.abs());
            if highest && here.step != 0.0 && here.agreement >= LEAST_AGREEMENT && here.visible >= LEAST_VISIBLE {
                found.push(*here);
            }
        }
        // Equal neighbours are one outline.
        found.dedup_by(|a, b| (a.scale - b.scale) * radius < 2.5 * span.step_px);
    }

    fn add_up(&mut self, steps: usize) {
        let per_sector = RAYS / SECTORS;
        self.sums.clear();
        self.reach.clear();
        for sector in 0..SECTORS {
            let rays = sector * per_sector..(sector + 1) * per_sector;
            self.reach.push(rays.clone().map(|ray| self.patch.inside(ray)).min().unwrap_or(0));
            let mut sum = 0.0;
            self.sums.push(0.0);
            for j in 0..steps {
                sum += rays.clone().map(|ray| self.patch.ray(ray)[j]).sum::<f32>() / per_sector as f32;
                self.sums.push(sum);
            }
        }
    }

    fn step(&self, j: usize, edge: usize, side: usize, steps: usize, scale: f64) -> Ring {
        let none = Ring { scale, step: 0.0, error: 0.0, agreement: 0.0, visible: 0.0 };
        let side_in = side.min(j.saturating_sub(edge));
        if side_in == 0 || j + edge + side >= steps {
            return none;
        }
        let (mut values, mut n) = ([0.0f32; SECTORS], 0);
        for (sums, &reach) in self.sums.chunks_exact(steps + 1).zip(&self.reach) {
            if reach > j + edge + side {
                let mean = |from: usize, count: usize| (sums[from + count] - sums[from]) / count as f32;
                values[n] = mean(j + edge + 1, side) - mean(j - edge - side_in, side_in);
                n += 1;
            }
        }
        if n < 4 {
            return none;
        }
        let values = &mut values[..n];
        values.sort_unstable_by(f32::total_cmp);
        let middle = values[n / 2];
        let agreeing = values.iter().filter(|v| **v * middle > 0.0 && v.abs() >= 0.3 * middle.abs()).count();
        // Distance of the quartiles to standard deviation, then to the mean's standard error.
        let error = f64::from(values[3 * n / 4] - values[n / 4]) / 1.349 / (n as f64).sqrt();
        let agreement = agreeing as f64 / n as f64;
        Ring { scale, step: f64::from(middle), error, agreement, visible: n as f64 / SECTORS as f64 }
    }
}
