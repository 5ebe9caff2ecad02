//! TensorFlow and PyTorch on our output. `cargo xtask peers` installs them and runs this; elsewhere it says that it did not.

use ferrule_tests::{Lab, peer, text};

#[test]
fn tensorflow_iterates_the_shards_and_pytorch_trains_a_step() {
    let Some(python) = std::env::var_os("FERRULE_HEAVY_PEERS_PYTHON").map(std::path::PathBuf::from) else {
        eprintln!(
            "notice: NOT RUN, FERRULE_HEAVY_PEERS_PYTHON names no Python with PyTorch and TensorFlow; `cargo xtask peers` makes one"
        );
        return;
    };
    let lab = Lab::new();
    let (raw, out) = (lab.root().join("raw"), lab.root().join("built"));
    lab.simulate(&raw, 16, "paper-v1", 5);
    let mut command = lab.ferrule(&["build", "--tfrecord", "--correlations", "off", "--out"]);
    let output = command.args([&out, &raw]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let answer = peer(&python, "heavy.py", &[&out]);
    assert!(answer["tfrecord"].as_u64() > Some(10) && answer["train"].as_u64() > Some(5), "{answer:#}");
}
