//! `ferrule plugin check FILE.so|ID`: a plug-in put to the test, for its author. Everything runs in children under a
//! worker's limits, so that a crash is a line of the report.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use ferrule_core::{
    host::{Available, Catalogue, LibraryStore, Policy, Script, Scripted, assemble, is_script},
    ids::{BuildHash, PluginId},
    pool::PoolSettings,
    trial::{self, Check as What, Finding, Plan, State},
    worker::arguments::WorkerProgram,
};
use serde_json::json;

use crate::{
    batch::{Chosen, absolute, store},
    environment::Environment,
    failure::Failure,
    output::Output,
    place::Place,
    program::{PluginPath, worker_program},
};

/// Put a plug-in to the test: parameters at their ends, hostile pictures, determinism, time, memory
#[derive(Debug, Args)]
pub struct Check {
    /// A library or a Python file, or the id of a plug-in that is there
    #[arg(value_name = "FILE|ID")]
    what: String,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    path: PluginPath,
    /// Only this plug-in of the library
    #[arg(long, value_name = "ID")]
    only: Option<PluginId>,
    /// A parameter for everything that is tried; it is not varied then. Can be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// One JSON object a line: each thing that was tried, then the sum
    #[arg(long)]
    json: bool,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected name=value")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

impl Check {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let chosen = match self.place.find() {
            Ok(workspace) => Chosen::of_workspace(workspace)?,
            Err(failure) if self.place.workspace.is_some() => return Err(failure),
            // An author tries a library where it was built, and that is no workspace.
            Err(_) => Chosen::shipped()?,
        };
        let (store, _copies) = store(chosen.workspace.as_ref(), environment)?;
        let program = worker_program()?;
        let search = self.path.search(chosen.workspace.as_ref(), environment)?;
        let settings = &chosen.settings;
        let policy = Policy::of(&settings.plugins);
        let catalogue = Catalogue::build(&search, &store, &program, policy);
        let mut output = Output::new();
        let mut report = Report { json: self.json, passed: 0, failed: 0, skipped: 0, group: None };
        let tried = Tried { store: &store, catalogue: &catalogue, program: &program, policy };
        let Subject { build, library, script, only } = match self.subject(&tried)? {
            Ok(library) => library,
            // No library at all: that is the report.
            Err(reason) => {
                let finding = Finding {
                    plugin: None,
                    check: What::Layout,
                    what: String::new(),
                    state: State::Failed,
                    detail: reason,
                };
                report.take(&finding, &mut output)?;
                return report.end(&mut output);
            }
        };
        let pool = PoolSettings::of(program.clone(), &settings.workers, &settings.plugins, None);
        let plan = Plan {
            program,
            library,
            script,
            only,
            set: self.set.clone(),
            limits: pool.limits,
            wide_memory_mb: pool.wide_memory_mb,
            deadline: Duration::from_millis(settings.workers.deadline_ms),
            deadline_per_mpx: Duration::from_millis(settings.workers.deadline_ms_per_mpx),
            pipeline: assemble(settings, &catalogue).ok(),
        };
        if !self.json {
            output.line(&format!("{}, build {build}", self.what))?;
        }
        let mut told: Result<(), Failure> = Ok(());
        let ran = trial::run(&plan, &mut |finding| {
            if told.is_ok() {
                told = report.take(&finding, &mut output);
            }
        });
        told?;
        ran.map_err(|error| Failure::failed(format!("no child could be started: {error}")))?;
        report.end(&mut output)
    }

    /// The library's build, copied into the store, and the one plug-in of it that is meant. A failure ends the command; that
    /// there is no library in the file is its report.
    fn subject(&self, tried: &Tried<'_>) -> Result<Result<Subject, String>, Failure> {
        let Tried { store, catalogue, program, policy } = *tried;
        let file = PathBuf::from(&self.what);
        let looks_like_a_file =
            self.what.contains('/') || file.extension().is_some_and(|it| it == "so") || is_script(&file);
        if !looks_like_a_file && let Ok(id) = self.what.parse::<PluginId>() {
            let Some(available) = catalogue.get(&id) else {
                let ids: Vec<&str> = catalogue.available.iter().map(|it| it.card.id.as_str()).collect();
                return Err(Failure::wrong(format!("there is no plug-in `{id}`; there are {}", ids.join(", ")))
                    .hint("for a library that is not installed give its path, like target/release/libdetect_dust.so"));
            };
            let Available { build, library, script, .. } = available.clone();
            return Ok(Ok(Subject { build, library, script, only: Some(id) }));
        }
        let file = absolute(&file)?;
        if !file.is_file() {
            let what = if file.exists() { "is no file" } else { "is not there" };
            return Err(Failure::wrong(format!("{} {what}", file.display()))
                .hint("name the library that the build left, like target/release/libdetect_dust.so"));
        }
        let only = self.only.clone();
        if is_script(&file) {
            let admitted = catalogue.admit_script(&file, store, program, policy);
            let subject = |it: Scripted| Subject { build: it.build, library: it.bridge, script: Some(it.script), only };
            return Ok(admitted.map(subject).map_err(|refused| refused.reason));
        }
        let put = store.put_file(&file).map_err(|error| error.to_string());
        Ok(put.map(|build| Subject { library: store.path(&build), build, script: None, only }))
    }
}

