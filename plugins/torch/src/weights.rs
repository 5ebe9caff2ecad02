//! The weights of a network, by the names that PyTorch gives them, and the layers that use them.
//!
//! Layers are initialised as PyTorch does. Arithmetic follows the input: a bf16 picture is convolved with weights turned to
//! bf16, while the weights themselves stay whole, which is what autocast does and `tch` cannot be told.

use tch::{Device, Kind, Tensor};

use crate::{
    fault::Fault,
    tensors::{Named, Tensors},
};

/// One of them.
#[derive(Debug)]
pub struct Weight {
    pub name: String,
    pub tensor: Tensor,
    /// Running means are not.
    pub trainable: bool,
}

/// All of a network.
#[derive(Debug)]
pub struct Weights {
    all: Vec<Weight>,
    device: Device,
}

impl Weights {
    #[must_use]
    pub const fn on(device: Device) -> Self {
        Self { all: Vec::new(), device }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Weight> {
        self.all.iter()
    }

    /// Numbers that can be learned.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all.iter().filter(|weight| weight.trainable).map(|weight| weight.tensor.numel()).sum()
    }

    /// Copies on the processor.
    ///
    /// # Errors
    /// libtorch's.
    pub fn numbers(&self) -> Result<Vec<Named>, Fault> {
        self.all.iter().map(|weight| named(&weight.name, &weight.tensor)).collect()
    }

    /// Takes values over, by name; what else the file holds is left.
    ///
    /// # Errors
    /// One is missing or has another shape: the file is of another network.
    pub fn take(&mut self, from: &Tensors, path: &str) -> Result<(), Fault> {
        for weight in &mut self.all {
            let found = from.get(&weight.name);
            let shape = weight.tensor.size();
            let fits = found.filter(|found| found.shape.iter().map(|side| *side as i64).eq(shape.iter().copied()));
            let Some(fits) = fits else {
                let has = found.map_or_else(|| "has none".to_owned(), |found| format!("has {:?}", found.shape));
                return Err(Fault::new(format!(
                    "{path} is of another network: this one has `{}` of shape {shape:?}, the file {has}",
                    weight.name
                )));
            };
            copy(&mut weight.tensor, &fits.values)?;
        }
        Ok(())
    }

    fn add(&mut self, name: String, tensor: Tensor, trainable: bool) -> Tensor {
        let tensor = tensor.set_requires_grad(trainable);
        self.all.push(Weight { name, tensor: tensor.shallow_clone(), trainable });
        tensor
    }

    /// Even numbers up to one over the root of the inputs, PyTorch's way for both kernels and biases.
    fn uniform(&mut self, name: String, shape: &[i64], inputs: i64) -> Result<Tensor, Fault> {
        let bound = 1.0 / (inputs.max(1) as f64).sqrt();
        // Drawn on the processor, so that a seed gives the same weights with and without a GPU.
        let tensor = Tensor::f_empty(shape, (Kind::Float, Device::Cpu))?.f_uniform_(-bound, bound)?;
        Ok(self.add(name, tensor.f_to_device(self.device)?, true))
    }

    /// # Errors
    /// libtorch's.
    pub fn conv(
        &mut self,
        name: &str,
        from: i64,
        to: i64,
        kernel: i64,
        stride: i64,
        bias: bool,
    ) -> Result<Conv, Fault> {
        let inputs = from * kernel * kernel;
        let weight = self.uniform(format!("{name}.weight"), &[to, from, kernel, kernel], inputs)?;
        let bias = if bias { Some(self.uniform(format!("{name}.bias"), &[to], inputs)?) } else { None };
        Ok(Conv { weight, bias, stride, padding: kernel / 2 })
    }

    /// # Errors
    /// libtorch's.
    pub fn linear(&mut self, name: &str, from: i64, to: i64) -> Result<Linear, Fault> {
        let weight = self.uniform(format!("{name}.weight"), &[to, from], from)?;
        Ok(Linear { weight, bias: self.uniform(format!("{name}.bias"), &[to], from)? })
    }

    /// # Errors
    /// libtorch's.
    pub fn norm(&mut self, name: &str, channels: i64) -> Result<Norm, Fault> {
        let on = (Kind::Float, self.device);
        let (ones, zeros) = (|| Tensor::f_ones([channels], on), || Tensor::f_zeros([channels], on));
        Ok(Norm {
            weight: self.add(format!("{name}.weight"), ones()?, true),
            bias: self.add(format!("{name}.bias"), zeros()?, true),
            mean: self.add(format!("{name}.running_mean"), zeros()?, false),
            variance: self.add(format!("{name}.running_var"), ones()?, false),
        })
    }
}

/// A tensor's numbers on the processor.
///
/// # Errors
/// libtorch's.
pub fn named(name: &str, tensor: &Tensor) -> Result<Named, Fault> {
    let flat = tensor.detach().f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?.f_view([-1])?;
    let values = Vec::<f32>::try_from(&flat)?;
    Ok(Named { name: name.into(), shape: tensor.size().iter().map(|side| *side as usize).collect(), values })
}

/// Numbers into a tensor of as many.
///
/// # Errors
/// libtorch's.
pub fn copy(tensor: &mut Tensor, values: &[f32]) -> Result<(), Fault> {
    let from = Tensor::f_from_slice(values)?.f_view(tensor.size().as_slice())?;
    tch::no_grad(|| tensor.f_copy_(&from)).map_err(Fault::from)
}

fn like(weight: &Tensor, input: &Tensor) -> Result<Tensor, Fault> {
    let kind = input.kind();
    if weight.kind() == kind { Ok(weight.shallow_clone()) } else { Ok(weight.f_to_kind(kind)?) }
}

/// A convolution that keeps the size at stride 1.
#[derive(Debug)]
pub struct Conv {
    weight: Tensor,
    bias: Option<Tensor>,
    stride: i64,
    padding: i64,
}

impl Conv {
    /// # Errors
    /// libtorch's.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, Fault> {
        let bias = self.bias.as_ref().map(|bias| like(bias, x)).transpose()?;
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        Ok(x.f_conv2d(&like(&self.weight, x)?, bias.as_ref(), stride, padding, [1, 1], 1)?)
    }
}

/// A matrix and what is added.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// # Errors
    /// libtorch's.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, Fault> {
        Ok(x.f_linear(&like(&self.weight, x)?, Some(&like(&self.bias, x)?))?)
    }
}

/// Batch normalisation.
#[derive(Debug)]
pub struct Norm {
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
}

impl Norm {
    /// # Errors
    /// libtorch's.
    pub fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor, Fault> {
        let (weight, bias) = (Some(&self.weight), Some(&self.bias));
        Ok(x.f_batch_norm(weight, bias, Some(&self.mean), Some(&self.variance), training, 0.1, 1e-5, true)?)
    }
}
