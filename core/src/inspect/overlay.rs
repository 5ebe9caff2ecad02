//! The picture with what was found drawn over it, for a person to look at.
//!
//! It decodes the picture outside a worker, which nothing else does; only after a worker has decoded the same bytes
//! without harm.

use std::path::Path;

use ferrule_vision::ellipse::Ellipse;

use crate::{
    decode::{self, Picture, Wanted},
    report::{Inspection, Outline, Severity, ZoneName},
    worker::arguments::Limits,
};

type Colour = [u8; 3];

/// RGB, without padding; `None` where the file has changed or gone since it was inspected.
pub(super) fn draw(path: &Path, inspection: &Inspection, limits: &Limits) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    decode::read(path, Some(inspection.image_id), limits, &mut bytes).ok()?;
    let mut picture = Picture::default();
    decode::decode(&bytes, Wanted::default(), limits, &mut picture).ok()?;
    if (picture.width, picture.height) != (inspection.width, inspection.height) {
        return None;
    }
    let pixels = picture.gray8.iter().flat_map(|gray| [*gray; 3]).collect();
    let mut canvas = Canvas { pixels, width: picture.width as usize, height: picture.height as usize };
    for defect in &inspection.defects {
        let colour = severity_colour(defect.severity);
        for [y, x, length] in &defect.mask {
            (*x..x + length).for_each(|x| canvas.tint(x as usize, *y as usize, colour));
        }
        canvas.frame(defect.bbox, colour);
    }
    for (name, outline) in inspection.zones.iter() {
        canvas.outline(outline, zone_colour(name));
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

struct Canvas {
    pixels: Vec<u8>,
    width: usize,
    height: usize,
}

impl Canvas {
    fn at(&mut self, x: usize, y: usize) -> Option<&mut [u8]> {
        let start = (x < self.width && y < self.height).then_some(3 * (y * self.width + x))?;
        self.pixels.get_mut(start..start + 3)
    }

    fn set(&mut self, x: usize, y: usize, colour: Colour) {
        if let Some(pixel) = self.at(x, y) {
            pixel.copy_from_slice(&colour);
        }
    }

    /// Half and half, so that what is under the mask is still seen.
    fn tint(&mut self, x: usize, y: usize, colour: Colour) {
        if let Some(pixel) = self.at(x, y) {
            pixel.iter_mut().zip(colour).for_each(|(old, new)| *old = old.midpoint(new));
        }
    }

    /// A box two pixels outside the defect's, so that small ones are not covered by it.
    fn frame(&mut self, [x, y, width, height]: [u32; 4], colour: Colour) {
        let around = |start: u32, length: u32, end: usize| {
            (start.saturating_sub(2) as usize, (start as usize + length as usize + 1).min(end.saturating_sub(1)))
        };
        let ((left, right), (top, bottom)) = (around(x, width, self.width), around(y, height, self.height));
        for x in left..=right {
            self.set(x, top, colour);
            self.set(x, bottom, colour);
        }
        for y in top..=bottom {
            self.set(left, y, colour);
            self.set(right, y, colour);
        }
    }

    fn outline(&mut self, outline: &Outline, colour: Colour) {
        let Outline { cx, cy, ax, by, angle_deg, .. } = *outline;
        let ellipse = Ellipse { cx, cy, ax, by, angle_deg };
        // Two steps a pixel leave no gaps; an outline far larger than the picture needs no more than its own edge does.
        let steps = (std::f64::consts::TAU * ax.max(by) * 2.0).clamp(64.0, 200_000.0);
        for step in 0..steps as usize {
            let (dx, dy) = ellipse.offset_at(step as f64 / steps * std::f64::consts::TAU);
            let (x, y) = ((cx + dx).round(), (cy + dy).round());
            if x >= 0.0 && y >= 0.0 {
                self.set(x as usize, y as usize, colour);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlines_and_boxes_are_cut_at_the_edge() {
        let mut canvas = Canvas { pixels: vec![0; 3 * 20 * 10], width: 20, height: 10 };
        let outline = |cx, ax| Outline { cx, cy: 5.0, ax, by: ax, angle_deg: 0.0, confidence: 1.0 };
        canvas.outline(&outline(10.0, 3.0), [1, 2, 3]);
        assert_eq!(canvas.at(13, 5).unwrap(), [1, 2, 3]);
        assert_eq!(canvas.at(10, 5).unwrap(), [0; 3]);
        canvas.outline(&outline(0.0, 1e6), [1, 2, 3]);
        canvas.frame([18, 0, 2, 10], [9; 3]);
        assert_eq!(canvas.at(16, 9).unwrap(), [9; 3]);
        canvas.tint(50, 50, [9; 3]);
    }
}
