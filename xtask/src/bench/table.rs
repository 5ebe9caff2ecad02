//! The table of a bench: what was measured, and the text that shows it. Called by [`super`].

use std::{collections::BTreeMap, fmt::Write};

use serde_json::Value as Json;

/// Stages in the order of a picture's life; a peer may tell others, which come last.
const STAGES: [&str; 7] = ["decode", "segment", "detect", "measure", "grade", "artefacts", "mask"];

/// One turn of one program, in milliseconds a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Times {
    /// From the outside, everything included.
    pub whole: f64,
    /// Medians over the pictures of what the answers say.
    pub stages: BTreeMap<String, f64>,
}

impl Times {
    pub fn of(whole: f64, answers: &[Json]) -> Self {
        let mut told: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (stage, ms) in answers.iter().filter_map(|answer| answer["ms"].as_object()).flatten() {
            told.entry(stage.clone()).or_default().extend(ms.as_f64());
        }
        Self { whole, stages: told.into_iter().map(|(stage, mut ms)| (stage, median(&mut ms))).collect() }
    }
}

/// All turns of one program.
#[derive(Debug)]
pub struct Column {
    name: String,
    turns: Vec<Times>,
}

impl Column {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), turns: Vec::new() }
    }

    pub fn add(&mut self, times: Times) {
        self.turns.push(times);
    }

    fn whole(&self) -> f64 {
        median(&mut self.turns.iter().map(|turn| turn.whole).collect::<Vec<_>>())
    }

    fn stage(&self, stage: &str) -> Option<f64> {
        let mut ms: Vec<f64> = self.turns.iter().filter_map(|turn| turn.stages.get(stage).copied()).collect();
        (!ms.is_empty()).then(|| median(&mut ms))
    }
}

/// The ratios, then milliseconds a picture.
pub fn table(unit: &str, unit_ms: f64, ours: &Column, theirs: &Column) -> String {
    let mut text = String::new();
    let (our_whole, their_whole) = (ours.whole(), theirs.whole());
    let mut ratio = |what: String, over: f64| {
        let _ = writeln!(text, "{what:<40}{over:>10.2}");
    };
    ratio(format!("{} / {unit}", ours.name), our_whole / unit_ms);
    ratio(format!("{} / {}", theirs.name, ours.name), their_whole / our_whole);
    let width = theirs.name.len().max(10) + 2;
    let _ = writeln!(text, "\n{:<28}{:>12}{:>width$}", "milliseconds a picture", ours.name, theirs.name);
    let _ = writeln!(text, "{:<28}{our_whole:>12.2}{their_whole:>width$.2}", "file to answer and mask");
    let _ = writeln!(text, "{unit:<28}{unit_ms:>12.2}{unit_ms:>width$.2}");
    let others = ours.turns.iter().chain(&theirs.turns).flat_map(|turn| turn.stages.keys().map(String::as_str));
    let mut others: Vec<&str> = others.filter(|stage| !STAGES.contains(stage)).collect();
    others.sort_unstable();
    others.dedup();
    for stage in STAGES.into_iter().chain(others) {
        let (our_ms, their_ms) = (ours.stage(stage), theirs.stage(stage));
        if our_ms.is_some() || their_ms.is_some() {
            let shown = |ms: Option<f64>| ms.map_or("-".to_owned(), |ms| format!("{ms:.2}"));
            let _ = writeln!(text, "  {stage:<26}{:>12}{:>width$}", shown(our_ms), shown(their_ms));
        }
    }
    text
}

/// Reorders; 0 for nothing.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ratios_come_first_and_a_stage_that_one_does_not_tell_is_a_dash() {
        let answers = [json!({"ms": {"decode": 2.0, "detect": 3.0}}), json!({"ms": {"decode": 4.0, "detect": 5.0}})];
        let (mut ours, mut theirs) = (Column::new("ferrule"), Column::new("other"));
        for whole in [9.0, 8.0, 50.0] {
            ours.add(Times::of(whole, &answers));
            theirs.add(Times::of(4.0 * whole, &[json!({"path": "a"}), json!({"ms": {"lines": 1.5}})]));
        }
        let text = table("unit", 1.5, &ours, &theirs);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["ferrule", "/", "unit", "6.00"]);
        assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["other", "/", "ferrule", "4.00"]);
        let row = |name: &str| lines.iter().find(|line| line.trim_start().starts_with(name)).unwrap().to_string();
        assert!(row("file to answer").ends_with("36.00"), "{text}");
        assert_eq!(row("detect").split_whitespace().collect::<Vec<_>>(), ["detect", "4.00", "-"]);
        assert_eq!(row("lines").split_whitespace().collect::<Vec<_>>(), ["lines", "-", "1.50"]);
    }
}
