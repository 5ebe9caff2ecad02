//! A hermetic laboratory for end-to-end tests: the real binary, real processes, real sockets, real SQLite, real
//! pseudo-terminals, in folders of their own.
//!
//! Nothing here reads the developer's environment or home. Waiting is for a named condition with a generous limit; when
//! it does not come, the panic says what was waited for and what was there.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a library of tests")]

pub mod filled;
pub mod machine;
pub mod places;
pub mod svg;
pub mod terminal;

use std::{
    fmt::Debug,
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

/// Long enough for a loaded two-core machine; a test that needs it all has found a hang.
pub const HANG: Duration = Duration::from_secs(120);

/// The profile's folder, where cargo puts the binary: two above the test executable (`<target>/<profile>/deps/<test>`).
#[must_use]
pub fn target_folder() -> PathBuf {
    let executable = std::env::current_exe().expect("a test executable has a path");
    executable.ancestors().nth(2).expect("it lies in deps/").to_owned()
}

/// The binary under test. `cargo xtask test` builds it, with the plug-ins beside it.
#[must_use]
pub fn binary() -> PathBuf {
    let binary = target_folder().join("ferrule");
    assert!(binary.exists(), "{} is missing: run the tests with `cargo xtask test`", binary.display());
    binary
}

/// A workspace of its own with everything around it.
#[derive(Debug)]
pub struct Lab {
    folder: tempfile::TempDir,
    /// Lines of `ferrule.toml` beyond what `init` wrote.
    pub workspace: PathBuf,
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

impl Lab {
    /// A fresh workspace, as `ferrule init` makes it.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("ferrule-lab-").tempdir().expect("a temporary folder");
        let lab = Self { workspace: folder.path().join("workspace"), folder };
        fs::DirBuilder::new().mode(0o700).create(lab.runtime()).expect("a runtime folder");
        fs::create_dir(lab.folder.path().join("home")).expect("a home");
        let output = lab.ferrule(&["init"]).arg(&lab.workspace).output().expect("ferrule init");
        assert!(output.status.success(), "ferrule init: {}", text(&output));
        lab
    }

    /// A fresh workspace with these lines after what `init` wrote.
    #[must_use]
    pub fn with_settings(lines: &str) -> Self {
        let lab = Self::new();
        lab.append_settings(lines);
        lab
    }

    /// Adds lines to `ferrule.toml`.
    pub fn append_settings(&self, lines: &str) {
        let path = self.workspace.join("ferrule.toml");
        let before = fs::read_to_string(&path).expect("ferrule.toml");
        fs::write(&path, format!("{before}\n{lines}\n")).expect("ferrule.toml");
    }

    /// Where it all is.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    #[must_use]
    pub fn captures(&self) -> PathBuf {
        self.workspace.join("captures")
    }

    #[must_use]
    pub fn dataset(&self) -> PathBuf {
        self.workspace.join("dataset")
    }

    /// The binary with these arguments, in an environment of nothing but the lab.
    #[must_use]
    pub fn ferrule(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.folder.path().join("home"))
            .env("XDG_RUNTIME_DIR", self.runtime())
            .env("XDG_CACHE_HOME", self.folder.path().join("cache"))
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command on the workspace and gives its output.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.ferrule(arguments).arg(&self.workspace).output().expect("ferrule runs")
    }

    /// An engine in the foreground of a child process; killed when dropped.
    #[must_use]
    pub fn start_engine(&self) -> Engine {
        self.start_engine_with(|command| command)
    }

    /// The same with a command that was changed before.
    pub fn start_engine_with(&self, change: impl FnOnce(&mut Command) -> &mut Command) -> Engine {
        let log = fs::File::create(self.folder.path().join("engine.stderr")).expect("a log");
        let mut command = self.ferrule(&["engine"]);
        let command = change(command.arg(&self.workspace).stdout(Stdio::null()).stderr(log));
        let child = command.spawn().expect("ferrule engine");
        let mut engine = Engine { child };
        self.wait_for("the engine answers", || {
            if let Some(status) = engine.child.try_wait().expect("a child") {
                panic!("the engine ended with {status}: {}", self.engine_log());
            }
            self.status()
        });
        engine
    }

    /// What the engine of [`Self::start_engine`] wrote to standard error.
    #[must_use]
    pub fn engine_log(&self) -> String {
        fs::read_to_string(self.folder.path().join("engine.stderr")).unwrap_or_default()
    }

    /// `ferrule status --json`, if an engine answers.
    #[must_use]
    pub fn status(&self) -> Option<Value> {
        let output = self.run(&["status", "--json"]);
        if output.status.success() { serde_json::from_slice(&output.stdout).ok() } else { None }
    }

    /// Captures in that state, from the engine's status; 0 where none answers.
    #[must_use]
    pub fn count(&self, state: &str) -> u64 {
        self.status().and_then(|status| status["counts"][state].as_u64()).unwrap_or(0)
    }

    /// Waits until `condition` gives something.
    ///
    /// # Panics
    /// It does not within [`HANG`]; says what was waited for and how things stand.
    pub fn wait_for<T>(&self, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(value) = condition() {
                return value;
            }
            if start.elapsed() > HANG {
                panic!(
                    "waited {HANG:?} for: {what}\nstatus: {:#}\nengine said: {}",
                    self.status().unwrap_or_default(),
                    self.engine_log()
                );
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    /// Waits until `progress` of the engine's status reaches `goal`, however long it takes while it grows.
    ///
    /// # Panics
    /// It has stood still for [`HANG`]; says what was waited for and how things stand.
    pub fn wait_while_it_moves(&self, what: &str, goal: u64, progress: impl Fn(&Value) -> u64) {
        let mut reached = 0;
        while reached < goal {
            let before = reached;
            reached = self.wait_for(&format!("{what} (stands at {before} of {goal})"), || {
                let now = progress(&self.status()?);
                (now > before || now >= goal).then_some(now)
            });
        }
    }

    /// Waits until that many captures are done.
    pub fn wait_done(&self, count: u64) {
        self.wait_for(&format!("{count} captures done"), || (self.count("done") >= count).then_some(()));
    }

    /// A read-only look into the database.
    #[must_use]
    pub fn database(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(self.dataset().join("index.sqlite"), flags).expect("a database");
        connection.busy_timeout(HANG).expect("a timeout");
        connection
    }

    /// One number out of the database.
    #[must_use]
    pub fn query_count(&self, sql: &str) -> i64 {
        self.database().query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Draws `count` simulated captures into a folder, repeatable from the seed.
    pub fn simulate(&self, out: &Path, count: u64, preset: &str, seed: u64) {
        let output = self
            .ferrule(&["simulate", "--count", &count.to_string(), "--preset", preset, "--seed", &seed.to_string()])
            .args(["--truth".as_ref(), self.folder.path().join(format!("truth-{seed}.json")).as_os_str()])
            .args(["--out".as_ref(), out.as_os_str()])
            .output()
            .expect("ferrule simulate");
        assert!(output.status.success(), "ferrule simulate: {}", text(&output));
    }

    /// What must hold of every dataset at rest.
    pub fn audit(&self) {
        let database = self.database();
        let integrity: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
        assert_eq!(integrity, "ok");
        let broken = database.prepare("PRAGMA foreign_key_check").expect("a check").exists([]).expect("a check");
        assert!(!broken, "foreign keys are broken");
        let twice = "SELECT count(*) FROM (SELECT image_id FROM images GROUP BY image_id HAVING count(*) > 1)";
        assert_eq!(self.query_count(twice), 0, "an image has two current rows");
        let staging = self.dataset().join(".staging");
        let left: Vec<PathBuf> = files_below(&staging);
        assert!(left.is_empty(), "staging holds {left:?}");
        let mut images = database.prepare("SELECT filename FROM images").expect("images");
        for name in images.query_map([], |row| row.get::<_, String>(0)).expect("images") {
            let path = self.dataset().join("images").join(name.expect("a name"));
            assert!(path.exists(), "{} is in the database and not on the disk", path.display());
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // An engine that a test started detached must not outlive it.
        let _ = self.run(&["stop"]);
    }
}

/// Regular files anywhere below a folder; none where it does not exist.
#[must_use]
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| {
            let path = entry.path();
            if path.is_dir() { files_below(&path) } else { vec![path] }
        })
        .collect()
}

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    child: Child,
}

impl Engine {
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and gone.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Waits for the end that somebody else asked for.
    pub fn wait(mut self) -> std::process::ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(start.elapsed() < HANG, "the engine did not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the plug-ins on libtorch were built; says so where they were not, for a test that is left out.
#[must_use]
pub fn has_networks() -> bool {
    let built = target_folder().join("plugins/ferrule-torch.so").exists();
    if !built {
        eprintln!("SKIPPED: built without libtorch (`cargo xtask libtorch` says why)");
    }
    built
}

/// What a command said, for a panic.
#[must_use]
pub fn text(output: &Output) -> String {
    format!("{} {}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A Python with `tests/peers/requirements.txt`; says so where there is none.
#[must_use]
pub fn python() -> Option<PathBuf> {
    let python = std::env::var_os("FERRULE_PEERS_PYTHON").map(PathBuf::from);
    if python.is_none() {
        eprintln!(
            "notice: NOT RUN, FERRULE_PEERS_PYTHON names no Python with other people's tools; `cargo xtask test` makes one"
        );
    }
    python
}

/// What a script of `tests/peers` says: one JSON object.
///
/// # Panics
/// It fails, or says something else.
#[must_use]
pub fn peer(python: &Path, script: &str, arguments: &[impl AsRef<Path>]) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(script);
    let arguments = arguments.iter().map(|argument| argument.as_ref().as_os_str());
    let output = Command::new(python).arg("-I").arg(script).args(arguments).output().expect("Python runs");
    assert!(output.status.success(), "{}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output)))
}

/// Children of a process, from /proc.
#[must_use]
pub fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|line| line.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

/// Processor time of a process so far, from /proc.
///
/// # Panics
/// The process is gone.
#[must_use]
pub fn processor_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process lives");
    // The name, in parentheses, may hold anything; fields count from behind it.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    let per_second = rustix::param::clock_ticks_per_second();
    Duration::from_secs_f64((ticks(11) + ticks(12)) as f64 / per_second as f64)
}
