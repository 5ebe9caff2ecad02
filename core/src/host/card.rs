//! A plug-in's description as plain data: what a probe answers, the catalogue keeps, and screens and commands show.
//!
//! The interface's own types cannot leave the process that loaded the library. Whatever a library says of itself is
//! checked here, once, before anybody else sees it.

use ferrule_abi as abi;
use serde::{Deserialize, Serialize};

use crate::{ids::PluginId, worker::messages::ParameterValue};

/// A place in the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    Segment,
    Detect,
    Measure,
    Grade,
    Train,
}

impl Slot {
    /// As configuration and commands write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Detect => "detect",
            Self::Measure => "measure",
            Self::Grade => "grade",
            Self::Train => "train",
        }
    }
}

impl std::fmt::Display for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a plug-in needs around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    Narrow,
    Wide,
}

impl Profile {
    /// As command lines and screens write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Narrow => "narrow",
            Self::Wide => "wide",
        }
    }
}

/// A pixel format that a plug-in takes as it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pixels {
    Gray8,
    Gray16,
    Rgb8,
}

impl Pixels {
    /// Bytes that one pixel takes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Gray8 => 1,
            Self::Gray16 => 2,
            Self::Rgb8 => 3,
        }
    }
}

/// Who a plug-in is and what it takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DescriptorCard {
    pub id: PluginId,
    pub version: String,
    pub slot: Slot,
    pub summary: String,
    pub profile: Profile,
    /// Empty means gray, 8 bits.
    pub accepts: Vec<Pixels>,
    pub parameters: Vec<ParameterCard>,
}

impl DescriptorCard {
    /// `id version`, as results name a plug-in.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.id, self.version)
    }
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParameterCard {
    pub name: String,
    pub kind: ParameterKind,
    pub default: ParameterValue,
    /// `px`, `um`, `sigma`, … or empty.
    pub unit: String,
    /// One line.
    pub help: String,
}

/// What values a parameter takes; limits are included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterKind {
    Bool,
    Integer { low: i64, high: i64 },
    Real { low: f64, high: f64 },
    Choice { options: Vec<String> },
    Text,
}

/// Why a library's description is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    #[error("its id {0:?} is not one: lower-case letters, digits and hyphens, at most 64")]
    Id(String),
    #[error("{id}: its version {version:?} is not three numbers joined by dots")]
    Version { id: PluginId, version: String },
    #[error("{id}: parameter {parameter:?} {fault}")]
    Parameter { id: PluginId, parameter: String, fault: String },
}

/// Longest text that a description may put on a screen.
const LONGEST: usize = 400;

impl TryFrom<&abi::Descriptor> for DescriptorCard {
    type Error = CardError;

    fn try_from(descriptor: &abi::Descriptor) -> Result<Self, CardError> {
        let id: PluginId = descriptor.id.as_str().parse().map_err(|_| CardError::Id(printable(&descriptor.id)))?;
        let version = printable(&descriptor.version);
        if !is_version(&version) {
            return Err(CardError::Version { id, version });
        }
        let mut parameters = Vec::with_capacity(descriptor.parameters.len());
        for spec in &descriptor.parameters {
            let fault =
                |fault: String| CardError::Parameter { id: id.clone(), parameter: printable(&spec.name), fault };
            let named = !spec.name.is_empty()
                && spec.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            if !named {
                return Err(fault("has a name that configuration cannot write (lower-case letters, digits, _)".into()));
            }
            if parameters.iter().any(|other: &ParameterCard| other.name == spec.name.as_str()) {
                return Err(fault("occurs twice".into()));
            }
            spec.check(&spec.default).map_err(|error| fault(format!("refuses its own default: {error}")))?;
            parameters.push(ParameterCard::from(spec));
        }
        Ok(Self {
            id,
            version,
            slot: descriptor.slot.into(),
            summary: printable(&descriptor.summary),
            profile: match descriptor.profile {
                abi::Profile::Narrow => Profile::Narrow,
                abi::Profile::Wide => Profile::Wide,
            },
            accepts: descriptor.accepts.iter().map(|format| Pixels::from(*format)).collect(),
            parameters,
        })
    }
}

