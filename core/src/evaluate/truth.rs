//! A truth file as a person or `ferrule simulate` wrote it: COCO, with a few additions. Reads one file and no picture.
//!
//! What a record says wrongly costs that record alone and is listed; only a file that is no COCO at all is refused.
//! Called by [`super::run`].

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
};

use ferrule_abi::Run;
use ferrule_vision::ellipse::{Ellipse, Gauge};
use serde::{Deserialize, Deserializer};

use super::mask::Segmentation;
use crate::{
    names,
    pipeline::runs::{bounding_box, filled, union},
    report::{DefectKind, ZoneName},
    simulate::truth::{Label, Visibility},
};

/// A truth file, checked.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// In the order of the file, no name twice.
    pub images: Vec<TrueImage>,
    /// Records that were left out, and why; one line each.
    pub faults: Vec<String>,
    /// What a person should know about the others.
    pub remarks: Vec<String>,
}

/// What is true of one picture.
#[derive(Debug, Clone)]
pub struct TrueImage {
    /// `file_name`.
    pub name: String,
    pub width: u32,
    pub height: u32,
    pub core: TrueZone,
    pub cladding: TrueZone,
    /// As the file says, else from the defects; `None` where neither tells.
    pub label: Option<Label>,
    /// Every defect; `None` where the file says only that there are some.
    pub defects: Option<Vec<TrueDefect>>,
    /// Where a find is neither right nor wrong.
    pub(super) ignore: Vec<Run>,
    /// Of the picture without the black bars of a frame.
    pub megapixels: f64,
}

/// An outline that somebody knows, or the lack of one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TrueZone {
    /// The file says nothing.
    Unknown,
    /// There is none to be seen.
    Absent,
    /// Hardly to be seen: claiming none is right, claiming a wrong one is wrong.
    Faint(TrueOutline),
    Seen(TrueOutline),
}

/// The outline, and how well it could be placed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrueOutline {
    pub ellipse: Ellipse,
    /// Pixels; added to the tolerance.
    pub uncertainty: f64,
}

/// A defect that is there.
#[derive(Debug, Clone)]
pub struct TrueDefect {
    /// `None` where the file's category is none of ours.
    pub kind: Option<DefectKind>,
    /// x, y, width, height in pixels.
    pub bbox: [u32; 4],
    pub(super) mask: Vec<Run>,
    /// The mask is only the box, filled.
    pub(super) only_box: bool,
    /// `None` where the picture's zones are not known.
    pub zone: Option<ZoneName>,
    /// Contrast of its strongest pixel over the noise.
    pub contrast_sigma: Option<f64>,
}

/// Why there is no truth to go by.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    #[error("{}: cannot be read: {source}", names::display(path))]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}:{line}:{column}: no truth file (COCO): {reason}", names::display(path))]
    Wrong { path: PathBuf, line: usize, column: usize, reason: String },
    #[error("{}: it lists no pictures that can be scored{}", names::display(path), first.as_ref().map(|f| format!("; {f}")).unwrap_or_default())]
    Nothing { path: PathBuf, first: Option<String> },
}

#[derive(Deserialize)]
struct File {
    images: Vec<Image>,
    #[serde(default)]
    annotations: Vec<Annotation>,
    #[serde(default)]
    categories: Vec<Category>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(untagged)]
enum Id {
    Number(i64),
    Text(String),
}

#[derive(Deserialize)]
struct Image {
    id: Id,
    file_name: String,
    width: u64,
    height: u64,
    #[serde(default)]
    zones: Zones,
    label: Option<Label>,
    valid_area: Option<[f64; 4]>,
}

#[derive(Default, Deserialize)]
struct Zones {
    #[serde(default, deserialize_with = "given")]
    core: Option<Option<Zone>>,
    #[serde(default, deserialize_with = "given")]
    cladding: Option<Option<Zone>>,
}

/// Tells `null` from nothing at all.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Zone>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct Zone {
    cx: f64,
    cy: f64,
    ax: f64,
    by: f64,
    #[serde(default)]
    angle_deg: f64,
    visibility: Option<Visibility>,
    #[serde(default)]
    uncertainty_px: f64,
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default = "nameless")]
    id: Id,
    image_id: Id,
    category_id: Id,
    bbox: Option<Vec<f64>>,
    segmentation: Option<Segmentation>,
    #[serde(default)]
    iscrowd: u8,
    zone: Option<ZoneName>,
    contrast_sigma: Option<f64>,
}

fn nameless() -> Id {
    Id::Text("without an id".into())
}

#[derive(Deserialize)]
struct Category {
    id: Id,
    name: String,
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(&names::visible(text)),
        }
    }
}

/// Longest edge of a picture that a record may claim; more than any sensor has, and masks stay small.
const LONGEST_EDGE: u64 = 65_535;

