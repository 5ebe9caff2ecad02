//! An inspection as rows, and back.

use rusqlite::{Connection, Row, params};
use serde::{Serialize, de::DeserializeOwned};

use super::{StoreError, write::Finish, writer::Fault};
use crate::{
    ids::ImageId,
    report::{
        Defect, DefectKind, Failure, Feature, Histogram, Inspection, Outcome, Outline, Part, Quality, Severity,
        Timings, Verdict, ZoneName, ZoneVerdict, Zones,
    },
};

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

/// Reads a successful inspection back, equal to what was written. `None` for a failed or unknown one.
pub(super) fn load(connection: &Connection, id: i64) -> Result<Option<Inspection>, StoreError> {
    let mut select =
        connection.prepare_cached("SELECT * FROM inspections WHERE inspection_id = ?1 AND state = 'done'")?;
    let mut rows = select.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Inspection {
        image_id: word(row, "image_id", |text| text.parse::<ImageId>().ok())?,
        width: row.get("width")?,
        height: row.get("height")?,
        um_per_px: row.get("um_per_px")?,
        zones: load_zones(connection, id)?,
        defects: load_defects(connection, id)?,
        has_defect: row.get("has_defect")?,
        quality: Quality {
            score: row.get("quality_score")?,
            focus: row.get("quality_focus")?,
            flags: parsed(row, "quality_flags")?,
        },
        verdict: Verdict {
            profile: row.get("verdict_profile")?,
            overall: word(row, "verdict", Outcome::parse)?,
            failed: parsed(row, "verdict_failed")?,
            zones: load_verdicts(connection, id)?,
            reason: row.get("verdict_reason")?,
        },
        features: load_features(connection, id)?,
        histograms: load_histograms(connection, id)?,
        incomplete: parsed(row, "incomplete")?,
        ms: Timings {
            decode: row.get("ms_decode")?,
            segment: row.get("ms_segment")?,
            detect: row.get("ms_detect")?,
            measure: row.get("ms_measure")?,
            grade: row.get("ms_grade")?,
            artefacts: row.get("ms_artefacts")?,
        },
    }))
}

/// All rows of one inspection in a table, each through `one`.
fn each<T>(
    connection: &Connection,
    sql: &str,
    id: i64,
    mut one: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query([id])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(one(row)?);
    }
    Ok(all)
}

fn load_zones(connection: &Connection, id: i64) -> Result<Zones, StoreError> {
    let rows = each(connection, "SELECT * FROM inspection_zones WHERE inspection_id = ?1", id, |row| {
        let outline = Outline {
            cx: row.get("cx")?,
            cy: row.get("cy")?,
            ax: row.get("ax")?,
            by: row.get("by")?,
            angle_deg: row.get("angle_deg")?,
            confidence: row.get("confidence")?,
        };
        Ok((word(row, "zone", ZoneName::parse)?, outline))
    })?;
    let zone = |name| rows.iter().find(|(zone, _)| *zone == name).map(|(_, outline)| *outline);
    Ok(Zones {
        core: zone(ZoneName::Core),
        cladding: zone(ZoneName::Cladding),
        adhesive: zone(ZoneName::Adhesive),
        ferrule: zone(ZoneName::Ferrule),
    })
}

fn load_defects(connection: &Connection, id: i64) -> Result<Vec<Defect>, StoreError> {
    let sql = "SELECT * FROM inspection_defect_parts WHERE inspection_id = ?1 ORDER BY defect, place";
    let parts = each(connection, sql, id, |row| {
        let part = Part {
            plugin: row.get("plugin")?,
            kind: word(row, "dtype", DefectKind::parse)?,
            severity: word(row, "severity", Severity::parse)?,
            confidence: row.get("confidence")?,
            bbox: bounding_box(row)?,
            area_px: row.get("area_px")?,
        };
        Ok((row.get::<_, i64>("defect")?, part))
    })?;
    let mut parts = parts.into_iter().peekable();
    each(connection, "SELECT * FROM inspection_defects WHERE inspection_id = ?1 ORDER BY place", id, |row| {
        let place: i64 = row.get("place")?;
        Ok(Defect {
            id: row.get("defect_id")?,
            kind: word(row, "dtype", DefectKind::parse)?,
            severity: word(row, "severity", Severity::parse)?,
            confidence: row.get("confidence")?,
            bbox: bounding_box(row)?,
            x: row.get("x")?,
            y: row.get("y")?,
            area_px: row.get("area_px")?,
            length_px: row.get("length_px")?,
            width_px: row.get("width_px")?,
            angle_deg: row.get("angle_deg")?,
            zone: match row.get::<_, Option<String>>("zone")? {
                Some(_) => Some(word(row, "zone", ZoneName::parse)?),
                None => None,
            },
            plugin: row.get("plugin")?,
            parts: std::iter::from_fn(|| parts.next_if(|(defect, _)| *defect == place)).map(|(_, part)| part).collect(),
            mask: runs_from_bytes(row.get_ref("mask")?.as_blob().map_err(rusqlite::Error::from)?),
        })
    })
}

fn load_features(connection: &Connection, id: i64) -> Result<Vec<Feature>, StoreError> {
    each(connection, "SELECT * FROM inspection_features WHERE inspection_id = ?1 ORDER BY place", id, |row| {
        Ok(Feature {
            region: row.get("region")?,
            name: row.get("name")?,
            value: row.get("value")?,
            unit: row.get("unit")?,
            plugin: row.get("plugin")?,
        })
    })
}

fn load_histograms(connection: &Connection, id: i64) -> Result<Vec<Histogram>, StoreError> {
    each(connection, "SELECT * FROM inspection_histograms WHERE inspection_id = ?1 ORDER BY place", id, |row| {
        Ok(Histogram {
            region: row.get("region")?,
            name: row.get("name")?,
            low: row.get("low")?,
            high: row.get("high")?,
            counts: parsed(row, "counts")?,
            plugin: row.get("plugin")?,
        })
    })
}

fn load_verdicts(connection: &Connection, id: i64) -> Result<Vec<ZoneVerdict>, StoreError> {
    each(connection, "SELECT * FROM inspection_verdicts WHERE inspection_id = ?1 ORDER BY place", id, |row| {
        Ok(ZoneVerdict {
            zone: word(row, "zone", ZoneName::parse)?,
            outcome: word(row, "outcome", Outcome::parse)?,
            rule: row.get("rule")?,
            defects: parsed(row, "defects")?,
        })
    })
}

fn bounding_box(row: &Row<'_>) -> Result<[u32; 4], StoreError> {
    Ok([row.get("box_x")?, row.get("box_y")?, row.get("box_width")?, row.get("box_height")?])
}

fn list<T: Serialize>(items: &[T]) -> Result<String, Fault> {
    serde_json::to_string(items).map_err(|error| Fault::Refused(error.to_string()))
}

fn parsed<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<T, StoreError> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| StoreError::Unreadable { what: format!("`{text}` in `{column}`") })
}

fn word<T>(row: &Row<'_>, column: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| StoreError::Unreadable { what: format!("`{text}` in `{column}`") })
}

/// Runs (y, x, length) as little-endian u32, twelve bytes each.
fn runs_to_bytes(runs: &[[u32; 3]]) -> Vec<u8> {
    runs.iter().flatten().flat_map(|number| number.to_le_bytes()).collect()
}

fn runs_from_bytes(bytes: &[u8]) -> Vec<[u32; 3]> {
    let number = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    bytes.chunks_exact(12).map(|run| [number(run), number(&run[4..]), number(&run[8..])]).collect()
}
