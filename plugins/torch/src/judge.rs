//! A network over a split: scores, and from them every figure of an epoch.

use std::collections::BTreeMap;

use ferrule_vision::components::{self, Components};
use serde::Serialize;
use tch::{Device, Kind, Tensor, no_grad};

use crate::{
    calibration::{Calibration, log_odds},
    card::Task,
    fault::Fault,
    loader::Loader,
    metrics::{Confusion, Scored, average_precision, roc_auc},
    networks::{self, Net},
    samples::Sample,
};

/// Most samples that are listed as the worst.
const WORST: usize = 12;
/// A picture's score is that of its fifth most suspicious pixel: one pixel alone is noise.
pub const PIXELS: i64 = 5;

/// What came of a split.
#[derive(Debug)]
pub struct Judged {
    pub confusion: Confusion,
    pub loss: f64,
    /// Log-odds that something is wrong with each picture; and whether it is.
    pub scored: Vec<Scored>,
    pub worst: Vec<Worst>,
    task: Task,
}

/// A sample that the network gets wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Worst {
    pub image_id: String,
    pub item: usize,
    pub class: usize,
    pub said: usize,
    pub score: f64,
    pub loss: f64,
}

/// Runs the network over all batches, without learning.
///
/// # Errors
/// libtorch's.
pub fn judge(
    net: &Net,
    task: Task,
    classes: usize,
    samples: &[Sample],
    side: usize,
    loader: Loader,
    (device, half): (Device, bool),
) -> Result<Judged, Fault> {
    let mut judged =
        Judged { confusion: Confusion::new(classes), loss: 0.0, scored: Vec::new(), worst: Vec::new(), task };
    for batch in loader {
        let scores = no_grad(|| -> Result<Tensor, Fault> {
            let x = networks::input(&batch.pictures, side, batch.channels as i64, device, half)?;
            Ok(net.forward(&x, false)?.f_softmax(1, Kind::Float)?)
        })?;
        let members: Vec<&Sample> = batch.samples.iter().map(|place| &samples[*place]).collect();
        if task == Task::Defects {
            judged.pixels(&scores, &batch.classes, &members, side)?;
        } else {
            judged.pictures(&scores, &members, classes)?;
        }
    }
    judged.loss /= samples.len().max(1) as f64;
    judged.worst.sort_by(|a, b| b.loss.total_cmp(&a.loss));
    judged.worst.truncate(WORST);
    Ok(judged)
}

/// A tensor's numbers, row after row.
///
/// # Errors
/// libtorch's.
pub fn numbers(tensor: &Tensor) -> Result<Vec<f32>, Fault> {
    Ok(Vec::<f32>::try_from(&tensor.f_to_device(Device::Cpu)?.f_contiguous()?.f_view([-1])?)?)
}

/// For each picture of (n, classes, h, w) probabilities the log-odds that something is wrong with it.
///
/// # Errors
/// libtorch's.
pub fn picture_odds(scores: &Tensor) -> Result<Vec<f64>, Fault> {
    let background = scores.f_select(1, 0)?.f_flatten(1, -1)?;
    let least = background.f_topk(PIXELS.min(background.size()[1]), 1, false, false)?.0;
    Ok(numbers(&least.f_amax([1_i64].as_slice(), false)?)?.into_iter().map(log_odds).collect())
}

/// The class of each pixel of a square: a defect where that is likelier than none, and each piece of one kind, as
/// `detect-torch` names it (whose outlines go by the threshold that is chosen later). `scores` is a plane for each class.
fn kinds_said(scores: &[f32], side: usize) -> Vec<u8> {
    let plane = side * side;
    let mut said: Vec<u8> = scores[..plane].iter().map(|background| u8::from(*background < 0.5)).collect();
    let (mut runs, mut pieces) = (Vec::new(), Components::default());
    components::runs_of(&said, side, &mut runs);
    pieces.label(&runs);
    for piece in pieces.iter() {
        let rows = piece.iter().map(|run| {
            let start = run.y as usize * side + run.x as usize;
            start..start + run.length as usize
        });
        let kind = kind_of(scores, plane, rows.clone().flatten());
        rows.for_each(|row| said[row].fill(kind as u8));
    }
    said
}

/// The kind that most of a piece is, by its places in a plane. `scores` holds a plane for each class.
pub fn kind_of(scores: &[f32], plane: usize, places: impl Iterator<Item = usize>) -> usize {
    let mut sums = vec![0.0_f32; scores.len() / plane];
    for at in places {
        sums.iter_mut().zip(scores[at..].iter().step_by(plane)).for_each(|(sum, score)| *sum += score);
    }
    (1..sums.len()).max_by(|a, b| sums[*a].total_cmp(&sums[*b])).unwrap_or(0)
}

