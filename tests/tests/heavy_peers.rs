//! TensorFlow and PyTorch on our output. `cargo xtask peers` installs them and runs this; elsewhere it says that it did not.

#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use ferrule_tests::{Lab, has_networks, peer, text};

fn heavy_python() -> Option<PathBuf> {
    let python = std::env::var_os("FERRULE_HEAVY_PEERS_PYTHON").map(PathBuf::from);
    if python.is_none() {
        eprintln!(
            "notice: NOT RUN, FERRULE_HEAVY_PEERS_PYTHON names no Python with PyTorch and TensorFlow; `cargo xtask peers` makes one"
        );
    }
    python
}

#[test]
fn pytorch_opens_what_was_trained_and_tensorboard_finds_every_scalar_of_its_runs() {
    let Some(python) = heavy_python().filter(|_| has_networks()) else { return };
    let lab = Lab::new();
    let (raw, dataset) = (lab.root().join("raw"), lab.root().join("built"));
    lab.simulate(&raw, 40, "train-v1", 5);
    let mut build = lab.ferrule(&["build", "--correlations", "off", "--out"]);
    let output = build.args([&dataset, &raw]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    for (network, task) in [("simple", "classify"), ("resnet", "classify"), ("unet", "defects")] {
        let mut train = lab.ferrule(&["train", "--epochs", "2", "--size", "48", "--batch", "8", "--set", "width=4"]);
        train.args(["--arch", network, "--task", task, "--model", network, "--root"]).arg(&dataset);
        let output =
            train.arg("--truth").arg(lab.root().join("truth-5.json")).current_dir(lab.root()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
    }
    let runs = std::fs::read_dir(lab.root().join("runs")).unwrap().map(|entry| entry.unwrap().path());
    let runs: Vec<PathBuf> = runs.filter(|path| path.join("journal.jsonl").exists()).collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/train_load.py");
    let mut load = Command::new(python);
    load.arg(script).arg("--models").arg(lab.root().join("models")).args(&runs);
    let output = load.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let said = text(&output);
    assert_eq!((said.matches("\"model\"").count(), said.matches("\"scalars\"").count()), (3, 3), "{said}");
}

#[test]
fn tensorflow_iterates_the_shards_and_pytorch_trains_a_step() {
    let Some(python) = heavy_python() else { return };
    let lab = Lab::new();
    let (raw, out) = (lab.root().join("raw"), lab.root().join("built"));
    lab.simulate(&raw, 16, "paper-v1", 5);
    let mut command = lab.ferrule(&["build", "--tfrecord", "--correlations", "off", "--out"]);
    let output = command.args([&out, &raw]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let answer = peer(&python, "heavy.py", &[&out]);
    assert!(answer["tfrecord"].as_u64() > Some(10) && answer["train"].as_u64() > Some(5), "{answer:#}");
}
