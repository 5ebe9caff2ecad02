//! What a plug-in says of itself, read as its users will: is there a line of what it is, is every parameter explained, can
//! every range be used. What no library gets past the loader with is not looked at again.

use std::collections::BTreeSet;

use ferrule_abi as abi;

use crate::host::card::{DescriptorCard, ParameterCard, ParameterKind};

/// Longest line of what a plug-in is: tables and lists have room for so much.
const SUMMARY: usize = 120;

/// What is wrong with a description; each with what it is about.
pub fn faults(card: &DescriptorCard) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    let mut fault = |about: &str, what: String| faults.push((about.to_owned(), what));
    match card.summary.chars().count() {
        0 => fault("summary", "there is none; say in one line what it is".into()),
        length if length > SUMMARY => {
            fault("summary", format!("it has {length} characters, at most {SUMMARY} are shown everywhere"));
        }
        _ => {}
    }
    for parameter in &card.parameters {
        for what in parameter_faults(parameter) {
            fault(&parameter.name, what);
        }
    }
    faults
}

fn parameter_faults(parameter: &ParameterCard) -> Vec<String> {
    let mut faults = Vec::new();
    if parameter.help.trim().is_empty() {
        faults.push("it has no help; say in one line what it does".into());
    }
    match &parameter.kind {
        ParameterKind::Integer { low, high } if low >= high => {
            faults.push(format!("its range from {low} to {high} has no room"));
        }
        ParameterKind::Real { low, high } if !(low.is_finite() && high.is_finite() && low < high) => {
            faults.push(format!("its range from {low} to {high} has no room, or no end"));
        }
        ParameterKind::Choice { options } => {
            let distinct: BTreeSet<&String> = options.iter().collect();
            if options.len() < 2 || distinct.len() < options.len() || options.iter().any(String::is_empty) {
                faults.push(format!("its choices are {options:?}: at least two are needed, all different, none empty"));
            }
        }
        _ => {}
    }
    if let Err(error) = abi::ParameterSpec::from(parameter).check(&(&parameter.default).into()) {
        faults.push(format!("its default is not allowed: {error}"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        host::card::{Profile, Slot},
        worker::messages::ParameterValue,
    };

    #[test]
    fn what_users_would_stumble_over_is_named() {
        let parameter = |name: &str, kind, default, help: &str| ParameterCard {
            name: name.into(),
            kind,
            default,
            unit: String::new(),
            help: help.into(),
        };
        let mut card = DescriptorCard {
            id: "pits".parse().unwrap(),
            version: "1.0.0".into(),
            slot: Slot::Detect,
            summary: "finds pits".into(),
            profile: Profile::Narrow,
            accepts: Vec::new(),
            parameters: vec![parameter("on", ParameterKind::Bool, ParameterValue::Bool(true), "looks at all")],
        };
        assert_eq!(faults(&card), []);
        card.summary.clear();
        let real = |low, high| ParameterKind::Real { low, high };
        let choice =
            |options: &[&str]| ParameterKind::Choice { options: options.iter().map(|it| (*it).into()).collect() };
        card.parameters = vec![
            parameter("silent", ParameterKind::Bool, ParameterValue::Bool(true), " "),
            parameter("endless", real(0.0, f64::INFINITY), ParameterValue::Real(1.0), "x"),
            parameter("empty", real(2.0, 2.0), ParameterValue::Real(2.0), "x"),
            parameter("outside", real(0.0, 1.0), ParameterValue::Real(2.0), "x"),
            parameter("twice", choice(&["a", "a"]), ParameterValue::Text("a".into()), "x"),
        ];
        let about: Vec<String> = faults(&card).into_iter().map(|(about, _)| about).collect();
        assert_eq!(about, ["summary", "silent", "endless", "empty", "outside", "twice"]);
    }
}
