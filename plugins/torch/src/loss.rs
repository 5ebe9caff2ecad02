//! What is made small: cross entropy, for pixels with a soft Dice of each defect class beside it (Milletari, Navab and
//! Ahmadi, 3DV 2016), for a picture is nearly all background.

use tch::{Device, Kind, Reduction, Tensor};

use crate::{card::Task, fault::Fault, order::weights};

/// Background outnumbers a defect's pixels a thousand to one; a weight of that size would make everything a defect. Dice D
/// is largest where pixels from a probability of D / 2 on count (Lipton, Elkan and Naryanaswamy, ECML 2014), which for a D
/// of one half is what a weight of three does.
const MOST: f64 = 3.0;

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
        let classes = scores.size()[1];
        let said = scores.f_softmax(1, Kind::Float)?;
        let truth = target.f_one_hot(classes)?.f_permute([0, 3, 1, 2])?.f_to_kind(Kind::Float)?;
        let over = [0_i64, 2, 3];
        let both = said.f_mul(&truth)?.f_sum_dim_intlist(over.as_slice(), false, Kind::Float)?;
        let all = said.f_add(&truth)?.f_sum_dim_intlist(over.as_slice(), false, Kind::Float)?;
        // A class that is not in the batch costs only what is said of it.
        let dice = both.f_mul_scalar(2.0)?.f_add_scalar(1.0)?.f_div(&all.f_add_scalar(1.0)?)?;
        let defects = dice.f_narrow(0, 1, classes - 1)?.f_mean(Kind::Float)?;
        Ok(entropy.f_sub(&defects)?.f_add_scalar(1.0)?)
    }
}
