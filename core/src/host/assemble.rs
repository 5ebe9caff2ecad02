//! From settings and catalogue to a pipeline: every slot's plug-ins found, every parameter checked against its
//! description, and the whole named by a hash of all that decides results, the content of files that parameters name
//! included.

use std::{
    collections::BTreeMap,
    fmt::Write,
    path::{Path, PathBuf},
};

use ferrule_abi as abi;

use super::{
    card::{ParameterCard, Profile, Slot},
    catalogue::{Available, Catalogue},
    store::content,
};
use crate::{
    ids::{PipelineId, PluginId},
    settings::{Settings, Severities, Slots},
    worker::messages::{ParameterValue, Pipeline, Stage},
};

/// Why there is no pipeline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssemblyError {
    #[error("pipeline.{slot} names `{plugin}`, which was not found; {hint}")]
    Unknown { slot: Slot, plugin: PluginId, hint: String },
    #[error("pipeline.{slot} names `{plugin}`, which is for the slot {actual}")]
    WrongSlot { slot: Slot, plugin: PluginId, actual: Slot },
    #[error("pipeline.grade names `{plugin}`, which asks for a wide worker; graders work in narrow ones")]
    WideGrader { plugin: PluginId },
    #[error("pipeline.{slot} names `{plugin}` twice")]
    Twice { slot: Slot, plugin: PluginId },
    #[error("plugin.{plugin}: {fault}")]
    Parameter { plugin: PluginId, fault: String },
}

/// Makes the pipeline that the settings describe.
///
/// # Errors
/// The first thing that does not fit, with plug-in, parameter and range.
pub fn assemble(settings: &Settings, catalogue: &Catalogue) -> Result<Pipeline, AssemblyError> {
    from_parts(&settings.pipeline, &settings.parameters, settings.label, &settings.root, catalogue)
}

type Parameters = BTreeMap<PluginId, BTreeMap<String, ParameterValue>>;

/// Hashes of the files that parameters name.
type Contents = BTreeMap<(PluginId, String), blake3::Hash>;

fn from_parts(
    slots: &Slots,
    given: &Parameters,
    label: Severities,
    root: &Path,
    catalogue: &Catalogue,
) -> Result<Pipeline, AssemblyError> {
    let mut contents = Contents::new();
    let mut slot = |slot: Slot, ids: &[PluginId]| -> Result<Vec<Stage>, AssemblyError> {
        let mut stages: Vec<Stage> = Vec::with_capacity(ids.len());
        for id in ids {
            if stages.iter().any(|stage| &stage.plugin == id) {
                return Err(AssemblyError::Twice { slot, plugin: id.clone() });
            }
            stages.push(stage(slot, id, given.get(id), root, catalogue, &mut contents)?);
        }
        Ok(stages)
    };
    let mut pipeline = Pipeline {
        id: PipelineId::of(""),
        segment: slot(Slot::Segment, &slots.segment)?,
        detect: slot(Slot::Detect, &slots.detect)?,
        measure: slot(Slot::Measure, &slots.measure)?,
        grade: slot(Slot::Grade, &slots.grade)?,
        consensus: slots.consensus,
        min_confidence: slots.min_confidence,
        label,
    };
    pipeline.id = PipelineId::of(&canonical(&pipeline, &contents));
    Ok(pipeline)
}

