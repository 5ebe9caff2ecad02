//! A filter as SQL over a row `l` of `listing`. Every value is a parameter; nothing that a person typed is ever part of the SQL.

use rusqlite::types::Value;

use crate::{
    filter::{Compare, DefectTest, Figure, Filter, Pattern, Test},
    report::{DefectKind, Severity, ZoneName},
};

/// Something that is true or false of a row, with its values in the order of its question marks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    pub sql: String,
    pub values: Vec<Value>,
}

/// Nothing is asked.
impl Default for Condition {
    fn default() -> Self {
        Self { sql: "1".into(), values: Vec::new() }
    }
}

impl Condition {
    pub(super) fn new(sql: impl Into<String>, values: Vec<Value>) -> Self {
        Self { sql: sql.into(), values }
    }

    fn joined(parts: Vec<Self>, word: &str) -> Self {
        let sql: Vec<_> = parts.iter().map(|part| format!("({})", part.sql)).collect();
        Self { sql: format!("({})", sql.join(word)), values: parts.into_iter().flat_map(|part| part.values).collect() }
    }

    pub(super) fn all(parts: Vec<Self>) -> Self {
        if parts.is_empty() { Self::default() } else { Self::joined(parts, " AND ") }
    }

    pub(super) fn any(parts: Vec<Self>) -> Self {
        if parts.is_empty() { Self::new("0", Vec::new()) } else { Self::joined(parts, " OR ") }
    }

    fn not(self) -> Self {
        Self { sql: format!("NOT ({})", self.sql), ..self }
    }
}

/// All that a filter asks.
pub(super) fn conditions(filter: &Filter) -> Condition {
    let mut parts = Vec::new();
    let mut of_defect = Vec::new();
    for term in filter.terms() {
        match &term.test {
            Test::Defect(test) if !term.negated => of_defect.push(test),
            Test::Defect(test) => parts.push(one_defect(&[test]).not()),
            test if term.negated => parts.push(condition(test).not()),
            test => parts.push(condition(test)),
        }
    }
    if !of_defect.is_empty() {
        parts.push(one_defect(&of_defect));
    }
    Condition::all(parts)
}

fn condition(test: &Test) -> Condition {
    match test {
        Test::Name(patterns) => like("l.name", patterns),
        Test::Source(patterns) => like("l.source", patterns),
        Test::Job(patterns) => like("l.job", patterns),
        Test::Port(patterns) => like("l.port", patterns),
        Test::Side(patterns) => like("l.side", patterns),
        Test::Path(patterns) => {
            like("(SELECT CAST(c.path AS TEXT) FROM captures c WHERE c.capture_id = l.capture_id)", patterns)
        }
        Test::State(states) => among("l.state", states.iter().map(|state| text(state.as_str()))),
        Test::Label(labels) => among("l.label", labels.iter().copied().map(label)),
        Test::Verdict(verdicts) => {
            among("l.verdict", verdicts.iter().map(|verdict| text(verdict.map_or("", |verdict| verdict.as_str()))))
        }
        Test::Split(splits) => among("l.split", splits.iter().map(|split| text(split.unwrap_or_default()))),
        Test::Image(beginnings) => {
            let begins = |beginning: &String| {
                let sql = "l.capture_id IN (SELECT capture_id FROM captures WHERE image_id >= ? AND image_id < ?)";
                Condition::new(sql, image_range(beginning))
            };
            Condition::any(beginnings.iter().map(begins).collect())
        }
        Test::Incomplete(yes) => flag("l.incomplete", *yes),
        Test::Reviewed(yes) => flag("l.reviewed", *yes),
        Test::Seen(compare, at) => {
            Condition::new(format!("l.seen_at {} ?", sign(*compare)), vec![Value::Text(second(*at))])
        }
        Test::Figure(figure, compare, number) => {
            let column = column(*figure);
            Condition::new(format!("l.{column} >= 0 AND l.{column} {} ?", sign(*compare)), vec![Value::Real(*number)])
        }
        Test::Defect(test) => one_defect(&[test]),
    }
}

/// There is a defect of which all this is true.
fn one_defect(tests: &[&DefectTest]) -> Condition {
    let (mut bits, mut parts, mut exact) = (None, Vec::new(), Vec::new());
    for test in tests {
        match test {
            DefectTest::Kind(kinds) => narrow(&mut bits, |kind, _| kind.is_some_and(|kind| kinds.contains(&kind))),
            DefectTest::Zone(zones) => narrow(&mut bits, |_, zone| zones.contains(&zone)),
            other => exact.push(*other),
        }
    }
    if let Some(bits) = bits {
        parts.push(Condition::new("l.found & ? <> 0", vec![Value::Integer(bits)]));
    }
    // What the list itself says of the strongest and of the worst defect; enough where nothing else is asked.
    for test in &exact {
        match test {
            DefectTest::Confidence(compare @ (Compare::More | Compare::AtLeast), number) => {
                parts.push(Condition::new(
                    format!("l.confidence >= 0 AND l.confidence {} ?", sign(*compare)),
                    vec![Value::Real(*number)],
                ));
            }
            DefectTest::Severity(compare @ (Compare::More | Compare::AtLeast), severity) => parts.push(Condition::new(
                format!("l.severity {} ?", sign(*compare)),
                vec![Value::Integer(rank(*severity))],
            )),
            _ => {}
        }
    }
    let says_it_all = exact.len() == parts.len() && tests.len() == 1;
    if !exact.is_empty() && !says_it_all {
        let all = Condition::all(tests.iter().map(|test| of_defect(test)).collect());
        let sql = format!(
            "EXISTS (SELECT 1 FROM inspection_defects d WHERE d.inspection_id = l.inspection_id AND {})",
            all.sql
        );
        parts.push(Condition::new(sql, all.values));
    }
    Condition::all(parts)
}

