//! A picture made of half blocks: two pixels a cell, in as many colours as the terminal has.
//!
//! Own work and not the image widget's: colours are chosen from the 256 or 16 that the terminal has, which also halves
//! the bytes of a grey picture against 24-bit colour.

use image::RgbImage;
use ratatui::{
    buffer::Buffer,
    layout::{Rect, Size},
    style::{Color, Modifier, Style},
};

use crate::workbench::theme::Colours;

/// One cell of a picture; no colour is the terminal's own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PictureCell {
    pub sign: char,
    pub front: Option<Color>,
    pub back: Option<Color>,
    pub bold: bool,
}

/// A picture in cells.
#[derive(Debug, Clone, PartialEq)]
pub struct CellPicture {
    size: Size,
    cells: Vec<PictureCell>,
}

impl CellPicture {
    pub fn new(size: Size, cells: Vec<PictureCell>) -> Self {
        debug_assert_eq!(cells.len(), usize::from(size.width) * usize::from(size.height));
        Self { size, cells }
    }

    /// Half blocks from pixels, two rows of them for a row of cells.
    pub fn halfblocks(pixels: &RgbImage, colours: Colours) -> Self {
        let size = Size::new(pixels.width() as u16, (pixels.height() / 2) as u16);
        // An empty cell keeps the ink of the cell before it: a change of colour is bytes on the line.
        let mut ink = None;
        let cells = (0..u32::from(size.height))
            .flat_map(|row| (0..u32::from(size.width)).map(move |column| (column, row)))
            .map(|(column, row)| {
                let pixel = |y| shade(pixels.get_pixel(column, y).0, (column, y), colours);
                let (upper, lower) = (pixel(2 * row), pixel(2 * row + 1));
                let sign = if upper == lower { ' ' } else { '▀' };
                if upper != lower {
                    ink = Some(upper);
                }
                PictureCell { sign, front: ink, back: Some(lower), bold: false }
            })
            .collect();
        Self { size, cells }
    }

    /// Characters from light to dense, a pixel a cell, where there are no colours.
    pub fn dense(pixels: &image::GrayImage) -> Self {
        const RAMP: &[u8] = b" .:-=+*#%@";
        let sign = |gray: u8| RAMP[usize::from(gray) * (RAMP.len() - 1) / 255] as char;
        let cells =
            pixels.pixels().map(|pixel| PictureCell { sign: sign(pixel.0[0]), front: None, back: None, bold: false });
        Self { size: Size::new(pixels.width() as u16, pixels.height() as u16), cells: cells.collect() }
    }

    pub fn size(&self) -> Size {
        self.size
    }

    /// What it takes to write it to an empty screen: signs, colours where they change, a move of the cursor for each row.
    pub fn bytes(&self) -> usize {
        const MOVE: usize = 8;
        let colour = |colour: Option<Color>| match colour {
            None => 5,
            Some(Color::Rgb(..)) => 18,
            Some(_) => 11,
        };
        let rows = usize::from(self.size.height) * MOVE;
        let mut before = (None, None);
        self.cells.iter().fold(rows, |sum, cell| {
            let front = if cell.front == before.0 { 0 } else { colour(cell.front) };
            let back = if cell.back == before.1 { 0 } else { colour(cell.back) };
            before = (cell.front, cell.back);
            sum + cell.sign.len_utf8() + front + back
        })
    }

    /// Writes a short label over the picture, its start at this cell or as near as fits.
    pub fn label(&mut self, text: &str, column: u16, row: u16, colour: Option<Color>) {
        let length = text.chars().count() as u16;
        if self.size.width < length || self.size.height == 0 {
            return;
        }
        let (column, row) = (column.min(self.size.width - length), row.min(self.size.height - 1));
        for (offset, sign) in (0..).zip(text.chars()) {
            let index = usize::from(row) * usize::from(self.size.width) + usize::from(column) + offset;
            let back = colour.map(|_| Color::Black);
            self.cells[index] = PictureCell { sign, front: colour, back, bold: true };
        }
    }

