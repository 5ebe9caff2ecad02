//! Text from outside made safe for a terminal: file names, plug-ins, logs and errors.
//!
//! Everything that a file name, a plug-in or the engine says passes through here once, when it enters the workbench, so
//! that no drawing code can forget it.

use ferrule_core::{
    alarm::Alarm,
    job::Job,
    protocol::{CaptureEvent, Status},
    report::{Defect, Inspection},
};
use ratatui::text::Span;

/// Longer texts are cut: nobody reads them in a line, and a log may hold thousands of them.
const LONGEST: usize = 2_000;

/// Combining marks on one character that a written language needs; more are a prank.
const MOST_MARKS: usize = 2;

/// The text with everything a terminal could act on written out: controls, escapes, direction marks, invisible characters.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(LONGEST));
    let mut marks = 0;
    for (place, character) in text.chars().enumerate() {
        marks = if is_combining(character) { marks + 1 } else { 0 };
        if place == LONGEST {
            out.push('…');
            break;
        }
        match character {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            character if character.is_control() && u32::from(character) < 0x100 => {
                out.push_str(&format!("\\x{:02X}", u32::from(character)));
            }
            character if is_invisible(character) || marks > MOST_MARKS => {
                out.push_str(&format!("\\u{{{:X}}}", u32::from(character)))
            }
            character => out.push(character),
        }
    }
    out
}

/// Characters that change how others are shown, or take no room: marks and overrides of direction, joiners, tags, the
/// byte order mark, soft hyphens, line separators (Unicode general categories Cf, Zl and Zp, those that names abuse).
fn is_invisible(character: char) -> bool {
    matches!(u32::from(character),
        0xAD | 0x61C | 0x180E | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0xFE00..=0xFE0F | 0xFEFF
        | 0xFFF9..=0xFFFB | 0xE0000..=0xE0FFF)
}

/// Marks that are set over the character before them.
fn is_combining(character: char) -> bool {
    matches!(u32::from(character), 0x300..=0x36F | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x20D0..=0x20FF | 0xFE20..=0xFE2F)
}

/// The part after the last slash of a path that was escaped for display.
pub fn file_name(path: &str) -> String {
    clean(path.rsplit('/').next().unwrap_or(path))
}

/// The text cut to so many columns, with a mark where something was left out.
pub fn cut(text: &str, columns: usize, ellipsis: &str) -> String {
    if Span::raw(text).width() <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(Span::raw(ellipsis).width());
    let mut out = String::new();
    let mut taken = 0;
    for character in text.chars() {
        let width = Span::raw(character.encode_utf8(&mut [0; 4]) as &str).width();
        if taken + width > room {
            break;
        }
        taken += width;
        out.push(character);
    }
    out.push_str(ellipsis);
    out
}

/// The text cut and filled to exactly so many columns.
pub fn fit(text: &str, columns: usize, ellipsis: &str) -> String {
    let mut out = cut(text, columns, ellipsis);
    let width = Span::raw(out.as_str()).width();
    out.extend(std::iter::repeat_n(' ', columns.saturating_sub(width)));
    out
}

/// A status whose every text is clean.
pub fn clean_status(mut status: Status) -> Status {
    for text in [&mut status.software, &mut status.workspace, &mut status.database, &mut status.started] {
        *text = clean(text);
    }
    for source in &mut status.sources {
        source.name = clean(&source.name);
        source.path = clean(&source.path);
        source.problem = source.problem.as_deref().map(clean);
    }
    for plugin in &mut status.plugins {
        plugin.slot = clean(&plugin.slot);
        plugin.version = clean(&plugin.version);
        plugin.problem = plugin.problem.as_deref().map(clean);
    }
    for problem in &mut status.problems {
        *problem = clean(problem);
    }
    status.alarms = status.alarms.into_iter().map(clean_alarm).collect();
    status
}

/// An alarm whose every text is clean.
pub fn clean_alarm(mut alarm: Alarm) -> Alarm {
    alarm.rule = clean(&alarm.rule);
    alarm.message = clean(&alarm.message);
    alarm.raised_at = clean(&alarm.raised_at);
    alarm.over_at = alarm.over_at.as_deref().map(clean);
    alarm.seen_by = alarm.seen_by.as_deref().map(clean);
    alarm
}

/// A job whose every text is clean.
pub fn clean_job(mut job: Job) -> Job {
    job.name = clean(&job.name);
    for end in &mut job.ends {
        end.port = clean(&end.port);
        end.side = clean(&end.side);
        for shot in &mut end.shots {
            for text in [&mut shot.name, &mut shot.port, &mut shot.side, &mut shot.seen_at] {
                *text = clean(text);
            }
        }
    }
    job
}

/// A capture event whose every text is clean.
pub fn clean_capture(mut event: CaptureEvent) -> CaptureEvent {
    event.source = clean(&event.source);
    event.path = clean(&event.path);
    event.message = event.message.as_deref().map(clean);
    for name in &mut event.incomplete {
        *name = clean(name);
    }
    event
}

/// An inspection whose every text is clean.
pub fn clean_inspection(mut inspection: Inspection) -> Inspection {
    for Defect { id, plugin, parts, .. } in &mut inspection.defects {
        *id = clean(id);
        *plugin = clean(plugin);
        for part in parts {
            part.plugin = clean(&part.plugin);
        }
    }
    for flag in &mut inspection.quality.flags {
        *flag = clean(flag);
    }
    let verdict = &mut inspection.verdict;
    verdict.profile = verdict.profile.as_deref().map(clean);
    verdict.reason = clean(&verdict.reason);
    for rule in &mut verdict.failed {
        *rule = clean(rule);
    }
    for zone in &mut verdict.zones {
        zone.rule = clean(&zone.rule);
    }
    for feature in &mut inspection.features {
        for text in [&mut feature.region, &mut feature.name, &mut feature.unit, &mut feature.plugin] {
            *text = clean(text);
        }
    }
    for missing in &mut inspection.incomplete {
        missing.plugin = clean(&missing.plugin);
        missing.reason = clean(&missing.reason);
    }
    inspection
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_survives() {
        let hostile = "a\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}gnp.b\u{200b}\u{feff}c\n\r\t\u{7f}\u{e0041}";
        let safe = clean(hostile);
        assert!(safe.chars().all(|character| !character.is_control() && !is_invisible(character)), "{safe:?}");
        assert!(safe.starts_with("a\\x1B]0;owned\\x07\\x9B31m\\u{202E}gnp.b"));
    }

    #[test]
    fn ordinary_names_in_any_script_stay_as_they_are() {
        for name in ["FT2-0031.png", "Stirnfläche 3.jpg", "光纤端面.tif", "ملف.png"] {
            assert_eq!(clean(name), name);
        }
    }

    #[test]
    fn a_cut_text_never_takes_more_columns_than_given() {
        for columns in 0..12 {
            for text in ["abcdefghijkl", "光纤端面光纤端面", "ä"] {
                let cut = cut(text, columns, "…");
                assert!(Span::raw(cut.as_str()).width() <= columns.max(1), "{cut:?} in {columns}");
                assert_eq!(Span::raw(fit(text, columns.max(1), "…")).width(), columns.max(1));
            }
        }
    }

    #[test]
    fn a_stack_of_combining_marks_is_written_out() {
        assert!(clean(&format!("z{}", "\u{301}".repeat(50))).contains("\\u{301}\\u{301}"));
    }
}
