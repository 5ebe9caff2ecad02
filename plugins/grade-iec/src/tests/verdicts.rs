//! Which zone a defect belongs to, how large it is, which profile judges it, and what the verdict says.

use ferrule_abi::{Outcome, Run, Value, ZoneName};

use super::{CENTRE, EndFace, Spot, UM_PER_PX, failed};

#[test]
fn a_clean_end_face_passes_in_every_zone() {
    let verdict = EndFace::single_mode().grade(&[]);
    assert_eq!(verdict.overall, Outcome::Pass);
    let zones: Vec<(ZoneName, Outcome)> = verdict.zones.iter().map(|zone| (zone.zone, zone.outcome)).collect();
    assert_eq!(zones, ZoneName::ALL.map(|zone| (zone, Outcome::Pass)));
    assert_eq!(verdict.reason, "");
}

#[test]
fn auto_takes_the_profile_of_the_fibre_and_says_which() {
    assert_eq!(EndFace::single_mode().grade(&[]).profile, "sm-pc-panduit");
    assert_eq!(EndFace::with_core(14.9).grade(&[]).profile, "sm-pc-panduit");
    assert_eq!(EndFace::with_core(15.1).grade(&[]).profile, "mm-pc-panduit");
    assert_eq!(EndFace::multimode().grade(&[]).profile, "mm-pc-panduit");
    // The fibre's data sheet knows better than a core that was not found.
    let mut faint = EndFace::single_mode();
    faint.zones.remove(0);
    faint.core_um = Some(62.5);
    assert_eq!((faint.grade(&[]).profile.as_str(), faint.grade(&[]).overall), ("mm-pc-panduit", Outcome::Pass));
}

#[test]
fn the_failed_rule_is_told_with_what_was_found_and_which_defects_broke_it() {
    let face = EndFace::single_mode()
        .with(Spot::scratch(30.0, 2.0))
        .with(Spot::scratch(31.0, 4.5))
        .with(Spot::pit(40.0, 1.0))
        .with(Spot::scratch(20.0, 3.5));
    let verdict = face.by("sm-pc-panduit");
    assert_eq!(verdict.overall, Outcome::Fail);
    let rule = "no scratch wider than 3 µm: found 2, up to 4.5 µm";
    assert_eq!(failed(&verdict), [(ZoneName::Cladding, rule.to_owned())]);
    assert_eq!(verdict.zones[1].defects.as_slice(), [1, 3]);
    let mut crowd = EndFace::single_mode().with(Spot::scratch(20.0, 9.0));
    crowd.defects.extend((0..6).map(|i| Spot::pit(30.0 + f64::from(i), 4.0)));
    let rule =
        "no scratch wider than 3 µm: found 1, up to 9.0 µm; at most 5 defects 2 µm or larger: found 6, up to 4.0 µm";
    assert_eq!(failed(&crowd.by("sm-pc-panduit")), [(ZoneName::Cladding, rule.to_owned())]);
    let core = EndFace::single_mode().with(Spot::pit(0.0, 3.0));
    assert_eq!(failed(&core.grade(&[])), [(ZoneName::Core, "no defect: found 1, up to 3.0 µm".to_owned())]);
}

#[test]
fn a_defect_belongs_wholly_to_the_innermost_zone_it_touches_by_the_profiles_own_diameters() {
    let zone_of = |distance, profile| {
        // Larger than any zone but the adhesive allows.
        let verdict = EndFace::single_mode().with(Spot::pit(distance, 40.0)).by(profile);
        failed(&verdict).first().map(|(zone, _)| *zone)
    };
    for (distance, panduit, bicsi) in [
        (0.0, Some(ZoneName::Core), Some(ZoneName::Core)),
        (12.5, Some(ZoneName::Core), Some(ZoneName::Core)),
        (13.0, Some(ZoneName::Cladding), Some(ZoneName::Cladding)),
        (57.5, Some(ZoneName::Cladding), Some(ZoneName::Cladding)),
        (58.0, None, Some(ZoneName::Cladding)),
        (60.5, None, None),
        (65.5, None, Some(ZoneName::Ferrule)),
        (68.0, Some(ZoneName::Ferrule), Some(ZoneName::Ferrule)),
        (125.0, Some(ZoneName::Ferrule), Some(ZoneName::Ferrule)),
        (125.5, None, None),
    ] {
        assert_eq!(zone_of(distance, "sm-pc-panduit"), panduit, "{distance} um");
        assert_eq!(zone_of(distance, "sm-pc-bicsi"), bicsi, "{distance} um");
    }
    // Its centroid lies on the ferrule, its inner end in the core.
    let mut long = Spot::pit(90.0, 5.0);
    long.mask = vec![Run { y: CENTRE as u32, x: (CENTRE + 10.0 / UM_PER_PX) as u32, length: 340 }];
    let verdict = EndFace::single_mode().with(long).grade(&[]);
    assert_eq!(failed(&verdict).len(), 1);
    assert_eq!(failed(&verdict)[0].0, ZoneName::Core);
}

