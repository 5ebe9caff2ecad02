//! Files of pictures and masks as the database names them. A name that is no plain name is a damaged or forged database:
//! it is never followed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use super::Export;
use crate::{
    decode::{self, Picture, Wanted},
    ids::ImageId,
    store::Exhibit,
};

/// A format by its name in files, if a reader of examples can be expected to know it.
const KNOWN: [(&[u8], &str); 3] = [(b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpeg"), (b"BM", "bmp")];

/// Where the image's picture is.
pub(super) fn path_of(export: &Export<'_>, exhibit: &Exhibit) -> Result<PathBuf, String> {
    plain(&exhibit.filename).map(|name| export.dataset.images().join(name))
}

/// The name, unless it would lead elsewhere.
pub(super) fn plain(name: &str) -> Result<&str, String> {
    let sound = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
    if sound { Ok(name) } else { Err("the database gives its picture a name that leads out of images/".into()) }
}

/// The picture's bytes and format; what a common reader does not know (TIFF) as PNG of 8-bit gray levels.
pub(super) fn encoded(export: &Export<'_>, exhibit: &Exhibit) -> Result<(Vec<u8>, &'static str), String> {
    let path = path_of(export, exhibit)?;
    let mut bytes = Vec::new();
    read(export, &path, exhibit.image, &mut bytes)?;
    if let Some((_, format)) = KNOWN.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Ok((bytes, format));
    }
    let mut picture = Picture::default();
    decode::decode(&bytes, Wanted::default(), &export.limits, &mut picture).map_err(|error| error.to_string())?;
    let png = png(&picture.gray8, picture.width, picture.height).map_err(|error| error.to_string())?;
    Ok((png, "png"))
}

/// The picture's gray levels; it must have the size that it was inspected at.
pub(super) fn gray(export: &Export<'_>, exhibit: &Exhibit) -> Result<Picture, String> {
    let (mut bytes, mut picture) = (Vec::new(), Picture::default());
    read(export, &path_of(export, exhibit)?, exhibit.image, &mut bytes)?;
    decode::decode(&bytes, Wanted::default(), &export.limits, &mut picture).map_err(|error| error.to_string())?;
    let size = (exhibit.inspection.width, exhibit.inspection.height);
    if (picture.width, picture.height) == size { Ok(picture) } else { Err("its picture has another size now".into()) }
}

fn read(export: &Export<'_>, path: &Path, image: ImageId, bytes: &mut Vec<u8>) -> Result<(), String> {
    decode::read(path, Some(image), &export.limits, bytes).map(drop).map_err(|failure| failure.message)
}

/// 8-bit gray levels as a PNG file.
pub(super) fn png(gray: &[u8], width: u32, height: u32) -> io::Result<Vec<u8>> {
    let mut png = Vec::new();
    let encoder = PngEncoder::new(&mut png);
    encoder.write_image(gray, width, height, ExtendedColorType::L8).map_err(io::Error::other)?;
    Ok(png)
}

/// The bytes of a zone's mask under masks/, where there is one.
pub(super) fn mask(export: &Export<'_>, image: ImageId, region: &str, extension: &str) -> Option<Vec<u8>> {
    fs::read(export.dataset.masks().join(format!("{image}_{region}_mask.{extension}"))).ok()
}
