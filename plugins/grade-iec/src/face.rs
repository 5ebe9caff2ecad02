//! An end face in micrometres: where its zones lie and how large its defects are.
//!
//! Zone A lies around the core, the others around the cladding (the profile's diameters, not the segmentation's outlines).
//! A scratch's size is its width; any other defect's is the diameter of the circle of its area. Both are measured on the
//! face, not on the pixels, which may be wider than high. A size that is no number counts as larger than every limit.

use std::f64::consts::PI;

use ferrule_abi::{DefectKind, Ellipse, GradedDefect, ZoneName};

use crate::profile::{Limit, Ring};

/// What [`crate::refusal::look`] found sound.
#[derive(Debug, Clone, Copy)]
pub struct Face {
    pub width: u32,
    pub height: u32,
    /// Micrometres a pixel along x and along y.
    pub x_um: f64,
    pub y_um: f64,
    pub cladding: Ellipse,
    pub core: Option<Ellipse>,
    /// The core's diameter by the fibre's data sheet.
    pub nominal_core_um: Option<f64>,
}

/// Sizes are compared to a millionth of a micrometre, so that a limit met exactly is met whatever the order of the
/// multiplications was.
const GRAIN: f64 = 1e6;

impl Face {
    fn diameter_um(&self, outline: &Ellipse) -> f64 {
        2.0 * outline.mean_radius() * (self.x_um * self.y_um).sqrt()
    }

    pub fn cladding_um(&self) -> f64 {
        self.diameter_um(&self.cladding)
    }

    /// The core's diameter as it was seen.
    pub fn seen_core_um(&self) -> Option<f64> {
        self.core.map(|core| self.diameter_um(&core))
    }

    /// By the data sheet, else as it was seen.
    pub fn core_um(&self) -> Option<f64> {
        self.nominal_core_um.or_else(|| self.seen_core_um())
    }

    pub fn size_um(&self, defect: &GradedDefect<'_>) -> f64 {
        let size = match defect.kind {
            DefectKind::Scratch => {
                let (sin, cos) = defect.angle_deg.to_radians().sin_cos();
                // The strip between two parallel lines, stretched with the pixels.
                defect.width_px * self.x_um * self.y_um / (self.x_um * cos).hypot(self.y_um * sin)
            }
            _ => 2.0 * (f64::from(defect.area_px) * self.x_um * self.y_um / PI).sqrt(),
        };
        if size.is_finite() && size >= 0.0 { (size * GRAIN).round() / GRAIN } else { f64::INFINITY }
    }

    /// Whether any of the defect's pixels lies within the ring's outer edge.
    pub fn touches(&self, defect: &GradedDefect<'_>, ring: &Ring) -> bool {
        let (cx, cy) = self.centre(ring);
        let apart = |x: f64, y: f64| ((x - cx) * self.x_um).hypot((y - cy) * self.y_um);
        let runs = defect.mask.iter().map(|run| {
            let (first, last) = (f64::from(run.x), f64::from(run.x) + f64::from(run.length.saturating_sub(1)));
            apart(cx.round().clamp(first, last), f64::from(run.y))
        });
        let nearest = runs.min_by(f64::total_cmp).unwrap_or_else(|| apart(defect.x, defect.y));
        // What lies nowhere is taken to lie where it matters most.
        nearest <= ring.outer_um / 2.0 || nearest.is_nan()
    }

    fn centre(&self, ring: &Ring) -> (f64, f64) {
        let outline = self.core.filter(|_| ring.zone == ZoneName::Core).unwrap_or(self.cladding);
        (outline.cx, outline.cy)
    }

    /// Share of the ring that lies in the picture, from points on circles; 1 where nothing in it could break a rule.
    pub fn visible(&self, ring: &Ring) -> f64 {
        const CIRCLES: usize = 8;
        const ANGLES: usize = 360;
        if ring.scratches == Limit::Any && ring.defects == Limit::Any {
            return 1.0;
        }
        let (cx, cy) = self.centre(ring);
        let inside = |x: f64, y: f64| {
            (-0.5..f64::from(self.width) - 0.5).contains(&x) && (-0.5..f64::from(self.height) - 0.5).contains(&y)
        };
        let (mut seen, mut all) = (0.0, 0.0);
        for circle in 0..CIRCLES {
            let share = (circle as f64 + 0.5) / CIRCLES as f64;
            let radius = (ring.inner_um + (ring.outer_um - ring.inner_um) * share) / 2.0;
            for angle in 0..ANGLES {
                let (sin, cos) = (2.0 * PI * angle as f64 / ANGLES as f64).sin_cos();
                all += radius;
                if inside(cx + radius * cos / self.x_um, cy + radius * sin / self.y_um) {
                    seen += radius;
                }
            }
        }
        seen / all
    }
}