#[test]
fn zone_a_lies_around_the_core_and_the_others_around_the_cladding() {
    let mut face = EndFace::multimode().with(Spot::pit(34.0, 4.0));
    face.defects.extend((0..4).map(|_| Spot::pit(34.0, 4.0)));
    assert_eq!(face.by("mm-pc-panduit").overall, Outcome::Pass, "five in the cladding");
    face.zones[0].outline.cx += 2.0 / UM_PER_PX;
    assert_eq!(failed(&face.by("mm-pc-panduit"))[0].0, ZoneName::Core, "five in a core that lies 2 um aside");
}

#[test]
fn sizes_are_measured_on_the_face_where_pixels_are_wider_than_high() {
    // 0.5 um high and 0.6 um wide.
    let face = |spot: Spot| {
        let mut face = EndFace::single_mode().with(spot);
        face.aspect = 1.2;
        face.zones.iter_mut().for_each(|zone| zone.outline.ax /= 1.2);
        face
    };
    let at = |angle_deg, width_px| {
        let spot = Spot { width_px, angle_deg, ..Spot::scratch(20.0, 1.0) };
        face(spot).by("sm-pc-panduit").overall
    };
    // An upright scratch is counted in widths of a pixel, a level one in heights.
    assert_eq!((at(90.0, 5.0), at(90.0, 5.01)), (Outcome::Pass, Outcome::Fail));
    assert_eq!((at(0.0, 6.0), at(0.0, 6.01)), (Outcome::Pass, Outcome::Fail));
    assert_eq!((at(45.0, 5.4), at(45.0, 5.6)), (Outcome::Pass, Outcome::Fail));
    // 65 pixels of 0.3 um2 are a circle of 4.98 um, 66 one of 5.02 um.
    let area = |area_px| face(Spot { area_px, ..Spot::pit(20.0, 1.0) }).by("sm-pc-panduit").overall;
    assert_eq!((area(65), area(66)), (Outcome::Pass, Outcome::Fail));
    // 57.5 um to the right are 95.8 pixels.
    let column = |x: u32| {
        let mut spot = Spot::pit(20.0, 40.0);
        spot.mask = vec![Run { y: CENTRE as u32, x: CENTRE as u32 + x, length: 1 }];
        face(spot).by("sm-pc-panduit").overall
    };
    assert_eq!((column(95), column(96)), (Outcome::Fail, Outcome::Pass));
}

#[test]
fn what_nobody_is_sure_of_does_not_count() {
    let doubtful = EndFace::single_mode().with(Spot { confidence: 0.49, ..Spot::pit(0.0, 5.0) });
    assert_eq!(doubtful.grade(&[]).overall, Outcome::Pass);
    assert_eq!(doubtful.grade(&[("min_confidence", Value::Real(0.4))]).overall, Outcome::Fail);
}

#[test]
fn multi_fibre_connectors_are_judged_on_the_fibre_alone() {
    let face = EndFace::single_mode().with(Spot::pit(100.0, 50.0));
    assert_eq!(face.grade(&[]).overall, Outcome::Fail);
    let verdict = face.grade(&[("zones", Value::Text("AB".into()))]);
    assert_eq!(verdict.overall, Outcome::Pass);
    assert_eq!(verdict.zones.iter().map(|zone| zone.zone).collect::<Vec<_>>(), [ZoneName::Core, ZoneName::Cladding]);
}
