//! A Python interpreter that serves one plug-in file: its start, its questions and answers, its death.

use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
};

use ferrule_abi::PluginError;
use serde::{Deserialize, de::DeserializeOwned};

use crate::sheet::Sheet;

/// The interpreter's side, handed over on its command line.
const RUNNER: &str = include_str!("../python/runner.py");

/// What an interpreter says of itself and of the file before it takes questions.
#[derive(Debug, Clone, Deserialize)]
pub struct Hello {
    /// Interpreter and packages whose versions may change answers.
    pub environment: String,
    /// As the file's `FERRULE` says it.
    pub descriptor: serde_json::Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Said<T> {
    Hello(Hello),
    Answer(T),
    Error(String),
}

/// A running interpreter with its plug-in loaded.
#[derive(Debug)]
pub struct Interpreter {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    pub hello: Hello,
}

impl Interpreter {
    /// Starts one, and waits until it has loaded the file.
    ///
    /// # Errors
    /// No such interpreter, no NumPy in it, a file that cannot be loaded or does not describe itself.
    pub fn start(program: &str, script: &str, sheet: &Sheet) -> Result<Self, PluginError> {
        let mut command = Command::new(program);
        // Libraries that come before a plug-in's own are not for the interpreter's packages.
        command.env_remove("LD_LIBRARY_PATH");
        // -s: without what the user installed for themselves, which a service would not see.
        command.args(["-s", "-c", RUNNER, &sheet.number().to_string(), script]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().map_err(|error| {
            let remedy = "set plugins.python to the path of a Python 3 that has NumPy";
            PluginError::new(format!("the interpreter `{program}` cannot be started ({error}); {remedy}"))
        })?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the interpreter has no line to talk over".into());
        };
        let mut from = BufReader::new(from);
        match hear::<()>(&mut from, &mut child)? {
            Said::Hello(hello) => Ok(Self { child, to, from, hello }),
            Said::Error(reason) => {
                let _ = child.wait();
                Err(reason.into())
            }
            Said::Answer(()) => Err("the interpreter answered before it was asked".into()),
        }
    }

    /// Puts a question and waits for the answer. Does not come back if the interpreter dies: then this process does the
    /// same, for the host must see a death.
    ///
    /// # Errors
    /// What the plug-in raised, with its place; an answer that is none.
    pub fn ask<T: DeserializeOwned>(&mut self, question: &str) -> Result<T, PluginError> {
        if writeln!(self.to, "{question}").and_then(|()| self.to.flush()).is_err() {
            die_with(&mut self.child);
        }
        match hear(&mut self.from, &mut self.child)? {
            Said::Answer(answer) => Ok(answer),
            Said::Error(reason) => Err(reason.into()),
            Said::Hello(_) => Err("the interpreter introduced itself twice".into()),
        }
    }
}

impl Drop for Interpreter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn hear<T: DeserializeOwned>(from: &mut impl BufRead, child: &mut Child) -> Result<Said<T>, PluginError> {
    let mut line = String::new();
    match from.read_line(&mut line) {
        Ok(count) if count > 0 => serde_json::from_str(&line)
            .map_err(|error| PluginError::new(format!("the plug-in's answer cannot be understood: {error}"))),
        _ => die_with(child),
    }
}

/// Ends this process as the interpreter ended.
fn die_with(child: &mut Child) -> ! {
    let status = child.wait();
    let told = match &status {
        Ok(status) => format!("the Python interpreter ended: {status}"),
        Err(error) => format!("the Python interpreter is gone: {error}"),
    };
    let _ = writeln!(io::stderr(), "{told}");
    if let Some(signal) = status.as_ref().ok().and_then(ExitStatus::signal) {
        // SAFETY: plain calls; the default action first, or a handler of this process would swallow it.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    }
    std::process::exit(status.ok().and_then(|status| status.code()).unwrap_or(1))
}
