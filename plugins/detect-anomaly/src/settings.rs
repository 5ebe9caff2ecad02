//! The parameters of `detect-anomaly`, their values once checked, and the reference that they name.

use std::{fs::File, io::Read, path::Path};

use ferrule_abi::{ParameterSpec, Parameters, PluginError};
use ferrule_vision::reference::{
    Model,
    file::{MOST_BYTES, decode},
};

/// Checked values; see [`specs`] for what they mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    pub high: f32,
    pub low: f32,
    pub min_contrast: f32,
    pub min_area: u32,
}

/// What a person can set.
#[must_use]
pub fn specs() -> Vec<ParameterSpec> {
    vec![
        ParameterSpec::file(
            "model",
            "the reference that captures are compared with (`ferrule reference build`); none: nothing is found",
        ),
        ParameterSpec::real(
            "high",
            8.0,
            3.0,
            50.0,
            "sigma",
            "what an anomaly's strongest place must exceed the spread of clean captures by",
        ),
        ParameterSpec::real("low", 4.0, 1.5, 20.0, "sigma", "what the places of an anomaly's mask exceed it by"),
        ParameterSpec::real(
            "min_contrast",
            5.0,
            0.0,
            100.0,
            "gray",
            "no anomaly counts whose contrast is less, however alike clean captures are",
        ),
        ParameterSpec::integer("min_area", 6, 1, 10_000, "px", "no anomaly counts whose mask is smaller"),
    ]
}

impl Settings {
    /// Reads the checked parameters.
    ///
    /// # Errors
    /// Thresholds in the wrong order.
    pub fn read(parameters: &Parameters) -> Result<Self, PluginError> {
        let real = |name: &str| parameters.real(name).map(|value| value as f32);
        let (high, low, min_contrast) = (real("high")?, real("low")?, real("min_contrast")?);
        if low >= high {
            return Err(PluginError::new("`low` must be below `high`"));
        }
        Ok(Self { high, low, min_contrast, min_area: parameters.integer("min_area")? as u32 })
    }
}

/// The reference that `model` names; `None` where it is empty.
///
/// # Errors
/// A file that cannot be read or is no reference; names it.
pub fn reference(parameters: &Parameters) -> Result<Option<Model>, PluginError> {
    let path = parameters.text("model")?;
    if path.is_empty() {
        return Ok(None);
    }
    let fault = |what: &dyn std::fmt::Display| PluginError::new(format!("`model`: {path}: {what}"));
    let bytes = read(Path::new(path)).map_err(|error| fault(&error))?;
    decode(&bytes).map(|(model, _)| Some(model)).map_err(|error| fault(&error))
}

/// A regular file's bytes; one more than a model may have tells a longer file.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    // Before opening: that of a pipe would wait for a writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
