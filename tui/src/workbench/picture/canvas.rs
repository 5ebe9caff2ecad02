//! A capture scaled to the size at which it is shown, and zones and defects drawn over it at that size, so that an
//! outline is one pixel wide however large the capture is.

use ferrule_core::report::{Defect, Outline};
use image::{Rgb, RgbImage};

use super::View;
use crate::workbench::rows::Detail;

/// The part of a capture that is shown, in its own pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crop {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

impl Crop {
    /// What a view shows of a picture of that size.
    pub fn of(detail: &Detail, view: View, width: u32, height: u32) -> Self {
        let whole = Self { x: 0, y: 0, width, height };
        let cladding = detail.inspection.as_ref().and_then(|inspection| inspection.zones.cladding.as_ref());
        match (view, cladding) {
            (View::Fibre, Some(cladding)) => Self::around(cladding, width, height).unwrap_or(whole),
            (View::Part(part), _) => {
                let length = |of: u32| ((f64::from(of) / part.scale()).round() as u32).clamp(1, of.max(1));
                let (shown_width, shown_height) = (length(width), length(height));
                let begin = |of: u32, shown: u32, middle: u16| {
                    (of * u32::from(middle) / 1_000).saturating_sub(shown / 2).min(of.saturating_sub(shown))
                };
                let (x, y) = (begin(width, shown_width, part.x), begin(height, shown_height, part.y));
                Self { x, y, width: shown_width, height: shown_height }
            }
            _ => whole,
        }
    }

    /// A capture's middle part around its cladding, `None` when that is all of it or there is no fibre.
    pub fn around(cladding: &Outline, width: u32, height: u32) -> Option<Self> {
        if ![cladding.cx, cladding.cy, cladding.ax, cladding.by].iter().all(|value| value.is_finite()) {
            return None;
        }
        // Zone D of IEC 61300-3-35 ends at 250 µm: twice the radius of a 125 µm cladding.
        let (reach_x, reach_y) = (cladding.ax * 2.1, cladding.by * 2.1);
        let side = |centre: f64, reach: f64, end: u32| {
            let low = (centre - reach).clamp(0.0, f64::from(end.saturating_sub(1)));
            let high = (centre + reach).clamp(low, f64::from(end));
            (low as u32, ((high - low) as u32).max(1))
        };
        let ((x, crop_width), (y, crop_height)) =
            (side(cladding.cx, reach_x, width), side(cladding.cy, reach_y, height));
        let crop = Self { x, y, width: crop_width, height: crop_height };
        let worth = f64::from(crop_width) < 0.9 * f64::from(width) || f64::from(crop_height) < 0.9 * f64::from(height);
        (worth && crop_width >= 8 && crop_height >= 8).then_some(crop)
    }
}

/// Pixels as shown, with the way from the capture's coordinates to them.
pub struct Canvas {
    pub pixels: RgbImage,
    crop: Crop,
}

impl Canvas {
    /// The crop, already scaled to these pixels.
    pub fn new(pixels: RgbImage, crop: Crop) -> Self {
        Self { pixels, crop }
    }

    /// Shown pixels for each of the capture's, along x and y.
    pub fn scale(&self) -> (f64, f64) {
        (
            f64::from(self.pixels.width()) / f64::from(self.crop.width),
            f64::from(self.pixels.height()) / f64::from(self.crop.height),
        )
    }

