//! An inspection as rows. Its way back is `load`.

use rusqlite::{Connection, params};
use serde::Serialize;

use super::{write::Finish, writer::Fault};
use crate::report::{Defect, Failure, Inspection, ZoneName, ZoneVerdict, Zones};

/// Writes a job's answer; returns its `inspection_id`.
pub(super) fn insert(
    connection: &Connection,
    finish: &Finish,
    attempt: i64,
    result: Result<&Inspection, &Failure>,
    at: &str,
) -> Result<i64, Fault> {
    connection
        .prepare_cached(
            "INSERT INTO inspections (image_id, capture_id, attempt, pipeline_id, generation, state, at, failure_stage,
                 failure_plugin, failure_message, failure_transient)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            finish.image.to_string(),
            finish.capture.0,
            attempt,
            finish.pipeline.as_str(),
            finish.generation.cast_signed(),
            if result.is_ok() { "done" } else { "failed" },
            at,
            result.err().map(|failure| failure.stage.as_str()),
            result.err().map(|failure| failure.plugin.as_deref()),
            result.err().map(|failure| failure.message.as_str()),
            result.err().map(|failure| failure.transient),
        ])?;
    let id = connection.last_insert_rowid();
    if let Ok(inspection) = result {
        summary(connection, id, inspection)?;
        zones(connection, id, &inspection.zones)?;
        defects(connection, id, &inspection.defects)?;
        features(connection, id, inspection)?;
        verdicts(connection, id, &inspection.verdict.zones)?;
    }
    Ok(id)
}

fn summary(connection: &Connection, id: i64, inspection: &Inspection) -> Result<(), Fault> {
    let (quality, verdict, ms) = (&inspection.quality, &inspection.verdict, &inspection.ms);
    connection
        .prepare_cached(
            "UPDATE inspections SET incomplete = ?2, width = ?3, height = ?4, um_per_px = ?5, has_defect = ?6,
                 defects = ?7, quality_score = ?8, quality_focus = ?9, quality_flags = ?10, verdict = ?11,
                 verdict_profile = ?12, verdict_reason = ?13, verdict_failed = ?14, ms_decode = ?15, ms_segment = ?16,
                 ms_detect = ?17, ms_measure = ?18, ms_grade = ?19, ms_artefacts = ?20
             WHERE inspection_id = ?1",
        )?
        .execute(params![
            id,
            list(&inspection.incomplete)?,
            inspection.width,
            inspection.height,
            inspection.um_per_px,
            inspection.has_defect,
            inspection.defects.len() as i64,
            quality.score,
            quality.focus,
            list(&quality.flags)?,
            verdict.overall.as_str(),
            verdict.profile,
            verdict.reason,
            list(&verdict.failed)?,
            ms.decode,
            ms.segment,
            ms.detect,
            ms.measure,
            ms.grade,
            ms.artefacts,
        ])?;
    Ok(())
}

fn zones(connection: &Connection, id: i64, zones: &Zones) -> Result<(), Fault> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO inspection_zones (inspection_id, zone, cx, cy, ax, by, angle_deg, confidence)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for (zone, o) in zones.iter() {
        insert.execute(params![id, zone.as_str(), o.cx, o.cy, o.ax, o.by, o.angle_deg, o.confidence])?;
    }
    Ok(())
}

fn defects(connection: &Connection, id: i64, defects: &[Defect]) -> Result<(), Fault> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO inspection_defects (inspection_id, place, defect_id, dtype, severity, x, y, area_px, confidence,
             zone, box_x, box_y, box_width, box_height, length_px, width_px, angle_deg, plugin, mask)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
    )?;
    let mut insert_part = connection.prepare_cached(
        "INSERT INTO inspection_defect_parts (inspection_id, defect, place, plugin, dtype, severity, confidence, box_x,
             box_y, box_width, box_height, area_px)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    for (place, d) in (0_i64..).zip(defects) {
        let [x, y, width, height] = d.bbox;
        insert.execute(params![
            id,
            place,
            d.id,
            d.kind.as_str(),
            d.severity.as_str(),
            d.x,
            d.y,
            d.area_px,
            d.confidence,
            d.zone.map(ZoneName::as_str),
            x,
            y,
            width,
            height,
            d.length_px,
            d.width_px,
            d.angle_deg,
            d.plugin,
            runs_to_bytes(&d.mask),
        ])?;
        for (part_place, part) in (0_i64..).zip(&d.parts) {
            let [x, y, width, height] = part.bbox;
            insert_part.execute(params![
                id,
                place,
                part_place,
                part.plugin,
                part.kind.as_str(),
                part.severity.as_str(),
                part.confidence,
                x,
                y,
                width,
                height,
                part.area_px,
            ])?;
        }
    }
    Ok(())
}

fn features(connection: &Connection, id: i64, inspection: &Inspection) -> Result<(), Fault> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO inspection_features (inspection_id, place, region, name, value, unit, plugin)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (place, f) in (0_i64..).zip(&inspection.features) {
        insert.execute(params![id, place, f.region, f.name, f.value, f.unit, f.plugin])?;
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO inspection_histograms (inspection_id, place, region, name, low, high, counts, plugin)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for (place, h) in (0_i64..).zip(&inspection.histograms) {
        insert.execute(params![id, place, h.region, h.name, h.low, h.high, list(&h.counts)?, h.plugin])?;
    }
    Ok(())
}

fn verdicts(connection: &Connection, id: i64, verdicts: &[ZoneVerdict]) -> Result<(), Fault> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO inspection_verdicts (inspection_id, place, zone, outcome, rule, defects)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (place, v) in (0_i64..).zip(verdicts) {
        insert.execute(params![id, place, v.zone.as_str(), v.outcome.as_str(), v.rule, list(&v.defects)?])?;
    }
    Ok(())
}

fn list<T: Serialize>(items: &[T]) -> Result<String, Fault> {
    serde_json::to_string(items).map_err(|error| Fault::Refused(error.to_string()))
}

/// Runs (y, x, length) as little-endian u32, twelve bytes each.
pub(super) fn runs_to_bytes(runs: &[[u32; 3]]) -> Vec<u8> {
    runs.iter().flatten().flat_map(|number| number.to_le_bytes()).collect()
}
