//! A contact sheet: pictures side by side with what is to be compared drawn over them, and a closer look at what differs.
//!
//! It decodes pictures outside a worker, as overlays do: only ones that a worker has decoded without harm, known again by
//! their content. Called by `ferrule evaluate` and `ferrule compare`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use ferrule_vision::ellipse::Ellipse;
use image::{
    ExtendedColorType, GrayImage, ImageEncoder,
    codecs::png::PngEncoder,
    imageops::{self, FilterType},
};

use crate::{
    decode::{self, Picture, Wanted},
    draw::{Canvas, Colour, Frame, LETTER_WIDTH, LINE_HEIGHT, Stroke},
    ids::ImageId,
    names,
    worker::arguments::Limits,
};

/// What a line stands for. Each has a colour and a style of its own, so that a sheet can be read without colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// What ought to be there, and is; or what the first of two says.
    Expected,
    /// What was found; or what the second of two says.
    Said,
    /// What ought to be there and is not.
    Lost,
    /// What was found and ought not.
    Surplus,
    /// What does not count.
    Aside,
}

/// A box around a defect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// x, y, width, height in pixels of the picture.
    pub bbox: [u32; 4],
    pub ink: Ink,
    /// A few words.
    pub label: String,
}

/// One picture of a sheet.
#[derive(Debug, Clone)]
pub struct Tile {
    pub path: PathBuf,
    /// The content that was inspected; a file that has changed since is not drawn.
    pub image_id: ImageId,
    pub width: u32,
    pub height: u32,
    /// The file's name, and the numbers.
    pub caption: [String; 2],
    pub outlines: Vec<(Ellipse, Ink)>,
    pub marks: Vec<Mark>,
    /// Marks that deserve a closer look; the first three get one.
    pub closer: Vec<Mark>,
}

/// Why there is no sheet.
#[derive(Debug, thiserror::Error)]
#[error("{}: the contact sheet cannot be written: {source}", names::display(path))]
pub struct SheetError {
    path: PathBuf,
    source: io::Error,
}

const COLUMNS: usize = 3;
/// The whole picture's room in a tile.
const VIEW: (usize, usize) = (528, 396);
/// Edge of a closer look, three of them beside the view.
const CLOSE: usize = 128;
const LOOKS: usize = 3;
const GAP: usize = 6;
const MARGIN: usize = 12;
const TILE: (usize, usize) = (VIEW.0 + GAP + CLOSE, VIEW.1 + 2 * LINE_HEIGHT + GAP);
/// Shortest edge of what a closer look shows, in pixels of the picture.
const SPAN: u32 = 40;

const PAPER: Colour = [24, 24, 28];
const LETTERS: Colour = [235, 235, 235];
const HINT: Colour = [150, 150, 155];

impl Ink {
    const fn colour(self) -> Colour {
        match self {
            Self::Expected => [90, 220, 255],
            Self::Said => [255, 190, 0],
            Self::Lost => [205, 120, 255],
            Self::Surplus => [255, 60, 90],
            Self::Aside => [160, 160, 160],
        }
    }

    const fn stroke(self) -> Stroke {
        match self {
            Self::Expected | Self::Aside => Stroke::Dashed,
            Self::Said => Stroke::Solid,
            Self::Lost => Stroke::DoubleDashed,
            Self::Surplus => Stroke::Double,
        }
    }
}

/// Draws the tiles row by row below a title and a legend, and writes a PNG.
///
/// # Errors
/// The file cannot be written. A picture that has changed or gone is an empty tile that says so.
pub fn write(
    path: &Path,
    title: &str,
    legend: &[(Ink, &str)],
    tiles: &[Tile],
    limits: &Limits,
) -> Result<(), SheetError> {
    let rows = tiles.len().div_ceil(COLUMNS).max(1);
    let top = MARGIN + 2 * (LINE_HEIGHT + GAP);
    let mut sheet = Canvas::new(MARGIN + COLUMNS * (TILE.0 + MARGIN), top + rows * (TILE.1 + MARGIN), PAPER);
    let wide = sheet.width - 2 * MARGIN;
    sheet.text(MARGIN as i32, MARGIN as i32, &fitting(title, wide), LETTERS);
    let (mut x, y) = (MARGIN, MARGIN + LINE_HEIGHT + GAP);
    for (ink, word) in legend {
        let sample = Frame { left: x as i64, top: y as i64 + 2, right: x as i64 + 27, bottom: y as i64 + 9 };
        sheet.frame(sample, ink.colour(), ink.stroke());
        sheet.text((x + 36) as i32, y as i32, word, LETTERS);
        x += 36 + (word.chars().count() + 3) * LETTER_WIDTH;
    }
    if tiles.is_empty() {
        sheet.text(MARGIN as i32, (top + GAP) as i32, "nothing differs", HINT);
    }
    for (place, tile) in tiles.iter().enumerate() {
        let drawn = tile.draw(limits);
        let (column, row) = (place % COLUMNS, place / COLUMNS);
        sheet.paste(&drawn, MARGIN + column * (TILE.0 + MARGIN), top + row * (TILE.1 + MARGIN));
    }
    let mut png = Vec::new();
    let (width, height) = (sheet.width as u32, sheet.height as u32);
    let encoded = PngEncoder::new(&mut png).write_image(&sheet.pixels, width, height, ExtendedColorType::Rgb8);
    let written = encoded.map_err(io::Error::other).and_then(|()| fs::write(path, png));
    written.map_err(|source| SheetError { path: path.to_owned(), source })
}

