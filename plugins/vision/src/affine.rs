//! From the unit circle, or the square around it, to a place in a picture: an ellipse's own frame, or the whole picture.
//!
//! Directions stay as they are in the picture: a fibre has no mark to turn it by, and the light comes from the same side.
//! Never looks at pixels. Called by [`crate::reference`] and [`crate::common_grid`].

use crate::ellipse::Ellipse;

/// The map (u, v) -> pixel; pixel centres are integers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) xx: f64,
    pub(crate) xy: f64,
    pub(crate) yy: f64,
}

impl Affine {
    /// The unit circle becomes the outline, without being turned.
    #[must_use]
    pub fn of(outline: &Ellipse) -> Self {
        let (sin, cos) = outline.angle_deg.to_radians().sin_cos();
        let Ellipse { cx: x, cy: y, ax, by, .. } = *outline;
        Self {
            x,
            y,
            xx: ax * cos * cos + by * sin * sin,
            xy: (ax - by) * sin * cos,
            yy: ax * sin * sin + by * cos * cos,
        }
    }

    /// The square from -1 to 1 becomes the whole picture, edge to edge.
    #[must_use]
    pub fn of_picture(width: u32, height: u32) -> Self {
        let (w, h) = (f64::from(width), f64::from(height));
        Self { x: (w - 1.0) / 2.0, y: (h - 1.0) / 2.0, xx: w / 2.0, xy: 0.0, yy: h / 2.0 }
    }

    /// The pixel at a place.
    #[must_use]
    pub fn at(&self, u: f64, v: f64) -> (f64, f64) {
        (self.x + self.xx * u + self.xy * v, self.y + self.xy * u + self.yy * v)
    }

    /// The step in (u, v) that is this step in pixels.
    #[must_use]
    pub fn step_back(&self, dx: f64, dy: f64) -> (f64, f64) {
        let det = self.xx * self.yy - self.xy * self.xy;
        ((self.yy * dx - self.xy * dy) / det, (self.xx * dy - self.xy * dx) / det)
    }

    /// Pixels that a step of 1 in u or v covers at most.
    #[must_use]
    pub fn stretch(&self) -> f64 {
        self.xx.hypot(self.xy).max(self.xy.hypot(self.yy))
    }
}
