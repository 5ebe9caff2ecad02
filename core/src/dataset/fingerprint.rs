//! What an image looks like, small: so that near-duplicates (the same exposure encoded again, cropped, rescaled or shifted)
//! are found by comparing numbers, and nobody decodes a picture twice.
//!
//! The kernel takes off what all end faces of one kind have in common, and undoes crops, shifts and scales. A hash of 256
//! signs finds candidates; whether two are one exposure is said by the share of their structure that differs once they are
//! registered to a fraction of a cell.
//!
//! On 122 photographs of 71 end faces no two end faces correlated above 0.79 here, because one microscope's pictures share
//! the marks of its optics; crops, shifts, scales from 0.7 to 1.3 and JPEG at quality 80 stayed above 0.89. What JPEG takes
//! away below that a clean face may not have enough structure to outweigh: such a pair is not joined. Made in workers,
//! compared by the store.

pub use ferrule_vision::fingerprint::CELLS;
use ferrule_vision::{ellipse::Ellipse, fingerprint, hamming};
use serde::{Deserialize, Serialize};

use crate::report::Outline;

/// Signs of the hash that may differ in candidates. Two images that correlate at 0.85 differ in 45 of 256, give or take 6.
const CANDIDATE: u32 = 66;
/// The largest share of structure that differs within one exposure: a correlation of 0.85.
const SAME: f64 = 1.0 - 0.85 * 0.85;

/// An image's structure and its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    pub hash: [u64; 4],
    /// Row by row, structure in units of its usual height; [`CELLS`] signed bytes, -128 outside the picture.
    pub grid: Vec<i8>,
}

impl Fingerprint {
    /// Of a picture with this outline of the cladding. `None` where too little of it is in the picture, or it has no
    /// structure.
    #[must_use]
    pub fn of(gray: &[u8], width: u32, height: u32, cladding: &Outline) -> Option<Self> {
        let Outline { cx, cy, ax, by, angle_deg, .. } = *cladding;
        let cladding = Ellipse { cx, cy, ax, by, angle_deg };
        let grid = fingerprint::grid(gray, width as usize, height as usize, &cladding)?;
        Some(Self { hash: fingerprint::hash(&grid), grid })
    }

    /// Puts the places of the hashes into `found` that could be of the same exposure as this one.
    pub fn candidates(hash: &[u64; 4], others: &[[u64; 4]], found: &mut Vec<usize>) {
        hamming::within(hash, others, CANDIDATE, found);
    }

    /// The share of structure, 0 to 1, in which `other` differs from this one after registration, where that is small
    /// enough for one exposure.
    #[must_use]
    pub fn same_exposure(grid: &[i8], other: &[i8]) -> Option<f64> {
        fingerprint::difference(grid, other).filter(|share| *share <= SAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLADDING: Outline = Outline { cx: 200.0, cy: 190.0, ax: 120.0, by: 120.0, angle_deg: 0.0, confidence: 1.0 };

    /// A face with its own dirt, as a function of the place, so that it can be drawn at any scale and shift.
    fn face(seed: u64, x: f64, y: f64) -> f64 {
        let mut state = seed;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5
        };
        let rings = 110.0 + 30.0 * (x.hypot(y) / 9.0).cos() + 0.05 * x;
        let specks: f64 = (0..400)
            .map(|_| {
                let (u, v, height) = (draw() * 240.0, draw() * 240.0, draw() * 40.0);
                height * (-((x - u).powi(2) + (y - v).powi(2)) / 18.0).exp()
            })
            .sum();
        rings + specks
    }

    /// The face as a picture whose cladding is there.
    fn picture(seed: u64, at: &Outline, width: u32, height: u32) -> Vec<u8> {
        let pixel = |i: u32| {
            let (x, y) = (f64::from(i % width) - at.cx, f64::from(i / width) - at.cy);
            let (x, y) = (x * 120.0 / at.ax, y * 120.0 / at.by);
            if x.hypot(y) < 125.0 { face(seed, x, y) as u8 } else { 60 }
        };
        (0..width * height).map(pixel).collect()
    }

    fn print(seed: u64, at: Outline, width: u32, height: u32) -> Fingerprint {
        Fingerprint::of(&picture(seed, &at, width, height), width, height, &at).unwrap()
    }

    fn is_same(a: &Fingerprint, b: &Fingerprint) -> bool {
        let mut found = Vec::new();
        Fingerprint::candidates(&a.hash, &[b.hash], &mut found);
        !found.is_empty() && Fingerprint::same_exposure(&a.grid, &b.grid).is_some()
    }

    #[test]
    fn one_exposure_is_known_shifted_rescaled_cropped_and_with_a_fit_that_is_a_little_off() {
        let first = print(1, CLADDING, 400, 380);
        let same = [
            print(1, Outline { cx: 209.4, cy: 183.3, ..CLADDING }, 400, 380),
            print(1, Outline { cx: 140.0, cy: 133.0, ax: 84.0, by: 84.0, ..CLADDING }, 280, 266),
            // Cut through the cladding.
            print(1, Outline { cx: 100.0, cy: 190.0, ..CLADDING }, 400, 380),
        ];
        for (i, other) in same.iter().enumerate() {
            assert!(is_same(&first, other), "{i}: {:?}", fingerprint::difference(&first.grid, &other.grid));
        }
        let pixels = picture(1, &CLADDING, 400, 380);
        let off = Outline { cx: 201.0, cy: 189.4, ax: 121.0, by: 119.5, ..CLADDING };
        assert!(is_same(&first, &Fingerprint::of(&pixels, 400, 380, &off).unwrap()));
    }

    #[test]
    fn faces_of_one_kind_with_other_dirt_are_not_one_exposure() {
        let prints: Vec<Fingerprint> = (1..8).map(|seed| print(seed, CLADDING, 400, 380)).collect();
        for (i, a) in prints.iter().enumerate() {
            for b in &prints[i + 1..] {
                assert!(!is_same(a, b));
            }
        }
    }

    #[test]
    fn what_has_no_structure_or_no_picture_has_no_fingerprint() {
        assert_eq!(Fingerprint::of(&[7; 400 * 380], 400, 380, &CLADDING), None);
        assert_eq!(Fingerprint::of(&[7; 10], 400, 380, &CLADDING), None);
        let outside = Outline { cx: -90.0, ..CLADDING };
        assert_eq!(Fingerprint::of(&picture(1, &CLADDING, 400, 380), 400, 380, &outside), None);
        assert_eq!(Fingerprint::same_exposure(&[], &[]), None);
    }
}
