//! The pictures of a trial, made in the child that shows them: no file, no decoder, the same on every machine.

use ferrule_abi as abi;
use image::GrayImage;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::{
    host::card::Pixels,
    pipeline::zones,
    simulate::{Preset, Truth, render},
};

/// A picture, by how it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    pub kind: Kind,
    pub format: Pixels,
}

/// How it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A simulated end face with defects, 1152 x 864.
    Face,
    /// The same, of which a segmenter found nothing.
    NoZones,
    /// The same, cut so that the fibre's centre lies on the frame.
    Cut,
    Flat {
        width: u32,
        height: u32,
        gray: u8,
    },
    Noise {
        width: u32,
        height: u32,
    },
}

/// The size of [`Kind::Face`].
pub const FACE: (u32, u32) = (1152, 864);

impl Subject {
    pub const fn gray(kind: Kind) -> Self {
        Self { kind, format: Pixels::Gray8 }
    }

    /// Megapixels, for a deadline.
    pub fn megapixels(&self) -> f64 {
        let (width, height) = match self.kind {
            Kind::Face | Kind::NoZones | Kind::Cut => FACE,
            Kind::Flat { width, height, .. } | Kind::Noise { width, height } => (width, height),
        };
        f64::from(width) * f64::from(height) / 1e6
    }

    /// What nobody photographs on purpose, and a microscope delivers one day; the first in every format that is taken.
    pub fn hostile(accepts: &[Pixels]) -> Vec<Self> {
        let flat = |width, height, gray| Kind::Flat { width, height, gray };
        let (width, height) = FACE;
        let kinds = [
            Kind::NoZones,
            Kind::Cut,
            flat(1, 1, 0),
            flat(1, 1, 255),
            flat(3, 2, 128),
            flat(1, 10_000, 90),
            flat(10_000, 1, 90),
            flat(width, height, 0),
            flat(width, height, 255),
            Kind::Noise { width, height },
            Kind::Noise { width: 1, height: 10_000 },
            Kind::Noise { width: 10_000, height: 1 },
        ];
        let mut all: Vec<Self> = kinds.into_iter().map(Self::gray).collect();
        for format in accepts.iter().copied().filter(|format| *format != Pixels::Gray8) {
            let kinds = [Kind::Face, Kind::Cut, flat(1, 1, 255), Kind::Noise { width: 1, height: 10_000 }];
            all.extend(kinds.into_iter().map(|kind| Self { kind, format }));
        }
        all
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            Kind::Face => f.write_str("an end face")?,
            Kind::NoZones => f.write_str("an end face without zones")?,
            Kind::Cut => f.write_str("a fibre cut by the frame")?,
            Kind::Flat { width, height, gray } => {
                let shade = match gray {
                    0 => "black".to_owned(),
                    255 => "white".to_owned(),
                    gray => format!("gray {gray}"),
                };
                write!(f, "{width}x{height}, {shade}")?;
            }
            Kind::Noise { width, height } => write!(f, "{width}x{height}, noise")?,
        }
        match self.format {
            Pixels::Gray8 => Ok(()),
            Pixels::Gray16 => f.write_str(", 16 bits"),
            Pixels::Rgb8 => f.write_str(", colour"),
        }
    }
}

/// Everything that a plug-in of any slot is given of it.
pub struct Shown {
    width: u32,
    height: u32,
    format: abi::PixelFormat,
    pixels: Vec<u8>,
    zones: Vec<abi::Zone>,
    labels: Vec<u8>,
    defects: Vec<abi::Defect>,
    um_per_px: Option<f64>,
}

