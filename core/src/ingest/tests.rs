//! Ingest on real directories: every way in which files arrive, each version told once, none early.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs::{self, File},
    io::Write,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::*;

/// Longer than any healthy wait: only a hang takes so long.
const HANG: Duration = Duration::from_secs(60);

/// A microscope's directory and who watches it.
struct Bench {
    _folder: tempfile::TempDir,
    captures: PathBuf,
    facts: Receiver<Fact>,
    ingest: Ingest,
    seen: Vec<SeenFile>,
    ignored: Vec<IgnoredFile>,
    told: Vec<Fact>,
}

#[derive(Clone, Copy)]
struct How {
    poll: bool,
    reconcile: Duration,
    settle: Duration,
    temporary: Duration,
}

/// Listings are so rare that only notices can be in time.
const BY_NOTICE: How = How {
    poll: false,
    reconcile: Duration::from_secs(3600),
    settle: Duration::from_millis(40),
    temporary: Duration::from_millis(40),
};
const BY_LISTING: How = How { poll: true, reconcile: Duration::from_millis(20), ..BY_NOTICE };
const BOTH: How = How { reconcile: Duration::from_millis(100), ..BY_NOTICE };

impl Bench {
    fn new(how: How) -> Self {
        Self::prepared(how, |_| {})
    }

    /// `prepare` fills the directory before the watch begins.
    fn prepared(how: How, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let captures = folder.path().join("captures");
        fs::create_dir(&captures).unwrap();
        prepare(&captures);
        let known = KnownFiles::default();
        let (facts, ingest) = watch(&captures, how, known);
        let bench = Self { _folder: folder, captures, facts, ingest, seen: vec![], ignored: vec![], told: vec![] };
        bench.settle_in(how)
    }

    /// Waits until the directory is watched, so that a notice is what finds the test's files.
    fn settle_in(mut self, how: How) -> Self {
        if !how.poll {
            let canary = self.captures.join("canary.png");
            let began = Instant::now();
            while self.seen.is_empty() {
                assert!(began.elapsed() < HANG, "the watch did not begin");
                fs::write(&canary, b"canary").unwrap();
                self.take(Duration::from_millis(50));
            }
            fs::remove_file(canary).unwrap();
            self.seen.retain(|file| !is_canary(file));
        }
        self
    }

    /// Takes one fact, if one comes in time.
    fn take(&mut self, wait: Duration) -> bool {
        match self.facts.recv_timeout(wait) {
            Ok(Fact::Complete(files)) => self.seen.extend(files),
            Ok(Fact::Ignored(files)) => self.ignored.extend(files),
            Ok(other) => self.told.push(other),
            Err(RecvTimeoutError::Timeout) => return false,
            Err(RecvTimeoutError::Disconnected) => panic!("ingest ended"),
        }
        true
    }

    fn until(&mut self, what: &str, mut is_done: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !is_done(self) {
            assert!(began.elapsed() < HANG, "{what}: {} seen, {:?}", self.seen.len(), self.told);
            self.take(Duration::from_millis(200));
        }
    }

    fn until_seen(&mut self, count: usize) {
        self.until("captures", |bench| bench.seen.iter().filter(|file| !is_canary(file)).count() >= count);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.captures.join(name)
    }

    /// After everything came to rest: no file twice, each as it lies in the directory.
    fn assert_each_once(mut self, expected: usize) {
        while self.take(Duration::from_millis(300)) {}
        self.ingest.stop();
        let seen: Vec<_> = self.seen.iter().filter(|file| !is_canary(file)).collect();
        let versions: BTreeSet<_> =
            seen.iter().map(|file| (&file.path, file.key.inode, file.key.size, file.key.mtime_ns)).collect();
        assert_eq!((seen.len(), versions.len()), (expected, expected));
    }
}

fn is_canary(file: &SeenFile) -> bool {
    file.path.ends_with("canary.png")
}

fn watch(captures: &Path, how: How, known: KnownFiles) -> (Receiver<Fact>, Ingest) {
    let source = Source {
        name: "bench".into(),
        path: captures.to_owned(),
        recursive: true,
        fibre: None,
        core_um: None,
        cladding_um: None,
        pixel_aspect: None,
        um_per_px: None,
        poll: how.poll,
        name_pattern: None,
    };
    let settings = Capture {
        extensions: vec!["png".into(), "jpg".into()],
        settle_ms: how.settle.as_millis() as u64,
        reconcile_ms: how.reconcile.as_millis() as u64,
        decode_retries: 0,
    };
    let tempo = Tempo {
        settle: how.settle,
        temporary: how.temporary,
        held_open: HANG * 10,
        old: Duration::from_secs(600),
        recent: Duration::from_secs(120),
    };
    let (sender, facts) = bounded(16);
    let ingest = Ingest::start_with(vec![WatchedSource { source, known }], &settings, tempo, &sender).unwrap();
    (facts, ingest)
}

