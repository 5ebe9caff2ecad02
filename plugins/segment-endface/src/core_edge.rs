//! The core: the step between two plateaus inside the cladding, of either sign, or nothing.
//!
//! A line that rises and falls again is not a step, nor is a slope; and a step that does not stand out from its own
//! uncertainty is not claimed: a wrong core is worse than none.

use std::ops::Range;

use ferrule_vision::{
    ellipse::Ellipse,
    outline_fit::{EdgePoint, Freedom, OutlineFitter},
    plane::Gray,
    polar::{PolarGrid, PolarPatch},
};

use crate::slopes::{Slopes, parabola_peak, quantile};

/// The core that was found.
#[derive(Debug, Clone, Copy)]
pub struct Core {
    pub outline: Ellipse,
    /// Gray levels from the cladding up to the core; negative for a dark core.
    pub contrast: f64,
    pub confidence: f64,
}

/// What is asked of a core.
#[derive(Debug, Clone, Copy)]
pub struct CoreRules {
    /// Least contrast in gray levels.
    pub least_contrast: f64,
    /// Expected radius relative to the cladding's, where the fibre's type is known.
    pub expected: Option<f64>,
    /// Where the glass ends, relative to the cladding's radius: 1, or less where glue shows.
    pub glass: f64,
}

const RAYS: usize = 360;
const SECTORS: usize = 24;
/// Radii searched, relative to the cladding's. 9 um in 125 um is 0.072.
const SMALLEST: f64 = 0.035;
const LARGEST: f64 = 0.93;
/// The rim bends the profile this far inward: a share of the radius, within these limits in pixels.
const RIM: (f64, f64, f64) = (0.035, 2.0, 5.0);
/// Gray levels a step needs where there is little room for the cladding's level outside of it.
const CRAMPED_STEP: f64 = 6.0;
/// From this radius on a strong step may be the glass's own edge beside wide glue: a fainter one inside is the core then.
const NEAR_RIM: f64 = 0.8;
/// A core's edge rises by its step within this share of the cladding's radius (3.3 px at 145), or its strength counts as
/// what it rises by there: the bend of a cladding toward its rim is no edge.
const SHARP: f64 = 0.0225;
/// A line overshoots the level behind it by more than this share of the step to that level. Measured on photographs: a
/// decoy ring by 0.8 to 2.4, the edge of a core in a camera that sharpens by 0.6, to both sides.
const LINE: f64 = 0.7;
/// Half width of the edge itself, in pixels: between the plateaus.
const EDGE_PX: f64 = 2.0;

/// A candidate edge in the mean profile.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    column: usize,
    /// Radius relative to the cladding's.
    scale: f64,
    /// Gray levels from inside to outside.
    step: f64,
    /// Standard error of the step over the sectors.
    error: f64,
    /// Share of the sectors that agree.
    agreement: f64,
    /// Gray levels that count: the step, or less where it is not sharp.
    strength: f64,
}

/// Searches; keeps its buffers.
#[derive(Debug, Default)]
pub struct CoreFinder {
    /// Pixels from sample to sample along a ray: fine for small claddings, whose cores are a few pixels.
    step_px: f64,
    patch: PolarPatch,
    slopes: Slopes,
    /// Sector means: `SECTORS` rows of `steps`, and their prefix sums with one more column.
    sectors: Vec<f32>,
    sums: Vec<f64>,
    profile: Vec<f64>,
    slope: Vec<f64>,
    candidates: Vec<Candidate>,
    points: Vec<EdgePoint>,
    strengths: Vec<f32>,
    fitter: OutlineFitter,
}

