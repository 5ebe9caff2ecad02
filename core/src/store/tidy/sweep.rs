//! Removing files whose rows are gone. Only the thread that writes does it, so nothing is published meanwhile.

use std::{collections::BTreeSet, fs, io, path::Path};

use rusqlite::{Connection, OptionalExtension};

use super::{Tidied, plan::own_bytes};
use crate::{
    store::verify::{Folder, is_owned},
    workspace::DatasetPaths,
};

/// Removes what is doomed and still nobody's: a picture or a mask that was made again under its name meanwhile stays. A
/// file that cannot be removed stays listed for the next time.
pub(in crate::store) fn sweep(connection: &Connection, paths: &DatasetPaths) -> Result<Tidied, rusqlite::Error> {
    let mut done = Tidied::default();
    let mut listed = connection.prepare_cached("SELECT folder, name FROM doomed")?;
    let all: Vec<(String, String)> =
        listed.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let (mut over, mut folders) = (Vec::new(), BTreeSet::new());
    for (folder, name) in all {
        let Some(kind) = Folder::of(&folder) else { continue };
        let path = kind.path(paths).join(&name);
        // A name in the database becomes part of a path here.
        let plain = Path::new(&name).file_name().is_some_and(|plain| plain == name.as_str());
        if plain && !is_owned(connection, kind, &name)? {
            let bytes = own_bytes(&path);
            match fs::remove_file(&path) {
                Ok(()) => {
                    match kind {
                        Folder::Images => done.pictures += 1,
                        Folder::Masks | Folder::Defects => done.files += 1,
                    }
                    done.bytes += bytes;
                    folders.insert(kind.path(paths));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a file that was to be tidied away stays for now");
                    continue;
                }
            }
        }
        over.push((folder, name));
    }
    // Their end must be on the disk before it is forgotten that they had to end.
    for folder in folders {
        if let Err(error) = fs::File::open(&folder).and_then(|open| open.sync_all()) {
            tracing::warn!(path = %folder.display(), %error, "a folder cannot be synced");
            return Ok(done);
        }
    }
    if !over.is_empty() {
        let transaction = connection.unchecked_transaction()?;
        let mut forget = transaction.prepare_cached("DELETE FROM doomed WHERE folder = ?1 AND name = ?2")?;
        for (folder, name) in &over {
            forget.execute([folder, name])?;
        }
        drop(forget);
        transaction.commit()?;
    }
    Ok(done)
}

/// Is that file about to be removed?
pub(in crate::store) fn is_doomed(connection: &Connection, folder: &str, name: &str) -> Result<bool, rusqlite::Error> {
    let mut select = connection.prepare_cached("SELECT 1 FROM doomed WHERE folder = ?1 AND name = ?2")?;
    Ok(select.query_row([folder, name], |_| Ok(())).optional()?.is_some())
}
