//! From settings and catalogue to a pipeline: every slot's plug-ins found, every parameter checked against its
//! description, and the whole named by a hash of all that decides results.

use std::fmt::Write;

use ferrule_abi as abi;

use super::{
    card::Slot,
    catalogue::{Available, Catalogue},
};
use crate::{
    ids::{PipelineId, PluginId},
    settings::Settings,
    worker::messages::{ParameterValue, Pipeline, Stage},
};

/// Why there is no pipeline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssemblyError {
    #[error("pipeline.{slot} names `{plugin}`, which was not found; {hint}")]
    Unknown { slot: Slot, plugin: PluginId, hint: String },
    #[error("pipeline.{slot} names `{plugin}`, which is for the slot {actual}")]
    WrongSlot { slot: Slot, plugin: PluginId, actual: Slot },
    #[error("pipeline.{slot} names `{plugin}` twice")]
    Twice { slot: Slot, plugin: PluginId },
    #[error("plugin.{plugin}: {fault}")]
    Parameter { plugin: PluginId, fault: String },
}

/// Makes the pipeline that the settings describe.
///
/// # Errors
/// The first thing that does not fit, with plug-in, parameter and range.
pub fn assemble(settings: &Settings, catalogue: &Catalogue) -> Result<Pipeline, AssemblyError> {
    let slots = &settings.pipeline;
    let slot = |slot: Slot, ids: &[PluginId]| -> Result<Vec<Stage>, AssemblyError> {
        let mut stages: Vec<Stage> = Vec::with_capacity(ids.len());
        for id in ids {
            if stages.iter().any(|stage| &stage.plugin == id) {
                return Err(AssemblyError::Twice { slot, plugin: id.clone() });
            }
            stages.push(stage(slot, id, settings, catalogue)?);
        }
        Ok(stages)
    };
    let mut pipeline = Pipeline {
        id: PipelineId::of(""),
        segment: slot(Slot::Segment, &slots.segment)?,
        detect: slot(Slot::Detect, &slots.detect)?,
        measure: slot(Slot::Measure, &slots.measure)?,
        grade: slot(Slot::Grade, &slots.grade)?,
        min_confidence: slots.min_confidence,
        label: settings.label,
    };
    pipeline.id = PipelineId::of(&canonical(&pipeline));
    Ok(pipeline)
}

fn stage(slot: Slot, id: &PluginId, settings: &Settings, catalogue: &Catalogue) -> Result<Stage, AssemblyError> {
    let Some(Available { card, build, library, .. }) = catalogue.get(id) else {
        return Err(AssemblyError::Unknown { slot, plugin: id.clone(), hint: hint(slot, catalogue) });
    };
    if card.slot != slot {
        return Err(AssemblyError::WrongSlot { slot, plugin: id.clone(), actual: card.slot });
    }
    let fault = |fault: String| AssemblyError::Parameter { plugin: id.clone(), fault };
    let mut parameters = Vec::new();
    for (name, value) in settings.parameters.get(id).into_iter().flatten() {
        let Some(known) = card.parameters.iter().find(|parameter| &parameter.name == name) else {
            let names: Vec<&str> = card.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
            let has = if names.is_empty() { "it has none".into() } else { format!("it has {}", names.join(", ")) };
            return Err(fault(format!("has no parameter `{name}`; {has}")));
        };
        let checked = abi::ParameterSpec::from(known).check(&value.into()).map_err(|error| fault(error.to_string()))?;
        let checked = ParameterValue::from(&checked);
        // A value that is the default anyway makes no other pipeline.
        if checked != known.default {
            parameters.push((name.clone(), checked));
        }
    }
    Ok(Stage {
        plugin: id.clone(),
        version: card.version.clone(),
        build: build.clone(),
        library: library.clone(),
        parameters,
    })
}

fn hint(slot: Slot, catalogue: &Catalogue) -> String {
    let fitting = catalogue.available.iter().filter(|available| available.card.slot == slot);
    let names: Vec<&str> = fitting.map(|available| available.card.id.as_str()).collect();
    match (names.is_empty(), catalogue.refused.len()) {
        (false, _) => format!("for {slot} there are {}", names.join(", ")),
        (true, 0) => "no plug-in library was found in any search path (`ferrule plugin list` names them)".into(),
        (true, refused) => format!("{refused} libraries were refused (`ferrule plugin list` says why)"),
    }
}

/// Everything that decides results, and nothing else: not where a library lies, not in which order parameters are given.
fn canonical(pipeline: &Pipeline) -> String {
    let mut text = String::from("ferrule pipeline 1\n");
    let slots = [
        (Slot::Segment, &pipeline.segment),
        (Slot::Detect, &pipeline.detect),
        (Slot::Measure, &pipeline.measure),
        (Slot::Grade, &pipeline.grade),
    ];
    for (slot, stages) in slots {
        for stage in stages {
            let _ = writeln!(text, "{slot} {} {} {}", stage.plugin, stage.version, stage.build);
            let mut parameters: Vec<_> = stage.parameters.iter().collect();
            parameters.sort_by(|a, b| a.0.cmp(&b.0));
            for (name, value) in parameters {
                let _ = writeln!(text, "  {name} {value:?}");
            }
        }
    }
    let _ = writeln!(text, "min_confidence {:?}", pipeline.min_confidence);
    let _ = writeln!(text, "label {:?} {}", pipeline.label.min_confidence, pipeline.label.min_severity);
    text
}
