//! The capture's outlines in characters, for terminals without colours: zones as dots, defects as hashes with numbers.

use ratatui::layout::Size;

use super::{
    Layers,
    canvas::Canvas,
    cells::{CellPicture, PictureCell},
};
use crate::workbench::rows::Detail;
use ferrule_core::report::ZoneName;

/// The sign of a zone's outline.
const fn sign(zone: ZoneName) -> char {
    match zone {
        ZoneName::Core => 'o',
        ZoneName::Cladding => '*',
        ZoneName::Adhesive => '.',
        ZoneName::Ferrule => ':',
    }
}

/// Zones and defects on an empty ground; the canvas has one pixel a cell.
pub fn draw(canvas: &Canvas, detail: &Detail, layers: Layers, mark: Option<[u32; 4]>) -> CellPicture {
    let size = Size::new(canvas.pixels.width() as u16, canvas.pixels.height() as u16);
    let empty = PictureCell { sign: ' ', front: None, back: None, bold: false };
    let mut cells = vec![empty; usize::from(size.width) * usize::from(size.height)];
    let mut put = |(x, y): (u32, u32), sign| {
        cells[y as usize * usize::from(size.width) + x as usize] = PictureCell { sign, ..empty };
    };
    let rim: Vec<_> = mark.iter().flat_map(|mark| canvas.rim(*mark).pixels().collect::<Vec<_>>()).collect();
    let Some(inspection) = detail.inspection.as_ref().filter(|_| layers.zones()) else {
        rim.into_iter().for_each(|pixel| put(pixel, '+'));
        return CellPicture::new(size, cells);
    };
    for (zone, outline) in inspection.zones.iter() {
        for place in canvas.ellipse(outline) {
            if let Some(pixel) = canvas.inside(place.0, place.1) {
                put(pixel, sign(zone));
            }
        }
    }
    let covers: Vec<_> = super::make::covers(canvas, detail, layers).collect();
    for (_, cover) in &covers {
        cover.pixels().for_each(|pixel| put(pixel, '#'));
    }
    rim.into_iter().for_each(|pixel| put(pixel, '+'));
    let mut picture = CellPicture::new(size, cells);
    for (number, cover) in covers.iter().rev() {
        if let Some((x, y)) = cover.corner() {
            picture.label(&number.to_string(), x as u16, y as u16, None);
        }
    }
    picture
}
