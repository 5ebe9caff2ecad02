//! How bright things are: contrast, brightness and gamma in one table, then the blur of a focus that is a little off, then
//! the noise of a camera.

use super::{Reach, chance::Chance};
use crate::smooth::{gaussian_taps, smooth_plane};

/// Drawn light. Never changes where anything is.
#[derive(Debug, Clone, PartialEq)]
pub struct Light {
    table: Option<[u8; 256]>,
    blur_px: f64,
    noise: f64,
}

/// Buffers of one thread.
#[derive(Debug, Default)]
pub struct Buffers {
    plane: Vec<f32>,
    lines: Vec<f32>,
}

impl Light {
    /// Draws one within reach.
    #[must_use]
    pub fn draw(reach: &Reach, chance: &mut Chance) -> Self {
        let (brightness, contrast) = (chance.within(reach.brightness), 1.0 + chance.within(reach.contrast));
        let gamma = chance.within(reach.gamma).exp();
        let (blur_px, noise) = (chance.unit() * reach.blur_px, chance.unit() * reach.noise);
        let flat = brightness == 0.0 && contrast == 1.0 && gamma == 1.0;
        let table = (!flat).then(|| {
            std::array::from_fn(|level| {
                let value = ((level as f64 / 255.0 - 0.5) * contrast + 0.5 + brightness).clamp(0.0, 1.0);
                (value.powf(gamma) * 255.0 + 0.5) as u8
            })
        });
        Self { table, blur_px, noise }
    }

    /// Changes the picture in place.
    pub fn shine(&self, picture: &mut [u8], width: usize, chance: &mut Chance, buffers: &mut Buffers) {
        if let Some(table) = &self.table {
            picture.iter_mut().for_each(|pixel| *pixel = table[usize::from(*pixel)]);
        }
        // Less than that is less than a gray level.
        if self.blur_px > 0.2 {
            buffers.plane.clear();
            buffers.plane.extend(picture.iter().map(|pixel| f32::from(*pixel)));
            smooth_plane(&mut buffers.plane, width, &gaussian_taps(self.blur_px as f32), &mut buffers.lines);
            picture.iter_mut().zip(&buffers.plane).for_each(|(pixel, value)| *pixel = (value + 0.5) as u8);
        }
        if self.noise > 0.1 {
            // The sum of four even bytes is near enough to a normal deviate; eight pixels a draw would be too few bits.
            let scale = self.noise / (4.0 * (256.0_f64 * 256.0 - 1.0) / 12.0).sqrt();
            for pair in picture.chunks_mut(2) {
                let mut bytes = chance.bits().to_le_bytes().into_iter();
                for pixel in pair {
                    let sum: i32 = bytes.by_ref().take(4).map(i32::from).sum();
                    let value = f64::from(*pixel) + f64::from(sum - 510) * scale;
                    *pixel = (value + 0.5).clamp(0.0, 255.0) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_the_deviation_that_was_drawn_and_no_bias() {
        let light = Light { table: None, blur_px: 0.0, noise: 4.0 };
        let mut picture = vec![128; 256 * 256];
        light.shine(&mut picture, 256, &mut Chance::new(1), &mut Buffers::default());
        let count = picture.len() as f64;
        let mean = picture.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
        let variance = picture.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / count;
        assert!((mean - 128.0).abs() < 0.1 && (variance.sqrt() - 4.0).abs() < 0.1, "{mean} {}", variance.sqrt());
    }

    #[test]
    fn brightness_and_contrast_keep_the_order_of_levels() {
        let reach = Reach { brightness: 0.2, contrast: 0.4, gamma: 0.4, ..Reach::NONE };
        for seed in 0..30 {
            let table = Light::draw(&reach, &mut Chance::new(seed)).table.unwrap();
            assert!(table.is_sorted());
        }
    }

    #[test]
    fn blur_keeps_the_mean_and_flattens_a_point() {
        let light = Light { table: None, blur_px: 1.5, noise: 0.0 };
        let mut picture = vec![50; 31 * 31];
        picture[15 * 31 + 15] = 250;
        light.shine(&mut picture, 31, &mut Chance::new(1), &mut Buffers::default());
        let top = picture[15 * 31 + 15];
        assert!((55..90).contains(&top), "{top}");
    }
}
