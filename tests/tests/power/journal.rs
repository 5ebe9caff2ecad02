//! Changes to a disk as `tests/machine/machine.c` wrote them down.

use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A file was opened to be made or emptied.
    Opened {
        path: PathBuf,
        emptied: bool,
    },
    Written {
        path: PathBuf,
        offset: u64,
        bytes: Vec<u8>,
    },
    Cut {
        path: PathBuf,
        length: u64,
    },
    /// A file is on the disk, with the content that it had where that was not seen being written.
    Synced {
        path: PathBuf,
        content: Option<Vec<u8>>,
    },
    FolderSynced {
        path: PathBuf,
    },
    Renamed {
        from: PathBuf,
        to: PathBuf,
    },
    Removed {
        path: PathBuf,
    },
    Made {
        path: PathBuf,
    },
}

/// Every change with the place in the journal behind it. A record that is cut off, because its writer was killed, is left.
pub fn read(journal: &[u8]) -> Vec<(u64, Change)> {
    let (mut changes, mut rest) = (Vec::new(), journal);
    while let Some(change) = next(&mut rest) {
        changes.push(((journal.len() - rest.len()) as u64, change));
    }
    changes
}

fn next(rest: &mut &[u8]) -> Option<Change> {
    let (what, mut after) = rest.split_first()?;
    let path = path(&mut after)?;
    let change = match what {
        b'O' => Change::Opened { path, emptied: number(&mut after)? != 0 },
        b'W' => Change::Written { path, offset: number(&mut after)?, bytes: bytes(&mut after)?.to_vec() },
        b'T' => Change::Cut { path, length: number(&mut after)? },
        b'S' => {
            let known = number(&mut after)? != 0;
            let content = bytes(&mut after)?.to_vec();
            Change::Synced { path, content: known.then_some(content) }
        }
        b'D' => Change::FolderSynced { path },
        b'R' => Change::Renamed { from: path, to: self::path(&mut after)? },
        b'U' => Change::Removed { path },
        b'M' => Change::Made { path },
        other => panic!("the journal holds {other:?}"),
    };
    *rest = after;
    Some(change)
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let (number, after) = rest.split_first_chunk::<8>()?;
    *rest = after;
    Some(u64::from_ne_bytes(*number))
}

fn bytes<'j>(rest: &mut &'j [u8]) -> Option<&'j [u8]> {
    let length = usize::try_from(number(rest)?).ok()?;
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}

fn path(rest: &mut &[u8]) -> Option<PathBuf> {
    let bytes = bytes(rest)?;
    Some(PathBuf::from(String::from_utf8_lossy(bytes).into_owned()))
}
