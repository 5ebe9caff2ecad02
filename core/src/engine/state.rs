//! The engine's state and its main loop: the one thread that owns both.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Select, Sender, bounded, never};
use jiff::Timestamp;

use super::{
    EngineError, EngineSettings,
    awaited::Awaited,
    figures::Figures,
    handed::Handed,
    hashing::Hashers,
    heap::Heap,
    intake::Sources,
    lock::{EngineLock, Holder},
    queue::Queue,
    reload::Reload,
    room::ROOM,
    socket::{ClientId, FromClients, Outbox, Socket, encode},
    splits::Splits,
    tidy::Tidy,
    training::Running,
};
use crate::{
    alarm::Board,
    client::software,
    config::Configuration,
    ids::PluginId,
    ingest::{Fact, Ingest},
    pool::{Pool, Report},
    protocol::{DiskStatus, EngineLine, Event, Status},
    store::{Reader, Recovery, Store},
    training::Fence,
    workspace::DatasetPaths,
};

/// Files being read for their identity at once; ingest waits beyond that.
const MOST_READING: usize = 1024;
/// The shortest time between two status events.
const STATUS_PAUSE: Duration = Duration::from_millis(250);
/// How often files of the workspace are looked at for changes.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// How long captures in hand may take once the engine is to end.
const GRACE: Duration = Duration::from_secs(20);
/// How long the last lines to clients may take to go out.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The trouble of a store that cannot write.
pub(super) const STORAGE: &str = "storage";

/// All that the engine knows.
pub(super) struct Engine {
    pub settings: EngineSettings,
    pub configuration: Configuration,
    pub dataset: DatasetPaths,
    pub lock: EngineLock,
    pub started: Timestamp,

    pub store: Store,
    pub reader: Reader,
    pub hashers: Hashers,
    pub ingest: Option<Ingest>,
    pub facts: (Sender<Fact>, Receiver<Fact>),
    pub sources: Sources,
    pub pool: Option<Pool>,
    pub reload: Reload,
    pub queue: Queue,
    pub generation: u64,

    pub from_clients: Receiver<FromClients>,
    pub clients: HashMap<ClientId, Attached>,
    pub paused: bool,
    pub figures: Figures,
    /// As it was looked at last.
    pub disk: Option<DiskStatus>,
    pub splits: Splits,
    pub handed: Handed,
    pub tidy: Tidy,
    /// Why a plug-in is set aside.
    pub quarantined: BTreeMap<PluginId, String>,
    /// Standing troubles by what they are about; a person sees the lines.
    pub problems: BTreeMap<String, String>,
    /// Admissions and markings on their way through the store, oldest first; receipts come in the same order.
    pub admitting: VecDeque<Vec<Instant>>,
    pub reading: usize,
    pub awaited: Awaited,
    pub training: Option<Running>,
    pub alarms: Board,
    /// What the training said before its rows were committed.
    pub fence: Fence,
    pub heap: Heap,
    /// Something that a status shows has changed.
    pub dirty: bool,
    pub last_status: Instant,
    pub ending: bool,
    /// Why it cannot go on, if that is why it ends.
    pub broken: Option<String>,
}

/// A connected client.
pub(super) struct Attached {
    pub outbox: Outbox,
    pub subscribed: bool,
}

impl Engine {
    pub fn new(
        settings: EngineSettings,
        configuration: Configuration,
        dataset: DatasetPaths,
        lock: EngineLock,
        store: Store,
        recovery: Recovery,
        from_clients: Receiver<FromClients>,
    ) -> Result<Self, EngineError> {
        let hashers = Hashers::start().map_err(|source| EngineError::Thread { what: "reading files", source })?;
        let reader = Reader::frugal(&dataset)?;
        let reload = Reload::start(&settings)?;
        let sources = Sources::of(&configuration.settings);
        let mut engine = Self {
            reload,
            reader,
            hashers,
            sources,
            facts: bounded(256),
            ingest: None,
            pool: None,
            queue: Queue::default(),
            generation: recovery.generation,
            started: Timestamp::now(),
            clients: HashMap::new(),
            paused: false,
            figures: Figures::default(),
            disk: None,
            splits: Splits::new(),
            handed: Handed::default(),
            tidy: Tidy::new(),
            quarantined: BTreeMap::new(),
            problems: BTreeMap::new(),
            admitting: VecDeque::new(),
            reading: 0,
            awaited: Awaited::default(),
            training: None,
            alarms: Board::default(),
            fence: Fence::default(),
            heap: Heap::new(Instant::now()),
            dirty: true,
            last_status: Instant::now(),
            ending: false,
            broken: None,
            settings,
            configuration,
            dataset,
            lock,
            store,
            from_clients,
        };
        engine.alarms.restore(engine.reader.unseen_alarms()?);
        engine.alarms.take(&engine.configuration.settings.alarms, Instant::now());
        engine.read_again(recovery.unread);
        Ok(engine)
    }

