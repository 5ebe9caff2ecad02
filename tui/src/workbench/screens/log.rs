//! Log: what the engine and the connection said since this screen was opened. The whole log is a file.

use std::collections::VecDeque;

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{Look, middle, pane};
use crate::workbench::{
    keys::{self, Action, Binding, Bindings, Key, hidden, shown},
    plain::cut,
    text,
};

pub const KEYS: Bindings = Bindings { title: text::screen(super::ScreenName::Log), list: LIST };

const LIST: &[Binding] = &[
    hidden(keys::UP, Action::Up),
    hidden(keys::DOWN, Action::Down),
    shown(&[Key::char('v')], Action::Level),
    shown(&[Key::char('f'), Key::plain(crossterm::event::KeyCode::End), Key::char('G')], Action::Follow),
    hidden(keys::PAGE_UP, Action::PageUp),
    hidden(keys::PAGE_DOWN, Action::PageDown),
    hidden(keys::FIRST, Action::First),
];

/// Lines kept; older ones are in the log file.
const MOST: usize = 5_000;

/// Levels from the gravest.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// One line, cleaned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Time of day as shown.
    pub at: String,
    pub level: String,
    pub message: String,
}

/// What the Log screen holds.
#[derive(Debug)]
pub struct Log {
    lines: VecDeque<LogLine>,
    /// Least grave level shown, an index of [`LEVELS`].
    level: usize,
    /// Lines from the end that the view's end is; 0 follows.
    back: usize,
}

impl Default for Log {
    fn default() -> Self {
        Self { lines: VecDeque::new(), level: 2, back: 0 }
    }
}

impl Log {
    /// Adds a line; whether it is among those shown.
    pub fn push(&mut self, line: LogLine) -> bool {
        let shown = self.shows(&line);
        if self.lines.len() == MOST {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
        // The view stays on its lines while new ones come.
        if shown && self.back > 0 {
            self.back += 1;
        }
        shown
    }

    fn shows(&self, line: &LogLine) -> bool {
        LEVELS.iter().position(|level| *level == line.level).is_none_or(|grave| grave <= self.level)
    }

    pub fn next_level(&mut self) {
        self.level = (self.level + 1) % LEVELS.len();
        self.back = 0;
    }

    pub fn follow(&mut self) {
        self.back = 0;
    }

    pub fn step(&mut self, by: isize) {
        self.back = self.back.saturating_add_signed(-by);
    }

    /// To the oldest line.
    pub fn first(&mut self) {
        self.back = usize::MAX / 2;
    }

    /// Keeps a screenful of lines before the view's end.
    pub fn show(&mut self, height: usize) {
        let count = self.lines.iter().filter(|line| self.shows(line)).count();
        self.back = self.back.min(count.saturating_sub(height));
    }

    pub fn draw(&self, frame: &mut Frame, body: Rect, look: &Look) {
        let theme = look.theme;
        let follow = if self.back == 0 { "following" } else { "scrolled back: f follows" };
        let aside = format!("{} and graver, {follow}", LEVELS[self.level]);
        pane(frame, body, look, text::screen(super::ScreenName::Log), &aside, theme.dim());
        let inner = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
        let (height, width) = (usize::from(inner.height), usize::from(inner.width));
        let mut lines: Vec<Line> = self
            .lines
            .iter()
            .rev()
            .filter(|line| self.shows(line))
            .skip(self.back)
            .take(height)
            .map(|line| {
                let room = width.saturating_sub(line.at.len() + 7);
                Line::from(vec![
                    Span::styled(format!("{} ", line.at), theme.dim()),
                    Span::styled(format!("{:<5} ", line.level), theme.level(&line.level)),
                    Span::raw(cut(&line.message, room, theme.signs.ellipsis)),
                ])
            })
            .collect();
        if lines.is_empty() {
            middle(frame, inner, text::NO_LOG, theme.dim());
            return;
        }
        lines.reverse();
        frame.render_widget(Paragraph::new(lines), inner);
    }
}
