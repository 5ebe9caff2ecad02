//! `cargo xtask libtorch`: a CPU libtorch outside the checkout, linked as `.libtorch`, where `.cargo/config.toml` points.
//!
//! No registry offers a CPU libtorch for Linux by itself, so it is taken out of the Python wheel: its libraries and
//! headers, and the two small NVIDIA libraries that `libtorch_cpu.so` itself wants (no driver). They may be fetched by
//! whoever builds, never be handed on. An existing `LIBTORCH` is honoured. Everything else builds without any of this.

use std::{
    env, fs,
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    house::{House, run, say},
    peers::{cache, python_with},
};

/// What `tch` is made for; another one has other symbols.
pub const VERSION: &str = "2.11.0";

/// The plug-in that needs it.
pub const PACKAGE: &str = "ferrule-torch";

/// The feature of `plugins/torch` that names libtorch; without it the package holds the parts that need none.
pub const FEATURE: &str = "ferrule-torch/libtorch";

/// In the root of the checkout, ignored by git.
const LINK: &str = ".libtorch";

/// Wheels by the hashes of their content, as the registry tells them.
const WHEELS: &str = "\
torch==2.11.0 --hash=sha256:7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a
nvidia-cuda-runtime==13.0.96 --hash=sha256:7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548
nvidia-cuda-cupti==13.0.85 --hash=sha256:4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8
";

/// Takes what is needed out of the wheels below the first argument, and lays it out as `LIBTORCH` below the second.
const UNPACK: &str = r"
import os, pathlib, shutil, sys, zipfile
wheels, out = map(pathlib.Path, sys.argv[1:])
libraries = {'libtorch_cpu.so', 'libc10.so', 'libgomp.so.1', 'libcudart.so.13', 'libcupti.so.13'}
missing = set(libraries)
for wheel in sorted(wheels.glob('*.whl')):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            base = name.rsplit('/', 1)[-1]
            if base in libraries and '/lib/' in name:
                target = out / 'lib' / base
                missing.discard(base)
            elif name.startswith('torch/include/') and base:
                target = out / name[len('torch/'):]
            else:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, open(target, 'wb') as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
if missing:
    sys.exit('the wheels lack ' + ', '.join(sorted(missing)))
";

/// Where libtorch is: `LIBTORCH`, else the cache, fetched now if it has to be; `None`, after a line that says why, where it
/// cannot be had.
///
/// # Errors
/// `LIBTORCH` names something else than libtorch of [`VERSION`]; with `CI=true`, that it cannot be fetched.
pub fn find(house: &House) -> Result<Option<PathBuf>> {
    let link = house.root.join(LINK);
    // Cargo sets the variable to the link for everybody who has not set it, us included.
    let given = env::var_os("LIBTORCH").map(PathBuf::from).filter(|path| !path.as_os_str().is_empty() && *path != link);
    if let Some(given) = given {
        check(&given)?;
        return Ok(Some(given));
    }
    match cache().and_then(|cache| cached(&cache)) {
        Ok(Some(folder)) => {
            point(&link, &folder)?;
            Ok(Some(folder))
        }
        Ok(None) => Ok(None),
        Err(error) if env::var("CI").is_ok_and(|ci| ci == "true") => Err(error.context("libtorch")),
        Err(error) => {
            say(&format!("== libtorch: SKIPPED, it cannot be had, so nothing is trained: {error:#}"));
            Ok(None)
        }
    }
}

/// `cargo xtask libtorch`: says where it is.
pub fn tell() -> Result<()> {
    let Some(folder) = find(&House::find()?)? else { bail!("libtorch is not here; the line above says why") };
    writeln!(std::io::stdout().lock(), "{}", folder.display())?;
    Ok(())
}

fn cached(cache: &Path) -> Result<Option<PathBuf>> {
    let folder = cache.join(format!("libtorch-{VERSION}-cpu"));
    if check(&folder).is_ok() {
        return Ok(Some(folder));
    }
    if env::consts::ARCH != "x86_64" || env::consts::OS != "linux" {
        say("== libtorch: SKIPPED, it is fetched for Linux on x86-64 only; set LIBTORCH to an unpacked one");
        return Ok(None);
    }
    let Some(python) = python_with("import sys, pip; sys.exit(sys.version_info < (3, 8))") else {
        say("== libtorch: SKIPPED, fetching it takes Python 3 with pip; install them, or set LIBTORCH");
        return Ok(None);
    };
    fs::create_dir_all(cache).with_context(|| format!("{}", cache.display()))?;
    // Two checkouts may be built at once.
    let lock = fs::File::create(cache.join(format!("libtorch-{VERSION}-cpu.lock")))?;
    lock.lock().with_context(|| format!("{}: cannot be locked", cache.display()))?;
    if check(&folder).is_err() {
        fetch(python, cache, &folder)?;
    }
    Ok(Some(folder))
}

