//! Where to begin: the indexes that can find what one word of a filter asks for.

use rusqlite::types::Value;

use super::{
    Statement,
    condition::{Condition, among, column, image_range, label, like, rank, second, sign, text},
};
use crate::filter::{Compare, DefectTest, Filter, Pattern, Test};

/// Trigrams of a text that are looked up; more make the rest no rarer.
const TRIGRAMS: usize = 12;

/// An index that finds every row of which one word is true, and perhaps others.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Driver {
    /// Gives `capture_id`s.
    pub ids: Statement,
    /// Has as many rows or more, and costs less.
    pub probe: Statement,
    /// The column of `listing` that equals this value, if that is all; its index goes on in the order of time.
    pub column: Option<(&'static str, Value)>,
    /// It finds no others.
    pub exact: bool,
}

/// Those of a filter's words that an index can find.
pub(super) fn drivers(filter: &Filter) -> Vec<Driver> {
    let mut found: Vec<Driver> =
        filter.terms().iter().filter(|term| !term.negated).filter_map(|term| of_test(&term.test)).collect();
    found.extend(of_defects(filter));
    found
}

fn of_test(test: &Test) -> Option<Driver> {
    match test {
        Test::State(states) => Some(equal("state", states.iter().map(|state| text(state.as_str())).collect())),
        Test::Label(labels) => Some(equal("label", labels.iter().copied().map(label).collect())),
        Test::Verdict(verdicts) => Some(equal(
            "verdict",
            verdicts.iter().map(|verdict| text(verdict.map_or("", |verdict| verdict.as_str()))).collect(),
        )),
        Test::Split(splits) => {
            Some(equal("split", splits.iter().map(|split| text(split.unwrap_or_default())).collect()))
        }
        Test::Source(patterns) => plain("source", patterns),
        Test::Job(patterns) => plain("job", patterns),
        Test::Port(patterns) => plain("port", patterns),
        Test::Side(patterns) => plain("side", patterns),
        Test::Name(patterns) => trigrams(patterns),
        Test::Image(beginnings) => {
            let sql = "SELECT capture_id FROM captures WHERE image_id >= ? AND image_id < ?";
            let [beginning] = beginnings.as_slice() else { return None };
            Some(simple(sql.to_owned(), image_range(beginning)))
        }
        Test::Incomplete(true) => Some(marked("incomplete")),
        Test::Reviewed(true) => Some(marked("reviewed")),
        Test::Seen(compare, at) => Some(range("seen", "seen_at", *compare, Value::Text(second(*at)))),
        Test::Figure(figure, compare @ (Compare::More | Compare::AtLeast | Compare::Equal), number)
            if *number >= 0.0 =>
        {
            Some(range(column(*figure), column(*figure), *compare, Value::Real(*number)))
        }
        Test::Defect(DefectTest::Confidence(compare @ (Compare::More | Compare::AtLeast), number)) => {
            Some(range("confidence", "confidence", *compare, Value::Real(*number)))
        }
        Test::Defect(DefectTest::Severity(compare @ (Compare::More | Compare::AtLeast), severity)) => {
            Some(range("severity", "severity", *compare, Value::Integer(rank(*severity))))
        }
        Test::Defect(DefectTest::Plugin(patterns)) => plugin(patterns),
        _ => None,
    }
}

/// What a path is asked for, found by reading every path once: in an index, which holds them densely. Not among the drivers
/// that are counted first, for counting is what costs.
pub(super) fn of_path(filter: &Filter) -> Option<Statement> {
    let patterns = filter.terms().iter().find_map(|term| match &term.test {
        Test::Path(patterns) if !term.negated => Some(patterns),
        _ => None,
    })?;
    let Condition { sql, values } = like("CAST(path AS TEXT)", patterns);
    // The index has no rows of files that were rewritten since; those are few and have an index of their own.
    let sql = format!(
        "SELECT capture_id FROM captures INDEXED BY captures_live_path WHERE state <> 'replaced' AND {sql}
         UNION ALL SELECT capture_id FROM captures INDEXED BY captures_state WHERE state = 'replaced' AND {sql}"
    );
    Some(Statement { sql, values: values.iter().chain(&values).cloned().collect() })
}

/// These captures.
pub(super) fn these(captures: &[i64]) -> Driver {
    let list: Vec<String> = captures.iter().map(i64::to_string).collect();
    let list = Value::Text(format!("[{}]", list.join(",")));
    simple("SELECT value AS capture_id FROM json_each(?)".to_owned(), vec![list])
}

fn simple(sql: String, values: Vec<Value>) -> Driver {
    let ids = Statement { sql, values };
    Driver { probe: ids.clone(), ids, column: None, exact: false }
}

