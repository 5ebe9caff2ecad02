//! A person's own keys laid over the shipped ones: `[keys]` of `ferrule.toml`, by the name of what they do.
//!
//! What is not understood, or would make a key mean two things, is told in one line and leaves the shipped keys as they
//! are: nobody is kept out of the workbench by a line of its configuration.

use std::collections::BTreeMap;

use super::{
    keys::{self, Action, Binding, Bindings, Key},
    screens, text,
};

/// A titled list of keys as they are in force.
#[derive(Debug, Clone)]
pub struct Layer {
    pub title: &'static str,
    pub list: Vec<Bound>,
}

/// One line of it.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The first is the one shown in the bottom line.
    pub keys: Vec<Key>,
    pub action: Action,
    pub in_bar: bool,
}

impl From<Bindings> for Layer {
    /// With the keys that ship.
    fn from(bindings: Bindings) -> Self {
        KeyMap::default().apply(bindings)
    }
}

/// What differs from the keys that ship.
#[derive(Debug, Clone, Default)]
pub struct KeyMap {
    own: Vec<(Action, Vec<Key>)>,
}

impl KeyMap {
    /// Reads `[keys]`; `place` says where a name stands. What is wrong comes back a line each.
    pub fn of(configured: &BTreeMap<String, Vec<String>>, place: impl Fn(&str) -> String) -> (Self, Vec<String>) {
        let known = known();
        let (mut map, mut problems) = (Self::default(), Vec::new());
        for (name, written) in configured {
            let mut wrong = |fault: String| problems.push(format!("{}: keys.{name}: {fault}", place(name)));
            let Some((action, _)) = known.iter().find(|(_, known)| known == name) else {
                wrong("nothing is called so; `ferrule config keys` lists every name".into());
                continue;
            };
            let keys: Result<Vec<Key>, &String> = written.iter().map(|key| Key::parse(key).ok_or(key)).collect();
            match keys {
                Err(key) => wrong(format!("expected keys like \"q\", \"Ctrl-q\", \"F5\" or \"Space\", found {key:?}")),
                Ok(keys) => {
                    map.own.push((*action, keys));
                    if let Some(fault) = map.conflict() {
                        map.own.pop();
                        wrong(fault);
                    }
                }
            }
        }
        (map, problems)
    }

    /// These bindings with a person's own keys.
    pub fn apply(&self, bindings: Bindings) -> Layer {
        let bound = |binding: &Binding| {
            let own = self.own.iter().find(|(action, _)| *action == binding.action).map(|(_, keys)| keys.clone());
            Bound { keys: own.unwrap_or_else(|| binding.keys.to_vec()), action: binding.action, in_bar: binding.in_bar }
        };
        Layer { title: bindings.title, list: bindings.list.iter().map(bound).collect() }
    }

    /// A key that would mean two things at once.
    fn conflict(&self) -> Option<String> {
        let everywhere = self.apply(keys::GLOBAL);
        screens::layers().into_iter().find_map(|layer| {
            let layer = self.apply(layer);
            // What works everywhere must not be hidden by a screen.
            let global = screens::ALL_KEYS.iter().any(|screen| screen.title == layer.title);
            let all: Vec<&Bound> = layer.list.iter().chain(everywhere.list.iter().filter(|_| global)).collect();
            all.iter().enumerate().find_map(|(place, one)| {
                let other = all[place + 1..].iter().find_map(|other| {
                    let key = one.keys.iter().find(|key| other.keys.contains(key))?;
                    (one.action != other.action).then_some((key, other))
                });
                let (key, other) = other?;
                let (one, other) = (name(one.action), name(other.action));
                Some(format!("{key} would be {one} and {other} in \"{}\"", layer.title))
            })
        })
    }
}

/// What an action is called in `[keys]`: `quit`, `go-live`, `train-new`.
pub fn name(action: Action) -> String {
    let written = format!("{action:?}");
    let mut name = String::with_capacity(written.len() + 4);
    for character in written.chars() {
        match character {
            '(' => name.push('-'),
            ')' => {}
            upper if upper.is_ascii_uppercase() => {
                if !name.is_empty() && !name.ends_with('-') {
                    name.push('-');
                }
                name.push(upper.to_ascii_lowercase());
            }
            other => name.push(other),
        }
    }
    name
}

/// Everything that can be given other keys.
fn known() -> Vec<(Action, String)> {
    let mut known: Vec<(Action, String)> = Vec::new();
    for binding in screens::layers().iter().flat_map(|layer| layer.list) {
        if !known.iter().any(|(action, _)| *action == binding.action) {
            known.push((binding.action, name(binding.action)));
        }
    }
    known
}

/// Every name with its shipped keys and what it does, for a person who writes `[keys]`.
pub fn names() -> Vec<(String, String, &'static str)> {
    let mut names: Vec<(String, String, &'static str)> = Vec::new();
    for binding in screens::layers().iter().flat_map(|layer| layer.list) {
        let name = name(binding.action);
        if !names.iter().any(|(known, ..)| *known == name) {
            let keys: Vec<String> = binding.keys.iter().map(ToString::to_string).collect();
            names.push((name, keys.join(" "), text::action(binding.action).1));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::keys::TrainAction;

    fn read(lines: &[(&str, &[&str])]) -> (KeyMap, Vec<String>) {
        let configured = lines
            .iter()
            .map(|(name, keys)| ((*name).to_owned(), keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>()));
        KeyMap::of(&configured.collect(), |name| format!("ferrule.toml:{}", name.len()))
    }

    #[test]
    fn names_are_unlike_and_what_ships_contradicts_nothing() {
        let names: Vec<String> = names().into_iter().map(|(name, ..)| name).collect();
        for (place, name) in names.iter().enumerate() {
            assert!(!names[place + 1..].contains(name), "{name}");
        }
        assert_eq!(name(Action::Train(TrainAction::StopAfterEpoch)), "train-stop-after-epoch");
        assert_eq!(KeyMap::default().conflict(), None);
    }

    #[test]
    fn own_keys_take_the_place_of_those_that_ship() {
        let (map, problems) = read(&[("quit", &["Ctrl-q", "F10"])]);
        assert_eq!(problems, Vec::<String>::new());
        let layer = map.apply(keys::GLOBAL);
        assert_eq!(keys::action(std::slice::from_ref(&layer), Key::ctrl('q')), Some(Action::Quit));
        assert_eq!(keys::action(&[layer], Key::char('q')), None);
    }

    #[test]
    fn what_is_wrong_is_one_line_with_its_place_and_changes_nothing() {
        let (map, problems) = read(&[("quit", &["p"]), ("help", &["Hyper-x"]), ("fly", &["f"]), ("repaint", &["F5"])]);
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].starts_with("ferrule.toml:3: keys.fly: nothing is called so"), "{problems:?}");
        assert!(problems[1].contains("keys.help") && problems[1].contains("\"Hyper-x\""), "{problems:?}");
        assert!(problems[2].contains("keys.quit: p would be"), "{problems:?}");
        assert_eq!(map.own.len(), 1);
    }
}
