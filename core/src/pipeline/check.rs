//! A plug-in's answer is believed only as far as it can be checked: numbers finite, places inside the picture, lists of
//! sane length. An answer that is not is refused whole, with the first thing that is wrong; that costs the plug-in its
//! own results and nobody else's. Called by [`super::run`] right after each call.

use ferrule_abi::{BoundingBox, Defect, Detections, Feature, Histogram, Measurements, Segmentation, Verdict, ZoneName};

use super::runs;

/// More defects than this on one end face are noise, not findings.
pub const MAX_DEFECTS: usize = 10_000;
pub const MAX_FEATURES: usize = 20_000;
pub const MAX_HISTOGRAMS: usize = 1_000;
pub const MAX_BINS: usize = 65_536;
pub const MAX_ATTRIBUTES: usize = 1_000;
/// Longest name of a feature, region or unit.
const MAX_NAME: usize = 100;
/// Outlines further out than this are no outlines of anything in the picture.
const FARTHEST: f64 = 1e6;

/// What is wrong with an answer, in words that follow the plug-in's name.
type Lie = String;

fn too_many(what: &str, count: usize, most: usize) -> Result<(), Lie> {
    if count > most { Err(format!("answers with {count} {what}, at most {most} are believed")) } else { Ok(()) }
}

fn finite(what: &str, numbers: &[f64]) -> Result<(), Lie> {
    match numbers.iter().find(|number| !number.is_finite()) {
        Some(number) => Err(format!("answers with {what} that is {number}")),
        None => Ok(()),
    }
}

fn share(what: &str, number: f64) -> Result<(), Lie> {
    if (0.0..=1.0).contains(&number) { Ok(()) } else { Err(format!("answers with {what} of {number}, not 0 to 1")) }
}

/// Checks zones and label map of a picture of that size.
///
/// # Errors
/// The first thing that cannot be.
pub fn segmentation(answer: &Segmentation, width: u32, height: u32) -> Result<(), Lie> {
    too_many("attributes", answer.attributes.len(), MAX_ATTRIBUTES)?;
    for (i, zone) in answer.zones.iter().enumerate() {
        let (name, outline) = (zone.name.as_str(), &zone.outline);
        if answer.zones[..i].iter().any(|other| other.name == zone.name) {
            return Err(format!("answers with two outlines of the {name}"));
        }
        let reach = [outline.cx.abs(), outline.cy.abs(), outline.ax, outline.by];
        if !outline.is_sound() || reach.iter().any(|length| *length > FARTHEST) {
            let (cx, cy, ax, by) = (outline.cx, outline.cy, outline.ax, outline.by);
            return Err(format!("answers with a {name} that is no ellipse (centre {cx}, {cy}, semi-axes {ax}, {by})"));
        }
        share("a confidence", zone.confidence)?;
    }
    let pixels = width as usize * height as usize;
    if !answer.labels.is_empty() && answer.labels.len() != pixels {
        let count = answer.labels.len();
        return Err(format!("answers with {count} labels for {pixels} pixels"));
    }
    let highest = ZoneName::Ferrule as u8;
    // The largest of all, not the first wrong one: that compares sixteen labels at a time.
    match answer.labels.iter().fold(0, |largest: u8, label| largest.max(*label)) {
        label if label > highest => Err(format!("answers with the label {label}, at most {highest} means a zone")),
        _ => Ok(()),
    }
}

/// Checks defects, and makes box, centroid and area what the mask says. A defect without a mask covers its box.
///
/// # Errors
/// The first thing that cannot be.
pub fn detections(answer: &mut Detections, width: u32, height: u32) -> Result<(), Lie> {
    too_many("defects", answer.defects.len(), MAX_DEFECTS)?;
    too_many("attributes", answer.attributes.len(), MAX_ATTRIBUTES)?;
    let pixels = width as usize * height as usize;
    let all_runs = answer.defects.iter().map(|defect| defect.mask.len()).sum();
    too_many("runs of masks", all_runs, pixels.max(MAX_DEFECTS))?;
    answer.defects.iter_mut().try_for_each(|defect| one_defect(defect, width, height))
}