impl CoreFinder {
    /// The core inside this cladding, or `None` where none can be told.
    pub fn find(&mut self, picture: Gray<'_>, cladding: &Ellipse, rules: &CoreRules) -> Option<Core> {
        let radius = cladding.mean_radius();
        self.step_px = (radius / 160.0).clamp(0.5, 1.0);
        let grid = PolarGrid::between(0.0, 0.97, self.step_px, cladding, RAYS);
        self.patch.resample(picture, cladding, grid);
        self.average(grid.steps);
        self.list_candidates(&grid, radius, rules);
        // A step whose edge no outline fits (a bend of a dome, a mode's ring) makes way for the next one.
        for _ in 0..3 {
            let (chosen, rival) = self.choose(rules)?;
            if let Some(core) = self.refine(cladding, &grid, &chosen) {
                return Some(Core { confidence: core.confidence * (1.0 - 0.5 * rival), ..core });
            }
            self.candidates.retain(|c| c.column != chosen.column);
        }
        None
    }

    /// Sector means, their prefix sums, and the median profile over the sectors with its slope.
    fn average(&mut self, steps: usize) {
        let per_sector = RAYS / SECTORS;
        self.sectors.clear();
        self.sectors.resize(SECTORS * steps, 0.0);
        self.sums.clear();
        for (sector, out) in self.sectors.chunks_exact_mut(steps).enumerate() {
            for ray in sector * per_sector..(sector + 1) * per_sector {
                out.iter_mut().zip(self.patch.ray(ray)).for_each(|(o, s)| *o += s / per_sector as f32);
            }
            let mut sum = 0.0;
            self.sums.push(0.0);
            self.sums.extend(out.iter().map(|&v| {
                sum += f64::from(v);
                sum
            }));
        }
        self.profile.clear();
        for j in 0..steps {
            let mut column = [0.0f32; SECTORS];
            (0..SECTORS).for_each(|sector| column[sector] = self.sectors[sector * steps + j]);
            column.sort_unstable_by(f32::total_cmp);
            // Mean of the middle half: dirt in some sectors does not move it, and it is smoother than the median.
            let middle = &column[SECTORS / 4..SECTORS - SECTORS / 4];
            self.profile.push(f64::from(middle.iter().sum::<f32>()) / middle.len() as f64);
        }
        // A derivative of a Gaussian of 1.2 px.
        let sigma = 1.2 / self.step_px;
        let half = (3.0 * sigma) as isize;
        let weight = |i: isize| i as f64 * (-0.5 * (i as f64 / sigma).powi(2)).exp();
        let ramp: f64 = (-half..=half).map(|i| i as f64 * weight(i)).sum();
        self.slope.clear();
        self.slope.extend((0..steps as isize).map(|j| {
            let at = |i: isize| self.profile[(j + i).clamp(0, steps as isize - 1) as usize];
            (-half..=half).map(|i| weight(i) * at(i)).sum::<f64>() / ramp
        }));
    }

    fn list_candidates(&mut self, grid: &PolarGrid, radius: f64, rules: &CoreRules) {
        let px = |pixels: f64| pixels / self.step_px;
        let (low, high) = match rules.expected {
            Some(ratio) => (0.75 * ratio, 1.25 * ratio),
            None => (SMALLEST, LARGEST),
        };
        let edge = px(EDGE_PX) as usize;
        self.candidates.clear();
        for j in 2..grid.steps.saturating_sub(2) {
            let s = grid.radius(j as f64);
            let g = self.slope[j].abs();
            let peak = g >= self.slope[j - 1].abs() && g > self.slope[j + 1].abs();
            if s < low.max(3.0 / radius) || s > high.min(LARGEST) || !peak {
                continue;
            }
            // Plateaus: wide against a thin ring, but not beyond the centre or the cladding's own edge.
            let wide = px((0.09 * radius).max(4.0)) as usize;
            let inner = wide.min(j.saturating_sub(edge)).max(1);
            let rim = (RIM.0 * radius).clamp(RIM.1, RIM.2);
            let room = (px(rules.glass * radius - rim).max(0.0) as usize).saturating_sub(j + edge);
            // Two and a half pixels between two edges still show a level, if a dim one.
            let outer = wide.min(room).max(px(2.5) as usize);
            let Some(mut candidate) = self.step_at(j, edge, inner, outer, grid.steps) else { continue };
            if 5 * outer < 3 * wide && candidate.step.abs() < CRAMPED_STEP {
                // What lies outside may be the bend toward the rim rather than the cladding's level.
                continue;
            }
            candidate.scale = s;
            candidate.strength = candidate.step.abs().min(px(SHARP * radius) * g) * candidate.agreement;
            let (inside, outside) = (j - edge - inner..j - edge, j + edge + 1..j + edge + 1 + outer);
            if !self.is_line(&candidate, inside, outside, px((0.12 * radius).max(6.0)) as usize) {
                self.candidates.push(candidate);
            }
        }
    }

