//! Dataset: how the pictures are divided and balanced, which stay together and why, and exports for other people's tools.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ferrule_core::dataset::split::Side;
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{Look, chosen, middle, pair::Two, pane};
use crate::workbench::{
    dataset::{DatasetAnswer, DatasetRequest, Format, Summary},
    figures,
    keys::{self, Action, Binding, Bindings, Key, hidden, shown},
    layout,
    plain::{cut, fit},
    text,
    theme::Theme,
};

pub const KEYS: Bindings = Bindings { title: text::screen(super::ScreenName::Dataset), list: LIST };

const LIST: &[Binding] = &[
    shown(keys::ENTER, Action::Export),
    shown(&[Key::char('x')], Action::CancelExport),
    shown(&[Key::char('n')], Action::NearPairs),
    shown(&[Key::char('r')], Action::Reread),
    hidden(keys::UP, Action::Up),
    hidden(keys::DOWN, Action::Down),
    hidden(keys::PAGE_UP, Action::PageUp),
    hidden(keys::PAGE_DOWN, Action::PageDown),
    hidden(keys::FIRST, Action::First),
    hidden(keys::LAST, Action::Last),
];

/// How an export stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Exporting {
    /// Share done.
    Running(f64),
    Written(String),
    Failed(String),
}

/// What the Dataset screen holds.
#[derive(Debug, Default)]
pub struct Dataset {
    summary: Option<Result<Box<Summary>, String>>,
    asked: bool,
    /// The format under the cursor.
    cursor: usize,
    /// First line of the groups that is shown.
    top: usize,
    numbers: u64,
    /// The last export of each format, with what ends it.
    exports: Vec<(Format, u64, Arc<AtomicBool>, Exporting)>,
}

impl Dataset {
    /// Reads it again.
    pub fn outdated(&mut self) {
        self.asked = false;
    }

    pub fn wanted(&mut self) -> Option<DatasetRequest> {
        (!std::mem::replace(&mut self.asked, true)).then_some(DatasetRequest::Summary)
    }

    /// Each near-duplicate beside what it is nearly the same as.
    pub fn pairs(&self) -> Vec<Two> {
        let Some(Ok(summary)) = &self.summary else { return Vec::new() };
        let near = summary.groups.iter().flat_map(|group| &group.members).filter_map(|(_, near)| near.as_ref());
        near.filter_map(|near| {
            let [left, right] = near.captures?;
            Some(Two { left, right, words: text::nearly(near.residual) })
        })
        .collect()
    }

    /// Begins the export under the cursor, unless it runs.
    pub fn export(&mut self) -> Option<DatasetRequest> {
        let format = Format::ALL[self.cursor];
        if matches!(self.state(format), Some(Exporting::Running(_))) {
            return None;
        }
        self.numbers += 1;
        let (number, stop) = (self.numbers, Arc::new(AtomicBool::new(false)));
        self.exports.retain(|(known, ..)| *known != format);
        self.exports.push((format, number, Arc::clone(&stop), Exporting::Running(0.0)));
        Some(DatasetRequest::Export { number, format, stop })
    }

    /// Ends the export under the cursor; whether one runs.
    pub fn cancel(&self) -> bool {
        self.cancel_format(Format::ALL[self.cursor])
    }

    pub fn cancel_format(&self, format: Format) -> bool {
        let running =
            self.exports.iter().find(|(known, _, _, state)| *known == format && matches!(state, Exporting::Running(_)));
        running.is_some_and(|(_, _, stop, _)| {
            stop.store(true, Ordering::Relaxed);
            true
        })
    }

    fn state(&self, format: Format) -> Option<&Exporting> {
        self.exports.iter().find(|(known, ..)| *known == format).map(|(_, _, _, state)| state)
    }

    /// Takes an answer; an export's state where it is about one.
    pub fn take(&mut self, answer: DatasetAnswer) -> Option<(u64, Format, Exporting)> {
        let (number, format, state) = match answer {
            DatasetAnswer::Summary(summary) => {
                self.summary = Some(summary);
                return None;
            }
            // Of a job, and nothing that this screen shows.
            DatasetAnswer::HandedOver { .. } | DatasetAnswer::Listing { .. } | DatasetAnswer::Listed { .. } => {
                return None;
            }
            DatasetAnswer::Exporting { number, format, done, all } => {
                (number, format, Exporting::Running(done as f64 / all.max(1) as f64))
            }
            DatasetAnswer::Exported { number, format, result: Ok(line) } => (number, format, Exporting::Written(line)),
            DatasetAnswer::Exported { number, format, result: Err(line) } => (number, format, Exporting::Failed(line)),
        };
        let known = self.exports.iter_mut().find(|(_, known, ..)| *known == number)?;
        known.3 = state.clone();
        Some((number, format, state))
    }

    pub fn step(&mut self, by: isize) {
        self.cursor = self.cursor.saturating_add_signed(by).min(Format::ALL.len() - 1);
    }

    pub fn scroll(&mut self, by: isize) {
        self.top = self.top.saturating_add_signed(by);
    }

    /// Keeps the groups in view.
    pub fn show(&mut self, body: Rect) {
        let rows = usize::from(layout::inner(layout::dataset(body).groups).height);
        let lines = match &self.summary {
            Some(Ok(summary)) => summary.groups.iter().map(|group| group.members.len() + 1).sum(),
            _ => 0_usize,
        };
        self.top = self.top.min(lines.saturating_sub(rows));
    }

