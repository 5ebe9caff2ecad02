//! Rank filters over square windows: local maximum, local minimum, median of nine.
//!
//! Maximum and minimum cost the same for every window size: down the columns by van Herk's and Gil and Werman's block
//! scheme (van Herk, Pattern Recognition Letters 13, 1992), along the rows by doubling, which is a handful of vector
//! operations. Windows are cut at the picture's edge. Called by the detectors; never allocates but for the buffers given.

use multiversion::multiversion;

/// Which extreme of the window is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extreme {
    Max,
    Min,
}

/// Buffers of [`extreme_filter`], kept between pictures.
#[derive(Debug, Clone, Default)]
pub struct RankBuffers<T> {
    rows: Vec<T>,
    suffix: Vec<T>,
    prefix: Vec<T>,
    line: Vec<T>,
}

/// Local maximum or minimum of `src` over `(2 · radius + 1)²` pixels, into `dst` (resized to fit).
pub fn extreme_filter<T: Ord + Copy>(
    src: &[T],
    width: usize,
    radius: usize,
    extreme: Extreme,
    buffers: &mut RankBuffers<T>,
    dst: &mut Vec<T>,
) {
    match extreme {
        Extreme::Max => filter(src, width, radius, |a, b| a.max(b), buffers, dst),
        Extreme::Min => filter(src, width, radius, |a, b| a.min(b), buffers, dst),
    }
}

#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn filter<T: Ord + Copy>(
    src: &[T],
    width: usize,
    radius: usize,
    pick: impl Fn(T, T) -> T + Copy,
    buffers: &mut RankBuffers<T>,
    dst: &mut Vec<T>,
) {
    dst.clear();
    dst.extend_from_slice(src);
    if radius == 0 || src.is_empty() {
        return;
    }
    along_rows(src, width, radius, pick, buffers);
    down_columns(width, radius, pick, buffers, dst);
}

/// Row pass into `buffers.rows`: windows of 1, 2, 4 … pixels, then two overlapping ones make the one wanted.
#[inline(always)]
fn along_rows<T: Ord + Copy>(
    src: &[T],
    width: usize,
    radius: usize,
    pick: impl Fn(T, T) -> T + Copy,
    buffers: &mut RankBuffers<T>,
) {
    let window = 2 * radius + 1;
    let power = 1 << window.ilog2();
    let RankBuffers { rows, line, .. } = buffers;
    rows.clear();
    rows.extend_from_slice(src);
    for (row, out) in src.chunks_exact(width).zip(rows.chunks_exact_mut(width)) {
        // Repeating the edge's pixel does not change an extreme of the window cut there.
        line.clear();
        line.extend(std::iter::repeat_n(row[0], radius));
        line.extend_from_slice(row);
        line.extend(std::iter::repeat_n(row[width - 1], radius + power));
        let mut step = 1;
        while step < power {
            let reach = line.len() - step;
            for i in 0..reach {
                line[i] = pick(line[i], line[i + step]);
            }
            step *= 2;
        }
        let far = &line[window - power..];
        for (o, (a, b)) in out.iter_mut().zip(line.iter().zip(far)) {
            *o = pick(*a, *b);
        }
    }
}

/// Column pass from `buffers.rows` into `dst`: blocks of a window's height with running extremes from either end.
#[inline(always)]
fn down_columns<T: Ord + Copy>(
    width: usize,
    radius: usize,
    pick: impl Fn(T, T) -> T + Copy,
    buffers: &mut RankBuffers<T>,
    dst: &mut [T],
) {
    let window = 2 * radius + 1;
    let RankBuffers { rows, suffix, prefix, .. } = buffers;
    let height = rows.len() / width;
    let row = |y: usize| &rows[y.min(height - 1) * width..][..width];
    suffix.resize(window * width, rows[0]);
    prefix.resize(width, rows[0]);
    // Output rows `start ..` use the block that begins `radius` above them and the one after it.
    for start in (0..height).step_by(window) {
        let above = |k: usize| row((start + k).saturating_sub(radius));
        suffix[(window - 1) * width..].copy_from_slice(above(window - 1));
        for k in (0..window - 1).rev() {
            let (head, tail) = suffix.split_at_mut((k + 1) * width);
            for ((s, below), value) in head[k * width..].iter_mut().zip(&*tail).zip(above(k)) {
                *s = pick(*below, *value);
            }
        }
        for k in 0..window.min(height - start) {
            let out = &mut dst[(start + k) * width..][..width];
            let upper = &suffix[k * width..][..width];
            if k == 0 {
                out.copy_from_slice(upper);
                continue;
            }
            let entering = row((start + k + window - 1).saturating_sub(radius));
            if k == 1 {
                prefix.copy_from_slice(entering);
            } else {
                for (p, value) in prefix.iter_mut().zip(entering) {
                    *p = pick(*p, *value);
                }
            }
            for ((o, a), b) in out.iter_mut().zip(upper).zip(&*prefix) {
                *o = pick(*a, *b);
            }
        }
    }
}

