//! Between a capture's pixels and places in cladding radii: the cladding's affine frame, bent inside so that the core of
//! every capture falls on the model's.
//!
//! Directions stay as they are in the picture: a fibre has no mark to turn it by, and the light comes from the same side.
//! Never looks at pixels.

use super::radius_of;
use crate::{affine::Affine, ellipse::Ellipse};

/// A core whose size differs more from the model's, relative to it, is taken for a wrong fit and not aligned by.
const SAME_CORE: f64 = 0.2;
/// Steps of the way back, at most; each shortens what is left by the core's offset relative to the cladding, and less
/// where there is little room between their outlines.
const STEPS: usize = 40;
/// A step as short as this, in cladding radii, has arrived.
const ARRIVED: f64 = 1e-5;

/// The map of one capture.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    cladding: Affine,
    /// The core's map with its radius in cladding radii.
    core: Option<(Affine, f64)>,
}

impl Frame {
    /// The frame of a capture with these outlines, to be laid on a model whose core has this radius in cladding radii.
    /// `None` for a cladding that is no ellipse.
    #[must_use]
    pub fn new(cladding: &Ellipse, core: Option<&Ellipse>, core_ratio: Option<f64>) -> Option<Self> {
        if !cladding.is_sound() {
            return None;
        }
        let core = core.filter(|core| core.is_sound()).zip(core_ratio.filter(|ratio| *ratio > 0.0 && *ratio < 1.0));
        let core = core.filter(|(core, ratio)| {
            let size = core.mean_radius() / cladding.mean_radius();
            let off = (core.cx - cladding.cx).hypot(core.cy - cladding.cy) / cladding.mean_radius();
            (size / ratio - 1.0).abs() < SAME_CORE && off < SAME_CORE * (1.0 - ratio)
        });
        Some(Self { cladding: Affine::of(cladding), core: core.map(|(core, ratio)| (Affine::of(core), ratio)) })
    }

    /// The pixel at a place.
    #[must_use]
    pub fn to_picture(&self, (u, v): (f64, f64)) -> (f64, f64) {
        let (x, y) = self.cladding.at(u, v);
        let radius = radius_of((u, v));
        let Some((core, ratio)) = self.core.filter(|_| radius < 1.0) else { return (x, y) };
        // Inside the core its own map; from its outline on what is between the two fades out towards the cladding's.
        let inside = (radius / ratio).min(1.0);
        let (du, dv) = if radius > 0.0 { (u / radius * inside, v / radius * inside) } else { (0.0, 0.0) };
        let (core_x, core_y) = core.at(du, dv);
        let (same_x, same_y) = self.cladding.at(du * ratio, dv * ratio);
        let share = if radius > ratio { (1.0 - radius) / (1.0 - ratio) } else { 1.0 };
        (x + share * (core_x - same_x), y + share * (core_y - same_y))
    }

    /// The place of a pixel.
    #[must_use]
    pub fn to_model(&self, x: f64, y: f64) -> (f64, f64) {
        let (mut u, mut v) = self.cladding.step_back(x - self.cladding.x, y - self.cladding.y);
        for _ in 0..STEPS {
            let (at_x, at_y) = self.to_picture((u, v));
            let (du, dv) = self.cladding.step_back(x - at_x, y - at_y);
            (u, v) = (u + du, v + dv);
            if du.hypot(dv) < ARRIVED {
                break;
            }
        }
        (u, v)
    }

    /// Pixels a cladding radius.
    #[must_use]
    pub fn radius_px(&self) -> f64 {
        (self.cladding.xx * self.cladding.yy - self.cladding.xy * self.cladding.xy).sqrt()
    }

    /// Offsets in pixels of a step of one cladding radius along u and along v.
    #[must_use]
    pub fn steps(&self) -> [(f64, f64); 2] {
        [(self.cladding.xx, self.cladding.xy), (self.cladding.xy, self.cladding.yy)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn there_and_back_is_the_same_place_and_outlines_fall_on_circles(
            ax in 40.0..200.0f64, squeeze in 0.8..1.2f64, angle in -40.0..40.0f64, off in -0.05..0.05f64,
            size in 0.9..1.1f64, ratio in 0.07..0.8f64, u in -1.5..1.5f64, v in -1.5..1.5f64,
        ) {
            let cladding = Ellipse { cx: 311.3, cy: 250.8, ax, by: ax * squeeze, angle_deg: angle };
            let at = (1.0 - ratio) * off * ax;
            let core = Ellipse { cx: cladding.cx + at, cy: cladding.cy - at, ..cladding.scaled(ratio * size) };
            let frame = Frame::new(&cladding, Some(&core), Some(ratio)).unwrap();
            let (x, y) = frame.to_picture((u, v));
            let (back_u, back_v) = frame.to_model(x, y);
            prop_assert!((back_u - u).hypot(back_v - v) * ax < 0.02, "{back_u} {back_v} for {u} {v}");
            let (sin, cos) = v.atan2(u).sin_cos();
            let (x, y) = frame.to_picture((cos * ratio, sin * ratio));
            prop_assert!((core.radius_at(x, y) - 1.0).abs() < 1e-9);
            let (x, y) = frame.to_picture((cos, sin));
            prop_assert!((cladding.radius_at(x, y) - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_core_of_another_size_is_not_aligned_by() {
        let (cladding, core) = (Ellipse::circle(100.0, 100.0, 80.0), Ellipse::circle(103.0, 100.0, 60.0));
        let frame = Frame::new(&cladding, Some(&core), Some(0.4)).unwrap();
        assert_eq!(frame.to_picture((0.0, 0.0)), (100.0, 100.0));
        assert!(Frame::new(&Ellipse::circle(1.0, 1.0, f64::NAN), None, None).is_none());
    }
}
