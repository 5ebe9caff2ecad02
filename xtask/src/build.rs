//! `cargo xtask build`: the binary, and beside it `plugins/<package>.so` as the binary looks for them.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    house::{House, cargo, run, say},
    libtorch,
};

/// How it is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Release,
    Debug,
}

impl Profile {
    pub fn of(debug: bool) -> Self {
        if debug { Self::Debug } else { Self::Release }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Debug => "debug",
        }
    }
}

/// What was built.
pub struct Built {
    pub house: House,
    pub binary: PathBuf,
    pub plugins: Vec<PathBuf>,
    /// Arguments for every further cargo command, so that it finds what was built here.
    pub features: Vec<String>,
}

impl Built {
    /// A bench of `tests`: it needs the store, the plug-in host or a pseudo-terminal, which xtask does not link. Of the whole
    /// workspace, so that what was built for the binary is not built again with fewer features.
    pub fn bench(&self, name: &str) -> Command {
        let mut command = cargo(["bench", "--workspace", "--bench", name]);
        command.args(&self.features).current_dir(&self.house.root);
        command
    }

    pub fn tell(&self) {
        say(&format!("{} with {} plug-ins beside it", self.binary.display(), self.plugins.len()));
    }
}

/// What turns the networks on, where libtorch is; a line says why where it is not.
pub fn features(house: &House) -> Result<Vec<String>> {
    let found = libtorch::find(house)?;
    Ok(found.map_or_else(Vec::new, |_| vec!["--features".into(), libtorch::FEATURE.into()]))
}

/// Builds the binary and every plug-in.
pub fn build(profile: Profile) -> Result<Built> {
    let house = House::find()?;
    let mut command = cargo(["build", "--package", "ferrule"]);
    let features = features(&house)?;
    for plugin in shipped(&house, &features) {
        command.args(["--package", plugin]);
    }
    make(command, profile, house, features)
}

/// Builds them with every test, for a run of the tests. Cargo chooses the features of a dependency for all that one command
/// builds: what was built without the tests, the C++ of libtorch with it, would be built again with theirs.
pub fn build_with_tests() -> Result<Built> {
    let house = House::find()?;
    let features = features(&house)?;
    make(cargo(["build", "--workspace", "--lib", "--bins", "--tests"]), Profile::Debug, house, features)
}

/// The plug-ins' packages. Without libtorch the one that trains offers nothing to load.
fn shipped<'a>(house: &'a House, features: &'a [String]) -> impl Iterator<Item = &'a String> {
    house.plugins.iter().filter(|plugin| !features.is_empty() || *plugin != libtorch::PACKAGE)
}

fn make(mut command: Command, profile: Profile, house: House, features: Vec<String>) -> Result<Built> {
    command.args(&features);
    if profile == Profile::Release {
        command.arg("--release");
    }
    run(command.current_dir(&house.root))?;
    let folder = house.target.join(profile.folder());
    let packages: Vec<&String> = shipped(&house, &features).collect();
    let plugins = place_plugins(&packages, &folder, &folder.join("plugins"))?;
    Ok(Built { binary: folder.join("ferrule"), house, plugins, features })
}

/// Copies the libraries that cargo left in `from`, and takes away those of plug-ins that are no more.
fn place_plugins(packages: &[&String], from: &Path, to: &Path) -> Result<Vec<PathBuf>> {
    make_folder(to)?;
    let mut placed = Vec::new();
    for package in packages {
        let library = from.join(format!("lib{}.so", package.replace('-', "_")));
        let place = to.join(format!("{package}.so"));
        replace(&library, &place, 0o755)?;
        placed.push(place);
    }
    for entry in fs::read_dir(to)? {
        let path = entry?.path();
        if !placed.contains(&path) {
            fs::remove_file(&path).with_context(|| format!("{}: cannot be removed", path.display()))?;
        }
    }
    Ok(placed)
}

/// A folder that only its owner writes: plug-ins are not taken from any other.
pub fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("{}: cannot be made", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Puts a file in place by renaming: a running engine may have the old one open, and half a library crashes its loader.
/// A file of the same content is left alone, so that nobody takes it for a new build.
pub fn replace(from: &Path, to: &Path, mode: u32) -> Result<()> {
    let new = fs::read(from).with_context(|| format!("{}: cannot be read", from.display()))?;
    let same = fs::read(to).is_ok_and(|old| old == new);
    if !same {
        let beside = to.with_extension("part");
        fs::write(&beside, &new).with_context(|| format!("{}: cannot be written", beside.display()))?;
        fs::set_permissions(&beside, fs::Permissions::from_mode(mode))?;
        fs::rename(&beside, to)?;
    }
    Ok(())
}
