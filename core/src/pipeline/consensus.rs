//! Several segmenters' answers made one, and figures of how far they agree.
//!
//! The surest answer is kept as it is, for a mean of two outlines is nobody's; what the others say decides how much it is
//! believed. Agreement of independent methods is evidence, disagreement is doubt. Called by [`super::run`] where the
//! settings say that segmenters are to agree.

use ferrule_abi::{LABEL_NONE, Segmentation, Zone, ZoneName};
use ferrule_vision::{ellipse::Ellipse, raster};

use super::zones::ellipse;
use crate::report::Feature;

/// Two outlines agree within the larger of this many pixels and the zone's share of the mean radius, as `ferrule
/// evaluate` counts hits.
const TOLERANCE_PX: f64 = 1.5;
const CLADDING_TOLERANCE: f64 = 0.01;
const CORE_TOLERANCE: f64 = 0.02;
/// What is left of a confidence where another segmenter saw no such zone.
const UNSEEN: f64 = 0.75;
/// Points on each outline at which distances are taken.
const DIRECTIONS: usize = 360;
/// Side of the grid of points that areas are counted on.
const GRID: usize = 200;

/// One segmenter's answer.
#[derive(Debug, Clone)]
pub struct Opinion {
    /// `id version`, as results name it.
    pub plugin: String,
    pub answer: Segmentation,
}

/// The surest answer, surer or less sure for what the others say, and the agreement figures; `None` without an answer.
#[must_use]
pub fn agree(mut opinions: Vec<Opinion>, width: u32, height: u32) -> Option<(Segmentation, Vec<Feature>)> {
    // Stable: of two that are equally sure the one listed first.
    opinions.sort_by(|a, b| confidence(&b.answer).total_cmp(&confidence(&a.answer)));
    let mut opinions = opinions.into_iter();
    let Opinion { plugin, answer: mut best } = opinions.next()?;
    let others: Vec<Segmentation> = opinions.map(|opinion| opinion.answer).collect();
    if others.is_empty() {
        return Some((best, Vec::new()));
    }
    let mut features = Vec::new();
    let Some(own) = best.zone(ZoneName::Cladding).cloned() else { return Some((best, features)) };
    let told = |name| others.iter().map(move |other| other.zone(name));
    let believed = weighed(&own, told(ZoneName::Cladding), CLADDING_TOLERANCE);
    features.extend(figures("cladding", &own, told(ZoneName::Cladding), &plugin));
    for zone in best.zones.iter_mut().filter(|zone| zone.name != ZoneName::Core) {
        zone.confidence = believed;
    }
    // What lies in another cladding is another core.
    let same = |other: &&Segmentation| {
        let cladding = other.zone(ZoneName::Cladding);
        cladding.is_some_and(|cladding| apart(&own, cladding) <= tolerance(&own, CLADDING_TOLERANCE))
    };
    let cores: Vec<Option<&Zone>> = others.iter().filter(same).map(|other| other.zone(ZoneName::Core)).collect();
    let of_best = best.zone(ZoneName::Core).cloned();
    let surest = of_best
        .iter()
        .chain(cores.iter().copied().flatten())
        .reduce(|a, b| if b.confidence > a.confidence { b } else { a });
    if let Some(surest) = surest {
        // Everybody but whose it is.
        let mut rest: Vec<Option<&Zone>> = std::iter::once(of_best.as_ref()).chain(cores.iter().copied()).collect();
        if let Some(place) = rest.iter().position(|core| *core == Some(surest)) {
            rest.remove(place);
        }
        features.extend(figures("core", surest, rest.iter().copied(), &plugin));
        let core = Zone { confidence: weighed(surest, rest.into_iter(), CORE_TOLERANCE), ..surest.clone() };
        if of_best.as_ref().is_none_or(|old| old.outline != core.outline) {
            draw_core(&mut best, &core, width as usize, height as usize);
        }
        let others = best.zones.iter().filter(|zone| zone.name != ZoneName::Core).cloned();
        best.zones = std::iter::once(core).chain(others).collect();
    }
    Some((best, features))
}

fn confidence(answer: &Segmentation) -> f64 {
    answer.zone(ZoneName::Cladding).map_or(-1.0, |zone| zone.confidence)
}

/// A zone's confidence after hearing the others: where they agree, that of either being right; where they do not, less by
/// how far apart they are and how sure the other is.
fn weighed<'a>(zone: &Zone, others: impl Iterator<Item = Option<&'a Zone>>, share: f64) -> f64 {
    let tolerance = tolerance(zone, share);
    let believed = others.fold(zone.confidence, |believed, other| match other {
        Some(other) => {
            let apart = apart(zone, other);
            if apart <= tolerance {
                1.0 - (1.0 - believed) * (1.0 - other.confidence)
            } else {
                believed * (1.0 - other.confidence * (1.0 - tolerance / apart))
            }
        }
        None => believed * UNSEEN,
    });
    believed.clamp(0.0, 1.0)
}

