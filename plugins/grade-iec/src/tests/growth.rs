//! For any end face and every profile that ships: more dirt never makes it pass, and no number makes it panic.

use ferrule_abi::{DefectKind, Ellipse, Outcome, Run, Zone, ZoneName};
use proptest::prelude::*;

use super::{CENTRE, EndFace, Spot, UM_PER_PX};
use crate::profile;

fn spots() -> impl Strategy<Value = Spot> {
    let place = (-140.0..140.0f64, -140.0..140.0f64);
    (place, 1u32..900, 0.0..12.0f64, -89.0..90.0f64, any::<bool>()).prop_map(
        |((dx, dy), area_px, width_px, angle_deg, scratch)| {
            let (x, y) = (CENTRE + dx / UM_PER_PX, CENTRE + dy / UM_PER_PX);
            Spot {
                kind: if scratch { DefectKind::Scratch } else { DefectKind::Particle },
                confidence: 0.9,
                x,
                y,
                area_px,
                width_px,
                angle_deg,
                mask: vec![Run { y: y as u32, x: x as u32, length: 1 + area_px % 30 }],
            }
        },
    )
}

/// An end face of the fibre that the profile is for.
fn faces() -> impl Strategy<Value = (EndFace, String)> {
    let profiles = prop::sample::select(profile::names());
    (profiles, prop::collection::vec(spots(), 0..14)).prop_map(|(name, defects)| {
        let face = if name.starts_with("sm") { EndFace::single_mode() } else { EndFace::multimode() };
        (EndFace { defects, ..face }, name)
    })
}

proptest! {
    #[test]
    fn one_more_defect_never_turns_fail_into_pass((face, profile) in faces(), more in spots()) {
        let (before, after) = (face.by(&profile), face.clone().with(more).by(&profile));
        prop_assert!(before.overall == Outcome::Pass || after.overall == Outcome::Fail);
        for (before, after) in before.zones.iter().zip(&after.zones) {
            prop_assert!(before.outcome == Outcome::Pass || after.outcome == Outcome::Fail);
        }
    }

    // Within its zone: a defect that grows into the next one leaves the zone where it was counted, as the standard has it.
    #[test]
    fn a_defect_that_grows_never_turns_fail_into_pass(
        (face, profile) in faces(), which in any::<prop::sample::Index>(), area in 0u32..500, width in 0.0..9.0f64,
    ) {
        prop_assume!(!face.defects.is_empty());
        let mut grown = face.clone();
        let defect = &mut grown.defects[which.index(face.defects.len())];
        defect.area_px += area;
        defect.width_px += width;
        let (before, after) = (face.by(&profile), grown.by(&profile));
        prop_assert!(before.overall == Outcome::Pass || after.overall == Outcome::Fail);
    }

    #[test]
    fn no_number_makes_it_panic(
        numbers in prop::collection::vec(any::<f64>(), 12), area_px in any::<u32>(), run in any::<(u32, u32, u32)>(),
        flags in prop::collection::vec("[a-z]{0,8}", 0..3), scratch in any::<bool>(),
    ) {
        let n = |i: usize| numbers[i];
        let outline = Ellipse { cx: n(0), cy: n(1), ax: n(2), by: n(3), angle_deg: n(4) };
        let (y, x, length) = run;
        let mut face = EndFace::single_mode().with(Spot {
            kind: if scratch { DefectKind::Scratch } else { DefectKind::Residue },
            confidence: n(5), x: n(6), y: n(7), area_px, width_px: n(8), angle_deg: n(9),
            mask: vec![Run { y, x, length }],
        });
        face.flags = flags.iter().map(|flag| flag.as_str().into()).collect();
        face.core_um = Some(n(10));
        face.by("sm-pc-panduit");
        face.um_per_px = Some(n(11));
        face.aspect = n(10);
        face.grade(&[]);
        face.zones = ZoneName::ALL.map(|name| Zone { name, outline, confidence: n(5) }).into();
        face.grade(&[]);
    }
}
