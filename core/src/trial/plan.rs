//! What is tried of each plug-in, in which order, and what counts as passed.

use std::{io, time::Duration};

use ferrule_abi as abi;

use super::{
    Call, Check, Fault, Finding, Plan, Sitting, State, Subject, Trial, Tried, describe,
    subjects::{self, FACE, Kind},
};
use crate::{
    host::{
        card::{DescriptorCard, ParameterKind, Pixels, Profile, Slot},
        probe,
    },
    ids::PluginId,
    worker::{
        arguments::Limits,
        messages::{FromWorker, Job, Optics, ParameterValue, ToWorker},
        talk::{Death, Talk},
    },
};

/// Calls for time and memory; the first few fill caches and buffers and do not count.
const CALLS: usize = 50;
const WARM: usize = 10;
/// What a process may grow by in the calls that count: allocators keep a little, leaks keep a picture each.
const MOST_GROWTH: u64 = 4 << 20;
/// Hangs after which nothing more of a plug-in is tried: each costs a whole deadline.
const MOST_HANGS: u32 = 3;

const PLAIN: Subject = Subject::gray(Kind::Face);

/// Tries a library, and tells each finding as it comes. Whether all passed.
///
/// # Errors
/// No child can be started: nothing can be said then.
pub fn run(plan: &Plan, tell: &mut dyn FnMut(Finding)) -> io::Result<bool> {
    // Whatever starts an interpreter needs a wide child from the beginning.
    let profile = if plan.script.is_some() { Profile::Wide } else { Profile::Narrow };
    let mut bench = Bench { plan, talk: None, profile, hangs: 0, passed: true, tell };
    let cards =
        match bench.ask(&Trial::Describe { library: plan.library.clone(), script: plan.script.clone() }, STARTING)? {
            Ok(Tried::Described(cards)) => cards,
            Ok(Tried::Fault(fault)) => return Ok(bench.refused(&fault.to_string())),
            Ok(Tried::Called(_)) => return Ok(bench.refused("the child answered something else")),
            Err(death) => return Ok(bench.refused(&format!("{death}, while it was loaded"))),
        };
    bench.say(None, Check::Layout, "", State::Passed, "it loads, and was built against this interface".into());
    let probed = match &plan.script {
        None => probe::run(&plan.program, &plan.library)?.cards.map(|_| ()),
        Some(script) => probe::run_script(&plan.program, &plan.library, script)?.map(|_| ()),
    };
    match probed {
        Ok(()) => bench.say(None, Check::Probe, "", State::Passed, "the engine would let it in".into()),
        Err(reason) => bench.say(None, Check::Probe, "", State::Failed, reason),
    }
    let meant = |card: &&DescriptorCard| plan.only.as_ref().is_none_or(|only| only == &card.id);
    let cards: Vec<&DescriptorCard> = cards.iter().filter(meant).collect();
    if cards.is_empty() {
        bench.say(plan.only.as_ref(), Check::Description, "", State::Failed, "the library does not offer it".into());
    }
    let known = |name: &str| cards.iter().any(|card| card.parameters.iter().any(|parameter| parameter.name == name));
    for (name, _) in plan.set.iter().filter(|(name, _)| !known(name)) {
        let what = format!("--set {name}");
        bench.say(
            None,
            Check::Parameters,
            &what,
            State::Failed,
            "no plug-in that is tried has such a parameter".into(),
        );
    }
    let whole = bench.capture_ms()?;
    for card in cards {
        if bench.profile != card.profile {
            (bench.profile, bench.talk) = (card.profile, None);
        }
        bench.plugin(card, whole)?;
    }
    Ok(bench.passed)
}

/// Longest wait where no plug-in is called.
const STARTING: Duration = Duration::from_secs(20);

/// What came of a sitting.
enum Outcome {
    Called(Vec<Call>),
    Fault(Fault),
    Death(Death),
    /// Not tried any more.
    GivenUp,
}

impl Outcome {
    /// What is wrong, if anything is; `None` for an answer to every picture, be it an error in the plug-in's words.
    fn fault(&self) -> Option<String> {
        match self {
            Self::Called(_) => None,
            Self::Fault(fault) => Some(fault.to_string()),
            Self::Death(death) => Some(death.to_string()),
            Self::GivenUp => Some(format!("not tried: it hung {MOST_HANGS} times before")),
        }
    }
}

struct Bench<'a> {
    plan: &'a Plan,
    talk: Option<Talk>,
    /// Of the plug-in that is tried.
    profile: Profile,
    hangs: u32,
    passed: bool,
    tell: &'a mut dyn FnMut(Finding),
}

