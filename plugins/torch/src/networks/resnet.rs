//! `resnet`: a residual encoder (He, Zhang, Ren and Sun, CVPR 2016) and a small decoder: two matrices for a class of the
//! picture, or lateral convolutions summed from coarse to fine (Lin and others, CVPR 2017) for a class of each pixel.
//!
//! ```python
//! stem = Sequential(Conv2d(1, w, 3, stride=2, padding=1, bias=False), BatchNorm2d(w))
//! layer1 .. layer4 = Sequential(Block(from, to, stride), Block(to, to, 1))     # w, 2w, 4w, 8w; strides 1, 2, 2, 2
//! Block: relu(bn2(conv2(relu(bn1(conv1(x))))) + down(x))                      # 3x3, no bias; down = Sequential(1x1, bn)
//! head = Sequential(Linear(8w, 2w), ReLU(), Linear(2w, classes))              # after the mean over all pixels
//! lateral1 .. lateral4 = Conv2d(.., 2w, 1); out = Conv2d(2w, classes, 3)      # for pixels
//! ```

use tch::Tensor;

use super::{Channels, Layers};
use crate::{
    fault::Fault,
    weights::{Conv, Linear, Norm, Weights},
};

struct Block {
    conv1: Conv,
    bn1: Norm,
    conv2: Conv,
    bn2: Norm,
    down: Option<(Conv, Norm)>,
}

impl Block {
    fn new(weights: &mut Weights, name: &str, from: i64, to: i64, stride: i64) -> Result<Self, Fault> {
        Ok(Self {
            conv1: weights.conv(&format!("{name}.conv1"), from, to, 3, stride, false)?,
            bn1: weights.norm(&format!("{name}.bn1"), to)?,
            conv2: weights.conv(&format!("{name}.conv2"), to, to, 3, 1, false)?,
            bn2: weights.norm(&format!("{name}.bn2"), to)?,
            down: if from == to && stride == 1 {
                None
            } else {
                let conv = weights.conv(&format!("{name}.down.0"), from, to, 1, stride, false)?;
                Some((conv, weights.norm(&format!("{name}.down.1"), to)?))
            },
        })
    }

    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor, Fault> {
        let inner = self.bn1.forward(&self.conv1.forward(x)?, training)?.f_relu_()?;
        let inner = self.bn2.forward(&self.conv2.forward(&inner)?, training)?;
        let past = match &self.down {
            Some((conv, norm)) => norm.forward(&conv.forward(x)?, training)?,
            None => x.shallow_clone(),
        };
        Ok(inner.f_add(&past)?.f_relu_()?)
    }
}

enum Decoder {
    Picture(Linear, Linear),
    Pixels(Vec<Conv>, Conv),
}

pub(super) struct Resnet {
    stem: (Conv, Norm),
    stages: Vec<[Block; 2]>,
    decoder: Decoder,
}

impl Resnet {
    pub fn new(weights: &mut Weights, shape: Channels, pixels: bool) -> Result<Self, Fault> {
        let Channels { picture, width, classes } = shape;
        let stem = (weights.conv("stem.0", picture, width, 3, 2, false)?, weights.norm("stem.1", width)?);
        let mut stages = Vec::new();
        let mut from = width;
        for stage in 0..4 {
            let (to, name) = (width << stage, format!("layer{}", stage + 1));
            let first = Block::new(weights, &format!("{name}.0"), from, to, if stage == 0 { 1 } else { 2 })?;
            stages.push([first, Block::new(weights, &format!("{name}.1"), to, to, 1)?]);
            from = to;
        }
        let decoder = if pixels {
            let lateral = |stage: i64, weights: &mut Weights| {
                weights.conv(&format!("lateral{}", stage + 1), width << stage, 2 * width, 1, 1, true)
            };
            let laterals = (0..4).map(|stage| lateral(stage, weights)).collect::<Result<_, _>>()?;
            Decoder::Pixels(laterals, weights.conv("out", 2 * width, classes, 3, 1, true)?)
        } else {
            Decoder::Picture(weights.linear("head.0", from, 2 * width)?, weights.linear("head.2", 2 * width, classes)?)
        };
        Ok(Self { stem, stages, decoder })
    }
}

impl Layers for Resnet {
    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor, Fault> {
        let size = x.size();
        let mut x = self.stem.1.forward(&self.stem.0.forward(x)?, training)?.f_relu_()?;
        let mut stages = Vec::with_capacity(self.stages.len());
        for [first, second] in &self.stages {
            x = second.forward(&first.forward(&x, training)?, training)?;
            stages.push(x.shallow_clone());
        }
        match &self.decoder {
            Decoder::Picture(inner, outer) => {
                let mean = x.f_adaptive_avg_pool2d([1, 1])?.f_flatten(1, -1)?;
                outer.forward(&inner.forward(&mean)?.f_relu_()?)
            }
            Decoder::Pixels(laterals, out) => {
                let mut sum: Option<Tensor> = None;
                for (stage, lateral) in stages.iter().zip(laterals).rev() {
                    let here = lateral.forward(stage)?;
                    sum = Some(match sum {
                        None => here,
                        Some(coarse) => {
                            let to = [here.size()[2], here.size()[3]];
                            here.f_add(&coarse.f_upsample_nearest2d(to, None, None)?)?
                        }
                    });
                }
                let mut sum = sum.ok_or_else(|| Fault::new("a network without stages"))?;
                Ok(out.forward(&sum.f_relu_()?)?.f_upsample_bilinear2d([size[2], size[3]], false, None, None)?)
            }
        }
    }
}
