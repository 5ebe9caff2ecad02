//! One capture: its picture, defects and figures, opened from Live or from the Captures list.

use std::sync::Arc;

use ferrule_core::ids::CaptureId;
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{Look, middle, pane, picture};
use crate::workbench::{
    figures,
    keys::{self, Action, Binding, Bindings, Key, hidden, shown},
    layout,
    picture::PictureKey,
    plain::cut,
    rows::Detail,
    text,
};

pub const KEYS: Bindings = Bindings { title: "One capture", list: LIST };

/// Columns of a name that are left of it in a narrow pane.
const LEAST_NAME: usize = 8;

const LIST: &[Binding] = &[
    shown(keys::BACK, Action::Back),
    shown(&[Key::char('n'), Key::plain(crossterm::event::KeyCode::Right)], Action::NextCapture),
    shown(&[Key::char('p'), Key::plain(crossterm::event::KeyCode::Left)], Action::PreviousCapture),
    shown(&[Key::char('z')], Action::Zoom),
    shown(&[Key::char('+'), Key::char('=')], Action::Closer),
    hidden(&[Key::char('-')], Action::Farther),
    hidden(&[Key::char('H')], Action::PanLeft),
    hidden(&[Key::char('L')], Action::PanRight),
    hidden(&[Key::char('K')], Action::PanUp),
    hidden(&[Key::char('J')], Action::PanDown),
    shown(&[Key::char('o')], Action::Layers),
    shown(&[Key::char('x')], Action::SavePicture),
    shown(&[Key::char('y')], Action::CopyPath),
    hidden(&[Key::char('w')], Action::OpenWith),
    shown(&[Key::char('i')], Action::Reinspect),
    hidden(&[Key::char('r')], Action::Retry),
    hidden(keys::UP, Action::Up),
    hidden(keys::DOWN, Action::Down),
    hidden(keys::PAGE_UP, Action::PageUp),
    hidden(keys::PAGE_DOWN, Action::PageDown),
    hidden(keys::FIRST, Action::First),
    hidden(keys::LAST, Action::Last),
];

/// The capture that is open.
#[derive(Debug)]
pub struct Open {
    pub capture: CaptureId,
    detail: Option<Arc<Detail>>,
    /// The first line of figures shown.
    top: usize,
    asked: bool,
    gone: bool,
}

impl Open {
    pub fn new(capture: CaptureId) -> Self {
        Self { capture, detail: None, top: 0, asked: false, gone: false }
    }

    /// Another capture; the old one stays on the screen until the new one is read.
    pub fn turn(&mut self, capture: CaptureId) {
        if self.capture != capture {
            (self.capture, self.top, self.asked, self.gone) = (capture, 0, false, false);
        }
    }

    /// Whether the detail is to be read now.
    pub fn wanted(&mut self) -> bool {
        !std::mem::replace(&mut self.asked, true)
    }

    /// There is a newer result of this capture.
    pub fn outdated(&mut self) {
        self.asked = false;
    }

    pub fn take(&mut self, detail: Option<Arc<Detail>>) {
        self.gone = detail.is_none();
        self.detail = detail;
    }

    pub fn detail(&self) -> Option<&Arc<Detail>> {
        self.detail.as_ref()
    }

    pub fn scroll(&mut self, by: isize) {
        self.top = self.top.saturating_add_signed(by);
    }

    /// Keeps the last line of figures at the bottom at most.
    pub fn show(&mut self, body: Rect, look: &crate::workbench::theme::Theme) {
        let area = layout::inner(layout::detail(body).facts);
        let lines = self.detail.as_ref().map_or(0, |detail| lines(detail, look, area.width, None).len());
        self.top = self.top.min(lines.saturating_sub(usize::from(area.height)));
    }

    pub fn draw(&self, frame: &mut Frame, body: Rect, look: &Look, wanted: Option<PictureKey>, view: &str) {
        let (parts, theme) = (layout::detail(body), look.theme);
        let title = self.detail.as_ref().map_or_else(
            || format!("#{}", self.capture),
            // The number stands in the title line, and the name among the figures; in a narrow pane what lies over the
            // picture says more.
            |detail| match body.width {
                ..100 => {
                    let room = usize::from(parts.picture.width).saturating_sub(11 + Span::raw(view).width());
                    cut(&detail.row.name, room.max(LEAST_NAME), theme.signs.ellipsis)
                }
                _ => format!("#{} {}", detail.row.capture, detail.row.name),
            },
        );
        pane(frame, parts.picture, look, &title, view, theme.dim());
        let Some(detail) = &self.detail else {
            let message = if self.gone { text::CAPTURE_GONE } else { text::LOADING };
            middle(frame, layout::inner(parts.picture), message, theme.dim());
            return;
        };
        picture(frame, parts.picture, look, wanted);
        let area = layout::inner(parts.facts);
        let lines = lines(detail, theme, area.width, Some(look.zone));
        let (height, all) = (usize::from(area.height), lines.len());
        let place = if all > height {
            format!("{}-{} of {all}", self.top + 1, (self.top + height).min(all))
        } else {
            String::new()
        };
        pane(frame, parts.facts, look, text::LIVE_FACTS, &place, theme.dim());
        let lines: Vec<Line> = lines.into_iter().skip(self.top).take(height).collect();
        frame.render_widget(Paragraph::new(lines), area);
    }
}

/// The figures, and where the file is. The zone is only needed to write the time, not to count lines.
fn lines(
    detail: &Detail,
    theme: &crate::workbench::theme::Theme,
    width: u16,
    zone: Option<&jiff::tz::TimeZone>,
) -> Vec<Line<'static>> {
    let width = usize::from(width);
    let mut lines = figures::lines(detail, theme, width);
    if let Some(before) = &detail.former {
        lines.push(Line::styled(text::SAID_BEFORE, theme.title()));
        let zone = zone.cloned().unwrap_or(jiff::tz::TimeZone::UTC);
        lines.extend(
            text::before(before, &zone).into_iter().flat_map(|line| figures::wrap(&line, width)).map(Line::raw),
        );
    }
    lines.push(Line::styled("File", theme.title()));
    for part in figures::wrap(&detail.path, width) {
        lines.push(Line::raw(part));
    }
    let seen = zone.map_or_else(String::new, |zone| figures::day_and_time(&detail.row, zone));
    lines.push(Line::styled(format!("{} {seen}", detail.row.source), theme.dim()));
    if let Some(image) = detail.row.image {
        lines.push(Line::styled(format!("image {image}"), theme.dim()));
    }
    lines
}
