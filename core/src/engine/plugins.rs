//! What clients hear of plug-ins: those in force with their health, and all that were found with what is set of them.

use super::state::Engine;
use crate::{
    host::card::Slot,
    ids::PluginId,
    names,
    protocol::{PluginFound, PluginList, PluginStatus, RefusedLibrary},
    settings::Slots,
    worker::messages::Stage,
};

impl Engine {
    /// The plug-ins of the pipeline in force, with their health.
    pub fn plugin_status(&self) -> Vec<PluginStatus> {
        let Some(pipeline) = self.reload.pipeline() else { return Vec::new() };
        let slots: [(Slot, &Vec<Stage>); 4] = [
            (Slot::Segment, &pipeline.segment),
            (Slot::Detect, &pipeline.detect),
            (Slot::Measure, &pipeline.measure),
            (Slot::Grade, &pipeline.grade),
        ];
        let status = |slot: Slot, stage: &Stage| PluginStatus {
            slot: slot.to_string(),
            id: stage.plugin.clone(),
            version: stage.version.clone(),
            build: stage.build.clone(),
            quarantined: self.quarantined.contains_key(&stage.plugin),
            problem: self.quarantined.get(&stage.plugin).cloned(),
            ms: self.figures.plugin_ms(&stage.plugin),
        };
        slots.iter().flat_map(|(slot, stages)| stages.iter().map(|stage| status(*slot, stage))).collect()
    }

    /// Every plug-in that was found, in the pipeline or not.
    pub fn plugin_list(&self) -> PluginList {
        let Some(catalogue) = self.reload.catalogue() else { return PluginList::default() };
        let settings = &self.configuration.settings;
        let found = catalogue.available.iter().map(|available| PluginFound {
            place: place(&settings.pipeline, available.card.slot, &available.card.id),
            set: settings.parameters.get(&available.card.id).cloned().unwrap_or_default(),
            build: available.build.clone(),
            found: names::display(&available.found),
            card: available.card.clone(),
        });
        let refused = catalogue.refused.iter().map(|refusal| RefusedLibrary {
            path: names::display(&refusal.path),
            build: refusal.build.clone(),
            reason: names::visible(&refusal.reason).into_owned(),
        });
        PluginList { plugins: found.collect(), refused: refused.collect() }
    }
}

/// Its place in its slot, from 0.
fn place(slots: &Slots, slot: Slot, id: &PluginId) -> Option<u32> {
    let list = match slot {
        Slot::Segment => &slots.segment,
        Slot::Detect => &slots.detect,
        Slot::Measure => &slots.measure,
        Slot::Grade => &slots.grade,
        Slot::Train => return None,
    };
    list.iter().position(|listed| listed == id).and_then(|place| u32::try_from(place).ok())
}
