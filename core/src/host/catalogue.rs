//! All plug-ins that can be used, and all libraries that cannot, with the reason.
//!
//! Each library found is checked for trust, copied into the store, probed in a child once a build, and entered. The
//! engine builds a catalogue at start and whenever a plug-in directory changes; so does `ferrule plugin list`.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use super::{
    card::{DescriptorCard, ParameterCard, Slot},
    probe,
    script::{self, Script},
    search::{Candidate, Origin, SearchPaths},
    seen::Stamp,
    store::LibraryStore,
    trust,
};
use crate::{
    ids::{BuildHash, PluginId},
    settings::{Plugins, Trust},
    worker::arguments::WorkerProgram,
};

/// Plug-ins by precedence, and what was refused.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalogue {
    /// One entry an id.
    pub available: Vec<Available>,
    pub refused: Vec<Refusal>,
    /// Where copies are kept. Without one, files that parameters name are used where they lie.
    pub store: Option<LibraryStore>,
}

/// A plug-in that can be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Available {
    pub card: DescriptorCard,
    pub build: BuildHash,
    /// The copy in the store; of a script the bridge's.
    pub library: PathBuf,
    /// A Python file, and how it is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Script>,
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
    /// Its build, whole or not; `None` where nothing was read.
    pub build: Option<BuildHash>,
    pub reason: String,
}

/// What makes a library trusted, from `[plugins]`.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    pub trust: Trust,
    pub pinned: &'a [BuildHash],
    /// The interpreter of plug-ins that are Python files.
    pub python: &'a str,
}

impl<'a> Policy<'a> {
    /// As the settings say.
    #[must_use]
    pub fn of(plugins: &'a Plugins) -> Self {
        Self { trust: plugins.trust, pinned: &plugins.pinned, python: &plugins.python }
    }
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
        let mut catalogue = Self { store: Some(store.clone()), ..Self::default() };
        let (candidates, unlistable) = paths.candidates();
        for fault in unlistable {
            catalogue.refused.push(Refusal { reason: fault.to_string(), path: fault.directory, build: None });
        }
        // Libraries first: the bridge is one. A script still comes before what its directory comes before.
        let (scripts, libraries): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|found| is_script(&found.path));
        for candidate in libraries {
            match admit(&candidate.path, store, program, policy) {
                Ok((build, cards)) => {
                    let library = store.path(&build);
                    let found = Found { build: &build, library: &library, script: None };
                    cards.into_iter().for_each(|card| catalogue.enter(&candidate, found, card));
                }
                Err(refused) => catalogue.refuse(candidate.path, refused),
            }
        }
        for candidate in scripts {
            match catalogue.admit_script(&candidate.path, store, program, policy) {
                Ok(Scripted { build, bridge, script, card, .. }) => {
                    let found = Found { build: &build, library: &bridge, script: Some(&script) };
                    catalogue.enter(&candidate, found, card);
                }
                Err(refused) => catalogue.refuse(candidate.path, refused),
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

    fn enter(&mut self, candidate: &Candidate, found: Found<'_>, card: DescriptorCard) {
        let mut entered = Available {
            card,
            build: found.build.clone(),
            library: found.library.to_owned(),
            script: found.script.cloned(),
            found: candidate.path.clone(),
            origin: candidate.origin,
            shadows: Vec::new(),
        };
        match self.available.iter_mut().find(|available| available.card.id == entered.card.id) {
            // Scripts are entered after all libraries, whatever their directory.
            Some(first) if entered.origin < first.origin => {
                std::mem::swap(first, &mut entered);
                first.shadows.push(entered.found);
                first.shadows.append(&mut entered.shadows);
            }
            Some(first) => first.shadows.push(candidate.path.clone()),
            None => self.available.push(entered),
        }
    }

    /// One Python file's way in: trusted, copied with what it imports, asked through the bridge what it is. Its build is
    /// all that decides its answers: the files, the bridge, interpreter and packages.
    ///
    /// # Errors
    /// The first thing that speaks against it.
    pub fn admit_script(
        &self,
        path: &Path,
        store: &LibraryStore,
        program: &WorkerProgram,
        policy: Policy<'_>,
    ) -> Result<Scripted, Refused> {
        let unread = |reason: String| Refused { build: None, reason };
        let bridge = Script::server(Slot::Detect).and_then(|id| self.get(&id)).ok_or_else(|| {
            unread("it is a Python file, and the library that serves those (python-bridge.so) was not found".into())
        })?;
        let sources = script::Sources::collect(path).map_err(|error| unread(error.to_string()))?;
        let file = sources.put(store).map_err(|error| unread(error.to_string()))?;
        let mut script = Script { file, interpreter: policy.python.to_owned(), served_by: bridge.card.id.clone() };
        // Asked every time: only the interpreter knows what versions it has.
        let described = probe::run_script(program, &bridge.library, &script)
            .unwrap_or_else(|error| Err(format!("it could not be probed: {}: {error}", program.executable.display())));
        let described = described.map_err(unread)?;
        let identity = format!("{}\n{}\n{}", sources.identity(), bridge.build, described.environment);
        let build = BuildHash::of(identity.as_bytes());
        let server = Script::server(described.card.slot);
        script.served_by = server.ok_or_else(|| unread("no slot that a Python file can serve".into()))?;
        pinned(policy, &build)?;
        script.write_down(&build, store).map_err(|error| unread(error.to_string()))?;
        Ok(Scripted { build, bridge: bridge.library.clone(), script, card: described.card, sources })
    }

    fn refuse(&mut self, path: PathBuf, refused: Refused) {
        let Refused { build, reason } = refused;
        self.refused.push(Refusal { path, build, reason });
    }
}

/// A Python file that was let in.
#[derive(Debug, Clone, PartialEq)]
pub struct Scripted {
    pub build: BuildHash,
    /// The copy of the library that serves it.
    pub bridge: PathBuf,
    pub script: Script,
    pub card: DescriptorCard,
    /// The file, and what it imports from beside it.
    pub sources: script::Sources,
}

/// What was found of a plug-in beside its card.
#[derive(Clone, Copy)]
struct Found<'a> {
    build: &'a BuildHash,
    library: &'a Path,
    script: Option<&'a Script>,
}

