//! Room on the dataset's disk: with too little of it no capture is begun, and all go on once there is some again.

use std::path::Path;

use super::state::Engine;
use crate::{names, protocol::DiskStatus};

/// What the trouble is about.
pub(super) const ROOM: &str = "room";

/// A capture makes about ten files; a disk can be full of them with room left.
const FEWEST_FILES: u64 = 1000;

/// What a disk still takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Room {
    mib: u64,
    /// `None` where the file system does not count them.
    files: Option<u64>,
}

impl Room {
    fn of(folder: &Path) -> Option<Self> {
        let disk = rustix::fs::statvfs(folder).ok()?;
        let mib = disk.f_bavail.saturating_mul(disk.f_frsize) >> 20;
        Some(Self { mib, files: (disk.f_files > 0).then_some(disk.f_favail) })
    }

    /// What there is too little of. One that was low is so until there is an eighth more than it takes: a disk at its limit
    /// would stop and go on with every result.
    fn lacks(self, wanted: u64, was_low: bool) -> Option<String> {
        let enough = if was_low { wanted + wanted / 8 } else { wanted };
        if self.mib < enough {
            return Some(format!("{} MiB are free, fewer than dataset.min_free_mb = {wanted}", self.mib));
        }
        // 0 says that a person wants no reserve.
        let files = self.files.filter(|files| wanted > 0 && *files < FEWEST_FILES)?;
        Some(format!("{files} more files can be made, fewer than {FEWEST_FILES}"))
    }
}

impl Engine {
    /// Takes no new work while the dataset's disk is nearly full, and goes on when there is room.
    pub fn look_for_room(&mut self) {
        let wanted = self.configuration.settings.dataset.min_free_mb;
        let Some(room) = Room::of(self.dataset.root()) else {
            self.disk = None;
            return;
        };
        self.disk = Some(DiskStatus { free_mb: room.mib, wanted_mb: wanted });
        let was_low = self.problems.contains_key(ROOM);
        match room.lacks(wanted, was_low) {
            // The amount changes all the time; the trouble is told once.
            Some(_) if was_low => {}
            Some(lack) => {
                let place = names::display(self.dataset.root());
                let line =
                    format!("{place}: {lack}; captures wait until there is room: `ferrule tidy`, or another disk");
                self.problem(ROOM, line);
            }
            None => self.solved(ROOM),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_room_is_told_until_there_is_clearly_more() {
        let room = |mib| Room { mib, files: Some(1_000_000) };
        assert_eq!(room(512).lacks(512, false), None);
        assert!(room(511).lacks(512, false).is_some_and(|lack| lack.contains("511 MiB")));
        assert!(room(520).lacks(512, true).is_some(), "a few MiB more would be gone with the next results");
        assert_eq!(room(576).lacks(512, true), None);
    }

    #[test]
    fn a_disk_without_room_for_files_is_full_too() {
        assert!(Room { mib: 90_000, files: Some(12) }.lacks(512, false).is_some_and(|lack| lack.contains("12 more")));
        assert_eq!(Room { mib: 90_000, files: None }.lacks(512, false), None);
        assert_eq!(Room { mib: 0, files: Some(0) }.lacks(0, false), None, "no reserve is wanted");
    }
}
