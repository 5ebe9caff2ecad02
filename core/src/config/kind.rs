//! What values a key takes: how each is read, described to a person, and written into the JSON schema.

use std::{ops::Range, path::PathBuf};

use serde_json::{Value as Json, json};
use toml::{Spanned, de::DeValue};

use crate::{
    ids::{BuildHash, PluginId},
    simulate::FibreType,
    worker::messages::ParameterValue,
};

/// A value that is not what its key takes.
pub(super) struct Wrong {
    pub expected: String,
    pub found: String,
    pub span: Range<usize>,
}

/// A kind of value.
pub(super) trait Kind {
    type Value;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<Self::Value, Wrong> {
        self.accept(value.get_ref()).ok_or_else(|| Wrong {
            expected: self.expected(),
            found: describe(value.get_ref()),
            span: value.span(),
        })
    }
    fn accept(&self, value: &DeValue<'_>) -> Option<Self::Value>;
    /// Ends the sentence "expected …".
    fn expected(&self) -> String;
    fn schema(&self) -> Json;
}

/// A value as a person would point at it.
pub(super) fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn real(value: &DeValue<'_>) -> Option<f64> {
    let number = match value {
        DeValue::Float(number) => number.as_str().parse().ok()?,
        _ => integer(value)? as f64,
    };
    f64::is_finite(number).then_some(number)
}

/// `true` or `false`.
pub(super) struct Flag;

impl Kind for Flag {
    type Value = bool;

    fn accept(&self, value: &DeValue<'_>) -> Option<bool> {
        value.as_bool()
    }

    fn expected(&self) -> String {
        "true or false".into()
    }

    fn schema(&self) -> Json {
        json!({"type": "boolean"})
    }
}

/// A whole number, both ends included.
pub(super) struct Whole(pub u32, pub u32);

impl Kind for Whole {
    type Value = u32;

    fn accept(&self, value: &DeValue<'_>) -> Option<u32> {
        u32::try_from(integer(value)?).ok().filter(|number| (self.0..=self.1).contains(number))
    }

    fn expected(&self) -> String {
        format!("a whole number from {} to {}", self.0, self.1)
    }

    fn schema(&self) -> Json {
        json!({"type": "integer", "minimum": self.0, "maximum": self.1})
    }
}

/// A number, both ends included.
pub(super) struct Number(pub f64, pub f64);

impl Kind for Number {
    type Value = f64;

    fn accept(&self, value: &DeValue<'_>) -> Option<f64> {
        real(value).filter(|number| (self.0..=self.1).contains(number))
    }

    fn expected(&self) -> String {
        format!("a number from {} to {}", self.0, self.1)
    }

