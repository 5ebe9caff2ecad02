//! The fields of the language, with what a person may write after each: for help, hints and completion.

use crate::report::{CaptureState, DefectKind, ZoneName};

/// A field by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    File,
    Path,
    Source,
    Job,
    Port,
    Side,
    State,
    Label,
    Verdict,
    Split,
    Image,
    Incomplete,
    Reviewed,
    Since,
    Until,
    Defects,
    Quality,
    Milliseconds,
    Size,
    Kind,
    Zone,
    Severity,
    Confidence,
    Plugin,
}

/// A field as a person reads of it.
#[derive(Debug, Clone, Copy)]
pub struct Help {
    pub field: Field,
    pub name: &'static str,
    /// How it is written.
    pub example: &'static str,
    pub meaning: &'static str,
}

const fn help(field: Field, name: &'static str, example: &'static str, meaning: &'static str) -> Help {
    Help { field, name, example, meaning }
}

/// Every field, those most used first.
pub const FIELDS: &[Help] = &[
    help(Field::Label, "label", "label:defect", "defect, clean or none"),
    help(Field::State, "state", "state:failed,queued", "where it is in its life"),
    help(Field::Verdict, "verdict", "verdict:fail", "pass, fail, not-graded or none"),
    help(Field::Kind, "type", "type:scratch,pit", "a defect's type"),
    help(Field::Zone, "zone", "zone:core", "the zone that a defect lies in"),
    help(Field::Confidence, "conf", "conf>0.8", "a defect's confidence, 0 to 1"),
    help(Field::Severity, "severity", "severity>=high", "negligible, low, medium, high or critical"),
    help(Field::Plugin, "plugin", "plugin:detect-region", "who found a defect"),
    help(Field::File, "file", "file:*FT2*", "the whole name of the file; * and ? are wildcards"),
    help(Field::Path, "path", "path:*/monday/*", "the whole path (reads every capture)"),
    help(Field::Source, "source", "source:bench", "the watched folder"),
    help(Field::Job, "job", "job:A17", "what the source's name pattern calls job"),
    help(Field::Port, "port", "port:3", "likewise port"),
    help(Field::Side, "side", "side:B", "likewise side"),
    help(Field::Split, "split", "split:val", "train, val, test or none"),
    help(Field::Since, "since", "since:2026-11-01", "seen at that date or time or later; since:2h, since:7d"),
    help(Field::Until, "until", "until:2026-11-02", "seen before that date or time"),
    help(Field::Defects, "defects", "defects>3", "how many defects it has"),
    help(Field::Quality, "quality", "quality<50", "the picture's quality, 0 to 100"),
    help(Field::Milliseconds, "ms", "ms>200", "milliseconds in the worker"),
    help(Field::Size, "size", "size>2000000", "bytes of the file"),
    help(Field::Incomplete, "incomplete", "incomplete:yes", "some plug-in's results are missing"),
    help(Field::Reviewed, "reviewed", "reviewed:no", "a person decided about it"),
    help(Field::Image, "image", "image:3f2a", "the beginning of an image's id"),
];

impl Field {
    pub(super) fn parse(name: &str) -> Option<Self> {
        FIELDS.iter().find(|help| help.name == name).map(|help| help.field)
    }

    /// Its entry; every field has one.
    pub(super) fn help(self) -> &'static Help {
        FIELDS.iter().find(|help| help.field == self).unwrap_or(&FIELDS[0])
    }

    /// The words that may follow, where they are few.
    pub(super) fn words(self) -> Vec<&'static str> {
        match self {
            Self::State => CaptureState::ALL.iter().map(|state| state.as_str()).collect(),
            Self::Label => vec!["defect", "clean", "none"],
            Self::Verdict => vec!["pass", "fail", "not-graded", "none"],
            Self::Split => vec!["train", "val", "test", "none"],
            Self::Incomplete | Self::Reviewed => vec!["yes", "no"],
            Self::Kind => DefectKind::ALL.iter().map(|kind| kind.as_str()).collect(),
            Self::Zone => ZoneName::ALL.iter().map(|zone| zone.as_str()).chain(["none"]).collect(),
            Self::Severity => vec!["negligible", "low", "medium", "high", "critical"],
            _ => Vec::new(),
        }
    }
}

/// What the word that ends at the text's end could become: the whole text each time, with that word completed.
#[must_use]
pub fn completions(text: &str) -> Vec<String> {
    let begin =
        text.rfind(char::is_whitespace).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let (head, word) = text.split_at(begin);
    let (minus, word) = word.strip_prefix('-').map_or(("", word), |word| ("-", word));
    let list: Vec<String> = match word.split_once(':') {
        None => FIELDS.iter().map(|help| format!("{}{}", help.name, separator(help))).collect(),
        Some((name, value)) => {
            let before = value.rfind(',').map_or("", |at| &value[..=at]);
            let words = Field::parse(name).map_or_else(Vec::new, Field::words);
            words.into_iter().map(|known| format!("{name}:{before}{known}")).collect()
        }
    };
    let fits = |known: &String| known.len() > word.len() && known.starts_with(word);
    list.into_iter().filter(fits).map(|known| format!("{head}{minus}{known}")).collect()
}

/// What its example has after the name.
fn separator(help: &Help) -> &str {
    let rest = &help.example[help.name.len()..];
    let end = rest.find(|character: char| !matches!(character, ':' | '<' | '>' | '=')).unwrap_or(rest.len());
    &rest[..end]
}
