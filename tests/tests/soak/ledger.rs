//! The microscope: it writes captures of every kind into the source, and remembers what must come of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{ErrorKind, Write as _},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use ferrule_core::ids::ImageId;
use ferrule_tests::{Lab, files_below, text};
use ferrule_vision::augment::chance::Chance;
use serde_json::Value;

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
    gate: Arc<Mutex<()>>,
    thread: JoinHandle<Dropped>,
}

impl Microscope {
    /// So many captures a second; what a fault holds up is not made up for.
    pub fn start(lab: &Lab, seed: u64, rate: u64) -> Self {
        let apart = lab.root().join("apart");
        lab.simulate(&apart, DRAWN, "burst-v1", seed);
        let mut drawn: Vec<Vec<u8>> = files_below(&apart).iter().map(|file| fs::read(file).unwrap()).collect();
        drawn.sort();
        let (stop, gate) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(())));
        let (ended, open, captures) = (Arc::clone(&stop), Arc::clone(&gate), lab.captures());
        let thread = thread::spawn(move || {
            let mut work =
                Work { captures, drawn, dropped: Dropped::default(), chance: Chance::new(seed ^ 0xd0), number: 0 };
            let pause = Duration::from_secs_f64(1.0 / rate as f64);
            let mut next = Instant::now();
            while !ended.load(Ordering::Relaxed) {
                drop(open.lock().map(|_held| work.drop_one()));
                next = (next + pause).max(Instant::now() - pause);
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            work.dropped
        });
        Self { stop, gate, thread }
    }

    /// Whoever holds it keeps the microscope from writing.
    pub fn gate(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.gate)
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
        let (first, rest) = bytes.split_at(bytes.len() / 3);
        // From its beginning where there was no room half-way.
        again(|| {
            let mut file = fs::File::create(path)?;
            file.write_all(first)?;
            thread::sleep(Duration::from_millis(60));
            file.write_all(rest)
        });
        self.dropped.last.insert(path.to_owned(), Some(ImageId::of(bytes)));
    }
}

fn read(path: &Path) -> Vec<u8> {
    again(|| fs::read(path))
}

/// The folder may be away for a moment, or its disk full.
fn again<T>(mut act: impl FnMut() -> std::io::Result<T>) -> T {
    loop {
        match act() {
            Ok(value) => return value,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::StorageFull) => {
                thread::sleep(Duration::from_millis(20));
            }
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
    pub fn audit(&self, lab: &Lab) -> Audited {
        let mut audited = Audited::default();
        let database = lab.database();
        let mut row = database
            .prepare("SELECT state, image_id, failure_message FROM captures WHERE path = ?1 AND state <> 'replaced'")
            .unwrap();
        let mut wanted: BTreeSet<ImageId> = BTreeSet::new();
        for (path, image) in &self.last {
            let found: Option<(String, Option<String>, Option<String>)> =
                row.query_row([path.as_os_str().as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).ok();
            let Some((state, id, why)) = found else {
                audited.lose(format!("{} has no row", path.display()));
                continue;
            };
            match image {
                Some(image) => {
                    if !["done", "duplicate"].contains(&state.as_str()) {
                        audited.lose(format!("{} is {state}: {}", path.display(), why.unwrap_or_default()));
                    } else if id != Some(image.to_string()) {
                        audited.lose(format!("{} holds something else", path.display()));
                    }
                    wanted.insert(*image);
                }
                // Two halves of one picture are the same.
                None if !["failed", "duplicate"].contains(&state.as_str()) => {
                    audited.faults.push(format!("{} is {state}", path.display()))
                }
                None => {}
            }
        }
        let mut images = database.prepare("SELECT image_id FROM images").unwrap();
        let images: BTreeSet<ImageId> = images
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap()
            .map(|id| id.unwrap().parse().unwrap())
            .collect();
        for image in wanted.difference(&images) {
            audited.lose(format!("{image} has no result"));
        }
        for image in images.iter().filter(|image| !wanted.contains(image) && !self.former.contains(image)) {
            audited.faults.push(format!("a result of what was never dropped: {image}"));
        }
        // The answer for a file that was rewritten meanwhile is history, and was never that capture's result: another file
        // with its former content has its own. Any other pair is one too many.
        let doubled = "SELECT n.image_id || ': ' || group_concat(n.capture_id || ' ' || c.state || ' attempt ' || n.attempt, ', ')
             FROM inspections n JOIN captures c USING (capture_id)
             WHERE n.state = 'done' AND NOT (c.state = 'replaced' AND c.inspection_id IS NULL)
             GROUP BY n.image_id, n.pipeline_id HAVING count(*) > 1";
        let mut doubled = database.prepare(doubled).unwrap();
        for double in doubled.query_map([], |row| row.get::<_, String>(0)).unwrap() {
            audited.doubled += 1;
            audited.faults.push(format!("inspected twice: {}", double.unwrap()));
        }
        audited.accounting =
            lab.query_count("SELECT (SELECT sum(captures) FROM capture_counts) - (SELECT count(*) FROM captures)");
        audited.integrity = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        let verified = lab.run(&["verify", "--json"]);
        for line in String::from_utf8_lossy(&verified.stdout).lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {}", text(&verified)));
            match line["problem"].as_str() {
                None => continue,
                Some("missing" | "broken" | "no result") => audited.rows_without_files += 1,
                Some("orphan") => audited.files_without_rows += 1,
                Some(_) => {}
            }
            audited.faults.push(line["text"].to_string());
        }
        if audited.doubled != 0 || audited.accounting != 0 || audited.integrity != "ok" || !verified.status.success() {
            audited.faults.push("it does not add up, see the table".into());
        }
        audited
    }
}

/// What the comparison came to.
#[derive(Debug, Default)]
pub struct Audited {
    pub lost: u64,
    pub doubled: i64,
    pub rows_without_files: u64,
    pub files_without_rows: u64,
    pub integrity: String,
    pub accounting: i64,
    /// Each of them, and what else is not as it should be.
    pub faults: Vec<String>,
}

impl Audited {
    fn lose(&mut self, what: String) {
        self.lost += 1;
        self.faults.push(format!("LOST: {what}"));
    }
}
