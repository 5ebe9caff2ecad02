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
        let dice = both.f_mul_scalar(2.0)?.f_add_scalar(1.0)?.f_div(&all.f_add_scalar(1.0)?)?;
        // Of the classes that the batch has. A rare one is in few batches; were each of the others to pull it to nothing,
        // as a Dice of nothing does however little is said, it would never be said at all. Entropy holds it down enough.
        let there = truth.f_sum_dim_intlist(over.as_slice(), false, Kind::Float)?.f_sign()?;
        let defects = |of: &Tensor| of.f_narrow(0, 1, classes - 1)?.f_sum(Kind::Float);
        let (lost, count) = (defects(&there.f_sub(&dice.f_mul(&there)?)?)?, defects(&there)?);
        Ok(entropy.f_add(&lost.f_div(&count.f_clamp_min(1.0)?)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dice_is_of_the_classes_that_a_batch_has_and_the_others_cost_their_entropy() {
        // A row of four pixels: two of background, two of class 1; class 2 is not there, and is said of nothing.
        let target = Tensor::from_slice(&[0_i64, 0, 1, 1]).view([1, 1, 4]);
        let said: [f64; 4] = [0.1, 0.2, 0.6, 0.9];
        let rare = 0.05;
        let rows = [said.map(|p| (1.0 - rare) * (1.0 - p)), said.map(|p| (1.0 - rare) * p), [rare; 4]];
        let scores = Tensor::from_slice(&rows.concat()).log().view([1, 3, 1, 4]).to_kind(Kind::Float);
        let loss = Loss::new(Task::Defects, &[2, 2, 0], false, Device::Cpu).unwrap();
        let entropy = -(rows[0][0].ln() + rows[0][1].ln() + rows[1][2].ln() + rows[1][3].ln()) / 4.0;
        let (both, all) = (rows[1][2] + rows[1][3], rows[1].iter().sum::<f64>() + 2.0);
        let expected = entropy + 1.0 - (2.0 * both + 1.0) / (all + 1.0);
        let value = loss.of(&scores, &target).unwrap().double_value(&[]);
        assert!((value - expected).abs() < 1e-5, "{value} instead of {expected}");
        let clean = target.zeros_like();
        let entropy = -rows[0].iter().map(|p| p.ln()).sum::<f64>() / 4.0;
        let value = loss.of(&scores, &clean).unwrap().double_value(&[]);
        assert!((value - entropy).abs() < 1e-5, "{value} instead of {entropy}: nothing there, no Dice");
    }
}
