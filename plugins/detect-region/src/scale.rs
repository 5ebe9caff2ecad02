//! One scale of looking: the flattened picture, smoothed, with its noise and what stands out of it.

use ferrule_vision::{
    flatten::{Flattener, Least, SLACK, Sample, Scene, UNIT},
    hysteresis::exceeding,
    smooth::binomial5,
};

/// Least noise in gray levels: quantisation alone leaves 0.29.
const LEAST_NOISE: f32 = 0.25;

/// Buffers of one scale.
#[derive(Debug, Clone, Default)]
pub struct Scale {
    pub flattener: Flattener,
    pub residual: Vec<i16>,
    pub response: Vec<i16>,
    pub noise: Vec<i16>,
    /// 1 where the response exceeds the lower threshold.
    pub mask: Vec<u8>,
    smooth: Vec<i16>,
    rows: Vec<i16>,
}

impl Scale {
    /// Looks at a plane smoothed `passes` times (standard deviation 1 pixel each). A pixel counts above `sigmas` times
    /// the noise and above `floor` gray levels.
    pub fn look<T: Sample>(&mut self, plane: &[T], scene: &Scene<'_>, passes: usize, sigmas: f32, floor: f32) {
        self.flattener.flatten(plane, scene, &mut self.residual);
        binomial5(&self.residual, scene.width, &mut self.rows, &mut self.response);
        for _ in 1..passes {
            binomial5(&self.response, scene.width, &mut self.rows, &mut self.smooth);
            std::mem::swap(&mut self.response, &mut self.smooth);
        }
        let unit = f32::from(UNIT);
        let Self { flattener, response, noise, mask, .. } = self;
        mask.resize(response.len(), 0);
        let least = Least { floor: LEAST_NOISE * unit, slack: SLACK };
        flattener.noise(response, scene, least, noise, |row, noise| {
            exceeding(&response[row.clone()], noise, sigmas, floor * unit, &mut mask[row]);
        });
    }
}
