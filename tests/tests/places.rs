//! Places that go wrong under a running engine: disks that fill, turn read-only or are mounted over, folders that may not be
//! entered any more, descriptors and watches that run out, a clock that jumps, two engines at the same instant.
//!
//! Disks are small ones in memory, mounted in a namespace of the test's own (`unshare -rm`): nothing of this machine is
//! touched. Where it allows no namespaces, a notice says what did not run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests end that way")]

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Stdio, time::Duration};

use ferrule_tests::{
    Engine, HANG, Lab, files_below,
    machine::Machine,
    places::{Disk, fill, inside, mount, shut, unmount},
    text,
};
use rustix::{
    io::Errno,
    process::{Pid, Resource, Rlimit, getrlimit, prlimit},
};
use serde_json::Value;

fn problems(lab: &Lab) -> String {
    lab.status().map(|status| status["problems"].to_string()).unwrap_or_default()
}

/// No trouble, every capture done, and the dataset as it should be.
fn all_is_well(lab: &Lab, engine: Engine, captures: u64) {
    lab.wait_while_it_moves("captures done", captures, |status| status["counts"]["done"].as_u64().unwrap_or(0));
    lab.wait_for("no trouble", || (problems(lab) == "[]").then_some(()));
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();
    let verified = lab.run(&["verify"]);
    assert!(verified.status.success(), "{}", text(&verified));
    assert_eq!(lab.query_count("SELECT count(*) FROM captures WHERE state = 'done'").unsigned_abs(), captures);
    let doubled =
        "SELECT count(*) FROM (SELECT 1 FROM inspections WHERE state = 'done' GROUP BY image_id HAVING count(*) > 1)";
    assert_eq!(lab.query_count(doubled), 0, "DOUBLED");
    lab.audit();
}

#[test]
fn a_dataset_s_disk_that_fills_loses_nothing_and_all_goes_on_with_room() {
    if !inside("a_dataset_s_disk_that_fills_loses_nothing_and_all_goes_on_with_room") {
        return;
    }
    let lab = Lab::with_settings("[dataset]\nmin_free_mb = 0");
    fs::create_dir(lab.dataset()).unwrap();
    let disk = Disk::mounted(&lab.dataset(), 200);
    let engine = lab.start_engine();
    disk.fill();
    lab.simulate(&lab.captures(), 20, "paper-v1", 3);
    lab.wait_for("the trouble to be told", || problems(&lab).contains("make room").then_some(()));
    // It stays up, and answers, for as long as it takes.
    std::thread::sleep(Duration::from_secs(1));
    assert!(lab.status().is_some() && lab.count("done") < 20);
    disk.make_room();
    all_is_well(&lab, engine, 20);
}

#[test]
fn with_a_reserve_a_small_disk_never_fills() {
    if !inside("with_a_reserve_a_small_disk_never_fills") {
        return;
    }
    let lab = Lab::with_settings("[dataset]\nmin_free_mb = 6");
    fs::create_dir(lab.dataset()).unwrap();
    mount(&["-t", "tmpfs", "-o", "size=14m,mode=700", "none"], &lab.dataset());
    let engine = lab.start_engine();
    lab.simulate(&lab.captures(), 20, "paper-v1", 3);
    let told = lab.wait_for("captures to wait for room", || {
        let told = problems(&lab);
        told.contains("min_free_mb").then_some(told)
    });
    assert!(!told.contains("cannot be written"), "it stopped before the disk was full: {told}");
    mount(&["-o", "remount,size=200m"], &lab.dataset());
    all_is_well(&lab, engine, 20);
}

#[test]
fn a_full_disk_under_the_captures_costs_what_was_not_written_and_nothing_else() {
    if !inside("a_full_disk_under_the_captures_costs_what_was_not_written_and_nothing_else") {
        return;
    }
    let lab = Lab::new();
    let apart = lab.root().join("apart");
    lab.simulate(&apart, 6, "burst-v1", 3);
    let drawn: Vec<Vec<u8>> = files_below(&apart).iter().map(|file| fs::read(file).unwrap()).collect();
    mount(&["-t", "tmpfs", "-o", "size=64m", "none"], &lab.captures());
    let engine = lab.start_engine();
    let ballast = lab.captures().join("ballast.bin");
    fill(&ballast);
    // The microscope cannot write it whole: half a page at most comes through.
    let late = lab.captures().join("late.png");
    assert!(fs::write(&late, &drawn[0]).is_err());
    fs::remove_file(&ballast).unwrap();
    for (number, picture) in drawn.iter().enumerate().skip(1) {
        fs::write(lab.captures().join(format!("{number}.png")), picture).unwrap();
    }
    lab.wait_done(5);
    // It is written again once there is room.
    fs::write(&late, &drawn[0]).unwrap();
    all_is_well(&lab, engine, 6);
}