    pub fn draw(&self, area: Rect, buffer: &mut Buffer) {
        for (index, cell) in self.cells.iter().enumerate() {
            let x = area.x + (index % usize::from(self.size.width)) as u16;
            let y = area.y + (index / usize::from(self.size.width)) as u16;
            let mut style = Style::new().fg(cell.front.unwrap_or_default()).bg(cell.back.unwrap_or_default());
            if cell.bold {
                style = style.add_modifier(Modifier::BOLD);
            }
            if let Some(target) = buffer.cell_mut((x, y)) {
                target.set_char(cell.sign).set_style(style);
            }
        }
    }
}

/// The nearest colour that the terminal has.
pub fn shade(rgb: [u8; 3], place: (u32, u32), colours: Colours) -> Color {
    match colours {
        Colours::True => Color::Rgb(rgb[0], rgb[1], rgb[2]),
        Colours::Palette256 => Color::Indexed(palette(rgb)),
        Colours::Sixteen | Colours::None => sixteen(rgb, place),
    }
}

/// The nearest of xterm's 6x6x6 cube (from 16) and grey ramp (232 to 255, 8 + 10 n).
fn palette([red, green, blue]: [u8; 3]) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    if red.abs_diff(green) < 8 && green.abs_diff(blue) < 8 {
        let grey = (u16::from(red) + u16::from(green) + u16::from(blue)) / 3;
        return match grey {
            0..4 => 16,
            247.. => 231,
            grey => 232 + ((grey.saturating_sub(3)) / 10).min(23) as u8,
        };
    }
    let step = |value: u8| (0..6).min_by_key(|step| STEPS[usize::from(*step)].abs_diff(value)).unwrap_or(0);
    16 + 36 * step(red) + 6 * step(green) + step(blue)
}

/// Four greys, dithered in a 2x2 pattern; colours by their strongest parts.
fn sixteen([red, green, blue]: [u8; 3], (x, y): (u32, u32)) -> Color {
    if red.abs_diff(green) > 60 || green.abs_diff(blue) > 60 || red.abs_diff(blue) > 60 {
        let strong = |value: u8| u16::from(value) * 2 > u16::from(red.max(green).max(blue));
        return match (strong(red), strong(green), strong(blue)) {
            (true, false, false) => Color::LightRed,
            (false, true, false) => Color::LightGreen,
            (false, false, true) => Color::LightBlue,
            (true, true, _) => Color::LightYellow,
            (true, false, true) => Color::LightMagenta,
            (false, true, true) => Color::LightCyan,
            (false, false, false) => Color::Black,
        };
    }
    const DITHER: [[f64; 2]; 2] = [[-0.375, 0.125], [0.375, -0.125]];
    let grey = (f64::from(red) + f64::from(green) + f64::from(blue)) / 765.0;
    match (grey * 3.0 + DITHER[(y % 2) as usize][(x % 2) as usize]).round() as i64 {
        ..=0 => Color::Black,
        1 => Color::DarkGray,
        2 => Color::Gray,
        _ => Color::White,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_grey_finds_a_palette_grey_within_five_steps() {
        for grey in 0..=255_u8 {
            let index = palette([grey, grey, grey]);
            let shown = match index {
                16 => 0,
                231 => 255,
                index => 8 + 10 * (index - 232),
            };
            assert!(shown.abs_diff(grey) <= 9, "{grey} became {shown}");
        }
    }

    #[test]
    fn sixteen_colours_keep_marks_apart_from_greys() {
        use crate::workbench::theme::{severity_rgb, zone_rgb};
        use ferrule_core::report::{Severity, ZoneName};
        let greys = [Color::Black, Color::DarkGray, Color::Gray, Color::White];
        for zone in ZoneName::ALL {
            assert!(!greys.contains(&sixteen(zone_rgb(*zone), (0, 0))), "{zone}");
        }
        assert!(!greys.contains(&sixteen(severity_rgb(Severity::High), (0, 0))));
    }
}
