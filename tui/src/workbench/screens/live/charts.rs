//! Charts of the last captures: the share of defects with its limits, drift of what a microscope should keep the same, and the
//! gray levels of the capture that is shown. Made of characters in fixed places, so that a new capture changes few cells.

use ferrule_core::{
    control::{ShareChart, Subgroup, median, share_chart},
    report::Inspection,
    store::{Trend, TrendRow},
};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::Paragraph,
};

use crate::workbench::{
    curve::figure,
    layout,
    plain::fit,
    screens::{Look, middle, pane},
    text,
    theme::Theme,
};

/// Captures a point.
const GROUP: usize = 20;
/// Points.
const POINTS: usize = 25;
/// Captures that are read: the points, and those that do not make one yet.
pub const CAPTURES: usize = GROUP * (POINTS + 1);
/// Columns for a figure left of the chart.
const SCALE: usize = 6;

/// Its name, its unit, and how it is read.
type Figure = (&'static str, &'static str, fn(&TrendRow) -> Option<f64>);

/// What the last captures say.
#[derive(Debug, Default, PartialEq)]
pub struct Charts {
    shares: Option<ShareChart>,
    /// The last captures that do not make a point yet.
    forming: Subgroup,
    drifts: Vec<Drift>,
}

/// A figure that should stay what it is.
#[derive(Debug, PartialEq)]
struct Drift {
    name: &'static str,
    unit: &'static str,
    /// The oldest first.
    values: Vec<f64>,
    median: f64,
    /// The median of the last captures that make a point.
    latest: f64,
}

impl Charts {
    pub fn of(trend: &Trend) -> Self {
        // Points begin at every twentieth capture of the dataset, whenever one looks: so they stay what they are.
        let open = (trend.done % GROUP as u64) as usize;
        let (whole, forming) = trend.rows.split_at(trend.rows.len().saturating_sub(open));
        let mut groups: Vec<Subgroup> = whole.rchunks(GROUP).take(POINTS).map(subgroup).collect();
        groups.reverse();
        let drift = |(name, unit, value): Figure| {
            let values: Vec<f64> = trend.rows.iter().filter_map(value).collect();
            let last = &values[values.len().saturating_sub(GROUP)..];
            Some(Drift { name, unit, median: median(&values)?, latest: median(last)?, values })
        };
        let figures: [Figure; 3] = [
            (text::DRIFT_RADIUS, "px", |row| row.cladding_r),
            (text::DRIFT_FOCUS, "", |row| row.focus),
            (text::DRIFT_BRIGHTNESS, "gray", |row| row.brightness),
        ];
        Self {
            shares: share_chart(&groups),
            forming: subgroup(forming),
            drifts: figures.into_iter().filter_map(drift).collect(),
        }
    }

    /// Draws them; beside each other where the area is wide and low.
    pub fn draw(&self, frame: &mut Frame, area: Rect, look: &Look, shown: Option<&Inspection>) {
        let (left, right) = if area.height < 14 {
            let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(area);
            (left, right)
        } else {
            let [above, below] = Layout::vertical([Constraint::Fill(1), Constraint::Length(9)]).areas(area);
            (above, below)
        };
        self.draw_shares(frame, left, look);
        self.draw_drifts(frame, right, look, shown);
    }

    fn draw_shares(&self, frame: &mut Frame, area: Rect, look: &Look) {
        let theme = look.theme;
        let out = self.shares.as_ref().map_or(0, |chart| chart.points.iter().filter(|point| point.is_out()).count());
        let (aside, style) = match out {
            0 => (text::chart_forming(self.forming), theme.dim()),
            out => (text::chart_out(out, theme.signs.fail), theme.bad()),
        };
        pane(frame, area, look, text::CHART_SHARES, &aside, style);
        let inner = layout::inner(area);
        match &self.shares {
            Some(chart) => {
                let lines = share_lines(chart, usize::from(inner.width), usize::from(inner.height), theme);
                frame.render_widget(Paragraph::new(lines), inner);
            }
            None => middle(frame, inner, text::CHART_TOO_FEW, theme.dim()),
        }
    }

    fn draw_drifts(&self, frame: &mut Frame, area: Rect, look: &Look, shown: Option<&Inspection>) {
        let theme = look.theme;
        pane(frame, area, look, text::CHART_DRIFT, "", theme.dim());
        let inner = layout::inner(area);
        let (width, height) = (usize::from(inner.width), usize::from(inner.height));
        let mut lines: Vec<Line> = self.drifts.iter().map(|drift| drift_line(drift, width, theme)).collect();
        if let Some(levels) = shown.and_then(levels) {
            let rows = height.saturating_sub(lines.len() + 1);
            lines.push(Line::styled(text::CHART_LEVELS, theme.title()));
            lines.extend(bars(&levels, width, rows, theme).into_iter().map(Line::raw));
        }
        lines.truncate(height);
        frame.render_widget(Paragraph::new(lines), inner);
    }
}

/// Captures with a label, and those of them with a defect.
fn subgroup(rows: &[TrendRow]) -> Subgroup {
    let labelled = rows.iter().filter_map(|row| row.has_defect);
    let (defective, of) = labelled.fold((0, 0), |(bad, of), defect| (bad + u64::from(defect), of + 1));
    Subgroup { defective, of }
}

