//! What processes and the interface cost: a capture through a worker against the same call made here, and how long it takes
//! to probe a library, to start a worker, to start one again after a kill, to swap a build. `cargo xtask bench host` prints it.
//!
//! A bench tells figures; it passes nothing and fails nothing. Medians, with the 95th percentile behind them; what is
//! compared takes turns.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a bench")]

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use ferrule_core::{
    config::Configuration,
    host::{Catalogue, LibraryStore, Policy, SearchPaths, assemble, card::Profile, probe},
    ids::PluginId,
    pipeline::{
        run::{self, Bench},
        tools::Libraries,
    },
    pool::{Finished, Pool, PoolSettings, Report, Task},
    report::Inspection,
    settings::Trust,
    simulate::{Preset, render},
    worker::{
        arguments::{Arguments, Limits, WorkerProgram},
        frames::{MAX_ANSWER, read_frame, write_frame},
        launch::launch,
        messages::{FromWorker, Job, Optics, Pipeline, ToWorker},
    },
};

const LIMITS: Limits = Limits { memory_mb: 1024, max_megapixels: 50.0, max_file_mb: 64 };
const ROUNDS: usize = 20;
const STARTS: usize = 50;
const SWAPS: usize = 40;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::set(folder.path());
    let captures = pictures(folder.path(), 16);
    println!("captures of 1152 x 864, shipped pipeline, one worker; median (95th percentile)");

    // A processor without work falls asleep, and whoever waits for another pays for its waking: on a virtual machine more than
    // for everything else. So once as it is, and once with something idle to do for every processor.
    println!("processors as they are");
    overhead(&side_by_side(&stage, &captures));
    println!("processors kept awake by threads that give way to everything");
    {
        let _awake = Awake::keep();
        overhead(&side_by_side(&stage, &captures));
    }

    tell("probe of a library", &times(20, || probe_once(&stage)));
    tell("start of a worker to a loaded pipeline", &times(STARTS, || start_once(&stage)));
    tell("kill -9 to the next result", &respawns(&stage, &captures));
    swaps(&stage, &captures, &folder.path().join("staging"));
}

/// What processes and the interface cost, told.
fn overhead(sides: &Sides) {
    let Sides { direct, through, streamed, inside } = sides;
    let over: Vec<f64> = through.iter().zip(direct).map(|(t, d)| (t.as_secs_f64() - d.as_secs_f64()) * 1e6).collect();
    let (over, share) = (middle(over), 1e-4 / median(direct).as_secs_f64());
    tell("  the same function, called here", direct);
    tell("  through a worker and the pool", through);
    println!("{:<44} {over:.0} us, {:.1} % of a capture", "  overhead, capture by capture", over * share);
    let [here, there] = inside.each_ref().map(|stages| median(stages));
    let inside = micros(there) - micros(here);
    println!("{:<44} {inside:.0} us: its stages by their own clocks", "    of it slower work in the other process");
    let floor = micros(median(&there_and_back(2_000)));
    println!("{:<44} {floor:.0} us: waking two threads", "    a byte to a thread and back");
    tell("  through a worker, the next one waiting", streamed);
    let over = micros(median(streamed)) - micros(median(direct));
    println!("{:<44} {over:.0} us, {:.1} % of a capture", "  overhead in a stream, by the medians", over * share);
}

