//! Thresholds against a noise map: where a response stands out, and by how much.
//!
//! Two thresholds make a hysteresis: the lower one draws the mask, its components count if one of their pixels passes
//! the higher one. Called by the detectors with planes in the units of [`crate::flatten`].

use multiversion::multiversion;

use crate::{flatten::NOISE_UNIT, round::nearest, shape::Run};

/// Fixed-point steps a standard deviation.
const STEPS: f32 = 256.0;

/// Sets `mask` to 1 where the response's magnitude exceeds both `sigmas` times the noise and `floor` (response units).
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
pub fn exceeding(response: &[i16], noise: &[i16], sigmas: f32, floor: f32, mask: &mut [u8]) {
    let factor = (sigmas * STEPS / f32::from(NOISE_UNIT)).round() as i32;
    let floor = (floor * STEPS) as i32;
    for (m, (r, n)) in mask.iter_mut().zip(response.iter().zip(noise)) {
        let limit = (i32::from(*n) * factor).max(floor);
        *m = u8::from((i32::from(*r) * STEPS as i32).abs() > limit);
    }
}

/// The response in units of its noise: `unit` a standard deviation, cut at ±`cut` of them.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
pub fn normalised(response: &[i16], noise: &[i16], unit: i16, cut: f32, values: &mut [i16]) {
    let limit = f32::from(unit) * cut;
    let scale = f32::from(unit) * f32::from(NOISE_UNIT);
    for (v, (r, n)) in values.iter_mut().zip(response.iter().zip(noise)) {
        let value = f32::from(*r) * scale / f32::from(*n);
        *v = nearest(value.clamp(-limit, limit)) as i16;
    }
}

/// How a component stands out.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Strength {
    /// Largest magnitude in standard deviations of the noise there.
    pub peak_sigma: f32,
    /// Largest magnitude in response units.
    pub peak: f32,
    /// Sums of the responses above and below zero, in response units; the second one is not positive.
    pub bright: f32,
    pub dark: f32,
}

/// Strength of the pixels in some runs.
#[must_use]
pub fn strength(runs: &[Run], response: &[i16], noise: &[i16], width: usize) -> Strength {
    let (mut ratio, mut peak, mut bright, mut dark) = (0, 0, 0i64, 0i64);
    for run in runs {
        let span = run.y as usize * width + run.x as usize..run.y as usize * width + run.end() as usize;
        let found = strength_of(&response[span.clone()], &noise[span]);
        (ratio, peak) = (ratio.max(found.0), peak.max(found.1));
        (bright, dark) = (bright + i64::from(found.2), dark + i64::from(found.3));
    }
    let peak_sigma = ratio as f32 * f32::from(NOISE_UNIT) / RATIO;
    Strength { peak_sigma, peak: f32::from(peak), bright: bright as f32, dark: dark as f32 }
}

/// Steps of a ratio of response to noise; the largest ratio, to one unit of noise, stays within what [`nearest`] takes.
const RATIO: f32 = 2048.0;

/// Largest ratio in 1 / [`RATIO`], largest magnitude, sum above and sum below zero of a stretch.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn strength_of(response: &[i16], noise: &[i16]) -> (i32, i16, i32, i32) {
    let (mut ratio, mut peak, mut bright, mut dark) = (0, 0, 0, 0);
    // Everything in whole numbers: sums and extremes of those can be taken side by side.
    for (r, n) in response.iter().zip(noise) {
        let magnitude = r.saturating_abs();
        ratio = ratio.max(nearest(f32::from(magnitude) * RATIO / f32::from((*n).max(1))));
        peak = peak.max(magnitude);
        bright += i32::from((*r).max(0));
        dark += i32::from((*r).min(0));
    }
    (ratio, peak, bright, dark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flatten::UNUSABLE;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_mask_is_the_comparison(
            pixels in proptest::collection::vec((-2047..=2047i16, 8..4000i16), 1..200), sigmas in 1.0..9.0f32, floor in 0.0..300.0f32,
        ) {
            let (response, noise): (Vec<i16>, Vec<i16>) = pixels.into_iter().unzip();
            let mut mask = vec![2; response.len()];
            exceeding(&response, &noise, sigmas, floor, &mut mask);
            for ((r, n), m) in response.iter().zip(&noise).zip(&mask) {
                let (magnitude, limit) = (f32::from(r.abs()), (sigmas * f32::from(*n) / 8.0).max(floor));
                // Fixed point: nothing is said of values at the limit.
                if (magnitude - limit).abs() > 0.02 * limit + 0.1 {
                    prop_assert_eq!(*m == 1, magnitude > limit);
                }
            }
        }
    }

    #[test]
    fn the_strength_is_that_of_the_strongest_pixel() {
        let (mut response, mut noise) = (vec![0; 60], vec![16; 60]);
        response[13..16].copy_from_slice(&[40, -100, 30]);
        response[33] = 90;
        noise[33] = 12;
        let runs = [Run { y: 1, x: 3, length: 3 }, Run { y: 3, x: 2, length: 4 }];
        let found = strength(&runs, &response, &noise, 10);
        // A hundred over two units of noise, ninety over one and a half.
        assert!((found.peak_sigma - 60.0).abs() < 0.01, "{found:?}");
        assert_eq!((found.peak, found.bright, found.dark), (100.0, 160.0, -100.0));
    }

    #[test]
    fn nothing_stands_out_where_nothing_can_be_told() {
        let mut mask = [1, 1];
        exceeding(&[2047, -2047], &[UNUSABLE, UNUSABLE], 1.0, 0.0, &mut mask);
        assert_eq!(mask, [0, 0]);
    }
}
