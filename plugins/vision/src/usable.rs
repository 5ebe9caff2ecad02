//! Which pixels of a capture a detector may judge: those of the end face, clear of frame bars and the picture's border.
//!
//! Segmenters give frame bars no label, but not all of them see every bar, so dark bars are looked for here as well.
//! Called by the detectors.

use multiversion::multiversion;

use crate::rank::{Extreme, RankBuffers, extreme_filter};

/// Pixels kept clear of everything unusable: a sharpened edge rings this far.
const CLEAR: usize = 4;

/// Buffers of [`Usable::find`], and its answer.
#[derive(Debug, Clone, Default)]
pub struct Usable {
    raw: Vec<u8>,
    buffers: RankBuffers<u8>,
    sorted: Vec<u8>,
    /// 1 where a pixel may be judged, else 0.
    pub mask: Vec<u8>,
}

impl Usable {
    /// Finds the usable pixels. `labels` holds 0 for pixels of no zone.
    pub fn find(&mut self, gray: &[u8], labels: &[u8], width: usize) {
        labelled(labels, &mut self.raw);
        let height = gray.len() / width;
        let [left, top, right, bottom] = self.inside_of_bars(gray, width);
        for (y, row) in self.raw.chunks_exact_mut(width).enumerate() {
            if y < top || y >= bottom {
                row.fill(0);
            } else {
                row[..left].fill(0);
                row[right..].fill(0);
            }
        }
        extreme_filter(&self.raw, width, CLEAR, Extreme::Min, &mut self.buffers, &mut self.mask);
        // The picture's own border has half a neighbourhood only.
        for (y, row) in self.mask.chunks_exact_mut(width).enumerate() {
            if y < 2 || y + 2 >= height {
                row.fill(0);
            }
            let edge = 2.min(width);
            row[..edge].fill(0);
            row[width - edge..].fill(0);
        }
    }

    /// The mask of a picture of half the size, after [`Self::find`].
    pub fn halve(&self, width: usize, half: &mut Vec<u8>) {
        let columns = width.div_ceil(2);
        half.resize(columns * self.mask.len().div_ceil(width.max(1)).div_ceil(2), 0);
        for (row, out) in self.mask.chunks_exact(width).step_by(2).zip(half.chunks_exact_mut(columns)) {
            every_second(row, out);
        }
    }

    /// Left, top, right and bottom of the picture without bars at its sides: rows and columns far darker than it, within
    /// a twelfth of its size from the side.
    fn inside_of_bars(&mut self, gray: &[u8], width: usize) -> [usize; 4] {
        let height = gray.len() / width;
        self.sorted.clear();
        self.sorted.extend(gray.iter().step_by(97));
        let middle = self.sorted.len() / 2;
        let level = f32::from(*self.sorted.select_nth_unstable(middle).1) * 0.5;
        let rows = |y: usize| {
            let row = &gray[y * width + width / 4..y * width + (3 * width / 4).max(width / 4 + 1)];
            sum(row) as f32 / row.len() as f32 > level
        };
        let columns = |x: usize| {
            let span = (height / 4..(3 * height / 4).max(height / 4 + 1)).step_by(4);
            let n = span.len() as f32;
            span.map(|y| f32::from(gray[y * width + x])).sum::<f32>() / n > level
        };
        let (left, right) = lit(width, columns);
        let (top, bottom) = lit(height, rows);
        [left, top, right, bottom]
    }
}

#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn every_second(row: &[u8], out: &mut [u8]) {
    let (pairs, last) = row.as_chunks::<2>();
    out.iter_mut().zip(pairs).for_each(|(o, pair)| *o = pair[0]);
    if let ([last], Some(o)) = (last, out.last_mut()) {
        *o = *last;
    }
}

/// 1 for pixels of a zone.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn labelled(labels: &[u8], mask: &mut Vec<u8>) {
    mask.resize(labels.len(), 0);
    mask.iter_mut().zip(labels).for_each(|(m, label)| *m = u8::from(*label != 0));
}

#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn sum(samples: &[u8]) -> u32 {
    samples.iter().map(|g| u32::from(*g)).sum()
}

/// The stretch of `0 .. size` between the dark margins at either end.
fn lit(size: usize, is_lit: impl Fn(usize) -> bool) -> (usize, usize) {
    let margin = size / 12;
    let low = (0..margin).rev().find(|i| !is_lit(*i)).map_or(0, |i| i + 1);
    let high = (size - margin..size).find(|i| !is_lit(*i)).unwrap_or(size);
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_borders_and_unlabelled_pixels_are_not_usable() {
        let (w, h) = (200, 120);
        let mut gray = vec![150; w * h];
        for y in 0..h {
            gray[y * w..y * w + 9].fill(12);
        }
        let mut labels = vec![4; w * h];
        labels[60 * w + 100] = 0;
        let mut usable = Usable::default();
        usable.find(&gray, &labels, w);
        let at = |x: usize, y: usize| usable.mask[y * w + x];
        assert_eq!((at(12, 60), at(13, 60)), (0, 1), "four pixels clear of the bar");
        assert_eq!((at(104, 60), at(105, 60)), (0, 1), "four pixels clear of the unlabelled one");
        assert_eq!((at(50, 1), at(50, 2), at(197, 50), at(198, 50)), (0, 1, 1, 0));
    }

    #[test]
    fn a_dark_picture_has_no_bars() {
        let mut usable = Usable::default();
        usable.find(&[3; 100 * 100], &[4; 100 * 100], 100);
        assert_eq!(usable.mask.iter().map(|v| usize::from(*v)).sum::<usize>(), 96 * 96);
    }
}
