//! The shapes that a COCO annotation may have, as runs of pixels: polygons, run lengths (plain and packed), or only a box.
//!
//! A truth file may come from anywhere: whatever does not fit its picture is refused with the reason, and nothing is
//! reserved for what a file merely claims. Called by [`super::coco`].

use ferrule_abi::Run;
use serde::{Deserialize, de::IgnoredAny};

use crate::pipeline::runs::normalised;

/// `segmentation`, as COCO writes it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Segmentation {
    /// x0, y0, x1, y1, … of each polygon, from pixel edges.
    Polygons(Vec<Vec<f64>>),
    Runs {
        counts: Counts,
        /// Height, width.
        size: [u64; 2],
    },
    Strange(IgnoredAny),
}

/// Run lengths, column by column, zeros first.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Counts {
    Plain(Vec<u64>),
    /// As pycocotools packs them.
    Packed(String),
}

impl Segmentation {
    /// The mask in a picture of this size; empty for a list without polygons, which stands for "only the box".
    pub fn mask(&self, width: u32, height: u32) -> Result<Vec<Run>, String> {
        match self {
            Self::Polygons(polygons) => polygons_mask(polygons, width, height),
            Self::Runs { counts, size } => {
                if *size != [u64::from(height), u64::from(width)] {
                    let [rows, columns] = size;
                    return Err(format!("its mask is for a picture of {columns} x {rows}, not {width} x {height}"));
                }
                match counts {
                    Counts::Plain(counts) => runs_mask(counts, width, height),
                    Counts::Packed(text) => runs_mask(&unpacked(text)?, width, height),
                }
            }
            Self::Strange(_) => Err("its segmentation is neither polygons nor run lengths".into()),
        }
    }
}

/// From columns to rows.
fn runs_mask(counts: &[u64], width: u32, height: u32) -> Result<Vec<Run>, String> {
    let total = u64::from(width) * u64::from(height);
    let sum = counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count));
    if sum != Some(total) {
        return Err(format!("its run lengths do not add up to {width} x {height} pixels"));
    }
    let rows = u64::from(height.max(1));
    let (mut mask, mut open) = (Vec::new(), vec![Run { y: 0, x: 0, length: 0 }; height as usize]);
    let mut at = 0;
    for (place, count) in counts.iter().enumerate() {
        if place % 2 == 1 {
            for pixel in at..at + count {
                let (x, y) = ((pixel / rows) as u32, (pixel % rows) as u32);
                let run = &mut open[y as usize];
                if run.length > 0 && run.x + run.length == x {
                    run.length += 1;
                } else {
                    mask.extend((run.length > 0).then_some(*run));
                    *run = Run { y, x, length: 1 };
                }
            }
        }
        at += count;
    }
    mask.extend(open.into_iter().filter(|run| run.length > 0));
    Ok(normalised(mask))
}

/// The packing of pycocotools' `rleToString`: five bits a character, from the third on as differences to the one before
/// the last.
fn unpacked(text: &str) -> Result<Vec<u64>, String> {
    let damaged = || "its packed run lengths are damaged".to_owned();
    let mut counts: Vec<i64> = Vec::new();
    let mut bytes = text.bytes();
    while let Some(mut byte) = bytes.next() {
        let (mut value, mut shift) = (0_i64, 0);
        loop {
            let bits = i64::from(byte.checked_sub(48).filter(|bits| *bits < 64).ok_or_else(damaged)?);
            if shift > 50 {
                return Err(damaged());
            }
            value |= (bits & 0x1f) << shift;
            shift += 5;
            if bits & 0x20 == 0 {
                if bits & 0x10 != 0 {
                    value |= -1 << shift;
                }
                break;
            }
            byte = bytes.next().ok_or_else(damaged)?;
        }
        if let Some(before) = counts.len().checked_sub(2).filter(|before| *before > 0) {
            value += counts[before];
        }
        counts.push(value);
    }
    counts.into_iter().map(|count| u64::try_from(count).map_err(|_| damaged())).collect()
}

