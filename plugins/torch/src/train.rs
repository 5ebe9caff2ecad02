//! `train-torch`: the loop over epochs. Called in a process of its own, which may die at any instruction: what counts is
//! in the folder, and a training that goes on from there ends with the same weights.

use std::{
    collections::BTreeMap,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use ferrule_abi::{
    Attribute, Control, Descriptor, Parameters, Plugin, PluginError, Profile, Progress, Slot, TrainEvent, TrainReport,
    TrainRequest, Trainer, Value,
};
use ferrule_vision::augment::{Reach, chance::seed_of};
use tch::{Cuda, Device, Kind, Tensor};

use crate::{
    calibration::Calibration,
    card::{self, Card, Levels, Task},
    checkpoint::{self, State},
    device,
    fault::Fault,
    judge::{Judged, judge},
    loader::{Batch, Epoch, Loader},
    loss::Loss,
    metrics::{Scored, threshold_for},
    networks::{self, Channels, Net},
    optimizer::Optimizer,
    order, pickle,
    samples::{Sample, Samples},
    schedule::Schedule,
    settings::{Balance, Settings, specs},
    tensors::{Tensors, write_whole},
};

/// Batches between two looks at the losses on a GPU: each look makes it wait.
const LOOK: usize = 8;
const PAUSE: Duration = Duration::from_millis(200);

/// The plug-in.
pub struct TrainTorch {
    settings: Settings,
    told: String,
}

impl Plugin for TrainTorch {
    fn descriptor() -> Descriptor {
        let summary = "trains simple, resnet or unet networks on libtorch";
        let mut descriptor =
            Descriptor::new("train-torch", env!("CARGO_PKG_VERSION"), Slot::Train, summary).with_parameters(specs());
        descriptor.profile = Profile::Wide;
        descriptor
    }

    fn create(parameters: &Parameters) -> Result<Self, PluginError> {
        let told = parameters.as_slice().iter().map(|it| format!("{}={:?};", it.name, it.value)).collect();
        Ok(Self { settings: Settings::of(parameters)?, told })
    }
}

impl Trainer for TrainTorch {
    fn train(&mut self, request: &TrainRequest<'_>, progress: Progress) -> Result<TrainReport, PluginError> {
        let folder = PathBuf::from(std::ffi::OsStr::from_bytes(request.folder.as_slice()));
        let resume =
            request.resume.into_option().map(|path| PathBuf::from(std::ffi::OsStr::from_bytes(path.as_slice())));
        let samples = Samples::of(request, self.settings.task).map_err(PluginError::from)?;
        let fingerprint = fingerprint(&self.told, &samples);
        let mut run = Run::new(self.settings, samples, folder, progress)?;
        run.state.fingerprint = fingerprint;
        if let Some(path) = resume {
            let (weights, optimizer) = (&mut run.net.weights, &mut run.optimizer);
            run.state =
                checkpoint::load(&path, weights, optimizer, &run.state.fingerprint).map_err(PluginError::from)?;
        }
        run.finish().map_err(|fault| advice(fault, &self.settings).into())
    }
}

/// Settings and samples in one number: a checkpoint of others is not gone on from.
fn fingerprint(told: &str, samples: &Samples) -> String {
    let mut sum = 0;
    let mut add = |bytes: &[u8]| {
        bytes.chunks(8).for_each(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            sum = seed_of(&[sum, u64::from_le_bytes(word)]);
        })
    };
    // Where it is done is no part of what is done.
    told.split(';')
        .filter(|it| !["device=", "threads=", "loaders="].iter().any(|name| it.starts_with(name)))
        .for_each(|it| add(it.as_bytes()));
    samples.classes.iter().for_each(|class| add(class.as_bytes()));
    for (split, list) in [(1, &samples.train), (2, &samples.val), (3, &samples.test)] {
        for sample in list {
            add(sample.image.as_bytes());
            add(&[split, sample.class as u8]);
        }
    }
    format!("{sum:016x}")
}

fn advice(fault: Fault, settings: &Settings) -> Fault {
    if fault.is_memory() {
        let smaller = (settings.batch / 2).max(1);
        return Fault::new(format!(
            "out of memory at {} pictures a batch: try `--batch {smaller}`, a smaller `--size` or `--set width=…`, or \
             `--set precision=bf16` on a GPU",
            settings.batch
        ));
    }
    fault
}

/// A training under way.
struct Run {
    settings: Settings,
    samples: Samples,
    folder: PathBuf,
    progress: Progress,
    device: Device,
    half: bool,
    loaders: usize,
    width: i64,
    net: Net,
    optimizer: Optimizer,
    loss: Loss,
    schedule: Schedule,
    state: State,
}

