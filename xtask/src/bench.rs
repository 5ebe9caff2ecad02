//! `cargo xtask bench`: tables of us against other people's tools, measured in one run: ratios first, medians of several
//! rounds, in which everybody takes turns so that a busy machine is busy for all.
//!
//! A bench tells figures; it never passes or fails. The peers are scripts with the interface of `ferrule inspect --json`.

mod dataset;
mod networks;
mod recovery;
mod table;
mod train;
mod tui;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::Value as Json;

use self::table::{Column, Times, table};
use crate::{
    build::{Profile, build},
    house::{run, say, shown},
};

#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Milliseconds from a file to its answer and mask, one worker, against OpenCV on one thread
    Inspect(InspectBench),
    /// Images a second of a training, against the source design's script in PyTorch
    Train(train::TrainBench),
    /// Networks from simulated pictures to the pipeline, against the classical detectors: an hour
    Networks(networks::NetworksBench),
    /// What processes and the plug-in interface cost: a capture, a probe, a start, a kill, a swap
    Host,
    /// What a training set costs: building and writing it, its figures and its correlations, against NumPy and SciPy
    Dataset(dataset::DatasetBench),
    /// The workbench over a million captures: pages, echo of a key, bytes, start, processor, memory
    Tui(tui::TuiBench),
    /// Milliseconds from the kill of an engine to the next result, with a million captures in its database
    Recovery(recovery::RecoveryBench),
}

#[derive(Debug, Args)]
pub struct InspectBench {
    /// Pictures to inspect instead of simulated ones
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Another script to compare with: `SCRIPT --masks DIR FILE...` prints a JSON object a file
    #[arg(long, value_name = "SCRIPT")]
    peer: Option<PathBuf>,
    /// The Python that has numpy and cv2
    #[arg(long, default_value = "python3", value_name = "PATH")]
    python: PathBuf,
    /// How often everybody takes a turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Files a turn, at least; a folder with fewer is gone through several times
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(2..))]
    count: u32,
}

impl Bench {
    pub fn run(&self) -> Result<()> {
        match self {
            Self::Inspect(bench) => bench.run(),
            Self::Train(bench) => bench.run(),
            Self::Networks(bench) => bench.run(),
            Self::Host => host(),
            Self::Dataset(bench) => bench.run(),
            Self::Tui(bench) => bench.run(),
            Self::Recovery(bench) => bench.run(),
        }
    }
}

/// What the table compares: libjpeg-turbo by way of OpenCV.
const UNIT: &str = "bare gray decode";

fn host() -> Result<()> {
    run(&mut build(Profile::Release)?.bench("host"))
}

impl InspectBench {
    fn run(&self) -> Result<()> {
        self.check_python()?;
        let built = build(Profile::Release)?;
        let scripts = built.house.root.join("tests/peers");
        let peer = self.peer.clone().unwrap_or_else(|| scripts.join("inspect_opencv.py"));
        let folder = built.house.target.join("bench-inspect");
        fs::create_dir_all(&folder)?;
        let files = self.files(&built.binary, &folder)?;
        say(&format!("{} files a turn, {} rounds", files.len(), self.rounds));

        let ours = || {
            let mut command = Command::new(&built.binary);
            command.args(["inspect", "--json", "--jobs", "1", "--masks"]).arg(folder.join("masks"));
            command
        };
        let theirs = || {
            let mut command = self.python(&peer);
            command.arg("--masks").arg(folder.join("peer-masks"));
            command
        };
        let (mut our_column, mut their_column) = (Column::new("ferrule"), Column::new(&name_of(&peer)));
        let mut unit = Vec::new();
        for round in 1..=self.rounds {
            our_column.add(turn(&ours, &files)?);
            their_column.add(turn(&theirs, &files)?);
            unit.push(decode(self.python(&scripts.join("decode_gray.py")).args(&files))?);
            say(&format!("round {round} of {}", self.rounds));
        }
        let text = table(UNIT, table::median(&mut unit), &our_column, &their_column);
        std::io::stdout().lock().write_all(text.as_bytes())?;
        Ok(())
    }

    fn python(&self, script: &Path) -> Command {
        let mut command = Command::new(&self.python);
        // One thread, whatever numpy was built with.
        command.env("OMP_NUM_THREADS", "1").env("OPENBLAS_NUM_THREADS", "1").arg(script);
        command
    }

