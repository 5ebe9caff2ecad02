//! What a layer puts over a picture: marked defects with their labels, and colours laid under them. Shared by pictures of
//! cells, of pixels and in files; no colour says anything that a label or a place does not say too.

use ferrule_core::{
    report::{Defect, Outline},
    store::Heat,
};

use super::{
    Layers,
    canvas::{Canvas, Cover},
};
use crate::workbench::{rows::Detail, theme::severity_rgb};

/// Labels are written beside so many defects; more would hide the picture.
const MOST_LABELS: usize = 99;

/// Only the former result has it, only the one that stands, or both but not alike.
const GONE_RGB: [u8; 3] = [95, 175, 255];
const NEW_RGB: [u8; 3] = [255, 0, 0];
const CHANGED_RGB: [u8; 3] = [255, 215, 0];
const SAME_RGB: [u8; 3] = [168, 168, 168];
const HOT_RGB: [u8; 3] = [255, 60, 0];

/// A defect to be drawn.
pub struct Marked {
    pub cover: Cover,
    pub colour: [u8; 3],
    pub label: String,
}

/// The defects of a layer, the most important first.
pub fn marked(canvas: &Canvas, detail: &Detail, layers: Layers) -> Vec<Marked> {
    let Some(inspection) = &detail.inspection else { return Vec::new() };
    if layers == Layers::Difference {
        return differing(canvas, detail);
    }
    let defects = inspection.defects.iter().enumerate().filter(|(_, defect)| layers.shows(defect, detail));
    let marked = |(index, defect): (usize, &Defect)| Marked {
        cover: canvas.cover(defect),
        colour: severity_rgb(defect.severity),
        label: if layers == Layers::Mask { String::new() } else { (index + 1).to_string() },
    };
    defects.take(MOST_LABELS).map(marked).collect()
}

/// Defects of two results: `+` is new, `-` is gone, `~` is in both but not said alike.
fn differing(canvas: &Canvas, detail: &Detail) -> Vec<Marked> {
    let (Some(now), Some(before)) = (&detail.inspection, &detail.former) else { return Vec::new() };
    let marked =
        |defect: &Defect, colour, label: &str| Marked { cover: canvas.cover(defect), colour, label: label.to_owned() };
    let (pairing, former) = (&before.pairing, &before.former.inspection.defects);
    let new = pairing.new.iter().map(|place| marked(&now.defects[*place], NEW_RGB, "+"));
    let gone = pairing.gone.iter().map(|place| marked(&former[*place], GONE_RGB, "-"));
    let both = pairing.pairs.iter().map(|(_, place, changes)| {
        let (colour, label) = if changes.any() { (CHANGED_RGB, "~") } else { (SAME_RGB, "") };
        marked(&now.defects[*place], colour, label)
    });
    let mut all: Vec<_> = new.chain(gone).chain(both).take(MOST_LABELS).collect();
    all.sort_by_key(|marked| marked.label.is_empty());
    all
}

/// Lays under everything else what a layer has: darkness for masks, warmth where defects lie.
pub fn ground(canvas: &mut Canvas, detail: &Detail, layers: Layers, heat: Option<&Heat>) {
    match (layers, heat, fibre(detail)) {
        (Layers::Mask, ..) => canvas.pixels.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(|value| value / 3)),
        (Layers::Heat, Some(heat), Some(fibre)) => {
            for y in 0..canvas.pixels.height() {
                for x in 0..canvas.pixels.width() {
                    let warmth = warmth(canvas, (x, y), &fibre, heat);
                    if warmth > 0.0 {
                        let pixel = canvas.pixels.get_pixel_mut(x, y);
                        for (value, hot) in pixel.0.iter_mut().zip(HOT_RGB) {
                            *value = (f64::from(*value) * (1.0 - warmth) + f64::from(hot) * warmth).round() as u8;
                        }
                    }
                }
            }
        }
        _ => {}
    }
}

/// How warm a shown pixel is, 0 to 0.85 where most captures have a defect. One that covers several places is as warm as the
/// warmest of them.
pub fn warmth(canvas: &Canvas, (x, y): (u32, u32), fibre: &Outline, heat: &Heat) -> f64 {
    const INSIDE: [f64; 3] = [-1.0 / 3.0, 0.0, 1.0 / 3.0];
    let radius = fibre.mean_radius().max(1.0);
    let share = |dx: f64, dy: f64| {
        let (x, y) = canvas.taken_from(f64::from(x) + dx, f64::from(y) + dy);
        heat.at((x - fibre.cx) / radius, (y - fibre.cy) / radius)
    };
    let share = INSIDE.into_iter().flat_map(|dy| INSIDE.map(|dx| share(dx, dy))).fold(0.0, f64::max);
    // The root: places that few captures share are what is looked for.
    0.85 * (share / heat.most().max(f64::MIN_POSITIVE)).sqrt()
}

/// What a list's captures are laid on each other by.
pub fn fibre(detail: &Detail) -> Option<Outline> {
    let cladding = detail.inspection.as_ref()?.zones.cladding?;
    [cladding.cx, cladding.cy, cladding.ax, cladding.by].iter().all(|value| value.is_finite()).then_some(cladding)
}
