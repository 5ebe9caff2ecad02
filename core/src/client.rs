//! The client's side of the workspace's socket: find the engine, say hello, ask, listen.
//!
//! It owns no data and never starts an engine: how a process is detached is the command line's to know.

use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::{
    engine::lock::{self, Holder},
    protocol::{Answer, ClientLine, EngineLine, Event, Hello, MAX_LINE, PROTOCOL, Refusal, Request},
    workspace::DatasetPaths,
};

/// How long an engine may take to answer a hello; it only has to read a line.
const HELLO_LIMIT: Duration = Duration::from_secs(10);
/// An engine whose socket vanished binds again within a few seconds.
const REBIND_LIMIT: Duration = Duration::from_secs(10);
/// Lines that wait for the owner of the client; a client that takes none for longer is cut off by the engine.
const BACKLOG: usize = 4096;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("no engine runs for {dataset}; `ferrule` or `ferrule engine` starts one")]
    NotRunning { dataset: String },
    #[error("no engine runs for {dataset}: another command writes it (pid {pid}); wait for its end")]
    Building { dataset: String, pid: u32 },
    #[error("the engine (pid {pid}) does not answer on {socket}: {source}")]
    Unreachable { pid: u32, socket: String, source: io::Error },
    #[error("{path}: {source}")]
    Lock { path: String, source: io::Error },
    #[error("the engine refused this client: {}; {}", .0.message, .0.hint)]
    Refused(Refusal),
    #[error(
        "the engine is {engine} and speaks protocol {theirs}, this client speaks {PROTOCOL}; `ferrule stop` and start it again"
    )]
    OtherProtocol { engine: String, theirs: u32 },
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("the connection to the engine ended: {0}")]
    Lost(String),
    #[error("the engine did not answer within {0:?}")]
    Late(Duration),
    #[error("{}; {}", .0.message, .0.hint)]
    Refused(Refusal),
}

/// What arrives from the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    Event(Event),
    Answer {
        id: u64,
        body: Answer,
    },
    /// The connection ended, and why; nothing comes after it.
    Lost(String),
}

/// A connection with its hello done.
#[derive(Debug)]
pub struct Client {
    requests: Requests,
    incoming: Receiver<Incoming>,
    engine: Hello,
}

/// The sending half. Dropping it ends the connection.
#[derive(Debug)]
pub struct Requests {
    stream: UnixStream,
    next: u64,
}

