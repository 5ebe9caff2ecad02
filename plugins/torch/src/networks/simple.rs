//! `simple`: three convolutions and a mean, the source design's baseline (23,426 numbers for two classes at width 16).
//!
//! ```python
//! body = Sequential(Conv2d(1, 16, 3, padding=1), ReLU(), MaxPool2d(2),
//!                   Conv2d(16, 32, 3, padding=1), ReLU(), MaxPool2d(2),
//!                   Conv2d(32, 64, 3, padding=1), ReLU(), AdaptiveAvgPool2d(1))
//! fc = Linear(64, classes)
//! ```
//!
//! The largest of four is taken before the ReLU: the same numbers, with a quarter of the work.

use tch::Tensor;

use super::{Channels, Layers};
use crate::{
    fault::Fault,
    weights::{Conv, Linear, Weights},
};

pub(super) struct Simple {
    body: [Conv; 3],
    fc: Linear,
}

impl Simple {
    pub fn new(weights: &mut Weights, shape: Channels) -> Result<Self, Fault> {
        let Channels { picture, width, classes } = shape;
        let body = [
            weights.conv("body.0", picture, width, 3, 1, true)?,
            weights.conv("body.3", width, 2 * width, 3, 1, true)?,
            weights.conv("body.6", 2 * width, 4 * width, 3, 1, true)?,
        ];
        Ok(Self { body, fc: weights.linear("fc", 4 * width, classes)? })
    }
}

impl Layers for Simple {
    fn forward(&self, x: &Tensor, _: bool) -> Result<Tensor, Fault> {
        let [first, second, third] = &self.body;
        let pooled = |x: &Tensor| x.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false);
        let x = pooled(&first.forward(x)?)?.f_relu_()?;
        let x = pooled(&second.forward(&x)?)?.f_relu_()?;
        let x = third.forward(&x)?.f_relu_()?.f_adaptive_avg_pool2d([1, 1])?;
        self.fc.forward(&x.f_flatten(1, -1)?)
    }
}
