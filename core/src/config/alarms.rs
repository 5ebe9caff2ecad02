//! `[[alarm]]`: rules that ring. A file that lists any replaces those that ship; each entry is laid over the shipped entry of
//! its kind, so that it needs only that.

use std::time::Duration;

use toml::de::DeTable;

use super::{
    kind::{ARGUMENT, Flag, Kind, LINE, OrNone, Whole, Word, Words},
    sheet::{Section, Sheet},
    sources,
};
use crate::alarm::{AlarmKind, AlarmRule};

const KIND: Word<AlarmKind> = Word(&[
    ("defect_rate", AlarmKind::DefectRate),
    ("fails_in_a_row", AlarmKind::FailsInARow),
    ("failures", AlarmKind::Failures),
    ("silence", AlarmKind::Silence),
    ("quarantined", AlarmKind::Quarantined),
    ("disk_low", AlarmKind::DiskLow),
]);

pub(super) fn read(sheet: &mut Sheet<'_>, sources: &[sources::Found]) -> Vec<AlarmRule> {
    let shipped = sheet.layers.len() - 1;
    let mut rules: Vec<AlarmRule> = Vec::new();
    for (number, (layer, table, span)) in sheet.list("alarm").into_iter().enumerate() {
        let prefix = format!("alarm[{}]", number + 1);
        if !table.contains_key("kind") {
            sheet.wrong(layer, &span, &format!("{prefix}.kind"), &KIND.expected(), "nothing");
            continue;
        }
        let of_kind = |other: &&DeTable<'_>| {
            let kind =
                |table: &DeTable<'_>| table.get("kind").and_then(|value| value.get_ref().as_str().map(str::to_owned));
            kind(other) == kind(table)
        };
        let listed = sheet.shipped_list("alarm");
        let mut tables = vec![(layer, table)];
        // The first says what the others leave out.
        let below = listed.iter().copied().filter(of_kind).chain(listed.first().copied());
        tables.extend(below.map(|below| (shipped, below)));
        if let Some(rule) = sheet.read_section("alarm", prefix, tables, |section| rule(section, &rules, sources)) {
            rules.push(rule);
        }
    }
    rules
}

fn rule(section: &mut Section<'_, '_>, earlier: &[AlarmRule], sources: &[sources::Found]) -> Option<AlarmRule> {
    let (kind, place) = section.take_with_place("kind", &KIND)?;
    let (name, name_place) = section.take_with_place("name", &OrNone(LINE))?;
    let name = name.unwrap_or_else(|| kind.to_string());
    if earlier.iter().any(|rule| rule.name == name) {
        // A name made from the kind has no line of its own.
        let at = if name_place.layer == place.layer { &name_place } else { &place };
        let expected = "a name of its own for each rule (set `name`)";
        section.sheet.wrong(at.layer, &at.span, &name_place.key, expected, &format!("{name:?} again"));
    }
    let (threshold, at) = section.take_with_place("threshold", &Whole(0, u32::MAX))?;
    if kind == AlarmKind::DefectRate && threshold > 100 {
        section.sheet.wrong(at.layer, &at.span, &at.key, "a percentage from 0 to 100", &threshold.to_string());
    }
    let window = section.take("window_s", &Whole(1, 604_800))?;
    let (source, at) = section.take_with_place("source", &OrNone(LINE))?;
    if let Some(source) = &source {
        let names: Vec<&str> = sources.iter().map(|found| found.source.name.as_str()).collect();
        if !kind.is_about_captures() {
            let expected = format!("\"\" for {kind}, which is about no source");
            section.sheet.wrong(at.layer, &at.span, &at.key, &expected, &format!("{source:?}"));
        } else if !names.contains(&source.as_str()) {
            let expected = format!("the name of a source ({})", names.join(", "));
            section.sheet.wrong(at.layer, &at.span, &at.key, &expected, &format!("{source:?}"));
        }
    }
    let (command, at) = section.take_with_place("command", &Words(ARGUMENT))?;
    if command.first().is_some_and(String::is_empty) {
        section.sheet.wrong(at.layer, &at.span, &at.key, "a program before its arguments", "\"\"");
    }
    Some(AlarmRule {
        name,
        kind,
        threshold,
        window: Duration::from_secs(window.into()),
        source,
        command,
        bell: section.take("bell", &Flag)?,
    })
}
