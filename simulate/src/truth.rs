//! What a simulated picture truly shows, and the COCO file that says so. Serde types and arithmetic on masks; draws nothing.
//!
//! Pixel centres are integers, (0, 0) is the centre of the top-left pixel, y points down.

use serde::{Deserialize, Serialize};

/// The kinds of defects that are drawn; they are the truth file's categories, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DefectKind {
    Scratch,
    Pit,
    Chip,
    Particle,
    Residue,
}

impl DefectKind {
    /// Each with its name, in the order of the categories.
    pub const NAMED: [(&'static str, Self); 5] = [
        ("scratch", Self::Scratch),
        ("pit", Self::Pit),
        ("chip", Self::Chip),
        ("particle", Self::Particle),
        ("residue", Self::Residue),
    ];

    /// Its category in a truth file, from 1.
    #[must_use]
    pub fn category(self) -> u32 {
        self as u32 + 1
    }
}

/// An ellipse: `ax` is the semi-axis nearest x, `by` the one nearest y, the angle turns `ax` from +x toward +y.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Zone {
    pub cx: f64,
    pub cy: f64,
    pub ax: f64,
    pub by: f64,
    pub angle_deg: f64,
}

/// The core's outline and how well it can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CoreZone {
    #[serde(flatten)]
    pub zone: Zone,
    pub visibility: Visibility,
}

/// By the step from cladding to core in grey levels: `faint` below 6, `low` below 14, else `clear`; the limits at which
/// people called 121 real cores so (November 2026). Where it is faint, saying that there is no core is right too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    Clear,
    Low,
    Faint,
}

impl Zone {
    pub(super) fn rounded(self) -> Self {
        let round = super::scene::rounded;
        Self {
            cx: round(self.cx),
            cy: round(self.cy),
            ax: round(self.ax),
            by: round(self.by),
            angle_deg: round(self.angle_deg),
        }
    }
}

impl Visibility {
    pub(super) fn of_step(grey_levels: f64) -> Self {
        match grey_levels.abs() {
            step if step < 6.0 => Self::Faint,
            step if step < 14.0 => Self::Low,
            _ => Self::Clear,
        }
    }
}

/// The edges drawn: where the gradient is steepest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Zones {
    pub core: CoreZone,
    pub cladding: Zone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    Clean,
    Defect,
}

/// Where a defect lies: the innermost zone its mask touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    Core,
    Cladding,
    Ferrule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Polarity {
    Dark,
    Bright,
}

/// One drawn defect. Its mask holds the pixels where at least half of its strongest contrast was drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrueDefect {
    pub kind: DefectKind,
    /// x, y, width, height in whole pixels, tight around the mask.
    pub bbox: [u32; 4],
    /// Pixels of the mask.
    pub area: u64,
    pub segmentation: Rle,
    /// Contrast of the strongest pixel over the standard deviation of the noise there: the camera's, the rounding to grey
    /// levels, and on the ferrule the grain of the ceramic. Before the microscope's JPEG, where there is one.
    pub contrast_sigma: f64,
    /// The same in grey levels, before noise.
    pub contrast_grey: f64,
    pub polarity: Polarity,
    pub zone: Place,
    pub length_px: f64,
    pub width_px: f64,
}

/// COCO's uncompressed run lengths: column by column, zeros first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rle {
    pub counts: Vec<u64>,
    /// Height, width.
    pub size: [u32; 2],
}

impl Rle {
    /// From the mask's pixels as (x, y), sorted by column, then row.
    #[must_use]
    pub fn from_columns(pixels: &[(u32, u32)], width: u32, height: u32) -> Self {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for &(x, y) in pixels {
            let at = u64::from(x) * u64::from(height) + u64::from(y);
            match runs.last_mut() {
                Some((_, end)) if *end == at => *end += 1,
                _ => runs.push((at, at + 1)),
            }
        }
        let (mut at, mut counts) = (0, Vec::with_capacity(2 * runs.len() + 1));
        for (start, end) in runs {
            counts.extend([start - at, end - start]);
            at = end;
        }
        let total = u64::from(width) * u64::from(height);
        counts.extend((at < total).then_some(total - at));
        Self { counts, size: [height, width] }
    }

    /// The mask's pixels as (x, y), by column, then row.
    #[must_use]
    pub fn pixels(&self) -> Vec<(u32, u32)> {
        let height = u64::from(self.size[0].max(1));
        let (mut at, mut all) = (0_u64, Vec::new());
        for (i, &count) in self.counts.iter().enumerate() {
            if i % 2 == 1 {
                all.extend((at..at + count).map(|p| ((p / height) as u32, (p % height) as u32)));
            }
            at += count;
        }
        all
    }
}

