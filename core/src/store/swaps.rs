//! Rows of swaps: what a new pipeline changes, how that ended, and libraries that were refused.
//!
//! What changed is found by comparing rows of two pipelines, not by asking the engine: so a swap at the start of an
//! engine is told against what the engine before it ran.

use std::os::unix::ffi::OsStrExt;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Map, Value};

use super::{
    StoreError,
    pipelines::now,
    write::{LibraryRefusal, PipelineChange, Receipt, SwapEnd},
    writer::Fault,
};
use crate::{
    ids::PluginId,
    swap::{Built, Change, Swap, SwapOutcome},
};

/// Begins a swap to a pipeline that is written already; whatever still waits for its workers is overtaken.
pub(super) fn begin(connection: &Connection, change: &PipelineChange, at: &str) -> Result<(), Fault> {
    let (generation, id) = (change.generation.cast_signed(), change.pipeline.id.as_str());
    connection
        .prepare_cached("UPDATE swaps SET outcome = 'superseded' WHERE outcome = 'trying' AND generation < ?1")?
        .execute([generation])?;
    let before: Option<String> = connection
        .prepare_cached(
            "SELECT pipeline_id FROM swaps WHERE outcome = 'in force' AND generation < ?1
             ORDER BY generation DESC LIMIT 1",
        )?
        .query_row([generation], |row| row.get(0))
        .optional()?;
    let changes = match before {
        Some(before) => differences(connection, &before, id)?,
        None => Vec::new(),
    };
    let changes = serde_json::to_string(&changes).map_err(|error| Fault::Refused(error.to_string()))?;
    connection
        .prepare_cached(
            "INSERT INTO swaps (at, generation, pipeline_id, reason, changes, outcome)
             VALUES (?1, ?2, ?3, ?4, ?5, 'trying')
             ON CONFLICT (generation) DO UPDATE SET at = ?1, pipeline_id = ?3, reason = ?4, changes = ?5,
                 outcome = 'trying', refusal = NULL, took_ms = NULL",
        )?
        .execute(params![at, generation, id, change.reason, changes])?;
    Ok(())
}

/// Writes how a swap ended.
pub(super) fn end(connection: &Connection, end: &SwapEnd) -> Result<Receipt, Fault> {
    let generation = end.generation.cast_signed();
    connection
        .prepare_cached("UPDATE swaps SET outcome = ?2, refusal = ?3, took_ms = ?4 WHERE generation = ?1")?
        .execute(params![generation, end.outcome.as_str(), end.refusal, end.took_ms])?;
    if end.outcome == SwapOutcome::InForce {
        connection.prepare_cached("UPDATE models SET deployed = 0 WHERE deployed <> 0")?.execute([])?;
        let mut deployed = connection.prepare_cached("UPDATE models SET deployed = 1 WHERE path = ?1")?;
        for file in &end.files {
            deployed.execute([file.as_os_str().as_bytes()])?;
        }
    }
    let sql = format!("{COLUMNS} WHERE generation = ?1");
    let swap = connection.prepare_cached(&sql)?.query_row([generation], swap_row).optional()?;
    Ok(Receipt::Swap(swap.map(Box::new)))
}

/// Writes that a library was refused. At an engine's start only if that is news: it may have lain there for days.
pub(super) fn refused(connection: &Connection, refusal: &LibraryRefusal) -> Result<Receipt, Fault> {
    let build = refusal.build.as_ref().map(crate::ids::BuildHash::as_str);
    let known: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM swaps WHERE library = ?1 AND build IS ?2 AND refusal = ?3
                 AND swap_id = (SELECT max(swap_id) FROM swaps WHERE library = ?1))",
        )?
        .query_row(params![refusal.library, build, refusal.refusal], |row| row.get(0))?;
    if known && refusal.reason == "start" {
        return Ok(Receipt::Swap(None));
    }
    connection
        .prepare_cached(
            "INSERT INTO swaps (at, library, build, reason, outcome, refusal) VALUES (?1, ?2, ?3, ?4, 'refused', ?5)",
        )?
        .execute(params![now(), refusal.library, build, refusal.reason, refusal.refusal])?;
    let sql = format!("{COLUMNS} WHERE swap_id = ?1");
    let swap = connection.prepare_cached(&sql)?.query_row([connection.last_insert_rowid()], swap_row)?;
    Ok(Receipt::Swap(Some(Box::new(swap))))
}

/// An engine that was killed left swaps that no worker will end.
pub(super) fn recover(connection: &Connection) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE swaps SET outcome = 'superseded', refusal = 'the engine ended before all workers ran it'
         WHERE outcome = 'trying'",
        [],
    )?;
    Ok(())
}

/// One plug-in of a stored pipeline.
struct Placed {
    slot: String,
    plugin: PluginId,
    built: Built,
    parameters: Map<String, Value>,
}

