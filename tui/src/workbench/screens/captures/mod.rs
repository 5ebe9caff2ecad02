//! Captures: every capture as one row, filtered, sorted and marked, over any number of rows.

mod columns;
mod marks;
mod menu;

use std::collections::VecDeque;

use crossterm::event::KeyCode;
use ferrule_core::{
    filter::{Column, Filter, FilterError, Order, Test, completions},
    report::CaptureState,
    store::SavedView,
};
use jiff::Zoned;
use ratatui::{Frame, layout::Rect, widgets::Paragraph};

pub use self::marks::Marks;
use self::{
    columns::{Table, USUAL, first_order},
    menu::{Kind, Menu},
};
use super::{Look, chosen, middle, pane, window::Window};
use crate::workbench::{
    chrome::Prompt,
    keys::{self, Action, Binding, Bindings, JobAction, Key, hidden, shown},
    line::Line,
    plain,
    rows::{List, Marking, Place, RowsAnswer, RowsRequest},
    text,
};

pub const KEYS: Bindings = Bindings { title: text::screen(super::ScreenName::Captures), list: LIST };

const LIST: &[Binding] = &[
    shown(keys::ENTER, Action::Open),
    shown(&[Key::char('/')], Action::Search),
    shown(&[Key::char('s')], Action::FilterState),
    shown(&[Key::char('l')], Action::FilterLabel),
    shown(&[Key::char('a'), Key::plain(KeyCode::Esc)], Action::ClearFilter),
    shown(&[Key::char('o')], Action::Sort),
    hidden(&[Key::char('O')], Action::SortReverse),
    shown(&[Key::char(' ')], Action::Mark),
    hidden(&[Key::char('*')], Action::MarkAll),
    hidden(&[Key::char('~')], Action::MarkInvert),
    hidden(&[Key::char('u')], Action::MarkNone),
    shown(&[Key::char('v')], Action::Views),
    hidden(&[Key::char('V')], Action::SaveView),
    shown(&[Key::char('c')], Action::Columns),
    hidden(&[Key::char('J')], Action::Job(JobAction::Show)),
    hidden(&[Key::char('B')], Action::MakeReference),
    hidden(&[Key::char('x')], Action::SaveCsv),
    hidden(&[Key::char('X')], Action::SaveJson),
    shown(&[Key::char('r')], Action::Retry),
    shown(&[Key::char('i')], Action::Reinspect),
    hidden(&[Key::char('R')], Action::RetryAll),
    hidden(keys::UP, Action::Up),
    hidden(keys::DOWN, Action::Down),
    hidden(keys::PAGE_UP, Action::PageUp),
    hidden(&[Key::plain(KeyCode::PageDown), Key::ctrl('f')], Action::PageDown),
    hidden(keys::FIRST, Action::First),
    hidden(keys::LAST, Action::Last),
];

/// What is typed at the bottom, and what for.
#[derive(Debug)]
struct Typing {
    purpose: Purpose,
    line: Line,
    /// What is wrong with it so far.
    error: Option<FilterError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Filter,
    ViewName,
}

/// What the Captures screen holds.
#[derive(Debug)]
pub struct Captures {
    pub window: Window,
    pub marks: Marks,
    list: List,
    columns: Vec<Column>,
    /// Views that people saved.
    views: Vec<SavedView>,
    /// Counted up with every change of the list, so that late answers are known.
    ticket: u64,
    /// How many captures the list has.
    count: Option<u64>,
    typing: Option<Typing>,
    menu: Option<Menu>,
    /// A first page is to be asked for.
    fresh: bool,
    /// Somebody has just come to look at it.
    entered: bool,
    /// Other questions that are to be asked.
    asks: VecDeque<RowsRequest>,
}

impl Captures {
    pub fn new() -> Self {
        Self {
            window: Window::new(),
            marks: Marks::default(),
            list: List::default(),
            columns: USUAL.to_vec(),
            views: Vec::new(),
            ticket: 0,
            count: None,
            typing: None,
            menu: None,
            fresh: true,
            entered: false,
            asks: VecDeque::new(),
        }
    }

