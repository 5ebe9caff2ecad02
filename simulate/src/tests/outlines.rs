//! The stated outlines are where the gradient is steepest, in every preset.

use super::figures::{Grey, between, distances, grey, sector};
use crate::{
    Preset, paint, render,
    scene::Scene,
    spread::Spread,
    truth::{Visibility, Zone},
};

/// The same preset without defects, and with just enough noise to spread the rounding to whole grey levels.
pub fn bare(name: &str) -> Preset {
    let mut preset = Preset::find(name).unwrap();
    preset.defects = None;
    for microscope in &mut preset.microscopes {
        microscope.noise.sigma = Spread::even(0.4, 0.4);
        microscope.noise.correlation = Spread::even(0.0, 0.0);
        microscope.grain.sigma = Spread::even(0.0, 0.0);
        microscope.camera_jpeg = 0.0;
    }
    preset
}

/// Where the gradient of a profile is steepest, to a fraction of the step; the sign of the edge does not matter.
fn steepest(along: &[f64], profile: &[f64]) -> f64 {
    let slope = |i: usize| (profile[i + 2] - profile[i - 2]).abs();
    let best = (3..profile.len() - 3).max_by(|&a, &b| slope(a).total_cmp(&slope(b))).unwrap();
    let (a, b, c) = (slope(best - 1), slope(best), slope(best + 1));
    let bend = a - 2.0 * b + c;
    along[best] + if bend.abs() > 1e-9 { 0.5 * (a - c) / bend * (along[1] - along[0]) } else { 0.0 }
}

/// How far the steepest gradient lies from the stated outline, in each quarter of it.
fn offsets(brightness: impl Fn(f64, f64) -> Option<f64> + Copy, zone: &Zone, search: f64) -> Vec<f64> {
    let along = distances(-search, search, 0.25);
    let quarter = |q: i32| {
        let mut mean = vec![0.0; along.len()];
        for i in 0..12 {
            let from = f64::from(90 * q) + 7.5 * f64::from(i);
            let part = sector(brightness, zone, from, from + 7.5, &along)?;
            mean.iter_mut().zip(part).for_each(|(sum, grey)| *sum += grey);
        }
        Some(steepest(&along, &mean))
    };
    (0..4).filter_map(quarter).collect()
}

/// Without noise and rounding, so that what is measured is the drawing and not the limit of measuring. Three things once
/// moved the steepest place by more than this: the kink where the core's glow began, a glue line or decoy ring that ran
/// into the core's edge, and, in pictures of whole grey levels, the rounding.
#[test]
fn the_stated_outlines_lie_on_the_steepest_gradient() {
    for name in Preset::shipped() {
        let preset = Preset::find(name).unwrap();
        let mut checked = (0, 0);
        for index in 0..30 {
            let scene = Scene::plan(&preset, 5, index);
            let truth = scene.truth();
            let picture = Grey::from_raw(truth.width, truth.height, paint::end_face(&scene)).unwrap();
            let painted = between(&picture);
            let planned = |x: f64, y: f64| Some(scene.background(x, y));
            let search = (1.2 * truth.edge_px).max(2.0);
            let zones = [("cladding", truth.zones.cladding), ("core", truth.zones.core.zone)];
            for (what, zone) in zones {
                for off in offsets(planned, &zone, search) {
                    assert!(off.abs() < 0.1, "{name} {index}: {what} planned {off:.3} px off, {truth:?}");
                    checked.0 += 1;
                }
                // Between the pixels of a spot a few pixels wide there is no brightness to go by.
                if zone.ax.min(zone.by) > 4.0 {
                    for off in offsets(&painted, &zone, search) {
                        assert!(off.abs() < 0.1, "{name} {index}: {what} painted {off:.3} px off, {truth:?}");
                        checked.1 += 1;
                    }
                }
            }
        }
        assert!(checked.0 > 200 && checked.1 > 150, "{name}: too few edges could be measured: {checked:?}");
    }
}

#[test]
fn rounding_to_grey_levels_leaves_the_outlines_where_they_are() {
    for name in ["clean-v1", "train-v1"] {
        let preset = bare(name);
        let (mut claddings, mut cores) = (Vec::new(), Vec::new());
        for index in 0..40 {
            let (picture, truth) = render(&preset, 5, index);
            let picture = grey(&picture);
            let brightness = between(&picture);
            let search = (1.2 * truth.edge_px).max(2.0);
            // In whole grey levels the steepest place of one edge is known to a share of the edge's own width.
            let tolerance = (truth.edge_px / 30.0).max(0.1);
            for off in offsets(&brightness, &truth.zones.cladding, search) {
                assert!(off.abs() < tolerance, "{name} {index}: cladding off by {off:.3} px, {truth:?}");
                claddings.push(off);
            }
            let core = truth.zones.core;
            // A tiny core has too few pixels to average over, and a faint one too few grey levels; what is left has
            // about half the cladding's contrast, so its edge is known less well.
            if core.visibility == Visibility::Clear && core.zone.ax > (4.0 * truth.edge_px).max(12.0) {
                for off in offsets(&brightness, &core.zone, search) {
                    assert!(off.abs() < 1.5 * tolerance, "{name} {index}: core off by {off:.3} px, {truth:?}");
                    cores.push(off);
                }
            }
        }
        assert!(claddings.len() > 120 && cores.len() > 40, "{name}: too few edges could be measured");
        for offsets in [claddings, cores] {
            let mean = offsets.iter().sum::<f64>() / offsets.len() as f64;
            assert!(mean.abs() < 0.03, "{name}: off by {mean:.3} px on average");
        }
    }
}