/// The chart, a row a line: limits and centre with their figures, points by a sign, those beyond a limit by another.
fn share_lines(chart: &ShareChart, width: usize, height: usize, theme: &Theme) -> Vec<Line<'static>> {
    let shares = || chart.points.iter().map(|point| point.share);
    let top = shares().fold(chart.high, f64::max);
    let bottom = shares().fold(chart.low, f64::min);
    let room = (top - bottom).max(0.02);
    let last = height.saturating_sub(1);
    let row = |share: f64| ((top - share) / room * last as f64).round().clamp(0.0, last as f64) as usize;
    let columns = width.saturating_sub(SCALE);
    let step = (columns / POINTS).clamp(1, 3);
    let rules = [
        (row(chart.low), chart.low, theme.signs.dot),
        (row(chart.high), chart.high, theme.signs.dot),
        (row(chart.centre), chart.centre, theme.signs.borders.horizontal_top),
    ];
    let mut lines = Vec::with_capacity(height);
    for here in 0..height {
        // The centre is the last: where it meets a limit it is what is seen.
        let rule = rules.iter().rev().find(|(row, ..)| *row == here);
        let label = rule.map_or_else(String::new, |(_, share, _)| format!("{:.0} %", share * 100.0));
        let ground = rule.map_or(" ", |(.., sign)| *sign);
        let mut spans = vec![Span::styled(format!("{label:>width$} ", width = SCALE - 1), theme.dim())];
        let mut plain = String::new();
        for column in 0..columns {
            let place = column / step;
            let point = if column % step == 0 { chart.points.get(place) } else { None };
            match point.filter(|point| row(point.share) == here) {
                Some(point) => {
                    spans.push(Span::styled(std::mem::take(&mut plain), theme.dim()));
                    let (sign, style) =
                        if point.is_out() { (theme.signs.fail, theme.bad()) } else { (theme.signs.mark, theme.text()) };
                    spans.push(Span::styled(sign, style));
                }
                None => plain.push_str(if place < POINTS { ground } else { " " }),
            }
        }
        spans.push(Span::styled(plain, theme.dim()));
        lines.push(Line::from(spans));
    }
    lines
}

/// Median, how far the last captures are from it, and the way there.
fn drift_line(drift: &Drift, width: usize, theme: &Theme) -> Line<'static> {
    let shift = if drift.median.abs() > f64::EPSILON { (drift.latest / drift.median - 1.0) * 100.0 } else { 0.0 };
    let name = fit(drift.name, 11, theme.signs.ellipsis);
    let value = format!("{} {:<4}", figure(drift.median), drift.unit);
    let shift = format!("{shift:>+6.1} %  ");
    let room = width.saturating_sub(11 + 13 + shift.len());
    Line::from(vec![
        Span::styled(name, theme.dim()),
        Span::raw(format!("{value:>12} ")),
        Span::raw(shift),
        Span::styled(way(&drift.values, room, theme), theme.key()),
    ])
}

/// Medians of stretches of the values, a character each, between their lowest and their highest.
fn way(values: &[f64], width: usize, theme: &Theme) -> String {
    let stretch = values.len().div_ceil(width.max(1)).max(1);
    let medians: Vec<f64> = values.chunks(stretch).filter_map(median).collect();
    let (low, high) = medians.iter().fold((f64::MAX, f64::MIN), |(low, high), &it| (low.min(it), high.max(it)));
    // A thousandth of the value is no drift to be seen.
    let room = (high - low).max(high.abs() * 1e-3).max(f64::MIN_POSITIVE);
    let level = |value: f64| 1 + ((value - low) / room * 7.0).round().clamp(0.0, 7.0) as usize;
    medians.into_iter().map(|value| theme.signs.ramp[level(value)]).collect()
}

/// Pixels by gray level, of all zones together.
fn levels(inspection: &Inspection) -> Option<Vec<u64>> {
    let mut all: Vec<u64> = Vec::new();
    for histogram in inspection.histograms.iter().filter(|histogram| histogram.name == LEVELS) {
        all.resize(all.len().max(histogram.counts.len()), 0);
        for (sum, count) in all.iter_mut().zip(&histogram.counts) {
            *sum = sum.saturating_add(*count);
        }
    }
    all.iter().any(|count| *count > 0).then_some(all)
}

/// What the shipped measurer calls its histograms.
const LEVELS: &str = "gray";

/// Bars of that many rows, the lowest level at the left. Heights are square roots: a few pixels of the core are seen beside a
/// hundred thousand of the cladding.
fn bars(levels: &[u64], width: usize, rows: usize, theme: &Theme) -> Vec<String> {
    if rows == 0 || width == 0 || levels.is_empty() {
        return Vec::new();
    }
    let columns = width.min(levels.len());
    let sum = |column: usize| -> u64 {
        let (from, to) = (column * levels.len() / columns, (column + 1) * levels.len() / columns);
        levels[from..to].iter().sum()
    };
    let heights: Vec<f64> = (0..columns).map(|column| (sum(column) as f64).sqrt()).collect();
    let highest = heights.iter().copied().fold(1.0, f64::max);
    let eighths = |height: f64| (height / highest * (rows * 8) as f64).ceil() as usize;
    let row = |row: usize| {
        let below = (rows - 1 - row) * 8;
        heights.iter().map(|height| theme.signs.ramp[eighths(*height).saturating_sub(below).min(8)]).collect()
    };
    (0..rows).map(row).collect()
}
