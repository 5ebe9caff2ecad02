//! What is in a library, found out in a child that is thrown away: loading is running somebody's code.
//!
//! [`run`] is the engine's side: it starts the child, waits under a deadline, and kills it. [`look`] is the child's side:
//! it opens the library, reads the descriptions, and has each plug-in work on a small picture, so that one that falls
//! over its own feet is refused before it meets a capture.

use std::{
    io::Read,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use ferrule_abi as abi;
use rustix::process::{Pid, Signal};

use super::{
    card::{DescriptorCard, Profile, Slot},
    loader::{Instance, Library, LoadError},
    script::Script,
};
use crate::{
    ids::PluginId,
    pipeline::{check, tools::Turn},
    worker::{
        arguments::{Arguments, Limits, WorkerProgram},
        frames::{Incoming, write_frame},
        launch::{Launched, launch},
        messages::{Described, FromWorker, ToWorker},
        sandbox::SandboxReport,
    },
};

/// How long a library may take to load and try itself. Long enough for a machine that is busy with captures.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// What a probe may take.
const LIMITS: Limits = Limits { memory_mb: 2048, max_megapixels: 1.0, max_file_mb: 1 };
const WIDE_LIMITS: Limits = Limits { memory_mb: 16_384, ..LIMITS };

/// Longest list of descriptions.
const MAX_ANSWER: usize = 1 << 20;

/// A library that was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Probed {
    /// Its plug-ins, or why it is refused, in one line.
    pub cards: Result<Vec<DescriptorCard>, String>,
    /// What the child said on standard error, for the log: layout dumps, a panic's place.
    pub log: String,
}

/// Has a child look at the library at `path`, a private copy.
///
/// # Errors
/// The child cannot be started; a library that brings it down is an answer, not an error.
pub fn run(program: &WorkerProgram, path: &Path) -> std::io::Result<Probed> {
    let look = |profile| -> std::io::Result<Probed> {
        let mut talk = Talk::start(program, profile)?;
        let cards = talk.ask(path);
        Ok(Probed { cards, log: talk.end() })
    };
    let first = look(Profile::Narrow)?;
    let wide = first.cards.as_ref().is_ok_and(|cards| cards.iter().any(|card| card.profile == Profile::Wide));
    // Only a wide child can try what asks for one.
    if wide { look(Profile::Wide) } else { Ok(first) }
}

/// Has a wide child look at a Python file through the bridge library; both are private copies.
///
/// # Errors
/// The child cannot be started.
pub fn run_script(
    program: &WorkerProgram,
    bridge: &Path,
    script: &Script,
) -> std::io::Result<Result<Described, String>> {
    let mut talk = Talk::start(program, Profile::Wide)?;
    let question = ToWorker::Describe { bridge: bridge.to_owned(), script: script.clone() };
    let described = talk.answer(&question, |message| match message {
        FromWorker::Described(described) => Some(described),
        _ => None,
    });
    let log = talk.end();
    Ok(described.and_then(|described| described).map_err(|reason| {
        tracing::warn!(script = %script.file.display(), reason, log, "a Python plug-in is refused");
        reason
    }))
}

/// Starts a child only to hear what sandbox it is in.
///
/// # Errors
/// The child cannot be started or does not answer.
pub fn sandbox(program: &WorkerProgram) -> std::io::Result<SandboxReport> {
    let mut talk = Talk::start(program, Profile::Narrow)?;
    let started = talk.hear();
    let log = talk.end();
    match started {
        Ok(FromWorker::Started { sandbox }) => Ok(sandbox),
        Ok(_) => Err(std::io::Error::other("the worker began with something else")),
        Err(reason) => Err(std::io::Error::other(format!("{reason} {log}"))),
    }
}

/// The engine's end of a conversation with a probe.
struct Talk {
    child: std::process::Child,
    line: std::os::unix::net::UnixStream,
    incoming: Incoming,
    stderr: thread::JoinHandle<String>,
    deadline: Instant,
}

impl Talk {
    fn start(program: &WorkerProgram, profile: Profile) -> std::io::Result<Self> {
        let limits = if profile == Profile::Wide { WIDE_LIMITS } else { LIMITS };
        let arguments = Arguments { parent: std::process::id(), profile, staging: None, limits };
        let mut launched = launch(program, &arguments, None)?;
        let stderr = launched.child.stderr.take();
        let stderr = thread::Builder::new().name("probe-stderr".into()).spawn(move || {
            let mut said = Vec::new();
            if let Some(mut stderr) = stderr {
                // The beginning is kept; the rest is drained, so that a child that floods does not wait for ever.
                let _ = stderr.by_ref().take(64 << 10).read_to_end(&mut said);
                let _ = std::io::copy(&mut stderr, &mut std::io::sink());
            }
            String::from_utf8_lossy(&said).into_owned()
        })?;
        let Launched { child, line } = launched;
        Ok(Self { child, line, incoming: Incoming::default(), stderr, deadline: Instant::now() + DEADLINE })
    }

    fn ask(&mut self, path: &Path) -> Result<Vec<DescriptorCard>, String> {
        let question = ToWorker::Probe { library: path.to_owned() };
        let cards = self.answer(&question, |message| match message {
            FromWorker::Probed(cards) => Some(cards),
            _ => None,
        });
        cards?
    }

