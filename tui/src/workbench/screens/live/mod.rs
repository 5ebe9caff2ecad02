//! Live: the capture just inspected with its picture and figures, the last captures, and the engine at a glance.

mod charts;
mod engine;

use std::{collections::VecDeque, sync::Arc};

use ferrule_core::{
    ids::CaptureId,
    protocol::{CaptureEvent, Status},
    report::CaptureState,
    store::Trend,
};
use jiff::Timestamp;
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

use self::charts::Charts;
use super::{Look, middle, pane, picture};
use crate::workbench::{
    figures,
    keys::{self, Action, Binding, Bindings, Key, hidden, shown},
    layout,
    picture::PictureKey,
    plain::{self, fit},
    rows::{Detail, Label, Row},
    text,
};

/// The last captures that are kept for the list.
pub const RECENT: usize = 50;

pub const KEYS: Bindings = Bindings { title: text::screen(super::ScreenName::Live), list: LIST };

const LIST: &[Binding] = &[
    shown(&[Key::char('2')], Action::Go(super::ScreenName::Captures)),
    hidden(keys::UP, Action::Up),
    hidden(keys::DOWN, Action::Down),
    shown(keys::ENTER, Action::Open),
    shown(&[Key::char('z')], Action::Zoom),
    shown(&[Key::char('o')], Action::Layers),
    shown(&[Key::char('f')], Action::Freeze),
    shown(&[Key::char('c')], Action::Charts),
    hidden(keys::FIRST, Action::First),
    hidden(keys::BACK, Action::First),
];

/// What the Live screen holds.
#[derive(Debug, Default)]
pub struct Live {
    /// Newest result first.
    recent: VecDeque<Row>,
    /// The capture that the person chose; otherwise the newest result is shown.
    chosen: Option<CaptureId>,
    /// What is on the screen.
    detail: Option<Arc<Detail>>,
    /// What takes its place once its picture is made, so that picture and figures always belong together.
    coming: Option<Arc<Detail>>,
    /// The detail that was asked for.
    asked: Option<CaptureId>,
    charts: Charts,
    /// Captures came since the charts were made.
    charts_outdated: bool,
    /// Whether the person wants charts; otherwise they are there where there is room.
    wants_charts: Option<bool>,
}

impl Live {
    /// The captures that the list begins with when the engine is found.
    pub fn fill(&mut self, rows: Vec<Row>) {
        self.recent = rows.into_iter().filter(|row| is_result(row.state)).take(RECENT).collect();
    }

    /// A capture changed; a result goes to the top of the list.
    pub fn heard(&mut self, event: &CaptureEvent, now: Timestamp) {
        self.recent.retain(|row| row.capture != event.capture);
        self.charts_outdated |= event.state == CaptureState::Done;
        if is_result(event.state) {
            self.recent.push_front(row_of(event, now));
            self.recent.truncate(RECENT);
        }
        // A new pass over the shown capture has a new result to read.
        if self.asked == Some(event.capture) && event.state == CaptureState::Done {
            self.asked = None;
        }
    }

    /// The capture whose picture and figures are shown.
    pub fn shown(&self) -> Option<CaptureId> {
        self.chosen.or_else(|| self.recent.front().map(|row| row.capture))
    }

    /// The capture whose detail is to be read now, and whether a person waits for it.
    pub fn wanted(&mut self) -> Option<(CaptureId, bool)> {
        let shown = self.shown()?;
        if self.asked == Some(shown) {
            return None;
        }
        self.asked = Some(shown);
        Some((shown, self.chosen.is_some() || self.detail.is_none()))
    }

    /// How many captures the charts are to be made of now, where they are seen and something came since.
    pub fn wanted_trend(&mut self, body: Rect) -> Option<usize> {
        let wanted = self.shows_charts(body) && std::mem::take(&mut self.charts_outdated);
        wanted.then_some(charts::CAPTURES)
    }

    pub fn take_trend(&mut self, trend: &Trend) {
        self.charts = Charts::of(trend);
    }

    /// Charts, or the list and the engine where there is no room for both.
    pub fn toggle_charts(&mut self, body: Rect) {
        self.wants_charts = Some(!self.shows_charts(body));
    }

    fn shows_charts(&self, body: Rect) -> bool {
        self.wants_charts.unwrap_or_else(|| layout::live_has_room(body))
    }

    /// A detail was read; the first is shown at once.
    pub fn take(&mut self, detail: Option<Arc<Detail>>) {
        let Some(detail) = detail else { return };
        if self.detail.is_none() {
            self.detail = Some(Arc::clone(&detail));
        }
        self.coming = Some(detail);
    }

    /// Its picture is made.
    pub fn show(&mut self, detail: Arc<Detail>) {
        self.detail = Some(detail);
    }

    /// What a picture is to be made of.
    pub fn coming(&self) -> Option<&Arc<Detail>> {
        self.coming.as_ref()
    }

    /// Reads everything again: the engine was away.
    pub fn forget(&mut self) {
        self.asked = None;
        self.charts_outdated = true;
    }

    pub fn detail(&self) -> Option<&Arc<Detail>> {
        self.detail.as_ref()
    }

    /// Chooses a capture from the list.
    pub fn step(&mut self, by: isize) {
        let at = self.shown().and_then(|shown| self.recent.iter().position(|row| row.capture == shown)).unwrap_or(0);
        let to = at.saturating_add_signed(by).min(self.recent.len().saturating_sub(1));
        self.chosen = self.recent.get(to).map(|row| row.capture);
    }

