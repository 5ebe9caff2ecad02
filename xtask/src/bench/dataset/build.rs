//! Building: throughput against inspecting the same files and keeping nothing, growth with the number of pictures, and
//! what writing in transactions saves.

use std::{
    cell::Cell,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    bench::table::median,
    build::{Built, Profile, build},
    house::{run, say},
};

/// How often a running build is asked for its memory.
const LOOK: Duration = Duration::from_millis(20);

/// Below the bench's folder.
const DATASETS: &str = "datasets";

/// What the parts have in common: the binary, pictures, and a folder for datasets.
pub struct BuildBench {
    built: Built,
    folder: PathBuf,
    pictures: PathBuf,
    count: u32,
    rounds: u32,
    /// Datasets that were built.
    builds: Cell<u32>,
}

/// One build from the outside.
struct Run {
    seconds: f64,
    /// The largest resident size of the building process itself, without its workers.
    peak_mb: f64,
}

impl Drop for BuildBench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.folder.join(DATASETS));
    }
}

impl BuildBench {
    pub fn prepare(count: u32, rounds: u32) -> Result<Self> {
        let built = build(Profile::Release)?;
        let folder = built.house.target.join("bench-dataset");
        fs::create_dir_all(&folder)?;
        // Each build has a folder of its own, and all are removed together: ext4 seeks long for new inodes where thousands
        // were just freed.
        let _ = fs::remove_dir_all(folder.join(DATASETS));
        let pictures = drawn(&built.binary, &folder, "paper-v1", count)?;
        Ok(Self { built, folder, pictures, count, rounds, builds: Cell::new(0) })
    }

    /// The dataset that the last build left.
    fn dataset(&self) -> PathBuf {
        self.folder.join(DATASETS).join(self.builds.get().to_string())
    }

    pub fn against_inspect(&self) -> Result<()> {
        let (mut builds, mut inspections) = (Vec::new(), Vec::new());
        for round in 1..=self.rounds {
            builds.push(self.one_build(&self.pictures)?.seconds);
            inspections.push(self.inspect()?);
            say(&format!("build, round {round} of {}", self.rounds));
        }
        let (build, inspect) = (median(&mut builds), median(&mut inspections));
        let per_second = |seconds: f64| f64::from(self.count) / seconds;
        tell(&format!(
            "{:<40}{:>10.2}\n{:<40}{:>10.1}\n{:<40}{:>10.1}",
            "build / inspect, pictures a second",
            inspect / build,
            "build, pictures a second",
            per_second(build),
            "inspect, pictures a second",
            per_second(inspect)
        ))
    }

    /// Linear in time, bounded in memory: four times the pictures.
    pub fn against_more(&self, many: u32) -> Result<()> {
        let few = drawn(&self.built.binary, &self.folder, "burst-v1", many)?;
        let more = drawn(&self.built.binary, &self.folder, "burst-v1", 4 * many)?;
        let (mut growth, mut memory, mut peaks) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=self.rounds.min(3) {
            let (small, large) = (self.one_build(&few)?, self.one_build(&more)?);
            growth.push(large.seconds / small.seconds);
            memory.push(large.peak_mb / small.peak_mb);
            peaks.push(large.peak_mb);
            say(&format!("growth, round {round} of {}", self.rounds.min(3)));
        }
        tell(&format!(
            "{:<40}{:>10.2}\n{:<40}{:>10.2}\n{:<40}{:>10.0}",
            format!("time, {} pictures / {many}", 4 * many),
            median(&mut growth),
            "memory of the building process, likewise",
            median(&mut memory),
            "megabytes at the most",
            median(&mut peaks)
        ))
    }

    pub fn store(&self) -> Result<()> {
        self.one_build(&self.pictures)?;
        run(self.built.bench("store").arg("--").arg(self.dataset()))
    }

    fn one_build(&self, pictures: &Path) -> Result<Run> {
        self.builds.set(self.builds.get() + 1);
        let out = self.dataset();
        let mut command = self.ferrule();
        // Correlations have a part of their own, and grow with the square.
        command.args(["build", "--correlations", "off"]).arg(pictures).arg("--out").arg(&out);
        let start = Instant::now();
        let mut child = command.spawn().context("ferrule build does not start")?;
        let status = format!("/proc/{}/status", child.id());
        let mut peak_mb = 0.0;
        let ended = loop {
            if let Some(ended) = child.try_wait()? {
                break ended;
            }
            let text = fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
            peak_mb = kib.map_or(peak_mb, |kib| kib / 1024.0);
            std::thread::sleep(LOOK);
        };
        let seconds = start.elapsed().as_secs_f64();
        if !ended.success() {
            bail!("ferrule build ended with {ended}");
        }
        Ok(Run { seconds, peak_mb })
    }

    fn inspect(&self) -> Result<f64> {
        let mut command = self.ferrule();
        command.args(["inspect", "--json"]).arg(&self.pictures);
        let start = Instant::now();
        let ended = command.status().context("ferrule inspect does not start")?;
        if !ended.success() {
            bail!("ferrule inspect ended with {ended}");
        }
        Ok(start.elapsed().as_secs_f64())
    }

    fn ferrule(&self) -> Command {
        let mut command = Command::new(&self.built.binary);
        // Outside of any workspace: what ships.
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

/// Simulated pictures, drawn once and kept.
fn drawn(binary: &Path, folder: &Path, preset: &str, count: u32) -> Result<PathBuf> {
    let out = folder.join(format!("{preset}-{count}"));
    if !out.is_dir() {
        say(&format!("drawing {count} pictures of {preset}"));
        let part = folder.join("part");
        let mut command = Command::new(binary);
        command.args(["simulate", "--format", "jpg", "--seed", "1", "--preset", preset]);
        command.args(["--count", &count.to_string(), "--out"]).arg(&part);
        // Of its own name, for the folder's is another's next time.
        command.arg("--truth").arg(folder.join(format!("{preset}-{count}.truth.json")));
        run(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
        fs::rename(&part, &out)?;
    }
    Ok(out)
}

fn tell(text: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(())
}
