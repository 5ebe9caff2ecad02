//! A picture laid onto a square grid that all pictures share, so that places can be compared one by one.
//!
//! A cell is the mean of evenly spread samples, as many a side as the cell is pixels wide (16 at most), each interpolated
//! between four pixels with weights of 1/256; beyond the picture its edge goes on. All in whole numbers, so that a picture
//! gives the same grid on every machine. Called by workers, for correlations.

use crate::affine::Affine;

/// Samples along a cell's side at most.
const FINEST: f64 = 16.0;

/// Lays a gray picture of `width` x `height` onto a grid of `side` x `side`, row by row; `affine` maps the square from -1
/// to 1, which the grid covers, into the picture. Empty where there is no picture, or the map leads nowhere.
#[must_use]
pub fn lay(gray: &[u8], width: usize, height: usize, affine: &Affine, side: usize) -> Vec<u8> {
    let cell = 2.0 / side as f64;
    let stretch = affine.stretch();
    if width == 0 || height == 0 || gray.len() != width * height || !stretch.is_finite() {
        return Vec::new();
    }
    let samples = (stretch * cell).ceil().clamp(1.0, FINEST) as usize;
    // 65 536 parts a pixel from the interpolation.
    let (count, step) = (samples * samples, cell / samples as f64);
    let whole = count as u64 * 65_536;
    let mut grid = Vec::with_capacity(side * side);
    for row in 0..side {
        for column in 0..side {
            let mut sum = 0_u64;
            for down in 0..samples {
                let v = -1.0 + row as f64 * cell + (down as f64 + 0.5) * step;
                for right in 0..samples {
                    let u = -1.0 + column as f64 * cell + (right as f64 + 0.5) * step;
                    let (x, y) = affine.at(u, v);
                    sum += u64::from(sample(gray, width, height, x, y));
                }
            }
            // At most 255: a mean of bytes, to the nearest, halves up.
            grid.push(((sum + whole / 2) / whole) as u8);
        }
    }
    grid
}

/// The gray level at a place, times 65 536.
#[inline]
pub(crate) fn sample(gray: &[u8], width: usize, height: usize, x: f64, y: f64) -> u32 {
    let split = |at: f64, edge: usize| {
        let fixed = (at * 256.0 + 0.5).floor().clamp(0.0, (edge - 1) as f64 * 256.0) as usize;
        let low = fixed / 256;
        (low, (low + 1).min(edge - 1), (fixed % 256) as u32)
    };
    let ((left, right, fx), (top, bottom, fy)) = (split(x, width), split(y, height));
    let level = |y: usize, x: usize| u32::from(gray[y * width + x]);
    let upper = level(top, left) * (256 - fx) + level(top, right) * fx;
    let lower = level(bottom, left) * (256 - fx) + level(bottom, right) * fx;
    upper * (256 - fy) + lower * fy
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ellipse::Ellipse;

    fn slope(width: usize, height: usize) -> Vec<u8> {
        (0..width * height).map(|i| (i % width / 2 + i / width / 4) as u8).collect()
    }

    #[test]
    fn a_whole_picture_of_the_grids_size_is_itself() {
        let picture = slope(32, 32);
        assert_eq!(lay(&picture, 32, 32, &Affine::of_picture(32, 32), 32), picture);
    }

    #[test]
    fn a_larger_picture_is_averaged_over_each_cell() {
        let picture: Vec<u8> = (0..64 * 64).map(|i| if (i % 64 + i / 64) % 2 == 0 { 100 } else { 201 }).collect();
        let grid = lay(&picture, 64, 64, &Affine::of_picture(64, 64), 32);
        assert!(grid.iter().all(|level| level.abs_diff(151) <= 25), "{:?}", &grid[..8]);
        assert_eq!(lay(&[7; 64 * 64], 64, 64, &Affine::of_picture(64, 64), 16), [7; 256]);
    }

    #[test]
    fn the_same_end_face_elsewhere_and_larger_gives_nearly_the_same_grid() {
        let drawn = |cx: f64, cy: f64, radius: f64, by: f64| {
            let picture: Vec<u8> = (0..300 * 260)
                .map(|i| {
                    let (u, v) = ((f64::from(i % 300) - cx) / radius, (f64::from(i / 300) - cy) / by);
                    (128.0 + 60.0 * (3.0 * u).sin() + 50.0 * (2.0 * v + u).cos()) as u8
                })
                .collect();
            let outline = Ellipse { cx, cy, ax: radius, by, angle_deg: 0.0 };
            lay(&picture, 300, 260, &Affine::of(&outline), 64)
        };
        let (one, other) = (drawn(140.0, 120.0, 80.0, 80.0), drawn(160.5, 128.25, 117.0, 100.0));
        let worst = one.iter().zip(&other).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= 3, "{worst} levels apart");
    }

    #[test]
    fn beyond_the_picture_its_edge_goes_on_and_nonsense_gives_nothing() {
        let picture = slope(40, 40);
        let outline = Ellipse::circle(0.0, 0.0, 30.0);
        let grid = lay(&picture, 40, 40, &Affine::of(&outline), 16);
        assert!(grid[..7].iter().all(|level| *level == picture[0]));
        assert!(lay(&picture, 41, 40, &Affine::of(&outline), 16).is_empty());
        assert!(lay(&picture, 40, 40, &Affine::of(&Ellipse::circle(f64::NAN, 0.0, f64::INFINITY)), 16).is_empty());
    }
}
