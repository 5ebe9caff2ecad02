//! Pictures of captures on the screen: what is asked for, and the finished picture that drawing code lays down.
//!
//! Decoding, resizing, drawing over and encoding happen on the picture thread ([`super::jobs::pictures`]); here nothing
//! reads a file while the screen is drawn.

mod canvas;
mod cells;
mod digits;
mod layers;
mod make;
mod outline;
mod over;
pub mod probe;
mod save;

use std::sync::Arc;

use ferrule_core::{ids::CaptureId, store::Heat};
use ratatui::{
    buffer::Buffer,
    layout::{Rect, Size},
    widgets::Widget,
};
use ratatui_image::protocol::Protocol;

use self::canvas::Crop;
#[cfg(test)]
pub use self::make::render;
pub use self::{
    cells::CellPicture,
    layers::{Layers, finders},
    make::Studio,
    save::save,
};
use super::{
    rows::{Detail, Hand},
    theme::Colours,
};

/// The part of a capture that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    #[default]
    Whole,
    /// Around the fibre, to twice the cladding's radius: what a grader looks at.
    Fibre,
    /// A part of the picture, closer.
    Part(Part),
}

/// A part of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Steps of zoom, each the square root of two; 2 shows half the width.
    pub zoom: u8,
    /// The middle of the part, in thousandths of the picture's width and height.
    pub x: u16,
    pub y: u16,
}

/// Closer than this a pixel of the capture is larger than a cell.
const CLOSEST: u8 = 12;

impl View {
    /// A step closer, or back; `middle` is where a first step goes to, in thousandths.
    pub fn zoomed(self, closer: bool, middle: (u16, u16)) -> Self {
        match (self, closer) {
            (Self::Whole, false) => Self::Whole,
            (Self::Whole, true) => Self::Part(Part { zoom: 2, x: middle.0, y: middle.1 }),
            (Self::Fibre, true) => Self::Part(Part { zoom: 4, x: middle.0, y: middle.1 }),
            (Self::Part(part), true) => Self::Part(Part { zoom: (part.zoom + 1).min(CLOSEST), ..part }),
            (Self::Part(part), false) if part.zoom > 1 => Self::Part(Part { zoom: part.zoom - 1, ..part }),
            (Self::Part(_) | Self::Fibre, false) => Self::Whole,
        }
    }

    /// A quarter of what is shown to the side; the whole picture has nothing beside it.
    pub fn panned(self, x: i16, y: i16) -> Self {
        let Self::Part(part) = self else { return self };
        let step = (250.0 / part.scale()).max(1.0) as i16;
        let to = |at: u16, by: i16| at.saturating_add_signed(by * step).min(1_000);
        Self::Part(Part { x: to(part.x, x), y: to(part.y, y), ..part })
    }
}

impl Part {
    /// How many times larger than the whole picture.
    pub fn scale(self) -> f64 {
        2_f64.powf(f64::from(self.zoom) / 2.0)
    }
}

/// What tells one finished picture from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureKey {
    pub capture: CaptureId,
    /// The room it has, in cells.
    pub room: Size,
    pub view: View,
    /// What is drawn over it.
    pub layers: Layers,
    /// A box that a person draws: x, y, width, height in the capture's pixels.
    pub mark: Option<[u32; 4]>,
    /// Which heat map, where that is the layer: counted up with each.
    pub heat: u64,
    /// Counted up when the terminal has lost what it was sent.
    pub epoch: u32,
}

impl PictureKey {
    /// Fits the same place on the screen, whichever capture, box and heat map it shows.
    pub fn fits(self, other: Self) -> bool {
        Self { capture: other.capture, mark: other.mark, heat: other.heat, ..self } == other
    }
}

/// The capture's pixel that is shown in a cell of this pane, if the picture is there.
pub fn pixel_at(
    shown: &Picture,
    pane: Rect,
    key: &PictureKey,
    detail: &Detail,
    cell: (u16, u16),
) -> Option<(u32, u32)> {
    let inspection = detail.inspection.as_ref()?;
    let crop = Crop::of(detail, key.view, inspection.width, inspection.height);
    let place = shown.place(pane);
    if !place.contains(cell.into()) {
        return None;
    }
    let along = |at: u16, from: u16, cells: u16, begin: u32, length: u32| {
        begin + ((u32::from(at - from) * 2 + 1) * length / (u32::from(cells.max(1)) * 2)).min(length.saturating_sub(1))
    };
    Some((
        along(cell.0, place.x, place.width, crop.x, crop.width),
        along(cell.1, place.y, place.height, crop.y, crop.height),
    ))
}

/// A picture to make.
#[derive(Debug, Clone)]
pub struct PictureRequest {
    pub key: PictureKey,
    pub detail: Arc<Detail>,
    pub heat: Option<Arc<Heat>>,
    /// Which of the screen's pictures it is.
    pub hand: Hand,
    /// A person asked for it; otherwise it waits until the line has room again.
    pub urgent: bool,
}

/// A picture that was made, or one line that says why not.
#[derive(Debug)]
pub struct PictureAnswer {
    pub key: PictureKey,
    /// The capture that it shows.
    pub detail: Arc<Detail>,
    pub hand: Hand,
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
        let place = self.place(area);
        match self {
            Self::Cells(cells) => cells.draw(place, buffer),
            Self::Pixels(protocol) => ratatui_image::Image::new(protocol).render(place, buffer),
        }
    }

    /// Where in this area it lies.
    fn place(&self, area: Rect) -> Rect {
        let size = self.size();
        Rect::new(
            area.x + area.width.saturating_sub(size.width) / 2,
            area.y + area.height.saturating_sub(size.height) / 2,
            size.width,
            size.height,
        )
    }

    /// What sending it costs, in bytes: of cells as much as on an empty screen; for kitty's pixels what was measured for a
    /// deflated photograph.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Cells(cells) => cells.bytes(),
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
    #[cfg(test)]
    pub fn characters(colours: Colours) -> Self {
        let means = if colours == Colours::None { Means::Outline } else { Means::Halfblocks };
        Self { means, font: (10, 20), colours, multiplexer: false, remote: false }
    }
}