    /// The keys in force instead of the screen's, if any.
    pub fn inner_keys(&self) -> Option<Bindings> {
        match (&self.typing, &self.menu) {
            (Some(_), _) => Some(keys::SEARCH),
            (None, Some(_)) => Some(keys::MENU),
            (None, None) => None,
        }
    }

    pub fn start_search(&mut self) {
        let text = self.list.filter.to_string();
        // A space at its end begins the next word.
        let text = if text.is_empty() { text } else { text + " " };
        self.typing = Some(Typing { purpose: Purpose::Filter, line: Line::new(text), error: None });
    }

    /// Asks for a name to save the list under.
    pub fn start_saving(&mut self) {
        self.typing = Some(Typing { purpose: Purpose::ViewName, line: Line::default(), error: None });
    }

    pub fn cancel_search(&mut self) {
        self.typing = None;
    }

    /// What was typed is meant. Returns the view that is to be saved, if that is what it was for.
    pub fn accept_search(&mut self, now: &Zoned) -> Option<SavedView> {
        let mut typing = self.typing.take()?;
        match typing.purpose {
            Purpose::Filter => match Filter::parse(typing.line.text(), now) {
                Ok(filter) => self.change(List { filter, ..self.list.clone() }),
                Err(error) => {
                    typing.error = Some(error);
                    self.typing = Some(typing);
                }
            },
            Purpose::ViewName if typing.line.text().trim().is_empty() => {}
            Purpose::ViewName => {
                return Some(SavedView {
                    name: typing.line.text().trim().to_owned(),
                    filter: self.list.filter.to_string(),
                    order: self.list.order.to_string(),
                    columns: columns::written(&self.columns),
                });
            }
        }
        None
    }

    /// A key that goes into the text that is typed.
    pub fn typed(&mut self, key: Key, now: &Zoned) {
        if let Some(typing) = &mut self.typing {
            typing.line.typed(key);
        }
        self.judge(now);
    }

    pub fn pasted(&mut self, pasted: &str, now: &Zoned) {
        if let Some(typing) = &mut self.typing {
            typing.line.pasted(pasted);
        }
        self.judge(now);
    }

    /// Completes the word that is typed.
    pub fn complete(&mut self, now: &Zoned) {
        if let Some(typing) = self.typing.as_mut().filter(|typing| typing.purpose == Purpose::Filter) {
            typing.line.complete(completions);
        }
        self.judge(now);
    }

    /// What is wrong with a filter is said while it is typed, but not of its last word: that is not finished.
    fn judge(&mut self, now: &Zoned) {
        let Some(typing) = self.typing.as_mut().filter(|typing| typing.purpose == Purpose::Filter) else { return };
        let text = typing.line.text();
        let last = text.rfind(char::is_whitespace).unwrap_or(0);
        typing.error = Filter::parse(text, now).err().filter(|error| error.at.end <= last);
    }

    /// The line that is typed, as the bottom of the screen shows it.
    pub fn prompt(&self) -> Option<Prompt> {
        let typing = self.typing.as_ref()?;
        let (typed, cursor) = typing.line.shown();
        let sign = match typing.purpose {
            Purpose::Filter => "/",
            Purpose::ViewName => text::VIEW_NAME,
        };
        let hint = match (typing.purpose, typing.line.text().is_empty()) {
            (Purpose::Filter, true) => text::FILTER_EXAMPLE,
            _ => "",
        };
        let error = typing.error.as_ref().map(|error| plain::clean(&error.to_string()));
        Some(Prompt { sign, keys: text::PROMPT_KEYS, typed, cursor, hint, error })
    }

    pub fn next_state(&mut self) {
        let now = self.list.filter.terms().iter().find_map(|term| match &term.test {
            Test::State(states) if !term.negated => states.first().copied(),
            _ => None,
        });
        let next = match now {
            None => CaptureState::ALL.first().copied(),
            Some(state) => CaptureState::ALL.iter().skip_while(|known| **known != state).nth(1).copied(),
        };
        let filter = self.list.filter.clone();
        let filter = match next {
            Some(state) => filter.with(Filter::of_state(state)),
            None => filter.without(|test| matches!(test, Test::State(_))),
        };
        self.change(List { filter, ..self.list.clone() });
    }

