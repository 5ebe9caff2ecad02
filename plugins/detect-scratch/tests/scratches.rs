//! What `detect-scratch` says of drawn captures.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

#[path = "../../detect-region/tests/drawn/mod.rs"]
mod drawn;

use detect_scratch::DetectScratch;
use drawn::{CLADDING, Drawn, around, detector, look};
use ferrule_abi::{
    Defect, DefectKind, Detector, Ellipse, ImageView, Parameter, RSlice, SegmentationView, Severity, Value, Zone,
    ZoneName,
};
use ferrule_vision::augment::chance::Chance;

fn seen(drawn: &Drawn) -> Vec<Defect> {
    drawn.seen_by(&mut detector::<DetectScratch>(&[]).unwrap())
}

/// Share of points along a course that the mask holds within two pixels.
fn covered(defect: &Defect, points: &[(f64, f64)]) -> f64 {
    let holds = |x: f64, y: f64| {
        defect.mask.iter().any(|r| {
            let (left, right) = (f64::from(r.x), f64::from(r.x + r.length));
            (f64::from(r.y) - y).abs() <= 2.0 && x >= left - 2.0 && x <= right + 1.0
        })
    };
    let samples: Vec<(f64, f64)> = points
        .windows(2)
        .flat_map(|w| {
            (0..20)
                .map(move |k| f64::from(k) / 20.0)
                .map(move |t| (w[0].0 + t * (w[1].0 - w[0].0), w[0].1 + t * (w[1].1 - w[0].1)))
        })
        .collect();
    samples.iter().filter(|(x, y)| holds(*x, *y)).count() as f64 / samples.len() as f64
}

#[test]
fn a_clean_picture_has_no_scratches() {
    let mut scratch = detector::<DetectScratch>(&[]).unwrap();
    for seed in 0..12 {
        for noise in [0.3, 1.2, 3.0] {
            let found = Drawn::clean(seed, noise).barred().seen_by(&mut scratch);
            assert!(found.is_empty(), "seed {seed}, noise {noise}: {found:?}");
        }
    }
}

#[test]
fn a_straight_scratch_is_one_defect_with_its_length_width_and_direction() {
    for (i, angle) in [0.0f64, 17.0, 45.0, 80.0, 120.0, 165.0].into_iter().enumerate() {
        let (sin, cos) = angle.to_radians().sin_cos();
        let (x, y) = (430.0, 330.0);
        let points = [(x - 50.0 * cos, y - 50.0 * sin), (x + 50.0 * cos, y + 50.0 * sin)];
        let dark = i % 2 == 0;
        let found = seen(&Drawn::clean(i as u64, 1.2).line(&points, if dark { -8.0 } else { 8.0 }, 3.0));
        let [d] = &found[..] else { panic!("{angle}: {found:?}") };
        assert_eq!(d.kind, DefectKind::Scratch);
        assert!((d.length_px - 100.0).abs() < 15.0, "length {} at {angle}", d.length_px);
        assert!((1.0..6.0).contains(&d.width_px), "width {} at {angle}", d.width_px);
        let off = (d.angle_deg - angle).rem_euclid(180.0);
        assert!(off.min(180.0 - off) < 3.0, "direction {} at {angle}", d.angle_deg);
        assert!(covered(d, &points) > 0.85, "mask at {angle}");
        let polarity = Value::Text(if dark { "dark" } else { "bright" }.into());
        assert!(d.attributes.iter().any(|a| a.name == "polarity" && a.value == polarity));
    }
}

#[test]
fn a_scratch_that_hardly_leaves_the_noise_is_found_by_its_length() {
    let points = [(380.0, 40.0), (480.0, 110.0)];
    let found = seen(&Drawn::clean(2, 2.0).line(&points, -6.0, 2.5));
    assert!(matches!(&found[..], [d] if covered(d, &points) > 0.7), "{found:?}");
}

#[test]
fn a_curved_scratch_is_one_defect() {
    let points: Vec<(f64, f64)> =
        (0..=20).map(|k| around(190.0, 20.0 + 2.0 * f64::from(k))).map(|(x, y)| (x - 20.0, y)).collect();
    let found = seen(&Drawn::clean(6, 1.2).line(&points, -9.0, 3.0));
    assert!(matches!(&found[..], [d] if covered(d, &points) > 0.8 && (d.length_px - 133.0).abs() < 20.0), "{found:?}");
}

#[test]
fn a_broken_scratch_is_one_defect() {
    let point = |t: f64| (360.0 + 0.5 * t, 40.0 + 0.4 * t);
    let mut drawn = Drawn::clean(7, 1.2);
    for (from, to) in [(0.0, 90.0), (120.0, 200.0), (230.0, 290.0)] {
        drawn = drawn.line(&[point(from), point(to)], -9.0, 3.0);
    }
    let found = seen(&drawn);
    assert!(matches!(&found[..], [d] if (d.length_px - 186.0).abs() < 20.0), "{found:?}");
}