/// How an epoch's training ended.
enum Ended {
    Whole { loss: f64, rate: f64, seconds: f64, paused: f64, pictures: usize, stop: bool },
    Now,
}

impl Run {
    fn new(settings: Settings, samples: Samples, folder: PathBuf, progress: Progress) -> Result<Self, Fault> {
        let mut settings = settings;
        settings.reach.relief = samples.input.levels != Levels::Raw;
        let device = device::choose(settings.place)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if settings.threads == 0 { cores } else { settings.threads };
        tch::set_num_threads(threads as i32);
        let loaders = if settings.loaders == 0 { cores.clamp(1, 12) } else { settings.loaders };
        tch::manual_seed(settings.seed as i64);
        if let Device::Cuda(_) = device {
            Cuda::cudnn_set_benchmark(true);
        }
        let width = if settings.width == 0 { Net::own_width(settings.network) } else { settings.width };
        let classes = samples.classes.len();
        let shape = Channels { picture: samples.input.levels.channels(), width, classes: classes as i64 };
        let mut net = Net::build(settings.network, settings.task, shape, device)?;
        if let Some(path) = &samples.weights {
            net.weights.take(&Tensors::read(Path::new(path))?, path)?;
        }
        let optimizer = Optimizer::new(&net.weights, settings.rule, settings.weight_decay, settings.clip)?;
        let loss = Loss::new(settings.task, &samples.counts, settings.balance == Balance::Weights, device)?;
        let batches = samples.train.len().div_ceil(settings.batch) as u64;
        let schedule = Schedule {
            shape: settings.schedule,
            rate: settings.rate,
            steps: batches * u64::from(settings.epochs),
            warmup: (settings.warmup * batches as f64) as u64,
        };
        let half = settings.half && device != Device::Cpu;
        let state = State { best_score: -1.0, ..State::default() };
        Ok(Self {
            settings,
            samples,
            folder,
            progress,
            device,
            half,
            loaders,
            width,
            net,
            optimizer,
            loss,
            schedule,
            state,
        })
    }

    fn finish(&mut self) -> Result<TrainReport, Fault> {
        let place = match self.device {
            Device::Cuda(_) => "cuda",
            _ => "cpu",
        };
        let of = |split: &[Sample]| Value::Integer(split.len() as i64);
        self.tell(
            "started",
            0,
            vec![
                ("device", Value::Text(place.into())),
                ("weights", Value::Integer(self.net.weights.count() as i64)),
                ("train", of(&self.samples.train)),
                ("val", of(&self.samples.val)),
                ("test", of(&self.samples.test)),
                ("epochs", Value::Integer(self.settings.epochs.into())),
                ("resumed", Value::Integer(self.state.epoch.into())),
            ],
        );
        let mut outcome = "finished";
        while self.state.epoch < self.settings.epochs {
            let epoch = self.state.epoch + 1;
            let Ended::Whole { loss, rate, seconds, paused, pictures, stop } = self.learn(epoch)? else {
                return Ok(self.report("stopped", BTreeMap::new()));
            };
            let judged = self.judge_split(|samples| &samples.val)?;
            let better = judged.score() > self.state.best_score;
            if better {
                (self.state.best_score, self.state.best_epoch) = (judged.score(), epoch);
                self.save_best(Calibration::default(), 0.5)?;
            }
            (self.state.epoch, self.state.steps) = (epoch, self.optimizer.steps);
            checkpoint::save(&self.folder, &self.net.weights, &self.optimizer, &self.state)?;
            let mut values = figures(&judged, &self.samples.classes, "val_");
            let more = [
                ("train_loss", loss),
                ("learning_rate", rate),
                ("seconds", seconds),
                ("images_per_second", pictures as f64 / seconds.max(1e-9)),
            ];
            values.extend(more.into_iter().map(|(name, value)| (name.to_owned(), Value::Real(value))));
            let memory =
                [("memory", device::memory()), ("gpu_memory", (place == "cuda").then(device::gpu_memory).flatten())];
            values.extend(
                memory.into_iter().filter_map(|(name, bytes)| Some((name.to_owned(), Value::Integer(bytes? as i64)))),
            );
            values.extend((paused > 0.0).then(|| ("paused_seconds".to_owned(), Value::Real(paused))));
            values.push(("best".into(), Value::Bool(better)));
            let control = self.event("epoch", epoch, (0, 0), values, "");
            if stop || matches!(control, Control::StopAfterEpoch | Control::StopNow) {
                outcome = "stopped";
                break;
            }
            let since = epoch - self.state.best_epoch;
            if self.settings.patience > 0 && since >= self.settings.patience {
                outcome = "early";
                break;
            }
        }
        self.conclude(outcome)
    }

