//! A box that is drawn around a defect that was not found: by keys, corner after corner, or by the mouse. In the capture's
//! pixels; the picture thread draws it into the picture.

/// How far a key moves a corner, in parts of the picture's width: coarse, fine.
const STEPS: (u32, u32) = (32, 256);

/// A box while it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawing {
    /// Width and height of the picture.
    size: (u32, u32),
    /// The corner that moves.
    corner: (u32, u32),
    /// The corner that stands.
    anchor: Option<(u32, u32)>,
}

impl Drawing {
    /// Begins in the middle of the picture, or on a point of it.
    pub fn new(size: (u32, u32), at: Option<(u32, u32)>) -> Self {
        let corner = at.unwrap_or((size.0 / 2, size.1 / 2));
        Self { size, corner, anchor: at }
    }

    /// Moves the corner by so many steps.
    pub fn step(&mut self, x: i32, y: i32, fine: bool) {
        let step = (self.size.0 / if fine { STEPS.1 } else { STEPS.0 }).max(1) as i32;
        self.corner.0 = self.corner.0.saturating_add_signed(x * step).min(self.size.0.saturating_sub(1));
        self.corner.1 = self.corner.1.saturating_add_signed(y * step).min(self.size.1.saturating_sub(1));
    }

    /// The corner goes to this point.
    pub fn drag(&mut self, to: (u32, u32)) {
        self.corner = (to.0.min(self.size.0.saturating_sub(1)), to.1.min(self.size.1.saturating_sub(1)));
    }

    /// The first corner stands, or the box is finished.
    pub fn set_corner(&mut self) -> Option<[u32; 4]> {
        if self.anchor.is_some() {
            return Some(self.shown());
        }
        self.anchor = Some(self.corner);
        None
    }

    /// The box so far, x, y, width, height; before the first corner stands a small one that shows where it is.
    pub fn shown(&self) -> [u32; 4] {
        let (x, y) = self.corner;
        let reach = (self.size.0 / 100).max(2);
        let (a, b) = self.anchor.map_or_else(
            || ((x.saturating_sub(reach), y.saturating_sub(reach)), (x + reach, y + reach)),
            |anchor| (anchor, self.corner),
        );
        let span = |a: u32, b: u32, size: u32| {
            let (low, high) = (a.min(b), a.max(b).min(size.saturating_sub(1)));
            (low, high - low.min(high) + 1)
        };
        let ((x, width), (y, height)) = (span(a.0, b.0, self.size.0), span(a.1, b.1, self.size.1));
        [x, y, width, height]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_corners_in_any_order_make_a_box_inside_the_picture() {
        let mut drawing = Drawing::new((640, 480), None);
        assert_eq!(drawing.set_corner(), None);
        drawing.step(-2, -1, false);
        drawing.step(-1, 0, true);
        assert_eq!(drawing.set_corner(), Some([278, 220, 43, 21]));
        drawing.step(-100, 100, false);
        assert_eq!(drawing.shown(), [0, 240, 321, 240]);
        let mut drawing = Drawing::new((640, 480), Some((10, 20)));
        drawing.drag((9_999, 25));
        assert_eq!(drawing.set_corner(), Some([10, 20, 630, 6]));
    }
}