    /// The step over the sectors: both plateaus and a nearer pair must agree, so that a slope is not taken for a step.
    fn step_at(&self, j: usize, edge: usize, inner: usize, outer: usize, steps: usize) -> Option<Candidate> {
        if j < edge + inner || j + edge + outer >= steps {
            return None;
        }
        let near = (3.0 / self.step_px) as usize;
        let mut values = [0.0f64; SECTORS];
        for (sector, value) in values.iter_mut().enumerate() {
            let sums = &self.sums[sector * (steps + 1)..(sector + 1) * (steps + 1)];
            let mean = |from: usize, to: usize| (sums[to] - sums[from]) / (to - from) as f64;
            let wide = mean(j + edge + 1, j + edge + 1 + outer) - mean(j - edge - inner, j - edge);
            let close = mean(j + edge + 1, j + edge + 1 + near.min(outer)) - mean(j - edge - near.min(inner), j - edge);
            *value = if wide * close <= 0.0 {
                0.0
            } else if wide.abs() < close.abs() {
                wide
            } else {
                close
            };
        }
        values.sort_unstable_by(f64::total_cmp);
        let middle = &values[SECTORS / 4..SECTORS - SECTORS / 4];
        let step = middle.iter().sum::<f64>() / middle.len() as f64;
        // Quartile distance to standard deviation, then to the mean's standard error.
        let error = (values[SECTORS * 3 / 4] - values[SECTORS / 4]) / 1.349 / (SECTORS as f64).sqrt();
        let agreeing = values.iter().filter(|&&v| v * step > 0.0 && v.abs() > 0.25 * step.abs()).count();
        let agreement = agreeing as f64 / SECTORS as f64;
        Some(Candidate { column: j, scale: 0.0, step, error, agreement, strength: 0.0 })
    }

    /// True for the flank of a thin ring: it overshoots by far more than the levels on both sides differ, or its
    /// counterpart of similar steepness lies near.
    fn is_line(&self, candidate: &Candidate, inner: Range<usize>, outer: Range<usize>, reach: usize) -> bool {
        let (j, sign) = (candidate.column, candidate.step.signum());
        let outer_end = outer.end;
        let mean = |range: Range<usize>| {
            let n = range.len().max(1) as f64;
            self.profile[range].iter().map(|v| v * sign).sum::<f64>() / n
        };
        // Means leave out the edge itself, extremes begin at it.
        let below = self.profile[inner.start..=j].iter().map(|v| v * sign).fold(f64::INFINITY, f64::min);
        let above = self.profile[j..outer_end].iter().map(|v| v * sign).fold(f64::NEG_INFINITY, f64::max);
        let overshoot = (above - mean(outer)).max(mean(inner) - below);
        let here = self.slope[j];
        // Not as far as the cladding's own edge.
        let near = &self.slope[j.saturating_sub(reach)..(j + reach + 1).min(outer_end)];
        let counterpart = near.iter().any(|&other| other * here < 0.0 && other.abs() > 0.6 * here.abs());
        overshoot > LINE * candidate.step.abs() || counterpart
    }

