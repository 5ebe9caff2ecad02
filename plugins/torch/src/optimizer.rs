//! The rules that move weights: Adam (Kingma and Ba, 2015), AdamW (Loshchilov and Hutter, 2019), SGD with momentum, with
//! PyTorch's formulas. Their state is plain tensors, so that a training can go on from a file.

use tch::{Kind, Tensor, no_grad};

use crate::{
    fault::Fault,
    settings::Rule,
    tensors::{Named, Tensors},
    weights::{Weights, copy, named},
};

const BETAS: (f64, f64) = (0.9, 0.999);
const EPSILON: f64 = 1e-8;
const MOMENTUM: f64 = 0.9;

/// Names in a checkpoint begin with this.
const FIRST: &str = "optimizer.first/";
const SECOND: &str = "optimizer.second/";

/// A rule with its memory.
#[derive(Debug)]
pub struct Optimizer {
    rule: Rule,
    weight_decay: f64,
    clip: f64,
    moved: Vec<Moved>,
    /// Steps made.
    pub steps: u64,
}

#[derive(Debug)]
struct Moved {
    name: String,
    weight: Tensor,
    first: Tensor,
    second: Option<Tensor>,
}

impl Optimizer {
    /// # Errors
    /// libtorch's.
    pub fn new(weights: &Weights, rule: Rule, weight_decay: f64, clip: f64) -> Result<Self, Fault> {
        let mut moved = Vec::new();
        for weight in weights.iter().filter(|weight| weight.trainable) {
            let still = || -> Result<Tensor, Fault> { Ok(weight.tensor.detach().f_zeros_like()?) };
            let second = if rule == Rule::Sgd { None } else { Some(still()?) };
            moved.push(Moved {
                name: weight.name.clone(),
                weight: weight.tensor.shallow_clone(),
                first: still()?,
                second,
            });
        }
        Ok(Self { rule, weight_decay, clip, moved, steps: 0 })
    }

    /// Forgets the gradients, makes new ones of `loss`, and moves the weights by them.
    ///
    /// # Errors
    /// libtorch's.
    pub fn step(&mut self, loss: &Tensor, rate: f64) -> Result<(), Fault> {
        self.moved.iter_mut().for_each(|moved| moved.weight.zero_grad());
        loss.f_backward()?;
        self.steps += 1;
        no_grad(|| self.apply(rate))
    }

    fn apply(&mut self, rate: f64) -> Result<(), Fault> {
        let scale = self.scale()?;
        let corrected = (1.0 - BETAS.0.powf(self.steps as f64), 1.0 - BETAS.1.powf(self.steps as f64));
        for moved in &mut self.moved {
            let mut gradient = moved.weight.grad();
            if !gradient.defined() {
                continue;
            }
            if let Some(scale) = &scale {
                gradient = gradient.f_mul(scale)?;
            }
            if self.weight_decay > 0.0 && self.rule != Rule::AdamW {
                gradient = gradient.f_add(&moved.weight.f_mul_scalar(self.weight_decay)?)?;
            }
            let Some(second) = &mut moved.second else {
                let _ = moved.first.f_mul_scalar_(MOMENTUM)?.f_add_(&gradient)?;
                let _ = moved.weight.f_sub_(&moved.first.f_mul_scalar(rate)?)?;
                continue;
            };
            if self.weight_decay > 0.0 && self.rule == Rule::AdamW {
                let _ = moved.weight.f_mul_scalar_(1.0 - rate * self.weight_decay)?;
            }
            let _ = moved.first.f_lerp_(&gradient, 1.0 - BETAS.0)?;
            let _ = second.f_lerp_(&gradient.f_square()?, 1.0 - BETAS.1)?;
            let spread = second.f_sqrt()?.f_mul_scalar_(1.0 / corrected.1.sqrt())?.f_add_scalar_(EPSILON)?;
            let change = moved.first.f_div(&spread)?.f_mul_scalar_(rate / corrected.0)?;
            let _ = moved.weight.f_sub_(&change)?;
        }
        Ok(())
    }

    /// What all gradients are multiplied with, so that their norm is no longer than it may be. Stays on the device.
    fn scale(&self) -> Result<Option<Tensor>, Fault> {
        if self.clip <= 0.0 {
            return Ok(None);
        }
        let gradients: Vec<Tensor> =
            self.moved.iter().map(|moved| moved.weight.grad()).filter(Tensor::defined).collect();
        let norms: Vec<Tensor> = gradients.iter().map(Tensor::f_norm).collect::<Result<_, _>>()?;
        if norms.is_empty() {
            return Ok(None);
        }
        let norm = Tensor::f_stack(&norms, 0)?.f_norm()?;
        let scale = norm.f_add_scalar(1e-6)?.f_reciprocal()?.f_mul_scalar(self.clip)?.f_clamp_max(1.0)?;
        Ok(Some(scale.f_to_kind(Kind::Float)?))
    }

    /// The memory by name.
    ///
    /// # Errors
    /// libtorch's.
    pub fn numbers(&self) -> Result<Vec<Named>, Fault> {
        let mut all = Vec::new();
        for moved in &self.moved {
            all.push(named(&format!("{FIRST}{}", moved.name), &moved.first)?);
            if let Some(second) = &moved.second {
                all.push(named(&format!("{SECOND}{}", moved.name), second)?);
            }
        }
        Ok(all)
    }

    /// Takes the memory over.
    ///
    /// # Errors
    /// A checkpoint of another rule or network.
    pub fn take(&mut self, from: &Tensors, steps: u64) -> Result<(), Fault> {
        self.steps = steps;
        for moved in &mut self.moved {
            let find = |prefix: &str| {
                let name = format!("{prefix}{}", moved.name);
                from.get(&name)
                    .ok_or_else(|| Fault::new(format!("the checkpoint has no `{name}`: it is of another optimizer")))
            };
            copy(&mut moved.first, &find(FIRST)?.values)?;
            if let Some(second) = &mut moved.second {
                copy(second, &find(SECOND)?.values)?;
            }
        }
        Ok(())
    }
}