/// Median of each pixel and its eight neighbours, by a sorting network; the outermost pixels are copied.
pub fn median3<T: Ord + Copy>(src: &[T], width: usize, dst: &mut Vec<T>) {
    dst.clear();
    dst.extend_from_slice(src);
    let height = src.len().checked_div(width).unwrap_or(0);
    if width < 3 || height < 3 {
        return;
    }
    for y in 1..height - 1 {
        let above = &src[(y - 1) * width..][..width];
        let here = &src[y * width..][..width];
        let below = &src[(y + 1) * width..][..width];
        let out = &mut dst[y * width + 1..][..width - 2];
        for (x, o) in out.iter_mut().enumerate() {
            // Columns sorted first, then the largest low, the middle of the middles and the smallest high (Paeth, 1990).
            let (l0, m0, h0) = sort3(above[x], here[x], below[x]);
            let (l1, m1, h1) = sort3(above[x + 1], here[x + 1], below[x + 1]);
            let (l2, m2, h2) = sort3(above[x + 2], here[x + 2], below[x + 2]);
            let low = l0.max(l1).max(l2);
            let (_, middle, _) = sort3(m0, m1, m2);
            let high = h0.min(h1).min(h2);
            *o = sort3(low, middle, high).1;
        }
    }
}

#[inline(always)]
fn sort3<T: Ord + Copy>(a: T, b: T, c: T) -> (T, T, T) {
    let (low, high) = (a.min(b), a.max(b));
    let (high, top) = (high.min(c), high.max(c));
    (low.min(high), low.max(high), top)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window(src: &[u8], width: usize, x: usize, y: usize, radius: usize) -> Vec<u8> {
        let height = src.len() / width;
        let rows = y.saturating_sub(radius)..(y + radius + 1).min(height);
        let columns = x.saturating_sub(radius)..(x + radius + 1).min(width);
        rows.flat_map(|v| columns.clone().map(move |u| (u, v))).map(|(u, v)| src[v * width + u]).collect()
    }

    fn picture() -> impl Strategy<Value = (Vec<u8>, usize)> {
        (1..40usize, 1..40usize).prop_flat_map(|(w, h)| (proptest::collection::vec(any::<u8>(), w * h), Just(w)))
    }

    proptest! {
        #[test]
        fn extremes_are_those_of_the_window((src, width) in picture(), radius in 0..9usize) {
            let (mut buffers, mut max, mut min) = (RankBuffers::default(), Vec::new(), Vec::new());
            extreme_filter(&src, width, radius, Extreme::Max, &mut buffers, &mut max);
            extreme_filter(&src, width, radius, Extreme::Min, &mut buffers, &mut min);
            for i in 0..src.len() {
                let values = window(&src, width, i % width, i / width, radius);
                prop_assert_eq!(Some(&max[i]), values.iter().max());
                prop_assert_eq!(Some(&min[i]), values.iter().min());
            }
        }

        #[test]
        fn median_is_the_fifth_of_nine((src, width) in picture()) {
            let mut out = Vec::new();
            median3(&src, width, &mut out);
            for i in 0..src.len() {
                let mut values = window(&src, width, i % width, i / width, 1);
                values.sort_unstable();
                prop_assert_eq!(out[i], if values.len() == 9 { values[4] } else { src[i] });
            }
        }
    }
}
