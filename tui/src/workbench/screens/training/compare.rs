//! Runs side by side: figures of their best epochs, and the settings in which they differ.

use std::collections::{BTreeMap, BTreeSet};

use ratatui::text::{Line, Span};

use super::{Training, table::letter};
use crate::workbench::{curve::figure, plain::fit, runs::Run, theme::Theme};

const NAME: usize = 16;
const FIGURES: [&str; 12] = [
    "train_loss",
    "val_loss",
    "val_auc",
    "val_f1",
    "val_accuracy",
    "val_precision",
    "val_recall",
    "val_average_precision",
    "val_dice",
    "val_iou",
    "images_per_second",
    "seconds",
];

/// Settings that others hang on.
const FIRST: [&str; 3] = ["model", "network", "task"];

/// The table, as many columns as there are runs.
pub fn lines(training: &Training, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let runs = training.shown();
    if runs.is_empty() {
        return Vec::new();
    }
    let ellipsis = theme.signs.ellipsis;
    let column = (width.saturating_sub(NAME + 1) / runs.len()).clamp(8, 28);
    let row = |name: &str, cells: &[String]| {
        let cells: String = cells.iter().map(|cell| fit(cell, column, ellipsis)).collect();
        Line::from(vec![Span::styled(fit(name, NAME, ellipsis), theme.dim()), Span::raw(format!(" {cells}"))])
    };
    let heads: Vec<String> = runs
        .iter()
        .enumerate()
        .map(|(place, run)| {
            let sign = if training.marked.is_empty() { "" } else { letter(place) };
            format!("{sign} {}", run.name).trim().to_owned()
        })
        .collect();
    let mut lines = vec![row("run", &heads).patch_style(theme.title())];
    lines.push(row("state", &runs.iter().map(|run| run.state.clone()).collect::<Vec<_>>()));
    let best = |run: &&Run| training.telling(run).map_or_else(String::new, |epoch| format!("{}", epoch.epoch));
    lines.push(row("epoch", &runs.iter().map(best).collect::<Vec<_>>()));
    for name in FIGURES {
        let cells: Vec<Option<f64>> =
            runs.iter().map(|run| training.telling(run)?.figures.get(name).copied()).collect();
        if cells.iter().any(Option::is_some) {
            let cells: Vec<String> = cells.iter().map(|cell| cell.map_or_else(String::new, figure)).collect();
            lines.push(row(name, &cells));
        }
    }
    let pictures = |run: &&Run| {
        let of = |split: &str| -> u64 {
            run.samples.iter().filter(|chosen| chosen.split == split).map(|chosen| chosen.count).sum()
        };
        format!("{} train, {} val", of("train"), of("val"))
    };
    lines.push(row("pictures", &runs.iter().map(pictures).collect::<Vec<_>>()));
    let settings: Vec<BTreeMap<String, String>> = runs.iter().map(|run| settings(run)).collect();
    // What is learned comes first: the rest hangs on it, and a small terminal may not have room for all.
    let names: BTreeSet<(bool, &String)> =
        settings.iter().flat_map(BTreeMap::keys).map(|name| (!FIRST.contains(&name.as_str()), name)).collect();
    for (_, name) in names {
        let cells: Vec<String> =
            settings.iter().map(|run| run.get(name).cloned().unwrap_or_else(|| "-".into())).collect();
        // Beside each other, only what differs says something.
        if runs.len() == 1 || cells.iter().any(|cell| *cell != cells[0]) {
            lines.push(row(name, &cells));
        }
    }
    lines
}

/// A run's settings as they are typed.
fn settings(run: &Run) -> BTreeMap<String, String> {
    let Some(plan) = &run.plan else { return BTreeMap::new() };
    let mut all: BTreeMap<String, String> =
        plan.parameters.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
    all.insert("size".into(), plan.input.side.to_string());
    all.insert("crop".into(), format!("{:?}", plan.input.crop).to_lowercase());
    all.insert("levels".into(), plan.input.levels.as_str().to_owned());
    all.insert("model".into(), plan.model.clone());
    all
}