#[test]
fn a_slow_writer_is_waited_for_and_told_once() {
    for how in [BY_NOTICE, BOTH] {
        let mut bench = Bench::new(how);
        let mut file = File::create(bench.path("slow.png")).unwrap();
        for _ in 0..10 {
            file.write_all(b"a piece").unwrap();
            // The pauses are longer than the settle time: only the open writer says that more will come.
            bench.take(how.settle * 2);
        }
        // Without leases the size at the time would tell; it must never be an early one.
        drop(file);
        bench.until("the whole file", |bench| bench.seen.iter().any(|file| file.key.size == 70));
        if writers_are_visible() {
            bench.assert_each_once(1);
        }
    }
}

fn writers_are_visible() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("probe");
    let _writer = File::create(&path).unwrap();
    writers::has_writer(&path) == Some(true)
}

#[test]
fn a_file_renamed_into_place_is_complete_at_once() {
    let mut bench = Bench::new(How { settle: HANG * 2, ..BY_NOTICE });
    fs::write(bench.path(".a.png.Xk3f9Q"), b"picture").unwrap();
    fs::rename(bench.path(".a.png.Xk3f9Q"), bench.path("a.png")).unwrap();
    bench.until_seen(1);
    assert_eq!(bench.seen.last().unwrap().path, bench.path("a.png"));
    assert!(bench.ignored.is_empty(), "{:?}", bench.ignored);
    bench.assert_each_once(1);
}

#[test]
fn a_file_linked_into_place_is_found() {
    let mut bench = Bench::new(BY_NOTICE);
    let outside = bench.captures.with_file_name("outside.png");
    fs::write(&outside, b"picture").unwrap();
    fs::hard_link(&outside, bench.path("a.png")).unwrap();
    bench.until_seen(1);
    bench.assert_each_once(1);
}

#[test]
fn a_burst_of_5000_is_told_whole_and_once() {
    for how in [BOTH, BY_LISTING] {
        let mut bench = Bench::new(how);
        let captures = bench.captures.clone();
        let writer = std::thread::spawn(move || {
            for n in 0..5000 {
                fs::write(captures.join(format!("{n}.png")), format!("picture {n}")).unwrap();
            }
        });
        bench.until_seen(5000);
        writer.join().unwrap();
        bench.assert_each_once(5000);
    }
}

#[test]
fn files_in_folders_made_with_them_are_found() {
    let mut bench = Bench::new(BOTH);
    for n in 0..50 {
        let folder = bench.path(&format!("job {n}/port"));
        fs::create_dir_all(&folder).unwrap();
        for file in 0..5 {
            fs::write(folder.join(format!("{file}.png")), format!("{n} {file}")).unwrap();
        }
    }
    bench.until_seen(250);
    bench.assert_each_once(250);
}

#[test]
fn a_directory_removed_and_made_again_is_watched_again() {
    let mut bench = Bench::new(BOTH);
    fs::write(bench.path("before.png"), b"before").unwrap();
    bench.until_seen(1);
    fs::remove_dir_all(&bench.captures).unwrap();
    bench.until("lost", |bench| bench.told.iter().any(|fact| matches!(fact, Fact::SourceLost { .. })));
    fs::create_dir(&bench.captures).unwrap();
    bench.until("back", |bench| bench.told.iter().any(|fact| matches!(fact, Fact::SourceBack { .. })));
    fs::write(bench.path("after.png"), b"after").unwrap();
    bench.until_seen(2);
    bench.assert_each_once(2);
}

#[test]
fn a_directory_exchanged_between_two_looks_is_watched_again() {
    let mut bench = Bench::new(BOTH);
    let aside = bench.captures.with_file_name("aside");
    fs::rename(&bench.captures, &aside).unwrap();
    fs::create_dir(&bench.captures).unwrap();
    fs::write(bench.path("new.png"), b"new").unwrap();
    bench.until_seen(1);
    bench.assert_each_once(1);
}

