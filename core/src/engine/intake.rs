//! From a complete file to a committed row: facts of ingest, identities from the readers, admissions to the store.

use std::{collections::BTreeMap, fs, path::Path, time::Instant};

use jiff::Timestamp;
use regex::Regex;

use super::{
    EngineError,
    hashing::{Hashed, Reading},
    state::Engine,
};
use crate::{
    ingest::{Fact, FileKey, IgnoredFile, Ingest, SeenFile, WatchedSource},
    names,
    pool::Task,
    protocol::SourceStatus,
    settings::{Dataset, Settings, Source},
    simulate::FibreType,
    store::{Admission, Content, QueuedCapture, Reader, UnreadCapture, Write},
    worker::messages::{Artefacts, Optics},
    workspace::DatasetPaths,
};

/// Admissions in one write.
const BATCH: usize = 256;

/// The sources in force, with what each capture of theirs inherits.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    by_name: BTreeMap<String, Watched>,
}

#[derive(Debug)]
struct Watched {
    path: std::path::PathBuf,
    optics: Optics,
    pattern: Option<Regex>,
    settling: u64,
    problem: Option<String>,
}

impl Sources {
    pub fn of(settings: &Settings) -> Self {
        Self::of_list(&settings.sources)
    }

    pub fn of_list(sources: &[Source]) -> Self {
        let watched = |source: &Source| Watched {
            path: source.path.clone(),
            optics: optics(source),
            // The configuration has checked that it compiles.
            pattern: source.name_pattern.as_deref().and_then(|pattern| Regex::new(pattern).ok()),
            settling: 0,
            problem: None,
        };
        Self { by_name: sources.iter().map(|source| (source.name.clone(), watched(source))).collect() }
    }

    pub fn settling(&self) -> u64 {
        self.by_name.values().map(|source| source.settling).sum()
    }

    /// What the microscope's settings say; nothing for a source that is no longer configured.
    pub fn optics(&self, source: &str) -> Optics {
        self.by_name.get(source).map(|source| source.optics).unwrap_or_default()
    }

    pub fn status(&self) -> Vec<SourceStatus> {
        let status = |(name, source): (&String, &Watched)| SourceStatus {
            name: name.clone(),
            path: names::display(&source.path),
            problem: source.problem.clone(),
        };
        self.by_name.iter().map(status).collect()
    }

    pub fn tags(&self, source: &str, path: &Path) -> BTreeMap<String, String> {
        let pattern = self.by_name.get(source).and_then(|source| source.pattern.as_ref());
        let (Some(pattern), Some(name)) = (pattern, path.file_name()) else { return BTreeMap::new() };
        let name = name.to_string_lossy();
        let Some(found) = pattern.captures(&name) else { return BTreeMap::new() };
        pattern
            .capture_names()
            .flatten()
            .filter_map(|group| found.name(group).map(|text| (group.to_owned(), text.as_str().to_owned())))
            .collect()
    }
}

/// Explicit values win over the fibre type's.
fn optics(source: &Source) -> Optics {
    let fibre = source.fibre.as_deref().and_then(FibreType::named);
    Optics {
        um_per_px: source.um_per_px,
        pixel_aspect: source.pixel_aspect,
        cladding_um: source.cladding_um.or(fibre.map(|fibre| fibre.cladding_um)),
        core_um: source.core_um.or(fibre.map(|fibre| fibre.core_um)),
    }
}

/// The work that a queued capture is. A file that is gone from its source is inspected again from the dataset's own copy:
/// what its bytes must be is known.
pub(crate) fn task(
    queued: &QueuedCapture,
    optics: Optics,
    dataset: &Dataset,
    paths: &DatasetPaths,
    reader: &Reader,
) -> Task {
    let mut path = queued.path.clone();
    let mut found = fs::metadata(&path);
    if found.is_err()
        && let Ok(Some(filename)) = reader.image_name(queued.image)
    {
        let own = paths.images().join(filename);
        if let Ok(own_found) = fs::metadata(&own) {
            (path, found) = (own, Ok(own_found));
        }
    }
    Task {
        id: queued.capture.0.cast_unsigned(),
        path,
        bytes: found.map_or(0, |found| found.len()),
        expected: Some(queued.image),
        optics,
        artefacts: Some(Artefacts { masks: dataset.masks, images: dataset.images }),
    }
}

