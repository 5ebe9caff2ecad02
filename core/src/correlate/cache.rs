//! Grids on disk: made once for a picture and an outline, checked by their hash, and read again at any place.
//!
//! One file a grid size, of records of one length: a head of 64 bytes (`FGRID001`, the image's id, the key of how the grid
//! was laid, the hash of the cells; the rest zero), then the cells. It only grows; what a killed run left half written is
//! cut off, what does not match its hash is made again, and a file that is mostly old records is written anew. Only ever
//! opened by the holder of the dataset's lock.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{CorrelateError, Grid};
use crate::ids::ImageId;

const MAGIC: &[u8; 8] = b"FGRID001";
const HEAD: usize = 64;

/// Where a picture's grid is, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub slot: u32,
    /// Of how it was laid: outline and kind of grid.
    pub key: u64,
    /// Of the cells.
    pub hash: u64,
}

/// An open file of grids.
#[derive(Debug)]
pub(super) struct Cache {
    file: File,
    path: PathBuf,
    cells: usize,
    records: HashMap<ImageId, Record>,
    /// Records in the file, old ones too.
    slots: u32,
}

/// The first eight bytes of a BLAKE3 hash.
pub(super) fn hash_of(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::hash(bytes).as_bytes()[..8]);
    u64::from_be_bytes(first)
}

impl Cache {
    /// Opens the file for this grid in `folder`, which is made if it is not there.
    pub fn open(folder: &Path, grid: Grid) -> Result<Self, CorrelateError> {
        let name = match grid {
            Grid::Aligned(side) => format!("aligned-{side}.grids"),
            Grid::Raw(side) => format!("raw-{side}.grids"),
        };
        let path = folder.join(name);
        let opened = fs::create_dir_all(folder).and_then(|()| Self::read_all(&path, grid.cells()));
        opened.map_err(|source| CorrelateError::Cache { path, source })
    }

    fn read_all(path: &Path, cells: usize) -> io::Result<Self> {
        let file = open(path)?;
        let mut cache = Self { file, path: path.to_owned(), cells, records: HashMap::new(), slots: 0 };
        let whole = cache.file.metadata()?.len() / cache.stride();
        let mut bytes = vec![0; HEAD + cells];
        for slot in 0..u32::try_from(whole).map_err(io::Error::other)? {
            cache.file.read_exact_at(&mut bytes, u64::from(slot) * cache.stride())?;
            let (head, grid) = bytes.split_at(HEAD);
            if let Some((image, key, hash)) = parse(head).filter(|(_, _, hash)| *hash == hash_of(grid)) {
                cache.records.insert(image, Record { slot, key, hash });
            }
        }
        cache.slots = whole as u32;
        // A record that a killed run began.
        cache.file.set_len(whole * cache.stride())?;
        Ok(cache)
    }

    fn stride(&self) -> u64 {
        (HEAD + self.cells) as u64
    }

    /// The picture's grid, if it was laid in this way.
    pub fn get(&self, image: ImageId, key: u64) -> Option<Record> {
        self.records.get(&image).copied().filter(|record| record.key == key)
    }

    /// Adds a picture's grid; an older one of the same picture is forgotten.
    pub fn add(&mut self, image: ImageId, key: u64, grid: &[u8]) -> Result<Record, CorrelateError> {
        let record = Record { slot: self.slots, key, hash: hash_of(grid) };
        let bytes = [head(image, record.key, record.hash).as_slice(), grid].concat();
        let written = self.file.write_all_at(&bytes, u64::from(self.slots) * self.stride());
        written.map_err(|source| self.trouble(source))?;
        self.slots += 1;
        self.records.insert(image, record);
        Ok(record)
    }

    /// The cells of the record in that slot.
    pub fn read(&self, slot: u32, cells: &mut [u8]) -> Result<(), CorrelateError> {
        let at = u64::from(slot) * self.stride() + HEAD as u64;
        self.file.read_exact_at(cells, at).map_err(|source| self.trouble(source))
    }

