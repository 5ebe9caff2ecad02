//! Noise, grain and compression are what the preset says, where it says.

use rand::SeedableRng;

use super::outlines::bare;
use crate::{field, paint, render, scene::Scene, spread::Spread};

/// A plain count of how much neighbouring values have in common.
fn correlation(field: &[f32], width: usize, distance: usize) -> f64 {
    let rows = || field.chunks_exact(width);
    let product = |row: &[f32]| row.iter().zip(&row[distance..]).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    let square = |row: &[f32]| row.iter().map(|a| f64::from(a * a)).sum::<f64>();
    rows().map(product).sum::<f64>() / rows().map(square).sum::<f64>()
}

#[test]
fn noise_and_grain_have_the_stated_spread_correlation_and_period() {
    let random = &mut rand_chacha::ChaCha8Rng::from_seed([3; 32]);
    let spread = |field: &[f32]| (field.iter().map(|v| f64::from(v * v)).sum::<f64>() / field.len() as f64).sqrt();
    for wanted in [0.0, 0.3, 0.6, 0.75] {
        let noise = field::smooth([400, 300], wanted, random);
        assert!((spread(&noise) - 1.0).abs() < 0.02, "{}", spread(&noise));
        assert!((correlation(&noise, 400, 1) - wanted).abs() < 0.02, "{wanted}: {}", correlation(&noise, 400, 1));
    }
    for period in [2.0, 6.0, 9.0] {
        let grain = field::band([400, 300], period, random);
        assert!((spread(&grain) - 1.0).abs() < 0.04, "{period}: {}", spread(&grain));
        // Half a period away a bright grain has a dark neighbour.
        let half = (period / 2.0) as usize;
        assert!(correlation(&grain, 400, half) < -0.05, "{period}: {}", correlation(&grain, 400, half));
    }
}

#[test]
fn grain_lies_on_the_ferrule_alone_and_the_microscopes_jpeg_is_seen_in_any_format() {
    let mut coarse = bare("clean-v1");
    for microscope in &mut coarse.microscopes {
        microscope.grain.sigma = Spread::even(2.0, 2.0);
    }
    let mut stored = bare("clean-v1");
    for microscope in &mut stored.microscopes {
        microscope.camera_jpeg = 1.0;
    }
    let plain = bare("clean-v1");
    for index in 0..6 {
        let without = render(&plain, 5, index);
        let zone = without.1.zones.cladding;
        let (grainy, truth) = render(&coarse, 5, index);
        assert_eq!(truth.grain_sigma, 2.0);
        let scene = Scene::plan(&coarse, 5, index);
        let exact = paint::end_face(&scene);
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        for ((x, y, grey), exact) in grainy.enumerate_pixels().zip(exact) {
            let [x0, y0, x1, y1] = truth.valid_area;
            let difference = f64::from(grey.0[0]) - f64::from(exact);
            let r = ((f64::from(x) - zone.cx) / zone.ax).hypot((f64::from(y) - zone.cy) / zone.by);
            if x >= x0 && x < x1 && y >= y0 && y < y1 {
                if r < 0.98 {
                    inside.push(difference)
                } else if (1.2..1.4).contains(&r) {
                    outside.push(difference)
                }
            }
        }
        let spread = |v: &[f64]| (v.iter().map(|d| d * d).sum::<f64>() / v.len() as f64).sqrt();
        assert!(spread(&inside) < 0.6, "{index}: {}", spread(&inside));
        assert!((1.5..2.4).contains(&spread(&outside)), "{index}: {}", spread(&outside));

        let (picture, truth) = render(&stored, 5, index);
        assert!(truth.camera_jpeg.is_some() && without.1.camera_jpeg.is_none());
        assert_ne!(picture, without.0);
        let far = picture.as_raw().iter().zip(without.0.as_raw()).filter(|(a, b)| a.abs_diff(**b) > 24).count();
        assert!(far * 200 < picture.as_raw().len(), "{index}: {far} pixels changed a lot");
    }
}
