//! What an engine does by itself over the years: a disk that is nearly full, what it lets go, what it tells who watches.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests end that way")]

use std::{fs, path::Path, time::Duration};

use ferrule_core::{client::Client, workspace::DatasetPaths};
use ferrule_tests::{Lab, files_below, text};
use serde_json::Value;

/// More than any disk has.
const ALL_OF_IT: &str = "min_free_mb = 4294967295";

fn settings(lab: &Lab, before: &str, after: &str) {
    let path = lab.workspace.join("ferrule.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(before), "{text}");
    fs::write(path, text.replace(before, after)).unwrap();
}

#[test]
fn with_a_disk_nearly_full_captures_wait_and_go_on_when_there_is_room() {
    let lab = Lab::with_settings(&format!("[dataset]\n{ALL_OF_IT}"));
    let engine = lab.start_engine();
    lab.simulate(&lab.captures(), 3, "burst-v1", 5);
    let status = lab.wait_for("three captures that wait for room", || {
        let status = lab.status()?;
        let waits = status["counts"]["queued"] == 3 && status["workers"].as_array().is_some_and(|all| !all.is_empty());
        waits.then_some(status)
    });
    assert!(status["disk"]["free_mb"].as_u64() < status["disk"]["wanted_mb"].as_u64(), "{status:#}");
    let problem = status["problems"][0].as_str().unwrap();
    assert!(problem.contains("min_free_mb") && problem.contains("ferrule tidy"), "{problem}");
    let shown = text(&lab.run(&["status"]));
    assert!(shown.contains("captures wait for room"), "{shown}");
    settings(&lab, ALL_OF_IT, "min_free_mb = 0");
    lab.wait_done(3);
    let status = lab.status().unwrap();
    assert_eq!(status["problems"].as_array().unwrap().len(), 0, "{status:#}");
    let log = fs::read_to_string(lab.workspace.join(".ferrule/engine.log")).unwrap();
    assert!(log.contains("min_free_mb") && log.contains("room: in order again"), "{log}");
    drop(engine);
    lab.audit();
}

fn tidy(lab: &Lab, arguments: &[&str]) -> Value {
    let output = lab.run(&[&["tidy", "--json"], arguments].concat());
    assert!(output.status.success(), "{}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn tidying_is_announced_counted_and_the_same_with_and_without_an_engine() {
    let lab = Lab::with_settings("[dataset.keep]\npictures_mb = 1\nmasks_days = 1\nformer = 1\nprotect = \"nothing\"");
    let engine = lab.start_engine();
    lab.simulate(&lab.captures(), 6, "paper-v1", 5);
    lab.wait_done(6);
    let bytes = |folder: &Path| -> u64 { files_below(folder).iter().map(|file| file.metadata().unwrap().len()).sum() };
    let (images, captures) = (lab.dataset().join("images"), bytes(&lab.captures()));
    let before = bytes(&images);
    assert!(before > 1 << 20, "{before}: draw more");
    let announced = tidy(&lab, &["--dry-run"]);
    assert_eq!(bytes(&images), before, "a dry run removes nothing");
    let done = tidy(&lab, &[]);
    for what in ["inspections", "files", "pictures", "bytes"] {
        assert_eq!(announced[what], done[what], "{announced} {done}");
    }
    assert!(done["pictures"].as_u64() > Some(0) && bytes(&images) <= 1 << 20, "{done}");
    assert_eq!(bytes(&lab.captures()), captures, "a capture was touched");
    assert_eq!(lab.status().unwrap()["tidied"]["pictures"], done["pictures"]);
    let log = fs::read_to_string(lab.workspace.join(".ferrule/engine.log")).unwrap();
    assert!(log.contains("tidying: ") && log.contains("tidied: "), "{log}");
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();
    // Nothing is left to go, and what went is not missed.
    assert_eq!(tidy(&lab, &[])["pictures"], 0);
    let verified = lab.run(&["verify"]);
    assert!(verified.status.success(), "{}", text(&verified));
    // What the engine did, the command does without one.
    settings(&lab, "pictures_mb = 1", "pictures_mb = 0\npictures_days = 1");
    let database = rusqlite::Connection::open(lab.dataset().join("index.sqlite")).unwrap();
    database.execute("UPDATE inspections SET at = '2001-01-01T00:00:00.000Z'", []).unwrap();
    drop(database);
    let announced = tidy(&lab, &["--dry-run"]);
    let done = tidy(&lab, &[]);
    assert_eq!((&announced["pictures"], &announced["files"]), (&done["pictures"], &done["files"]));
    assert_eq!((files_below(&images).len(), files_below(&lab.dataset().join("masks")).len()), (0, 0));
    let verified = lab.run(&["verify"]);
    assert!(verified.status.success(), "{}", text(&verified));
    // An export that needs pictures says in one line what it leaves out, and has nothing to complain about.
    for format in ["yolo", "tfrecord"] {
        let output = lab.run(&["export", format, "--split", "all"]);
        assert!(output.status.success(), "{}", text(&output));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("6 images are left out") && !said.contains("FAILED"), "{said}");
    }
    // A copy of it is whole too.
    let copy = lab.root().join("copy");
    let output = lab.ferrule(&["backup"]).arg(&copy).arg(&lab.workspace).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn whoever_watches_reads_metrics_and_is_told_when_nobody_answers() {
    let lab = Lab::new();
    let output = lab.run(&["status", "--prometheus"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("\nferrule_up 0\n"), "{}", text(&output));
    let _engine = lab.start_engine();
    let output = lab.run(&["status", "--prometheus"]);
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && page.contains("\nferrule_up 1\n"), "{page}");
    assert!(
        page.contains("ferrule_disk_free_bytes ") && page.contains("ferrule_captures{state=\"done\"} 0\n"),
        "{page}"
    );
}

/// Arenas of the C library beside the first heap: mappings that begin at a multiple of 64 MiB, a part of them in use and
/// the rest of the 64 MiB set aside.
fn arenas(pid: u32) -> Vec<String> {
    const ARENA: u64 = 64 << 20;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let ends = |line: &str| -> (u64, u64) {
        let (start, end) = line.split(' ').next().and_then(|range| range.split_once('-')).unwrap();
        (u64::from_str_radix(start, 16).unwrap(), u64::from_str_radix(end, 16).unwrap())
    };
    let lines: Vec<&str> = maps.lines().collect();
    let is_arena = |pair: &&[&str]| {
        let ((start, used), (rest, end)) = (ends(pair[0]), ends(pair[1]));
        let whole = start % ARENA == 0 && used == rest && end - start == ARENA;
        whole && pair[0].contains(" rw-p ") && pair[1].contains(" ---p ")
    };
    lines.windows(2).filter(is_arena).map(|pair| pair.join("\n")).collect()
}

#[test]
fn all_threads_of_an_engine_share_one_heap() {
    // Which thread is there when is another matter at each start.
    for _ in 0..5 {
        let lab = Lab::new();
        let engine = lab.start_engine();
        lab.simulate(&lab.captures(), 1, "burst-v1", 5);
        lab.wait_done(1);
        assert_eq!(arenas(engine.pid()), Vec::<String>::new());
    }
    // This program has some, and they are found.
    std::thread::scope(|scope| {
        let with_an_arena = || {
            let kept = vec![0_u8; 1000];
            let found = arenas(std::process::id());
            (found, kept.len())
        };
        let found = scope.spawn(with_an_arena).join().unwrap().0;
        assert!(!found.is_empty(), "a thread's own arena is not recognised");
    });
}

/// Stacks of threads, there and gone: mappings without a name of 2 to 16 MiB.
fn stacks(pid: u32) -> usize {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let is_stack = |line: &&str| {
        let mut words = line.split_whitespace();
        let (start, end) = words.next().and_then(|range| range.split_once('-')).unwrap();
        let size = u64::from_str_radix(end, 16).unwrap() - u64::from_str_radix(start, 16).unwrap();
        words.next() == Some("rw-p") && words.count() == 3 && (2 << 20..=16 << 20).contains(&size)
    };
    maps.lines().filter(is_stack).count()
}

#[test]
fn clients_that_come_all_at_once_leave_hardly_a_stack_behind() {
    let lab = Lab::new();
    let engine = lab.start_engine();
    let threads = || fs::read_dir(format!("/proc/{}/task", engine.pid())).unwrap().count();
    let paths = DatasetPaths::at(lab.dataset());
    drop(Client::connect(&paths).unwrap());
    let (before, at_rest) = (stacks(engine.pid()), threads());
    let clients: Vec<Client> = (0..24).map(|_| Client::connect(&paths).unwrap()).collect();
    assert!(stacks(engine.pid()) >= before + 24, "theirs are not recognised");
    drop(clients);
    while threads() > at_rest {
        std::thread::sleep(Duration::from_millis(20));
    }
    let after = stacks(engine.pid());
    assert!(after <= before + 4, "{after} stacks, and {before} before anybody came");
}

/// Seven freed blocks of every size in each of its threads hold pages that are then never given back.
#[test]
fn an_engine_however_it_is_started_keeps_no_freed_blocks_in_its_threads() {
    let tunables = |pid: u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
        let mut entries = environment.split(|byte| *byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok());
        entries.find_map(|entry| entry.strip_prefix("GLIBC_TUNABLES=")).map(str::to_owned)
    };
    let lab = Lab::new();
    let engine = lab.start_engine();
    assert_eq!(tunables(engine.pid()).as_deref(), Some("glibc.malloc.tcache_count=0"));
    let name = fs::read_to_string(format!("/proc/{}/comm", engine.pid())).unwrap();
    assert_eq!(name.trim(), "ferrule", "it is found by its name");
    drop(engine);
    let engine = lab.start_engine_with(|command| command.env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=2"));
    assert_eq!(tunables(engine.pid()).as_deref(), Some("glibc.malloc.tcache_count=2"), "a person's choice stays");
}

/// SQLite keeps the descriptors of connections that were closed: those of a division and of a tidying at once were one more,
/// once and for all, whenever they met for the first time.
#[test]
fn an_engine_has_from_its_start_on_the_descriptors_of_its_database_that_it_will_ever_have() {
    let lab = Lab::with_settings("[dataset.keep]\nformer = 1");
    let engine = lab.start_engine();
    let open = || {
        let entries = fs::read_dir(format!("/proc/{}/fd", engine.pid())).unwrap().flatten();
        entries.filter(|entry| fs::read_link(entry.path()).is_ok_and(|file| file.ends_with("index.sqlite"))).count()
    };
    assert_eq!(open(), 4, "the writer's, the main loop's, and two for who comes and goes");
    lab.simulate(&lab.captures(), 3, "burst-v1", 3);
    lab.wait_done(3);
    for _ in 0..3 {
        assert!(lab.run(&["tidy"]).status.success());
    }
    assert_eq!(open(), 4);
}

#[test]
fn packages_get_a_manual_page_for_every_command_and_a_unit_that_systemd_understands() {
    let lab = Lab::new();
    let folder = lab.root().join("man1");
    let output = lab.ferrule(&["manual"]).arg(&folder).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    for page in ["ferrule", "ferrule-inspect", "ferrule-plugin-list", "ferrule-tidy", "ferrule-status"] {
        let page = fs::read_to_string(folder.join(format!("{page}.1"))).unwrap();
        assert!(page.contains(".TH ") && page.contains(".SH NAME"), "{page}");
    }
    assert!(!folder.join("ferrule-manual.1").exists(), "hidden commands have none");
    let unit = lab.run(&["service"]);
    assert!(unit.status.success(), "{}", text(&unit));
    let printed = String::from_utf8(unit.stdout).unwrap();
    assert!(printed.contains(lab.workspace.to_str().unwrap()), "{printed}");
    let path = lab.root().join("ferrule-test.service");
    fs::write(&path, printed).unwrap();
    let mut analyze = std::process::Command::new("systemd-analyze");
    analyze.args(["verify", "--user", "--man=no"]).env("XDG_RUNTIME_DIR", lab.runtime()).env("HOME", lab.root());
    match analyze.arg(&path).output() {
        Ok(checked) => assert!(checked.status.success(), "{}", text(&checked)),
        Err(error) => {
            eprintln!("notice: NOT RUN, systemd-analyze: {error}; the unit's words are tested where it is made")
        }
    }
}
