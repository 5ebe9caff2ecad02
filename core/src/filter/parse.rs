//! From a person's text to [`Term`]s, with errors that say where and what instead.

use std::{ops::Range, str::FromStr};

use jiff::{Span, Timestamp, Zoned, civil};

use super::{
    Compare, DefectTest, Figure, FilterError, Pattern, Term, Test,
    fields::{FIELDS, Field},
};
use crate::{
    config::nearest,
    report::{CaptureState, DefectKind, Outcome, Severity, ZoneName},
};

/// A filter longer than this is no filter, in bytes.
const LONGEST: usize = 2_000;

pub(super) fn parse(text: &str, now: &Zoned) -> Result<Vec<Term>, FilterError> {
    if text.len() > LONGEST {
        return Err(wrong(LONGEST..text.len(), "this filter is too long", "at most 2,000 bytes are read".to_owned()));
    }
    let mut terms = Vec::new();
    let mut at = 0;
    while let Some(begin) = text[at..].find(|character: char| !character.is_whitespace()) {
        let begin = at + begin;
        let end = end_of_term(text, begin)?;
        terms.push(term(text, begin..end, now)?);
        at = end;
    }
    Ok(terms)
}

fn wrong(at: Range<usize>, message: impl Into<String>, remedy: impl Into<String>) -> FilterError {
    FilterError { at, message: message.into(), remedy: remedy.into() }
}

/// Signs that part a field and what it is compared with.
const SIGNS: [char; 4] = [':', '<', '=', '>'];

/// Those that may have blanks around them: a name of a file hardly has one, and `defects > 3` is how people write.
const COMPARING: [char; 3] = ['<', '=', '>'];

/// Where the term ends that begins here: a word, with what stands beyond the blanks around a sign that compares a field.
fn end_of_term(text: &str, begin: usize) -> Result<usize, FilterError> {
    let next = |end: usize| text[end..].find(|character: char| !character.is_whitespace()).map(|blanks| end + blanks);
    let is_field = |word: &str| Field::parse(&word.strip_prefix('-').unwrap_or(word).to_ascii_lowercase()).is_some();
    let mut end = end_of_word(text, begin)?;
    if is_field(&text[begin..end])
        && let Some(sign) = next(end)
        && text[sign..].starts_with(COMPARING)
    {
        end = end_of_word(text, sign)?;
    }
    let before = text[begin..end].trim_end_matches(COMPARING);
    if before.len() < end - begin
        && is_field(before.trim_end())
        && let Some(value) = next(end)
    {
        end = end_of_word(text, value)?;
    }
    Ok(end)
}

/// Where the word ends: at the first blank that is in no quotes.
fn end_of_word(text: &str, begin: usize) -> Result<usize, FilterError> {
    let (mut quote, mut escaped) = (None, false);
    for (index, character) in text[begin..].char_indices() {
        let at = begin + index;
        match (quote, character) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(_), '"') => quote = None,
            (None, '"') => quote = Some(at),
            (None, character) if character.is_whitespace() => return Ok(at),
            _ => {}
        }
    }
    match quote {
        Some(at) => Err(wrong(at..text.len(), "this quotation mark is not closed", "write another \" after the text")),
        None => Ok(text.len()),
    }
}

fn term(text: &str, place: Range<usize>, now: &Zoned) -> Result<Term, FilterError> {
    let word = &text[place.clone()];
    let negated = word.len() > 1 && word.starts_with('-');
    let begin = place.start + usize::from(negated);
    let body = &text[begin..place.end];
    let letters = body.bytes().take_while(u8::is_ascii_alphabetic).count();
    let name = &body[..letters];
    let signs = body[letters..].trim_start();
    let operators: String = signs.chars().take_while(|sign| SIGNS.contains(sign)).collect();
    let (test, text) = if letters > 0 && !operators.is_empty() {
        let Some(field) = Field::parse(&name.to_ascii_lowercase()) else {
            return Err(unknown_field(name, begin..begin + letters));
        };
        let sign = place.end - signs.len();
        let value = place.end - signs[operators.len()..].trim_start().len()..place.end;
        let plain = format!("{}{name}{operators}{}", &text[place.start..begin], &text[value.clone()]);
        // A sign beyond blanks: `> =` is no `>=`.
        if let Some(more) = text[value.clone()].chars().next().filter(|sign| SIGNS.contains(sign)) {
            return Err(wrong(sign..value.start + 1, format!("`{operators} {more}` compares nothing"), EXAMPLE));
        }
        let compare = compare(&operators)
            .ok_or_else(|| wrong(sign..sign + operators.len(), format!("`{operators}` compares nothing"), EXAMPLE))?;
        let values = alternatives(text, value.clone());
        if let Some(empty) = values.iter().find(|value| value.text.is_empty()) {
            let help = field.help();
            return Err(wrong(
                empty.at.clone(),
                format!("nothing stands after `{name}{operators}`"),
                format!("for example {}", help.example),
            ));
        }
        (Reading { field, name, compare, values, at: value, now }.test()?, plain)
    } else {
        let parts = alternatives(text, begin..place.end);
        (Test::Name(parts.iter().map(|value| Pattern::part(&value.text)).collect()), word.to_owned())
    };
    Ok(Term { text, negated, test })
}

