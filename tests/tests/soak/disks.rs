//! The disks of a soak: one each for captures, dataset and log, in memory, in the namespace that the soak has entered.

use std::fs;

use ferrule_tests::{
    Lab,
    places::{self, Disk, mount, unmount},
};

pub struct Disks {
    pub captures: Disk,
    pub dataset: Disk,
    pub log: Disk,
}

impl Disks {
    pub fn new(lab: &Lab, size: u64) -> Self {
        let private = lab.workspace.join(".ferrule");
        for folder in [&lab.dataset(), &private] {
            fs::create_dir_all(folder).unwrap();
        }
        Self {
            captures: Disk::of_test(size),
            dataset: Disk::mounted(&lab.dataset(), size),
            log: Disk::mounted(&private, size),
        }
    }

    /// New files of the dataset find a read-only disk; what is open stays so, as the kernel allows no more.
    pub fn shut(lab: &Lab) {
        places::shut(&lab.dataset());
    }

    pub fn open(lab: &Lab) {
        unmount(&lab.dataset());
    }

    /// Another, empty disk lies over the captures.
    pub fn cover(lab: &Lab) {
        mount(&["-t", "tmpfs", "-o", "size=4m", "none"], &lab.captures());
    }

    pub fn uncover(lab: &Lab) {
        unmount(&lab.captures());
    }
}

/// How many watches and watchers this namespace may have.
pub struct Watches([(String, String); 2]);

impl Watches {
    /// None from now on. `None` where that cannot be said.
    pub fn exhausted() -> Option<Self> {
        let one = |name: &str| {
            let path = format!("/proc/sys/user/{name}");
            let before = fs::read_to_string(&path).ok()?;
            fs::write(&path, "0").ok()?;
            Some((path, before))
        };
        let watches = one("max_inotify_watches")?;
        let Some(instances) = one("max_inotify_instances") else {
            fs::write(&watches.0, &watches.1).unwrap();
            return None;
        };
        Some(Self([watches, instances]))
    }
}

impl Drop for Watches {
    fn drop(&mut self) {
        for (path, before) in &self.0 {
            fs::write(path, before).unwrap();
        }
    }
}