impl Engine {
    /// Begins to watch what the configuration names; whatever was watched before is let go.
    pub fn start_sources(&mut self) -> Result<(), EngineError> {
        drop(self.ingest.take());
        self.sources = Sources::of(&self.configuration.settings);
        self.handed.sources_changed();
        self.store_write(Write::Sources(self.configuration.settings.sources.clone()));
        let mut watched = Vec::new();
        for source in &self.configuration.settings.sources {
            let known = self.reader.known_files(&source.name)?.kept_in(self.settings.workspace.private());
            watched.push(WatchedSource { source: source.clone(), known });
        }
        let intake = self.configuration.settings.capture.clone();
        let ingest = Ingest::start(watched, &intake, &self.facts.0);
        self.ingest = Some(ingest.map_err(|source| EngineError::Thread { what: "watching sources", source })?);
        self.dirty = true;
        Ok(())
    }

    /// Hands a write to the store. It blocks when the store is behind: that is the back-pressure on everything else.
    pub fn store_write(&mut self, write: Write) {
        if let Err(error) = self.store.submit(write) {
            self.fail("store", error.to_string());
        }
    }

    pub fn fact(&mut self, fact: Fact) {
        match fact {
            Fact::Complete(files) => {
                self.reading += files.len();
                for file in files {
                    self.hashers.ask(file);
                }
            }
            Fact::Ignored(files) => {
                let now = Instant::now();
                let complete = files.iter().map(|_| now).collect();
                let ignored = |file: IgnoredFile| Admission {
                    source: file.source,
                    path: file.path,
                    key: file.key,
                    seen_at: Timestamp::now(),
                    content: Content::Ignored { reason: file.reason },
                    tags: BTreeMap::new(),
                };
                self.write_admissions(files.into_iter().map(ignored).collect(), complete);
            }
            Fact::Settling { source, count } => {
                if let Some(source) = self.sources.by_name.get_mut(&source) {
                    source.settling = count;
                }
            }
            Fact::SourceLost { source, message, hint } => {
                let line = format!("source {source}: {message}; {hint}");
                if let Some(watched) = self.sources.by_name.get_mut(&source) {
                    watched.problem = Some(message);
                }
                self.problem(&format!("source {source}"), line);
            }
            Fact::SourceBack { source } => {
                if let Some(watched) = self.sources.by_name.get_mut(&source) {
                    watched.problem = None;
                }
                self.solved(&format!("source {source}"));
                self.retry_transient(u32::MAX);
            }
        }
        self.dirty = true;
    }

    /// Takes what the readers have ready, up to a batch, into one write.
    pub fn admit(&mut self, first: Hashed) {
        let more: Vec<Hashed> = self.hashers.answers().try_iter().take(BATCH - 1).collect();
        let (mut admissions, mut complete) = (Vec::with_capacity(more.len() + 1), Vec::with_capacity(more.len() + 1));
        for hashed in std::iter::once(first).chain(more) {
            self.reading = self.reading.saturating_sub(1);
            let content = match hashed.content {
                Reading::Content(image) => Content::Hashed(image),
                Reading::Unreadable(failure) => Content::Unreadable(failure),
                Reading::Changed => continue,
            };
            complete.push(hashed.file.complete_at);
            admissions.push(self.admission(hashed.file, content));
        }
        self.write_admissions(admissions, complete);
    }

    fn admission(&self, file: SeenFile, content: Content) -> Admission {
        let tags = self.sources.tags(&file.source, &file.path);
        Admission { source: file.source, path: file.path, key: file.key, seen_at: Timestamp::now(), content, tags }
    }

    fn write_admissions(&mut self, admissions: Vec<Admission>, complete: Vec<Instant>) {
        if !admissions.is_empty() {
            self.admitting.push_back(complete);
            self.store_write(Write::Admit(admissions));
        }
    }

    /// Files that could not be read before: as they are now.
    pub fn read_again(&mut self, unread: Vec<UnreadCapture>) {
        for capture in unread {
            let key = fs::symlink_metadata(&capture.path).map_or(capture.key, |found| FileKey::of(&found));
            self.reading += 1;
            let complete_at = Instant::now();
            self.hashers.ask(SeenFile { source: capture.source, path: capture.path, key, complete_at });
        }
    }
}
