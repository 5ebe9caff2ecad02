//! What is drawn over a picture: everything, the zones alone, the defects of one plug-in, their masks, what another pipeline
//! said, where defects lie over many captures, or nothing.

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
    /// The pixels of every defect, on the picture made dark.
    Mask,
    /// What is said otherwise than before.
    Difference,
    /// Where the defects of a list's captures lie.
    Heat,
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
    /// The next of them that this capture has; `listed` where it stands for a list.
    pub fn next(self, detail: Option<&Detail>, listed: bool) -> Self {
        let mut all = vec![Self::All, Self::Zones];
        // With one plug-in alone its defects are all there are.
        let finders = detail.map_or(0, |detail| finders(detail).len());
        if finders > 1 {
            all.extend((0..finders).filter_map(|place| u8::try_from(place).ok()).map(Self::Of));
        }
        if finders > 0 {
            all.push(Self::Mask);
        }
        if detail.is_some_and(|detail| detail.former.is_some()) {
            all.push(Self::Difference);
        }
        if listed && detail.is_some_and(|detail| detail.inspection.is_some()) {
            all.push(Self::Heat);
        }
        all.push(Self::None);
        // One that the capture before had and this one has not is left for the picture alone.
        let at = all.iter().position(|layers| *layers == self).unwrap_or(all.len() - 2);
        all[(at + 1) % all.len()]
    }

    pub fn zones(self) -> bool {
        self != Self::None
    }

    /// Whether this defect is drawn as the result that stands has it.
    pub fn shows(self, defect: &Defect, detail: &Detail) -> bool {
        match self {
            Self::All | Self::Mask => true,
            Self::Zones | Self::Difference | Self::Heat | Self::None => false,
            Self::Of(place) => finders(detail).get(usize::from(place)).is_some_and(|wanted| {
                name(&defect.plugin) == wanted || defect.parts.iter().any(|part| name(&part.plugin) == wanted)
            }),
        }
    }
}
