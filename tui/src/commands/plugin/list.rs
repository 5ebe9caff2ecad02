//! `ferrule plugin list`: which plug-ins there are, which are used, from where, and why others are not.

use clap::Args;
use ferrule_core::{
    host::{Catalogue, Policy, assemble, card::ParameterKind},
    ids::PluginId,
    settings::Slots,
    worker::messages::ParameterValue,
};
use serde_json::json;

use super::reference;
use crate::{
    batch::{Chosen, store},
    environment::Environment,
    failure::Failure,
    output::Output,
    place::Place,
    program::{PluginPath, worker_program},
};

/// List every plug-in that was found: its slot, build, parameters, and what was refused
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    path: PluginPath,
    /// With every parameter: its range, its default, what it does
    #[arg(long, short = 'v', visible_alias = "verbose")]
    parameters: bool,
    /// What ships with this binary, whatever a workspace adds
    #[arg(long, conflicts_with = "workspace")]
    shipped: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// The reference page of all parameters, as Markdown
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

impl List {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let Chosen { workspace, settings } = if self.shipped {
            Chosen::shipped()?
        } else {
            let (workspace, configuration) = self.place.configured()?;
            Chosen { workspace: Some(workspace), settings: configuration.settings }
        };
        let (store, _copies) = store(workspace.as_ref(), environment)?;
        let search = self.path.search(workspace.as_ref(), environment)?;
        let policy = Policy::of(&settings.plugins);
        let catalogue = Catalogue::build(&search, &store, &worker_program()?, policy);
        let slots = &settings.pipeline;
        let mut output = Output::new();
        if self.markdown {
            output.bytes(reference::page(&catalogue, slots).as_bytes())?;
        } else if self.json {
            for plugin in &catalogue.available {
                output.object(&json!({"plugin": plugin, "used": is_used(slots, &plugin.card.id)}))?;
            }
            for refusal in &catalogue.refused {
                output.object(&json!({"refused": refusal}))?;
            }
        } else {
            for line in lines(&catalogue, slots, self.parameters) {
                output.line(&line)?;
            }
            if let Err(error) = assemble(&settings, &catalogue) {
                output.line(&format!("PROBLEM {error}"))?;
            }
        }
        output.flush()
    }
}

/// Whether some slot of the pipeline names it.
pub(super) fn is_used(slots: &Slots, id: &PluginId) -> bool {
    [&slots.segment, &slots.detect, &slots.measure, &slots.grade].iter().any(|slot| slot.contains(id))
}

fn lines(catalogue: &Catalogue, slots: &Slots, parameters: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for plugin in &catalogue.available {
        let card = &plugin.card;
        let used = if is_used(slots, &card.id) { "" } else { " (not in the pipeline)" };
        lines.push(format!("{}  {}{used}", card.name(), card.slot));
        lines.push(format!("    {}", card.summary));
        lines.push(format!("    build {}, from {} ({})", plugin.build, plugin.found.display(), plugin.origin));
        lines.extend(plugin.shadows.iter().map(|path| format!("    instead of {}", path.display())));
        if parameters {
            for parameter in &card.parameters {
                let unit = if parameter.unit.is_empty() { String::new() } else { format!(" {}", parameter.unit) };
                lines.push(format!("    {} = {}{unit}", parameter.name, value(&parameter.default)));
                lines.push(format!("        {}; {}", kind(&parameter.kind), parameter.help));
            }
        }
    }
    for refusal in &catalogue.refused {
        lines.push(format!("REFUSED {}: {}", refusal.path.display(), refusal.reason));
    }
    lines
}

pub(super) fn value(value: &ParameterValue) -> String {
    match value {
        ParameterValue::Bool(flag) => flag.to_string(),
        ParameterValue::Integer(number) => number.to_string(),
        ParameterValue::Real(number) => number.to_string(),
        ParameterValue::Text(text) => format!("{text:?}"),
    }
}

pub(super) fn kind(kind: &ParameterKind) -> String {
    match kind {
        ParameterKind::Bool => "true or false".into(),
        ParameterKind::Integer { low, high } => format!("a whole number from {low} to {high}"),
        ParameterKind::Real { low, high } => format!("a number from {low} to {high}"),
        ParameterKind::Choice { options } => format!("one of {}", options.join(", ")),
        ParameterKind::Text => "a text".into(),
    }
}
