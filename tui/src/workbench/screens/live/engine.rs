//! The engine at a glance: captures by state, rates and times, and whatever does not go as it should.

use ferrule_core::{protocol::Status, report::CaptureState};
use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

use crate::workbench::{
    figures, layout,
    plain::{self, fit},
    screens::{Look, middle, pane},
    text,
    theme::Theme,
};

/// Draws the pane; `last` is when the last capture came.
pub fn draw(frame: &mut Frame, area: Rect, look: &Look, status: Option<&Status>, last: Option<String>) {
    let theme = look.theme;
    let inner = layout::inner(area);
    let Some(status) = status else {
        pane(frame, area, look, text::LIVE_ENGINE, "", theme.dim());
        middle(frame, inner, text::NO_STATUS, theme.dim());
        return;
    };
    let generation = format!("pipeline generation {}", status.generation);
    pane(frame, area, look, text::LIVE_ENGINE, &generation, theme.dim());
    let (left, right) = (counts(status, theme), rates(status, theme, last));
    let troubles = troubles(status, theme);
    let half = usize::from(inner.width) / 2;
    let height = usize::from(inner.height);
    let room = if troubles.is_empty() { height } else { height.saturating_sub(1) };
    let mut lines: Vec<Line> = (0..left.len().max(right.len()).min(room))
        .map(|index| {
            let mut spans = figure(left.get(index), half.saturating_sub(2), theme);
            spans.push(Span::raw("  "));
            spans.extend(figure(right.get(index), usize::from(inner.width) - half, theme));
            Line::from(spans)
        })
        .collect();
    for (trouble, style) in &troubles {
        for part in figures::wrap(&format!("{} {trouble}", theme.signs.warn), usize::from(inner.width)) {
            lines.push(Line::styled(part, *style));
        }
    }
    if lines.len() > height {
        lines.truncate(height);
        if let (Some(last), Some((first, style))) = (lines.last_mut(), troubles.first()) {
            let count = if troubles.len() > 1 { format!("{} problems: ", troubles.len()) } else { String::new() };
            let text = format!("{} {count}{first}", theme.signs.warn);
            *last = Line::styled(plain::cut(&text, usize::from(inner.width), theme.signs.ellipsis), *style);
        }
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// What is wrong, most important first: what rings, then what else does not go as it should.
fn troubles(status: &Status, theme: &Theme) -> Vec<(String, Style)> {
    let alarms = status.alarms.iter().map(|alarm| {
        let style = if alarm.seen_by.is_none() { theme.bad() } else { theme.warn() };
        (text::alarm(alarm), style)
    });
    let problems = status.problems.iter().map(|problem| (problem.clone(), theme.warn()));
    let quarantined = status.plugins.iter().filter(|plugin| plugin.quarantined).map(|plugin| {
        let why = plugin.problem.as_deref().unwrap_or("see Plug-ins");
        (format!("{} is in quarantine: {why}", plugin.id), theme.warn())
    });
    alarms.chain(problems).chain(quarantined).collect()
}

type Figure = (&'static str, String, Style);

/// Captures by state; what was seen is their sum.
fn counts(status: &Status, theme: &Theme) -> Vec<Figure> {
    let mut figures = vec![("seen", text::number(status.counts.seen), theme.text())];
    for state in [
        CaptureState::Done,
        CaptureState::Queued,
        CaptureState::Running,
        CaptureState::Failed,
        CaptureState::Settling,
        CaptureState::Duplicate,
        CaptureState::Ignored,
        CaptureState::Replaced,
    ] {
        let count = status.counts.of(state);
        let style = if count == 0 { theme.dim() } else { theme.state(state) };
        figures.push((state.as_str(), text::number(count), style));
    }
    figures
}

fn rates(status: &Status, theme: &Theme, last: Option<String>) -> Vec<Figure> {
    let ms = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0} ms"));
    let busy = status.workers.iter().filter(|worker| worker.busy).count();
    let memory: u64 = status.workers.iter().map(|worker| worker.memory_mb).sum();
    vec![
        ("rate", format!("{:.1}/s", status.per_second), theme.text()),
        ("last", last.unwrap_or_else(|| "-".to_owned()), theme.text()),
        ("p50", ms(status.p50_ms), theme.text()),
        ("p95", ms(status.p95_ms), theme.text()),
        ("workers", status.workers.len().to_string(), theme.text()),
        ("busy", busy.to_string(), theme.text()),
        ("memory", format!("{memory} MB"), theme.text()),
        ("sources", status.sources.len().to_string(), theme.text()),
        ("engine", format!("pid {}", status.pid), theme.dim()),
    ]
}

fn figure(figure: Option<&Figure>, width: usize, theme: &Theme) -> Vec<Span<'static>> {
    let Some((name, value, style)) = figure else { return vec![Span::raw(" ".repeat(width))] };
    let left = width.saturating_sub(value.len() + 1).max(1);
    vec![Span::styled(fit(name, left, theme.signs.ellipsis), theme.dim()), Span::styled(format!(" {value}"), *style)]
}
