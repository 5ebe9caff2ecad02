//! Draws a set of pictures into a folder and their truth beside it. Called by the command line and the demo.
//!
//! Writes only inside the folder, except the truth file. A run that was interrupted is taken up by the same call: what is
//! there stays, what is missing is drawn. Blocks until done; progress and cancelling go through one callback.

use std::{
    fs, io,
    num::NonZeroUsize,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::{
    drop::drop_file,
    file_name,
    format::Format,
    preset::Preset,
    scene::{Scene, generator},
    truth::{Coco, Info, Truth},
};

/// The most pictures one run draws: names have six digits for them.
pub const MOST_PICTURES: u64 = 1_000_000;

/// Fastest rate that is still a microscope and not a burst.
const FASTEST: f64 = 10_000.0;

/// How often a quiet run asks whether to go on.
const TICK: Duration = Duration::from_millis(100);

/// A slow write takes this long at most.
const SLOWEST_WRITE: Duration = Duration::from_millis(400);

/// What to draw and where.
#[derive(Debug, Clone)]
pub struct SimulateSettings {
    /// The folder; made where it is missing.
    pub out: PathBuf,
    pub count: u64,
    pub preset: Preset,
    /// Pictures a second; None: as fast as the machine can.
    pub rate: Option<f64>,
    pub seed: u64,
    pub format: Format,
    /// None: `<out>.truth.json` beside the folder.
    pub truth: Option<PathBuf>,
    /// None: one a core.
    pub threads: Option<NonZeroUsize>,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    pub count: u64,
    /// Drawn by this run.
    pub written: u64,
    /// Found complete from an earlier one.
    pub kept: u64,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulateReport {
    pub progress: Progress,
    /// Pictures with at least one defect, of those that are there.
    pub with_defects: u64,
    pub truth: PathBuf,
    /// The callback ended it; the same call takes it up.
    pub cancelled: bool,
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    #[error("`{0}` pictures a second is no rate: give a number above 0, at most {FASTEST}")]
    Rate(f64),
    #[error(
        "{0} pictures are too many for one run: at most {MOST_PICTURES}; use several seeds, each with its own folder"
    )]
    Count(u64),
    #[error("cannot make the folder {}: {source}; give another --out, or make it writable", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("the folder {} has no name to put the truth beside: give --truth FILE", .0.display())]
    NoTruthPath(PathBuf),
    #[error("cannot write {}: {source}; make room or give another --out, then run the same command again", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is not what this run would write there: use another --out, or remove it", .0.display())]
    Stranger(PathBuf),
    #[error("{} is not a truth file of simulated pictures: give another --truth, or remove it", .0.display())]
    StrangeTruth(PathBuf),
    #[error("{} belongs to another run ({run}): repeat that one, or use another --out", truth.display())]
    OtherRun { truth: PathBuf, run: String },
    #[error("cannot encode {}: {source}", path.display())]
    Encode { path: PathBuf, source: image::ImageError },
    #[error("a drawing thread ended early: this is a bug in the simulator")]
    Thread,
}

/// What one thread says of one picture.
enum Step {
    Picture { index: u64, kept: bool, truth: Box<Truth> },
    Failed(SimulateError),
}

