//! A preset: the distributions a set of pictures is drawn from, as a TOML file writes them down.
//!
//! The shipped ones are compiled in from `config/simulate`; a path to a file of the same form does as well. Every range
//! of a shipped preset is explained in the file itself. Reads and checks, draws nothing.

use std::path::Path;

use super::{
    fibre::FibreType,
    reader::{PresetError, Reader, Section},
    spread::Spread,
    truth::DefectKind,
};

/// Counted up when the same preset and seed begin to give other pictures, so that a resumed run cannot mix them.
const DRAWING: &str = "2";

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../config/simulate/", $name, ".toml")))),*]
    };
}

const SHIPPED: [(&str, &str); 6] =
    shipped!["demo-v1", "clean-v1", "paper-v1", "train-v1", "low-contrast-v1", "burst-v1"];

/// What pictures are drawn from.
#[derive(Debug, Clone, PartialEq)]
pub struct Preset {
    /// The file's name without its extension.
    pub name: String,
    /// One line on what it is for.
    pub about: String,
    /// Names the preset's exact text and the version of the drawing code.
    pub fingerprint: String,
    /// Share of the pictures without any defect.
    pub(super) clean: f64,
    pub(super) microscopes: Vec<Microscope>,
    pub(super) defects: Option<Defects>,
}

/// One kind of microscope: its frame, its light, its optics, its camera, and the fibres seen through it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Microscope {
    pub weight: f64,
    pub size: [u32; 2],
    pub pixel_aspect: f64,
    pub um_per_px: Spread,
    /// Black bars: left, top, right, bottom.
    pub border_px: [u32; 4],
    pub fibres: Vec<FibreType>,
    pub off_centre: Spread,
    pub ellipticity: Spread,
    pub core_offset_um: Spread,
    pub light: Light,
    pub looks: Vec<CoreLook>,
    pub edge: Edge,
    pub grain: Grain,
    pub noise: Noise,
    pub jpeg_quality: Spread,
    /// Share of the pictures that the microscope itself has stored as JPEG.
    pub camera_jpeg: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Light {
    pub ferrule: Spread,
    pub cladding: Spread,
    pub falloff: Spread,
    pub power: Spread,
    pub off_centre: Spread,
}

/// One way a core can look, and how often.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CoreLook {
    pub share: f64,
    pub contrast: Spread,
    pub dome: Spread,
    pub ripple: Spread,
    pub glow: Spread,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Edge {
    pub rise_px: Spread,
    pub ring: Spread,
    pub halo: Spread,
    pub glue_share: f64,
    pub glue_um: Spread,
    pub glue_level: Spread,
    pub decoy_share: f64,
}

