//! What surrounds every screen: the title line, the bottom line of keys, the help, the question on leaving, and the
//! screen for a terminal that is too small.

use ferrule_core::alarm::Alarm;
use ratatui::{
    Frame,
    layout::{Rect, Size},
    style::Style,
    text::{Line, Span},
    widgets::{Block, Clear, Paragraph},
};

use super::{
    figures,
    keymap::{Bound, Layer},
    layout,
    palette::Palette,
    plain::{cut, fit},
    screens::{Look, ScreenName},
    tasks::Tasks,
    text,
    theme::Theme,
};

/// The title line: program, where one is, screens, the engine's state.
pub fn header(frame: &mut Frame, area: Rect, theme: &Theme, crumbs: &[String], on: ScreenName, engine: (&str, Style)) {
    let (engine, engine_style) = engine;
    let tabs = tabs(area, theme, engine);
    let engine = engine_text(theme, engine);
    let room = room(&tabs, area);
    let title = title(crumbs, room, theme);
    let mut spans = vec![Span::styled(fit(&title, room, theme.signs.ellipsis), theme.title()), Span::raw("  ")];
    for (name, title, ..) in tabs {
        spans.push(Span::styled(title, if name == on { theme.selected() } else { theme.text() }));
    }
    spans.push(Span::styled(engine, engine_style));
    frame.render_widget(Line::from(spans), area);
}

/// Whether the innermost crumb finds room beside the engine's state said so.
pub fn has_room(width: u16, theme: &Theme, crumbs: &[String], engine: &str) -> bool {
    let area = Rect::new(0, 0, width, 1);
    let innermost = crumbs.last().map_or(0, |crumb| Span::raw(crumb.as_str()).width() + 1);
    innermost <= room(&tabs(area, theme, engine), area)
}

/// Columns before the tabs.
fn room(tabs: &[(ScreenName, String, u16, u16)], area: Rect) -> usize {
    usize::from(tabs.first().map_or(area.width, |(_, _, from, _)| *from)).saturating_sub(2)
}

/// Where one is, as much of it as there is room for: what is innermost says most.
fn title(crumbs: &[String], room: usize, theme: &Theme) -> String {
    let joined = |crumbs: &[String]| crumbs.join(&format!(" {} ", theme.signs.cursor));
    let whole = format!(" {} {} {}", text::PROGRAM, theme.signs.dot, joined(crumbs));
    let shorter = (0..crumbs.len()).map(|from| format!(" {}", joined(&crumbs[from..])));
    let fits = std::iter::once(whole).chain(shorter).find(|title| Span::raw(title.as_str()).width() <= room);
    fits.unwrap_or_else(|| cut(&format!(" {}", crumbs.last().map_or("", String::as_str)), room, theme.signs.ellipsis))
}

/// The screen whose tab is in that column.
pub fn tab_at(column: u16, area: Rect, theme: &Theme, engine: &str) -> Option<ScreenName> {
    let tabs = tabs(area, theme, engine);
    tabs.into_iter().find(|(_, _, from, to)| (*from..*to).contains(&column)).map(|(name, ..)| name)
}

/// The tabs with their columns, at the right before the engine's state; with short names where long ones leave no room to
/// say where one is.
fn tabs(area: Rect, theme: &Theme, engine: &str) -> Vec<(ScreenName, String, u16, u16)> {
    const CRUMBS: usize = 20;
    let width = usize::from(area.width).saturating_sub(Span::raw(engine_text(theme, engine)).width());
    let titles = |name: fn(ScreenName) -> &'static str| -> Vec<(ScreenName, String)> {
        let all = ScreenName::ALL.into_iter().enumerate();
        all.map(|(index, screen)| (screen, format!(" {} {} ", index + 1, name(screen)))).collect()
    };
    let length = |titles: &[(ScreenName, String)]| titles.iter().map(|(_, title)| title.len()).sum::<usize>();
    let mut chosen = titles(text::screen);
    if length(&chosen) + CRUMBS > width {
        chosen = titles(text::short_screen);
    }
    let mut at = width.saturating_sub(length(&chosen)) as u16;
    let place = |(name, title): (ScreenName, String)| {
        let from = at;
        at += title.len() as u16;
        (name, title, from, at)
    };
    chosen.into_iter().map(place).collect()
}

fn engine_text(theme: &Theme, engine: &str) -> String {
    format!("{} {engine} ", theme.signs.dot)
}

