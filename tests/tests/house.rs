//! The rules of the house that a compiler does not check: who may name whom, and what a source file looks like.
//! `ARCHITECTURE.md` gives the reasons. A rule that has become wrong is changed there and here in one commit.

#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

struct Package {
    name: String,
    /// Relative to the root.
    folder: PathBuf,
    /// (name, kind), kind being `normal`, `dev` or `build`.
    dependencies: Vec<(String, String)>,
}

impl Package {
    fn is_plugin(&self) -> bool {
        let kernels = ["ferrule-abi", "ferrule-vision"].contains(&self.name.as_str());
        self.folder.starts_with("plugins") && !kernels
    }
}

fn packages() -> Vec<Package> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let members = metadata["packages"].as_array().unwrap().iter().map(|package| Package {
        name: text(&package["name"]),
        folder: Path::new(package["manifest_path"].as_str().unwrap())
            .parent()
            .unwrap()
            .strip_prefix(root())
            .unwrap()
            .to_owned(),
        dependencies: package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|dependency| (text(&dependency["name"]), dependency["kind"].as_str().unwrap_or("normal").to_owned()))
            .collect(),
    });
    members.collect()
}

/// Every file below a folder of the workspace, relative to the root; build outputs and hidden folders left out.
fn files(below: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(below)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let (path, name) = (entry.path(), entry.file_name());
            let hidden = name.as_encoded_bytes().starts_with(b".") && name != ".ci";
            if entry.file_type().unwrap().is_dir() {
                if !hidden && !path.join("CACHEDIR.TAG").exists() {
                    folders.push(path);
                }
            } else if !hidden {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn sources(below: &str) -> Vec<(PathBuf, String)> {
    files(below)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| (path.clone(), fs::read_to_string(root().join(&path)).unwrap()))
        .collect()
}

/// Lines of code that contain one of these words; comments may speak of anything.
fn lines_naming(sources: &[(PathBuf, String)], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources {
        for (number, line) in text.lines().enumerate() {
            let code = line.trim_start();
            if !code.starts_with("//") && words.iter().any(|word| code.contains(word)) {
                found.push(format!("{}:{}: {code}", path.display(), number + 1));
            }
        }
    }
    found
}

#[test]
fn crates_name_only_the_crates_that_they_may() {
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let plugins: BTreeSet<&str> = packages.iter().filter(|it| it.is_plugin()).map(|it| it.name.as_str()).collect();
    assert!(plugins.len() >= 5, "only {plugins:?} found under plugins/");
    for package in &packages {
        let may: &[&str] = match (package.name.as_str(), package.folder.to_str().unwrap()) {
            ("ferrule-abi" | "ferrule-simulate" | "ferrule-vision" | "xtask", _) => &[],
            ("ferrule-core", _) => &["ferrule-abi", "ferrule-simulate", "ferrule-vision"],
            ("ferrule", _) => &["ferrule-core"],
            ("ferrule-tests", _) => &["ferrule-abi", "ferrule-vision", "ferrule-core", "ferrule"],
            (_, folder) if folder.starts_with("plugins/") => &["ferrule-abi", "ferrule-vision"],
            (_, folder) if folder.starts_with("tests/") => &["ferrule-abi"],
            (name, folder) => panic!("{name} in {folder}: say here what it may name"),
        };
        for (dependency, kind) in &package.dependencies {
            // Tests of the loader need libraries that go wrong; naming them makes cargo build them.
            let stand_in =
                kind == "dev" && ["ferrule-misbehaving", "ferrule-mismatched"].contains(&dependency.as_str());
            let ours = ours.contains(dependency.as_str()) && !stand_in;
            assert!(
                !ours || may.contains(&dependency.as_str()),
                "{} may not name {dependency} ({kind}); it may name {may:?}",
                package.name
            );
        }
    }
}

#[test]
fn each_outside_library_is_named_only_where_it_belongs() {
    for package in packages() {
        let normal = |name: &str| package.dependencies.iter().any(|(it, kind)| it == name && kind == "normal");
        let any = |name: &str| package.dependencies.iter().any(|(it, _)| it == name);
        if package.folder != Path::new("plugins/torch") {
            assert!(!any("tch") && !any("torch-sys"), "{} names libtorch", package.name);
        }
        if package.name != "ferrule" {
            for terminal in ["ratatui", "crossterm", "ratatui-image", "tui-input", "indicatif"] {
                assert!(!normal(terminal), "{} names the terminal crate {terminal}", package.name);
            }
        }
        if package.name == "ferrule" {
            for other in ["rusqlite", "abi_stable", "libloading", "notify", "ndarray"] {
                assert!(!any(other), "the binary names {other}, which is core's");
            }
        }
        if package.is_plugin() {
            for host in ["rusqlite", "notify", "libloading", "toml", "clap"] {
                // Settings are the host's to read, but a grader's rules are files of its own.
                if (package.name.as_str(), host) == ("grade-iec", "toml") {
                    continue;
                }
                assert!(!normal(host), "plug-in {} names {host}", package.name);
            }
        }
    }
}

#[test]
fn core_knows_no_environment_and_no_home() {
    let mut found = lines_naming(&sources("core/src"), &["std::env", "env::var", "home_dir", "$HOME"]);
    // What the compiler fixed is no environment.
    found.retain(|line| !line.contains("env::consts"));
    assert!(found.is_empty(), "give it to core as a value instead:\n{}", found.join("\n"));
}

#[test]
fn the_binary_reads_its_environment_in_one_place() {
    let mut sources = sources("tui/src");
    let before = sources.len();
    sources.retain(|(path, _)| path != Path::new("tui/src/environment.rs"));
    assert_eq!(sources.len() + 1, before);
    let found = lines_naming(&sources, &["std::env", "env::var", "home_dir"]);
    assert!(found.is_empty(), "read it in environment.rs:\n{}", found.join("\n"));
}

#[test]
fn the_binary_neither_opens_plugins_nor_writes_the_database() {
    let mut sources = sources("tui/src");
    // Tests make the database that the screen then reads.
    sources.retain(|(path, _)| !path.components().any(|part| part.as_os_str() == "tests"));
    let found = lines_naming(
        &sources,
        &["Store::open", "store::Write", "host::loader", "RawLibrary", "Library::new", "Connection::open"],
    );
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_source_file_says_first_what_it_is_for() {
    for (path, text) in sources("") {
        assert!(text.starts_with("//! "), "{} does not begin with `//! `", path.display());
    }
}

#[test]
fn a_source_file_is_one_idea() {
    for (path, text) in sources("") {
        let lines = text.lines().count();
        assert!(lines < 500, "{} has {lines} lines: it holds more than one idea", path.display());
    }
}

#[test]
fn nothing_names_a_machine_or_a_person() {
    // In two halves, so that this file does not find itself.
    let words = [("/wo", "rk/"), ("/ro", "ot/"), ("/tmp/", "wt"), ("shared", "/endfaces")];
    let words: Vec<String> = words.iter().map(|(left, right)| format!("{left}{right}")).collect();
    for path in files("") {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for word in &words {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    }
}

#[test]
fn no_photograph_is_kept_here() {
    let pictures = ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "gif", "webp"];
    for path in files("") {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        assert!(!pictures.contains(&extension.as_str()), "{}: tests draw their own pictures", path.display());
    }
}

#[test]
fn the_map_of_the_house_names_every_crate_and_module() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for package in packages() {
        let folder = package.folder.to_str().unwrap();
        let named = map.contains(&format!("`{folder}`")) || map.contains(&format!("`{}`", package.name));
        assert!(named, "ARCHITECTURE.md does not name {folder}");
    }
    for file in ["core/src/lib.rs", "tui/src/main.rs", "tui/src/lib.rs"] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let modules = text.lines().filter_map(|line| {
            line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod ")).and_then(|rest| rest.strip_suffix(';'))
        });
        for module in modules {
            assert!(map.contains(&format!("`{module}`")), "ARCHITECTURE.md does not name module {module} of {file}");
        }
    }
}

#[test]
fn every_test_that_a_promise_names_is_there() {
    let promises = fs::read_to_string(root().join("RELIABILITY.md")).unwrap();
    let named: Vec<&str> = promises
        .lines()
        .filter(|line| line.starts_with("| "))
        .filter_map(|line| line.rsplit('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert!(named.len() > 25, "{named:?}");
    let sources: Vec<String> = ["core", "tests", "tui"]
        .iter()
        .flat_map(|folder| ferrule_tests::files_below(&root().join(folder)))
        .filter(|path| path.extension().is_some_and(|it| it == "rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for name in named {
        let (attribute, function) = ("#[test]", format!("fn {name}()"));
        let there = sources
            .iter()
            .any(|source| source.find(&function).is_some_and(|at| source[..at].trim_end().ends_with(attribute)));
        assert!(there, "RELIABILITY.md names `{name}`, and there is no such test");
    }
}
