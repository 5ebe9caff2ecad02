//! Files against their rows, and files without one.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::SystemTime,
};

use rusqlite::{Connection, OptionalExtension};

use super::{Closeness, Problem, Report};
use crate::{
    ids::ImageId,
    store::{StoreError, tidy},
    workspace::DatasetPaths,
};

/// How a whole PNG begins and ends (ISO/IEC 15948, 5.2 and 11.2.5).
const PNG: (&[u8], &[u8]) = (b"\x89PNG\r\n\x1a\n", b"\x00\x00\x00\x00IEND\xaeB`\x82");
/// How an array of NumPy begins.
const NPY: &[u8] = b"\x93NUMPY";

/// The folders whose files have rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Folder {
    Images,
    Masks,
    Defects,
}

impl Folder {
    pub const ALL: [Self; 3] = [Self::Images, Self::Masks, Self::Defects];

    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|folder| folder.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Masks => "masks",
            Self::Defects => "defects",
        }
    }

    pub fn path(self, paths: &DatasetPaths) -> PathBuf {
        match self {
            Self::Images => paths.images(),
            Self::Masks => paths.masks(),
            Self::Defects => paths.defects(),
        }
    }
}

/// Is that file there, and what its row says?
pub(super) fn check(
    paths: &DatasetPaths,
    folder: Folder,
    image: ImageId,
    name: &str,
    closeness: Closeness,
) -> Option<Problem> {
    let file = folder.path(paths).join(name);
    // A name in the database becomes part of a path here.
    let plain = Path::new(name).file_name().is_some_and(|plain| plain == name);
    if !plain {
        return Some(Problem::Broken { image, file, reason: "its name is a path".into() });
    }
    let found = match folder {
        Folder::Images => picture(&file, image, closeness),
        Folder::Masks | Folder::Defects => artefact(&file, image),
    };
    match found {
        Ok(None) => None,
        Ok(Some(reason)) => Some(Problem::Broken { image, file, reason }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Problem::Missing { image, file }),
        Err(error) => Some(Problem::Broken { image, file, reason: error.to_string() }),
    }
}

/// What is wrong with a picture, which may be a link.
fn picture(path: &Path, image: ImageId, closeness: Closeness) -> io::Result<Option<String>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok(Some("it is empty".into()));
    }
    if !closeness.contents {
        return Ok(None);
    }
    let hash = blake3::Hasher::new().update_reader(file)?.finalize();
    let is = ImageId::from_hash(&hash);
    Ok((is != image).then(|| format!("its content is {is}, not {image}")))
}

/// What is wrong with a mask or a list of defects.
fn artefact(path: &Path, image: ImageId) -> io::Result<Option<String>> {
    let mut file = crate::store::open_regular(path)?;
    let cut = || Some("it is cut short".to_owned());
    Ok(match path.extension().and_then(|extension| extension.to_str()) {
        Some("png") => {
            let (begin, end) = PNG;
            let mut ends = [0; 12];
            let mut begins = [0; 8];
            let whole = file.read_exact(&mut begins).is_ok()
                && file.seek(SeekFrom::End(-(ends.len() as i64))).is_ok()
                && file.read_exact(&mut ends).is_ok();
            if whole && begins == begin && ends == end { None } else { cut() }
        }
        Some("npy") => {
            let mut begins = [0; NPY.len()];
            if file.read_exact(&mut begins).is_ok() && begins == *NPY { None } else { cut() }
        }
        Some("json") => {
            let list: Result<serde_json::Value, _> = serde_json::from_reader(io::BufReader::new(file));
            match list {
                Ok(list) if list["image_id"] == image.to_string() => None,
                Ok(_) => Some("it is of another image".into()),
                Err(error) if error.is_eof() => cut(),
                Err(error) => Some(error.to_string()),
            }
        }
        _ => None,
    })
}

/// Files of a folder that no row names. What came after the look began is on its way.
pub(super) fn orphans(
    connection: &Connection,
    paths: &DatasetPaths,
    folder: Folder,
    began: SystemTime,
    report: &mut Report,
) -> Result<(), StoreError> {
    let path = folder.path(paths);
    let unusable = |source| StoreError::Folder { path: path.clone(), source };
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unusable(error)),
    };
    for entry in entries {
        let entry = entry.map_err(unusable)?;
        let new = entry.metadata().and_then(|metadata| metadata.modified()).is_ok_and(|modified| modified >= began);
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // What is being tidied away is nobody's, and goes by itself.
        if !new && !is_owned(connection, folder, &name)? && !tidy::is_doomed(connection, folder.name(), &name)? {
            report.add(Problem::Orphan { file: entry.path() });
        }
    }
    Ok(())
}

/// Does a row name that file?
pub(in crate::store) fn is_owned(connection: &Connection, folder: Folder, name: &str) -> Result<bool, rusqlite::Error> {
    if folder == Folder::Images {
        let mut owner = connection.prepare_cached("SELECT 1 FROM images WHERE filename = ?1 AND NOT gone")?;
        return Ok(owner.query_row([name], |_| Ok(())).optional()?.is_some());
    }
    // Artefacts begin with their image's id, by which their rows are found.
    let image = name.split('_').next().unwrap_or_default();
    let mut owner =
        connection.prepare_cached("SELECT 1 FROM artefacts WHERE image_id = ?1 AND folder = ?2 AND name = ?3")?;
    Ok(owner.query_row([image, folder.name(), name], |_| Ok(())).optional()?.is_some())
}

/// Is it still so? What concerns no file is.
pub(super) fn stands(
    connection: &Connection,
    paths: &DatasetPaths,
    closeness: Closeness,
    problem: &Problem,
) -> Result<bool, StoreError> {
    let (Problem::Missing { file, .. } | Problem::Broken { file, .. } | Problem::Orphan { file }) = problem else {
        return Ok(true);
    };
    let folder = Folder::ALL.into_iter().find(|folder| file.parent() == Some(folder.path(paths).as_path()));
    let (Some(folder), Some(name)) = (folder, file.file_name().map(|name| name.to_string_lossy())) else {
        return Ok(true);
    };
    let owned = is_owned(connection, folder, &name)?;
    Ok(match problem {
        Problem::Orphan { file } => !owned && file.symlink_metadata().is_ok(),
        Problem::Missing { image, .. } | Problem::Broken { image, .. } => {
            owned && check(paths, folder, *image, &name, closeness).is_some()
        }
        _ => true,
    })
}
