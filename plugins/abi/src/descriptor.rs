//! How a plug-in describes itself, and the parameters it takes.

use abi_stable::{
    StableAbi,
    std_types::{RString, RVec},
};

use crate::{Attribute, PixelFormat, PluginError};

/// A place in the pipeline.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    Segment,
    Detect,
    Measure,
    Grade,
    Train,
}

impl Slot {
    pub const ALL: [Self; 5] = [Self::Segment, Self::Detect, Self::Measure, Self::Grade, Self::Train];

    /// The slot's name as configuration and commands write it.
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

/// What a plug-in needs around it.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// A sandboxed worker without network, new processes or writes.
    Narrow,
    /// libtorch, a GPU, Python: a worker of its own with a wider sandbox.
    Wide,
}

/// A parameter's or attribute's value.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Value {
    Bool(bool),
    Integer(i64),
    Real(f64),
    Text(RString),
}

/// What values a parameter takes.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
pub enum ParameterKind {
    Bool,
    /// From `low` to `high`, both included.
    Integer {
        low: i64,
        high: i64,
    },
    /// From `low` to `high`, both included.
    Real {
        low: f64,
        high: f64,
    },
    /// One of these words.
    Choice {
        options: RVec<RString>,
    },
    Text,
}

/// The unit of a text that is the path of a file. A unit rather than a kind of its own, so that hosts and plug-ins built
/// before there were any go on fitting each other.
pub const UNIT_FILE: &str = "file";

/// One parameter: the source of its form, its check in the configuration and its reference page.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
pub struct ParameterSpec {
    pub name: RString,
    pub kind: ParameterKind,
    pub default: Value,
    /// `px`, `um`, `sigma`, `gray`, …, [`UNIT_FILE`], or empty.
    pub unit: RString,
    /// One line.
    pub help: RString,
}

impl ParameterSpec {
    /// A number from `low` to `high`.
    #[must_use]
    pub fn real(name: &str, default: f64, low: f64, high: f64, unit: &str, help: &str) -> Self {
        Self::new(name, ParameterKind::Real { low, high }, Value::Real(default), unit, help)
    }

    /// A whole number from `low` to `high`.
    #[must_use]
    pub fn integer(name: &str, default: i64, low: i64, high: i64, unit: &str, help: &str) -> Self {
        Self::new(name, ParameterKind::Integer { low, high }, Value::Integer(default), unit, help)
    }

    /// A switch.
    #[must_use]
    pub fn bool(name: &str, default: bool, help: &str) -> Self {
        Self::new(name, ParameterKind::Bool, Value::Bool(default), "", help)
    }

    /// One of `options`.
    #[must_use]
    pub fn choice(name: &str, default: &str, options: &[&str], help: &str) -> Self {
        let options = options.iter().map(|option| RString::from(*option)).collect();
        Self::new(name, ParameterKind::Choice { options }, Value::Text(default.into()), "", help)
    }

    /// Any text, empty unless given.
    #[must_use]
    pub fn text(name: &str, help: &str) -> Self {
        Self::new(name, ParameterKind::Text, Value::Text("".into()), "", help)
    }

    /// The path of a file that decides results, empty unless given. The host makes a relative path absolute (from the
    /// folder of the settings that name it), refuses one that cannot be read, and counts the content as part of the value.
    #[must_use]
    pub fn file(name: &str, help: &str) -> Self {
        Self::new(name, ParameterKind::Text, Value::Text("".into()), UNIT_FILE, help)
    }

    /// Whether the text is the path of a file; see [`Self::file`].
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.kind == ParameterKind::Text && self.unit == UNIT_FILE
    }

    fn new(name: &str, kind: ParameterKind, default: Value, unit: &str, help: &str) -> Self {
        Self { name: name.into(), kind, default, unit: unit.into(), help: help.into() }
    }

    /// Checks a value, widening a whole number where a real one is wanted.
    ///
    /// # Errors
    /// Names the parameter, what was given and what it takes.
    pub fn check(&self, value: &Value) -> Result<Value, PluginError> {
        let refuse = |expected: String| {
            let given = match value {
                Value::Bool(v) => v.to_string(),
                Value::Integer(v) => v.to_string(),
                Value::Real(v) => v.to_string(),
                Value::Text(v) => format!("\"{v}\""),
            };
            Err(PluginError::new(format!("parameter `{}` is {given}, expected {expected}", self.name)))
        };
        match (&self.kind, value) {
            (ParameterKind::Bool, Value::Bool(_)) | (ParameterKind::Text, Value::Text(_)) => Ok(value.clone()),
            (ParameterKind::Integer { low, high }, Value::Integer(v)) if (low..=high).contains(&v) => Ok(value.clone()),
            (ParameterKind::Real { low, high }, Value::Real(v)) if (low..=high).contains(&v) => Ok(value.clone()),
            (ParameterKind::Real { low, high }, Value::Integer(v)) if (*low..=*high).contains(&(*v as f64)) => {
                Ok(Value::Real(*v as f64))
            }
            (ParameterKind::Choice { options }, Value::Text(v)) if options.contains(v) => Ok(value.clone()),
            (ParameterKind::Bool, _) => refuse("true or false".into()),
            (ParameterKind::Text, _) => refuse("a text".into()),
            (ParameterKind::Integer { low, high }, _) => refuse(format!("a whole number from {low} to {high}")),
            (ParameterKind::Real { low, high }, _) => refuse(format!("a number from {low} to {high}")),
            (ParameterKind::Choice { options }, _) => refuse(format!("one of {}", options.join(", "))),
        }
    }
}