impl Truth {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, is no COCO, or lists nothing that can be scored.
    pub fn read(path: &Path) -> Result<Self, TruthError> {
        let unreadable = |source| TruthError::Unreadable { path: path.to_owned(), source };
        if !fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(unreadable(io::Error::other("not a regular file")));
        }
        let bytes = fs::read(path).map_err(unreadable)?;
        let truth = Self::parse(&bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let text = names::visible(&error.to_string()).into_owned();
            let reason = text.split(" at line ").next().unwrap_or_default().to_owned();
            TruthError::Wrong { path: path.to_owned(), line, column, reason }
        })?;
        if truth.images.is_empty() {
            return Err(TruthError::Nothing { path: path.to_owned(), first: truth.faults.into_iter().next() });
        }
        Ok(truth)
    }

    /// The truth that these bytes are.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let file: File = serde_json::from_slice(bytes)?;
        let mut truth = Self::default();
        let mut places: HashMap<Id, Option<usize>> = HashMap::new();
        let (mut names_seen, mut labels) = (HashSet::new(), Vec::new());
        for image in file.images {
            let what = format!("image {} ({})", image.id, names::visible(&image.file_name));
            let fault = if places.contains_key(&image.id) {
                Err("another one has the same id".into())
            } else if !names_seen.insert(image.file_name.clone()) {
                Err("another one has the same file_name".into())
            } else {
                image.checked()
            };
            match fault {
                Ok(checked) => {
                    places.insert(image.id, Some(truth.images.len()));
                    labels.push(image.label);
                    truth.images.push(checked);
                }
                Err(reason) => {
                    truth.faults.push(format!("{what}: {reason}"));
                    places.entry(image.id).or_insert(None);
                }
            }
        }
        let categories: HashMap<Id, (Option<DefectKind>, String)> = file
            .categories
            .into_iter()
            .map(|category| (category.id, (kind_of(&category.name), category.name)))
            .collect();
        let mut annotated = vec![false; truth.images.len()];
        let mut unknown: Vec<(String, u64)> = Vec::new();
        for annotation in file.annotations {
            let Some(place) = places.get(&annotation.image_id) else {
                truth.faults.push(format!("annotation {}: there is no image {}", annotation.id, annotation.image_id));
                continue;
            };
            // An image that was left out takes its annotations with it.
            let Some(place) = *place else { continue };
            match annotation.add(&mut truth.images[place], &categories) {
                Ok(category) => {
                    annotated[place] = true;
                    if let Some(name) = category {
                        match unknown.iter_mut().find(|(known, _)| *known == name) {
                            Some((_, count)) => *count += 1,
                            None => unknown.push((name, 1)),
                        }
                    }
                }
                Err(reason) => {
                    annotated[place] = true;
                    truth.faults.push(format!("annotation {}: {reason}", annotation.id));
                }
            }
        }
        let ours = DefectKind::ALL.iter().filter(|kind| **kind != DefectKind::Anomaly);
        let ours: Vec<&str> = ours.map(|kind| kind.as_str()).collect();
        for (name, count) in unknown {
            let name = names::visible(&name).into_owned();
            truth.remarks.push(format!(
                "category `{name}` is none of {}: its {count} annotations are scored without a type",
                ours.join(", ")
            ));
        }
        for ((image, annotated), label) in truth.images.iter_mut().zip(annotated).zip(labels) {
            let any = image.defects.as_ref().is_some_and(|defects| !defects.is_empty());
            image.label = match (label, annotated) {
                (Some(label), _) => Some(label),
                (None, _) if any => Some(Label::Defect),
                // Only areas to ignore: nobody says what is in them.
                (None, true) => None,
                (None, false) => Some(Label::Clean),
            };
            if image.label == Some(Label::Defect) && !annotated {
                image.defects = None;
            }
        }
        Ok(truth)
    }
}

fn kind_of(name: &str) -> Option<DefectKind> {
    let name = name.trim().to_lowercase();
    DefectKind::parse(&name).filter(|kind| *kind != DefectKind::Anomaly)
}

impl Image {
    fn checked(&self) -> Result<TrueImage, String> {
        let (width, height) = (self.width, self.height);
        let edge = |edge: u64| u32::try_from(edge).ok().filter(|_| (1..=LONGEST_EDGE).contains(&edge));
        let (Some(width), Some(height)) = (edge(width), edge(height)) else {
            return Err(format!("a picture of {width} x {height} pixels: each from 1 to {LONGEST_EDGE}"));
        };
        if self.file_name.is_empty() {
            return Err("it has no file_name".into());
        }
        let zone = |name: &str, given: &Option<Option<Zone>>| match given {
            None => Ok(TrueZone::Unknown),
            Some(None) => Ok(TrueZone::Absent),
            Some(Some(zone)) => zone.checked().ok_or_else(|| format!("its {name} is no ellipse")),
        };
        let (core, cladding) = (zone("core", &self.zones.core)?, zone("cladding", &self.zones.cladding)?);
        let within = |value: f64, edge: u32| value.clamp(0.0, f64::from(edge));
        let megapixels = match self.valid_area {
            Some([x0, y0, x1, y1]) => {
                (within(x1, width) - within(x0, width)).max(0.0) * (within(y1, height) - within(y0, height)).max(0.0)
            }
            None => f64::from(width) * f64::from(height),
        } / 1e6;
        Ok(TrueImage {
            name: self.file_name.clone(),
            width,
            height,
            core,
            cladding,
            label: self.label,
            defects: Some(Vec::new()),
            ignore: Vec::new(),
            megapixels,
        })
    }
}

