//! Decides which defects a picture has, where they lie and how strong they are: not on top of each other, clear of the
//! fibre's own edges unless that is what they are about, and with exactly the contrast that the truth states.

use std::f64::consts::TAU;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{
    preset::Defects,
    scene::{Scene, rounded},
    shape::{Blob, Patch, Smear, Stroke},
    spread::choose,
    truth::{DefectKind, Place, Polarity, Rle, TrueDefect},
};

/// Tries before a defect is given up; sizes shrink on the way, so that a crowded picture still gets one.
const TRIES: u32 = 80;

/// Free pixels between two defects, so that a detector can tell them apart.
const APART_PX: f64 = 8.0;

/// A placed defect: what to add to the picture, and what is true of it.
#[derive(Debug, Clone)]
pub(super) struct Drawn {
    pub patch: Patch,
    /// Grey levels at the strongest pixel, negative where darker.
    pub amplitude: f32,
    pub truth: TrueDefect,
}

/// A shape at a place, with the discs that cover it.
struct Candidate {
    patch: Patch,
    discs: Vec<([f64; 2], f64)>,
    /// Where its contrast is measured.
    at: [f64; 2],
    /// Length and width, where the mask does not tell them.
    size: Option<(f64, f64)>,
}

/// Defects for one picture; `kind_at` in [0, 1) picks the kind where all are of one kind.
pub(super) fn defects(scene: &Scene, defects: &Defects, kind_at: f64, rng: &mut ChaCha8Rng) -> Vec<Drawn> {
    let weights: Vec<f64> = defects.kinds.iter().map(|(_, weight)| *weight).collect();
    let count = rng.random_range(defects.count[0]..=defects.count[1]);
    let (mut drawn, mut taken) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let pick = if defects.one_kind { kind_at } else { rng.random() };
        let kind = defects.kinds[choose(&weights, pick)].0;
        if let Some((one, discs)) = defect(scene, defects, kind, &taken, rng) {
            drawn.push(one);
            taken.extend(discs);
        }
    }
    drawn
}

type Discs = Vec<([f64; 2], f64)>;

fn defect(
    scene: &Scene,
    defects: &Defects,
    kind: DefectKind,
    taken: &Discs,
    rng: &mut ChaCha8Rng,
) -> Option<(Drawn, Discs)> {
    let zone = [Place::Core, Place::Cladding, Place::Ferrule][choose(&defects.zones, rng.random())];
    for attempt in 0..TRIES {
        // A zone too small for anything (a single-mode core, a thin cladding) gives way to the ferrule.
        let zone = if attempt < TRIES / 2 { zone } else { Place::Ferrule };
        let shrink = 0.97_f64.powi(attempt as i32);
        let found = match kind {
            DefectKind::Scratch => scratch(scene, defects, zone, shrink, rng),
            DefectKind::Chip => chip(scene, defects, shrink, rng),
            DefectKind::Pit => blob(scene, zone, shrink * defects.pit_um.draw(rng), 0.35, 0.0, rng),
            DefectKind::Particle => {
                let rim = if rng.random::<f64>() < 0.5 { 0.3 } else { 0.0 };
                blob(scene, zone, shrink * defects.particle_um.draw(rng), 0.8, rim, rng)
            }
            DefectKind::Residue => smear(scene, zone, shrink * defects.residue_um.draw(rng), rng),
        };
        let Some(candidate) = found else { continue };
        let free = |(a, ra): &([f64; 2], f64)| {
            taken.iter().all(|(b, rb)| (a[0] - b[0]).hypot(a[1] - b[1]) > ra + rb + APART_PX)
        };
        if candidate.discs.iter().all(free) {
            let discs = candidate.discs.clone();
            return finish(scene, defects, kind, candidate, rng).map(|drawn| (drawn, discs));
        }
    }
    None
}

fn zone_at(scene: &Scene, x: f64, y: f64) -> Place {
    if scene.core.distance(x, y) < 0.0 {
        Place::Core
    } else if scene.cladding.distance(x, y) < 0.0 {
        Place::Cladding
    } else {
        Place::Ferrule
    }
}