/// Draws `settings.count` pictures. `progress` is called after each and every tenth of a second; `Break` ends the run
/// after the pictures in hand.
///
/// # Errors
/// Wrong settings before anything is written; else the first path that could not be written or is not this run's.
pub fn run(
    settings: &SimulateSettings,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<SimulateReport, SimulateError> {
    check(settings)?;
    fs::create_dir_all(&settings.out).map_err(|source| SimulateError::Folder { path: settings.out.clone(), source })?;
    let truth_path = truth_path(settings)?;
    let mut info = Info {
        generator: Info::GENERATOR.into(),
        preset: settings.preset.name.clone(),
        fingerprint: settings.preset.fingerprint.clone(),
        seed: settings.seed,
        format: settings.format.to_string(),
        count: settings.count,
        complete: false,
    };
    let earlier = earlier_run(&truth_path, &info)?;
    // A shorter run than before must not take the other pictures out of the truth.
    info.count = earlier.as_ref().map_or(0, |run| run.count).max(info.count);
    if earlier.is_none() {
        write_truth(&truth_path, &Coco::new(info.clone()))?;
    }

    let job = Job {
        settings,
        known: earlier.is_some(),
        next: AtomicU64::new(0),
        dropped: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        start: Instant::now(),
    };
    let (now, truths, cancelled) = job.draw(progress)?;

    let mut coco = Coco::new(info);
    let mut truths = truths.into_iter().map(|(index, truth)| (index, *truth)).collect::<Vec<_>>();
    truths.sort_unstable_by_key(|(index, _)| *index);
    let mut present: Vec<bool> = vec![false; coco.info.count as usize];
    for (index, _) in &truths {
        present[*index as usize] = true;
    }
    // Pictures of an earlier, longer run, or behind the place where this one was cancelled.
    for index in (0..coco.info.count).filter(|index| !present[*index as usize]) {
        if is_file(&settings.out.join(file_name(settings.seed, index, settings.format))) {
            truths.push((index, Scene::plan(&settings.preset, settings.seed, index).truth()));
        }
    }
    truths.sort_unstable_by_key(|(index, _)| *index);
    let with_defects = truths.iter().filter(|(_, truth)| !truth.defects.is_empty()).count() as u64;
    coco.info.complete = truths.len() as u64 == coco.info.count;
    for (index, truth) in truths {
        coco.push(index, file_name(settings.seed, index, settings.format), truth);
    }
    write_truth(&truth_path, &coco)?;
    Ok(SimulateReport { progress: now, with_defects, truth: truth_path, cancelled })
}

fn check(settings: &SimulateSettings) -> Result<(), SimulateError> {
    if settings.count > MOST_PICTURES {
        return Err(SimulateError::Count(settings.count));
    }
    match settings.rate {
        Some(rate) if !(rate > 0.0 && rate <= FASTEST) => Err(SimulateError::Rate(rate)),
        _ => Ok(()),
    }
}

/// The truth file's path: as given, else the folder's name with `.truth.json` behind it, beside the folder.
fn truth_path(settings: &SimulateSettings) -> Result<PathBuf, SimulateError> {
    if let Some(path) = &settings.truth {
        return Ok(path.clone());
    }
    let out = &settings.out;
    let real = fs::canonicalize(out).map_err(|source| SimulateError::Folder { path: out.clone(), source })?;
    // `.` and `..` have a name only once resolved; a folder reached by a link keeps the link's name.
    let named = if out.file_name().is_some() { out.clone() } else { real };
    let Some(name) = named.file_name() else { return Err(SimulateError::NoTruthPath(named)) };
    let mut name = name.to_os_string();
    name.push(".truth.json");
    Ok(named.with_file_name(name))
}

/// The run that wrote the truth file there, if any; it must be this one.
fn earlier_run(path: &Path, ours: &Info) -> Result<Option<Info>, SimulateError> {
    #[derive(serde::Deserialize)]
    struct Head {
        info: Info,
    }
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(SimulateError::Read { path: path.into(), source }),
    };
    let head: Option<Head> = serde_json::from_slice(&bytes).ok();
    let Some(Head { info }) = head.filter(|head| head.info.generator == Info::GENERATOR) else {
        return Err(SimulateError::StrangeTruth(path.into()));
    };
    let same = info.preset == ours.preset
        && info.fingerprint == ours.fingerprint
        && info.seed == ours.seed
        && info.format == ours.format;
    if !same || info.count > MOST_PICTURES {
        let run = format!("--preset {} --seed {} --format {}", info.preset, info.seed, info.format);
        let run = if info.fingerprint == ours.fingerprint { run } else { format!("{run}, another version of it") };
        return Err(SimulateError::OtherRun { truth: path.into(), run });
    }
    Ok(Some(info))
}

fn write_truth(path: &Path, coco: &Coco) -> Result<(), SimulateError> {
    let fail = |source: io::Error| SimulateError::Write { path: path.into(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".truth-").tempfile_in(folder).map_err(fail)?;
    {
        let mut writer = io::BufWriter::new(file.as_file_mut());
        serde_json::to_writer(&mut writer, coco).map_err(|error| fail(error.into()))?;
        io::Write::flush(&mut writer).map_err(fail)?;
    }
    file.as_file().sync_all().map_err(fail)?;
    file.persist(path).map_err(|error| fail(error.error))?;
    Ok(())
}

fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
}

/// One run's shared state.
struct Job<'s> {
    settings: &'s SimulateSettings,
    /// A truth file of this very run was there, so files with its names are its files.
    known: bool,
    next: AtomicU64,
    dropped: AtomicU64,
    stop: AtomicBool,
    start: Instant,
}

type Outcome = (Progress, Vec<(u64, Box<Truth>)>, bool);

