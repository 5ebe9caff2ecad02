//! The feed: every picture decoded and cut once, in one file that the loader's threads map. In the worker.
//!
//! Its name is a hash of everything that decides its content, so that a second run finds it; a picture that cannot be
//! decoded is told and left out. Written beside and renamed: a feed that is there is whole.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use ferrule_abi as abi;
use ferrule_vision::{
    augment::chance::{Chance, seed_of},
    ellipse::Ellipse,
    feed::{HASH, HEAD, Shape},
    frame::{Beyond, Frame, Part},
    raster::fill_zones,
    relief::{MIDDLE, Outlines, Relief, Segmented, zones},
};

use super::order::{Crop, Input, Levels, Mask, Order, Picture, Task};
use crate::{
    decode::{self, Wanted},
    pipeline::zones::ellipse,
    report::Failure,
    worker::arguments::Limits,
};

/// Counted up when the same picture makes another square: feeds of another number are not used again.
pub const VERSION: u32 = 4;
/// Patches of each zone of a picture.
pub const PATCHES: usize = 4;
/// Zones that patches are taken of, in the order of their classes.
const ZONES: [abi::ZoneName; 3] = [abi::ZoneName::Core, abi::ZoneName::Cladding, abi::ZoneName::Ferrule];

/// Items that a picture fills.
#[must_use]
pub const fn items_each(task: Task) -> usize {
    match task {
        Task::Regions => PATCHES * ZONES.len(),
        Task::Classify | Task::Defects => 1,
    }
}

/// What the feed holds of a picture: class by item, `None` where there is nothing to learn from.
pub type Filled = Vec<Option<usize>>;

/// Makes the feed, or finds it; says how far it is, and what had to be left out. One entry a picture.
///
/// # Errors
/// The disk.
pub fn make(
    order: &Order,
    limits: &Limits,
    said: &(dyn Fn(usize, Option<String>) + Sync),
) -> std::io::Result<Vec<Filled>> {
    let shape = shape(order);
    let list = order.feed.with_extension("list");
    if whole(&order.feed, shape)
        && let Ok(filled) = fs::read(&list)
        && let Ok(filled) = serde_json::from_slice::<Vec<Filled>>(&filled)
    {
        return Ok(filled);
    }
    let beside = order.feed.with_extension("part");
    let mut file = File::options().read(true).write(true).create(true).truncate(true).open(&beside)?;
    file.write_all(&shape.head())?;
    file.set_len((HEAD + shape.item_bytes() * shape.items) as u64)?;
    let filled = fill(order, shape, &file, limits, said)?;
    let hash = blake3::Hasher::new().update_reader(File::open(&beside)?)?.finalize();
    file.write_all_at(hash.as_bytes(), (HEAD + shape.item_bytes() * shape.items) as u64)?;
    file.sync_all()?;
    fs::write(&list, serde_json::to_vec(&filled).unwrap_or_default())?;
    fs::rename(&beside, &order.feed)?;
    Ok(filled)
}

fn shape(order: &Order) -> Shape {
    let zones = usize::from(order.input.levels == Levels::Zones);
    let planes = if order.task == Task::Defects { 2 + zones } else { 1 };
    Shape { side: order.input.side, planes, items: order.pictures.len() * items_each(order.task) }
}

/// Whether it is what was written: head, length and hash. Reading it all is nothing beside making it again.
fn whole(path: &Path, shape: Shape) -> bool {
    let content = (HEAD + shape.item_bytes() * shape.items) as u64;
    let same = || -> std::io::Result<bool> {
        let file = File::open(path)?;
        let (mut head, mut hash) = (vec![0; HEAD], [0; HASH]);
        file.read_exact_at(&mut head, 0)?;
        file.read_exact_at(&mut hash, content)?;
        if file.metadata()?.len() != content + HASH as u64 || head != shape.head() {
            return Ok(false);
        }
        Ok(blake3::Hasher::new().update_reader(file.take(content))?.finalize() == hash)
    };
    same().unwrap_or(false)
}

fn fill(
    order: &Order,
    shape: Shape,
    file: &File,
    limits: &Limits,
    said: &(dyn Fn(usize, Option<String>) + Sync),
) -> std::io::Result<Vec<Filled>> {
    let each = items_each(order.task);
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let filled = Mutex::new(vec![vec![None; each]; order.pictures.len()]);
    let work = || -> std::io::Result<()> {
        let mut buffers = Buffers::default();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(picture) = order.pictures.get(place) else { return Ok(()) };
            let remark = match items(order, picture, limits, &mut buffers) {
                Ok(items) => {
                    for (number, (_, planes)) in items.iter().enumerate() {
                        let at = HEAD + (place * each + number) * shape.item_bytes();
                        file.write_all_at(planes, at as u64)?;
                    }
                    if let Ok(mut filled) = filled.lock() {
                        items.iter().zip(&mut filled[place]).for_each(|((class, _), to)| *to = Some(*class));
                    }
                    None
                }
                Err(reason) => Some(format!("{}: {reason}; it is left out", crate::names::display(&picture.path))),
            };
            said(done.fetch_add(1, Ordering::Relaxed) + 1, remark);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..order.threads.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(std::io::Error::other("a thread that decodes panicked")))
        })
    })?;
    Ok(filled.into_inner().unwrap_or_default())
}

