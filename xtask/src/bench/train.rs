//! `cargo xtask bench train`: images a second of a training, against the source design's script made to run in PyTorch and
//! against that script with our two tricks. Everybody takes turns on the same pictures; the first epoch is nobody's.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde_json::Value as Json;

use super::table::median;
use crate::{
    build::{Profile, build},
    house::{run, say, shown},
};

#[derive(Debug, Args)]
pub struct TrainBench {
    /// The Python that has torch, numpy and cv2
    #[arg(long, default_value = "python3", value_name = "PATH")]
    python: PathBuf,
    #[arg(long, value_enum, default_value_t = Network::Simple)]
    network: Network,
    /// Pictures that are simulated, of which seven in ten are learned from
    #[arg(long, default_value_t = 400)]
    count: u32,
    #[arg(long, default_value_t = 32)]
    batch: u32,
    /// How often everybody takes a turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Epochs a turn, of which the first is left out
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..))]
    epochs: u32,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Network {
    Simple,
    Unet,
}

impl TrainBench {
    pub fn run(&self) -> Result<()> {
        let built = build(Profile::Release)?;
        let folder = built.house.target.join("bench-train");
        let dataset = self.dataset(&built.binary, &folder)?;
        let script = built.house.root.join("tests/peers/train_baseline.py");
        let (network, task) = match self.network {
            Network::Simple => ("simple", "classify"),
            Network::Unet => ("unet", "defects"),
        };
        let (epochs, batch) = (self.epochs.to_string(), self.batch.to_string());
        let ours = || {
            let mut command = Command::new(&built.binary);
            command
                .args(["train", "--json", "--task", task, "--arch", network, "--epochs", &epochs, "--batch", &batch]);
            // What the script does to a picture: half of them mirrored, nothing else.
            for setting in ["turn=0", "zoom=0", "shift=0", "brightness=0", "contrast=0", "gamma=0", "balance=none"] {
                command.args(["--set", setting]);
            }
            command.args(["--levels", "raw", "--root"]).arg(&dataset).current_dir(&folder);
            command
        };
        let theirs = |improved: bool| {
            let mut command = Command::new(&self.python);
            command.arg(&script).arg(&dataset).args(["--network", network, "--epochs", &epochs, "--batch", &batch]);
            if improved {
                command.arg("--improved");
            }
            command
        };
        let mut rates = [Vec::new(), Vec::new(), Vec::new()];
        for round in 1..=self.rounds {
            rates[0].extend(turn(&mut ours())?);
            rates[1].extend(turn(&mut theirs(false))?);
            rates[2].extend(turn(&mut theirs(true))?);
            say(&format!("round {round} of {}", self.rounds));
        }
        let [ours, script, improved] = rates.each_mut().map(|rates| median(rates));
        let text = format!(
            "{network}, batch {batch}, median of {} epochs each\n\
             ours / script            {:.2}\n\
             ours / improved script   {:.2}\n\
             images/s   ours {ours:.1}   script {script:.1}   improved script {improved:.1}\n",
            self.rounds * (self.epochs - 1),
            ours / script,
            ours / improved,
        );
        std::io::stdout().lock().write_all(text.as_bytes())?;
        Ok(())
    }

    /// Simulated pictures, inspected and divided.
    fn dataset(&self, binary: &Path, folder: &Path) -> Result<PathBuf> {
        let dataset = folder.join(format!("dataset-{}", self.count));
        if !dataset.join("index.sqlite").exists() {
            fs::create_dir_all(folder)?;
            let raw = folder.join(format!("raw-{}", self.count));
            let mut simulate = Command::new(binary);
            simulate.args([
                "simulate",
                "--preset",
                "train-v1",
                "--seed",
                "1",
                "--count",
                &self.count.to_string(),
                "--out",
            ]);
            run(simulate.arg(&raw).stdout(Stdio::null()))?;
            run(Command::new(binary).arg("build").arg(&raw).arg("--out").arg(&dataset).stdout(Stdio::null()))?;
        }
        Ok(dataset)
    }
}

/// Images a second of each epoch but the first.
fn turn(command: &mut Command) -> Result<Vec<f64>> {
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("{} does not start", shown(command)))?;
    if !output.status.success() {
        bail!("{} ended with {}", shown(command), output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut rates: Vec<f64> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Json>(line).ok())
        .filter(|event| event["name"].is_null() || event["name"] == "epoch")
        .filter_map(|event| {
            event["images_per_second"].as_f64().or_else(|| event["values"]["images_per_second"].as_f64())
        })
        .collect();
    if rates.len() < 2 {
        bail!("{} told no epochs", shown(command));
    }
    rates.remove(0);
    Ok(rates)
}
