//! What an inspection says: the shape that workers answer, the database stores and `ferrule inspect --json` prints.
//!
//! Plain data, serialised by both postcard (worker frames) and JSON; so no flattened, untagged or skipped fields here.
//! Coordinates as everywhere: pixel centres are integers, y points down, angles turn from +x toward +y.

use ferrule_vision::ellipse::Ellipse;
use serde::{Deserialize, Serialize};

use crate::ids::ImageId;

/// One pass of one image through one pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    pub image_id: ImageId,
    pub width: u32,
    pub height: u32,
    /// Micrometres a pixel along y, from the settings or from the fit and the fibre type.
    pub um_per_px: Option<f64>,
    pub zones: Zones,
    /// Merged, strongest confidence first.
    pub defects: Vec<Defect>,
    /// Whether something worth a label was found; `None` without a fibre or with an incomplete result.
    pub has_defect: Option<bool>,
    pub quality: Quality,
    pub verdict: Verdict,
    pub features: Vec<Feature>,
    pub histograms: Vec<Histogram>,
    /// Plug-ins whose results are missing, and why. Empty for a complete inspection.
    pub incomplete: Vec<Missing>,
    pub ms: Timings,
}

/// Whose word a label is where no classifier gave one: that of the rules about defects.
pub const PIPELINE: &str = "pipeline";

/// A classifier's word on the whole picture, if the pipeline has one: the first feature `image/has_defect`, 1 or 0.
#[must_use]
pub fn classified(features: &[Feature]) -> Option<&Feature> {
    features.iter().find(|feature| feature.region == "image" && feature.name == "has_defect")
}

/// The fitted outer outlines, by zone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Zones {
    pub core: Option<Outline>,
    pub cladding: Option<Outline>,
    pub adhesive: Option<Outline>,
    pub ferrule: Option<Outline>,
}

impl Zones {
    /// Zone by zone from the middle out, with its name.
    pub fn iter(&self) -> impl Iterator<Item = (ZoneName, &Outline)> {
        [
            (ZoneName::Core, &self.core),
            (ZoneName::Cladding, &self.cladding),
            (ZoneName::Adhesive, &self.adhesive),
            (ZoneName::Ferrule, &self.ferrule),
        ]
        .into_iter()
        .filter_map(|(name, outline)| outline.as_ref().map(|outline| (name, outline)))
    }
}

/// An ellipse with how sure the segmenter is. `ax` is the semi-axis nearest x, `by` the one nearest y.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    pub cx: f64,
    pub cy: f64,
    pub ax: f64,
    pub by: f64,
    pub angle_deg: f64,
    /// 0 to 1.
    pub confidence: f64,
}

impl Outline {
    /// Radius of the circle of equal area, in pixels.
    #[must_use]
    pub fn mean_radius(&self) -> f64 {
        (self.ax * self.by).sqrt()
    }
}

impl From<&Outline> for Ellipse {
    fn from(outline: &Outline) -> Self {
        let Outline { cx, cy, ax, by, angle_deg, .. } = *outline;
        Self { cx, cy, ax, by, angle_deg }
    }
}

/// Words that databases and files know by fixed strings, with the way back.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $(#[serde(rename = $text)] $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As databases and files write it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The way back; `None` for any other text.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

word!(
    /// The zones from the middle out.
    ZoneName { Core = "core", Cladding = "cladding", Adhesive = "adhesive", Ferrule = "ferrule" }
);
word!(
    /// What a defect is.
    DefectKind { Scratch = "scratch", Pit = "pit", Chip = "chip", Particle = "particle", Residue = "residue", Anomaly = "anomaly" }
);
word!(
    /// How much a defect matters; ordered, the worst last.
    Severity { Negligible = "NEGLIGIBLE", Low = "LOW", Medium = "MEDIUM", High = "HIGH", Critical = "CRITICAL" }
);
word!(
    /// The end of a grading.
    Outcome { Pass = "pass", Fail = "fail", NotGraded = "not graded" }
);
word!(
    /// Where a capture stands. What was ever seen is always the sum of these.
    CaptureState {
        Settling = "settling",
        Queued = "queued",
        Running = "running",
        Done = "done",
        Duplicate = "duplicate",
        Failed = "failed",
        Ignored = "ignored",
        Replaced = "replaced",
    }
);

/// One merged defect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Defect {
    /// `<image_id>-<n>`, n counted from 1 in the order of the list.
    pub id: String,
    #[serde(rename = "type")]
    pub kind: DefectKind,
    pub severity: Severity,
    pub confidence: f64,
    /// x, y, width, height in pixels.
    pub bbox: [u32; 4],
    /// Centroid.
    pub x: f64,
    pub y: f64,
    pub area_px: u32,
    pub length_px: f64,
    pub width_px: f64,
    pub angle_deg: f64,
    /// The innermost zone that it touches; `None` outside all of them.
    pub zone: Option<ZoneName>,
    /// `id version` of the plug-in whose part leads.
    pub plugin: String,
    pub parts: Vec<Part>,
    /// The mask as runs (y, x, length) in rising order. Stored and drawn; `ferrule inspect --json` leaves it out.
    pub mask: Vec<[u32; 3]>,
}

/// What one detector said of a merged defect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// `id version`.
    pub plugin: String,
    #[serde(rename = "type")]
    pub kind: DefectKind,
    pub severity: Severity,
    pub confidence: f64,
    pub bbox: [u32; 4],
    pub area_px: u32,
}

/// Is the picture good enough to judge by?
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// 0 to 100; `None` where no plug-in measures it.
    pub score: Option<f64>,
    /// 0 to 1, likewise.
    pub focus: Option<f64>,
    /// `dark`, `saturated`, `blurred`, …
    pub flags: Vec<String>,
}

/// What the grader says; `not graded` where none is in the pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub profile: Option<String>,
    pub overall: Outcome,
    /// Rules that failed, each with its zone, in words.
    pub failed: Vec<String>,
    pub zones: Vec<ZoneVerdict>,
    /// Why it was not graded; empty otherwise.
    pub reason: String,
}

/// One zone's part of a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZoneVerdict {
    pub zone: ZoneName,
    pub outcome: Outcome,
    pub rule: String,
    /// Ids of the defects that broke the rule.
    pub defects: Vec<String>,
}

/// One number about one region (a zone's name, or `image`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    pub region: String,
    pub name: String,
    pub value: f64,
    pub unit: String,
    /// `id version` of the plug-in that measured it.
    pub plugin: String,
}

/// Counts in equal bins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    pub region: String,
    pub name: String,
    pub low: f64,
    pub high: f64,
    pub counts: Vec<u64>,
    pub plugin: String,
}

/// A plug-in whose results are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// `id version`.
    pub plugin: String,
    pub reason: String,
}

/// Milliseconds a stage took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    pub decode: f64,
    pub segment: f64,
    pub detect: f64,
    pub measure: f64,
    pub grade: f64,
    /// Writing masks and lists into staging.
    pub artefacts: f64,
}

impl Timings {
    /// All stages together.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.decode + self.segment + self.detect + self.measure + self.grade + self.artefacts
    }
}

/// Why a file could not be inspected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// `read`, `decode`, `segment`, `worker`, …
    pub stage: String,
    /// The plug-in whose turn it was.
    pub plugin: Option<String>,
    /// One line for a person.
    pub message: String,
    /// Trying again may help (the file was still changing, a worker died).
    pub transient: bool,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.plugin {
            Some(plugin) => write!(f, "{} ({plugin}): {}", self.stage, self.message),
            None => write!(f, "{}: {}", self.stage, self.message),
        }
    }
}