/// A Python file, not a library.
#[must_use]
pub fn is_script(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py")
}

fn pinned(policy: Policy<'_>, build: &BuildHash) -> Result<(), Refused> {
    if policy.trust == Trust::Pinned && !policy.pinned.contains(build) {
        let reason = format!("its build is not pinned; to accept it, add \"{build}\" to plugins.pinned");
        return Err(Refused { build: Some(build.clone()), reason });
    }
    Ok(())
}

/// Why a library is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// What it is, where it could be read.
    pub build: Option<BuildHash>,
    /// In one line.
    pub reason: String,
}

/// One library's way in: trusted, whole, copied into the store, pinned if that is asked for, probed. What the engine does
/// with each library that it finds, and a command with one that is to be installed.
///
/// # Errors
/// The first thing that speaks against it.
pub fn admit(
    library: &Path,
    store: &LibraryStore,
    program: &WorkerProgram,
    policy: Policy<'_>,
) -> Result<(BuildHash, Vec<DescriptorCard>), Refused> {
    let unread = |reason: String| Refused { build: None, reason };
    trust::check(library).map_err(|distrust| unread(distrust.to_string()))?;
    let build = match store.seen(library) {
        Some(build) => build,
        None => {
            let illegible = |error| unread(format!("the library cannot be read: {error}"));
            let stamp = Stamp::of(library).map_err(illegible)?;
            let bytes = std::fs::read(library).map_err(illegible)?;
            let build = BuildHash::of(&bytes);
            let unstored = |reason: String| Refused { build: Some(build.clone()), reason };
            store.put(&bytes).map_err(|error| unstored(error.to_string()))?;
            store.note(library, stamp, &build, SystemTime::now());
            build
        }
    };
    let refused = |reason: String| Refused { build: Some(build.clone()), reason };
    pinned(policy, &build)?;
    let cards = remembered(store, program, &build).map_or_else(|| probed(store, program, &build), Ok);
    let cards = cards.and_then(|cards| cards).map_err(refused)?;
    Ok((build, cards))
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
