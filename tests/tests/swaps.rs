//! Plug-ins exchanged, and plug-ins that do everything a plug-in must not, under a running stream of captures.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use ferrule_tests::{Lab, text};
use image::{GrayImage, Luma};
use serde_json::Value;

/// Only plug-ins of the misbehaving library, and deadlines that a test can wait for.
const SETTINGS: &str = "
[plugins]
settle_ms = 10
[workers]
count = 1
deadline_ms = 400
deadline_ms_per_mpx = 0
[pipeline]
segment = [\"misbehaving-segment\"]
detect = [\"misbehaving-detect\"]
measure = [\"misbehaving-measure\"]
grade = []
";

/// The misbehaving library, with other texts in the places of these.
fn library(changes: &[(&str, &str)]) -> Vec<u8> {
    let built = std::env::current_exe().unwrap().parent().unwrap().join("libferrule_misbehaving.so");
    let mut bytes = fs::read(&built).unwrap_or_else(|error| panic!("{}: {error}", built.display()));
    for (from, to) in changes {
        assert!(to.len() >= from.len());
        let places: Vec<usize> =
            bytes.windows(from.len()).enumerate().filter(|(_, w)| *w == from.as_bytes()).map(|(i, _)| i).collect();
        assert!(!places.is_empty(), "{from}");
        for place in places {
            bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
        }
    }
    bytes
}

fn build(mark: char) -> Vec<u8> {
    library(&[("ferrule build mark:3", &format!("ferrule build mark:{mark}"))])
}

/// Puts a file where it is complete at once.
fn install(bytes: &[u8], to: &Path) {
    let aside = to.with_extension("part");
    fs::write(&aside, bytes).unwrap();
    fs::set_permissions(&aside, fs::Permissions::from_mode(0o644)).unwrap();
    fs::rename(aside, to).unwrap();
}

fn installed(lab: &Lab) -> PathBuf {
    lab.workspace.join("plugins/misbehaving.so")
}

/// Drops a picture of that width that no other resembles.
fn drop_picture(lab: &Lab, number: u32, width: u32) {
    let mut picture = GrayImage::from_fn(width, 90, |x, y| Luma([(x * 3 + y * 5) as u8]));
    for bit in 0..32 {
        picture.put_pixel(bit, 0, Luma([if number >> bit & 1 == 1 { 255 } else { 0 }]));
    }
    let aside = lab.captures().join(format!(".{number}.part"));
    picture.save_with_format(&aside, image::ImageFormat::Png).unwrap();
    fs::rename(aside, lab.captures().join(format!("{number:05}-{width}.png"))).unwrap();
}

/// What a process takes: resident bytes, open descriptors, mapped files, children.
fn taken(pid: u32) -> (u64, usize, usize, usize) {
    let proc = PathBuf::from(format!("/proc/{pid}"));
    let statm = fs::read_to_string(proc.join("statm")).unwrap();
    let resident = statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096;
    let maps = fs::read_to_string(proc.join("maps")).unwrap().lines().count();
    let descriptors = fs::read_dir(proc.join("fd")).unwrap().count();
    let children: usize = fs::read_dir(proc.join("task"))
        .unwrap()
        .flatten()
        .map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default().split_whitespace().count())
        .sum();
    (resident, descriptors, maps, children)
}

#[test]
fn two_hundred_swaps_under_a_stream_lose_nothing_double_nothing_and_leave_no_old_build_behind() {
    const SWAPS: usize = 200;
    let lab = Lab::with_settings(SETTINGS);
    let builds = [build('3'), build('4')];
    install(&builds[0], &installed(&lab));
    let engine = lab.start_engine();
    drop_picture(&lab, 0, 100);
    lab.wait_done(1);

    let mut listener = lab.ferrule(&["events", "--json"]).arg(&lab.workspace).stdout(Stdio::piped()).spawn().unwrap();
    let mut events = BufReader::new(listener.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .map(|line| serde_json::from_str::<Value>(&line).unwrap());
    assert_eq!(events.next().unwrap()["type"], "status");

    // Image by image the generation that was announced last before it was done.
    let mut announced_before: Vec<(String, u64)> = Vec::new();
    let (mut in_force, mut dropped, mut before) = (1, 1, None);
    for swap in 0..SWAPS {
        install(&builds[(swap + 1) % 2], &installed(&lab));
        let target = in_force + 1;
        let mut in_flight = 0;
        while in_force < target || in_flight > 0 {
            if in_flight == 0 {
                drop_picture(&lab, dropped, 100 + dropped % 50);
                dropped += 1;
                in_flight += 1;
            }
            let event = events.next().expect("the engine lives");
            if event["type"] == "capture" && event["state"] == "done" {
                announced_before.push((event["image"].as_str().unwrap().to_owned(), in_force));
                in_flight -= 1;
            }
            if event["type"] == "swap" {
                assert_eq!(event["outcome"], "in-force", "{event:#}");
                in_force = event["generation"].as_u64().unwrap();
            }
        }
        if swap == SWAPS / 4 {
            before = Some(taken(engine.pid()));
        }
    }
    assert_eq!(in_force as usize, SWAPS + 1);
    lab.wait_done(u64::from(dropped));
    // A worker that is just leaving still counts for a moment.
    let before = before.unwrap();
    lab.wait_for(&format!("the engine to take no more than {before:?} after a quarter of the swaps"), || {
        let (resident, descriptors, maps, children) = taken(engine.pid());
        let flat = resident < before.0 + (16 << 20) && maps <= before.2 + 40;
        (flat && descriptors <= before.1 && children <= before.3).then_some(())
    });

    let database = lab.database();
    let mut query = database.prepare("SELECT i.image_id, i.generation, d.box_height, s.build FROM inspections i JOIN inspection_defects d USING (inspection_id) JOIN pipeline_stages s ON s.pipeline_id = i.pipeline_id AND s.slot = 'detect'").unwrap();
    let rows: Vec<(String, u64, u32, String)> = query
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs(), row.get(2)?, row.get(3)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows.len(), dropped as usize, "one result a capture");
    let by_image: BTreeMap<&str, u64> = rows.iter().map(|row| (row.0.as_str(), row.1)).collect();
    assert_eq!(by_image.len(), dropped as usize, "none twice");
    for (image, announced) in &announced_before {
        assert!(
            by_image[image.as_str()] >= *announced,
            "a result of generation {} after {announced} was announced",
            by_image[image.as_str()]
        );
    }
    // Each result is what its build makes, and the two builds took turns.
    let mut marks: BTreeMap<&str, u32> = BTreeMap::new();
    for (_, generation, height, build) in &rows {
        assert_eq!(*height, if generation % 2 == 1 { 3 } else { 4 }, "generation {generation}");
        assert_eq!(*marks.entry(build).or_insert(*height), *height);
    }
    assert_eq!(marks.len(), 2);
    assert_eq!(
        lab.query_count("SELECT count(*) FROM swaps WHERE outcome = 'in force' AND took_ms > 0"),
        SWAPS as i64 + 1
    );
    drop(query);
    lab.audit();
    assert!(lab.run(&["stop"]).status.success());
    listener.wait().unwrap();
    assert!(engine.wait().success());
}

/// Makes the detector misbehave on pictures 120 wide, and waits until it is in force.
fn misbehave(lab: &Lab, fault: &str) {
    let settings = lab.workspace.join("ferrule.toml");
    let before = fs::read_to_string(&settings).unwrap();
    let kept = before.split("# fault\n").next().unwrap();
    let generation = lab.query_count("SELECT coalesce(max(generation), 0) FROM swaps");
    let lines = format!("{kept}# fault\n[plugin.misbehaving-detect]\nfault = \"{fault}\"\nonly_width = 120\n");
    let aside = settings.with_extension("part");
    fs::write(&aside, lines).unwrap();
    fs::rename(aside, settings).unwrap();
    lab.wait_for(&format!("{fault} in force"), || {
        let in_force = format!("SELECT count(*) FROM swaps WHERE generation > {generation} AND outcome = 'in force'");
        (lab.query_count(&in_force) > 0).then_some(())
    });
}

/// Done inspections of pictures of that width from `from` on: all, and those whose detector is missing for that reason.
fn told(lab: &Lab, from: u32, width: u32, reason: &str) -> (i64, i64) {
    let of = format!(
        "FROM images JOIN inspections i USING (image_id) WHERE filename >= '{from:05}' AND filename LIKE '%-{width}.png' AND i.state = 'done'"
    );
    let missing = format!("i.incomplete LIKE '%misbehaving-detect 0.1.0%{reason}%'");
    (lab.query_count(&format!("SELECT count(*) {of}")), lab.query_count(&format!("SELECT count(*) {of} AND {missing}")))
}

#[test]
fn every_fault_under_a_stream_is_named_and_costs_no_capture() {
    // Two captures suffer from each fault, in whatever order: that must not set the plug-in aside for the next one.
    let lab = Lab::with_settings(&SETTINGS.replace("settle_ms = 10", "settle_ms = 10\nquarantine_after = 1000"));
    install(&library(&[]), &installed(&lab));
    let engine = lab.start_engine();
    let mut number = 0;
    // The last word is what the row says of it; none where the sandbox keeps it from doing harm.
    for (fault, word) in [
        ("segfault", Some("SIGSEGV")),
        ("abort", Some("SIGABRT")),
        ("panic", Some("a deliberate panic")),
        ("exit", Some("exit status 0")),
        ("loop", Some("no answer within")),
        ("busy-threads", Some("no answer within")),
        ("deadlock", Some("no answer within")),
        ("sleep", Some("no answer within")),
        ("stack-overflow", Some("stack overflow")),
        ("memory", Some("")),
        ("stderr-endless", Some("no answer within")),
        ("stdout-endless", Some("no answer within")),
        ("close-descriptors", Some("")),
        ("error", Some("a deliberate error")),
        ("lie-nan", Some("NaN")),
        ("lie-box", Some("outside the picture")),
        ("many-defects", Some("20000 defects")),
        ("stderr-flood", None),
        ("fork", None),
        ("socket", None),
        ("kill-parent", None),
        ("delete-capture", None),
    ] {
        misbehave(&lab, fault);
        let from = number;
        for width in [120, 100, 120, 100, 100] {
            drop_picture(&lab, number, width);
            number += 1;
        }
        lab.wait_done(u64::from(number));
        let bad = if word.is_some() { 2 } else { 0 };
        assert_eq!(told(&lab, from, 120, word.unwrap_or_default()), (2, bad), "{fault}\n{}", lab.engine_log());
        assert_eq!(told(&lab, from, 100, ""), (3, 0), "{fault} costs the others nothing");
        assert_eq!(fs::read_dir(lab.captures()).unwrap().count(), number as usize, "{fault} deletes nothing");
    }
    let status = lab.status().unwrap();
    assert_eq!((&status["counts"]["done"], &status["counts"]["failed"]), (&number.into(), &0.into()));
    assert_eq!(
        lab.query_count(
            "SELECT count(*) FROM (SELECT image_id FROM inspections GROUP BY image_id HAVING count(*) > 1)"
        ),
        0
    );
    assert!(lab.run(&["stop"]).status.success());
    assert!(engine.wait().success());
    lab.audit();
}

#[test]
fn a_plugin_that_fails_three_in_a_row_is_set_aside_and_what_it_missed_is_made_again_once_it_is_released() {
    let lab = Lab::with_settings(SETTINGS);
    install(&library(&[]), &installed(&lab));
    let engine = lab.start_engine();
    let mut number = 0;
    misbehave(&lab, "segfault");
    for _ in 0..4 {
        drop_picture(&lab, number, 120);
        number += 1;
    }
    lab.wait_done(u64::from(number));
    let is_set_aside = |lab: &Lab| {
        lab.status().unwrap()["plugins"]
            .as_array()
            .unwrap()
            .iter()
            .any(|plugin| plugin["id"] == "misbehaving-detect" && plugin["quarantined"] == true)
    };
    assert!(is_set_aside(&lab));
    misbehave(&lab, "none");
    let output = lab.run(&["plugin", "release", "misbehaving-detect"]);
    assert!(output.status.success(), "{}", text(&output));
    lab.wait_for("what was incomplete to be made again", || {
        let again =
            format!("SELECT count(*) FROM images WHERE filename >= '{:05}' AND has_defect IS NOT NULL", number - 4);
        (lab.query_count(&again) == 4).then_some(())
    });
    assert!(!is_set_aside(&lab));
    assert!(lab.run(&["stop"]).status.success());
    assert!(engine.wait().success());
    lab.audit();
}

#[test]
fn a_library_whose_constructor_does_any_of_it_is_refused_or_harmless_and_the_stream_goes_on() {
    let lab = Lab::with_settings(SETTINGS);
    install(&library(&[]), &installed(&lab));
    let engine = lab.start_engine();
    let mut number = 0;
    // The probe gives a library that does not come back twenty seconds.
    for (fault, word) in [
        ("segfault", Some("segmentation fault")),
        ("abort", Some("aborted")),
        ("exit", Some("ended the process by itself")),
        ("stack-overflow", Some("")),
        ("memory", Some("")),
        ("close-descriptors", Some("")),
        ("loop", Some("did not end within")),
        ("kill-parent", None),
        ("fork", None),
        ("socket", None),
        ("stderr-flood", None),
    ] {
        let constructor = format!("ferrule constructor:{fault:<28}");
        let bytes = library(&[("ferrule constructor:none                        ", &constructor)]);
        // It offers what `misbehaving.so` offers, and comes after it: only whether it is let in is of interest.
        let file = lab.workspace.join("plugins/other.so");
        install(&bytes, &file);
        drop_picture(&lab, number, 100);
        number += 1;
        let output = lab.run(&["plugin", "list", "--json"]);
        let listed = String::from_utf8_lossy(&output.stdout).into_owned();
        let refused: Vec<Value> = listed
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line["refused"]["path"].as_str().is_some_and(|path| path.ends_with("other.so")))
            .collect();
        match word {
            Some(word) => {
                let reason =
                    refused.first().unwrap_or_else(|| panic!("{fault} was let in: {listed}"))["refused"]["reason"]
                        .as_str()
                        .unwrap();
                assert!(reason.contains(word) && !reason.contains('\n'), "{fault}: {reason}");
            }
            None => assert!(refused.is_empty(), "{fault}: {listed}"),
        }
        lab.wait_done(u64::from(number));
        fs::remove_file(file).unwrap();
    }
    assert!(lab.run(&["stop"]).status.success());
    assert!(engine.wait().success());
    lab.audit();
}

/// A linker that works straight in `plugins/` truncates the library and writes it piece by piece, for as long as it takes.
#[test]
fn a_library_written_in_place_piece_by_piece_is_taken_once_it_is_whole_and_no_capture_waits_for_it() {
    const PIECES: usize = 12;
    let lab = Lab::with_settings(SETTINGS);
    install(&build('3'), &installed(&lab));
    let engine = lab.start_engine();
    drop_picture(&lab, 0, 100);
    lab.wait_done(1);

    let new = build('4');
    let mut file = fs::File::create(installed(&lab)).unwrap();
    for (number, piece) in (1..).zip(new.chunks(new.len().div_ceil(PIECES))) {
        file.write_all(piece).unwrap();
        // Time enough to be looked at, again and again.
        drop_picture(&lab, number, 100);
        lab.wait_done(u64::from(number) + 1);
    }
    let written = lab.query_count("SELECT count(*) FROM inspections");
    assert_eq!(written as usize, PIECES + 1);
    let other = "SELECT count(*) FROM inspection_defects WHERE box_height <> 3";
    assert_eq!(lab.query_count(other), 0, "the build before it judges as long as the file is not closed");
    drop(file);
    lab.wait_for("the new build in force", || {
        (lab.query_count("SELECT count(*) FROM swaps WHERE outcome = 'in force'") == 2).then_some(())
    });
    drop_picture(&lab, 99, 100);
    lab.wait_done(PIECES as u64 + 2);
    assert_eq!(lab.query_count("SELECT count(*) FROM inspection_defects WHERE box_height = 4"), 1);
    assert_eq!(lab.query_count("SELECT count(*) FROM inspections WHERE incomplete <> '[]' OR state <> 'done'"), 0);
    lab.audit();
    assert!(lab.run(&["stop"]).status.success());
    assert!(engine.wait().success());
}

#[test]
fn an_image_can_be_asked_which_builds_judged_it_and_which_judgement_stands() {
    let lab = Lab::with_settings(SETTINGS);
    install(&build('3'), &installed(&lab));
    let engine = lab.start_engine();
    drop_picture(&lab, 1, 100);
    lab.wait_done(1);
    install(&build('4'), &installed(&lab));
    lab.wait_for("the other build in force", || {
        (lab.query_count("SELECT count(*) FROM swaps WHERE outcome = 'in force'") == 2).then_some(())
    });
    let image: String = lab.database().query_row("SELECT image_id FROM images", [], |row| row.get(0)).unwrap();
    let mut client =
        ferrule_core::client::Client::connect(&ferrule_core::workspace::DatasetPaths::at(lab.dataset())).unwrap();
    let again = ferrule_core::protocol::Request::Reinspect { images: vec![image.parse().unwrap()] };
    client.ask(again, ferrule_tests::HANG).unwrap();
    lab.wait_for("the second inspection", || (lab.query_count("SELECT count(*) FROM inspections") == 2).then_some(()));
    assert!(lab.run(&["stop"]).status.success());
    assert!(engine.wait().success());

    let file = lab.captures().join("00001-100.png");
    for asked in [image.as_str(), "00001-100.png", file.to_str().unwrap()] {
        let output = lab.ferrule(&["history", "--json", asked]).arg(&lab.workspace).output().unwrap();
        let told: Vec<Value> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{asked}: {error}: {line}")))
            .collect();
        assert_eq!(told.len(), 2, "{asked}");
        let builds: Vec<&Value> = told.iter().map(|line| &line["inspection"]["judges"][1]["build"]).collect();
        assert_ne!(builds[0], builds[1]);
        let (newest, first) = (&told[0]["inspection"], &told[1]["inspection"]);
        assert_eq!((&newest["current"], &first["current"]), (&true.into(), &false.into()));
        assert_eq!((&newest["generation"], &first["generation"]), (&2.into(), &1.into()));
        assert_eq!(newest["judges"][1]["plugin"], "misbehaving-detect");
    }
    let output = lab.ferrule(&["history", "nothing.png"]).arg(&lab.workspace).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
}