impl ParameterCard {
    /// The value as the plug-in will get it: a whole number is a real one where one is wanted.
    ///
    /// # Errors
    /// Out of its range, or of another kind; says what is taken.
    pub fn check(&self, value: &ParameterValue) -> Result<ParameterValue, String> {
        let checked = abi::ParameterSpec::from(self).check(&value.into()).map_err(|error| error.to_string())?;
        Ok((&checked).into())
    }

    /// The value that a person typed.
    ///
    /// # Errors
    /// No value of this kind, or out of its range; says what is taken.
    pub fn read(&self, typed: &str) -> Result<ParameterValue, String> {
        let typed = typed.trim();
        let wanted = |what: &str| format!("{}: expected {what}, found {typed:?}", self.name);
        let value = match &self.kind {
            ParameterKind::Bool => ParameterValue::Bool(match typed {
                "true" | "yes" | "on" => true,
                "false" | "no" | "off" => false,
                _ => return Err(wanted("yes or no")),
            }),
            ParameterKind::Integer { low, high } => {
                let what = if *high == i64::MAX {
                    format!("a whole number from {low}")
                } else {
                    format!("a whole number from {low} to {high}")
                };
                ParameterValue::Integer(typed.parse().map_err(|_| wanted(&what))?)
            }
            ParameterKind::Real { low, high } => {
                let number: f64 = typed.parse().map_err(|_| wanted(&format!("a number from {low} to {high}")))?;
                ParameterValue::Real(number)
            }
            ParameterKind::Choice { .. } | ParameterKind::Text => ParameterValue::Text(typed.into()),
        };
        self.check(&value)
    }
}

impl std::fmt::Display for ParameterValue {
    /// As a person types it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => f.write_str(if *value { "yes" } else { "no" }),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Real(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}

impl From<&abi::ParameterSpec> for ParameterCard {
    fn from(spec: &abi::ParameterSpec) -> Self {
        Self {
            name: spec.name.to_string(),
            kind: match &spec.kind {
                abi::ParameterKind::Bool => ParameterKind::Bool,
                abi::ParameterKind::Integer { low, high } => ParameterKind::Integer { low: *low, high: *high },
                abi::ParameterKind::Real { low, high } => ParameterKind::Real { low: *low, high: *high },
                abi::ParameterKind::Choice { options } => {
                    ParameterKind::Choice { options: options.iter().map(|option| printable(option)).collect() }
                }
                abi::ParameterKind::Text => ParameterKind::Text,
            },
            default: (&spec.default).into(),
            unit: printable(&spec.unit),
            help: printable(&spec.help),
        }
    }
}

impl From<&ParameterCard> for abi::ParameterSpec {
    fn from(card: &ParameterCard) -> Self {
        Self {
            name: card.name.as_str().into(),
            kind: match &card.kind {
                ParameterKind::Bool => abi::ParameterKind::Bool,
                ParameterKind::Integer { low, high } => abi::ParameterKind::Integer { low: *low, high: *high },
                ParameterKind::Real { low, high } => abi::ParameterKind::Real { low: *low, high: *high },
                ParameterKind::Choice { options } => abi::ParameterKind::Choice {
                    options: options.iter().map(|option| option.as_str().into()).collect(),
                },
                ParameterKind::Text => abi::ParameterKind::Text,
            },
            default: (&card.default).into(),
            unit: card.unit.as_str().into(),
            help: card.help.as_str().into(),
        }
    }
}

impl From<&abi::Value> for ParameterValue {
    fn from(value: &abi::Value) -> Self {
        match value {
            abi::Value::Bool(value) => Self::Bool(*value),
            abi::Value::Integer(value) => Self::Integer(*value),
            abi::Value::Real(value) => Self::Real(*value),
            abi::Value::Text(value) => Self::Text(value.to_string()),
        }
    }
}

impl From<&ParameterValue> for abi::Value {
    fn from(value: &ParameterValue) -> Self {
        match value {
            ParameterValue::Bool(value) => Self::Bool(*value),
            ParameterValue::Integer(value) => Self::Integer(*value),
            ParameterValue::Real(value) => Self::Real(*value),
            ParameterValue::Text(value) => Self::Text(value.as_str().into()),
        }
    }
}

impl From<abi::Slot> for Slot {
    fn from(slot: abi::Slot) -> Self {
        match slot {
            abi::Slot::Segment => Self::Segment,
            abi::Slot::Detect => Self::Detect,
            abi::Slot::Measure => Self::Measure,
            abi::Slot::Grade => Self::Grade,
            abi::Slot::Train => Self::Train,
        }
    }
}

impl From<Pixels> for abi::PixelFormat {
    fn from(format: Pixels) -> Self {
        match format {
            Pixels::Gray8 => Self::Gray8,
            Pixels::Gray16 => Self::Gray16,
            Pixels::Rgb8 => Self::Rgb8,
        }
    }
}

impl From<abi::PixelFormat> for Pixels {
    fn from(format: abi::PixelFormat) -> Self {
        match format {
            abi::PixelFormat::Gray8 => Self::Gray8,
            abi::PixelFormat::Gray16 => Self::Gray16,
            abi::PixelFormat::Rgb8 => Self::Rgb8,
        }
    }
}

/// A plug-in's text without control characters and not without end: it will reach terminals and logs.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

/// `1.2.3`, with an optional `-suffix` or `+suffix`.
fn is_version(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<&str> = core.split('.').collect();
    numbers.len() == 3
        && numbers.iter().all(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte))
        && text.len() <= 40
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(id: &str, version: &str) -> abi::Descriptor {
        abi::Descriptor::new(id, version, abi::Slot::Detect, "line one\n\x1b[2Jline two")
    }

