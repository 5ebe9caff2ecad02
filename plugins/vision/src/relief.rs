//! What stands out of its surroundings, in units of a picture's own noise: a faint scratch is a few gray levels of 255,
//! and a network that is shown those hardly sees it.
//!
//! The same for training and for judging. Called by core, which fills the feed, and by the plug-ins on libtorch.

use crate::smooth::{gaussian_taps, smooth_plane};

/// Standard deviation of the surroundings, in pixels of the square.
const AROUND: f32 = 5.0;
/// Gray levels a standard deviation of the noise, around the middle of the scale: eight of them fill it.
const UNIT: f32 = 16.0;
const MIDDLE: f32 = 128.0;
/// Noise below that is the rounding of gray levels.
const LEAST: f32 = 0.35;

/// Replaces a gray picture of that width by its relief: 128 where it is as its surroundings, 16 levels a standard deviation.
pub fn relief(gray: &mut [u8], width: usize) {
    let mut around: Vec<f32> = gray.iter().map(|level| f32::from(*level)).collect();
    let mut lines = Vec::new();
    smooth_plane(&mut around, width, &gaussian_taps(AROUND), &mut lines);
    around.iter_mut().zip(&*gray).for_each(|(around, level)| *around = f32::from(*level) - *around);
    let mut sizes: Vec<f32> = around.iter().map(|difference| difference.abs()).collect();
    let middle = sizes.len() / 2;
    if sizes.is_empty() {
        return;
    }
    // The median of a normal deviate's size is 0.6745; edges and defects are few and do not move it.
    let noise = (*sizes.select_nth_unstable_by(middle, f32::total_cmp).1 / 0.6745).max(LEAST);
    for (level, difference) in gray.iter_mut().zip(&around) {
        *level = (MIDDLE + UNIT * difference / noise + 0.5).clamp(0.0, 255.0) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::chance::Chance;

    /// Noise of that standard deviation on a slope, with a spot of `sigmas`.
    fn picture(noise: f64, sigmas: f64) -> Vec<u8> {
        let mut chance = Chance::new(3);
        let deviate = |chance: &mut Chance| (0..12).map(|_| chance.unit()).sum::<f64>() - 6.0;
        let spot = |x: usize, y: usize| (40..44).contains(&x) && (60..64).contains(&y);
        let level = |x: usize, y: usize, chance: &mut Chance| {
            80.0 + 0.4 * x as f64 + noise * (deviate(chance) + if spot(x, y) { sigmas } else { 0.0 })
        };
        (0..128 * 128).map(|at| (level(at % 128, at / 128, &mut chance) + 0.5) as u8).collect()
    }

    #[test]
    fn a_faint_spot_stands_out_alike_whatever_the_noise_and_the_light() {
        for noise in [1.0, 3.0] {
            let mut gray = picture(noise, 5.0);
            relief(&mut gray, 128);
            let mean = |x: std::ops::Range<usize>, y: std::ops::Range<usize>| {
                let count = x.len() * y.len();
                y.flat_map(|y| x.clone().map(move |x| (x, y))).map(|(x, y)| f64::from(gray[y * 128 + x])).sum::<f64>()
                    / count as f64
            };
            let (spot, slope) = (mean(40..44, 60..64), mean(60..120, 20..110));
            assert!((slope - 128.0).abs() < 2.0, "{slope}");
            assert!((170.0..230.0).contains(&spot), "noise {noise}: {spot}");
        }
    }

    #[test]
    fn a_picture_without_noise_is_flat() {
        let mut gray = vec![77; 64 * 32];
        relief(&mut gray, 64);
        assert!(gray.iter().all(|level| *level == 128));
    }
}
