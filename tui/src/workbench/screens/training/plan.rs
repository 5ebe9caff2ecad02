//! The form of a new training: the trainer's own settings, and what the dataset's pictures are made into for it. What
//! hangs on the task follows it until a person says otherwise.

use std::{collections::BTreeMap, path::PathBuf};

use ferrule_core::{
    host::card::{ParameterCard, ParameterKind},
    training::{Crop, Labels, Levels, Plan, Task},
    worker::messages::ParameterValue,
};

use crate::workbench::{
    form::{Field, Form},
    runs::Summary,
    text,
};

/// The form, and what the dataset has for the plan in it.
#[derive(Debug)]
pub struct PlanForm {
    pub form: Form,
    /// The trainer's own defaults, of what a task may have another for.
    own: BTreeMap<String, ParameterValue>,
    /// What the dataset was asked about last, and its answer.
    asked: Option<Plan>,
    pub summary: Option<Result<Summary, String>>,
}

/// Fields that are no parameters of the trainer.
const OURS: [&str; 9] = ["model", "size", "crop", "margin", "levels", "labels", "model_labels", "truth", "weights"];

impl PlanForm {
    /// With the trainer's defaults.
    pub fn new(trainer: &[ParameterCard]) -> Self {
        let plan = Plan::new(Task::Classify);
        // What is learned comes first, then what hangs on it, then how.
        let (first, rest): (Vec<_>, Vec<_>) =
            trainer.iter().cloned().partition(|card| ["task", "network"].contains(&card.name.as_str()));
        let cards = first.into_iter().chain(ours(&plan)).chain(rest);
        let fields = cards.map(|card| Field::new(card.clone(), &card.default)).collect();
        let own = trainer.iter().map(|card| (card.name.clone(), card.default.clone())).collect();
        let mut form = Self { form: Form::new(fields), own, asked: None, summary: None };
        form.follow();
        form
    }

    /// Sets what hangs on task and network, and tells which fields say nothing for them. Called after every change.
    pub fn follow(&mut self) {
        let usual = self.usual();
        let text = |text: &str| ParameterValue::Text(text.to_owned());
        for (name, own) in self.own.iter().filter(|(name, _)| *name != "task") {
            self.form.suggest(name, usual.parameters.get(name).unwrap_or(own));
        }
        let mut named = usual.clone();
        if let Some(network) = self.form.field("network") {
            named.set("network", text(network.typed()));
        }
        self.form.suggest("model", &text(&named.usual_name()));
        self.form.suggest("size", &ParameterValue::Integer(usual.input.side as i64));
        self.form.suggest("levels", &text(usual.input.levels.as_str()));
        let (task, fibre) = (usual.task, self.form.field("crop").is_some_and(|field| field.typed() == "fibre"));
        self.form.idle(|name| match name {
            "crop" => task == Task::Regions,
            "margin" => task == Task::Regions || !fibre,
            "labels" => task != Task::Classify,
            _ => false,
        });
    }

    /// The plan of the task that is chosen.
    fn usual(&self) -> Plan {
        let typed = self.form.field("task").map_or("", Field::typed);
        Plan::new(Task::ALL.into_iter().find(|task| task.as_str() == typed).unwrap_or(Task::Classify))
    }

    /// The plan that is typed.
    ///
    /// # Errors
    /// The first field that cannot be read; the cursor is on it.
    pub fn plan(&mut self) -> Result<Plan, String> {
        let values = self.form.values()?;
        Ok(plan_of(self.usual(), values))
    }

    /// What the dataset is to be asked now, where it was not asked that before.
    pub fn wanted(&mut self) -> Option<Plan> {
        let plan = plan_of(self.usual(), self.form.readable());
        let about = |plan: &Plan| (plan.task, plan.labels, plan.model_labels, plan.truth.clone());
        if self.asked.as_ref().is_some_and(|asked| about(asked) == about(&plan)) {
            return None;
        }
        self.asked = Some(plan.clone());
        self.summary = None;
        Some(plan)
    }

    /// Asks again, for the dataset may have grown.
    pub fn outdated(&mut self) {
        self.asked = None;
    }

    /// Takes the dataset's answer, unless something else has been asked since.
    pub fn take(&mut self, plan: &Plan, summary: Result<Summary, String>) {
        if self.asked.as_ref() == Some(plan) {
            self.summary = Some(summary);
        }
    }
}

