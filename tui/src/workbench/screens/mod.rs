//! The screens: what each holds, its keys, how it is drawn. A screen changes only through its own methods and never draws
//! while it changes.

pub mod captures;
pub mod dataset;
pub mod detail;
pub mod jobs;
pub mod live;
pub mod log;
pub mod pair;
pub mod plugins;
pub mod review;
pub mod training;
pub mod window;

use jiff::{Timestamp, tz::TimeZone};
use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{
    keys::{self, Bindings},
    layout,
    picture::{Picture, PictureKey},
    plain::{clean, cut},
    text,
    theme::Theme,
};

/// The screens by name, in the order of their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScreenName {
    Live,
    Captures,
    Review,
    Plugins,
    Training,
    Dataset,
    Log,
}

impl ScreenName {
    pub const ALL: [Self; 7] =
        [Self::Live, Self::Captures, Self::Review, Self::Plugins, Self::Training, Self::Dataset, Self::Log];

    pub fn next(self) -> Self {
        self.moved(1)
    }

    pub fn previous(self) -> Self {
        self.moved(Self::ALL.len() - 1)
    }

    fn moved(self, by: usize) -> Self {
        let place = Self::ALL.iter().position(|name| *name == self).unwrap_or(0);
        Self::ALL[(place + by) % Self::ALL.len()]
    }
}

/// The keys of every screen, and of one capture.
pub const ALL_KEYS: &[Bindings] = &[
    live::KEYS,
    captures::KEYS,
    jobs::KEYS,
    detail::KEYS,
    pair::KEYS,
    review::KEYS,
    plugins::KEYS,
    training::KEYS,
    dataset::KEYS,
    log::KEYS,
];

/// Every list of keys that a person may change: those of screens, of dialogs, and those that work everywhere. Where text is
/// typed, keys stay as they ship.
pub fn layers() -> Vec<Bindings> {
    let inner = [plugins::BUILDS, plugins::DIFFERENCES];
    let dialogs = [keys::GLOBAL, keys::HELP, keys::QUIT, keys::CONFIRM, keys::TASKS, keys::ALARMS];
    ALL_KEYS.iter().copied().chain(inner).chain(dialogs).collect()
}

/// What every screen needs to draw.
pub struct Look<'a> {
    pub theme: &'a Theme,
    pub zone: &'a TimeZone,
    pub picture: &'a Shown,
    /// The second of two.
    pub beside: &'a Shown,
    /// A dialog lies over the screen: pixels would cover it, so pictures make way.
    pub covered: bool,
}

impl Look<'_> {
    /// An RFC 3339 time where the person is; as it was written where it is none.
    pub fn moment(&self, at: &str) -> String {
        at.parse::<Timestamp>()
            .map_or_else(|_| clean(at), |at| at.to_zoned(self.zone.clone()).strftime("%m-%d %H:%M:%S").to_string())
    }
}

/// The picture in hand.
#[derive(Debug, Default)]
pub struct Shown {
    pub key: Option<PictureKey>,
    pub picture: Option<Result<Picture, String>>,
}

/// Draws a pane's title line; what is right of the title comes last.
pub fn pane(frame: &mut Frame, area: Rect, look: &Look, title: &str, aside: &str, aside_style: Style) {
    let theme = look.theme;
    let rule = theme.signs.borders.horizontal_top;
    let width = usize::from(area.width).saturating_sub(1);
    let title = format!("{rule}{rule} {} ", cut(title, width.saturating_sub(8), theme.signs.ellipsis));
    let taken = Span::raw(title.as_str()).width();
    let aside = cut(aside, width.saturating_sub(taken + 5), theme.signs.ellipsis);
    let aside_width = if aside.is_empty() { 0 } else { Span::raw(aside.as_str()).width() + 3 };
    let filler = width.saturating_sub(taken + aside_width);
    let mut spans = vec![Span::styled(title, theme.title()), Span::styled(rule.repeat(filler), theme.border())];
    if !aside.is_empty() {
        spans.push(Span::styled(format!(" {aside} "), aside_style));
        spans.push(Span::styled(rule, theme.border()));
    }
    frame.render_widget(Line::from(spans), Rect { height: area.height.min(1), ..area });
}

/// Draws the picture, or why there is none.
pub fn picture(frame: &mut Frame, pane: Rect, look: &Look, wanted: Option<PictureKey>) {
    laid(frame, pane, look, look.picture, wanted);
}

/// The same of one of two pictures.
pub fn laid(frame: &mut Frame, pane: Rect, look: &Look, shown: &Shown, wanted: Option<PictureKey>) {
    let area = layout::inner(pane);
    let Some(wanted) = wanted else { return };
    // Until another view of the same capture is made, the one in hand stays.
    let in_hand = shown.key.is_some_and(|key| key.capture == wanted.capture && key.room == wanted.room);
    let message = match shown.picture.as_ref().filter(|_| in_hand) {
        Some(Ok(picture)) => {
            if !(look.covered && picture.is_pixels()) {
                picture.draw(area, frame.buffer_mut());
            }
            return;
        }
        Some(Err(message)) => message.as_str(),
        None => text::LOADING_PICTURE,
    };
    middle(frame, area, message, look.theme.dim());
}

/// The line under the cursor: of one look, since reversed colours would make a patchwork of it.
pub fn chosen<'a>(mut line: Line<'a>, theme: &Theme) -> Line<'a> {
    for span in &mut line.spans {
        span.style = theme.selected();
    }
    line
}

/// A short text in the middle of an area.
pub fn middle(frame: &mut Frame, area: Rect, message: &str, style: Style) {
    let lines = super::figures::wrap(message, usize::from(area.width).saturating_sub(2));
    let place = layout::centred(area, area.width, lines.len() as u16);
    let lines: Vec<Line> = lines.into_iter().map(|line| Line::styled(line, style).centered()).collect();
    frame.render_widget(Paragraph::new(lines), place);
}