#[test]
fn a_missing_source_is_told_once_with_a_remedy_and_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let captures = folder.path().join("later");
    let (facts, ingest) = watch(&captures, BOTH, KnownFiles::default());
    let Fact::SourceLost { source, message, hint } = facts.recv_timeout(HANG).unwrap() else { panic!("not lost") };
    assert_eq!(source, "bench");
    assert!(message.contains("later") && hint.contains("path"), "{message}; {hint}");
    fs::create_dir(&captures).unwrap();
    assert_eq!(facts.recv_timeout(HANG).unwrap(), Fact::SourceBack { source: "bench".into() });
    ingest.stop();
}

#[test]
fn a_rewrite_within_the_same_second_is_another_version() {
    for how in [BOTH, BY_LISTING] {
        let mut bench = Bench::new(how);
        let path = bench.path("a.png");
        fs::write(&path, b"first").unwrap();
        bench.until_seen(1);
        // Same size; only the nanoseconds differ.
        fs::write(&path, b"other").unwrap();
        bench.until_seen(2);
        bench.assert_each_once(2);
    }
}

#[test]
fn what_is_no_capture_is_told_once_with_its_reason() {
    let mut bench = Bench::prepared(BOTH, |captures| {
        fs::write(captures.join("real.png"), b"picture").unwrap();
        symlink(captures.join("real.png"), captures.join("link.png")).unwrap();
    });
    for name in ["Thumbs.db", "notes.txt", "half.png.part", ".hidden.png"] {
        fs::write(bench.path(name), b"junk").unwrap();
    }
    let path = bench.path("pipe.png");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    bench.until("junk", |bench| bench.ignored.len() >= 6);
    // A file that goes on changing stays one.
    fs::write(bench.path("notes.txt"), b"more junk").unwrap();
    bench.ingest.rescan();
    while bench.take(Duration::from_millis(300)) {}
    let reasons: BTreeMap<_, _> = bench
        .ignored
        .iter()
        .map(|file| (file.path.file_name().unwrap().to_str().unwrap().to_owned(), file.reason.as_str()))
        .collect();
    assert_eq!(bench.ignored.len(), 6, "{reasons:?}");
    assert!(reasons["Thumbs.db"].contains("db"));
    assert!(reasons["half.png.part"].contains("temporary"));
    assert!(reasons["link.png"].contains("symbolic"));
    assert!(reasons["pipe.png"].contains("regular"));
    bench.assert_each_once(1);
}

#[test]
fn names_hold_anything() {
    let mut bench = Bench::new(BOTH);
    let names: [&[u8]; 4] = [b"line\nbreak.png", b"\x1b[31mred.png", b"\xff\xfe.png", b"-rf =1+1.PNG"];
    for name in names {
        fs::write(bench.captures.join(OsStr::from_bytes(name)), name).unwrap();
    }
    bench.until_seen(4);
    bench.assert_each_once(4);
}

#[test]
fn what_the_store_knows_is_not_told_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut known = KnownFiles::default();
    for n in 0..10 {
        let path = folder.path().join(format!("{n}.png"));
        fs::write(&path, b"picture").unwrap();
        if n > 0 {
            known.insert(&path, &FileKey::of(&fs::metadata(&path).unwrap()));
        }
    }
    let (facts, ingest) = watch(folder.path(), BY_LISTING, known);
    let mut complete = Vec::new();
    while let Ok(fact) = facts.recv_timeout(if complete.is_empty() { HANG } else { Duration::from_millis(300) }) {
        if let Fact::Complete(files) = fact {
            complete.extend(files.into_iter().map(|file| file.path));
        }
    }
    assert_eq!(complete, [folder.path().join("0.png")]);
    ingest.stop();
}

#[test]
fn a_file_that_vanishes_before_it_settled_is_simply_gone() {
    let mut bench = Bench::new(How { settle: Duration::from_millis(500), ..BY_LISTING });
    fs::write(bench.path("a.png"), b"picture").unwrap();
    let settling = |count| Fact::Settling { source: "bench".into(), count };
    bench.until("settling", |bench| bench.told.contains(&settling(1)));
    fs::remove_file(bench.path("a.png")).unwrap();
    bench.until("gone", |bench| bench.told.last() == Some(&settling(0)));
    bench.assert_each_once(0);
}

#[test]
fn an_engine_that_takes_nothing_can_still_stop_ingest() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..6000 {
        fs::write(folder.path().join(format!("{n}.png")), b"picture").unwrap();
    }
    let (facts, ingest) = watch(folder.path(), BY_LISTING, KnownFiles::default());
    let began = Instant::now();
    while !facts.is_full() {
        assert!(began.elapsed() < HANG);
        std::thread::yield_now();
    }
    ingest.stop();
}
