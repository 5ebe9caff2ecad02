//! What the dataset says of its pictures, as something to learn from: split, class, masks, zones. Reads the database and,
//! where one is given, a truth file; no picture.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use ferrule_abi as abi;
use rusqlite::Row;

use super::{
    Labels, Plan, Task, TrainingError,
    order::{Mask, Picture},
};
use crate::{
    evaluate::{TrueImage, Truth},
    report::{DefectKind, PIPELINE},
    simulate::truth::Label,
    store::{Reader, runs_from_bytes},
    words::counted,
    workspace::DatasetPaths,
};

/// Zones that patches are of.
const ZONES: [&str; 3] = ["core", "cladding", "ferrule"];
const BACKGROUND: &str = "background";
const SPLITS: [&str; 3] = ["train", "val", "test"];

/// Pictures to learn from.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    pub classes: Vec<String>,
    pub pictures: Vec<Picture>,
    /// Pictures that have a split and are not taken, and why, with how many.
    pub left_out: BTreeMap<String, u64>,
    /// Stands for images, splits and labels: another dataset has another.
    pub hash: String,
}

/// Pictures by split and class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    pub split: String,
    pub class: String,
    pub count: u64,
}

impl Samples {
    /// How many there are of each, in the order of splits and classes.
    #[must_use]
    pub fn counts(&self) -> Vec<Chosen> {
        let mut all = Vec::new();
        // A picture is no class of pixels: there it either has some or none.
        let whole = ["clean".to_owned(), "defective".to_owned()];
        let pixels = self.classes.first().is_some_and(|first| first == BACKGROUND);
        let names = if pixels { &whole[..] } else { &self.classes };
        for split in SPLITS {
            for (class, name) in names.iter().enumerate() {
                let of = |picture: &&Picture| picture.split == split && picture.class == class;
                let count = self.pictures.iter().filter(of).count() as u64;
                all.push(Chosen { split: split.into(), class: name.clone(), count });
            }
        }
        all
    }
}

/// One image's row.
struct Image {
    image: String,
    filename: String,
    split: String,
    has_defect: Option<bool>,
    by: Option<String>,
    /// A person said what it is.
    reviewed: bool,
    aspect: Option<f64>,
    /// Of the capture that gave the picture.
    path: Vec<u8>,
}

/// Chooses what the plan can learn from.
///
/// # Errors
/// An empty split, one class alone, no masks, a truth file that is none: nothing that a training could begin with.
pub fn choose(plan: &Plan, paths: &DatasetPaths, reader: &Reader) -> Result<Samples, TrainingError> {
    let images = images(reader)?;
    let mut zones = zones(reader)?;
    let mut left_out: BTreeMap<String, u64> = BTreeMap::new();
    let truth = plan.truth.as_deref().map(true_images).transpose()?;
    let mut defects =
        if truth.is_none() && plan.task != Task::Regions { defects(plan, reader)? } else { HashMap::new() };
    let kinds = plan.task == Task::Defects || plan.labels == Labels::Kind;
    let mut taken = Vec::new();
    for image in images {
        let mut leave = |why: &str| *left_out.entry(why.into()).or_default() += 1;
        let known = match &truth {
            None if plan.task == Task::Regions => Some((false, Vec::new())),
            None => {
                if !image.reviewed && image.by.as_deref().is_some_and(|by| by != PIPELINE) && !plan.model_labels {
                    leave("labelled by a model (--model-labels takes them)");
                    continue;
                }
                let (found, by_network) = defects.remove(&image.image).unwrap_or_default();
                if by_network && !image.reviewed && !plan.model_labels {
                    leave("labelled by a model (--model-labels takes them)");
                    continue;
                }
                image.has_defect.map(|defect| (defect, if defect { found } else { Vec::new() }))
            }
            Some(truth) => truth.get(&name_of(&image)).or_else(|| truth.get(&image.filename)).cloned(),
        };
        let Some((defective, found)) = known else {
            leave(if truth.is_some() { "not in the truth file" } else { "without a label" });
            continue;
        };
        if defective && kinds && found.is_empty() {
            leave("called defective without a mask");
            continue;
        }
        taken.push((image, defective, found));
    }
    let classes = classes(plan, kinds, &taken);
    let wanted = left_out.get("called defective without a mask").copied().unwrap_or(0);
    if kinds && classes.len() < 2 && wanted > 0 {
        return Err(TrainingError::NoMasks { wanted: wanted as usize, folder: paths.defects() });
    }
    let mut pictures = Vec::with_capacity(taken.len());
    for (image, defective, found) in taken {
        let class_of = |kind: DefectKind| classes.iter().position(|name| name == kind.as_str()).unwrap_or(0);
        let class = match (plan.task, plan.labels) {
            (Task::Regions, _) => 0,
            (Task::Classify, Labels::Kind) => largest(&found).map_or(0, class_of),
            _ => usize::from(defective),
        };
        let masks = match plan.task {
            Task::Defects => found.into_iter().map(|(kind, mask)| (class_of(kind) as u8, Mask::Runs(mask))).collect(),
            _ => Vec::new(),
        };
        pictures.push(Picture {
            path: paths.images().join(&image.filename),
            zones: zones.remove(&image.image).unwrap_or_default(),
            image: image.image,
            split: image.split,
            class,
            masks,
            aspect: image.aspect,
        });
    }
    refuse_hopeless(plan, &classes, &pictures)?;
    let hash = hash(&classes, &pictures);
    Ok(Samples { classes, pictures, left_out, hash })
}