/// Run lengths as pycocotools' `rleToString` packs them: five bits a character, from the third on as differences to the
/// one before the last.
#[must_use]
pub fn packed(counts: &[u64]) -> String {
    let mut text = String::new();
    for (place, count) in counts.iter().enumerate() {
        let mut value = count.cast_signed() - if place > 2 { counts[place - 2].cast_signed() } else { 0 };
        loop {
            let bits = value & 0x1f;
            value >>= 5;
            let more = if bits & 0x10 != 0 { value != -1 } else { value != 0 };
            text.push(char::from((bits | if more { 0x20 } else { 0 }) as u8 + 48));
            if !more {
                break;
            }
        }
    }
    text
}

/// Everything that is true of one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    pub width: u32,
    pub height: u32,
    pub zones: Zones,
    pub defects: Vec<TrueDefect>,
    /// x0, y0, x1, y1 of what lies within the frame's black bars, the last two exclusive.
    pub valid_area: [u32; 4],
    pub fibre: String,
    /// Along y; along x a pixel is this divided by the aspect.
    pub um_per_px: f64,
    pub pixel_aspect: f64,
    /// Standard deviation of the camera's noise on the brightest part of the ferrule, grey levels, before rounding.
    pub noise_sigma: f64,
    /// Standard deviation of the ceramic's grain at the same place, grey levels.
    pub grain_sigma: f64,
    /// Quality of the microscope's own JPEG, which changed the picture before it was written; None: it made none.
    pub camera_jpeg: Option<u8>,
    /// 10-90 % rise of the step at the cladding's edge, without its ring and halo.
    pub edge_px: f64,
    /// A glue line shows as a second ring inside the cladding's edge.
    pub double_ring: bool,
}

impl Truth {
    /// Clean where nothing was drawn.
    #[must_use]
    pub fn label(&self) -> Label {
        if self.defects.is_empty() { Label::Clean } else { Label::Defect }
    }
}

/// A truth file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Coco {
    pub info: Info,
    pub images: Vec<CocoImage>,
    pub annotations: Vec<CocoAnnotation>,
    pub categories: Vec<Category>,
}

/// Which run wrote a truth file; a resumed run must be the same one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Always [`Info::GENERATOR`].
    pub generator: String,
    pub preset: String,
    pub fingerprint: String,
    pub seed: u64,
    pub format: String,
    pub count: u64,
    /// False while the run that wrote it has pictures to draw.
    pub complete: bool,
}

impl Info {
    pub const GENERATOR: &str = "ferrule simulate";
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CocoImage {
    pub id: u64,
    pub file_name: String,
    pub width: u32,
    pub height: u32,
    pub zones: Zones,
    pub label: Label,
    pub valid_area: [u32; 4],
    pub fibre: String,
    pub um_per_px: f64,
    pub pixel_aspect: f64,
    pub noise_sigma: f64,
    pub grain_sigma: f64,
    pub camera_jpeg: Option<u8>,
    pub edge_px: f64,
    pub double_ring: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CocoAnnotation {
    pub id: u64,
    pub image_id: u64,
    pub category_id: u32,
    pub iscrowd: u8,
    #[serde(flatten)]
    pub defect: TrueDefect,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    pub id: u32,
    pub name: String,
}

impl Coco {
    pub(super) fn new(info: Info) -> Self {
        let categories =
            DefectKind::NAMED.iter().map(|(name, kind)| Category { id: kind.category(), name: (*name).into() });
        Self { info, images: Vec::new(), annotations: Vec::new(), categories: categories.collect() }
    }

    /// Adds one picture; its id is its index plus 1, as COCO's ids start there.
    pub(super) fn push(&mut self, index: u64, file_name: String, truth: Truth) {
        let (id, label) = (index + 1, truth.label());
        for defect in truth.defects {
            self.annotations.push(CocoAnnotation {
                id: self.annotations.len() as u64 + 1,
                image_id: id,
                category_id: defect.kind.category(),
                iscrowd: 0,
                defect,
            });
        }
        self.images.push(CocoImage {
            id,
            file_name,
            width: truth.width,
            height: truth.height,
            zones: truth.zones,
            label,
            valid_area: truth.valid_area,
            fibre: truth.fibre,
            um_per_px: truth.um_per_px,
            pixel_aspect: truth.pixel_aspect,
            noise_sigma: truth.noise_sigma,
            grain_sigma: truth.grain_sigma,
            camera_jpeg: truth.camera_jpeg,
            edge_px: truth.edge_px,
            double_ring: truth.double_ring,
        });
    }
}
