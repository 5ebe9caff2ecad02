//! From captures to a network that judges captures: trained, killed and gone on with, deployed, asked.

#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

mod faults;

use std::{
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
    time::Duration,
};

use ferrule_tests::{Lab, has_networks, terminal::Terminal, text};
use rusqlite::Connection;
use serde_json::Value;

/// Pictures of a dataset.
const PICTURES: u64 = 24;

/// A workspace with that many inspected captures and no engine. Of each class every so many are for validation.
fn divided(pictures: u64, every: u32) -> Lab {
    let lab = Lab::new();
    lab.simulate(&lab.captures(), pictures, "train-v1", 5);
    let engine = lab.start_engine();
    lab.wait_done(pictures);
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();
    let database = Connection::open(lab.dataset().join("index.sqlite")).unwrap();
    let sides = "UPDATE images SET side = s.side, split = s.side FROM (SELECT image_id, CASE WHEN
                   row_number() OVER (PARTITION BY has_defect ORDER BY image_id) % ?1 = 0 THEN 'val' ELSE 'train' END AS side
                 FROM images) s WHERE images.image_id = s.image_id";
    assert_eq!(database.execute(sides, [every]).unwrap(), pictures as usize);
    lab
}

/// `ferrule train` on the truth of the simulator, small enough for a test.
fn train(lab: &Lab, more: &[&str]) -> std::process::Command {
    let mut command = lab.ferrule(&["train", "--size", "48", "--batch", "6", "--set", "width=4", "--set", "threads=1"]);
    command.arg("--root").arg(&lab.workspace).arg("--truth").arg(lab.root().join("truth-5.json")).args(more);
    command
}

