//! What commands hand to the engine that has their dataset, because it alone writes there: files of a build, pairs of
//! pictures. The work around it (which files, which pairs) stays with the command, and ends with it.
//!
//! A command that writes is answered once its write is committed: so it is never ahead of the store, and captures wait for
//! one step of it at most.

use std::{
    collections::{HashSet, VecDeque},
    path::Path,
    time::Instant,
};

use super::{requests::refused, socket::ClientId, splits::News, state::Engine};
use crate::{
    dataset::build,
    ingest::SeenFile,
    protocol::{Answer, HandedFile},
    store::{CorrelationWrite, Divided, Write},
    worker::messages::Optics,
};

/// Files of clients and of sources being read at once; a client that hands over more is told to wait.
const MOST: usize = 8192;

/// Who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asker {
    pub client: ClientId,
    pub request: u64,
}

/// Who waits for what the store has been given; receipts come in the order of the writes.
#[derive(Debug, Default)]
pub(super) struct Handed {
    settling: VecDeque<Asker>,
    /// Nobody, where it was the engine's own idea.
    dividing: VecDeque<Option<Asker>>,
    correlating: VecDeque<Asker>,
    /// Who hands files over and will have them divided all at once.
    building: HashSet<ClientId>,
    /// Who brings the correlations up to date.
    correlator: Option<ClientId>,
    /// The source of files that lie in no watched directory, once it is in the database.
    source: Option<String>,
}

impl Handed {
    /// Sources are configured anew: the name may be taken now.
    pub fn sources_changed(&mut self) {
        self.source = None;
    }

    /// A build is under way: its images are divided together at its end, as those of a build without an engine.
    pub fn is_building(&self) -> bool {
        !self.building.is_empty()
    }

    pub fn left(&mut self, client: ClientId) {
        self.building.remove(&client);
        self.correlator = self.correlator.filter(|correlator| *correlator != client);
    }
}

impl Engine {
    /// Has files read, each as the capture of the watched directory around it, or of none.
    pub fn inspect_files(&mut self, client: ClientId, files: &[HandedFile]) -> Answer {
        if self.reading + files.len() > MOST {
            return refused("too many files are being read".into(), "hand over fewer at a time");
        }
        let mut seen = Vec::with_capacity(files.len());
        for file in files {
            match file.path() {
                Some(path) if !path.starts_with(self.dataset.root()) => seen.push((path, file.key)),
                Some(_) => {
                    return refused(
                        format!("{} lies in the dataset itself", file.path),
                        "hand over the file that the picture came from",
                    );
                }
                None => return refused(format!("{:?} is no absolute path", file.path), "hand over absolute paths"),
            }
        }
        self.handed.building.insert(client);
        let complete_at = Instant::now();
        self.reading += seen.len();
        for (path, key) in seen {
            let source = self.source_around(&path);
            self.hashers.ask(SeenFile { source, path, key, complete_at });
        }
        Answer::Ok { count: files.len() as u64 }
    }

    fn source_around(&mut self, path: &Path) -> String {
        let around = self.configuration.settings.sources.iter().filter(|source| path.starts_with(&source.path));
        if let Some(source) = around.max_by_key(|source| source.path.components().count()) {
            return source.name.clone();
        }
        if let Some(source) = &self.handed.source {
            return source.clone();
        }
        let mut sources = self.configuration.settings.sources.clone();
        let source = build::files_source(&sources, &Optics::default());
        let name = source.name.clone();
        sources.push(source);
        self.store_write(Write::Sources(sources));
        self.handed.source = Some(name.clone());
        name
    }

    pub fn settle(&mut self, asker: Asker) {
        self.handed.settling.push_back(asker);
        self.store_write(Write::Settled);
    }

    pub fn settled(&mut self) {
        if let Some(asker) = self.handed.settling.pop_front() {
            self.reply(asker, Answer::Ok { count: 0 });
        }
    }

    /// Has sides of the split given.
    pub fn divide(&mut self, asker: Option<Asker>) {
        self.splits.news = News::Nothing;
        if let Some(asker) = &asker {
            self.handed.building.remove(&asker.client);
        }
        self.handed.dividing.push_back(asker);
        self.store_write(Write::Split(Box::new(self.configuration.settings.dataset.split.clone())));
    }

    pub fn tell_divided(&mut self, divided: Result<Box<Divided>, String>) {
        if let Some(asker) = self.handed.dividing.pop_front().flatten() {
            let answer = match divided {
                Ok(divided) => Answer::Divided(divided),
                Err(message) => refused(message, "nobody was given a side; `ferrule verify` looks at the database"),
            };
            self.reply(asker, answer);
        }
    }

    /// Lends the correlations to one client at a time.
    pub fn lend_correlations(&mut self, client: ClientId) -> Answer {
        match self.handed.correlator {
            Some(other) if other != client => refused(
                "another command brings the correlations of this dataset up to date".into(),
                "wait for its end, or end it",
            ),
            _ => {
                self.handed.correlator = Some(client);
                Answer::Ok { count: 0 }
            }
        }
    }

    /// Passes a step on. An answer is there at once only where it is a refusal.
    pub fn correlate(&mut self, asker: Asker, write: CorrelationWrite) -> Option<Answer> {
        if self.handed.correlator != Some(asker.client) {
            return Some(refused("nobody lent the correlations to this client".into(), "ask for them first"));
        }
        self.handed.correlating.push_back(asker);
        self.store_write(Write::Correlations(write));
        None
    }

    pub fn correlated(&mut self, written: Result<(), String>) {
        let Some(asker) = self.handed.correlating.pop_front() else { return };
        let answer = match written {
            Ok(()) => Answer::Ok { count: 0 },
            Err(message) => refused(message, "the database keeps what it had; `ferrule verify` looks at it"),
        };
        self.reply(asker, answer);
    }
}
