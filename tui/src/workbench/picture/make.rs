//! Makes one picture: decode, crop, scale, draw zones and defects over it, encode for the terminal.
//!
//! Runs on the picture thread alone. Keeps the last decoded capture, so that a new size or another view of it is quick.

use std::path::{Path, PathBuf};

use ferrule_core::ids::CaptureId;
use image::{DynamicImage, ImageReader, Limits, RgbImage, imageops::FilterType};
use ratatui::layout::Size;
use ratatui_image::protocol::{Protocol, iterm2::Iterm2, kitty::Kitty, sixel::Sixel};

use super::{
    Graphics, Layers, Means, Picture, PictureKey, PictureRequest, View,
    canvas::{Canvas, Crop},
    cells::{CellPicture, shade},
    digits, outline,
    over::{ground, marked},
};
use crate::workbench::{plain, rows::Detail, text, theme::zone_rgb};

/// Decoded pixels beyond this are not worth the memory in a client.
const MOST_BYTES: u64 = 512 << 20;

/// Kitty knows pictures by number; ours replaces its predecessor.
const KITTY_ID: u32 = 0x00FE_7701;

/// Sending more pixels over a remote line than this along x shows no more of a defect, only costs time.
const REMOTE_WIDTH: u32 = 640;

/// A box that a person draws.
const MARK_RGB: [u8; 3] = [255, 255, 0];

/// Makes pictures for one terminal.
pub struct Studio {
    graphics: Graphics,
    decoded: Option<(CaptureId, DynamicImage)>,
}

impl Studio {
    pub fn new(graphics: Graphics) -> Self {
        Self { graphics, decoded: None }
    }

    /// The picture asked for. The error is one line for a person.
    pub fn make(&mut self, request: &PictureRequest) -> Result<Picture, String> {
        let graphics = self.graphics;
        let decoded = self.decoded(request)?;
        render(decoded, request, graphics)
    }

    /// The whole capture in its own pixels, with the same drawn over it.
    pub fn whole(&mut self, request: &PictureRequest) -> Result<RgbImage, String> {
        let decoded = self.decoded(request)?;
        let (detail, layers) = (&request.detail, request.key.layers);
        let crop = Crop::of(detail, View::Whole, decoded.width(), decoded.height());
        let mut canvas = Canvas::new(decoded.to_rgb8(), crop);
        draw(&mut canvas, request);
        if layers.zones() {
            ring_defects(&mut canvas, detail, layers);
        }
        Ok(canvas.pixels)
    }

    fn decoded(&mut self, request: &PictureRequest) -> Result<&DynamicImage, String> {
        let capture = request.key.capture;
        let known = self.decoded.take().filter(|(known, _)| *known == capture);
        let decoded = match known {
            Some(known) => known,
            None => (capture, decode(&request.detail.pictures)?),
        };
        Ok(&self.decoded.insert(decoded).1)
    }
}

/// The first of these files that can be read.
fn decode(files: &[PathBuf]) -> Result<DynamicImage, String> {
    let mut trouble = text::NO_PICTURE.to_owned();
    for file in files {
        match decode_file(file) {
            Ok(decoded) => return Ok(decoded),
            Err(error) => trouble = plain::clean(&format!("{}: {error}", file.display())),
        }
    }
    Err(trouble)
}

fn decode_file(file: &Path) -> Result<DynamicImage, image::ImageError> {
    let mut reader = ImageReader::open(file)?.with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    reader.decode()
}

/// One decoded capture as this terminal can show it in that room.
pub fn render(decoded: &DynamicImage, request: &PictureRequest, graphics: Graphics) -> Result<Picture, String> {
    let PictureKey { view, layers, room, .. } = request.key;
    let detail = &*request.detail;
    let crop = Crop::of(detail, view, decoded.width(), decoded.height());
    let size = fit(crop, room, graphics.font);
    let (width, height) = (u32::from(size.width), u32::from(size.height));
    let (width, height) = match graphics.means {
        Means::Outline => (width, height),
        Means::Halfblocks => (width, height * 2),
        Means::Kitty | Means::Sixel | Means::Iterm => {
            let (width, height) = (width * u32::from(graphics.font.0), height * u32::from(graphics.font.1));
            // Sixel shows pixel for pixel; the others let the terminal enlarge the picture.
            if graphics.remote && graphics.means == Means::Kitty && width > REMOTE_WIDTH {
                (REMOTE_WIDTH, (height * REMOTE_WIDTH).div_ceil(width))
            } else {
                (width, height)
            }
        }
    };
    if graphics.means == Means::Outline {
        return Ok(Picture::Cells(outline::draw(&Canvas::new(RgbImage::new(width, height), crop), request)));
    }
    let part = decoded.crop_imm(crop.x, crop.y, crop.width, crop.height);
    let mut canvas = Canvas::new(part.resize_exact(width, height, FilterType::Triangle).to_rgb8(), crop);
    draw(&mut canvas, request);
    if graphics.means == Means::Halfblocks {
        return Ok(Picture::Cells(halfblocks(canvas, detail, layers, graphics)));
    }
    if layers.zones() {
        ring_defects(&mut canvas, detail, layers);
    }
    encode(DynamicImage::ImageRgb8(canvas.pixels), size, graphics)
}