fn runs(lab: &Lab) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(lab.workspace.join("runs"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

#[test]
fn a_training_killed_within_an_epoch_goes_on_to_the_same_weights_and_its_model_is_put_to_work() {
    if !has_networks() {
        return;
    }
    let lab = divided(PICTURES, 4);
    let defects = ["--task", "defects", "--epochs", "3", "--json"];
    let whole = train(&lab, &defects).args(["--model", "whole"]).output().unwrap();
    assert!(whole.status.success(), "{}", text(&whole));
    let last = String::from_utf8_lossy(&whole.stdout).lines().last().map(str::to_owned).unwrap();
    let last: Value = serde_json::from_str(&last).unwrap();
    assert_eq!((&last["name"], &last["ended"]["state"]), (&"ended".into(), &"finished".into()), "{last}");

    let mut killed =
        train(&lab, &defects).args(["--model", "again"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(killed.stdout.take().unwrap()).lines();
    let second = lines.map_while(Result::ok).find(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        event["name"] == "batch" && event["epoch"] == 2
    });
    assert!(second.is_some(), "it ended before its second epoch");
    killed.kill().unwrap();
    killed.wait().unwrap();
    let listed = text(&lab.run(&["runs", "list"]));
    assert!(listed.contains("unet  interrupted; its process was ended; `ferrule train --resume`"), "{listed}");
    let resumed = lab.ferrule(&["train", "--resume", "last", "--root"]).arg(&lab.workspace).output().unwrap();
    assert!(resumed.status.success() && text(&resumed).contains("resumed after epoch 1"), "{}", text(&resumed));

    let names = runs(&lab);
    assert_eq!(names.len(), 2, "{names:?}");
    let file = |run: usize, name: &str| fs::read(lab.workspace.join("runs").join(&names[run]).join(name)).unwrap();
    for name in ["last.safetensors", "best.safetensors", "best.pt"] {
        assert!(file(0, name) == file(1, name), "{name} differs from an uninterrupted run's");
    }
    assert_eq!(lab.query_count("SELECT count(*) FROM epochs"), 6);
    assert_eq!(lab.query_count("SELECT count(*) FROM runs WHERE state = 'finished'"), 2);
    assert_eq!(lab.query_count("SELECT count(*) FROM models"), 2);
    let card = fs::read_to_string(lab.workspace.join("models/again.toml")).unwrap();
    assert!(["network = \"unet\"", "val_dice", "calibration_slope"].iter().all(|word| card.contains(word)), "{card}");

    let deployed =
        lab.ferrule(&["model", "deploy", "again", "--threshold", "0.001"]).arg(&lab.workspace).output().unwrap();
    assert!(deployed.status.success(), "{}", text(&deployed));
    let picture = ferrule_tests::files_below(&lab.captures()).into_iter().next().unwrap();
    let mut inspect = lab.ferrule(&["inspect", "--json", "--workspace"]);
    let inspected = inspect.arg(&lab.workspace).arg(picture).output().unwrap();
    let answer: Value = serde_json::from_slice(&inspected.stdout).unwrap();
    assert_eq!(answer["incomplete"], Value::Array(Vec::new()), "{answer}");
    let plugins = answer["defects"].to_string();
    assert!(plugins.contains("detect-torch"), "a network that calls everything a defect found none: {answer}");
}

#[test]
fn an_engine_trains_for_a_client_that_leaves_and_stores_every_epoch() {
    if !has_networks() {
        return;
    }
    let lab = divided(PICTURES, 4);
    let engine = lab.start_engine();
    // Plug-ins are looked at after the socket is there.
    let mut client = lab.wait_for("a training begins", || {
        let mut client = train(&lab, &["--epochs", "2"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(client.stdout.take().unwrap()).read_line(&mut first).unwrap();
        if first.starts_with("run ") {
            return Some(client);
        }
        client.wait().unwrap();
        None
    });
    client.kill().unwrap();
    client.wait().unwrap();
    lab.wait_for("the run is finished without its client", || {
        (lab.query_count("SELECT count(*) FROM runs WHERE state = 'finished'") == 1).then_some(())
    });
    assert_eq!(lab.query_count("SELECT count(*) FROM epochs"), 2);
    assert!(lab.workspace.join("models/baseline_cnn.pt").exists());

    // Put to work, its word is the label of what comes next, and says that it is.
    let deploy =
        lab.ferrule(&["model", "deploy", "baseline_cnn", "--threshold", "0.000001"]).arg(&lab.workspace).output();
    let deploy = deploy.unwrap();
    assert!(deploy.status.success(), "{}", text(&deploy));
    let other = lab.root().join("other");
    lab.simulate(&other, 1, "train-v1", 77);
    let picture = ferrule_tests::files_below(&other).into_iter().next().unwrap();
    fs::copy(picture, lab.captures().join("next.png")).unwrap();
    let by_network = "SELECT count(*) FROM images WHERE has_defect = 1 AND has_defect_by LIKE 'classify-torch %'";
    lab.wait_for("the network's word", || (lab.query_count(by_network) == 1).then_some(()));

    // Another client steers it.
    let endless = ["--epochs", "9999", "--json"];
    let mut long = train(&lab, &endless).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(long.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut until = |name: &str| {
        let told = |line: &String| serde_json::from_str::<Value>(line).unwrap()["name"] == name;
        assert!(lines.by_ref().any(|line| told(&line)), "it ended before it told of `{name}`");
    };
    let steer = |how: &str| {
        let output = train(&lab, &["--steer", how]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
    };
    until("epoch");
    steer("pause");
    until("paused");
    let epochs = || lab.query_count("SELECT count(*) FROM epochs");
    let before = epochs();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(epochs(), before, "it learned while it was to wait");
    steer("go-on");
    until("epoch");
    steer("stop-after-epoch");
    assert!(lines.last().is_some());
    assert!(long.wait().unwrap().success());
    let waited = "SELECT count(*) FROM epochs WHERE figures ->> 'paused_seconds' >= 1";
    assert_eq!(lab.query_count(waited), 1, "the pause is told apart from the learning");
    assert_eq!(lab.query_count("SELECT count(*) FROM runs WHERE state = 'stopped'"), 1);
    let output = train(&lab, &["--steer", "stop-now"]).output().unwrap();
    assert!(text(&output).contains("nothing is being trained"), "{}", text(&output));
    let output = train(&lab, &["--set", "optimizer=best"]).output().unwrap();
    assert!(text(&output).contains("expected one of adam, adamw, sgd"), "{}", text(&output));
    assert_eq!(output.status.code(), Some(2), "wrong usage is that, whoever says so");
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();
}

#[test]
fn what_nothing_can_be_learned_from_is_refused_in_one_line() {
    if !has_networks() {
        return;
    }
    let lab = divided(PICTURES, 4);
    let refused = |sql: &str, more: &[&str]| {
        let database = Connection::open(lab.dataset().join("index.sqlite")).unwrap();
        database.execute(sql, []).unwrap();
        drop(database);
        let output = train(&lab, more).args(["--epochs", "1"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        assert_eq!(said.lines().count(), 1, "{said}");
        said
    };
    let nothing = "UPDATE images SET split = split";
    let unknown = train(&lab, &["--set", "optimizer=best"]).output().unwrap();
    assert!(text(&unknown).contains("expected one of adam, adamw, sgd"), "{}", text(&unknown));
    assert!(refused(nothing, &["--task", "defects", "--arch", "simple"]).contains("take `resnet` or `unet`"));
    assert!(refused("UPDATE images SET split = 'train'", &[]).contains("val: no labelled picture has this split"));
    // A network does not learn from a network's labels unless it is told to.
    let by_model =
        "UPDATE images SET split = CASE WHEN rowid % 3 = 0 THEN 'val' ELSE 'train' END, has_defect = rowid % 2,
         has_defect_found = rowid % 2, has_defect_by = 'judge 1.0.0'";
    let database = Connection::open(lab.dataset().join("index.sqlite")).unwrap();
    database.execute(by_model, []).unwrap();
    drop(database);
    let plain = |more: &[&str]| {
        let mut command =
            lab.ferrule(&["train", "--size", "48", "--epochs", "1", "--set", "width=4", "--set", "threads=1"]);
        command.arg("--root").arg(&lab.workspace).args(more).output().unwrap()
    };
    let output = plain(&[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("no labelled picture has this split"), "{}", text(&output));
    let output = plain(&["--model-labels"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(runs(&lab).iter().all(|run| lab.workspace.join("runs").join(run).join("journal.jsonl").exists()));
}

/// Fields of the form of a new training, as they stand below each other.
const SIZE: usize = 3;
const TRUTH: usize = 9;
const WIDTH: usize = 11;
const EPOCHS: usize = 12;
const BATCH: usize = 13;
const THREADS: usize = 25;

/// Opens the form and types a training that is small enough for a test.
fn fill_form(terminal: &mut Terminal, lab: &Lab, epochs: &str) {
    terminal.press("5");
    terminal.wait_for("begins a training");
    terminal.press("n");
    terminal.wait_for("Learns from");
    let truth = lab.root().join("truth-5.json").display().to_string();
    let mut at = 0;
    let fields = [(SIZE, "48"), (TRUTH, &truth), (WIDTH, "4"), (EPOCHS, epochs), (BATCH, "6"), (THREADS, "1")];
    for (field, value) in fields {
        let down = "\x1b[B".repeat(field - at);
        terminal.press(&format!("{down}\x15{value}"));
        at = field;
    }
    terminal.wait_for(&format!("{} of", THREADS + 1));
    terminal.wait_for("defect ");
}

fn workbench(lab: &Lab) -> Terminal {
    let runtime = lab.runtime();
    let terminal = Terminal::open(lab, 40, 120, &[("XDG_RUNTIME_DIR", runtime.to_str().unwrap())]);
    terminal.wait_for("engine running");
    terminal
}

#[test]
fn a_network_is_trained_and_put_to_work_from_the_screen() {
    if !has_networks() {
        return;
    }
    let lab = divided(PICTURES, 4);
    let mut terminal = workbench(&lab);
    fill_form(&mut terminal, &lab, "2");
    terminal.press("\r");
    terminal.wait_for("finished");
    assert_eq!(lab.query_count("SELECT count(*) FROM epochs"), 2);
    terminal.wait_for("best epoch");
    // Its samples can be looked at, as the network saw them.
    terminal.press("v");
    terminal.wait_for(", said ");
    assert!(!terminal.screen().contains("no longer kept"), "{}", terminal.screen());
    terminal.press("d");
    terminal.wait_for("Put model baseline_cnn to work?");
    terminal.press("y");
    terminal.wait_for("is in force");
    let configuration = fs::read_to_string(lab.workspace.join("ferrule.toml")).unwrap();
    assert!(configuration.contains("models/baseline_cnn.safetensors"), "{configuration}");
    let plugins = lab.status().unwrap()["plugins"].to_string();
    assert!(plugins.contains("classify-torch"), "{plugins}");

    // A later training takes the model's name; this one is put to work all the same, under the run's.
    let first = runs(&lab).remove(0);
    let later = train(&lab, &["--task", "classify", "--epochs", "1"]).output().unwrap();
    assert!(later.status.success(), "{}", text(&later));
    assert_eq!(lab.query_count("SELECT count(*) FROM models WHERE model_id = 'baseline_cnn'"), 1);
    lab.wait_for("the run that has no model any more is chosen", || {
        terminal.press("\x1b[B");
        terminal.press("d");
        terminal.wait_for("Put model ");
        let chosen = terminal.screen().contains(&format!("Put model {first} to work?"));
        terminal.press(if chosen { "y" } else { "n" });
        chosen.then_some(())
    });
    let weights = format!("models/{first}.safetensors");
    lab.wait_for("it is in force", || {
        fs::read_to_string(lab.workspace.join("ferrule.toml")).ok()?.contains(&weights).then_some(())
    });
    let deployed = lab.ferrule(&["model", "deploy", &first]).arg(&lab.workspace).output().unwrap();
    assert!(deployed.status.success() && text(&deployed).contains(&first), "{}", text(&deployed));
    // A note, then the runs go and their models stay.
    terminal.press("Nfrom the screen\r");
    let noted = "SELECT count(*) FROM runs WHERE notes = 'from the screen'";
    lab.wait_for("the note is stored", || (lab.query_count(noted) == 1).then_some(()));
    terminal.press("Dy");
    let shown = |terminal: &Terminal| terminal.screen().matches("✓ finished").count();
    lab.wait_for("the run is gone", || (shown(&terminal) == 1).then_some(()));
    terminal.press("Dy");
    terminal.wait_for("Nothing has been trained here yet");
    let kept = ["baseline_cnn", &first].map(|name| lab.workspace.join(format!("models/{name}.pt")));
    assert!(runs(&lab).is_empty() && kept.iter().all(|model| model.exists()), "{kept:?}");
}

#[test]
fn a_training_is_found_again_after_its_terminal_was_lost() {
    if !has_networks() {
        return;
    }
    let lab = divided(PICTURES, 4);
    let mut terminal = workbench(&lab);
    fill_form(&mut terminal, &lab, "9999");
    terminal.press("\r");
    // The first epoch is in the list of runs; which one is under way changes faster than a screen does.
    terminal.wait_for(" of 9999");
    terminal.hang_up();
    terminal.wait_end();
    // The run as it is, and its curves from the first epoch on.
    let mut again = workbench(&lab);
    again.press("5");
    again.wait_for("/9999");
    again.wait_for("goes on");
    again.wait_for("loss: t train, v val");
    again.press("p");
    again.wait_for("paused");
    again.hang_up();
    again.wait_end();
    // Nothing happens any more, and it is still told where.
    let mut again = workbench(&lab);
    again.press("5");
    again.wait_for("paused: p goes on");
    again.wait_for("  batch ");
    again.press("p");
    again.wait_for("goes on");
    again.press("e");
    again.wait_for("stopped");
    assert_eq!(lab.query_count("SELECT count(*) FROM runs WHERE state = 'stopped'"), 1);
}
