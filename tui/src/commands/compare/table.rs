//! A comparison as a table for a person. Only words and columns; every number comes from core.

use ferrule_core::{
    compare::{Changed, DefectCounts, Report, Shift},
    report::{Outcome, Timings},
    words::counted,
};

/// All lines.
pub fn lines(report: &Report) -> Vec<String> {
    let mut lines = vec![
        format!("A {} (pipeline {})", report.a.name, report.a.pipeline),
        format!("B {} (pipeline {})", report.b.name, report.b.pipeline),
    ];
    if report.a.pipeline == report.b.pipeline {
        lines.push("both are the same pipeline".into());
    }
    lines.extend(plugins(report));
    lines.push(format!("{}, {} differ", counted(report.pictures, "picture"), report.differing));
    lines.extend(defects(report));
    lines.extend(labels(report));
    lines.extend([
        String::new(),
        "Outlines       in both  only A  only B  moved: median px    95 % px  at most px".into(),
        shift("cladding", &report.outlines.cladding),
        shift("core", &report.outlines.core),
    ]);
    lines.extend(times(report));
    lines.extend(most(report));
    if !(report.failed.is_empty() && report.remarks.is_empty()) {
        lines.extend([String::new(), "Not as it should be".into()]);
        lines.extend(report.failed.iter().map(|failed| {
            let said = |side: &str, error: &Option<String>| error.as_ref().map(|error| format!("{side}: {error}"));
            let both: Vec<String> = [said("A", &failed.a), said("B", &failed.b)].into_iter().flatten().collect();
            format!("  {}: {}", failed.file, both.join("; "))
        }));
        lines.extend(report.remarks.iter().map(|remark| format!("  {remark}")));
    }
    lines
}

/// Only what is not in both.
fn plugins(report: &Report) -> Vec<String> {
    let only = |side: &str, mine: &[String], other: &[String]| -> Vec<String> {
        mine.iter().filter(|plugin| !other.contains(plugin)).map(|plugin| format!("  only {side}: {plugin}")).collect()
    };
    let (a, b) = (&report.a.plugins, &report.b.plugins);
    [only("A", a, b), only("B", b, a)].concat()
}

fn defects(report: &Report) -> Vec<String> {
    let row = |name: &str, counts: &DefectCounts| {
        let DefectCounts { a, b, same, changed, gone, new } = counts;
        format!("  {name:<12} {a:>7} {b:>7} {same:>7} {changed:>8} {gone:>7} {new:>7}")
    };
    let mut lines = vec![
        String::new(),
        "Defects              A       B    same  changed    gone     new".into(),
        row("all", &report.defects),
    ];
    lines.extend(report.by_type.iter().map(|kind| row(kind.kind.as_str(), &kind.counts)));
    if report.fragments > 0 {
        lines.push(format!("  and {} fragments of defects that are in both", report.fragments));
    }
    if report.defects.changed > 0 {
        let changes = &report.changes;
        lines.push(format!(
            "  changed: type {}, severity {}, confidence {}, zone {}",
            changes.kind, changes.severity, changes.confidence, changes.zone
        ));
        let types: Vec<String> = report
            .type_changes
            .iter()
            .map(|change| format!("{} {} > {}", change.defects, change.a, change.b))
            .collect();
        lines.extend((!types.is_empty()).then(|| format!("    {}", types.join(", "))));
    }
    lines
}

fn labels(report: &Report) -> Vec<String> {
    let label = |label: Option<bool>| match label {
        Some(true) => "defect",
        Some(false) => "clean",
        None => "no answer",
    };
    let mut lines = vec![String::new(), "Pictures by what A > B call them".into()];
    lines.extend(changes(&report.has_defect, label));
    if report.verdict.iter().any(|row| row.a != Outcome::NotGraded || row.b != Outcome::NotGraded) {
        lines.push("Verdicts".into());
        lines.extend(changes(&report.verdict, |outcome| outcome.as_str()));
    }
    lines
}

fn changes<T: Copy + PartialEq>(rows: &[Changed<T>], word: impl Fn(T) -> &'static str) -> Vec<String> {
    let line = |row: &Changed<T>| {
        let words = format!("{} > {}", word(row.a), word(row.b));
        format!("  {words:<24} {:>7}{}", row.pictures, if row.a == row.b { "" } else { "  changed" })
    };
    rows.iter().map(line).collect()
}

fn shift(name: &str, shift: &Shift) -> String {
    let px = |value: Option<f64>| value.map_or_else(|| "-".into(), |px| format!("{px:.2}"));
    format!(
        "  {name:<12} {:>7} {:>7} {:>7} {:>17} {:>10} {:>11}",
        shift.both,
        shift.only_a,
        shift.only_b,
        px(shift.median_px),
        px(shift.p95_px),
        px(shift.largest_px)
    )
}

fn times(report: &Report) -> Vec<String> {
    let row = |name: &str, ms: &Timings| {
        let Timings { decode, segment, detect, measure, grade, .. } = ms;
        format!(
            "  {name:<12} {decode:>7.1} {segment:>8.1} {detect:>7.1} {measure:>8.1} {grade:>7.1} {:>8.1}",
            ms.total()
        )
    };
    vec![
        String::new(),
        "ms a picture    decode  segment  detect  measure   grade    total".into(),
        row("A", &report.ms.a),
        row("B", &report.ms.b),
    ]
}

fn most(report: &Report) -> Vec<String> {
    if report.most.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), "Differ most                            gone    new  changed  called".into()];
    let label = |label: Option<bool>| match label {
        Some(true) => "defect",
        Some(false) => "clean",
        None => "no answer",
    };
    for picture in &report.most {
        let [a, b] = picture.has_defect;
        let called = if a == b { String::new() } else { format!("{} > {}", label(a), label(b)) };
        let line =
            format!("  {:<36} {:>5} {:>6} {:>8}  {called}", picture.file, picture.gone, picture.new, picture.changed);
        lines.push(line.trim_end().to_owned());
    }
    lines
}
