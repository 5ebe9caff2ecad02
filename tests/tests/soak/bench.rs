//! The engine under test, and the hand that makes things go wrong with it: one fault after the other, against the real
//! processes.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use ferrule_tests::{Engine, HANG, Lab, children, files_below, has_networks, machine::Machine, text};
use ferrule_vision::augment::chance::Chance;
use rustix::{
    io::Errno,
    process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit},
};
use serde_json::Value;

use super::{
    disks::{Disks, Watches},
    faults::Fault,
    figures::{Life, Lived},
    watch::Watch,
};

/// What has stood still for so long is at rest: longer than an engine waits before it tries again what did not decode.
const REST: Duration = Duration::from_secs(5);

/// The engine under test, and what has happened to it.
pub struct Bench<'a> {
    lab: &'a Lab,
    chance: Chance,
    /// None where no namespace is to be had.
    disks: Option<Disks>,
    /// Whose clock and disk do what they are told; none without a C compiler.
    machine: Option<Machine>,
    /// Held while nothing may be dropped.
    gate: Arc<Mutex<()>>,
    engine: Option<Engine>,
    settings: String,
    swaps: u32,
    begun: Instant,
    /// Seconds that the whole of it takes.
    seconds: u64,
    watch: Watch,
    lived: Lived,
}

impl<'a> Bench<'a> {
    pub fn new(lab: &'a Lab, chance: Chance, disks: Option<Disks>, gate: Arc<Mutex<()>>, seconds: u64) -> Self {
        let settings = fs::read_to_string(lab.workspace.join("ferrule.toml")).unwrap();
        let machine = Machine::new(lab.root());
        let (begun, watch, lived) = (Instant::now(), Watch::start(), Lived::default());
        let closed = Arc::clone(&gate);
        // What came while the first engine looks at its plug-ins would wait for them: no time of a result.
        let _nothing_comes = closed.lock().unwrap();
        let mut bench =
            Self { lab, chance, disks, machine, gate, engine: None, settings, swaps: 0, begun, seconds, watch, lived };
        bench.start();
        lab.wait_for("a pipeline", || lab.status()?["generation"].as_u64().filter(|generation| *generation > 0));
        bench
    }

    /// All that can be made to go wrong here.
    pub fn shuffled(&mut self) -> Vec<Fault> {
        let possible = |fault: &Fault| {
            (self.disks.is_some() || !fault.is_of_disks())
                && (self.machine.is_some() || !fault.is_of_the_machine())
                && (*fault != Fault::TrainingKilled || (self.seconds >= 120 && has_networks()))
        };
        let mut all: Vec<Fault> = Fault::ALL.into_iter().filter(possible).collect();
        self.chance.shuffle(&mut all);
        all
    }

    /// Any of them. Engines end often in the first third of the time; the last of them lives through the rest, for its
    /// memory to be looked at.
    pub fn any(&mut self, all: &[Fault]) -> Fault {
        let may_end = self.begun.elapsed() < Duration::from_secs(self.seconds / 3)
            && self.lived.lives.last().is_none_or(|life| life.age() >= Duration::from_secs(self.seconds / 120));
        loop {
            let fault = all[self.chance.below(all.len())];
            if may_end || !fault.ends_the_engine() {
                return fault;
            }
        }
    }