    #[test]
    fn a_card_carries_the_description_without_control_characters() {
        let specs = vec![
            abi::ParameterSpec::real("sigma", 3.0, 1.0, 9.0, "sigma", "threshold"),
            abi::ParameterSpec::choice("mode", "fast", &["fast", "fine"], "how"),
        ];
        let card = DescriptorCard::try_from(&descriptor("pits", "1.2.3").with_parameters(specs.clone())).unwrap();
        assert_eq!((card.name().as_str(), card.slot), ("pits 1.2.3", Slot::Detect));
        assert_eq!(card.summary, "line one[2Jline two");
        let back: Vec<abi::ParameterSpec> = card.parameters.iter().map(Into::into).collect();
        assert_eq!(back, specs);
    }

    #[test]
    fn what_a_person_types_is_read_by_the_parameters_kind_and_range() {
        let card = |spec: abi::ParameterSpec| ParameterCard::from(&spec);
        let k = card(abi::ParameterSpec::real("k", 3.0, 1.0, 9.0, "sigma", ""));
        assert_eq!(k.read(" 4 "), Ok(ParameterValue::Real(4.0)));
        assert!(k.read("four").unwrap_err().contains("a number from 1 to 9"), "{:?}", k.read("four"));
        assert!(k.read("40").unwrap_err().contains('9'), "{:?}", k.read("40"));
        let flip = card(abi::ParameterSpec::bool("flip", true, ""));
        assert_eq!((flip.read("no"), flip.default.to_string()), (Ok(ParameterValue::Bool(false)), "yes".into()));
        assert!(flip.read("maybe").unwrap_err().contains("yes or no"));
        let mode = card(abi::ParameterSpec::choice("mode", "fast", &["fast", "fine"], ""));
        assert!(mode.read("slow").unwrap_err().contains("fast"), "{:?}", mode.read("slow"));
    }

    #[test]
    fn a_description_that_contradicts_itself_is_refused() {
        let refused = |descriptor: &abi::Descriptor| DescriptorCard::try_from(descriptor).unwrap_err().to_string();
        assert!(refused(&descriptor("../x", "1.0.0")).contains("id"));
        assert!(refused(&descriptor("x", "1.0")).contains("three numbers"));
        let twice = abi::ParameterSpec::bool("on", true, "");
        assert!(refused(&descriptor("x", "1.0.0").with_parameters(vec![twice.clone(), twice])).contains("twice"));
        let wide = abi::ParameterSpec::real("sigma", 30.0, 1.0, 9.0, "", "");
        assert!(refused(&descriptor("x", "1.0.0").with_parameters(vec![wide])).contains("own default"));
        let upper = abi::ParameterSpec::bool("On Off", true, "");
        assert!(refused(&descriptor("x", "1.0.0").with_parameters(vec![upper])).contains("name"));
    }
}
