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
fn what_pytorch_saves_comes_in_in_every_form_with_the_same_weights() {
    let Some(python) = heavy_python() else { return };
    let lab = Lab::new();
    let saved = lab.root().join("saved");
    std::fs::create_dir(&saved).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/model_save.py");
    let output = Command::new(python).arg(script).arg(&saved).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let files: Vec<PathBuf> = String::from_utf8_lossy(&output.stdout).lines().map(PathBuf::from).collect();
    assert_eq!(files.len(), 18, "{files:?}");
    let import = |file: &Path, name: &str, network: &str| {
        let task = if network == "unet" { "defects" } else { "classify" };
        let mut command = lab.ferrule(&["model", "import"]);
        command.arg(file).arg(&lab.workspace).args(["--name", name, "--task", task, "--arch", network]);
        command.args(["--classes", "clean,defective", "--size", "32", "--width", "4"]).output().unwrap()
    };
    let numbers = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        let length = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
        let head: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&bytes[8..length]).unwrap();
        let tensors = head.into_iter().filter(|(name, _)| name != "__metadata__").map(|(name, entry)| {
            let at = |place: usize| length + entry["data_offsets"][place].as_u64().unwrap() as usize;
            (name, (entry["shape"].to_string(), bytes[at(0)..at(1)].to_vec()))
        });
        tensors.collect::<std::collections::BTreeMap<_, _>>()
    };
    for file in &files {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let network = name.split('-').next().unwrap();
        let output = import(file, name, network);
        assert!(output.status.success(), "{name}: {}", text(&output));
        let (wanted, got) = (saved.join(format!("{network}.safetensors")), format!("models/{name}.safetensors"));
        assert!(numbers(&wanted) == numbers(&lab.workspace.join(got)), "{name}: other weights than PyTorch's");
    }
    let output = import(&saved.join("whole.pt"), "whole", "unet");
    assert!(!output.status.success() && text(&output).contains("state_dict()"), "{}", text(&output));
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
