//! Past runs, one a row.

use ratatui::{
    style::Style,
    text::{Line, Span},
};

use super::Training;
use crate::workbench::{curve::figure, plain::fit, runs::Run, screens::chosen, theme::Theme};

const NAME: usize = 24;
const STATE: usize = 13;
const WHAT: usize = 16;
const BEST: usize = 22;

/// The head and the rows that fit.
pub fn lines(training: &Training, rows: usize, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let ellipsis = theme.signs.ellipsis;
    let said = width.saturating_sub(NAME + STATE + WHAT + BEST + 6);
    let head = [("run", NAME), ("state", STATE), ("learns", WHAT), ("best", BEST), ("tags, notes", said)];
    let head: String = head.iter().map(|(word, width)| format!("{} ", fit(word, *width, ellipsis))).collect();
    let mut lines = vec![Line::styled(format!("  {head}"), theme.dim())];
    let shown = training.runs.iter().enumerate().skip(training.top).take(rows);
    for (place, run) in shown {
        let letter = training.marked.iter().position(|marked| *marked == run.name).map_or(" ", letter);
        let (style, sign) = state(run, theme);
        let words = [run.tags.as_str(), run.notes.as_str()];
        let words: Vec<&str> = words.into_iter().filter(|text| !text.is_empty()).collect();
        let line = Line::from(vec![
            Span::styled(format!("{letter} "), theme.key()),
            Span::raw(format!("{} ", fit(&run.name, NAME, ellipsis))),
            Span::styled(format!("{} ", fit(&format!("{sign} {}", run.state), STATE, ellipsis)), style),
            Span::raw(format!("{} ", fit(&format!("{} {}", run.task, run.network), WHAT, ellipsis))),
            Span::raw(format!("{} ", fit(&best(training, run), BEST, ellipsis))),
            Span::styled(fit(&words.join("; "), said, ellipsis), theme.dim()),
        ]);
        lines.push(if place == training.cursor { chosen(line, theme) } else { line });
    }
    lines
}

/// The letter of a marked run, in the table and at the end of its curve.
pub fn letter(place: usize) -> &'static str {
    ["a", "b", "c", "d", "e", "f"].get(place).copied().unwrap_or("?")
}

/// A run's state by sign and colour.
pub fn state(run: &Run, theme: &Theme) -> (Style, &'static str) {
    match run.state.as_str() {
        "finished" | "early" => (theme.good(), theme.signs.pass),
        "failed" => (theme.bad(), theme.signs.fail),
        "running" => (theme.key(), theme.signs.cursor),
        _ => (theme.warn(), theme.signs.warn),
    }
}

/// The figure by which a run is worth something, and the epoch that has it.
fn best(training: &Training, run: &Run) -> String {
    let Some(epoch) = training.best_epoch(run) else { return String::new() };
    let loaded = || training.epochs_of(&run.name).iter().find(|it| it.epoch == epoch).map(|it| &it.figures);
    let figures = if run.best.is_empty() { loaded() } else { Some(&run.best) };
    let name = ["dice", "auc", "f1", "accuracy"].into_iter().find_map(|name| {
        let value = figures?.get(&format!("val_{name}"))?;
        Some(format!("{name} {}, ", figure(*value)))
    });
    let planned = match run.epochs() {
        0 => String::new(),
        epochs => format!(" of {epochs}"),
    };
    format!("{}{epoch}{planned}", name.unwrap_or_default())
}