/// Whether a disc lies in `zone`, inside the frame, and clear of the edges' rings and halos.
fn fits(scene: &Scene, zone: Place, [x, y]: [f64; 2], radius: f64) -> bool {
    let clear = radius + 2.0 + 3.0 * scene.sigma_px;
    let [x0, y0, x1, y1] = scene.valid.map(f64::from);
    let inside = x - radius > x0 + 2.0 && y - radius > y0 + 2.0 && x + radius < x1 - 3.0 && y + radius < y1 - 3.0;
    inside
        && zone_at(scene, x, y) == zone
        && scene.core.distance(x, y).abs() > clear
        && scene.cladding.distance(x, y).abs() > clear
}

/// A random place in a zone, evenly over its box.
fn somewhere(scene: &Scene, zone: Place, rng: &mut ChaCha8Rng) -> [f64; 2] {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    let ellipse = match zone {
        Place::Core => &scene.core,
        Place::Cladding => &scene.cladding,
        Place::Ferrule => {
            let [x0, y0, x1, y1] = scene.valid.map(f64::from);
            return [x0 + u * (x1 - x0), y0 + v * (y1 - y0)];
        }
    };
    let (half_w, half_h) = ellipse.half_extent();
    [ellipse.cx + (2.0 * u - 1.0) * half_w, ellipse.cy + (2.0 * v - 1.0) * half_h]
}

/// Blur of a defect's outline: the optics, but never so sharp that pixels would alias.
fn blur(scene: &Scene) -> f64 {
    scene.sigma_px.clamp(0.6, 1.6)
}

fn scratch(scene: &Scene, d: &Defects, zone: Place, shrink: f64, rng: &mut ChaCha8Rng) -> Option<Candidate> {
    let sizes = &d.scratch;
    let length = (shrink * sizes.length_um.draw(rng) * scene.px_per_um).max(8.0);
    let crossing = rng.random::<f64>() < sizes.crossing;
    let (centre, angle) = (somewhere(scene, zone, rng), TAU * rng.random::<f64>());
    let curved = rng.random::<f64>() < sizes.curved;
    let sagitta = if curved { length * (0.05 + 0.15 * rng.random::<f64>()) } else { 0.0 };
    let lip = if rng.random::<f64>() < 0.3 { 0.35 } else { 0.0 };
    let stroke = Stroke {
        points: Stroke::path(centre, angle, length, sagitta),
        width_px: (sizes.width_um.draw(rng) * scene.px_per_um).max(0.8),
        sigma_px: blur(scene),
        lip,
        unevenness: sizes.unevenness.draw(rng),
        period_px: length * (0.2 + 0.5 * rng.random::<f64>()),
        phase: TAU * rng.random::<f64>(),
    };
    let reach = stroke.reach();
    if !crossing && !stroke.points.iter().all(|&point| fits(scene, zone, point, reach)) {
        return None;
    }
    // A crossing scratch may leave the frame, but its middle is seen.
    if crossing && !inside(scene, centre, reach) {
        return None;
    }
    let middle = stroke.points[stroke.points.len() / 2];
    let discs = stroke.points.iter().map(|&point| (point, reach)).collect();
    let size = Some((stroke.length(), stroke.full_width()));
    Some(Candidate { patch: stroke.patch(scene.valid)?, discs, at: middle, size })
}

fn inside(scene: &Scene, [x, y]: [f64; 2], margin: f64) -> bool {
    let [x0, y0, x1, y1] = scene.valid.map(f64::from);
    x > x0 + margin && y > y0 + margin && x < x1 - margin && y < y1 - margin
}

fn blob(scene: &Scene, zone: Place, size_um: f64, rough: f64, rim: f64, rng: &mut ChaCha8Rng) -> Option<Candidate> {
    let at = somewhere(scene, zone, rng);
    let radius = (0.5 * size_um * scene.px_per_um).max(1.2);
    let mut blob = Blob::new(at, radius, blur(scene), rough, rng);
    blob.rim = rim;
    let reach = blob.reach();
    if !fits(scene, zone, at, reach) {
        return None;
    }
    Some(Candidate { patch: blob.patch(scene.valid)?, discs: vec![(at, reach)], at, size: None })
}

