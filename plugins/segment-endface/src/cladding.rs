//! The cladding's outer edge to a fraction of a pixel, on the full picture.
//!
//! Every ray names the outermost strong edge of the right polarity; a robust ellipse goes through them. Where a film or
//! heavy dirt leaves single rays without a say, rays are averaged first and the shape is held. Also finds the glass's own
//! edge where glue shows between glass and ferrule.

use ferrule_vision::{
    ellipse::Ellipse,
    outline_fit::{EdgePoint, Freedom, OutlineFit, OutlineFitter},
    plane::Gray,
    polar::{PolarGrid, PolarPatch},
};

use crate::slopes::{Slopes, parabola_peak, quantile};

/// The refined outline.
#[derive(Debug, Clone, Copy)]
pub struct Cladding {
    pub outline: Ellipse,
    /// Robust standard deviation of the edge about it, in pixels.
    pub spread_px: f64,
    /// Share of the directions in which an edge lies on it.
    pub coverage: f64,
    /// True where averaged rays and a held shape were needed.
    pub held: bool,
}

/// How rays are read in one pass.
#[derive(Debug, Clone, Copy)]
struct Pass {
    /// The window, in shares of the radius and at least in pixels to each side.
    inward: f64,
    outward: f64,
    least_px: f64,
    step_px: f64,
    sigma_px: f64,
    /// Degrees over which rays are averaged.
    average_deg: f64,
    /// An edge counts from this share of the strongest on its ray; the outermost one is taken.
    share: f32,
    freedom: Freedom,
}

const RAYS: usize = 360;
const WIDE: Pass = Pass {
    inward: 0.16,
    outward: 0.2,
    least_px: 8.0,
    step_px: 1.0,
    sigma_px: 1.6,
    average_deg: 2.0,
    share: 0.45,
    freedom: Freedom::Shape,
};
const FINE: Pass =
    Pass { inward: 0.07, outward: 0.07, least_px: 7.0, step_px: 0.5, sigma_px: 1.3, average_deg: 1.0, ..WIDE };
const HELD: Pass =
    Pass { inward: 0.14, outward: 0.14, sigma_px: 4.0, average_deg: 30.0, share: 0.8, freedom: Freedom::Place, ..WIDE };

/// Refines; keeps its buffers.
#[derive(Debug, Default)]
pub struct CladdingFinder {
    patch: PolarPatch,
    slopes: Slopes,
    points: Vec<EdgePoint>,
    strengths: Vec<f32>,
    scratch: Vec<f32>,
    fitter: OutlineFitter,
}

impl CladdingFinder {
    /// `sign` is +1 where the ferrule is brighter than the cladding, else -1.
    pub fn refine(&mut self, picture: Gray<'_>, coarse: &Ellipse, sign: f32) -> Option<Cladding> {
        let free = self.passes(picture, coarse, sign, &[WIDE, FINE]);
        // A good rim scatters by a pixel at most. More, or too few believers: look again with averaged rays.
        let doubtful = |c: &Cladding| c.coverage < 0.5 || c.spread_px > (0.012 * c.outline.mean_radius()).max(1.5);
        match free {
            Some(cladding) if !doubtful(&cladding) => Some(cladding),
            _ => {
                let better = |held: &Cladding| free.is_none_or(|f| held.coverage > f.coverage + 0.1);
                self.refine_held(picture, coarse, sign).filter(better).or(free)
            }
        }
    }

    /// Refines place and size alone, from rays averaged widely.
    pub fn refine_held(&mut self, picture: Gray<'_>, shape: &Ellipse, sign: f32) -> Option<Cladding> {
        self.passes(picture, shape, sign, &[HELD, HELD]).map(|c| Cladding { held: true, ..c })
    }

    fn passes(&mut self, picture: Gray<'_>, coarse: &Ellipse, sign: f32, passes: &[Pass]) -> Option<Cladding> {
        let mut outline = *coarse;
        let mut last = None;
        for pass in passes {
            let fit = self.pass(picture, &outline, sign, pass)?;
            let (size, aspect) = (fit.outline.mean_radius() / outline.mean_radius(), fit.outline.ax / fit.outline.by);
            if !(0.8..1.25).contains(&size) || !(0.7..1.4).contains(&aspect) {
                return None;
            }
            outline = fit.outline;
            last = Some(fit);
        }
        let fit = last?;
        let radius = outline.mean_radius();
        // An averaged ray under a film still sees the film; what counts there is that the rim is everywhere.
        let share = if passes.iter().any(|pass| pass.freedom == Freedom::Place) { 0.03 } else { 0.01 };
        let tolerance = (share * radius).max(0.9) / radius;
        let gauge = outline.gauge();
        let on = self.points.iter().filter(|p| (gauge.radius_at(p.x, p.y) - 1.0).abs() < tolerance && p.weight > 0.0);
        let coverage = on.count() as f64 / RAYS as f64;
        Some(Cladding { outline, spread_px: fit.spread_px, coverage, held: false })
    }