/// A thread for each processor that always has something to do and gives way to everybody.
struct Awake {
    end: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Awake {
    fn keep() -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let spin = |_| {
            let end = Arc::clone(&end);
            thread::spawn(move || {
                rustix::process::setpriority_process(None, 19).unwrap();
                while !end.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        let threads = (0..thread::available_parallelism().unwrap().get()).map(spin).collect();
        Self { end, threads }
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

/// The shipped plug-ins as the product loads them.
struct Stage {
    program: WorkerProgram,
    store: LibraryStore,
    pipeline: Pipeline,
    /// The same with another build of a detector.
    rebuilt: Pipeline,
}

impl Stage {
    fn set(folder: &Path) -> Self {
        let built = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
        let (first, second) = (folder.join("plugins"), folder.join("plugins-2"));
        for (to, changed) in [(&first, false), (&second, true)] {
            fs::create_dir(to).unwrap();
            for entry in fs::read_dir(built.join("plugins")).unwrap() {
                let from = entry.unwrap().path();
                let mut bytes = fs::read(&from).unwrap();
                if changed && from.ends_with("detect-region.so") {
                    // Behind everything that a loader reads: another build that does the same.
                    bytes.extend_from_slice(b"another build");
                }
                let name = to.join(from.file_name().unwrap());
                fs::write(&name, bytes).unwrap();
                fs::set_permissions(name, fs::Permissions::from_mode(0o644)).unwrap();
            }
        }
        let program = WorkerProgram {
            executable: env!("CARGO_BIN_EXE_ferrule-test-worker").into(),
            arguments: Vec::new(),
            libraries: None,
        };
        let store = LibraryStore::at(folder.join("store"));
        let settings = Configuration::shipped(folder).unwrap().settings;
        let pipeline = |plugins: &PathBuf| {
            let policy = Policy { trust: Trust::Owner, pinned: &[], python: "python3" };
            let catalogue = Catalogue::build(&SearchPaths::only(vec![plugins.clone()]), &store, &program, policy);
            assert!(catalogue.refused.is_empty(), "{:?}", catalogue.refused);
            assemble(&settings, &catalogue).unwrap()
        };
        let (pipeline, rebuilt) = (pipeline(&first), pipeline(&second));
        assert_ne!(pipeline.id, rebuilt.id);
        Self { program, store, pipeline, rebuilt }
    }

    fn pool(&self, staging: Option<PathBuf>) -> Pool {
        let settings = PoolSettings {
            program: self.program.clone(),
            count: 1,
            limits: LIMITS,
            deadline: Duration::from_secs(60),
            deadline_per_mpx: Duration::ZERO,
            wide_memory_mb: 4096,
            wide_deadline: Duration::from_secs(60),
            start_deadline: Duration::from_secs(60),
            quarantine_after: 3,
            staging,
        };
        Pool::start(settings, self.pipeline.clone(), 1).unwrap()
    }
}

/// Simulated captures, repeatable.
fn pictures(folder: &Path, count: usize) -> Vec<PathBuf> {
    let out = folder.join("captures");
    fs::create_dir(&out).unwrap();
    let preset = Preset::find("demo-v1").unwrap();
    // Other microscopes of the preset take other sizes.
    let drawn = (0..).map(|i| render(&preset, 7, i).0).filter(|picture| picture.dimensions() == (1152, 864));
    drawn
        .take(count)
        .enumerate()
        .map(|(i, picture)| {
            let path = out.join(format!("{i}.jpg"));
            picture.save(&path).unwrap();
            path
        })
        .collect()
}

fn submit(pool: &Pool, id: u64, path: &Path) {
    let task = Task { id, path: path.to_owned(), bytes: 0, expected: None, optics: Optics::default(), artefacts: None };
    pool.submit(task).unwrap();
}

fn finished(pool: &Pool) -> Finished {
    loop {
        if let Report::Finished(finished) = pool.reports().recv().unwrap() {
            return *finished;
        }
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// A byte through a pipe to a waiting thread and back through another: twice what a sleeping thread needs to wake up.
fn there_and_back(times: usize) -> Vec<Duration> {
    let ((mut theirs, mut to), (mut back, mut from)) = (std::io::pipe().unwrap(), std::io::pipe().unwrap());
    let echo = thread::spawn(move || {
        let mut byte = [0];
        while theirs.read_exact(&mut byte).is_ok() {
            from.write_all(&byte).unwrap();
        }
    });
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        // Long enough to fall asleep, as who waits for a capture does.
        thread::sleep(Duration::from_micros(500));
        let since = Instant::now();
        to.write_all(&[1]).unwrap();
        back.read_exact(&mut [0]).unwrap();
        took.push(since.elapsed());
    }
    drop(to);
    echo.join().unwrap();
    took
}

/// What took how long, capture by capture.
#[derive(Default)]
struct Sides {
    direct: Vec<Duration>,
    through: Vec<Duration>,
    streamed: Vec<Duration>,
    /// The stages of a capture by their own clocks: called here, and in a worker.
    inside: [Vec<Duration>; 2],
}

fn stages(inspection: &Inspection) -> Duration {
    Duration::from_secs_f64(inspection.ms.total() / 1e3)
}

/// All captures here, then all through the pool one by one, then all in a stream in which the next one always waits, and so
/// on in turns: whoever works finds its caches warm. Of the stream the time from one answer to the next.
fn side_by_side(stage: &Stage, captures: &[PathBuf]) -> Sides {
    let mut libraries = Libraries::new(Profile::Narrow, None);
    let mut turn = |_: &PluginId| {};
    let mut tools = libraries.equip(&stage.pipeline, &mut turn).unwrap_or_else(|refused| panic!("{refused}"));
    let (pool, mut bench) = (stage.pool(None), Bench::default());
    let mut sides = Sides::default();
    // The first round fills caches and buffers.
    for round in 0..=ROUNDS {
        for path in captures {
            let job = Job {
                job: 1,
                path: path.clone(),
                expected: None,
                optics: Optics::default(),
                without: Vec::new(),
                staging: None,
            };
            let since = Instant::now();
            let answer = run::inspect(&mut tools, &mut bench, &LIMITS, &job, &mut turn);
            let took = since.elapsed();
            let inspection = answer.result.unwrap();
            if round > 0 {
                sides.direct.push(took);
                sides.inside[0].push(stages(&inspection));
            }
        }
        for path in captures {
            let since = Instant::now();
            submit(&pool, 1, path);
            let inspection = finished(&pool).result.unwrap();
            if round > 0 {
                sides.through.push(since.elapsed());
                sides.inside[1].push(stages(&inspection));
            }
        }
        let mut waiting = captures.iter();
        waiting.by_ref().take(pool.capacity()).for_each(|path| submit(&pool, 1, path));
        let mut last = None;
        for _ in captures {
            assert!(finished(&pool).result.is_ok());
            let now = Instant::now();
            // The first was not waited for by a worker that was at work.
            sides.streamed.extend(last.filter(|_| round > 0).map(|last| now - last));
            last = Some(now);
            if let Some(path) = waiting.next() {
                submit(&pool, 1, path);
            }
        }
    }
    sides
}

fn probe_once(stage: &Stage) {
    let library = &stage.pipeline.detect[0].build;
    probe::run(&stage.program, &stage.store.path(library)).unwrap().cards.unwrap();
}

fn start_once(stage: &Stage) {
    let arguments = Arguments { parent: std::process::id(), profile: Profile::Narrow, staging: None, limits: LIMITS };
    let mut launched = launch(&stage.program, &arguments, None).unwrap();
    write_frame(&mut launched.line, &ToWorker::Configure(Box::new(stage.pipeline.clone()))).unwrap();
    while !matches!(read_frame(&mut launched.line, MAX_ANSWER).unwrap(), FromWorker::Ready { .. }) {}
    launched.child.kill().unwrap();
    launched.child.wait().unwrap();
}

/// From the kill of an idle worker to the answer to a capture handed over at that moment, less that of a worker that lives.
fn respawns(stage: &Stage, captures: &[PathBuf]) -> Vec<Duration> {
    let pool = stage.pool(None);
    let mut id = 0;
    let mut ask = |path: &Path| {
        let since = Instant::now();
        id += 1;
        submit(&pool, id, path);
        finished(&pool);
        since.elapsed()
    };
    let mut took = Vec::new();
    for path in captures.iter().cycle().take(STARTS) {
        ask(path);
        let undisturbed = ask(path);
        let pid = pool.workers()[0].pid;
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(pid.cast_signed()).unwrap(),
            rustix::process::Signal::KILL,
        )
        .unwrap();
        took.push(ask(path).saturating_sub(undisturbed));
    }
    took
}

/// A stream of captures, undisturbed and while a detector is exchanged again and again.
fn swaps(stage: &Stage, captures: &[PathBuf], staging: &Path) {
    let (quiet, _) = stream(stage, captures, staging, 0);
    let (swapping, took) = stream(stage, captures, staging, SWAPS);
    tell("swap of a build, asked to in force", &took);
    let longest = |gaps: &[Duration]| gaps.iter().max().copied().unwrap_or_default();
    let (undisturbed, disturbed) = (longest(&quiet), longest(&swapping));
    println!(
        "{:<44} {} undisturbed, {} over {SWAPS} swaps: {} more",
        "longest gap between results",
        shown(undisturbed),
        shown(disturbed),
        shown(disturbed.saturating_sub(undisturbed))
    );
}

/// Gaps between results, and how long each swap took.
fn stream(stage: &Stage, captures: &[PathBuf], staging: &Path, swaps: usize) -> (Vec<Duration>, Vec<Duration>) {
    let pool = stage.pool(Some(staging.to_owned()));
    let (mut gaps, mut took, mut last, mut generation) = (Vec::new(), Vec::new(), None::<Instant>, 1);
    let mut next = captures.iter().cycle();
    let mut asked = false;
    let mut id = 0;
    // As long undisturbed as with swaps: some captures to each.
    for results in 0..SWAPS * 8 {
        while pool.capacity() > 0 {
            id += 1;
            submit(&pool, id, next.next().unwrap());
        }
        if took.len() < swaps && !asked && results % 4 == 3 {
            generation += 1;
            let pipeline = if generation % 2 == 0 { &stage.rebuilt } else { &stage.pipeline };
            pool.replace(pipeline.clone(), generation);
            asked = true;
        }
        loop {
            match pool.reports().recv().unwrap() {
                Report::Finished(_) => break,
                Report::Replaced { generation: in_force, took: time } if in_force == generation => {
                    // The first one is the start.
                    if in_force > 1 {
                        took.push(time);
                    }
                    asked = false;
                }
                _ => {}
            }
        }
        let now = Instant::now();
        gaps.extend(last.replace(now).map(|last| now - last));
    }
    (gaps, took)
}

fn times(count: usize, mut work: impl FnMut()) -> Vec<Duration> {
    let mut once = || {
        let since = Instant::now();
        work();
        since.elapsed()
    };
    once();
    (0..count).map(|_| once()).collect()
}

fn rank(times: &[Duration], share: f64) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get((sorted.len() as f64 * share) as usize).or(sorted.last()).copied().unwrap_or_default()
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn median(times: &[Duration]) -> Duration {
    rank(times, 0.5)
}

fn shown(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    if micros < 1000.0 { format!("{micros:.0} us") } else { format!("{:.2} ms", micros / 1e3) }
}

fn spread(times: &[Duration]) -> String {
    format!("{} ({})", shown(median(times)), shown(rank(times, 0.95)))
}

fn tell(what: &str, times: &[Duration]) {
    println!("{what:<44} {}, n = {}", spread(times), times.len());
}
