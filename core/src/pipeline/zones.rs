//! Zones of a picture: the label map in force, the scale that follows from the fit, the zone of a defect.

use ferrule_abi::{LABEL_NONE, Run, Segmentation, Value, Zone, ZoneName};
use ferrule_vision::{ellipse::Ellipse, raster};

use crate::{report, worker::messages::Optics};

/// What is known of the picture's scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Micrometres a pixel along y.
    pub um_per_px: Option<f64>,
    /// Width of a pixel divided by its height; 1 when unknown.
    pub pixel_aspect: f64,
}

/// The label map: the segmenter's own, or what [`draw_labels`] has drawn where it gave none.
pub fn label_map<'a>(segmentation: &'a Segmentation, drawn: &'a [u8]) -> &'a [u8] {
    if segmentation.labels.is_empty() { drawn } else { &segmentation.labels }
}

/// Draws the outlines, the innermost on top, where the segmenter gave no labels of its own.
pub fn draw_labels(segmentation: &Segmentation, width: u32, height: u32, labels: &mut Vec<u8>) {
    labels.clear();
    if !segmentation.labels.is_empty() {
        return;
    }
    let (width, height) = (width as usize, height as usize);
    labels.resize(width * height, LABEL_NONE);
    let outlines: Vec<(Ellipse, u8)> = segmentation.zones.iter().map(|zone| (ellipse(zone), zone.name as u8)).collect();
    raster::fill_zones(labels, width, height, LABEL_NONE, &outlines);
}

pub(crate) fn ellipse(zone: &Zone) -> Ellipse {
    let outline = &zone.outline;
    Ellipse { cx: outline.cx, cy: outline.cy, ax: outline.ax, by: outline.by, angle_deg: outline.angle_deg }
}

/// The cladding, if the segmenter is sure enough of it: without one there is no fibre.
pub fn fibre(segmentation: &Segmentation, min_confidence: f64) -> Option<&Zone> {
    segmentation.zone(ZoneName::Cladding).filter(|cladding| cladding.confidence >= min_confidence)
}

/// The scale from the source's settings, else from the fitted glass and its diameter in the fibre's data sheet.
pub fn scale(optics: &Optics, segmentation: &Segmentation, fibre: Option<&Zone>) -> Scale {
    let sound = |value: f64| (value.is_finite() && value > 0.0).then_some(value);
    let from_fit = || Some(sound(optics.cladding_um?)? / (2.0 * fibre?.outline.by));
    let attribute = || {
        let found = segmentation.attributes.iter().find(|attribute| attribute.name == "pixel_aspect")?;
        if let Value::Real(aspect) = found.value { sound(aspect) } else { None }
    };
    Scale {
        um_per_px: optics.um_per_px.and_then(sound).or_else(from_fit),
        pixel_aspect: optics.pixel_aspect.and_then(sound).or_else(attribute).unwrap_or(1.0),
    }
}

/// Radius of a telecom fibre's cladding in micrometres.
const TELECOM_RADIUS_UM: f64 = 62.5;

/// Micrometres a pixel where the exact figure does not matter: the known one, else as if the fibre were a telecom fibre.
pub fn approximate_scale(scale: &Scale, segmentation: &Segmentation) -> Option<f64> {
    let cladding = || segmentation.zone(ZoneName::Cladding).map(ellipse).filter(Ellipse::is_sound);
    scale.um_per_px.or_else(|| Some(TELECOM_RADIUS_UM / cladding()?.mean_radius()))
}

/// The innermost zone that a mask touches; `None` outside all of them.
pub fn innermost(mask: &[Run], labels: &[u8], width: u32) -> Option<ZoneName> {
    let row = |run: &Run| {
        let start = run.y as usize * width as usize + run.x as usize;
        &labels[start..start + run.length as usize]
    };
    let touched = mask.iter().flat_map(row).filter(|label| **label != LABEL_NONE).min();
    touched.and_then(|label| ZoneName::from_label(*label))
}