fn one_defect(defect: &mut Defect, width: u32, height: u32) -> Result<(), Lie> {
    share("a confidence", defect.confidence)?;
    let lengths = [defect.length_px, defect.width_px];
    finite("a number of a defect", &[defect.x, defect.y, lengths[0], lengths[1], defect.angle_deg])?;
    if lengths.iter().any(|length| *length < 0.0 || *length > FARTHEST) {
        return Err(format!("answers with a defect {} px long and {} px wide", lengths[0], lengths[1]));
    }
    too_many("attributes of a defect", defect.attributes.len(), MAX_ATTRIBUTES)?;
    let BoundingBox { x, y, width: w, height: h } = defect.bbox;
    let fits = |start: u32, size: u32, limit: u32| size > 0 && start.checked_add(size).is_some_and(|end| end <= limit);
    if !fits(x, w, width) || !fits(y, h, height) {
        return Err(format!("answers with a box of {w} x {h} at {x}, {y}, outside the picture of {width} x {height}"));
    }
    if defect.mask.is_empty() {
        defect.mask = runs::filled(defect.bbox).into();
    }
    for (i, run) in defect.mask.iter().enumerate() {
        if !fits(run.x, run.length, width) || run.y >= height {
            let (x, y, length) = (run.x, run.y, run.length);
            return Err(format!("answers with a mask of {length} pixels from {x}, {y}, outside the picture"));
        }
        let before = i.checked_sub(1).map(|i| defect.mask[i]);
        if before.is_some_and(|before| (before.y, before.x + before.length - 1) >= (run.y, run.x)) {
            return Err("answers with a mask whose runs are out of order".into());
        }
    }
    let centre = runs::Moments::of(&defect.mask);
    (defect.x, defect.y) = (centre.x, centre.y);
    defect.area_px = runs::area(&defect.mask);
    defect.bbox = runs::bounding_box(&defect.mask);
    Ok(())
}

/// Checks features and histograms.
///
/// # Errors
/// The first thing that cannot be.
pub fn measurements(answer: &Measurements) -> Result<(), Lie> {
    too_many("features", answer.features.len(), MAX_FEATURES)?;
    too_many("histograms", answer.histograms.len(), MAX_HISTOGRAMS)?;
    too_many("attributes", answer.attributes.len(), MAX_ATTRIBUTES)?;
    for Feature { region, name, value, unit } in &answer.features {
        named(region, name, unit)?;
        finite(&format!("a value of {region}/{name}"), &[*value])?;
    }
    for Histogram { region, name, low, high, counts } in &answer.histograms {
        named(region, name, "")?;
        finite(&format!("an end of the histogram {region}/{name}"), &[*low, *high])?;
        too_many("bins of a histogram", counts.len(), MAX_BINS)?;
        if low >= high {
            return Err(format!("answers with a histogram {region}/{name} from {low} to {high}"));
        }
    }
    Ok(())
}

/// Names become columns of tables and words on screens.
fn named(region: &str, name: &str, unit: &str) -> Result<(), Lie> {
    let known = region == "image" || ZoneName::ALL.iter().any(|zone| zone.as_str() == region);
    if !known {
        return Err(format!("answers for a region {region:?}, not a zone's name or `image`"));
    }
    let sound = |text: &str| text.len() <= MAX_NAME && !text.chars().any(char::is_control);
    if name.is_empty() || !sound(name) || !sound(unit) {
        return Err(format!("answers with a feature named {name:?} in {unit:?}"));
    }
    Ok(())
}