const EXAMPLE: &str = "write it as in label:defect or conf>0.8";

fn compare(operators: &str) -> Option<Compare> {
    Some(match operators {
        ":" | "=" => Compare::Equal,
        "<" | ":<" => Compare::Less,
        "<=" | ":<=" => Compare::AtMost,
        ">=" | ":>=" => Compare::AtLeast,
        ">" | ":>" => Compare::More,
        _ => return None,
    })
}

fn unknown_field(name: &str, at: Range<usize>) -> FilterError {
    let remedy = match nearest(&name.to_ascii_lowercase(), FIELDS.iter().map(|help| help.name)) {
        Some(known) => format!("did you mean `{known}`?"),
        None => "put a name with such a sign into quotation marks; Tab shows the fields".to_owned(),
    };
    wrong(at, format!("there is no field `{name}`"), remedy)
}

/// One of the alternatives after a field.
struct Value {
    text: String,
    at: Range<usize>,
}

/// Splits at commas that are in no quotes, and takes the quotes off.
fn alternatives(text: &str, place: Range<usize>) -> Vec<Value> {
    let mut values = vec![Value { text: String::new(), at: place.start..place.start }];
    let (mut quoted, mut escaped) = (false, false);
    for (index, character) in text[place.clone()].char_indices() {
        let at = place.start + index;
        let Some(last) = values.last_mut() else { break };
        last.at.end = at;
        match character {
            character if escaped => {
                last.text.push(character);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => values.push(Value { text: String::new(), at: at + 1..at + 1 }),
            character => last.text.push(character),
        }
    }
    if let Some(last) = values.last_mut() {
        last.at.end = place.end;
    }
    values
}

/// A field with what stands after it.
struct Reading<'a> {
    field: Field,
    /// As it was typed.
    name: &'a str,
    compare: Compare,
    values: Vec<Value>,
    at: Range<usize>,
    now: &'a Zoned,
}

