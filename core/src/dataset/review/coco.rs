//! Reviews as COCO: an image with its `label`, a defect with box, mask and category. What tools for labelling write holds no
//! reviewer and no time; so importing adds what is new in it, and a file that came from the dataset changes nothing.

use std::{collections::BTreeMap, io, path::Path};

use serde_json::{Value, json};

use super::{Decision, Imported, Review, ReviewError, ReviewedDefect};
use crate::{
    evaluate::Truth,
    ids::ImageId,
    names,
    report::DefectKind,
    simulate::truth::{Label, Rle},
    store::Reader,
};

/// What the reviews of an image come to.
#[derive(Default)]
struct Reviewed {
    label: Option<bool>,
    /// By defect: the last word about it.
    defects: BTreeMap<String, Option<ReviewedDefect>>,
}

/// Writes what the latest reviews say; with `proposals` also every other image with what was found in it, to begin from.
/// Returns the number of images.
///
/// # Errors
/// The database cannot be read, or nothing be written to `to`; `path` is for the message.
pub fn write(reader: &Reader, proposals: bool, to: impl io::Write, path: &Path) -> Result<u64, ReviewError> {
    let mut reviewed: BTreeMap<ImageId, Reviewed> = BTreeMap::new();
    reader.reviews(|_, review| {
        let image = reviewed.entry(review.image).or_default();
        match &review.defect {
            None => image.label = review.decision.label(),
            Some(defect) => {
                let id = defect.defect_id.clone().unwrap_or_default();
                let word = (review.decision.stance() == Some(true)).then(|| defect.clone());
                image.defects.insert(id, word);
            }
        }
        Ok::<(), ReviewError>(())
    })?;
    let (mut images, mut annotations) = (Vec::new(), Vec::new());
    reader.labelled_images(|image| {
        let (label, defects) = match reviewed.remove(&image.image_id) {
            Some(reviewed) => (reviewed.label, reviewed.defects.into_values().flatten().collect()),
            None if proposals => (image.has_defect, reader.found_defects(image.image_id)?),
            None => return Ok(()),
        };
        let id = images.len() + 1;
        for defect in defects {
            annotations.push(annotation(annotations.len() + 1, id, &defect, image.width, image.height));
        }
        let label = label.map(|label| if label { "defect" } else { "clean" });
        images.push(json!({
            "id": id, "file_name": image.filename, "width": image.width, "height": image.height, "label": label,
        }));
        Ok::<(), ReviewError>(())
    })?;
    let categories = (1..).zip(DefectKind::ALL).map(|(id, kind): (usize, _)| json!({"id": id, "name": kind.as_str()}));
    let count = images.len() as u64;
    let file = json!({
        "info": {"description": "reviews of a Ferrule dataset", "generator": "ferrule review export"},
        "licenses": [], "images": images, "annotations": annotations, "categories": categories.collect::<Vec<_>>(),
    });
    let written = serde_json::to_writer(to, &file);
    written.map_err(|error| ReviewError::Write { path: path.to_owned(), source: error.into() })?;
    Ok(count)
}

fn annotation(id: usize, image: usize, defect: &ReviewedDefect, width: u32, height: u32) -> Value {
    let [x, y, w, h] = defect.bbox;
    let category = DefectKind::ALL.iter().position(|kind| *kind == defect.kind).map_or(0, |place| place + 1);
    let mut pixels: Vec<(u32, u32)> =
        defect.mask.iter().flat_map(|&[y, x, length]| (x..x.saturating_add(length)).map(move |x| (x, y))).collect();
    pixels.sort_unstable();
    let area = if pixels.is_empty() { u64::from(w) * u64::from(h) } else { pixels.len() as u64 };
    let segmentation = if pixels.is_empty() { json!([]) } else { json!(Rle::from_columns(&pixels, width, height)) };
    json!({
        "id": id, "image_id": image, "category_id": category, "bbox": [x, y, w, h], "area": area, "iscrowd": 0,
        "segmentation": segmentation,
    })
}

pub(super) fn read(path: &Path, reviewer: &str, reader: &Reader) -> Result<Imported, ReviewError> {
    let truth = Truth::read(path)?;
    let mut imported = Imported { reviews: Vec::new(), faults: truth.faults };
    for image in truth.images {
        // Some tools write the folder along.
        let name = image.name.rsplit('/').next().unwrap_or(&image.name);
        let Some(id) = reader.image_named(name)? else {
            imported.faults.push(format!("no image of the dataset is named {}", names::visible(name)));
            continue;
        };
        if reader.image_size(id)? != Some((image.width, image.height)) {
            let (width, height) = (image.width, image.height);
            imported.faults.push(format!(
                "{}: the file says {width} x {height}, the picture is of another size",
                names::visible(name)
            ));
            continue;
        }
        let review = |decision, defect| Review {
            image: id,
            reviewer: reviewer.to_owned(),
            at: None,
            decision,
            defect,
            note: None,
        };
        match image.label {
            Some(Label::Defect) => imported.reviews.push(review(Decision::Defect, None)),
            Some(Label::Clean) => imported.reviews.push(review(Decision::Clean, None)),
            None => {}
        }
        for defect in image.defects.into_iter().flatten() {
            let mask = if defect.only_box { Vec::new() } else { defect.mask };
            let defect = ReviewedDefect {
                defect_id: None,
                kind: defect.kind.unwrap_or(DefectKind::Anomaly),
                bbox: defect.bbox,
                mask: mask.iter().map(|run| [run.y, run.x, run.length]).collect(),
            };
            imported.reviews.push(review(Decision::Missed, Some(defect)));
        }
    }
    Ok(imported)
}
