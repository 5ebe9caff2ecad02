//! Rows of what inspections refer to: sources, plug-in builds, pipelines.

use std::os::unix::ffi::OsStrExt;

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde_json::{Map, Value, json};

use super::{
    swaps,
    write::{PipelineChange, Receipt},
    writer::Fault,
};
use crate::{
    settings::Source,
    worker::messages::{ParameterValue, Pipeline, Stage},
};

/// Writes the configured sources. A source that is not configured any more keeps its row: captures refer to it.
pub(super) fn sources(connection: &Connection, sources: &[Source]) -> Result<Receipt, Fault> {
    connection.execute("UPDATE sources SET watched = 0", [])?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO sources (name, path, recursive, poll, fibre, core_um, cladding_um, um_per_px, pixel_aspect,
             name_pattern, first_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (name) DO UPDATE SET path = ?2, recursive = ?3, poll = ?4, fibre = ?5, core_um = ?6,
             cladding_um = ?7, um_per_px = ?8, pixel_aspect = ?9, name_pattern = ?10, watched = 1",
    )?;
    for source in sources {
        insert.execute(params![
            source.name,
            source.path.as_os_str().as_bytes(),
            source.recursive,
            source.poll,
            source.fibre,
            source.core_um,
            source.cladding_um,
            source.um_per_px,
            source.pixel_aspect,
            source.name_pattern,
            now(),
        ])?;
    }
    Ok(Receipt::Sources)
}

/// Writes a pipeline and its plug-in builds, and begins the swap to it.
pub(super) fn change(connection: &Connection, change: &PipelineChange) -> Result<Receipt, Fault> {
    let id = change.pipeline.id.as_str();
    let at = now();
    let new = connection
        .prepare_cached("INSERT OR IGNORE INTO pipelines (pipeline_id, content, first_at) VALUES (?1, ?2, ?3)")?
        .execute(params![id, content(&change.pipeline).to_string(), at])?;
    if new > 0 {
        stages(connection, &change.pipeline, &at)?;
    }
    swaps::begin(connection, change, &at)?;
    Ok(Receipt::Pipeline { generation: change.generation })
}

fn stages(connection: &Connection, pipeline: &Pipeline, at: &str) -> Result<(), Fault> {
    let mut plugin = connection.prepare_cached(
        "INSERT OR IGNORE INTO plugins (plugin, build, version, slot, first_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO pipeline_stages (pipeline_id, slot, place, plugin, version, build, parameters)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (slot, stages) in slots(pipeline) {
        for (place, stage) in (0_i64..).zip(stages) {
            let (id, build) = (stage.plugin.as_str(), stage.build.as_str());
            plugin.execute(params![id, build, stage.version, slot, at])?;
            let parameters = parameters(stage).to_string();
            insert.execute(params![pipeline.id.as_str(), slot, place, id, stage.version, build, parameters])?;
        }
    }
    Ok(())
}

fn slots(pipeline: &Pipeline) -> [(&'static str, &[Stage]); 4] {
    [
        ("segment", &pipeline.segment),
        ("detect", &pipeline.detect),
        ("measure", &pipeline.measure),
        ("grade", &pipeline.grade),
    ]
}

/// The pipeline as JSON, without the paths of this machine.
fn content(pipeline: &Pipeline) -> Value {
    let mut content = Map::new();
    for (slot, stages) in slots(pipeline) {
        let stages = stages
            .iter()
            .map(|stage| {
                json!({
                    "plugin": stage.plugin.as_str(), "version": stage.version, "build": stage.build.as_str(),
                    "parameters": parameters(stage),
                })
            })
            .collect();
        content.insert(slot.into(), Value::Array(stages));
    }
    content.insert("consensus".into(), json!(pipeline.consensus));
    content.insert("min_confidence".into(), json!(pipeline.min_confidence));
    content.insert("label".into(), json!(pipeline.label));
    Value::Object(content)
}

fn parameters(stage: &Stage) -> Value {
    let plain = |value: &ParameterValue| match value {
        ParameterValue::Bool(value) => json!(value),
        ParameterValue::Integer(value) => json!(value),
        ParameterValue::Real(value) => json!(value),
        ParameterValue::Text(value) => json!(value),
    };
    Value::Object(stage.parameters.iter().map(|(name, value)| (name.clone(), plain(value))).collect())
}

/// Now, as every table writes it: RFC 3339 in UTC, to the millisecond so that texts sort as times do.
pub(super) fn now() -> String {
    text(Timestamp::now())
}

/// A moment as every table writes it.
pub(super) fn text(at: Timestamp) -> String {
    format!("{at:.3}")
}
