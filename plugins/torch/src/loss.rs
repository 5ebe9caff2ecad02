//! What is made small: cross entropy. For pixels two things stand beside it, for a picture is nearly all background: a soft
//! Dice (Milletari, Navab and Ahmadi, 3DV 2016) of what is a defect of any kind, and the naming, the cross entropy of the
//! kinds alone on the pixels of defects.
//!
//! A Dice of each kind has next to no slope for a kind of which nothing is said yet: in ten epochs on `train-v1` pits and chips
//! were never said. Naming told with its full weight from the beginning has the network find nothing at all for three. So a
//! pixel's name counts by how surely the pixel is taken for a defect.

use tch::{Device, Kind, Reduction, Tensor};

use crate::{card::Task, fault::Fault, order::weights};

/// Background outnumbers a defect's pixels a thousand to one; a weight of that size would make everything a defect. Dice D
/// is largest where pixels from a probability of D / 2 on count (Lipton, Elkan and Naryanaswamy, ECML 2014), which for a D
/// of one half is what a weight of three does.
const MOST: f64 = 3.0;

/// In the place of a kind, where there is no defect.
const BACKGROUND: i64 = -1;

/// A loss over (n, classes, …) scores.
#[derive(Debug)]
pub struct Loss {
    weights: Option<Tensor>,
    pixels: bool,
}

impl Loss {
    /// `counts` are those of the training split.
    ///
    /// # Errors
    /// libtorch's.
    pub fn new(task: Task, counts: &[u64], balanced: bool, device: Device) -> Result<Self, Fault> {
        let pixels = task == Task::Defects;
        let weights = balanced.then(|| {
            let even = weights(counts);
            // Relative to the background, whose own weight would be next to nothing.
            let unit = if pixels { even[0].max(1e-12) } else { 1.0 };
            even.iter()
                .map(|weight| if pixels { (weight / unit).min(MOST) } else { *weight } as f32)
                .collect::<Vec<_>>()
        });
        let weights = weights.map(|weights| Tensor::f_from_slice(&weights)?.f_to_device(device)).transpose()?;
        Ok(Self { weights, pixels })
    }

    /// # Errors
    /// libtorch's.
    pub fn of(&self, scores: &Tensor, target: &Tensor) -> Result<Tensor, Fault> {
        let entropy = scores.f_cross_entropy_loss(target, self.weights.as_ref(), Reduction::Mean, -100, 0.0)?;
        if !self.pixels {
            return Ok(entropy);
        }
        let found = one_minus(&scores.f_softmax(1, Kind::Float)?.f_select(1, 0)?)?;
        let there = target.f_sign()?.f_to_kind(Kind::Float)?;
        Ok(entropy.f_add(&dice(&found, &there)?)?.f_add(&naming(scores, target, &found)?)?)
    }
}

fn one_minus(of: &Tensor) -> Result<Tensor, Fault> {
    Ok(of.f_neg()?.f_add_scalar(1.0)?)
}

/// What lacks of a soft Dice of one; 0 where there is nothing to find, where entropy alone holds down what is found.
fn dice(found: &Tensor, there: &Tensor) -> Result<Tensor, Fault> {
    let sum = |of: &Tensor| of.f_sum(Kind::Float);
    let both = sum(&found.f_mul(there)?)?.f_mul_scalar(2.0)?.f_add_scalar(1.0)?;
    let all = sum(&found.f_add(there)?)?.f_add_scalar(1.0)?;
    Ok(one_minus(&both.f_div(&all)?)?.f_mul(&sum(there)?.f_sign()?)?)
}

/// Cross entropy of the kinds alone, of the pixels of defects. A kind counts by the root of its pixels in the batch: residue has
/// a dozen times the pixels of pits in `train-v1`, and with each kind counting alike kinds were learned more slowly.
fn naming(scores: &Tensor, target: &Tensor, found: &Tensor) -> Result<Tensor, Fault> {
    let classes = scores.size()[1];
    let kinds = scores.f_narrow(1, 1, classes - 1)?;
    let wrong =
        kinds.f_cross_entropy_loss(&target.f_sub_scalar(1)?, None::<&Tensor>, Reduction::None, BACKGROUND, 0.0)?;
    let flat = target.f_flatten(0, -1)?;
    let pixels = flat.f_bincount(None::<&Tensor>, classes)?.f_to_kind(Kind::Float)?;
    let weight = pixels.f_clamp_min(1.0)?.f_rsqrt()?.f_index_select(0, &flat)?.f_view_as(target)?;
    let weight = weight.f_mul(&target.f_sign()?)?;
    let told = wrong.f_mul(&weight)?.f_mul(&found.f_detach()?)?.f_sum(Kind::Float)?;
    Ok(told.f_div(&weight.f_sum(Kind::Float)?.f_clamp_min(f64::from(f32::EPSILON))?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_cost_their_entropy_what_lacks_of_dice_and_the_names_of_what_is_found() {
        // A row of eight pixels: four of background, one of kind 1, three of kind 2; a third kind is not there.
        let target = Tensor::from_slice(&[0_i64, 0, 0, 0, 1, 2, 2, 2]).view([1, 1, 8]);
        let found: [f64; 8] = [0.1, 0.2, 0.05, 0.3, 0.6, 0.9, 0.7, 0.4];
        let first: [f64; 8] = [0.5, 0.5, 0.5, 0.5, 0.8, 0.1, 0.3, 0.6];
        let rows = [
            found.map(|p| 1.0 - p),
            std::array::from_fn(|at| found[at] * first[at] * 0.9),
            std::array::from_fn(|at| found[at] * (1.0 - first[at]) * 0.9),
            found.map(|p| p * 0.1),
        ];
        let scores = Tensor::from_slice(&rows.concat()).log().view([1, 4, 1, 8]).to_kind(Kind::Float);
        let truth = [0, 0, 0, 0, 1, 2, 2, 2];
        let entropy = -(0..8).map(|at| rows[truth[at]][at].ln()).sum::<f64>() / 8.0;
        let dice = 1.0 - (2.0 * found[4..].iter().sum::<f64>() + 1.0) / (found.iter().sum::<f64>() + 4.0 + 1.0);
        let weight = |at: usize| if truth[at] == 1 { 1.0 } else { 1.0 / 3.0_f64.sqrt() };
        let told = |at: usize| -(rows[truth[at]][at] / found[at]).ln() * weight(at) * found[at];
        let naming = (4..8).map(told).sum::<f64>() / (4..8).map(weight).sum::<f64>();
        let loss = Loss::new(Task::Defects, &[2, 2, 2, 0], false, Device::Cpu).unwrap();
        let value = loss.of(&scores, &target).unwrap().double_value(&[]);
        let expected = entropy + dice + naming;
        assert!((value - expected).abs() < 1e-5, "{value} instead of {expected}");
        let entropy = -rows[0].iter().map(|p| p.ln()).sum::<f64>() / 8.0;
        let value = loss.of(&scores, &target.zeros_like()).unwrap().double_value(&[]);
        assert!((value - entropy).abs() < 1e-5, "{value} instead of {entropy}: nothing there, no Dice and no name");
    }
}
