//! `cargo xtask dist --try`: the tarball in a bare Debian userland, which has neither Rust nor anything else of ours. The root is
//! made of the packages of this machine's own Debian (a shell, the core utilities, the C library and what those need) and
//! entered in a namespace of its own; nothing of this machine is changed.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use crate::house::{House, run, say};

/// What a userland is made of; their dependencies come with them.
const PACKAGES: [&str; 7] = ["base-files", "bash", "coreutils", "grep", "gzip", "libc6", "tar"];

/// What is done there: all of it with what the tarball brings.
const SCRIPT: &str = include_str!("bare.sh");

/// Tries a tarball out.
///
/// # Errors
/// It does not run there, or no userland can be made here.
pub fn try_out(house: &House, archive: &Path) -> Result<()> {
    let folder = house.target.join("dist/bare");
    let root = folder.join("root");
    if root.exists() {
        fs::remove_dir_all(&root).context("the former userland")?;
    }
    let packages = fetch(&folder.join("packages"))?;
    lay(&root, &packages)?;
    say(&format!("a userland of {} packages in {}", packages.len(), root.display()));
    fs::copy(archive, root.join("dist.tar.gz"))?;
    fs::write(root.join("try.sh"), SCRIPT)?;
    let enter = "mount -t tmpfs none \"$1/tmp\" && mount --rbind /dev \"$1/dev\" \
                 && { mount -t proc none \"$1/proc\" 2>/dev/null || mount --rbind /proc \"$1/proc\"; } \
                 && exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 chroot \"$1\" /bin/bash /try.sh";
    let entered = run(Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", enter, "sh"])
        .arg(&root)
        .stdin(Stdio::null()));
    fs::remove_dir_all(&root).context("the userland")?;
    entered.context("the tarball does not run in a bare userland; its last lines say where")
}

/// The packages' files, fetched once.
fn fetch(folder: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)?;
    let mut names = said(
        Command::new("apt-cache")
            .args(["depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks"])
            .args(["--no-replaces", "--no-enhances"])
            .args(PACKAGES),
    )
    .context("packages are looked up with apt: a Debian machine is needed")?;
    // Their names stand at the margin; one in angle brackets is what several packages can be.
    names.retain(|name| !name.starts_with([' ', '<', '|']) && !name.contains(':'));
    names.sort();
    names.dedup();
    let files = |folder: &Path| -> Result<Vec<PathBuf>> {
        let all = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
        Ok(all.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "deb")).collect())
    };
    if files(folder)?.len() < names.len() {
        run(Command::new("apt-get").args(["--quiet", "download"]).args(&names).current_dir(folder))
            .context("`apt-get update` may help")?;
    }
    let files = files(folder)?;
    ensure!(files.len() >= names.len(), "{} of {} packages were fetched", files.len(), names.len());
    Ok(files)
}

/// Unpacks them; none of their scripts runs.
fn lay(root: &Path, packages: &[PathBuf]) -> Result<()> {
    for folder in ["usr/bin", "usr/lib", "usr/lib64", "usr/sbin", "tmp", "dev", "proc", "root", "opt", "etc"] {
        fs::create_dir_all(root.join(folder))?;
    }
    // As every Debian of these years has it.
    for name in ["bin", "lib", "lib64", "sbin"] {
        symlink(format!("usr/{name}"), root.join(name))?;
    }
    for package in packages {
        // `dpkg-deb --extract` would put folders in the place of those links.
        let mut archive = Command::new("dpkg-deb")
            .arg("--fsys-tarfile")
            .arg(package)
            .stdout(Stdio::piped())
            .spawn()
            .context("packages are unpacked with dpkg-deb")?;
        let Some(content) = archive.stdout.take() else { bail!("dpkg-deb says nothing") };
        run(Command::new("tar")
            .args(["--extract", "--keep-directory-symlink", "--no-same-owner", "--file", "-", "--directory"])
            .arg(root)
            .stdin(content))?;
        ensure!(archive.wait()?.success(), "{} cannot be unpacked", package.display());
    }
    // Programs find their user there.
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/bash\n")?;
    Ok(())
}

fn said(command: &mut Command) -> Result<Vec<String>> {
    let output = command.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{} ended with {}", command.get_program().display(), output.status);
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}