/// What one thread keeps from picture to picture.
#[derive(Default)]
struct Buffers {
    bytes: Vec<u8>,
    decoded: decode::Picture,
    labels: Vec<u8>,
    relief: Relief,
}

/// A picture with its outlines.
struct Seen<'a> {
    gray: &'a [u8],
    width: usize,
    labels: &'a [u8],
    cladding: Option<Ellipse>,
    core: Option<Ellipse>,
}

impl Seen<'_> {
    /// The square as the network is to see it.
    fn square(&self, input: Input, frame: &Frame, relief: &mut Relief) -> Vec<u8> {
        match input.levels {
            Levels::Raw => frame.cut(self.gray, self.width, Beyond::Edge),
            Levels::Relief => relief.square(&self.segmented(), frame, Outlines::Damped),
            Levels::Zones => relief.square(&self.segmented(), frame, Outlines::Kept),
        }
    }

    fn segmented(&self) -> Segmented<'_> {
        let &Self { gray, width, labels, cladding, core } = self;
        Segmented { gray, width, labels, cladding, core }
    }
}

/// Class and planes of each item of a picture.
fn items(
    order: &Order,
    picture: &Picture,
    limits: &Limits,
    buffers: &mut Buffers,
) -> Result<Vec<(usize, Vec<u8>)>, Failure> {
    let Buffers { bytes, decoded, labels, relief } = buffers;
    decode::read(&picture.path, None, limits, bytes)?;
    decode::decode(bytes, Wanted::default(), limits, decoded)?;
    let (width, height) = (decoded.width as usize, decoded.height as usize);
    let outlines: Vec<(Ellipse, u8)> = picture.zones.iter().map(|zone| (ellipse(zone), zone.name as u8)).collect();
    labels.clear();
    labels.resize(width * height, abi::LABEL_NONE);
    // As segmenters label it: the ferrule fills the rest, and defects far out on it are defects. Patches of the ferrule are
    // cut within its recorded outline, for a frame's bars lie beyond.
    let found = order.task != Task::Regions && !outlines.is_empty();
    let rest = if found { abi::ZoneName::Ferrule as u8 } else { abi::LABEL_NONE };
    fill_zones(labels, width, height, rest, &outlines);
    let outline = |name| picture.zones.iter().find(|zone| zone.name == name).map(ellipse).filter(Ellipse::is_sound);
    let (cladding, core) = (outline(abi::ZoneName::Cladding), outline(abi::ZoneName::Core));
    let seen = Seen { gray: &decoded.gray8, width, labels, cladding, core };
    if order.task == Task::Regions {
        return Ok(patches(order.input, &picture.image, &seen, relief));
    }
    let part = match order.input.crop {
        Crop::Fibre => Part::Fibre { margin: order.input.margin },
        Crop::Frame | Crop::Patch => Part::Whole,
    };
    let frame = Frame::of(part, order.input.side, (width, height), picture.aspect, seen.cladding.as_ref());
    let frame = frame.ok_or_else(|| wrong("no fibre was found in it, and it is to be cropped to the fibre"))?;
    let mut planes = seen.square(order.input, &frame, relief);
    let mut class = picture.class;
    if order.task == Task::Defects {
        if order.input.levels == Levels::Zones {
            planes.extend(zones(labels, width, &frame));
        }
        let mut classes = vec![0; width * height];
        for (class, mask) in &picture.masks {
            lay(&mut classes, width, height, *class, mask, limits)?;
        }
        let cut = frame.cut_classes(&classes, width);
        class = usize::from(cut.iter().any(|class| *class != 0));
        planes.extend(cut);
    }
    Ok(vec![(class, planes)])
}

