//! Captures: every capture as one row, newest first, filtered by state, label and text, over any number of rows.

use crossterm::event::KeyCode;
use ferrule_core::report::CaptureState;
use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};
use tui_input::Input;

use super::{Look, chosen, middle, pane, window::Window};
use crate::workbench::{
    figures,
    keys::{self, Action, Binding, Bindings, Key, hidden, shown},
    plain::{self, fit},
    rows::{Filter, Label, Place, Row, RowsRequest},
    text, typing,
};

pub const KEYS: Bindings = Bindings { title: text::screen(super::ScreenName::Captures), list: LIST };

const LIST: &[Binding] = &[
    shown(keys::ENTER, Action::Open),
    shown(&[Key::char('/')], Action::Search),
    shown(&[Key::char('s')], Action::FilterState),
    shown(&[Key::char('l')], Action::FilterLabel),
    shown(&[Key::char('a'), Key::plain(KeyCode::Esc)], Action::ClearFilter),
    shown(&[Key::char('r')], Action::Retry),
    shown(&[Key::char('i')], Action::Reinspect),
    hidden(&[Key::char('R')], Action::RetryAll),
    hidden(keys::UP, Action::Up),
    hidden(keys::DOWN, Action::Down),
    hidden(keys::PAGE_UP, Action::PageUp),
    hidden(keys::PAGE_DOWN, Action::PageDown),
    hidden(keys::FIRST, Action::First),
    hidden(keys::LAST, Action::Last),
];

/// What the Captures screen holds.
#[derive(Debug)]
pub struct Captures {
    pub window: Window,
    filter: Filter,
    /// Counted up with every change of the filter, so that late answers are known.
    ticket: u64,
    /// The search while it is typed.
    search: Option<Input>,
    /// A first page is to be asked for.
    fresh: bool,
}

impl Captures {
    pub fn new() -> Self {
        Self { window: Window::new(), filter: Filter::default(), ticket: 0, search: None, fresh: true }
    }

    pub fn is_searching(&self) -> bool {
        self.search.is_some()
    }

    pub fn start_search(&mut self) {
        self.search = Some(Input::new(self.filter.text.clone()));
    }

    pub fn cancel_search(&mut self) {
        self.search = None;
    }

    pub fn accept_search(&mut self) {
        if let Some(input) = self.search.take() {
            let text = input.value().trim().to_owned();
            self.change(|filter| filter.text = text);
        }
    }

    /// A key that goes into the search's text.
    pub fn typed(&mut self, key: Key) {
        if let Some(line) = &mut self.search {
            typing::edit(line, key);
        }
    }

    /// A pasted text goes into the search.
    pub fn pasted(&mut self, text: &str) {
        if let Some(line) = &mut self.search {
            typing::paste(line, text);
        }
    }

    pub fn next_state(&mut self) {
        let next = match self.filter.state {
            None => CaptureState::ALL.first().copied(),
            Some(state) => CaptureState::ALL.iter().skip_while(|known| **known != state).nth(1).copied(),
        };
        self.change(|filter| filter.state = next);
    }

    pub fn next_label(&mut self) {
        let next = match self.filter.label {
            None => Some(Label::Defect),
            Some(Label::Defect) => Some(Label::Clean),
            Some(Label::Clean) => Some(Label::None),
            Some(Label::None) => None,
        };
        self.change(|filter| filter.label = next);
    }

    pub fn clear(&mut self) {
        self.change(|filter| *filter = Filter::default());
    }

    fn change(&mut self, change: impl FnOnce(&mut Filter)) {
        let before = self.filter.clone();
        change(&mut self.filter);
        if self.filter != before {
            self.ticket += 1;
            self.fresh = true;
        }
    }

    /// Reads the list again from the start.
    pub fn reload(&mut self) {
        self.fresh = true;
    }

    /// The page to read now.
    pub fn wanted(&mut self) -> Option<RowsRequest> {
        let fresh = std::mem::take(&mut self.fresh);
        let place = if fresh { self.window.first() } else { self.window.wanted()? };
        Some(self.request(place, fresh || place != Place::First))
    }

    pub fn first(&mut self) -> RowsRequest {
        let place = self.window.first();
        self.request(place, true)
    }

    pub fn last(&mut self) -> Option<RowsRequest> {
        let place = self.window.last()?;
        Some(self.request(place, true))
    }

    fn request(&self, place: Place, urgent: bool) -> RowsRequest {
        let limit = super::window::PAGE;
        RowsRequest::Page { ticket: self.ticket, filter: self.filter.clone(), place, limit, urgent }
    }

    pub fn take(&mut self, ticket: u64, place: Place, page: crate::workbench::rows::Page) {
        if ticket == self.ticket {
            self.window.take(place, page);
        }
    }

    /// Rows that fit under the pane's title and the columns' heads.
    pub fn rows_shown(body: Rect) -> usize {
        usize::from(body.height.saturating_sub(2))
    }