    /// Where a point of the capture is shown. Pixel centres are integers on both sides.
    pub fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let (scale_x, scale_y) = self.scale();
        ((x + 0.5 - f64::from(self.crop.x)) * scale_x - 0.5, (y + 0.5 - f64::from(self.crop.y)) * scale_y - 0.5)
    }

    /// The point of the capture that is shown there: the way back.
    pub fn taken_from(&self, x: f64, y: f64) -> (f64, f64) {
        let (scale_x, scale_y) = self.scale();
        ((x + 0.5) / scale_x - 0.5 + f64::from(self.crop.x), (y + 0.5) / scale_y - 0.5 + f64::from(self.crop.y))
    }

    /// The shown pixel at that place, if it is inside.
    pub fn inside(&self, x: f64, y: f64) -> Option<(u32, u32)> {
        let (x, y) = (x.round(), y.round());
        let within = x >= 0.0 && y >= 0.0 && x < f64::from(self.pixels.width()) && y < f64::from(self.pixels.height());
        within.then_some((x as u32, y as u32))
    }

    pub fn dot(&mut self, x: f64, y: f64, colour: [u8; 3]) {
        if let Some((x, y)) = self.inside(x, y) {
            self.pixels.put_pixel(x, y, Rgb(colour));
        }
    }

    /// Every shown place on an ellipse's outline, at most a pixel apart.
    pub fn ellipse(&self, outline: &Outline) -> Vec<(f64, f64)> {
        let (scale_x, scale_y) = self.scale();
        let around = std::f64::consts::TAU * (outline.ax * scale_x).max(outline.by * scale_y).max(1.0);
        // A hostile or mistaken ellipse must not keep the picture thread busy.
        let steps = (around * 1.5).clamp(8.0, 20_000.0) as u32;
        let (sine, cosine) = outline.angle_deg.to_radians().sin_cos();
        (0..steps)
            .map(|step| {
                let (s, c) = (std::f64::consts::TAU * f64::from(step) / f64::from(steps)).sin_cos();
                self.place(
                    outline.cx + outline.ax * c * cosine - outline.by * s * sine,
                    outline.cy + outline.ax * c * sine + outline.by * s * cosine,
                )
            })
            .collect()
    }

    /// Which shown pixels a defect covers: its mask, or its box's rim where no mask is stored.
    pub fn cover(&self, defect: &Defect) -> Cover {
        let mut cover = Cover::new(self.pixels.width(), self.pixels.height());
        for [y, x, length] in &defect.mask {
            let (from, row) = self.place(f64::from(*x), f64::from(*y));
            let (to, _) = self.place(f64::from(x.saturating_add(length.saturating_sub(1))), f64::from(*y));
            cover.row(from, to, row);
        }
        if defect.mask.is_empty() { self.rim(defect.bbox) } else { cover }
    }

    /// Which shown pixels lie around a box.
    pub fn rim(&self, bbox: [u32; 4]) -> Cover {
        let mut cover = Cover::new(self.pixels.width(), self.pixels.height());
        let [x, y, width, height] = bbox.map(f64::from);
        let (left, top) = self.place(x - 1.0, y - 1.0);
        let (right, bottom) = self.place(x + width, y + height);
        cover.row(left, right, top);
        cover.row(left, right, bottom);
        cover.column(left, top, bottom);
        cover.column(right, top, bottom);
        cover
    }
}

/// A set of shown pixels.
pub struct Cover {
    width: u32,
    height: u32,
    set: Vec<bool>,
}

impl Cover {
    fn new(width: u32, height: u32) -> Self {
        Self { width, height, set: vec![false; width as usize * height as usize] }
    }

    fn row(&mut self, from: f64, to: f64, y: f64) {
        let y = y.round();
        if y < 0.0 || y >= f64::from(self.height) || to < -0.5 || from >= f64::from(self.width) {
            return;
        }
        let (from, to) = (from.round().max(0.0) as u32, to.round().clamp(0.0, f64::from(self.width) - 1.0) as u32);
        for x in from..=to.min(self.width - 1) {
            self.set[(y as u32 * self.width + x) as usize] = true;
        }
    }

    fn column(&mut self, x: f64, from: f64, to: f64) {
        let (from, to) = (from.round().max(0.0) as u32, to.round().clamp(0.0, f64::from(self.height) - 1.0) as u32);
        for y in from..=to {
            self.row(x, x, f64::from(y));
        }
    }

    fn at(&self, x: i64, y: i64) -> bool {
        x >= 0
            && y >= 0
            && x < i64::from(self.width)
            && y < i64::from(self.height)
            && self.set[(y * i64::from(self.width) + x) as usize]
    }

    /// The covered pixels.
    pub fn pixels(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let width = self.width as usize;
        self.set
            .iter()
            .enumerate()
            .filter(|(_, covered)| **covered)
            .map(move |(index, _)| ((index % width) as u32, (index / width) as u32))
    }

    /// The pixels next to the covered ones, so that a ring leaves what it marks visible.
    pub fn ring(&self, distance: i64) -> Vec<(u32, u32)> {
        let (mut wide, mut near) = (vec![false; self.set.len()], vec![false; self.set.len()]);
        for (x, y) in self.pixels() {
            for dy in -distance..=distance {
                for dx in -distance..=distance {
                    let (x, y) = (i64::from(x) + dx, i64::from(y) + dy);
                    if x >= 0 && y >= 0 && x < i64::from(self.width) && y < i64::from(self.height) {
                        let index = (y * i64::from(self.width) + x) as usize;
                        wide[index] = true;
                        near[index] |= dx.abs() < distance && dy.abs() < distance;
                    }
                }
            }
        }
        let width = self.width as usize;
        (0..self.set.len())
            .filter(|index| wide[*index] && !near[*index])
            .map(|index| ((index % width) as u32, (index / width) as u32))
            .filter(|(x, y)| !self.at(i64::from(*x), i64::from(*y)))
            .collect()
    }

    /// The top left corner of what is covered.
    pub fn corner(&self) -> Option<(u32, u32)> {
        self.pixels().fold(None, |corner: Option<(u32, u32)>, (x, y)| {
            Some(corner.map_or((x, y), |(left, top)| (left.min(x), top.min(y))))
        })
    }
}
