//! The parameters of `detect-region`: names, ranges, defaults, and their values once checked.

use ferrule_abi::{ParameterSpec, Parameters, PluginError};

/// Checked values; see [`specs`] for what they mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    pub high: f32,
    pub low: f32,
    pub isolated: f32,
    pub point: f32,
    pub point_low: f32,
    pub rim_high: f32,
    pub smear_high: f32,
    pub smear_low: f32,
    pub min_contrast: f32,
    pub min_area: u32,
}

/// What a person can set.
#[must_use]
pub fn specs() -> Vec<ParameterSpec> {
    vec![
        ParameterSpec::real("high", 8.0, 3.0, 30.0, "sigma", "what a spot's strongest pixel must exceed the noise by"),
        ParameterSpec::real("low", 2.5, 1.5, 10.0, "sigma", "what the pixels of a spot's mask exceed the noise by"),
        ParameterSpec::real(
            "isolated",
            6.8,
            3.0,
            30.0,
            "sigma",
            "what a small spot's strongest pixel must exceed all of its surroundings by, noise or unrest",
        ),
        ParameterSpec::real(
            "point",
            2.3,
            -20.0,
            20.0,
            "",
            "log-odds from which a faint small spot counts as a point seen through the optics; more finds fewer",
        ),
        ParameterSpec::real(
            "point_low",
            5.5,
            1.5,
            30.0,
            "sigma",
            "what the strongest pixel of such a point must exceed the noise by",
        ),
        ParameterSpec::real(
            "rim_high",
            4.5,
            3.0,
            30.0,
            "sigma",
            "the same as high for chips at the cladding's edge, where the noise of the edge itself is already counted",
        ),
        ParameterSpec::real(
            "smear_high",
            9.0,
            3.0,
            30.0,
            "sigma",
            "what the strongest place of a faint wide smear must exceed the noise of the coarse picture by",
        ),
        ParameterSpec::real(
            "smear_low",
            3.5,
            1.5,
            10.0,
            "sigma",
            "what the pixels of a faint wide smear exceed the noise of the coarse picture by",
        ),
        ParameterSpec::real(
            "min_contrast",
            2.0,
            0.0,
            100.0,
            "gray",
            "no spot counts whose contrast is less, however quiet the picture",
        ),
        ParameterSpec::integer("min_area", 4, 1, 10_000, "px", "no spot counts whose mask is smaller"),
    ]
}

impl Settings {
    /// Reads the checked parameters.
    ///
    /// # Errors
    /// A threshold pair in the wrong order.
    pub fn read(parameters: &Parameters) -> Result<Self, PluginError> {
        let real = |name: &str| parameters.real(name).map(|v| v as f32);
        let settings = Self {
            high: real("high")?,
            low: real("low")?,
            isolated: real("isolated")?,
            point: real("point")?,
            point_low: real("point_low")?,
            rim_high: real("rim_high")?,
            smear_high: real("smear_high")?,
            smear_low: real("smear_low")?,
            min_contrast: real("min_contrast")?,
            min_area: parameters.integer("min_area")? as u32,
        };
        for (low, high, names) in [
            (settings.low, settings.high, "`low` must be below `high`"),
            (settings.low, settings.rim_high, "`low` must be below `rim_high`"),
            (settings.low, settings.point_low, "`low` must be below `point_low`"),
            (settings.smear_low, settings.smear_high, "`smear_low` must be below `smear_high`"),
        ] {
            if low >= high {
                return Err(PluginError::new(names));
            }
        }
        Ok(settings)
    }
}
