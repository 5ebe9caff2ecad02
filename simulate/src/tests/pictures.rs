//! What is painted is what the truth says.

use proptest::prelude::*;

use crate::{
    FibreType, Preset,
    ellipse::{Ellipse, Outline},
    render,
    truth::{DefectKind, Label, Polarity, Rle, Zone},
    truth_of,
};

fn preset(name: &str) -> Preset {
    Preset::find(name).unwrap()
}

#[test]
fn a_picture_depends_on_preset_seed_and_index_alone() {
    let train = preset("train-v1");
    let (picture, truth) = render(&train, 9, 4);
    assert_eq!((picture.clone(), truth.clone()), render(&train, 9, 4));
    assert_eq!(truth, truth_of(&train, 9, 4));
    assert_ne!(picture, render(&train, 10, 4).0);
    assert_ne!(picture, render(&train, 9, 5).0);
}

#[test]
fn clean_presets_draw_nothing_and_half_clean_ones_half() {
    let clean = preset("clean-v1");
    assert!((0..200).all(|i| truth_of(&clean, 1, i).defects.is_empty()));
    for (name, share) in [("paper-v1", 0.5), ("train-v1", 0.5), ("low-contrast-v1", 0.5), ("demo-v1", 0.6)] {
        let preset = preset(name);
        let clean = (0..300).filter(|&i| truth_of(&preset, 3, i).label() == Label::Clean).count();
        let wanted = (300.0 * share) as i64;
        assert!((clean as i64 - wanted).abs() <= 6, "{name}: {clean} of 300 are clean, wanted {wanted}");
    }
}

#[test]
fn one_kind_a_picture_where_the_preset_says_so_and_every_kind_in_turn() {
    let paper = preset("paper-v1");
    let mut seen = std::collections::HashSet::new();
    for i in 0..200 {
        let truth = truth_of(&paper, 2, i);
        assert!(truth.defects.windows(2).all(|pair| pair[0].kind == pair[1].kind));
        seen.extend(truth.defects.first().map(|defect| defect.kind));
    }
    assert_eq!(seen.len(), DefectKind::NAMED.len());
}

#[test]
fn every_fibre_and_both_shapes_of_pixels_occur() {
    let clean = preset("clean-v1");
    let truths: Vec<_> = (0..60).map(|i| truth_of(&clean, 1, i)).collect();
    for fibre in FibreType::shipped() {
        let found = truths.iter().find(|truth| truth.fibre == fibre.name);
        let truth = found.unwrap_or_else(|| panic!("{} is never drawn", fibre.name));
        let ratio = truth.zones.core.zone.ax / truth.zones.cladding.ax;
        assert!((ratio - fibre.core_um / fibre.cladding_um).abs() < 1e-3, "{}: {ratio}", fibre.name);
    }
    assert!(truths.iter().any(|truth| truth.double_ring) && truths.iter().any(|truth| !truth.double_ring));
    for aspect in [1.0, 0.928] {
        let like = |zone: &Zone| (zone.ax / zone.by - aspect).abs() < 0.02;
        assert!(truths.iter().any(|truth| truth.pixel_aspect == aspect && like(&truth.zones.cladding)));
    }
}

#[test]
fn a_mask_lies_where_the_defect_was_drawn_and_has_the_stated_contrast() {
    let train = preset("train-v1");
    let mut without = train.clone();
    without.defects = None;
    let mut checked = 0;
    for index in 0..60 {
        let ((with, truth), (clean, _)) = (render(&train, 4, index), render(&without, 4, index));
        let difference = |x: u32, y: u32| f64::from(with.get_pixel(x, y).0[0]) - f64::from(clean.get_pixel(x, y).0[0]);
        let mut touched = vec![false; (truth.width * truth.height) as usize];
        for defect in &truth.defects {
            let pixels = defect.segmentation.pixels();
            assert_eq!(pixels.len() as u64, defect.area);
            let [bx, by, bw, bh] = defect.bbox;
            assert_eq!(pixels.iter().map(|p| p.0).min(), Some(bx));
            assert_eq!(pixels.iter().map(|p| p.1).min(), Some(by));
            assert_eq!(pixels.iter().map(|p| p.0).max(), Some(bx + bw - 1));
            assert_eq!(pixels.iter().map(|p| p.1).max(), Some(by + bh - 1));
            let sign = if defect.polarity == Polarity::Dark { -1.0 } else { 1.0 };
            let strongest = pixels.iter().map(|&(x, y)| sign * difference(x, y)).fold(f64::MIN, f64::max);
            // Shot noise follows the changed light, and both pictures are rounded.
            let slack = 1.5 + 0.15 * defect.contrast_grey;
            assert!((strongest - defect.contrast_grey).abs() < slack, "{index}: {strongest} for {defect:?}");
            for (x, y) in pixels {
                assert!(sign * difference(x, y) >= 0.5 * defect.contrast_grey - slack, "{index}: {x},{y} {defect:?}");
                touched[(y * truth.width + x) as usize] = true;
            }
            checked += 1;
        }
        for (x, y, _) in with.enumerate_pixels() {
            if !touched[(y * truth.width + x) as usize] {
                let most = truth.defects.iter().map(|d| d.contrast_grey).fold(0.0, f64::max);
                assert!(difference(x, y).abs() <= 0.6 * most + 1.5, "{index}: {x},{y} changed outside every mask");
            }
        }
    }
    assert!(checked > 40, "only {checked} defects");
}

