//! The connection to the engine: connects, listens, asks, and connects again by itself when the engine is gone.

use std::{
    collections::HashMap,
    io,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select};
use ferrule_core::{
    client::{Client, Incoming, Requests},
    protocol::Request,
    workspace::DatasetPaths,
};

use super::Job;
use crate::workbench::event::{Event, FromEngine};

/// Requests that wait for the connection; a person does not press keys faster.
const BACKLOG: usize = 64;

/// Waits between attempts, growing to the last. An engine that starts again is found within that.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(300), Duration::from_millis(700), Duration::from_secs(1), Duration::from_secs(2)];

/// What the loop wants of the connection.
#[derive(Debug)]
pub enum ToEngine {
    Ask(Request),
    Start,
}

/// Starts an engine and returns once it answers; the error is one line for a person.
pub type StartEngine = Box<dyn Fn() -> Result<(), String> + Send>;

/// The thread and the way to it.
pub struct EngineJob {
    requests: Sender<ToEngine>,
    job: Job,
}

impl EngineJob {
    pub fn start(dataset: DatasetPaths, start: StartEngine, events: Sender<Event>) -> io::Result<Self> {
        let (requests, wanted) = bounded(BACKLOG);
        let job = Job::start("engine-link", move || {
            let connection = Connection { dataset, start, wanted, events };
            connection.run();
        })?;
        Ok(Self { requests, job })
    }

    /// Hands a request over; one that finds no room is dropped, as a key pressed while nothing moves.
    pub fn send(&self, request: ToEngine) {
        let _ = self.requests.try_send(request);
    }

    pub fn join(self, patience: Duration) {
        drop(self.requests);
        self.job.join(patience);
    }
}

struct Connection {
    dataset: DatasetPaths,
    start: StartEngine,
    wanted: Receiver<ToEngine>,
    events: Sender<Event>,
}

/// The loop has ended; so does the thread.
struct Over;

impl Connection {
    fn run(&self) {
        let mut attempt = 0;
        loop {
            let reason = match Client::connect(&self.dataset) {
                Ok(client) => {
                    attempt = 0;
                    let (requests, incoming) = client.split();
                    match self.serve(requests, &incoming) {
                        Ok(reason) => reason,
                        Err(Over) => return,
                    }
                }
                Err(error) => error.to_string(),
            };
            if self.tell(FromEngine::Gone(reason)).is_err() || self.pause(attempt).is_err() {
                return;
            }
            attempt += 1;
        }
    }

    /// Serves one connection until it ends, and says why it did.
    fn serve(&self, mut requests: Requests, incoming: &Receiver<Incoming>) -> Result<String, Over> {
        self.tell(FromEngine::Connected)?;
        let mut asked = HashMap::new();
        let mut ask = |request: Request, asked: &mut HashMap<u64, Request>| match requests.send(request.clone()) {
            Ok(id) => {
                asked.insert(id, request);
                None
            }
            Err(error) => Some(error.to_string()),
        };
        if let Some(reason) = ask(Request::Subscribe, &mut asked) {
            return Ok(reason);
        }
        loop {
            select! {
                recv(incoming) -> line => match line {
                    Ok(Incoming::Event(event)) => self.tell(FromEngine::Event(event))?,
                    Ok(Incoming::Answer { id, body }) => {
                        if let Some(request) = asked.remove(&id) {
                            self.tell(FromEngine::Answer { request, answer: body })?;
                        }
                    }
                    Ok(Incoming::Lost(reason)) => return Ok(reason),
                    Err(_) => return Ok("the connection ended".to_owned()),
                },
                recv(self.wanted) -> wanted => match wanted {
                    Ok(ToEngine::Ask(request)) => {
                        if let Some(reason) = ask(request, &mut asked) {
                            return Ok(reason);
                        }
                    }
                    Ok(ToEngine::Start) => {}
                    Err(_) => return Err(Over),
                },
            }
        }
    }

    /// Waits before the next attempt; a wish to start the engine ends the wait.
    fn pause(&self, attempt: usize) -> Result<(), Over> {
        let until = Instant::now() + PAUSES[attempt.min(PAUSES.len() - 1)];
        loop {
            match self.wanted.recv_deadline(until) {
                // Asked of an engine that is gone: the screen says that it is.
                Ok(ToEngine::Ask(_)) => {}
                Ok(ToEngine::Start) => {
                    if let Err(reason) = (self.start)() {
                        self.tell(FromEngine::NotStarted(reason))?;
                    }
                    return Ok(());
                }
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => return Err(Over),
            }
        }
    }

    fn tell(&self, said: FromEngine) -> Result<(), Over> {
        self.events.send(Event::Engine(said)).map_err(|_| Over)
    }
}