/// Relief of the ferrule's ceramic.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grain {
    pub sigma: Spread,
    pub period_um: Spread,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Noise {
    pub sigma: Spread,
    pub shot_share: Spread,
    pub correlation: Spread,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Defects {
    pub count: [u32; 2],
    pub one_kind: bool,
    pub contrast: Spread,
    pub dark: f64,
    /// How often a defect is tried in core, cladding and ferrule.
    pub zones: [f64; 3],
    pub kinds: Vec<(DefectKind, f64)>,
    pub scratch: ScratchSizes,
    /// Diameters in µm by kind: pit, chip, particle, residue.
    pub pit_um: Spread,
    pub chip_um: Spread,
    pub particle_um: Spread,
    pub residue_um: Spread,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ScratchSizes {
    pub length_um: Spread,
    pub width_um: Spread,
    pub curved: f64,
    pub crossing: f64,
    pub unevenness: Spread,
}

impl Preset {
    /// Names of the presets that ship, the demo's first.
    #[must_use]
    pub fn shipped() -> Vec<&'static str> {
        SHIPPED.iter().map(|(name, _)| *name).collect()
    }

    /// A shipped preset by name, else the preset file at that path.
    ///
    /// # Errors
    /// The names that would do, or the file's line, key and what was expected.
    pub fn find(name_or_path: &str) -> Result<Self, PresetError> {
        if let Some((name, text)) = SHIPPED.iter().find(|(name, _)| *name == name_or_path) {
            return Self::parse(name, &format!("config/simulate/{name}.toml"), text);
        }
        let path = Path::new(name_or_path);
        if !path.exists() {
            return Err(PresetError::NoPreset { name: name_or_path.into(), known: Self::shipped().join(", ") });
        }
        Self::load(path)
    }

    /// The preset file at `path`; its name is the file's name without extension.
    ///
    /// # Errors
    /// The file's line, key and what was expected; or why it cannot be read.
    pub fn load(path: &Path) -> Result<Self, PresetError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| PresetError::Unreadable { file: file.clone(), message: error.to_string() })?;
        let name = path.file_stem().map_or_else(|| "preset".into(), |stem| stem.to_string_lossy().into_owned());
        Self::parse(&name, &file, &text)
    }

    /// Reads a preset from TOML; `file` is named in errors.
    ///
    /// # Errors
    /// File, line, key and what was expected.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Self, PresetError> {
        let reader = Reader::new(file, text)?;
        let mut root = reader.root();
        let clean = root.number("clean", 0.0, 1.0)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(DRAWING.as_bytes()).update(text.as_bytes());
        let preset = Self {
            name: name.into(),
            about: root.text("about")?,
            fingerprint: hasher.finalize().to_hex().chars().take(16).collect(),
            clean,
            microscopes: root.tables("microscope", Microscope::read)?,
            // A preset of clean pictures alone need not say what defects look like.
            defects: if clean < 1.0 || root.has("defects") {
                Some(root.table("defects", Defects::read)?)
            } else {
                None
            },
        };
        root.finish()?;
        Ok(preset)
    }
}

impl Microscope {
    fn read(s: &mut Section<'_>) -> Result<Self, PresetError> {
        let size: [u32; 2] = s.whole("size", 64, 8192)?;
        let border_px = s.whole("border_px", 0, 200)?;
        let [left, top, right, bottom] = border_px;
        if left + right + 48 > size[0] || top + bottom + 48 > size[1] {
            return Err(s.refuse("border_px", "bars that leave at least 48 px of the frame"));
        }
        let names = s.words("fibres")?;
        let fibres: Option<Vec<FibreType>> = names.iter().map(|name| FibreType::named(name).cloned()).collect();
        let Some(fibres) = fibres else {
            let known: Vec<_> = FibreType::shipped().iter().map(|fibre| fibre.name.as_str()).collect();
            return Err(s.refuse("fibres", &format!("names from {}", known.join(", "))));
        };
        Ok(Self {
            weight: s.number("weight", 0.001, 1000.0)?,
            size,
            pixel_aspect: s.number("pixel_aspect", 0.5, 2.0)?,
            um_per_px: s.spread("um_per_px", 0.05, 10.0)?,
            border_px,
            fibres,
            off_centre: s.spread("off_centre", 0.0, 3.0)?,
            ellipticity: s.spread("ellipticity", 0.0, 0.05)?,
            core_offset_um: s.spread("core_offset_um", 0.0, 5.0)?,
            light: s.table("light", Light::read)?,
            looks: s.tables("core", CoreLook::read)?,
            edge: s.table("edge", Edge::read)?,
            grain: s.table("grain", Grain::read)?,
            noise: s.table("noise", Noise::read)?,
            jpeg_quality: s.spread("jpeg_quality", 1.0, 100.0)?,
            camera_jpeg: s.number("camera_jpeg", 0.0, 1.0)?,
        })
    }
}

impl Light {
    fn read(s: &mut Section<'_>) -> Result<Self, PresetError> {
        Ok(Self {
            ferrule: s.spread("ferrule", 20.0, 240.0)?,
            cladding: s.spread("cladding", 0.05, 0.95)?,
            falloff: s.spread("falloff", 0.0, 0.95)?,
            power: s.spread("power", 1.0, 4.0)?,
            off_centre: s.spread("off_centre", 0.0, 1.0)?,
        })
    }
}

