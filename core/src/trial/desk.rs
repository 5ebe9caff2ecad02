//! The child's side of a trial: loads the library, makes the instance, shows it the pictures, and says what came of each
//! call. Runs in a worker that is thrown away; called by [`crate::worker::child`].

use std::{path::PathBuf, time::Instant};

use ferrule_abi as abi;

use super::{Call, Fault, Sitting, Trial, Tried, subjects::Shown, subjects::Subject};
use crate::{
    host::{
        card::Slot,
        loader::{Instance, Library},
        script::Script,
    },
    pipeline::{check, tools::Turn},
    words::counted,
};

/// Pictures that are kept painted; the simulated one takes longer to paint than most plug-ins to look at.
const KEPT: usize = 3;

/// What is loaded: a library, and the Python file that it serves.
type Code = (PathBuf, Option<Script>);

/// What a child keeps from one trial to the next.
#[derive(Default)]
pub struct Desk {
    library: Option<(Code, Library)>,
    painted: Vec<(Subject, Shown)>,
}

impl Desk {
    /// Does what it is told, and always answers if the plug-in lets it.
    pub fn take(&mut self, trial: &Trial, turn: &mut Turn<'_>) -> Tried {
        let done = match trial {
            Trial::Describe { library, script } => {
                self.library((library, script)).map(|library| Tried::Described(library.cards.clone()))
            }
            Trial::Call(sitting) => self.sit(sitting, turn).map(Tried::Called),
        };
        done.unwrap_or_else(Tried::Fault)
    }

    fn library(&mut self, (path, script): (&PathBuf, &Option<Script>)) -> Result<&Library, Fault> {
        if self.library.as_ref().is_none_or(|((loaded, served), _)| loaded != path || served != script) {
            let library = match script {
                None => Library::load(path).map_err(|error| Fault::Library(error.to_string()))?,
                Some(script) => Library::of_script(path, script).map_err(Fault::Library)?.0,
            };
            self.library = Some(((path.clone(), script.clone()), library));
        }
        let nothing = || Fault::Library("is not loaded".into());
        self.library.as_ref().map(|(_, library)| library).ok_or_else(nothing)
    }

    fn sit(&mut self, sitting: &Sitting, turn: &mut Turn<'_>) -> Result<Vec<Call>, Fault> {
        for subject in &sitting.subjects {
            self.paint(*subject)?;
            // Painting takes its time, and that is not the plug-in's.
            turn(&sitting.plugin);
        }
        let painted = std::mem::take(&mut self.painted);
        let calls = self.show(sitting, &painted, turn);
        self.painted = painted;
        calls
    }

    fn paint(&mut self, subject: Subject) -> Result<(), Fault> {
        if !self.painted.iter().any(|(painted, _)| *painted == subject) {
            if self.painted.len() >= KEPT {
                self.painted.remove(0);
            }
            let shown = Shown::of(subject).map_err(Fault::Library)?;
            self.painted.push((subject, shown));
        }
        Ok(())
    }

    fn show(
        &mut self,
        sitting: &Sitting,
        painted: &[(Subject, Shown)],
        turn: &mut Turn<'_>,
    ) -> Result<Vec<Call>, Fault> {
        let library = self.library((&sitting.library, &sitting.script))?;
        let card = library.card(&sitting.plugin).ok_or_else(|| Fault::Library("does not offer it".into()))?;
        let parameters: Vec<abi::Parameter> = sitting
            .parameters
            .iter()
            .map(|(name, value)| abi::Parameter { name: name.as_str().into(), value: value.into() })
            .collect();
        let mut instance = library
            .create(&sitting.plugin, &parameters)
            .map_err(|reason| if is_panic(&reason) { Fault::Panic(reason) } else { Fault::Create(reason) })?;
        let mut calls = Vec::with_capacity(sitting.subjects.len());
        for subject in &sitting.subjects {
            turn(&sitting.plugin);
            let shown = painted.iter().find(|(painted, _)| painted == subject).map(|(_, shown)| shown);
            let shown = shown.ok_or_else(|| Fault::Library("was shown too many pictures at once".into()))?;
            calls.push(call(card.slot, &mut *instance, shown)?);
        }
        Ok(calls)
    }
}

fn is_panic(reason: &str) -> bool {
    reason.starts_with("panic: ")
}

/// One call, timed, checked and hashed.
fn call(slot: Slot, instance: &mut dyn Instance, shown: &Shown) -> Result<Call, Fault> {
    let (width, height) = shown.size();
    let mut hasher = blake3::Hasher::new();
    let start = Instant::now();
    let (ms, answered) = match slot {
        Slot::Segment => {
            let answer = instance.segment(&shown.image());
            let ms = milliseconds(start);
            (
                ms,
                answer.map(|mut answer| {
                    let lie = check::segmentation(&answer, width, height);
                    // A byte a pixel: as text it would take longer than the call.
                    hasher.update(&std::mem::take(&mut answer.labels));
                    let zones = answer.zones.len();
                    (lie, format!("{answer:?}"), counted(zones as u64, "zone"))
                }),
            )
        }
        Slot::Detect => {
            let answer = instance.detect(&shown.input());
            let ms = milliseconds(start);
            (
                ms,
                answer.map(|mut answer| {
                    let before = format!("{answer:?}");
                    let lie = check::detections(&mut answer, width, height);
                    (lie, before, counted(answer.defects.len() as u64, "defect"))
                }),
            )
        }
        Slot::Measure => {
            let answer = instance.measure(&shown.input(), shown.defects());
            let ms = milliseconds(start);
            (
                ms,
                answer.map(|answer| {
                    let said = counted(answer.features.len() as u64, "figure");
                    (check::measurements(&answer), format!("{answer:?}"), said)
                }),
            )
        }
        Slot::Grade => {
            let graded = shown.graded();
            let start = Instant::now();
            let answer = instance.grade(&shown.grade_input(&graded));
            let ms = milliseconds(start);
            (
                ms,
                answer.map(|answer| {
                    let said = format!("{:?} by {}", answer.overall, answer.profile);
                    (check::verdict(&answer, graded.len()), format!("{answer:?}"), said)
                }),
            )
        }
        Slot::Train => return Err(Fault::Library("is for the slot train, of which nothing is called here".into())),
    };
    let said = match answered {
        Ok((lie, bytes, said)) => {
            lie.map_err(Fault::Lie)?;
            hasher.update(bytes.as_bytes());
            Ok(said)
        }
        Err(reason) if is_panic(&reason) => return Err(Fault::Panic(reason)),
        Err(reason) => {
            hasher.update(reason.as_bytes());
            Err(reason)
        }
    };
    Ok(Call { digest: hasher.finalize().to_hex()[..32].to_owned(), said, ms, resident: resident() })
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// Resident memory of this process, from the kernel's `statm` (pages: all, resident, …); 0 where there is none.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}