/// What differs, slot by slot; what the host decides by comes last.
fn differences(connection: &Connection, before: &str, after: &str) -> Result<Vec<Change>, Fault> {
    let (old, new) = (placed(connection, before)?, placed(connection, after)?);
    let mut changes = Vec::new();
    for it in &new {
        let (slot, plugin) = (it.slot.clone(), it.plugin.clone());
        let Some(was) = old.iter().find(|was| (&was.slot, &was.plugin) == (&it.slot, &it.plugin)) else {
            changes.push(Change::Added { slot, plugin, to: it.built.clone() });
            continue;
        };
        if was.built != it.built {
            let (from, to) = (was.built.clone(), it.built.clone());
            changes.push(Change::Build { slot: slot.clone(), plugin: plugin.clone(), from, to });
        }
        if was.parameters != it.parameters {
            let (from, to) = (was.parameters.clone(), it.parameters.clone());
            changes.push(Change::Parameters { slot, plugin, from, to });
        }
    }
    for was in &old {
        if !new.iter().any(|it| (&was.slot, &was.plugin) == (&it.slot, &it.plugin)) {
            let (slot, plugin) = (was.slot.clone(), was.plugin.clone());
            changes.push(Change::Removed { slot, plugin, from: was.built.clone() });
        }
    }
    for slot in ["segment", "detect", "measure", "grade"] {
        let order = |all: &[Placed], other: &[Placed]| -> Vec<PluginId> {
            let here = all.iter().filter(|it| it.slot == slot);
            let in_both = |it: &&Placed| other.iter().any(|o| (&o.slot, &o.plugin) == (&it.slot, &it.plugin));
            here.filter(in_both).map(|it| it.plugin.clone()).collect()
        };
        if order(&old, &new) != order(&new, &old) {
            let to = new.iter().filter(|it| it.slot == slot).map(|it| it.plugin.clone()).collect();
            changes.push(Change::Order { slot: slot.into(), to });
        }
    }
    let (old, new) = (content(connection, before)?, content(connection, after)?);
    for name in ["consensus", "min_confidence", "label"] {
        if old[name] != new[name] {
            changes.push(Change::Setting { name: name.into(), from: old[name].clone(), to: new[name].clone() });
        }
    }
    Ok(changes)
}

fn placed(connection: &Connection, pipeline: &str) -> Result<Vec<Placed>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT slot, plugin, version, build, parameters FROM pipeline_stages WHERE pipeline_id = ?1
         ORDER BY CASE slot WHEN 'segment' THEN 0 WHEN 'detect' THEN 1 WHEN 'measure' THEN 2 ELSE 3 END, place",
    )?;
    let mut rows = select.query([pipeline])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(Placed {
            slot: row.get(0)?,
            plugin: parsed(row, 1)?,
            built: Built { version: row.get(2)?, build: parsed(row, 3)? },
            parameters: serde_json::from_str(row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?)
                .unwrap_or_default(),
        });
    }
    Ok(all)
}

fn content(connection: &Connection, pipeline: &str) -> Result<Value, Fault> {
    let text: String = connection
        .prepare_cached("SELECT content FROM pipelines WHERE pipeline_id = ?1")?
        .query_row([pipeline], |row| row.get(0))?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// To be followed by a `WHERE` or an `ORDER BY`.
pub(super) const COLUMNS: &str = "SELECT swap_id, at, generation, pipeline_id, library, build, reason, changes, \
                                  outcome, refusal, took_ms FROM swaps";

pub(super) fn swap_row(row: &Row<'_>) -> Result<Swap, rusqlite::Error> {
    let changes = serde_json::from_str(row.get_ref(7)?.as_str()?).unwrap_or_default();
    let outcome = row.get_ref(8)?.as_str()?;
    Ok(Swap {
        swap: row.get(0)?,
        at: row.get(1)?,
        generation: row.get::<_, Option<i64>>(2)?.map(i64::unsigned_abs),
        pipeline: optional(row, 3)?,
        library: row.get(4)?,
        build: optional(row, 5)?,
        reason: row.get(6)?,
        changes,
        outcome: SwapOutcome::parse(outcome).ok_or_else(|| unreadable(8, format!("the outcome `{outcome}`")))?,
        refusal: row.get(9)?,
        took_ms: row.get(10)?,
    })
}

fn unreadable(column: usize, what: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, what.into())
}

/// An identity that a column holds as text.
pub(super) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    row: &Row<'_>,
    column: usize,
) -> Result<T, rusqlite::Error> {
    row.get_ref(column)?.as_str()?.parse().map_err(|error: T::Err| unreadable(column, error.to_string()))
}

fn optional<T: std::str::FromStr<Err: std::fmt::Display>>(
    row: &Row<'_>,
    column: usize,
) -> Result<Option<T>, rusqlite::Error> {
    if row.get_ref(column)?.as_str_or_null()?.is_none() { Ok(None) } else { parsed(row, column).map(Some) }
}