impl Shown {
    /// Paints it.
    ///
    /// # Errors
    /// The shipped preset cannot be read, which a test rules out.
    pub fn of(subject: Subject) -> Result<Self, String> {
        let (width, height, gray, outlines) = match subject.kind {
            Kind::Face | Kind::NoZones | Kind::Cut => face(subject.kind)?,
            Kind::Flat { width, height, gray } => {
                (width, height, vec![gray; width as usize * height as usize], centred(width, height))
            }
            Kind::Noise { width, height } => {
                let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
                let gray = (0..width as usize * height as usize).map(|_| rng.random()).collect();
                (width, height, gray, centred(width, height))
            }
        };
        let zones: Vec<abi::Zone> = outlines
            .iter()
            .map(|(name, outline)| abi::Zone { name: *name, outline: *outline, confidence: 0.95 })
            .collect();
        let mut labels = Vec::new();
        let segmentation = abi::Segmentation { zones: zones.iter().cloned().collect(), ..abi::Segmentation::default() };
        zones::draw_labels(&segmentation, width, height, &mut labels);
        let cladding = zones.iter().find(|zone| zone.name == abi::ZoneName::Cladding);
        let um_per_px = cladding.map(|zone| 125.0 / (2.0 * zone.outline.by));
        let (format, pixels) = match subject.format {
            Pixels::Gray8 => (abi::PixelFormat::Gray8, gray),
            Pixels::Gray16 => {
                let wide = gray.iter().flat_map(|gray| (u16::from(*gray) * 257).to_ne_bytes());
                (abi::PixelFormat::Gray16, wide.collect())
            }
            Pixels::Rgb8 => (abi::PixelFormat::Rgb8, gray.iter().flat_map(|gray| [*gray; 3]).collect()),
        };
        let defects = defects(width, height, cladding);
        Ok(Self { width, height, format, pixels, zones, labels, defects, um_per_px })
    }

    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    pub fn image(&self) -> abi::ImageView<'_> {
        abi::ImageView {
            pixels: self.pixels.as_slice().into(),
            format: self.format,
            width: self.width,
            height: self.height,
            stride: self.width * self.format.bytes() as u32,
            um_per_px: self.um_per_px.into(),
            pixel_aspect: abi::ROption::RSome(1.0),
        }
    }

    pub fn input(&self) -> abi::DetectInput<'_> {
        let segmentation =
            abi::SegmentationView { zones: self.zones.as_slice().into(), labels: self.labels.as_slice().into() };
        abi::DetectInput { image: self.image(), segmentation }
    }

    pub fn defects(&self) -> &[abi::Defect] {
        &self.defects
    }

    /// The defects as a grader sees them.
    pub fn graded(&self) -> Vec<abi::GradedDefect<'_>> {
        let graded = self.defects.iter().map(|defect| abi::GradedDefect {
            kind: defect.kind,
            severity: defect.severity,
            confidence: defect.confidence,
            zone: zones::innermost(&defect.mask, &self.labels, self.width).into(),
            x: defect.x,
            y: defect.y,
            area_px: defect.area_px,
            length_px: defect.length_px,
            width_px: defect.width_px,
            angle_deg: defect.angle_deg,
            mask: defect.mask.as_slice().into(),
        });
        graded.collect()
    }

    pub fn grade_input<'a>(&'a self, defects: &'a [abi::GradedDefect<'a>]) -> abi::GradeInput<'a> {
        abi::GradeInput {
            width: self.width,
            height: self.height,
            zones: self.zones.as_slice().into(),
            defects: defects.into(),
            um_per_px: self.um_per_px.into(),
            pixel_aspect: 1.0,
            core_um: abi::ROption::RSome(9.0),
            flags: abi::RSlice::EMPTY,
        }
    }
}

type Outlines = Vec<(abi::ZoneName, abi::Ellipse)>;

/// Which of the demo's pictures is the face: one of that size with a scratch, particles and chips that stand out. A test
/// holds it to that.
const SEED: u64 = 1;
const INDEX: u64 = 31;

fn rendered() -> Result<(GrayImage, Truth), String> {
    let preset = Preset::find("demo-v1").map_err(|error| error.to_string())?;
    Ok(render(&preset, SEED, INDEX))
}

/// The face as a file's picture.
///
/// # Errors
/// It cannot be drawn.
pub fn face_picture() -> Result<GrayImage, String> {
    rendered().map(|(picture, _)| picture)
}

fn face(kind: Kind) -> Result<(u32, u32, Vec<u8>, Outlines), String> {
    let (picture, truth) = rendered()?;
    let (width, height) = picture.dimensions();
    let (core, glass) = (truth.zones.core.zone, truth.zones.cladding);
    let left = if kind == Kind::Cut { (glass.cx.max(0.0) as u32).min(width - 1) } else { 0 };
    let gray: Vec<u8> = if left == 0 {
        picture.into_raw()
    } else {
        picture.as_raw().chunks(width as usize).flat_map(|row| &row[left as usize..]).copied().collect()
    };
    let outline = |zone: crate::simulate::truth::Zone, grown: f64| abi::Ellipse {
        cx: zone.cx - f64::from(left),
        cy: zone.cy,
        ax: zone.ax * grown,
        by: zone.by * grown,
        angle_deg: zone.angle_deg,
    };
    let outlines = match kind {
        Kind::NoZones => Vec::new(),
        _ => vec![
            (abi::ZoneName::Core, outline(core, 1.0)),
            (abi::ZoneName::Cladding, outline(glass, 1.0)),
            // All that the picture shows around the glass.
            (abi::ZoneName::Ferrule, outline(glass, 8.0)),
        ],
    };
    Ok((width - left, height, gray, outlines))
}