    pub fn draw(&self, frame: &mut Frame, body: Rect, look: &Look) {
        let (parts, theme) = (layout::dataset(body), look.theme);
        let title = text::screen(super::ScreenName::Dataset);
        let summary = match &self.summary {
            Some(Ok(summary)) => summary,
            other => {
                pane(frame, body, look, title, "", theme.dim());
                let (message, style) = match other {
                    Some(Err(message)) => (message.as_str(), theme.warn()),
                    _ => (text::LOADING, theme.dim()),
                };
                return middle(frame, layout::inner(body), message, style);
            }
        };
        pane(frame, parts.splits, look, title, &text::pictures(summary.images), theme.dim());
        let area = layout::inner(parts.splits);
        frame.render_widget(Paragraph::new(splits(summary, usize::from(area.width), theme)), area);
        pane(frame, parts.exports, look, text::EXPORTS, "", theme.dim());
        let area = layout::inner(parts.exports);
        frame.render_widget(Paragraph::new(self.export_lines(usize::from(area.width), theme)), area);
        let aside = if summary.groups.is_empty() { String::new() } else { text::groups(summary.groups.len()) };
        pane(frame, parts.groups, look, text::TOGETHER, &aside, theme.dim());
        let area = layout::inner(parts.groups);
        let lines = groups(summary, usize::from(area.width), theme);
        if lines.is_empty() {
            return middle(frame, area, text::NO_GROUPS, theme.dim());
        }
        let lines: Vec<Line> = lines.into_iter().skip(self.top).take(usize::from(area.height)).collect();
        frame.render_widget(Paragraph::new(lines), area);
    }

    fn export_lines(&self, width: usize, theme: &Theme) -> Vec<Line<'static>> {
        let lines = Format::ALL.into_iter().enumerate().map(|(place, format)| {
            let (name, what) = text::format(format);
            let (style, words) = match self.state(format) {
                None => (theme.dim(), what.to_owned()),
                Some(Exporting::Running(share)) => {
                    (theme.key(), format!("{} {:.0} %", theme.signs.cursor, share * 100.0))
                }
                Some(Exporting::Written(line)) => (theme.good(), format!("{} {line}", theme.signs.pass)),
                Some(Exporting::Failed(line)) => (theme.bad(), format!("{} {line}", theme.signs.fail)),
            };
            let room = width.saturating_sub(10);
            let line = Line::from(vec![
                Span::raw(format!("{name:<9} ")),
                Span::styled(fit(&words, room, theme.signs.ellipsis), style),
            ]);
            if place == self.cursor { chosen(line, theme) } else { line }
        });
        lines.collect()
    }
}

/// Sides with their labels, as counts and as a bar; what is on no side, and why.
fn splits(summary: &Summary, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let table = &summary.table;
    let head = format!("{:<7}{:>7}{:>7}{:>8}  {:<}", "side", "clean", "defect", "share", "clean and defect");
    let mut lines = vec![Line::styled(head, theme.dim())];
    let all: u64 = table.sides.iter().flatten().sum();
    for side in Side::ALL {
        let [clean, defect] = table.sides[side as usize];
        let share = (clean + defect) as f64 / all.max(1) as f64;
        let wanted = summary.fractions.map(|fractions| fractions[side as usize]);
        let of = wanted.map_or_else(String::new, |wanted| format!(" of {:.0}", wanted * 100.0));
        let bar = width.saturating_sub(38).clamp(4, 40);
        let full = (clean as f64 / (clean + defect).max(1) as f64 * bar as f64).round() as usize;
        let full = if clean + defect == 0 { 0 } else { full };
        lines.push(Line::from(vec![
            Span::raw(format!("{:<7}{:>7}{:>7}", side.as_str(), text::number(clean), text::number(defect))),
            Span::styled(format!("{:>6.0} %{of:<6} ", share * 100.0), theme.dim()),
            Span::styled(theme.signs.full.repeat(full), theme.good()),
            Span::styled(theme.signs.empty.repeat(if clean + defect == 0 { 0 } else { bar - full }), theme.bad()),
        ]));
    }
    let without = [
        (text::NO_FIBRE, table.no_fibre),
        (text::INCOMPLETE, table.incomplete),
        (text::NO_LABEL, table.no_label),
        (text::NOT_YET, table.open),
    ];
    for (why, count) in without.into_iter().filter(|(_, count)| *count > 0) {
        lines.push(Line::styled(format!("{:>7} on no side: {why}", text::number(count)), theme.warn()));
    }
    if summary.fractions.is_none() {
        lines.extend(figures::wrap(text::NOT_DIVIDED, width).into_iter().map(|line| Line::styled(line, theme.dim())));
    }
    for note in &summary.notes {
        let note = format!("{} {note}", theme.signs.warn);
        lines.push(Line::styled(cut(&note, width, theme.signs.ellipsis), theme.warn()));
    }
    lines
}

fn groups(summary: &Summary, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for group in &summary.groups {
        let side = group.side.map_or(text::ON_NO_SIDE, Side::as_str);
        let title = format!("{side}: {}, {}", text::pictures(group.count as u64), group.why);
        lines.push(Line::styled(cut(&title, width, theme.signs.ellipsis), theme.title()));
        for (name, near) in &group.members {
            let near = near
                .as_ref()
                .map_or_else(String::new, |near| format!("  nearly {}: {}", near.first, text::nearly(near.residual)));
            lines.push(Line::raw(cut(&format!("  {name}{near}"), width, theme.signs.ellipsis)));
        }
    }
    lines
}
