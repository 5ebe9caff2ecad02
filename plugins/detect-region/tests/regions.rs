//! What `detect-region` says of drawn captures.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod drawn;

use detect_region::DetectRegion;
use drawn::{CLADDING, CORE, Drawn, around, detector, look};
use ferrule_abi::{Defect, DefectKind, Parameter, Value};

fn seen(drawn: &Drawn) -> Vec<Defect> {
    drawn.seen_by(&mut detector::<DetectRegion>(&[]).unwrap())
}

fn at(defects: &[Defect], (x, y): (f64, f64)) -> Vec<&Defect> {
    defects.iter().filter(|d| (d.x - x).hypot(d.y - y) < 5.0).collect()
}

#[test]
fn a_clean_picture_has_no_defects() {
    let mut region = detector::<DetectRegion>(&[]).unwrap();
    for seed in 0..12 {
        for noise in [0.3, 1.2, 3.0] {
            let found = Drawn::clean(seed, noise).barred().seen_by(&mut region);
            assert!(found.is_empty(), "seed {seed}, noise {noise}: {found:?}");
        }
    }
}

#[test]
fn every_planted_spot_is_found_once_with_its_kind_and_nothing_else() {
    let places = [(60.0, 60.0), (430.0, 90.0), (90.0, 380.0), around(CORE * 0.5, 30.0), around(64.0, 200.0)];
    let mut drawn = Drawn::clean(3, 1.2);
    for (i, place) in places.iter().enumerate() {
        drawn = drawn.spot(*place, if i % 2 == 0 { -25.0 } else { 25.0 }, 4.0);
    }
    let found = seen(&drawn);
    assert_eq!(found.len(), places.len(), "{found:?}");
    for (i, place) in places.iter().enumerate() {
        let wanted = if i % 2 == 0 { DefectKind::Pit } else { DefectKind::Particle };
        assert!(
            matches!(at(&found, *place)[..], [d] if d.kind == wanted && d.confidence > 0.6),
            "{place:?}: {found:?}"
        );
    }
}

#[test]
fn faint_points_are_found_by_their_shape_and_streaks_as_faint_are_not() {
    let contrast_only = [Parameter { name: "point".into(), value: Value::Real(20.0) }];
    let mut by_shape = detector::<DetectRegion>(&[]).unwrap();
    let mut by_contrast = detector::<DetectRegion>(&contrast_only).unwrap();
    let mut counts = [0; 3];
    for seed in 0..20 {
        let place = (70.0 + seed as f64, 80.0);
        let found = |drawn: &Drawn, by: &mut DetectRegion| usize::from(!at(&drawn.seen_by(by), place).is_empty());
        // Six standard deviations of the noise.
        let point = Drawn::clean(seed, 1.2).spot(place, -7.2, 4.0);
        let streak = Drawn::clean(seed, 1.2).line(&[(place.0 - 9.0, 80.0), (place.0 + 9.0, 83.0)], -5.0, 3.0);
        counts[0] += found(&point, &mut by_shape);
        counts[1] += found(&point, &mut by_contrast);
        counts[2] += found(&streak, &mut by_shape);
    }
    assert!(counts[0] >= 10 && counts[1] <= 6 && counts[2] <= 1, "{counts:?}");
}

#[test]
fn the_closer_to_the_core_the_more_severe() {
    let spot = |place| seen(&Drawn::clean(5, 1.2).spot(place, -14.0, 3.0))[0].severity;
    let (ferrule, cladding, core) = (spot((60.0, 60.0)), spot(around(64.0, 10.0)), spot(around(10.0, 0.0)));
    assert!(ferrule < cladding && cladding < core, "{ferrule:?} {cladding:?} {core:?}");
}

#[test]
fn a_broken_rim_is_a_chip_and_a_sound_one_is_nothing() {
    let place = around(CLADDING - 2.0, 130.0);
    let found = seen(&Drawn::clean(9, 1.2).patch(place, (5.0, 4.0), 60.0));
    assert!(
        matches!(&found[..], [d] if d.kind == DefectKind::Chip && (d.x - place.0).hypot(d.y - place.1) < 4.0),
        "{found:?}"
    );
}

