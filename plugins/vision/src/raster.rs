//! Ellipses onto the pixel grid: label maps and masks, a row's span at a time.
//!
//! A pixel belongs to an ellipse if its centre lies inside or on the outline. This module never allocates and never
//! reads a picture. Called by segmenters, and by the host where a segmenter leaves the label map to it.

use std::ops::Range;

use crate::ellipse::Ellipse;

/// The columns that an ellipse covers in each row it touches, from the top down, cut at the frame. Nothing for an
/// ellipse that is not sound.
pub fn ellipse_spans(outline: &Ellipse, width: usize, height: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
    let outline = if outline.is_sound() { *outline } else { Ellipse::circle(0.0, -2.0, 1.0) };
    let q = outline.gauge();
    // Half height of the bounding box; not from `q`, which cancels for very long ellipses.
    let (sin, cos) = outline.angle_deg.to_radians().sin_cos();
    let reach = (outline.ax * sin).hypot(outline.by * cos);
    // `as` saturates, so far or huge ellipses are safe.
    let top = (outline.cy - reach).floor().max(0.0) as usize;
    let bottom = ((outline.cy + reach).ceil() + 1.0).clamp(0.0, height as f64) as usize;
    (top..bottom).filter_map(move |y| {
        let dy = y as f64 - outline.cy;
        let middle = outline.cx - q.xy * dy / q.xx;
        let inside = (q.xy * dy / q.xx).powi(2) + (1.0 - q.yy * dy * dy) / q.xx;
        if inside < 0.0 {
            return None;
        }
        let half = inside.sqrt();
        let first = (middle - half).ceil().max(0.0) as usize;
        let end = ((middle + half).floor() + 1.0).clamp(0.0, width as f64) as usize;
        (first < end).then_some((y, first..end))
    })
}

/// Writes `value` to every pixel of `labels` (`width * height`, no padding) that the ellipse covers.
///
/// # Panics
/// If `labels` is shorter than `width * height`, as slicing does.
pub fn fill_ellipse(labels: &mut [u8], width: usize, height: usize, outline: &Ellipse, value: u8) {
    for (y, span) in ellipse_spans(outline, width, height) {
        labels[y * width..(y + 1) * width][span].fill(value);
    }
}

/// Draws nested zones: everything becomes `outside`, then each outline is filled with its value, the largest first, so
/// that an inner zone always wins over the zones around it. `zones` may come in any order.
///
/// # Panics
/// As [`fill_ellipse`].
pub fn fill_zones(labels: &mut [u8], width: usize, height: usize, outside: u8, zones: &[(Ellipse, u8)]) {
    labels[..width * height].fill(outside);
    // Without allocation: repeatedly the largest of those not yet drawn; zones are a handful.
    let size = |i: usize| (zones[i].0.mean_radius(), i);
    let mut limit = (f64::INFINITY, usize::MAX);
    loop {
        let next = (0..zones.len())
            .filter(|&i| zones[i].0.is_sound() && size(i) < limit)
            .max_by(|&a, &b| size(a).partial_cmp(&size(b)).unwrap_or(std::cmp::Ordering::Equal));
        let Some(i) = next else { return };
        fill_ellipse(labels, width, height, &zones[i].0, zones[i].1);
        limit = size(i);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, pixel by pixel.
    fn plain_fill(labels: &mut [u8], width: usize, height: usize, outline: &Ellipse, value: u8) {
        for y in 0..height {
            for x in 0..width {
                if outline.radius_at(x as f64, y as f64) <= 1.0 {
                    labels[y * width + x] = value;
                }
            }
        }
    }

    proptest! {
        #[test]
        fn spans_cover_what_the_definition_covers(
            cx in -40.0..140.0f64, cy in -40.0..120.0f64, ax in 0.3..90.0f64, by in 0.3..90.0f64,
            angle in -90.0..90.0f64, width in 1usize..110, height in 1usize..80,
        ) {
            let outline = Ellipse { cx, cy, ax, by, angle_deg: angle };
            let (mut fast, mut plain) = (vec![0; width * height], vec![0; width * height]);
            fill_ellipse(&mut fast, width, height, &outline, 7);
            plain_fill(&mut plain, width, height, &outline, 7);
            for (i, (f, p)) in fast.iter().zip(&plain).enumerate() {
                let r = outline.radius_at((i % width) as f64, (i / width) as f64);
                prop_assert!(f == p || (r - 1.0).abs() < 1e-9, "pixel {i} at radius {r}");
            }
        }
    }

    #[test]
    fn inner_zones_win_in_any_order() {
        let (core, cladding) = (Ellipse::circle(10.0, 8.0, 2.0), Ellipse::circle(10.0, 8.0, 6.0));
        let (mut a, mut b) = (vec![0; 20 * 16], vec![9; 20 * 16]);
        fill_zones(&mut a, 20, 16, 4, &[(core, 1), (cladding, 2)]);
        fill_zones(&mut b, 20, 16, 4, &[(cladding, 2), (core, 1)]);
        assert_eq!(a, b);
        assert_eq!([a[8 * 20 + 10], a[8 * 20 + 14], a[0]], [1, 2, 4]);
    }

    #[test]
    fn unsound_and_distant_ellipses_draw_nothing() {
        let mut labels = vec![0; 12];
        for outline in [
            Ellipse::circle(f64::NAN, 1.0, 3.0),
            Ellipse::circle(1.0, 1.0, -3.0),
            Ellipse::circle(1.0, 1.0, f64::INFINITY),
            Ellipse::circle(1e18, 1e18, 3.0),
            Ellipse::circle(1.0, -1e300, 3.0),
        ] {
            fill_ellipse(&mut labels, 4, 3, &outline, 1);
            fill_zones(&mut labels, 4, 3, 0, &[(outline, 1)]);
        }
        assert_eq!(labels, vec![0; 12]);
    }

    #[test]
    fn an_ellipse_larger_than_the_frame_fills_it() {
        let mut labels = vec![0; 12];
        fill_ellipse(&mut labels, 4, 3, &Ellipse::circle(2.0, 1.0, 1e9), 4);
        assert_eq!(labels, vec![4; 12]);
    }
}
