//! All plug-ins that can be used, and all libraries that cannot, with the reason.
//!
//! Each library found is checked for trust, copied into the store, probed in a child once a build, and entered. The
//! engine builds a catalogue at start and whenever a plug-in directory changes; so does `ferrule plugin list`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{
    card::{DescriptorCard, ParameterCard},
    probe,
    search::{Candidate, Origin, SearchPaths},
    store::LibraryStore,
    trust,
};
use crate::{
    ids::{BuildHash, PluginId},
    settings::Trust,
    worker::arguments::WorkerProgram,
};

/// Plug-ins by precedence, and what was refused.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalogue {
    /// One entry an id.
    pub available: Vec<Available>,
    pub refused: Vec<Refusal>,
}

/// A plug-in that can be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Available {
    pub card: DescriptorCard,
    pub build: BuildHash,
    /// The copy in the store.
    pub library: PathBuf,
    /// Where it was found, and why there.
    pub found: PathBuf,
    pub origin: Origin,
    /// Libraries further down the order that offer the same id and are not used.
    pub shadows: Vec<PathBuf>,
}

/// A library that is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub path: PathBuf,
    pub reason: String,
}

/// What makes a library trusted, from `[plugins]`.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    pub trust: Trust,
    pub pinned: &'a [BuildHash],
}

/// What a probe said of a build, as it is remembered beside the copy.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    /// The program that probed: another one may know another interface.
    program: String,
    cards: Result<Vec<DescriptorCard>, String>,
}

impl Catalogue {
    /// Looks into all search paths. Slow only for builds that were never seen: those are probed.
    #[must_use]
    pub fn build(paths: &SearchPaths, store: &LibraryStore, program: &WorkerProgram, policy: Policy<'_>) -> Self {
        let mut catalogue = Self::default();
        let (candidates, unlistable) = paths.candidates();
        for fault in unlistable {
            catalogue.refused.push(Refusal { reason: fault.to_string(), path: fault.directory });
        }
        for candidate in candidates {
            match admit(&candidate, store, program, policy) {
                Ok((build, cards)) => catalogue.enter(&candidate, &build, cards, store),
                Err(reason) => catalogue.refused.push(Refusal { path: candidate.path, reason }),
            }
        }
        catalogue
    }

    /// The plug-in with that id.
    #[must_use]
    pub fn get(&self, id: &PluginId) -> Option<&Available> {
        self.available.iter().find(|available| &available.card.id == id)
    }

    /// A parameter of a plug-in.
    #[must_use]
    pub fn parameter(&self, id: &PluginId, name: &str) -> Option<&ParameterCard> {
        self.get(id)?.card.parameters.iter().find(|parameter| parameter.name == name)
    }

    fn enter(&mut self, candidate: &Candidate, build: &BuildHash, cards: Vec<DescriptorCard>, store: &LibraryStore) {
        for card in cards {
            match self.available.iter_mut().find(|available| available.card.id == card.id) {
                Some(first) => first.shadows.push(candidate.path.clone()),
                None => self.available.push(Available {
                    card,
                    build: build.clone(),
                    library: store.path(build),
                    found: candidate.path.clone(),
                    origin: candidate.origin,
                    shadows: Vec::new(),
                }),
            }
        }
    }
}

/// One library's way in: trusted, whole, copied, pinned if that is asked for, probed.
fn admit(
    candidate: &Candidate,
    store: &LibraryStore,
    program: &WorkerProgram,
    policy: Policy<'_>,
) -> Result<(BuildHash, Vec<DescriptorCard>), String> {
    trust::check(&candidate.path).map_err(|distrust| distrust.to_string())?;
    let build = store.put_file(&candidate.path).map_err(|error| error.to_string())?;
    if policy.trust == Trust::Pinned && !policy.pinned.contains(&build) {
        return Err(format!("its build is not pinned; to accept it, add \"{build}\" to plugins.pinned"));
    }
    let cards = remembered(store, program, &build).map_or_else(|| probed(store, program, &build), Ok)?;
    cards.map(|cards| (build, cards))
}

type Cards = Result<Vec<DescriptorCard>, String>;

fn remembered(store: &LibraryStore, program: &WorkerProgram, build: &BuildHash) -> Option<Cards> {
    let text = std::fs::read(store.card_path(build)).ok()?;
    let remembered: Remembered = serde_json::from_slice(&text).ok()?;
    // A refusal is asked for again: the reason may have been the machine (memory, a missing system library).
    (remembered.program == identity(program) && remembered.cards.is_ok()).then_some(remembered.cards)
}

fn probed(store: &LibraryStore, program: &WorkerProgram, build: &BuildHash) -> Result<Cards, String> {
    let probed = probe::run(program, &store.path(build))
        .map_err(|error| format!("it could not be probed: {}: {error}", program.executable.display()))?;
    if let Err(reason) = &probed.cards {
        tracing::warn!(%build, reason, log = probed.log, "a plug-in library is refused");
    }
    let remembered = Remembered { program: identity(program), cards: probed.cards };
    if let Ok(text) = serde_json::to_vec_pretty(&remembered)
        && let Err(error) = store.write(&store.card_path(build), &text, 0o644)
    {
        // Only the next start is slower for it.
        tracing::warn!(%build, %error, "what a probe said could not be remembered");
    }
    Ok(remembered.cards)
}

/// Tells one build of the program from another well enough: its version and the time and size of its file.
fn identity(program: &WorkerProgram) -> String {
    let about = std::fs::metadata(&program.executable).ok();
    let modified = about.as_ref().and_then(|about| about.modified().ok());
    let since = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok()).map_or(0, |t| t.as_nanos());
    format!("{} {} {since}", env!("CARGO_PKG_VERSION"), about.map_or(0, |about| about.len()))
}
