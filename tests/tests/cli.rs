//! The command line through the real binary: what it makes, what it prints where, and how it ends.

#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::{Output, Stdio},
};

use ferrule_tests::{Lab, text};
use serde_json::Value;

/// Status, and both outputs as text.
fn ended(output: &Output) -> (i32, String, String) {
    let words = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), words(&output.stdout), words(&output.stderr))
}

#[test]
fn init_makes_a_workspace_and_leaves_what_is_there() {
    let lab = Lab::new();
    let file = lab.workspace.join("ferrule.toml");
    for folder in ["captures", "plugins"] {
        let mode = fs::metadata(lab.workspace.join(folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755, "{folder}");
    }
    let mine = fs::read_to_string(&file).unwrap() + "\n[log]\nlevel = \"debug\"\n";
    fs::write(&file, &mine).unwrap();
    fs::remove_dir(lab.captures()).unwrap();
    let output = lab.run(&["init"]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(fs::read_to_string(&file).unwrap(), mine, "a person's file is never written over");
    assert!(lab.captures().is_dir(), "what is missing is made again");
}

#[test]
fn init_refuses_a_place_that_cannot_be_one() {
    let lab = Lab::new();
    let in_the_way = lab.root().join("a-file");
    fs::write(&in_the_way, "").unwrap();
    // Not even root can make a folder in the second.
    for place in [in_the_way.join("bench").as_path(), Path::new("/proc/bench")] {
        let (status, out, err) = ended(&lab.ferrule(&["init"]).arg(place).output().unwrap());
        assert_eq!((status, out.as_str()), (2, ""), "{err}");
        assert!(err.starts_with("ferrule: ") && err.lines().count() == 2, "a message and a hint: {err}");
    }
    assert!(!in_the_way.is_dir());
}

#[test]
fn a_folder_that_is_no_workspace_ends_with_status_2_and_says_how_to_make_one() {
    let lab = Lab::new();
    for command in ["status", "stop", "events", "watch", "engine"] {
        let (status, out, err) = ended(&lab.ferrule(&[command]).arg(lab.root()).output().unwrap());
        assert_eq!((status, out.as_str()), (2, ""), "{command}: {err}");
        assert!(err.contains("is no workspace") && err.contains("ferrule init"), "{command}: {err}");
    }
}

#[test]
fn the_nearest_parent_with_a_configuration_is_the_workspace() {
    let lab = Lab::new();
    let deep = lab.workspace.join("captures/2026/job 7");
    fs::create_dir_all(&deep).unwrap();
    let (status, out, err) = ended(&lab.ferrule(&["config", "show"]).current_dir(&deep).output().unwrap());
    assert_eq!(status, 0, "{err}");
    assert!(out.contains(&format!("{}/ferrule.toml:", lab.workspace.display())), "{out}");
}

#[test]
fn a_mistake_in_the_configuration_is_one_line_with_its_place_and_status_2() {
    let lab = Lab::with_settings("[intake]\nsetle_ms = 100");
    let line = fs::read_to_string(lab.workspace.join("ferrule.toml")).unwrap().lines().count();
    let place = format!("{}/ferrule.toml:{line}: intake.setle_ms: ", lab.workspace.display());
    for command in [&["config", "show"][..], &["status"], &["engine"]] {
        let (status, out, err) = ended(&lab.run(command));
        assert_eq!((status, out.as_str()), (2, ""), "{command:?}: {err}");
        assert!(err.contains(&place) && err.contains("did you mean intake.settle_ms?"), "{command:?}: {err}");
    }
}

#[test]
fn without_an_engine_whoever_needs_one_ends_with_status_3() {
    let lab = Lab::new();
    for command in [&["status"][..], &["status", "--json"], &["stop"], &["events"], &["watch"]] {
        let (status, out, err) = ended(&lab.run(command));
        assert_eq!((status, out.as_str()), (3, ""), "{command:?}: {err}");
        assert!(err.contains("no engine runs for"), "{command:?}: {err}");
    }
}

#[test]
fn wrong_usage_ends_with_status_2() {
    let lab = Lab::new();
    for arguments in [&["status", "--colour"][..], &["simulate"], &["completions", "tcl"], &["config"]] {
        let (status, out, _) = ended(&lab.ferrule(arguments).output().unwrap());
        assert_eq!((status, out.as_str()), (2, ""), "{arguments:?}");
    }
}

#[test]
fn an_engine_answers_refuses_a_second_one_and_ends_when_told() {
    let lab = Lab::new();
    let engine = lab.start_engine();
    let status = lab.status().unwrap();
    assert_eq!(status["pid"], engine.pid());
    assert_eq!(status["counts"]["seen"], 0);
    let (code, _, err) = ended(&lab.run(&["engine"]));
    assert_eq!(code, 2, "{err}");
    assert!(err.contains(&format!("pid {}", engine.pid())), "{err}");
    let (code, out, err) = ended(&lab.run(&["stop", "--json"]));
    assert_eq!(code, 0, "{err}");
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["stopped"], true);
    assert!(engine.wait().success());
    assert!(lab.status().is_none());
}

#[test]
fn events_begin_with_the_status_and_end_with_the_engine() {
    let lab = Lab::new();
    let engine = lab.start_engine();
    let mut listener = lab.ferrule(&["events", "--json"]).arg(&lab.workspace).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(listener.stdout.take().unwrap()).lines();
    let mut next = || -> Option<Value> { Some(serde_json::from_str(&lines.next()?.unwrap()).unwrap()) };
    assert_eq!(next().unwrap()["type"], "status");
    lab.simulate(&lab.captures(), 3, "burst-v1", 1);
    let mut done = 0;
    while done < 3 {
        let event = next().expect("captures are told before the engine ends");
        done += usize::from(event["type"] == "capture" && event["state"] == "done");
    }
    assert!(lab.run(&["stop"]).status.success());
    let last = std::iter::from_fn(&mut next).last();
    assert_eq!(last.unwrap()["type"], "stopping");
    assert!(listener.wait().unwrap().success());
    assert!(engine.wait().success());
}

#[test]
fn watch_until_idle_ends_when_everything_is_done() {
    let lab = Lab::new();
    lab.simulate(&lab.captures(), 4, "burst-v1", 2);
    let _engine = lab.start_engine();
    lab.wait_for("the captures are seen", || (lab.status()?["counts"]["seen"] == 4).then_some(()));
    let (code, out, err) = ended(&lab.run(&["watch", "--until-idle", "--json"]));
    assert_eq!(code, 0, "{err}");
    let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(last["counts"]["done"], 4);
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let lab = Lab::new();
    let mut child =
        lab.ferrule(&["config", "show", "--defaults"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(said, "");
}

#[test]
fn simulate_gives_the_same_pictures_from_the_same_seed() {
    let lab = Lab::new();
    let (left, right) = (lab.root().join("left"), lab.root().join("right"));
    for out in [&left, &right] {
        let output =
            lab.ferrule(&["simulate", "--count", "3", "--preset", "burst-v1", "--out"]).arg(out).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        assert!(out.with_extension("truth.json").is_file(), "the truth lies beside the folder");
    }
    let mut names: Vec<_> = fs::read_dir(&left).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names.len(), 3);
    for name in names {
        assert_eq!(fs::read(left.join(&name)).unwrap(), fs::read(right.join(&name)).unwrap(), "{}", name.display());
    }
}

#[test]
fn plugins_are_listed_with_their_builds_and_refused_ones_with_the_reason() {
    let lab = Lab::new();
    let broken = lab.workspace.join("plugins/broken.so");
    fs::write(&broken, "no library").unwrap();
    let (code, out, err) = ended(&lab.run(&["plugin", "list", "--json"]));
    assert_eq!(code, 0, "{err}");
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let used = |id: &str| lines.iter().any(|line| line["plugin"]["card"]["id"] == id && line["used"] == true);
    for id in
        ["segment-endface", "segment-integral", "detect-region", "detect-scratch", "measure-intensity", "measure-trend"]
    {
        assert!(used(id), "{id} in {out}");
    }
    let refused = lines.iter().find(|line| line["refused"]["path"] == broken.to_str().unwrap());
    assert!(refused.is_some_and(|line| !line["refused"]["reason"].as_str().unwrap().is_empty()), "{out}");
}

#[test]
fn doctor_tells_what_is_in_force_and_ends_with_status_1_when_something_is_wrong() {
    let lab = Lab::new();
    let doctor = || {
        let (code, out, err) = ended(&lab.run(&["doctor", "--json"]));
        let findings: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (code, findings, err)
    };
    let (code, findings, err) = doctor();
    assert_eq!(code, 0, "{findings:#?} {err}");
    for area in
        ["ferrule", "terminal", "kernel", "sandbox", "session", "training", "workspace", "plug-ins", "disk", "database"]
    {
        assert!(findings.iter().any(|finding| finding["area"] == area), "{area} in {findings:#?}");
    }
    fs::remove_dir(lab.captures()).unwrap();
    let (code, findings, _) = doctor();
    assert_eq!(code, 1);
    let problems: Vec<_> = findings.iter().filter(|finding| finding["state"] == "problem").collect();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0]["remedy"].is_string());
}

#[test]
fn the_log_and_the_socket_are_the_owners_alone() {
    let lab = Lab::new();
    let _engine = lab.start_engine();
    let lock: Value = serde_json::from_str(&fs::read_to_string(lab.dataset().join("engine.lock")).unwrap()).unwrap();
    let socket = Path::new(lock["socket"].as_str().unwrap());
    assert!(socket.starts_with(lab.runtime()), "{}", socket.display());
    assert_eq!(fs::metadata(socket).unwrap().mode() & 0o077, 0);
    assert_eq!(fs::metadata(socket.parent().unwrap()).unwrap().mode() & 0o077, 0);
    assert!(lab.workspace.join(".ferrule/engine.log").is_file());
}
