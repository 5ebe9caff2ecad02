//! Augmented pictures beside the dataset: each made of one image and a seed, on its parent's side of the split, with masks,
//! boxes and outlines that follow. Never in the database, which holds what was captured.
//!
//! `augmented/images/<image_id>-a<k>.png` (8-bit gray), `augmented/masks/<image_id>-a<k>_<zone>_mask.png`,
//! `augmented/manifest.csv` with the parent and what was done, `augmented/coco/annotations_<split>.json`. What is drawn
//! depends on the seed, the image's id and k alone, so that a new image changes nothing of the others.

use std::{collections::HashSet, io::Write, path::Path};

use ferrule_vision::{
    augment::{
        Reach,
        chance::{Chance, seed_of},
        light::{Buffers, Light},
        turn::Turn,
    },
    ellipse::Ellipse,
};

use super::{
    Export, ExportError, Progress, Written, coco,
    csv::harmless,
    masks::zone_mask,
    picture,
    whole::{trouble, whole},
};
use crate::{
    decode::Picture,
    ids::ImageId,
    pipeline::artefacts,
    report::{Defect, Outline, ZoneName},
    store::Exhibit,
};

/// How many of each image, and from which seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Augment {
    pub count: u32,
    pub seed: u64,
}

/// Turned so far either way at most, in degrees; further, corners would be made of edges.
const TURN: f64 = 15.0;

/// How far light may go.
const REACH: Reach = Reach { brightness: 0.08, contrast: 0.2, gamma: 0.1, blur_px: 1.2, noise: 4.0, ..Reach::NONE };

/// What is done to a picture, all of it from one number.
#[derive(Debug, Clone)]
struct Recipe {
    seed: u64,
    degrees: f64,
    mirror_x: bool,
    mirror_y: bool,
    light: Light,
    /// The rest of what is drawn: noise.
    chance: Chance,
}

impl Recipe {
    fn of(augment: Augment, image: ImageId, number: u32) -> Self {
        let seed = seed_of(&[augment.seed, image.number(), u64::from(number)]);
        let mut chance = Chance::new(seed);
        let degrees = chance.within(TURN);
        let (mirror_x, mirror_y) = (chance.unit() < 0.5, chance.unit() < 0.5);
        let light = Light::draw(&REACH, &mut chance);
        Self { seed, degrees, mirror_x, mirror_y, light, chance }
    }

    /// About the fibre, as round as it is; without one, about the picture's middle.
    fn turn(&self, exhibit: &Exhibit) -> Turn {
        let (width, height) = (f64::from(exhibit.inspection.width), f64::from(exhibit.inspection.height));
        let middle = Ellipse::circle((width - 1.0) / 2.0, (height - 1.0) / 2.0, width.min(height) / 2.0);
        let of = |frame: &Ellipse| Turn::new(frame, self.degrees, self.mirror_x, self.mirror_y);
        let cladding = exhibit.inspection.zones.cladding.as_ref().map(Ellipse::from);
        cladding.as_ref().and_then(of).or_else(|| of(&middle)).unwrap_or_else(Turn::none)
    }
}

/// Writes `count` pictures of every image of the parts, with all that belongs to them.
///
/// # Errors
/// See [`ExportError`]. An image whose picture cannot be read is left out and listed.
pub fn augmented(export: &Export<'_>, augment: Augment, progress: &mut Progress<'_>) -> Result<Written, ExportError> {
    let mut written = export.begun()?;
    let path = export.out.join("manifest.csv");
    let broken = trouble(&path);
    let file = whole(&path, |manifest| {
        manifest.write_all(HEAD.as_bytes()).map_err(&broken)?;
        for (_, part) in export.pictured() {
            export.reader.each_exhibit(part, |exhibit| {
                let picture = match picture::gray(export, &exhibit) {
                    Ok(picture) => picture,
                    Err(reason) => {
                        written.skipped.push((exhibit.image, reason));
                        return Ok(());
                    }
                };
                for number in 1..=augment.count {
                    let recipe = Recipe::of(augment, exhibit.image, number);
                    manifest.write_all(line(&exhibit, number, &recipe).as_bytes()).map_err(&broken)?;
                    make(export, &exhibit, &picture, number, recipe)?;
                    written.items += 1;
                    progress(written.items)?;
                }
                Ok::<_, ExportError>(())
            })?;
        }
        Ok(())
    })?;
    let skipped: HashSet<ImageId> = written.skipped.iter().map(|(image, _)| *image).collect();
    for (name, part) in export.pictured() {
        let path = export.out.join("coco").join(format!("annotations_{name}.json"));
        let file = coco::annotations(&path, name, &mut |each| {
            export.reader.each_exhibit(part, |exhibit| {
                let left_out = skipped.contains(&exhibit.image);
                for number in (1..=augment.count).filter(|_| !left_out) {
                    let turn = Recipe::of(augment, exhibit.image, number).turn(&exhibit);
                    each(&changed(&exhibit, number, &turn))?;
                }
                Ok(())
            })
        })?;
        written.files.push(file);
    }
    written.files.push(file);
    Ok(written)
}

