//! Disks of a test's own: small ones in memory, mounted in a namespace that it enters, so that nothing of this machine is
//! touched. For the tests of places and for the soak.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::text;

/// Set in the namespace's own process.
const INSIDE: &str = "FERRULE_TEST_INSIDE";

/// Where a test is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Where {
    /// In a namespace of its own, where it goes on.
    Inside,
    /// In the process that started it there, and has seen it pass.
    Seen,
    /// Here no namespaces are to be had, and why.
    Nowhere(&'static str),
}

/// Runs a test by that name again in a namespace of its own, with a disk in memory of so many MiB for what it makes.
///
/// # Panics
/// It fails there.
#[must_use]
pub fn enter(test: &str, disk: u64, streaming: bool) -> Where {
    if std::env::var_os(INSIDE).is_some() {
        return Where::Inside;
    }
    // Of other users a namespace shows only that they are not oneself, and then no plug-in is trusted.
    if !rustix::process::getuid().is_root() {
        return Where::Nowhere("mounts in a namespace are for tests that run as root");
    }
    let possible = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        return Where::Nowhere("this machine lets nobody mount in a namespace of their own (unshare -rm)");
    }
    let folder = tempfile::Builder::new().prefix("ferrule-disk-").tempdir().expect("a temporary folder");
    let script = format!("mount -t tmpfs -o size={disk}m,mode=755 none \"$TMPDIR\" && exec \"$0\" \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &script]).arg(std::env::current_exe().expect("this test"));
    command.args(["--exact", test, "--nocapture"]).env(INSIDE, "1").env("TMPDIR", folder.path());
    if streaming {
        let status = command.stdin(Stdio::null()).status().expect("unshare");
        assert!(status.success(), "{test} in its namespace: {status}");
    } else {
        let output = command.output().expect("unshare");
        assert!(output.status.success(), "{}", text(&output));
    }
    Where::Seen
}

/// Like [`enter`] for a test that means nothing without mounts: true where it goes on.
#[must_use]
pub fn inside(test: &str) -> bool {
    match enter(test, 2048, false) {
        Where::Inside => true,
        Where::Seen => false,
        Where::Nowhere(reason) => {
            eprintln!("notice: NOT RUN, {reason}: {test}");
            false
        }
    }
}

/// # Panics
/// It cannot be mounted.
pub fn mount(arguments: &[&str], place: &Path) {
    let output = Command::new("mount").args(arguments).arg(place).output().expect("mount");
    assert!(output.status.success(), "mount {arguments:?}: {}", text(&output));
}

/// Mounts a folder over itself, read-only from the first moment on; what is open there stays writable, as the kernel allows
/// no more. [`unmount`] lifts it.
///
/// # Panics
/// It cannot be mounted.
pub fn shut(place: &Path) {
    // Made read-only elsewhere: a mount in which somebody has begun to write is busy.
    let aside = tempfile::tempdir().expect("a temporary folder").keep();
    let bind = |from: &Path, to: &Path| mount(&["--bind", from.to_str().expect("a place that is text")], to);
    bind(place, &aside);
    mount(&["-o", "remount,bind,ro"], &aside);
    bind(&aside, place);
    unmount(&aside);
    fs::remove_dir(&aside).expect("an empty folder");
}

/// # Panics
/// Nothing is mounted there.
pub fn unmount(place: &Path) {
    // Lazily: whoever has a file open there keeps it.
    let output = Command::new("umount").arg("-l").arg(place).output().expect("umount");
    assert!(output.status.success(), "{}", text(&output));
}

/// Takes all the room there is.
///
/// # Panics
/// The file cannot be made.
pub fn fill(place: &Path) {
    let mut file = fs::File::create(place).expect("a file");
    for size in [1 << 20, 4096, 1] {
        let piece = vec![7; size];
        while file.write_all(&piece).is_ok() {}
    }
}

/// A disk in memory whose size is changed while it is used.
#[derive(Debug)]
pub struct Disk {
    place: PathBuf,
    /// MiB.
    size: u64,
}

impl Disk {
    /// Mounts one; what was in the folder is hidden.
    #[must_use]
    pub fn mounted(place: &Path, size: u64) -> Self {
        mount(&["-t", "tmpfs", "-o", &format!("size={size}m,mode=700"), "none"], place);
        Self { place: place.to_owned(), size }
    }

    /// The one that [`enter`] mounted.
    #[must_use]
    pub fn of_test(size: u64) -> Self {
        Self { place: std::env::temp_dir(), size }
    }

    /// From now on there is no room, whoever writes meanwhile.
    ///
    /// # Panics
    /// The disk grows faster than its end can be set.
    pub fn fill(&self) {
        for _ in 0..200 {
            let disk = rustix::fs::statvfs(&self.place).expect("a disk");
            let used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize;
            let option = format!("remount,size={}k", used / 1024 + 64);
            let output = Command::new("mount").args(["-o", &option]).arg(&self.place).output().expect("mount");
            if output.status.success() {
                return;
            }
        }
        panic!("{} cannot be made full", self.place.display());
    }

    pub fn make_room(&self) {
        mount(&["-o", &format!("remount,size={}m", self.size)], &self.place);
    }
}
