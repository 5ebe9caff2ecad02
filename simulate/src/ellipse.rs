//! The outline of a round fibre as a picture shows it: an ellipse, because pixels are not always square and no fibre
//! is perfectly round. Pure geometry; nothing here knows grey levels. Used by the scene, the shapes and the truth.

use super::truth::Zone;

/// An ellipse in picture coordinates: the image of the unit circle under a linear map, moved to a centre.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ellipse {
    pub cx: f64,
    pub cy: f64,
    map: [[f64; 2]; 2],
    inverse: [[f64; 2]; 2],
}

/// What a fibre's outline looks like before it is placed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outline {
    /// Mean radius along y, in pixels.
    pub radius_px: f64,
    /// Width over height of a round thing in the picture.
    pub aspect: f64,
    /// Half the relative difference of the fibre's own axes.
    pub ellipticity: f64,
    /// Direction of the fibre's long axis before the pixels' shape acts, radians.
    pub tilt: f64,
}

impl Ellipse {
    /// A fibre's outline: slightly oval in the world, then squeezed by the pixels' shape.
    pub fn new(cx: f64, cy: f64, outline: Outline) -> Self {
        let Outline { radius_px, aspect, ellipticity, tilt } = outline;
        let (sin, cos) = tilt.sin_cos();
        let (long, short) = (radius_px * (1.0 + ellipticity), radius_px * (1.0 - ellipticity));
        let map = [[aspect * cos * long, -aspect * sin * short], [sin * long, cos * short]];
        let determinant = aspect * long * short;
        let inverse =
            [[map[1][1] / determinant, -map[0][1] / determinant], [-map[1][0] / determinant, map[0][0] / determinant]];
        Self { cx, cy, map, inverse }
    }

    /// Radius of the circle of equal area, in pixels.
    pub fn mean_radius(&self) -> f64 {
        (self.map[0][0] * self.map[1][1] - self.map[0][1] * self.map[1][0]).sqrt()
    }

    /// Half the width and half the height of the smallest upright box around the ellipse.
    pub fn half_extent(&self) -> (f64, f64) {
        (self.map[0][0].hypot(self.map[0][1]), self.map[1][0].hypot(self.map[1][1]))
    }

    /// Distance from the outline in pixels, negative inside: first order in the distance, so exact on the outline and
    /// good to a hundredth of a pixel within ten of it for the shapes drawn here.
    pub fn distance(&self, x: f64, y: f64) -> f64 {
        let (dx, dy) = (x - self.cx, y - self.cy);
        let i = &self.inverse;
        let (u, v) = (i[0][0] * dx + i[0][1] * dy, i[1][0] * dx + i[1][1] * dy);
        let rho = u.hypot(v);
        let slope = (i[0][0] * u + i[1][0] * v).hypot(i[0][1] * u + i[1][1] * v);
        if slope < 1e-12 { -self.mean_radius() } else { (rho - 1.0) * rho / slope }
    }

    /// The point of the outline at `angle` (radians, +x toward +y), and the outward normal there.
    pub fn point(&self, angle: f64) -> ([f64; 2], [f64; 2]) {
        let (sin, cos) = angle.sin_cos();
        let m = &self.map;
        let at = [self.cx + m[0][0] * cos + m[0][1] * sin, self.cy + m[1][0] * cos + m[1][1] * sin];
        let i = &self.inverse;
        let normal = [i[0][0] * cos + i[1][0] * sin, i[0][1] * cos + i[1][1] * sin];
        let length = normal[0].hypot(normal[1]);
        (at, [normal[0] / length, normal[1] / length])
    }

    /// Semi-axes and angle by the truth's convention: `ax` is the semi-axis nearest x.
    pub fn zone(&self) -> Zone {
        let m = &self.map;
        let p = m[0][0] * m[0][0] + m[0][1] * m[0][1];
        let q = m[0][0] * m[1][0] + m[0][1] * m[1][1];
        let s = m[1][0] * m[1][0] + m[1][1] * m[1][1];
        let spread = ((p - s) / 2.0).hypot(q);
        let (long, short) = (((p + s) / 2.0 + spread).sqrt(), ((p + s) / 2.0 - spread).max(0.0).sqrt());
        let angle = 0.5 * (2.0 * q).atan2(p - s).to_degrees();
        let (ax, by, angle_deg) = if angle.abs() <= 45.0 {
            (long, short, angle)
        } else {
            (short, long, if angle > 0.0 { angle - 90.0 } else { angle + 90.0 })
        };
        Zone { cx: self.cx, cy: self.cy, ax, by, angle_deg }
    }
}
