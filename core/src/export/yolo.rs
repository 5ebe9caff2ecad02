//! YOLO: `images/<split>` and `labels/<split>` side by side and a `data.yaml` that names them. Both are named by the image's
//! id, because a label belongs to its picture by the name without the ending, which two captures may share.

use std::{fmt::Write as _, fs, io::Write, path::Path};

use super::{
    Export, ExportError, Progress, Written, picture,
    whole::{trouble, whole},
};
use crate::{
    report::{Defect, DefectKind},
    store::Exhibit,
};

/// Writes pictures (hard links where the disk allows, else copies), boxes and `data.yaml`.
///
/// # Errors
/// See [`ExportError`]. An image whose picture is not there is left out and listed.
pub fn yolo(export: &Export<'_>, progress: &mut Progress<'_>) -> Result<Written, ExportError> {
    let mut written = export.begun()?;
    for (name, part) in export.pictured() {
        let (images, labels) = (export.out.join("images").join(name), export.out.join("labels").join(name));
        for folder in [&images, &labels] {
            fs::create_dir_all(folder).map_err(trouble(folder))?;
        }
        export.reader.each_exhibit(part, |exhibit| {
            if let Err(reason) = picture_into(export, &exhibit, &images) {
                written.skipped.push((exhibit.image, reason));
            } else {
                let path = labels.join(format!("{}.txt", exhibit.image));
                let text = lines(&exhibit);
                whole(&path, |file| file.write_all(text.as_bytes()).map_err(trouble(&path)))?;
            }
            written.items += 1;
            progress(written.items)?;
            Ok::<_, ExportError>(())
        })?;
    }
    let path = export.out.join("data.yaml");
    let text = data(&export.parts().iter().map(|(name, _)| *name).collect::<Vec<_>>());
    written.files.push(whole(&path, |file| file.write_all(text.as_bytes()).map_err(trouble(&path)))?);
    Ok(written)
}

fn picture_into(export: &Export<'_>, exhibit: &Exhibit, folder: &Path) -> Result<(), String> {
    let from = picture::path_of(export, exhibit)?;
    let extension = from.extension().and_then(|extension| extension.to_str()).unwrap_or("png");
    let to = folder.join(format!("{}.{extension}", exhibit.image));
    let from = fs::canonicalize(from).map_err(|error| format!("its picture cannot be read: {error}"))?;
    if to.symlink_metadata().is_ok() {
        return Ok(());
    }
    let part = folder.join(format!(".{}.part", exhibit.image));
    let _ = fs::remove_file(&part);
    let placed = fs::hard_link(&from, &part).or_else(|_| fs::copy(&from, &part).map(drop));
    placed.and_then(|()| fs::rename(&part, &to)).map_err(|error| format!("its picture cannot be placed: {error}"))
}

/// Class from 0, then centre and size of the box as shares of the picture.
fn lines(exhibit: &Exhibit) -> String {
    let (width, height) = (f64::from(exhibit.inspection.width), f64::from(exhibit.inspection.height));
    let mut text = String::new();
    for Defect { kind, bbox, .. } in &exhibit.inspection.defects {
        let [x, y, w, h] = bbox.map(f64::from);
        let (cx, cy) = ((x + w / 2.0) / width, (y + h / 2.0) / height);
        let _ = writeln!(text, "{} {cx:.8} {cy:.8} {:.8} {:.8}", *kind as usize, w / width, h / height);
    }
    text
}

fn data(parts: &[&str]) -> String {
    let mut text = String::from("# Folders are relative to this file.\npath: .\n");
    let folder = |name: &str| parts.iter().find(|part| **part == name || parts == ["all"]);
    for name in ["train", "val", "test"] {
        if let Some(part) = folder(name) {
            let _ = writeln!(text, "{name}: images/{part}");
        }
    }
    let _ = writeln!(text, "nc: {}\nnames:", DefectKind::ALL.len());
    for kind in DefectKind::ALL {
        let _ = writeln!(text, "  {}: {kind}", *kind as usize);
    }
    text
}
