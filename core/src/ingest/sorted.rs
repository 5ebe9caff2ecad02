//! Known files in order: in memory, or in a file that has no name. What a year of captures leaves is looked up in the
//! system's cache of that file then, and the memory of the process does not grow with it.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
};

use super::KnownFile;

/// Files of a block, which is read whole.
const BLOCK: usize = 512;
/// Bytes of a file in it.
const BYTES: usize = size_of::<KnownFile>();

/// In the order of their paths' numbers, one for each.
#[derive(Debug, Clone)]
pub(super) enum Sorted {
    Memory(Vec<KnownFile>),
    OnDisk(Arc<Blocks>),
}

impl Default for Sorted {
    fn default() -> Self {
        Self::Memory(Vec::new())
    }
}

impl Sorted {
    /// Writes them down in that folder, where only this process ever sees them.
    ///
    /// # Errors
    /// The disk.
    pub fn on_disk(files: impl Iterator<Item = KnownFile>, folder: &Path) -> io::Result<Self> {
        Ok(Self::OnDisk(Arc::new(Blocks::write(files, folder)?)))
    }

    /// What is known of that path. Nothing, where the disk does not say: such a file is told to the store again, which
    /// knows it.
    pub fn of_path(&self, path: u64) -> Option<KnownFile> {
        match self {
            Self::Memory(files) => {
                files.binary_search_by_key(&path, |known| known.path()).ok().map(|place| files[place])
            }
            Self::OnDisk(blocks) => blocks.of_path(path),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = KnownFile> {
        let (files, blocks) = match self {
            Self::Memory(files) => (files.as_slice(), None),
            Self::OnDisk(blocks) => (&[][..], Some(blocks)),
        };
        let on_disk = blocks.into_iter().flat_map(|blocks| (0..blocks.firsts.len()).flat_map(|n| blocks.files(n)));
        files.iter().copied().chain(on_disk)
    }

    /// Bytes of memory, by what is kept for more.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        BYTES
            * match self {
                Self::Memory(files) => files.capacity(),
                Self::OnDisk(blocks) => blocks.firsts.capacity(),
            }
    }
}

/// A file of blocks, and where each begins.
#[derive(Debug)]
pub(super) struct Blocks {
    file: File,
    firsts: Vec<KnownFile>,
    len: usize,
}

impl Blocks {
    fn write(files: impl Iterator<Item = KnownFile>, folder: &Path) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(BLOCK * BYTES, tempfile::tempfile_in(folder)?);
        let (mut firsts, mut len) = (Vec::new(), 0);
        for known in files {
            if len % BLOCK == 0 {
                firsts.push(known);
            }
            file.write_all(&known.0.to_ne_bytes())?;
            len += 1;
        }
        firsts.shrink_to_fit();
        Ok(Self { file: file.into_inner().map_err(io::IntoInnerError::into_error)?, firsts, len })
    }

    fn of_path(&self, path: u64) -> Option<KnownFile> {
        let block = self.firsts.partition_point(|first| first.path() <= path).checked_sub(1)?;
        let mut bytes = [0; BLOCK * BYTES];
        let files = self.read(block, &mut bytes);
        files.binary_search_by_key(&path, |bytes| known(bytes).path()).ok().map(|place| known(&files[place]))
    }

    fn files(&self, block: usize) -> Vec<KnownFile> {
        self.read(block, &mut [0; BLOCK * BYTES]).iter().map(known).collect()
    }

    /// The files of a block; none of one that cannot be read.
    fn read<'a>(&self, block: usize, bytes: &'a mut [u8; BLOCK * BYTES]) -> &'a [[u8; BYTES]] {
        let first = block * BLOCK;
        let bytes = &mut bytes[..BYTES * BLOCK.min(self.len - first)];
        match self.file.read_exact_at(bytes, (first * BYTES) as u64) {
            Ok(()) => bytes.as_chunks().0,
            Err(error) => {
                tracing::debug!(%error, block, "what is known of files cannot be read");
                &[]
            }
        }
    }
}

fn known(bytes: &[u8; BYTES]) -> KnownFile {
    KnownFile(u64::from_ne_bytes(*bytes))
}
