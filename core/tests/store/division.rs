//! Sides of the split: decided beside the writer, which holds nobody up for it.

use std::{collections::BTreeMap, fs, io::Read, path::Path};

use ferrule_core::{
    dataset::fingerprint::Fingerprint,
    ids::ImageId,
    settings::{Fractions, Split},
    store::{Divided, Receipt, Write},
};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::desk::Desk;

fn settings() -> Split {
    Split { fractions: Fractions { train: 0.6, val: 0.2 }, seed: 7, group_by: None }
}

fn split() -> Write {
    Write::Split(Box::new(settings()))
}

/// Ten images, the last of which was taken twice.
fn filled() -> (Desk, Vec<ImageId>) {
    let desk = Desk::open();
    let images = (0..10).map(|n| inspected(&desk, n, n)).collect();
    (desk, images)
}

/// An image that looks like every other of the same `look`.
fn inspected(desk: &Desk, n: u8, look: u8) -> ImageId {
    let admitted = desk.start(&format!("{n}.png"), &[n]);
    let mut finish = desk.answer(&admitted);
    finish.fingerprint = Some(fingerprint(look));
    desk.finish(finish);
    admitted.image.unwrap()
}

/// Lines of the look's own direction over the grid.
fn fingerprint(look: u8) -> Fingerprint {
    let angle = f64::from(look) * 0.31;
    let (sin, cos) = angle.sin_cos();
    let cell = |i: usize| (((i % 48) as f64 * cos + (i / 48) as f64 * sin) * 0.9).sin() * 60.0;
    let grid: Vec<i8> = (0..48 * 48).map(|i| cell(i) as i8).collect();
    let hash: [[u8; 32]; 1] = [*blake3::hash(&[look]).as_bytes()];
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(hash[0].as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    Fingerprint { hash: words, grid }
}

fn divided(receipt: Receipt) -> Divided {
    match receipt {
        Receipt::Divided(divided) => *divided.unwrap(),
        other => panic!("not divided: {other:?}"),
    }
}

fn sides(desk: &Desk) -> BTreeMap<String, String> {
    let sql = desk.sql();
    let mut select = sql.prepare("SELECT image_id, split FROM images WHERE split IS NOT NULL").unwrap();
    select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
}

/// What the three manifests say.
fn manifests(desk: &Desk) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    for side in ["train", "val", "test"] {
        let text = fs::read_to_string(desk.paths().splits().join(format!("{side}.csv"))).unwrap();
        said.extend(text.lines().skip(1).map(|line| (line.split(',').next().unwrap().to_owned(), side.to_owned())));
    }
    said
}

#[test]
fn every_image_is_given_a_side_that_it_keeps_and_the_manifests_say_so() {
    let (desk, _) = filled();
    let first = divided(desk.ask(split()));
    assert_eq!((first.given, first.counts, first.without, first.manifests), (10, [6, 2, 2], 0, Ok(())));
    let given = sides(&desk);
    assert_eq!(manifests(&desk), given);
    inspected(&desk, 10, 10);
    let second = divided(desk.ask(split()));
    assert_eq!(second.given, 1);
    assert!(given.iter().all(|(image, side)| sides(&desk)[image] == *side), "nobody moves");
    assert_eq!(manifests(&desk), sides(&desk));
    assert_eq!(divided(desk.ask(split())).given, 0);
    assert_eq!(desk.reader().split_settings().unwrap(), Some(settings()));
    desk.assert_sound();
}

#[test]
fn one_exposure_joins_the_first_of_it_and_is_compared_once() {
    let (desk, images) = filled();
    divided(desk.ask(split()));
    let again = inspected(&desk, 10, 3);
    let third = inspected(&desk, 11, 3);
    let report = divided(desk.ask(split()));
    assert_eq!((report.given, report.groups), (2, 1));
    for image in [again, third] {
        assert_eq!(desk.reader().near(image).unwrap(), Some((images[3], 0.0)), "never to another that joined");
        assert_eq!(sides(&desk)[&image.to_string()], sides(&desk)[&images[3].to_string()]);
    }
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM images WHERE near_sought = 0"), 0);
    assert!(!desk.reader().has_open_images().unwrap());
}

/// A pipe that nobody reads, where a manifest is written: whoever opens it waits.
fn block_manifests(desk: &Desk) -> std::path::PathBuf {
    let pipe = desk.paths().splits().join("train.csv.part");
    fs::create_dir_all(desk.paths().splits()).unwrap();
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    pipe
}

fn drain(pipe: &Path) {
    let mut text = String::new();
    fs::File::open(pipe).unwrap().read_to_string(&mut text).unwrap();
    assert!(text.starts_with("image_id,filename,has_defect"), "{text}");
}

#[test]
fn results_are_stored_while_a_division_takes_its_time() {
    let (desk, _) = filled();
    let pipe = block_manifests(&desk);
    desk.submit(split());
    // Both are stored and told of although the manifests wait, and will wait for as long as nobody reads.
    inspected(&desk, 20, 20);
    assert_eq!(desk.ask(Write::Mark(1)), Receipt::Mark(1));
    drain(&pipe);
    let report = divided(desk.receipt());
    assert!(report.manifests.is_err_and(|reason| reason.contains("train.csv")), "a pipe is no file");
    assert!(report.given >= 10);
    // Somebody mends it.
    fs::remove_file(&pipe).unwrap();
    assert_eq!(divided(desk.ask(split())).manifests, Ok(()));
    assert_eq!(manifests(&desk), sides(&desk));
    assert_eq!(sides(&desk).len(), 11);
}

#[test]
fn manifests_follow_labels_without_a_division() {
    let (desk, _) = filled();
    divided(desk.ask(split()));
    desk.sql().execute("UPDATE images SET has_defect = 0", []).unwrap();
    assert_eq!(desk.ask(Write::Manifests), Receipt::Manifests(Ok(())));
    let train = fs::read_to_string(desk.paths().splits().join("train.csv")).unwrap();
    assert_eq!(train.matches(",0\r\n").count(), 6, "{train}");
}

#[test]
fn a_store_that_is_closed_in_a_division_goes_on_at_the_next() {
    let (mut desk, _) = filled();
    for _ in 0..20 {
        desk.submit(split());
        desk.reopen();
        desk.assert_sound();
    }
    divided(desk.ask(split()));
    assert_eq!(sides(&desk).len(), 10);
    assert_eq!(manifests(&desk), sides(&desk));
}
