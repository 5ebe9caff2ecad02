//! Local responses of an 8-bit picture, a row at a time: Sobel gradient, Laplacian, variance of the neighbourhood.
//!
//! Everything is integer and exact. Borders are mirrored about the outermost pixel (`reflect_101`), kernels are the
//! 3 x 3 ones that OpenCV calls `Sobel(ksize=3)` and `Laplacian(ksize=1)`. Called by measure-trend and measure-intensity.

use multiversion::multiversion;

use crate::plane::Gray;

/// One row of responses, and the buffers behind it.
#[derive(Debug, Default)]
pub struct RowResponses {
    /// Squared gradient magnitude, gx² + gy², at most 2 * 1020².
    pub gradient_squared: Vec<i32>,
    /// The Laplacian, -1020 to 1020.
    pub laplacian: Vec<i16>,
    /// 81 times the population variance of the 3 x 3 neighbourhood.
    pub variance_81: Vec<i32>,
    /// Column sums with weights 1 2 1, differences, plain sums, the row itself and squares, each padded by one mirrored sample a side.
    smooth: Vec<i16>,
    difference: Vec<i16>,
    sum: Vec<i16>,
    middle: Vec<i16>,
    square: Vec<i32>,
}

impl RowResponses {
    /// Computes row `y`.
    ///
    /// # Panics
    /// If there is no such row, as slicing does.
    pub fn compute(&mut self, picture: Gray<'_>, y: usize) {
        let last = picture.height() - 1;
        let upper = picture.row(if y > 0 { y - 1 } else { 1.min(last) });
        let lower = picture.row(if y < last { y + 1 } else { last.saturating_sub(1) });
        let middle = picture.row(y);
        respond(upper, middle, lower, self);
    }
}

#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn respond(upper: &[u8], middle: &[u8], lower: &[u8], row: &mut RowResponses) {
    let width = middle.len();
    for buffer in [&mut row.smooth, &mut row.difference, &mut row.sum, &mut row.middle] {
        buffer.resize(width + 2, 0);
    }
    row.gradient_squared.resize(width, 0);
    row.variance_81.resize(width, 0);
    row.laplacian.resize(width, 0);
    row.square.resize(width + 2, 0);
    columns(
        [upper, middle, lower],
        [
            &mut row.smooth[1..=width],
            &mut row.difference[1..=width],
            &mut row.sum[1..=width],
            &mut row.middle[1..=width],
        ],
        &mut row.square[1..=width],
    );
    mirror(&mut row.smooth);
    mirror(&mut row.difference);
    mirror(&mut row.sum);
    mirror(&mut row.middle);
    mirror(&mut row.square);

    // Everything is kept in 16 bits until it is squared: compilers then multiply eight at a time.
    let square = |v: i16| i32::from(v) * i32::from(v);
    let (s, d) = (row.smooth.as_slice(), row.difference.as_slice());
    let across = s.iter().zip(&s[2..]);
    let down = d.iter().zip(&d[1..]).zip(&d[2..]);
    for (out, ((s0, s2), ((d0, d1), d2))) in row.gradient_squared.iter_mut().zip(across.zip(down)) {
        *out = square(s2 - s0) + square(d0 + 2 * d1 + d2);
    }
    // The plain column sum holds above, here and below; left and right are missing, here counts five times too often.
    let (t, b) = (row.sum.as_slice(), row.middle.as_slice());
    let across = b.iter().zip(&b[1..]).zip(&b[2..]);
    for (out, (sum, ((b0, b1), b2))) in row.laplacian.iter_mut().zip(t[1..].iter().zip(across)) {
        *out = sum + b0 + b2 - 5 * b1;
    }
    let q = row.square.as_slice();
    let sums = t.iter().zip(&t[1..]).zip(&t[2..]);
    let squares = q.iter().zip(&q[1..]).zip(&q[2..]);
    for (out, (((t0, t1), t2), ((q0, q1), q2))) in row.variance_81.iter_mut().zip(sums.zip(squares)) {
        *out = 9 * (q0 + q1 + q2) - square(t0 + t1 + t2);
    }
}

/// What each column of three pixels gives: sum with weights 1 2 1, difference, plain sum, middle; and sum of squares.
#[inline(always)]
fn columns(rows: [&[u8]; 3], [smooth, difference, sum, middle]: [&mut [i16]; 4], squares: &mut [i32]) {
    let n = squares.len();
    let [a, b, c] = rows.map(|row| &row[..n]);
    let (smooth, difference, sum, middle) = (&mut smooth[..n], &mut difference[..n], &mut sum[..n], &mut middle[..n]);
    let square = |v: i16| i32::from(v) * i32::from(v);
    for x in 0..n {
        let (a, b, c) = (i16::from(a[x]), i16::from(b[x]), i16::from(c[x]));
        (smooth[x], difference[x], sum[x], middle[x]) = (a + 2 * b + c, c - a, a + b + c, b);
        squares[x] = square(a) + square(b) + square(c);
    }
}

/// Fills the padding on both sides.
#[inline(always)]
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
                    prop_assert_eq!(i32::from(row.laplacian[x]), laplacian);
                    let all: Vec<i32> = (-1..2).flat_map(|dy| (-1..2).map(move |dx| (dx, dy)))
                        .map(|(dx, dy)| near(dx, dy)).collect();
                    let (sum, squares) = (all.iter().sum::<i32>(), all.iter().map(|v| v * v).sum::<i32>());
                    prop_assert_eq!(row.variance_81[x], 9 * squares - sum * sum);
                }
            }
        }
    }
}