impl Bench<'_> {
    fn say(&mut self, plugin: Option<&PluginId>, check: Check, what: &str, state: State, detail: String) {
        self.passed &= state != State::Failed;
        (self.tell)(Finding { plugin: plugin.cloned(), check, what: what.into(), state, detail });
    }

    fn refused(&mut self, reason: &str) -> bool {
        self.say(None, Check::Layout, "", State::Failed, reason.into());
        false
    }

    fn start(&self) -> io::Result<Talk> {
        let memory_mb = match self.profile {
            Profile::Narrow => self.plan.limits.memory_mb,
            Profile::Wide => self.plan.wide_memory_mb,
        };
        Talk::start(&self.plan.program, self.profile, Limits { memory_mb, ..self.plan.limits })
    }

    /// A dead child is replaced at the next question.
    fn ask(&mut self, trial: &Trial, deadline: Duration) -> io::Result<Result<Tried, Death>> {
        let mut talk = match self.talk.take() {
            Some(talk) => talk,
            None => self.start()?,
        };
        Ok(match talk.ask(&ToWorker::Try(Box::new(trial.clone())), deadline) {
            Ok(FromWorker::Tried(tried)) => {
                self.talk = Some(talk);
                Ok(*tried)
            }
            Ok(_) => Ok(Tried::Fault(Fault::Library("answered something else".into()))),
            Err(death) => Err(death),
        })
    }

    fn sit(
        &mut self,
        card: &DescriptorCard,
        parameters: &[(String, ParameterValue)],
        subjects: Vec<Subject>,
    ) -> io::Result<Outcome> {
        if self.hangs >= MOST_HANGS {
            return Ok(Outcome::GivenUp);
        }
        let largest = subjects.iter().map(Subject::megapixels).fold(0.0, f64::max);
        let deadline = self.plan.deadline + self.plan.deadline_per_mpx.mul_f64(largest);
        let (library, script, plugin) = (self.plan.library.clone(), self.plan.script.clone(), card.id.clone());
        let sitting = Sitting { library, script, plugin, parameters: parameters.to_vec(), subjects };
        Ok(match self.ask(&Trial::Call(Box::new(sitting)), deadline)? {
            Ok(Tried::Called(calls)) => Outcome::Called(calls),
            Ok(Tried::Fault(Fault::Panic(words))) => {
                let place = self.talk.as_ref().and_then(Talk::panicked_at);
                let place = place.map_or_else(String::new, |place| format!(", at {place}"));
                // Another one's place is not to be taken for this one's.
                self.talk = None;
                Outcome::Fault(Fault::Panic(format!("{words}{place}")))
            }
            Ok(Tried::Fault(fault)) => Outcome::Fault(fault),
            Ok(Tried::Described(_)) => Outcome::Fault(Fault::Library("answered something else".into())),
            Err(death) => {
                self.hangs += u32::from(death.is_hang());
                Outcome::Death(death)
            }
        })
    }

    fn plugin(&mut self, card: &DescriptorCard, whole: Option<f64>) -> io::Result<()> {
        let id = &card.id;
        self.hangs = 0;
        self.description(card);
        if card.slot == Slot::Train {
            let why = "nothing of it is called here: its slot is train";
            self.say(Some(id), Check::Answers, "", State::Skipped, why.into());
            return Ok(());
        }
        let set = match set(card, &self.plan.set) {
            Ok(set) => set,
            Err(reason) => {
                self.say(Some(id), Check::Parameters, "--set", State::Failed, reason);
                return Ok(());
            }
        };
        self.answers(card, &set)?;
        self.parameters(card, &set)?;
        self.pictures(card, &set)?;
        self.determinism(card, &set)?;
        self.speed_and_memory(card, &set, whole)
    }

    fn description(&mut self, card: &DescriptorCard) {
        let faults = describe::faults(card);
        if faults.is_empty() {
            let detail = match card.parameters.len() {
                0 => "a summary, and no parameters".to_owned(),
                1 => "a summary, and one parameter with help, a range and a default inside it".to_owned(),
                count => format!("a summary, and {count} parameters with help, ranges and defaults inside them"),
            };
            self.say(Some(&card.id), Check::Description, "", State::Passed, detail);
        }
        for (about, fault) in faults {
            self.say(Some(&card.id), Check::Description, &about, State::Failed, fault);
        }
    }

    /// An end face at its defaults: an error in the plug-in's own words is a fault here, for nothing is wrong with it.
    fn answers(&mut self, card: &DescriptorCard, set: &[(String, ParameterValue)]) -> io::Result<()> {
        let mut subjects = vec![PLAIN];
        let others = card.accepts.iter().filter(|format| **format != Pixels::Gray8);
        subjects.extend(others.map(|format| Subject { kind: Kind::Face, format: *format }));
        for subject in subjects {
            let outcome = self.sit(card, set, vec![subject])?;
            let (state, detail) = judged(&outcome, true);
            self.say(Some(&card.id), Check::Answers, &subject.to_string(), state, detail);
        }
        Ok(())
    }

    /// Each parameter at its ends, the others as they are.
    fn parameters(&mut self, card: &DescriptorCard, set: &[(String, ParameterValue)]) -> io::Result<()> {
        for parameter in card.parameters.iter().filter(|it| !set.iter().any(|(name, _)| name == &it.name)) {
            for value in ends(&parameter.kind) {
                let what = format!("{} = {}", parameter.name, shown(&value));
                let mut parameters = set.to_vec();
                parameters.push((parameter.name.clone(), value));
                let (state, detail) = match self.sit(card, &parameters, vec![PLAIN])? {
                    // Two values may exclude each other; alone, this one does not go with the others' defaults.
                    Outcome::Fault(Fault::Create(reason)) => (State::Noted, format!("refused: {reason}")),
                    outcome => judged(&outcome, true),
                };
                self.say(Some(&card.id), Check::Parameters, &what, state, detail);
            }
        }
        Ok(())
    }

    /// Pictures to which "I cannot look at that" is an answer, and a crash is none.
    fn pictures(&mut self, card: &DescriptorCard, set: &[(String, ParameterValue)]) -> io::Result<()> {
        for subject in Subject::hostile(&card.accepts) {
            let outcome = self.sit(card, set, vec![subject])?;
            let (state, detail) = judged(&outcome, false);
            self.say(Some(&card.id), Check::Pictures, &subject.to_string(), state, detail);
        }
        Ok(())
    }

    /// The same picture again, the same after others of another size, the same in two fresh workers.
    fn determinism(&mut self, card: &DescriptorCard, set: &[(String, ParameterValue)]) -> io::Result<()> {
        let noise = Subject::gray(Kind::Noise { width: 300, height: 200 });
        let mut digests = Vec::new();
        for _ in 0..2 {
            self.talk = None;
            match self.sit(card, set, vec![PLAIN, PLAIN, noise, PLAIN])? {
                Outcome::Called(calls) => digests.push(calls.into_iter().map(|call| call.digest).collect::<Vec<_>>()),
                failed => {
                    let (state, detail) = judged(&failed, true);
                    self.say(Some(&card.id), Check::Determinism, "the same picture again", state, detail);
                    return Ok(());
                }
            }
        }
        let same = |a: usize, b: usize| digests[0].get(a) == digests[0].get(b);
        let trials = [
            ("the same picture twice", same(0, 1)),
            ("the same picture after another", same(0, 3)),
            ("the same pictures in two fresh workers", digests[0] == digests[1]),
        ];
        for (what, equal) in trials {
            let state = if equal { State::Passed } else { State::Failed };
            let detail = if equal { "byte for byte the same answer" } else { "the answers differ" };
            self.say(Some(&card.id), Check::Determinism, what, state, detail.into());
        }
        Ok(())
    }

    fn speed_and_memory(
        &mut self,
        card: &DescriptorCard,
        set: &[(String, ParameterValue)],
        whole: Option<f64>,
    ) -> io::Result<()> {
        self.talk = None;
        let what = format!("{CALLS} calls on {}x{}", FACE.0, FACE.1);
        let calls = match self.sit(card, set, vec![PLAIN; CALLS])? {
            Outcome::Called(calls) => calls,
            failed => {
                let (state, detail) = judged(&failed, true);
                self.say(Some(&card.id), Check::Speed, &what, state, detail);
                return Ok(());
            }
        };
        let ms = median(calls.iter().skip(WARM).map(|call| call.ms).collect());
        let share = whole
            .filter(|whole| *whole > 0.0)
            .map_or_else(String::new, |whole| format!(", {:.0} % of a capture ({whole:.1} ms)", 100.0 * ms / whole));
        self.say(Some(&card.id), Check::Speed, &what, State::Passed, format!("median {ms:.3} ms{share}"));
        let resident = |at: Option<&Call>| at.map_or(0, |call| call.resident);
        let (from, to) = (resident(calls.get(WARM)), resident(calls.last()));
        let growth = to.saturating_sub(from);
        let state = if growth > MOST_GROWTH { State::Failed } else { State::Passed };
        let mb = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let (grown, allowed, used) = (mb(growth), mb(MOST_GROWTH), mb(to));
        let detail = format!("{grown:.1} MB more from call {WARM} on ({allowed:.0} MB allowed), {used:.0} MB in use");
        self.say(Some(&card.id), Check::Memory, &what, state, detail);
        Ok(())
    }

    /// Median of a whole capture of the same end face, by the pipeline that there is.
    fn capture_ms(&mut self) -> io::Result<Option<f64>> {
        let Some(pipeline) = &self.plan.pipeline else { return Ok(None) };
        let folder = tempfile::Builder::new().prefix("ferrule-check-").tempdir()?;
        let path = folder.path().join("face.png");
        let saved = subjects::face_picture().and_then(|picture| picture.save(&path).map_err(|error| error.to_string()));
        if saved.is_err() {
            return Ok(None);
        }
        let mut talk = self.start()?;
        if !matches!(talk.ask(&ToWorker::Configure(Box::new(pipeline.clone())), STARTING), Ok(FromWorker::Ready { .. }))
        {
            return Ok(None);
        }
        let mut times = Vec::new();
        for job in 0..5 {
            let optics = Optics { cladding_um: Some(125.0), ..Optics::default() };
            let job = Job { job, path: path.clone(), expected: None, optics, without: Vec::new(), staging: None };
            let Ok(FromWorker::Done(answer)) = talk.ask(&ToWorker::Inspect(Box::new(job)), STARTING) else {
                return Ok(None);
            };
            let Ok(inspection) = answer.result else { return Ok(None) };
            let ms = inspection.ms;
            times.push(ms.decode + ms.segment + ms.detect + ms.measure + ms.grade);
        }
        // The first fill caches and buffers.
        Ok(Some(median(times.split_off(2))))
    }
}

