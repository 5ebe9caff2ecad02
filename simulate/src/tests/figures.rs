//! Measures a picture the way the real photographs were measured: noise, rise of the cladding's edge, falloff of the
//! light, levels. Given the true outline, so that a segmenter's faults stay out of it.

use image::{GrayImage, ImageBuffer, Luma};

use crate::truth::Zone;

/// What was measured on a picture; None where the picture does not allow it.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// 1.4826 · median absolute deviation of the picture minus its Gaussian blur (sigma 6 px), on the ferrule.
    pub noise: f64,
    /// `noise` of the picture smoothed with the 5x5 binomial filter, and blurred with a Gaussian of 2 px, over `noise`:
    /// 0.27 and 0.14 for noise without correlation, more where compression or the grain of ceramic gives it a texture.
    pub smoothed: f64,
    pub coarse: f64,
    /// Median over sectors of the 10-90 % rise from the darkest point inside to the brightest outside, pixels.
    pub rise_px: Option<f64>,
    /// 1 − darkest corner / brightest place, medians of 32 px blocks of the ferrule.
    pub falloff: f64,
    /// Medians of the ferrule near the fibre, of the cladding (where it is wide enough) and of the core.
    pub ferrule: f64,
    pub cladding: Option<f64>,
    pub core: f64,
}

/// Grey levels that need not be whole.
pub type Grey = ImageBuffer<Luma<f32>, Vec<f32>>;

pub fn grey(picture: &GrayImage) -> Grey {
    let levels = picture.as_raw().iter().map(|&level| f32::from(level)).collect();
    Grey::from_raw(picture.width(), picture.height(), levels).unwrap()
}

/// The brightness of a picture between its pixels; None at its rim.
pub fn between(picture: &Grey) -> impl Fn(f64, f64) -> Option<f64> {
    let (width, height) = picture.dimensions();
    move |x, y| {
        if x < 1.0 || y < 1.0 || x >= f64::from(width) - 2.0 || y >= f64::from(height) - 2.0 {
            return None;
        }
        // Catmull-Rom: bilinear would widen the edges that are measured.
        let (ix, iy) = (x.floor(), y.floor());
        let weights = |t: f64| {
            [
                ((2.0 - t) * t - 1.0) * t / 2.0,
                ((3.0 * t - 5.0) * t * t + 2.0) / 2.0,
                ((4.0 - 3.0 * t) * t + 1.0) * t / 2.0,
                (t - 1.0) * t * t / 2.0,
            ]
        };
        let (wx, wy) = (weights(x - ix), weights(y - iy));
        let mut sum = 0.0;
        for (j, wy) in (0..).zip(wy) {
            for (i, wx) in (0..).zip(wx) {
                sum += wx * wy * f64::from(picture.get_pixel(ix as u32 + i - 1, iy as u32 + j - 1).0[0]);
            }
        }
        Some(sum)
    }
}

/// Mean of `brightness` over `rays` at distance `d` along the normal of an ellipse, by `d`; None where a ray has none.
pub fn sector(
    brightness: impl Fn(f64, f64) -> Option<f64>,
    zone: &Zone,
    from_deg: f64,
    to_deg: f64,
    distances: &[f64],
) -> Option<Vec<f64>> {
    let (sin, cos) = zone.angle_deg.to_radians().sin_cos();
    let rays = 24;
    let mut mean = vec![0.0; distances.len()];
    for i in 0..rays {
        let t = (from_deg + (to_deg - from_deg) * f64::from(i) / f64::from(rays)).to_radians();
        let (u, v) = (zone.ax * t.cos(), zone.by * t.sin());
        let (nu, nv) = (t.cos() / zone.ax, t.sin() / zone.by);
        let n = nu.hypot(nv);
        for (sum, d) in mean.iter_mut().zip(distances) {
            let (a, b) = (u + d * nu / n, v + d * nv / n);
            *sum += brightness(zone.cx + a * cos - b * sin, zone.cy + a * sin + b * cos)? / f64::from(rays);
        }
    }
    Some(mean)
}

pub fn distances(from: f64, to: f64, step: f64) -> Vec<f64> {
    (0..=((to - from) / step).round() as i32).map(|i| from + f64::from(i) * step).collect()
}

