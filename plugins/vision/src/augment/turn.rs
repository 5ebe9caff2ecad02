//! A picture of any shape turned and mirrored about its fibre, with the masks and outlines that follow: for pictures that
//! are written to files.
//!
//! Whole numbers where a pixel is interpolated, so that equal amounts give equal pictures on every machine.

use crate::{affine::Affine, common_grid::sample, ellipse::Ellipse};

/// A turn and mirror about a place, in a frame in which the fibre is round: pixels need not be square.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turn {
    /// Where it turns about.
    about: (f64, f64),
    /// From an offset in the changed picture to the offset in the picture that it is made of.
    back: [[f64; 2]; 2],
}

impl Turn {
    /// Turns by `degrees` from +x toward +y after mirroring left-right, up-down or both, in the frame of this ellipse; its
    /// centre stays where it is. `None` where the ellipse is none.
    #[must_use]
    pub fn new(frame: &Ellipse, degrees: f64, mirror_x: bool, mirror_y: bool) -> Option<Self> {
        if !frame.is_sound() {
            return None;
        }
        let affine = Affine::of(frame);
        let (sin, cos) = degrees.to_radians().sin_cos();
        let (mx, my) = (if mirror_x { -1.0 } else { 1.0 }, if mirror_y { -1.0 } else { 1.0 });
        let back = |dx: f64, dy: f64| {
            let (u, v) = affine.step_back(dx, dy);
            // The inverse: turned back, then mirrored again.
            let (u, v) = (mx * (u * cos + v * sin), my * (v * cos - u * sin));
            let (x, y) = affine.at(u, v);
            (x - frame.cx, y - frame.cy)
        };
        let ((a, c), (b, d)) = (back(1.0, 0.0), back(0.0, 1.0));
        Some(Self { about: (frame.cx, frame.cy), back: [[a, b], [c, d]] })
    }

    /// Nothing is turned.
    #[must_use]
    pub const fn none() -> Self {
        Self { about: (0.0, 0.0), back: [[1.0, 0.0], [0.0, 1.0]] }
    }

    /// The place in the picture that this place of the changed picture shows.
    #[must_use]
    pub fn source(&self, x: f64, y: f64) -> (f64, f64) {
        let (dx, dy) = (x - self.about.0, y - self.about.1);
        let [[a, b], [c, d]] = self.back;
        (self.about.0 + a * dx + b * dy, self.about.1 + c * dx + d * dy)
    }

    /// Where a place of the picture is in the changed one.
    #[must_use]
    pub fn target(&self, x: f64, y: f64) -> (f64, f64) {
        let (dx, dy) = (x - self.about.0, y - self.about.1);
        let [[a, b], [c, d]] = self.back;
        let det = a * d - b * c;
        (self.about.0 + (d * dx - b * dy) / det, self.about.1 + (a * dy - c * dx) / det)
    }

    /// An outline as it is in the changed picture.
    #[must_use]
    pub fn outline(&self, outline: &Ellipse) -> Ellipse {
        let (cx, cy) = self.target(outline.cx, outline.cy);
        // Conjugate radii follow the map; the axes are those of the matrix that they span.
        let radius = |t: f64| {
            let (dx, dy) = outline.offset_at(t);
            let (x, y) = self.target(outline.cx + dx, outline.cy + dy);
            (x - cx, y - cy)
        };
        let ((px, py), (qx, qy)) = (radius(0.0), radius(std::f64::consts::FRAC_PI_2));
        let (xx, xy, yy) = (px * px + qx * qx, px * py + qx * qy, py * py + qy * qy);
        let angle = 0.5 * (2.0 * xy).atan2(xx - yy);
        let (mean, half) = ((xx + yy) / 2.0, ((xx - yy) / 2.0).hypot(xy));
        let (long, short) = ((mean + half).sqrt(), (mean - half).max(0.0).sqrt());
        // `ax` is the semi-axis nearest x.
        let degrees = angle.to_degrees();
        if degrees.abs() <= 45.0 {
            Ellipse { cx, cy, ax: long, by: short, angle_deg: degrees }
        } else {
            Ellipse { cx, cy, ax: short, by: long, angle_deg: degrees - 90.0_f64.copysign(degrees) }
        }
    }

