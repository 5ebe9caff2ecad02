//! A capture as a file: all of it in its own pixels, with what a person saw over it.

use std::{fs, path::Path};

use image::ImageFormat;

use super::{Layers, PictureRequest, Studio};
use crate::workbench::plain::clean;

/// Writes it into that folder under the capture's name and what lies over it; the same again takes its place. Returns where,
/// for a person; the error is one line.
pub fn save(studio: &mut Studio, request: &PictureRequest, folder: &Path) -> Result<String, String> {
    let picture = studio.whole(request)?;
    let path = folder.join(name(request));
    let trouble = |error: &dyn std::fmt::Display| clean(&format!("{}: {error}", path.display()));
    let beside = path.with_extension("part");
    let written = fs::create_dir_all(folder)
        .map_err(|error| trouble(&error))
        .and_then(|()| picture.save_with_format(&beside, ImageFormat::Png).map_err(|error| trouble(&error)))
        .and_then(|()| fs::rename(&beside, &path).map_err(|error| trouble(&error)));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.map(|()| clean(&path.display().to_string()))
}

/// The dataset's name of the picture is safe on any disk; that of a source need not be.
fn name(request: &PictureRequest) -> String {
    let own = request.detail.pictures.first().filter(|_| request.detail.inspection.is_some());
    let stem = own.and_then(|path| path.file_stem()).and_then(|stem| stem.to_str());
    let stem = stem.map_or_else(|| format!("capture-{}", request.key.capture), str::to_owned);
    let over = match request.key.layers {
        Layers::All => "result",
        Layers::Zones => "zones",
        Layers::Of(_) => "plugin",
        Layers::Mask => "masks",
        Layers::Difference => "difference",
        Layers::Heat => "heat",
        Layers::None => "bare",
    };
    format!("{stem}_{over}.png")
}
