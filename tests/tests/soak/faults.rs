//! What goes wrong: one fault after the other, against the real processes.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::PathBuf,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use ferrule_tests::{Engine, HANG, Lab, children, files_below, machine::Machine, text};
use ferrule_vision::augment::chance::Chance;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    EngineKilled,
    WorkersKilled,
    WorkersFrozen,
    EngineFrozen,
    MoreEngines,
    ClientsGoneMad,
    DatabaseHeld,
    CapturesAway,
    RuntimeEmptied,
    PipelineSwapped,
    SettingsBroken,
    CopyMade,
    ClockJumped,
    DescriptorsScarce,
    FoldersShut,
}

impl Fault {
    pub const ALL: [Self; 15] = [
        Self::EngineKilled,
        Self::WorkersKilled,
        Self::WorkersFrozen,
        Self::EngineFrozen,
        Self::MoreEngines,
        Self::ClientsGoneMad,
        Self::DatabaseHeld,
        Self::CapturesAway,
        Self::RuntimeEmptied,
        Self::PipelineSwapped,
        Self::SettingsBroken,
        Self::CopyMade,
        Self::ClockJumped,
        Self::DescriptorsScarce,
        Self::FoldersShut,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::EngineKilled => "engine killed",
            Self::WorkersKilled => "workers killed",
            Self::WorkersFrozen => "workers frozen",
            Self::EngineFrozen => "engine frozen",
            Self::MoreEngines => "more engines",
            Self::ClientsGoneMad => "clients gone mad",
            Self::DatabaseHeld => "database held",
            Self::CapturesAway => "captures away",
            Self::RuntimeEmptied => "runtime emptied",
            Self::PipelineSwapped => "pipeline swapped",
            Self::SettingsBroken => "settings broken",
            Self::CopyMade => "copy made",
            Self::ClockJumped => "clock jumped",
            Self::DescriptorsScarce => "descriptors scarce",
            Self::FoldersShut => "folders shut",
        }
    }
}

/// The engine under test, and what has happened to it.
pub struct Bench<'a> {
    lab: &'a Lab,
    chance: Chance,
    /// Whose clock can be set; none without a C compiler.
    machine: Option<Machine>,
    engine: Option<Engine>,
    settings: String,
    struck: BTreeMap<Fault, usize>,
    swaps: u32,
    /// Largest resident size of an engine, in KiB.
    most: u64,
}

impl<'a> Bench<'a> {
    pub fn new(lab: &'a Lab, chance: Chance) -> Self {
        let settings = fs::read_to_string(lab.workspace.join("ferrule.toml")).unwrap();
        let machine = Machine::new(lab.root());
        let engine = Some(Self::start(lab, machine.as_ref()));
        Self { lab, chance, machine, engine, settings, struck: BTreeMap::new(), swaps: 0, most: 0 }
    }

    pub fn shuffled(&mut self) -> Vec<Fault> {
        let mut all = Fault::ALL.to_vec();
        self.chance.shuffle(&mut all);
        all
    }

    pub fn any(&mut self) -> Fault {
        Fault::ALL[self.chance.below(Fault::ALL.len())]
    }

