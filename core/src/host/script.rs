//! Plug-ins that are Python files: which files are, what belongs to one, and its private copy in the store.
//!
//! A file belongs with the modules beside it that it imports, and with theirs. What is run is never the installed file but
//! a copy of all of them, named by their content, as with libraries. Reads and writes files; starts nothing: what the file
//! says of itself is asked by [`super::probe`], through the bridge library.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    io::{self, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    sync::LazyLock,
};

use ferrule_abi as abi;
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{card::Slot, store::LibraryStore, trust};
use crate::{
    ids::{BuildHash, PluginId},
    worker::messages::ParameterValue,
};

/// Most files and bytes that are taken for one plug-in: whoever has more wants a package in the interpreter.
const MOST_FILES: usize = 500;
const MOST_BYTES: usize = 16 << 20;

/// A Python plug-in as a worker serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// Its copy in the store; the modules that it imports lie beside it.
    pub file: PathBuf,
    /// As the settings name it.
    pub interpreter: String,
    /// The plug-in of the bridge that serves it.
    pub served_by: PluginId,
}

impl Script {
    /// The bridge's plug-in for that slot.
    #[must_use]
    pub fn server(slot: Slot) -> Option<PluginId> {
        matches!(slot, Slot::Segment | Slot::Detect | Slot::Measure).then(|| format!("python-{slot}").parse().ok())?
    }

    /// Keeps which copy this build was: a build also covers interpreter and packages, so its name does not tell.
    pub(super) fn write_down(&self, build: &BuildHash, store: &LibraryStore) -> Result<(), ScriptError> {
        let path = store.script_path(build);
        let copy = self.file.strip_prefix(store.root()).unwrap_or(&self.file).as_os_str().as_encoded_bytes();
        if fs::read(&path).is_ok_and(|there| there == copy) {
            return Ok(());
        }
        store
            .write(&path, copy, 0o444)
            .map_err(|error| ScriptError::Write { path: store.root().to_owned(), source: io::Error::other(error) })
    }

    /// The copy of a Python file that was that build, if it is still in the store.
    #[must_use]
    pub fn kept(build: &BuildHash, store: &LibraryStore) -> Option<PathBuf> {
        let copy = fs::read(store.script_path(build)).ok()?;
        let path = store.root().join(OsStr::from_bytes(&copy));
        path.is_file().then_some(path)
    }

    /// The bridge's parameters for this file with these of its own.
    #[must_use]
    pub fn parameters(&self, given: &[(String, ParameterValue)]) -> Vec<abi::Parameter> {
        let own: serde_json::Map<String, Value> = given
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    ParameterValue::Bool(value) => (*value).into(),
                    ParameterValue::Integer(value) => (*value).into(),
                    ParameterValue::Real(value) => (*value).into(),
                    ParameterValue::Text(value) => value.as_str().into(),
                };
                (name.clone(), value)
            })
            .collect();
        let text = |name: &str, text: &str| abi::Parameter { name: name.into(), value: abi::Value::Text(text.into()) };
        vec![
            text("script", &self.file.to_string_lossy()),
            text("interpreter", &self.interpreter),
            text("parameters", &Value::Object(own).to_string()),
        ]
    }
}

/// Why a Python file is not used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    #[error(transparent)]
    Distrust(#[from] trust::Distrust),
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("it imports more than {MOST_FILES} files or {} MiB beside it; install them as a package", MOST_BYTES >> 20)]
    TooMuch,
    #[error("the plug-in store {} cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// True for a file that describes itself as a plug-in; others are modules that plug-ins import.
#[must_use]
pub fn describes_itself(path: &Path) -> bool {
    static FERRULE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?m)^FERRULE\s*(:[^=\n]*)?=([^=]|$)").ok());
    let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    text.is_ok_and(|text| FERRULE.as_ref().is_some_and(|pattern| pattern.is_match(&text)))
}

/// The description that a file's `FERRULE` gives, in the interface's words. It is checked like a library's.
///
/// # Errors
/// A word that the interface does not have.
pub fn descriptor(told: &Value) -> Result<abi::Descriptor, String> {
    let text = |of: &Value, key: &str| of[key].as_str().unwrap_or_default().to_owned();
    let slot = match told["slot"].as_str() {
        Some("segment") => abi::Slot::Segment,
        Some("detect") => abi::Slot::Detect,
        Some("measure") => abi::Slot::Measure,
        other => return Err(format!("its slot is {other:?}, expected segment, detect or measure")),
    };
    let accepts = told["accepts"].as_array().into_iter().flatten().map(|format| match format.as_str() {
        Some("gray8") => Ok(abi::PixelFormat::Gray8),
        Some("gray16") => Ok(abi::PixelFormat::Gray16),
        Some("rgb8") => Ok(abi::PixelFormat::Rgb8),
        other => Err(format!("it accepts {other:?}, expected gray8, gray16 or rgb8")),
    });
    let parameters = told["parameters"].as_array().into_iter().flatten().map(|spec| {
        let (name, unit, help) = (text(spec, "name"), text(spec, "unit"), text(spec, "help"));
        let (kind, default) = kind(spec).ok_or_else(|| format!("its parameter `{name}` has limits of another type"))?;
        Ok(abi::ParameterSpec { name: name.into(), kind, default, unit: unit.into(), help: help.into() })
    });
    Ok(abi::Descriptor {
        profile: abi::Profile::Wide,
        accepts: accepts.collect::<Result<_, String>>()?,
        parameters: parameters.collect::<Result<_, String>>()?,
        ..abi::Descriptor::new(&text(told, "id"), &text(told, "version"), slot, &text(told, "summary"))
    })
}

