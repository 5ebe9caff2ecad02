//! A page for a person: one HTML file that needs nothing beside it, runs no script and asks nothing of the network. Every
//! text goes through [`page::escaped`].

mod chart;
mod figures;
mod job;
mod page;
mod worst;

use std::{io::Write, path::PathBuf};

use self::figures::Figures;
pub use self::job::job;
use super::{
    Export, ExportError, Progress, Written,
    whole::{trouble, whole},
};

/// Writes the page to `path`, with the `most` worst pictures on it.
///
/// # Errors
/// See [`ExportError`]. A picture that cannot be read is listed, and its defects are on the page all the same.
pub fn report(
    export: &Export<'_>,
    path: PathBuf,
    most: usize,
    progress: &mut Progress<'_>,
) -> Result<Written, ExportError> {
    let figures = Figures::read(export)?;
    let worst::Worst { shown, skipped } = worst::pictures(export, most, progress)?;
    let text = page::page(&figures, &shown);
    let file = whole(&path, |file| file.write_all(text.as_bytes()).map_err(trouble(&path)))?;
    Ok(Written { files: vec![file], items: figures.images, skipped, gone: 0 })
}
