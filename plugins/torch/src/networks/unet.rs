//! `unet`: down, up, and across (Ronneberger, Fischer and Brox, MICCAI 2015), three levels, with batch normalisation and
//! padding. Every level of the way up scores, and scores are added up from coarse to fine (Long, Shelhamer and Darrell,
//! CVPR 2015): what a defect is shows in its whole, where it ends in its pixels, and the few channels of the finest level need
//! not carry both. Sizes that three halvings do not divide are padded at the right and below, and cut again.
//!
//! ```python
//! enc1, enc2, enc3, mid, dec3, dec2, dec1 = Sequential(Conv2d(from, to, 3, padding=1, bias=False), BatchNorm2d(to), ReLU(),
//!                                                      Conv2d(to, to, 3, padding=1, bias=False), BatchNorm2d(to), ReLU())
//! out4, out3, out2, out1 = Conv2d(8 * w, classes, 1), …, Conv2d(w, classes, 1)   # of mid and dec; MaxPool2d(2) down
//! dec(cat([interpolate(x, scale_factor=2, mode="nearest"), across], 1))
//! scores = out(x) + interpolate(scores, scale_factor=2, mode="nearest")
//! ```

use tch::Tensor;

use super::{Channels, Layers};
use crate::{
    fault::Fault,
    weights::{Conv, Norm, Weights},
};

struct Double {
    first: (Conv, Norm),
    second: (Conv, Norm),
}

impl Double {
    fn new(weights: &mut Weights, name: &str, from: i64, to: i64) -> Result<Self, Fault> {
        let mut one = |conv: usize, from: i64| -> Result<_, Fault> {
            let conv_name = format!("{name}.{conv}");
            Ok((weights.conv(&conv_name, from, to, 3, 1, false)?, weights.norm(&format!("{name}.{}", conv + 1), to)?))
        };
        Ok(Self { first: one(0, from)?, second: one(3, to)? })
    }

    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor, Fault> {
        let x = self.first.1.forward(&self.first.0.forward(x)?, training)?.f_relu_()?;
        Ok(self.second.1.forward(&self.second.0.forward(&x)?, training)?.f_relu_()?)
    }
}

pub(super) struct Unet {
    down: [Double; 3],
    mid: Double,
    /// From coarse to fine.
    up: [Double; 3],
    /// Of the middle, and of each level of the way up.
    scores: [Conv; 4],
}

impl Unet {
    pub fn new(weights: &mut Weights, shape: Channels) -> Result<Self, Fault> {
        let Channels { picture, width: w, classes } = shape;
        Ok(Self {
            down: [
                Double::new(weights, "enc1", picture, w)?,
                Double::new(weights, "enc2", w, 2 * w)?,
                Double::new(weights, "enc3", 2 * w, 4 * w)?,
            ],
            mid: Double::new(weights, "mid", 4 * w, 8 * w)?,
            up: [
                Double::new(weights, "dec3", 12 * w, 4 * w)?,
                Double::new(weights, "dec2", 6 * w, 2 * w)?,
                Double::new(weights, "dec1", 3 * w, w)?,
            ],
            scores: [
                weights.conv("out4", 8 * w, classes, 1, 1, true)?,
                weights.conv("out3", 4 * w, classes, 1, 1, true)?,
                weights.conv("out2", 2 * w, classes, 1, 1, true)?,
                weights.conv("out1", w, classes, 1, 1, true)?,
            ],
        })
    }
}

impl Layers for Unet {
    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor, Fault> {
        let size = x.size();
        let (height, width) = (size[2], size[3]);
        // Three halvings.
        let lacking = |side: i64| (8 - side % 8) % 8;
        let (below, right) = (lacking(height), lacking(width));
        let padded = below > 0 || right > 0;
        let mut x = if padded { x.f_pad([0, right, 0, below], "replicate", None)? } else { x.shallow_clone() };
        let mut across = Vec::with_capacity(3);
        for level in &self.down {
            let here = level.forward(&x, training)?;
            x = here.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)?;
            across.push(here);
        }
        let [middle, scores @ ..] = &self.scores;
        x = self.mid.forward(&x, training)?;
        let mut out = middle.forward(&x)?;
        for ((level, score), across) in self.up.iter().zip(scores).zip(across.iter().rev()) {
            let to = [across.size()[2], across.size()[3]];
            let grown = x.f_upsample_nearest2d(to, None, None)?;
            x = level.forward(&Tensor::f_cat(&[&grown, across], 1)?, training)?;
            out = score.forward(&x)?.f_add(&out.f_upsample_nearest2d(to, None, None)?)?;
        }
        if padded { Ok(out.f_narrow(2, 0, height)?.f_narrow(3, 0, width)?) } else { Ok(out) }
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn what_the_coarsest_level_says_counts_for_all_its_pixels_and_the_finer_add_to_it() {
        tch::manual_seed(5);
        let mut weights = Weights::on(Device::Cpu);
        let unet = Unet::new(&mut weights, Channels { picture: 1, width: 2, classes: 3 }).unwrap();
        let x = Tensor::rand([1, 1, 32, 32], (Kind::Float, Device::Cpu));
        let whole = tch::no_grad(|| unet.forward(&x, true).unwrap());
        let finer = ["out1.", "out2.", "out3."];
        for weight in weights.iter().filter(|weight| finer.iter().any(|name| weight.name.starts_with(name))) {
            tch::no_grad(|| drop(weight.tensor.shallow_clone().zero_()));
        }
        let coarse = tch::no_grad(|| unet.forward(&x, true).unwrap());
        let blocks = coarse.avg_pool2d([8, 8], [8, 8], [0, 0], false, true, None::<i64>);
        let again = blocks.upsample_nearest2d([32, 32], None, None);
        assert!((&coarse - again).abs().max().double_value(&[]) < 1e-5, "one value a block of the middle's pixels");
        assert!(blocks.std(true).double_value(&[]) > 1e-3, "the middle says nothing");
        assert!((whole - coarse).abs().mean(Kind::Float).double_value(&[]) > 1e-3, "the finer levels say nothing");
    }
}