/// The zones as results carry them.
pub fn reported(segmentation: &Segmentation) -> report::Zones {
    let mut zones = report::Zones::default();
    for zone in &segmentation.zones {
        let upright = ellipse(zone).upright();
        let outline = report::Outline {
            cx: upright.cx,
            cy: upright.cy,
            ax: upright.ax,
            by: upright.by,
            angle_deg: upright.angle_deg,
            confidence: zone.confidence,
        };
        let place = match zone.name {
            ZoneName::Core => &mut zones.core,
            ZoneName::Cladding => &mut zones.cladding,
            ZoneName::Adhesive => &mut zones.adhesive,
            ZoneName::Ferrule => &mut zones.ferrule,
        };
        *place = Some(outline);
    }
    zones
}

#[cfg(test)]
mod tests {
    use ferrule_abi::{Attribute, RVec};

    use super::*;

    fn fibre_of(by: f64, confidence: f64) -> Segmentation {
        let zone = |name, ax, by| Zone {
            name,
            outline: ferrule_abi::Ellipse { cx: 20.0, cy: 16.0, ax, by, angle_deg: 0.0 },
            confidence,
        };
        let zones = vec![zone(ZoneName::Core, 2.0, 2.0), zone(ZoneName::Cladding, by * 0.9, by)];
        Segmentation { zones: zones.into(), labels: RVec::new(), attributes: RVec::new() }
    }

    #[test]
    fn the_scale_follows_from_the_fit_along_y_unless_the_source_gives_one() {
        let found = fibre_of(10.0, 0.9);
        let optics = Optics { cladding_um: Some(125.0), ..Optics::default() };
        assert_eq!(scale(&optics, &found, fibre(&found, 0.5)).um_per_px, Some(6.25));
        let given = Optics { um_per_px: Some(0.5), ..optics };
        assert_eq!(scale(&given, &found, fibre(&found, 0.5)).um_per_px, Some(0.5));
        let doubted = fibre_of(10.0, 0.2);
        let unknown = scale(&optics, &doubted, fibre(&doubted, 0.5));
        assert_eq!(unknown.um_per_px, None);
        let about = approximate_scale(&unknown, &doubted);
        assert!(about.is_some_and(|um| (um - 62.5 / (10.0 * 0.9_f64.sqrt())).abs() < 0.1), "{about:?}");
        assert_eq!(approximate_scale(&unknown, &Segmentation::default()), None);
    }

    #[test]
    fn the_pixel_aspect_comes_from_the_source_then_from_the_segmenter() {
        let mut found = fibre_of(10.0, 0.9);
        assert_eq!(scale(&Optics::default(), &found, None).pixel_aspect, 1.0);
        found.attributes.push(Attribute { name: "pixel_aspect".into(), value: Value::Real(1.08) });
        assert_eq!(scale(&Optics::default(), &found, None).pixel_aspect, 1.08);
        let given = Optics { pixel_aspect: Some(0.95), ..Optics::default() };
        assert_eq!(scale(&given, &found, None).pixel_aspect, 0.95);
    }

    #[test]
    fn a_defect_belongs_to_the_innermost_zone_that_it_touches() {
        let mut labels = Vec::new();
        let found = fibre_of(10.0, 0.9);
        draw_labels(&found, 40, 32, &mut labels);
        let zone = |x, length| innermost(&[Run { y: 16, x, length }], label_map(&found, &labels), 40);
        assert_eq!(zone(0, 4), None);
        assert_eq!(zone(8, 6), Some(ZoneName::Cladding));
        assert_eq!(zone(0, 40), Some(ZoneName::Core));
    }

    #[test]
    fn a_segmenters_own_label_map_is_taken_as_it_is() {
        let mut found = fibre_of(10.0, 0.9);
        found.labels = vec![4; 12].into();
        let mut labels = vec![7; 99];
        draw_labels(&found, 4, 3, &mut labels);
        assert_eq!(label_map(&found, &labels), [4; 12]);
    }
}