    /// A moment in which nothing goes wrong.
    pub fn breathe(&mut self) {
        thread::sleep(Duration::from_millis(200 + self.chance.below(900) as u64));
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok());
        self.most = self.most.max(resident.unwrap_or(0));
    }

    fn pid(&self) -> u32 {
        self.engine.as_ref().map_or(0, Engine::pid)
    }

    pub fn strike(&mut self, fault: Fault) {
        *self.struck.entry(fault).or_default() += 1;
        let moment = Duration::from_millis(300 + self.chance.below(1200) as u64);
        match fault {
            Fault::EngineKilled => {
                self.engine.take().unwrap().kill();
                self.engine = Some(Self::start(self.lab, self.machine.as_ref()));
            }
            Fault::WorkersKilled => self.workers(Signal::KILL),
            Fault::WorkersFrozen => {
                self.workers(Signal::STOP);
                thread::sleep(moment);
                self.workers(Signal::CONT);
            }
            Fault::EngineFrozen => {
                send(self.pid(), Signal::STOP);
                thread::sleep(moment);
                send(self.pid(), Signal::CONT);
            }
            Fault::MoreEngines => self.more_engines(),
            Fault::ClientsGoneMad => self.mad_clients(),
            Fault::DatabaseHeld => {
                let database = rusqlite::Connection::open(self.lab.dataset().join("index.sqlite")).unwrap();
                database.busy_timeout(HANG).unwrap();
                database.execute_batch("BEGIN IMMEDIATE").unwrap();
                thread::sleep(moment);
                database.execute_batch("ROLLBACK").unwrap();
            }
            Fault::CapturesAway => {
                let (captures, away) = (self.lab.captures(), self.lab.workspace.join("away"));
                fs::rename(&captures, &away).unwrap();
                thread::sleep(moment);
                fs::rename(&away, &captures).unwrap();
            }
            Fault::RuntimeEmptied => self.sockets().into_iter().for_each(|path| drop(fs::remove_file(path))),
            Fault::PipelineSwapped => {
                self.swaps += 1;
                let contrast = 6.0 + f64::from(self.swaps) / 100.0;
                self.settings(&format!("[plugin.detect-region]\nmin_contrast = {contrast}\n"));
            }
            Fault::SettingsBroken => {
                self.settings("[nothing of this\n");
                thread::sleep(moment);
                self.settings("");
            }
            Fault::CopyMade => self.copy(),
            Fault::ClockJumped => {
                // Years, days, a moment; ahead and back. It stays wrong until it jumps again.
                let reach = [60.0, 86_400.0, 3e8][self.chance.below(3)];
                if let Some(machine) = &self.machine {
                    machine.set_clock(self.chance.within(reach) as i64);
                }
            }
            Fault::DescriptorsScarce => {
                let open = fs::read_dir(format!("/proc/{}/fd", self.pid())).map_or(64, Iterator::count) as u64;
                self.descriptors(Some(open.saturating_sub(2)));
                thread::sleep(moment);
                self.descriptors(None);
            }
            // The file system refuses what is published; root is refused nothing, and then nothing happens.
            Fault::FoldersShut => {
                for folder in ["images", "masks"] {
                    let folder = self.lab.dataset().join(folder);
                    fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).unwrap();
                    thread::sleep(moment / 2);
                    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
                }
            }
        }
    }

    /// What the engine may open from now on: so many, or what it inherited.
    fn descriptors(&self, count: Option<u64>) {
        let inherited = getrlimit(Resource::Nofile);
        let limit = Rlimit { current: count.or(inherited.current), ..inherited };
        prlimit(Pid::from_raw(self.pid().cast_signed()), Resource::Nofile, limit).unwrap();
    }

    fn start(lab: &Lab, machine: Option<&Machine>) -> Engine {
        lab.start_engine_with(|command| match machine {
            Some(machine) => machine.run(command, None),
            None => command,
        })
    }

    fn workers(&self, signal: Signal) {
        children(self.pid()).into_iter().for_each(|worker| send(worker, signal));
    }

    fn settings(&self, more: &str) {
        let (path, part) = (self.lab.workspace.join("ferrule.toml"), self.lab.workspace.join("ferrule.toml.part"));
        fs::write(&part, format!("{}\n{more}", self.settings)).unwrap();
        fs::rename(part, path).unwrap();
    }

    fn sockets(&self) -> Vec<PathBuf> {
        use std::os::unix::fs::FileTypeExt as _;
        let all = |folder: PathBuf| walk(&folder);
        let is_socket = |path: &PathBuf| path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_socket());
        all(self.lab.runtime()).into_iter().filter(is_socket).collect()
    }

    /// Every further engine says who has the dataset, and ends.
    fn more_engines(&self) {
        let start = || self.lab.ferrule(&["engine"]).arg(&self.lab.workspace).stderr(Stdio::piped()).spawn().unwrap();
        let started: Vec<_> = (0..4).map(|_| start()).collect();
        for engine in started {
            let output = engine.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        }
    }

    /// Some send nonsense, some say nothing, some ask and do not listen; all of them vanish.
    fn mad_clients(&mut self) {
        // It may just have been removed; the engine binds it again.
        let socket = self.lab.wait_for("the engine's socket", || self.sockets().pop());
        let mut clients = Vec::new();
        for number in 0..12 {
            let Ok(mut client) = UnixStream::connect(&socket) else { continue };
            let nonsense: Vec<u8> = (0..1000).map(|_| self.chance.below(256) as u8).collect();
            let said = match number % 4 {
                0 => client.write_all(&nonsense),
                1 => client.write_all(b"{\"hello\": {\"protocol\": 9999}}\n"),
                2 => client.write_all(&[b'['; 70_000]),
                _ => Ok(()),
            };
            // The engine may have hung up on it already.
            drop(said);
            clients.push(client);
        }
        assert!(!clients.is_empty(), "nobody could connect to {}", socket.display());
        if let Some(client) = clients.first_mut() {
            client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            let _ = client.read(&mut [0; 16]);
        }
        let mut listener =
            self.lab.ferrule(&["events", "--json"]).arg(&self.lab.workspace).stdout(Stdio::piped()).spawn().unwrap();
        thread::sleep(Duration::from_millis(100));
        listener.kill().unwrap();
        listener.wait().unwrap();
    }

    /// A copy made now holds together.
    fn copy(&self) {
        let copy = self.lab.root().join("copy");
        let output = self.lab.ferrule(&["backup"]).arg(&copy).arg(&self.lab.workspace).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        let output = self.lab.ferrule(&["verify"]).arg(&copy).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        fs::remove_dir_all(copy).unwrap();
    }

    /// Waits until every file has come to its end.
    pub fn settle(&mut self, files: u64) {
        let at_rest = || {
            let status = self.lab.status()?;
            let count = |state: &str| status["counts"][state].as_u64().unwrap_or(0);
            let moving: u64 = ["settling", "queued", "running"].map(count).iter().sum();
            let ended: u64 = ["done", "duplicate", "failed"].map(count).iter().sum();
            Some((moving, ended))
        };
        let start = Instant::now();
        self.lab.wait_for("every capture has come to its end", || {
            let (moving, ended) = at_rest()?;
            (moving == 0 && ended >= files).then_some(())
        });
        println!("soak: at rest {:.1} s after the last capture", start.elapsed().as_secs_f64());
    }

    /// What struck, and how large an engine grew.
    pub fn end(mut self) -> (String, String) {
        if let Some(engine) = self.engine.take() {
            assert!(self.lab.run(&["stop"]).status.success());
            engine.wait();
        }
        let told: Vec<String> = self.struck.iter().map(|(fault, count)| format!("{} {count}", fault.name())).collect();
        (told.join(", "), format!("at most {} MiB", self.most / 1024))
    }
}

fn send(pid: u32, signal: Signal) {
    // It may have ended by itself since.
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        let _ = kill_process(pid, signal);
    }
}

/// Everything below a folder, sockets too.
fn walk(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = files_below(folder);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}