    fn pass(&mut self, picture: Gray<'_>, outline: &Ellipse, sign: f32, pass: &Pass) -> Option<OutlineFit> {
        let radius = outline.mean_radius();
        let ends = 3.0 * pass.sigma_px / radius;
        let inward = pass.inward.max(pass.least_px / radius) + ends;
        let outward = pass.outward.max(pass.least_px / radius) + ends;
        let grid = PolarGrid::between((1.0 - inward).max(0.05), 1.0 + outward, pass.step_px, outline, RAYS);
        self.patch.resample(picture, outline, grid);
        let spread = (pass.average_deg * RAYS as f64 / 720.0).round() as usize;
        self.slopes.take(&self.patch, pass.sigma_px / pass.step_px, spread);
        self.points.clear();
        self.strengths.clear();
        for (ray, (dx, dy)) in outline.offsets(RAYS).enumerate() {
            let slopes = self.slopes.ray(ray);
            let top = slopes.iter().fold(0.0f32, |top, &s| top.max(s * sign));
            let threshold = pass.share * top;
            let outermost = (1..slopes.len().saturating_sub(1)).rev().find(|&j| {
                let here = slopes[j] * sign;
                here > 0.0 && here >= threshold && here >= slopes[j - 1] * sign && here > slopes[j + 1] * sign
            });
            let Some(j) = outermost else { continue };
            let at = j as f64 + parabola_peak(slopes[j - 1], slopes[j], slopes[j + 1]);
            let s = grid.radius(at);
            self.points.push(EdgePoint { x: outline.cx + dx * s, y: outline.cy + dy * s, weight: 1.0 });
            self.strengths.push(slopes[j] * sign);
        }
        self.scratch.clone_from(&self.strengths);
        let usual = quantile(&mut self.scratch, 0.5);
        for (point, strength) in self.points.iter_mut().zip(&self.strengths) {
            // Rays on which nothing rises are silent; beyond that strength says little about place.
            point.weight = if *strength < 0.25 * usual { 0.0 } else { f64::from((strength / usual).min(1.0)) };
        }
        self.fitter.fit(&self.points, outline, pass.freedom, 0.3)
    }

    /// The glass's edge inside the cladding's, where glue shows as a line between them.
    pub fn glass(&mut self, picture: Gray<'_>, cladding: &Ellipse, sign: f32) -> Option<Ellipse> {
        /// The gap is 2 to 12 pixels wide; nearer edges cannot be told apart.
        const NEAREST_PX: f64 = 2.0;
        const FARTHEST_PX: f64 = 12.0;
        let radius = cladding.mean_radius();
        let (sigma, step) = (1.0, 0.5);
        let first = 1.0 - ((FARTHEST_PX + 3.0 * sigma) / radius).min(0.3);
        let grid = PolarGrid::between(first, 1.0 + (2.0 + 3.0 * sigma) / radius, step, cladding, RAYS);
        self.patch.resample(picture, cladding, grid);
        self.slopes.take(&self.patch, sigma / step, 3);
        self.points.clear();
        for (ray, (dx, dy)) in cladding.offsets(RAYS).enumerate() {
            let slopes = self.slopes.ray(ray);
            let rim = slopes.iter().fold(0.0f32, |top, &s| top.max(s * sign));
            let mut best: Option<(usize, f32)> = None;
            for j in 1..slopes.len().saturating_sub(1) {
                let gap = (1.0 - grid.radius(j as f64)) * radius;
                let here = slopes[j] * sign;
                let peak = here >= slopes[j - 1] * sign && here > slopes[j + 1] * sign;
                if (NEAREST_PX..=FARTHEST_PX).contains(&gap)
                    && peak
                    && here > 0.2 * rim
                    && best.is_none_or(|b| here > b.1)
                {
                    best = Some((j, here));
                }
            }
            let Some((j, _)) = best else { continue };
            let s = grid.radius(j as f64 + parabola_peak(slopes[j - 1], slopes[j], slopes[j + 1]));
            self.points.push(EdgePoint { x: cladding.cx + dx * s, y: cladding.cy + dy * s, weight: 1.0 });
        }
        if self.points.len() < RAYS / 2 {
            return None;
        }
        let fit = self.fitter.fit(&self.points, cladding, Freedom::Place, 0.3)?;
        (fit.inlier_share > 0.6 && fit.spread_px < 1.2).then_some(fit.outline)
    }
}