    /// The main loop. Returns when the engine is told to stop and everything in hand is stored.
    pub fn run(mut self, socket: Socket) -> Result<(), EngineError> {
        self.start_sources()?;
        // Whoever was to be tried again when the engine before this one ended.
        self.retry_transient(self.configuration.settings.capture.decode_retries);
        while !self.ending {
            self.dispatch();
            self.turn();
            // Also when the loop is never idle.
            if self.next_look() <= Instant::now() {
                self.look();
            }
            self.report_status();
        }
        self.end(socket)
    }

    /// Waits for the next fact, whoever sends it, and takes it.
    fn turn(&mut self) {
        // Not only in an idle moment: under load there may be none for minutes.
        if self.next_look() <= Instant::now() {
            self.look();
        }
        let no_facts = never();
        let no_reports = never();
        // Back-pressure: what ingest finds waits in its bounded channel while enough is being read.
        let facts = if self.reading < MOST_READING && !self.problems.contains_key(STORAGE) {
            self.facts.1.clone()
        } else {
            no_facts
        };
        let reports: Receiver<Report> = self.pool.as_ref().map_or(no_reports, |pool| pool.reports().clone());
        let hashed = self.hashers.answers().clone();
        let receipts = self.store.receipts().clone();
        let clients = self.from_clients.clone();
        let catalogues = self.reload.catalogues().clone();
        let stop = self.settings.stop.clone();
        let stirred = self.reload.stirred().clone();
        let trained = self.training_says();
        let ended = self.settings.alarm_calls_ended.clone();

        let mut select = Select::new_biased();
        // Receipts and reports first: they free what the others wait for.
        let receipt = select.recv(&receipts);
        let report = select.recv(&reports);
        let request = select.recv(&clients);
        let reading = select.recv(&hashed);
        let catalogue = select.recv(&catalogues);
        let told = select.recv(&stop);
        let hint = select.recv(&stirred);
        let training = select.recv(&trained);
        let called = select.recv(&ended);
        let fact = select.recv(&facts);
        match select.select_deadline(self.next_look()) {
            // What is due is done after every turn.
            Err(_) => {}
            Ok(ready) => match ready.index() {
                index if index == receipt => match ready.recv(&receipts) {
                    Ok(receipt) => self.receipt(receipt),
                    Err(_) => self
                        .fail("store", "the store's writer has ended; see the log, then start the engine again".into()),
                },
                index if index == report => match ready.recv(&reports) {
                    Ok(report) => self.report(report),
                    Err(_) => self.pool_lost(),
                },
                index if index == request => {
                    if let Ok(message) = ready.recv(&clients) {
                        self.client(message);
                    }
                }
                index if index == reading => {
                    if let Ok(first) = ready.recv(&hashed) {
                        self.admit(first);
                    }
                }
                index if index == catalogue => {
                    if let Ok((look, built)) = ready.recv(&catalogues) {
                        self.take_catalogue(look, built);
                    }
                }
                index if index == told => {
                    let _ = ready.recv(&stop);
                    self.ending = true;
                }
                index if index == hint => {
                    let _ = ready.recv(&stirred);
                    self.reload.look_soon(Instant::now());
                }
                index if index == training => match ready.recv(&trained) {
                    Ok(told) => self.training_told(told),
                    Err(_) => self.training_lost(),
                },
                index if index == called => {
                    match ready.recv(&ended) {
                        Ok(end) => self.alarm_called(end),
                        // Nobody runs commands any more; a closed channel would be ready for ever.
                        Err(_) => self.settings.alarm_calls_ended = never(),
                    }
                }
                index if index == fact => {
                    if let Ok(fact) = ready.recv(&facts) {
                        self.fact(fact);
                    }
                }
                _ => {}
            },
        }
    }

    /// When the loop must turn even if nothing happens.
    fn next_look(&self) -> Instant {
        let mut next = self.reload.next_look();
        if self.dirty && self.clients.values().any(|client| client.subscribed) {
            next = next.min(self.last_status + STATUS_PAUSE);
        }
        self.awaited.next_retry().map_or(next, |retry| next.min(retry))
    }

    /// What is due by the clock.
    fn look(&mut self) {
        let now = Instant::now();
        self.retry_due(now);
        if self.reload.next_look() <= now {
            self.look_for_changes(now);
            self.look_for_room();
            self.judge_alarms(now);
            self.divide_when_idle(now);
            self.tidy_when_due(now);
            self.heap.give_back_when_due(now);
            // The rate falls without any event of its own.
            self.dirty |= self.figures.fading(now);
        }
    }