/// A fibre in the middle that the frame cuts where the picture is narrow.
fn centred(width: u32, height: u32) -> Outlines {
    let (w, h) = (f64::from(width), f64::from(height));
    let outline = |share: f64| {
        let radius = w.max(h) * share;
        abi::Ellipse { cx: (w - 1.0) / 2.0, cy: (h - 1.0) / 2.0, ax: radius, by: radius, angle_deg: 0.0 }
    };
    vec![
        (abi::ZoneName::Core, outline(0.04)),
        (abi::ZoneName::Cladding, outline(0.3)),
        (abi::ZoneName::Ferrule, outline(0.45)),
    ]
}

/// A particle on the glass and a scratch through the core, where there is room for them.
fn defects(width: u32, height: u32, cladding: Option<&abi::Zone>) -> Vec<abi::Defect> {
    let Some(cladding) = cladding else { return Vec::new() };
    let within = |at: f64, size: u32, limit: u32| (at.max(0.0) as u32).min(limit.saturating_sub(size));
    let (cx, cy, by) = (cladding.outline.cx, cladding.outline.cy, cladding.outline.by);
    let mut all = Vec::new();
    let kinds = [(abi::DefectKind::Particle, 6, 5, cy + by / 2.0), (abi::DefectKind::Scratch, 60, 1, cy)];
    for (kind, w, h, at) in kinds {
        if width < w || height < h {
            continue;
        }
        let (x, y) = (within(cx - f64::from(w) / 2.0, w, width), within(at, h, height));
        let centre = |start: u32, size: u32| f64::from(start) + f64::from(size - 1) / 2.0;
        all.push(abi::Defect {
            kind,
            severity: abi::Severity::Medium,
            confidence: 0.9,
            bbox: abi::BoundingBox { x, y, width: w, height: h },
            x: centre(x, w),
            y: centre(y, h),
            area_px: w * h,
            length_px: f64::from(w),
            width_px: f64::from(h),
            angle_deg: 0.0,
            mask: (y..y + h).map(|y| abi::Run { y, x, length: w }).collect(),
            attributes: abi::RVec::new(),
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::check;

    #[test]
    fn every_subject_is_a_picture_that_the_interface_allows() {
        let mut subjects = Subject::hostile(&[Pixels::Gray16, Pixels::Rgb8]);
        subjects.push(Subject::gray(Kind::Face));
        for subject in subjects {
            let shown = Shown::of(subject).unwrap();
            let (image, (width, height)) = (shown.image(), shown.size());
            assert_eq!(image.pixels.len(), width as usize * height as usize * image.format.bytes(), "{subject}");
            assert_eq!(shown.labels.len(), width as usize * height as usize, "{subject}");
            let mut detections =
                abi::Detections { defects: shown.defects.clone().into(), attributes: abi::RVec::new() };
            check::detections(&mut detections, width, height).unwrap();
            assert_eq!(detections.defects.as_slice(), shown.defects(), "{subject}: as the host would have them");
        }
    }

    #[test]
    fn the_face_has_both_defects_and_the_cut_one_its_centre_on_the_frame() {
        let face = Shown::of(Subject::gray(Kind::Face)).unwrap();
        assert_eq!((face.size(), face.graded().len()), (FACE, 2));
        let drawn = rendered().unwrap().1.defects;
        assert!(drawn.len() >= 4 && drawn.iter().all(|defect| defect.contrast_sigma > 10.0), "{drawn:?}");
        let cut = Shown::of(Subject::gray(Kind::Cut)).unwrap();
        let cladding = cut.zones.iter().find(|zone| zone.name == abi::ZoneName::Cladding).unwrap();
        assert!((0.0..1.0).contains(&cladding.outline.cx), "{cladding:?}");
        assert!(Shown::of(Subject::gray(Kind::NoZones)).unwrap().labels.iter().all(|label| *label == abi::LABEL_NONE));
    }
}