impl Job<'_> {
    fn draw(&self, progress: &mut dyn FnMut(Progress) -> ControlFlow<()>) -> Result<Outcome, SimulateError> {
        let cores = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let threads = self.settings.threads.unwrap_or_else(cores).get();
        let mut now = Progress { count: self.settings.count, ..Progress::default() };
        let (mut truths, mut failed, mut cancelled) = (Vec::new(), None, false);
        thread::scope(|scope| {
            let (say, hear) = bounded(64);
            for i in 0..threads {
                let say = say.clone();
                let named = thread::Builder::new().name(format!("simulate-{i}"));
                if named.spawn_scoped(scope, move || self.work(&say)).is_err() {
                    failed = Some(SimulateError::Thread);
                    self.stop.store(true, Ordering::Relaxed);
                }
            }
            drop(say);
            loop {
                match hear.recv_timeout(TICK) {
                    Ok(Step::Picture { index, kept, truth }) => {
                        if kept {
                            now.kept += 1
                        } else {
                            now.written += 1
                        }
                        truths.push((index, truth));
                    }
                    Ok(Step::Failed(error)) => {
                        self.stop.store(true, Ordering::Relaxed);
                        failed.get_or_insert(error);
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                let finished = now.kept + now.written == now.count;
                if progress(now).is_break() && !finished {
                    cancelled = true;
                    self.stop.store(true, Ordering::Relaxed);
                }
            }
        });
        match failed {
            Some(error) => Err(error),
            None if !cancelled && truths.len() as u64 != now.count => Err(SimulateError::Thread),
            None => Ok((now, truths, cancelled && now.kept + now.written < now.count)),
        }
    }

    /// Takes picture after picture until none is left or the run is stopped.
    fn work(&self, say: &Sender<Step>) {
        while !self.stop.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= self.settings.count {
                return;
            }
            let step = match self.picture(index) {
                Ok(Some((kept, truth))) => Step::Picture { index, kept, truth: Box::new(truth) },
                Ok(None) => return,
                Err(error) => Step::Failed(error),
            };
            if say.send(step).is_err() {
                return;
            }
        }
    }

    /// Draws or keeps one picture; None where the run was stopped while it waited for its turn.
    fn picture(&self, index: u64) -> Result<Option<(bool, Truth)>, SimulateError> {
        let s = self.settings;
        let name = file_name(s.seed, index, s.format);
        let path = s.out.join(&name);
        let scene = Scene::plan(&s.preset, s.seed, index);
        let truth = scene.truth();
        let exists = fs::symlink_metadata(&path).is_ok();
        if exists && !is_file(&path) {
            return Err(SimulateError::Stranger(path));
        }
        if exists && self.known {
            return Ok(Some((true, truth)));
        }
        let random = &mut generator(&s.preset, s.seed, index, 1);
        // A JPEG is what the microscope itself stored, compressed once; in another format it keeps the traces.
        let picture = match s.format {
            Format::Jpg => super::paint::taken(&scene, random),
            _ => super::paint::picture(&scene, random),
        };
        let bytes = s
            .format
            .encode(&picture, scene.jpeg_quality)
            .map_err(|source| SimulateError::Encode { path: path.clone(), source })?;
        if exists {
            // No truth file vouches for it: only the very same bytes are kept.
            let there = fs::read(&path).map_err(|source| SimulateError::Read { path: path.clone(), source })?;
            return if there == bytes { Ok(Some((true, truth))) } else { Err(SimulateError::Stranger(path)) };
        }
        let pace = s.rate.map(|rate| Duration::from_secs_f64(0.5 / rate).min(SLOWEST_WRITE));
        if let Some(rate) = s.rate
            && !self.wait_for_turn(rate)
        {
            return Ok(None);
        }
        drop_file(&s.out, &name, &bytes, pace, &self.stop)
            .map_err(|(path, source)| SimulateError::Write { path, source })?;
        Ok(Some((false, truth)))
    }

    /// Sleeps until the next picture is due; false where the run was stopped meanwhile.
    fn wait_for_turn(&self, rate: f64) -> bool {
        let turn = self.dropped.fetch_add(1, Ordering::Relaxed);
        let due = self.start + Duration::from_secs_f64(turn as f64 / rate);
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return false;
            }
            match due.checked_duration_since(Instant::now()) {
                None | Some(Duration::ZERO) => return true,
                Some(left) => thread::sleep(left.min(TICK)),
            }
        }
    }
}
