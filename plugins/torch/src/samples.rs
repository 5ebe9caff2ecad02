//! What is learned from: the request's samples by split, with their places in the feed and their classes.

use std::{fs::File, sync::Arc};

use ferrule_abi::{TrainRequest, Value};
use ferrule_vision::feed::{Feed, Shape};
use memmap2::Mmap;

use crate::{
    calibration::Calibration,
    card::{Card, Input, Task},
    fault::Fault,
};

/// One of them.
#[derive(Debug, Clone)]
pub struct Sample {
    pub image: String,
    /// Place in the feed.
    pub item: usize,
    /// Of the picture or patch; for pixels 1 where there is any defect.
    pub class: usize,
}

/// All of them, and the feed.
#[derive(Debug)]
pub struct Samples {
    pub feed: Arc<Mmap>,
    pub shape: Shape,
    pub classes: Vec<String>,
    pub input: Input,
    pub train: Vec<Sample>,
    pub val: Vec<Sample>,
    pub test: Vec<Sample>,
    /// Pictures, patches or pixels of each class in the training split.
    pub counts: Vec<u64>,
    /// Weights to start from instead of fresh ones, by path.
    pub weights: Option<String>,
}

impl Samples {
    /// Reads the request, maps the feed and compares its hash.
    ///
    /// # Errors
    /// What is missing: a split, a class, masks, the feed itself.
    pub fn of(request: &TrainRequest<'_>, task: Task) -> Result<Self, Fault> {
        let setting = |name: &str| {
            request.settings.iter().find(|it| it.name == name).and_then(|it| match &it.value {
                Value::Text(text) => Some(text.as_str()),
                _ => None,
            })
        };
        let needed = |name: &str| setting(name).ok_or_else(|| Fault::new(format!("the host gave no `{name}`")));
        let classes: Vec<String> =
            serde_json::from_str(needed("classes")?).map_err(|error| Fault::new(format!("classes: {error}")))?;
        let input: Input =
            serde_json::from_str(needed("input")?).map_err(|error| Fault::new(format!("input: {error}")))?;
        let path = needed("feed")?;
        let said = |reason: String| Fault::new(format!("{path}: {reason}; delete it, and it is made again"));
        let file = File::open(path).map_err(|error| said(error.to_string()))?;
        // SAFETY: the host made the file for this run and does not change it while the run lasts.
        let feed = unsafe { Mmap::map(&file) }.map_err(|error| said(error.to_string()))?;
        let shape = Feed::checked(&feed).map_err(|error| said(error.to_string()))?.shape;
        let mut samples = Self {
            feed: Arc::new(feed),
            shape,
            classes,
            input,
            train: Vec::new(),
            val: Vec::new(),
            test: Vec::new(),
            counts: Vec::new(),
            weights: setting("weights").filter(|path| !path.is_empty()).map(str::to_owned),
        };
        samples.sort(request)?;
        samples.count(task)?;
        Ok(samples)
    }

    fn sort(&mut self, request: &TrainRequest<'_>) -> Result<(), Fault> {
        for sample in request.samples.as_slice() {
            let number = |name: &str| {
                sample.labels.iter().find(|label| label.name == name).and_then(|label| match label.value {
                    Value::Integer(value) => usize::try_from(value).ok(),
                    _ => None,
                })
            };
            let (Some(item), Some(class)) = (number("item"), number("class")) else {
                return Err(Fault::new(format!("{}: a sample without `item` or `class`", sample.image_id)));
            };
            if item >= self.shape.items || class >= self.classes.len() {
                return Err(Fault::new(format!("{}: a sample that the feed has not", sample.image_id)));
            }
            let to = match sample.split.as_str() {
                "train" => &mut self.train,
                "val" => &mut self.val,
                _ => &mut self.test,
            };
            to.push(Sample { image: sample.image_id.to_string(), item, class });
        }
        Ok(())
    }

    /// Counts what there is of each class, and says no to what nothing can be learned from.
    fn count(&mut self, task: Task) -> Result<(), Fault> {
        for (split, items) in [("train", &self.train), ("val", &self.val)] {
            if items.is_empty() {
                return Err(Fault::new(format!(
                    "the split `{split}` is empty: `ferrule split --show` counts them, `ferrule build` assigns them"
                )));
            }
        }
        let mut counts = vec![0_u64; self.classes.len()];
        if task == Task::Defects {
            if self.shape.planes != 1 + self.input.levels.channels() as usize {
                return Err(Fault::new("the feed has no masks"));
            }
            let feed = Feed::of(&self.feed).map_err(|error| Fault::new(error.to_string()))?;
            for sample in &self.train {
                for class in feed.item(sample.item).classes.unwrap_or_default() {
                    if let Some(count) = counts.get_mut(usize::from(*class)) {
                        *count += 1;
                    }
                }
            }
        } else {
            self.train.iter().for_each(|sample| counts[sample.class] += 1);
        }
        let present: Vec<&str> =
            self.classes.iter().zip(&counts).filter(|(_, count)| **count > 0).map(|(name, _)| name.as_str()).collect();
        if present.len() < 2 {
            let only = present.first().copied().unwrap_or("nothing");
            return Err(Fault::new(format!(
                "the training split holds {only} alone: there is nothing to tell apart; label or simulate more pictures"
            )));
        }
        self.counts = counts;
        Ok(())
    }

    /// A card for a model of this training.
    #[must_use]
    pub fn card(&self, settings: &crate::settings::Settings, width: i64) -> Card {
        Card {
            format: crate::card::FORMAT,
            task: settings.task,
            network: settings.network,
            width,
            input: self.input.clone(),
            classes: self.classes.clone(),
            calibration: Calibration::default(),
            threshold: 0.5,
            false_alarms: settings.false_alarms,
        }
    }
}