fn tolerance(zone: &Zone, share: f64) -> f64 {
    (share * ellipse(zone).mean_radius()).max(TOLERANCE_PX)
}

/// Mean distance of two outlines in pixels, from each to the other.
fn apart(a: &Zone, b: &Zone) -> f64 {
    let (a, b) = (ellipse(a), ellipse(b));
    let one_way = |from: &Ellipse, to: &Ellipse| {
        let (gauge, radius) = (to.gauge(), to.mean_radius());
        let off = |(dx, dy): (f64, f64)| (gauge.radius_at(from.cx + dx, from.cy + dy) - 1.0).abs() * radius;
        from.offsets(DIRECTIONS).map(off).sum::<f64>() / DIRECTIONS as f64
    };
    0.5 * (one_way(&a, &b) + one_way(&b, &a))
}

/// Area of the intersection over that of the union.
fn overlap(a: &Zone, b: &Zone) -> f64 {
    let (a, b) = (ellipse(a), ellipse(b));
    let reach = |e: &Ellipse| e.ax.max(e.by);
    let low = |a_at: f64, b_at: f64| (a_at - reach(&a)).min(b_at - reach(&b));
    let high = |a_at: f64, b_at: f64| (a_at + reach(&a)).max(b_at + reach(&b));
    let (x0, x1, y0, y1) = (low(a.cx, b.cx), high(a.cx, b.cx), low(a.cy, b.cy), high(a.cy, b.cy));
    let (in_a, in_b) = (a.gauge(), b.gauge());
    let (mut both, mut either) = (0_u32, 0_u32);
    for row in 0..GRID {
        let y = y0 + (y1 - y0) * (row as f64 + 0.5) / GRID as f64;
        for column in 0..GRID {
            let x = x0 + (x1 - x0) * (column as f64 + 0.5) / GRID as f64;
            let (a, b) = (in_a.square_at(x, y) <= 1.0, in_b.square_at(x, y) <= 1.0);
            both += u32::from(a && b);
            either += u32::from(a || b);
        }
    }
    f64::from(both) / f64::from(either.max(1))
}

/// Largest distance to, smallest overlap with, and number of those that saw the zone too.
fn figures<'a>(
    zone_name: &str,
    zone: &Zone,
    others: impl Iterator<Item = Option<&'a Zone>> + Clone,
    plugin: &str,
) -> Vec<Feature> {
    let feature = |name: &str, value: f64, unit: &str| Feature {
        region: "image".into(),
        name: format!("{zone_name}_{name}"),
        value,
        unit: unit.into(),
        plugin: plugin.into(),
    };
    let seen = others.flatten();
    let mut list = vec![feature("seen_by", 1.0 + seen.clone().count() as f64, "")];
    if let Some(farthest) = seen.clone().map(|other| apart(zone, other)).reduce(f64::max) {
        let least = seen.map(|other| overlap(zone, other)).fold(1.0, f64::min);
        list.extend([feature("agreement_px", farthest, "px"), feature("iou", least, "ratio")]);
    }
    list
}

/// Puts another core into a label map, where the segmenter gave one; what it left unlabelled stays so.
fn draw_core(answer: &mut Segmentation, core: &Zone, width: usize, height: usize) {
    if answer.labels.is_empty() {
        return;
    }
    let (old, new) = (ZoneName::Core as u8, ZoneName::Cladding as u8);
    answer.labels.iter_mut().filter(|label| **label == old).for_each(|label| *label = new);
    for (y, span) in raster::ellipse_spans(&ellipse(core), width, height) {
        let row = &mut answer.labels[y * width..][span];
        row.iter_mut().filter(|label| **label != LABEL_NONE).for_each(|label| *label = old);
    }
}

#[cfg(test)]
mod tests {
    use ferrule_abi::RVec;

    use super::*;

    fn zone(name: ZoneName, (cx, cy, radius): (f64, f64, f64), confidence: f64) -> Zone {
        Zone { name, outline: ferrule_abi::Ellipse { cx, cy, ax: radius, by: radius, angle_deg: 0.0 }, confidence }
    }

    fn opinion(plugin: &str, zones: Vec<Zone>) -> Opinion {
        let answer = Segmentation { zones: zones.into(), labels: RVec::new(), attributes: RVec::new() };
        Opinion { plugin: plugin.into(), answer }
    }

    fn fibre(plugin: &str, at: (f64, f64, f64), confidence: f64) -> Opinion {
        let core = zone(ZoneName::Core, (at.0, at.1, 0.4 * at.2), confidence);
        let others = [ZoneName::Cladding, ZoneName::Ferrule].map(|name| zone(name, at, confidence));
        opinion(plugin, std::iter::once(core).chain(others).collect())
    }

    fn value(features: &[Feature], name: &str) -> Option<f64> {
        let found = features.iter().find(|feature| feature.region == "image" && feature.name == name);
        found.map(|feature| feature.value)
    }