fn stage(
    slot: Slot,
    id: &PluginId,
    given: Option<&BTreeMap<String, ParameterValue>>,
    root: &Path,
    catalogue: &Catalogue,
    contents: &mut Contents,
) -> Result<Stage, AssemblyError> {
    let Some(Available { card, build, library, script, .. }) = catalogue.get(id) else {
        return Err(AssemblyError::Unknown { slot, plugin: id.clone(), hint: hint(slot, catalogue) });
    };
    if card.slot != slot {
        return Err(AssemblyError::WrongSlot { slot, plugin: id.clone(), actual: card.slot });
    }
    // It gets numbers, not pixels: there is nothing that would need a wide worker.
    if card.slot == Slot::Grade && card.profile == Profile::Wide {
        return Err(AssemblyError::WideGrader { plugin: id.clone() });
    }
    let fault = |fault: String| AssemblyError::Parameter { plugin: id.clone(), fault };
    let (mut parameters, mut files) = (Vec::new(), Vec::new());
    for (name, value) in given.into_iter().flatten() {
        let Some(known) = card.parameters.iter().find(|parameter| &parameter.name == name) else {
            let names: Vec<&str> = card.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
            let has = if names.is_empty() { "it has none".into() } else { format!("it has {}", names.join(", ")) };
            return Err(fault(format!("has no parameter `{name}`; {has}")));
        };
        let checked = abi::ParameterSpec::from(known).check(&value.into()).map_err(|error| fault(error.to_string()))?;
        let mut checked = ParameterValue::from(&checked);
        if let Some(path) = file(known, &checked, root) {
            let unreadable = |error| fault(format!("`{name}` is {}: {error}", path.display()));
            let (content, copy) = match &catalogue.store {
                Some(store) => store.keep(&path).map(|(content, copy)| (content, Some(copy))),
                None => content(&path).map(|content| (content, None)),
            }
            .map_err(unreadable)?;
            contents.insert((id.clone(), name.clone()), content);
            files.extend(copy.map(|copy| (name.clone(), copy)));
            checked = ParameterValue::Text(path.to_string_lossy().into_owned());
        }
        // A value that is the default anyway makes no other pipeline.
        if checked != known.default {
            parameters.push((name.clone(), checked));
        }
    }
    Ok(Stage {
        plugin: id.clone(),
        version: card.version.clone(),
        build: build.clone(),
        library: library.clone(),
        script: script.clone(),
        profile: card.profile,
        accepts: card.accepts.clone(),
        parameters,
        files,
    })
}

/// The file that a parameter names, made absolute; `None` where it is no file's parameter, or none is named.
fn file(known: &ParameterCard, value: &ParameterValue, root: &Path) -> Option<PathBuf> {
    match value {
        ParameterValue::Text(path) if known.unit == abi::UNIT_FILE && !path.is_empty() => Some(root.join(path)),
        _ => None,
    }
}

/// The files that parameters name: what stands in them is part of the pipeline, so whoever keeps one up to date looks at
/// them. A file that is not there is listed too.
#[must_use]
pub fn parameter_files(settings: &Settings, catalogue: &Catalogue) -> Vec<PathBuf> {
    let named = |(id, name): (&PluginId, &String), value: &ParameterValue| {
        catalogue.parameter(id, name).and_then(|known| file(known, value, &settings.root))
    };
    let given =
        settings.parameters.iter().flat_map(|(id, given)| given.iter().map(move |(name, value)| (id, name, value)));
    given.filter_map(|(id, name, value)| named((id, name), value)).collect()
}

fn hint(slot: Slot, catalogue: &Catalogue) -> String {
    let fitting = catalogue.available.iter().filter(|available| available.card.slot == slot);
    let names: Vec<&str> = fitting.map(|available| available.card.id.as_str()).collect();
    match (names.is_empty(), catalogue.refused.len()) {
        (false, _) => format!("for {slot} there are {}", names.join(", ")),
        (true, 0) => "no plug-in library was found in any search path (`ferrule plugin list` names them)".into(),
        (true, refused) => format!("{refused} libraries were refused (`ferrule plugin list` says why)"),
    }
}