impl Judged {
    fn pictures(&mut self, scores: &Tensor, members: &[&Sample], classes: usize) -> Result<(), Fault> {
        for (row, sample) in numbers(scores)?.chunks_exact(classes).zip(members) {
            let said = (0..classes).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap_or(0);
            self.confusion.add(sample.class, said, 1);
            let loss = -f64::from(row[sample.class].max(1e-12)).ln();
            self.take(sample, said, log_odds(row[0]), loss);
        }
        Ok(())
    }

    fn pixels(&mut self, scores: &Tensor, truth: &[u8], members: &[&Sample], side: usize) -> Result<(), Fault> {
        let plane = side * side;
        let classes = scores.size()[1] as usize;
        let all = numbers(scores)?;
        let said: Vec<u8> = all.chunks_exact(classes * plane).flat_map(|scores| kinds_said(scores, side)).collect();
        let count = members.len() as i64;
        let target = Tensor::f_from_data_size(truth, &[count, 1, side as i64, side as i64], Kind::Uint8)?;
        let target = target.f_to_device(scores.device())?.f_to_kind(Kind::Int64)?;
        let losses = scores.f_gather(1, &target, false)?.f_clamp_min(1e-12)?.f_log()?.f_neg()?.f_flatten(1, -1)?;
        let losses = numbers(&losses.f_mean_dim([1_i64].as_slice(), false, Kind::Float)?)?;
        let odds = picture_odds(scores)?;
        for (place, sample) in members.iter().enumerate() {
            let (said, truth) = (&said[place * plane..][..plane], &truth[place * plane..][..plane]);
            said.iter().zip(truth).for_each(|(said, truth)| self.confusion.add((*truth).into(), (*said).into(), 1));
            let found = usize::from(said.iter().any(|class| *class != 0));
            self.take(sample, found, odds[place], f64::from(losses[place]));
        }
        Ok(())
    }

    fn take(&mut self, sample: &Sample, said: usize, odds: f64, loss: f64) {
        self.loss += loss;
        self.scored.push((odds, sample.class != 0));
        let Sample { image, item, class } = sample.clone();
        let score = Calibration::default().score(odds);
        self.worst.push(Worst { image_id: image, item, class, said, score, loss });
    }

    /// The one number by which epochs are compared: mean Dice for pixels, else F1, with the order of scores where two
    /// classes make one.
    #[must_use]
    pub fn score(&self) -> f64 {
        match self.task {
            Task::Defects => self.confusion.over_defects(Confusion::dice).unwrap_or(0.0),
            Task::Classify | Task::Regions => {
                let f1 = self.confusion.over_classes(Confusion::dice).unwrap_or(0.0);
                let order = (self.task == Task::Classify).then(|| roc_auc(&self.scored)).flatten();
                order.map_or(f1, |order| f64::midpoint(f1, order))
            }
        }
    }

    /// Every figure by name; what is undefined is left out.
    #[must_use]
    pub fn figures(&self, classes: &[String]) -> BTreeMap<String, f64> {
        let mut figures = BTreeMap::new();
        let mut tell = |name: &str, value: Option<f64>| {
            if let Some(value) = value.filter(|value| value.is_finite()) {
                figures.insert(name.to_owned(), value);
            }
        };
        let c = &self.confusion;
        tell("loss", Some(self.loss));
        tell("accuracy", c.accuracy());
        tell("precision", c.over_classes(Confusion::precision));
        tell("recall", c.over_classes(Confusion::recall));
        tell("f1", c.over_classes(Confusion::dice));
        if self.task != Task::Regions {
            tell("auc", roc_auc(&self.scored));
            tell("average_precision", average_precision(&self.scored));
        }
        if self.task == Task::Defects {
            tell("dice", c.over_defects(Confusion::dice));
            tell("iou", c.over_defects(Confusion::iou));
            tell("dice_any", c.any().dice(1));
            tell("iou_any", c.any().iou(1));
            for (class, name) in classes.iter().enumerate().skip(1) {
                tell(&format!("dice_{name}"), c.dice(class));
                tell(&format!("iou_{name}"), c.iou(class));
            }
        }
        tell("score", Some(self.score()));
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_of_one_kind_and_begins_where_a_defect_is_likelier_than_none() {
        // Four by four pixels: a piece at the left that is the second kind by two pixels of three, and one pixel at the right
        // of which each class is less likely than none, but not a defect.
        let (side, plane) = (4, 16);
        let mut scores = [vec![1.0_f32; plane], vec![0.0; plane], vec![0.0; plane]].concat();
        let mut put = |at: usize, [none, first, second]: [f32; 3]| {
            (scores[at], scores[plane + at], scores[2 * plane + at]) = (none, first, second);
        };
        put(0, [0.1, 0.5, 0.4]);
        put(4, [0.1, 0.2, 0.7]);
        put(9, [0.1, 0.2, 0.7]);
        put(7, [0.4, 0.35, 0.25]);
        put(15, [0.6, 0.4, 0.0]);
        let mut expected = vec![0_u8; plane];
        for at in [0, 4, 9] {
            expected[at] = 2;
        }
        expected[7] = 1;
        assert_eq!(kinds_said(&scores, side), expected);
    }
}
