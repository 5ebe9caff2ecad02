//! `ferrule doctor`: what a bug report needs. Each line is ok, a notice or a problem, with what to do about it.

use std::{
    io::{IsTerminal, stdin, stdout},
    path::Path,
};

use clap::Args;
use ferrule_core::{
    client::{self, Client},
    config::Configuration,
    doctor::{self, Finding, State, logout},
    engine::lock,
    host,
    settings::Settings,
    workspace::{DatasetPaths, Workspace},
};

use crate::{
    environment::{self, Environment},
    failure::Failure,
    output::Output,
    place::Place,
    program::{self, PluginPath},
};

/// Examine this machine and a workspace: what a bug report needs
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    path: PluginPath,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let mut output = Output::new();
        let mut problems = 0;
        let mut tell = |findings: Vec<Finding>| -> Result<(), Failure> {
            for finding in findings {
                problems += usize::from(finding.state == State::Problem);
                if self.json {
                    output.object(&finding)?;
                } else {
                    for line in lines(&finding) {
                        output.line(&line)?;
                    }
                }
            }
            // The slower parts come later: what is known is shown.
            output.flush()
        };
        tell(vec![Finding::ok("ferrule", "version", client::software())])?;
        tell(terminal())?;
        tell(doctor::kernel())?;
        tell(doctor::inotify())?;
        tell(sandbox())?;
        tell(vec![logout::at_logout(environment.user.as_deref()).finding()])?;
        // What is named is looked at even where it is wrong and another one would be taken.
        let found = || environment::libtorch(&environment::executable().ok()?)?.parent().map(Path::to_owned);
        tell(vec![doctor::libtorch(environment.libtorch.clone().or_else(found).as_deref()), doctor::gpu()])?;
        // Without a workspace the rest of the machine is still worth knowing.
        match self.place.find() {
            Ok(workspace) => tell(of_workspace(&workspace, &self.path, environment))?,
            Err(failure) => {
                let remedy = failure.hint.unwrap_or_default();
                tell(vec![Finding::notice("workspace", "folder", failure.messages.join("; "), remedy)])?;
            }
        }
        match problems {
            0 => Ok(()),
            1 => Err(Failure::failed("1 problem found")),
            more => Err(Failure::failed(format!("{more} problems found"))),
        }
    }
}

fn lines(finding: &Finding) -> Vec<String> {
    let mark = match finding.state {
        State::Ok => "ok     ",
        State::Notice => "notice ",
        State::Problem => "PROBLEM",
    };
    let mut lines = vec![format!("{mark}  {:<9}  {}: {}", finding.area, finding.name, finding.value)];
    lines.extend(finding.remedy.as_ref().map(|remedy| format!("{:22}-> {remedy}", "")));
    lines
}

fn sandbox() -> Vec<Finding> {
    match program::worker_program() {
        Ok(program) => doctor::sandbox(&program),
        Err(failure) => {
            let remedy = "is the binary still where it was started from?";
            vec![Finding::problem("sandbox", "worker", failure.messages.join("; "), remedy)]
        }
    }
}

fn terminal() -> Vec<Finding> {
    const AREA: &str = "terminal";
    if !stdin().is_terminal() || !stdout().is_terminal() {
        return vec![Finding::ok(AREA, "screen", "none here; the workbench needs one, the commands do not")];
    }
    let said = |name: &str| environment::variable(name);
    let mut findings = Vec::new();
    findings.push(match said("TERM") {
        Some(term) if term != "dumb" => {
            let program = said("TERM_PROGRAM").map(|program| format!(" ({program})")).unwrap_or_default();
            Finding::ok(AREA, "TERM", format!("{term}{program}"))
        }
        other => {
            let value = other.unwrap_or_else(|| "not set".into());
            Finding::problem(AREA, "TERM", value, "the workbench cannot be drawn: set TERM to what the terminal is")
        }
    });
    if let Ok(size) = rustix::termios::tcgetwinsize(stdout()) {
        let value = format!("{}x{}", size.ws_col, size.ws_row);
        let small = size.ws_col < 80 || size.ws_row < 24;
        let remedy = "the workbench is laid out for 80x24 and more: enlarge the terminal";
        findings.push(if small {
            Finding::notice(AREA, "size", value, remedy)
        } else {
            Finding::ok(AREA, "size", value)
        });
    }
    let colours = if said("NO_COLOR").is_some() {
        "none (NO_COLOR is set)"
    } else if said("COLORTERM").is_some_and(|value| value == "truecolor" || value == "24bit") {
        "24 bit"
    } else if said("TERM").is_some_and(|term| term.contains("256")) {
        "256"
    } else {
        "16"
    };
    findings.push(Finding::ok(AREA, "colours", colours));
    findings.push(Finding::ok(AREA, "pictures", pictures(said)));
    findings
}

