//! A directory receives captures; results land in the database and on disk.

use std::fs;

use ferrule_tests::{HANG, Lab, files_below, text};
use serde_json::Value;

#[test]
fn captures_become_rows_and_artefacts_and_clean_ones_have_no_defects() {
    let lab = Lab::new();
    let engine = lab.start_engine();
    lab.simulate(&lab.captures(), 12, "demo-v1", 7);
    lab.wait_done(12);
    let status = lab.status().unwrap();
    assert_eq!((&status["counts"]["done"], &status["counts"]["failed"]), (&12.into(), &0.into()), "{status:#}");

    assert_eq!(lab.query_count("SELECT count(*) FROM images WHERE centre_x IS NOT NULL AND clad_r > 0"), 12);
    for region in ["core", "cladding", "ferrule"] {
        let rows =
            format!("SELECT count(*) FROM region_intensity WHERE region = '{region}' AND mean BETWEEN 0 AND 255");
        assert!(lab.query_count(&rows) >= 10, "{region} has {} rows", lab.query_count(&rows));
    }
    assert_eq!(lab.query_count("SELECT count(*) FROM region_trend WHERE region = 'cladding' AND pixel_count > 0"), 12);

    // The simulator's own truth says which pictures are clean.
    let truth: Value = serde_json::from_slice(&fs::read(lab.root().join("truth-7.json")).unwrap()).unwrap();
    let (mut found_on_clean, mut missed) = (Vec::new(), Vec::new());
    for image in truth["images"].as_array().unwrap() {
        let name = image["file_name"].as_str().unwrap();
        let sql = format!(
            "SELECT count(*) FROM defects JOIN images USING (image_id) WHERE filename = '{name}' AND confidence >= 0.5"
        );
        match (image["label"].as_str().unwrap(), lab.query_count(&sql)) {
            ("clean", 1..) => found_on_clean.push(name.to_owned()),
            ("defect", 0) => missed.push(name.to_owned()),
            _ => {}
        }
    }
    assert_eq!(found_on_clean, Vec::<String>::new(), "defects where the simulator drew none");
    assert!(missed.len() <= 2, "nothing found on {missed:?}");

    let masks = files_below(&lab.dataset().join("masks")).len();
    assert!(masks >= 24, "at least cladding and ferrule of each: {masks}");
    assert_eq!(files_below(&lab.dataset().join("images")).len(), 12);
    lab.audit();

    assert!(lab.run(&["stop"]).status.success());
    assert!(engine.wait().success());
    lab.audit();
}

#[test]
fn a_burst_of_five_thousand_files_is_taken_without_losing_one() {
    // `FERRULE_BURST=20000` for a larger one.
    let burst = std::env::var("FERRULE_BURST").ok().map_or(5000, |text| text.parse::<u64>().unwrap());
    let lab = Lab::new();
    let apart = lab.root().join("burst");
    lab.simulate(&apart, burst, "burst-v1", 11);
    let _engine = lab.start_engine();
    for entry in fs::read_dir(&apart).unwrap() {
        let entry = entry.unwrap();
        fs::rename(entry.path(), lab.captures().join(entry.file_name())).unwrap();
    }
    lab.wait_while_it_moves("every capture accounted for", burst, |status| {
        let count = |state: &str| status["counts"][state].as_u64().unwrap_or(0);
        // A sum that is ever wrong is a defect, not something to wait for.
        let states = ["settling", "queued", "running", "done", "duplicate", "failed", "ignored", "replaced"];
        assert_eq!(count("seen"), states.iter().map(|state| count(state)).sum::<u64>());
        count("done") + count("failed") + count("duplicate")
    });
    assert_eq!(lab.count("failed"), 0);
    assert_eq!(lab.query_count("SELECT count(*) FROM captures WHERE state = 'done'").unsigned_abs(), burst);
    lab.audit();
}

#[test]
fn the_same_content_twice_is_a_duplicate_and_a_rewritten_file_replaces_its_former_version() {
    let lab = Lab::new();
    let apart = lab.root().join("apart");
    lab.simulate(&apart, 2, "burst-v1", 3);
    let mut files = files_below(&apart);
    files.sort();
    let _engine = lab.start_engine();
    fs::copy(&files[0], lab.captures().join("a.png")).unwrap();
    lab.wait_done(1);
    fs::copy(&files[0], lab.captures().join("b.png")).unwrap();
    lab.wait_for("a duplicate", || (lab.count("duplicate") == 1).then_some(()));
    fs::copy(&files[1], lab.captures().join("a.png")).unwrap();
    lab.wait_for("the new version done and the old one replaced", || {
        let status = lab.status()?;
        (status["counts"]["replaced"] == 1
            && status["counts"]["done"].as_u64()? >= 1
            && status["counts"]["queued"] == 0
            && status["counts"]["running"] == 0)
            .then_some(())
    });
    lab.audit();
}