/// A parameter's kind and default.
fn kind(spec: &Value) -> Option<(abi::ParameterKind, abi::Value)> {
    let default = &spec["default"];
    Some(match spec["kind"].as_str()? {
        "bool" => (abi::ParameterKind::Bool, abi::Value::Bool(default.as_bool()?)),
        "integer" => {
            let (low, high) = (spec["low"].as_i64()?, spec["high"].as_i64()?);
            (abi::ParameterKind::Integer { low, high }, abi::Value::Integer(default.as_i64()?))
        }
        "real" => {
            let (low, high) = (spec["low"].as_f64()?, spec["high"].as_f64()?);
            (abi::ParameterKind::Real { low, high }, abi::Value::Real(default.as_f64()?))
        }
        "choice" => {
            let options = spec["options"].as_array()?.iter().map(|o| Some(abi::RString::from(o.as_str()?)));
            let options = options.collect::<Option<_>>()?;
            (abi::ParameterKind::Choice { options }, abi::Value::Text(default.as_str()?.into()))
        }
        _ => (abi::ParameterKind::Text, abi::Value::Text(default.as_str()?.into())),
    })
}

/// All that belongs to one plug-in: contents by name, relative to the file's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    main: PathBuf,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Sources {
    /// Reads the file and what it imports from beside it. Imports are found by their lines: one too many does no harm.
    ///
    /// # Errors
    /// A file that somebody else could change, cannot be read, or too many of them.
    pub fn collect(path: &Path) -> Result<Self, ScriptError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let main = PathBuf::from(path.file_name().unwrap_or_default());
        let mut sources = Self { main: main.clone(), files: BTreeMap::new() };
        let (mut waiting, mut seen) = (vec![main], BTreeSet::new());
        while let Some(name) = waiting.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            let file = folder.join(&name);
            trust::check(&file)?;
            let bytes = fs::read(&file).map_err(|source| ScriptError::Read { path: file.clone(), source })?;
            for module in imports(&String::from_utf8_lossy(&bytes)) {
                waiting.extend(beside(folder, &module));
            }
            sources.files.insert(name, bytes);
            let size: usize = sources.files.values().map(Vec::len).sum();
            if sources.files.len() > MOST_FILES || size > MOST_BYTES {
                return Err(ScriptError::TooMuch);
            }
        }
        Ok(sources)
    }

    /// Name and content of the file itself, then of each that it imports, by their places below its folder.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        let main = self.files.get_key_value(&self.main);
        let others = self.files.iter().filter(|(name, _)| **name != self.main);
        main.into_iter().chain(others).map(|(name, content)| (name.as_path(), content.as_slice()))
    }

    /// A hash of all contents, and of the names by which others import them; the file's own is nobody's business: it is
    /// another one where somebody put it than where it was written.
    #[must_use]
    pub fn identity(&self) -> BuildHash {
        let nameless = |(name, content)| if name == self.main { (Path::new(""), content) } else { (name, content) };
        hash(self.files().map(nameless))
    }

    /// Puts a copy of all into the store, unless it is there; where the main file lies then.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn put(&self, store: &LibraryStore) -> Result<PathBuf, ScriptError> {
        let folder = store.root().join(format!("py-{}", hash(self.files())));
        let whole =
            |(name, content): (&PathBuf, &Vec<u8>)| fs::read(folder.join(name)).is_ok_and(|there| there == *content);
        if !self.files.iter().all(whole) {
            self.write(store.root(), &folder).map_err(|source| ScriptError::Write { path: folder.clone(), source })?;
        }
        Ok(folder.join(&self.main))
    }

    fn write(&self, root: &Path, folder: &Path) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(root)?;
        let new =
            tempfile::Builder::new().prefix(".new-").permissions(fs::Permissions::from_mode(0o755)).tempdir_in(root)?;
        for (name, content) in &self.files {
            let path = new.path().join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let mut file = fs::File::create_new(&path)?;
            file.write_all(content)?;
            file.set_permissions(fs::Permissions::from_mode(0o444))?;
            file.sync_all()?;
        }
        // One that a power loss cut short has the right name and the wrong content.
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::rename(new.keep(), folder)?;
        fs::File::open(root)?.sync_all()
    }
}