    /// The gray picture changed; beyond its edge the edge goes on.
    #[must_use]
    pub fn gray(&self, gray: &[u8], width: usize, height: usize) -> Vec<u8> {
        self.each(width, height, |x, y| ((sample(gray, width, height, x, y) + 32_768) >> 16) as u8)
    }

    /// A mask changed: each pixel takes the nearest one's value, or 0 from beyond the edge.
    #[must_use]
    pub fn mask(&self, mask: &[u8], width: usize, height: usize) -> Vec<u8> {
        self.each(width, height, |x, y| {
            let inside = |at: f64, edge: usize| at >= -0.5 && at < edge as f64 - 0.5;
            if inside(x, width) && inside(y, height) {
                mask[(y + 0.5).floor() as usize * width + (x + 0.5).floor() as usize]
            } else {
                0
            }
        })
    }

    fn each(&self, width: usize, height: usize, pixel: impl Fn(f64, f64) -> u8) -> Vec<u8> {
        let mut out = Vec::with_capacity(width * height);
        for y in 0..height {
            out.extend((0..width).map(|x| {
                let (x, y) = self.source(x as f64, y as f64);
                pixel(x, y)
            }));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drawn(outline: &Ellipse) -> Vec<u8> {
        let inside = |i: i32| outline.radius_at(f64::from(i % 200), f64::from(i / 200)) <= 1.0;
        (0..200 * 160).map(|i| if inside(i) { 255 } else { 0 }).collect()
    }

    proptest! {
        #[test]
        fn a_mask_follows_its_outline(
            degrees in -180.0..180.0f64, mirror_x: bool, mirror_y: bool, aspect in 0.7..1.4f64,
            dx in -20.0..20.0f64, dy in -15.0..15.0f64, angle in -44.0..44.0f64,
        ) {
            let frame = Ellipse { cx: 99.5, cy: 80.0, ax: 60.0 * aspect, by: 60.0, angle_deg: 0.0 };
            let zone = Ellipse { cx: 99.5 + dx, cy: 80.0 + dy, ax: 25.0, by: 16.0, angle_deg: angle };
            let turn = Turn::new(&frame, degrees, mirror_x, mirror_y).unwrap();
            let (x, y) = turn.target(zone.cx, zone.cy);
            let (x, y) = turn.source(x, y);
            prop_assert!((x - zone.cx).hypot(y - zone.cy) < 1e-9);
            let (ours, followed) = (turn.mask(&drawn(&zone), 200, 160), turn.outline(&zone));
            prop_assert!(followed.angle_deg.abs() <= 45.0 + 1e-9);
            let wrong = ours.iter().enumerate().filter(|(i, value)| {
                let radius = followed.radius_at((i % 200) as f64, (i / 200) as f64);
                (**value > 0) != (radius <= 1.0) && (radius - 1.0).abs() > 0.08
            });
            prop_assert_eq!(wrong.count(), 0, "{:?}", followed);
        }
    }

    #[test]
    fn without_a_turn_a_picture_stays_as_it_is_and_two_mirrors_cancel() {
        let picture: Vec<u8> = (0..60 * 40).map(|i| (i * 31 % 251) as u8).collect();
        let frame = Ellipse::circle(29.5, 19.5, 10.0);
        let turned = |degrees, x, y| Turn::new(&frame, degrees, x, y).unwrap().gray(&picture, 60, 40);
        assert_eq!(turned(0.0, false, false), picture);
        let mirrored = turned(0.0, true, false);
        assert!((0..60 * 40).all(|i| mirrored[i] == picture[i / 60 * 60 + 59 - i % 60]));
        assert_eq!(turned(180.0, true, true), picture);
        assert!(Turn::new(&Ellipse::circle(0.0, 0.0, 0.0), 0.0, false, false).is_none());
    }
}