/// The cells that a crop takes in that room, keeping its shape on a font of that size.
fn fit(crop: Crop, room: Size, (font_width, font_height): (u16, u16)) -> Size {
    let (font_width, font_height) = (f64::from(font_width.max(1)), f64::from(font_height.max(1)));
    let (width, height) = (f64::from(crop.width.max(1)), f64::from(crop.height.max(1)));
    let scale = (f64::from(room.width) * font_width / width).min(f64::from(room.height) * font_height / height);
    let cells = |length: f64, font: f64, most: u16| ((length * scale / font).round() as u16).clamp(1, most.max(1));
    Size::new(cells(width, font_width, room.width), cells(height, font_height, room.height))
}

/// Everything but defects, which pixels and cells show in ways of their own.
fn draw(canvas: &mut Canvas, request: &PictureRequest) {
    let layers = request.key.layers;
    ground(canvas, &request.detail, layers, request.heat.as_deref());
    if layers.zones() {
        draw_zones(canvas, &request.detail);
    }
    if let Some(mark) = request.key.mark {
        let rim: Vec<_> = canvas.rim(mark).pixels().collect();
        rim.into_iter().for_each(|(x, y)| canvas.dot(f64::from(x), f64::from(y), MARK_RGB));
    }
}

fn draw_zones(canvas: &mut Canvas, detail: &Detail) {
    let Some(inspection) = &detail.inspection else { return };
    for (zone, outline) in inspection.zones.iter() {
        for (x, y) in canvas.ellipse(outline) {
            canvas.dot(x, y, zone_rgb(zone));
        }
    }
}

/// Half blocks are coarse: a defect's own pixels take its colour, and its label is written in the cell beside them.
fn halfblocks(mut canvas: Canvas, detail: &Detail, layers: Layers, graphics: Graphics) -> CellPicture {
    if !layers.zones() {
        return CellPicture::halfblocks(&canvas.pixels, graphics.colours);
    }
    let marked = marked(&canvas, detail, layers);
    for defect in marked.iter().rev() {
        for (x, y) in defect.cover.pixels() {
            canvas.dot(f64::from(x), f64::from(y), defect.colour);
        }
    }
    let mut picture = CellPicture::halfblocks(&canvas.pixels, graphics.colours);
    for defect in marked.iter().rev() {
        if let Some((x, y)) = defect.cover.corner().filter(|_| !defect.label.is_empty()) {
            let column = (x as u16).saturating_sub(defect.label.len() as u16);
            let colour = shade(defect.colour, (0, 0), graphics.colours);
            picture.label(&defect.label, column, (y / 2) as u16, Some(colour));
        }
    }
    picture
}

/// Pixels are fine: a ring around each defect leaves the defect itself to be seen, unless its mask is what is looked at.
fn ring_defects(canvas: &mut Canvas, detail: &Detail, layers: Layers) {
    for defect in marked(canvas, detail, layers).iter().rev() {
        let pixels: Vec<_> =
            if layers == Layers::Mask { defect.cover.pixels().collect() } else { defect.cover.ring(2) };
        for (x, y) in pixels {
            canvas.dot(f64::from(x), f64::from(y), defect.colour);
        }
        let Some((left, top)) = defect.cover.corner() else { continue };
        const ZOOM: u32 = 2;
        let (left, top) = (f64::from(left) - 4.0, (f64::from(top) - f64::from(6 * ZOOM + 2)).max(0.0));
        for (x, y, ink) in digits::pixels(&defect.label) {
            for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let colour = if ink { defect.colour } else { [0, 0, 0] };
                canvas.dot(left + f64::from(x * ZOOM + dx), top + f64::from(y * ZOOM + dy), colour);
            }
        }
    }
}

fn encode(pixels: DynamicImage, size: Size, graphics: Graphics) -> Result<Picture, String> {
    let protocol = match graphics.means {
        Means::Kitty => Kitty::new(pixels, size, KITTY_ID, graphics.multiplexer, graphics.remote).map(Protocol::Kitty),
        Means::Sixel => Sixel::new(pixels, size, graphics.multiplexer).map(Protocol::Sixel),
        Means::Iterm => Iterm2::new(pixels, size, graphics.multiplexer).map(Protocol::ITerm2),
        Means::Halfblocks | Means::Outline => return Err(text::NO_PICTURE.into()),
    };
    protocol.map(|protocol| Picture::Pixels(Box::new(protocol))).map_err(|error| plain::clean(&error.to_string()))
}
