//! Ellipses as outlines of zones: a fibre seen through non-square pixels is one.
//!
//! Same convention as the plug-in interface: pixel centres are integers, y points down, `ax` is the semi-axis nearest x,
//! `by` the one nearest y, the angle turns `ax` from +x toward +y. This module never looks at pixels. Called by the
//! segmenter, by whoever draws masks, and by the measuring plug-ins.

/// An ellipse in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ellipse {
    pub cx: f64,
    pub cy: f64,
    pub ax: f64,
    pub by: f64,
    pub angle_deg: f64,
}

impl Ellipse {
    /// A circle.
    #[must_use]
    pub const fn circle(cx: f64, cy: f64, radius: f64) -> Self {
        Self { cx, cy, ax: radius, by: radius, angle_deg: 0.0 }
    }

    /// The same outline with both semi-axes multiplied.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        Self { ax: self.ax * factor, by: self.by * factor, ..*self }
    }

    /// True for what is no round fibre: pixels of a known shape (width by height) show one as a circle, and those of an
    /// unknown one not flatter than five to four (PAL's are 59 to 54, NTSC's 10 to 11).
    #[must_use]
    pub fn is_oval(&self, pixel_aspect: Option<f64>) -> bool {
        !(0.8..=1.25).contains(&(self.ax / self.by * pixel_aspect.unwrap_or(1.0)))
    }

    /// Radius of the circle of equal area, in pixels.
    #[must_use]
    pub fn mean_radius(&self) -> f64 {
        (self.ax * self.by).sqrt()
    }

    /// True if every number is finite and both semi-axes are positive.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        [self.cx, self.cy, self.ax, self.by, self.angle_deg].iter().all(|v| v.is_finite())
            && self.ax > 0.0
            && self.by > 0.0
    }

    /// Normalised radius of a point: 1 on the outline, below 1 inside, 0 in the centre.
    #[must_use]
    pub fn radius_at(&self, x: f64, y: f64) -> f64 {
        self.gauge().radius_at(x, y)
    }

    /// The outline's point at parameter `t` (radians), as an offset from the centre.
    #[must_use]
    pub fn offset_at(&self, t: f64) -> (f64, f64) {
        let (sin, cos) = self.angle_deg.to_radians().sin_cos();
        let (u, v) = (self.ax * t.cos(), self.by * t.sin());
        (u * cos - v * sin, u * sin + v * cos)
    }

    /// The outline's points at parameters `2 pi i / n`, as offsets from the centre: two sines for all of them.
    pub fn offsets(&self, n: usize) -> impl Iterator<Item = (f64, f64)> + use<> {
        let (sin, cos) = self.angle_deg.to_radians().sin_cos();
        let (ax, by) = (self.ax, self.by);
        let (turn_sin, turn_cos) = (std::f64::consts::TAU / n.max(1) as f64).sin_cos();
        let turn = move |(c, s): &(f64, f64)| Some((c * turn_cos - s * turn_sin, s * turn_cos + c * turn_sin));
        std::iter::successors(Some((1.0, 0.0)), turn).take(n).map(move |(c, s): (f64, f64)| {
            let (u, v) = (ax * c, by * s);
            (u * cos - v * sin, u * sin + v * cos)
        })
    }

    /// The same ellipse with `ax` nearest x: the angle in (-45, 45], axes swapped where needed.
    #[must_use]
    pub fn upright(&self) -> Self {
        let half_turn = (self.angle_deg + 90.0).rem_euclid(180.0) - 90.0;
        let (ax, by, angle_deg) = if half_turn > 45.0 {
            (self.by, self.ax, half_turn - 90.0)
        } else if half_turn <= -45.0 {
            (self.by, self.ax, half_turn + 90.0)
        } else {
            (self.ax, self.by, half_turn)
        };
        Self { ax, by, angle_deg, ..*self }
    }

    /// The same measure of radius for many points.
    #[must_use]
    pub fn gauge(&self) -> Gauge {
        let (sin, cos) = self.angle_deg.to_radians().sin_cos();
        let (a, b) = (1.0 / (self.ax * self.ax), 1.0 / (self.by * self.by));
        Gauge {
            cx: self.cx,
            cy: self.cy,
            xx: cos * cos * a + sin * sin * b,
            xy: cos * sin * (a - b),
            yy: sin * sin * a + cos * cos * b,
        }
    }
}

/// An ellipse as the quadratic form `xx·dx² + 2·xy·dx·dy + yy·dy²` about its centre, 1 on the outline.
#[derive(Debug, Clone, Copy)]
pub struct Gauge {
    cx: f64,
    cy: f64,
    pub(crate) xx: f64,
    pub(crate) xy: f64,
    pub(crate) yy: f64,
}

impl Gauge {
    /// [`Ellipse::radius_at`].
    #[inline]
    #[must_use]
    pub fn radius_at(&self, x: f64, y: f64) -> f64 {
        self.square_at(x, y).max(0.0).sqrt()
    }

    /// Its square, which takes no root.
    #[inline]
    #[must_use]
    pub fn square_at(&self, x: f64, y: f64) -> f64 {
        let (dx, dy) = (x - self.cx, y - self.cy);
        self.xx * dx * dx + 2.0 * self.xy * dx * dy + self.yy * dy * dy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn points_in_turn_are_those_one_by_one(ax in 1.0..300.0f64, by in 1.0..300.0f64, n in 1..500usize) {
            let ellipse = Ellipse { cx: 31.5, cy: -7.25, ax, by, angle_deg: 20.0 };
            for (i, (dx, dy)) in ellipse.offsets(n).enumerate() {
                let (x, y) = ellipse.offset_at(std::f64::consts::TAU * i as f64 / n as f64);
                prop_assert!((x - dx).abs() < 1e-9 && (y - dy).abs() < 1e-9);
            }
        }

        #[test]
        fn every_point_of_the_outline_has_radius_one(
            ax in 1.0..300.0f64, by in 1.0..300.0f64, angle in -360.0..360.0f64, t in 0.0..6.3f64,
        ) {
            let ellipse = Ellipse { cx: 31.5, cy: -7.25, ax, by, angle_deg: angle };
            for e in [ellipse, ellipse.upright()] {
                let (dx, dy) = e.offset_at(t);
                prop_assert!((ellipse.radius_at(e.cx + dx, e.cy + dy) - 1.0).abs() < 1e-9);
            }
        }

        #[test]
        fn upright_puts_ax_nearest_x(ax in 1.0..300.0f64, by in 1.0..300.0f64, angle in -720.0..720.0f64) {
            let e = Ellipse { cx: 0.0, cy: 0.0, ax, by, angle_deg: angle }.upright();
            prop_assert!(e.angle_deg > -45.0 - 1e-9 && e.angle_deg <= 45.0 + 1e-9);
        }
    }

    #[test]
    fn an_oval_is_told_by_the_shape_of_the_pixels() {
        let flat = Ellipse { cx: 0.0, cy: 0.0, ax: 90.0, by: 120.0, angle_deg: 3.0 };
        assert!(flat.is_oval(None) && !flat.is_oval(Some(4.0 / 3.0)));
        // As PAL and NTSC have it, and a fitted circle.
        for (ax, by) in [(98.7, 107.5), (110.0, 100.0), (80.0, 80.1)] {
            assert!(!Ellipse { ax, by, ..flat }.is_oval(None));
        }
        assert!(Ellipse { ax: 80.0, by: 80.1, ..flat }.is_oval(Some(0.5)));
    }
}
