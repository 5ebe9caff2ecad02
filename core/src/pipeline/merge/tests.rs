//! Merging, by example and by property.

use std::collections::BTreeSet;

use ferrule_abi::{RVec, Severity};
use proptest::prelude::*;

use super::{
    super::runs::tests::{masks, pixels},
    *,
};

fn found(detector: usize, kind: DefectKind, confidence: f64, mask: Vec<Run>) -> Found {
    let line = Moments::of(&mask);
    let area_px = runs::area(&mask);
    let defect = Defect {
        kind,
        severity: Severity::ALL[detector % 5],
        confidence,
        bbox: runs::bounding_box(&mask),
        x: line.x,
        y: line.y,
        area_px,
        length_px: line.length(),
        width_px: f64::from(area_px) / line.length(),
        angle_deg: line.angle_deg,
        mask: mask.into(),
        attributes: RVec::new(),
    };
    Found { detector, defect }
}

fn bar(x: u32, y: u32, width: u32, height: u32) -> Vec<Run> {
    runs::filled(BoundingBox { x, y, width, height })
}

fn slanted(x: f64, y: f64, angle_deg: f64, length: u32) -> Vec<Run> {
    let (sin, cos) = angle_deg.to_radians().sin_cos();
    let at = |i: u32| (x + f64::from(i) * cos, y + f64::from(i) * sin);
    let dot = |(x, y): (f64, f64)| Run { x: x.round() as u32, y: y.round() as u32, length: 2 };
    runs::normalised((0..length).map(|i| dot(at(i))).collect())
}

use DefectKind::{Particle, Pit, Residue, Scratch as Line};

#[test]
fn two_detectors_that_see_one_particle_report_it_once_with_both_parts() {
    let merged = merge(vec![found(1, Particle, 0.6, bar(10, 10, 8, 8)), found(3, Pit, 0.9, bar(12, 12, 8, 8))]);
    assert_eq!(merged.len(), 1);
    let defect = &merged[0].defect;
    assert_eq!((defect.kind, defect.confidence, defect.severity), (Pit, 0.9, Severity::High));
    assert_eq!(defect.area_px, 64 + 64 - 36);
    assert_eq!((defect.bbox, defect.x), (BoundingBox { x: 10, y: 10, width: 10, height: 10 }, 14.5));
    assert_eq!(merged[0].parts.iter().map(|part| part.detector).collect::<Vec<_>>(), [3, 1]);
}

#[test]
fn neighbours_that_overlap_less_than_half_stay_two() {
    let merged = merge(vec![found(0, Particle, 0.6, bar(10, 10, 8, 8)), found(1, Particle, 0.9, bar(15, 10, 8, 8))]);
    assert_eq!(merged.len(), 2);
    assert_eq!(merged[0].defect.confidence, 0.9, "the surest first");
}

#[test]
fn fragments_along_one_line_are_one_scratch_of_the_whole_length() {
    let parts = [slanted(20.0, 20.0, 30.0, 40), slanted(64.0, 45.4, 30.0, 30), slanted(95.0, 63.3, 32.0, 30)];
    let merged = merge(parts.into_iter().map(|mask| found(0, Line, 0.7, mask)).collect());
    assert_eq!(merged.len(), 1);
    let defect = &merged[0].defect;
    assert!((defect.length_px - 118.0).abs() < 5.0, "{}", defect.length_px);
    assert!((defect.angle_deg - 30.0).abs() < 3.0 && defect.width_px < 3.0, "{defect:?}");
}

#[test]
fn parallel_scratches_and_distant_ones_stay_apart() {
    let beside = vec![found(0, Line, 0.7, bar(10, 10, 60, 2)), found(0, Line, 0.8, bar(10, 18, 60, 2))];
    assert_eq!(merge(beside).len(), 2);
    let far = vec![found(0, Line, 0.7, bar(10, 10, 20, 2)), found(0, Line, 0.8, bar(80, 10, 20, 2))];
    assert_eq!(merge(far).len(), 2);
    let across = vec![found(0, Line, 0.7, bar(10, 40, 60, 2)), found(0, Line, 0.8, bar(40, 10, 2, 60))];
    assert_eq!(merge(across).len(), 2);
}

#[test]
fn a_scratch_leads_the_crumbs_under_it_and_keeps_its_width() {
    let crumbs = [bar(12, 9, 6, 4), bar(30, 9, 7, 4), bar(50, 10, 5, 4)];
    let mut all: Vec<Found> = crumbs.into_iter().map(|mask| found(4, Residue, 0.95, mask)).collect();
    all.push(found(0, Line, 0.5, bar(10, 10, 60, 2)));
    let merged = merge(all);
    assert_eq!(merged.len(), 1);
    let defect = &merged[0].defect;
    assert_eq!((defect.kind, defect.severity, defect.confidence), (Line, Severity::Critical, 0.95));
    assert_eq!(defect.width_px, 2.0);
    assert_eq!(merged[0].parts[0].defect.kind, Line);
}

