//! The pictures that differ most as tiles of a contact sheet: what both say, and what only one does.

use ferrule_vision::ellipse::Ellipse;

use super::tally::DifferingPicture;
use crate::{
    report::Defect,
    sheet::{Ink, Mark, Tile},
};

/// What the lines mean.
pub const LEGEND: &[(Ink, &str)] =
    &[(Ink::Expected, "both: A"), (Ink::Said, "both: B"), (Ink::Lost, "only A"), (Ink::Surplus, "only B")];

/// The picture's tile.
#[must_use]
pub fn tile(picture: &DifferingPicture) -> Tile {
    let DifferingPicture { path, difference, inspections, pairing } = picture;
    let [a, b] = inspections;
    let mut outlines: Vec<(Ellipse, Ink)> = Vec::new();
    for (inspection, ink) in [(b, Ink::Said), (a, Ink::Expected)] {
        let zones = [&inspection.zones.cladding, &inspection.zones.core];
        outlines.extend(zones.into_iter().flatten().map(|outline| (outline.into(), ink)));
    }
    let said = |defect: &Defect| format!("{} {:.2}", defect.kind, defect.confidence);
    let mark = |defect: &Defect, ink, label| Mark { bbox: defect.bbox, ink, label };
    let (mut marks, mut closer) = (Vec::new(), Vec::new());
    closer.extend(pairing.gone.iter().map(|place| mark(&a.defects[*place], Ink::Lost, said(&a.defects[*place]))));
    closer.extend(pairing.new.iter().map(|place| mark(&b.defects[*place], Ink::Surplus, said(&b.defects[*place]))));
    for (first, second, changes) in &pairing.pairs {
        let (first, second) = (&a.defects[*first], &b.defects[*second]);
        marks.push(mark(first, Ink::Expected, said(first)));
        // Short enough for a closer look: what changed, the type before all.
        let label = if changes.kind {
            format!("{} > {}", first.kind, second.kind)
        } else {
            format!("{} > {:.2}", said(first), second.confidence)
        };
        let into = if changes.any() { &mut closer } else { &mut marks };
        into.push(mark(second, Ink::Said, label));
    }
    let label = |has_defect: Option<bool>| match has_defect {
        Some(true) => "defect",
        Some(false) => "clean",
        None => "no answer",
    };
    let [before, after] = difference.has_defect.map(label);
    let called = if before == after { format!("both {before}") } else { format!("{before} > {after}") };
    let [left, right] = difference.verdict;
    let verdict = if left == right { String::new() } else { format!(", {left} > {right}") };
    let numbers =
        format!("{} gone, {} new, {} changed, {called}{verdict}", difference.gone, difference.new, difference.changed);
    Tile {
        path: path.clone(),
        image_id: a.image_id,
        width: a.width,
        height: a.height,
        caption: [difference.file.clone(), numbers],
        outlines,
        marks,
        closer,
    }
}