/// What a person's terminal most likely takes; the workbench asks the terminal itself.
fn pictures(said: impl Fn(&str) -> Option<String>) -> &'static str {
    let term = said("TERM").unwrap_or_default();
    let program = said("TERM_PROGRAM").unwrap_or_default();
    if said("TMUX").is_some() || term.starts_with("screen") || term.starts_with("tmux") {
        "half-blocks (inside tmux or screen)"
    } else if term.contains("kitty") || term.contains("ghostty") || said("KITTY_WINDOW_ID").is_some() {
        "kitty's protocol, if the terminal answers"
    } else if program.contains("iTerm") || program == "WezTerm" {
        "iTerm2's protocol, if the terminal answers"
    } else if term.contains("foot") || term.contains("mlterm") || program == "mintty" {
        "sixel, if the terminal answers"
    } else {
        "asked of the terminal; half-blocks if it does not answer"
    }
}

fn of_workspace(workspace: &Workspace, path: &PluginPath, environment: &Environment) -> Vec<Finding> {
    const AREA: &str = "workspace";
    let mut findings = vec![Finding::ok(AREA, "folder", workspace.root().display().to_string())];
    let configuration = match Configuration::load(workspace) {
        Ok(configuration) => configuration,
        Err(error) => {
            findings.push(Finding::problem(AREA, "settings", error.to_string(), "correct that line of the file"));
            findings.extend(lock::running(workspace).map(|dataset| engine(&dataset)));
            return findings;
        }
    };
    let settings = &configuration.settings;
    findings.push(Finding::ok(AREA, "settings", format!("{} understood", workspace.configuration().display())));
    for source in &settings.sources {
        let name = format!("source {}", source.name);
        let path = source.path.display().to_string();
        findings.push(match std::fs::read_dir(&source.path) {
            Ok(_) => Finding::ok(AREA, &name, path),
            Err(error) => {
                let remedy = "make or mount it; the engine takes it up when it is there";
                Finding::problem(AREA, &name, format!("{path}: {error}"), remedy)
            }
        });
    }
    findings.extend(plugins(workspace, settings, path, environment));
    let dataset = DatasetPaths::at(&settings.dataset.path);
    findings.push(engine(&dataset));
    findings.extend(doctor::disk(&dataset, settings.dataset.min_free_mb));
    findings.extend(doctor::database(&dataset));
    findings
}

fn plugins(workspace: &Workspace, settings: &Settings, path: &PluginPath, environment: &Environment) -> Vec<Finding> {
    const AREA: &str = "plug-ins";
    let searched =
        path.search(Some(workspace), environment).and_then(|it| program::catalogue(workspace, settings, &it));
    let catalogue = match searched {
        Ok(catalogue) => catalogue,
        Err(failure) => {
            return vec![Finding::problem(AREA, "search", failure.messages.join("; "), "correct that path")];
        }
    };
    let mut findings: Vec<Finding> = catalogue
        .available
        .iter()
        .map(|plugin| {
            let value = format!("{} {}, build {}", plugin.card.slot, plugin.card.version, plugin.build);
            Finding::ok(AREA, plugin.card.id.as_str(), value)
        })
        .collect();
    findings.extend(catalogue.refused.iter().map(|refusal| {
        let remedy = "do what it says, or take the file away; the build before it stays in force";
        Finding::notice(AREA, &refusal.path.display().to_string(), &refusal.reason, remedy)
    }));
    match host::assemble(settings, &catalogue) {
        Ok(pipeline) => findings.push(Finding::ok(AREA, "pipeline", pipeline.id.to_string())),
        Err(error) => {
            let remedy = "build or install that plug-in, or take it out of [pipeline]";
            findings.push(Finding::problem(AREA, "pipeline", error.to_string(), remedy));
        }
    }
    findings
}

fn engine(dataset: &DatasetPaths) -> Finding {
    const NAME: &str = "process";
    match (lock::holder(dataset), Client::connect(dataset)) {
        (_, Ok(client)) => {
            let hello = client.engine();
            Finding::ok("engine", NAME, format!("{} runs, pid {}", hello.software, hello.pid))
        }
        (Ok(None), _) => Finding::ok("engine", NAME, "none runs"),
        (_, Err(error)) => Finding::problem("engine", NAME, error.to_string(), "`ferrule stop`, or end that process"),
    }
}
