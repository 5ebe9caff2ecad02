//! Masks of zones in the format that is asked for, made from those that the dataset keeps; and of each type of defect.

use std::io::{Cursor, Write};

use ndarray::ArrayView2;
use ndarray_npy::{ReadNpyExt, WriteNpyExt};

use super::{
    Export, ExportError, Progress, Written, picture,
    whole::{trouble, whole},
};
use crate::{
    decode::{self, Picture, Wanted},
    pipeline::artefacts,
    report::{DefectKind, ZoneName},
    settings::MaskFormat,
    store::Exhibit,
};

/// Writes `<image_id>_<zone>_mask` and `<image_id>_<type>_mask` as PNG, NPY or both: 0 and 255, the picture's size.
///
/// # Errors
/// See [`ExportError`]. An image whose zones have no mask in the dataset (`dataset.masks = "none"`) is listed.
pub fn masks(export: &Export<'_>, format: MaskFormat, progress: &mut Progress<'_>) -> Result<Written, ExportError> {
    let mut written = Written::default();
    for (_, part) in export.parts() {
        export.reader.each_exhibit(part, |exhibit| {
            let mut found = false;
            for zone in [ZoneName::Core, ZoneName::Cladding, ZoneName::Ferrule] {
                if let Some(mask) = zone_mask(export, &exhibit, zone) {
                    found = true;
                    write(export, &exhibit, zone.as_str(), format, &mask)?;
                }
            }
            if !found && exhibit.inspection.zones.cladding.is_some() {
                let reason = "the dataset has no masks of its zones (dataset.masks)".to_owned();
                written.skipped.push((exhibit.image, reason));
            }
            for kind in DefectKind::ALL {
                let mut of_kind = exhibit.inspection.defects.iter().filter(|defect| defect.kind == *kind).peekable();
                if of_kind.peek().is_some() {
                    let inspection = &exhibit.inspection;
                    let mut mask = vec![0; inspection.width as usize * inspection.height as usize];
                    of_kind.for_each(|defect| artefacts::draw(&defect.mask, inspection.width, 255, &mut mask));
                    write(export, &exhibit, kind.as_str(), format, &mask)?;
                }
            }
            written.items += 1;
            progress(written.items)?;
            Ok::<_, ExportError>(())
        })?;
    }
    written.files.push(export.out.clone());
    Ok(written)
}

/// The mask as the dataset keeps it, in whichever format; `None` where there is none of the picture's size.
pub(super) fn zone_mask(export: &Export<'_>, exhibit: &Exhibit, zone: ZoneName) -> Option<Vec<u8>> {
    let (width, height) = (exhibit.inspection.width, exhibit.inspection.height);
    let mask = if let Some(png) = picture::mask(export, exhibit.image, zone.as_str(), "png") {
        let mut picture = Picture::default();
        decode::decode(&png, Wanted::default(), &export.limits, &mut picture).ok()?;
        (picture.width == width).then_some(picture.gray8)?
    } else {
        let npy = picture::mask(export, exhibit.image, zone.as_str(), "npy")?;
        let array = ndarray::Array2::<u8>::read_npy(Cursor::new(npy)).ok()?;
        (array.ncols() == width as usize).then(|| array.into_raw_vec_and_offset().0)?
    };
    (mask.len() == width as usize * height as usize).then_some(mask)
}

fn write(
    export: &Export<'_>,
    exhibit: &Exhibit,
    what: &str,
    format: MaskFormat,
    mask: &[u8],
) -> Result<(), ExportError> {
    let (width, height) = (exhibit.inspection.width, exhibit.inspection.height);
    let path = |extension: &str| export.out.join(format!("{}_{what}_mask.{extension}", exhibit.image));
    if matches!(format, MaskFormat::Png | MaskFormat::Both) {
        let path = path("png");
        whole(&path, |file| artefacts::write_png(file, mask, width, height).map_err(trouble(&path)))?;
    }
    if matches!(format, MaskFormat::Npy | MaskFormat::Both) {
        let path = path("npy");
        let failed = |error: std::io::Error| trouble(&path)(error);
        whole(&path, |file| {
            let shape = (height as usize, width as usize);
            let array = ArrayView2::from_shape(shape, mask).map_err(|error| failed(std::io::Error::other(error)))?;
            array.write_npy(&mut *file).map_err(|error| failed(std::io::Error::other(error)))?;
            file.flush().map_err(failed)
        })?;
    }
    Ok(())
}