/// Downloads, checks by hash, unpacks, strips, and only then gives it its name.
fn fetch(python: &str, cache: &Path, folder: &Path) -> Result<()> {
    say(&format!("== libtorch: fetching {VERSION} (544 MB, once) into {}", folder.display()));
    let beside = cache.join(format!("libtorch-{VERSION}-cpu.part"));
    for old in [&beside, folder] {
        if old.exists() {
            fs::remove_dir_all(old).with_context(|| format!("{}", old.display()))?;
        }
    }
    let (wheels, out) = (beside.join("wheels"), beside.join("libtorch"));
    fs::create_dir_all(&wheels)?;
    let list = beside.join("requirements.txt");
    fs::write(&list, WHEELS)?;
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]);
    pip.args(["--require-hashes", "--only-binary", ":all:", "--python-version", "3.11", "--implementation", "cp"]);
    pip.args(["--abi", "cp311", "--abi", "none", "--timeout", "60", "--retries", "2"]);
    for platform in ["manylinux_2_28_x86_64", "manylinux_2_25_x86_64", "manylinux2014_x86_64", "manylinux_2_17_x86_64"]
    {
        pip.args(["--platform", platform]);
    }
    pip.arg("--requirement").arg(&list).arg("--dest").arg(&wheels);
    run(pip.stdin(Stdio::null()).stdout(Stdio::null()))?;
    run(Command::new(python).args(["-c", UNPACK]).arg(&wheels).arg(&out).stdin(Stdio::null()))?;
    // 100 MB less to read for each worker that loads it; nothing but size is lost where there is no `strip`.
    let _ = Command::new("strip")
        .arg("--strip-unneeded")
        .arg(out.join("lib/libtorch_cpu.so"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    // The real one pulls in half a gigabyte of CUDA.
    fs::write(out.join("lib/libtorch.so"), "INPUT(AS_NEEDED(-ltorch_cpu))\n")?;
    fs::write(out.join("build-version"), format!("{VERSION}+cpu\n"))?;
    check(&out)?;
    fs::rename(&out, folder).with_context(|| format!("{}", folder.display()))?;
    fs::remove_dir_all(&beside)?;
    Ok(())
}

/// A folder that `torch-sys` can build against: an unpacked libtorch, or the `torch` of a Python environment.
fn check(folder: &Path) -> Result<()> {
    let absent =
        ["lib/libtorch_cpu.so", "lib/libc10.so", "include/torch"].into_iter().find(|it| !folder.join(it).exists());
    if let Some(absent) = absent {
        bail!("{} is no libtorch: it has no {absent}; set LIBTORCH to an unpacked one, or unset it", folder.display());
    }
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let version = read("build-version").or_else(|| {
        let text = read("version.py")?;
        let line = text.lines().find_map(|line| line.strip_prefix("__version__ = "))?;
        Some(line.trim_matches(['\'', '"']).to_owned())
    });
    let version = version.with_context(|| format!("{} does not say which version it is", folder.display()))?;
    let plain = version.trim().split('+').next().unwrap_or_default();
    if plain != VERSION {
        bail!(
            "{} is libtorch {}, {VERSION} is needed; set LIBTORCH to one, or unset it",
            folder.display(),
            version.trim()
        );
    }
    Ok(())
}

/// Lets the link name that folder.
fn point(link: &Path, folder: &Path) -> Result<()> {
    if fs::read_link(link).is_ok_and(|target| target == folder) {
        return Ok(());
    }
    let beside = link.with_extension("part");
    let _ = fs::remove_file(&beside);
    symlink(folder, &beside).with_context(|| format!("{}", beside.display()))?;
    fs::rename(&beside, link).with_context(|| format!("{}", link.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn libtorch(folder: &Path) {
        fs::create_dir_all(folder.join("lib")).unwrap();
        fs::create_dir_all(folder.join("include/torch")).unwrap();
        fs::write(folder.join("lib/libtorch_cpu.so"), "").unwrap();
        fs::write(folder.join("lib/libc10.so"), "").unwrap();
    }

    #[test]
    fn a_folder_is_believed_only_when_it_is_whole_and_of_the_right_version() {
        let folder = tempfile::tempdir().unwrap();
        let said = || check(folder.path()).map_err(|error| error.to_string());
        assert!(said().unwrap_err().contains("is no libtorch: it has no lib/libtorch_cpu.so"));
        libtorch(folder.path());
        assert!(said().unwrap_err().contains("does not say which version"));
        fs::write(folder.path().join("version.py"), "from typing\n__version__ = '2.11.0+cu130'\n").unwrap();
        said().unwrap();
        fs::write(folder.path().join("build-version"), "2.10.0+cpu\n").unwrap();
        assert!(said().unwrap_err().contains("is libtorch 2.10.0+cpu, 2.11.0 is needed"));
    }

    #[test]
    fn the_link_follows_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join(".libtorch");
        for name in ["one", "two", "two"] {
            point(&link, &folder.path().join(name)).unwrap();
            assert_eq!(fs::read_link(&link).unwrap(), folder.path().join(name));
        }
    }
}
