//! A file under its name only when it is complete: written beside it and renamed. A file that is there already with the
//! same bytes is left as it is, so that a second export changes nothing.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use super::ExportError;

/// Writes a file by `fill`; its folder is made if it is not there.
pub(super) fn whole(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> Result<(), ExportError>,
) -> Result<PathBuf, ExportError> {
    let trouble = |source| ExportError::Write { path: path.to_owned(), source };
    let beside = beside(path);
    let begin = || {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        File::create(&beside)
    };
    let mut file = BufWriter::with_capacity(1 << 18, begin().map_err(trouble)?);
    let filled = fill(&mut file).and_then(|()| file.flush().map_err(trouble));
    let ended = filled.and_then(|()| {
        if same(&beside, path) {
            return fs::remove_file(&beside).map_err(trouble);
        }
        // Otherwise a power loss may leave the name with nothing behind it.
        file.get_ref().sync_data().and_then(|()| fs::rename(&beside, path)).map_err(trouble)
    });
    if ended.is_err() {
        let _ = fs::remove_file(&beside);
    }
    ended.map(|()| path.to_owned())
}

/// `.<name>.part` in the same folder.
fn beside(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".part");
    path.with_file_name(name)
}

fn same(one: &Path, other: &Path) -> bool {
    let size = |path: &Path| fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).map(|about| about.len());
    let equal = || -> io::Result<bool> {
        let (mut one, mut other) = (BufReader::new(File::open(one)?), BufReader::new(File::open(other)?));
        let (mut a, mut b) = ([0; 8 << 10], [0; 8 << 10]);
        loop {
            let count = one.read(&mut a)?;
            if count == 0 {
                return Ok(true);
            }
            other.read_exact(&mut b[..count])?;
            if a[..count] != b[..count] {
                return Ok(false);
            }
        }
    };
    size(one).is_some() && size(one) == size(other) && equal().unwrap_or(false)
}

/// Makes an error of the file at this path.
pub(super) fn trouble(path: &Path) -> impl Fn(io::Error) -> ExportError + '_ {
    |source| ExportError::Write { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_as_it_was_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("a.csv");
        let put = |text: &str| whole(&path, |file| file.write_all(text.as_bytes()).map_err(trouble(&path)));
        put("one").unwrap();
        let broken = whole(&path, |file| {
            file.write_all(b"two").map_err(trouble(&path))?;
            Err(ExportError::Interrupted)
        });
        assert!(broken.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        let stamp = fs::metadata(&path).unwrap().modified().unwrap();
        put("one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), stamp, "the same bytes are not written again");
        put("two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }
}
