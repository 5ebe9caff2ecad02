//! Which closed rings surround an anchor, and which of them is the cladding's outer edge.
//!
//! The reduced picture is unrolled around the anchor; at every radius the step from inside to outside is taken sector by
//! sector, so that what is only somewhere (a scratch, dirt, a film's texture) does not count as a ring.

use ferrule_vision::{
    ellipse::Ellipse,
    polar::{PolarGrid, PolarPatch},
    reduce::SmallPicture,
};

use crate::locate::Sizes;

/// A closed ring around an anchor.
#[derive(Debug, Clone, Copy)]
pub struct Ring {
    /// Size relative to the anchor.
    pub scale: f64,
    /// Gray levels from inside to outside beyond what the slope around it explains: positive where the outside is
    /// brighter.
    pub step: f64,
    /// Share of the directions that agree.
    pub agreement: f64,
    /// Share of the directions in which it lies in the picture.
    pub visible: f64,
}

/// The cladding as the reduced picture shows it.
#[derive(Debug, Clone, Copy)]
pub struct CoarseCladding {
    pub outline: Ellipse,
    pub ring: Ring,
    /// How much this looks like an end face, to choose between anchors.
    pub score: f64,
}

const RAYS: usize = 64;
const SECTORS: usize = 16;
/// A ring needs this share of the sectors in the picture, and this share of those to agree.
const LEAST_VISIBLE: f64 = 0.5;
const LEAST_AGREEMENT: f64 = 0.74;
/// The cladding's step is at least this share of the strongest ring's (the core's may be far stronger), and more by this
/// much for what is missing of its agreement and visibility.
const LEAST_SHARE: f64 = 0.12;
const SHARE_FOR_DOUBT: f64 = 0.4;
/// Gray levels under which no ring of the reduced picture is believed.
const LEAST_STEP: f64 = 1.2;

/// Looks for rings; keeps its buffers.
#[derive(Debug, Default)]
pub struct RingFinder {
    patch: PolarPatch,
    /// Prefix sums of sector means: `SECTORS` rows of `steps + 1`.
    sums: Vec<f32>,
    reach: Vec<usize>,
    steps: Vec<Ring>,
    rings: Vec<Ring>,
}

impl RingFinder {
    /// The cladding around this anchor, if its surroundings look like an end face.
    pub fn cladding(&mut self, picture: &SmallPicture, anchor: &Ellipse, sizes: Sizes) -> Option<CoarseCladding> {
        self.profile(picture, anchor, sizes)?;
        let radius = anchor.mean_radius();
        self.find_rings(radius);
        let strongest = self.rings.iter().map(|r| r.step.abs() * r.agreement).fold(0.0, f64::max);
        let share = |ring: &Ring| LEAST_SHARE + SHARE_FOR_DOUBT * (1.0 - ring.agreement * ring.visible);
        let fits = |ring: &&Ring| {
            let size = ring.scale * radius;
            size >= sizes.smallest
                && size <= sizes.largest
                && ring.step.abs() >= (share(ring) * strongest).max(LEAST_STEP)
                && !self.is_halo(ring, radius)
        };
        let ring = *self.rings.iter().filter(fits).max_by(|a, b| a.scale.total_cmp(&b.scale))?;
        let outline = anchor.scaled(ring.scale);
        let score = ring.agreement.powi(2) * ring.step.abs().min(60.0) * outline.mean_radius().sqrt();
        Some(CoarseCladding { outline, ring, score })
    }

    /// True for the outer flank of a bright or dark line along a stronger edge: diffraction, not a zone's end.
    fn is_halo(&self, ring: &Ring, radius: f64) -> bool {
        self.rings.iter().any(|inner| {
            let gap = (ring.scale - inner.scale) * radius;
            inner.step.signum() != ring.step.signum()
                && inner.step.abs() > 1.2 * ring.step.abs()
                && gap > 0.0
                && gap < (0.06 * ring.scale * radius).max(3.0)
        })
    }

    /// The step at every radius.
    fn profile(&mut self, picture: &SmallPicture, anchor: &Ellipse, sizes: Sizes) -> Option<()> {
        let radius = anchor.mean_radius();
        let first = 2.0 / radius;
        let grid = PolarGrid::between(first, 1.3 * sizes.largest / radius + first, 1.0, anchor, RAYS);
        self.patch.resample(picture.plane()?, anchor, grid);
        let (steps, per_sector) = (grid.steps, RAYS / SECTORS);
        self.sums.clear();
        self.reach.clear();
        for sector in 0..SECTORS {
            // Centred on its first ray would favour an axis; any alignment is as good as another.
            let rays = sector * per_sector..(sector + 1) * per_sector;
            self.reach.push(rays.clone().map(|ray| self.patch.inside(ray)).min().unwrap_or(0));
            self.sums.push(0.0);
            let mut sum = 0.0;
            for j in 0..steps {
                sum += rays.clone().map(|ray| self.patch.ray(ray)[j]).sum::<f32>() / per_sector as f32;
                self.sums.push(sum);
            }
        }
        self.steps.clear();
        for j in 0..steps {
            let scale = grid.radius(j as f64);
            self.steps.push(self.step_at(j, half_width(scale * radius), steps, scale));
        }
        Some(())
    }

    fn step_at(&self, j: usize, half: usize, steps: usize, scale: f64) -> Ring {
        let none = Ring { scale, step: 0.0, agreement: 0.0, visible: 0.0 };
        if j < half || j + half >= steps {
            return none;
        }
        let (mut values, mut n) = ([0.0f32; SECTORS], 0);
        for sector in 0..SECTORS {
            if self.reach[sector] > j + half {
                let sums = &self.sums[sector * (steps + 1)..(sector + 1) * (steps + 1)];
                // Column j itself is the edge and belongs to neither side.
                values[n] = (sums[j + half + 1] - sums[j + 1] - (sums[j] - sums[j - half])) / half as f32;
                n += 1;
            }
        }
        if n < 3 {
            return none;
        }
        let values = &mut values[..n];
        values.sort_unstable_by(f32::total_cmp);
        let middle = values[n / 2];
        let agreeing = values.iter().filter(|&&v| v * middle > 0.0 && v.abs() >= 0.3 * middle.abs()).count();
        let visible = n as f64 / SECTORS as f64;
        Ring { scale, step: f64::from(middle), agreement: agreeing as f64 / n as f64, visible }
    }

    /// Local maxima of the step's size that stand out from the slope on both sides of them: falloff has slopes, not rings.
    fn find_rings(&mut self, radius: f64) {
        self.rings.clear();
        let last = self.steps.len().saturating_sub(1);
        for j in 1..last {
            let here = self.steps[j];
            let sign = here.step.signum();
            let near = &self.steps[j.saturating_sub(2)..(j + 3).min(self.steps.len())];
            let highest = near.iter().all(|other| other.step * sign <= here.step.abs());
            if !highest || here.step == 0.0 || here.agreement < LEAST_AGREEMENT || here.visible < LEAST_VISIBLE {
                continue;
            }
            // Beyond twice the half width an edge no longer shows in the step.
            let apart = (5 * half_width(here.scale * radius)).div_ceil(2);
            let slope =
                0.5 * (self.steps[j.saturating_sub(apart)].step + self.steps[(j + apart).min(last)].step) * sign;
            let step = here.step - sign * slope.clamp(0.0, here.step.abs());
            self.rings.push(Ring { step, ..here });
        }
    }
}

/// Half width of a step's two sides in samples: wide enough to tell a step from a thin ring.
fn half_width(radius: f64) -> usize {
    ((0.07 * radius).round() as usize).clamp(2, 6)
}