    /// Writes the file anew if most of it is records that nobody asks for any more. Slots change.
    pub fn tidy(&mut self) -> Result<(), CorrelateError> {
        if (self.slots as usize) < 2 * self.records.len() + 64 {
            return Ok(());
        }
        let rewritten = self.rewrite();
        rewritten.map_err(|source| self.trouble(source))
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let beside = self.path.with_extension("part");
        let file = open(&beside)?;
        file.set_len(0)?;
        let mut kept: Vec<(ImageId, Record)> = self.records.iter().map(|(image, record)| (*image, *record)).collect();
        kept.sort_by_key(|(_, record)| record.slot);
        let mut bytes = vec![0; HEAD + self.cells];
        for (slot, (image, record)) in (0_u32..).zip(&mut kept) {
            self.file.read_exact_at(&mut bytes, u64::from(record.slot) * self.stride())?;
            file.write_all_at(&bytes, u64::from(slot) * self.stride())?;
            record.slot = slot;
            self.records.insert(*image, *record);
        }
        fs::rename(&beside, &self.path)?;
        (self.file, self.slots) = (file, kept.len() as u32);
        Ok(())
    }

    fn trouble(&self, source: io::Error) -> CorrelateError {
        CorrelateError::Cache { path: self.path.clone(), source }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn head(image: ImageId, key: u64, hash: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(MAGIC);
    head[8..24].copy_from_slice(image.to_string().as_bytes());
    head[24..32].copy_from_slice(&key.to_be_bytes());
    head[32..40].copy_from_slice(&hash.to_be_bytes());
    head
}

fn parse(head: &[u8]) -> Option<(ImageId, u64, u64)> {
    let number = |at: usize| head.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes);
    let image = str::from_utf8(head.get(8..24)?).ok()?.parse().ok()?;
    (head.get(..8)? == MAGIC).then_some((image, number(24)?, number(32)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_outlive_a_killed_run_and_a_damaged_one_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let grid = Grid::Raw(16);
        let images: Vec<ImageId> = (0..3_u8).map(|i| ImageId::of(&[i])).collect();
        let mut cache = Cache::open(folder.path(), grid).unwrap();
        for (i, image) in images.iter().enumerate() {
            cache.add(*image, 7, &[i as u8; 256]).unwrap();
        }
        let path = folder.path().join("raw-16.grids");
        let mut bytes = fs::read(&path).unwrap();
        bytes[HEAD + 320 + 5] ^= 1;
        bytes.extend_from_slice(b"half a record");
        fs::write(&path, bytes).unwrap();

        let mut cache = Cache::open(folder.path(), grid).unwrap();
        assert_eq!(cache.get(images[0], 8), None, "laid in another way");
        assert_eq!(cache.get(images[1], 7), None, "damaged");
        let mut cells = [0; 256];
        cache.read(cache.get(images[2], 7).unwrap().slot, &mut cells).unwrap();
        assert_eq!(cells, [2; 256]);
        let record = cache.add(images[1], 7, &[9; 256]).unwrap();
        cache.read(record.slot, &mut cells).unwrap();
        assert_eq!((record.slot, cells), (3, [9; 256]));
    }

    #[test]
    fn a_file_of_mostly_old_grids_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = Cache::open(folder.path(), Grid::Raw(16)).unwrap();
        let (one, other) = (ImageId::of(b"1"), ImageId::of(b"2"));
        for key in 0..80 {
            cache.add(one, key, &[key as u8; 256]).unwrap();
        }
        cache.add(other, 1, &[200; 256]).unwrap();
        cache.tidy().unwrap();
        assert_eq!(fs::metadata(folder.path().join("raw-16.grids")).unwrap().len(), 2 * 320);
        for cache in [cache, Cache::open(folder.path(), Grid::Raw(16)).unwrap()] {
            let mut cells = [0; 256];
            cache.read(cache.get(one, 79).unwrap().slot, &mut cells).unwrap();
            assert_eq!(cells, [79; 256]);
            cache.read(cache.get(other, 1).unwrap().slot, &mut cells).unwrap();
            assert_eq!(cells, [200; 256]);
        }
    }
}