    /// Stays at what is shown, or goes on with the newest.
    pub fn freeze(&mut self) {
        self.chosen = if self.chosen.is_some() { None } else { self.shown() };
    }

    /// Whether a person chose what is shown.
    pub fn is_chosen(&self) -> bool {
        self.chosen.is_some()
    }

    /// Back to the newest, and stays there.
    pub fn follow(&mut self) {
        self.chosen = None;
    }

    pub fn draw(
        &self,
        frame: &mut Frame,
        body: Rect,
        look: &Look,
        status: Option<&Status>,
        wanted: Option<PictureKey>,
    ) {
        let parts = layout::live(body);
        let inspection = self.detail.as_ref().and_then(|detail| detail.inspection.as_ref());
        if !self.shows_charts(body) {
            self.draw_capture(frame, &parts, look, wanted);
        } else if layout::live_has_room(body) {
            let (facts, charts) = layout::live_charts(parts.facts);
            self.draw_capture(frame, &layout::LiveParts { facts, ..parts }, look, wanted);
            self.charts.draw(frame, charts, look, inspection);
        } else {
            self.draw_capture(frame, &parts, look, wanted);
            return self.charts.draw(frame, parts.recent.union(parts.engine), look, inspection);
        }
        self.draw_recent(frame, parts.recent, look);
        let last = self.recent.front().map(|row| figures::time(row, look.zone));
        engine::draw(frame, parts.engine, look, status, last);
    }

    fn draw_capture(&self, frame: &mut Frame, parts: &layout::LiveParts, look: &Look, wanted: Option<PictureKey>) {
        let theme = look.theme;
        let name = self.detail.as_ref().map_or(text::LIVE_PICTURE, |detail| detail.row.name.as_str());
        let aside = if self.chosen.is_some() { text::LIVE_FROZEN } else { "" };
        pane(frame, parts.picture, look, name, aside, theme.warn());
        let time = self.detail.as_ref().map_or_else(String::new, |detail| figures::time(&detail.row, look.zone));
        pane(frame, parts.facts, look, text::LIVE_FACTS, &time, theme.dim());
        let Some(detail) = &self.detail else {
            middle(frame, layout::inner(parts.picture), text::NO_CAPTURES_YET, theme.dim());
            return;
        };
        picture(frame, parts.picture, look, wanted);
        let area = layout::inner(parts.facts);
        let lines = figures::lines(detail, theme, usize::from(area.width));
        let more = lines.len().saturating_sub(usize::from(area.height));
        let mut lines: Vec<_> = lines.into_iter().take(usize::from(area.height)).collect();
        if more > 0 && !lines.is_empty() {
            let last = lines.len() - 1;
            lines[last] = Line::styled(format!("{} {} more lines: Enter", theme.signs.ellipsis, more + 1), theme.dim());
        }
        frame.render_widget(Paragraph::new(lines), area);
    }

    fn draw_recent(&self, frame: &mut Frame, area: Rect, look: &Look) {
        let theme = look.theme;
        pane(frame, area, look, text::LIVE_RECENT, "", theme.dim());
        let inner = layout::inner(area);
        let (height, width) = (usize::from(inner.height), usize::from(inner.width));
        let shown = self.shown();
        let at = self.recent.iter().position(|row| Some(row.capture) == shown).unwrap_or(0);
        let top = (at + 1).saturating_sub(height);
        let lines: Vec<Line> = self
            .recent
            .iter()
            .skip(top)
            .take(height)
            .map(|row| recent_line(row, Some(row.capture) == shown, width, look))
            .collect();
        frame.render_widget(Paragraph::new(lines), inner);
    }
}

fn recent_line(row: &Row, selected: bool, width: usize, look: &Look) -> Line<'static> {
    let theme = look.theme;
    let (style, sign, word) = if row.state == CaptureState::Done {
        let (style, sign) = theme.label(row.has_defect);
        let word = match (Label::of(row.has_defect), row.defects) {
            (Label::Defect, Some(count)) => format!("{count} found"),
            (label, _) => figures::label(label).to_owned(),
        };
        (style, sign, word)
    } else {
        (theme.state(row.state), theme.signs.fail, row.state.as_str().to_owned())
    };
    let mark = if selected { theme.signs.cursor } else { " " };
    let rest = width.saturating_sub(8 + 3 + 10);
    let mut line = Line::from(vec![
        Span::raw(format!("{mark}{} ", figures::time(row, look.zone))),
        Span::styled(format!("{sign} {}", fit(&word, 8, theme.signs.ellipsis)), style),
        Span::raw(plain::fit(&row.name, rest, theme.signs.ellipsis)),
    ]);
    if selected {
        line = line.patch_style(ratatui::style::Style::new().add_modifier(ratatui::style::Modifier::BOLD));
    }
    line
}

/// A list row from an event: the row that the database would give.
pub fn row_of(event: &CaptureEvent, now: Timestamp) -> Row {
    Row {
        image: event.image,
        seen_at: Some(now),
        source: event.source.clone(),
        name: plain::file_name(&event.path),
        has_defect: event.has_defect,
        defects: event.defects,
        verdict: event.verdict,
        incomplete: !event.incomplete.is_empty(),
        ms: event.ms,
        ..Row::new(event.capture, event.state)
    }
}

/// Whether a capture's way has ended with something to show.
fn is_result(state: CaptureState) -> bool {
    matches!(state, CaptureState::Done | CaptureState::Failed)
}
