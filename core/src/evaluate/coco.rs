//! A truth file's records as COCO writes them, and how they become the truth of a picture each.
//!
//! What a record says wrongly costs that record alone: it is left out, and a line says why. Called by [`super::truth`].

use std::collections::{HashMap, HashSet};

use ferrule_abi::BoundingBox;
use ferrule_vision::ellipse::Ellipse;
use serde::{Deserialize, Deserializer};

use super::{
    mask::Segmentation,
    truth::{TrueDefect, TrueImage, TrueOutline, TrueZone, Truth, in_truth},
};
use crate::{
    names,
    pipeline::runs::{bounding_box, filled, union},
    report::{DefectKind, ZoneName},
    simulate::truth::{Label, Visibility},
};

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

/// Longest edge of a picture that a record may claim; more than any sensor has.
const LONGEST_EDGE: u64 = 65_535;

/// Likewise its pixels: a mask costs time for each of them.
const MOST_PIXELS: u64 = 400_000_000;

impl Truth {
    /// The truth that these bytes are.
    ///
    /// # Errors
    /// They are no JSON, or JSON of another shape. What is wrong within is among the faults.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
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
        let fits = width.saturating_mul(height) <= MOST_PIXELS;
        let edge = |edge: u64| u32::try_from(edge).ok().filter(|_| fits && (1..=LONGEST_EDGE).contains(&edge));
        let (Some(width), Some(height)) = (edge(width), edge(height)) else {
            return Err(format!(
                "a picture of {width} x {height} pixels: each from 1 to {LONGEST_EDGE}, and 400 megapixels at most"
            ));
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
            mask = filled(BoundingBox { x: left, y: top, width: right - left, height: bottom - top });
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