    /// The strongest step, and how strong the next one is beside it.
    fn choose(&self, rules: &CoreRules) -> Option<(Candidate, f64)> {
        let credible =
            |c: &&Candidate| c.strength >= rules.least_contrast && c.step.abs() > 4.0 * c.error && c.agreement >= 0.7;
        let strongest = |a: &&Candidate, b: &&Candidate| a.strength.total_cmp(&b.strength);
        let mut best = self.candidates.iter().filter(credible).max_by(strongest)?;
        if best.scale > NEAR_RIM {
            let inner = |c: &&Candidate| {
                c.scale < 0.9 * best.scale && c.strength > (0.2 * best.strength).max(4.0) && c.agreement > 0.95
            };
            best = self.candidates.iter().filter(inner).max_by(strongest).unwrap_or(best);
        }
        // The same edge may have several peaks; a rival lies elsewhere.
        let elsewhere = |c: &&Candidate| (c.scale / best.scale - 1.0).abs() > 0.1;
        let rival = self.candidates.iter().filter(elsewhere).map(|c| c.strength).fold(0.0, f64::max);
        Some((*best, (rival / best.strength).min(1.0)))
    }

    /// The outline through the edge of each ray, rays averaged the more the fainter the edge is.
    fn refine(&mut self, cladding: &Ellipse, grid: &PolarGrid, chosen: &Candidate) -> Option<Core> {
        let contrast = chosen.step.abs();
        let sign = chosen.step.signum() as f32;
        let (spread, sigma, freedom) = if contrast > 12.0 {
            (2, 1.3, Freedom::Shape)
        } else if contrast > 5.0 {
            (7, 1.8, Freedom::Place)
        } else {
            (15, 2.0, Freedom::Place)
        };
        self.slopes.take(&self.patch, sigma / self.step_px, spread);
        let start = cladding.scaled(grid.radius(chosen.column as f64));
        let mut outline = start;
        let mut spread_px = 0.0;
        let mut share = 0.0;
        for reach_px in [7.0, 4.0] {
            let reach = reach_px / self.step_px;
            self.points.clear();
            self.strengths.clear();
            let gauge = outline.gauge();
            for (ray, (dx, dy)) in cladding.offsets(RAYS).enumerate() {
                // Where this ray meets the outline found so far: the outline is nearly concentric.
                let s = grid.radius(chosen.column as f64);
                let ratio = gauge.radius_at(cladding.cx + dx * s, cladding.cy + dy * s).max(1e-3);
                let middle = chosen.column as f64 / ratio;
                let slopes = self.slopes.ray(ray);
                let from = ((middle - reach).max(1.0)) as usize;
                let to = ((middle + reach) as usize).min(slopes.len().saturating_sub(2));
                let best = (from..=to).max_by(|&a, &b| (slopes[a] * sign).total_cmp(&(slopes[b] * sign)));
                let Some(j) = best else { continue };
                let peak = slopes[j] * sign >= slopes[j - 1] * sign && slopes[j] * sign >= slopes[j + 1] * sign;
                if !peak || slopes[j] * sign <= 0.0 {
                    continue;
                }
                let s = grid.radius(j as f64 + parabola_peak(slopes[j - 1], slopes[j], slopes[j + 1]));
                self.points.push(EdgePoint { x: cladding.cx + dx * s, y: cladding.cy + dy * s, weight: 1.0 });
                self.strengths.push(slopes[j] * sign);
            }
            let mut sorted = std::mem::take(&mut self.strengths);
            let usual = quantile(&mut sorted, 0.5);
            self.strengths = sorted;
            if usual <= 0.0 {
                return None;
            }
            let fit = self.fitter.fit(&self.points, &outline, freedom, 0.3)?;
            outline = fit.outline;
            spread_px = fit.spread_px;
            share = fit.inlier_share * self.points.len() as f64 / RAYS as f64;
        }
        let aspect = (outline.ax / outline.by) / (cladding.ax / cladding.by);
        let size = outline.mean_radius() / start.mean_radius();
        if !(0.85..1.18).contains(&aspect) || !(0.75..1.33).contains(&size) {
            return None;
        }
        let clarity = 1.0 - (-chosen.strength / 3.0).exp();
        let tightness = (-(spread_px - 0.3).max(0.0) / 3.0).exp();
        let confidence = (clarity * tightness * chosen.agreement * share.min(1.0).sqrt()).clamp(0.0, 1.0);
        Some(Core { outline, contrast: -chosen.step, confidence })
    }
}
