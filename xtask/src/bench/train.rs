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
    build::{Built, Profile, build},
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
    /// Compare losses step by step instead of speed (the network `simple`)
    #[arg(long)]
    curves: bool,
}

/// Steps whose losses are compared, and how far they may lie apart.
const STEPS: usize = 30;
const APART: f64 = 0.05;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Network {
    Simple,
    Unet,
}

impl TrainBench {
    pub fn run(&self) -> Result<()> {
        let built = build(Profile::Release)?;
        let folder = built.house.target.join("bench-train");
        if self.curves {
            return self.curves(&built, &folder);
        }
        let dataset = self.dataset(&built.binary, &folder, "train-v1")?;
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
            for setting in
                ["turn=0", "zoom=0", "shift=0", "brightness=0", "contrast=0", "gamma=0", "balance=none", "part=0"]
            {
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

    /// Losses of both from the same weights. All pictures are one batch, so that no order has a say.
    fn curves(&self, built: &Built, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        // Square pictures of the network's own size: nobody resizes.
        let all = fs::read_to_string(built.house.root.join("config/simulate/train-v1.toml"))?;
        let (Some(second), Some(defects)) = (all.match_indices("[[microscope]]").nth(1), all.find("[defects]")) else {
            bail!("the preset train-v1 has another form than this bench knows");
        };
        let preset = folder.join("square.toml");
        fs::write(&preset, format!("{}{}", &all[..second.0], &all[defects..]))?;
        let dataset = self.dataset(&built.binary, folder, &preset.to_string_lossy())?;
        let (steps, batch, init) = (STEPS.to_string(), "4096", folder.join("init.safetensors"));
        let mut script = Command::new(&self.python);
        script.arg(built.house.root.join("tests/peers/train_baseline.py")).arg(&dataset);
        script.args(["--epochs", &steps, "--batch", batch, "--plain", "--save-init"]).arg(&init);
        let theirs = told(&mut script, "loss")?;
        let mut ours = Command::new(&built.binary);
        ours.args(["train", "--json", "--arch", "simple", "--levels", "raw", "--epochs", &steps, "--batch", batch]);
        let still = ["flip=false", "turn=0", "zoom=0", "shift=0", "brightness=0", "contrast=0", "gamma=0"];
        for setting in still.into_iter().chain(["balance=none", "schedule=constant", "warmup=0"]) {
            ours.args(["--set", setting]);
        }
        ours.arg("--weights").arg(&init).arg("--root").arg(&dataset).current_dir(folder);
        let ours = told(&mut ours, "train_loss")?;
        if ours.len() != STEPS || theirs.len() != STEPS {
            bail!("{} losses of ours and {} of the script's instead of {STEPS}", ours.len(), theirs.len());
        }
        let apart = |(a, b): (&f64, &f64)| (a - b).abs() / b.abs().max(1e-9);
        let most = ours.iter().zip(&theirs).map(apart).fold(0.0, f64::max);
        let mut text = String::from("step   ours     script\n");
        for (step, (ours, theirs)) in ours.iter().zip(&theirs).enumerate().step_by(5) {
            text += &format!("{:>4}   {ours:.5}  {theirs:.5}\n", step + 1);
        }
        text += &format!("largest difference {:.3} % over {STEPS} steps\n", most * 100.0);
        std::io::stdout().lock().write_all(text.as_bytes())?;
        if most > APART { bail!("the curves lie further apart than {} %", APART * 100.0) } else { Ok(()) }
    }

    /// Simulated pictures, inspected and divided.
    fn dataset(&self, binary: &Path, folder: &Path, preset: &str) -> Result<PathBuf> {
        let name = Path::new(preset).file_stem().unwrap_or_default().to_string_lossy();
        let dataset = folder.join(format!("dataset-{name}-{}", self.count));
        if !dataset.join("index.sqlite").exists() {
            fs::create_dir_all(folder)?;
            let raw = folder.join(format!("raw-{name}-{}", self.count));
            let count = self.count.to_string();
            let mut simulate = Command::new(binary);
            simulate.args(["simulate", "--preset", preset, "--seed", "1", "--count", &count, "--out"]);
            run(simulate.arg(&raw).stdout(Stdio::null()))?;
            run(Command::new(binary).arg("build").arg(&raw).arg("--out").arg(&dataset).stdout(Stdio::null()))?;
        }
        Ok(dataset)
    }
}

/// Images a second of each epoch but the first.
fn turn(command: &mut Command) -> Result<Vec<f64>> {
    let mut rates = told(command, "images_per_second")?;
    if rates.len() < 2 {
        bail!("{} told no epochs", shown(command));
    }
    rates.remove(0);
    Ok(rates)
}

/// A figure of each epoch.
fn told(command: &mut Command, name: &str) -> Result<Vec<f64>> {
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("{} does not start", shown(command)))?;
    if !output.status.success() {
        bail!("{} ended with {}", shown(command), output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let events = text.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
    let epochs = events.filter(|event| event["name"].is_null() || event["name"] == "epoch");
    Ok(epochs.filter_map(|event| event[name].as_f64().or_else(|| event["values"][name].as_f64())).collect())
}