#[test]
fn a_changed_configuration_is_taken_up_and_a_bad_one_leaves_the_last_good_one_in_force() {
    let lab = Lab::new();
    let second = lab.root().join("second microscope");
    fs::create_dir(&second).unwrap();
    let _engine = lab.start_engine();
    let path = lab.workspace.join("ferrule.toml");
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{good}\n[screen]\ntheme = 7\n")).unwrap();
    // The engine goes on and says what is wrong, and a client reaches it while the file is bad.
    let line = lab.wait_for("the mistake is reported", || {
        let status = lab.status()?;
        let problems = status["problems"].as_array()?;
        problems.iter().filter_map(Value::as_str).find(|problem| problem.contains("theme")).map(str::to_owned)
    });
    assert!(line.contains("ferrule.toml:"), "names file and line: {line}");
    let told = lab.run(&["status"]);
    assert!(told.status.success());
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("theme") && told.contains("last good settings"), "{told}");
    // Not even TOML.
    fs::write(&path, "[[[").unwrap();
    lab.wait_for("the other mistake is reported", || {
        let problems = lab.status()?["problems"].to_string();
        (!problems.contains("theme") && problems.contains("ferrule.toml:1")).then_some(())
    });
    let more = format!("{good}\n[[capture]]\nname = \"second\"\npath = {:?}\n", second.to_str().unwrap());
    fs::write(&path, more).unwrap();
    lab.simulate(&second, 3, "burst-v1", 5);
    lab.wait_done(3);
    assert_eq!(lab.status().unwrap()["problems"], Value::Array(Vec::new()));
}

#[test]
fn events_are_one_json_object_a_line_and_come_after_the_commit() {
    use std::io::{BufRead, BufReader};
    let lab = Lab::new();
    let _engine = lab.start_engine();
    let mut events = lab.ferrule(&["events", "--json"]);
    let mut child = events.arg(&lab.workspace).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let (sender, lines) = std::sync::mpsc::channel();
    let reader = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in reader.lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    // Subscribed once the first line (the status to start from) is there.
    let first = lines.recv_timeout(HANG).unwrap();
    assert!(serde_json::from_str::<Value>(&first).is_ok(), "{first}");
    lab.simulate(&lab.captures(), 1, "burst-v1", 2);
    let done = loop {
        let event: Value = serde_json::from_str(&lines.recv_timeout(HANG).unwrap()).unwrap();
        if event["state"] == "done" {
            break event;
        }
    };
    let sql = format!("SELECT count(*) FROM captures WHERE state = 'done' AND capture_id = {}", done["capture"]);
    assert_eq!(lab.query_count(&sql), 1);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn segmenters_that_are_to_agree_leave_figures_of_agreement_in_the_database_and_in_json() {
    let lab = Lab::with_settings("[pipeline]\nconsensus = \"agree\"\n");
    let _engine = lab.start_engine();
    lab.simulate(&lab.captures(), 3, "burst-v1", 33);
    lab.wait_done(3);
    for (name, range) in
        [("cladding_agreement_px", "0 AND 2"), ("cladding_iou", "0.95 AND 1"), ("cladding_seen_by", "2 AND 2")]
    {
        let rows = format!(
            "SELECT count(*) FROM features WHERE region = 'image' AND name = '{name}' AND value BETWEEN {range}"
        );
        assert_eq!(lab.query_count(&rows), 3, "{name}");
    }
    let files = files_below(&lab.captures());
    let output = lab.ferrule(&["inspect", "--json", "--workspace"]).arg(&lab.workspace).args(&files).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    for line in output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let answer: Value = serde_json::from_slice(line).unwrap();
        let features = answer["features"].as_array().unwrap();
        assert!(features.iter().any(|feature| feature["name"] == "cladding_agreement_px"), "{features:#?}");
        assert!(answer["zones"]["cladding"]["confidence"].as_f64().unwrap() > 0.9);
    }
}

#[test]
fn watching_plainly_prints_one_line_a_capture_that_is_through() {
    use std::io::{BufRead, BufReader};
    let lab = Lab::new();
    let _engine = lab.start_engine();
    let mut watch = lab.ferrule(&["watch", "--plain"]);
    let mut child = watch.arg(&lab.workspace).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    // How things stand; from then on it hears of every capture.
    assert!(lines.next().unwrap().contains("none seen"));
    lab.simulate(&lab.captures(), 2, "burst-v1", 8);
    let two: Vec<String> = lines.by_ref().take(2).collect();
    assert!(two.iter().all(|line| line.starts_with("done ") && line.contains(".png")), "{two:?}");
    assert_ne!(two[0], two[1]);
    child.kill().unwrap();
    child.wait().unwrap();
}
