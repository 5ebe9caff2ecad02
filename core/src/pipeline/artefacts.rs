//! What a job leaves on disk: masks of zones and of kinds of defects, and the list of defects. Written into the worker's
//! staging folder; the engine syncs and publishes. Called last by [`super::run`].

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

use ferrule_abi::ZoneName;
use image::{
    ExtendedColorType, ImageEncoder,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use ndarray::ArrayView2;
use ndarray_npy::WriteNpyExt;
use serde::Serialize;

use crate::{
    ids::ImageId,
    report::{Defect, DefectKind, Failure},
    settings::MaskFormat,
    worker::messages::{ArtefactFolder, StagedFile},
};

/// The zones whose masks are kept; the adhesive is a few pixels of glue that no network is trained on.
const MASKED: [ZoneName; 3] = [ZoneName::Core, ZoneName::Cladding, ZoneName::Ferrule];

/// Everything that artefacts are made from.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    pub image: ImageId,
    pub width: u32,
    pub height: u32,
    pub labels: &'a [u8],
    pub defects: &'a [Defect],
}

/// `<image_id>_defects.json`.
#[derive(Debug, Serialize)]
struct DefectList<'a> {
    image_id: ImageId,
    width: u32,
    height: u32,
    defects: &'a [Defect],
}

/// Writes all artefacts of one picture into `folder`, which is made if it is not there.
///
/// # Errors
/// The disk is full, or staging cannot be written to.
pub fn write(folder: &Path, format: MaskFormat, content: &Content<'_>) -> Result<Vec<StagedFile>, Failure> {
    write_all(folder, format, content).map_err(|error| Failure {
        stage: "artefacts".into(),
        plugin: None,
        message: format!("cannot be written to staging: {error}"),
        transient: true,
    })
}

fn write_all(folder: &Path, format: MaskFormat, content: &Content<'_>) -> io::Result<Vec<StagedFile>> {
    fs::create_dir_all(folder)?;
    let mut staged = Vec::new();
    let mut mask = vec![0; content.labels.len()];
    for zone in MASKED {
        let mut any = false;
        for (pixel, label) in mask.iter_mut().zip(content.labels) {
            let inside = *label == zone as u8;
            any |= inside;
            *pixel = if inside { 255 } else { 0 };
        }
        if any {
            let stem = format!("{}_{}_mask", content.image, zone.as_str());
            write_mask(folder, format, ArtefactFolder::Masks, &stem, &mask, content, &mut staged)?;
        }
    }
    for kind in DefectKind::ALL {
        let mut of_kind = content.defects.iter().filter(|defect| defect.kind == *kind).peekable();
        if of_kind.peek().is_none() {
            continue;
        }
        mask.fill(0);
        of_kind.for_each(|defect| draw(&defect.mask, content.width, 255, &mut mask));
        // Masks of defects are always PNG: they lie beside the list, whatever zones are kept as.
        let stem = format!("{}_{kind}_mask", content.image);
        write_mask(folder, MaskFormat::Png, ArtefactFolder::Defects, &stem, &mask, content, &mut staged)?;
    }
    let name = format!("{}_defects.json", content.image);
    let list =
        DefectList { image_id: content.image, width: content.width, height: content.height, defects: content.defects };
    let mut file = BufWriter::new(File::create(folder.join(&name))?);
    serde_json::to_writer(&mut file, &list)?;
    file.write_all(b"\n")?;
    file.flush()?;
    staged.push(StagedFile { folder: ArtefactFolder::Defects, name });
    Ok(staged)
}

/// A mask as a PNG file.
///
/// # Errors
/// What the file says.
pub fn write_png(mut file: impl Write, mask: &[u8], width: u32, height: u32) -> io::Result<()> {
    // Rows are alike, so their differences are nearly all zero, which the fast compressor takes in one stride: for a
    // zone that fills the picture a thirtieth of the bytes that it makes of the rows themselves.
    PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Up)
        .write_image(mask, width, height, ExtendedColorType::L8)
        .map_err(io::Error::other)?;
    file.flush()
}

/// Writes `value` to every pixel of a mask's runs (y, x, length).
pub fn draw(mask: &[[u32; 3]], width: u32, value: u8, onto: &mut [u8]) {
    for [y, x, length] in mask {
        let start = *y as usize * width as usize + *x as usize;
        onto[start..start + *length as usize].fill(value);
    }
}

fn write_mask(
    folder: &Path,
    format: MaskFormat,
    place: ArtefactFolder,
    stem: &str,
    mask: &[u8],
    content: &Content<'_>,
    staged: &mut Vec<StagedFile>,
) -> io::Result<()> {
    let (width, height) = (content.width, content.height);
    let mut stage = |name: String| staged.push(StagedFile { folder: place, name });
    if matches!(format, MaskFormat::Png | MaskFormat::Both) {
        let name = format!("{stem}.png");
        write_png(BufWriter::new(File::create(folder.join(&name))?), mask, width, height)?;
        stage(name);
    }
    if matches!(format, MaskFormat::Npy | MaskFormat::Both) {
        let name = format!("{stem}.npy");
        let shape = (height as usize, width as usize);
        let array = ArrayView2::from_shape(shape, mask).map_err(io::Error::other)?;
        let mut file = BufWriter::new(File::create(folder.join(&name))?);
        array.write_npy(&mut file).map_err(io::Error::other)?;
        file.flush()?;
        stage(name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use ndarray_npy::ReadNpyExt;

    use super::*;

    #[test]
    fn masks_can_be_arrays_and_a_zone_that_is_not_there_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let labels = [0, 2, 2, 1, 1, 0];
        let content = Content { image: ImageId::of(b"x"), width: 3, height: 2, labels: &labels, defects: &[] };
        let staged = write(folder.path(), MaskFormat::Npy, &content).unwrap();
        let names: Vec<&str> = staged.iter().filter_map(|staged| staged.name.split_once('_')).map(|it| it.1).collect();
        assert_eq!(names, ["core_mask.npy", "cladding_mask.npy", "defects.json"]);
        let core: Array2<u8> = Array2::read_npy(File::open(folder.path().join(&staged[0].name)).unwrap()).unwrap();
        assert_eq!(core, ndarray::array![[0, 0, 0], [255, 255, 0]]);
        let none = write(folder.path(), MaskFormat::None, &content).unwrap();
        assert_eq!(none.len(), 1, "the list of defects is always there");
    }

    #[test]
    fn a_folder_that_cannot_be_written_fails_the_job_for_now() {
        let content = Content { image: ImageId::of(b"x"), width: 1, height: 1, labels: &[1], defects: &[] };
        let failure = write(Path::new("/proc/nowhere"), MaskFormat::Png, &content).unwrap_err();
        assert!(failure.transient && failure.stage == "artefacts", "{failure}");
    }
}