#[test]
fn a_broad_blot_in_whose_folds_lines_were_seen_is_a_film() {
    let blot = found(0, Residue, 0.9, bar(10, 10, 40, 12));
    let fold = found(1, DefectKind::Scratch, 0.8, bar(10, 14, 40, 4));
    let merged = merge(vec![blot, fold.clone()]);
    assert_eq!(merged.len(), 1);
    assert_eq!((merged[0].defect.kind, merged[0].parts.len()), (DefectKind::Residue, 2));
    // Where both were seen in one place it is a film, unless it is as thin as a scratch.
    let crease = |height| found(0, Residue, 0.9, bar(10, 15 - height / 2, 50, height));
    let line = || found(1, Line, 0.8, bar(10, 13, 60, 4));
    assert_eq!(merge(vec![crease(8), line()])[0].defect.kind, Residue);
    assert_eq!(merge(vec![crease(4), line()])[0].defect.kind, Line);
    // What the detector of spots took for one pit stays one, whatever line was seen through its middle.
    let pit = found(0, Pit, 0.9, bar(20, 8, 16, 14));
    let through = found(1, Line, 0.8, bar(8, 14, 40, 2));
    assert_eq!(merge(vec![pit, through])[0].defect.kind, Pit);
    // The same line with a crumb under it stays a scratch.
    let crumb = found(0, DefectKind::Pit, 0.9, bar(20, 13, 5, 5));
    assert_eq!(merge(vec![crumb, fold])[0].defect.kind, DefectKind::Scratch);
}

#[test]
fn a_stout_patch_is_no_scratch_and_a_curved_line_is_one() {
    assert_eq!(merge(vec![found(0, Line, 0.8, bar(10, 10, 24, 9))])[0].defect.kind, Residue);
    let at = |degrees: u32| {
        let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
        Run { x: (60.0 + 40.0 * cos).round() as u32, y: (60.0 + 40.0 * sin).round() as u32, length: 2 }
    };
    let mut arc = found(0, Line, 0.8, runs::normalised((0..180).map(at).collect()));
    arc.defect.length_px = 40.0 * std::f64::consts::PI;
    assert!(Moments::of(&arc.defect.mask).elongation < STOUT);
    assert_eq!(merge(vec![arc])[0].defect.kind, Line);
}

#[test]
fn a_film_and_a_large_particle_keep_apart_from_the_scratch_across_them() {
    let all = vec![
        found(0, Line, 0.9, bar(10, 50, 80, 2)),
        found(1, Residue, 0.8, bar(20, 20, 60, 60)),
        found(1, Particle, 0.7, bar(82, 44, 16, 16)),
    ];
    assert_eq!(merge(all).len(), 3);
}

fn anything() -> impl Strategy<Value = Vec<Found>> {
    let kind = prop::sample::select(vec![Line, Pit, Particle, Residue]);
    let one = (0usize..4, kind, 0.0..1.0f64, masks());
    prop::collection::vec(
        one.prop_map(|(detector, kind, confidence, mask)| found(detector, kind, confidence, mask)),
        0..9,
    )
}

proptest! {
    #[test]
    fn order_does_not_matter(all in anything(), seed in any::<u64>()) {
        let mut shuffled = all.clone();
        let mut state = seed;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(i, (state >> 33) as usize % (i + 1));
        }
        prop_assert_eq!(merge(all), merge(shuffled));
    }

    #[test]
    fn no_pixel_and_no_part_is_lost_or_invented(all in anything()) {
        let merged = merge(all.clone());
        let before: BTreeSet<_> = all.iter().flat_map(|found| pixels(&found.defect.mask)).collect();
        let after: BTreeSet<_> = merged.iter().flat_map(|merged| pixels(&merged.defect.mask)).collect();
        prop_assert_eq!(before, after);
        prop_assert_eq!(merged.iter().map(|merged| merged.parts.len()).sum::<usize>(), all.len());
        for merged in &merged {
            prop_assert_eq!(runs::area(&merged.defect.mask), merged.defect.area_px);
            prop_assert_eq!(runs::bounding_box(&merged.defect.mask), merged.defect.bbox);
            let worst = merged.parts.iter().map(|part| part.defect.severity).max();
            prop_assert_eq!(worst, Some(merged.defect.severity));
        }
    }

    #[test]
    fn nothing_is_left_to_merge(all in anything()) {
        let groups: Vec<Group> = merge(all).into_iter().map(|merged| Group::of(merged.parts)).collect();
        for (i, a) in groups.iter().enumerate() {
            for b in &groups[i + 1..] {
                prop_assert!(!(a.may_touch(b) && a.is_same_as(b)));
                prop_assert_eq!(a.is_same_as(b), b.is_same_as(a));
                prop_assert!(a.may_touch(b) || !a.is_same_as(b), "the shortcut must not decide");
            }
        }
    }

    #[test]
    fn merging_blots_twice_changes_nothing(all in anything()) {
        let blots: Vec<Found> = all.into_iter().filter(|found| found.defect.kind != Line).collect();
        let once = merge(blots);
        let again = merge(once.iter().map(|merged| Found { detector: 0, defect: merged.defect.clone() }).collect());
        let defects = |merged: &[Merged]| merged.iter().map(|merged| merged.defect.clone()).collect::<Vec<_>>();
        prop_assert_eq!(defects(&once), defects(&again));
    }
}
