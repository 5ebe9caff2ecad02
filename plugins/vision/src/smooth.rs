//! Smoothing of flattened pictures: binomial kernels on 16-bit planes, Gaussians and box means on small float planes.
//!
//! The 16-bit kernels take values within ±[`LIMIT`], so that eight pixels fit a vector register without overflow; see
//! [`crate::flatten`] for the unit. Edges repeat the outermost pixel. Called by the detectors.

use multiversion::multiversion;

use crate::flatten::UNIT;

/// Largest magnitude the 16-bit kernels take: sixteen of these still fit an `i16`.
pub const LIMIT: i16 = 2047;

/// Two passes of `1 4 6 4 1` / 16: a Gaussian of standard deviation 1 pixel. `column` is a buffer.
pub fn binomial5(src: &[i16], width: usize, column: &mut Vec<i16>, dst: &mut Vec<i16>) {
    let height = src.len().checked_div(width).unwrap_or(0);
    dst.resize(src.len(), 0);
    // Two repeated pixels on each side.
    column.resize(width + 4, 0);
    for y in 0..height {
        let row = |dy: isize| {
            let v = (y as isize + dy).clamp(0, height as isize - 1) as usize;
            &src[v * width..][..width]
        };
        binomial_row([row(-2), row(-1), row(0), row(1), row(2)], column, &mut dst[y * width..][..width]);
    }
}

/// One row of it from the five around it.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn binomial_row(rows: [&[i16]; 5], column: &mut [i16], out: &mut [i16]) {
    // Rounding by 8 / 16 keeps the mean: truncation would shift it by half a unit a pass.
    let weigh = |a: i16, b: i16, c: i16, d: i16, e: i16| (a + e + 4 * (b + d) + 6 * c + 8) >> 4;
    let n = out.len();
    let [a, b, c, d, e] = rows.map(|row| &row[..n]);
    let inner = &mut column[2..n + 2];
    for x in 0..n {
        inner[x] = weigh(a[x], b[x], c[x], d[x], e[x]);
    }
    let (first, last) = (inner[0], inner[n - 1]);
    column[..2].fill(first);
    column[n + 2..].fill(last);
    let (a, b, c) = (&column[..n], &column[1..][..n], &column[2..][..n]);
    let (d, e) = (&column[3..][..n], &column[4..][..n]);
    for x in 0..n {
        out[x] = weigh(a[x], b[x], c[x], d[x], e[x]);
    }
}

/// Half the size of a gray 8-bit picture as a plane: what [`halve`] makes of its levels in [`UNIT`]s, in one stride.
pub fn halve_gray(gray: &[u8], width: usize, dst: &mut Vec<i16>) -> (usize, usize) {
    let height = gray.len().checked_div(width).unwrap_or(0);
    let (w, h) = (width.div_ceil(2), height.div_ceil(2));
    dst.resize(w * h, 0);
    for (y, out) in dst.chunks_exact_mut(w.max(1)).enumerate() {
        let top = &gray[2 * y * width..][..width];
        let bottom = &gray[(2 * y + 1).min(height - 1) * width..][..width];
        let pairs = width / 2;
        halve_gray_row(top, bottom, &mut out[..pairs]);
        if w > pairs {
            out[pairs] = (i16::from(top[width - 1]) + i16::from(bottom[width - 1])) * (UNIT / 2);
        }
    }
    (w, h)
}

#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn halve_gray_row(top: &[u8], bottom: &[u8], out: &mut [i16]) {
    let (top, bottom) = (top.as_chunks::<2>().0, bottom.as_chunks::<2>().0);
    for ((o, a), b) in out.iter_mut().zip(top).zip(bottom) {
        let sum = i16::from(a[0]) + i16::from(a[1]) + i16::from(b[0]) + i16::from(b[1]);
        *o = sum * (UNIT / 4);
    }
}

/// Halves both sides: each pixel is the mean of the four it covers (an odd last row or column repeats).
pub fn halve(src: &[i16], width: usize, dst: &mut Vec<i16>) -> (usize, usize) {
    let height = src.len().checked_div(width).unwrap_or(0);
    let (w, h) = (width.div_ceil(2), height.div_ceil(2));
    dst.resize(w * h, 0);
    for (y, out) in dst.chunks_exact_mut(w.max(1)).enumerate() {
        let top = &src[2 * y * width..][..width];
        let bottom = &src[(2 * y + 1).min(height - 1) * width..][..width];
        let pairs = width / 2;
        halve_row(top, bottom, &mut out[..pairs]);
        if w > pairs {
            out[pairs] = ((i32::from(top[width - 1]) + i32::from(bottom[width - 1]) + 1) >> 1) as i16;
        }
    }
    (w, h)
}

#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn halve_row(top: &[i16], bottom: &[i16], out: &mut [i16]) {
    let (top, bottom) = (top.as_chunks::<2>().0, bottom.as_chunks::<2>().0);
    for ((o, a), b) in out.iter_mut().zip(top).zip(bottom) {
        *o = ((i32::from(a[0]) + i32::from(a[1]) + i32::from(b[0]) + i32::from(b[1]) + 2) >> 2) as i16;
    }
}

