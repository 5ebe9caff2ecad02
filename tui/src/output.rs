//! Standard output of the commands: text for people or one JSON object a line, never both.

use std::io::{self, BufWriter, StdoutLock, Write};

use serde::Serialize;

use crate::failure::{Failure, Kind};

/// Buffered standard output. A reader that goes away (`| head`) ends the command quietly.
pub struct Output {
    to: BufWriter<StdoutLock<'static>>,
}

impl Output {
    pub fn new() -> Self {
        Self { to: BufWriter::new(io::stdout().lock()) }
    }

    pub fn line(&mut self, line: &str) -> Result<(), Failure> {
        self.to.write_all(line.as_bytes()).and_then(|()| self.to.write_all(b"\n")).map_err(lost)
    }

    pub fn object(&mut self, object: &impl Serialize) -> Result<(), Failure> {
        let line = serde_json::to_string(object).map_err(Failure::failed)?;
        self.line(&line)
    }

    /// Sends what is buffered. Live output calls it after each line, every command at its end.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.to.flush().map_err(lost)
    }

    /// Raw bytes, for completions and the like.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.to.write_all(bytes).map_err(lost)
    }
}

/// A line on standard error that is no failure.
pub fn remark(remark: &str) {
    // There is no further place to complain when standard error is gone.
    let _ = writeln!(io::stderr(), "ferrule: {remark}");
}

fn lost(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure { kind: Kind::NobodyReads, messages: Vec::new(), hint: None };
    }
    Failure::failed(format!("standard output: {error}"))
}