    pub fn draw(&self, frame: &mut Frame, body: Rect, look: &Look, seen: Option<u64>) {
        let theme = look.theme;
        let title = text::screen(super::ScreenName::Captures);
        let aside = self.aside(seen);
        let style = if self.filter.is_empty() { theme.dim() } else { theme.warn() };
        pane(frame, body, look, title, &aside, style);
        let inner = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
        let columns = Columns::new(usize::from(inner.width));
        let mut lines = vec![columns.head(theme.dim(), theme.signs.ellipsis)];
        let (cursor, rows) = self.window.visible(Self::rows_shown(body));
        for (index, row) in rows.iter().enumerate() {
            let line = columns.row(row, look);
            lines.push(if index == cursor { chosen(line, theme) } else { line });
        }
        frame.render_widget(Paragraph::new(lines), inner);
        if rows.is_empty() {
            let message = match (self.window.is_loading(), self.filter.is_empty()) {
                (true, _) => text::LOADING,
                (false, true) => text::NO_CAPTURES_YET,
                (false, false) => text::NO_MATCH,
            };
            middle(frame, inner, message, theme.dim());
        }
    }

    /// What is filtered for, or how many captures there are.
    fn aside(&self, seen: Option<u64>) -> String {
        let mut parts = Vec::new();
        if let Some(state) = self.filter.state {
            parts.push(format!("state {state}"));
        }
        if let Some(label) = self.filter.label {
            parts.push(format!("label {}", if label == Label::None { "none" } else { figures::label(label) }));
        }
        if !self.filter.text.is_empty() {
            parts.push(format!("name has \"{}\"", plain::clean(&self.filter.text)));
        }
        if parts.is_empty() {
            return seen.map_or_else(String::new, text::captures);
        }
        parts.join(", ")
    }

    /// The search's text and its cursor's column, while it is typed.
    pub fn search_line(&self) -> Option<(String, usize)> {
        let input = self.search.as_ref()?;
        Some((plain::clean(input.value()), input.visual_cursor()))
    }
}

/// The widths of the table's columns.
struct Columns {
    id: usize,
    source: usize,
    name: usize,
}

const TIME: usize = 8;
const STATE: usize = 9;
const LABEL: usize = 8;
const DEFECTS: usize = 7;
const VERDICT: usize = 12;

impl Columns {
    fn new(width: usize) -> Self {
        let id = if width >= 100 { 9 } else { 0 };
        let fixed = STATE + LABEL + TIME + DEFECTS + VERDICT + 6 + if id > 0 { id + 1 } else { 0 };
        let rest = width.saturating_sub(fixed);
        let source = (rest / 3).clamp(4, 20);
        Self { id, source, name: rest.saturating_sub(source) }
    }

    fn head(&self, style: Style, ellipsis: &str) -> Line<'static> {
        let mut text = String::new();
        if self.id > 0 {
            text.push_str(&format!("{:>width$} ", "id", width = self.id));
        }
        for (name, width) in [
            ("state", STATE),
            ("label", LABEL),
            ("time", TIME),
            ("source", self.source),
            ("name", self.name),
            ("defects", DEFECTS),
            ("verdict", VERDICT),
        ] {
            text.push_str(&fit(name, width, ellipsis));
            text.push(' ');
        }
        Line::styled(text, style)
    }

    fn row(&self, row: &Row, look: &Look) -> Line<'static> {
        let (theme, ellipsis) = (look.theme, look.theme.signs.ellipsis);
        let (label_style, label_sign) = theme.label(row.has_defect);
        let label = match Label::of(row.has_defect) {
            Label::None => String::new(),
            label => format!("{label_sign} {}", figures::label(label)),
        };
        let (verdict_style, verdict_sign) = row.verdict.map_or((theme.dim(), ""), |verdict| theme.outcome(verdict));
        let verdict = row.verdict.map_or_else(String::new, |verdict| format!("{verdict_sign} {verdict}"));
        let defects = row
            .defects
            .map_or_else(String::new, |count| format!("{count}{}", if row.incomplete { theme.signs.warn } else { "" }));
        let mut spans = Vec::with_capacity(8);
        if self.id > 0 {
            spans.push(Span::styled(format!("{:>width$} ", row.capture.0, width = self.id), theme.dim()));
        }
        spans.extend([
            Span::styled(format!("{:<STATE$} ", row.state), theme.state(row.state)),
            Span::styled(format!("{} ", fit(&label, LABEL, ellipsis)), label_style),
            Span::raw(format!("{:<TIME$} ", figures::time(row, look.zone))),
            Span::styled(format!("{} ", fit(&row.source, self.source, ellipsis)), theme.dim()),
            Span::raw(format!("{} ", fit(&row.name, self.name, ellipsis))),
            Span::raw(format!("{defects:>DEFECTS$} ")),
            Span::styled(fit(&verdict, VERDICT, ellipsis), verdict_style),
        ]);
        Line::from(spans)
    }
}
