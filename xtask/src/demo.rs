//! `cargo xtask demo`: builds everything, makes a workspace, and lets `ferrule simulate` play its microscope.
//!
//! With a terminal it opens the workbench. Headless it waits until every picture is accounted for and prints one JSON
//! object; what happens it learns as any other client does, from `ferrule events --json`.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value as Json;

use crate::{
    build::{Profile, build},
    house::run,
};

/// Nothing at all may happen for so long before the demo says where it stands and gives up.
const HANG: Duration = Duration::from_secs(180);

/// What is known of the simulated microscope. Its files' names: job, port and side become columns. The glass of most of its
/// fibres: without a scale nothing is graded.
const SOURCE: &str = r"cladding_um = 125.0
name_pattern = '^J(?<job>\d+)_P(?<port>\d+)_(?<side>[AB])_'";

#[derive(Debug, Args)]
pub struct Demo {
    /// Without a terminal: wait until all pictures are done, print one JSON object
    #[arg(long)]
    headless: bool,
    /// How many pictures the microscope takes [default: 50 headless, else 500]
    #[arg(long)]
    count: Option<u64>,
    /// Pictures a second [default: as fast as it can headless, else 1]
    #[arg(long)]
    rate: Option<f64>,
    /// The workspace [default: demo/ in the target folder; headless it is begun anew]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The build that the tests use, which is made sooner and runs slower
    #[arg(long)]
    debug: bool,
}

impl Demo {
    pub fn run(&self) -> Result<()> {
        let built = build(Profile::of(self.debug))?;
        built.tell();
        let workspace = match &self.dir {
            Some(dir) => std::path::absolute(dir)?,
            None => built.house.target.join(if self.headless { "demo-headless" } else { "demo" }),
        };
        let bench = Bench { binary: built.binary, workspace };
        if self.headless && self.dir.is_none() {
            bench.clear()?;
        }
        bench.make()?;
        if self.headless { self.count_out(&bench) } else { self.show(&bench) }
    }

    /// The workbench in front, the microscope behind it.
    fn show(&self, bench: &Bench) -> Result<()> {
        // Each start is another session at the microscope, with other end faces.
        let seed = std::time::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_secs() / 60);
        let mut microscope = bench.microscope(self.count.unwrap_or(500), Some(self.rate.unwrap_or(1.0)), seed);
        let microscope = Stopped(microscope.stderr(Stdio::null()).spawn().context("ferrule simulate does not start")?);
        let shown = run(Command::new(&bench.binary).arg(&bench.workspace));
        drop(microscope);
        shown
    }

    fn count_out(&self, bench: &Bench) -> Result<()> {
        let count = self.count.unwrap_or(50);
        // Ended through its socket below; killed only when that does not happen.
        let mut engine = Stopped(bench.command("engine").stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        bench.wait_for_engine(&mut engine)?;
        let (listener, events, before) = bench.listen()?;
        let start = Instant::now();
        let mut microscope =
            Stopped(bench.microscope(count, self.rate, bench.next_seed()?).stderr(Stdio::null()).spawn()?);
        let mut tally = Tally::default();
        let waited =
            tally.wait(&events, count, || microscope.0.try_wait().ok().flatten().is_some_and(|it| !it.success()));
        let seconds = start.elapsed().as_secs_f64();
        let status = bench.status();
        drop(listener);
        let stopped = bench.stop();
        let status = status.context("the engine does not tell its status")?;
        // A folder that was used before has captures from before.
        let of = |state: &str| {
            let number = |counts: &Json| counts["counts"][state].as_u64().unwrap_or(0);
            number(&status).saturating_sub(number(&before))
        };
        let ended: u64 = ["done", "failed", "duplicate", "ignored", "replaced"].map(of).iter().sum();
        let (done, lost) = (of("done"), count.saturating_sub(ended));
        let summary = [
            ("seen", of("seen").into()),
            ("done", done.into()),
            ("failed", of("failed").into()),
            ("lost", lost.into()),
            ("has_defect", tally.with_defects().into()),
            ("seconds", rounded(seconds)),
            ("images_per_second", rounded(done as f64 / seconds)),
            ("p50_ms", status["p50_ms"].as_f64().map_or(Json::Null, rounded)),
            ("p95_ms", status["p95_ms"].as_f64().map_or(Json::Null, rounded)),
            ("database", status["database"].clone()),
        ];
        // In the order of this list, which an object of the library would not keep.
        let members: Vec<String> =
            summary.iter().map(|(name, value): &(&str, Json)| format!("\"{name}\": {value}")).collect();
        writeln!(std::io::stdout().lock(), "{{{}}}", members.join(", "))?;
        waited?;
        stopped?;
        if lost > 0 || done != count {
            bail!(
                "{done} of {count} pictures are done, {lost} are lost; `ferrule status {}`",
                bench.workspace.display()
            );
        }
        Ok(())
    }
}

/// To two places.
fn rounded(value: f64) -> Json {
    ((value * 100.0).round() / 100.0).into()
}

/// A workspace and the binary that works on it.
struct Bench {
    binary: PathBuf,
    workspace: PathBuf,
}

impl Bench {
    fn command(&self, word: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg(word).arg(&self.workspace).stdin(Stdio::null());
        command
    }

