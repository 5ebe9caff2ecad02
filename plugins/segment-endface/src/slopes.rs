//! Slopes along the rays of a polar patch, and the edges on them to a fraction of a sample.
//!
//! Slopes come from a derivative of a Gaussian (Canny 1986); rays may be averaged with their neighbours first, which
//! trades detail along the rim for sight in noise or under a film. Called by the cladding's and the core's refinement.

use ferrule_vision::polar::PolarPatch;
use multiversion::multiversion;

/// Slopes of a patch, in gray levels a sample, positive where it gets brighter outward.
#[derive(Debug, Default)]
pub struct Slopes {
    pub rays: usize,
    pub steps: usize,
    values: Vec<f32>,
    averaged: Vec<f32>,
    kernel: Vec<f32>,
}

impl Slopes {
    /// Takes the slopes with that standard deviation (in samples), averaged over `2 * spread + 1` rays.
    pub fn take(&mut self, patch: &PolarPatch, sigma: f64, spread: usize) {
        (self.rays, self.steps) = (patch.rays(), patch.steps());
        let spread = spread.min(self.rays.saturating_sub(1) / 2);
        self.derivative(sigma);
        self.values.resize(self.rays * self.steps, 0.0);
        self.average(patch, spread);
        let half = self.kernel.len() / 2;
        for (ray, out) in self.values.chunks_exact_mut(self.steps.max(1)).enumerate() {
            let samples = &self.averaged[ray * self.steps..(ray + 1) * self.steps];
            // Nothing is known of the slope at the ends of a ray, nor beyond the picture.
            out.fill(0.0);
            let end = patch.inside(ray).saturating_sub(half);
            if half < end {
                correlate(samples, &self.kernel, &mut out[half..end]);
            }
        }
    }

    /// Slopes of one ray.
    pub fn ray(&self, ray: usize) -> &[f32] {
        &self.values[ray * self.steps..(ray + 1) * self.steps]
    }

    fn derivative(&mut self, sigma: f64) {
        let half = (3.0 * sigma).ceil().max(1.0) as i32;
        self.kernel.clear();
        self.kernel.extend((-half..=half).map(|i| {
            let x = f64::from(i) / sigma;
            (f64::from(i) * (-0.5 * x * x).exp()) as f32
        }));
        // A ramp of one gray level a sample has slope one.
        let ramp: f32 = self.kernel.iter().zip(-half..=half).map(|(k, i)| k * i as f32).sum();
        self.kernel.iter_mut().for_each(|k| *k /= ramp);
    }

    /// Running means over neighbouring rays.
    fn average(&mut self, patch: &PolarPatch, spread: usize) {
        self.averaged.clear();
        let (rays, steps) = (self.rays, self.steps);
        if spread == 0 {
            (0..rays).for_each(|ray| self.averaged.extend_from_slice(patch.ray(ray)));
            return;
        }
        let share = 1.0 / (2 * spread + 1) as f32;
        self.averaged.resize(rays * steps, 0.0);
        for ray in 0..rays {
            let (done, rest) = self.averaged.split_at_mut(ray * steps);
            let out = &mut rest[..steps];
            if ray == 0 {
                for offset in 0..=2 * spread {
                    let source = patch.ray((rays + offset - spread) % rays);
                    out.iter_mut().zip(source).for_each(|(o, s)| *o += s * share);
                }
            } else {
                let before = &done[(ray - 1) * steps..];
                let entering = patch.ray((ray + spread) % rays);
                let leaving = patch.ray((ray + rays - spread - 1) % rays);
                for (((o, b), e), l) in out.iter_mut().zip(before).zip(entering).zip(leaving) {
                    *o = b + (e - l) * share;
                }
            }
        }
    }
}

/// Weighs the samples from each one on by a kernel.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn correlate(samples: &[f32], kernel: &[f32], out: &mut [f32]) {
    for (j, weight) in kernel.iter().enumerate() {
        for (o, sample) in out.iter_mut().zip(&samples[j..]) {
            *o += weight * sample;
        }
    }
}

/// Where the parabola through three equally spaced values peaks, relative to the middle one.
pub fn parabola_peak(left: f32, middle: f32, right: f32) -> f64 {
    let bend = left - 2.0 * middle + right;
    if bend.abs() < 1e-6 { 0.0 } else { f64::from(0.5 * (left - right) / bend).clamp(-0.5, 0.5) }
}

/// The value at that share of the sorted values; reorders. 0 for nothing.
pub fn quantile(values: &mut [f32], share: f64) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let at = ((values.len() as f64 * share) as usize).min(values.len() - 1);
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferrule_vision::{ellipse::Ellipse, plane::Plane, polar::PolarGrid};

    fn patch_of(gray: impl Fn(usize, usize) -> f32) -> PolarPatch {
        let pixels: Vec<f32> = (0..100 * 100).map(|i| gray(i % 100, i / 100)).collect();
        let mut patch = PolarPatch::default();
        let circle = Ellipse::circle(50.0, 50.0, 30.0);
        let grid = PolarGrid { rays: 40, first: 0.5, step: 1.0 / 30.0, steps: 30 };
        patch.resample(Plane::new(&pixels, 100, 100, 100).unwrap(), &circle, grid);
        patch
    }

    #[test]
    fn a_cone_has_its_slope_everywhere() {
        let patch = patch_of(|x, y| 3.0 * (x as f32 - 50.0).hypot(y as f32 - 50.0));
        let mut slopes = Slopes::default();
        for spread in [0, 3] {
            slopes.take(&patch, 1.5, spread);
            assert!((0..40).all(|ray| slopes.ray(ray)[8..22].iter().all(|s| (s - 3.0).abs() < 0.1)), "spread {spread}");
            assert_eq!(slopes.ray(0)[0], 0.0, "unknown at the ends");
        }
    }

    #[test]
    fn averaging_is_the_mean_of_neighbouring_rays() {
        let patch = patch_of(|x, y| ((x * 31 + y * 17) % 23) as f32);
        let (mut plain, mut averaged) = (Slopes::default(), Slopes::default());
        plain.take(&patch, 1.0, 0);
        averaged.take(&patch, 1.0, 2);
        for ray in 0..40 {
            for j in 0..30 {
                let mean = (38..43).map(|o| plain.ray((ray + o) % 40)[j]).sum::<f32>() / 5.0;
                assert!((averaged.ray(ray)[j] - mean).abs() < 1e-3);
            }
        }
    }
}
