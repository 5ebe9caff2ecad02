//! Reads a profile's TOML so that every mistake is one line: line, key, what was expected, what was found.
//!
//! Works on TOML's spanned tables instead of serde: a limit out of order must be reported at its own line. Knows nothing
//! of what the values mean.

use std::{fmt, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Zones, defects and ferrules are smaller; what is larger is a slip of the unit.
const LARGEST_UM: f64 = 10_000.0;

/// A mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    line: usize,
    message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// A text and its tables.
pub struct Reader<'t> {
    text: &'t str,
    table: Spanned<DeTable<'t>>,
}

impl<'t> Reader<'t> {
    /// # Errors
    /// The line that is not TOML.
    pub fn new(text: &'t str) -> Result<Self, Fault> {
        let table = DeTable::parse(text).map_err(|error| Fault {
            line: line(text, error.span().map_or(0, |span| span.start)),
            message: format!("not TOML: {}", error.message().replace('\n', ", ")),
        })?;
        Ok(Self { text, table })
    }

    /// The top level.
    pub fn root(&self) -> Section<'_> {
        Section {
            text: self.text,
            path: String::new(),
            span: self.table.span(),
            table: self.table.get_ref(),
            known: Vec::new(),
        }
    }
}

fn line(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|&&byte| byte == b'\n').count() + 1
}

/// One table. `finish` refuses the keys that nothing asked for.
pub struct Section<'r> {
    text: &'r str,
    path: String,
    span: Range<usize>,
    table: &'r DeTable<'r>,
    known: Vec<&'static str>,
}

impl<'r> Section<'r> {
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.into() } else { format!("{}.{key}", self.path) }
    }

    fn take(&mut self, key: &'static str) -> Option<&'r Spanned<DeValue<'r>>> {
        self.known.push(key);
        self.table.get(key)
    }

    /// The value is missing, or not what was expected.
    fn refuse(&self, key: &str, expected: &str) -> Fault {
        let key = self.key(key);
        let own = key.rsplit('.').next().unwrap_or(&key);
        match self.table.get(own) {
            Some(value) => {
                let found: String = self.text.get(value.span()).unwrap_or("").chars().take(60).collect();
                let found = found.replace(['\n', '\r'], " ");
                let message = format!("`{key}`: expected {expected}, found {found}");
                Fault { line: line(self.text, value.span().start), message }
            }
            None => Fault {
                line: line(self.text, self.span.start),
                message: format!("`{key}` is missing: expected {expected}"),
            },
        }
    }

    /// A text that is not empty.
    pub fn text(&mut self, key: &'static str) -> Result<String, Fault> {
        let text = self.take(key).and_then(|value| value.get_ref().as_str()).filter(|text| !text.trim().is_empty());
        text.map(str::to_owned).ok_or_else(|| self.refuse(key, "a text"))
    }

    /// The value, if it is a text.
    pub fn word(&mut self, key: &'static str) -> Option<&'r str> {
        self.take(key).and_then(|value| value.get_ref().as_str())
    }

    /// A length above another.
    pub fn number_above(&mut self, key: &'static str, low: f64) -> Result<f64, Fault> {
        let number = self.take(key).and_then(|value| number_of(value.get_ref()));
        let fits = number.filter(|number| *number > low && *number <= LARGEST_UM);
        fits.ok_or_else(|| self.refuse(key, &format!("micrometres above {low}, at most {LARGEST_UM}")))
    }

    /// How many.
    pub fn count(&mut self, key: &'static str) -> Result<u32, Fault> {
        let number = self.take(key).and_then(|value| number_of(value.get_ref()));
        let whole = number.filter(|n| n.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(n));
        whole.map(|number| number as u32).ok_or_else(|| self.refuse(key, "a whole number from 0"))
    }

    /// `[smallest, largest]`.
    pub fn range(&mut self, key: &'static str) -> Result<(f64, f64), Fault> {
        let expected = format!("two rising numbers of micrometres from 0 to {LARGEST_UM}");
        let list = self.take(key).and_then(|value| value.get_ref().as_array());
        let numbers: Option<Vec<f64>> = list.and_then(|list| list.iter().map(|n| number_of(n.get_ref())).collect());
        match numbers.as_deref() {
            Some(&[low, high]) if (0.0..=high).contains(&low) && high <= LARGEST_UM => Ok((low, high)),
            _ => Err(self.refuse(key, &expected)),
        }
    }

    /// Reads the table at `key`.
    pub fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let value = self.take(key);
        let table = value.and_then(|value| Some((value.span(), value.get_ref().as_table()?)));
        let (span, table) = table.ok_or_else(|| self.refuse(key, &format!("a table [{}]", self.key(key))))?;
        self.inner(self.key(key), span, table, read)
    }

    /// Reads every table of the list at `key`; there is at least one.
    pub fn tables(
        &mut self,
        key: &'static str,
        expected: &str,
        mut read: impl FnMut(&mut Section<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let list = self.take(key).and_then(|value| value.get_ref().as_array()).filter(|list| !list.is_empty());
        let list = list.ok_or_else(|| self.refuse(key, expected))?;
        for (i, item) in list.iter().enumerate() {
            let table = item.get_ref().as_table().ok_or_else(|| self.refuse(key, expected))?;
            self.inner(format!("{}[{i}]", self.key(key)), item.span(), table, &mut read)?;
        }
        Ok(())
    }

    fn inner<T>(
        &self,
        path: String,
        span: Range<usize>,
        table: &'r DeTable<'r>,
        read: impl FnOnce(&mut Section<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut section = Section { text: self.text, path, span, table, known: Vec::new() };
        let value = read(&mut section)?;
        section.finish()?;
        Ok(value)
    }

    /// Refuses the first key, by line, that nothing asked for.
    pub fn finish(&self) -> Result<(), Fault> {
        let strangers = self.table.iter().filter(|(key, _)| !self.known.contains(&key.get_ref().as_ref()));
        match strangers.min_by_key(|(key, _)| key.span().start) {
            None => Ok(()),
            Some((key, _)) => {
                let (name, known) = (self.key(key.get_ref()), self.known.join(", "));
                let message = format!("`{name}` is not known here: expected one of {known}");
                Err(Fault { line: line(self.text, key.span().start), message })
            }
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