impl Reading<'_> {
    fn test(&self) -> Result<Test, FilterError> {
        Ok(match self.field {
            Field::File => Test::Name(self.patterns()?),
            Field::Path => Test::Path(self.patterns()?),
            Field::Source => Test::Source(self.patterns()?),
            Field::Job => Test::Job(self.patterns()?),
            Field::Port => Test::Port(self.patterns()?),
            Field::Side => Test::Side(self.patterns()?),
            Field::Plugin => Test::Defect(DefectTest::Plugin(self.patterns()?)),
            Field::State => Test::State(self.words(CaptureState::parse)?),
            Field::Label => Test::Label(self.words(|word| match word {
                "defect" => Some(Some(true)),
                "clean" => Some(Some(false)),
                "none" => Some(None),
                _ => None,
            })?),
            Field::Verdict => Test::Verdict(self.words(|word| match word {
                "none" => Some(None),
                word => Outcome::parse(&word.replace('-', " ")).map(Some),
            })?),
            Field::Split => Test::Split(self.words(|word| match word {
                "train" => Some(Some("train")),
                "val" => Some(Some("val")),
                "test" => Some(Some("test")),
                "none" => Some(None),
                _ => None,
            })?),
            Field::Kind => Test::Defect(DefectTest::Kind(self.words(DefectKind::parse)?)),
            Field::Zone => Test::Defect(DefectTest::Zone(self.words(|word| match word {
                "none" => Some(None),
                word => ZoneName::parse(word).map(Some),
            })?)),
            Field::Severity => {
                let severity = self.one(self.words_of(|word| Severity::parse(&word.to_ascii_uppercase()))?)?;
                Test::Defect(DefectTest::Severity(self.compare, severity))
            }
            Field::Incomplete => Test::Incomplete(self.yes()?),
            Field::Reviewed => Test::Reviewed(self.yes()?),
            Field::Confidence => Test::Defect(DefectTest::Confidence(self.compare, self.number()?)),
            Field::Defects => Test::Figure(Figure::Defects, self.compare, self.number()?),
            Field::Quality => Test::Figure(Figure::Quality, self.compare, self.number()?),
            Field::Milliseconds => Test::Figure(Figure::Milliseconds, self.compare, self.number()?),
            Field::Size => Test::Figure(Figure::Size, self.compare, self.number()?),
            Field::Since => Test::Seen(Compare::AtLeast, self.time()?),
            Field::Until => Test::Seen(Compare::Less, self.time()?),
            Field::Image => Test::Image(self.words(|word| {
                let sound = word.len() <= 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
                sound.then(|| word.to_owned())
            })?),
        })
    }

    /// This field takes no `<` or `>`.
    fn equal(&self) -> Result<(), FilterError> {
        if self.compare == Compare::Equal {
            return Ok(());
        }
        let remedy = format!("for example {}", self.field.help().example);
        Err(wrong(self.at.clone(), format!("`{}` has no more and less", self.name), remedy))
    }

    fn patterns(&self) -> Result<Vec<Pattern>, FilterError> {
        self.equal()?;
        Ok(self.values.iter().map(|value| Pattern::whole(&value.text)).collect())
    }

    fn words<T>(&self, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, FilterError> {
        self.equal()?;
        self.words_of(read)
    }

    fn words_of<T>(&self, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, FilterError> {
        let word = |value: &Value| {
            read(&value.text.to_ascii_lowercase()).ok_or_else(|| {
                let words = self.field.words();
                let remedy = match words.as_slice() {
                    [] => format!("for example {}", self.field.help().example),
                    [one] => format!("write {one}"),
                    [most @ .., last] => format!("write {} or {last}", most.join(", ")),
                };
                wrong(value.at.clone(), format!("`{}` is no {}", value.text, self.name), remedy)
            })
        };
        self.values.iter().map(word).collect()
    }

    /// The only value.
    fn one<T>(&self, values: Vec<T>) -> Result<T, FilterError> {
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (Some(value), None) => Ok(value),
            _ => Err(wrong(self.at.clone(), format!("`{}` takes one value", self.name), "leave the others out")),
        }
    }

    fn yes(&self) -> Result<bool, FilterError> {
        self.one(self.words(|word| match word {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        })?)
    }

    fn number(&self) -> Result<f64, FilterError> {
        let finite = |word: &str| f64::from_str(word).ok().filter(|number| number.is_finite());
        self.one(self.words_of(finite)?)
    }

    /// A date, a date with a time, or how long ago.
    fn time(&self) -> Result<Timestamp, FilterError> {
        self.equal()?;
        let value = self.one(self.values.iter().collect())?;
        moment(&value.text, self.now).ok_or_else(|| {
            let remedy = "write a date (2026-11-01), a time (2026-11-01T14:30), today, or how long ago (30m, 2h, 7d)";
            wrong(value.at.clone(), format!("`{}` is no time", value.text), remedy)
        })
    }
}

fn moment(text: &str, now: &Zoned) -> Option<Timestamp> {
    let in_zone = |at: civil::DateTime| at.to_zoned(now.time_zone().clone()).ok().map(|at| at.timestamp());
    if text == "today" {
        return now.start_of_day().ok().map(|at| at.timestamp());
    }
    if let Some(unit) = text.chars().last().filter(|unit| matches!(unit, 'm' | 'h' | 'd'))
        && let Ok(count) = text[..text.len() - 1].parse::<u32>()
    {
        // Minutes of a century; more is no time that anything was seen at.
        let minutes = i64::from(count)
            * if unit == 'm' {
                1
            } else if unit == 'h' {
                60
            } else {
                1_440
            };
        let span = Span::new().try_minutes(minutes).ok()?;
        return now.timestamp().checked_sub(span).ok();
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    if text.contains(['T', ' ']) {
        return text.parse::<civil::DateTime>().ok().and_then(in_zone);
    }
    text.parse::<civil::Date>().ok().and_then(|date| in_zone(date.to_datetime(civil::Time::midnight())))
}
