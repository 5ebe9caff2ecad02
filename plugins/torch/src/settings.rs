//! The settings of a training: the trainer's parameters, so that forms, checks and help are made from this one list.

use ferrule_abi::{ParameterSpec, Parameters, PluginError};
use ferrule_vision::augment::Reach;

use crate::{
    card::{Network, Task},
    schedule::Shape,
};

/// Which rule moves the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    Adam,
    AdamW,
    Sgd,
}

/// How classes of different size are made to count alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    None,
    /// In the loss.
    Weights,
    /// In what an epoch sees.
    Sampling,
}

/// Where the arithmetic is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Auto,
    Cpu,
    Cuda,
}

/// Everything that a person can set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    pub task: Task,
    pub network: Network,
    /// Channels of the first layer; 0 for the network's own.
    pub width: i64,
    pub epochs: u32,
    pub batch: usize,
    pub rate: f64,
    pub rule: Rule,
    pub schedule: Shape,
    /// Epochs over which the rate grows.
    pub warmup: f64,
    pub weight_decay: f64,
    /// Largest norm of all gradients; 0 for any.
    pub clip: f64,
    /// Epochs without a better validation before it ends; 0 for never.
    pub patience: u32,
    pub seed: u64,
    pub balance: Balance,
    pub half: bool,
    pub reach: Reach,
    /// Pixels a side of the part of a square that a step learns pixels from; 0 for all of it.
    pub part: usize,
    pub place: Place,
    /// Threads of the arithmetic; 0 for all cores.
    pub threads: usize,
    /// Threads that vary pictures; 0 for as many as make sense.
    pub loaders: usize,
    pub false_alarms: f64,
}

/// All parameters, in the order of a form.
#[must_use]
pub fn specs() -> Vec<ParameterSpec> {
    let (choice, integer, real) = (ParameterSpec::choice, ParameterSpec::integer, ParameterSpec::real);
    vec![
        choice("task", "classify", &Task::WORDS, "what is learned: pictures, patches of zones, or pixels of defects"),
        choice("network", "simple", &Network::WORDS, "which network learns it"),
        integer("width", 0, 0, 256, "", "channels of the first layer; 0 for the network's own"),
        integer("epochs", 20, 1, 10_000, "", "times that every picture is seen"),
        integer("batch", 32, 1, 4096, "", "pictures a step"),
        real("rate", 1e-3, 1e-8, 10.0, "", "highest learning rate"),
        choice("optimizer", "adam", &["adam", "adamw", "sgd"], "rule that moves the weights; sgd has momentum 0.9"),
        choice("schedule", "cosine", &["constant", "cosine", "step", "onecycle"], "how the learning rate falls"),
        real("warmup", 1.0, 0.0, 1000.0, "epochs", "how long the learning rate grows first"),
        real("weight_decay", 0.0, 0.0, 1.0, "", "pull of the weights towards nothing"),
        real("clip", 0.0, 0.0, 1e6, "", "largest norm of the gradients; 0 for any"),
        integer("patience", 0, 0, 10_000, "epochs", "without a better validation before it ends; 0 for never"),
        integer(
            "part",
            0,
            0,
            4096,
            "px",
            "side of the part of a picture that a step sees, as good as always around a defect; 0 for all of it; for the task `defects`",
        ),
        integer("seed", 0, 0, i64::MAX, "", "the same seed on the same machine gives the same weights"),
        choice(
            "balance",
            "weights",
            &["none", "weights", "sampling"],
            "how rare classes are made to count like others",
        ),
        choice("precision", "full", &["full", "bf16"], "bf16 halves memory and doubles speed on a GPU"),
        choice("device", "auto", &["auto", "cpu", "cuda"], "auto takes a GPU where there is one"),
        integer("threads", 0, 0, 1024, "", "of the arithmetic; 0 for one a core"),
        integer("loaders", 0, 0, 256, "", "threads that vary pictures; 0 for as many as make sense"),
        real(
            "false_alarms",
            0.02,
            0.0,
            1.0,
            "ratio",
            "of clean pictures, at the threshold chosen on the validation split",
        ),
        ParameterSpec::bool("flip", true, "mirror pictures half of the time"),
        real("turn", 180.0, 0.0, 180.0, "deg", "largest turn"),
        choice(
            "turns",
            "quarters",
            &["quarters", "any"],
            "by quarters corners stay what they are; any needs a picture round about",
        ),
        real("zoom", 0.05, 0.0, 0.5, "ratio", "largest change of size"),
        real("shift", 0.03, 0.0, 0.5, "ratio", "largest shift, of the side"),
        real("elastic", 0.0, 0.0, 50.0, "px", "largest displacement of an elastic sheet"),
        real("brightness", 0.08, 0.0, 1.0, "ratio", "largest change of brightness"),
        real("contrast", 0.15, 0.0, 1.0, "ratio", "largest change of contrast"),
        real("gamma", 0.15, 0.0, 2.0, "", "largest change of gamma, as a power of e"),
        real("blur", 0.0, 0.0, 10.0, "px", "largest standard deviation of blur"),
        real("noise", 0.0, 0.0, 60.0, "gray", "largest standard deviation of noise"),
    ]
}

