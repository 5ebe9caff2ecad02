//! Trainings of the tests' own making: three runs with their epochs, and a trainer with a few settings.

use std::{collections::BTreeMap, path::Path};

use ferrule_core::{
    host::card::{ParameterCard, ParameterKind},
    protocol::{Trainer, TrainingEvent},
    training::{Chosen, Plan, Task},
    worker::messages::ParameterValue,
};
use image::{GrayImage, Luma};
use jiff::Timestamp;
use serde_json::{Map, json};

use crate::workbench::{
    picture::CellPicture,
    runs::{Epoch, Run, Runs, Summary, Worst, WorstKey},
};

pub const RUNNING: &str = "20260921-153000-simple";
pub const FINISHED: &str = "20260921-140000-unet";
pub const FAILED: &str = "20260920-090000-simple";

/// Three runs; the newest is being trained.
pub struct SampleRuns {
    /// Epochs that the running one has.
    pub epochs: u32,
}

pub fn run(name: &str, task: Task, state: &str) -> Run {
    let mut plan = Plan::new(task);
    plan.set("epochs", ParameterValue::Integer(20));
    plan.set("rate", ParameterValue::Real(if task == Task::Defects { 5e-4 } else { 1e-3 }));
    let count = |split: &str, class: &str, count| Chosen { split: split.into(), class: class.into(), count };
    Run {
        name: name.into(),
        task: task.as_str().into(),
        network: plan.network().into(),
        state: state.into(),
        started: Timestamp::from_second(1_790_000_000).ok(),
        best_epoch: None,
        best: BTreeMap::new(),
        message: None,
        notes: String::new(),
        tags: String::new(),
        plan: Some(plan),
        feed: Some("/runs/.feeds/sample.feed".into()),
        samples: vec![count("train", "clean", 60), count("train", "defect", 40), count("val", "clean", 15)],
        classes: vec!["clean".into(), "defect".into()],
        model: None,
    }
}

impl Runs for SampleRuns {
    fn list(&mut self) -> Result<Vec<Run>, String> {
        let best = BTreeMap::from([("val_dice".to_owned(), 0.8123)]);
        let classes = ["background", "pit", "scratch"].map(str::to_owned).to_vec();
        Ok(vec![
            run(RUNNING, Task::Classify, "running"),
            Run {
                best_epoch: Some(14),
                best,
                model: Some("unet_defects".into()),
                notes: "half the learning rate".into(),
                tags: "baseline".into(),
                classes,
                ..run(FINISHED, Task::Defects, "finished")
            },
            Run {
                message: Some("out of memory at 32 pictures a batch: try `--batch 16`".into()),
                ..run(FAILED, Task::Classify, "failed")
            },
        ])
    }

    fn epochs(&mut self, run: &str, after: u32) -> Result<Vec<Epoch>, String> {
        let last = match run {
            RUNNING => self.epochs,
            FINISHED => 20,
            _ => 0,
        };
        Ok((after + 1..=last).map(|number| epoch(number, run == FINISHED)).collect())
    }

    fn summary(&mut self, plan: &Plan) -> Result<Summary, String> {
        if plan.task == Task::Defects {
            return Err("every picture is clean: there is nothing to tell apart".into());
        }
        let runs = self.list()?;
        Ok(Summary { counts: runs[0].samples.clone(), left_out: vec![("without a label".into(), 3)] })
    }

    fn worst(&mut self, key: &WorstKey, _: &Path, items: &[usize]) -> Vec<Option<CellPicture>> {
        let rows = u32::from(key.room.height.min(key.room.width / 2));
        let ring = |x: u32, y: u32| {
            let middle = f64::from(rows);
            let radius = (f64::from(x) - middle).hypot(f64::from(y) - middle);
            Luma([if radius < middle * 0.7 { 200 } else { 60 }])
        };
        let gray = GrayImage::from_fn(rows * 2, rows * 2, ring);
        let picture = CellPicture::halfblocks(&image::DynamicImage::ImageLuma8(gray).to_rgb8(), key.colours);
        items.iter().map(|item| (item % 5 != 4).then(|| picture.clone())).collect()
    }
}

