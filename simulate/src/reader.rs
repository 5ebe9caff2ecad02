//! Reads a preset or fibre file so that every mistake is one line: file, line, key, what was expected.
//!
//! Works on TOML's spanned tables instead of serde, because a range that is out of bounds or a key that nobody knows
//! must be reported at its own line. Knows nothing of what the values mean.

use std::{collections::HashSet, ops::Range as Span};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::spread::Spread;

/// A mistake in a preset or fibre file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PresetError {
    #[error("{file}:{line}: `{key}`: expected {expected}, found {found}")]
    Value { file: String, line: usize, key: String, expected: String, found: String },
    #[error("{file}:{line}: `{key}` is missing: expected {expected}")]
    Missing { file: String, line: usize, key: String, expected: String },
    #[error("{file}:{line}: `{key}` is not a key of this file: expected one of {expected}")]
    Unknown { file: String, line: usize, key: String, expected: String },
    #[error("{file}:{line}: not TOML: {message}")]
    Syntax { file: String, line: usize, message: String },
    #[error("no preset `{name}`: expected one of {known}, or the path of a preset file")]
    NoPreset { name: String, known: String },
    #[error("{file}: cannot be read: {message}")]
    Unreadable { file: String, message: String },
}

/// A file's name, text and tables; where lines are counted.
pub(super) struct Reader<'t> {
    file: &'t str,
    text: &'t str,
    table: Spanned<DeTable<'t>>,
}

impl<'t> Reader<'t> {
    /// # Errors
    /// The line that is not TOML.
    pub fn new(file: &'t str, text: &'t str) -> Result<Self, PresetError> {
        let table = DeTable::parse(text).map_err(|error| PresetError::Syntax {
            file: file.into(),
            line: line(text, &error.span().unwrap_or(0..0)),
            message: error.message().replace('\n', ", "),
        })?;
        Ok(Self { file, text, table })
    }

    /// The file's top level.
    pub fn root(&self) -> Section<'_> {
        let (span, table) = (self.table.span(), self.table.get_ref());
        Section { reader: self, path: String::new(), span, table, known: Vec::new() }
    }

    fn line(&self, span: &Span<usize>) -> usize {
        line(self.text, span)
    }
}

fn line(text: &str, span: &Span<usize>) -> usize {
    text.as_bytes().iter().take(span.start).filter(|&&byte| byte == b'\n').count() + 1
}

/// One table of the file. `finish` refuses the keys that nothing asked for.
pub(super) struct Section<'r> {
    reader: &'r Reader<'r>,
    path: String,
    span: Span<usize>,
    table: &'r DeTable<'r>,
    known: Vec<&'static str>,
}

