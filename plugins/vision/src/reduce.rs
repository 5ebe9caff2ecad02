//! Smaller copies of a picture: box means for the coarse search, and the light smoothing that goes with them.
//!
//! Buffers are the caller's and only grow. Called by the segmenter.

use crate::plane::{Gray, Plane};

/// A picture of real samples that owns its buffer and is reused from capture to capture.
#[derive(Debug, Default)]
pub struct SmallPicture {
    pub width: usize,
    pub height: usize,
    pub samples: Vec<f32>,
    columns: Vec<u16>,
}

impl SmallPicture {
    /// The samples as a plane; `None` while it is empty.
    #[must_use]
    pub fn plane(&self) -> Option<Plane<'_, f32>> {
        Plane::new(&self.samples, self.width, self.height, self.width)
    }

    /// Means over `factor` x `factor` boxes; what is left over at the right and lower edge is dropped. Sample (0, 0)
    /// stands for the box whose centre lies at `(factor - 1) / 2`. Factors from 1 to 128.
    pub fn reduce(&mut self, picture: Gray<'_>, factor: usize) {
        let factor = factor.clamp(1, 128);
        (self.width, self.height) = (picture.width() / factor, picture.height() / factor);
        self.samples.resize(self.width * self.height, 0.0);
        self.columns.resize(self.width * factor, 0);
        let share = 1.0 / (factor * factor) as f32;
        for y in 0..self.height {
            self.columns.fill(0);
            for source in 0..factor {
                // 128 rows of 255 stay below u16's limit.
                for (sum, &sample) in self.columns.iter_mut().zip(picture.row(y * factor + source)) {
                    *sum += u16::from(sample);
                }
            }
            let out = &mut self.samples[y * self.width..(y + 1) * self.width];
            match factor {
                2 => sum_groups::<2>(&self.columns, out, share),
                3 => sum_groups::<3>(&self.columns, out, share),
                4 => sum_groups::<4>(&self.columns, out, share),
                _ => {
                    for (sample, group) in out.iter_mut().zip(self.columns.chunks_exact(factor)) {
                        *sample = group.iter().map(|&v| u32::from(v)).sum::<u32>() as f32 * share;
                    }
                }
            }
        }
    }

    /// Half the size of `other`, by means of four.
    pub fn halve(&mut self, other: &SmallPicture) {
        (self.width, self.height) = (other.width / 2, other.height / 2);
        self.samples.clear();
        for y in 0..self.height {
            let upper = &other.samples[2 * y * other.width..(2 * y + 1) * other.width];
            let lower = &other.samples[(2 * y + 1) * other.width..(2 * y + 2) * other.width];
            let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
            self.samples.extend(pairs.map(|(u, l)| 0.25 * (u[0] + u[1] + l[0] + l[1])));
        }
    }

    /// Binomial smoothing (1 4 6 4 1)/16 in both directions, a standard deviation of one sample; edges are repeated.
    pub fn smooth(&mut self, scratch: &mut Vec<f32>) {
        let (width, height) = (self.width, self.height);
        if width < 5 || height < 5 {
            return;
        }
        scratch.resize(width * height, 0.0);
        for y in 0..height {
            let row = |dy: isize| {
                let source = y.saturating_add_signed(dy).min(height - 1) * width;
                &self.samples[source..source + width]
            };
            let (a, b, c, d, e) = (row(-2), row(-1), row(0), row(1), row(2));
            for (x, out) in scratch[y * width..(y + 1) * width].iter_mut().enumerate() {
                *out = binomial(a[x], b[x], c[x], d[x], e[x]);
            }
        }
        for (out, row) in self.samples.chunks_exact_mut(width).zip(scratch.chunks_exact(width)) {
            for (sample, w) in out[2..].iter_mut().zip(row.windows(5)) {
                *sample = binomial(w[0], w[1], w[2], w[3], w[4]);
            }
            let at = |i: isize| row[i.clamp(0, width as isize - 1) as usize];
            for x in [0, 1, width as isize - 2, width as isize - 1] {
                out[x as usize] = binomial(at(x - 2), at(x - 1), at(x), at(x + 1), at(x + 2));
            }
        }
    }
}

fn binomial(a: f32, b: f32, c: f32, d: f32, e: f32) -> f32 {
    (a + e + 4.0 * (b + d) + 6.0 * c) * (1.0 / 16.0)
}

fn sum_groups<const N: usize>(columns: &[u16], out: &mut [f32], share: f32) {
    for (sample, group) in out.iter_mut().zip(columns.as_chunks::<N>().0) {
        *sample = group.iter().map(|&v| u32::from(v)).sum::<u32>() as f32 * share;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reducing_is_the_mean_of_each_box(
            pixels in proptest::collection::vec(any::<u8>(), 40 * 30), factor in 1usize..9, width in 1usize..41,
        ) {
            let picture = Plane::new(&pixels, width, 30, 40).unwrap();
            let mut small = SmallPicture::default();
            small.reduce(picture, factor);
            prop_assert_eq!((small.width, small.height), (width / factor, 30 / factor));
            for y in 0..small.height {
                for x in 0..small.width {
                    let boxed = (0..factor * factor)
                        .map(|i| f64::from(picture.row(y * factor + i / factor)[x * factor + i % factor]));
                    let mean = boxed.sum::<f64>() / (factor * factor) as f64;
                    prop_assert!((f64::from(small.samples[y * small.width + x]) - mean).abs() < 1e-3);
                }
            }
        }

        #[test]
        fn smoothing_is_the_binomial_with_repeated_edges(
            samples in proptest::collection::vec(0.0f32..255.0, 63), width in prop::sample::select(vec![7usize, 9]),
        ) {
            let height = 63 / width;
            let mut small = SmallPicture { width, height, samples: samples.clone(), columns: Vec::new() };
            small.smooth(&mut Vec::new());
            let kernel = [1.0, 4.0, 6.0, 4.0, 1.0f32];
            for y in 0..height {
                for x in 0..width {
                    let mut sum = 0.0;
                    for (j, ky) in kernel.iter().enumerate() {
                        for (i, kx) in kernel.iter().enumerate() {
                            let sy = (y + j).saturating_sub(2).min(height - 1);
                            let sx = (x + i).saturating_sub(2).min(width - 1);
                            sum += ky * kx * samples[sy * width + sx] / 256.0;
                        }
                    }
                    prop_assert!((small.samples[y * width + x] - sum).abs() < 1e-2);
                }
            }
        }
    }

    #[test]
    fn halving_keeps_the_mean_of_four() {
        let other = SmallPicture { width: 5, height: 2, samples: (0..10).map(|v| v as f32).collect(), columns: vec![] };
        let mut half = SmallPicture::default();
        half.halve(&other);
        assert_eq!((half.width, half.height, half.samples.as_slice()), (2, 1, &[3.0, 5.0][..]));
    }
}
