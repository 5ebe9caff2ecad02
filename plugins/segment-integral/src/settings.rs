//! The plug-in's parameters: what they are called, what they take, and their values as plain numbers.

use ferrule_abi::{ParameterSpec, Parameters, PluginError};

/// Parameters of one instance.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub cladding_um: f64,
    /// 0 where the fibre's core is not known.
    pub core_um: f64,
    pub adhesive_um: f64,
    pub contact_um: f64,
    /// Cladding diameter as a share of the frame's shorter side.
    pub min_diameter: f64,
    pub max_diameter: f64,
    pub min_core_contrast: f64,
    pub min_confidence: f64,
}

/// Diameters follow IEC 61300-3-35's zones for 125 um fibre: adhesive to 130 um (BICSI), contact to 250 um.
pub fn specs() -> Vec<ParameterSpec> {
    let real = ParameterSpec::real;
    vec![
        real("cladding_um", 125.0, 10.0, 5000.0, "um", "Diameter of the cladding; sets the scale"),
        real("core_um", 0.0, 0.0, 5000.0, "um", "Diameter of the core where the fibre is known; 0 searches all sizes"),
        real("adhesive_um", 2.5, 0.0, 100.0, "um", "Width of the adhesive ring outside the cladding"),
        real("contact_um", 250.0, 20.0, 10000.0, "um", "Diameter of the contact zone on the ferrule"),
        real(
            "min_diameter",
            0.08,
            0.02,
            0.9,
            "",
            "Smallest cladding diameter, as a share of the picture's shorter side",
        ),
        real("max_diameter", 0.92, 0.1, 1.5, "", "Largest cladding diameter, as a share of the picture's shorter side"),
        real("min_core_contrast", 1.0, 0.2, 100.0, "gray", "Least step in gray levels for a core to be claimed"),
        real("min_confidence", 0.4, 0.0, 1.0, "", "Cladding confidence below which no fibre is reported"),
    ]
}

impl Settings {
    pub fn from_parameters(parameters: &Parameters) -> Result<Self, PluginError> {
        let settings = Self {
            cladding_um: parameters.real("cladding_um")?,
            core_um: parameters.real("core_um")?,
            adhesive_um: parameters.real("adhesive_um")?,
            contact_um: parameters.real("contact_um")?,
            min_diameter: parameters.real("min_diameter")?,
            max_diameter: parameters.real("max_diameter")?,
            min_core_contrast: parameters.real("min_core_contrast")?,
            min_confidence: parameters.real("min_confidence")?,
        };
        if settings.core_um >= settings.cladding_um {
            return Err(PluginError::new("core_um must be smaller than cladding_um"));
        }
        if settings.min_diameter >= settings.max_diameter {
            return Err(PluginError::new("min_diameter must be smaller than max_diameter"));
        }
        Ok(settings)
    }
}