impl<'r> Section<'r> {
    fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.into() } else { format!("{}.{key}", self.path) }
    }

    /// The value of a key that must be there.
    fn value(&mut self, key: &'static str, expected: &str) -> Result<&'r Spanned<DeValue<'r>>, PresetError> {
        self.known.push(key);
        self.table.get(key).ok_or_else(|| PresetError::Missing {
            file: self.reader.file.into(),
            line: self.reader.line(&self.span),
            key: self.key(key),
            expected: expected.into(),
        })
    }

    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The error for a value that is not what was expected.
    pub fn refuse(&self, key: &str, expected: &str) -> PresetError {
        let (line, found) = match self.table.get(key) {
            Some(value) => {
                let text: String = self.reader.text.get(value.span()).unwrap_or("").chars().take(60).collect();
                (self.reader.line(&value.span()), text.replace(['\n', '\r'], " "))
            }
            None => (self.reader.line(&self.span), "nothing".into()),
        };
        PresetError::Value { file: self.reader.file.into(), line, key: self.key(key), expected: expected.into(), found }
    }

    pub fn text(&mut self, key: &'static str) -> Result<String, PresetError> {
        let text = self.value(key, "a text")?.get_ref().as_str().map(str::to_owned);
        text.filter(|text| !text.trim().is_empty()).ok_or_else(|| self.refuse(key, "a text"))
    }

    pub fn flag(&mut self, key: &'static str) -> Result<bool, PresetError> {
        let flag = self.value(key, "true or false")?.get_ref().as_bool();
        flag.ok_or_else(|| self.refuse(key, "true or false"))
    }

    pub fn number(&mut self, key: &'static str, low: f64, high: f64) -> Result<f64, PresetError> {
        let expected = format!("a number from {low} to {high}");
        let number = number_of(self.value(key, &expected)?.get_ref());
        number.filter(|n| (low..=high).contains(n)).ok_or_else(|| self.refuse(key, &expected))
    }

    /// `[low, high]`, drawn evenly, or `[low, most likely, high]`, drawn from a triangle; all within the bounds.
    pub fn spread(&mut self, key: &'static str, low: f64, high: f64) -> Result<Spread, PresetError> {
        let expected = format!("two or three rising numbers from {low} to {high}, as in [{low}, {high}]");
        let numbers = numbers_of(self.value(key, &expected)?.get_ref());
        let inside = |n: &[f64]| n.iter().all(|n| (low..=high).contains(n)) && n.is_sorted();
        match numbers.as_deref() {
            Some(n @ &[from, to]) if inside(n) => Ok(Spread::even(from, to)),
            Some(n @ &[from, mode, to]) if inside(n) => Ok(Spread::peaked(from, mode, to)),
            _ => Err(self.refuse(key, &expected)),
        }
    }

    /// Exactly `N` whole numbers.
    pub fn whole<const N: usize>(&mut self, key: &'static str, low: u32, high: u32) -> Result<[u32; N], PresetError> {
        let expected = format!("{N} whole numbers from {low} to {high}");
        let numbers = numbers_of(self.value(key, &expected)?.get_ref()).unwrap_or_default();
        let fits = |n: &f64| n.fract() == 0.0 && (f64::from(low)..=f64::from(high)).contains(n);
        if numbers.iter().all(fits)
            && let Ok(array) = <[f64; N]>::try_from(numbers.as_slice())
        {
            return Ok(array.map(|n| n as u32));
        }
        Err(self.refuse(key, &expected))
    }

    /// A list of words, not empty.
    pub fn words(&mut self, key: &'static str) -> Result<Vec<String>, PresetError> {
        let expected = "a list of texts";
        let value = self.value(key, expected)?;
        let words = value.get_ref().as_array().map(|array| {
            array.iter().map(|word| word.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        words.flatten().filter(|words| !words.is_empty()).ok_or_else(|| self.refuse(key, expected))
    }

    /// Reads the table at `key`.
    pub fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_>) -> Result<T, PresetError>,
    ) -> Result<T, PresetError> {
        let expected = format!("a table [{}]", self.key(key));
        let value = self.value(key, &expected)?;
        match value.get_ref() {
            DeValue::Table(table) => self.inner(self.key(key), value.span(), table, read),
            _ => Err(self.refuse(key, &expected)),
        }
    }

    /// Reads every table of the list at `key`; there must be at least one.
    pub fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Section<'_>) -> Result<T, PresetError>,
    ) -> Result<Vec<T>, PresetError> {
        let expected = format!("at least one table, as in [[{}]]", self.key(key));
        let value = self.value(key, &expected)?;
        let Some(list) = value.get_ref().as_array().filter(|list| !list.is_empty()) else {
            return Err(self.refuse(key, &expected));
        };
        let mut all = Vec::new();
        for (i, item) in list.iter().enumerate() {
            let DeValue::Table(table) = item.get_ref() else { return Err(self.refuse(key, &expected)) };
            all.push(self.inner(format!("{}[{i}]", self.key(key)), item.span(), table, &mut read)?);
        }
        Ok(all)
    }

    fn inner<T>(
        &self,
        path: String,
        span: Span<usize>,
        table: &'r DeTable<'r>,
        read: impl FnOnce(&mut Section<'_>) -> Result<T, PresetError>,
    ) -> Result<T, PresetError> {
        let mut section = Section { reader: self.reader, path, span, table, known: Vec::new() };
        let value = read(&mut section)?;
        section.finish()?;
        Ok(value)
    }

    /// Refuses the first key, by line, that nothing asked for.
    pub fn finish(&self) -> Result<(), PresetError> {
        let known: HashSet<&str> = self.known.iter().copied().collect();
        let stranger = self.table.iter().filter(|(key, _)| !known.contains(key.get_ref().as_ref()));
        match stranger.min_by_key(|(key, _)| key.span().start) {
            None => Ok(()),
            Some((key, _)) => Err(PresetError::Unknown {
                file: self.reader.file.into(),
                line: self.reader.line(&key.span()),
                key: self.key(key.get_ref()),
                expected: self.known.join(", "),
            }),
        }
    }
}

fn number_of(value: &DeValue<'_>) -> Option<f64> {
    let text = match value {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        _ => return None,
    };
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn numbers_of(value: &DeValue<'_>) -> Option<Vec<f64>> {
    value.as_array()?.iter().map(|number| number_of(number.get_ref())).collect()
}