    /// Takes an earlier demo away; never anything that is no demo.
    fn clear(&self) -> Result<()> {
        if !self.workspace.exists() {
            return Ok(());
        }
        if !self.workspace.join("ferrule.toml").exists() {
            bail!("{} is no workspace: take it away, or name another with --dir", self.workspace.display());
        }
        // It may still have an engine, after a demo that was killed.
        let _ = self.stop();
        fs::remove_dir_all(&self.workspace).with_context(|| format!("{}", self.workspace.display()))
    }

    fn make(&self) -> Result<()> {
        run(self.command("init").stdout(Stdio::null()))?;
        let file = self.workspace.join("ferrule.toml");
        let settings = fs::read_to_string(&file)?;
        if !settings.contains(SOURCE) {
            let source = "path = \"captures\"\n";
            if !settings.contains(source) {
                bail!("{} has no source `captures`: name another folder with --dir", file.display());
            }
            fs::write(&file, settings.replacen(source, &format!("{source}{SOURCE}\n"), 1))?;
        }
        Ok(())
    }

    fn microscope(&self, count: u64, rate: Option<f64>, seed: u64) -> Command {
        let mut command = Command::new(&self.binary);
        // The truth file belongs to one run: each session has its own.
        let truth = self.workspace.join(format!("truth-{seed}.json"));
        command.args(["simulate", "--preset", "demo-v1", "--out"]).arg(self.workspace.join("captures"));
        command.args(["--count", &count.to_string(), "--seed", &seed.to_string(), "--truth"]).arg(truth);
        if let Some(rate) = rate {
            command.args(["--rate", &rate.to_string()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    fn status(&self) -> Option<Json> {
        let output = self.command("status").arg("--json").stderr(Stdio::null()).output().ok()?;
        serde_json::from_slice(&output.stdout).ok()
    }

    fn wait_for_engine(&self, engine: &mut Stopped) -> Result<()> {
        let start = Instant::now();
        while self.status().is_none() {
            if let Some(status) = engine.0.try_wait()? {
                bail!(
                    "the engine ended with {status}: {} says why",
                    self.workspace.join(".ferrule/engine.log").display()
                );
            }
            if start.elapsed() > HANG {
                bail!("the engine does not answer");
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn stop(&self) -> Result<()> {
        run(self.command("stop").stdout(Stdio::null()).stderr(Stdio::null()))
    }

    /// Each run in a folder draws other pictures.
    fn next_seed(&self) -> Result<u64> {
        let truths = fs::read_dir(&self.workspace)?.flatten().filter(|entry| {
            entry.file_name().to_str().is_some_and(|name| name.starts_with("truth-") && name.ends_with(".json"))
        });
        Ok(truths.count() as u64)
    }

    /// Everything that happens from now on, and the status that it starts from.
    fn listen(&self) -> Result<(Stopped, Receiver<Json>, Json)> {
        let mut listener = self.command("events").arg("--json").stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(listener.stdout.take().context("no pipe from `ferrule events`")?).lines();
        let (sender, events) = channel();
        thread::Builder::new().name("events".into()).spawn(move || {
            for line in lines.map_while(Result::ok) {
                let Ok(event) = serde_json::from_str(&line) else { continue };
                if sender.send(event).is_err() {
                    return;
                }
            }
        })?;
        let listener = Stopped(listener);
        // Nothing after this first line is missed.
        let before = events.recv_timeout(HANG).context("`ferrule events` says nothing")?;
        Ok((listener, events, before))
    }
}

/// A child that does not outlive what it was started for.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How each capture ended.
#[derive(Default)]
struct Tally {
    ended: HashMap<i64, bool>,
}

impl Tally {
    /// Waits until `count` captures have ended.
    fn wait(&mut self, events: &Receiver<Json>, count: u64, mut microscope_failed: impl FnMut() -> bool) -> Result<()> {
        let mut last = Instant::now();
        while (self.ended.len() as u64) < count {
            match events.recv_timeout(Duration::from_millis(200)) {
                Ok(event) => {
                    if self.note(&event) {
                        last = Instant::now();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => bail!("the engine ended after {} of {count}", self.ended.len()),
                Err(RecvTimeoutError::Timeout) if microscope_failed() => bail!("`ferrule simulate` failed"),
                Err(RecvTimeoutError::Timeout) if last.elapsed() > HANG => {
                    bail!("nothing more for {} s: {} of {count} captures have ended", HANG.as_secs(), self.ended.len())
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        Ok(())
    }

    /// Whether a capture ended.
    fn note(&mut self, event: &Json) -> bool {
        let ended = ["done", "failed", "duplicate", "ignored"].iter().any(|state| event["state"] == *state);
        if let (true, Some(capture)) = (event["type"] == "capture" && ended, event["capture"].as_i64()) {
            self.ended.insert(capture, event["has_defect"] == true);
            return true;
        }
        false
    }

    fn with_defects(&self) -> usize {
        self.ended.values().filter(|defect| **defect).count()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_capture_counts_once_however_often_it_is_told() {
        let mut tally = Tally::default();
        let event = |capture: i64, state: &str, defect: bool| json!({"type": "capture", "capture": capture, "state": state, "has_defect": defect});
        assert!(!tally.note(&event(1, "queued", false)));
        assert!(tally.note(&event(1, "done", true)) && tally.note(&event(1, "done", true)));
        assert!(tally.note(&event(2, "failed", false)));
        assert!(!tally.note(&json!({"type": "status", "state": "done"})));
        assert_eq!((tally.ended.len(), tally.with_defects()), (2, 1));
    }
}