/// A value given to a plug-in.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
pub struct Parameter {
    pub name: RString,
    pub value: Value,
}

/// What a plug-in says of itself.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
pub struct Descriptor {
    /// Lower-case words joined by hyphens; unique among all plug-ins.
    pub id: RString,
    /// Semantic version.
    pub version: RString,
    pub slot: Slot,
    /// One line.
    pub summary: RString,
    pub profile: Profile,
    /// Pixel formats it takes as they come; anything else is converted to gray 8-bit first. Empty means gray 8-bit.
    pub accepts: RVec<PixelFormat>,
    pub parameters: RVec<ParameterSpec>,
    pub attributes: RVec<Attribute>,
}

impl Descriptor {
    /// A narrow plug-in over gray 8-bit pictures without parameters.
    #[must_use]
    pub fn new(id: &str, version: &str, slot: Slot, summary: &str) -> Self {
        Self {
            id: id.into(),
            version: version.into(),
            slot,
            summary: summary.into(),
            profile: Profile::Narrow,
            accepts: RVec::new(),
            parameters: RVec::new(),
            attributes: RVec::new(),
        }
    }

    /// The same with these parameters.
    #[must_use]
    pub fn with_parameters(mut self, parameters: Vec<ParameterSpec>) -> Self {
        self.parameters = parameters.into();
        self
    }
}

/// Checked parameters: every one that the descriptor names is there, with a value that its kind allows.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters(Vec<Parameter>);

impl Parameters {
    /// Lays `given` over the descriptor's defaults.
    ///
    /// # Errors
    /// An unknown name, a value of another type or out of range; says what is expected.
    pub fn resolve(descriptor: &Descriptor, given: &[Parameter]) -> Result<Self, PluginError> {
        if let Some(unknown) = given.iter().find(|g| !descriptor.parameters.iter().any(|spec| spec.name == g.name)) {
            let known: Vec<&str> = descriptor.parameters.iter().map(|spec| spec.name.as_str()).collect();
            let known = if known.is_empty() { "it has none".into() } else { format!("it has {}", known.join(", ")) };
            return Err(PluginError::new(format!("{} has no parameter `{}`; {known}", descriptor.id, unknown.name)));
        }
        let resolved = descriptor.parameters.iter().map(|spec| {
            // The last one given wins, as in a file laid over another.
            let value = match given.iter().rev().find(|g| g.name == spec.name) {
                Some(parameter) => spec.check(&parameter.value)?,
                None => spec.default.clone(),
            };
            Ok(Parameter { name: spec.name.clone(), value })
        });
        resolved.collect::<Result<_, PluginError>>().map(Self)
    }

    /// All of them, in the descriptor's order.
    #[must_use]
    pub fn as_slice(&self) -> &[Parameter] {
        &self.0
    }

    /// The value of that name, if the descriptor names it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|parameter| parameter.name == name).map(|parameter| &parameter.value)
    }

    /// A real parameter.
    ///
    /// # Errors
    /// The descriptor does not name it, or as another kind: an error of the plug-in's author.
    pub fn real(&self, name: &str) -> Result<f64, PluginError> {
        match self.get(name) {
            Some(Value::Real(value)) => Ok(*value),
            Some(Value::Integer(value)) => Ok(*value as f64),
            _ => Err(missing(name, "real")),
        }
    }

    /// A whole-number parameter. Errors as [`Self::real`].
    ///
    /// # Errors
    /// As [`Self::real`].
    pub fn integer(&self, name: &str) -> Result<i64, PluginError> {
        match self.get(name) {
            Some(Value::Integer(value)) => Ok(*value),
            _ => Err(missing(name, "integer")),
        }
    }

    /// A switch.
    ///
    /// # Errors
    /// As [`Self::real`].
    pub fn bool(&self, name: &str) -> Result<bool, PluginError> {
        match self.get(name) {
            Some(Value::Bool(value)) => Ok(*value),
            _ => Err(missing(name, "bool")),
        }
    }

    /// A text or choice.
    ///
    /// # Errors
    /// As [`Self::real`].
    pub fn text(&self, name: &str) -> Result<&str, PluginError> {
        match self.get(name) {
            Some(Value::Text(value)) => Ok(value.as_str()),
            _ => Err(missing(name, "text")),
        }
    }
}

fn missing(name: &str, kind: &str) -> PluginError {
    PluginError::new(format!("the descriptor has no {kind} parameter `{name}`"))
}
