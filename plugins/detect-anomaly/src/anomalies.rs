//! Which connected deviations are anomalies, and what is reported of them.
//!
//! Confidence is one half at the threshold and rises with how far it is exceeded; less for a handful of pixels.

use ferrule_abi::{Attribute, BoundingBox, Defect, DefectKind, Severity, Value};
use ferrule_vision::{
    reference::{Layout, Model, cells_off_outline, compare::Comparer, frame::Frame},
    severity::{self, Place},
    shape::{Run, Shape},
};

use crate::settings::Settings;

/// An outline seen a little wider or softer than the reference has it: an arc all of which lies so near to the outline
/// and is so thin (both in cells), and so many times longer than that.
const ARC_OFF: f64 = 3.5;
const ARC_THICK: f64 = 4.0;
const ARC_LONG: f64 = 4.0;

/// A capture on its model's grid.
pub struct Site<'a> {
    pub frame: &'a Frame,
    /// Of the picture.
    pub width: usize,
    pub height: usize,
    /// 0 where a pixel belongs to nothing.
    pub labels: &'a [u8],
    pub usable: &'a [u8],
    pub um_per_px: f64,
}

/// How a component of cells stands out.
#[derive(Debug, Clone, Copy)]
pub struct Strength {
    sigma: f32,
    gray: f32,
    bright: f32,
    dark: f32,
}

/// The strength of cells that may be an anomaly: `None` for those that are too weak, or an outline.
pub fn strength(cells: &[Run], compared: &Comparer, settings: &Settings) -> Option<Strength> {
    let mut strength = Strength { sigma: 0.0, gray: 0.0, bright: 0.0, dark: 0.0 };
    let layout = compared.model().layout;
    for cell in each(cells, layout.side()) {
        let (sigma, gray) = (compared.sigma[cell].abs(), compared.gray[cell]);
        strength.sigma = strength.sigma.max(sigma);
        strength.gray = strength.gray.max(gray.abs());
        strength.bright += gray.max(0.0);
        strength.dark -= gray.min(0.0);
    }
    let seen = strength.sigma > settings.high && strength.gray > settings.min_contrast;
    (seen && !is_arc(cells, compared.model())).then_some(strength)
}

/// The defect that some cells are; `members` marks them on the grid. `None` where too few pixels are left of it.
pub fn judge(
    cells: &[Run],
    strength: Strength,
    members: &[u8],
    layout: Layout,
    site: &Site<'_>,
    settings: &Settings,
) -> Option<Defect> {
    let mask = paint(cells, members, layout, site);
    let shape = Shape::of(&mask)?;
    if shape.area < settings.min_area {
        return None;
    }
    let over = f64::from((strength.sigma / settings.high).min(strength.gray / settings.min_contrast.max(0.1))) - 1.0;
    let few = f64::from(shape.area.min(24)) / 24.0;
    let confidence = 1.0 - 0.5 * (-over.max(0.0) * (0.5 + few)).exp() - 0.1 * (1.0 - few);
    let labels = mask.iter().flat_map(|run| {
        let start = run.y as usize * site.width;
        &site.labels[start + run.x as usize..start + run.end() as usize]
    });
    let place = labels.map(|label| Place::of_label(*label)).max().unwrap_or(Place::Ferrule);
    let diameter = 2.0 * (f64::from(shape.area) / std::f64::consts::PI).sqrt() * site.um_per_px;
    let level = severity::level(diameter, f64::from(strength.sigma), place);
    let [x, y, width, height] = shape.bbox;
    let attribute = |name: &str, value| Attribute { name: name.into(), value };
    Some(Defect {
        kind: DefectKind::Anomaly,
        severity: Severity::ALL[level],
        confidence: confidence.clamp(0.0, 1.0),
        bbox: BoundingBox { x, y, width, height },
        x: shape.x,
        y: shape.y,
        area_px: shape.area,
        length_px: shape.length,
        width_px: shape.width,
        angle_deg: shape.angle_deg,
        mask: mask.iter().map(|run| ferrule_abi::Run { y: run.y, x: run.x, length: run.length }).collect(),
        attributes: vec![
            attribute("contrast_sigma", Value::Real(f64::from(strength.sigma))),
            attribute("contrast_gray", Value::Real(f64::from(strength.gray))),
            attribute("polarity", Value::Text(polarity(strength).into())),
        ]
        .into(),
    })
}

fn polarity(strength: Strength) -> &'static str {
    if strength.bright > 3.0 * strength.dark {
        "bright"
    } else if strength.dark > 3.0 * strength.bright {
        "dark"
    } else {
        "mixed"
    }
}

fn each(runs: &[Run], width: usize) -> impl Iterator<Item = usize> {
    runs.iter().flat_map(move |run| (run.x..run.end()).map(move |x| run.y as usize * width + x as usize))
}

/// An outline rather than something on it.
fn is_arc(cells: &[Run], model: &Model) -> bool {
    let Model { layout, core_ratio, .. } = *model;
    let (mut least, mut most, mut count) = (f64::MAX, 0.0_f64, 0.0);
    for cell in each(cells, layout.side()) {
        let (u, v) = layout.place(cell);
        let radius = u.hypot(v);
        if cells_off_outline(layout, core_ratio, radius) > ARC_OFF {
            return false;
        }
        (least, most, count) = (least.min(radius), most.max(radius), count + 1.0);
    }
    let thick = (most - least) * f64::from(layout.cells) + 1.0;
    thick <= ARC_THICK && count >= ARC_LONG * thick * thick
}

/// The pixels that some cells cover, as runs in rising order of (y, x).
fn paint(cells: &[Run], members: &[u8], layout: Layout, site: &Site<'_>) -> Vec<Run> {
    let (mut left, mut top, mut right, mut bottom) = (f64::MAX, f64::MAX, f64::MIN, f64::MIN);
    let side = layout.side();
    let ends = cells.iter().flat_map(|run| {
        let row = run.y as usize * side;
        [row + run.x as usize, row + run.end() as usize - 1]
    });
    for (x, y) in ends.map(|cell| site.frame.to_picture(layout.place(cell))) {
        (left, top, right, bottom) = (left.min(x), top.min(y), right.max(x), bottom.max(y));
    }
    // A cell of a coarse grid is several pixels wide.
    let around = (site.frame.radius_px() / f64::from(layout.cells)).ceil() + 1.0;
    let within = |at: f64, size: usize| at.clamp(0.0, size as f64 - 1.0) as usize;
    let (left, right) = (within(left - around, site.width), within(right + around, site.width));
    let (top, bottom) = (within(top - around, site.height), within(bottom + around, site.height));
    let mut mask: Vec<Run> = Vec::new();
    for y in top..=bottom {
        for x in left..=right {
            let pixel = y * site.width + x;
            if site.usable[pixel] == 0 || site.labels[pixel] == 0 {
                continue;
            }
            let cell = layout.cell(site.frame.to_model(x as f64, y as f64));
            if cell.is_none_or(|cell| members[cell] == 0) {
                continue;
            }
            match mask.last_mut() {
                Some(run) if run.y as usize == y && run.end() as usize == x => run.length += 1,
                _ => mask.push(Run { y: y as u32, x: x as u32, length: 1 }),
            }
        }
    }
    mask
}
