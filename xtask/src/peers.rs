//! A Python with the packages that peer tests compare with: a virtual environment outside the checkout, made once for
//! each list of requirements. Called by `cargo xtask test`, which hands it to the tests as `FERRULE_PEERS_PYTHON`; and
//! `cargo xtask peers`, which adds the heavy ones (PyTorch, TensorFlow: gigabytes) and runs only what needs them.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    build::{Profile, build},
    house::{House, cargo, run, say},
};

/// The variable that tests read.
pub const VARIABLE: &str = "FERRULE_PEERS_PYTHON";

/// The variable that tests with heavy peers read.
const HEAVY_VARIABLE: &str = "FERRULE_HEAVY_PEERS_PYTHON";

/// What a working environment can do.
const LIGHT: &str = "import numpy, cv2, pandas, pyarrow, pycocotools, scipy, sklearn, google.protobuf";
const HEAVY: &str = "import numpy, torch, tensorflow";

/// Lies in a finished environment, and holds the requirements that it was made for.
const FINISHED: &str = "ferrule-requirements.txt";

/// The Python of the environment, made now if it has to be; `None`, after a line that says why, where it cannot be had.
///
/// # Errors
/// With `CI=true`, Python is there and its packages are not to be had: a check that vanishes silently is none.
pub fn python(house: &House) -> Result<Option<PathBuf>> {
    python_of(house, "requirements.txt", LIGHT)
}

/// `cargo xtask peers`: the tests that need PyTorch and TensorFlow, with an environment that has them.
///
/// # Errors
/// The environment cannot be made, or a test fails.
pub fn heavy() -> Result<()> {
    let built = build(Profile::Debug)?;
    let Some(python) = python_of(&built.house, "requirements-heavy.txt", HEAVY)? else {
        bail!("the heavy peers cannot be had; the lines above say why");
    };
    let mut tests = cargo(["test", "--workspace", "--lib", "--tests"]);
    // What needs them has it in its name.
    tests.args(&built.features).arg("pytorch_");
    run(tests.env(HEAVY_VARIABLE, python).current_dir(&built.house.root))
}

fn python_of(house: &House, list: &str, imports: &str) -> Result<Option<PathBuf>> {
    let requirements = house.root.join("tests/peers").join(list);
    let wanted = fs::read_to_string(&requirements).with_context(|| format!("{}", requirements.display()))?;
    // `ensurepip` is what some distributions leave out of their Python.
    let Some(python) = python_with("import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))") else {
        say("== peers: SKIPPED, there is no Python 3 with venv and pip");
        return Ok(None);
    };
    match cache().and_then(|cache| environment(python, &cache, &requirements, &wanted, imports)) {
        Ok(python) => Ok(Some(python)),
        Err(error) if env::var("CI").is_ok_and(|ci| ci == "true") => Err(error.context("peers")),
        Err(error) => {
            say(&format!("== peers: SKIPPED, their packages cannot be had: {error:#}"));
            Ok(None)
        }
    }
}

/// The first Python that runs these lines without a complaint.
pub fn python_with(lines: &str) -> Option<&'static str> {
    ["python3", "python"].into_iter().find(|python| passes(python, lines))
}

fn passes(python: &str, lines: &str) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", lines]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Where what can be made again is kept, outside every checkout.
pub fn cache() -> Result<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    Ok(cache.context("neither XDG_CACHE_HOME nor HOME names a folder")?.join("ferrule"))
}

fn environment(python: &str, cache: &Path, requirements: &Path, wanted: &str, imports: &str) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    wanted.hash(&mut hasher);
    let name = format!("peers-{:016x}", hasher.finish());
    let folder = cache.join(&name);
    fs::create_dir_all(cache).with_context(|| format!("{}", cache.display()))?;
    // Two checkouts may be tested at once.
    let lock = fs::File::create(cache.join(format!("{name}.lock")))?;
    lock.lock().with_context(|| format!("{}: cannot be locked", cache.display()))?;
    let inside = folder.join("bin/python");
    // An environment outlives the Python that it was made with only in part.
    let works = Command::new(&inside)
        .args(["-I", "-c", imports])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if works && fs::read_to_string(folder.join(FINISHED)).is_ok_and(|made| made == wanted) {
        return Ok(inside);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
    }
    say(&format!("== peers: installing their packages into {}", folder.display()));
    run(Command::new(python).args(["-m", "venv"]).arg(&folder))?;
    let mut pip = Command::new(&inside);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
    pip.args(["--only-binary", ":all:", "--timeout", "30", "--retries", "2", "--requirement"]).arg(requirements);
    run(pip.stdin(Stdio::null()).stdout(Stdio::null()))?;
    if !inside.exists() {
        bail!("{} was not made", inside.display());
    }
    fs::write(folder.join(FINISHED), wanted)?;
    Ok(inside)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Makes environments of itself, and counts what is installed; fails to where a file `offline` lies beside it.
    const PYTHON: &str = r#"#!/bin/sh
case "$*" in
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip "*) echo installed >> CACHE/log; test ! -e CACHE/offline ;;
esac
"#;

    #[test]
    fn packages_are_installed_once_for_each_list_and_again_after_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path();
        let python = cache.join("python3");
        fs::write(&python, PYTHON.replace("CACHE", cache.to_str().unwrap())).unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        let made = |wanted: &str| environment(python.to_str().unwrap(), cache, &cache.join("list"), wanted, LIGHT);
        let installed = || fs::read_to_string(cache.join("log")).unwrap_or_default().lines().count();

        fs::write(cache.join("offline"), "").unwrap();
        assert!(made("numpy==1").is_err());
        fs::remove_file(cache.join("offline")).unwrap();
        let first = made("numpy==1").unwrap();
        assert_eq!((made("numpy==1").unwrap(), installed()), (first.clone(), 2));
        assert_ne!(made("numpy==2").unwrap(), first);
        assert_eq!(installed(), 3);
    }

    #[test]
    fn a_python_that_is_not_there_passes_nothing() {
        assert!(!passes("a-python-that-nobody-has", "pass"));
    }
}
