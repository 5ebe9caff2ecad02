//! Which components are defects, how sure and how severe. Of what kind they are is [`crate::kinds`]'s to say.
//!
//! Confidence is the share of such components that a person agreed with on photographs: one half at the threshold,
//! rising with contrast, less for a handful of pixels.

use ferrule_abi::{Attribute, BoundingBox, Defect, Severity, Value};
use ferrule_vision::{
    ellipse::Ellipse,
    flatten::{NOISE_UNIT, UNIT, UNUSABLE},
    hysteresis::strength,
    severity::{self, Place},
    shape::{Run, Shape},
};

use crate::{
    kinds::{Candidate, Look, span},
    point::Point,
    settings::Settings,
};

/// Distance of a spot's middle from the cladding's outline that belongs to its rim, in pixels.
const RIM: f64 = 8.0;
/// Distance of a spot's middle from the core's outline, in pixels, where the outline itself is in the way.
const CORE_RIM: f64 = 4.5;
/// What a spot on the core's outline must exceed of the usual threshold: outlines are never quite the fitted ellipse.
const CORE_RIM_FACTOR: f32 = 1.5;
/// A small spot has at most so many pixels, and at most so many along a side.
const SMALL_AREA: u32 = 120;
const SMALL_SIDE: u32 = 16;
/// Least radius of the ring around a small spot, in pixels: a pit seen through the optics is about four wide.
const RING: f32 = 6.0;
/// A ring lies all around it no further below zero than so many standard deviations: a spot not within that of the limit
/// is not looked at.
const RING_BELOW: f32 = 1.5;
/// What a small spot that does not stand out of its surroundings must exceed the usual threshold by.
const CROWDED: f32 = 1.15;
/// Log-odds of a point above the threshold that make it as sure as twice the usual contrast.
const CERTAIN: f32 = 4.0;

/// A flattened picture, its response and that one's noise.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// Not smoothed.
    pub residual: &'a [i16],
    pub response: &'a [i16],
    pub noise: &'a [i16],
}

/// Where the components lie.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    pub width: usize,
    pub labels: &'a [u8],
    pub cladding: Option<Ellipse>,
    pub core: Option<Ellipse>,
    pub um_per_px: f64,
    /// 2 where the coarse scale is sure.
    pub mask: &'a [u8],
    pub point: &'a Point,
}

/// The defect that a component is, if it is one.
pub fn judge(runs: &[Run], evidence: &Evidence<'_>, site: &Site<'_>, settings: &Settings) -> Option<Candidate> {
    let shape = Shape::of(runs)?;
    if shape.area < settings.min_area {
        return None;
    }
    let strength = strength(runs, evidence.response, evidence.noise, site.width);
    let smear = runs.iter().any(|r| {
        let start = r.y as usize * site.width;
        site.mask[start + r.x as usize..start + r.end() as usize].contains(&2)
    });
    let middle = (shape.x, shape.y);
    let on_rim = site.cladding.is_some_and(|edge| off(&edge, middle) < RIM);
    let wanted = if on_rim {
        settings.rim_high
    } else if site.core.is_some_and(|edge| off(&edge, middle) < CORE_RIM) {
        CORE_RIM_FACTOR * settings.high
    } else {
        settings.high
    };
    let visible = strength.peak > settings.min_contrast * f32::from(UNIT);
    let strong = strength.peak_sigma / wanted;
    // A spot in quiet surroundings is seen sooner, one among many as strong later.
    let small = Small::of(&shape, runs, evidence, site).filter(|_| !on_rim);
    let near = strength.peak_sigma > settings.isolated - RING_BELOW;
    let alone = small.as_ref().filter(|_| near).and_then(Small::isolation).map(|it| it / settings.isolated);
    let sharp = visible && strength.peak_sigma > settings.point_low;
    let point = small.as_ref().filter(|_| sharp).and_then(|small| small.likeness(strength.peak_sigma));
    let point = point.map(|odds| 1.0 + (odds - settings.point) / CERTAIN);
    let strong = if alone.is_some() { strong / CROWDED } else { strong };
    let ratio = [alone, point].into_iter().flatten().fold(strong, f32::max);
    let seen = visible && ratio > 1.0;
    if !seen && !smear {
        return None;
    }
    let span = site.cladding.map(|edge| span(runs, &edge));
    let look = Look { shape: &shape, strength: &strength, span, faint: !seen, um_per_px: site.um_per_px };
    let edge = look.edge();
    let (kind, otherwise) = look.kinds(edge);
    let over = f64::from(ratio).max(1.0) - 1.0;
    let few = f64::from(shape.area.min(12)) / 12.0;
    let confidence = 1.0 - 0.5 * (-over * (0.5 + few)).exp() - 0.15 * (1.0 - few) * (-over).exp();
    let place = worst_place(runs, site);
    let diameter = 2.0 * (f64::from(shape.area) / std::f64::consts::PI).sqrt() * site.um_per_px;
    let level = severity::level(diameter, f64::from(strength.peak_sigma), place);
    let [x, y, width, height] = shape.bbox;
    let defect = Defect {
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
    };
    Some(Candidate { defect, otherwise, edge })
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

/// Distance of a point from an outline, in pixels.
fn off(edge: &Ellipse, (x, y): (f64, f64)) -> f64 {
    ((edge.radius_at(x, y) - 1.0) * edge.mean_radius()).abs()
}

/// A spot of a few pixels, by its strongest one.
struct Small<'a> {
    evidence: &'a Evidence<'a>,
    site: &'a Site<'a>,
    /// The longer side of its box.
    side: u32,
    x: i64,
    y: i64,
    peak: f32,
}

