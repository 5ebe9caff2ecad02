//! What the commands on plug-ins work with: the workspace, its settings, every plug-in that was found; and how a library
//! comes into the workspace's `plugins/`.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use clap::Args;
use ferrule_core::{
    change::{self, Change, Made},
    config::Configuration,
    host::{
        Available, Catalogue, LibraryStore, Origin, Policy, Scripted, SearchPaths, admit, assemble,
        card::{DescriptorCard, Slot},
        install, is_script,
    },
    ids::{BuildHash, PluginId},
    swap::{Built, short},
    worker::arguments::WorkerProgram,
    workspace::Workspace,
};
use serde::Serialize;
use serde_json::json;

use super::{
    list::is_used,
    taken_up::{Patience, TakenUp},
};
use crate::{
    environment::Environment,
    failure::Failure,
    output::Output,
    place::Place,
    program::{PluginPath, worker_program},
};

/// Where a command works.
#[derive(Debug, Clone, Args)]
pub struct Where {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    path: PluginPath,
}

/// A workspace with its plug-ins.
pub struct Bench {
    pub workspace: Workspace,
    pub configuration: Configuration,
    pub program: WorkerProgram,
    pub store: LibraryStore,
    pub catalogue: Catalogue,
    search: SearchPaths,
}

/// A library, or a Python file, that was let in.
pub struct Library {
    pub bytes: Vec<u8>,
    /// What a Python file imports from beside it, by place below its folder.
    pub beside: Vec<(PathBuf, Vec<u8>)>,
    /// `so`, or `py`.
    pub extension: &'static str,
    pub build: BuildHash,
    pub cards: Vec<DescriptorCard>,
}

/// A plug-in of a library, and what it takes the place of.
#[derive(Debug, Serialize)]
pub struct Offer {
    pub id: PluginId,
    pub slot: Slot,
    #[serde(flatten)]
    pub to: Built,
    pub from: Option<From>,
    pub in_pipeline: bool,
}

/// What is used so far.
#[derive(Debug, Serialize)]
pub struct From {
    #[serde(flatten)]
    pub built: Built,
    pub path: PathBuf,
}

impl Where {
    /// That workspace.
    pub fn of(workspace: &Workspace, path: &PluginPath) -> Self {
        Self { place: Place { workspace: Some(workspace.root().to_owned()) }, path: path.clone() }
    }

    pub fn open(&self, environment: &Environment) -> Result<Bench, Failure> {
        let (workspace, configuration) = self.place.configured()?;
        let search = self.path.search(Some(&workspace), environment)?;
        let store = LibraryStore::at(workspace.plugin_store());
        let program = worker_program()?;
        let catalogue = Catalogue::build(&search, &store, &program, policy(&configuration));
        Ok(Bench { workspace, configuration, program, store, catalogue, search })
    }
}

fn policy(configuration: &Configuration) -> Policy<'_> {
    let plugins = &configuration.settings.plugins;
    Policy::of(plugins)
}

impl Bench {
    /// Edits `ferrule.toml`, and says what a running engine makes of it.
    pub fn change(&self, change: &Change, patience: &Patience) -> Result<(Made, TakenUp), Failure> {
        let listener = patience.listen(&self.workspace)?;
        let made = change::make(change, &self.workspace, &self.catalogue)?;
        let taken_up = match listener {
            Some(listener) => listener.wait(None)?,
            None => TakenUp::NoEngine { problem: None },
        };
        Ok((made, taken_up))
    }

    /// The plug-in with that id, or what there is instead.
    pub fn available(&self, id: &PluginId) -> Result<&Available, Failure> {
        self.catalogue.get(id).ok_or_else(|| {
            let ids: Vec<&str> = self.catalogue.available.iter().map(|it| it.card.id.as_str()).collect();
            Failure::wrong(format!("there is no plug-in `{id}`; there are {}", ids.join(", ")))
                .hint("`ferrule plugin list` says what was refused, and why")
        })
    }

