//! The core: the strongest step between two levels inside the cladding, of either sign, or nothing.
//!
//! A line that rises and falls again is no step. A step that does not stand out from its own uncertainty is not claimed: a
//! wrong core is worse than none. Called once the cladding is known.

use ferrule_vision::{direct_fit::Shape, ellipse::Ellipse, plane::Gray};

use crate::{
    edges::Reading,
    profile::{Ring, Span},
    search::Search,
    settings::Settings,
};

/// The core that was found.
#[derive(Debug, Clone, Copy)]
pub struct Core {
    pub outline: Ellipse,
    /// Gray levels from the cladding up to the core; negative for a dark core.
    pub contrast: f64,
    pub confidence: f64,
}

/// Radii searched, relative to the cladding's: 9 um in 125 um is 0.072, 200 um in 220 um is 0.909.
const SMALLEST: f64 = 0.035;
const LARGEST: f64 = 0.93;
/// The cladding's own edge bends the profile this far inward: a share of the radius, within these limits in pixels.
const RIM: (f64, f64, f64) = (0.035, 2.0, 6.0);
/// A step of the opposite sign within this share of the cladding's radius, of this share of its strength: a line.
const LINE: (f64, f64) = (0.1, 0.6);
/// Beyond this radius what lies outside of a step may be the bend toward the cladding's edge rather than its level: there a
/// step needs so many gray levels, and one further in of a fifth of its strength is the core instead.
const NEAR_RIM: f64 = 0.8;
const NEAR_RIM_STEP: f64 = 6.0;
const INNER_SHARE: f64 = 0.2;
/// An outline that leaves its step by more than this share of the cladding's radius, or so many pixels, is another's.
const DRIFT: (f64, f64) = (0.02, 3.0);
/// Next steps that are tried where an outline cannot be read.
const TRIES: usize = 3;

/// The core inside this cladding, or `None` where none can be told.
pub fn find_core(search: &mut Search, picture: Gray<'_>, cladding: &Ellipse, settings: &Settings) -> Option<Core> {
    let radius = cladding.mean_radius();
    let step_px = (radius / 160.0).clamp(0.5, 2.0);
    let rim = (RIM.0 * radius).clamp(RIM.1, RIM.2);
    let span = Span {
        from: 0.0,
        to: 1.0 - rim / radius,
        step_px,
        side: 0.25,
        least_px: 3.0,
        most_px: (0.05 * radius).max(4.0),
        edge_px: 1.5 * step_px.max(0.7),
    };
    search.profile.rings(picture, cladding, &span, &mut search.rings);
    let (low, high) = match settings.core_um {
        um if um > 0.0 => (0.75 * um / settings.cladding_um, 1.25 * um / settings.cladding_um),
        _ => (SMALLEST, LARGEST),
    };
    let (low, high) = (low.max(3.0 / radius), high.min(LARGEST));
    let rings = &search.rings;
    let is_line = |ring: &Ring| {
        let apart = |other: &Ring| (other.scale - ring.scale).abs();
        rings.iter().any(|other| {
            other.step * ring.step < 0.0 && other.step.abs() > LINE.1 * ring.step.abs() && apart(other) < LINE.0
        })
    };
    let counts = |ring: &Ring| {
        (low..=high).contains(&ring.scale)
            && ring.step.abs() >= settings.min_core_contrast
            && ring.step.abs() > 4.0 * ring.error
            && (ring.scale < NEAR_RIM || ring.step.abs() >= NEAR_RIM_STEP)
            && !is_line(ring)
    };
    let mut steps: Vec<Ring> = rings.iter().copied().filter(counts).collect();
    let strength = |ring: &Ring| ring.step.abs() * ring.agreement;
    steps.sort_unstable_by(|a, b| strength(b).total_cmp(&strength(a)));
    let strongest = steps.first().map(strength)?;
    if steps.first().is_some_and(|ring| ring.scale > NEAR_RIM) {
        let inner =
            |ring: &Ring| ring.scale < NEAR_RIM && ring.agreement > 0.9 && strength(ring) > INNER_SHARE * strongest;
        if let Some(place) = steps.iter().position(inner) {
            steps[..=place].rotate_right(1);
        }
    }
    for (i, ring) in steps.iter().take(TRIES).enumerate() {
        let Some((outline, share)) = read(search, picture, cladding, ring) else { continue };
        let rival = steps.get(i + 1).map_or(0.0, strength).min(strength(ring)) / strength(ring);
        let clear = 1.0 - (-strength(ring) / 3.0).exp();
        let confidence = clear * ring.agreement * share.sqrt() * (1.0 - 0.5 * rival);
        return Some(Core { outline, contrast: -ring.step, confidence: confidence.clamp(0.0, 1.0) });
    }
    None
}

/// The outline along which that step lies, and the share of the directions that agree with it.
fn read(search: &mut Search, picture: Gray<'_>, cladding: &Ellipse, ring: &Ring) -> Option<(Ellipse, f64)> {
    let sign = ring.step.signum() as f32;
    let contrast = ring.step.abs();
    // The fainter the edge, the more rays are averaged, and the less the outline may bend.
    let (average, side_px, free): (usize, f64, bool) = match contrast {
        _ if contrast > 12.0 => (1, 2.5, true),
        _ if contrast > 5.0 => (5, 3.5, false),
        _ => (10, 4.0, false),
    };
    let mut start = cladding.scaled(ring.scale);
    let mut share = 0.0;
    for reach_px in [7.0f64, 4.0] {
        let radius = start.mean_radius();
        let reading = Reading {
            reach_px: reach_px.min(0.8 * radius),
            step_px: 0.5,
            side_px: side_px.min(0.6 * radius),
            average,
            share: 0.95,
            tolerance_px: 1.5,
        };
        let shape = if free { Shape::Free } else { Shape::Like(*cladding) };
        let fit = search.edges.outline(picture, &start, sign, shape, &reading)?;
        (start, share) = (fit.outline, fit.inlier_share);
    }
    let aspect = (start.ax / start.by) / (cladding.ax / cladding.by);
    let radius = cladding.mean_radius();
    let drift = (start.mean_radius() - ring.scale * radius).abs();
    let stayed = drift < (DRIFT.0 * radius).max(DRIFT.1);
    ((0.85..1.18).contains(&aspect) && stayed).then_some((start, share))
}