#[test]
fn a_spot_beside_the_rim_is_a_chip_only_where_the_rim_is_broken_all_around() {
    // Its nearest pixels lie some three pixels outside the outline: two micrometres.
    let place = around(CLADDING + 6.5, 200.0);
    let sound = Drawn::clean(9, 1.2).spot(place, -45.0, 4.0);
    assert!(matches!(at(&seen(&sound), place)[..], [d] if d.kind == DefectKind::Pit), "{:?}", seen(&sound));
    let chips = (0..15).map(|i| around(CLADDING - 1.0, 10.0 + 24.0 * f64::from(i) + if i == 8 { 6.0 } else { 0.0 }));
    let broken = chips.fold(sound, |drawn, chip| drawn.patch(chip, (4.0, 4.0), 60.0));
    assert!(matches!(at(&seen(&broken), place)[..], [d] if d.kind == DefectKind::Chip), "{:?}", seen(&broken));
}

#[test]
fn a_line_across_the_rim_is_a_scratch_and_one_along_it_a_chip() {
    let across = Drawn::clean(6, 1.2).line(&[around(CLADDING - 20.0, 70.0), around(CLADDING + 25.0, 70.0)], -50.0, 3.0);
    let found = seen(&across);
    assert!(matches!(&found[..], [d] if d.kind == DefectKind::Scratch), "{found:?}");
    let arc: Vec<(f64, f64)> = (0..9).map(|i| around(CLADDING - 1.0, 60.0 + 2.0 * f64::from(i))).collect();
    let found = seen(&Drawn::clean(6, 1.2).line(&arc, 50.0, 3.0));
    assert!(matches!(&found[..], [d] if d.kind == DefectKind::Chip), "{found:?}");
}

#[test]
fn a_compact_blot_that_stands_out_is_a_pit_however_large_and_a_ragged_one_a_residue() {
    let dig = seen(&Drawn::clean(4, 1.2).patch((420.0, 340.0), (11.0, 9.0), -60.0));
    assert!(matches!(&dig[..], [d] if d.kind == DefectKind::Pit && d.area_px > 250), "{dig:?}");
    let arms = [[(400.0, 320.0), (440.0, 360.0)], [(440.0, 322.0), (404.0, 350.0)]];
    let ragged = arms.iter().fold(Drawn::clean(4, 1.2), |drawn, arm| drawn.line(arm, -60.0, 4.0));
    let found = seen(&ragged);
    assert!(matches!(&found[..], [d] if d.kind == DefectKind::Residue), "{found:?}");
}

#[test]
fn a_smear_is_one_residue() {
    let found = seen(&Drawn::clean(4, 1.2).patch((420.0, 340.0), (22.0, 13.0), -9.0));
    assert!(matches!(&found[..], [d] if d.kind == DefectKind::Residue), "{found:?}");
    let area = std::f64::consts::PI * 22.0 * 13.0;
    assert!((f64::from(found[0].area_px) / area - 1.0).abs() < 0.3, "{} of {area}", found[0].area_px);
}

#[test]
fn a_picture_without_zones_has_no_defects() {
    let drawn = Drawn::clean(1, 1.0).spot((60.0, 60.0), -90.0, 6.0);
    let nothing = vec![0; drawn::WIDTH * drawn::HEIGHT];
    let found = look(&mut detector::<DetectRegion>(&[]).unwrap(), &drawn.pixels(), &[], &nothing);
    assert!(found.defects.is_empty());
}

#[test]
fn one_detector_gives_the_same_answer_again_and_after_other_pictures() {
    let (dirty, clean) = (Drawn::clean(2, 1.2).spot((60.0, 60.0), -25.0, 4.0), Drawn::clean(8, 2.0));
    let mut region = detector::<DetectRegion>(&[]).unwrap();
    let first = dirty.seen_by(&mut region);
    clean.seen_by(&mut region);
    assert_eq!(dirty.seen_by(&mut region), first);
}

#[test]
fn thresholds_in_the_wrong_order_are_refused() {
    let given = [
        Parameter { name: "high".into(), value: Value::Real(3.0) },
        Parameter { name: "low".into(), value: Value::Real(4.0) },
    ];
    let error = detector::<DetectRegion>(&given).unwrap_err();
    assert_eq!(error.to_string(), "`low` must be below `high`");
}