    /// Trusts, copies into the store and probes a library, as the engine does; nothing comes into `plugins/`.
    pub fn admit(&self, file: &Path) -> Result<Library, Failure> {
        let refuse = |reason: String| {
            Failure::failed(format!("{} is refused: {reason}", file.display())).hint("nothing was copied")
        };
        if !file.is_file() {
            let what = if file.exists() { "is no file" } else { "is not there" };
            return Err(Failure::wrong(format!("{} {what}", file.display()))
                .hint("name the library that the build left, like target/release/libdetect_dust.so"));
        }
        if is_script(file) {
            return self.admit_script(file).map_err(refuse);
        }
        let (build, cards) = admit(file, &self.store, &self.program, policy(&self.configuration))
            .map_err(|refused| refuse(refused.reason))?;
        // The copy, for the file may be written again at any moment.
        let bytes = std::fs::read(self.store.path(&build)).map_err(|error| refuse(error.to_string()))?;
        if BuildHash::of(&bytes) != build {
            return Err(refuse("its copy in the store is damaged; delete the store, and it is made again".into()));
        }
        Ok(Library { bytes, beside: Vec::new(), extension: "so", build, cards })
    }

    fn admit_script(&self, file: &Path) -> Result<Library, String> {
        let admitted = self.catalogue.admit_script(file, &self.store, &self.program, policy(&self.configuration));
        let Scripted { build, card, sources, .. } = admitted.map_err(|refused| refused.reason)?;
        let mut files = sources.files().map(|(name, content)| (name.to_owned(), content.to_owned()));
        let (_, bytes) = files.next().ok_or("it could not be read")?;
        Ok(Library { bytes, beside: files.collect(), extension: "py", build, cards: vec![card] })
    }

    /// What the library offers, and what each plug-in of it takes the place of.
    pub fn offers(&self, library: &Library) -> Vec<Offer> {
        let offer = |card: &DescriptorCard| {
            let used = self.catalogue.get(&card.id);
            Offer {
                id: card.id.clone(),
                slot: card.slot,
                to: Built { version: card.version.clone(), build: library.build.clone() },
                from: used.map(|used| From {
                    built: Built { version: used.card.version.clone(), build: used.build.clone() },
                    path: used.found.clone(),
                }),
                in_pipeline: self.in_pipeline(&card.id),
            }
        };
        library.cards.iter().map(offer).collect()
    }

    pub fn in_pipeline(&self, id: &PluginId) -> bool {
        is_used(&self.configuration.settings.pipeline, id)
    }

    /// The file of the workspace's `plugins/` that a plug-in comes from, if it comes from there.
    pub fn own_file(&self, id: &PluginId) -> Option<&Path> {
        let used = self.catalogue.get(id)?;
        (used.origin == Origin::Workspace).then_some(used.found.as_path())
    }

    /// The name in `plugins/`: as asked for, else that of the file which offers one of its plug-ins now, else the first
    /// plug-in's. Refused where the library would not be the first with its plug-ins there.
    pub fn name(&self, library: &Library, asked: Option<&str>) -> Result<OsString, Failure> {
        let own: Vec<&Path> = library.cards.iter().filter_map(|card| self.own_file(&card.id)).collect();
        let name = match (asked, own.first()) {
            (Some(asked), _) => plain(asked, library.extension)?,
            (None, Some(file)) if is_script(file) == (library.extension == "py") => {
                file.file_name().map(OsStr::to_owned).unwrap_or_default()
            }
            (None, Some(file)) => {
                let message = format!("{} offers the same plug-in in another language", file.display());
                return Err(Failure::wrong(message).hint("remove that one first: ferrule plugin remove"));
            }
            (None, None) => {
                let first = library.cards.first().map_or("plugin", |card| card.id.as_str());
                format!("{first}.{}", library.extension).into()
            }
        };
        let target = self.workspace.plugins().join(&name);
        if let Some(first) = own.iter().find(|file| **file < target) {
            let message = format!("{} offers the same plug-in and comes first by its name", first.display());
            let hint = "install without --force-name, which replaces that file, or remove it: ferrule plugin remove";
            return Err(Failure::wrong(message).hint(hint));
        }
        let lost = self.catalogue.available.iter().find(|it| {
            let stays = library.cards.iter().any(|card| card.id == it.card.id);
            it.found == target && !stays && it.shadows.is_empty() && self.in_pipeline(&it.card.id)
        });
        if let Some(lost) = lost {
            let message = format!(
                "{} offers {} too, which is in the pipeline and not in this library",
                target.display(),
                lost.card.id
            );
            return Err(Failure::wrong(message).hint("install under another name (--force-name), or disable it first"));
        }
        Ok(name)
    }

