//! A disk after a power loss, as POSIX allows it: a file's content is what its last fsync left, a name is there once its
//! folder was synced; of everything since, any part may have reached the disk or not. Stricter than ext4, XFS or Btrfs are.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use ferrule_vision::augment::chance::Chance;

use crate::journal::Change;

/// What became of the changes that nobody synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// None reached the disk.
    Lost,
    /// Each did or did not, whatever was written before or after it; of a write perhaps only its first half.
    AnyPart(u64),
}

#[derive(Debug, Clone)]
enum Edit {
    Write(u64, Vec<u8>),
    Cut(u64),
}

#[derive(Debug, Clone, Default)]
struct File {
    synced: Vec<u8>,
    since: Vec<Edit>,
}

/// The files below a folder, and the names that lead to them.
#[derive(Debug, Default)]
pub struct Disk {
    files: Vec<File>,
    /// As the programs see them.
    names: BTreeMap<PathBuf, Entry>,
    /// As they are on the disk.
    synced: BTreeMap<PathBuf, Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Folder,
    File(usize),
}

impl Disk {
    /// With folders that were there, and on the disk, before anybody looked.
    pub fn with_folder(folder: &Path) -> Self {
        let mut disk = Self::default();
        disk.names.insert(folder.to_owned(), Entry::Folder);
        disk.synced.insert(folder.to_owned(), Entry::Folder);
        disk
    }

    fn file(&mut self, path: &Path) -> &mut File {
        let next = self.files.len();
        let entry = *self.names.entry(path.to_owned()).or_insert(Entry::File(next));
        let place = match entry {
            Entry::File(place) => place,
            Entry::Folder => panic!("{} is a folder", path.display()),
        };
        if place == next {
            self.files.push(File::default());
        }
        &mut self.files[place]
    }

    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Opened { path, emptied } => {
                let file = self.file(path);
                if *emptied {
                    file.since.push(Edit::Cut(0));
                }
            }
            Change::Written { path, offset, bytes } => {
                self.file(path).since.push(Edit::Write(*offset, bytes.clone()));
            }
            Change::Cut { path, length } => self.file(path).since.push(Edit::Cut(*length)),
            Change::Synced { path, content } => {
                let file = self.file(path);
                let since = std::mem::take(&mut file.since);
                match content {
                    Some(content) => file.synced.clone_from(content),
                    None => since.iter().for_each(|edit| edit.apply(&mut file.synced)),
                }
            }
            Change::FolderSynced { path } => {
                let inside = |name: &PathBuf| name.parent() == Some(path.as_path());
                self.synced.retain(|name, _| !inside(name));
                let now =
                    self.names.iter().filter(|(name, _)| inside(name)).map(|(name, entry)| (name.clone(), *entry));
                self.synced.extend(now);
            }
            Change::Renamed { from, to } => {
                // A worker made it, whom nobody watches.
                self.file(from);
                if let Some(entry) = self.names.remove(from) {
                    self.names.insert(to.clone(), entry);
                }
            }
            Change::Removed { path } => {
                self.names.remove(path);
            }
            Change::Made { path } => {
                self.names.insert(path.clone(), Entry::Folder);
            }
        }
    }

    /// Makes below `to` what is on the disk when the power goes now.
    pub fn write(&self, from: &Path, to: &Path, unsynced: Unsynced) {
        let mut chance = match unsynced {
            Unsynced::Lost => Chance::new(0),
            Unsynced::AnyPart(seed) => Chance::new(seed),
        };
        let mut maybe = || unsynced != Unsynced::Lost && chance.below(2) == 0;
        let mut names = self.synced.clone();
        for (name, entry) in &self.names {
            if self.synced.get(name) != Some(entry) && maybe() {
                names.insert(name.clone(), *entry);
            }
        }
        names.retain(|name, _| self.names.contains_key(name) || self.synced.contains_key(name) && !maybe());
        for (name, entry) in &names {
            let place = to.join(name.strip_prefix(from).unwrap());
            // What lies in a folder that is not there is not there.
            if place.parent().is_some_and(|folder| folder != to && !folder.is_dir() && name != from) {
                continue;
            }
            match entry {
                Entry::Folder => fs::create_dir_all(&place).unwrap(),
                Entry::File(file) => {
                    let file = &self.files[*file];
                    let mut content = file.synced.clone();
                    for edit in &file.since {
                        if maybe() {
                            edit.apply(&mut content);
                        } else if let (Edit::Write(offset, bytes), true) = (edit, maybe()) {
                            Edit::Write(*offset, bytes[..bytes.len() / 2].to_vec()).apply(&mut content);
                        }
                    }
                    fs::write(&place, content).unwrap();
                }
            }
        }
    }
}

impl Edit {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => {
                let offset = usize::try_from(*offset).unwrap();
                let end = offset + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[offset..end].copy_from_slice(bytes);
            }
            Self::Cut(length) => content.resize(usize::try_from(*length).unwrap(), 0),
        }
    }
}
