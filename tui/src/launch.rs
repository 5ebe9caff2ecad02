//! Starts an engine that goes on when this process, its terminal and its session are gone.
//!
//! Under the user's own service manager where that lingers (logind ends a session's processes, not its), else in a
//! session of its own. Called by the workbench; a foreground engine needs none of this.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use ferrule_core::{
    client::Client,
    doctor::logout::{AtLogout, at_logout},
    engine::access,
    workspace::{DatasetPaths, Workspace},
};

use crate::{
    environment::{self, Environment},
    failure::{Failure, Kind},
    program::PluginPath,
};

/// An engine probes new plug-ins and recovers its database before it answers.
const LIMIT: Duration = Duration::from_secs(90);

/// Everything needed to start an engine, again and again.
#[derive(Debug, Clone)]
pub struct Launch {
    workspace: Workspace,
    dataset: DatasetPaths,
    executable: PathBuf,
    arguments: Vec<OsString>,
    /// The user's service manager goes on after logout.
    lingers: bool,
}

impl Launch {
    pub fn new(
        workspace: &Workspace,
        dataset: DatasetPaths,
        path: &PluginPath,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let executable = environment::executable()
            .map_err(|error| Failure::failed(format!("this binary cannot be found: {error}")))?;
        let mut arguments: Vec<OsString> = vec!["engine".into(), "--detached".into()];
        arguments.extend(path.arguments()?);
        arguments.push(workspace.root().into());
        let manager = environment.runtime_dir.as_deref().map(|folder| folder.join("systemd/private"));
        let lingers = at_logout(environment.user.as_deref()) == AtLogout::Lingers
            && manager.is_some_and(|socket| socket.exists());
        Ok(Self { workspace: workspace.clone(), dataset, executable, arguments, lingers })
    }

    /// Returns once an engine answers: this one, or one that was there already.
    pub fn start(&self) -> Result<(), Failure> {
        if Client::connect(&self.dataset).is_ok() {
            return Ok(());
        }
        if self.lingers && self.start_with(&self.under_the_service_manager()).is_ok() {
            return Ok(());
        }
        self.start_with(&[])
    }

    fn under_the_service_manager(&self) -> Vec<OsString> {
        ["systemd-run", "--user", "--scope", "--quiet", "--collect", "--"].map(OsString::from).to_vec()
    }

    fn start_with(&self, wrapper: &[OsString]) -> Result<(), Failure> {
        let stderr = self.workspace.private().join("engine.stderr");
        let mut child = self.spawn(wrapper, &stderr).map_err(|error| {
            Failure::wrong(format!("no engine can be started in {}: {error}", self.workspace.root().display()))
                .hint("is the workspace writable, and is there room on its disk?")
        })?;
        let deadline = Instant::now() + LIMIT;
        loop {
            if Client::connect(&self.dataset).is_ok() {
                reap(child);
                return Ok(());
            }
            match child.try_wait() {
                // Another client's engine may have been faster: then this one found the dataset taken.
                Ok(Some(status)) => return self.ended(status, &stderr),
                _ if Instant::now() > deadline => {
                    let log = self.workspace.log();
                    reap(child);
                    return Err(Failure::new(Kind::Unreachable, "the engine was started and does not answer")
                        .hint(format!("{} says how far it came", log.display())));
                }
                _ => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn spawn(&self, wrapper: &[OsString], stderr: &Path) -> io::Result<Child> {
        access::make_private(&self.workspace.private())?;
        let mut words = wrapper.iter().cloned().chain([self.executable.clone().into_os_string()]);
        let program = words.next().unwrap_or_default();
        Command::new(program)
            .args(words)
            .args(&self.arguments)
            // It outlives this folder and must not keep a mount busy.
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(stderr)?)
            .spawn()
    }

    fn ended(&self, status: ExitStatus, stderr: &Path) -> Result<(), Failure> {
        let patience = Instant::now() + Duration::from_secs(2);
        while Instant::now() < patience {
            if Client::connect(&self.dataset).is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        let said = fs::read_to_string(stderr).unwrap_or_default();
        // As it told them: message lines, then the hint, which is indented.
        let (hints, messages): (Vec<&str>, Vec<&str>) = said.lines().partition(|line| line.starts_with("  "));
        let kind = if status.code() == Some(2) { Kind::Wrong } else { Kind::Unreachable };
        let messages = match messages.as_slice() {
            [] => vec![format!("the engine ended with {status}")],
            lines => lines.iter().rev().take(5).rev().map(|line| plain(line)).collect(),
        };
        let hint = match hints.last() {
            Some(hint) => hint.trim().to_owned(),
            None => format!("{} may say more", self.workspace.log().display()),
        };
        Err(Failure { kind, messages, hint: Some(hint) })
    }
}

fn plain(line: &str) -> String {
    line.strip_prefix("ferrule: ").unwrap_or(line).to_owned()
}

/// Takes note of the engine's end, whenever that is, so that it leaves no zombie while this client lives on.
fn reap(mut child: Child) {
    let waiting = thread::Builder::new().name("engine-reaper".into()).spawn(move || child.wait());
    // Without a thread the zombie ends with this process.
    drop(waiting);
}