#[test]
fn a_scratch_through_the_fibre_is_one_defect_and_worse_than_one_beside_it() {
    let through = [around(150.0, 200.0), around(150.0, 25.0)];
    let found = seen(&Drawn::clean(8, 1.0).line(&through, -10.0, 3.0));
    assert!(matches!(&found[..], [d] if d.length_px > 250.0 && d.severity >= Severity::High), "{found:?}");
    let beside = seen(&Drawn::clean(8, 1.0).line(&[(400.0, 60.0), (480.0, 380.0)], -10.0, 3.0));
    assert!(beside[0].severity < found[0].severity);
}

#[test]
fn crossing_scratches_are_two_defects() {
    let found = seen(&Drawn::clean(9, 1.2).line(&[(380.0, 60.0), (500.0, 160.0)], -9.0, 3.0).line(
        &[(390.0, 170.0), (490.0, 50.0)],
        -9.0,
        3.0,
    ));
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_few_spots_in_line_are_no_scratch_and_neither_is_a_step() {
    let spots = Drawn::clean(10, 1.2).spot((400.0, 100.0), -40.0, 5.0).spot((425.0, 110.0), -40.0, 5.0).spot(
        (70.0, 300.0),
        -60.0,
        9.0,
    );
    assert!(seen(&spots).is_empty());
    let step = Drawn::clean(11, 1.2).patch((430.0, 350.0), (60.0, 50.0), 6.0);
    assert!(seen(&step).len() <= 1, "an outline is no line");
}

#[test]
fn outlines_and_decoy_rings_are_no_scratches_even_when_rough() {
    let mut drawn = Drawn::clean(12, 1.0);
    for k in 0..24 {
        drawn = drawn.spot(around(CLADDING + f64::from(k % 3) - 1.0, 15.0 * f64::from(k)), 12.0, 4.0);
    }
    assert!(seen(&drawn).is_empty());
}

/// Lenses keep a field level and let it drop in the corners; a small picture has few places to tell that from.
#[test]
fn light_that_drops_in_the_corners_of_a_small_picture_is_no_scratch() {
    const SIDE: usize = 256;
    let mut scratch = detector::<DetectScratch>(&[]).unwrap();
    let outline = Ellipse { cx: 128.0, cy: 128.0, ax: 60.0, by: 60.0, angle_deg: 0.0 };
    let zones = [Zone { name: ZoneName::Cladding, outline, confidence: 0.9 }];
    let label = |r: f64| if r < 60.0 { ZoneName::Cladding } else { ZoneName::Ferrule };
    for (seed, power) in [(1, 4), (2, 6), (3, 8)] {
        let mut chance = Chance::new(seed);
        let (pixels, labels): (Vec<u8>, Vec<u8>) = (0..SIDE * SIDE)
            .map(|at| {
                let r = ((at % SIDE) as f64 - 128.0).hypot((at / SIDE) as f64 - 128.0);
                let noise = (0..12).map(|_| chance.unit()).sum::<f64>() - 6.0;
                let field = if r < 60.0 { 80.0 } else { 190.0 };
                ((field * (1.0 - 0.25 * (r / 181.0).powi(power)) + 0.6 * noise).round() as u8, label(r) as u8)
            })
            .unzip();
        let image = ImageView::gray8(&pixels, SIDE as u32, SIDE as u32).unwrap();
        let segmentation = SegmentationView { zones: RSlice::from_slice(&zones), labels: RSlice::from_slice(&labels) };
        let found = scratch.detect(&image, &segmentation).unwrap().defects;
        assert!(found.is_empty(), "power {power}: {found:?}");
    }
}

#[test]
fn a_picture_without_zones_has_no_scratches() {
    let drawn = Drawn::clean(1, 1.0).line(&[(20.0, 20.0), (400.0, 30.0)], -60.0, 3.0);
    let nothing = vec![0; drawn::WIDTH * drawn::HEIGHT];
    assert!(look(&mut detector::<DetectScratch>(&[]).unwrap(), &drawn.pixels(), &[], &nothing).defects.is_empty());
}

#[test]
fn thresholds_in_the_wrong_order_are_refused() {
    let given = [
        Parameter { name: "high".into(), value: Value::Real(4.0) },
        Parameter { name: "low".into(), value: Value::Real(5.0) },
    ];
    assert_eq!(detector::<DetectScratch>(&given).unwrap_err().to_string(), "`low` must be below `high`");
}
