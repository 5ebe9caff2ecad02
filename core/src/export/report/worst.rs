//! The worst pictures of a dataset with what was found drawn over them, small enough to carry along.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{ExtendedColorType, ImageEncoder, RgbImage, codecs::png::PngEncoder, imageops};

use super::super::{Export, ExportError, Progress, picture};
use crate::{
    ids::ImageId,
    inspect::overlay,
    store::{Cell, Exhibit, Selection},
};

/// Pixels of the longer side.
const LONGEST: u32 = 640;

/// A picture for the page.
#[derive(Debug)]
pub(super) struct Shown {
    pub exhibit: Exhibit,
    /// PNG in base 64, where the picture could be read.
    pub png: Option<String>,
}

/// Pictures for the page, and those that could not be drawn, with the reason.
#[derive(Debug, Default)]
pub(super) struct Worst {
    pub shown: Vec<Shown>,
    pub skipped: Vec<(ImageId, String)>,
}

/// Images by their worst defect, then by the area of all.
pub(super) fn pictures(export: &Export<'_>, most: usize, progress: &mut Progress<'_>) -> Result<Worst, ExportError> {
    let mut ids: Vec<ImageId> = Vec::new();
    let order = "max(CASE severity WHEN 'CRITICAL' THEN 5 WHEN 'HIGH' THEN 4 WHEN 'MEDIUM' THEN 3 WHEN 'LOW' THEN 2 ELSE 1 END)";
    let from = format!("defects GROUP BY image_id ORDER BY {order} DESC, sum(area_px) DESC, image_id LIMIT {most}");
    export.reader.each_row(&Selection { columns: "image_id", from: &from }, |cells| {
        if let Some(Cell::Text(text)) = cells.first() {
            ids.extend(text.parse::<ImageId>().ok());
        }
        Ok::<_, ExportError>(())
    })?;
    let Worst { mut shown, mut skipped } = Worst::default();
    for image in ids {
        let Some(exhibit) = export.reader.exhibit_of(image)? else { continue };
        let png = match draw(export, &exhibit) {
            Ok(png) => Some(STANDARD.encode(png)),
            Err(reason) => {
                skipped.push((image, reason));
                None
            }
        };
        shown.push(Shown { exhibit, png });
        progress(shown.len() as u64)?;
    }
    Ok(Worst { shown, skipped })
}

/// The picture as PNG, with what was found drawn over it; else one line that says why not.
pub(super) fn draw(export: &Export<'_>, exhibit: &Exhibit) -> Result<Vec<u8>, String> {
    let path = picture::path_of(export, exhibit)?;
    let drawn = overlay::draw(&path, &exhibit.inspection, &export.limits);
    let pixels = drawn.ok_or("its picture is gone or another one now")?;
    let (width, height) = (exhibit.inspection.width, exhibit.inspection.height);
    let mut drawn = RgbImage::from_raw(width, height, pixels).ok_or("its picture has another size now")?;
    let longer = width.max(height);
    if longer > LONGEST {
        let scaled = |edge: u32| (u64::from(edge) * u64::from(LONGEST) / u64::from(longer)).max(1) as u32;
        drawn = imageops::thumbnail(&drawn, scaled(width), scaled(height));
    }
    let mut png = Vec::new();
    let (width, height) = drawn.dimensions();
    let encoded = PngEncoder::new(&mut png).write_image(drawn.as_raw(), width, height, ExtendedColorType::Rgb8);
    encoded.map(|()| png).map_err(|error| error.to_string())
}
