//! The list of alarms that stand: what each is about, whether it still holds, who has seen it. The list is the engine's; here
//! it is only shown.

use ferrule_core::alarm::Alarm;
use jiff::{Timestamp, tz::TimeZone};
use ratatui::text::{Line, Span};

use super::{figures::wrap, plain::fit, screens::chosen, text, theme::Theme};

/// Those that nobody has acknowledged.
pub fn unseen(alarms: &[Alarm]) -> usize {
    alarms.iter().filter(|alarm| alarm.seen_by.is_none()).count()
}

/// A line each, then the one under the cursor in full.
pub fn lines(
    alarms: &[Alarm],
    at: usize,
    (width, rows): (usize, usize),
    zone: &TimeZone,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let Some(selected) = alarms.get(at.min(alarms.len().saturating_sub(1))) else {
        return vec![Line::styled(text::NO_ALARMS, theme.dim())];
    };
    let mut below = vec![Line::raw("")];
    below.extend(wrap(&selected.message, width).into_iter().map(Line::raw));
    below.push(Line::styled(text::alarm_stands(selected), theme.dim()));
    let rows = rows.saturating_sub(below.len()).max(1);
    let top = (at + 1).saturating_sub(rows);
    let shown = alarms.iter().enumerate().skip(top).take(rows);
    let mut lines: Vec<Line> = shown
        .map(|(place, alarm)| {
            let (sign, style) = match (&alarm.seen_by, &alarm.over_at) {
                (None, _) => (theme.signs.warn, theme.bad()),
                (Some(_), _) => (theme.signs.dot, theme.warn()),
            };
            let time = clock(&alarm.raised_at, zone);
            let rule = fit(&alarm.rule, 16, theme.signs.ellipsis);
            let room = width.saturating_sub(time.len() + 16 + 4);
            let line = Line::from(vec![
                Span::styled(format!("{sign} "), style),
                Span::styled(format!("{time} "), theme.dim()),
                Span::styled(format!("{rule} "), style),
                Span::raw(fit(&alarm.message, room, theme.signs.ellipsis)),
            ]);
            if place == at { chosen(line, theme) } else { line }
        })
        .collect();
    lines.extend(below);
    lines
}

/// The time of day where the person is.
fn clock(at: &str, zone: &TimeZone) -> String {
    at.parse::<Timestamp>()
        .map_or_else(|_| at.to_owned(), |at| at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string())
}
