//! Runs the commands of alarms, for an engine whose library starts no process but workers.
//!
//! One after the other, on a thread of its own, without a shell, each in a process group of its own with a clean environment
//! and a deadline. Nothing that a command does or leaves undone reaches the engine but the line that says how it ended.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded};
use ferrule_core::{
    alarm::{Alarm, AlarmCall, AlarmCallEnd},
    workspace::Workspace,
};

use crate::{
    environment::{self, Environment},
    failure::Failure,
};

/// How long a command may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// Commands that may wait for the one that runs.
const WAITING: usize = 8;

/// What is told of what a command said, in characters.
const SAID: usize = 200;

/// Where commands are run.
struct Runner {
    workspace: Workspace,
    /// What a command finds in its environment beside the alarm.
    environment: Vec<(&'static str, OsString)>,
    deadline: Duration,
}

/// Starts the thread; it ends with the engine.
pub fn runner(
    workspace: &Workspace,
    environment: &Environment,
) -> Result<(Sender<AlarmCall>, Receiver<AlarmCallEnd>), Failure> {
    let (calls, waiting) = bounded::<AlarmCall>(WAITING);
    let (ends, ended) = bounded(WAITING);
    let runner = Runner { workspace: workspace.clone(), environment: kept(environment), deadline: DEADLINE };
    let run = move || {
        for call in waiting {
            let end = AlarmCallEnd { rule: call.alarm.rule.clone(), fault: runner.run(&call).err() };
            if ends.send(end).is_err() {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("alarm-commands".into())
        .spawn(run)
        .map_err(|error| Failure::failed(format!("no thread for commands of alarms: {error}")))?;
    Ok((calls, ended))
}

/// Enough to find programs and the person's session, and nothing else of how the engine was started.
fn kept(environment: &Environment) -> Vec<(&'static str, OsString)> {
    let texts = [
        ("PATH", environment::joined(&environment.path)),
        ("HOME", environment.home.clone().map(PathBuf::into_os_string)),
        ("USER", environment.user.clone().map(OsString::from)),
        ("XDG_RUNTIME_DIR", environment.runtime_dir.clone().map(PathBuf::into_os_string)),
        ("LANG", Some("C.UTF-8".into())),
    ];
    texts.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect()
}

impl Runner {
    /// Runs it to its end; the error is one line for a person.
    fn run(&self, call: &AlarmCall) -> Result<(), String> {
        let root = self.workspace.root();
        let words: Vec<String> = call.command.iter().map(|word| filled(word, &call.alarm, root)).collect();
        let Some((program, arguments)) = words.split_first() else { return Ok(()) };
        let said = self.workspace.private().join("alarm.stderr");
        let mut child = self
            .spawn(program, arguments, &call.alarm, &said)
            .map_err(|error| format!("{program} cannot be run: {error}; give its whole path in `command`"))?;
        let status = wait(&mut child, self.deadline)
            .map_err(|error| format!("nobody knows how {program} ended: {error}; see the log of the system"))?;
        match status {
            None => Err(format!(
                "{program} was still running after {} s and was ended; let it do its work in the background",
                self.deadline.as_secs()
            )),
            Some(status) if status.success() => Ok(()),
            Some(status) => {
                Err(format!("{program} ended with {status}{}; run it by hand to see why", last_line(&said)))
            }
        }
    }

    fn spawn(&self, program: &str, arguments: &[String], alarm: &Alarm, said: &Path) -> io::Result<Child> {
        let root = self.workspace.root();
        // A path with a folder in it is the workspace's; a bare name is looked for on the path.
        let program = if program.contains('/') { root.join(program) } else { PathBuf::from(program) };
        Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("FERRULE_WORKSPACE", root)
            .env("FERRULE_ALARM", &alarm.rule)
            .env("FERRULE_ALARM_KIND", alarm.kind.as_str())
            .env("FERRULE_ALARM_MESSAGE", &alarm.message)
            .env("FERRULE_ALARM_AT", &alarm.raised_at)
            .current_dir(root)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(said)?)
            .process_group(0)
            .spawn()
    }
}

/// The word with what it names filled in; the message last, for it may hold anything.
fn filled(word: &str, alarm: &Alarm, workspace: &Path) -> String {
    word.replace("{rule}", &alarm.rule)
        .replace("{kind}", alarm.kind.as_str())
        .replace("{workspace}", &workspace.to_string_lossy())
        .replace("{message}", &alarm.message)
}

/// How it ended; `None` where it did not in time and was killed, with whatever it had started.
fn wait(child: &mut Child, deadline: Duration) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now() + deadline;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            let _ = rustix::process::kill_process_group(
                rustix::process::Pid::from_child(child),
                rustix::process::Signal::KILL,
            );
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The last thing it said on standard error, to be put behind a sentence.
fn last_line(said: &Path) -> String {
    let text = fs::read(said).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    match text.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(line) => format!(": {}", line.trim().chars().take(SAID).collect::<String>()),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use ferrule_core::alarm::AlarmKind;

    use super::*;

    fn call(command: &[&str]) -> AlarmCall {
        AlarmCall {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            alarm: Alarm {
                rule: "night".into(),
                kind: AlarmKind::Silence,
                message: "no new capture for 30 minutes; $(touch owned) {rule}".into(),
                raised_at: "2026-09-21T14:00:00Z".into(),
                over_at: None,
                seen_by: None,
                bell: false,
            },
        }
    }

    fn runner(folder: &Path) -> Runner {
        let workspace = Workspace::at(folder);
        fs::create_dir_all(workspace.private()).unwrap();
        let environment = vec![("PATH", "/usr/bin:/bin".into())];
        Runner { workspace, environment, deadline: Duration::from_secs(30) }
    }

    #[test]
    fn a_command_gets_the_alarm_as_words_and_in_a_clean_environment_and_no_shell_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let script = "printf '%s|' \"$@\" > told; env | sort | grep -v _= >> told";
        let given = call(&["sh", "-c", script, "sh", "{rule} ({kind})", "{message}"]);
        runner(folder.path()).run(&given).unwrap();
        let told = fs::read_to_string(folder.path().join("told")).unwrap();
        assert!(told.starts_with("night (silence)|no new capture for 30 minutes; $(touch owned) {rule}|"), "{told}");
        assert!(told.contains("FERRULE_ALARM_KIND=silence\n") && told.contains("FERRULE_ALARM=night\n"), "{told}");
        let foreign = told.lines().skip(1).find(|line| !line.starts_with("FERRULE_") && !line.starts_with("P"));
        assert_eq!(foreign, None, "{told}");
        assert!(!folder.path().join("owned").exists());
    }

    #[test]
    fn a_command_that_is_missing_fails_or_hangs_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let mut runner = runner(folder.path());
        let missing = runner.run(&call(&["no-such-program"])).unwrap_err();
        assert!(missing.starts_with("no-such-program cannot be run: ") && !missing.contains('\n'), "{missing}");
        let fails = runner.run(&call(&["sh", "-c", "echo first >&2; echo no route >&2; exit 3"])).unwrap_err();
        assert!(fails.contains("exit status: 3: no route"), "{fails}");
        runner.deadline = Duration::from_millis(50);
        let hangs = runner.run(&call(&["sleep", "600"])).unwrap_err();
        assert!(hangs.starts_with("sleep was still running"), "{hangs}");
    }
}
