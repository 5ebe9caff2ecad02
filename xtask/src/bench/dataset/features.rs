//! Figures of each zone: ours, as `ferrule inspect` times its measuring plug-ins, against careful NumPy and OpenCV on the
//! same pictures and zones, one thread each. Ours count for more than the peer computes (histograms, geometry, quality).

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;

use crate::{
    bench::{pictures, table::median},
    build::Built,
    house::{run as start, say},
};

const PICTURES: usize = 40;

pub fn run(built: &Built, python: &Path, rounds: u32) -> Result<()> {
    let folder = built.house.target.join("bench-features");
    let drawn = folder.join("pictures");
    if !drawn.is_dir() {
        let mut command = Command::new(&built.binary);
        command.args(["simulate", "--format", "png", "--seed", "1", "--preset", "paper-v1", "--count"]);
        start(command.arg(PICTURES.to_string()).arg("--out").arg(&drawn).stdout(Stdio::null()).stderr(Stdio::null()))?;
    }
    let files = pictures(&drawn)?;
    let answers = folder.join("answers.jsonl");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let mut command = Command::new(&built.binary);
        let output = command.args(["inspect", "--json", "--jobs", "1"]).args(&files).output()?;
        if !output.status.success() {
            bail!("ferrule inspect ended with {}", output.status);
        }
        fs::write(&answers, &output.stdout)?;
        let told =
            output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Json>(line).ok());
        ours.push(median(&mut told.filter_map(|answer| answer["ms"]["measure"].as_f64()).collect::<Vec<_>>()));
        let script = built.house.root.join("tests/peers/features_speed.py");
        let mut command = Command::new(python);
        command.env("OMP_NUM_THREADS", "1").env("OPENBLAS_NUM_THREADS", "1").arg(script).arg(&answers);
        let output =
            command.stderr(Stdio::inherit()).output().context("the interpreter does not start; --python PATH")?;
        let told: Json = serde_json::from_slice(&output.stdout).context("features_speed.py needs numpy and cv2")?;
        theirs.push(told["ms"].as_f64().context("no `ms` in the answer of features_speed.py")?);
        say(&format!("round {round} of {rounds}"));
    }
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    let text = format!(
        "{:<52}{:>10.2}\n\nfigures of the zones of {} pictures, one thread; milliseconds a picture\n{:<52}{ours:>10.2}\n{:<52}{theirs:>10.2}\n\n",
        "NumPy and OpenCV / ours",
        theirs / ours,
        files.len(),
        "ours (measure-intensity, measure-trend)",
        "NumPy and OpenCV"
    );
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}
