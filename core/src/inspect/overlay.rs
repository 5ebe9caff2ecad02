//! The picture with what was found drawn over it, for a person to look at.
//!
//! It decodes the picture outside a worker, which nothing else does; only after a worker has decoded the same bytes
//! without harm.

use std::path::Path;

use crate::{
    decode::{self, Picture, Wanted},
    draw::{Canvas, Colour, Frame, Stroke},
    report::{Inspection, Severity, ZoneName},
    worker::arguments::Limits,
};

/// RGB, without padding; `None` where the file has changed or gone since it was inspected.
pub(crate) fn draw(path: &Path, inspection: &Inspection, limits: &Limits) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    decode::read(path, Some(inspection.image_id), limits, &mut bytes).ok()?;
    let mut picture = Picture::default();
    decode::decode(&bytes, Wanted::default(), limits, &mut picture).ok()?;
    if (picture.width, picture.height) != (inspection.width, inspection.height) {
        return None;
    }
    let mut canvas = Canvas::from_gray(&picture.gray8, picture.width as usize, picture.height as usize);
    for defect in &inspection.defects {
        let colour = severity_colour(defect.severity);
        for [y, x, length] in &defect.mask {
            (*x..x + length).for_each(|x| canvas.tint(x as usize, *y as usize, colour));
        }
        canvas.frame(Frame::around(defect.bbox, 2), colour, Stroke::Solid);
    }
    for (name, outline) in inspection.zones.iter() {
        canvas.ellipse(outline.into(), zone_colour(name), Stroke::Solid);
    }
    Some(canvas.pixels)
}

const fn zone_colour(zone: ZoneName) -> Colour {
    match zone {
        ZoneName::Core => [0, 200, 255],
        ZoneName::Cladding => [0, 220, 90],
        ZoneName::Adhesive => [230, 220, 0],
        ZoneName::Ferrule => [90, 130, 255],
    }
}

const fn severity_colour(severity: Severity) -> Colour {
    match severity {
        Severity::Negligible => [170, 170, 170],
        Severity::Low => [255, 220, 0],
        Severity::Medium => [255, 150, 0],
        Severity::High => [255, 60, 0],
        Severity::Critical => [255, 0, 160],
    }
}
