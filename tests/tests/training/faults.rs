//! Trainings that go wrong: a loss that is no number, no room for a checkpoint, samples that changed, pictures and feeds
//! that are broken, models of another network. One line each, and nothing that was learned is lost.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use ferrule_tests::{Lab, files_below, has_networks, text};
use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{divided, train};

const PICTURES: u64 = 12;

fn change(lab: &Lab, sql: &str) {
    let database = Connection::open(lab.dataset().join("index.sqlite")).unwrap();
    assert!(database.execute(sql, []).unwrap() > 0);
}

fn resume(lab: &Lab) -> Command {
    let mut command = lab.ferrule(&["train", "--resume", "last", "--root"]);
    command.arg(&lab.workspace);
    command
}

/// Its last word: one line, which names what to do.
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", text(output));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = said.trim().lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("ferrule: "), "{said}");
    last
}

/// Trains until the first epoch is over and stops it there, as Ctrl-C does.
fn stopped_after_an_epoch(lab: &Lab, more: &[&str]) {
    let mut training = train(lab, more).arg("--json").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(training.stdout.take().unwrap()).lines().map_while(Result::ok);
    let epoch = lines.find(|line| serde_json::from_str::<Value>(line).unwrap()["name"] == "epoch");
    assert!(epoch.is_some(), "it ended before its first epoch");
    let _ = kill_process(Pid::from_child(&training), Signal::INT);
    assert!(lines.last().is_some());
    training.wait().unwrap();
    assert_eq!(lab.query_count("SELECT count(*) FROM runs WHERE state = 'stopped'"), 1);
}

fn feed(lab: &Lab) -> PathBuf {
    let mut feeds = files_below(&lab.workspace.join("runs/.feeds"));
    feeds.retain(|path| path.extension().is_some_and(|extension| extension == "feed"));
    assert_eq!(feeds.len(), 1, "{feeds:?}");
    feeds.remove(0)
}