const HEAD: &str = "filename,image_id,parent,split,has_defect,degrees,mirror_x,mirror_y,seed\r\n";

fn filename(image: ImageId, number: u32) -> String {
    format!("{image}-a{number}.png")
}

fn line(exhibit: &Exhibit, number: u32, recipe: &Recipe) -> String {
    let label = exhibit.has_defect.map_or("", |defect| if defect { "1" } else { "0" });
    format!(
        "{},{},\"{}\",{},{label},{:?},{},{},{}\r\n",
        filename(exhibit.image, number),
        exhibit.image,
        harmless(&exhibit.filename).replace('"', "\"\""),
        exhibit.split.as_deref().unwrap_or(""),
        recipe.degrees,
        u8::from(recipe.mirror_x),
        u8::from(recipe.mirror_y),
        recipe.seed
    )
}

/// Writes the picture and its masks.
fn make(
    export: &Export<'_>,
    exhibit: &Exhibit,
    picture: &Picture,
    number: u32,
    mut recipe: Recipe,
) -> Result<(), ExportError> {
    let (width, height) = (picture.width as usize, picture.height as usize);
    let turn = recipe.turn(exhibit);
    let mut gray = turn.gray(&picture.gray8, width, height);
    recipe.light.shine(&mut gray, width, &mut recipe.chance, &mut Buffers::default());
    put(&export.out.join("images").join(filename(exhibit.image, number)), &gray, picture.width, picture.height)?;
    for zone in [ZoneName::Core, ZoneName::Cladding, ZoneName::Ferrule] {
        if let Some(mask) = zone_mask(export, exhibit, zone) {
            let path = export.out.join("masks").join(format!("{}-a{number}_{zone}_mask.png", exhibit.image));
            put(&path, &turn.mask(&mask, width, height), picture.width, picture.height)?;
        }
    }
    Ok(())
}

/// The image as it is now.
fn changed(exhibit: &Exhibit, number: u32, turn: &Turn) -> Exhibit {
    let mut made = Exhibit { filename: filename(exhibit.image, number), ..exhibit.clone() };
    for outline in [&mut made.inspection.zones.core, &mut made.inspection.zones.cladding].into_iter().flatten() {
        let Ellipse { cx, cy, ax, by, angle_deg } = turn.outline(&Ellipse::from(&*outline));
        *outline = Outline { cx, cy, ax, by, angle_deg, confidence: outline.confidence };
    }
    let (width, height) = (made.inspection.width as usize, made.inspection.height as usize);
    let follow = |defect: Defect| followed(defect, turn, width, height);
    made.inspection.defects = std::mem::take(&mut made.inspection.defects).into_iter().filter_map(follow).collect();
    made
}

fn put(path: &Path, gray: &[u8], width: u32, height: u32) -> Result<(), ExportError> {
    whole(path, |file| artefacts::write_png(file, gray, width, height).map_err(trouble(path))).map(drop)
}

/// The defect where it is now; `None` for one that was turned out of the picture.
fn followed(mut defect: Defect, turn: &Turn, width: usize, height: usize) -> Option<Defect> {
    let [x, y, w, h] = defect.bbox.map(f64::from);
    let corners =
        [(x - 1.0, y - 1.0), (x + w, y - 1.0), (x - 1.0, y + h), (x + w, y + h)].map(|(x, y)| turn.target(x, y));
    let range = |of: &dyn Fn(&(f64, f64)) -> f64, edge: usize| {
        let (low, high) = corners.iter().map(of).fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(v), b.max(v)));
        (low.floor().clamp(0.0, edge as f64) as usize, (high.ceil() + 1.0).clamp(0.0, edge as f64) as usize)
    };
    let ((left, right), (top, bottom)) = (range(&|at| at.0, width), range(&|at| at.1, height));
    let holds = |x: f64, y: f64| {
        let (x, y) = ((x + 0.5).floor(), (y + 0.5).floor());
        let run = |[row, start, length]: &[u32; 3]| {
            f64::from(*row) == y && x >= f64::from(*start) && x < f64::from(start + length)
        };
        defect.mask.iter().any(run)
    };
    let mut mask: Vec<[u32; 3]> = Vec::new();
    for y in top..bottom {
        for x in left..right {
            let (sx, sy) = turn.source(x as f64, y as f64);
            if holds(sx, sy) {
                match mask.last_mut() {
                    Some([row, start, length]) if *row as usize == y && (*start + *length) as usize == x => {
                        *length += 1
                    }
                    _ => mask.push([y as u32, x as u32, 1]),
                }
            }
        }
    }
    let (first, last) = (mask.first()?[0], mask.last()?[0]);
    let low = mask.iter().map(|run| run[1]).min()?;
    let high = mask.iter().map(|run| run[1] + run[2]).max()?;
    defect.bbox = [low, first, high - low, last - first + 1];
    defect.area_px = mask.iter().map(|run| run[2]).sum();
    (defect.x, defect.y) = turn.target(defect.x, defect.y);
    defect.mask = mask;
    Some(defect)
}