/// Checks a verdict on so many defects.
///
/// # Errors
/// The first thing that cannot be.
pub fn verdict(answer: &Verdict, defects: usize) -> Result<(), Lie> {
    too_many("verdicts on zones", answer.zones.len(), ZoneName::ALL.len())?;
    for zone in &answer.zones {
        if let Some(place) = zone.defects.iter().find(|place| **place as usize >= defects) {
            return Err(format!("answers with a verdict on defect {place} of {defects}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ferrule_abi::{DefectKind, Ellipse, RVec, Run, Severity, Zone};
    use proptest::prelude::*;

    use super::*;

    fn defect(mask: Vec<Run>) -> Defect {
        Defect {
            kind: DefectKind::Pit,
            severity: Severity::Low,
            confidence: 0.5,
            bbox: BoundingBox { x: 2, y: 3, width: 4, height: 2 },
            x: 0.0,
            y: 0.0,
            area_px: 0,
            length_px: 4.0,
            width_px: 2.0,
            angle_deg: 0.0,
            mask: mask.into(),
            attributes: RVec::new(),
        }
    }

    fn checked(defect: Defect) -> Result<Defect, Lie> {
        let mut answer = Detections { defects: vec![defect].into(), attributes: RVec::new() };
        detections(&mut answer, 20, 10)?;
        Ok(answer.defects[0].clone())
    }

    #[test]
    fn figures_follow_the_mask_and_a_box_alone_is_its_own_mask() {
        let sound = checked(defect(vec![Run { y: 3, x: 2, length: 3 }, Run { y: 4, x: 2, length: 1 }])).unwrap();
        assert_eq!((sound.area_px, sound.bbox), (4, BoundingBox { x: 2, y: 3, width: 3, height: 2 }));
        let boxed = checked(defect(vec![])).unwrap();
        assert_eq!((boxed.area_px, boxed.x, boxed.y), (8, 3.5, 3.5));
    }

    #[test]
    fn lies_about_defects_are_named() {
        let lie = |change: fn(&mut Defect)| {
            let mut defect = defect(vec![Run { y: 3, x: 2, length: 3 }]);
            change(&mut defect);
            checked(defect).unwrap_err()
        };
        assert!(lie(|d| d.confidence = f64::NAN).contains("confidence of NaN"));
        assert!(lie(|d| d.length_px = f64::INFINITY).contains("inf"));
        assert!(lie(|d| d.bbox.x = u32::MAX).contains("outside the picture"));
        assert!(lie(|d| d.bbox.width = 0).contains("box of 0 x 2"));
        assert!(lie(|d| d.mask[0].length = u32::MAX).contains("outside"));
        assert!(lie(|d| d.mask.push(Run { y: 3, x: 4, length: 1 })).contains("out of order"));
        let mut crowd =
            Detections { defects: (0..=MAX_DEFECTS).map(|_| defect(vec![])).collect(), ..Default::default() };
        assert!(detections(&mut crowd, 20, 10).unwrap_err().contains("10001 defects"));
    }

    #[test]
    fn lies_about_zones_are_named() {
        let zone = |name, ax| Zone {
            name,
            outline: Ellipse { cx: 5.0, cy: 5.0, ax, by: 3.0, angle_deg: 0.0 },
            confidence: 0.9,
        };
        let lie = |zones: Vec<Zone>, labels: Vec<u8>| {
            let answer = Segmentation { zones: zones.into(), labels: labels.into(), attributes: RVec::new() };
            segmentation(&answer, 4, 3).unwrap_err()
        };
        assert!(lie(vec![zone(ZoneName::Core, f64::NAN)], vec![]).contains("no ellipse"));
        assert!(lie(vec![zone(ZoneName::Core, 1e300)], vec![]).contains("no ellipse"));
        assert!(lie(vec![zone(ZoneName::Core, 1.0), zone(ZoneName::Core, 2.0)], vec![]).contains("two outlines"));
        assert!(lie(vec![], vec![0; 5]).contains("5 labels for 12 pixels"));
        assert!(lie(vec![], vec![5; 12]).contains("label 5"));
    }

    #[test]
    fn features_are_finite_and_of_known_regions() {
        let lie = |region: &str, value| {
            let feature = Feature { region: region.into(), name: "mean".into(), value, unit: "gray".into() };
            measurements(&Measurements { features: vec![feature].into(), ..Default::default() }).unwrap_err()
        };
        assert!(lie("core", f64::NAN).contains("core/mean"));
        assert!(lie("elsewhere", 1.0).contains("elsewhere"));
    }

    proptest! {
        #[test]
        fn any_mask_is_refused_or_safe_to_work_with(
            raw in prop::collection::vec((any::<u32>(), any::<u32>(), any::<u32>()), 0..5),
            small in prop::collection::vec((0u32..12, 0u32..24, 0u32..9), 0..5),
        ) {
            for mask in [raw, small] {
                let mask = mask.into_iter().map(|(y, x, length)| Run { y, x, length }).collect();
                if let Ok(sound) = checked(defect(mask)) {
                    prop_assert_eq!(runs::normalised(sound.mask.to_vec()).len() <= sound.mask.len(), true);
                    prop_assert!(sound.bbox.x + sound.bbox.width <= 20 && sound.bbox.y + sound.bbox.height <= 10);
                }
            }
        }
    }
}
