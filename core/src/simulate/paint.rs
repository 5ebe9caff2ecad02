//! Paints a planned scene: light, fibre, defects, noise, rounding. The same scene and the same noise generator give the
//! same bytes; nothing here asks for threads or time.

use std::sync::OnceLock;

use image::GrayImage;
use rand::RngCore;
use rand_chacha::ChaCha8Rng;

use super::{profile::normal_cdf, scene::Scene};

/// Grey level of the bars that some frame grabbers leave around the picture.
const BAR: f32 = 18.0;

/// Paints the picture.
pub(super) fn picture(scene: &Scene, noise: &mut ChaCha8Rng) -> GrayImage {
    let [width, height] = scene.size;
    let mut grey = light(scene);
    fibre(scene, &mut grey);
    for drawn in &scene.defects {
        let columns = drawn.patch.width as usize;
        for (row, y) in drawn.patch.values.chunks_exact(columns).zip(drawn.patch.y as usize..) {
            let at = y * width as usize + drawn.patch.x as usize;
            for (pixel, value) in grey[at..at + columns].iter_mut().zip(row) {
                *pixel += drawn.amplitude * value;
            }
        }
    }
    bars(scene, &mut grey);
    let pixels = develop(scene, &grey, noise);
    GrayImage::from_raw(width, height, pixels).unwrap_or_else(|| GrayImage::new(width, height))
}

/// The empty, lit ferrule.
fn light(scene: &Scene) -> Vec<f32> {
    let light = &scene.light;
    let [width, height] = scene.size;
    let dx2: Vec<f32> = (0..width).map(|x| ((f64::from(x) - light.centre[0]) / light.aspect).powi(2) as f32).collect();
    let (level, drop) = (light.level as f32, (light.level * light.falloff) as f32);
    let scale = (1.0 / light.reach2) as f32;
    let mut grey = Vec::with_capacity((width * height) as usize);
    for y in 0..height {
        let dy2 = (f64::from(y) - light.centre[1]).powi(2) as f32;
        let r2 = dx2.iter().map(|dx2| (dx2 + dy2) * scale);
        match light.power {
            1 => grey.extend(r2.map(|r| level - drop * r)),
            2 => grey.extend(r2.map(|r| level - drop * r * r)),
            3 => grey.extend(r2.map(|r| level - drop * r * r * r)),
            power => grey.extend(r2.map(|r| level - drop * r.powi(power))),
        }
    }
    grey
}

/// Darkens what is fibre. Only the box around it is visited: beyond, the profile is 1.
fn fibre(scene: &Scene, grey: &mut [f32]) {
    let (half_w, half_h) = scene.cladding.half_extent();
    let reach = scene.outer.reach() + 1.0;
    let [width, height] = scene.size;
    let range = |centre: f64, half: f64, size: u32| {
        let low = (centre - half - reach).floor().max(0.0) as u32;
        low..((centre + half + reach).ceil().max(0.0) as u32 + 1).min(size)
    };
    for y in range(scene.cladding.cy, half_h, height) {
        for x in range(scene.cladding.cx, half_w, width) {
            grey[(y * width + x) as usize] *= scene.reflection(f64::from(x), f64::from(y)) as f32;
        }
    }
}

fn bars(scene: &Scene, grey: &mut [f32]) {
    let [x0, y0, x1, y1] = scene.valid.map(|edge| edge as usize);
    let width = scene.size[0] as usize;
    for (y, row) in grey.chunks_exact_mut(width).enumerate() {
        if y < y0 || y >= y1 {
            row.fill(BAR);
        } else {
            row[..x0].fill(BAR);
            row[x1..].fill(BAR);
        }
    }
}

/// Standard normal deviates at evenly spaced probabilities: one look-up turns 16 random bits into noise.
fn deviates() -> &'static [f32] {
    static TABLE: OnceLock<Vec<f32>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let quantile = |i: u32| {
            let wanted = (f64::from(i) + 0.5) / 65536.0;
            let (mut low, mut high) = (-6.0, 6.0);
            while high - low > 1e-7 {
                let middle = 0.5 * (low + high);
                if normal_cdf(middle) < wanted { low = middle } else { high = middle }
            }
            0.5 * (low + high)
        };
        (0..65536).map(|i| quantile(i) as f32).collect()
    })
}

/// Adds the camera's noise and rounds to grey levels.
fn develop(scene: &Scene, grey: &[f32], noise: &mut ChaCha8Rng) -> Vec<u8> {
    let width = scene.size[0] as usize;
    let table = deviates();
    let side = scene.noise.correlation as f32;
    let unit = 1.0 / (1.0 + 2.0 * side * side);
    let (read, shot) = (scene.noise.read_variance as f32, scene.noise.shot_variance_per_grey as f32);
    let mut random = vec![0_u8; 2 * (width + 2)];
    let mut raw = vec![0.0_f32; width + 2];
    let mut fresh = |row: &mut [f32]| {
        noise.fill_bytes(&mut random);
        for (deviate, bits) in raw.iter_mut().zip(random.chunks_exact(2)) {
            *deviate = table[usize::from(u16::from_le_bytes([bits[0], bits[1]]))];
        }
        for (out, three) in row.iter_mut().zip(raw.windows(3)) {
            *out = unit * (three[1] + side * (three[0] + three[2]));
        }
    };
    let (mut above, mut here, mut below) = (vec![0.0; width], vec![0.0; width], vec![0.0; width]);
    fresh(&mut above);
    fresh(&mut here);
    let mut pixels = Vec::with_capacity(grey.len());
    for row in grey.chunks_exact(width) {
        fresh(&mut below);
        let neighbours = above.iter().zip(&here).zip(&below);
        pixels.extend(row.iter().zip(neighbours).map(|(&value, ((above, here), below))| {
            let deviate = here + side * (above + below);
            (value + deviate * (read + shot * value.max(0.0)).sqrt() + 0.5) as u8
        }));
        std::mem::swap(&mut above, &mut here);
        std::mem::swap(&mut here, &mut below);
    }
    pixels
}