#[test]
fn a_full_disk_under_the_log_costs_lines_of_the_log() {
    if !inside("a_full_disk_under_the_log_costs_lines_of_the_log") {
        return;
    }
    let lab = Lab::new();
    let private = lab.workspace.join(".ferrule");
    fs::create_dir(&private).unwrap();
    mount(&["-t", "tmpfs", "-o", "size=260m,mode=700", "none"], &private);
    let engine = lab.start_engine();
    lab.simulate(&lab.captures(), 2, "burst-v1", 3);
    lab.wait_done(2);
    fill(&private.join("ballast"));
    let log = private.join("engine.log");
    let before = fs::metadata(&log).unwrap().len();
    lab.simulate(&lab.captures(), 4, "burst-v1", 4);
    lab.wait_done(6);
    fs::remove_file(private.join("ballast")).unwrap();
    fs::rename(lab.captures(), lab.root().join("away")).unwrap();
    lab.wait_for("the source is missed", || problems(&lab).contains("cannot be read").then_some(()));
    assert!(fs::metadata(&log).unwrap().len() > before, "with room the log goes on");
    fs::rename(lab.root().join("away"), lab.captures()).unwrap();
    all_is_well(&lab, engine, 6);
}

#[test]
fn a_folder_of_the_dataset_that_is_mounted_over_is_told_and_all_goes_on_without_the_mount() {
    if !inside("a_folder_of_the_dataset_that_is_mounted_over_is_told_and_all_goes_on_without_the_mount") {
        return;
    }
    let lab = Lab::new();
    let engine = lab.start_engine();
    lab.simulate(&lab.captures(), 2, "burst-v1", 3);
    lab.wait_done(2);
    let images = lab.dataset().join("images");
    shut(&images);
    lab.simulate(&lab.captures(), 5, "burst-v1", 4);
    lab.wait_for("the trouble to be told", || problems(&lab).contains("cannot be written").then_some(()));
    unmount(&images);
    all_is_well(&lab, engine, 7);
}

#[test]
fn a_dataset_whose_disk_is_not_mounted_is_missed_and_no_new_one_is_begun_in_its_place() {
    let lab = Lab::new();
    let disk = lab.root().join("disk");
    let dataset = disk.join("dataset");
    fs::create_dir(&disk).unwrap();
    lab.append_settings(&format!("[dataset]\npath = {dataset:?}"));
    let engine = lab.start_engine();
    lab.simulate(&lab.captures(), 3, "burst-v1", 3);
    lab.wait_done(3);
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();
    let away = lab.root().join("away");
    fs::rename(&disk, &away).unwrap();
    let refused = || {
        let output = lab.run(&["engine"]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains("is its disk mounted?"), "{}", text(&output));
    };
    refused();
    assert!(!disk.exists(), "a folder was made where a disk is missing");
    fs::create_dir_all(&dataset).unwrap();
    refused();
    assert_eq!(fs::read_dir(&dataset).unwrap().count(), 0, "something was written below a missing disk");
    // With the disk it is what it was.
    fs::remove_dir_all(&disk).unwrap();
    fs::rename(&away, &disk).unwrap();
    let engine = lab.start_engine();
    assert_eq!(lab.count("done"), 3);
    drop(engine);
    // Who means it says so.
    fs::remove_dir_all(&disk).unwrap();
    fs::remove_file(lab.workspace.join(".ferrule/dataset")).unwrap();
    let _engine = lab.start_engine();
    lab.wait_done(3);
}

/// An engine whose dataset's disk refuses every change of what is open already, as the kernel does once it has turned
/// read-only; new files of workers, too, where a mount can be had.
fn refused_for_a_while(errno: Errno, word: &str, read_only_mount: bool) {
    let lab = Lab::with_settings("[dataset]\nmin_free_mb = 0");
    let Some(machine) = Machine::new(lab.root()) else { return };
    let engine = lab.start_engine_with(|command| machine.run_on(command, &lab.dataset()));
    lab.simulate(&lab.captures(), 3, "burst-v1", 3);
    lab.wait_done(3);
    machine.refuse(Some(errno));
    if read_only_mount {
        shut(&lab.dataset());
    }
    lab.simulate(&lab.captures(), 9, "burst-v1", 3);
    let told = lab.wait_for("the trouble to be told", || {
        let told = problems(&lab);
        (told.contains("cannot be written") || told.contains("does not take results")).then_some(told)
    });
    assert!(told.contains(word), "{told}");
    // What is there can be read, and nothing is counted that is not.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(lab.count("done"), 3);
    if read_only_mount {
        unmount(&lab.dataset());
    }
    machine.refuse(None);
    all_is_well(&lab, engine, 9);
}