/// The bottom line: a notice, or as many keys as fit.
pub fn bar(frame: &mut Frame, area: Rect, theme: &Theme, layers: &[Layer], notice: Option<(&str, Style)>) {
    let width = usize::from(area.width);
    if let Some((notice, style)) = notice {
        frame.render_widget(Line::styled(cut(&format!(" {notice}"), width, theme.signs.ellipsis), style), area);
        return;
    }
    let mut spans = vec![Span::raw(" ")];
    let mut taken = 1;
    // Help and quit are in the last list: they keep their place, the rest is shown as far as there is room.
    let entry = |binding: &Bound| {
        let key = binding.keys.first().map(ToString::to_string).unwrap_or_default();
        (key, text::action(binding.action).0)
    };
    let width_of = |(key, word): &(String, &str)| key.chars().count() + word.len() + 3;
    let (last, first) = layers.split_last().map_or((&[][..], &[][..]), |(last, first)| (&last.list[..], first));
    let always: Vec<_> = last.iter().filter(|binding| binding.in_bar).map(entry).collect();
    let reserve: usize = always.iter().map(width_of).sum();
    let screen = first.iter().flat_map(|layer| &layer.list).filter(|binding| binding.in_bar).map(entry);
    let mut chosen = Vec::new();
    for item in screen {
        if taken + width_of(&item) + reserve > width {
            break;
        }
        taken += width_of(&item);
        chosen.push(item);
    }
    for (key, word) in chosen.into_iter().chain(always) {
        spans.push(Span::styled(key, theme.key()));
        spans.push(Span::raw(format!(" {word}  ")));
    }
    frame.render_widget(Line::from(spans), area);
}

/// A line that is typed at the bottom.
pub struct Prompt {
    /// What stands before it.
    pub sign: &'static str,
    /// What the keys do.
    pub keys: &'static str,
    /// Cleaned.
    pub typed: String,
    /// In columns.
    pub cursor: usize,
    /// What could be typed, while nothing is.
    pub hint: &'static str,
    /// What is wrong with it; cleaned.
    pub error: Option<String>,
}

impl Prompt {
    /// With the usual keys, and nothing wrong; the text is clean, the cursor in columns.
    pub fn of(sign: &'static str, hint: &'static str, (typed, cursor): (String, usize)) -> Self {
        Self { sign, keys: text::PROMPT_KEYS, typed, cursor, hint, error: None }
    }
}

/// The bottom line while something is typed.
pub fn typed_line(frame: &mut Frame, area: Rect, theme: &Theme, prompt: &Prompt) {
    let Prompt { sign, keys, typed, cursor, hint, error } = prompt;
    let width = usize::from(area.width);
    let (aside, style) = match error {
        Some(error) => (cut(error, width * 2 / 3, theme.signs.ellipsis), theme.bad()),
        None if typed.is_empty() && !hint.is_empty() => {
            (cut(hint, width.saturating_sub(12), theme.signs.ellipsis), theme.dim())
        }
        None => ((*keys).to_owned(), theme.dim()),
    };
    let before = Span::raw(*sign).width() + 1;
    let room = width.saturating_sub(Span::raw(aside.as_str()).width() + before + 3).max(8);
    // The end of a long text is what is being typed.
    let skip = cursor.saturating_sub(room - 1);
    let shown: String = typed.chars().skip(skip).take(room).collect();
    let line = Line::from(vec![
        Span::styled(format!(" {sign}"), theme.key()),
        Span::raw(fit(&shown, room, theme.signs.ellipsis)),
        Span::styled(format!("  {aside}"), style),
    ]);
    frame.render_widget(line, area);
    frame.set_cursor_position((area.x + before as u16 + (cursor - skip).min(room) as u16, area.y));
}

/// The help: every key in force, list by list. Returns nothing; `top` is the first line shown.
pub fn help(frame: &mut Frame, body: Rect, theme: &Theme, layers: &[Layer], top: usize) {
    let lines = help_lines(layers, theme);
    let area = layout::centred(body, 76, lines.len() as u16 + 2);
    let inner = dialog(frame, area, theme, text::HELP_TITLE);
    let height = usize::from(inner.height);
    let top = top.min(lines.len().saturating_sub(height));
    frame.render_widget(Paragraph::new(lines.into_iter().skip(top).take(height).collect::<Vec<_>>()), inner);
}

/// How many lines the help can be scrolled by.
pub fn help_room(body: Rect, theme: &Theme, layers: &[Layer]) -> usize {
    let lines = help_lines(layers, theme).len();
    lines.saturating_sub(usize::from(layout::centred(body, 76, lines as u16 + 2).height.saturating_sub(2)))
}

fn help_lines(layers: &[Layer], theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for layer in layers {
        if !lines.is_empty() {
            lines.push(Line::raw(""));
        }
        lines.push(Line::styled(layer.title, theme.title()));
        for binding in &layer.list {
            let keys: Vec<String> = binding.keys.iter().map(ToString::to_string).collect();
            lines.push(Line::from(vec![
                Span::styled(format!("  {} ", fit(&keys.join(" "), 18, theme.signs.ellipsis)), theme.key()),
                Span::raw(text::action(binding.action).1),
            ]));
        }
    }
    lines
}