#[test]
fn stated_contrasts_stay_in_the_presets_range() {
    for (name, low, high) in [("train-v1", 3.0, 6.0), ("low-contrast-v1", 1.5, 5.0)] {
        let preset = preset(name);
        let defects: Vec<_> = (0..200).flat_map(|i| truth_of(&preset, 8, i).defects).collect();
        assert!(defects.len() > 100);
        assert!(defects.iter().all(|d| (low..=high).contains(&d.contrast_sigma)), "{name}");
    }
}

#[test]
fn every_kind_and_both_polarities_occur_in_every_zone_that_has_room() {
    let train = preset("train-v1");
    let defects: Vec<_> = (0..600).flat_map(|i| truth_of(&train, 6, i).defects).collect();
    for (name, kind) in DefectKind::NAMED {
        assert!(defects.iter().filter(|d| d.kind == kind).count() > 20, "{name}");
    }
    for zone in ["core", "cladding", "ferrule"] {
        let found = |d: &&crate::truth::TrueDefect| serde_json::json!(d.zone) == zone;
        assert!(defects.iter().filter(found).count() > 10, "{zone}");
    }
    assert!(defects.iter().any(|d| d.polarity == Polarity::Bright));
    assert!(defects.iter().filter(|d| d.kind == DefectKind::Scratch).all(|d| d.length_px > d.width_px));
}

#[test]
fn scratches_are_straight_and_curved() {
    let train = preset("train-v1");
    let scratches = (0..600).flat_map(|i| truth_of(&train, 6, i).defects).filter(|d| d.kind == DefectKind::Scratch);
    let (mut straight, mut curved) = (0, 0);
    for scratch in scratches.filter(|d| d.length_px > 30.0) {
        let pixels = scratch.segmentation.pixels();
        let away =
            |a: (u32, u32), b: (u32, u32)| (f64::from(a.0) - f64::from(b.0)).hypot(f64::from(a.1) - f64::from(b.1));
        let farthest =
            |from: (u32, u32)| *pixels.iter().max_by(|a, b| away(from, **a).total_cmp(&away(from, **b))).unwrap();
        let (from, chord) = (farthest(pixels[0]), farthest(farthest(pixels[0])));
        let (dx, dy) = (f64::from(chord.0) - f64::from(from.0), f64::from(chord.1) - f64::from(from.1));
        let aside = |p: &(u32, u32)| {
            ((f64::from(p.0) - f64::from(from.0)) * dy - (f64::from(p.1) - f64::from(from.1)) * dx) / dx.hypot(dy)
        };
        let (low, high) = pixels.iter().map(aside).fold((0.0_f64, 0.0_f64), |(l, h), d| (l.min(d), h.max(d)));
        if high.max(-low) < scratch.width_px + 1.0 { straight += 1 } else { curved += 1 }
    }
    assert!(straight > 30 && curved > 15, "{straight} straight, {curved} curved");
}

proptest! {
    #[test]
    fn run_lengths_give_back_the_mask(set in proptest::collection::btree_set((0_u32..17, 0_u32..13), 0..60)) {
        let pixels: Vec<(u32, u32)> = set.into_iter().collect();
        let rle = Rle::from_columns(&pixels, 17, 13);
        prop_assert_eq!(rle.counts.iter().sum::<u64>(), 17 * 13);
        prop_assert_eq!(rle.pixels(), pixels);
    }

    #[test]
    fn an_outlines_axes_and_angle_describe_its_points(
        radius_px in 5.0..300.0_f64, aspect in 0.7..1.4_f64, ellipticity in 0.0..0.03_f64,
        tilt in 0.0..6.3_f64, turn in 0.0..6.3_f64,
    ) {
        let ellipse = Ellipse::new(40.0, 30.0, Outline { radius_px, aspect, ellipticity, tilt });
        let zone = ellipse.zone();
        prop_assert!(zone.angle_deg.abs() <= 45.0 + 1e-9);
        let ([x, y], normal) = ellipse.point(turn);
        let (sin, cos) = zone.angle_deg.to_radians().sin_cos();
        let (u, v) = (((x - 40.0) * cos + (y - 30.0) * sin) / zone.ax, ((y - 30.0) * cos - (x - 40.0) * sin) / zone.by);
        prop_assert!((u.hypot(v) - 1.0).abs() < 1e-9);
        prop_assert!(ellipse.distance(x, y).abs() < 1e-9);
        // The normal points outward and distances along it are pixels.
        let away = ellipse.distance(x + normal[0], y + normal[1]);
        prop_assert!((away - 1.0).abs() < 0.05, "{away}");
    }
}