/// Asked of a row `d` of `inspection_defects`.
fn of_defect(test: &DefectTest) -> Condition {
    match test {
        DefectTest::Kind(kinds) => among("d.dtype", kinds.iter().map(|kind| text(kind.as_str()))),
        DefectTest::Zone(zones) => {
            let zone = |zone: &Option<ZoneName>| text(zone.map_or("", |zone| zone.as_str()));
            among("coalesce(d.zone, '')", zones.iter().map(zone))
        }
        DefectTest::Severity(compare, severity) => {
            let fits = |other: &&Severity| holds(*compare, rank(**other), rank(*severity));
            among("d.severity", Severity::ALL.iter().filter(fits).map(|severity| text(severity.as_str())))
        }
        DefectTest::Confidence(compare, number) => {
            Condition::new(format!("d.confidence {} ?", sign(*compare)), vec![Value::Real(*number)])
        }
        DefectTest::Plugin(patterns) => {
            let found = like(NAME_OF_FINDER, patterns);
            let parts = like(NAME_OF_PART, patterns);
            let sql = format!(
                "{} OR EXISTS (SELECT 1 FROM inspection_defect_parts p WHERE p.inspection_id = d.inspection_id
                     AND p.defect = d.place AND {})",
                found.sql, parts.sql
            );
            Condition::new(format!("({sql})"), found.values.into_iter().chain(parts.values).collect())
        }
    }
}

/// Rows name plug-ins with their version: `detect-region 1.2.0`.
const NAME_OF_FINDER: &str = "substr(d.plugin, 1, instr(d.plugin || ' ', ' ') - 1)";
const NAME_OF_PART: &str = "substr(p.plugin, 1, instr(p.plugin || ' ', ' ') - 1)";

/// Takes away the pairs of type and zone of which `keep` is false.
fn narrow(bits: &mut Option<i64>, keep: impl Fn(Option<DefectKind>, Option<ZoneName>) -> bool) {
    let kinds = DefectKind::ALL.iter().copied().map(Some).chain([None]);
    let mut kept = 0;
    for (index, kind) in kinds.enumerate() {
        for (place, zone) in [None].into_iter().chain(ZoneName::ALL.iter().copied().map(Some)).enumerate() {
            if keep(kind, zone) {
                kept |= 1 << (5 * index + place);
            }
        }
    }
    *bits = Some(bits.unwrap_or(kept) & kept);
}

pub(super) fn like(column: &str, patterns: &[Pattern]) -> Condition {
    let one =
        |pattern: &Pattern| Condition::new(format!("{column} LIKE ? ESCAPE '\\'"), vec![Value::Text(pattern.like())]);
    Condition::any(patterns.iter().map(one).collect())
}

pub(super) fn among(column: &str, values: impl Iterator<Item = Value>) -> Condition {
    let values: Vec<Value> = values.collect();
    match values.len() {
        0 => Condition::new("0", values),
        1 => Condition::new(format!("{column} = ?"), values),
        count => Condition::new(format!("{column} IN ({})", vec!["?"; count].join(", ")), values),
    }
}

fn flag(column: &str, yes: bool) -> Condition {
    Condition::new(format!("{column} = ?"), vec![Value::Integer(yes.into())])
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(super) fn label(label: Option<bool>) -> Value {
    Value::Integer(label.map_or(-1, i64::from))
}

/// Every id that begins so.
pub(super) fn image_range(beginning: &str) -> Vec<Value> {
    vec![Value::Text(beginning.to_owned()), Value::Text(format!("{beginning}g"))]
}

/// Times are compared as texts; without the `Z` a second comes before all its fractions.
pub(super) fn second(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

pub(super) const fn column(figure: Figure) -> &'static str {
    match figure {
        Figure::Defects => "defects",
        Figure::Quality => "quality",
        Figure::Milliseconds => "ms",
        Figure::Size => "size",
    }
}

pub(super) const fn sign(compare: Compare) -> &'static str {
    match compare {
        Compare::Less => "<",
        Compare::AtMost => "<=",
        Compare::Equal => "=",
        Compare::AtLeast => ">=",
        Compare::More => ">",
    }
}

pub(super) fn rank(severity: Severity) -> i64 {
    severity as i64
}

fn holds(compare: Compare, left: i64, right: i64) -> bool {
    match compare {
        Compare::Less => left < right,
        Compare::AtMost => left <= right,
        Compare::Equal => left == right,
        Compare::AtLeast => left >= right,
        Compare::More => left > right,
    }
}