/// The question on leaving.
pub fn quit(frame: &mut Frame, body: Rect, theme: &Theme, keys: &Layer, at_logout: Option<&str>, stopping: bool) {
    let width = 70.min(body.width);
    let room = usize::from(width.saturating_sub(4));
    let mut lines = Vec::new();
    let question = if stopping { text::QUIT_STOPPING } else { text::QUIT_QUESTION };
    lines.extend(figures::wrap(question, room).into_iter().map(Line::raw));
    if let Some(warning) = at_logout.filter(|_| !stopping) {
        lines.push(Line::raw(""));
        let warning = figures::wrap(&format!("{} {warning}", theme.signs.warn), room);
        lines.extend(warning.into_iter().map(|part| Line::styled(part, theme.warn())));
    }
    lines.push(Line::raw(""));
    lines.extend(answers(keys, theme));
    let area = layout::centred(body, width, lines.len() as u16 + 2);
    let inner = dialog(frame, area, theme, text::QUIT_TITLE);
    frame.render_widget(Paragraph::new(lines), inner);
}

/// The command palette.
pub fn palette(frame: &mut Frame, body: Rect, theme: &Theme, palette: &Palette) {
    let area = layout::centred(body, 72, body.height.min(18));
    let inner = dialog(frame, area, theme, text::PALETTE_TITLE);
    let rows = usize::from(inner.height.saturating_sub(1));
    let (lines, cursor) = palette.lines(usize::from(inner.width), rows, theme);
    frame.render_widget(Paragraph::new(lines), inner);
    frame.set_cursor_position((inner.x + cursor as u16, inner.y));
}

/// Everything long.
pub fn tasks(frame: &mut Frame, body: Rect, theme: &Theme, tasks: &Tasks) {
    let area = layout::centred(body, 100, body.height.min(14));
    let inner = dialog(frame, area, theme, text::TASKS_TITLE);
    let lines = tasks.lines(usize::from(inner.width), usize::from(inner.height), theme);
    frame.render_widget(Paragraph::new(lines), inner);
}

/// What rings.
pub fn alarms(frame: &mut Frame, body: Rect, look: &Look, alarms: &[Alarm], at: usize) {
    let rows = alarms.len().min(usize::from(body.height)) as u16 + 7;
    let area = layout::centred(body, 100, rows);
    let inner = dialog(frame, area, look.theme, text::ALARMS_TITLE);
    let room = (usize::from(inner.width), usize::from(inner.height));
    frame.render_widget(Paragraph::new(super::alarms::lines(alarms, at, room, look.zone, look.theme)), inner);
}

/// The question before something is done for good.
pub fn confirm(frame: &mut Frame, body: Rect, theme: &Theme, keys: &Layer, question: &str) {
    let width = 70.min(body.width);
    let room = usize::from(width.saturating_sub(4));
    let mut lines: Vec<Line> = figures::wrap(question, room).into_iter().map(Line::raw).collect();
    lines.push(Line::raw(""));
    lines.extend(answers(keys, theme));
    let area = layout::centred(body, width, lines.len() as u16 + 2);
    let inner = dialog(frame, area, theme, keys.title);
    frame.render_widget(Paragraph::new(lines), inner);
}

/// What can be answered, a line each.
fn answers(keys: &Layer, theme: &Theme) -> Vec<Line<'static>> {
    let shown = keys.list.iter().filter(|binding| binding.in_bar);
    let answer = |binding: &Bound| {
        let key = binding.keys.first().map(ToString::to_string).unwrap_or_default();
        Line::from(vec![Span::styled(format!("{key:>5}  "), theme.key()), Span::raw(text::action(binding.action).1)])
    };
    shown.map(answer).collect()
}

/// A box over the screen; returns the room inside.
pub fn dialog(frame: &mut Frame, area: Rect, theme: &Theme, title: &str) -> Rect {
    frame.render_widget(Clear, area);
    let block = Block::bordered()
        .border_set(theme.signs.borders)
        .border_style(theme.border())
        .title(Span::styled(format!(" {title} "), theme.title()));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }
}

/// Shown instead of everything where there is no room.
pub fn too_small(frame: &mut Frame, size: Size) {
    let lines = text::too_small(size.width, size.height, layout::SMALLEST);
    let area = layout::centred(frame.area(), size.width, lines.len() as u16);
    frame.render_widget(Paragraph::new(lines.into_iter().map(Line::raw).collect::<Vec<_>>()).centered(), area);
}