fn equal(column: &'static str, values: Vec<Value>) -> Driver {
    let Condition { sql, values } = among(column, values.into_iter());
    let only = if let [value] = values.as_slice() { Some((column, value.clone())) } else { None };
    let sql = format!("SELECT capture_id FROM listing INDEXED BY listing_{column} WHERE {sql}");
    Driver { column: only, exact: true, ..simple(sql, values) }
}

/// Texts without wildcards.
fn plain(column: &'static str, patterns: &[Pattern]) -> Option<Driver> {
    let values: Option<Vec<Value>> = patterns.iter().map(|pattern| pattern.plain().map(text)).collect();
    values.map(|values| equal(column, values))
}

fn range(index: &str, column: &str, compare: Compare, value: Value) -> Driver {
    let sql = format!("SELECT capture_id FROM listing INDEXED BY listing_{index} WHERE {column} {} ?", sign(compare));
    simple(sql, vec![value])
}

fn marked(column: &str) -> Driver {
    simple(format!("SELECT capture_id FROM listing INDEXED BY listing_{column} WHERE {column}"), Vec::new())
}

/// Names that hold the trigrams of one of the patterns.
fn trigrams(patterns: &[Pattern]) -> Option<Driver> {
    let quoted = |trigram: String| format!("\"{}\"", trigram.replace('"', "\"\""));
    let mut asked = Vec::new();
    for pattern in patterns {
        let all: Vec<String> = pattern.trigrams(TRIGRAMS).into_iter().map(quoted).collect();
        if all.is_empty() {
            return None;
        }
        asked.push(format!("({})", all.join(" AND ")));
    }
    let sql = "SELECT rowid AS capture_id FROM listing_names WHERE listing_names MATCH ?";
    Some(simple(sql.to_owned(), vec![Value::Text(asked.join(" OR "))]))
}

/// Types and zones of one defect.
fn of_defects(filter: &Filter) -> Option<Driver> {
    let (mut kinds, mut zones) = (None, None);
    for term in filter.terms().iter().filter(|term| !term.negated) {
        match &term.test {
            Test::Defect(DefectTest::Kind(list)) => kinds = Some(list),
            Test::Defect(DefectTest::Zone(list)) if list.iter().all(Option::is_some) => zones = Some(list),
            _ => {}
        }
    }
    let mut parts = Vec::new();
    if let Some(kinds) = kinds {
        parts.push(among("dtype", kinds.iter().map(|kind| text(kind.as_str()))));
    }
    if let Some(zones) = zones {
        parts.push(among("zone", zones.iter().flatten().map(|zone| text(zone.as_str()))));
    }
    let index = if kinds.is_some() { "inspection_defects_kind" } else { "inspection_defects_zone" };
    let wanted = Condition::all(parts);
    (kinds.is_some() || zones.is_some()).then(|| through_inspections("inspection_defects", index, wanted))
}

/// Defects that this plug-in found, or a part of.
fn plugin(patterns: &[Pattern]) -> Option<Driver> {
    let [pattern] = patterns else { return None };
    let name = pattern.plain()?;
    // The version follows after a blank; `!` is the next character after it. LIKE takes no account of the case, this does.
    if name.chars().any(|character| character.is_ascii_uppercase()) {
        return None;
    }
    let wanted = Condition::new(
        "plugin >= ? AND plugin < ?",
        vec![Value::Text(format!("{name} ")), Value::Text(format!("{name}!"))],
    );
    let found = through_inspections("inspection_defects", "inspection_defects_plugin", wanted.clone());
    let parts = through_inspections("inspection_defect_parts", "inspection_defect_parts_plugin", wanted);
    let both = |one: Statement, other: Statement| Statement {
        sql: format!("{} UNION ALL {}", one.sql, other.sql),
        values: one.values.into_iter().chain(other.values).collect(),
    };
    Some(Driver { ids: both(found.ids, parts.ids), probe: both(found.probe, parts.probe), column: None, exact: false })
}

/// Captures whose current inspection has such a row.
fn through_inspections(table: &str, index: &str, wanted: Condition) -> Driver {
    let probe = format!("SELECT inspection_id FROM {table} INDEXED BY {index} WHERE {}", wanted.sql);
    let ids = format!(
        "SELECT x.capture_id FROM ({probe}) d CROSS JOIN listing x INDEXED BY listing_inspection
             ON x.inspection_id = d.inspection_id"
    );
    Driver {
        ids: Statement { sql: ids, values: wanted.values.clone() },
        probe: Statement { sql: probe, values: wanted.values },
        column: None,
        exact: false,
    }
}