fn judged(outcome: &Outcome, must_answer: bool) -> (State, String) {
    match outcome {
        Outcome::GivenUp => (State::Skipped, outcome.fault().unwrap_or_default()),
        Outcome::Called(calls) => match calls.first().map(|call| &call.said) {
            Some(Ok(said)) => (State::Passed, said.clone()),
            Some(Err(reason)) if must_answer => (State::Failed, format!("answers with an error: {reason}")),
            Some(Err(reason)) => (State::Noted, format!("says: {reason}")),
            None => (State::Failed, "no call was made".into()),
        },
        _ => (State::Failed, outcome.fault().unwrap_or_default()),
    }
}

/// Both ends, each choice, both positions of a switch. Any text might be a path, so texts stay as they are.
fn ends(kind: &ParameterKind) -> Vec<ParameterValue> {
    match kind {
        ParameterKind::Bool => vec![ParameterValue::Bool(false), ParameterValue::Bool(true)],
        ParameterKind::Integer { low, high } => vec![ParameterValue::Integer(*low), ParameterValue::Integer(*high)],
        ParameterKind::Real { low, high } => vec![ParameterValue::Real(*low), ParameterValue::Real(*high)],
        ParameterKind::Choice { options } => options.iter().cloned().map(ParameterValue::Text).collect(),
        ParameterKind::Text => Vec::new(),
    }
}