/// What there is to try it with.
#[derive(Clone, Copy)]
struct Tried<'a> {
    store: &'a LibraryStore,
    catalogue: &'a Catalogue,
    program: &'a WorkerProgram,
    policy: Policy<'a>,
}

/// What is tried.
struct Subject {
    build: BuildHash,
    library: PathBuf,
    script: Option<Script>,
    only: Option<PluginId>,
}

/// What was said so far.
struct Report {
    json: bool,
    passed: u64,
    failed: u64,
    skipped: u64,
    /// Passed findings of one plug-in and check, told in one line.
    group: Option<Group>,
}

struct Group {
    plugin: Option<PluginId>,
    check: What,
    count: u64,
    detail: String,
}

impl Report {
    fn take(&mut self, finding: &Finding, output: &mut Output) -> Result<(), Failure> {
        match finding.state {
            State::Passed | State::Noted => self.passed += 1,
            State::Failed => self.failed += 1,
            State::Skipped => self.skipped += 1,
        }
        if self.json {
            output.object(finding)?;
            return output.flush();
        }
        let same = |group: &Group| (&group.plugin, group.check) == (&finding.plugin, finding.check);
        if self.group.as_ref().is_some_and(|group| !same(group)) {
            self.flush(output)?;
        }
        match (&mut self.group, finding.state) {
            (Some(group), State::Passed) => group.count += 1,
            (None, State::Passed) => {
                let what = if finding.what.is_empty() { String::new() } else { format!("{}: ", finding.what) };
                let (plugin, detail) = (finding.plugin.clone(), format!("{what}{}", finding.detail));
                self.group = Some(Group { plugin, check: finding.check, count: 1, detail });
            }
            (_, state) => {
                let word = match state {
                    State::Failed => "FAILED",
                    State::Skipped => "skipped",
                    State::Passed | State::Noted => "noted",
                };
                let what = if finding.what.is_empty() { String::new() } else { format!("{}: ", finding.what) };
                let plugin = finding.plugin.as_ref();
                output.line(&line(word, plugin, finding.check, &format!("{what}{}", finding.detail)))?;
            }
        }
        output.flush()
    }

    /// Tells what passed.
    fn flush(&mut self, output: &mut Output) -> Result<(), Failure> {
        let Some(group) = self.group.take() else { return Ok(()) };
        let detail = match (group.count, group.check) {
            (1, _) => group.detail,
            (count, What::Parameters) => format!("{count} values at the ends of ranges and among choices"),
            (count, What::Pictures) => format!("{count} pictures that nobody takes on purpose"),
            (count, What::Determinism) => format!("{count} times byte for byte the same answers"),
            (count, _) => format!("{count} times; {}", group.detail),
        };
        output.line(&line("passed", group.plugin.as_ref(), group.check, &detail))
    }

    fn end(&mut self, output: &mut Output) -> Result<(), Failure> {
        self.flush(output)?;
        let (passed, failed, skipped) = (self.passed, self.failed, self.skipped);
        if self.json {
            output.object(&json!({"passed": passed, "failed": failed, "skipped": skipped}))?;
        } else {
            output.line(&format!("{passed} passed, {failed} failed, {skipped} skipped"))?;
        }
        output.flush()?;
        if failed > 0 {
            return Err(Failure::failed(format!("{failed} of {} checks failed", passed + failed)));
        }
        Ok(())
    }
}

fn line(word: &str, plugin: Option<&PluginId>, check: What, detail: &str) -> String {
    let plugin = plugin.map_or("", PluginId::as_str);
    format!("{word:8}{plugin:20} {check:12} {detail}")
}
