//! COCO, one file a split: boxes, masks as packed run lengths, every kind as a category, and what `ferrule evaluate` reads
//! beyond that (outlines of zones, the label). The same file is a truth file.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    Export, ExportError, Progress, Written,
    whole::{trouble, whole},
};
use crate::{
    report::{Defect, DefectKind, Outline},
    simulate::truth::{Label, Rle, packed},
    store::Exhibit,
};

#[derive(Serialize)]
struct Image<'a> {
    id: u64,
    file_name: &'a str,
    width: u32,
    height: u32,
    license: u32,
    /// The image's id in every other table.
    image_id: String,
    zones: Zones,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Label>,
    label_by: &'a Option<String>,
    um_per_px: Option<f64>,
    verdict: &'static str,
    pipeline_id: &'a str,
}

#[derive(Serialize)]
struct Zones {
    core: Option<Zone>,
    cladding: Option<Zone>,
}

#[derive(Serialize)]
struct Zone {
    cx: f64,
    cy: f64,
    ax: f64,
    by: f64,
    angle_deg: f64,
    confidence: f64,
}

#[derive(Serialize)]
struct Annotation<'a> {
    id: u64,
    image_id: u64,
    category_id: usize,
    bbox: [u32; 4],
    area: u32,
    segmentation: Segmentation,
    iscrowd: u8,
    defect_id: &'a str,
    severity: &'static str,
    confidence: f64,
    zone: Option<&'static str>,
    plugin: &'a str,
}

#[derive(Serialize)]
struct Segmentation {
    /// Height, width.
    size: [u32; 2],
    counts: String,
}

#[derive(Serialize)]
struct Category {
    id: usize,
    name: &'static str,
    supercategory: &'static str,
}

/// Writes `annotations_<split>.json` for each part.
///
/// # Errors
/// See [`ExportError`].
pub fn coco(export: &Export<'_>, progress: &mut Progress<'_>) -> Result<Written, ExportError> {
    let mut written = Written::default();
    for (name, part) in export.parts() {
        let path = export.out.join(format!("annotations_{name}.json"));
        let mut first = true;
        let file = annotations(&path, name, &mut |each| {
            export.reader.each_exhibit(part, |exhibit| {
                each(&exhibit)?;
                written.items += u64::from(first);
                progress(written.items)
            })?;
            first = false;
            Ok(())
        })?;
        written.files.push(file);
    }
    Ok(written)
}

/// Tells each image to whom it is given, all of them each time, in the same order.
pub(super) type Pass<'a> =
    dyn FnMut(&mut dyn FnMut(&Exhibit) -> Result<(), ExportError>) -> Result<(), ExportError> + 'a;

/// Writes one file. Images and annotations are two lists: the images pass twice, so that neither has to be held.
pub(super) fn annotations(path: &Path, name: &str, pass: &mut Pass<'_>) -> Result<PathBuf, ExportError> {
    let broken = trouble(path);
    whole(path, |file| {
        let head = serde_json::json!({
            "description": format!("end faces, {name}"), "version": env!("CARGO_PKG_VERSION"),
            "generator": "ferrule export", "split": name,
        });
        let licences = serde_json::json!([{"id": 0, "name": "not stated", "url": ""}]);
        let categories = serde_json::to_string(&categories()).map_err(|error| broken(error.into()))?;
        let start =
            format!("{{\"info\": {head},\n\"licenses\": {licences},\n\"categories\": {categories},\n\"images\": [");
        file.write_all(start.as_bytes()).map_err(&broken)?;
        let mut id = 0;
        pass(&mut |exhibit| {
            id += 1;
            item(file, id, &image(id, exhibit)).map_err(&broken)
        })?;
        file.write_all(b"],\n\"annotations\": [").map_err(&broken)?;
        let (mut image_id, mut id) = (0, 0);
        pass(&mut |exhibit| {
            image_id += 1;
            for defect in &exhibit.inspection.defects {
                id += 1;
                item(file, id, &annotation(id, image_id, exhibit, defect)).map_err(&broken)?;
            }
            Ok(())
        })?;
        file.write_all(b"]}\n").map_err(&broken)
    })
}

/// The kinds, with the numbers that truth files give them.
pub(super) fn category(kind: DefectKind) -> usize {
    kind as usize + 1
}

fn categories() -> Vec<Category> {
    let category = |kind: &DefectKind| Category { id: category(*kind), name: kind.as_str(), supercategory: "defect" };
    DefectKind::ALL.iter().map(category).collect()
}

fn item(file: &mut impl Write, place: u64, value: &impl Serialize) -> std::io::Result<()> {
    file.write_all(if place == 1 { b"\n" } else { b",\n" })?;
    serde_json::to_writer(file, value).map_err(Into::into)
}

fn image(id: u64, exhibit: &Exhibit) -> Image<'_> {
    let inspection = &exhibit.inspection;
    let zone = |outline: &Outline| {
        let Outline { cx, cy, ax, by, angle_deg, confidence } = *outline;
        Zone { cx, cy, ax, by, angle_deg, confidence }
    };
    Image {
        id,
        file_name: &exhibit.filename,
        width: inspection.width,
        height: inspection.height,
        license: 0,
        image_id: exhibit.image.to_string(),
        zones: Zones {
            core: inspection.zones.core.as_ref().map(zone),
            cladding: inspection.zones.cladding.as_ref().map(zone),
        },
        label: exhibit.has_defect.map(|defect| if defect { Label::Defect } else { Label::Clean }),
        label_by: &exhibit.has_defect_by,
        um_per_px: inspection.um_per_px,
        verdict: inspection.verdict.overall.as_str(),
        pipeline_id: &exhibit.pipeline,
    }
}

fn annotation<'a>(id: u64, image_id: u64, exhibit: &Exhibit, defect: &'a Defect) -> Annotation<'a> {
    let (width, height) = (exhibit.inspection.width, exhibit.inspection.height);
    Annotation {
        id,
        image_id,
        category_id: category(defect.kind),
        bbox: defect.bbox,
        area: defect.area_px,
        segmentation: Segmentation { size: [height, width], counts: run_lengths(&defect.mask, width, height) },
        iscrowd: 0,
        defect_id: &defect.id,
        severity: defect.severity.as_str(),
        confidence: defect.confidence,
        zone: defect.zone.map(|zone| zone.as_str()),
        plugin: &defect.plugin,
    }
}

/// From runs along rows (y, x, length) to packed runs along columns.
fn run_lengths(mask: &[[u32; 3]], width: u32, height: u32) -> String {
    let row = |[y, x, length]: &[u32; 3]| (*x..x + length).map(|x| (x, *y)).collect::<Vec<_>>();
    let mut pixels: Vec<(u32, u32)> = mask.iter().flat_map(row).collect();
    pixels.sort_unstable();
    packed(&Rle::from_columns(&pixels, width, height).counts)
}