#[test]
fn who_comes_beside_a_training_is_told_of_that_training() {
    if !has_networks() {
        return;
    }
    let lab = divided(PICTURES, 4);
    let mut endless = train(&lab, &["--epochs", "9999"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // Held: a training whose reader has gone ends.
    let mut lines = BufReader::new(endless.stdout.take().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    assert!(first.starts_with("run "), "{first}");
    let output = train(&lab, &["--epochs", "1"]).output().unwrap();
    endless.kill().unwrap();
    endless.wait().unwrap();
    let said = text(&output);
    assert!(!output.status.success() && said.contains(&format!("another command (pid {})", endless.id())), "{said}");
}

#[test]
fn a_loss_that_is_no_number_names_the_batch_and_what_to_change() {
    if !has_networks() {
        return;
    }
    let lab = divided(PICTURES, 3);
    let output = train(&lab, &["--epochs", "1", "--model", "sound"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    // Weights as they are once a training has run wild.
    let mut bytes = fs::read(lab.workspace.join("models/sound.safetensors")).unwrap();
    let numbers = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    bytes[numbers..].as_chunks_mut::<4>().0.iter_mut().for_each(|number| *number = 3e38_f32.to_le_bytes());
    let wild = lab.root().join("wild.safetensors");
    fs::write(&wild, bytes).unwrap();
    let said = refused(&train(&lab, &["--epochs", "2", "--weights"]).arg(&wild).output().unwrap());
    assert!(said.contains("the loss is no number any more in epoch 1") && said.contains("lower `--lr`"), "{said}");
    let image = said.split("(images ").nth(1).and_then(|rest| rest.split([',', ' ', ')']).next()).unwrap();
    assert_eq!(lab.query_count(&format!("SELECT count(*) FROM images WHERE image_id = '{image}'")), 1, "{said}");
    let kept = "SELECT count(*) FROM runs WHERE state = 'failed' AND message LIKE '%no number%'";
    assert_eq!(lab.query_count(kept), 1);
}

#[test]
fn more_pixels_than_fit_into_memory_are_refused_with_what_to_make_smaller() {
    if !has_networks() {
        return;
    }
    let lab = divided(PICTURES, 3);
    // One layer's answers alone would be a hundred gigabytes.
    let mut huge = lab.ferrule(&["train", "--size", "4096", "--batch", "6", "--set", "width=256", "--root"]);
    huge.arg(&lab.workspace).arg("--truth").arg(lab.root().join("truth-5.json"));
    let said = refused(&huge.output().unwrap());
    assert!(said.contains("out of memory at 6 pictures a batch") && said.contains("--batch 3"), "{said}");
    assert_eq!(lab.query_count("SELECT count(*) FROM runs WHERE state = 'failed'"), 1);
}

#[test]
fn without_room_for_a_checkpoint_a_training_stands_at_the_one_before_and_goes_on_with_room() {
    if !has_networks() {
        return;
    }
    let lab = divided(PICTURES, 3);
    let unet = ["--task", "defects", "--epochs", "25", "--model", "room", "--set", "width=12"];
    stopped_after_an_epoch(&lab, &unet);
    let epochs = lab.query_count("SELECT count(*) FROM epochs");
    // Files may not grow past what the dataset's take, and a checkpoint is larger.
    let last = files_below(&lab.workspace.join("runs")).into_iter().find(|path| path.ends_with("last.safetensors"));
    let largest = fs::metadata(last.unwrap()).unwrap().len() / 2;
    let whole = resume(&lab);
    let limited = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", largest / 1024);
    let mut command = Command::new("bash");
    command.arg("-c").arg(limited).arg(whole.get_program()).args(whole.get_args());
    for (name, value) in whole.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let said = refused(&command.output().unwrap());
    assert!(said.contains("last.safetensors") && said.contains("make room, then `ferrule train --resume`"), "{said}");
    let output = resume(&lab).output().unwrap();
    let resumed = format!("resumed after epoch {epochs}");
    assert!(output.status.success() && text(&output).contains(&resumed), "{}", text(&output));
    assert_eq!(lab.query_count("SELECT count(*) FROM epochs"), 25);
}

#[test]
fn samples_that_changed_since_are_not_gone_on_with_and_a_damaged_feed_is_made_again() {
    if !has_networks() {
        return;
    }
    let lab = divided(PICTURES, 3);
    stopped_after_an_epoch(&lab, &["--epochs", "60"]);
    let path = feed(&lab);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(&path, bytes).unwrap();
    change(
        &lab,
        "UPDATE images SET split = 'val' WHERE image_id = (SELECT min(image_id) FROM images WHERE split = 'train')",
    );
    let said = refused(&resume(&lab).output().unwrap());
    assert!(said.contains("other settings or other samples") && said.contains("begin a new run"), "{said}");
    change(&lab, "UPDATE images SET split = side");
    let output = resume(&lab).output().unwrap();
    assert!(output.status.success() && text(&output).contains("resumed after epoch"), "{}", text(&output));
}

#[test]
fn a_broken_picture_is_named_and_left_out() {
    if !has_networks() {
        return;
    }
    let lab = divided(PICTURES, 3);
    let database = Connection::open(lab.dataset().join("index.sqlite")).unwrap();
    let of_train = "SELECT filename FROM images WHERE split = 'train' ORDER BY filename LIMIT 1";
    let name: String = database.query_row(of_train, [], |row| row.get(0)).unwrap();
    drop(database);
    let path = lab.dataset().join("images").join(&name);
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"no picture any more").unwrap();
    let output = train(&lab, &["--epochs", "1"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.lines().any(|line| line.contains(&name) && line.contains("left out")), "{said}");
    // The next run finds the feed, and tells it again.
    let output = train(&lab, &["--epochs", "1"]).output().unwrap();
    assert!(text(&output).contains("1 picture is left out"), "{}", text(&output));
}

#[test]
fn a_state_dict_comes_in_and_one_of_another_network_neither_does_nor_is_put_to_work() {
    if !has_networks() {
        return;
    }
    let lab = divided(PICTURES, 3);
    let output = train(&lab, &["--epochs", "1", "--model", "own"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let models = lab.workspace.join("models");
    let run = |arguments: &[&str]| lab.ferrule(arguments).arg(&lab.workspace).output().unwrap();
    let import = |name: &str, file: &str, more: &[&str]| {
        let file = models.join(file);
        let mut command = lab.ferrule(&["model", "import"]);
        command.arg(file).arg(&lab.workspace).args(["--name", name, "--task", "classify"]);
        command.args(["--classes", "clean,defective", "--size", "48"]).args(more).output().unwrap()
    };
    // Four channels, as the file has them and nobody says.
    let output = import("again", "own.pt", &["--arch", "simple"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(!text(&output).contains("cannot be tried"), "{}", text(&output));
    // The numbers at its end are the same ones.
    let (own, again) = (models.join("own.safetensors"), models.join("again.safetensors"));
    let (own, again) = (fs::read(own).unwrap(), fs::read(again).unwrap());
    let numbers = |bytes: &[u8]| 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    assert!(own[numbers(&own)..] == again[numbers(&again)..], "a state dict that came in says something else");
    assert!(fs::read(models.join("own.pt")).unwrap() == fs::read(models.join("again.pt")).unwrap());

    // Nothing of a model that its plug-in cannot load comes in, and the line names the file that was given.
    for more in [&["--arch", "resnet"][..], &["--arch", "simple", "--width", "16"]] {
        let said = refused_import(&import("other", "own.pt", more));
        assert!(said.contains("models/own.pt is of another network") && said.contains("--arch, --width"), "{said}");
        assert!(!models.join("other.safetensors").exists() && !models.join("other.toml").exists());
    }
    // One that changed after it came in.
    assert!(import("other", "own.safetensors", &["--arch", "simple"]).status.success());
    let other = models.join("other.safetensors");
    let mut bytes = fs::read(&other).unwrap();
    let (is, becomes) = (br#"network\":\"simple"#, br#"network\":\"resnet"#);
    let at = bytes.windows(is.len()).position(|window| window == is).unwrap();
    bytes[at..at + is.len()].copy_from_slice(becomes);
    fs::write(&other, bytes).unwrap();
    let before = fs::read_to_string(lab.workspace.join("ferrule.toml")).unwrap();
    let engine = lab.start_engine();
    let output = run(&["model", "deploy", "again"]);
    assert!(output.status.success(), "{}", text(&output));
    let deployed = "SELECT count(*) FROM models WHERE deployed = 1 AND model_id = 'own'";
    assert_eq!(lab.query_count(deployed), 0, "another model than the one that is deployed");
    let output = run(&["model", "deploy", "own"]);
    assert!(output.status.success(), "{}", text(&output));
    lab.wait_for("the row says that it is deployed", || (lab.query_count(deployed) == 1).then_some(()));
    let output = run(&["model", "deploy", "other"]);
    assert!(!output.status.success());
    assert!(text(&output).contains("models/other.safetensors is of another network"), "{}", text(&output));
    let plugins = lab.status().unwrap()["plugins"].to_string();
    assert!(plugins.contains("classify-torch"), "what was in force stays so: {plugins}");
    assert_eq!(lab.query_count(deployed), 1);
    assert_ne!(before, fs::read_to_string(lab.workspace.join("ferrule.toml")).unwrap());
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();

    fs::write(models.join("junk.pt"), b"PK\x03\x04 and nothing more").unwrap();
    let said = refused_import(&import("junk", "junk.pt", &["--arch", "simple"]));
    assert!(said.contains("junk.pt") && said.contains("torch.save"), "{said}");
    let said = refused_import(&import("gone", "gone.pt", &["--arch", "simple"]));
    assert!(said.contains("gone.pt: cannot be read: No such file"), "{said}");
}

fn refused_import(output: &Output) -> String {
    assert!(!output.status.success(), "{}", text(output));
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}