fn lay(
    classes: &mut [u8],
    width: usize,
    height: usize,
    class: u8,
    mask: &Mask,
    limits: &Limits,
) -> Result<(), Failure> {
    match mask {
        Mask::Runs(runs) => {
            for run in runs {
                let (y, x) = (run.y as usize, run.x as usize);
                let end = (x + run.length as usize).min(width);
                if y < height && x < end {
                    classes[y * width + x..y * width + end].fill(class);
                }
            }
        }
        Mask::File(path) => {
            let (mut bytes, mut decoded) = (Vec::new(), decode::Picture::default());
            decode::read(path, None, limits, &mut bytes)?;
            decode::decode(&bytes, Wanted::default(), limits, &mut decoded)?;
            if (decoded.width as usize, decoded.height as usize) != (width, height) {
                let name = crate::names::display(path);
                return Err(wrong(&format!("its mask {name} has another size")));
            }
            classes.iter_mut().zip(&decoded.gray8).filter(|(_, set)| **set != 0).for_each(|(to, _)| *to = class);
        }
    }
    Ok(())
}

/// Patches around places of each zone, the same for the same picture. Fewer where a zone is not there.
fn patches(input: Input, image: &str, seen: &Seen<'_>, relief: &mut Relief) -> Vec<(usize, Vec<u8>)> {
    // Of the whole picture, once for all its patches.
    let (levels, beyond) = match input.levels {
        Levels::Raw => (seen.gray, Beyond::Edge),
        Levels::Relief | Levels::Zones => (relief.of(&seen.segmented(), Outlines::Damped), Beyond::Level(MIDDLE)),
    };
    let seed = image.bytes().fold(0, |seed, byte| seed_of(&[seed, byte.into()]));
    let mut chance = Chance::new(seed);
    let mut found = Vec::new();
    for (class, zone) in ZONES.iter().enumerate() {
        let places: Vec<usize> =
            seen.labels.iter().enumerate().filter(|(_, label)| **label == *zone as u8).map(|(at, _)| at).collect();
        if places.is_empty() {
            continue;
        }
        for _ in 0..PATCHES {
            let at = places[chance.below(places.len())];
            let frame = Frame::patch((at % seen.width) as f64, (at / seen.width) as f64, input.side);
            found.push((class, frame.cut(levels, seen.width, beyond)));
        }
    }
    found
}

fn wrong(message: &str) -> Failure {
    Failure { stage: "train".into(), plugin: None, message: message.into(), transient: false }
}

