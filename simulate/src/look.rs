//! Decides what the edges of cladding and core look like: rings, halo, glue line, decoy, glow. What is drawn near an edge
//! keeps so far away from the other one, or is left out, that the steepest gradient stays where the truth says. Called by
//! the scene.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{
    preset::{CoreLook, Microscope},
    profile::{CladdingEdge, CoreEdge, Glue, RISE_PER_SIGMA},
};

/// What the looks of the two edges depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glass {
    pub radius_px: f64,
    pub core_px: f64,
    pub sigma_px: f64,
    pub level: f64,
}

/// The cladding's edge, and whether its glue line shows as a second ring.
pub(super) fn cladding_edge(
    m: &Microscope,
    glass: Glass,
    px_per_um: f64,
    rng: &mut ChaCha8Rng,
) -> (CladdingEdge, bool) {
    let Glass { radius_px, core_px, sigma_px, level } = glass;
    let gap_px = m.edge.glue_um.draw(rng) * px_per_um;
    let glue = Glue { gap_px, level: m.edge.glue_level.draw(rng) };
    // A gap narrower than the blur shows as one ring, not two; and the glass's own edge lies clear of the core's, so that
    // neither moves the other.
    let room = radius_px - core_px - 9.0 * sigma_px;
    let double_ring = rng.random::<f64>() < m.edge.glue_share && gap_px > 3.0 * sigma_px && gap_px < room;
    let decoy = (rng.random::<f64>(), rng.random::<f64>());
    // Rings seen at 0.57 and 0.86 of the cladding's radius on real fibres.
    let share = if decoy.1 < 0.5 { 0.57 } else { 0.86 };
    // On top of the core's edge it would be no decoy but the edge.
    let clear = (share * radius_px - core_px).abs() > 4.0 + 2.0 * RISE_PER_SIGMA * sigma_px;
    let decoy = (decoy.0 < m.edge.decoy_share && clear).then_some((share, 0.025));
    let edge = CladdingEdge {
        radius_px,
        level,
        sigma_px,
        // Never black: a ring as deep as the cladding is bright would clip.
        ring: m.edge.ring.draw(rng).min(0.9 * level),
        halo: m.edge.halo.draw(rng),
        glue: double_ring.then_some(glue),
        decoy,
    };
    (edge, double_ring)
}

/// The core's edge and inside.
pub(super) fn core_edge(look: &CoreLook, glass: Glass, rng: &mut ChaCha8Rng) -> CoreEdge {
    let Glass { radius_px: cladding_px, core_px: radius_px, sigma_px, .. } = glass;
    let contrast = look.contrast.draw(rng);
    let (dome, ripple, glow) = (look.dome.draw(rng), look.ripple.draw(rng), look.glow.draw(rng));
    // A single-mode core is a few pixels wide: it has no layers to show, and a glow would hide its edge.
    let wide = radius_px > 8.0 * sigma_px;
    let gap_px = cladding_px - radius_px;
    let decay_px = (0.12 * gap_px).max(sigma_px);
    CoreEdge {
        radius_px,
        contrast,
        sigma_px,
        dome: if wide { dome } else { 0.0 },
        ripple: if wide { ripple } else { 0.0 },
        // Gone before the cladding's edge, whose place it must not move.
        glow: (if wide && gap_px > 8.0 * decay_px { glow } else { 0.0 }, decay_px),
    }
}