#[test]
fn a_live_dataset_that_turns_read_only_is_told_and_all_goes_on_when_it_is_writable() {
    if inside("a_live_dataset_that_turns_read_only_is_told_and_all_goes_on_when_it_is_writable") {
        refused_for_a_while(Errno::ROFS, "writable", true);
    }
}

#[test]
fn a_quota_that_is_used_up_is_told_and_all_goes_on_with_more_of_it() {
    refused_for_a_while(Errno::DQUOT, "room", false);
}

#[test]
fn a_directory_that_is_mounted_over_is_watched_and_so_is_the_one_below_it() {
    if !inside("a_directory_that_is_mounted_over_is_watched_and_so_is_the_one_below_it") {
        return;
    }
    let lab = Lab::with_settings("[intake]\nreconcile_ms = 300");
    let engine = lab.start_engine();
    lab.simulate(&lab.captures(), 2, "burst-v1", 3);
    lab.wait_done(2);
    mount(&["-t", "tmpfs", "none"], &lab.captures());
    lab.simulate(&lab.captures(), 3, "burst-v1", 4);
    lab.wait_done(5);
    unmount(&lab.captures());
    lab.simulate(&lab.captures(), 2, "burst-v1", 5);
    all_is_well(&lab, engine, 7);
}

#[test]
fn without_watches_to_be_had_the_directory_is_listed() {
    if !inside("without_watches_to_be_had_the_directory_is_listed") {
        return;
    }
    // The limit is the namespace's own.
    for limit in ["max_inotify_watches", "max_inotify_instances"] {
        if let Err(error) = fs::write(format!("/proc/sys/user/{limit}"), "0") {
            eprintln!("notice: NOT RUN, {limit} cannot be set in a namespace: {error}");
            return;
        }
    }
    let lab = Lab::with_settings("[intake]\nreconcile_ms = 300");
    let engine = lab.start_engine();
    lab.simulate(&lab.captures(), 4, "burst-v1", 3);
    lab.wait_done(4);
    let log = fs::read_to_string(lab.workspace.join(".ferrule/engine.log")).unwrap();
    assert!(log.contains("listed instead of watched") && log.contains("max_user_watches"), "{log}");
    lab.simulate(&lab.captures(), 2, "burst-v1", 4);
    all_is_well(&lab, engine, 6);
}

#[test]
fn without_descriptors_captures_wait_and_none_fails() {
    let lab = Lab::new();
    let engine = lab.start_engine();
    lab.simulate(&lab.captures(), 2, "burst-v1", 3);
    lab.wait_done(2);
    let pid = Pid::from_raw(engine.pid().cast_signed()).unwrap();
    let inherited = getrlimit(Resource::Nofile);
    let limit = |current| prlimit(Some(pid), Resource::Nofile, Rlimit { current, ..inherited }).unwrap();
    let open = fs::read_dir(format!("/proc/{}/fd", engine.pid())).unwrap().count() as u64;
    // What is open stays open; nothing more can be opened, no file and no client.
    limit(Some(open.saturating_sub(4)));
    lab.simulate(&lab.captures(), 6, "burst-v1", 4);
    std::thread::sleep(Duration::from_secs(2));
    limit(inherited.current);
    all_is_well(&lab, engine, 8);
}

#[test]
fn a_clock_that_jumps_disturbs_neither_order_nor_results() {
    let lab = Lab::with_settings("[intake]\nreconcile_ms = 300");
    let Some(machine) = Machine::new(lab.root()) else { return };
    let mut command = lab.ferrule(&["engine"]);
    command.arg(&lab.workspace).stdout(Stdio::null()).stderr(Stdio::null());
    let mut engine = machine.run(&mut command, None).spawn().unwrap();
    lab.wait_for("the engine answers", || lab.status());
    const DAY: i64 = 86_400;
    let mut captures = 0;
    // Half a year ahead, back before 1980, a minute to and fro, and right again.
    for (round, wrong) in [0, 180 * DAY, -50 * 365 * DAY, 60, -60, 20 * 365 * DAY, 0].into_iter().enumerate() {
        machine.set_clock(wrong);
        lab.simulate(&lab.captures(), 2, "burst-v1", 100 + round as u64);
        captures += 2;
        lab.wait_done(captures);
    }
    let years = lab.query_count("SELECT count(DISTINCT substr(seen_at, 1, 4)) FROM captures");
    assert!(years >= 3, "the clock did jump: {years}");
    // Ids count up with the order in which files came, whatever the clock said.
    let order = "SELECT count(*) FROM captures a JOIN captures b ON b.capture_id = a.capture_id + 1
                 WHERE a.mtime_ns > b.mtime_ns + 1000000000";
    assert_eq!(lab.query_count(order), 0);
    lab.wait_for("sides of the split", || {
        (lab.query_count("SELECT count(*) FROM images WHERE near_sought = 0") == 0).then_some(())
    });
    assert!(lab.run(&["stop"]).status.success());
    assert!(engine.wait().unwrap().success());
    let verified = lab.run(&["verify"]);
    assert!(verified.status.success(), "{}", text(&verified));
    lab.audit();
}