/// A sample as the network sees it, out of a feed's file: (gray levels row by row, pixels a side). `None` where the file is
/// no feed, is still being made, or has no such item.
pub fn plane(path: &Path, item: usize) -> Option<(Vec<u8>, usize)> {
    let file = File::open(path).ok()?;
    let mut head = [0; HEAD];
    file.read_exact_at(&mut head, 0).ok()?;
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
    let shape = Shape { side: number(20), planes: number(24), items: number(28) };
    if head != shape.head() || item >= shape.items {
        return None;
    }
    let mut pixels = vec![0; shape.side * shape.side];
    file.read_exact_at(&mut pixels, (HEAD + item * shape.item_bytes()) as u64).ok()?;
    Some((pixels, shape.side))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use ferrule_vision::{
        feed::{Feed, Item},
        relief::ZONES,
    };

    use super::*;

    const LIMITS: Limits = Limits { memory_mb: 1024, max_megapixels: 10.0, max_file_mb: 10 };

    fn picture(folder: &Path, name: &str, gray: u8) -> Picture {
        let path = folder.join(format!("{name}.png"));
        image::GrayImage::from_pixel(60, 40, image::Luma([gray])).save(&path).unwrap();
        let outline = |radius| abi::Ellipse { cx: 30.0, cy: 20.0, ax: radius, by: radius, angle_deg: 0.0 };
        let zone = |name, radius| abi::Zone { name, outline: outline(radius), confidence: 1.0 };
        Picture {
            image: name.into(),
            path,
            split: "train".into(),
            class: 1,
            masks: vec![(2, Mask::Runs((0..8).map(|y| abi::Run { y: 10 + y, x: 12, length: 9 }).collect()))],
            zones: vec![
                zone(abi::ZoneName::Core, 3.0),
                zone(abi::ZoneName::Cladding, 12.0),
                zone(abi::ZoneName::Ferrule, 19.0),
            ],
            aspect: None,
        }
    }

    fn order(folder: &Path, task: Task, pictures: Vec<Picture>) -> Order {
        let crop = if task == Task::Regions { Crop::Patch } else { Crop::Frame };
        Order {
            plugin: "train-torch".parse().unwrap(),
            library: "x".into(),
            parameters: Vec::new(),
            task,
            input: Input { side: 16, crop, margin: 1.5, levels: Levels::Raw },
            classes: vec!["a".into(), "b".into(), "c".into()],
            pictures,
            folder: folder.into(),
            feed: folder.join("x.feed"),
            resume: None,
            weights: None,
            threads: 2,
        }
    }

    #[test]
    fn zones_lie_between_a_picture_and_its_mask_where_they_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        let mut order = order(folder.path(), Task::Defects, vec![picture(folder.path(), "a", 80)]);
        order.input.levels = Levels::Zones;
        make(&order, &LIMITS, &|_, _| {}).unwrap();
        let bytes = fs::read(&order.feed).unwrap();
        let Item { picture, zones, classes } = Feed::checked(&bytes).unwrap().item(0);
        let (zones, classes) = (zones.unwrap(), classes.unwrap());
        // The fibre's middle, whose core is smaller than a pixel of the square, and a corner far from it.
        assert!(zones[8 * 16 + 8] > ZONES[1], "{}", zones[8 * 16 + 8]);
        assert_eq!((picture.len(), zones[0]), (256, ZONES[2]));
        assert!(classes.contains(&2) && classes.iter().all(|class| [0, 2].contains(class)));
    }

    #[test]
    fn pictures_and_their_masks_lie_in_the_feed_and_a_second_run_finds_them() {
        let folder = tempfile::tempdir().unwrap();
        let order =
            order(folder.path(), Task::Defects, vec![picture(folder.path(), "a", 80), picture(folder.path(), "b", 90)]);
        let filled = make(&order, &LIMITS, &|_, _| {}).unwrap();
        assert_eq!(filled, [[Some(1)], [Some(1)]]);
        let bytes = fs::read(&order.feed).unwrap();
        let feed = Feed::checked(&bytes).unwrap();
        let Item { picture: pixels, classes, .. } = feed.item(1);
        assert!(pixels.iter().all(|gray| *gray == 90));
        assert!(classes.unwrap().contains(&2));
        assert_eq!(plane(&order.feed, 1), Some((pixels.to_vec(), 16)));

        order.pictures.iter().for_each(|picture| fs::remove_file(&picture.path).unwrap());
        assert_eq!(make(&order, &LIMITS, &|_, _| panic!("decoded again")).unwrap(), filled);
    }

    #[test]
    fn a_relief_shows_what_lies_on_the_ferrule_beyond_its_recorded_outline_as_it_does_when_judging() {
        let folder = tempfile::tempdir().unwrap();
        let mut picture = picture(folder.path(), "far", 80);
        let mut chance = Chance::new(5);
        let gray = |x: u32, y: u32, chance: &mut Chance| {
            let spot = (200..206).contains(&x) && (80..86).contains(&y);
            image::Luma([(if spot { 60.0 } else { 120.0 } + 6.0 * chance.unit()) as u8])
        };
        image::GrayImage::from_fn(240, 180, |x, y| gray(x, y, &mut chance)).save(&picture.path).unwrap();
        for (zone, radius) in picture.zones.iter_mut().zip([10.0, 30.0, 60.0]) {
            zone.outline = abi::Ellipse { cx: 120.0, cy: 90.0, ax: radius, by: radius, angle_deg: 0.0 };
        }
        let input = Input { side: 240, crop: Crop::Frame, margin: 1.5, levels: Levels::Relief };
        let order = Order { input, ..order(folder.path(), Task::Classify, vec![picture]) };
        make(&order, &LIMITS, &|_, _| {}).unwrap();
        let (levels, side) = plane(&order.feed, 0).unwrap();
        // The square is 240 high; the picture lies in its middle.
        let spot: Vec<u8> = (111..115).flat_map(|y| levels[y * side + 201..y * side + 205].to_vec()).collect();
        assert!(spot.iter().all(|level| *level < 64), "{spot:?}");
    }

    #[test]
    fn a_picture_that_is_none_is_told_and_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let good = picture(folder.path(), "good", 80);
        let mut bad = picture(folder.path(), "bad", 80);
        fs::write(&bad.path, "no picture").unwrap();
        bad.class = 0;
        let order = order(folder.path(), Task::Classify, vec![bad, good]);
        let remarks = Mutex::new(RefCell::new(Vec::new()));
        let filled = make(&order, &LIMITS, &|_, remark| remarks.lock().unwrap().borrow_mut().extend(remark)).unwrap();
        assert_eq!(filled, [[None], [Some(1)]]);
        let remarks = remarks.into_inner().unwrap().into_inner();
        assert!(remarks.len() == 1 && remarks[0].contains("bad.png") && remarks[0].contains("left out"), "{remarks:?}");
    }

    #[test]
    fn patches_are_of_the_zone_that_their_class_names() {
        let folder = tempfile::tempdir().unwrap();
        let order = order(folder.path(), Task::Regions, vec![picture(folder.path(), "a", 80)]);
        let filled = make(&order, &LIMITS, &|_, _| {}).unwrap();
        let classes: Vec<usize> = filled[0].iter().flatten().copied().collect();
        assert_eq!(classes, [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
    }
}
