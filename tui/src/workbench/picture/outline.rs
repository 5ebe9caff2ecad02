//! The capture's outlines in characters, for terminals without colours: zones as dots, defects as hashes with their labels,
//! warm places the denser the warmer.

use ratatui::layout::Size;

use super::{
    Layers, PictureRequest,
    canvas::Canvas,
    cells::{CellPicture, PictureCell},
    over::{fibre, marked, warmth},
};
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

/// Warmth from little to much.
const WARM: &[u8] = b"   .,-=+%@";

/// Zones and defects on an empty ground; the canvas has one pixel a cell.
pub fn draw(canvas: &Canvas, request: &PictureRequest) -> CellPicture {
    let (detail, layers) = (&*request.detail, request.key.layers);
    let size = Size::new(canvas.pixels.width() as u16, canvas.pixels.height() as u16);
    let empty = PictureCell { sign: ' ', front: None, back: None, bold: false };
    let mut cells = vec![empty; usize::from(size.width) * usize::from(size.height)];
    let mut put = |(x, y): (u32, u32), sign| {
        cells[y as usize * usize::from(size.width) + x as usize] = PictureCell { sign, ..empty };
    };
    let rim: Vec<_> = request.key.mark.iter().flat_map(|mark| canvas.rim(*mark).pixels().collect::<Vec<_>>()).collect();
    let Some(inspection) = detail.inspection.as_ref().filter(|_| layers.zones()) else {
        rim.into_iter().for_each(|pixel| put(pixel, '+'));
        return CellPicture::new(size, cells);
    };
    if let (Layers::Heat, Some(heat), Some(fibre)) = (layers, &request.heat, fibre(detail)) {
        for y in 0..canvas.pixels.height() {
            for x in 0..canvas.pixels.width() {
                let warmth = warmth(canvas, (x, y), &fibre, heat);
                put((x, y), WARM[(warmth * WARM.len() as f64) as usize % WARM.len()] as char);
            }
        }
    }
    for (zone, outline) in inspection.zones.iter() {
        for place in canvas.ellipse(outline) {
            if let Some(pixel) = canvas.inside(place.0, place.1) {
                put(pixel, sign(zone));
            }
        }
    }
    let marked = marked(canvas, detail, layers);
    for defect in &marked {
        defect.cover.pixels().for_each(|pixel| put(pixel, '#'));
    }
    rim.into_iter().for_each(|pixel| put(pixel, '+'));
    let mut picture = CellPicture::new(size, cells);
    for defect in marked.iter().rev() {
        if let Some((x, y)) = defect.cover.corner().filter(|_| !defect.label.is_empty()) {
            picture.label(&defect.label, x as u16, y as u16, None);
        }
    }
    picture
}
