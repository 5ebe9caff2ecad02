//! Robust sub-pixel fit of an ellipse to edge points.
//!
//! Gauss-Newton in the frame of the current outline, where a small change of an ellipse is exactly a Fourier series of
//! order two in the angle. First least absolute residuals, which have one minimum only, then Tukey's biweight (Beaton and
//! Tukey 1974), so that chips, scratches and dirt on the rim lose their say. Never looks at pixels. Called by the segmenter.

use multiversion::multiversion;

use crate::{cholesky, ellipse::Ellipse};

/// Where an edge was seen, and how much it counts before its residual is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EdgePoint {
    pub x: f64,
    pub y: f64,
    pub weight: f64,
}

/// How much of the start may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freedom {
    /// Size alone.
    Size = 1,
    /// Size and centre; the axes' ratio and direction stay.
    Place = 3,
    /// All five.
    Shape = 5,
}

/// A fitted outline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutlineFit {
    pub outline: Ellipse,
    /// Robust standard deviation of the points' radial residuals, in pixels.
    pub spread_px: f64,
    /// Share of the points' weight that the fit believes.
    pub inlier_share: f64,
}

/// Fits outlines; keeps its buffers.
#[derive(Debug, Default)]
pub struct OutlineFitter {
    residuals: Vec<f64>,
    scratch: Vec<f64>,
}

/// Where a point loses its last say, in robust standard deviations (4.685 would be 95 % efficient on normal residuals;
/// lower gives a rim's damage less time to pull).
const TUKEY: f64 = 4.0;
/// Least absolute residuals, then a biweight that narrows, then one as wide as the residuals ask for; at most so many
/// rounds each.
const PHASES: [(Phase, usize); 3] = [(Phase::Absolute, 6), (Phase::Narrowing, 10), (Phase::Free, 6)];
/// A round that moves the outline by less than this has settled its phase.
const SETTLED_PX: f64 = 2e-3;
/// Narrowing stops where it would disbelieve more than this of the points.
const LEAST_BELIEVED: f64 = 0.5;
/// The quantile of absolute residuals that sets the scale, and what it is for a standard normal. Below the median, so
/// that two fifths of the points may be wrong together without widening the scale to include them.
const QUANTILE: f64 = 0.35;
const NORMAL_QUANTILE: f64 = 0.453_8;

impl OutlineFitter {
    /// Fits, from `start`, with residual scales below `floor_px` taken as `floor_px` (the noise of a good edge).
    /// `None` where the points do not determine an outline.
    #[must_use]
    pub fn fit(
        &mut self,
        points: &[EdgePoint],
        start: &Ellipse,
        freedom: Freedom,
        floor_px: f64,
    ) -> Option<OutlineFit> {
        let total: f64 = points.iter().map(|p| p.weight).sum();
        let used = points.iter().filter(|p| p.weight > 0.0).count();
        if used < 2 * freedom as usize || !start.is_sound() {
            return None;
        }
        let mut outline = *start;
        let mut fit = None;
        let (mut end, mut believed, mut spread) = (f64::MAX, total, floor_px);
        for (phase, rounds) in PHASES {
            for round in 0..rounds {
                // The coarse unknowns settle first; a free shape would bend toward outliers while the centre is off.
                let freedom = match (phase, round) {
                    (Phase::Absolute, 0) => Freedom::Size,
                    (Phase::Absolute, 1) => freedom.min(Freedom::Place),
                    _ => freedom,
                };
                measure_residuals(points, &outline, &mut self.residuals);
                let loss = match phase {
                    Phase::Absolute => Loss::Absolute(floor_px),
                    Phase::Narrowing => {
                        if round == 0 {
                            spread = self.spread(points).max(floor_px);
                        }
                        if believed > LEAST_BELIEVED * total {
                            end = (0.75 * end).clamp(TUKEY * floor_px, TUKEY * spread);
                        }
                        Loss::Biweight(end)
                    }
                    Phase::Free => {
                        spread = self.spread(points).max(floor_px);
                        Loss::Biweight(TUKEY * spread)
                    }
                };
                let system;
                (system, believed) = weigh(points, &self.residuals, &outline, loss);
                let delta = solve(system, freedom as usize)?;
                outline = moved(&outline, &delta)?;
                fit = Some(OutlineFit { outline, spread_px: spread, inlier_share: believed / total });
                let settled = delta.iter().all(|d| d.abs() * outline.mean_radius() < SETTLED_PX);
                let narrow = phase != Phase::Narrowing || end <= TUKEY * floor_px.max(0.5 * spread);
                if round >= 2 && settled && narrow {
                    break;
                }
            }
        }
        let fit = fit?;
        Some(OutlineFit { outline: fit.outline.upright(), ..fit })
    }

