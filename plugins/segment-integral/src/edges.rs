//! One edge a ray, to a fraction of a pixel, and the outline that most of them agree on.
//!
//! A ray's edge is where the means on both sides of it differ most. Rays may be averaged with their neighbours first,
//! for sight under a film or in noise. Called for the cladding and the core, from coarse to fine.

use ferrule_vision::{
    direct_fit::{ConsensusFit, Shape, consensus},
    ellipse::Ellipse,
    plane::Plane,
    polar::{PolarGrid, PolarPatch},
};

/// How rays are read.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Looked at to both sides of the outline, in pixels.
    pub reach_px: f64,
    pub step_px: f64,
    /// Width of the means on both sides of an edge.
    pub side_px: f64,
    /// Neighbours on each side that a ray is averaged with.
    pub average: usize,
    /// The outermost edge of at least this share of the ray's strongest is taken.
    pub share: f32,
    /// Distance from the outline within which an edge agrees.
    pub tolerance_px: f64,
}

pub const RAYS: usize = 240;

/// Reads edges; keeps its buffers.
#[derive(Debug, Default)]
pub struct EdgeReader {
    patch: PolarPatch,
    ray: Vec<f32>,
    sums: Vec<f32>,
    jumps: Vec<f32>,
    points: Vec<(f64, f64)>,
    strengths: Vec<f32>,
    sorted: Vec<f32>,
    /// Median over the rays of the last outline's jump, in gray levels.
    usual: f32,
}

impl EdgeReader {
    /// Gray levels by which the outline read last jumps within the means on its two sides.
    pub const fn jump(&self) -> f64 {
        self.usual as f64
    }

    /// The outline near `start` along which the picture rises (`sign` 1) or falls (-1) outward.
    pub fn outline<T: Copy + Into<f32>>(
        &mut self,
        picture: Plane<'_, T>,
        start: &Ellipse,
        sign: f32,
        shape: Shape,
        reading: &Reading,
    ) -> Option<ConsensusFit> {
        let radius = start.mean_radius();
        let reach = (reading.reach_px + reading.side_px) / radius;
        let grid = PolarGrid::between((1.0 - reach).max(0.0), 1.0 + reach, reading.step_px, start, RAYS);
        self.patch.resample(picture, start, grid);
        let side = ((reading.side_px / reading.step_px).round() as usize).max(1);
        self.points.clear();
        self.strengths.clear();
        for (ray, (dx, dy)) in start.offsets(RAYS).enumerate() {
            let Some((at, strength)) = self.edge(ray, side, sign, reading) else { continue };
            let s = grid.radius(at);
            self.points.push((start.cx + dx * s, start.cy + dy * s));
            self.strengths.push(strength);
        }
        // Rays on which hardly anything rises have no say.
        self.sorted.clone_from(&self.strengths);
        self.sorted.sort_unstable_by(f32::total_cmp);
        self.usual = *self.sorted.get(self.sorted.len() / 2)?;
        let usual = self.usual;
        let mut strengths = self.strengths.iter();
        self.points.retain(|_| strengths.next().is_some_and(|strength| *strength > 0.25 * usual));
        let fit = consensus(&self.points, shape, reading.tolerance_px)?;
        let (size, aspect) = (fit.outline.mean_radius() / radius, fit.outline.ax / fit.outline.by);
        let sound = (0.75..1.33).contains(&size) && (0.7..1.4).contains(&aspect);
        // Of all directions, those in which nothing was seen included.
        let seen = self.points.len() as f64 / RAYS as f64;
        sound.then_some(ConsensusFit { inlier_share: fit.inlier_share * seen, ..fit })
    }

    /// The edge of one ray: its column and the gray levels that it rises by.
    fn edge(&mut self, ray: usize, side: usize, sign: f32, reading: &Reading) -> Option<(f64, f32)> {
        let end = self.patch.inside(ray);
        if end < 2 * side + 3 {
            return None;
        }
        self.ray.clear();
        self.ray.extend_from_slice(&self.patch.ray(ray)[..end]);
        for apart in 1..=reading.average {
            for other in [(ray + apart) % RAYS, (ray + RAYS - apart) % RAYS] {
                self.ray.iter_mut().zip(self.patch.ray(other)).for_each(|(sum, sample)| *sum += sample);
            }
        }
        self.sums.clear();
        self.sums.push(0.0);
        let mut sum = 0.0;
        self.sums.extend(self.ray.iter().map(|sample| {
            sum += sample;
            sum
        }));
        let scale = sign / (side * (2 * reading.average + 1)) as f32;
        let sums = &self.sums;
        self.jumps.clear();
        // The sample itself is the edge and belongs to neither side.
        let jump = |j: usize| (sums[j + side + 1] - sums[j + 1] - (sums[j] - sums[j - side])) * scale;
        self.jumps.extend((side..end - side).map(jump));
        let strongest = self.jumps.iter().copied().fold(0.0f32, f32::max);
        let at = (1..self.jumps.len().saturating_sub(1)).rev().find(|&j| {
            let here = self.jumps[j];
            here > 0.0 && here >= reading.share * strongest && here >= self.jumps[j - 1] && here > self.jumps[j + 1]
        })?;
        let (left, middle, right) = (self.jumps[at - 1], self.jumps[at], self.jumps[at + 1]);
        let bend = left - 2.0 * middle + right;
        let peak = if bend < -1e-6 { f64::from(0.5 * (left - right) / bend).clamp(-0.5, 0.5) } else { 0.0 };
        Some(((at + side) as f64 + peak, middle))
    }
}
