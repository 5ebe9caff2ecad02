//! Shapes and letters on a picture that a person looks at: overlays of inspections and contact sheets.
//!
//! Everything is cut at the edge, wherever it is asked for. It reads no file and knows nothing of defects. Called by
//! `inspect` for overlays and by `sheet`.

use std::{convert::Infallible, f64::consts::TAU};

use embedded_graphics::{
    Drawable, Pixel,
    draw_target::DrawTarget,
    geometry::{OriginDimensions, Point, Size},
    mono_font::{MonoFont, MonoTextStyle, iso_8859_1},
    pixelcolor::{Rgb888, RgbColor},
    text::{Baseline, Text},
};
use ferrule_vision::ellipse::Ellipse;

/// Red, green, blue.
pub(crate) type Colour = [u8; 3];

/// How a line is drawn: two that lie on each other must still be told apart, without their colours too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stroke {
    Solid,
    /// Five pixels drawn, four left out.
    Dashed,
    /// Solid, and a second line one pixel outside.
    Double,
    /// Two dashed lines.
    DoubleDashed,
}

/// A box in whole pixels, its last column and row included; it may reach beyond the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub left: i64,
    pub top: i64,
    pub right: i64,
    pub bottom: i64,
}

/// An RGB picture without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Canvas {
    pub pixels: Vec<u8>,
    pub width: usize,
    pub height: usize,
}

/// Letters of 6 x 13 pixels: Latin-1; any other character is shown as a question mark.
const FONT: &MonoFont<'_> = &iso_8859_1::FONT_6X13;

/// A line of text is so many pixels high.
pub(crate) const LINE_HEIGHT: usize = 13;

/// A character is so many pixels wide.
pub(crate) const LETTER_WIDTH: usize = 6;

impl Stroke {
    fn inks(self, step: usize) -> bool {
        matches!(self, Self::Solid | Self::Double) || step % 9 < 5
    }
}

impl Frame {
    /// `margin` pixels outside the box, so that a small defect is not covered by it.
    pub(crate) fn around([x, y, width, height]: [u32; 4], margin: i64) -> Self {
        let (left, top) = (i64::from(x), i64::from(y));
        Self {
            left: left - margin,
            top: top - margin,
            right: left + i64::from(width) - 1 + margin,
            bottom: top + i64::from(height) - 1 + margin,
        }
    }

    /// The part of it that lies in a picture of this size; its edges are moved inside rather than lost.
    pub(crate) fn within(self, width: usize, height: usize) -> Self {
        let x = |v: i64| v.clamp(0, (width as i64 - 1).max(0));
        let y = |v: i64| v.clamp(0, (height as i64 - 1).max(0));
        Self { left: x(self.left), top: y(self.top), right: x(self.right), bottom: y(self.bottom) }
    }

    fn grown(self, by: i64) -> Self {
        Self { left: self.left - by, top: self.top - by, right: self.right + by, bottom: self.bottom + by }
    }
}

impl Canvas {
    /// All of one colour.
    pub(crate) fn new(width: usize, height: usize, colour: Colour) -> Self {
        Self { pixels: colour.repeat(width * height), width, height }
    }

    /// Gray values row by row; what is missing at the end is black.
    pub(crate) fn from_gray(gray: &[u8], width: usize, height: usize) -> Self {
        let mut pixels: Vec<u8> = gray.iter().take(width * height).flat_map(|gray| [*gray; 3]).collect();
        pixels.resize(3 * width * height, 0);
        Self { pixels, width, height }
    }

    pub(crate) fn at(&mut self, x: usize, y: usize) -> Option<&mut [u8]> {
        let start = (x < self.width && y < self.height).then_some(3 * (y * self.width + x))?;
        self.pixels.get_mut(start..start + 3)
    }