    /// One epoch over the training split.
    fn learn(&mut self, epoch: u32) -> Result<Ended, Fault> {
        let start = Instant::now();
        let classes: Vec<usize> = self.samples.train.iter().map(|sample| sample.class).collect();
        let balanced = self.settings.balance == Balance::Sampling;
        let order = order::of_epoch(&classes, balanced, self.settings.seed, epoch);
        let order = order.into_iter().map(|place| (place, self.samples.train[place].item)).collect();
        let seed = seed_of(&[self.settings.seed, epoch.into()]);
        let part = if self.settings.task == Task::Defects { self.settings.part } else { 0 };
        let ahead = Epoch { order, batch: self.settings.batch, reach: self.settings.reach, part, seed };
        let loader = self.loader(&ahead)?;
        let batches = loader.batches();
        let (mut sum, mut seen, mut rate, mut stop) = (0.0, 0, 0.0, false);
        let mut waiting: Vec<(Tensor, Vec<usize>)> = Vec::new();
        let mut paused = Duration::ZERO;
        let look = if self.device == Device::Cpu { 1 } else { LOOK };
        for (number, batch) in loader.enumerate() {
            rate = self.schedule.at(self.optimizer.steps);
            let x = networks::input(&batch.pictures, batch.side, batch.channels as i64, self.device, self.half)?;
            let target = self.target(&batch)?;
            let loss = self.loss.of(&self.net.forward(&x, true)?, &target)?;
            self.optimizer.step(&loss, rate)?;
            waiting.push((loss.detach(), batch.samples));
            if waiting.len() >= look || number + 1 == batches {
                for (loss, members) in waiting.drain(..) {
                    let value = loss.f_double_value(&[])?;
                    if !value.is_finite() {
                        return Err(self.not_a_number(epoch, number + 1, &members));
                    }
                    sum += value * members.len() as f64;
                    seen += members.len();
                }
                let speed = seen as f64 / start.elapsed().saturating_sub(paused).as_secs_f64().max(1e-9);
                let values =
                    [("loss", sum / seen.max(1) as f64), ("learning_rate", rate), ("images_per_second", speed)];
                let at = (number + 1, batches);
                let values = values.map(|(name, value)| (name.to_owned(), Value::Real(value)));
                match self.event("batch", epoch, at, values.to_vec(), "") {
                    Control::Continue => {}
                    Control::StopAfterEpoch => stop = true,
                    Control::StopNow => return Ok(Ended::Now),
                    Control::Pause => {
                        let began = Instant::now();
                        match self.wait(epoch, at, &values) {
                            Control::StopNow => return Ok(Ended::Now),
                            Control::StopAfterEpoch => stop = true,
                            _ => {}
                        }
                        paused += began.elapsed();
                    }
                }
            }
        }
        let seconds = start.elapsed().saturating_sub(paused).as_secs_f64();
        let (loss, paused) = (sum / seen.max(1) as f64, paused.as_secs_f64());
        Ok(Ended::Whole { loss, rate, seconds, paused, pictures: seen, stop })
    }