pub fn median(mut values: Vec<f64>) -> f64 {
    assert!(!values.is_empty(), "nothing to take a median of");
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

fn rise(profile: &[f64], step: f64) -> Option<f64> {
    let middle = profile.len() / 2;
    let near = (5.0 / step) as usize;
    let edge = (middle - near..middle + near)
        .max_by(|&a, &b| (profile[a + 1] - profile[a - 1]).total_cmp(&(profile[b + 1] - profile[b - 1])))?;
    let window = (10.0 / step) as usize;
    let low = (edge - window..=edge).min_by(|&a, &b| profile[a].total_cmp(&profile[b]))?;
    let high = (edge..edge + window).max_by(|&a, &b| profile[a].total_cmp(&profile[b]))?;
    let (bottom, top) = (profile[low], profile[high]);
    if top - bottom < 15.0 {
        return None;
    }
    let share = |i: usize| (profile[i] - bottom) / (top - bottom);
    let at10 = (low..=high).rev().find(|&i| share(i) <= 0.1)?;
    let at90 = (at10..=high).find(|&i| share(i) >= 0.9)?;
    Some((at90 - at10) as f64 * step)
}

/// A picture through a symmetrical kernel in both directions; the rim's pixels hold beyond it.
fn filtered(picture: &Grey, kernel: &[f32]) -> Grey {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (reach, total) = (kernel.len() / 2, kernel.iter().sum::<f32>());
    let nearest = |at: usize, length: usize| at.saturating_sub(reach).min(length - 1);
    let mut rows = vec![0.0; width * height];
    let mut padded = vec![0.0; width + 2 * reach];
    for (row, out) in picture.as_raw().chunks_exact(width).zip(rows.chunks_exact_mut(width)) {
        padded.iter_mut().enumerate().for_each(|(x, value)| *value = row[nearest(x, width)] / total);
        for (offset, tap) in kernel.iter().enumerate() {
            out.iter_mut().zip(&padded[offset..]).for_each(|(sum, value)| *sum += tap * value);
        }
    }
    let mut out = vec![0.0; width * height];
    for (y, out) in out.chunks_exact_mut(width).enumerate() {
        for (offset, tap) in kernel.iter().enumerate() {
            let row = &rows[nearest(y + offset, height) * width..][..width];
            out.iter_mut().zip(row).for_each(|(sum, value)| *sum += tap / total * value);
        }
    }
    Grey::from_raw(picture.width(), picture.height(), out).unwrap()
}

fn gaussian(sigma: f32) -> Vec<f32> {
    let reach = (3.0 * sigma).ceil() as i32;
    (-reach..=reach).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect()
}

/// The picture minus its Gaussian blur of sigma 6 px.
fn high_pass(picture: &Grey) -> Grey {
    let mut high = filtered(picture, &gaussian(6.0));
    high.iter_mut().zip(picture.as_raw()).for_each(|(high, grey)| *high = grey - *high);
    high
}

/// 1.4826 · median absolute deviation, which is the standard deviation where values are normal.
fn deviation(values: Vec<f64>) -> f64 {
    let centre = median(values.clone());
    1.4826 * median(values.into_iter().map(|value| (value - centre).abs()).collect())
}

/// Everything at once. `valid` is x0, y0, x1, y1 of what lies within black bars.
pub fn measure(picture: &Grey, cladding: &Zone, core: &Zone, valid: [u32; 4]) -> Figures {
    let radius = (cladding.ax * cladding.by).sqrt();
    let relative = |zone: &Zone, x: f64, y: f64| {
        let (sin, cos) = zone.angle_deg.to_radians().sin_cos();
        let (dx, dy) = (x - zone.cx, y - zone.cy);
        ((dx * cos + dy * sin) / zone.ax).hypot((dy * cos - dx * sin) / zone.by)
    };
    let [x0, y0, x1, y1] = valid;
    let (mut near, mut glass, mut lit, mut ferrule) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let core_radius = (core.ax * core.by).sqrt();
    // Every second row: medians over a quarter of a million pixels are as good as over half.
    for y in (y0 + 10..y1 - 10).step_by(2) {
        for x in x0 + 10..x1 - 10 {
            let (fx, fy) = (f64::from(x), f64::from(y));
            let r = relative(cladding, fx, fy);
            let grey = || f64::from(picture.get_pixel(x, y).0[0]);
            if r > 1.0 + 15.0 / radius {
                ferrule.push((y * picture.width() + x) as usize);
                if r < 1.6 {
                    near.push(grey());
                }
            } else if relative(core, fx, fy) < 1.0 - 0.3_f64.max(8.0 / core_radius).min(0.8) {
                lit.push(grey());
            } else if r < 1.0 - 14.0 / radius && relative(core, fx, fy) > 1.0 + 6.0 / core_radius {
                glass.push(grey());
            }
        }
    }
    let noise_of = |high: &Grey| deviation(ferrule.iter().map(|&pixel| f64::from(high.as_raw()[pixel])).collect());
    // Smoothing what has passed the filter is the same as filtering what was smoothed, and less work.
    let high = high_pass(picture);
    let noise = noise_of(&high);

    let mut blocks = Vec::new();
    for j in 0..9_u32 {
        for i in 0..12_u32 {
            let (x, y) = (x0 + 12 + (x1 - x0 - 56) * i / 11, y0 + 12 + (y1 - y0 - 56) * j / 8);
            let (cx, cy) = (f64::from(x) + 16.0, f64::from(y) + 16.0);
            if relative(cladding, cx, cy) > 1.0 + 32.0 / radius {
                let all = (0..32 * 32).map(|k| f64::from(picture.get_pixel(x + k % 32, y + k / 32).0[0])).collect();
                blocks.push((median(all), (i == 0 || i == 11) && (j == 0 || j == 8)));
            }
        }
    }
    let brightest = blocks.iter().map(|b| b.0).fold(0.0, f64::max);
    let corner = blocks.iter().filter(|b| b.1).map(|b| b.0).fold(f64::MAX, f64::min);

    let step = 0.25;
    let along = distances(-30.0, 30.0, step);
    let rises: Vec<f64> = (0..60)
        .filter_map(|i| sector(between(picture), cladding, 6.0 * f64::from(i), 6.0 * f64::from(i + 1), &along))
        .filter_map(|profile| rise(&profile, step))
        .collect();
    Figures {
        noise,
        smoothed: noise_of(&filtered(&high, &[1.0, 4.0, 6.0, 4.0, 1.0])) / noise,
        coarse: noise_of(&filtered(&high, &gaussian(2.0))) / noise,
        rise_px: (rises.len() >= 10).then(|| median(rises)),
        falloff: 1.0 - corner / brightest,
        ferrule: median(near),
        cladding: (glass.len() > 250).then(|| median(glass)),
        core: median(lit),
    }
}