    pub fn next_label(&mut self) {
        let now = self.list.filter.terms().iter().find_map(|term| match &term.test {
            Test::Label(labels) if !term.negated => labels.first().copied(),
            _ => None,
        });
        let filter = self.list.filter.clone();
        let filter = match now {
            None => filter.with(Filter::of_label(Some(true))),
            Some(Some(true)) => filter.with(Filter::of_label(Some(false))),
            Some(Some(false)) => filter.with(Filter::of_label(None)),
            Some(None) => filter.without(|test| matches!(test, Test::Label(_))),
        };
        self.change(List { filter, ..self.list.clone() });
    }

    /// Every capture again, in the order that was chosen.
    pub fn clear(&mut self) {
        self.change(List { filter: Filter::default(), ..self.list.clone() });
    }

    /// Sorted by the next of the columns that are shown.
    pub fn sort_next(&mut self) {
        let at = self.columns.iter().position(|column| *column == self.list.order.by);
        let next = at.map_or(0, |at| (at + 1) % self.columns.len().max(1));
        let by = self.columns.get(next).copied().unwrap_or(Column::Time);
        self.change(List { order: first_order(by), ..self.list.clone() });
    }

    pub fn sort_reverse(&mut self) {
        self.change(List { order: self.list.order.reversed(), ..self.list.clone() });
    }

    fn change(&mut self, list: List) {
        if list == self.list {
            return;
        }
        if list.filter != self.list.filter {
            self.count = None;
        }
        self.list = list;
        self.ticket += 1;
        self.fresh = true;
    }

    /// Reads the list again from the start.
    pub fn reload(&mut self) {
        self.fresh = true;
    }

    /// Marks the row under the cursor, or takes its mark away, and goes on to the next.
    pub fn mark(&mut self) {
        if let Some(row) = self.window.selected() {
            self.marks.toggle(row);
            self.window.step(1);
        }
    }

    /// Asks for all captures of the list, to mark them.
    pub fn mark_all(&mut self, marking: Marking) {
        let (ticket, filter) = (self.ticket, self.list.filter.clone());
        self.asks.push_back(RowsRequest::Matching { ticket, filter, limit: marks::MOST, marking });
    }

    /// Which captures are listed, and in which order.
    pub fn list(&self) -> &List {
        &self.list
    }

    pub fn open_columns(&mut self) {
        self.menu = Some(Menu::new(Kind::Columns));
    }

    pub fn open_views(&mut self) {
        self.menu = Some(Menu::new(Kind::Views));
        self.asks.push_back(RowsRequest::Views);
    }

    /// Saved views changed, here or elsewhere.
    pub fn views_changed(&mut self) {
        if self.menu.is_some() {
            self.asks.push_back(RowsRequest::Views);
        }
    }

    /// Whether the step went into a menu.
    pub fn step_menu(&mut self, by: isize) -> bool {
        let Some(menu) = &mut self.menu else { return false };
        menu.step(by, &self.views);
        true
    }

    pub fn close_menu(&mut self) {
        self.menu = None;
    }

    /// Enter in a menu: a column more or less, or a view. The error is that of a view that cannot be read.
    pub fn choose(&mut self, now: &Zoned) -> Result<(), String> {
        let Some(menu) = &self.menu else { return Ok(()) };
        if let Some(column) = menu.column() {
            self.columns = menu::toggled(&self.columns, column);
            return Ok(());
        }
        let Some(view) = menu.view(&self.views) else { return Ok(()) };
        let filter =
            Filter::parse(&view.filter, now).map_err(|error| plain::clean(&format!("view {}: {error}", view.name)))?;
        // Views that every workbench has say nothing of order and columns.
        let mut order = self.list.order;
        if menu.saved_name(&self.views).is_some() {
            order = view.order.parse().unwrap_or_default();
            self.columns = columns::read(&view.columns);
        }
        self.menu = None;
        self.change(List { filter, order });
        Ok(())
    }

