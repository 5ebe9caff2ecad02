//! What is drawn over a picture: everything, the zones alone, the defects of one plug-in, or nothing.

use ferrule_core::report::Defect;

use crate::workbench::rows::Detail;

/// What lies over the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layers {
    /// Zones and every defect.
    #[default]
    All,
    Zones,
    /// Zones, and the defects that one plug-in found: its place among [`finders`].
    Of(u8),
    /// The picture alone.
    None,
}

/// The plug-ins that found this capture's defects, alone or with others; by name, without versions.
pub fn finders(detail: &Detail) -> Vec<String> {
    let mut names: Vec<String> = detail
        .inspection
        .iter()
        .flat_map(|inspection| &inspection.defects)
        .flat_map(|defect| {
            std::iter::once(defect.plugin.as_str()).chain(defect.parts.iter().map(|part| part.plugin.as_str()))
        })
        .map(|plugin| name(plugin).to_owned())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Rows say `id version`.
fn name(plugin: &str) -> &str {
    plugin.split(' ').next().unwrap_or(plugin)
}

impl Layers {
    /// The next of them, for this capture.
    pub fn next(self, detail: Option<&Detail>) -> Self {
        // With one plug-in alone its defects are all there are.
        let count = detail.map_or(0, |detail| finders(detail).len());
        let plugins = if count > 1 { u8::try_from(count).unwrap_or(u8::MAX) } else { 0 };
        match self {
            Self::All => Self::Zones,
            Self::Zones if plugins > 0 => Self::Of(0),
            Self::Of(place) if place + 1 < plugins => Self::Of(place + 1),
            Self::Zones | Self::Of(_) => Self::None,
            Self::None => Self::All,
        }
    }

    pub fn zones(self) -> bool {
        self != Self::None
    }

    /// Whether this defect is drawn.
    pub fn shows(self, defect: &Defect, detail: &Detail) -> bool {
        match self {
            Self::All => true,
            Self::Zones | Self::None => false,
            Self::Of(place) => finders(detail).get(usize::from(place)).is_some_and(|wanted| {
                name(&defect.plugin) == wanted || defect.parts.iter().any(|part| name(&part.plugin) == wanted)
            }),
        }
    }
}