impl<'a> Small<'a> {
    /// `None` for what is not small.
    fn of(shape: &Shape, runs: &[Run], evidence: &'a Evidence<'a>, site: &'a Site<'a>) -> Option<Self> {
        let [_, _, width, height] = shape.bbox;
        let side = width.max(height);
        if shape.area > SMALL_AREA || side > SMALL_SIDE {
            return None;
        }
        let mut small = Self { evidence, site, side, x: 0, y: 0, peak: 0.0 };
        let pixels = runs.iter().flat_map(|run| (run.x..run.end()).map(move |x| (i64::from(x), i64::from(run.y))));
        for (x, y) in pixels {
            if let Some(value) = small.at(evidence.response, x, y).filter(|value| value.abs() > small.peak.abs()) {
                (small.x, small.y, small.peak) = (x, y, value);
            }
        }
        (small.peak != 0.0).then_some(small)
    }

    /// What a plane has there, where that can be judged.
    fn at(&self, plane: &[i16], x: i64, y: i64) -> Option<f32> {
        let (x, y) = (usize::try_from(x).ok().filter(|x| *x < self.site.width)?, usize::try_from(y).ok()?);
        let index = y * self.site.width + x;
        let noise = *self.evidence.noise.get(index)?;
        (noise != UNUSABLE).then(|| f32::from(plane[index]))
    }

    /// Log-odds that it is a point, so many standard deviations of the noise strong.
    fn likeness(&self, contrast: f32) -> Option<f32> {
        let at = |x, y| self.at(self.evidence.residual, x, y);
        self.site.point.likeness((self.x, self.y), self.peak.signum(), contrast, at)
    }

    /// How far it stands out of all its surroundings, in standard deviations of the noise: from its strongest pixel down
    /// to the ring around it where that comes nearest, over the unrest of a wider ring where that exceeds the noise.
    fn isolation(&self) -> Option<f32> {
        let sign = self.peak.signum();
        let noise = self.evidence.noise[self.y as usize * self.site.width + self.x as usize];
        let noise = f32::from(noise) / f32::from(NOISE_UNIT);
        let ring = |radius: f32, points: u32| {
            let turn = move |i: u32| std::f32::consts::TAU * i as f32 / points as f32;
            (0..points).filter_map(move |i| {
                let (sin, cos) = turn(i).sin_cos();
                let (dx, dy) = ((radius * cos).round() as i64, (radius * sin).round() as i64);
                self.at(self.evidence.response, self.x + dx, self.y + dy)
            })
        };
        let reach = RING.max(self.side as f32 / 2.0 + 3.0);
        let rise = ring(reach, 8).map(|value| sign * (self.peak - value)).fold(f32::MAX, f32::min);
        let (mut sum, mut n) = (0.0, 0.0);
        for radius in [reach, reach + 4.0, reach + 8.0] {
            for value in ring(radius, 16) {
                sum += value * value;
                n += 1.0;
            }
        }
        let unrest = (sum / f32::max(n, 1.0)).sqrt();
        (rise < f32::MAX).then(|| rise / noise.max(unrest))
    }
}
