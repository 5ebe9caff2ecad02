//! Two captures side by side: a near-duplicate beside the picture that it is nearly the same as, or what an end looked like
//! before it was cleaned beside what it looks like now. Lies over the screen that it was opened on.

use std::sync::Arc;

use ferrule_core::ids::CaptureId;
use ratatui::{Frame, layout::Rect, widgets::Paragraph};

use super::{Look, laid, middle, pane};
use crate::workbench::{
    figures,
    keys::{self, Action, Binding, Bindings, Key, hidden, shown},
    layout,
    picture::PictureKey,
    rows::{Detail, Hand},
    text,
};

pub const KEYS: Bindings = Bindings { title: text::PAIR_TITLE, list: LIST };

const LIST: &[Binding] = &[
    shown(keys::BACK, Action::Back),
    shown(&[Key::char('n'), Key::plain(crossterm::event::KeyCode::Right)], Action::NextPair),
    shown(&[Key::char('p'), Key::plain(crossterm::event::KeyCode::Left)], Action::PreviousPair),
    shown(&[Key::char('z')], Action::Zoom),
    shown(&[Key::char('+'), Key::char('=')], Action::Closer),
    hidden(&[Key::char('-')], Action::Farther),
    hidden(&[Key::char('H')], Action::PanLeft),
    hidden(&[Key::char('L')], Action::PanRight),
    hidden(&[Key::char('K')], Action::PanUp),
    hidden(&[Key::char('J')], Action::PanDown),
    shown(&[Key::char('o')], Action::Layers),
];

/// Two captures, and what they are to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Two {
    pub left: CaptureId,
    pub right: CaptureId,
    /// Clean.
    pub words: String,
}

/// The pairs, one of which is shown.
#[derive(Debug)]
pub struct Pair {
    list: Vec<Two>,
    at: usize,
    left: Side,
    right: Side,
}

/// One of the two.
#[derive(Debug, Default)]
struct Side {
    detail: Option<Arc<Detail>>,
    asked: bool,
    gone: bool,
}

impl Pair {
    /// `None` where there is no pair.
    pub fn of(list: Vec<Two>) -> Option<Self> {
        (!list.is_empty()).then(|| Self { list, at: 0, left: Side::default(), right: Side::default() })
    }

    pub fn step(&mut self, by: isize) {
        let to = self.at.saturating_add_signed(by).min(self.list.len() - 1);
        if to != self.at {
            (self.at, self.left, self.right) = (to, Side::default(), Side::default());
        }
    }

    fn capture(&self, hand: Hand) -> CaptureId {
        let two = &self.list[self.at];
        if hand == Hand::Left { two.left } else { two.right }
    }

    fn side(&self, hand: Hand) -> &Side {
        if hand == Hand::Left { &self.left } else { &self.right }
    }

    fn side_mut(&mut self, hand: Hand) -> &mut Side {
        if hand == Hand::Left { &mut self.left } else { &mut self.right }
    }

    /// The capture whose detail is to be read now.
    pub fn wanted(&mut self, hand: Hand) -> Option<CaptureId> {
        let capture = self.capture(hand);
        (!std::mem::replace(&mut self.side_mut(hand).asked, true)).then_some(capture)
    }

    /// Takes a detail, unless another pair is shown by now.
    pub fn take(&mut self, hand: Hand, capture: CaptureId, detail: Option<Arc<Detail>>) {
        if self.capture(hand) == capture {
            let side = self.side_mut(hand);
            side.gone = detail.is_none();
            side.detail = detail;
        }
    }

    pub fn detail(&self, hand: Hand) -> Option<&Arc<Detail>> {
        self.side(hand).detail.as_ref()
    }

    pub fn draw(&self, frame: &mut Frame, body: Rect, look: &Look, wanted: [Option<PictureKey>; 2], view: &str) {
        let theme = look.theme;
        let parts = layout::pair(body);
        let of = format!("{} of {}", self.at + 1, self.list.len());
        let halves =
            [(Hand::Left, parts.left, look.picture, view), (Hand::Right, parts.right, look.beside, of.as_str())];
        for ((hand, half, shown, aside), wanted) in halves.into_iter().zip(wanted) {
            let side = self.side(hand);
            let title = match &side.detail {
                Some(detail) => format!("#{} {}", detail.row.capture, detail.row.name),
                None => format!("#{}", self.capture(hand)),
            };
            pane(frame, half.picture, look, &title, aside, theme.dim());
            let Some(detail) = &side.detail else {
                let message = if side.gone { text::CAPTURE_GONE } else { text::LOADING };
                middle(frame, layout::inner(half.picture), message, theme.dim());
                continue;
            };
            laid(frame, half.picture, look, shown, wanted);
            let area = layout::inner(half.facts);
            pane(
                frame,
                half.facts,
                look,
                text::LIVE_FACTS,
                &figures::day_and_time(&detail.row, look.zone),
                theme.dim(),
            );
            let lines = figures::lines(detail, theme, usize::from(area.width));
            let lines: Vec<_> = lines.into_iter().take(usize::from(area.height)).collect();
            frame.render_widget(Paragraph::new(lines), area);
        }
        let words = ratatui::text::Line::styled(format!(" {}", self.list[self.at].words), theme.title());
        frame.render_widget(words, parts.words);
    }
}