/// Better with every epoch until the 14th.
fn epoch(number: u32, masks: bool) -> Epoch {
    let distance = f64::from(number.abs_diff(14)) / 14.0;
    let mut figures = BTreeMap::from([
        ("train_loss".to_owned(), 0.7 / f64::from(number)),
        ("val_loss".to_owned(), 0.2 + 0.4 * distance),
        ("val_auc".to_owned(), 0.99 - 0.3 * distance),
        ("val_f1".to_owned(), 0.95 - 0.4 * distance),
        ("learning_rate".to_owned(), 1e-3),
        ("best".to_owned(), f64::from(u8::from(number <= 14))),
    ]);
    if masks {
        figures.insert("val_dice".to_owned(), 0.8123 - 0.5 * distance);
    }
    let confusion = if masks {
        vec![vec![1_900_000, 120, 80], vec![200, 900, 10], vec![340, 15, 1_250]]
    } else {
        vec![vec![14, 1], vec![2, 8]]
    };
    let worst = (0..7).map(|item| Worst {
        image: format!("{item:016x}"),
        item,
        class: item % 2,
        said: usize::from(item < 3),
        score: 0.7,
        loss: 2.5 - 0.3 * item as f64,
    });
    let at = Timestamp::from_second(1_790_000_000 + i64::from(number) * 12).ok();
    Epoch { epoch: number, at, seconds: 10.0, figures, confusion, worst: worst.collect() }
}

/// What the engine says of the trainer.
pub fn trainer() -> Trainer {
    let card = |name: &str, kind, default, help: &str| ParameterCard {
        name: name.into(),
        kind,
        default,
        unit: String::new(),
        help: help.into(),
    };
    let words = |words: &[&str]| ParameterKind::Choice { options: words.iter().map(|word| (*word).into()).collect() };
    let text = |text: &str| ParameterValue::Text(text.into());
    let whole = |low, high| ParameterKind::Integer { low, high };
    Trainer {
        parameters: vec![
            card("task", words(&["classify", "regions", "defects"]), text("classify"), "what is learned"),
            card("network", words(&["simple", "resnet", "unet"]), text("simple"), "which network learns it"),
            card("epochs", whole(1, 10_000), ParameterValue::Integer(20), "times that every picture is seen"),
            card("batch", whole(1, 4096), ParameterValue::Integer(32), "pictures a step"),
            card(
                "rate",
                ParameterKind::Real { low: 1e-8, high: 10.0 },
                ParameterValue::Real(1e-3),
                "highest learning rate",
            ),
            card("optimizer", words(&["adam", "adamw", "sgd"]), text("adam"), "rule that moves the weights"),
            card("seed", whole(0, i64::MAX), ParameterValue::Integer(0), "the same seed gives the same weights"),
            card("flip", ParameterKind::Bool, ParameterValue::Bool(true), "mirror pictures half of the time"),
        ],
        problem: None,
    }
}

/// A step of the running training.
pub fn step(name: &str, epoch: u32, batch: u32, values: serde_json::Value) -> Box<TrainingEvent> {
    let values: Map<String, serde_json::Value> = values.as_object().cloned().unwrap_or_default();
    Box::new(TrainingEvent {
        run: RUNNING.into(),
        name: name.into(),
        epoch,
        batch,
        batches: 40,
        values,
        ..TrainingEvent::default()
    })
}

/// Its beginning.
pub fn started() -> Box<TrainingEvent> {
    let values = json!({"epochs": 20, "train": 100, "val": 25, "weights": 23_426, "device": "cpu", "resumed": 0});
    step("started", 0, 0, values)
}

/// A batch in the middle of epoch 7.
pub fn batch() -> Box<TrainingEvent> {
    step("batch", 7, 10, json!({"loss": 0.4312, "learning_rate": 9.8e-4, "images_per_second": 123.0}))
}