fn refuse_hopeless(plan: &Plan, classes: &[String], pictures: &[Picture]) -> Result<(), TrainingError> {
    for split in ["train", "val"] {
        if !pictures.iter().any(|picture| picture.split == split) {
            return Err(TrainingError::EmptySplit { split });
        }
    }
    if plan.task != Task::Regions {
        let first = pictures.iter().find(|picture| picture.split == "train").map_or(0, |picture| picture.class);
        let one = pictures.iter().filter(|picture| picture.split == "train").all(|picture| picture.class == first);
        if one {
            let words = if first == 0 { "clean" } else { "defective" };
            let name =
                if plan.task == Task::Classify { classes.get(first).map_or(words, String::as_str) } else { words };
            return Err(TrainingError::OneClass(name.into()));
        }
    }
    Ok(())
}

type Found = Vec<(DefectKind, Vec<abi::Run>)>;

/// Background or clean first, then the kinds that occur, in their own order.
fn classes(plan: &Plan, kinds: bool, taken: &[(Image, bool, Found)]) -> Vec<String> {
    if plan.task == Task::Regions {
        return ZONES.map(str::to_owned).to_vec();
    }
    if !kinds {
        return vec!["clean".into(), "defect".into()];
    }
    let occurs = |kind: &DefectKind| taken.iter().any(|(_, _, found)| found.iter().any(|(it, _)| it == kind));
    let first = if plan.task == Task::Defects { BACKGROUND } else { "clean" };
    let kinds = DefectKind::ALL.iter().copied().filter(occurs).map(|kind| kind.as_str().to_owned());
    std::iter::once(first.to_owned()).chain(kinds).collect()
}

fn largest(found: &Found) -> Option<DefectKind> {
    let mut areas: BTreeMap<DefectKind, u64> = BTreeMap::new();
    for (kind, runs) in found {
        *areas.entry(*kind).or_default() += runs.iter().map(|run| u64::from(run.length)).sum::<u64>();
    }
    areas.into_iter().max_by_key(|(_, area)| *area).map(|(kind, _)| kind)
}