    fn set(&mut self, x: i64, y: i64, colour: Colour) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if let Some(pixel) = self.at(x, y) {
            pixel.copy_from_slice(&colour);
        }
    }

    /// Half and half, so that what is under the mask is still seen.
    pub(crate) fn tint(&mut self, x: usize, y: usize, colour: Colour) {
        if let Some(pixel) = self.at(x, y) {
            pixel.iter_mut().zip(colour).for_each(|(old, new)| *old = old.midpoint(new));
        }
    }

    /// A box's edge.
    pub(crate) fn frame(&mut self, frame: Frame, colour: Colour, stroke: Stroke) {
        let Frame { left, top, right, bottom } = frame.within(self.width, self.height);
        for (_, x) in (left..=right).enumerate().filter(|(step, _)| stroke.inks(*step)) {
            self.set(x, top, colour);
            self.set(x, bottom, colour);
        }
        for (_, y) in (top..=bottom).enumerate().filter(|(step, _)| stroke.inks(*step)) {
            self.set(left, y, colour);
            self.set(right, y, colour);
        }
        match stroke {
            Stroke::Solid | Stroke::Dashed => {}
            Stroke::Double => self.frame(frame.grown(1), colour, Stroke::Solid),
            Stroke::DoubleDashed => self.frame(frame.grown(1), colour, Stroke::Dashed),
        }
    }

    /// The outline of an ellipse.
    pub(crate) fn ellipse(&mut self, ellipse: Ellipse, colour: Colour, stroke: Stroke) {
        // Two steps a pixel leave no gaps; an outline far larger than the picture needs no more than its own edge does.
        let steps = (TAU * ellipse.ax.max(ellipse.by) * 2.0).clamp(64.0, 200_000.0);
        for step in (0..steps as usize).filter(|step| stroke.inks(step / 2)) {
            let (dx, dy) = ellipse.offset_at(step as f64 / steps * TAU);
            self.set((ellipse.cx + dx).round() as i64, (ellipse.cy + dy).round() as i64, colour);
        }
    }

    /// One line of text, its upper left corner at this place.
    pub(crate) fn text(&mut self, x: i32, y: i32, text: &str, [red, green, blue]: Colour) {
        let style = MonoTextStyle::new(FONT, Rgb888::new(red, green, blue));
        let Ok(_) = Text::with_baseline(text, Point::new(x, y), style, Baseline::Top).draw(self);
    }

    /// Copies a picture in, its upper left corner at this place.
    pub(crate) fn paste(&mut self, other: &Self, left: usize, top: usize) {
        let columns = other.width.min(self.width.saturating_sub(left));
        for (y, row) in other.pixels.chunks_exact(3 * other.width.max(1)).enumerate() {
            let start = 3 * ((top + y) * self.width + left);
            if top + y < self.height
                && let Some(target) = self.pixels.get_mut(start..start + 3 * columns)
            {
                target.copy_from_slice(&row[..3 * columns]);
            }
        }
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width as u32, self.height as u32)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(at, colour) in pixels {
            self.set(at.x.into(), at.y.into(), [colour.r(), colour.g(), colour.b()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inked(canvas: &Canvas, colour: Colour) -> usize {
        canvas.pixels.chunks_exact(3).filter(|pixel| *pixel == colour).count()
    }

    #[test]
    fn outlines_and_boxes_are_cut_at_the_edge() {
        let mut canvas = Canvas::new(20, 10, [0; 3]);
        canvas.ellipse(Ellipse::circle(10.0, 5.0, 3.0), [1, 2, 3], Stroke::Solid);
        assert_eq!(canvas.at(13, 5).unwrap(), [1, 2, 3]);
        assert_eq!(canvas.at(10, 5).unwrap(), [0; 3]);
        canvas.ellipse(Ellipse::circle(0.0, 5.0, 1e6), [1, 2, 3], Stroke::Solid);
        canvas.frame(Frame::around([18, 0, 2, 10], 2), [9; 3], Stroke::Solid);
        assert_eq!(canvas.at(16, 9).unwrap(), [9; 3]);
        canvas.tint(50, 50, [9; 3]);
        canvas.text(15, 5, "cut", [9; 3]);
        canvas.paste(&Canvas::new(30, 30, [7; 3]), 5, 5);
        assert_eq!(canvas.at(19, 9).unwrap(), [7; 3]);
    }

    #[test]
    fn a_dashed_line_has_gaps_and_a_double_one_more_ink() {
        let drawn = |stroke| {
            let mut canvas = Canvas::new(60, 60, [0; 3]);
            canvas.frame(Frame { left: 10, top: 10, right: 49, bottom: 49 }, [255; 3], stroke);
            inked(&canvas, [255; 3])
        };
        assert_eq!(drawn(Stroke::Solid), 4 * 39);
        assert!(drawn(Stroke::Dashed) < drawn(Stroke::Solid));
        assert!(drawn(Stroke::Double) > drawn(Stroke::Solid));
    }

    #[test]
    fn letters_leave_ink_where_they_are_written() {
        let mut canvas = Canvas::new(100, 20, [0; 3]);
        canvas.text(2, 3, "Ab 7\u{3c3}", [255; 3]);
        assert!(inked(&canvas, [255; 3]) > 20);
    }
}
