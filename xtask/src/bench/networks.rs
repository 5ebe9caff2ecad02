//! `cargo xtask bench networks`: the whole loop, from simulated pictures to a network in the pipeline: what `simple` and
//! `unet` reach on the validation split and in how long, and what the deployed UNet finds on fainter defects that the
//! classical detectors find as well. An hour and more on two cores.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value as Json;

use crate::{
    build::{Profile, build},
    house::{run, say, shown},
};

#[derive(Debug, Args)]
pub struct NetworksBench {
    /// Pictures that are simulated, of which seven in ten are learned from
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(50..))]
    count: u32,
    /// Epochs of `simple`
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..))]
    simple: u32,
    /// Epochs of `unet`
    #[arg(long, default_value_t = 85, value_parser = clap::value_parser!(u32).range(1..))]
    unet: u32,
    /// Fainter pictures on which detectors are compared
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(10..))]
    faint: u32,
}

/// What differs between the trainings; the rest is as people get it.
const SIMPLE: [&str; 6] = ["--task", "classify", "--arch", "simple", "--lr", "0.004"];
const UNET: [&str; 6] = ["--task", "defects", "--arch", "unet", "--set", "width=8"];
/// Contrasts over the noise: of what is learned from, and of what is fainter.
const LEARNED: &str = "contrast_sigma = [3.0, 6.0]";
const FAINT: &str = "contrast_sigma = [2.0, 4.0]";

struct Bench {
    binary: PathBuf,
    folder: PathBuf,
}

impl NetworksBench {
    pub fn run(&self) -> Result<()> {
        let built = build(Profile::Release)?;
        let bench = Bench { binary: built.binary, folder: built.house.target.join("bench-networks") };
        let preset = built.house.root.join("config/simulate/train-v1.toml");
        let preset = fs::read_to_string(&preset).with_context(|| format!("{}", preset.display()))?;
        if !preset.contains(LEARNED) {
            bail!("the preset train-v1 has other contrasts than this bench knows");
        }
        fs::create_dir_all(&bench.folder)?;
        fs::write(bench.folder.join("faint.toml"), preset.replace(LEARNED, FAINT))?;
        let (learned, truth) = bench.simulate("learned", "train-v1", self.count, 41)?;
        bench.workspace(&["build", &learned, "--out", "workspace/dataset"])?;

        let mut text = format!("{} pictures of train-v1, {LEARNED}, validation split\n", self.count);
        for (name, arguments, epochs) in [("simple", &SIMPLE[..], self.simple), ("unet", &UNET[..], self.unet)] {
            bench.train(name, arguments, epochs, &truth, &mut text)?;
        }
        let faint = bench.simulate("faint", "faint.toml", self.faint, 42)?;
        let faint = (faint.0.as_str(), faint.1.as_path());
        let _ = writeln!(
            text,
            "{} pictures, {FAINT}\n{:<34}{:>6}{:>14}  clean with any   right",
            self.faint, "", "F1", "false alarms"
        );
        bench.compare("classical detectors", None, faint, &mut text)?;
        bench.ferrule(&["model", "deploy", "unet", "workspace", "--alone"])?;
        bench.compare("unet, threshold of the validation", Some("workspace"), faint, &mut text)?;
        bench.ferrule(&["model", "deploy", "unet", "workspace", "--alone", "--threshold", "0.5"])?;
        bench.compare("unet, score .5", Some("workspace"), faint, &mut text)?;
        std::io::stdout().lock().write_all(text.as_bytes())?;
        Ok(())
    }
}

impl Bench {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).current_dir(&self.folder);
        command
    }

    fn ferrule(&self, arguments: &[&str]) -> Result<()> {
        run(self.command(arguments).stdout(Stdio::null()))
    }

    /// Pictures, once for each number of them; their folder and their truth file, which is written last.
    fn simulate(&self, name: &str, preset: &str, count: u32, seed: u32) -> Result<(String, PathBuf)> {
        let name = format!("{name}-{count}");
        let truth = format!("{name}.truth.json");
        if !self.folder.join(&truth).exists() {
            let _ = fs::remove_dir_all(self.folder.join(&name));
            let (count, seed) = (count.to_string(), seed.to_string());
            self.ferrule(&[
                "simulate", "--preset", preset, "--count", &count, "--seed", &seed, "--out", &name, "--truth", &truth,
            ])?;
        }
        Ok((name, self.folder.join(truth)))
    }

    /// A new workspace, and in it what the arguments make.
    fn workspace(&self, arguments: &[&str]) -> Result<()> {
        let _ = fs::remove_dir_all(self.folder.join("workspace"));
        self.ferrule(&["init", "workspace"])?;
        self.ferrule(arguments)
    }

    fn train(&self, name: &str, arguments: &[&str], epochs: u32, truth: &Path, text: &mut String) -> Result<()> {
        let epochs = epochs.to_string();
        let mut command =
            self.command(&["train", "--root", "workspace", "--json", "--model", name, "--epochs", &epochs]);
        command.args(arguments).arg("--truth").arg(truth).stdout(Stdio::piped());
        let start = Instant::now();
        let mut training = command.spawn().with_context(|| format!("{} does not start", shown(&command)))?;
        let lines = training.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines);
        let mut figures = Json::Null;
        for event in lines.map_while(Result::ok).filter_map(|line| serde_json::from_str::<Json>(&line).ok()) {
            if event["name"] == "epoch" {
                let score = event["values"]["val_score"].as_f64().unwrap_or(f64::NAN);
                say(&format!("{name}: epoch {} of {epochs}, score {score:.3}", event["epoch"]));
            }
            if event["name"] == "ended" {
                figures = event["ended"]["figures"].clone();
            }
        }
        let status = training.wait()?;
        if !status.success() || !figures.is_object() {
            bail!("{} ended with {status}", shown(&command));
        }
        let minutes = start.elapsed().as_secs_f64() / 60.0;
        let _ = write!(text, "{name:<8}{epochs:>4} epochs, {minutes:.1} minutes: ");
        let told = if name == "simple" { ["auc", "f1"].as_slice() } else { &["dice", "dice_any"] };
        for figure in told {
            let of = |split: &str| figures[format!("{split}_{figure}")].as_f64().unwrap_or(f64::NAN);
            let _ = write!(text, "{figure} {:.4} (test {:.4})  ", of("val"), of("test"));
        }
        text.push('\n');
        Ok(())
    }

    fn compare(
        &self,
        what: &str,
        workspace: Option<&str>,
        (images, truth): (&str, &Path),
        text: &mut String,
    ) -> Result<()> {
        let mut command = self.command(&["evaluate", "--json", "--images", images]);
        if let Some(workspace) = workspace {
            command.args(["--workspace", workspace]);
        }
        let output = command.arg(truth).stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            bail!("{} ended with {}", shown(&command), output.status);
        }
        let report: Json = serde_json::from_slice(&output.stdout).context("the report of `ferrule evaluate`")?;
        let (defects, clean) = (&report["defects"], &report["defects"]["clean_pictures_with_false_alarms"]);
        let _ = writeln!(
            text,
            "{what:<34}{:>6.3}{:>14}{:>16}{:>9.1} %",
            defects["f1"].as_f64().unwrap_or(f64::NAN),
            defects["false_alarms"].to_string(),
            format!("{} of {}", clean["count"], clean["of"]),
            100.0 * report["images"]["accuracy"]["value"].as_f64().unwrap_or(f64::NAN),
        );
        Ok(())
    }
}