    /// Nothing goes wrong for so long: the milliseconds that a result takes then, at the 95th percentile.
    pub fn calm(&mut self, time: Duration) -> Option<f64> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.breathe();
        }
        self.lab.status()?["p95_ms"].as_f64()
    }

    /// A moment in which nothing goes wrong.
    pub fn breathe(&mut self) {
        let most = if self.seconds < 120 { 300 } else { 900 };
        thread::sleep(Duration::from_millis(200 + self.chance.below(most) as u64));
    }

    fn pid(&self) -> u32 {
        self.engine.as_ref().map_or(0, Engine::pid)
    }

    /// Makes one of them go wrong.
    pub fn strike(&mut self, fault: Fault, all: &[Fault]) {
        self.act(fault);
        if let Some(life) = self.lived.lives.last_mut() {
            life.suffer(fault, all);
        }
    }

    fn act(&mut self, fault: Fault) {
        *self.lived.struck.entry(fault).or_default() += 1;
        let most = if self.seconds < 120 { 400 } else { 1200 };
        let moment = Duration::from_millis(300 + self.chance.below(most) as u64);
        match fault {
            Fault::EngineKilled => self.kill_and_recover(),
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
            Fault::CapturesReplaced => self.replaced(moment),
            Fault::CapturesCovered => {
                let _nothing_comes = self.gate.lock().unwrap();
                Disks::cover(self.lab);
                thread::sleep(moment);
                Disks::uncover(self.lab);
            }
            Fault::CapturesFull | Fault::DatasetFull | Fault::LogFull => {
                let Some(disks) = &self.disks else { return };
                let disk = match fault {
                    Fault::CapturesFull => &disks.captures,
                    Fault::DatasetFull => &disks.dataset,
                    _ => &disks.log,
                };
                disk.fill();
                thread::sleep(moment);
                disk.make_room();
            }
            Fault::DatasetShut => {
                self.refuse(Some(Errno::ROFS));
                Disks::shut(self.lab);
                thread::sleep(moment);
                Disks::open(self.lab);
                self.refuse(None);
            }
            Fault::QuotaUsed => {
                self.refuse(Some(Errno::DQUOT));
                thread::sleep(moment);
                self.refuse(None);
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
            Fault::Tidied => {
                let output = self.lab.run(&["tidy"]);
                assert!(output.status.success(), "{}", text(&output));
            }
            Fault::TrainingKilled => self.training(moment),
            Fault::WatchesExhausted => {
                let exhausted = Watches::exhausted();
                self.engine.take().unwrap().kill();
                self.start();
                thread::sleep(moment);
                drop(exhausted);
            }
            Fault::MemoryScarce => self.memory(moment),
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

    fn start(&mut self) {
        let dataset = self.lab.dataset();
        let engine = self.lab.start_engine_with(|command| match &self.machine {
            Some(machine) => machine.run_on(command, &dataset),
            None => command,
        });
        self.watch.follow(engine.pid());
        self.lived.lives.push(Life::new(engine.pid()));
        self.engine = Some(engine);
    }

    fn refuse(&self, errno: Option<Errno>) {
        if let Some(machine) = &self.machine {
            machine.refuse(errno);
        }
    }

    /// From the kill to the first result that was not there before.
    fn kill_and_recover(&mut self) {
        self.engine.take().unwrap().kill();
        let results = || self.lab.query_count("SELECT max(inspection_id) FROM inspections");
        let (before, killed) = (results(), Instant::now());
        self.start();
        self.lab.wait_for("the first new result", || (results() > before).then_some(()));
        self.lived.recoveries.push(killed.elapsed().as_secs_f64());
    }

    /// Another, empty folder stands in their place for a moment.
    fn replaced(&self, moment: Duration) {
        let _nothing_comes = self.gate.lock().unwrap();
        let (captures, away) = (self.lab.captures(), self.lab.workspace.join("away"));
        fs::rename(&captures, &away).unwrap();
        thread::sleep(moment / 4);
        fs::create_dir(&captures).unwrap();
        thread::sleep(moment);
        fs::remove_dir(&captures).unwrap();
        fs::rename(&away, &captures).unwrap();
    }

    /// Next to nothing can be had any more; whoever cannot live so is started again.
    fn memory(&mut self, moment: Duration) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let size =
            status.lines().find_map(|line| line.strip_prefix("VmSize:")?.trim().strip_suffix(" kB")?.parse().ok());
        let limit = |current| {
            let inherited = getrlimit(Resource::As);
            prlimit(Pid::from_raw(self.pid().cast_signed()), Resource::As, Rlimit { current, ..inherited })
        };
        let size: u64 = size.unwrap_or(1 << 30);
        limit(Some((size + 8 * 1024) * 1024)).unwrap();
        thread::sleep(moment);
        let gone = limit(getrlimit(Resource::As).current).is_err() || self.lab.status().is_none();
        if gone {
            self.engine.take().unwrap().kill();
            self.start();
        }
    }

    /// A training is killed while it learns; its run says so, and captures never noticed.
    fn training(&self, moment: Duration) {
        let mut command = self.lab.ferrule(&["train", "--arch", "simple", "--epochs", "2"]);
        let command = command.arg(&self.lab.workspace).stdout(Stdio::null()).stderr(Stdio::null());
        let mut training = command.spawn().unwrap();
        let is_trainer = |pid: &u32| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.windows(5).any(|word| word == b"train"))
        };
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) && training.try_wait().unwrap().is_none() {
            if let Some(trainer) = children(self.pid()).into_iter().find(is_trainer) {
                thread::sleep(moment);
                send(trainer, Signal::KILL);
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
        training.wait().unwrap();
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
        for number in 0..20 {
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
        let count = |status: &Value, states: &[&str]| -> u64 {
            states.iter().map(|state| status["counts"][state].as_u64().unwrap_or(0)).sum()
        };
        let ended = |status: &Value| count(status, &["done", "duplicate", "failed"]);
        let start = Instant::now();
        self.lab.wait_while_it_moves("every capture comes to its end", files, ended);
        let mut rest = Instant::now();
        self.lab.wait_for("nothing moves any more", || {
            if count(&self.lab.status()?, &["settling", "queued", "running"]) > 0 {
                rest = Instant::now();
            }
            (rest.elapsed() > REST).then_some(())
        });
        println!("soak: at rest {:.1} s after the last capture", start.elapsed().as_secs_f64());
    }

    /// What it lived through.
    pub fn end(mut self) -> Lived {
        if let Some(engine) = self.engine.take() {
            assert!(self.lab.run(&["stop"]).status.success());
            engine.wait();
        }
        let seen = self.watch.end();
        self.lived.lives.iter_mut().for_each(|life| life.recall(&seen));
        self.lived
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