/// Pixels whose centres lie inside one of the polygons (even-odd).
fn polygons_mask(polygons: &[Vec<f64>], width: u32, height: u32) -> Result<Vec<Run>, String> {
    let mut mask = Vec::new();
    for polygon in polygons {
        let (points, rest) = polygon.as_chunks::<2>();
        if !rest.is_empty() || points.len() < 3 {
            return Err(format!("a polygon of {} numbers: three points at least, two numbers each", polygon.len()));
        }
        let mut crossings: Vec<(u32, f64)> = Vec::new();
        for (place, [x0, y0]) in points.iter().enumerate() {
            let [x1, y1] = points[(place + 1) % points.len()];
            let (low, high) = (y0.min(y1), y0.max(y1));
            // Rows whose middle, half a pixel below their edge, lies in [low, high).
            let first = (low - 0.5).ceil().max(0.0) as u32;
            let end = (high - 0.5).ceil().clamp(0.0, f64::from(height)) as u32;
            let slope = (x1 - x0) / (y1 - y0);
            crossings.extend((first..end).map(|y| (y, x0 + (f64::from(y) + 0.5 - y0) * slope)));
        }
        crossings.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let (pairs, _) = crossings.as_chunks::<2>();
        for [(y, from), (_, to)] in pairs {
            let column = |x: f64| (x - 0.5).ceil().clamp(0.0, f64::from(width)) as u32;
            let (x, end) = (column(*from), column(*to));
            mask.extend((end > x).then(|| Run { y: *y, x, length: end - x }));
        }
    }
    Ok(normalised(mask))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        pipeline::runs::tests::{masks, pixels},
        simulate::truth::{Rle, packed},
    };

    proptest! {
        #[test]
        fn plain_and_packed_run_lengths_give_the_mask_that_they_were_made_of(mask in masks()) {
            let mut columns: Vec<(u32, u32)> = pixels(&mask).into_iter().map(|(y, x)| (x, y)).collect();
            columns.sort_unstable();
            let Rle { counts, .. } = Rle::from_columns(&columns, 40, 30);
            let size = [30, 40];
            let packed = Segmentation::Runs { counts: Counts::Packed(packed(&counts)), size };
            prop_assert_eq!(packed.mask(40, 30).unwrap(), mask.clone());
            let plain = Segmentation::Runs { counts: Counts::Plain(counts), size };
            prop_assert_eq!(plain.mask(40, 30).unwrap(), mask);
        }

        #[test]
        fn any_text_as_packed_run_lengths_is_read_or_refused(text in "[ -~]{0,40}") {
            let runs = Segmentation::Runs { counts: Counts::Packed(text), size: [30, 40] };
            let _ = runs.mask(40, 30);
        }
    }

    #[test]
    fn a_polygon_holds_the_pixels_whose_centres_lie_inside() {
        let mask = |polygon: &[f64]| Segmentation::Polygons(vec![polygon.to_vec()]).mask(20, 10);
        let square = mask(&[2.0, 3.0, 5.0, 3.0, 5.0, 5.0, 2.0, 5.0]).unwrap();
        assert_eq!(square, [Run { y: 3, x: 2, length: 3 }, Run { y: 4, x: 2, length: 3 }]);
        let beyond = mask(&[-5.0, -5.0, 1e9, -5.0, 1e9, 1e9, -5.0, 1e9]).unwrap();
        assert_eq!(crate::pipeline::runs::area(&beyond), 200);
        assert!(mask(&[1.0, 2.0, 3.0, 4.0]).is_err());
        assert!(mask(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]).is_err());
    }

    #[test]
    fn a_mask_of_another_picture_is_refused() {
        let runs = |counts: &[u64], size| Segmentation::Runs { counts: Counts::Plain(counts.to_vec()), size };
        assert!(runs(&[6], [2, 3]).mask(3, 2).unwrap().is_empty());
        for wrong in [runs(&[6], [3, 2]), runs(&[1, 6], [2, 3]), runs(&[u64::MAX, u64::MAX], [2, 3])] {
            assert!(wrong.mask(3, 2).is_err());
        }
    }
}
