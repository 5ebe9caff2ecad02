//! Focus, from the width of the fibre's own edges.
//!
//! Glass ends within a fraction of a micrometre, so the width of its edge in the picture is the blur's. Unlike the energy
//! of gradients, that does not depend on contrast, noise or dirt.

use ferrule_abi::{Ellipse, SegmentationView, ZoneName};
use ferrule_vision::{
    ellipse::Ellipse as Outline,
    plane::Gray,
    polar::{PolarGrid, PolarPatch},
};

const SECTORS: usize = 36;
const RAYS_PER_SECTOR: usize = 4;
const STEP_PX: f64 = 0.5;
/// An edge of this width or less is sharp: pixels themselves blur over two, and good objectives over a micrometre
/// (1.6 % of a 62.5 um radius).
const SHARP_PX: f64 = 3.0;
const SHARP_SHARE: f64 = 0.022;
/// Gray levels under which a sector has no edge to measure.
const LEAST_CONTRAST: f32 = 6.0;

/// Measures; keeps its buffers.
#[derive(Debug, Default)]
pub struct FocusMeter {
    patch: PolarPatch,
    profile: Vec<f32>,
    widths: Vec<f64>,
}

impl FocusMeter {
    /// 1 for edges as sharp as they get, falling as one over their width; `None` without an edge.
    pub fn measure(&mut self, picture: Gray<'_>, segmentation: &SegmentationView<'_>) -> Option<f64> {
        let cladding = segmentation.zone(ZoneName::Cladding)?.outline;
        let sharp = SHARP_PX.max(SHARP_SHARE * cladding.mean_radius());
        // The sharper of the two: a core may be graded, a rim may be rounded or glued over.
        let core = segmentation.zone(ZoneName::Core).map(|zone| zone.outline);
        let widths = [Some(cladding), core].into_iter().flatten().filter_map(|o| self.edge_width(picture, &o, sharp));
        let narrowest = widths.min_by(f64::total_cmp)?;
        Some((sharp / narrowest).min(1.0))
    }

    /// Median over sectors of contrast divided by steepest slope, in pixels.
    fn edge_width(&mut self, picture: Gray<'_>, outline: &Ellipse, sharp: f64) -> Option<f64> {
        if !outline.is_sound() {
            return None;
        }
        let outline =
            Outline { cx: outline.cx, cy: outline.cy, ax: outline.ax, by: outline.by, angle_deg: outline.angle_deg };
        // Wide enough for an edge at a fifth of the sharpest.
        let reach = 5.0 * sharp / outline.mean_radius();
        let grid =
            PolarGrid::between((1.0 - reach).max(0.0), 1.0 + reach, STEP_PX, &outline, SECTORS * RAYS_PER_SECTOR);
        self.patch.resample(picture, &outline, grid);
        self.widths.clear();
        for sector in 0..SECTORS {
            let rays = sector * RAYS_PER_SECTOR..(sector + 1) * RAYS_PER_SECTOR;
            if rays.clone().any(|ray| self.patch.inside(ray) < grid.steps) {
                continue;
            }
            self.profile.clear();
            self.profile.extend(
                (0..grid.steps)
                    .map(|j| rays.clone().map(|ray| self.patch.ray(ray)[j]).sum::<f32>() / RAYS_PER_SECTOR as f32),
            );
            self.widths.extend(width_of(&self.profile));
        }
        if self.widths.len() < SECTORS / 4 {
            return None;
        }
        let middle = self.widths.len() / 2;
        Some(*self.widths.select_nth_unstable_by(middle, f64::total_cmp).1)
    }
}

/// Width of the steepest edge: how far its slope would take to cross from the level before it to the level behind it.
fn width_of(profile: &[f32]) -> Option<f64> {
    // Over one pixel to each side.
    const LAG: usize = (1.0 / STEP_PX) as usize;
    let slopes = profile.windows(2 * LAG + 1).map(|w| (w[2 * LAG] - w[0]) / 2.0);
    let (at, slope) = slopes.enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))?;
    // Follow the edge while it goes on in its direction, in smoothed steps.
    let rising = |a: f32, b: f32| (b - a) * slope.signum() > 0.05 * slope.abs();
    let mut last = at + LAG;
    while last + LAG < profile.len() && rising(profile[last], profile[last + LAG]) {
        last += LAG;
    }
    let mut first = at + LAG;
    while first >= LAG && rising(profile[first - LAG], profile[first]) {
        first -= LAG;
    }
    let contrast = (profile[last] - profile[first]).abs();
    (contrast >= LEAST_CONTRAST && slope != 0.0).then(|| f64::from(contrast / slope.abs()))
}
