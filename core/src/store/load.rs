//! An inspection back from its rows, equal to what `save` wrote.

use rusqlite::{Connection, Row};
use serde::de::DeserializeOwned;

use super::StoreError;
use crate::{
    ids::ImageId,
    report::{
        Defect, DefectKind, Feature, Histogram, Inspection, Outcome, Outline, Part, Quality, Severity, Timings,
        Verdict, ZoneName, ZoneVerdict, Zones,
    },
};

/// Reads a successful inspection. `None` for a failed or unknown one.
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

pub(super) fn load_defects(connection: &Connection, id: i64) -> Result<Vec<Defect>, StoreError> {
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

fn parsed<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<T, StoreError> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| StoreError::Unreadable { what: format!("`{text}` in `{column}`") })
}

fn word<T>(row: &Row<'_>, column: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| StoreError::Unreadable { what: format!("`{text}` in `{column}`") })
}

/// A mask as it is stored: (y, x, length) of each run.
pub(crate) fn runs_from_bytes(bytes: &[u8]) -> Vec<[u32; 3]> {
    let number = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    bytes.chunks_exact(12).map(|run| [number(run), number(&run[4..]), number(&run[8..])]).collect()
}