impl Drop for Requests {
    fn drop(&mut self) {
        // Wakes the reading thread, which would wait for the engine for ever.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

impl Client {
    /// Connects to the engine of that dataset. Waits for an engine that begins, or binds its socket again.
    ///
    /// # Errors
    /// None runs, it does not answer, or it speaks another protocol.
    pub fn connect(paths: &DatasetPaths) -> Result<Self, ConnectError> {
        let start = Instant::now();
        loop {
            let holder = lock::holder(paths)
                .map_err(|source| ConnectError::Lock { path: paths.lock().display().to_string(), source })?
                .ok_or_else(|| ConnectError::NotRunning { dataset: paths.root().display().to_string() })?;
            if holder.command {
                return Err(ConnectError::Building { dataset: paths.root().display().to_string(), pid: holder.pid });
            }
            match UnixStream::connect(&holder.socket) {
                Ok(stream) => return Self::greet(stream, &holder),
                Err(_) if start.elapsed() < REBIND_LIMIT => thread::sleep(Duration::from_millis(50)),
                Err(source) => return Err(unreachable(&holder, source)),
            }
        }
    }

    fn greet(stream: UnixStream, holder: &Holder) -> Result<Self, ConnectError> {
        let lost = |source| unreachable(holder, source);
        let hello = Hello { protocol: PROTOCOL, software: software(), pid: std::process::id() };
        stream.set_read_timeout(Some(HELLO_LIMIT)).map_err(lost)?;
        stream.set_write_timeout(Some(HELLO_LIMIT)).map_err(lost)?;
        send(&stream, &ClientLine::Hello(hello)).map_err(lost)?;
        let mut reader = BufReader::new(stream.try_clone().map_err(lost)?);
        let engine = match receive(&mut reader).map_err(lost)? {
            Some(EngineLine::Hello(hello)) if hello.protocol == PROTOCOL => hello,
            Some(EngineLine::Hello(hello)) => {
                return Err(ConnectError::OtherProtocol { engine: hello.software, theirs: hello.protocol });
            }
            Some(EngineLine::Refused(refusal)) => return Err(ConnectError::Refused(refusal)),
            _ => return Err(lost(io::Error::other("it did not say hello"))),
        };
        stream.set_read_timeout(None).map_err(lost)?;
        let (sender, incoming) = bounded(BACKLOG);
        thread::Builder::new().name("client-reader".into()).spawn(move || read_lines(reader, &sender)).map_err(lost)?;
        Ok(Self { requests: Requests { stream, next: 1 }, incoming, engine })
    }

    /// The engine's hello.
    #[must_use]
    pub fn engine(&self) -> &Hello {
        &self.engine
    }

    /// Asks and waits for the answer; events that come between are dropped.
    ///
    /// # Errors
    /// The connection ended, the engine refused, or no answer came within `limit`.
    pub fn ask(&mut self, request: Request, limit: Duration) -> Result<Answer, RequestError> {
        let asked = self.requests.send(request).map_err(|error| RequestError::Lost(error.to_string()))?;
        let deadline = Instant::now() + limit;
        loop {
            match self.incoming.recv_deadline(deadline) {
                Ok(Incoming::Answer { id, body: Answer::Refused(refusal) }) if id == asked => {
                    return Err(RequestError::Refused(refusal));
                }
                Ok(Incoming::Answer { id, body }) if id == asked => return Ok(body),
                Ok(Incoming::Lost(reason)) => return Err(RequestError::Lost(reason)),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return Err(RequestError::Late(limit)),
                Err(RecvTimeoutError::Disconnected) => return Err(RequestError::Lost("the reader ended".into())),
            }
        }
    }

    /// The next thing that the engine says; `None` after `Lost`.
    pub fn receive(&mut self) -> Option<Incoming> {
        self.incoming.recv().ok()
    }

    /// Both halves, for an event loop that selects over several channels.
    #[must_use]
    pub fn split(self) -> (Requests, Receiver<Incoming>) {
        (self.requests, self.incoming)
    }
}

impl Requests {
    /// Sends a request; its answer arrives as [`Incoming::Answer`] with the id returned here.
    ///
    /// # Errors
    /// The engine is gone, or has not read for a long time.
    pub fn send(&mut self, body: Request) -> io::Result<u64> {
        let id = self.next;
        self.next += 1;
        send(&self.stream, &ClientLine::Request { id, body })?;
        Ok(id)
    }
}

/// The socket of the dataset's engine, for `doctor` and messages; `None` where none runs.
///
/// # Errors
/// The lock file cannot be read.
pub fn socket(paths: &DatasetPaths) -> io::Result<Option<PathBuf>> {
    Ok(lock::holder(paths)?.map(|holder| holder.socket))
}

/// `ferrule 0.1.0`.
#[must_use]
pub fn software() -> String {
    concat!("ferrule ", env!("CARGO_PKG_VERSION")).into()
}

fn unreachable(holder: &Holder, source: io::Error) -> ConnectError {
    ConnectError::Unreachable { pid: holder.pid, socket: holder.socket.display().to_string(), source }
}

fn send(mut stream: &UnixStream, line: &ClientLine) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    stream.write_all(&bytes)
}

fn receive(reader: &mut impl BufRead) -> io::Result<Option<EngineLine>> {
    let mut line = Vec::new();
    // `take` bounds what a broken engine could make this process hold.
    if io::Read::take(reader, MAX_LINE as u64).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    serde_json::from_slice(&line).map(Some).map_err(|error| io::Error::other(format!("not understood: {error}")))
}

fn read_lines(mut reader: BufReader<UnixStream>, sender: &Sender<Incoming>) {
    loop {
        let incoming = match receive(&mut reader) {
            Ok(Some(EngineLine::Event(event))) => Incoming::Event(event),
            Ok(Some(EngineLine::Answer { id, body })) => Incoming::Answer { id, body },
            Ok(Some(EngineLine::Hello(_))) => continue,
            Ok(Some(EngineLine::Refused(refusal))) => Incoming::Lost(refusal.message),
            Ok(None) => Incoming::Lost("the engine ended".into()),
            Err(error) => Incoming::Lost(error.to_string()),
        };
        let last = matches!(incoming, Incoming::Lost(_));
        if sender.send(incoming).is_err() || last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::lock::EngineLock;

    #[test]
    fn an_engine_that_begins_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let paths = DatasetPaths::at(folder.path());
        let begins = Holder::of_engine(jiff::Timestamp::now(), PathBuf::new());
        let lock = EngineLock::take(&paths, &begins).unwrap();
        thread::scope(|scope| {
            let connecting = scope.spawn(|| Client::connect(&paths));
            thread::sleep(Duration::from_millis(200));
            assert!(!connecting.is_finished(), "it has the dataset, and says its socket soon");
            drop(lock);
            let refusal = connecting.join().unwrap().unwrap_err();
            assert!(matches!(refusal, ConnectError::NotRunning { .. }), "{refusal}");
        });
    }
}