#[test]
fn of_two_engines_at_the_same_instant_one_runs_and_the_other_says_so() {
    // `FERRULE_TWIN_STARTS=100` for the whole of it.
    let rounds = std::env::var("FERRULE_TWIN_STARTS").ok().map_or(6, |text| text.parse::<u32>().unwrap());
    let lab = Lab::new();
    lab.simulate(&lab.captures(), 3, "burst-v1", 3);
    for round in 0..rounds {
        let start = || {
            let mut command = lab.ferrule(&["engine"]);
            command.arg(&lab.workspace).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let mut twins = [start(), start()];
        lab.wait_for("one of them answers", || lab.status());
        let refused = lab.wait_for("the other one has ended", || {
            twins.iter_mut().position(|twin| twin.try_wait().unwrap().is_some())
        });
        let [first, second] = twins;
        let (refused, running) = if refused == 0 { (first, second) } else { (second, first) };
        let output = refused.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "round {round}: {}", text(&output));
        assert!(text(&output).contains("already runs"), "round {round}: {}", text(&output));
        assert_eq!(lab.status().unwrap()["pid"], Value::from(running.id()), "round {round}");
        assert!(lab.run(&["stop"]).status.success());
        assert!(running.wait_with_output().unwrap().status.success());
    }
    // They were stopped before they had looked; what there is to do is done once all the same.
    let engine = lab.start_engine();
    all_is_well(&lab, engine, 3);
}

#[test]
fn folders_that_may_not_be_entered_are_told_and_all_goes_on_when_they_may() {
    // Root enters everything: the engine runs as another user then.
    let lab = Lab::with_settings("[intake]\nreconcile_ms = 300");
    let root = rustix::process::getuid().is_root();
    if root && !binary_is_open_to_all() {
        eprintln!("notice: NOT RUN, no other user reaches {}", ferrule_tests::binary().display());
        return;
    }
    let mut command = lab.ferrule(&["engine"]);
    if root {
        use std::os::unix::process::CommandExt;
        for place in everything_in(lab.root()) {
            std::os::unix::fs::lchown(place, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    command.arg(&lab.workspace).stdout(Stdio::null()).stderr(Stdio::null());
    let mut engine = command.spawn().unwrap();
    let ask = || {
        let mut status = lab.ferrule(&["status", "--json"]);
        if root {
            use std::os::unix::process::CommandExt;
            status.uid(NOBODY).gid(NOBODY);
        }
        let output = status.arg(&lab.workspace).output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).ok()
    };
    let until = |what: &str, condition: &dyn Fn(&Value) -> bool| {
        let start = std::time::Instant::now();
        loop {
            let status = ask().unwrap_or_default();
            if condition(&status) {
                return;
            }
            assert!(start.elapsed() < HANG, "waited for {what}: {status:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let done = |count: u64| move |status: &Value| status["counts"]["done"].as_u64() == Some(count);
    until("an engine", &|status| status["pid"].is_u64());
    let drop_in = |count, seed| {
        lab.simulate(&lab.root().join("apart"), count, "burst-v1", seed);
        for file in files_below(&lab.root().join("apart")) {
            let to = lab.captures().join(format!("{seed}-{}", file.file_name().unwrap().to_str().unwrap()));
            fs::copy(&file, &to).unwrap();
            fs::set_permissions(&to, fs::Permissions::from_mode(0o644)).unwrap();
            fs::remove_file(file).unwrap();
        }
    };
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    drop_in(2, 3);
    until("two captures", &done(2));
    for (place, words) in [(lab.captures(), "cannot be read"), (lab.dataset().join("images"), "writable")] {
        mode(&place, 0o000);
        drop_in(2, if words == "writable" { 5 } else { 4 });
        until(words, &|status| status["problems"].to_string().contains(words));
        mode(&place, 0o755);
    }
    until("all of them", &done(6));
    // Of what this user cannot reach otherwise (libtorch in root's cache) nothing is asked.
    until("no such trouble", &|status| {
        let problems = status["problems"].to_string();
        !problems.contains("cannot be read") && !problems.contains("writable")
    });
    let pid = Pid::from_raw(engine.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(engine.wait().unwrap().success());
    lab.audit();
}

const NOBODY: u32 = 65_534;

fn binary_is_open_to_all() -> bool {
    ferrule_tests::binary()
        .ancestors()
        .all(|place| fs::metadata(place).is_ok_and(|found| found.permissions().mode() & 0o005 == 0o005))
}

fn everything_in(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut all = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { all.extend(everything_in(&path)) } else { all.push(path) }
    }
    all
}
