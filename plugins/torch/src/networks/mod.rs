//! The networks. Each says in its head what it looks like in Python; `tests/peers` holds the same modules there.

mod resnet;
mod simple;
mod unet;

use tch::{Device, Kind, Tensor};

use crate::{
    card::{Network, Task},
    fault::Fault,
    weights::Weights,
};

/// A network: its weights, and what it makes of a batch.
pub struct Net {
    pub weights: Weights,
    layers: Box<dyn Layers>,
}

/// How wide a network is where it begins, is first, and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channels {
    /// Planes of a picture.
    pub picture: i64,
    /// Of the first layer.
    pub width: i64,
    pub classes: i64,
}

/// Pictures (n, planes, side, side) in, scores (n, classes) or (n, classes, side, side) out, before any softmax.
trait Layers: Send {
    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor, Fault>;
}

impl Net {
    /// Channels of the first layer, where nothing else is asked for.
    #[must_use]
    pub const fn own_width(network: Network) -> i64 {
        match network {
            Network::Simple | Network::Unet => 16,
            Network::Resnet => 24,
        }
    }

    /// Built with fresh weights, from libtorch's generator.
    ///
    /// # Errors
    /// libtorch's.
    pub fn build(network: Network, task: Task, shape: Channels, device: Device) -> Result<Self, Fault> {
        let mut weights = Weights::on(device);
        let layers: Box<dyn Layers> = match network {
            Network::Simple => Box::new(simple::Simple::new(&mut weights, shape)?),
            Network::Resnet => Box::new(resnet::Resnet::new(&mut weights, shape, task == Task::Defects)?),
            Network::Unet => Box::new(unet::Unet::new(&mut weights, shape)?),
        };
        Ok(Self { weights, layers })
    }

    /// Scores in full precision.
    ///
    /// # Errors
    /// libtorch's.
    pub fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor, Fault> {
        Ok(self.layers.forward(x, training)?.f_to_kind(Kind::Float)?)
    }
}

/// A gray level as networks take it: (level - [`ZERO`]) / [`UNIT`]. The noise of a relief is three quarters of one then,
/// which is what weights are drawn for; at a sixth of that a network learned nothing from it.
pub const ZERO: f64 = 127.5;
pub const UNIT: f64 = 32.0;

/// Levels of a batch of square pictures as the network takes them, laid out channels last, as the bytes are and every layer
/// after it keeps by itself.
///
/// # Errors
/// libtorch's.
pub fn input(pictures: &[u8], side: usize, channels: i64, device: Device, half: bool) -> Result<Tensor, Fault> {
    let side = side as i64;
    let count = pictures.len() as i64 / (side * side * channels);
    let bytes = Tensor::f_from_data_size(pictures, &[count, side, side, channels], Kind::Uint8)?.f_to_device(device)?;
    let kind = if half { Kind::BFloat16 } else { Kind::Float };
    let levels = bytes.f_to_kind(Kind::Float)?.f_sub_scalar_(ZERO)?.f_mul_scalar_(1.0 / UNIT)?.f_to_kind(kind)?;
    // With one channel only the strides say which layout it is, and libtorch goes by them.
    let strides = [side * side * channels, 1, side * channels, channels];
    Ok(levels.f_as_strided([count, channels, side, side], strides, 0)?)
}