    /// May captures be given to workers?
    pub fn takes_work(&self) -> bool {
        let stuck = [ROOM, STORAGE].iter().any(|about| self.problems.contains_key(*about));
        !self.paused && !self.ending && !stuck && self.pool.is_some()
    }

    /// Tells subscribers how things stand, if that changed and they have not just been told.
    fn report_status(&mut self) {
        let now = Instant::now();
        if !self.dirty || now < self.last_status + STATUS_PAUSE {
            return;
        }
        if self.clients.values().any(|client| client.subscribed) {
            let status = self.status();
            self.broadcast(Event::Status(Box::new(status)));
            self.last_status = now;
        }
        self.dirty = false;
    }

    /// Sends an event to everybody who asked for events.
    pub fn broadcast(&mut self, event: Event) {
        if !self.clients.values().any(|client| client.subscribed) {
            return;
        }
        let line = encode(&EngineLine::Event(event));
        self.clients.retain(|_, client| !client.subscribed || client.outbox.post(Arc::clone(&line)));
    }

    /// A line for the log, here and on every screen.
    pub fn log(&mut self, level: tracing::Level, message: String) {
        match level {
            tracing::Level::ERROR => tracing::error!("{message}"),
            tracing::Level::WARN => tracing::warn!("{message}"),
            _ => tracing::info!("{message}"),
        }
        let at = Timestamp::now().to_string();
        self.broadcast(Event::Log { at, level: level.as_str().to_lowercase(), message });
    }

    /// A standing trouble; a second one about the same thing takes the first one's place.
    pub fn problem(&mut self, about: &str, line: String) {
        if self.problems.get(about) != Some(&line) {
            self.problems.insert(about.into(), line.clone());
            self.dirty = true;
            self.log(tracing::Level::WARN, line);
        }
    }

    /// A trouble is over.
    pub fn solved(&mut self, about: &str) {
        if self.problems.remove(about).is_some() {
            self.dirty = true;
            self.log(tracing::Level::INFO, format!("{about}: in order again"));
        }
    }

    /// Something without which the engine cannot go on.
    pub fn fail(&mut self, about: &str, line: String) {
        self.problem(about, line.clone());
        self.broken.get_or_insert(line);
        self.ending = true;
    }

    /// Where clients find it.
    pub fn announce(&mut self, socket: std::path::PathBuf) {
        match self.lock.announce(&Holder::of_engine(self.started, socket)) {
            Ok(()) => self.solved("socket"),
            Err(error) => self.problem("socket", error.to_string()),
        }
    }

    /// Finishes what is in hand, stores it, and leaves.
    fn end(mut self, socket: Socket) -> Result<(), EngineError> {
        tracing::info!("ending");
        self.broadcast(Event::Stopping);
        drop(self.ingest.take());
        if let Some(mut pool) = self.pool.take() {
            let reports = pool.reports().clone();
            pool.shutdown(GRACE);
            for report in reports.try_iter() {
                self.report(report);
            }
        }
        self.end_training();
        self.tidy.end();
        self.requeue_unsubmitted();
        let closed = self.store.close();
        // Whoever asked for the end hears that it was understood.
        let deadline = Instant::now() + LAST_WORDS;
        for attached in self.clients.into_values() {
            attached.outbox.close(deadline);
        }
        drop(socket);
        closed?;
        self.broken.map_or(Ok(()), |reason| Err(EngineError::Broken(reason)))
    }
}

impl Engine {
    /// The status, from the database's own counts.
    pub fn counts(&self) -> crate::protocol::Counts {
        let mut counts = self.reader.counts().unwrap_or_default();
        counts.settling = self.sources.settling();
        counts.add_up();
        counts
    }

    pub fn status(&mut self) -> Status {
        let (p50_ms, p95_ms) = self.figures.latency_ms();
        Status {
            software: software(),
            pid: std::process::id(),
            started: self.started.to_string(),
            workspace: self.settings.workspace.root().display().to_string(),
            database: self.dataset.database().display().to_string(),
            generation: self.reload.generation(),
            pipeline: self.reload.pipeline().map(|pipeline| pipeline.id.clone()),
            counts: self.counts(),
            paused: self.paused,
            per_second: self.figures.per_second(Instant::now()),
            p50_ms,
            p95_ms,
            workers: self.pool.as_ref().map(Pool::workers).unwrap_or_default(),
            sources: self.sources.status(),
            plugins: self.plugin_status(),
            training: self.training_now(),
            disk: self.disk,
            tidied: self.tidy.last.clone(),
            problems: self.problems.values().cloned().collect(),
            alarms: self.alarms.standing(),
        }
    }
}
