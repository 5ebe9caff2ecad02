//! Takes the sources of `ferrule-abi` into the library, with a manifest and a lock file that stand alone: `ferrule plugin
//! new` writes them beside a new plug-in, on machines that have the binary and not this source tree.

use std::{
    collections::BTreeSet,
    env,
    error::Error,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let root = here.parent().ok_or("core lies in no workspace")?;
    let abi = root.join("plugins/abi");
    let (manifest, workspace) = (read(&abi.join("Cargo.toml"))?, read(&root.join("Cargo.toml"))?);
    let names: Vec<&str> =
        section(&manifest, "dependencies").filter_map(|line| line.strip_suffix(".workspace = true")).collect();
    let mut standing = String::from("[package]\nname = \"ferrule-abi\"\n");
    for key in ["version", "edition", "rust-version", "license"] {
        // The interface has a version of its own.
        let own = section(&manifest, "package").find(|line| assigns(line, key));
        let line = own.or_else(|| section(&workspace, "workspace.package").find(|line| assigns(line, key)));
        writeln!(standing, "{}", line.ok_or_else(|| format!("the workspace has no {key}"))?)?;
    }
    standing.push_str("publish = false\n\n[dependencies]\n");
    for name in &names {
        let line = section(&workspace, "workspace.dependencies").find(|line| assigns(line, name));
        writeln!(standing, "{}", line.ok_or_else(|| format!("the workspace has no dependency {name}"))?)?;
    }
    // Named so that the compiler knows the word; only the host, which does not build this copy, switches it on.
    standing.push_str("\n[features]\nserde = []\n");
    let lock = lock_of(&read(&root.join("Cargo.lock"))?, &names);

    let mut files = Vec::new();
    collect(&abi.join("src"), &mut files)?;
    files.sort();
    let mut code = String::from("pub const SOURCES: &[(&str, &str)] = &[\n");
    for file in &files {
        let name = file.strip_prefix(&abi)?.to_str().ok_or("a source file's name is no text")?;
        writeln!(code, "    ({name:?}, include_str!({file:?})),")?;
    }
    writeln!(code, "];\npub const MANIFEST: &str = {standing:?};\npub const LOCK: &str = {lock:?};")?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("abi.rs"), code)?;
    for path in [abi.join("Cargo.toml"), abi.join("src"), root.join("Cargo.toml"), root.join("Cargo.lock")] {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { collect(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

/// The lines of `[name]` in a manifest.
fn section<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let header = format!("[{name}]");
    text.lines().skip_while(move |line| *line != header).skip(1).take_while(|line| !line.starts_with('['))
}

fn assigns(line: &str, key: &str) -> bool {
    line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
}

/// A lock file with these packages and what they need, in the versions of ours.
fn lock_of(lock: &str, names: &[&str]) -> String {
    let blocks: Vec<&str> = lock.split("\n\n").filter(|block| block.trim_start().starts_with("[[package]]")).collect();
    let value = |block: &str, key: &str| -> String {
        let line = block.lines().find(|line| assigns(line, key)).unwrap_or_default();
        line.split('"').nth(1).unwrap_or_default().to_owned()
    };
    let mut wanted: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut taken = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        // `name`, or `name version` where there are several.
        let (name, version) =
            name.split_once(' ').map_or((name.as_str(), None), |(name, version)| (name, Some(version)));
        let fits = |block: &&str| {
            value(block, "name") == name && version.is_none_or(|version| value(block, "version") == version)
        };
        let Some(index) = blocks.iter().position(fits) else { continue };
        if taken.insert(index) {
            let needs = blocks[index].lines().skip_while(|line| *line != "dependencies = [").skip(1);
            let needs = needs.take_while(|line| *line != "]").filter_map(|line| line.split('"').nth(1));
            wanted.extend(needs.map(str::to_owned));
        }
    }
    let head = lock.lines().find(|line| assigns(line, "version")).unwrap_or_default();
    taken.iter().fold(format!("{head}\n"), |text, index| format!("{text}\n{}\n", blocks[*index].trim()))
}