fn name_of(image: &Image) -> String {
    let name = image.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

/// By `file_name`: defective or not, and where.
fn true_images(path: &Path) -> Result<HashMap<String, (bool, Found)>, TrainingError> {
    let known = |image: TrueImage| {
        let found: Found = image
            .defects
            .iter()
            .flatten()
            .map(|defect| (defect.kind.unwrap_or(DefectKind::Anomaly), defect.mask().to_vec()))
            .collect();
        let defective = match image.label {
            Some(label) => label == Label::Defect,
            None => !found.is_empty(),
        };
        let name = image.name.rsplit('/').next().unwrap_or_default().to_owned();
        (name, (defective, found))
    };
    Ok(Truth::read(path)?.images.into_iter().map(known).collect())
}

fn images(reader: &Reader) -> Result<Vec<Image>, TrainingError> {
    let sql = "SELECT i.image_id, i.filename, i.split, i.has_defect, i.has_defect_by, s.pixel_aspect, c.path,
                   EXISTS (SELECT 1 FROM reviews r WHERE r.image_id = i.image_id AND r.defect_id IS NULL)
               FROM images i LEFT JOIN captures c USING (capture_id) LEFT JOIN sources s USING (source_id)
               WHERE i.split IS NOT NULL ORDER BY i.image_id";
    let image = |row: &Row<'_>| {
        Ok(Image {
            image: row.get(0)?,
            filename: row.get(1)?,
            split: row.get(2)?,
            has_defect: row.get(3)?,
            by: row.get(4)?,
            aspect: row.get(5)?,
            reviewed: row.get(7)?,
            path: row.get::<_, Option<Vec<u8>>>(6)?.unwrap_or_default(),
        })
    };
    Ok(reader.rows(sql, image)?)
}

fn zones(reader: &Reader) -> Result<HashMap<String, Vec<abi::Zone>>, TrainingError> {
    let sql = "SELECT image_id, zone, cx, cy, ax, by, angle_deg, confidence FROM zones";
    let zone = |row: &Row<'_>| {
        let name: String = row.get(1)?;
        let outline =
            abi::Ellipse { cx: row.get(2)?, cy: row.get(3)?, ax: row.get(4)?, by: row.get(5)?, angle_deg: row.get(6)? };
        let name = abi::ZoneName::ALL.into_iter().find(|zone| zone.as_str() == name);
        let confidence = row.get(7)?;
        Ok((row.get::<_, String>(0)?, name.map(|name| abi::Zone { name, outline, confidence })))
    };
    let mut zones: HashMap<String, Vec<abi::Zone>> = HashMap::new();
    for (image, zone) in reader.rows(sql, zone)? {
        zones.entry(image).or_default().extend(zone);
    }
    Ok(zones)
}

/// Masks of the current inspections, and whether a network saw some: those are no truth for a network.
fn defects(plan: &Plan, reader: &Reader) -> Result<HashMap<String, (Found, bool)>, TrainingError> {
    let sql = "SELECT image_id, dtype, plugin, mask FROM defects ORDER BY image_id, place";
    let defect = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let rows: Vec<(String, String, String, Vec<u8>)> = reader.rows(sql, defect)?;
    let mut defects: HashMap<String, (Found, bool)> = HashMap::new();
    for (image, kind, plugin, mask) in rows {
        let of_image = defects.entry(image).or_default();
        if plugin.starts_with("detect-torch") && !plan.model_labels {
            of_image.1 = true;
            continue;
        }
        let kind = DefectKind::ALL.iter().copied().find(|it| it.as_str() == kind).unwrap_or(DefectKind::Anomaly);
        let runs = runs_from_bytes(&mask).into_iter().map(|[y, x, length]| abi::Run { y, x, length }).collect();
        of_image.0.push((kind, runs));
    }
    Ok(defects)
}

fn hash(classes: &[String], pictures: &[Picture]) -> String {
    let mut hasher = blake3::Hasher::new();
    classes.iter().for_each(|class| {
        hasher.update(class.as_bytes()).update(&[0]);
    });
    for picture in pictures {
        // Content by its name, which is a hash; the rest by what is sent to the worker.
        let said = (&picture.image, &picture.split, picture.class, &picture.masks, &picture.zones, picture.aspect);
        let bytes = postcard::to_stdvec(&said).unwrap_or_default();
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(&bytes);
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

/// So many pictures take no part, in words that end before the reason.
pub(super) fn are_left_out(count: u64) -> String {
    format!("{} {} left out", counted(count, "picture"), if count == 1 { "is" } else { "are" })
}
