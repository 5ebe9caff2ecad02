//! Every setting as a typed value. `config/ferrule.toml` holds the defaults and a line of why for each; the `config`
//! module lays a workspace's file over it and knows where each value came from. Nothing here reads a file.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    alarm::AlarmRule,
    ids::{BuildHash, PluginId},
    report::Severity,
    worker::{arguments::Limits, messages::ParameterValue},
};

/// All settings of a workspace, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Absolute: where relative paths begin, those in plug-ins' parameters too.
    pub root: PathBuf,
    /// `[[capture]]`: the sources.
    pub sources: Vec<Source>,
    pub capture: Capture,
    pub pipeline: Slots,
    /// `[plugin.<id>]`: parameters that differ from the plug-in's defaults. Checked against descriptors later.
    pub parameters: BTreeMap<PluginId, BTreeMap<String, ParameterValue>>,
    pub plugins: Plugins,
    pub workers: Workers,
    pub label: Severities,
    pub dataset: Dataset,
    pub screen: Screen,
    pub keys: KeysByAction,
    /// `[[alarm]]`.
    pub alarms: Vec<AlarmRule>,
    pub log: Log,
}

/// One watched directory with its microscope's settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Unique among sources; by default the last part of the path.
    pub name: String,
    /// Absolute.
    pub path: PathBuf,
    pub recursive: bool,
    /// Name of a fibre type in `config/fibres` (or of a file); gives the scale.
    pub fibre: Option<String>,
    pub core_um: Option<f64>,
    pub cladding_um: Option<f64>,
    pub pixel_aspect: Option<f64>,
    pub um_per_px: Option<f64>,
    /// List the directory every few seconds instead of trusting the kernel's notices (network mounts).
    pub poll: bool,
    /// Regular expression with named groups (job, port, side …) over file names.
    pub name_pattern: Option<String>,
}

/// `[intake]`: what counts as a capture, and when it is complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Capture {
    /// Lower case, without dots.
    pub extensions: Vec<String>,
    /// A file that stood still for so long, with no writer, is complete.
    pub settle_ms: u64,
    /// Shortest time between two listings of a source.
    pub reconcile_ms: u64,
    /// A picture that does not decode is tried again this often while it may still be changing.
    pub decode_retries: u32,
}

/// `[pipeline]`: plug-ins by slot, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Slots {
    pub segment: Vec<PluginId>,
    pub detect: Vec<PluginId>,
    pub measure: Vec<PluginId>,
    pub grade: Vec<PluginId>,
    pub consensus: Consensus,
    pub min_confidence: f64,
}

/// What several segmenters are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consensus {
    /// The first that is confident enough answers, else the most confident.
    First,
    /// All answer; how far they agree decides how much the surest is believed.
    Agree,
}

impl Consensus {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Agree => "agree",
        }
    }
}

/// `[plugins]`: which libraries are trusted.
#[derive(Debug, Clone, PartialEq)]
pub struct Plugins {
    pub trust: Trust,
    /// Build hashes accepted when `trust = "pinned"`.
    pub pinned: Vec<BuildHash>,
    /// The interpreter of plug-ins that are Python files: a name on the path or a path.
    pub python: String,
    /// A library that stood still for so long is complete.
    pub settle_ms: u64,
    /// A plug-in is set aside after bringing workers down on so many captures in a row.
    pub quarantine_after: u32,
}

/// Whose libraries are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Owned by the user or root, writable by nobody else.
    Owner,
    /// Also listed in `plugins.pinned`.
    Pinned,
}

/// `[workers]`: how many, and what each may take.
#[derive(Debug, Clone, PartialEq)]
pub struct Workers {
    /// 0 means one a core, less one, at least one.
    pub count: usize,
    pub memory_mb: u64,
    /// Shortest deadline of a capture.
    pub deadline_ms: u64,
    /// Added for each megapixel.
    pub deadline_ms_per_mpx: u64,
    /// The same for a wide worker and one question: networks and interpreters take more of both.
    pub wide_memory_mb: u64,
    pub wide_deadline_ms: u64,
    /// Larger pictures are refused before they are decoded.
    pub max_megapixels: f64,
    pub max_file_mb: u64,
}

impl Workers {
    /// What a capture may cost.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        Limits { memory_mb: self.memory_mb, max_megapixels: self.max_megapixels, max_file_mb: self.max_file_mb }
    }
}

