//! The microscope: it writes captures of every kind into the source, and remembers what must come of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{ErrorKind, Write as _},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use ferrule_core::ids::ImageId;
use ferrule_tests::{Lab, files_below, text};
use ferrule_vision::augment::chance::Chance;

/// Captures a second.
pub const RATE: u32 = 12;
/// Pictures that are drawn; each capture is one of them with bytes of its own behind the picture's end.
const DRAWN: u64 = 40;

/// What was dropped.
#[derive(Debug, Default)]
pub struct Dropped {
    /// What each file holds at the end; `None` for what is no picture.
    last: BTreeMap<PathBuf, Option<ImageId>>,
    /// Contents that were rewritten: they may have been seen or not.
    former: BTreeSet<ImageId>,
}

/// A thread that drops captures.
pub struct Microscope {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Dropped>,
}

impl Microscope {
    pub fn start(lab: &Lab, seed: u64) -> Self {
        let apart = lab.root().join("apart");
        lab.simulate(&apart, DRAWN, "burst-v1", seed);
        let mut drawn: Vec<Vec<u8>> = files_below(&apart).iter().map(|file| fs::read(file).unwrap()).collect();
        drawn.sort();
        let stop = Arc::new(AtomicBool::new(false));
        let (ended, captures) = (Arc::clone(&stop), lab.captures());
        let thread = thread::spawn(move || {
            let mut work =
                Work { captures, drawn, dropped: Dropped::default(), chance: Chance::new(seed ^ 0xd0), number: 0 };
            while !ended.load(Ordering::Relaxed) {
                work.drop_one();
                thread::sleep(Duration::from_secs(1) / RATE);
            }
            work.dropped
        });
        Self { stop, thread }
    }

    pub fn stop(self) -> Dropped {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

struct Work {
    captures: PathBuf,
    drawn: Vec<Vec<u8>>,
    dropped: Dropped,
    chance: Chance,
    number: usize,
}

impl Work {
    fn drop_one(&mut self) {
        self.number += 1;
        let name = format!("{:06}.png", self.number);
        let kind = self.chance.below(100);
        match kind {
            0..5 => {
                let text = format!("no picture, number {}", self.number).into_bytes();
                self.renamed(&name, &text, None);
            }
            5..9 => {
                let mut cut = self.picture();
                cut.truncate(cut.len() / 2);
                self.renamed(&name, &cut, None);
            }
            9..13 => {
                if let Some((path, Some(_))) = self.some_file() {
                    let bytes = read(&path);
                    self.renamed(&name, &bytes, Some(ImageId::of(&bytes)));
                }
            }
            13..17 => {
                if let Some((path, Some(former))) = self.some_file() {
                    let bytes = self.picture();
                    self.dropped.former.insert(former);
                    self.written(&path, &bytes);
                }
            }
            17..25 => {
                let bytes = self.picture();
                self.written(&self.captures.join(name), &bytes);
            }
            _ => {
                let bytes = self.picture();
                self.renamed(&name, &bytes, Some(ImageId::of(&bytes)));
            }
        }
    }

    /// A picture that nobody has seen.
    fn picture(&mut self) -> Vec<u8> {
        let mut bytes = self.drawn[self.chance.below(self.drawn.len())].clone();
        bytes.extend(format!("\n{}", self.number).bytes());
        bytes
    }

    fn some_file(&mut self) -> Option<(PathBuf, Option<ImageId>)> {
        let count = self.dropped.last.len();
        let place = if count == 0 { return None } else { self.chance.below(count) };
        self.dropped.last.iter().nth(place).map(|(path, image)| (path.clone(), *image))
    }

    /// Under another name first.
    fn renamed(&mut self, name: &str, bytes: &[u8], image: Option<ImageId>) {
        let (part, path) = (self.captures.join(format!("{name}.part")), self.captures.join(name));
        again(|| fs::write(&part, bytes));
        again(|| fs::rename(&part, &path));
        self.dropped.last.insert(path, image);
    }

    /// In place, piece by piece, as microscopes do.
    fn written(&mut self, path: &Path, bytes: &[u8]) {
        let mut file = again(|| fs::File::create(path));
        let (first, rest) = bytes.split_at(bytes.len() / 3);
        file.write_all(first).unwrap();
        thread::sleep(Duration::from_millis(60));
        file.write_all(rest).unwrap();
        self.dropped.last.insert(path.to_owned(), Some(ImageId::of(bytes)));
    }
}

fn read(path: &Path) -> Vec<u8> {
    again(|| fs::read(path))
}

/// The folder may be away for a moment.
fn again<T>(mut act: impl FnMut() -> std::io::Result<T>) -> T {
    loop {
        match act() {
            Ok(value) => return value,
            Err(error) if error.kind() == ErrorKind::NotFound => thread::sleep(Duration::from_millis(20)),
            Err(error) => panic!("the microscope: {error}"),
        }
    }
}

impl Dropped {
    pub fn files(&self) -> u64 {
        self.last.len() as u64
    }

    pub fn summary(&self) -> String {
        let pictures = self.last.values().flatten().count();
        format!("{} files, {pictures} pictures, {} rewritten, each accounted for", self.last.len(), self.former.len())
    }

    /// Every file against its row, every row against the files.
    pub fn audit(&self, lab: &Lab) {
        let database = lab.database();
        let mut row =
            database.prepare("SELECT state, image_id FROM captures WHERE path = ?1 AND state <> 'replaced'").unwrap();
        let mut wanted: BTreeSet<ImageId> = BTreeSet::new();
        for (path, image) in &self.last {
            let found: Option<(String, Option<String>)> =
                row.query_row([path.as_os_str().as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).ok();
            let Some((state, id)) = found else { panic!("LOST: {} has no row", path.display()) };
            match image {
                Some(image) => {
                    assert!(["done", "duplicate"].contains(&state.as_str()), "{} is {state}", path.display());
                    assert_eq!(id, Some(image.to_string()), "{} holds something else", path.display());
                    wanted.insert(*image);
                }
                None => assert_eq!(state, "failed", "{}", path.display()),
            }
        }
        let mut images = database.prepare("SELECT image_id FROM images").unwrap();
        let images: BTreeSet<ImageId> = images
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap()
            .map(|id| id.unwrap().parse().unwrap())
            .collect();
        assert!(wanted.is_subset(&images), "LOST: {} results", wanted.difference(&images).count());
        let strange: Vec<&ImageId> =
            images.iter().filter(|image| !wanted.contains(image) && !self.former.contains(image)).collect();
        assert!(strange.is_empty(), "results of what was never dropped: {strange:?}");
        let doubled = "SELECT count(*) FROM (SELECT 1 FROM inspections WHERE state = 'done'
                       GROUP BY image_id, pipeline_id HAVING count(*) > 1)";
        assert_eq!(lab.query_count(doubled), 0, "DOUBLED");
        let counted = "SELECT (SELECT sum(captures) FROM capture_counts) - (SELECT count(*) FROM captures)";
        assert_eq!(lab.query_count(counted), 0, "the accounting is exact");
        let verified = lab.run(&["verify"]);
        assert!(verified.status.success(), "{}", text(&verified));
        lab.audit();
    }
}