impl CoreLook {
    fn read(s: &mut Section<'_>) -> Result<Self, PresetError> {
        Ok(Self {
            share: s.number("share", 0.0, 1.0)?,
            contrast: s.spread("contrast", -0.9, 0.9)?,
            dome: s.spread("dome", -0.5, 0.5)?,
            ripple: s.spread("ripple", 0.0, 0.2)?,
            glow: s.spread("glow", 0.0, 0.5)?,
        })
    }
}

impl Edge {
    fn read(s: &mut Section<'_>) -> Result<Self, PresetError> {
        Ok(Self {
            rise_px: s.spread("rise_px", 1.2, 20.0)?,
            ring: s.spread("ring", 0.0, 0.6)?,
            halo: s.spread("halo", 0.0, 0.3)?,
            glue_share: s.number("glue_share", 0.0, 1.0)?,
            glue_um: s.spread("glue_um", 0.5, 20.0)?,
            glue_level: s.spread("glue_level", 0.0, 1.2)?,
            decoy_share: s.number("decoy_share", 0.0, 1.0)?,
        })
    }
}

impl Grain {
    fn read(s: &mut Section<'_>) -> Result<Self, PresetError> {
        Ok(Self { sigma: s.spread("sigma", 0.0, 40.0)?, period_um: s.spread("period_um", 0.5, 50.0)? })
    }
}

impl Noise {
    fn read(s: &mut Section<'_>) -> Result<Self, PresetError> {
        Ok(Self {
            sigma: s.spread("sigma", 0.0, 40.0)?,
            shot_share: s.spread("shot_share", 0.0, 1.0)?,
            correlation: s.spread("correlation", 0.0, 0.78)?,
        })
    }
}

impl Defects {
    fn read(s: &mut Section<'_>) -> Result<Self, PresetError> {
        let count: [u32; 2] = s.whole("count", 1, 200)?;
        if count[0] > count[1] {
            return Err(s.refuse("count", "the smaller number first"));
        }
        let kinds = s.table("kinds", |s| shares(s, DefectKind::NAMED))?;
        let zones = s.table("zones", |s| shares(s, [("core", 0), ("cladding", 1), ("ferrule", 2)]))?;
        Ok(Self {
            count,
            one_kind: s.flag("one_kind")?,
            contrast: s.spread("contrast_sigma", 1.0, 500.0)?,
            dark: s.number("dark", 0.0, 1.0)?,
            zones: [zones[0].1, zones[1].1, zones[2].1],
            kinds,
            scratch: s.table("scratch", ScratchSizes::read)?,
            pit_um: s.spread("pit_um", 0.2, 100.0)?,
            chip_um: s.spread("chip_um", 0.2, 100.0)?,
            particle_um: s.spread("particle_um", 0.2, 200.0)?,
            residue_um: s.spread("residue_um", 1.0, 500.0)?,
        })
    }
}

impl ScratchSizes {
    fn read(s: &mut Section<'_>) -> Result<Self, PresetError> {
        Ok(Self {
            length_um: s.spread("length_um", 2.0, 1000.0)?,
            width_um: s.spread("width_um", 0.2, 30.0)?,
            curved: s.number("curved", 0.0, 1.0)?,
            crossing: s.number("crossing", 0.0, 1.0)?,
            unevenness: s.spread("unevenness", 0.0, 0.45)?,
        })
    }
}

/// Shares of named things; at least one must be above 0.
fn shares<T, const N: usize>(s: &mut Section<'_>, names: [(&'static str, T); N]) -> Result<Vec<(T, f64)>, PresetError> {
    let mut all = Vec::with_capacity(N);
    let first = names[0].0;
    for (name, thing) in names {
        all.push((thing, s.number(name, 0.0, 1000.0)?));
    }
    if all.iter().all(|(_, share)| *share == 0.0) {
        return Err(s.refuse(first, "a share above 0 for at least one of these keys"));
    }
    Ok(all)
}