/// `[label]`: what makes a capture `has_defect`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Severities {
    pub min_confidence: f64,
    pub min_severity: Severity,
}

/// `[dataset]`: what is kept on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Absolute.
    pub path: PathBuf,
    pub images: ImageLinks,
    pub masks: MaskFormat,
    /// New work waits while less than this is free.
    pub min_free_mb: u64,
    pub split: Split,
    pub keep: Keep,
}

/// `[dataset.keep]`: what tidying leaves. A rule of 0 is no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// Between two tidyings of an engine; 0 for none but those that are asked for.
    pub every_hours: u32,
    pub protect: Protect,
    /// Former inspections of each image.
    pub former: u32,
    pub former_days: u32,
    /// Masks and lists of defects.
    pub masks_days: u32,
    pub masks_mb: u32,
    /// The dataset's own pictures.
    pub pictures_days: u32,
    pub pictures_mb: u32,
}

impl Keep {
    /// Is anything ever removed?
    #[must_use]
    pub const fn has_rules(&self) -> bool {
        self.former | self.former_days | self.masks_days | self.masks_mb | self.pictures_days | self.pictures_mb > 0
    }
}

/// Whose files tidying spares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protect {
    /// Those of images that a person reviewed, and of those on a side of the split.
    Dataset,
    /// Those of images that a person reviewed.
    Reviewed,
    Nothing,
}

/// How images are divided into training, validation and test.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    pub fractions: Fractions,
    pub seed: u64,
    /// Regular expression over file names; images whose names agree in its named groups stay together.
    pub group_by: Option<String>,
}

impl Split {
    /// A pattern that compiles and names a group, or why it is none, in words.
    pub fn checked_pattern(pattern: &str) -> Result<String, String> {
        let compiled = regex::Regex::new(pattern).map_err(|error| {
            // The last line says what is wrong; those before draw an arrow to it.
            error.to_string().lines().last().unwrap_or_default().trim().to_owned()
        })?;
        match compiled.capture_names().flatten().next() {
            Some(_) => Ok(pattern.to_owned()),
            None => Err("it names no group".into()),
        }
    }
}

/// Shares of training and validation; test is what is left.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fractions {
    pub train: f64,
    pub val: f64,
}

impl Fractions {
    /// Shares that are shares and leave no less than nothing.
    #[must_use]
    pub fn checked(train: f64, val: f64) -> Option<Self> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        (share(train) && share(val) && train + val <= 1.0 + 1e-9).then_some(Self { train, val })
    }

    #[must_use]
    pub fn test(self) -> f64 {
        let left = 1.0 - self.train - self.val;
        // 1 - 0.7 - 0.3 is not quite 0.
        if left < 1e-9 { 0.0 } else { left }
    }
}

/// How a picture comes into `dataset/images`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageLinks {
    /// A reflink where the file system has them.
    Copy,
    /// Changes when the microscope rewrites its file in place.
    Hardlink,
    Symlink,
}

/// How masks are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MaskFormat {
    Png,
    Npy,
    Both,
    None,
}

/// `[screen]`: the workbench.
#[derive(Debug, Clone, PartialEq)]
pub struct Screen {
    pub picture: PictureProtocol,
    pub theme: ThemeName,
    pub chart: ChartMarks,
    pub mouse: bool,
    /// A program and its arguments for a capture's file, `{}` in their midst; empty for none.
    pub open: Vec<String>,
}

/// The workbench's colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThemeName {
    /// The terminal's own sixteen colours, so that they follow a person's palette.
    Auto,
    /// For a light background.
    Light,
    /// For a dark one.
    Dark,
    /// No more than sixteen colours, in pictures too.
    Sixteen,
    /// Nothing faint.
    Contrast,
}

/// What curves are drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChartMarks {
    /// Braille where the terminal shows more than ASCII.
    Auto,
    Braille,
    Blocks,
    Dots,
}

/// `[keys]`: keys by the name of what they do, as written. Their names are the workbench's to know.
pub type KeysByAction = BTreeMap<String, Vec<String>>;

/// How pictures reach the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PictureProtocol {
    Auto,
    Kitty,
    Sixel,
    Iterm,
    Halfblocks,
    /// Drawn with characters only.
    Outline,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    pub max_mb: u64,
}
