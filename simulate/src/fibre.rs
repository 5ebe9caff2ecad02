//! The fibre types that ship as data (`config/fibres`). Read by the presets; never guesses a size.

use std::sync::OnceLock;

use super::reader::{PresetError, Reader, Section};

/// What is known of a fibre type.
#[derive(Debug, Clone, PartialEq)]
pub struct FibreType {
    pub name: String,
    /// Nominal diameter of the core (of the mode field for single-mode fibre's visible spot), µm.
    pub core_um: f64,
    /// Nominal diameter of the glass, µm.
    pub cladding_um: f64,
    /// Where the figures come from.
    pub source: String,
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../config/fibres/", $name, ".toml")))),*]
    };
}

/// Name and text of every fibre type that ships.
const SHIPPED: [(&str, &str); 8] =
    shipped!["sm-9-125", "sm-9-80", "mm-50-125", "mm-62.5-125", "mm-91-140", "mm-100-140", "mm-105-125", "mm-200-220",];

impl FibreType {
    /// Reads a fibre type from TOML.
    ///
    /// # Errors
    /// File, line, key and what was expected.
    pub fn parse(file: &str, text: &str) -> Result<Self, PresetError> {
        let reader = Reader::new(file, text)?;
        let mut root = reader.root();
        let fibre = Self::read(&mut root)?;
        root.finish()?;
        Ok(fibre)
    }

    fn read(root: &mut Section<'_>) -> Result<Self, PresetError> {
        let core_um = root.number("core_um", 1.0, 2000.0)?;
        Ok(Self {
            name: root.text("name")?,
            core_um,
            cladding_um: root.number("cladding_um", core_um + 1.0, 3000.0)?,
            source: root.text("source")?,
        })
    }

    /// Every fibre type that ships, in the order of the table above.
    pub fn shipped() -> &'static [Self] {
        static TYPES: OnceLock<Vec<FibreType>> = OnceLock::new();
        TYPES.get_or_init(|| {
            let parse = |(name, text): &(&str, &str)| Self::parse(&format!("config/fibres/{name}.toml"), text).ok();
            SHIPPED.iter().filter_map(parse).collect()
        })
    }

    /// The shipped fibre type of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::shipped().iter().find(|fibre| fibre.name == name)
    }
}
