//! Which components are defects, and of what kind.
//!
//! The rules, in this order:
//! - **chip**: reaches within [`RIM`] pixels of the cladding's edge and lies mostly along it;
//! - **residue**: wide ([`RESIDUE_AREA`]) or loosely filling a wide box, or seen at the coarse scale only;
//! - **pit**: mostly darker than its surroundings, as a dig scatters light out of the view;
//! - **particle**: anything else: brighter, or bright and dark side by side (a speck above the surface has a lit side).
//!
//! Confidence is the share of such components that a person agreed with on photographs: one half at the threshold,
//! rising with contrast, less for a handful of pixels.

use ferrule_abi::{Attribute, BoundingBox, Defect, DefectKind, Severity, Value};
use ferrule_vision::{
    ellipse::Ellipse,
    flatten::UNIT,
    hysteresis::strength,
    severity::{self, Place},
    shape::{Run, Shape},
};

use crate::settings::Settings;

/// Distance from the cladding's outline that belongs to its rim, in pixels.
const RIM: f64 = 8.0;
/// Pixels from which a spot is a residue.
const RESIDUE_AREA: u32 = 250;
/// Box from which a loosely filled spot is a residue, and how loosely.
const RESIDUE_BOX: u32 = 500;
const RESIDUE_FILL: f64 = 0.55;

/// A response and its noise.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    pub response: &'a [i16],
    pub noise: &'a [i16],
}

/// Where the components lie.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    pub width: usize,
    pub labels: &'a [u8],
    pub cladding: Option<Ellipse>,
    pub um_per_px: f64,
    /// 2 where the coarse scale is sure.
    pub mask: &'a [u8],
}

/// The defect that a component is, if it is one.
pub fn judge(runs: &[Run], evidence: &Evidence<'_>, site: &Site<'_>, settings: &Settings) -> Option<Defect> {
    let shape = Shape::of(runs)?;
    if shape.area < settings.min_area {
        return None;
    }
    let strength = strength(runs, evidence.response, evidence.noise, site.width);
    let smear = runs.iter().any(|r| {
        let start = r.y as usize * site.width;
        site.mask[start + r.x as usize..start + r.end() as usize].contains(&2)
    });
    let on_rim = site.cladding.is_some_and(|c| ((c.radius_at(shape.x, shape.y) - 1.0) * c.mean_radius()).abs() < RIM);
    let wanted = if on_rim { settings.rim_high } else { settings.high };
    let seen = strength.peak_sigma > wanted && strength.peak > settings.min_contrast * f32::from(UNIT);
    if !seen && !smear {
        return None;
    }
    let kind = kind_of(&shape, strength.bright, strength.dark, on_rim, !seen);
    let over = f64::from(strength.peak_sigma / wanted).max(1.0) - 1.0;
    let few = f64::from(shape.area.min(12)) / 12.0;
    let confidence = 1.0 - 0.5 * (-over * (0.5 + few)).exp() - 0.15 * (1.0 - few) * (-over).exp();
    let place = worst_place(runs, site);
    let diameter = 2.0 * (f64::from(shape.area) / std::f64::consts::PI).sqrt() * site.um_per_px;
    let level = severity::level(diameter, f64::from(strength.peak_sigma), place);
    let [x, y, width, height] = shape.bbox;
    Some(Defect {
        kind,
        severity: Severity::ALL[level],
        confidence,
        bbox: BoundingBox { x, y, width, height },
        x: shape.x,
        y: shape.y,
        area_px: shape.area,
        length_px: shape.length,
        width_px: shape.width,
        angle_deg: shape.angle_deg,
        mask: runs.iter().map(|r| ferrule_abi::Run { y: r.y, x: r.x, length: r.length }).collect(),
        attributes: vec![
            Attribute { name: "contrast_sigma".into(), value: Value::Real(f64::from(strength.peak_sigma)) },
            Attribute { name: "contrast_gray".into(), value: Value::Real(f64::from(strength.peak / f32::from(UNIT))) },
            Attribute { name: "polarity".into(), value: Value::Text(polarity(strength.bright, strength.dark).into()) },
        ]
        .into(),
    })
}

fn kind_of(shape: &Shape, bright: f32, dark: f32, on_rim: bool, faint: bool) -> DefectKind {
    let [_, _, width, height] = shape.bbox;
    let boxed = width * height;
    let loose = boxed > RESIDUE_BOX && f64::from(shape.area) < RESIDUE_FILL * f64::from(boxed);
    if on_rim && shape.area > 12 {
        DefectKind::Chip
    } else if shape.length > 18.0 && shape.length > 4.5 * shape.width {
        DefectKind::Scratch
    } else if shape.area > RESIDUE_AREA || loose || faint {
        DefectKind::Residue
    } else if -dark > 3.0 * bright {
        DefectKind::Pit
    } else {
        DefectKind::Particle
    }
}

fn polarity(bright: f32, dark: f32) -> &'static str {
    if -dark > 3.0 * bright {
        "dark"
    } else if bright > -3.0 * dark {
        "bright"
    } else {
        "mixed"
    }
}

/// The innermost zone that the component touches.
fn worst_place(runs: &[Run], site: &Site<'_>) -> Place {
    let labels = runs.iter().flat_map(|r| {
        let start = r.y as usize * site.width;
        &site.labels[start + r.x as usize..start + r.end() as usize]
    });
    labels.map(|label| Place::of_label(*label)).max().unwrap_or(Place::Ferrule)
}