fn shown(value: &ParameterValue) -> String {
    match value {
        ParameterValue::Bool(value) => value.to_string(),
        ParameterValue::Integer(value) => value.to_string(),
        ParameterValue::Real(value) => value.to_string(),
        ParameterValue::Text(value) => value.clone(),
    }
}

/// The values given for this plug-in's parameters, by what each takes. A name that it does not have is another's.
fn set(card: &DescriptorCard, given: &[(String, String)]) -> Result<Vec<(String, ParameterValue)>, String> {
    let mut set = Vec::new();
    for (name, text) in given {
        let Some(parameter) = card.parameters.iter().find(|parameter| &parameter.name == name) else { continue };
        let parsed = match parameter.kind {
            ParameterKind::Bool => text.parse().ok().map(ParameterValue::Bool),
            ParameterKind::Integer { .. } => text.parse().ok().map(ParameterValue::Integer),
            ParameterKind::Real { .. } => text.parse().ok().map(ParameterValue::Real),
            ParameterKind::Choice { .. } | ParameterKind::Text => None,
        };
        let value = parsed.unwrap_or_else(|| ParameterValue::Text(text.clone()));
        let checked = abi::ParameterSpec::from(parameter).check(&(&value).into()).map_err(|error| error.to_string())?;
        set.push((name.clone(), (&checked).into()));
    }
    Ok(set)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
