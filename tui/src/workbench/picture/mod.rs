//! Pictures of captures on the screen: what is asked for, and the finished picture that drawing code lays down.
//!
//! Decoding, resizing, drawing over and encoding happen on the picture thread ([`super::jobs::pictures`]); here nothing
//! reads a file while the screen is drawn.

mod canvas;
mod cells;
mod digits;
mod make;
mod outline;
pub mod probe;
pub mod svg;

use std::sync::Arc;

use ferrule_core::ids::CaptureId;
use ratatui::{
    buffer::Buffer,
    layout::{Rect, Size},
    widgets::Widget,
};
use ratatui_image::protocol::Protocol;

#[cfg(test)]
pub use self::make::render;
pub use self::{cells::CellPicture, make::Studio};
use super::{rows::Detail, theme::Colours};

/// The part of a capture that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    #[default]
    Whole,
    /// Around the fibre, to twice the cladding's radius: what a grader looks at.
    Fibre,
}

/// What tells one finished picture from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureKey {
    pub capture: CaptureId,
    /// The room it has, in cells.
    pub room: Size,
    pub view: View,
    /// With zones and defects drawn over it.
    pub layers: bool,
    /// Counted up when the terminal has lost what it was sent.
    pub epoch: u32,
}

impl PictureKey {
    /// Fits the same place on the screen, whichever capture and layers it shows.
    pub fn fits(self, other: Self) -> bool {
        Self { capture: other.capture, ..self } == other
    }
}

/// A picture to make.
#[derive(Debug, Clone)]
pub struct PictureRequest {
    pub key: PictureKey,
    pub detail: Arc<Detail>,
    /// A person asked for it; otherwise it waits until the line has room again.
    pub urgent: bool,
}

/// A picture that was made, or one line that says why not.
#[derive(Debug)]
pub struct PictureAnswer {
    pub key: PictureKey,
    /// The capture that it shows.
    pub detail: Arc<Detail>,
    pub result: Result<Picture, String>,
}

/// A picture ready to be laid down.
pub enum Picture {
    Cells(CellPicture),
    /// Encoded for the terminal's own way of showing pixels.
    Pixels(Box<Protocol>),
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_pixels() { "Picture::Pixels" } else { "Picture::Cells" })
    }
}

impl Picture {
    pub fn size(&self) -> Size {
        match self {
            Self::Cells(cells) => cells.size(),
            Self::Pixels(protocol) => protocol.size(),
        }
    }

    pub fn is_pixels(&self) -> bool {
        matches!(self, Self::Pixels(_))
    }

    /// Lays the picture in the middle of this area; nothing when it does not fit.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer) {
        let size = self.size();
        if size.width > area.width || size.height > area.height {
            return;
        }
        let place = Rect::new(
            area.x + (area.width - size.width) / 2,
            area.y + (area.height - size.height) / 2,
            size.width,
            size.height,
        );
        match self {
            Self::Cells(cells) => cells.draw(place, buffer),
            Self::Pixels(protocol) => ratatui_image::Image::new(protocol).render(place, buffer),
        }
    }

    /// Roughly what sending it costs, in bytes: 30 a cell with two colours of the palette; for pixels what
    /// was measured for a deflated photograph.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Cells(cells) => 30 * usize::from(cells.size().width) * usize::from(cells.size().height),
            Self::Pixels(protocol) => match protocol.as_ref() {
                Protocol::Sixel(sixel) => sixel.data.len(),
                Protocol::ITerm2(iterm) => iterm.data.len(),
                Protocol::Kitty(_) | Protocol::Halfblocks(_) => 500_000,
            },
        }
    }
}

/// How pictures reach this terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    Kitty,
    Sixel,
    Iterm,
    Halfblocks,
    /// Characters only.
    Outline,
}

/// What the picture thread must know of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Graphics {
    pub means: Means,
    /// A cell's width and height in pixels.
    pub font: (u16, u16),
    pub colours: Colours,
    /// Inside tmux: escape sequences must be wrapped.
    pub multiplexer: bool,
    pub remote: bool,
}

impl Graphics {
    /// Half-blocks on an ordinary font; characters only where there are no colours.
    pub fn characters(colours: Colours) -> Self {
        let means = if colours == Colours::None { Means::Outline } else { Means::Halfblocks };
        Self { means, font: (10, 20), colours, multiplexer: false, remote: false }
    }
}