    /// Puts a library into `plugins/`, and says what became of it.
    pub fn install(
        &self,
        library: &Library,
        name: &OsStr,
        patience: &Patience,
        json: bool,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let offers = self.offers(library);
        if !json {
            for offer in &offers {
                output.line(&offer.line())?;
            }
        }
        let listener = patience.listen(&self.workspace)?;
        let path = self.put(library, name, &mut |target, replaced| {
            let did = if replaced { "replaced" } else { "installed" };
            if json { Ok(()) } else { output.line(&format!("{did} {}, which it imports", target.display())) }
        })?;
        if !json {
            output.line(&format!("installed {}", path.display()))?;
            output.flush()?;
        }
        let taken_up = match listener {
            Some(listener) => listener.wait(Some(&library.build))?,
            None => TakenUp::NoEngine { problem: self.problem_now() },
        };
        if json {
            let mut object = json!({"installed": path, "build": library.build, "plugins": offers});
            merge(&mut object, &taken_up)?;
            output.object(&object)?;
        } else {
            taken_up.tell(output)?;
            for offer in offers.iter().filter(|offer| !offer.in_pipeline) {
                let (id, root) = (&offer.id, self.workspace.root().display());
                output.line(&format!("{id} is not in the pipeline: ferrule plugin enable {id} {root}"))?;
            }
        }
        output.flush()?;
        taken_up.failure()
    }

    /// Writes a library into `plugins/`, after what it imports from beside it; tells each of these files that it wrote, and
    /// whether there was one before.
    pub fn put(
        &self,
        library: &Library,
        name: &OsStr,
        told: &mut dyn FnMut(&Path, bool) -> Result<(), Failure>,
    ) -> Result<PathBuf, Failure> {
        for (place, content) in &library.beside {
            let target = self.workspace.plugins().join(place);
            let (Some(folder), Some(name)) = (target.parent(), target.file_name()) else { continue };
            if std::fs::read(&target).is_ok_and(|there| there == *content) {
                continue;
            }
            let replaced = target.exists();
            told(&install::put(folder, name, content).map_err(Failure::failed)?, replaced)?;
        }
        install::put(&self.workspace.plugins(), name, &library.bytes).map_err(Failure::failed)
    }

    /// What an engine would say of the plug-ins as they lie there now.
    pub fn problem_now(&self) -> Option<String> {
        let catalogue = Catalogue::build(&self.search, &self.store, &self.program, policy(&self.configuration));
        assemble(&self.configuration.settings, &catalogue).err().map(|error| error.to_string())
    }
}

/// A file's name as the search takes it.
fn plain(name: &str, extension: &str) -> Result<OsString, Failure> {
    let whole = Path::new(name).extension().is_some_and(|it| it == extension);
    let name = if whole { name.to_owned() } else { format!("{name}.{extension}") };
    if name.starts_with('.') || name.contains('/') || name.chars().any(char::is_control) {
        let message = format!("--force-name {name}: expected a plain file name that does not begin with a dot");
        return Err(Failure::wrong(message));
    }
    Ok(name.into())
}

/// Lays what came of it over a command's own object.
pub fn merge(object: &mut serde_json::Value, taken_up: &TakenUp) -> Result<(), Failure> {
    let taken_up = serde_json::to_value(taken_up).map_err(Failure::failed)?;
    if let (Some(object), serde_json::Value::Object(fields)) = (object.as_object_mut(), taken_up) {
        object.extend(fields);
    }
    Ok(())
}

impl Offer {
    fn line(&self) -> String {
        let to = format!("{} {} for {}, build {}", self.id, self.to.version, self.slot, short(&self.to.build));
        match &self.from {
            Some(from) if from.built == self.to => format!("{to}: the same as in {}", from.path.display()),
            Some(from) => {
                format!(
                    "{to}: instead of {}, build {}, from {}",
                    from.built.version,
                    short(&from.built.build),
                    from.path.display()
                )
            }
            None => format!("{to}: new here"),
        }
    }
}