    /// Until the host wants something else than waiting. Says where it waits, for those who look only then.
    fn wait(&self, epoch: u32, at: (usize, usize), values: &[(String, Value)]) -> Control {
        loop {
            let control = self.event("paused", epoch, at, values.to_vec(), "");
            if control != Control::Pause {
                return control;
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn not_a_number(&self, epoch: u32, batch: usize, members: &[usize]) -> Fault {
        let images: Vec<&str> = members.iter().take(4).map(|place| self.samples.train[*place].image.as_str()).collect();
        let more = members.len().saturating_sub(images.len());
        Fault::new(format!(
            "the loss is no number any more in epoch {epoch}, about batch {batch} (images {}{}): try a lower `--lr` or \
             `--set clip=1`; the checkpoint of epoch {} is kept",
            images.join(", "),
            if more > 0 { format!(" and {more} more") } else { String::new() },
            self.state.epoch
        ))
    }

    fn target(&self, batch: &Batch) -> Result<Tensor, Fault> {
        if self.settings.task == Task::Defects {
            let (count, side) = (batch.samples.len() as i64, batch.side as i64);
            let bytes = Tensor::f_from_data_size(&batch.classes, &[count, side, side], Kind::Uint8)?;
            return Ok(bytes.f_to_device(self.device)?.f_to_kind(Kind::Int64)?);
        }
        let classes: Vec<i64> = batch.samples.iter().map(|place| self.samples.train[*place].class as i64).collect();
        Ok(Tensor::f_from_slice(&classes)?.f_to_device(self.device)?)
    }

    fn loader(&self, epoch: &Epoch) -> Result<Loader, Fault> {
        Loader::start(&self.samples.feed, epoch, self.loaders)
            .map_err(|error| Fault::new(format!("no thread to load pictures: {error}")))
    }

    fn judge_split(&self, split: impl Fn(&Samples) -> &[Sample]) -> Result<Judged, Fault> {
        let samples = split(&self.samples);
        let order = samples.iter().enumerate().map(|(place, sample)| (place, sample.item)).collect();
        let epoch = Epoch { order, batch: self.settings.batch, reach: Reach::NONE, part: 0, seed: 0 };
        let (classes, side) = (self.samples.classes.len(), self.samples.shape.side);
        judge(&self.net, self.settings.task, classes, samples, side, self.loader(&epoch)?, (self.device, self.half))
    }

    fn save_best(&self, calibration: Calibration, threshold: f64) -> Result<(), Fault> {
        let card = Card { calibration, threshold, ..self.samples.card(&self.settings, self.width) };
        let tensors = self.net.weights.numbers()?;
        let pt = pickle::state_dict("best", &tensors);
        let file = Tensors { tensors, words: [(card::WORD.to_owned(), card.to_json())].into() };
        file.write(&self.folder.join(checkpoint::BEST)).map_err(|error| checkpoint::no_disk(&error))?;
        write_whole(&self.folder.join(checkpoint::BEST_PT), &pt).map_err(|error| checkpoint::no_disk(&error))
    }

    /// The best weights once more: scores and their threshold from the validation split, then the test split, once.
    fn conclude(&mut self, outcome: &str) -> Result<TrainReport, Fault> {
        let path = self.folder.join(checkpoint::BEST);
        self.net.weights.take(&Tensors::read(&path)?, &path.display().to_string())?;
        let val = self.judge_split(|samples| &samples.val)?;
        let calibration = Calibration::fit(&val.scored).unwrap_or_default();
        let scored: Vec<Scored> = val.scored.iter().map(|(odds, defect)| (calibration.score(*odds), *defect)).collect();
        let threshold = threshold_for(&scored, self.settings.false_alarms).unwrap_or(0.5);
        self.save_best(calibration, threshold)?;
        let mut all: BTreeMap<String, f64> = BTreeMap::new();
        let mut keep = |prefix: &str, judged: &Judged, classes: &[String]| {
            all.extend(judged.figures(classes).into_iter().map(|(name, value)| (format!("{prefix}{name}"), value)));
        };
        keep("val_", &val, &self.samples.classes);
        if !self.samples.test.is_empty() {
            let test = self.judge_split(|samples| &samples.test)?;
            keep("test_", &test, &self.samples.classes);
            let values = figures(&test, &self.samples.classes, "test_");
            let _ = self.event("test", self.state.epoch, (0, 0), values, "");
        }
        let chosen = [("slope", calibration.slope), ("offset", calibration.offset)];
        all.extend(chosen.map(|(name, value)| (format!("calibration_{name}"), value)));
        all.insert("threshold".into(), threshold);
        Ok(self.report(outcome, all))
    }

    fn report(&self, outcome: &str, figures: BTreeMap<String, f64>) -> TrainReport {
        let counted = [("epochs", self.state.epoch), ("best_epoch", self.state.best_epoch)];
        let whole = counted.into_iter().map(|(name, value)| (name.to_owned(), Value::Integer(value.into())));
        let real = figures.into_iter().map(|(name, value)| (name, Value::Real(value)));
        TrainReport { outcome: outcome.into(), values: attributes(whole.chain(real)), weights: Vec::new().into() }
    }

    fn tell(&self, name: &str, epoch: u32, values: Vec<(&str, Value)>) {
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let _ = self.event(name, epoch, (0, 0), values, "");
    }

    fn event(
        &self,
        name: &str,
        epoch: u32,
        (batch, batches): (usize, usize),
        values: Vec<(String, Value)>,
        message: &str,
    ) -> Control {
        self.progress.report(&TrainEvent {
            name: name.into(),
            epoch,
            batch: batch as u32,
            batches: batches as u32,
            values: attributes(values),
            message: message.into(),
        })
    }
}

fn attributes(values: impl IntoIterator<Item = (String, Value)>) -> ferrule_abi::RVec<Attribute> {
    values.into_iter().map(|(name, value)| Attribute { name: name.into(), value }).collect()
}

/// Figures, the confusion matrix and the worst samples, as an event carries them.
fn figures(judged: &Judged, classes: &[String], prefix: &str) -> Vec<(String, Value)> {
    let figures = judged.figures(classes).into_iter();
    let mut values: Vec<(String, Value)> =
        figures.map(|(name, value)| (format!("{prefix}{name}"), Value::Real(value))).collect();
    let json = |value: serde_json::Result<String>| Value::Text(value.unwrap_or_default().into());
    values.push((format!("{prefix}confusion"), json(serde_json::to_string(&judged.confusion.rows()))));
    values.push((format!("{prefix}worst"), json(serde_json::to_string(&judged.worst))));
    values
}