    /// The saved view under the menu's cursor.
    pub fn unwanted_view(&self) -> Option<String> {
        self.menu.as_ref()?.saved_name(&self.views)
    }

    /// Somebody comes to look at it: what changed since is read at once.
    pub fn enter(&mut self) {
        self.entered = true;
    }

    /// What to read now. Before it is looked at, too, so that keys typed ahead find their rows; but what changes in a list
    /// that nobody looks at is read when somebody does.
    pub fn wanted(&mut self, looked_at: bool) -> Vec<RowsRequest> {
        let (fresh, entered) = (std::mem::take(&mut self.fresh), std::mem::take(&mut self.entered));
        let place = match (fresh, looked_at || self.window.is_empty()) {
            (true, _) => Some(self.window.first()),
            (false, true) => self.window.wanted(),
            (false, false) => None,
        };
        let mut wanted = Vec::new();
        if let Some(place) = place {
            wanted.push(self.request(place, fresh || entered || place != Place::First));
            // Without a filter the engine's own count says it.
            if place == Place::First && !self.list.filter.is_empty() {
                wanted.push(RowsRequest::Count { ticket: self.ticket, filter: self.list.filter.clone() });
            }
        }
        wanted.extend(self.asks.drain(..));
        wanted
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
        RowsRequest::Page { ticket: self.ticket, list: self.list.clone(), place, limit, urgent }
    }

    /// Takes what the database answered, unless it is an answer to an older list.
    pub fn take(&mut self, answer: RowsAnswer) {
        match answer {
            RowsAnswer::Page { ticket, place, page } if ticket == self.ticket => self.window.take(place, page),
            RowsAnswer::Count { ticket, count } if ticket == self.ticket => self.count = Some(count),
            RowsAnswer::Matching { ticket, found, marking } if ticket == self.ticket => self.marks.take(found, marking),
            RowsAnswer::Views(views) => self.views = views,
            _ => {}
        }
    }

    /// Rows that fit under the pane's title and the columns' heads.
    pub fn rows_shown(body: Rect) -> usize {
        usize::from(body.height.saturating_sub(2))
    }

    pub fn draw(&self, frame: &mut Frame, body: Rect, look: &Look, seen: Option<u64>) {
        let theme = look.theme;
        let title = text::screen(super::ScreenName::Captures);
        let style = if self.list.filter.is_empty() { theme.dim() } else { theme.warn() };
        pane(frame, body, look, title, &self.aside(seen), style);
        let inner = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
        let table = Table::new(&self.columns, usize::from(inner.width));
        let mut lines = vec![table.head(self.list.order, theme)];
        let (cursor, rows) = self.window.visible(Self::rows_shown(body));
        for (index, row) in rows.iter().enumerate() {
            let line = table.row(row, self.marks.has(row.capture), look);
            lines.push(if index == cursor { chosen(line, theme) } else { line });
        }
        frame.render_widget(Paragraph::new(lines), inner);
        if rows.is_empty() {
            let message = match (self.window.is_loading(), self.list.filter.is_empty()) {
                (true, _) => text::LOADING,
                (false, true) => text::NO_CAPTURES_YET,
                (false, false) => text::NO_MATCH,
            };
            middle(frame, inner, message, theme.dim());
        }
        if let Some(menu) = &self.menu {
            menu.draw(frame, body, theme, &self.columns, &self.views);
        }
    }

    /// What is filtered for, how many captures there are, how they are sorted, how many are marked.
    fn aside(&self, seen: Option<u64>) -> String {
        let mut parts = Vec::new();
        if !self.list.filter.is_empty() {
            parts.push(plain::clean(&self.list.filter.to_string()));
        }
        let count = if self.list.filter.is_empty() { seen } else { self.count };
        parts.extend(count.map(text::captures));
        if self.list.order != Order::default() && !self.columns.contains(&self.list.order.by) {
            parts.push(text::sorted_by(self.list.order));
        }
        if !self.marks.is_empty() {
            parts.push(text::marked(self.marks.len() as u64));
        }
        parts.join("  ")
    }
}
