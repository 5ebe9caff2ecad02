//! A training as a person or a script sees it: a line an epoch and a progress bar, or one JSON object an event.

use ferrule_core::{names, protocol::TrainingEvent};

use crate::{
    failure::Failure,
    output::{Output, remark},
    progress::Progress,
};

/// What a person sees of it.
pub struct Shown {
    json: bool,
    output: Output,
    progress: Option<Progress>,
    epochs: u32,
}

impl Shown {
    /// Nothing shown yet.
    pub fn new(json: bool) -> Self {
        Self { json, output: Output::new(), progress: None, epochs: 0 }
    }

    /// Shows one event; the end of the command with the run's.
    pub fn event(&mut self, event: &TrainingEvent) -> Result<Option<Result<(), Failure>>, Failure> {
        if self.json {
            self.output.object(event)?;
            self.output.flush()?;
        } else {
            self.show(event)?;
        }
        let Some(ended) = &event.ended else { return Ok(None) };
        if let Some(progress) = self.progress.take() {
            progress.end();
        }
        if ended.state == "failed" {
            let message = ended.message.clone().unwrap_or_else(|| "the training failed".into());
            return Ok(Some(Err(Failure::failed(message))));
        }
        Ok(Some(Ok(())))
    }

    fn show(&mut self, event: &TrainingEvent) -> Result<(), Failure> {
        match event.name.as_str() {
            "started" => {
                self.epochs = event.number("epochs").unwrap_or(0.0) as u32;
                let number = |name: &str| event.number(name).unwrap_or(0.0);
                let device = event.values.get("device").and_then(|it| it.as_str()).unwrap_or("cpu").to_owned();
                let line = format!(
                    "run {}: {} weights on {device}; {} train, {} val, {} test",
                    event.run,
                    number("weights"),
                    number("train"),
                    number("val"),
                    number("test")
                );
                self.line(&line)?;
                if number("resumed") > 0.0 {
                    self.line(&format!("resumed after epoch {}", number("resumed")))?;
                }
            }
            "feed" => self.step("pictures", event.batch.into(), event.batches.into()),
            "batch" => {
                let (epoch, batches) = (u64::from(event.epoch), u64::from(event.batches));
                let done = (epoch - 1) * batches + u64::from(event.batch);
                self.step("batches", done, batches * u64::from(self.epochs.max(event.epoch)));
            }
            "epoch" => self.line(&epoch_line(event, self.epochs))?,
            "test" => self.line(&format!("test  {}", figures(event, "test_")))?,
            "warning" => self.say(&event.message),
            "ended" => {
                if let Some(ended) = event.ended.as_ref().filter(|ended| ended.state != "failed") {
                    let best = ended.best_epoch.map_or_else(String::new, |epoch| format!(", best epoch {epoch}"));
                    self.line(&format!("{}{best}", ended.state))?;
                    if let Some(model) = &ended.model {
                        self.line(&format!("model {}", names::display(model)))?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn step(&mut self, what: &'static str, done: u64, all: u64) {
        let progress = self.progress.get_or_insert_with(|| Progress::new(what, all));
        progress.set_of(done, all);
    }

    fn line(&mut self, line: &str) -> Result<(), Failure> {
        // The bar and the lines share a terminal.
        if let Some(progress) = self.progress.take() {
            progress.end();
        }
        self.output.line(line)?;
        self.output.flush()
    }

    /// Beside the results.
    pub fn say(&mut self, line: &str) {
        if let Some(progress) = self.progress.take() {
            progress.end();
        }
        remark(line);
    }
}

fn epoch_line(event: &TrainingEvent, epochs: u32) -> String {
    let number = |name: &str| event.number(name).unwrap_or(f64::NAN);
    let best = if event.values.get("best").is_some_and(|best| best == true) { " *" } else { "" };
    format!(
        "epoch {:>3}/{epochs}  train loss {:.4}  {}  {:.0} images/s  {:.1} s{best}",
        event.epoch,
        number("train_loss"),
        figures(event, "val_"),
        number("images_per_second"),
        number("seconds"),
    )
}

/// The figures that say most, those that there are.
fn figures(event: &TrainingEvent, prefix: &str) -> String {
    let told = ["loss", "accuracy", "f1", "auc", "dice"].into_iter().filter_map(|name| {
        let value = event.number(&format!("{prefix}{name}"))?;
        Some(format!("{name} {value:.4}"))
    });
    told.collect::<Vec<_>>().join("  ")
}
