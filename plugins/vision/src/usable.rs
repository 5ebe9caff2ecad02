//! Which pixels of a capture a detector may judge: those of the end face, clear of frame bars and the picture's border.
//!
//! Segmenters give frame bars no label, but not all of them see every bar, so dark bars are looked for here as well.
//! Called by the detectors.

use multiversion::multiversion;

/// Pixels kept clear of everything unusable: a sharpened edge rings this far.
const CLEAR: usize = 4;
/// Pixels at the picture's own border that have half a neighbourhood only.
const BORDER: usize = 2;

/// Buffers of [`Usable::find`], and its answer.
#[derive(Debug, Clone, Default)]
pub struct Usable {
    sorted: Vec<u8>,
    /// 1 where a pixel may be judged, else 0.
    pub mask: Vec<u8>,
}

impl Usable {
    /// Finds the usable pixels. `labels` holds 0 for pixels of no zone.
    pub fn find(&mut self, gray: &[u8], labels: &[u8], width: usize) {
        self.mask.resize(labels.len(), 1);
        self.mask.fill(1);
        if width == 0 {
            return;
        }
        let height = gray.len() / width;
        let [left, top, right, bottom] = self.inside_of_bars(gray, width);
        // What is clear of the bars, or half a neighbourhood from the picture's own border.
        let inset = |at: usize| if at > 0 { at + CLEAR } else { BORDER };
        let outset =
            |at: usize, size: usize| if at < size { at.saturating_sub(CLEAR) } else { size - BORDER.min(size) };
        let (right, bottom) = (outset(right, width), outset(bottom, height));
        let (left, top) = (inset(left).min(right), inset(top).min(bottom));
        for (y, row) in self.mask.chunks_exact_mut(width).enumerate() {
            if y < top || y >= bottom {
                row.fill(0);
            } else {
                row[..left].fill(0);
                row[right..].fill(0);
            }
        }
        // Pixels of no zone come in long stretches, and few.
        for (y, row) in labels.chunks_exact(width).enumerate() {
            let mut x = 0;
            while let Some(start) = next_unlabelled(row, x) {
                let end = row[start..].iter().position(|label| *label != 0).map_or(width, |n| start + n);
                let (from, to) = (start.saturating_sub(CLEAR), (end + CLEAR).min(width));
                for v in y.saturating_sub(CLEAR)..(y + CLEAR + 1).min(height) {
                    self.mask[v * width + from..v * width + to].fill(0);
                }
                x = end;
            }
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

/// First pixel of no zone at or after `from`; labelled stretches are passed in steps of 64 bytes.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn next_unlabelled(labels: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    let (blocks, _) = labels[from..].as_chunks::<64>();
    for block in blocks {
        if block.iter().fold(u8::MAX, |least, label| least.min(*label)) == 0 {
            break;
        }
        at += 64;
    }
    labels[at..].iter().position(|label| *label == 0).map(|n| at + n)
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
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_usable_is_clear_of_every_unlabelled_pixel(
            (labels, width) in (1..90usize, 1..20usize).prop_flat_map(|(w, h)|
                (proptest::collection::vec(prop_oneof![40 => 1..5u8, 1 => Just(0u8)], w * h), Just(w))),
        ) {
            let mut usable = Usable::default();
            usable.find(&vec![90; labels.len()], &labels, width);
            let height = labels.len() / width;
            for i in 0..labels.len() {
                let (x, y) = (i % width, i / width);
                let near = |at: usize, size: usize| at.saturating_sub(CLEAR)..(at + CLEAR + 1).min(size);
                let inside = x >= 2 && y >= 2 && x + 2 < width && y + 2 < height;
                let clear = near(y, height).all(|v| near(x, width).all(|u| labels[v * width + u] != 0));
                prop_assert_eq!(usable.mask[i] == 1, inside && clear, "{}, {}", x, y);
            }
        }
    }

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