    fn of(answer: &Segmentation, name: ZoneName) -> f64 {
        answer.zone(name).unwrap().confidence
    }

    #[test]
    fn where_two_agree_the_surer_outline_is_kept_and_surer_still() {
        let opinions = vec![fibre("b", (101.0, 100.0, 50.0), 0.7), fibre("a", (100.0, 100.0, 50.0), 0.8)];
        let (found, features) = agree(opinions, 200, 200).unwrap();
        assert_eq!(found.zone(ZoneName::Cladding).unwrap().outline.cx, 100.0);
        for name in [ZoneName::Core, ZoneName::Cladding, ZoneName::Ferrule] {
            assert!((of(&found, name) - 0.94).abs() < 1e-9, "{name:?}");
        }
        // A circle moved by d lies 2 d / pi from itself on average.
        assert!((value(&features, "cladding_agreement_px").unwrap() - 2.0 / std::f64::consts::PI).abs() < 0.01);
        assert!((value(&features, "cladding_iou").unwrap() - 0.975).abs() < 0.01);
        assert_eq!(value(&features, "cladding_seen_by"), Some(2.0));
        assert!(features.iter().all(|feature| feature.plugin == "a"));
    }

    #[test]
    fn where_two_disagree_the_surer_one_is_doubted_by_how_far_they_are_apart() {
        let doubted = |off: f64, other: f64| {
            let opinions = vec![fibre("a", (100.0, 100.0, 50.0), 0.9), fibre("b", (100.0, 100.0, 50.0 + off), other)];
            let (found, features) = agree(opinions, 200, 200).unwrap();
            assert!((value(&features, "cladding_agreement_px").unwrap() - off).abs() < 0.01);
            assert_eq!(found.zone(ZoneName::Cladding).unwrap().outline.ax, 50.0);
            of(&found, ZoneName::Cladding)
        };
        assert!((doubted(3.0, 0.8) - 0.9 * (1.0 - 0.8 * 0.5)).abs() < 1e-9);
        assert!(doubted(30.0, 0.8) < doubted(3.0, 0.8));
        assert!(doubted(30.0, 0.1) > doubted(30.0, 0.8), "one that is not sure itself casts little doubt");
    }

    #[test]
    fn a_fibre_that_another_does_not_see_is_doubted_and_nobodys_fibre_is_none() {
        let (found, features) =
            agree(vec![opinion("a", vec![]), fibre("b", (80.0, 80.0, 40.0), 0.8)], 160, 160).unwrap();
        assert!((of(&found, ZoneName::Cladding) - 0.6).abs() < 1e-9);
        assert_eq!(value(&features, "cladding_seen_by"), Some(1.0));
        assert_eq!(value(&features, "cladding_agreement_px"), None);
        let (found, features) = agree(vec![opinion("a", vec![]), opinion("b", vec![])], 160, 160).unwrap();
        assert!(found.zones.is_empty() && features.is_empty());
        assert!(agree(vec![], 160, 160).is_none());
    }

    #[test]
    fn one_answer_alone_stays_as_it_is() {
        let alone = fibre("a", (80.0, 80.0, 40.0), 0.8);
        let (found, features) = agree(vec![alone.clone()], 160, 160).unwrap();
        assert_eq!(found.zones, alone.answer.zones);
        assert!(features.is_empty());
    }

    #[test]
    fn a_core_that_only_the_less_sure_one_saw_is_taken_and_drawn_within_the_frame() {
        let (width, height) = (100, 100);
        let mut first = fibre("a", (50.0, 50.0, 40.0), 0.9);
        first.answer.zones.retain(|zone| zone.name != ZoneName::Core);
        first.answer.labels =
            (0..width * height).map(|i| if i % width < 48 { LABEL_NONE } else { ZoneName::Cladding as u8 }).collect();
        let (found, _) = agree(vec![first, fibre("b", (50.0, 50.0, 40.0), 0.6)], 100, 100).unwrap();
        assert!((of(&found, ZoneName::Core) - 0.6 * UNSEEN).abs() < 1e-9);
        let label = |x: usize| found.labels[50 * width + x];
        assert_eq!((label(52), label(47), label(80)), (ZoneName::Core as u8, LABEL_NONE, ZoneName::Cladding as u8));
    }

    #[test]
    fn the_core_of_another_fibre_is_not_taken() {
        let mut first = fibre("a", (50.0, 50.0, 20.0), 0.9);
        first.answer.zones.retain(|zone| zone.name != ZoneName::Core);
        let (found, features) = agree(vec![first, fibre("b", (120.0, 50.0, 20.0), 0.6)], 200, 100).unwrap();
        assert!(found.zone(ZoneName::Core).is_none());
        assert_eq!(value(&features, "cladding_iou"), Some(0.0));
        assert_eq!(value(&features, "core_seen_by"), None);
    }
}