    fn check_python(&self) -> Result<()> {
        let mut command = Command::new(&self.python);
        let output = command.args(["-c", "import cv2, numpy"]).output();
        let output = output.with_context(|| format!("{}: does not start; --python PATH", self.python.display()))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            let reason = words.lines().last().unwrap_or("no reason given");
            bail!(
                "{} cannot import numpy and cv2 ({reason}); `pip install numpy opencv-python-headless` in a virtual \
                 environment and name its interpreter with --python",
                self.python.display()
            );
        }
        Ok(())
    }

    /// The pictures of a turn: as many of two presets' at 1152 x 864 as are asked for, or a folder's.
    fn files(&self, binary: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
        let count = self.count as usize;
        let mut found = match &self.images {
            Some(images) => pictures(images)?,
            None => {
                let mut drawn = Vec::new();
                for preset in ["paper-v1", "clean-v1"] {
                    let out = folder.join(preset);
                    if !out.is_dir() {
                        let mut command = Command::new(binary);
                        command.args(["simulate", "--format", "jpg", "--seed", "1", "--preset", preset]);
                        // Other microscopes of a preset take other sizes.
                        command.args(["--count", &(2 * count).to_string(), "--out"]).arg(&out);
                        run(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
                    }
                    let mut of_size = pictures(&out)?;
                    of_size.retain(|path| fs::read(path).is_ok_and(|bytes| jpeg_size(&bytes) == Some((1152, 864))));
                    of_size.truncate(count.div_ceil(2));
                    drawn.append(&mut of_size);
                }
                drawn
            }
        };
        if found.is_empty() {
            let place = self.images.as_deref().unwrap_or(folder);
            bail!("{}: no pictures (jpg, png, bmp, tif)", place.display());
        }
        let own = found.clone();
        while found.len() < count {
            found.extend_from_slice(&own);
        }
        Ok(found)
    }
}

/// The pictures in a folder and its folders, sorted.
fn pictures(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("{}: cannot be read", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_dir() {
            found.append(&mut pictures(&path)?);
        } else if ["jpg", "jpeg", "png", "bmp", "tif", "tiff"].contains(&extension.as_str()) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Width and height in a JPEG file's frame header.
fn jpeg_size(bytes: &[u8]) -> Option<(u16, u16)> {
    let mut at = 2;
    loop {
        let segment = bytes.get(at..at + 9)?;
        let [0xFF, marker, high, low, _, h1, h0, w1, w0] = *segment else { return None };
        // The frame headers, without the tables that share their numbers.
        if (0xC0..=0xCF).contains(&marker) && ![0xC4, 0xC8, 0xCC].contains(&marker) {
            return Some((u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0])));
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
}

/// One turn: the time a picture takes beyond the first (which bears the start), and the stages as told by the answers.
fn turn(command: &dyn Fn() -> Command, files: &[PathBuf]) -> Result<Times> {
    let timed = |files: &[PathBuf]| {
        let mut command = command();
        command.args(files);
        let start = Instant::now();
        let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
        let output = output.with_context(|| format!("{} does not start", command.get_program().display()))?;
        let seconds = start.elapsed().as_secs_f64();
        if !output.status.success() {
            let words: String = shown(&command).chars().take(120).collect();
            bail!("{words}... ended with {}", output.status);
        }
        anyhow::Ok((seconds, output.stdout))
    };
    let (first, _) = timed(&files[..1])?;
    let (all, answers) = timed(files)?;
    let answers: Vec<Json> = answers
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).context("an answer that is no JSON"))
        .collect::<Result<_>>()?;
    if answers.len() != files.len() {
        bail!("{} answers to {} files", answers.len(), files.len());
    }
    Ok(Times::of((all - first) * 1e3 / (files.len() - 1) as f64, &answers))
}

fn decode(command: &mut Command) -> Result<f64> {
    let output = command.stderr(Stdio::null()).output().context("the interpreter does not start")?;
    let told: Json = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{}: cannot decode the pictures", command.get_program().display()))?;
    told["ms"].as_f64().context("no `ms` in the answer of decode_gray.py")
}

fn name_of(script: &Path) -> String {
    script.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jpeg_tells_its_size_behind_other_segments() {
        let mut file = vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xC4, 0, 3, 9];
        file.extend([0xFF, 0xC2, 0, 17, 8, 3, 96, 4, 128, 3]);
        assert_eq!(jpeg_size(&file), Some((1152, 864)));
        assert_eq!(jpeg_size(&file[..18]), None);
    }
}