    /// The answer to a question, or how the child ended over it and whose turn it was.
    fn answer<T>(&mut self, question: &ToWorker, wanted: impl Fn(FromWorker) -> Option<T>) -> Result<T, String> {
        let mut whose_turn: Option<PluginId> = None;
        let _ = self.line.set_write_timeout(Some(DEADLINE));
        write_frame(&mut self.line, question).map_err(|error| error.to_string())?;
        loop {
            match self.hear() {
                Ok(FromWorker::Started { .. }) => {}
                Ok(FromWorker::Turn { plugin, .. }) => whose_turn = Some(plugin),
                Ok(message) => return wanted(message).ok_or_else(|| "the probe answered something else".into()),
                Err(reason) => {
                    return Err(match whose_turn {
                        Some(plugin) => format!("{plugin} {reason} while it was tried"),
                        None => format!("{reason} while it was loaded"),
                    });
                }
            }
        }
    }

    /// The next message, or how the child ended.
    fn hear(&mut self) -> Result<FromWorker, String> {
        loop {
            match self.incoming.next(MAX_ANSWER) {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(error) => return Err(format!("answered with {error}")),
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("did not end within {} s", DEADLINE.as_secs()));
            }
            let _ = self.line.set_read_timeout(Some(left));
            match self.incoming.fill(&mut self.line) {
                Ok(0) => return Err(self.death()),
                Ok(_) => {}
                Err(error)
                    if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted) => {}
                Err(_) => return Err(self.death()),
            }
        }
    }

    fn death(&mut self) -> String {
        use std::os::unix::process::ExitStatusExt;
        let Ok(status) = self.child.wait() else { return "ended".into() };
        match status.signal().and_then(Signal::from_named_raw) {
            Some(Signal::SEGV) => "crashed (segmentation fault)".into(),
            Some(Signal::ABORT) => "aborted".into(),
            Some(Signal::BUS) => "crashed (bus error)".into(),
            Some(signal) => format!("was ended by signal {}", signal.as_raw()),
            None => format!("ended the process by itself ({status})"),
        }
    }

    fn end(mut self) -> String {
        // The group: a library may have started something before it was forbidden.
        if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.stderr.join().unwrap_or_default()
    }
}

/// The child's side: opens the library and tries what in it is of its own profile.
///
/// # Errors
/// Why it is refused, in one line.
pub fn look(library: &Path, profile: Profile, turn: &mut Turn<'_>) -> Result<Vec<DescriptorCard>, String> {
    let loaded = Library::load(library).map_err(|error| {
        if let LoadError::Layout { dump, .. } = &error {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), dump.as_bytes());
        }
        error.to_string()
    })?;
    for card in &loaded.cards {
        turn(&card.id);
        // Each is tried in a child of its own profile.
        if card.profile != profile {
            continue;
        }
        let tried = loaded.create(&card.id, &[]).and_then(|mut instance| try_out(card.slot, &mut *instance));
        tried.map_err(|reason| format!("{} fails on a plain picture: {reason}", card.id))?;
    }
    Ok(loaded.cards)
}

/// The same for a Python file: what it says of itself, and one call.
///
/// # Errors
/// Why it is refused, in one line.
pub fn look_at_script(bridge: &Path, script: &Script, turn: &mut Turn<'_>) -> Result<Described, String> {
    let (loaded, environment) = Library::of_script(bridge, script)?;
    let card = loaded.cards.first().cloned().ok_or("it says nothing of itself")?;
    turn(&card.id);
    let tried = loaded.create(&card.id, &[]).and_then(|mut instance| try_out(card.slot, &mut *instance));
    tried.map_err(|reason| format!("{} fails on a plain picture: {reason}", card.id))?;
    Ok(Described { card, environment })
}

/// One call on a small picture of a fibre: its answer is checked like any other, and an error counts as a fault, for
/// there is nothing wrong with this picture.
fn try_out(slot: Slot, instance: &mut dyn Instance) -> Result<(), String> {
    const SIDE: u32 = 96;
    let outline = |radius| abi::Ellipse { cx: 47.5, cy: 47.5, ax: radius, by: radius, angle_deg: 0.0 };
    let zone = |name, radius| abi::Zone { name, outline: outline(radius), confidence: 1.0 };
    let zones =
        [zone(abi::ZoneName::Core, 5.0), zone(abi::ZoneName::Cladding, 30.0), zone(abi::ZoneName::Ferrule, 46.0)];
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for y in 0..SIDE {
        for x in 0..SIDE {
            let innermost = zones.iter().find(|zone| zone.outline.radius_at(f64::from(x), f64::from(y)) <= 1.0);
            labels.push(innermost.map_or(abi::LABEL_NONE, |zone| zone.name as u8));
            let gray = match innermost.map(|zone| zone.name) {
                Some(abi::ZoneName::Core) => 190,
                Some(abi::ZoneName::Cladding) => 70,
                _ => 150,
            };
            // A little texture, so that noise estimates are not zero.
            pixels.push(gray + ((x * 7 + y * 13) % 5) as u8);
        }
    }
    let Some(image) = abi::ImageView::gray8(&pixels, SIDE, SIDE) else { return Ok(()) };
    let segmentation = abi::SegmentationView { zones: zones.as_slice().into(), labels: labels.as_slice().into() };
    let input = abi::DetectInput { image, segmentation };
    match slot {
        Slot::Segment => check::segmentation(&instance.segment(&image)?, SIDE, SIDE),
        Slot::Detect => check::detections(&mut instance.detect(&input)?, SIDE, SIDE),
        Slot::Measure => check::measurements(&instance.measure(&input, &[])?),
        Slot::Grade => {
            let input = abi::GradeInput {
                width: SIDE,
                height: SIDE,
                zones: zones.as_slice().into(),
                defects: abi::RSlice::EMPTY,
                um_per_px: abi::ROption::RSome(2.0),
                pixel_aspect: 1.0,
                core_um: abi::ROption::RNone,
                flags: abi::RSlice::EMPTY,
            };
            check::verdict(&instance.grade(&input)?, 0)
        }
        Slot::Train => Ok(()),
    }
}
