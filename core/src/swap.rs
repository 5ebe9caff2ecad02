//! A swap: another pipeline in place of the one in force, or a library that was not let in. What the engine tells, the
//! database keeps and commands show is this one shape. Plain data: nothing here reads or writes anything.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{BuildHash, PipelineId, PluginId};

/// One attempt and its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Swap {
    /// Counted up over the life of a dataset.
    pub swap: i64,
    /// RFC 3339, UTC.
    pub at: String,
    /// `None` for a library that was refused before it came into a pipeline; then `library` is there.
    pub generation: Option<u64>,
    pub pipeline: Option<PipelineId>,
    /// The library that was refused, escaped for display.
    pub library: Option<String>,
    /// Its build, where it could be read.
    pub build: Option<BuildHash>,
    /// What it came from: `start`, `configuration`, `plug-ins`.
    pub reason: String,
    /// What differs from the pipeline that was in force before.
    pub changes: Vec<Change>,
    pub outcome: SwapOutcome,
    /// Why it was refused, in one line.
    pub refusal: Option<String>,
    /// Milliseconds until all workers ran it.
    pub took_ms: Option<f64>,
}

/// How a swap stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SwapOutcome {
    /// Workers are loading it.
    Trying,
    /// All workers run it, or did.
    InForce,
    /// What was in force before stayed so.
    Refused,
    /// Another swap, or the engine's end, came before all workers ran it.
    Superseded,
}

impl SwapOutcome {
    pub const ALL: [Self; 4] = [Self::Trying, Self::InForce, Self::Refused, Self::Superseded];

    /// As people read it and the database writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trying => "trying",
            Self::InForce => "in force",
            Self::Refused => "refused",
            Self::Superseded => "superseded",
        }
    }

    /// Reads [`Self::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }

    /// Nothing more will happen to it by itself.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Trying)
    }
}

impl fmt::Display for SwapOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A build of a plug-in, as people tell one from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    pub version: String,
    pub build: BuildHash,
}

impl fmt::Display for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.version, short(&self.build))
    }
}

/// The first digits of a build: enough to tell it from any other that a person has, and to name it in a command.
#[must_use]
pub fn short(build: &BuildHash) -> &str {
    build.as_str().get(..12).unwrap_or(build.as_str())
}

/// One thing that differs between two pipelines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Change {
    Added {
        slot: String,
        plugin: PluginId,
        to: Built,
    },
    Removed {
        slot: String,
        plugin: PluginId,
        from: Built,
    },
    Build {
        slot: String,
        plugin: PluginId,
        from: Built,
        to: Built,
    },
    /// What differs from the plug-in's defaults, before and after.
    Parameters {
        slot: String,
        plugin: PluginId,
        from: Map<String, Value>,
        to: Map<String, Value>,
    },
    /// The same plug-ins in another order.
    Order {
        slot: String,
        to: Vec<PluginId>,
    },
    /// Something that the host itself decides by: `consensus`, `min_confidence`, `label`.
    Setting {
        name: String,
        from: Value,
        to: Value,
    },
}

impl Change {
    /// The plug-in that it is about.
    #[must_use]
    pub fn plugin(&self) -> Option<&PluginId> {
        match self {
            Self::Added { plugin, .. }
            | Self::Removed { plugin, .. }
            | Self::Build { plugin, .. }
            | Self::Parameters { plugin, .. } => Some(plugin),
            Self::Order { .. } | Self::Setting { .. } => None,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { slot, plugin, to } => write!(f, "+ {plugin} {to} in {slot}"),
            Self::Removed { slot, plugin, from } => write!(f, "- {plugin} {from} in {slot}"),
            Self::Build { plugin, from, to, .. } => write!(f, "{plugin} {from} -> {to}"),
            Self::Parameters { plugin, from, to, .. } => {
                let names = from.keys().chain(to.keys().filter(|name| !from.contains_key(*name)));
                let value = |map: &Map<String, Value>, name: &str| {
                    map.get(name).map_or_else(|| "default".to_owned(), ToString::to_string)
                };
                let differing = names.filter(|name| from.get(*name) != to.get(*name));
                let each: Vec<String> = differing
                    .map(|name| format!("{plugin}.{name} {} -> {}", value(from, name), value(to, name)))
                    .collect();
                f.write_str(&each.join(", "))
            }
            Self::Order { slot, to } => {
                let ids: Vec<&str> = to.iter().map(PluginId::as_str).collect();
                write!(f, "{slot} in the order {}", ids.join(", "))
            }
            Self::Setting { name, from, to } => write!(f, "{name} {from} -> {to}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_is_read_at_a_glance() {
        let built = |version: &str| Built { version: version.into(), build: BuildHash::of(version.as_bytes()) };
        let plugin: PluginId = "pits".parse().unwrap();
        let change =
            Change::Build { slot: "detect".into(), plugin: plugin.clone(), from: built("0.1.0"), to: built("0.2.0") };
        let (from, to) = (BuildHash::of(b"0.1.0"), BuildHash::of(b"0.2.0"));
        assert_eq!(change.to_string(), format!("pits 0.1.0 ({}) -> 0.2.0 ({})", short(&from), short(&to)));
        let map = |value: Value| value.as_object().unwrap().clone();
        let change = Change::Parameters {
            slot: "detect".into(),
            plugin,
            from: map(json!({"same": 1, "sigma": 3.0})),
            to: map(json!({"same": 1, "dark": true})),
        };
        assert_eq!(change.to_string(), "pits.sigma 3.0 -> default, pits.dark default -> true");
    }

    #[test]
    fn outcomes_round_trip() {
        for outcome in SwapOutcome::ALL {
            assert_eq!(SwapOutcome::parse(outcome.as_str()), Some(outcome));
        }
    }
}