impl Zone {
    fn checked(&self) -> Option<TrueZone> {
        let ellipse = Ellipse { cx: self.cx, cy: self.cy, ax: self.ax, by: self.by, angle_deg: self.angle_deg };
        let outline = TrueOutline { ellipse, uncertainty: self.uncertainty_px };
        let sound = ellipse.is_sound() && self.uncertainty_px >= 0.0 && self.uncertainty_px.is_finite();
        sound.then_some(match self.visibility {
            Some(Visibility::Faint) => TrueZone::Faint(outline),
            Some(Visibility::Clear | Visibility::Low) | None => TrueZone::Seen(outline),
        })
    }
}

impl Annotation {
    /// Puts it into its picture; gives the category's name where that is none of ours.
    fn add(
        &self,
        image: &mut TrueImage,
        categories: &HashMap<Id, (Option<DefectKind>, String)>,
    ) -> Result<Option<String>, String> {
        let (width, height) = (image.width, image.height);
        let mut mask = match &self.segmentation {
            Some(segmentation) => segmentation.mask(width, height)?,
            None => Vec::new(),
        };
        let only_box = mask.is_empty();
        if only_box {
            let bbox = self.bbox.as_deref().ok_or("it has neither a bbox nor a segmentation")?;
            let [x, y, w, h] = *bbox else {
                return Err(format!("a bbox of {} numbers: x, y, width, height", bbox.len()));
            };
            // Whole pixels that the box touches, cut at the picture's edge.
            let low = |v: f64, edge: u32| (v + 1e-6).floor().clamp(0.0, f64::from(edge)) as u32;
            let high = |v: f64, edge: u32| (v - 1e-6).ceil().clamp(0.0, f64::from(edge)) as u32;
            let (left, right) = (low(x, width), high(x + w, width));
            let (top, bottom) = (low(y, height), high(y + h, height));
            if !(w > 0.0 && h > 0.0) {
                return Err(format!("its bbox is {w} x {h} pixels: both above 0"));
            }
            if right <= left || bottom <= top {
                return Err(format!("it lies outside its picture ({x}, {y}, {w} x {h} in {width} x {height})"));
            }
            mask = filled(ferrule_abi::BoundingBox { x: left, y: top, width: right - left, height: bottom - top });
        }
        if self.iscrowd != 0 {
            image.ignore = union(&image.ignore, &mask);
            return Ok(None);
        }
        let (kind, name) =
            categories.get(&self.category_id).ok_or_else(|| format!("there is no category {}", self.category_id))?;
        let zone = self.zone.map(in_truth).or_else(|| image.zone_of(&mask, only_box));
        let bbox = bounding_box(&mask);
        image.defects.get_or_insert_default().push(TrueDefect {
            kind: *kind,
            bbox: [bbox.x, bbox.y, bbox.width, bbox.height],
            mask,
            only_box,
            zone,
            contrast_sigma: self.contrast_sigma.filter(|sigma| sigma.is_finite()),
        });
        Ok(kind.is_none().then(|| name.clone()))
    }
}

/// Truth knows core, cladding and what is around them; the glue line belongs to the glass.
pub(super) const fn in_truth(zone: ZoneName) -> ZoneName {
    match zone {
        ZoneName::Adhesive => ZoneName::Cladding,
        other => other,
    }
}

impl TrueZone {
    /// Where it is, if it is anywhere.
    #[must_use]
    pub const fn outline(&self) -> Option<&TrueOutline> {
        match self {
            Self::Faint(outline) | Self::Seen(outline) => Some(outline),
            Self::Unknown | Self::Absent => None,
        }
    }

    fn gauge(&self) -> Option<Gauge> {
        self.outline().map(|outline| outline.ellipse.gauge())
    }
}

impl TrueImage {
    /// The innermost zone that a mask touches; for a box, whose corners are empty, the one with most of its pixels.
    pub(super) fn zone_of(&self, mask: &[Run], mostly: bool) -> Option<ZoneName> {
        let cladding = self.cladding.gauge()?;
        let core = self.core.gauge();
        let mut counts = [0_u64; 3];
        for run in mask {
            for x in run.x..run.x + run.length {
                let (x, y) = (f64::from(x), f64::from(run.y));
                let inside = |gauge: &Gauge| gauge.radius_at(x, y) <= 1.0;
                let zone = if core.as_ref().is_some_and(inside) { 0 } else { 2 - usize::from(inside(&cladding)) };
                counts[zone] += 1;
            }
        }
        let zones = [ZoneName::Core, ZoneName::Cladding, ZoneName::Ferrule];
        let found = if mostly {
            (0..3).rev().max_by_key(|place| counts[*place])
        } else {
            counts.iter().position(|count| *count > 0)
        };
        found.map(|place| zones[place])
    }
}