/// Of all names and contents.
fn hash<'a>(files: impl Iterator<Item = (&'a Path, &'a [u8])>) -> BuildHash {
    let mut bytes = Vec::new();
    for part in files.flat_map(|(name, content)| [name.as_os_str().as_encoded_bytes(), content]) {
        // With its length, or a byte could move from one part into the next unnoticed.
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part);
    }
    BuildHash::of(&bytes)
}

/// First names of the modules that a Python text imports.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines().map(str::trim_start) {
        let named = match (line.strip_prefix("import "), line.strip_prefix("from ")) {
            (Some(list), _) => list,
            (_, Some(rest)) => rest.split_whitespace().next().unwrap_or_default(),
            _ => continue,
        };
        for module in named.split(',') {
            let first = module.trim().split(['.', ' ', ';', '#']).next().unwrap_or_default();
            if !first.is_empty() && first.chars().all(|c| c.is_alphanumeric() || c == '_') {
                found.insert(first.to_owned());
            }
        }
    }
    found
}

/// The files of a module that lies beside the plug-in: one, or all of a package.
fn beside(folder: &Path, module: &str) -> Vec<PathBuf> {
    let file = PathBuf::from(format!("{module}.py"));
    if folder.join(&file).is_file() {
        return vec![file];
    }
    let (mut found, mut waiting) = (Vec::new(), vec![PathBuf::from(module)]);
    while let Some(package) = waiting.pop() {
        for entry in fs::read_dir(folder.join(&package)).into_iter().flatten().flatten() {
            let name = package.join(entry.file_name());
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && entry.file_name() != "__pycache__" && waiting.len() < MOST_FILES {
                waiting.push(name);
            } else if name.extension().is_some_and(|extension| extension == "py") && found.len() <= MOST_FILES {
                found.push(name);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plugin_imports_from_beside_it_belongs_to_it_and_changes_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("kit/deep")).unwrap();
        fs::write(at("spots.py"), "import numpy as np, helper\nfrom kit.deep import rings  # and more\nFERRULE = {}\n")
            .unwrap();
        fs::write(at("helper.py"), "def f():\n    import second\n").unwrap();
        for name in ["second.py", "kit/__init__.py", "kit/deep/rings.py", "other.py"] {
            fs::write(at(name), "").unwrap();
        }
        let sources = Sources::collect(&at("spots.py")).unwrap();
        let names: Vec<_> = sources.files.keys().map(|name| name.display().to_string()).collect();
        assert_eq!(names, ["helper.py", "kit/__init__.py", "kit/deep/rings.py", "second.py", "spots.py"]);
        let before = sources.identity();
        // Under the name that it gets where it is installed, it is what it was.
        fs::rename(at("spots.py"), at("renamed.py")).unwrap();
        assert_eq!(Sources::collect(&at("renamed.py")).unwrap().identity(), before);
        fs::rename(at("renamed.py"), at("spots.py")).unwrap();
        fs::write(at("other.py"), "x = 1").unwrap();
        assert_eq!(Sources::collect(&at("spots.py")).unwrap().identity(), before);
        fs::write(at("kit/deep/rings.py"), "x = 1").unwrap();
        assert_ne!(Sources::collect(&at("spots.py")).unwrap().identity(), before);
    }

    #[test]
    fn a_copy_holds_everything_and_is_made_again_where_it_was_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let (installed, store) = (folder.path().join("plugins"), LibraryStore::at(folder.path().join("store")));
        fs::create_dir(&installed).unwrap();
        fs::write(installed.join("a.py"), "import b\nFERRULE = {}\n").unwrap();
        fs::write(installed.join("b.py"), "x = 1\n").unwrap();
        let copy = || Sources::collect(&installed.join("a.py")).unwrap().put(&store).unwrap();
        let first = copy();
        assert_eq!(fs::read_to_string(first.with_file_name("b.py")).unwrap(), "x = 1\n");
        fs::remove_file(first.with_file_name("b.py")).unwrap();
        assert_eq!(copy(), first);
        assert!(first.with_file_name("b.py").exists());
        fs::write(installed.join("b.py"), "x = 2\n").unwrap();
        assert_ne!(copy(), first, "another content is another copy");
    }

    #[test]
    fn only_a_file_that_describes_itself_is_a_plugin() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.py");
        for (text, is) in [
            ("FERRULE = {\n", true),
            ("import x\nFERRULE: dict = {}\n", true),
            ("x = 1\n# FERRULE = no\n", false),
            ("    FERRULE = 1\n", false),
            ("FERRULE == 1\n", false),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(describes_itself(&path), is, "{text}");
        }
    }

    #[test]
    fn a_file_that_others_can_write_is_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.py");
        fs::write(&path, "import b\n").unwrap();
        fs::write(folder.path().join("b.py"), "").unwrap();
        fs::set_permissions(folder.path().join("b.py"), fs::Permissions::from_mode(0o666)).unwrap();
        let refused = Sources::collect(&path).unwrap_err().to_string();
        assert!(refused.contains("b.py") && refused.contains("chmod"), "{refused}");
    }
}