/// Cut to so many pixels of letters, with a mark where it was.
fn fitting(text: &str, wide: usize) -> String {
    let most = wide / LETTER_WIDTH;
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(2)).chain("..".chars()).collect()
}

/// A part of the picture and where it is shown.
struct View {
    /// Of the part's upper left corner, in pixels of the picture.
    origin: (f64, f64),
    scale: f64,
}

impl View {
    fn ellipse(&self, ellipse: &Ellipse) -> Ellipse {
        let (cx, cy) = self.point(ellipse.cx, ellipse.cy);
        Ellipse { cx, cy, ..ellipse.scaled(self.scale) }
    }

    /// Where a pixel's centre comes to lie.
    fn point(&self, x: f64, y: f64) -> (f64, f64) {
        ((x - self.origin.0 + 0.5) * self.scale - 0.5, (y - self.origin.1 + 0.5) * self.scale - 0.5)
    }

    fn frame(&self, [x, y, width, height]: [u32; 4]) -> Frame {
        let edge = |v: f64, origin: f64| ((v - origin) * self.scale).round() as i64;
        let (x, y) = (f64::from(x), f64::from(y));
        let (right, bottom) = (x + f64::from(width), y + f64::from(height));
        Frame {
            left: edge(x, self.origin.0) - 2,
            top: edge(y, self.origin.1) - 2,
            right: edge(right, self.origin.0) + 1,
            bottom: edge(bottom, self.origin.1) + 1,
        }
    }
}

impl Tile {
    fn draw(&self, limits: &Limits) -> Canvas {
        let mut tile = Canvas::new(TILE.0, TILE.1, PAPER);
        for (line, (text, colour)) in self.caption.iter().zip([LETTERS, HINT]).enumerate() {
            let y = VIEW.1 + GAP / 2 + line * LINE_HEIGHT;
            tile.text(0, y as i32, &fitting(text, TILE.0), colour);
        }
        let Some(picture) = self.picture(limits) else {
            tile.text(GAP as i32, GAP as i32, "the picture has changed or gone", HINT);
            return tile;
        };
        let scale = (VIEW.0 as f64 / f64::from(self.width)).min(VIEW.1 as f64 / f64::from(self.height));
        let edge = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
        let (width, height) = (edge(self.width), edge(self.height));
        let small = imageops::resize(&picture, width, height, FilterType::Triangle);
        let mut view = Canvas::from_gray(small.as_raw(), width as usize, height as usize);
        self.mark(&mut view, &View { origin: (0.0, 0.0), scale });
        tile.paste(&view, 0, 0);
        for (place, mark) in self.closer.iter().take(LOOKS).enumerate() {
            let look = self.look(&picture, mark);
            tile.paste(&look, VIEW.0 + GAP, place * (CLOSE + GAP));
        }
        tile
    }

    /// The same bytes that were inspected, decoded again.
    fn picture(&self, limits: &Limits) -> Option<GrayImage> {
        let mut bytes = Vec::new();
        decode::read(&self.path, Some(self.image_id), limits, &mut bytes).ok()?;
        let mut picture = Picture::default();
        decode::decode(&bytes, Wanted::default(), limits, &mut picture).ok()?;
        let is_same = (picture.width, picture.height) == (self.width, self.height);
        if is_same { GrayImage::from_raw(self.width, self.height, picture.gray8) } else { None }
    }

    fn mark(&self, canvas: &mut Canvas, view: &View) {
        for (ellipse, ink) in &self.outlines {
            canvas.ellipse(view.ellipse(ellipse), ink.colour(), ink.stroke());
        }
        // What differs comes last: nothing may hide it.
        for mark in self.marks.iter().chain(&self.closer) {
            canvas.frame(view.frame(mark.bbox), mark.ink.colour(), mark.ink.stroke());
        }
    }

    /// A square around the mark, enlarged, with its label.
    fn look(&self, picture: &GrayImage, mark: &Mark) -> Canvas {
        let [x, y, width, height] = mark.bbox;
        let shortest = self.width.min(self.height);
        let span = (width.max(height).saturating_mul(3) / 2).max(SPAN).min(shortest);
        let start = |low: u32, length: u32, edge: u32| (low + length / 2).saturating_sub(span / 2).min(edge - span);
        let (left, top) = (start(x, width, self.width), start(y, height, self.height));
        let part = imageops::crop_imm(picture, left, top, span, span).to_image();
        let edge = CLOSE as u32;
        let large = imageops::resize(&part, edge, edge, FilterType::Triangle);
        let mut look = Canvas::from_gray(large.as_raw(), CLOSE, CLOSE);
        let scale = CLOSE as f64 / f64::from(span);
        self.mark(&mut look, &View { origin: (f64::from(left), f64::from(top)), scale });
        let label = fitting(&mark.label, CLOSE);
        // Letters on a picture need a ground of their own.
        let ground = Canvas::new(label.chars().count() * LETTER_WIDTH + 2, LINE_HEIGHT, PAPER);
        look.paste(&ground, 0, CLOSE - LINE_HEIGHT);
        look.text(1, (CLOSE - LINE_HEIGHT) as i32, &label, mark.ink.colour());
        look
    }
}