    fn schema(&self) -> Json {
        json!({"type": "number", "minimum": self.0, "maximum": self.1})
    }
}

/// One of a few words, each with what it means.
pub(super) struct Word<T: 'static>(pub &'static [(&'static str, T)]);

impl<T: Copy> Kind for Word<T> {
    type Value = T;

    fn accept(&self, value: &DeValue<'_>) -> Option<T> {
        let word = value.as_str()?;
        self.0.iter().find(|(name, _)| *name == word).map(|(_, meaning)| *meaning)
    }

    fn expected(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|(name, _)| format!("{name:?}")).collect();
        match words.as_slice() {
            [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
            _ => words.concat(),
        }
    }

    fn schema(&self) -> Json {
        json!({"enum": self.0.iter().map(|(name, _)| name).collect::<Vec<_>>()})
    }
}

/// A text that a rule takes apart; the rule's words end "expected …".
pub(super) struct Text<T> {
    pub what: &'static str,
    pub rule: fn(&str) -> Option<T>,
}

impl<T> Kind for Text<T> {
    type Value = T;

    fn accept(&self, value: &DeValue<'_>) -> Option<T> {
        value.as_str().and_then(self.rule)
    }

    fn expected(&self) -> String {
        self.what.into()
    }

    fn schema(&self) -> Json {
        json!({"type": "string"})
    }
}

/// Any text in one line.
pub(super) const LINE: Text<String> = Text {
    what: "a text of one line",
    rule: |text| (!text.is_empty() && !text.chars().any(char::is_control)).then(|| text.to_owned()),
};

pub(super) const PLUGIN: Text<PluginId> =
    Text { what: "a plug-in id (lower-case letters, digits and hyphens)", rule: |text| text.parse().ok() };

pub(super) const BUILD: Text<BuildHash> =
    Text { what: "a build hash (32 lower-case hex digits)", rule: |text| text.parse().ok() };

/// An extension; compared in lower case, so written in lower case.
pub(super) const EXTENSION: Text<String> = Text {
    what: "an extension in lower case and without a dot, like \"png\"",
    rule: |text| {
        let sound = !text.is_empty() && !text.contains(['.', '/']) && text.to_lowercase() == text;
        sound.then(|| text.to_owned())
    },
};

/// Nothing here knows a home directory, and a folder called `~` is never what was meant.
pub(super) const PATH: Text<PathBuf> = Text {
    what: "a path, absolute or relative to the workspace (~ is not expanded)",
    rule: |text| (!text.is_empty() && !text.starts_with('~') && !text.contains('\0')).then(|| PathBuf::from(text)),
};

/// A regular expression that names at least one group, so that it is good for something.
pub(super) const PATTERN: Text<String> = Text {
    what: "a regular expression with named groups, like '(?<job>\\w+)-(?<port>\\d+)'",
    rule: |text| {
        let pattern = regex::Regex::new(text).ok()?;
        pattern.capture_names().flatten().next().map(|_| text.to_owned())
    },
};

/// A fibre type that ships.
pub(super) struct Fibre;

impl Kind for Fibre {
    type Value = &'static FibreType;

    fn accept(&self, value: &DeValue<'_>) -> Option<Self::Value> {
        FibreType::named(value.as_str()?)
    }

    fn expected(&self) -> String {
        let names: Vec<_> = FibreType::shipped().iter().map(|fibre| fibre.name.as_str()).collect();
        format!("a fibre type ({})", names.join(", "))
    }

    fn schema(&self) -> Json {
        json!({"enum": FibreType::shipped().iter().map(|fibre| &fibre.name).collect::<Vec<_>>()})
    }
}

/// A kind that can be left out by writing 0 or "".
pub(super) struct OrNone<K>(pub K);

impl<K: Kind> Kind for OrNone<K> {
    type Value = Option<K::Value>;

    fn accept(&self, value: &DeValue<'_>) -> Option<Self::Value> {
        let none = match value {
            DeValue::String(text) => text.is_empty(),
            _ => real(value) == Some(0.0),
        };
        if none { Some(None) } else { self.0.accept(value).map(Some) }
    }

    fn expected(&self) -> String {
        let none = if self.schema()["anyOf"][1]["const"].is_string() { "\"\"" } else { "0" };
        format!("{}, or {none} for none", self.0.expected())
    }

    fn schema(&self) -> Json {
        let inner = self.0.schema();
        let none = if inner["type"] == "string" || inner["enum"].is_array() { json!("") } else { json!(0) };
        json!({"anyOf": [inner, {"const": none}]})
    }
}

/// A list in which the same may come twice, as words of a command do.
pub(super) struct Words<K>(pub K);

/// A word of a command's arguments; an empty one is an argument too.
pub(super) const ARGUMENT: Text<String> =
    Text { what: "a text without NUL", rule: |text| (!text.contains('\0')).then(|| text.to_owned()) };

impl<K: Kind> Kind for Words<K> {
    type Value = Vec<K::Value>;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<Self::Value, Wrong> {
        match value.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| self.0.read(item)).collect(),
            other => Err(Wrong { expected: self.expected(), found: describe(other), span: value.span() }),
        }
    }

    fn accept(&self, _: &DeValue<'_>) -> Option<Self::Value> {
        None
    }

    fn expected(&self) -> String {
        format!("a list, each {}", self.0.expected())
    }

    fn schema(&self) -> Json {
        json!({"type": "array", "items": self.0.schema()})
    }
}

/// A list without doubles.
pub(super) struct List<K>(pub K);

impl<K: Kind<Value: PartialEq>> Kind for List<K> {
    type Value = Vec<K::Value>;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<Self::Value, Wrong> {
        let wrong = |expected, found, span| Wrong { expected, found, span };
        let DeValue::Array(items) = value.get_ref() else {
            return Err(wrong(self.expected(), describe(value.get_ref()), value.span()));
        };
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            let one = self.0.read(item)?;
            if list.contains(&one) {
                let twice = format!("{} twice", describe(item.get_ref()));
                return Err(wrong("each once".into(), twice, item.span()));
            }
            list.push(one);
        }
        Ok(list)
    }

    fn accept(&self, _: &DeValue<'_>) -> Option<Self::Value> {
        None
    }

    fn expected(&self) -> String {
        format!("a list, each {}", self.0.expected())
    }

    fn schema(&self) -> Json {
        json!({"type": "array", "items": self.0.schema(), "uniqueItems": true})
    }
}

/// A plug-in's parameter; its descriptor checks name and range later, when the plug-in is known.
pub(super) struct Parameter;

impl Kind for Parameter {
    type Value = ParameterValue;

    fn accept(&self, value: &DeValue<'_>) -> Option<ParameterValue> {
        Some(match value {
            DeValue::Boolean(flag) => ParameterValue::Bool(*flag),
            DeValue::Integer(_) => ParameterValue::Integer(integer(value)?),
            DeValue::Float(_) => ParameterValue::Real(real(value)?),
            DeValue::String(text) => ParameterValue::Text(text.to_string()),
            _ => return None,
        })
    }

    fn expected(&self) -> String {
        "true, false, a number or a text".into()
    }

    fn schema(&self) -> Json {
        json!({"type": ["boolean", "number", "string"]})
    }
}
