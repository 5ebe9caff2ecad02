//! Pages of captures for a table of any length.

use std::fmt::Write as _;

use rusqlite::{Row, ToSql, params_from_iter};

use super::{
    Reader, StoreError,
    reader::{CaptureQuery, CaptureRow, image_from, limit_of, path_from, state_from},
};
use crate::{
    ids::CaptureId,
    report::{CaptureState, Failure, Outcome},
};

/// A capture with what is known of its content. `CROSS JOIN` keeps captures outermost, in the order of the page.
pub(super) const COLUMNS: &str = "
    SELECT c.capture_id, s.name, c.path, c.state, c.image_id, c.duplicate_of, c.replaced_by, c.size, c.tags, c.seen_at,
           c.done_at, c.failure_stage, c.failure_plugin, c.failure_message, c.failure_transient,
           i.has_defect, i.verdict, n.defects, i.incomplete,
           n.ms_decode + n.ms_segment + n.ms_detect + n.ms_measure + n.ms_grade + n.ms_artefacts
    FROM captures c CROSS JOIN sources s ON s.source_id = c.source_id
    LEFT JOIN images i ON i.image_id = c.image_id
    LEFT JOIN inspections n ON n.inspection_id = i.inspection_id";

/// The same, beginning at the images: few captures may have the label that is looked for.
const BY_IMAGE: &str = "FROM images i CROSS JOIN captures c ON c.capture_id = i.capture_id
    CROSS JOIN sources s ON s.source_id = c.source_id
    LEFT JOIN inspections n ON n.inspection_id = i.inspection_id";

impl Reader {
    /// One page. A label or verdict is looked for among the images, so it finds the one capture that stands for each.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn captures_page(&self, query: &CaptureQuery) -> Result<Vec<CaptureRow>, StoreError> {
        // A page for each state, merged: one question for several would sort every row that they have.
        let states: Vec<_> = match query.states.as_slice() {
            [] => vec![None],
            states => states.iter().copied().map(Some).collect(),
        };
        let mut page = Vec::new();
        for state in &states {
            let (sql, values) = compose(query, *state);
            let mut select = self.connection().prepare_cached(&sql)?;
            for row in select.query_map(params_from_iter(values), capture_row)? {
                page.push(row?);
            }
        }
        if states.len() > 1 {
            page.sort_by_key(|row| if query.oldest_first { row.capture.0 } else { -row.capture.0 });
            page.dedup_by_key(|row| row.capture);
            page.truncate(query.limit);
        }
        Ok(page)
    }
}

fn compose(query: &CaptureQuery, state: Option<CaptureState>) -> (String, Vec<Box<dyn ToSql>>) {
    let by_image = query.has_defect.is_some() || query.verdict.is_some();
    let (mut sql, key) = if by_image {
        (COLUMNS.split("FROM").next().unwrap_or_default().to_owned() + BY_IMAGE, "i.capture_id")
    } else {
        (COLUMNS.to_owned(), "c.capture_id")
    };
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    let mut terms: Vec<String> = Vec::new();
    let mut ask = |term: &str, value: Box<dyn ToSql>| {
        values.push(value);
        terms.push(format!("{term} ?{}", values.len()));
    };
    if let Some(after) = query.after {
        ask(&format!("{key} {}", if query.oldest_first { ">" } else { "<" }), Box::new(after.0));
    }
    if let Some(label) = query.has_defect {
        ask("i.has_defect IS", Box::new(label));
    }
    if let Some(verdict) = query.verdict {
        ask("i.verdict =", Box::new(verdict.as_str()));
    }
    if let Some(source) = &query.source {
        ask("s.name =", Box::new(source.clone()));
    }
    if let Some(state) = state {
        ask("c.state =", Box::new(state.as_str()));
    }
    if let Some(text) = &query.text {
        ask("c.path LIKE", Box::new(pattern(text)));
        if let Some(term) = terms.last_mut() {
            term.push_str(" ESCAPE '\\'");
        }
    }
    if !terms.is_empty() {
        let _ = write!(sql, " WHERE {}", terms.join(" AND "));
    }
    let direction = if query.oldest_first { "ASC" } else { "DESC" };
    let _ = write!(sql, " ORDER BY {key} {direction} LIMIT {}", limit_of(query.limit));
    (sql, values)
}

/// The text anywhere, its own wildcards taken literally.
fn pattern(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|char| matches!(char, '%' | '_' | '\\').then_some('\\').into_iter().chain([char]))
        .collect();
    format!("%{escaped}%")
}

pub(super) fn capture_row(row: &Row<'_>) -> Result<CaptureRow, rusqlite::Error> {
    let state = state_from(row, 3)?;
    let message: Option<String> = row.get(13)?;
    let failure = message.map(|message| {
        Ok::<_, rusqlite::Error>(Failure {
            stage: row.get::<_, Option<String>>(11)?.unwrap_or_default(),
            plugin: row.get(12)?,
            message,
            transient: row.get::<_, Option<bool>>(14)?.unwrap_or(false),
        })
    });
    let inspected = !matches!(state, CaptureState::Ignored);
    Ok(CaptureRow {
        capture: CaptureId(row.get(0)?),
        source: row.get(1)?,
        path: path_from(row, 2)?,
        state,
        image: image_from(row, 4)?,
        duplicate_of: row.get::<_, Option<i64>>(5)?.map(CaptureId),
        replaced_by: row.get::<_, Option<i64>>(6)?.map(CaptureId),
        size: row.get::<_, i64>(7)?.unsigned_abs(),
        tags: serde_json::from_str(row.get_ref(8)?.as_str()?).unwrap_or_default(),
        seen_at: row.get(9)?,
        done_at: row.get(10)?,
        failure: failure.transpose()?,
        has_defect: if inspected { row.get(15)? } else { None },
        verdict: row.get_ref(16)?.as_str_or_null()?.and_then(Outcome::parse),
        defects: row.get(17)?,
        incomplete: row.get::<_, Option<bool>>(18)?.unwrap_or(false),
        ms: row.get(19)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema;

    /// What SQLite says it will do for this page.
    fn plan(query: &CaptureQuery) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.sqlite");
        let mut connection = rusqlite::Connection::open(&path).unwrap();
        schema::migrate(&mut connection, &path).unwrap();
        let (sql, values) = compose(query, query.states.first().copied());
        let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let rows = explain.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
        rows.collect::<Result<Vec<_>, _>>().unwrap().join("\n")
    }

    #[test]
    fn no_page_sorts_or_reads_more_than_it_shows() {
        let page = CaptureQuery { after: Some(CaptureId(1_000_000)), limit: 50, ..CaptureQuery::default() };
        let queries = [
            (page.clone(), "SEARCH c USING INTEGER PRIMARY KEY"),
            (
                CaptureQuery { states: vec![CaptureState::Failed], ..page.clone() },
                "SEARCH c USING INDEX captures_state",
            ),
            (CaptureQuery { has_defect: Some(Some(true)), ..page.clone() }, "SEARCH i USING INDEX images_label"),
            (CaptureQuery { has_defect: Some(None), ..page.clone() }, "SEARCH i USING INDEX images_label"),
            (CaptureQuery { verdict: Some(Outcome::Fail), ..page }, "SEARCH i USING INDEX images_verdict"),
        ];
        for (query, expected) in queries {
            let plan = plan(&query);
            assert!(plan.starts_with(expected) && !plan.contains("TEMP B-TREE"), "{query:?}:\n{plan}");
        }
    }
}
