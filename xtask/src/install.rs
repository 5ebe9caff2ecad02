//! `cargo xtask install` and `cargo xtask dist`: the layout below a prefix, and the same as a tarball.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    bare,
    build::{Built, Profile, build, make_folder, replace},
    house::{run, say},
};

/// Builds, then fills `prefix/bin`, `prefix/lib/ferrule/plugins`, `prefix/include` and, below `prefix/share`, documents,
/// manual pages and completions.
pub fn install(prefix: &Path) -> Result<()> {
    let built = build(Profile::Release)?;
    let binary = fill(&built, prefix)?;
    say(&format!("installed {} and {} plug-ins", binary.display(), built.plugins.len()));
    Ok(())
}

fn fill(built: &Built, prefix: &Path) -> Result<PathBuf> {
    let plugins = prefix.join("lib/ferrule/plugins");
    // Each level by itself: a plug-in's whole path must be writable by nobody else.
    let folders =
        ["", "bin", "include", "lib", "lib/ferrule", "lib/ferrule/plugins", "share", "share/doc", "share/doc/ferrule"];
    for folder in folders {
        let folder = prefix.join(folder);
        if !folder.is_dir() {
            make_folder(&folder)?;
        }
    }
    let binary = prefix.join("bin/ferrule");
    replace(&built.binary, &binary, 0o755)?;
    for plugin in &built.plugins {
        let name = plugin.file_name().context("a plug-in without a name")?;
        replace(plugin, &plugins.join(name), 0o755)?;
    }
    // What a plug-in in C needs, on a machine without these sources.
    let header = built.house.root.join("plugins/abi/include/ferrule_plugin.h");
    replace(&header, &prefix.join("include/ferrule_plugin.h"), 0o644)?;
    let guide = built.house.root.join("plugins/README.md");
    replace(&guide, &prefix.join("share/doc/ferrule/plugins.md"), 0o644)?;
    let parameters = built.house.root.join("plugins/PARAMETERS.md");
    replace(&parameters, &prefix.join("share/doc/ferrule/PARAMETERS.md"), 0o644)?;
    for document in ["README.md", "CHANGELOG.md", "RELIABILITY.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        replace(&built.house.root.join(document), &prefix.join("share/doc/ferrule").join(document), 0o644)?;
    }
    for (folder, file, shell) in [
        ("share/bash-completion/completions", "ferrule", "bash"),
        ("share/zsh/site-functions", "_ferrule", "zsh"),
        ("share/fish/vendor_completions.d", "ferrule.fish", "fish"),
    ] {
        let script = said(Command::new(&binary).args(["completions", shell]))?;
        fs::create_dir_all(prefix.join(folder))?;
        fs::write(prefix.join(folder).join(file), script)?;
    }
    said(Command::new(&binary).arg("manual").arg(prefix.join("share/man/man1")))?;
    Ok(binary)
}

/// What a command prints, or why it failed.
fn said(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    anyhow::ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

/// Builds, then packs the installed layout in one folder; and runs it where nothing else is, if that is wanted.
pub fn dist(profile: Profile, try_out: bool) -> Result<()> {
    let built = build(profile)?;
    let name = format!("ferrule-{}-{}-{}", built.house.version, std::env::consts::ARCH, std::env::consts::OS);
    let folder = built.house.target.join("dist");
    let content = folder.join(&name);
    if content.exists() {
        fs::remove_dir_all(&content)?;
    }
    fill(&built, &content)?;
    let archive = folder.join(format!("{name}.tar.gz"));
    // No owner of this machine goes along, and the same content gives the same order.
    run(Command::new("tar")
        .args(["--create", "--gzip", "--owner=0", "--group=0", "--numeric-owner", "--sort=name", "--file"])
        .arg(&archive)
        .arg("--directory")
        .arg(&folder)
        .arg(&name))?;
    say(&format!("packed {}", archive.display()));
    if try_out { bare::try_out(&built.house, &archive) } else { Ok(()) }
}
