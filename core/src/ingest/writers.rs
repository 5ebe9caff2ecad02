//! Is anybody writing this file?

use std::{os::fd::AsRawFd, path::Path};

use crate::store::open_regular;

/// From the kernel's `include/uapi/asm-generic/fcntl.h`; the libc crate does not have it.
const F_SETSIG: libc::c_int = 10;

/// Asks the kernel for a read lease, which it grants only where nobody has the file open for writing (3.7 µs), and gives
/// it back at once. `None` where it does not say: no permission to read, another user's file, a file system without leases.
///
/// On network file systems the answer would be about this machine only, or always "yes": do not ask there.
pub(super) fn has_writer(path: &Path) -> Option<bool> {
    let file = open_regular(path).ok()?;
    let descriptor = file.as_raw_fd();
    // A writer that opens the file while the lease stands makes the kernel send a signal, by default SIGIO, which ends a
    // process. SIGURG is ignored by default.
    // SAFETY: the descriptor is open for the whole call; F_SETSIG and F_SETLEASE take an integer and touch no memory.
    let lease = unsafe {
        if libc::fcntl(descriptor, F_SETSIG, libc::SIGURG) == -1 {
            return None;
        }
        libc::fcntl(descriptor, libc::F_SETLEASE, libc::F_RDLCK)
    };
    if lease == -1 {
        let refused = std::io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN);
        return refused.then_some(true);
    }
    // SAFETY: as above.
    unsafe { libc::fcntl(descriptor, libc::F_SETLEASE, libc::F_UNLCK) };
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn an_open_writer_is_seen_until_it_closes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let writer = fs::File::create(&path).unwrap();
        // A file system without leases says nothing, and then nothing is lost but speed.
        assert!(matches!(has_writer(&path), Some(true) | None));
        drop(writer);
        assert!(matches!(has_writer(&path), Some(false) | None));
        assert_eq!(has_writer(&folder.path().join("none")), None);
        assert_eq!(has_writer(folder.path()), None);
    }
}
