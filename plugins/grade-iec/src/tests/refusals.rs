//! What is not graded, and the words for it.

use ferrule_abi::{Outcome, Value, Verdict, ZoneName};

use super::{EndFace, Spot, UM_PER_PX};

/// Not graded, for this reason.
fn reason(verdict: &Verdict) -> &str {
    assert_eq!(verdict.overall, Outcome::NotGraded, "{verdict:?}");
    verdict.reason.as_str()
}

#[test]
fn without_a_scale_nothing_is_graded() {
    let mut face = EndFace::single_mode().with(Spot::pit(0.0, 20.0));
    for um_per_px in [None, Some(0.0), Some(-0.5), Some(f64::NAN), Some(f64::INFINITY)] {
        face.um_per_px = um_per_px;
        let verdict = face.grade(&[]);
        assert_eq!(reason(&verdict), "the scale is not known; set the source's fibre, cladding_um or um_per_px");
        assert_eq!((verdict.profile.as_str(), verdict.zones.len()), ("auto", 0));
    }
}

#[test]
fn without_a_fibre_or_with_a_doubtful_one_nothing_is_graded() {
    let mut face = EndFace::single_mode();
    face.zones[1].confidence = 0.31;
    assert_eq!(reason(&face.grade(&[])), "the cladding's outline is doubtful (confidence 0.31)");
    face.zones.clear();
    face.um_per_px = None;
    assert_eq!(reason(&face.grade(&[])), "no fibre was found");
}

#[test]
fn a_capture_of_poor_quality_is_not_graded_and_every_reason_is_told() {
    for flag in ["blurred", "dark", "saturated", "cut"] {
        let mut face = EndFace::single_mode();
        face.flags = vec![flag.into()];
        assert_eq!(reason(&face.grade(&[])), format!("the capture is {flag}"));
        face.defects.push(Spot::pit(0.0, 20.0));
        assert_eq!(reason(&face.grade(&[])), format!("the capture is {flag}"), "neither does it fail");
    }
    let mut face = EndFace::single_mode();
    face.flags = vec!["dark".into(), "vignetted".into(), "blurred".into()];
    face.um_per_px = None;
    let all = "the capture is blurred, dark; the scale is not known; set the source's fibre, cladding_um or um_per_px";
    assert_eq!(reason(&face.grade(&[])), all);
    face.flags = vec!["vignetted".into(), "several pages".into()];
    face.um_per_px = Some(UM_PER_PX);
    assert_eq!(face.grade(&[]).overall, Outcome::Pass, "these remarks hide nothing");
}

#[test]
fn only_the_choice_by_fibre_needs_a_core() {
    let mut face = EndFace::single_mode();
    face.zones[0].confidence = 0.2;
    let why = "no core was found to tell single-mode from multimode; set the source's fibre, or the profile";
    assert_eq!(reason(&face.grade(&[])), why);
    assert_eq!(face.by("sm-pc-bicsi").overall, Outcome::Pass);
}

#[test]
fn a_profile_is_not_used_on_a_fibre_that_it_is_not_for() {
    let wide = EndFace::with_core(91.0);
    assert_eq!(reason(&wide.grade(&[])), "the core measures 91.0 µm, and mm-pc-panduit is for 15 to 70 µm");
    let multimode = EndFace::multimode();
    assert_eq!(reason(&multimode.by("sm-pc-bicsi")), "the core measures 50.0 µm, and sm-pc-bicsi is for 0 to 15 µm");
    let mut thick = EndFace::multimode();
    thick.zones[1].outline.ax *= 1.12;
    thick.zones[1].outline.by *= 1.12;
    let verdict = thick.grade(&[]);
    assert_eq!(reason(&verdict), "the cladding measures 140.0 µm, and mm-pc-panduit is for 119 to 131 µm");
    assert_eq!(verdict.profile, "mm-pc-panduit");
}

#[test]
fn a_zone_that_lies_partly_outside_the_picture_can_fail_and_cannot_pass() {
    let mut face = EndFace::single_mode();
    // 110 um from the left edge: the cladding is whole, the contact zone is not.
    face.zones.iter_mut().for_each(|zone| zone.outline.cx = 220.0);
    let verdict = face.by("sm-pc-panduit");
    assert_eq!(reason(&verdict), "ferrule: 4 % of the zone lies outside the picture");
    let outcomes: Vec<Outcome> = verdict.zones.iter().map(|zone| zone.outcome).collect();
    assert_eq!(outcomes, [Outcome::Pass, Outcome::Pass, Outcome::Pass, Outcome::NotGraded]);
    let on_the_fibre = face.grade(&[("profile", "sm-pc-panduit"), ("zones", "AB")].map(text));
    assert_eq!(on_the_fibre.overall, Outcome::Pass);
    face.defects.push(Spot::pit(-10.0, 20.0));
    assert_eq!(face.by("sm-pc-panduit").overall, Outcome::Fail);
}

fn text<'a>((name, value): (&'a str, &str)) -> (&'a str, Value) {
    (name, Value::Text(value.into()))
}

#[test]
fn a_defect_whose_numbers_are_none_fails_where_it_lies() {
    let fails = |spot: Spot| {
        let verdict = EndFace::single_mode().with(spot).by("sm-pc-panduit");
        let failed = verdict.zones.iter().find(|zone| zone.outcome == Outcome::Fail).unwrap();
        (failed.zone, failed.rule.to_string())
    };
    let unknown = "no scratch wider than 3 µm: found 1, of unknown size".to_owned();
    for width_px in [f64::NAN, f64::INFINITY, -1.0] {
        let spot = Spot { width_px, ..Spot::scratch(30.0, 1.0) };
        assert_eq!(fails(spot), (ZoneName::Cladding, unknown.clone()), "{width_px}");
    }
    let turned = Spot { angle_deg: f64::NAN, ..Spot::scratch(30.0, 1.0) };
    assert_eq!(fails(turned), (ZoneName::Cladding, unknown));
    let nowhere = Spot { x: f64::NAN, mask: Vec::new(), ..Spot::pit(30.0, 1.0) };
    assert_eq!(fails(nowhere).0, ZoneName::Core);
    let sure = Spot { confidence: f64::NAN, ..Spot::pit(0.0, 1.0) };
    assert_eq!(fails(sure).0, ZoneName::Core);
}