/// Everything that decides results, and nothing else: not where a library or a parameter's file lies, not in which order parameters are given.
fn canonical(pipeline: &Pipeline, contents: &Contents) -> String {
    let mut text = String::from("ferrule pipeline 1\n");
    let slots = [
        (Slot::Segment, &pipeline.segment),
        (Slot::Detect, &pipeline.detect),
        (Slot::Measure, &pipeline.measure),
        (Slot::Grade, &pipeline.grade),
    ];
    for (slot, stages) in slots {
        for stage in stages {
            let _ = writeln!(text, "{slot} {} {} {}", stage.plugin, stage.version, stage.build);
            let mut parameters: Vec<_> = stage.parameters.iter().collect();
            parameters.sort_by(|a, b| a.0.cmp(&b.0));
            for (name, value) in parameters {
                let _ = match contents.get(&(stage.plugin.clone(), name.clone())) {
                    Some(content) => writeln!(text, "  {name} file {content}"),
                    None => writeln!(text, "  {name} {value:?}"),
                };
            }
        }
    }
    let _ = writeln!(text, "consensus {}", pipeline.consensus.as_str());
    let _ = writeln!(text, "min_confidence {:?}", pipeline.min_confidence);
    let _ = writeln!(text, "label {:?} {}", pipeline.label.min_confidence, pipeline.label.min_severity);
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        host::{
            LibraryStore,
            card::{DescriptorCard, ParameterKind},
            search::Origin,
        },
        ids::BuildHash,
        report::Severity,
        settings::Consensus,
    };

    fn id(text: &str) -> PluginId {
        text.parse().unwrap()
    }

    fn available(text: &str, slot: Slot, code: &str) -> Available {
        let sigma = ParameterCard {
            name: "sigma".into(),
            kind: ParameterKind::Real { low: 1.0, high: 9.0 },
            default: ParameterValue::Real(3.0),
            unit: "sigma".into(),
            help: String::new(),
        };
        let model = ParameterCard {
            name: "model".into(),
            kind: ParameterKind::Text,
            default: ParameterValue::Text(String::new()),
            unit: abi::UNIT_FILE.into(),
            help: String::new(),
        };
        let build = BuildHash::of(code.as_bytes());
        Available {
            card: DescriptorCard {
                id: id(text),
                version: "1.0.0".into(),
                slot,
                summary: String::new(),
                profile: Profile::Narrow,
                accepts: Vec::new(),
                parameters: vec![sigma, model],
            },
            library: format!("/store/{build}.so").into(),
            script: None,
            build,
            found: "/plugins/lib.so".into(),
            origin: Origin::Workspace,
            shadows: Vec::new(),
        }
    }

    fn catalogue() -> Catalogue {
        let available = vec![
            available("rings", Slot::Segment, "r"),
            available("pits", Slot::Detect, "p"),
            available("lines", Slot::Detect, "l"),
        ];
        Catalogue { available, ..Catalogue::default() }
    }

    const LABEL: Severities = Severities { min_confidence: 0.5, min_severity: Severity::Low };

    fn made(detect: &[&str], sigma: Option<ParameterValue>, catalogue: &Catalogue) -> Result<Pipeline, AssemblyError> {
        let slots = Slots {
            segment: vec![id("rings")],
            detect: detect.iter().map(|text| id(text)).collect(),
            measure: Vec::new(),
            grade: Vec::new(),
            consensus: Consensus::First,
            min_confidence: 0.5,
        };
        let given = sigma.map(|value| (id("pits"), [("sigma".to_owned(), value)].into()));
        from_parts(&slots, &given.into_iter().collect(), LABEL, Path::new("/nowhere"), catalogue)
    }

    #[test]
    fn a_file_is_found_from_the_settings_folder_and_counts_by_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        let with = |root: &Path, model: &str, catalogue: &Catalogue| {
            let slots = Slots {
                segment: vec![],
                detect: vec![id("pits")],
                measure: vec![],
                grade: vec![],
                consensus: Consensus::First,
                min_confidence: 0.5,
            };
            let value = ParameterValue::Text(model.into());
            let given = [(id("pits"), [("model".to_owned(), value)].into())].into();
            from_parts(&slots, &given, LABEL, root, catalogue)
        };
        let made = |root: &Path, model: &str| with(root, model, &catalogue());
        fs::create_dir(&a).unwrap();
        fs::create_dir(&b).unwrap();
        fs::write(a.join("clean"), "model").unwrap();
        fs::write(b.join("moved"), "model").unwrap();
        let first = made(&a, "clean").unwrap();
        let path = ParameterValue::Text(a.join("clean").to_string_lossy().into_owned());
        assert_eq!(first.detect[0].parameters, [("model".to_owned(), path)]);
        assert_eq!(made(&b, "moved").unwrap().id, first.id, "only the content counts");
        assert_ne!(made(&a, "").unwrap().id, first.id);
        fs::write(a.join("clean"), "another").unwrap();
        assert_ne!(made(&a, "clean").unwrap().id, first.id);
        let kept = Catalogue { store: Some(LibraryStore::at(folder.path().join("store"))), ..catalogue() };
        let stage = &with(&a, "clean", &kept).unwrap().detect[0];
        fs::write(a.join("clean"), "a third").unwrap();
        let ParameterValue::Text(copy) = &stage.given()[0].1 else { panic!("no file") };
        assert_eq!(fs::read_to_string(copy).unwrap(), "another", "what the worker reads is what was hashed");
        for (model, word) in [("gone", "gone: No such file"), (".", "not a regular file")] {
            let refused = made(&a, model).unwrap_err().to_string();
            assert!(refused.starts_with("plugin.pits: `model` is /") && refused.contains(word), "{refused}");
        }
    }

    #[test]
    fn the_identity_changes_with_builds_order_and_parameters_and_with_nothing_else() {
        let plain = made(&["pits", "lines"], None, &catalogue()).unwrap();
        let default = made(&["pits", "lines"], Some(ParameterValue::Integer(3)), &catalogue()).unwrap();
        assert_eq!(plain, default, "a default that is spelled out is no change");
        let mut moved = catalogue();
        moved.available.iter_mut().for_each(|available| available.found = "/elsewhere".into());
        assert_eq!(made(&["pits", "lines"], None, &moved).unwrap().id, plain.id);

        let stricter = made(&["pits", "lines"], Some(ParameterValue::Real(4.0)), &catalogue()).unwrap();
        let reordered = made(&["lines", "pits"], None, &catalogue()).unwrap();
        let mut rebuilt = catalogue();
        rebuilt.available[1] = available("pits", Slot::Detect, "new code");
        let rebuilt = made(&["pits", "lines"], None, &rebuilt).unwrap();
        let ids: std::collections::BTreeSet<_> =
            [&plain, &stricter, &reordered, &rebuilt].iter().map(|pipeline| pipeline.id.clone()).collect();
        assert_eq!(ids.len(), 4);
        assert_eq!(stricter.detect[0].parameters, [("sigma".to_owned(), ParameterValue::Real(4.0))]);
    }

    #[test]
    fn a_grader_that_asks_for_a_wide_worker_is_refused() {
        let mut catalogue = catalogue();
        let mut grader = available("strict", Slot::Grade, "g");
        grader.card.profile = Profile::Wide;
        catalogue.available.push(grader);
        let slots = Slots {
            segment: vec![],
            detect: vec![],
            measure: vec![],
            grade: vec![id("strict")],
            consensus: Consensus::First,
            min_confidence: 0.5,
        };
        let made = from_parts(&slots, &Parameters::new(), LABEL, Path::new("/nowhere"), &catalogue);
        assert_eq!(made, Err(AssemblyError::WideGrader { plugin: id("strict") }));
    }

    #[test]
    fn what_does_not_fit_is_named_with_what_would() {
        let refused = |detect: &[&str], sigma| made(detect, sigma, &catalogue()).unwrap_err().to_string();
        assert_eq!(
            refused(&["pitts"], None),
            "pipeline.detect names `pitts`, which was not found; for detect there are pits, lines"
        );
        assert!(refused(&["rings"], None).contains("which is for the slot segment"));
        assert!(refused(&["pits", "pits"], None).contains("twice"));
        let range = refused(&["pits"], Some(ParameterValue::Real(0.5)));
        assert_eq!(range, "plugin.pits: parameter `sigma` is 0.5, expected a number from 1 to 9");
        let none = made(&["pits"], None, &Catalogue::default()).unwrap_err().to_string();
        assert!(none.contains("ferrule plugin list"), "{none}");
    }
}