fn ours(plan: &Plan) -> Vec<ParameterCard> {
    let words =
        |words: &[&str]| ParameterKind::Choice { options: words.iter().map(|word| (*word).to_owned()).collect() };
    let text = |text: &str| ParameterValue::Text(text.to_owned());
    let side = ParameterValue::Integer(plan.input.side as i64);
    let kinds = [
        (ParameterKind::Text, text(&plan.usual_name()), ""),
        (ParameterKind::Integer { low: 16, high: 4096 }, side, "px"),
        (words(&["frame", "fibre"]), text("frame"), ""),
        (ParameterKind::Real { low: 0.1, high: 10.0 }, ParameterValue::Real(plan.input.margin), "radii"),
        (words(&["relief", "raw", "zones"]), text("relief"), ""),
        (words(&["defect", "kind"]), text("defect"), ""),
        (ParameterKind::Bool, ParameterValue::Bool(false), ""),
        (ParameterKind::Text, text(""), ""),
        (ParameterKind::Text, text(""), ""),
    ];
    let cards = OURS.into_iter().zip(kinds).map(|(name, (kind, default, unit))| ParameterCard {
        name: name.into(),
        kind,
        default,
        unit: unit.into(),
        help: text::training_field(name).into(),
    });
    cards.collect()
}

fn plan_of(mut plan: Plan, values: Vec<(String, ParameterValue)>) -> Plan {
    for (name, value) in values {
        match (name.as_str(), &value) {
            ("model", ParameterValue::Text(model)) => plan.model = model.clone(),
            ("size", ParameterValue::Integer(side)) => plan.input.side = usize::try_from(*side).unwrap_or(0),
            ("crop", ParameterValue::Text(crop)) => {
                plan.input.crop = if crop == "fibre" { Crop::Fibre } else { Crop::Frame };
            }
            ("margin", ParameterValue::Real(margin)) => plan.input.margin = *margin,
            ("levels", ParameterValue::Text(levels)) => {
                plan.input.levels = Levels::of(levels).unwrap_or(plan.input.levels);
            }
            ("labels", ParameterValue::Text(labels)) => {
                plan.labels = if labels == "kind" { Labels::Kind } else { Labels::Defect };
            }
            ("model_labels", ParameterValue::Bool(taken)) => plan.model_labels = *taken,
            ("truth", ParameterValue::Text(path)) => plan.truth = file(path),
            ("weights", ParameterValue::Text(path)) => plan.weights = file(path),
            _ => plan.set(&name, value),
        }
    }
    plan
}

/// A file as seen from where the workbench was started; the engine may have been started elsewhere.
fn file(typed: &str) -> Option<PathBuf> {
    let typed = typed.trim();
    (!typed.is_empty()).then(|| std::path::absolute(typed).unwrap_or_else(|_| typed.into()))
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyCode;

    use super::*;
    use crate::workbench::keys::Key;

    fn trainer() -> Vec<ParameterCard> {
        let choice = |name: &str, words: &[&str]| ParameterCard {
            name: name.into(),
            kind: ParameterKind::Choice { options: words.iter().map(|word| (*word).into()).collect() },
            default: ParameterValue::Text(words[0].into()),
            unit: String::new(),
            help: String::new(),
        };
        let batch = ParameterCard {
            name: "batch".into(),
            kind: ParameterKind::Integer { low: 1, high: 4096 },
            default: ParameterValue::Integer(32),
            unit: String::new(),
            help: String::new(),
        };
        vec![
            choice("task", &["classify", "regions", "defects"]),
            choice("network", &["simple", "resnet", "unet"]),
            choice("balance", &["weights", "sampling"]),
            batch,
        ]
    }

    #[test]
    fn what_hangs_on_the_task_follows_it_and_what_a_person_typed_stays() {
        let mut form = PlanForm::new(&trainer());
        assert_eq!(form.plan().map(|plan| plan.model), Ok("baseline_cnn".into()));
        // To `defects`, two to the right; then a size of one's own, then back.
        form.form.key(Key::plain(KeyCode::Left));
        form.follow();
        let plan = form.plan().expect("a plan");
        assert_eq!((plan.task, plan.network(), plan.model.as_str()), (Task::Defects, "unet", "unet_defects"));
        let said = |plan: &Plan, name: &str| plan.parameters[name].to_string();
        assert_eq!((said(&plan, "batch"), said(&plan, "balance")), ("4".into(), "sampling".into()));
        assert!(form.wanted().is_some() && form.wanted().is_none(), "the dataset is asked once");
        form.form.set("size", &ParameterValue::Integer(128));
        form.form.key(Key::plain(KeyCode::Left));
        form.follow();
        let plan = form.plan().expect("a plan");
        assert_eq!((plan.task, plan.input.side, plan.input.crop), (Task::Regions, 128, Crop::Patch));
        assert_eq!((said(&plan, "batch"), said(&plan, "balance")), ("32".into(), "weights".into()));
        assert!(form.wanted().is_some());
    }
}