    /// Robust standard deviation of the residuals about the outline.
    fn spread(&mut self, points: &[EdgePoint]) -> f64 {
        let used = |(p, r): (&EdgePoint, &f64)| (p.weight > 0.0).then_some(r.abs());
        self.scratch.clear();
        self.scratch.extend(points.iter().zip(&self.residuals).filter_map(used));
        quantile(&mut self.scratch, QUANTILE) / NORMAL_QUANTILE
    }
}

/// Points added up side by side, so that a vector unit has something to do.
const LANES: usize = 8;

/// The normal equations of one round, and the weight it believes.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn weigh(points: &[EdgePoint], residuals: &[f64], outline: &Ellipse, loss: Loss) -> (System, f64) {
    let inverse = 1.0 / outline.mean_radius();
    let frame = Frame::of(outline);
    let (mut matrix, mut right, mut believed) = ([[[0.0; LANES]; 5]; 5], [[0.0; LANES]; 5], [0.0; LANES]);
    for (points, residuals) in points.chunks(LANES).zip(residuals.chunks(LANES)) {
        // Lanes without a point keep the weight 0.
        let (mut dx, mut dy, mut weights, mut off) = ([0.0; LANES], [0.0; LANES], [0.0; LANES], [0.0; LANES]);
        for (lane, (p, residual)) in points.iter().zip(residuals).enumerate() {
            (dx[lane], dy[lane]) = (p.x - outline.cx, p.y - outline.cy);
            (weights[lane], off[lane]) = (p.weight.max(0.0), *residual);
        }
        match loss {
            Loss::Absolute(floor) => {
                for lane in 0..LANES {
                    weights[lane] *= floor / off[lane].abs().max(floor);
                }
            }
            Loss::Biweight(end) => {
                for lane in 0..LANES {
                    let u = off[lane] * (1.0 / end);
                    let rest = (1.0 - u * u).max(0.0);
                    weights[lane] *= rest * rest;
                }
            }
        }
        let mut rows = [[1.0; LANES]; 5];
        for lane in 0..LANES {
            let (c, s) = frame.direction(dx[lane], dy[lane]);
            (rows[1][lane], rows[2][lane]) = (c, s);
            (rows[3][lane], rows[4][lane]) = (c * c - s * s, 2.0 * c * s);
        }
        for lane in 0..LANES {
            believed[lane] += weights[lane];
        }
        // All five, whatever is free, and the lower triangle alone: loops of fixed length are unrolled.
        for i in 0..5 {
            let mut weighted = rows[i];
            for lane in 0..LANES {
                weighted[lane] *= weights[lane];
                right[i][lane] += weighted[lane] * off[lane] * inverse;
            }
            for j in 0..=i {
                for lane in 0..LANES {
                    matrix[i][j][lane] += weighted[lane] * rows[j][lane];
                }
            }
        }
    }
    let sum = |lanes: &[f64; LANES]| lanes.iter().sum::<f64>();
    let mut system = System::default();
    for i in 0..5 {
        system.right[i] = sum(&right[i]);
        for (told, lanes) in system.matrix[i].iter_mut().zip(&matrix[i]).take(i + 1) {
            *told = sum(lanes);
        }
    }
    (system, sum(&believed))
}