impl Settings {
    /// # Errors
    /// A combination that makes no sense, with what does.
    pub fn of(given: &Parameters) -> Result<Self, PluginError> {
        let number = |name: &str| given.real(name);
        let whole = |name: &str| given.integer(name);
        let settings = Self {
            task: Task::of(given.text("task")?)?,
            network: Network::of(given.text("network")?)?,
            width: whole("width")?,
            epochs: whole("epochs")? as u32,
            batch: whole("batch")? as usize,
            rate: number("rate")?,
            rule: match given.text("optimizer")? {
                "adamw" => Rule::AdamW,
                "sgd" => Rule::Sgd,
                _ => Rule::Adam,
            },
            schedule: match given.text("schedule")? {
                "constant" => Shape::Constant,
                "step" => Shape::Step,
                "onecycle" => Shape::OneCycle,
                _ => Shape::Cosine,
            },
            warmup: number("warmup")?,
            weight_decay: number("weight_decay")?,
            clip: number("clip")?,
            patience: whole("patience")? as u32,
            part: whole("part")? as usize,
            seed: whole("seed")? as u64,
            balance: match given.text("balance")? {
                "none" => Balance::None,
                "sampling" => Balance::Sampling,
                _ => Balance::Weights,
            },
            half: given.text("precision")? == "bf16",
            place: match given.text("device")? {
                "cpu" => Place::Cpu,
                "cuda" => Place::Cuda,
                _ => Place::Auto,
            },
            threads: whole("threads")? as usize,
            loaders: whole("loaders")? as usize,
            false_alarms: number("false_alarms")?,
            reach: Reach {
                flip: given.bool("flip")?,
                turn_deg: number("turn")?,
                quarters: given.text("turns")? == "quarters",
                zoom: number("zoom")?,
                shift: number("shift")?,
                elastic_px: number("elastic")?,
                brightness: number("brightness")?,
                contrast: number("contrast")?,
                gamma: number("gamma")?,
                blur_px: number("blur")?,
                noise: number("noise")?,
                // What is shown is known with the samples.
                relief: false,
            },
        };
        settings.network.fits(settings.task)?;
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use ferrule_abi::{Descriptor, Parameter, Slot, Value};

    use super::*;

    fn of(given: &[(&str, &str)]) -> Result<Settings, PluginError> {
        let descriptor = Descriptor::new("train-torch", "1.0.0", Slot::Train, "").with_parameters(specs());
        let given: Vec<Parameter> = given
            .iter()
            .map(|(name, value)| Parameter { name: (*name).into(), value: Value::Text((*value).into()) })
            .collect();
        Settings::of(&Parameters::resolve(&descriptor, &given)?)
    }

    #[test]
    fn defaults_are_the_source_designs_with_a_schedule() {
        let settings = of(&[]).unwrap();
        assert_eq!((settings.epochs, settings.batch, settings.rate), (20, 32, 1e-3));
        assert_eq!((settings.rule, settings.network, settings.task), (Rule::Adam, Network::Simple, Task::Classify));
    }

    #[test]
    fn a_network_that_cannot_learn_the_task_is_refused_with_one_that_can() {
        let error = of(&[("task", "defects")]).unwrap_err().to_string();
        assert_eq!(error, "`simple` cannot learn the task `defects`; take `resnet` or `unet`");
        assert!(of(&[("task", "defects"), ("network", "unet")]).is_ok());
        assert!(of(&[("task", "regions"), ("network", "unet")]).is_err());
    }
}
