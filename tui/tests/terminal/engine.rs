//! An engine that only talks: it holds the dataset's lock, says hello, tells its status, and notes what it is asked.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    sync::{Arc, Mutex},
};

use ferrule_core::{
    engine::lock::{EngineLock, Holder},
    protocol::{Answer, ClientLine, Counts, EngineLine, Hello, PROTOCOL, Request, Status},
    workspace::DatasetPaths,
};

/// Dropped, it is as gone as a killed one.
pub struct FakeEngine {
    lines: Arc<Mutex<Vec<UnixStream>>>,
    asked: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
    _lock: EngineLock,
}

impl FakeEngine {
    /// An engine that has done that many captures.
    pub fn start(dataset: &Path, done: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("socket");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let started = "2026-09-21T14:00:00Z".parse().expect("a time");
        let holder = Holder::of_engine(started, socket);
        let lock = EngineLock::take(&DatasetPaths::at(dataset), &holder).expect("the lock");
        let (lines, asked) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (open, note) = (Arc::clone(&lines), Arc::clone(&asked));
        std::thread::spawn(move || {
            while let Ok((line, _)) = listener.accept() {
                open.lock().expect("the lines").push(line.try_clone().expect("a handle"));
                let note = Arc::clone(&note);
                std::thread::spawn(move || serve(line, done, &note));
            }
        });
        Self { lines, asked, _folder: folder, _lock: lock }
    }

    /// The kinds of requests that came, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("the requests").clone()
    }
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        for line in self.lines.lock().expect("the lines").iter() {
            let _ = line.shutdown(std::net::Shutdown::Both);
        }
    }
}

fn serve(mut line: UnixStream, done: u64, asked: &Mutex<Vec<String>>) {
    let lines = BufReader::new(line.try_clone().expect("a handle")).lines();
    for text in lines.map_while(Result::ok) {
        let answer = match serde_json::from_str(&text).expect("a line of the protocol") {
            ClientLine::Hello(_) => EngineLine::Hello(Hello {
                protocol: PROTOCOL,
                software: "ferrule test".into(),
                pid: std::process::id(),
            }),
            ClientLine::Request { id, body } => {
                let kind = serde_json::to_value(&body).expect("JSON")["type"].as_str().unwrap_or("?").to_owned();
                asked.lock().expect("the requests").push(kind);
                let body = match body {
                    Request::Status | Request::Subscribe => Answer::Status(Box::new(status(done))),
                    _ => Answer::Ok { count: 0 },
                };
                EngineLine::Answer { id, body }
            }
        };
        let mut bytes = serde_json::to_vec(&answer).expect("JSON");
        bytes.push(b'\n');
        if line.write_all(&bytes).is_err() {
            return;
        }
    }
}

fn status(done: u64) -> Status {
    let mut counts = Counts { done, ..Counts::default() };
    counts.add_up();
    Status {
        software: "ferrule test".into(),
        pid: std::process::id(),
        started: "2026-09-21T14:00:00Z".into(),
        workspace: "/pty".into(),
        database: "/pty/dataset/index.sqlite".into(),
        generation: 1,
        counts,
        ..Status::default()
    }
}