/// Radial residuals in pixels.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn measure_residuals(points: &[EdgePoint], outline: &Ellipse, residuals: &mut Vec<f64>) {
    let (radius, gauge) = (outline.mean_radius(), outline.gauge());
    residuals.resize(points.len(), 0.0);
    for (residual, p) in residuals.iter_mut().zip(points) {
        *residual = (gauge.radius_at(p.x, p.y) - 1.0) * radius;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Absolute,
    Narrowing,
    Free,
}

/// How a residual costs; both give the weight of the least squares that they amount to.
#[derive(Clone, Copy)]
enum Loss {
    /// Least absolute residuals, rounded off below this many pixels: `floor / |r|`.
    Absolute(f64),
    /// The biweight that ends at this many pixels: `(1 - (r / end)²)²`.
    Biweight(f64),
}

/// The normal equations; of the matrix the lower triangle.
#[derive(Default)]
struct System {
    matrix: [[f64; 5]; 5],
    right: [f64; 5],
}

/// The leading `n` unknowns, with a ridge that matters only where points leave a direction open.
fn solve(system: System, n: usize) -> Option<[f64; 5]> {
    let System { mut matrix, right } = system;
    let ridge = 1e-6 * matrix[0][0];
    matrix.iter_mut().enumerate().for_each(|(i, row)| row[i] += ridge);
    cholesky::solve(matrix, right, n)
}

/// The outline's affine frame, in which it is the unit circle.
struct Frame {
    cos: f64,
    sin: f64,
    /// One over the semi-axes.
    along: f64,
    across: f64,
}

impl Frame {
    fn of(outline: &Ellipse) -> Self {
        let (sin, cos) = outline.angle_deg.to_radians().sin_cos();
        Self { cos, sin, along: 1.0 / outline.ax, across: 1.0 / outline.by }
    }

    /// Cosine and sine of the point's parameter angle.
    #[inline(always)]
    fn direction(&self, dx: f64, dy: f64) -> (f64, f64) {
        let u = (dx * self.cos + dy * self.sin) * self.along;
        let v = (dy * self.cos - dx * self.sin) * self.across;
        let share = 1.0 / (u * u + v * v).max(1e-24).sqrt();
        (u * share, v * share)
    }
}

/// The outline whose normalised radius is `1 + d0 + d1 cos t + d2 sin t + d3 cos 2t + d4 sin 2t` in the old frame.
fn moved(outline: &Ellipse, delta: &[f64; 5]) -> Option<Ellipse> {
    let (sin, cos) = outline.angle_deg.to_radians().sin_cos();
    let [size, du, dv, stretch, shear] = *delta;
    // Columns of the matrix that takes the unit circle to the new outline.
    let (a, b) = (1.0 + size + stretch, shear);
    let (c, d) = (shear, 1.0 + size - stretch);
    let place = |u: f64, v: f64| {
        let (u, v) = (u * outline.ax, v * outline.by);
        (u * cos - v * sin, u * sin + v * cos)
    };
    let (first, second, shift) = (place(a, c), place(b, d), place(du, dv));
    // Its product with its own transpose has the squared semi-axes as eigenvalues.
    let xx = first.0 * first.0 + second.0 * second.0;
    let xy = first.0 * first.1 + second.0 * second.1;
    let yy = first.1 * first.1 + second.1 * second.1;
    let (mean, half) = ((xx + yy) / 2.0, ((xx - yy) / 2.0).hypot(xy));
    let moved = Ellipse {
        cx: outline.cx + shift.0,
        cy: outline.cy + shift.1,
        ax: (mean + half).sqrt(),
        by: (mean - half).max(0.0).sqrt(),
        angle_deg: (0.5 * (2.0 * xy).atan2(xx - yy)).to_degrees(),
    };
    moved.is_sound().then_some(moved)
}