/// Half of a sampled Gaussian from its middle out, summing to 1 over both halves; reaches three standard deviations.
#[must_use]
pub fn gaussian_taps(sigma: f32) -> Vec<f32> {
    let reach = (3.0 * sigma).ceil().max(1.0) as usize;
    let mut taps: Vec<f32> = (0..=reach).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
    let sum = taps[0] + 2.0 * taps[1..].iter().sum::<f32>();
    taps.iter_mut().for_each(|tap| *tap /= sum);
    taps
}

/// Separable smoothing of a float plane in place with the half kernel `taps` (see [`gaussian_taps`]).
pub fn smooth_plane(plane: &mut [f32], width: usize, taps: &[f32], buffer: &mut Vec<f32>) {
    let height = plane.len().checked_div(width).unwrap_or(0);
    buffer.resize(plane.len(), 0.0);
    for y in 0..height {
        let out = &mut buffer[y * width..][..width];
        out.iter_mut().zip(&plane[y * width..]).for_each(|(o, v)| *o = v * taps[0]);
        for (k, tap) in taps.iter().enumerate().skip(1) {
            let above = &plane[y.saturating_sub(k) * width..][..width];
            let below = &plane[(y + k).min(height - 1) * width..][..width];
            for ((o, a), b) in out.iter_mut().zip(above).zip(below) {
                *o += tap * (a + b);
            }
        }
    }
    for (row, out) in buffer.chunks_exact(width.max(1)).zip(plane.chunks_exact_mut(width.max(1))) {
        for (x, o) in out.iter_mut().enumerate() {
            let mut sum = row[x] * taps[0];
            for (k, tap) in taps.iter().enumerate().skip(1) {
                sum += tap * (row[x.saturating_sub(k)] + row[(x + k).min(width - 1)]);
            }
            *o = sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(src: &[i16], width: usize, x: isize, y: isize) -> f64 {
        let height = (src.len() / width) as isize;
        f64::from(src[y.clamp(0, height - 1) as usize * width + x.clamp(0, width as isize - 1) as usize])
    }

    proptest! {
        #[test]
        fn binomial_agrees_with_the_plain_sum(
            (src, width) in (1..30usize, 1..20usize).prop_flat_map(|(w, h)|
                (proptest::collection::vec(-LIMIT..=LIMIT, w * h), Just(w))),
        ) {
            let (mut rows, mut out) = (Vec::new(), Vec::new());
            binomial5(&src, width, &mut rows, &mut out);
            let taps = [1.0, 4.0, 6.0, 4.0, 1.0];
            for (i, got) in out.iter().enumerate() {
                let (x, y) = ((i % width) as isize, (i / width) as isize);
                let mut sum = 0.0;
                for (v, a) in taps.iter().enumerate() {
                    for (u, b) in taps.iter().enumerate() {
                        sum += a * b * at(&src, width, x + u as isize - 2, y + v as isize - 2);
                    }
                }
                // One rounding a pass.
                prop_assert!((f64::from(*got) - sum / 256.0).abs() <= 1.01, "{got} against {}", sum / 256.0);
            }
        }

        #[test]
        fn halving_a_gray_picture_is_halving_its_plane(
            (gray, width) in (1..30usize, 1..20usize).prop_flat_map(|(w, h)|
                (proptest::collection::vec(any::<u8>(), w * h), Just(w))),
        ) {
            let (mut whole, mut direct) = (Vec::new(), Vec::new());
            let plane: Vec<i16> = gray.iter().map(|level| i16::from(*level) * UNIT).collect();
            let size = halve(&plane, width, &mut whole);
            prop_assert_eq!(halve_gray(&gray, width, &mut direct), size);
            prop_assert_eq!(direct, whole);
        }

        #[test]
        fn halving_keeps_a_constant_and_the_mean(value in -LIMIT..=LIMIT, w in 1..20usize, h in 1..20usize) {
            let mut out = Vec::new();
            let (ow, oh) = halve(&vec![value; w * h], w, &mut out);
            prop_assert_eq!((ow, oh), (w.div_ceil(2), h.div_ceil(2)));
            prop_assert!(out.iter().all(|v| *v == value));
        }

        #[test]
        fn a_smoothed_point_is_the_kernel(sigma in 0.6..3.0f32) {
            let (w, mut plane, mut buffer) = (41, vec![0.0; 41 * 41], Vec::new());
            plane[20 * w + 20] = 1.0;
            let taps = gaussian_taps(sigma);
            smooth_plane(&mut plane, w, &taps, &mut buffer);
            for (k, tap) in taps.iter().enumerate() {
                prop_assert!((plane[20 * w + 20 + k] - taps[0] * tap).abs() < 1e-6);
                prop_assert!((plane[(20 - k) * w + 20] - taps[0] * tap).abs() < 1e-6);
            }
            prop_assert!((plane.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        }
    }
}
