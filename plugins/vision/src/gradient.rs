//! Local responses of an 8-bit picture, a row at a time: Sobel gradient, Laplacian, variance of the neighbourhood.
//!
//! Everything is integer and exact. Borders are mirrored about the outermost pixel (`reflect_101`), kernels are the
//! 3 x 3 ones that OpenCV calls `Sobel(ksize=3)` and `Laplacian(ksize=1)`. Called by measure-trend and measure-intensity.

use crate::plane::Gray;

/// One row of responses, and the buffers behind it.
#[derive(Debug, Default)]
pub struct RowResponses {
    /// Squared gradient magnitude, gx² + gy², at most 2 * 1020².
    pub gradient_squared: Vec<i32>,
    /// The Laplacian, -1020 to 1020.
    pub laplacian: Vec<i32>,
    /// 81 times the population variance of the 3 x 3 neighbourhood.
    pub variance_81: Vec<i32>,
    /// Column sums with weights 1 2 1, differences, plain sums and squares, each padded by one mirrored sample a side.
    smooth: Vec<i16>,
    difference: Vec<i16>,
    sum: Vec<i16>,
    square: Vec<i32>,
}

impl RowResponses {
    /// Computes row `y`.
    ///
    /// # Panics
    /// If there is no such row, as slicing does.
    pub fn compute(&mut self, picture: Gray<'_>, y: usize) {
        let (width, last) = (picture.width(), picture.height() - 1);
        let upper = picture.row(if y > 0 { y - 1 } else { 1.min(last) });
        let lower = picture.row(if y < last { y + 1 } else { last.saturating_sub(1) });
        let middle = picture.row(y);
        for buffer in [&mut self.smooth, &mut self.difference, &mut self.sum] {
            buffer.resize(width + 2, 0);
        }
        for buffer in [&mut self.gradient_squared, &mut self.laplacian, &mut self.variance_81] {
            buffer.resize(width, 0);
        }
        self.square.resize(width + 2, 0);
        columns(upper, middle, lower, &mut self.smooth[1..], |a, b, c| a + 2 * b + c);
        columns(upper, middle, lower, &mut self.difference[1..], |a, _, c| c - a);
        columns(upper, middle, lower, &mut self.sum[1..], |a, b, c| a + b + c);
        for (out, ((&a, &b), &c)) in self.square[1..].iter_mut().zip(upper.iter().zip(middle).zip(lower)) {
            let square = |v: u8| i32::from(u16::from(v) * u16::from(v));
            *out = square(a) + square(b) + square(c);
        }
        mirror(&mut self.smooth);
        mirror(&mut self.difference);
        mirror(&mut self.sum);
        mirror(&mut self.square);

        let (s, d) = (&self.smooth[..width + 2], &self.difference[..width + 2]);
        for (x, out) in self.gradient_squared.iter_mut().enumerate() {
            let gx = i32::from(s[x + 2] - s[x]);
            let gy = i32::from(d[x] + 2 * d[x + 1] + d[x + 2]);
            *out = gx * gx + gy * gy;
        }
        // The Laplacian is the plain sums' cross minus what is counted too often: left + right + above + below - 4 here.
        let sides = |x: usize| -> i32 {
            let left = middle[if x > 0 { x - 1 } else { 1.min(width - 1) }];
            let right = middle[if x + 1 < width { x + 1 } else { width.saturating_sub(2) }];
            i32::from(left) + i32::from(right)
        };
        let t = &self.sum[..width + 2];
        for (x, out) in self.laplacian.iter_mut().enumerate().take(width).skip(1) {
            if x + 1 < width {
                let across = i32::from(middle[x - 1]) + i32::from(middle[x + 1]);
                *out = i32::from(t[x + 1]) + across - 5 * i32::from(middle[x]);
            }
        }
        for x in [0, width - 1] {
            self.laplacian[x] = i32::from(t[x + 1]) + sides(x) - 5 * i32::from(middle[x]);
        }
        let q = &self.square[..width + 2];
        for (x, out) in self.variance_81.iter_mut().enumerate() {
            let sum = i32::from(t[x] + t[x + 1] + t[x + 2]);
            *out = 9 * (q[x] + q[x + 1] + q[x + 2]) - sum * sum;
        }
    }
}

fn columns(upper: &[u8], middle: &[u8], lower: &[u8], out: &mut [i16], combine: impl Fn(i16, i16, i16) -> i16) {
    for (out, ((&a, &b), &c)) in out.iter_mut().zip(upper.iter().zip(middle).zip(lower)) {
        *out = combine(i16::from(a), i16::from(b), i16::from(c));
    }
}

/// Fills the padding on both sides.
fn mirror<T: Copy>(padded: &mut [T]) {
    let last = padded.len() - 1;
    padded[0] = padded[2.min(last - 1)];
    padded[last] = padded[last.saturating_sub(2).max(1)];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::Plane;
    use proptest::prelude::*;

    fn reflect(i: isize, n: usize) -> usize {
        let last = n as isize - 1;
        let i = i.abs();
        (if i > last { 2 * last - i } else { i }).max(0) as usize
    }

    proptest! {
        #[test]
        fn rows_are_what_the_kernels_say(
            pixels in proptest::collection::vec(any::<u8>(), 12 * 9), width in 1usize..13, height in 1usize..10,
        ) {
            let picture = Plane::new(&pixels, width, height, 12).unwrap();
            let at = |x: usize, y: usize, dx: isize, dy: isize| {
                i32::from(picture.row(reflect(y as isize + dy, height))[reflect(x as isize + dx, width)])
            };
            let mut row = RowResponses::default();
            for y in 0..height {
                row.compute(picture, y);
                for x in 0..width {
                    let near = |dx, dy| at(x, y, dx, dy);
                    let gx = near(1, -1) + 2 * near(1, 0) + near(1, 1) - near(-1, -1) - 2 * near(-1, 0) - near(-1, 1);
                    let gy = near(-1, 1) + 2 * near(0, 1) + near(1, 1) - near(-1, -1) - 2 * near(0, -1) - near(1, -1);
                    prop_assert_eq!(row.gradient_squared[x], gx * gx + gy * gy);
                    let laplacian = near(-1, 0) + near(1, 0) + near(0, -1) + near(0, 1) - 4 * near(0, 0);
                    prop_assert_eq!(row.laplacian[x], laplacian);
                    let all: Vec<i32> = (-1..2).flat_map(|dy| (-1..2).map(move |dx| (dx, dy)))
                        .map(|(dx, dy)| near(dx, dy)).collect();
                    let (sum, squares) = (all.iter().sum::<i32>(), all.iter().map(|v| v * v).sum::<i32>());
                    prop_assert_eq!(row.variance_81[x], 9 * squares - sum * sum);
                }
            }
        }
    }
}
