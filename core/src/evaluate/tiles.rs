//! The worst pictures as tiles of a contact sheet: what is there and what was found, each in a line of its own style.

use ferrule_vision::ellipse::Ellipse;

use super::{
    matching::{TruthOutcome, Verdict},
    outlines::OutlineScore,
    run::WorstPicture,
};
use crate::{
    names,
    sheet::{Ink, Mark, Tile},
};

/// What the lines mean.
pub const LEGEND: &[(Ink, &str)] = &[
    (Ink::Expected, "true, found"),
    (Ink::Lost, "true, missed"),
    (Ink::Said, "found, right"),
    (Ink::Surplus, "found, false alarm"),
    (Ink::Aside, "found, ignored"),
];

/// The picture's tile.
#[must_use]
pub fn tile(picture: &WorstPicture) -> Tile {
    let WorstPicture { path, image, inspection, score } = picture;
    let mut outlines: Vec<(Ellipse, Ink)> = Vec::new();
    for (truth, found) in [(&image.cladding, &inspection.zones.cladding), (&image.core, &inspection.zones.core)] {
        outlines.extend(found.iter().map(|outline| (outline.into(), Ink::Said)));
        outlines.extend(truth.outline().map(|outline| (outline.ellipse, Ink::Expected)));
    }
    let (mut marks, mut closer) = (Vec::new(), Vec::new());
    if let Some(matched) = &score.matched {
        for truth in &matched.truths {
            let ink = if truth.is_found { Ink::Expected } else { Ink::Lost };
            let mark = Mark { bbox: truth.bbox, ink, label: truth_label(truth) };
            if truth.is_found { marks.push(mark) } else { closer.push(mark) }
        }
        for find in &matched.found {
            let ink = match find.verdict {
                Verdict::Right(_) => Ink::Said,
                Verdict::Neutral => Ink::Aside,
                Verdict::False => Ink::Surplus,
            };
            let mark = Mark { bbox: find.bbox, ink, label: format!("{} {:.2}", find.kind, find.confidence) };
            if ink == Ink::Surplus { closer.push(mark) } else { marks.push(mark) }
        }
    }
    let error = |name: &str, zone: &Option<OutlineScore>| {
        zone.map(|zone| match zone.error {
            _ if zone.is_right() => format!("{name} right"),
            error if error.is_finite() && error > 0.0 => format!("{name} off by {error:.1} px"),
            _ if zone.is_missing() => format!("{name} missing"),
            _ => format!("{name} where none is"),
        })
    };
    let said = match score.has_defect {
        Some(true) => "called defect",
        Some(false) => "called clean",
        None => "no answer",
    };
    let numbers = [
        Some(format!("{} missed", score.missed())),
        Some(format!("{} false", score.false_alarms())),
        error("cladding", &score.cladding),
        error("core", &score.core),
        Some(said.into()),
    ];
    Tile {
        path: path.clone(),
        image_id: inspection.image_id,
        width: image.width,
        height: image.height,
        caption: [
            names::visible(&score.name).into_owned(),
            numbers.into_iter().flatten().collect::<Vec<_>>().join(", "),
        ],
        outlines,
        marks,
        closer,
    }
}

fn truth_label(truth: &TruthOutcome) -> String {
    let kind = truth.kind.map_or("defect", |kind| kind.as_str());
    truth.contrast_sigma.map_or_else(|| kind.to_owned(), |sigma| format!("{kind} {sigma:.1}x noise"))
}
