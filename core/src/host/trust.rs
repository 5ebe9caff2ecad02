//! Whose code is it? A plug-in library runs with the user's rights, so it must have been put there by the user or root,
//! and nobody else may be able to change it: not the file, not its directory, not a directory above.
//!
//! Reads the file system and the list of groups, changes nothing. Called by [`super::catalogue`] before a byte is read.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Why a library or a directory is not trusted, and what the person can do.
#[derive(Debug, thiserror::Error)]
pub enum Distrust {
    #[error("{} belongs to user {owner}, not to you or root. Run: sudo chown {user} {}", path.display(), quoted(path))]
    Owner { path: PathBuf, owner: u32, user: u32 },
    #[error("{} can be written by others. Run: chmod {} {}", path.display(), remedy(*group, *other), quoted(path))]
    Writable { path: PathBuf, group: bool, other: bool },
    #[error("{} is not a regular file", path.display())]
    NotAFile { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
}

fn remedy(group: bool, other: bool) -> &'static str {
    match (group, other) {
        (true, true) => "go-w",
        (true, false) => "g-w",
        _ => "o-w",
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte));
    if plain { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

const GROUP_WRITE: u32 = 0o020;
const OTHER_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Checks a library (symlinks followed: what counts is the file that would be read), its directory, and every directory
/// above them.
///
/// # Errors
/// The first thing that somebody else could change.
pub fn check(library: &Path) -> Result<(), Distrust> {
    let who = Who::current();
    let real = library.canonicalize().map_err(|source| Distrust::Unreadable { path: library.into(), source })?;
    let about = metadata(&real)?;
    if !about.is_file() {
        return Err(Distrust::NotAFile { path: real });
    }
    check_one(&real, &about, &who, false)?;
    // The directory that names it matters as much as the one that holds it: a link can be exchanged.
    let named_in = library.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    for directory in [real.parent(), named_in].into_iter().flatten() {
        check_directory_as(directory, &who)?;
    }
    Ok(())
}

/// Checks a directory that holds libraries, and every directory above it.
///
/// # Errors
/// The first thing that somebody else could change.
pub fn check_directory(directory: &Path) -> Result<(), Distrust> {
    check_directory_as(directory, &Who::current())
}

fn check_directory_as(directory: &Path, who: &Who) -> Result<(), Distrust> {
    let real = directory.canonicalize().map_err(|source| Distrust::Unreadable { path: directory.into(), source })?;
    for (i, ancestor) in real.ancestors().enumerate() {
        // In a sticky directory (/tmp) others may add files but not replace ours; that does not do for the directory that
        // is searched itself.
        check_one(ancestor, &metadata(ancestor)?, who, i > 0)?;
    }
    Ok(())
}

fn metadata(path: &Path) -> Result<fs::Metadata, Distrust> {
    fs::metadata(path).map_err(|source| Distrust::Unreadable { path: path.into(), source })
}

fn check_one(path: &Path, about: &fs::Metadata, who: &Who, sticky_is_fine: bool) -> Result<(), Distrust> {
    match fault(about.uid(), about.gid(), about.mode(), who, sticky_is_fine) {
        None => Ok(()),
        Some(Fault::Owner) => Err(Distrust::Owner { path: path.into(), owner: about.uid(), user: who.user }),
        Some(Fault::Writable { group, other }) => Err(Distrust::Writable { path: path.into(), group, other }),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Fault {
    Owner,
    Writable { group: bool, other: bool },
}

/// The rule itself.
fn fault(owner: u32, group: u32, mode: u32, who: &Who, sticky_is_fine: bool) -> Option<Fault> {
    if owner != who.user && owner != 0 {
        return Some(Fault::Owner);
    }
    if sticky_is_fine && mode & STICKY != 0 {
        return None;
    }
    // Many systems give each user a group of their own and make everything group-writable.
    let by_group = mode & GROUP_WRITE != 0 && group != 0 && !who.own_groups.contains(&group);
    let by_others = mode & OTHER_WRITE != 0;
    (by_group || by_others).then_some(Fault::Writable { group: by_group, other: by_others })
}

/// Who asks.
struct Who {
    user: u32,
    /// Groups that have the user for their only member.
    own_groups: Vec<u32>,
}

impl Who {
    fn current() -> Self {
        let user = rustix::process::geteuid().as_raw();
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self { user, own_groups: own_groups(user, &read("/etc/passwd"), &read("/etc/group")) }
    }
}

/// Groups whose only member is `user`, by the local lists: the primary group of exactly that user, and no further name in
/// it. Directory services are not asked; a group that they add to is not known to be private and is not accepted.
fn own_groups(user: u32, passwd: &str, group: &str) -> Vec<u32> {
    // name:password:uid:gid:…
    let users: Vec<(&str, u32, u32)> = passwd
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let (name, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
            Some((name, uid.parse().ok()?, gid.parse().ok()?))
        })
        .collect();
    let mine = |name: &str| users.iter().any(|(other, uid, _)| *other == name && *uid == user);
    // name:password:gid:members
    let groups = group.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (_, _, gid, members) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let gid: u32 = gid.parse().ok()?;
        let primary_of_others = users.iter().any(|(_, uid, primary)| *primary == gid && *uid != user);
        let primary_of_user = users.iter().any(|(_, uid, primary)| *primary == gid && *uid == user);
        let members_are_user = members.split(',').filter(|name| !name.is_empty()).all(mine);
        (primary_of_user && !primary_of_others && members_are_user).then_some(gid)
    });
    groups.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const ANNA: u32 = 1000;

    fn anna() -> Who {
        Who { user: ANNA, own_groups: vec![1000] }
    }

    #[test]
    fn files_of_the_user_and_root_that_nobody_else_can_write_are_trusted() {
        assert_eq!(fault(ANNA, 1000, 0o755, &anna(), false), None);
        assert_eq!(fault(0, 0, 0o775, &anna(), false), None, "root's own group");
        assert_eq!(fault(ANNA, 1000, 0o775, &anna(), false), None, "anna's own group has no other member");
        assert_eq!(fault(1001, 1001, 0o755, &anna(), false), Some(Fault::Owner));
        assert_eq!(fault(ANNA, 50, 0o775, &anna(), false), Some(Fault::Writable { group: true, other: false }));
        assert_eq!(fault(ANNA, 50, 0o777, &anna(), false), Some(Fault::Writable { group: true, other: true }));
    }

    #[test]
    fn a_sticky_directory_will_do_above_but_not_as_the_place_itself() {
        assert_eq!(fault(0, 0, 0o1777, &anna(), true), None);
        assert!(fault(0, 0, 0o1777, &anna(), false).is_some());
    }

    #[test]
    fn a_group_is_ones_own_only_if_nobody_else_is_in_it() {
        let passwd = "root:x:0:0::/root:/bin/sh\nanna:x:1000:1000::/h:/bin/sh\nbert:x:1001:100::/h:/bin/sh\n";
        assert_eq!(own_groups(ANNA, passwd, "anna:x:1000:\nlab:x:100:anna,bert\n"), [1000]);
        assert_eq!(own_groups(ANNA, passwd, "anna:x:1000:anna\n"), [1000]);
        assert!(own_groups(ANNA, passwd, "anna:x:1000:bert\n").is_empty());
        let shared = passwd.replace("1001:100", "1001:1000");
        assert!(own_groups(ANNA, &shared, "anna:x:1000:\n").is_empty());
    }

    #[test]
    fn a_refusal_prints_the_command_that_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("lib with space.so");
        fs::write(&library, "").unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        mode(folder.path(), 0o755);
        mode(&library, 0o644);
        check(&library).unwrap();
        mode(&library, 0o666);
        let refused = check(&library).unwrap_err().to_string();
        assert!(refused.contains("o-w '") || refused.contains("go-w '"), "{refused}");
        mode(&library, 0o644);
        mode(folder.path(), 0o757);
        let refused = check(&library).unwrap_err().to_string();
        assert!(refused.contains(&format!("chmod o-w {}", folder.path().display())), "{refused}");
    }
}
