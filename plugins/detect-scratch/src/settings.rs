//! The parameters of `detect-scratch`: names, ranges, defaults, and their values once checked.

use ferrule_abi::{ParameterSpec, Parameters, PluginError};

/// Checked values; see [`specs`] for what they mean. Lengths are in pixels of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    pub high: f32,
    pub low: f32,
    pub min_length: f32,
    pub max_gap: f32,
    pub line_length: f32,
    pub clip: f32,
    pub min_contrast: f32,
}

/// What a person can set.
#[must_use]
pub fn specs() -> Vec<ParameterSpec> {
    vec![
        ParameterSpec::real(
            "high",
            8.5,
            3.0,
            50.0,
            "sigma",
            "what the strongest place of a scratch must exceed the noise of line responses by",
        ),
        ParameterSpec::real(
            "low",
            4.0,
            1.5,
            20.0,
            "sigma",
            "what all places of a scratch exceed the noise of line responses by",
        ),
        ParameterSpec::real("min_length", 20.0, 6.0, 500.0, "px", "no scratch counts that is shorter"),
        ParameterSpec::real(
            "max_gap",
            40.0,
            0.0,
            300.0,
            "px",
            "pieces in line with each other and no further apart are one scratch",
        ),
        ParameterSpec::real(
            "line_length",
            46.0,
            10.0,
            120.0,
            "px",
            "length of the line whose mean is looked at: longer sees fainter scratches, shorter more curved ones",
        ),
        ParameterSpec::real(
            "clip",
            3.0,
            1.0,
            10.0,
            "sigma",
            "what a single pixel counts at most, so that a few strong spots make no line",
        ),
        ParameterSpec::real(
            "min_contrast",
            0.7,
            0.0,
            100.0,
            "gray",
            "no scratch counts whose mean contrast is less, however quiet the picture",
        ),
    ]
}

impl Settings {
    /// Reads the checked parameters.
    ///
    /// # Errors
    /// `low` not below `high`.
    pub fn read(parameters: &Parameters) -> Result<Self, PluginError> {
        let real = |name: &str| parameters.real(name).map(|v| v as f32);
        let settings = Self {
            high: real("high")?,
            low: real("low")?,
            min_length: real("min_length")?,
            max_gap: real("max_gap")?,
            line_length: real("line_length")?,
            clip: real("clip")?,
            min_contrast: real("min_contrast")?,
        };
        if settings.low >= settings.high {
            return Err(PluginError::new("`low` must be below `high`"));
        }
        Ok(settings)
    }
}
