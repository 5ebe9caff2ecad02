//! A truth file as a person or `ferrule simulate` wrote it: COCO, with a few additions. Reads one file and no picture.
//!
//! What a record says wrongly costs that record alone and is listed; only a file that is no COCO at all is refused.
//! Called by [`super::run`].

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use ferrule_abi::Run;
use ferrule_vision::ellipse::{Ellipse, Gauge};

use crate::{
    names,
    report::{DefectKind, ZoneName},
    simulate::truth::Label,
};

/// A truth file, checked.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// In the order of the file, no name twice.
    pub images: Vec<TrueImage>,
    /// Records that were left out, and why; one line each.
    pub faults: Vec<String>,
    /// What a person should know about the others.
    pub remarks: Vec<String>,
}

/// What is true of one picture.
#[derive(Debug, Clone)]
pub struct TrueImage {
    /// `file_name`.
    pub name: String,
    pub width: u32,
    pub height: u32,
    pub core: TrueZone,
    pub cladding: TrueZone,
    /// As the file says, else from the defects; `None` where neither tells.
    pub label: Option<Label>,
    /// Every defect; `None` where the file says only that there are some.
    pub defects: Option<Vec<TrueDefect>>,
    /// Where a find is neither right nor wrong.
    pub(super) ignore: Vec<Run>,
    /// Of the picture without the black bars of a frame.
    pub megapixels: f64,
}

/// An outline that somebody knows, or the lack of one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TrueZone {
    /// The file says nothing.
    Unknown,
    /// There is none to be seen.
    Absent,
    /// Hardly to be seen: claiming none is right, claiming a wrong one is wrong.
    Faint(TrueOutline),
    Seen(TrueOutline),
}

/// The outline, and how well it could be placed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrueOutline {
    pub ellipse: Ellipse,
    /// Pixels; added to the tolerance.
    pub uncertainty: f64,
}

/// A defect that is there.
#[derive(Debug, Clone)]
pub struct TrueDefect {
    /// `None` where the file's category is none of ours.
    pub kind: Option<DefectKind>,
    /// x, y, width, height in pixels.
    pub bbox: [u32; 4],
    pub(crate) mask: Vec<Run>,
    /// The mask is only the box, filled.
    pub(crate) only_box: bool,
    /// `None` where the picture's zones are not known.
    pub zone: Option<ZoneName>,
    /// Contrast of its strongest pixel over the noise.
    pub contrast_sigma: Option<f64>,
}

impl TrueDefect {
    /// Where it is; its box, filled, where the file says no more.
    #[must_use]
    pub fn mask(&self) -> &[Run] {
        &self.mask
    }
}

/// Why there is no truth to go by.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    #[error("{}: cannot be read: {source}", names::display(path))]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}:{line}:{column}: no truth file (COCO): {reason}", names::display(path))]
    Wrong { path: PathBuf, line: usize, column: usize, reason: String },
    #[error("{}: it lists no pictures that can be scored{}", names::display(path), first.as_ref().map(|f| format!("; {f}")).unwrap_or_default())]
    Nothing { path: PathBuf, first: Option<String> },
}

impl Truth {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, is no COCO, or lists nothing that can be scored.
    pub fn read(path: &Path) -> Result<Self, TruthError> {
        let unreadable = |source| TruthError::Unreadable { path: path.to_owned(), source };
        if !fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(unreadable(io::Error::other("not a regular file")));
        }
        let bytes = fs::read(path).map_err(unreadable)?;
        let truth = Self::parse(&bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let text = names::visible(&error.to_string()).into_owned();
            let reason = text.split(" at line ").next().unwrap_or_default().to_owned();
            TruthError::Wrong { path: path.to_owned(), line, column, reason }
        })?;
        if truth.images.is_empty() {
            return Err(TruthError::Nothing { path: path.to_owned(), first: truth.faults.into_iter().next() });
        }
        Ok(truth)
    }
}

/// Truth knows core, cladding and what is around them; the glue line belongs to the glass.
pub(super) const fn in_truth(zone: ZoneName) -> ZoneName {
    match zone {
        ZoneName::Adhesive => ZoneName::Cladding,
        other => other,
    }
}

impl TrueZone {
    /// Where it is, if it is anywhere.
    #[must_use]
    pub const fn outline(&self) -> Option<&TrueOutline> {
        match self {
            Self::Faint(outline) | Self::Seen(outline) => Some(outline),
            Self::Unknown | Self::Absent => None,
        }
    }

    fn gauge(&self) -> Option<Gauge> {
        self.outline().map(|outline| outline.ellipse.gauge())
    }
}

impl TrueImage {
    /// The innermost zone that a mask touches; for a box, whose corners are empty, the one with most of its pixels.
    pub(super) fn zone_of(&self, mask: &[Run], mostly: bool) -> Option<ZoneName> {
        let cladding = self.cladding.gauge()?;
        let core = self.core.gauge();
        let mut counts = [0_u64; 3];
        for run in mask {
            for x in run.x..run.x + run.length {
                let (x, y) = (f64::from(x), f64::from(run.y));
                let inside = |gauge: &Gauge| gauge.radius_at(x, y) <= 1.0;
                let zone = if core.as_ref().is_some_and(inside) { 0 } else { 2 - usize::from(inside(&cladding)) };
                counts[zone] += 1;
            }
        }
        let zones = [ZoneName::Core, ZoneName::Cladding, ZoneName::Ferrule];
        let found = if mostly {
            (0..3).rev().max_by_key(|place| counts[*place])
        } else {
            counts.iter().position(|count| *count > 0)
        };
        found.map(|place| zones[place])
    }
}
