//! Grading profiles: what each zone allows, from the files in `config/criteria` or from a person's own text.
//!
//! Knows TOML and numbers, nothing of pictures. [`crate::judge`] applies the limits.

use ferrule_abi::{PluginError, ZoneName};

use crate::reader::{Fault, Reader, Section};

/// The word that leaves the profile to the fibre.
pub const AUTO: &str = "auto";

/// One document for every fibre, and the latest of those that ship: whoever grades both kinds compares like with like.
const AUTO_SINGLE_MODE: &str = "sm-pc-panduit";
const AUTO_MULTIMODE: &str = "mm-pc-panduit";
/// Cores of telecom fibres are 8 to 10 um or 50 um and more; anything between is a blurred one of the first kind.
const SINGLE_MODE_BELOW_UM: f64 = 15.0;

/// The profiles that ship: file name and text.
pub const SHIPPED: [(&str, &str); 5] = [
    ("sm-pc-panduit.toml", include_str!("../../../config/criteria/sm-pc-panduit.toml")),
    ("sm-pc-bicsi.toml", include_str!("../../../config/criteria/sm-pc-bicsi.toml")),
    ("sm-apc-panduit.toml", include_str!("../../../config/criteria/sm-apc-panduit.toml")),
    ("mm-pc-panduit.toml", include_str!("../../../config/criteria/mm-pc-panduit.toml")),
    ("mm-pc-ed1.toml", include_str!("../../../config/criteria/mm-pc-ed1.toml")),
];

/// A named set of rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    pub name: String,
    /// The document and its edition.
    pub source: String,
    /// Smallest and largest cladding and core, in micrometres, that the rules are for.
    pub cladding_um: (f64, f64),
    pub core_um: (f64, f64),
    /// From the middle out.
    pub rings: Vec<Ring>,
}

/// A zone and what it allows. It begins where the one before it ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Ring {
    pub zone: ZoneName,
    /// Diameters.
    pub inner_um: f64,
    pub outer_um: f64,
    /// By width.
    pub scratches: Limit,
    /// By diameter.
    pub defects: Limit,
}

/// How many of which size.
#[derive(Debug, Clone, PartialEq)]
pub enum Limit {
    Any,
    /// From small to large; nothing beyond the last is allowed, and nothing at all without any.
    Bands(Vec<Band>),
}

/// A range of sizes, from the end of the band before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    pub end: End,
    /// How many of this band's sizes or larger; `None` for any number.
    pub most: Option<u32>,
}

/// The largest size of a band, in micrometres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    Below(f64),
    UpTo(f64),
}

impl End {
    pub const fn um(self) -> f64 {
        match self {
            Self::Below(um) | Self::UpTo(um) => um,
        }
    }

    /// Whether a size lies beyond.
    pub fn is_exceeded_by(self, size_um: f64) -> bool {
        match self {
            Self::Below(um) => size_um >= um,
            Self::UpTo(um) => size_um > um,
        }
    }
}

impl Profile {
    /// Reads a profile.
    ///
    /// # Errors
    /// The first mistake: its line, its key, what was expected and what was found.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let reader = Reader::new(text)?;
        let mut root = reader.root();
        let name = root.text("name")?;
        let source = root.text("source")?;
        let (cladding_um, core_um) = (root.range("cladding_um")?, root.range("core_um")?);
        let mut rings: Vec<Ring> = Vec::new();
        for zone in ZoneName::ALL {
            // A profile may end anywhere outside the fibre.
            if zone > ZoneName::Cladding && !root.has(zone.as_str()) {
                break;
            }
            let inner_um = rings.last().map_or(0.0, |ring| ring.outer_um);
            rings.push(root.table(zone.as_str(), |section| ring(section, zone, inner_um))?);
        }
        root.finish()?;
        Ok(Self { name, source, cladding_um, core_um, rings })
    }
}

fn ring(section: &mut Section<'_>, zone: ZoneName, inner_um: f64) -> Result<Ring, Fault> {
    Ok(Ring {
        zone,
        inner_um,
        outer_um: section.number_above("outer_um", inner_um)?,
        scratches: limit(section, "scratches")?,
        defects: limit(section, "defects")?,
    })
}

fn limit(section: &mut Section<'_>, key: &'static str) -> Result<Limit, Fault> {
    match section.word(key) {
        Some("any") => return Ok(Limit::Any),
        Some("none") => return Ok(Limit::Bands(Vec::new())),
        _ => {}
    }
    let mut bands: Vec<Band> = Vec::new();
    section.tables(key, "\"any\", \"none\" or a list like [{ below_um = 2 }, { up_to_um = 5, most = 5 }]", |band| {
        let before = bands.last().map_or(0.0, |band| band.end.um());
        let end = if band.has("below_um") {
            End::Below(band.number_above("below_um", before)?)
        } else {
            End::UpTo(band.number_above("up_to_um", before)?)
        };
        let most = if band.has("most") { Some(band.count("most")?) } else { None };
        bands.push(Band { end, most });
        Ok(())
    })?;
    Ok(Limit::Bands(bands))
}

/// Names of the profiles that ship: their files' names.
pub fn names() -> Vec<String> {
    SHIPPED.iter().map(|(file, _)| file.trim_end_matches(".toml").to_owned()).collect()
}

fn shipped(name: &str) -> Result<Profile, PluginError> {
    let text = SHIPPED.iter().find(|(file, _)| file.strip_suffix(".toml") == Some(name)).map(|(_, text)| *text);
    let text = text.ok_or_else(|| PluginError::new(format!("there is no profile {name}")))?;
    Profile::parse(text).map_err(|fault| PluginError::new(format!("config/criteria/{name}.toml, {fault}")))
}

/// The profile in force, or the two that the fibre chooses from.
#[derive(Debug, Clone)]
pub enum Choice {
    One(Box<Profile>),
    ByFibre { single_mode: Box<Profile>, multimode: Box<Profile> },
}

impl Choice {
    /// By the plug-in's parameters: `rules`, where it holds anything, before `profile`.
    ///
    /// # Errors
    /// One line: the mistake in `rules`, or a profile that does not exist.
    pub fn of(profile: &str, rules: &str) -> Result<Self, PluginError> {
        let named = |name| shipped(name).map(Box::new);
        if !rules.trim().is_empty() {
            let own = Profile::parse(rules).map_err(|fault| PluginError::new(format!("parameter `rules`, {fault}")))?;
            return Ok(Self::One(Box::new(own)));
        }
        if profile == AUTO {
            return Ok(Self::ByFibre { single_mode: named(AUTO_SINGLE_MODE)?, multimode: named(AUTO_MULTIMODE)? });
        }
        Ok(Self::One(named(profile)?))
    }

    /// What a verdict is headed with before a profile is chosen.
    pub fn name(&self) -> &str {
        match self {
            Self::One(profile) => &profile.name,
            Self::ByFibre { .. } => AUTO,
        }
    }

    /// The profile for a core of that diameter.
    ///
    /// # Errors
    /// The core decides and is not known.
    pub fn profile(&self, core_um: Option<f64>) -> Result<&Profile, String> {
        match (self, core_um) {
            (Self::One(profile), _) => Ok(profile),
            (Self::ByFibre { single_mode, .. }, Some(um)) if um < SINGLE_MODE_BELOW_UM => Ok(single_mode),
            (Self::ByFibre { multimode, .. }, Some(_)) => Ok(multimode),
            (Self::ByFibre { .. }, None) => {
                Err("no core was found to tell single-mode from multimode; set the source's fibre, or the profile"
                    .into())
            }
        }
    }
}
