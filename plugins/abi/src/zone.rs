//! Zones of an end face, and the segmentation that finds them.

use abi_stable::{
    StableAbi,
    std_types::{RSlice, RVec},
};

use crate::Attribute;

/// The zones from the middle out (IEC 61300-3-35 calls them A to D). The number is the zone's value in a label map.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ZoneName {
    Core = 1,
    Cladding = 2,
    Adhesive = 3,
    Ferrule = 4,
}

/// Label of pixels that belong to no zone: frame bars, outside of the contact zone, an unknown picture.
pub const LABEL_NONE: u8 = 0;

impl ZoneName {
    /// From the middle out.
    pub const ALL: [Self; 4] = [Self::Core, Self::Cladding, Self::Adhesive, Self::Ferrule];

    /// The zone's name as databases and files write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Cladding => "cladding",
            Self::Adhesive => "adhesive",
            Self::Ferrule => "ferrule",
        }
    }

    /// The zone a label stands for; `None` for [`LABEL_NONE`] and anything above the ferrule's.
    #[must_use]
    pub const fn from_label(label: u8) -> Option<Self> {
        match label {
            1 => Some(Self::Core),
            2 => Some(Self::Cladding),
            3 => Some(Self::Adhesive),
            4 => Some(Self::Ferrule),
            _ => None,
        }
    }
}

/// An ellipse in pixels. `ax` is the semi-axis nearest x, `by` the one nearest y, so `angle_deg` lies in [-45, 45] and
/// turns `ax` from +x toward +y.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ellipse {
    pub cx: f64,
    pub cy: f64,
    pub ax: f64,
    pub by: f64,
    pub angle_deg: f64,
}

impl Ellipse {
    /// Normalised radius of a point: 1 on the outline, below 1 inside, 0 in the centre.
    #[must_use]
    pub fn radius_at(&self, x: f64, y: f64) -> f64 {
        let (sin, cos) = self.angle_deg.to_radians().sin_cos();
        let (dx, dy) = (x - self.cx, y - self.cy);
        let u = (dx * cos + dy * sin) / self.ax;
        let v = (dy * cos - dx * sin) / self.by;
        u.hypot(v)
    }

    /// Radius of the circle of equal area, in pixels.
    #[must_use]
    pub fn mean_radius(&self) -> f64 {
        (self.ax * self.by).sqrt()
    }

    /// True if every number is finite and both semi-axes are positive.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        [self.cx, self.cy, self.ax, self.by, self.angle_deg].iter().all(|v| v.is_finite())
            && self.ax > 0.0
            && self.by > 0.0
    }
}

/// One zone's outer outline.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Zone {
    pub name: ZoneName,
    /// The zone's outer edge. A zone reaches inward to the next smaller zone that was found.
    pub outline: Ellipse,
    /// Probability, 0 to 1, that the outline is right within the tolerance of a person's eye.
    pub confidence: f64,
}

/// What a segmenter says of a picture. No zones is a normal answer: no fibre found.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Segmentation {
    /// At most one of each name.
    pub zones: RVec<Zone>,
    /// A label a pixel (`ZoneName as u8` or [`LABEL_NONE`]), `width * height` without padding; or empty, then the host
    /// draws it from the outlines.
    pub labels: RVec<u8>,
    /// What else the segmenter knows: `glass_ax`, `agreement`, `pixel_aspect`, …
    pub attributes: RVec<Attribute>,
}

impl Segmentation {
    /// The zone of that name, if found.
    #[must_use]
    pub fn zone(&self, name: ZoneName) -> Option<&Zone> {
        self.zones.iter().find(|zone| zone.name == name)
    }
}

/// The segmentation in force, as later slots borrow it. `labels` is never empty here.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy)]
pub struct SegmentationView<'a> {
    pub zones: RSlice<'a, Zone>,
    /// `width * height` labels without padding.
    pub labels: RSlice<'a, u8>,
}

impl<'a> SegmentationView<'a> {
    /// The zone of that name, if found.
    #[must_use]
    pub fn zone(&self, name: ZoneName) -> Option<&'a Zone> {
        self.zones.as_slice().iter().find(|zone| zone.name == name)
    }
}
