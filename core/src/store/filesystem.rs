//! What the file system says of itself, and what its errors mean. Refuses those on which SQLite's write-ahead log does not work: its shared memory is not shared between hosts.

use std::{io, path::Path};

use super::StoreError;

/// `f_type` of network file systems, from `statfs(2)` and the kernel's `include/uapi/linux/magic.h`.
const NETWORK: [(u64, &str); 11] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
    (0x5346_414F, "AFS"),
    (0x7461_636F, "Coda"),
    (0x0102_1997, "9p"),
    (0x00C3_6400, "Ceph"),
    (0x564C, "NCP"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
];

/// Every FUSE file system shares one number; which it is only the mount table knows.
const FUSE: u64 = 0x6573_5546;

/// FUSE types that are a disk of this machine.
const LOCAL_FUSE: [&str; 6] =
    ["fuseblk", "fuse.ntfs-3g", "fuse.exfat", "fuse.bindfs", "fuse.fuse-overlayfs", "fuse.gocryptfs"];

/// Refuses a folder on a network file system.
pub(crate) fn check(folder: &Path) -> Result<(), StoreError> {
    match kind_of(folder) {
        Ok(Some(kind)) => Err(StoreError::NetworkFileSystem { path: folder.to_owned(), kind }),
        Ok(None) => Ok(()),
        Err(source) => Err(StoreError::Folder { path: folder.to_owned(), source }),
    }
}

/// Does the error say that this process has no more descriptors or memory to be had? Then it says nothing of the file.
#[must_use]
pub(crate) fn is_scarcity(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}

/// Is the folder on a network file system? False where the system does not say.
#[must_use]
pub(crate) fn is_network_file_system(folder: &Path) -> bool {
    kind_of(folder).is_ok_and(|kind| kind.is_some())
}

fn kind_of(folder: &Path) -> io::Result<Option<&'static str>> {
    // The field is signed and narrow on some targets; the numbers are 32 bits wide.
    let magic = u64::from(rustix::fs::statfs(folder)?.f_type as u32);
    let mounts = || std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    Ok(network_kind(magic, || fuse_type(&mounts(), folder)))
}

/// The network file system's name, if the number is one's. A FUSE mount counts as one unless it is known to be local.
fn network_kind(magic: u64, fuse_type: impl FnOnce() -> Option<String>) -> Option<&'static str> {
    if magic == FUSE {
        let local = fuse_type().is_some_and(|kind| LOCAL_FUSE.contains(&kind.as_str()));
        return (!local).then_some("FUSE, sshfs or the like");
    }
    NETWORK.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name)
}

/// The type in the mount table of the mount that holds this folder.
fn fuse_type(mounts: &str, folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ');
            let (point, kind) = (fields.nth(1)?, fields.next()?);
            // The table writes blanks in names as octal escapes.
            let point = point.replace("\\040", " ").replace("\\011", "\t");
            folder.starts_with(&point).then(|| (point.len(), kind.to_owned()))
        })
        .max_by_key(|(length, _)| *length)
        .map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_numbers() {
        assert_eq!(network_kind(0x6969, || None), Some("NFS"));
        assert_eq!(network_kind(0xFF53_4D42, || None), Some("CIFS"));
        // ext4, tmpfs
        assert_eq!(network_kind(0xEF53, || None), None);
        assert_eq!(network_kind(0x0102_1994, || None), None);
    }

    #[test]
    fn a_fuse_mount_is_refused_unless_it_is_a_local_disk() {
        assert!(network_kind(FUSE, || Some("fuse.sshfs".into())).is_some());
        assert!(network_kind(FUSE, || None).is_some());
        assert_eq!(network_kind(FUSE, || Some("fuseblk".into())), None);
    }

    #[test]
    fn the_innermost_mount_decides() {
        let table = "/dev/vda / ext4 rw 0 0\nhost:/x /nowhere/lab\\040disk fuse.sshfs rw 0 0\n";
        assert_eq!(fuse_type(table, Path::new("/nowhere/lab disk/dataset")).as_deref(), Some("fuse.sshfs"));
        assert_eq!(fuse_type(table, Path::new("/nowhere/else")).as_deref(), Some("ext4"));
    }

    #[test]
    fn a_local_folder_passes() {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path()).unwrap();
    }
}