fn chip(scene: &Scene, d: &Defects, shrink: f64, rng: &mut ChaCha8Rng) -> Option<Candidate> {
    let radius = (0.5 * shrink * d.chip_um.draw(rng) * scene.px_per_um).max(2.0);
    let (edge, normal) = scene.cladding.point(TAU * rng.random::<f64>());
    let sigma = blur(scene);
    let centre = [edge[0] - normal[0] * 0.2 * radius, edge[1] - normal[1] * 0.2 * radius];
    let blob = Blob::new(centre, radius, sigma, 0.6, rng);
    let reach = blob.reach();
    // Its contrast is stated against the glass beside it, past the dark ring.
    let depth = (0.5 * radius).max(2.5 * scene.sigma_px);
    let at = [edge[0] - normal[0] * depth, edge[1] - normal[1] * depth];
    if !inside(scene, edge, reach) || scene.core.distance(at[0], at[1]) < reach {
        return None;
    }
    Some(Candidate {
        patch: blob.patch_inside(scene.valid, &scene.cladding)?,
        discs: vec![(centre, reach)],
        at,
        size: None,
    })
}

fn smear(scene: &Scene, zone: Place, size_um: f64, rng: &mut ChaCha8Rng) -> Option<Candidate> {
    let at = somewhere(scene, zone, rng);
    let smear = Smear::new(at, (size_um * scene.px_per_um).max(10.0), rng);
    let discs: Discs = smear.discs.iter().map(|&(centre, radius)| (centre, 1.3 * radius)).collect();
    if !discs.iter().all(|&(centre, radius)| fits(scene, zone, centre, radius)) {
        return None;
    }
    Some(Candidate { patch: smear.patch(scene.valid)?, discs, at, size: None })
}

/// Gives a candidate its contrast and writes down what is true of it.
fn finish(scene: &Scene, d: &Defects, kind: DefectKind, c: Candidate, rng: &mut ChaCha8Rng) -> Option<Drawn> {
    let background = scene.background(c.at[0], c.at[1]);
    let sigma = scene.noise_at(c.at[0], c.at[1], background);
    let wanted = d.contrast.draw(rng) * sigma;
    let wants_dark = rng.random::<f64>() < d.dark;
    // Grey levels end at 0 and 255: where the wanted side has no room the other is taken, and what is stated is what was drawn.
    let room = |dark: bool| if dark { background - 4.0 } else { 251.0 - background }.max(0.0);
    let dark =
        if room(wants_dark) >= wanted || room(wants_dark) >= room(!wants_dark) { wants_dark } else { !wants_dark };
    let grey = wanted.min(room(dark));
    let mask = c.patch.mask();
    let (&(first_x, _), &(last_x, _)) = (mask.first()?, mask.last()?);
    let (low_y, high_y) = mask.iter().fold((u32::MAX, 0), |(low, high), &(_, y)| (low.min(y), high.max(y)));
    let touches = |place| mask.iter().any(|&(x, y)| zone_at(scene, f64::from(x), f64::from(y)) == place);
    let zone = [Place::Core, Place::Cladding].into_iter().find(|&place| touches(place)).unwrap_or(Place::Ferrule);
    let (length, width) = c.size.unwrap_or_else(|| principal_axes(&mask));
    let truth = TrueDefect {
        kind,
        bbox: [first_x, low_y, last_x - first_x + 1, high_y - low_y + 1],
        area: mask.len() as u64,
        segmentation: Rle::from_columns(&mask, scene.size[0], scene.size[1]),
        contrast_sigma: rounded(grey / sigma),
        contrast_grey: rounded(grey),
        polarity: if dark { Polarity::Dark } else { Polarity::Bright },
        zone,
        length_px: rounded(length),
        width_px: rounded(width),
    };
    Some(Drawn { patch: c.patch, amplitude: if dark { -grey as f32 } else { grey as f32 }, truth })
}

/// Length and width of the ellipse with the mask's second moments.
fn principal_axes(mask: &[(u32, u32)]) -> (f64, f64) {
    let n = mask.len().max(1) as f64;
    let points = || mask.iter().map(|&(x, y)| (f64::from(x), f64::from(y)));
    let (mx, my) = points().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    // A pixel is a square, not a point: it adds 1/12 of its own.
    let start = (1.0 / 12.0, 1.0 / 12.0, 0.0);
    let (xx, yy, xy) = points().fold(start, |(xx, yy, xy), (x, y)| {
        let (dx, dy) = (x - mx, y - my);
        (xx + dx * dx / n, yy + dy * dy / n, xy + dx * dy / n)
    });
    let (mean, spread) = (0.5 * (xx + yy), (0.5 * (xx - yy)).hypot(xy));
    (4.0 * (mean + spread).sqrt(), 4.0 * (mean - spread).max(0.0).sqrt())
}
