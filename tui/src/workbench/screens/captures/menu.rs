//! Lists that lie over the captures: which columns are shown, and views by name.

use ferrule_core::{filter::Column, store::SavedView};
use ratatui::{Frame, layout::Rect, text::Line, widgets::Paragraph};

use super::columns;
use crate::workbench::{chrome, layout, plain, text, theme::Theme};

/// Views that every workbench has: their names and filters.
const BUILT_IN: [(&str, &str); 7] = [
    ("all captures", ""),
    ("defects", "label:defect"),
    ("failed", "state:failed"),
    ("not graded", "verdict:not-graded"),
    ("not reviewed", "state:done reviewed:no"),
    ("incomplete", "incomplete:yes"),
    ("today", "since:today"),
];

/// A list to choose from.
#[derive(Debug)]
pub struct Menu {
    pub kind: Kind,
    cursor: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Columns,
    Views,
}

impl Menu {
    pub fn new(kind: Kind) -> Self {
        Self { kind, cursor: 0 }
    }

    pub fn step(&mut self, by: isize, saved: &[SavedView]) {
        let count = match self.kind {
            Kind::Columns => Column::ALL.len(),
            Kind::Views => BUILT_IN.len() + saved.len(),
        };
        self.cursor = self.cursor.saturating_add_signed(by).min(count.saturating_sub(1));
    }

    /// The column under the cursor.
    pub fn column(&self) -> Option<Column> {
        (self.kind == Kind::Columns).then(|| Column::ALL.get(self.cursor).copied()).flatten()
    }

    /// The view under the cursor.
    pub fn view(&self, saved: &[SavedView]) -> Option<SavedView> {
        if self.kind != Kind::Views {
            return None;
        }
        match BUILT_IN.get(self.cursor) {
            Some((name, filter)) => Some(SavedView {
                name: (*name).into(),
                filter: (*filter).into(),
                order: String::new(),
                columns: String::new(),
            }),
            None => saved.get(self.cursor - BUILT_IN.len()).cloned(),
        }
    }

    /// The name of the view under the cursor, if a person saved it.
    pub fn saved_name(&self, saved: &[SavedView]) -> Option<String> {
        let index = self.cursor.checked_sub(BUILT_IN.len()).filter(|_| self.kind == Kind::Views)?;
        saved.get(index).map(|view| view.name.clone())
    }

    pub fn draw(&self, frame: &mut Frame, body: Rect, theme: &Theme, chosen: &[Column], saved: &[SavedView]) {
        let (title, lines) = match self.kind {
            Kind::Columns => (text::COLUMNS_TITLE, column_lines(chosen)),
            Kind::Views => (text::VIEWS_TITLE, view_lines(saved)),
        };
        let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0).max(30) as u16 + 4;
        let area = layout::centred(body, width.min(76), lines.len() as u16 + 2);
        let inner = chrome::dialog(frame, area, theme, title);
        let height = usize::from(inner.height);
        let top = (self.cursor + 1).saturating_sub(height);
        let lines: Vec<Line> = lines
            .into_iter()
            .enumerate()
            .skip(top)
            .take(height)
            .map(|(index, line)| {
                let line = plain::fit(&line, usize::from(inner.width), theme.signs.ellipsis);
                Line::styled(line, if index == self.cursor { theme.selected() } else { theme.text() })
            })
            .collect();
        frame.render_widget(Paragraph::new(lines), inner);
    }
}

fn column_lines(chosen: &[Column]) -> Vec<String> {
    let line = |column: &Column| {
        let mark = if chosen.contains(column) { "x" } else { " " };
        format!("[{mark}] {}", column.as_str())
    };
    Column::ALL.iter().map(line).collect()
}

fn view_lines(saved: &[SavedView]) -> Vec<String> {
    let built_in = BUILT_IN.iter().map(|(name, filter)| format!("{name:<16} {filter}"));
    let saved = saved.iter().map(|view| {
        let order = if view.order.is_empty() { String::new() } else { format!(" by {}", view.order) };
        format!("{:<16} {}{order}", view.name, plain::clean(&view.filter))
    });
    built_in.chain(saved).collect()
}

/// The usual columns in their order, with one more or one less.
pub fn toggled(chosen: &[Column], column: Column) -> Vec<Column> {
    let mut next: Vec<_> = chosen.iter().copied().filter(|other| *other != column).collect();
    if next.len() == chosen.len() {
        next.push(column);
    }
    if next.is_empty() { columns::USUAL.to_vec() } else { next }
}