/// The value at that share of the sorted values; reorders. 0 for nothing.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let at = ((values.len() as f64 * share) as usize).min(values.len() - 1);
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rim(outline: &Ellipse, n: usize, noise: impl Fn(usize) -> f64) -> Vec<EdgePoint> {
        (0..n)
            .map(|i| {
                let (dx, dy) = outline.offset_at(std::f64::consts::TAU * i as f64 / n as f64);
                let s = 1.0 + noise(i) / outline.mean_radius();
                EdgePoint { x: outline.cx + dx * s, y: outline.cy + dy * s, weight: 1.0 }
            })
            .collect()
    }

    /// Largest distance between two outlines, along rays of the first.
    fn distance(a: &Ellipse, b: &Ellipse) -> f64 {
        (0..90)
            .map(|i| {
                let (dx, dy) = a.offset_at(i as f64 * 0.07);
                (b.radius_at(a.cx + dx, a.cy + dy) - 1.0).abs() * b.mean_radius()
            })
            .fold(0.0, f64::max)
    }

    proptest! {
        #[test]
        fn exact_points_give_the_exact_ellipse(
            cx in 0.0..500.0f64, cy in 0.0..500.0f64, by in 20.0..200.0f64, aspect in 0.8..1.25f64,
            angle in -45.0..45.0f64, off in -0.08..0.08f64,
        ) {
            let truth = Ellipse { cx, cy, ax: by * aspect, by, angle_deg: angle };
            let start = Ellipse::circle(cx + off * by, cy - off * by, by * (1.0 + off));
            let fit = OutlineFitter::default().fit(&rim(&truth, 180, |_| 0.0), &start, Freedom::Shape, 0.3).unwrap();
            prop_assert!(distance(&truth, &fit.outline) < 0.02, "{fit:?}");
            prop_assert!(fit.outline.angle_deg.abs() <= 45.0 + 1e-9);
        }

        #[test]
        fn a_fifth_of_wild_points_changes_nothing(
            seed in 0usize..1000, angle in -45.0..45.0f64, wild in 8.0..40.0f64,
        ) {
            let truth = Ellipse { cx: 200.0, cy: 150.0, ax: 92.0, by: 100.0, angle_deg: angle };
            let start = Ellipse { cx: 202.0, cy: 148.5, ax: 97.0, by: 97.0, angle_deg: 0.0 };
            // One stretch of the rim, as a chip or a scratch alongside it takes, and single ones all around.
            let points = rim(&truth, 240, |i| {
                let i = (i + seed) % 240;
                if i < 24 { wild } else if i % 10 == 0 { -wild } else { 0.3 * ((i * 7919 % 13) as f64 / 6.0 - 1.0) }
            });
            let fit = OutlineFitter::default().fit(&points, &start, Freedom::Shape, 0.3).unwrap();
            prop_assert!(distance(&truth, &fit.outline) < 0.5, "{fit:?}");
            prop_assert!(fit.inlier_share > 0.6 && fit.inlier_share < 0.9);
        }
    }

    #[test]
    fn less_freedom_keeps_the_aspect() {
        let truth = Ellipse { cx: 50.0, cy: 60.0, ax: 27.6, by: 30.0, angle_deg: 0.0 };
        let start = Ellipse { cx: 51.0, cy: 59.0, ax: 25.3, by: 27.5, angle_deg: 0.0 };
        let fit = OutlineFitter::default().fit(&rim(&truth, 60, |_| 0.0), &start, Freedom::Place, 0.3).unwrap();
        assert!((fit.outline.ax / fit.outline.by - start.ax / start.by).abs() < 1e-9);
        assert!(distance(&truth, &fit.outline) < 0.05);
    }

    #[test]
    fn too_few_points_or_none_give_none() {
        let start = Ellipse::circle(0.0, 0.0, 10.0);
        let mut fitter = OutlineFitter::default();
        assert_eq!(fitter.fit(&[], &start, Freedom::Shape, 0.3), None);
        assert_eq!(fitter.fit(&rim(&start, 9, |_| 0.0), &start, Freedom::Shape, 0.3), None);
        let silent: Vec<_> = rim(&start, 90, |_| 0.0).into_iter().map(|p| EdgePoint { weight: 0.0, ..p }).collect();
        assert_eq!(fitter.fit(&silent, &start, Freedom::Shape, 0.3), None);
    }
}
