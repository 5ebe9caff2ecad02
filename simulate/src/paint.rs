//! Paints a planned scene: light, fibre, grain, defects, noise, rounding, the microscope's own compression. The same scene
//! and the same generator give the same bytes; nothing here asks for threads or time.

use image::{GrayImage, ImageFormat, codecs::jpeg::JpegEncoder};
use rand_chacha::ChaCha8Rng;

use super::{field, scene::Scene};

/// Grey level of the bars that some frame grabbers leave around the picture.
const BAR: f32 = 18.0;

/// The picture as the microscope's program shows it.
pub(super) fn picture(scene: &Scene, random: &mut ChaCha8Rng) -> GrayImage {
    let picture = taken(scene, random);
    match scene.camera_jpeg {
        Some(quality) => compressed(picture, quality),
        None => picture,
    }
}

/// The picture as the camera delivers it, before the microscope compresses it.
pub(super) fn taken(scene: &Scene, random: &mut ChaCha8Rng) -> GrayImage {
    let mut grey = end_face(scene);
    grain(scene, &mut grey, random);
    defects(scene, &mut grey);
    bars(scene, &mut grey);
    let pixels = develop(scene, &grey, random);
    let [width, height] = scene.size;
    GrayImage::from_raw(width, height, pixels).unwrap_or_else(|| GrayImage::new(width, height))
}

/// Light and fibre alone, in grey levels that are not rounded: what the truth's outlines are about.
pub(super) fn end_face(scene: &Scene) -> Vec<f32> {
    let mut grey = light(scene);
    fibre(scene, &mut grey);
    grey
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

/// Calls `change` with place and grey level of every pixel in the box around the fibre and what its edge still reaches.
fn around_fibre(scene: &Scene, grey: &mut [f32], mut change: impl FnMut(u32, u32, &mut f32)) {
    let (half_w, half_h) = scene.cladding.half_extent();
    let reach = scene.outer.reach() + 1.0;
    let [width, height] = scene.size;
    let range = |centre: f64, half: f64, size: u32| {
        let low = (centre - half - reach).floor().max(0.0) as u32;
        low..((centre + half + reach).ceil().max(0.0) as u32 + 1).min(size)
    };
    for y in range(scene.cladding.cy, half_h, height) {
        for x in range(scene.cladding.cx, half_w, width) {
            change(x, y, &mut grey[(y * width + x) as usize]);
        }
    }
}

/// Darkens what is fibre. Beyond the box around it the profile is 1.
fn fibre(scene: &Scene, grey: &mut [f32]) {
    around_fibre(scene, grey, |x, y, grey| *grey *= scene.reflection(f64::from(x), f64::from(y)) as f32);
}

/// The relief of the polished ceramic: on the ferrule only, and faded in behind the edge, whose place it must not move.
fn grain(scene: &Scene, grey: &mut [f32], random: &mut ChaCha8Rng) {
    let share = scene.grain.share as f32;
    if share <= 0.0 {
        return;
    }
    let mut relief = field::band(scene.size, scene.grain.period_px, random);
    let fade = 1.0 / (2.0 * scene.sigma_px);
    around_fibre(scene, &mut relief, |x, y, relief| {
        *relief *= (scene.cladding.distance(f64::from(x), f64::from(y)) * fade).clamp(0.0, 1.0) as f32;
    });
    for (grey, relief) in grey.iter_mut().zip(relief) {
        *grey *= 1.0 + share * relief;
    }
}

fn defects(scene: &Scene, grey: &mut [f32]) {
    let width = scene.size[0] as usize;
    for drawn in &scene.defects {
        let columns = drawn.patch.width as usize;
        for (row, y) in drawn.patch.values.chunks_exact(columns).zip(drawn.patch.y as usize..) {
            let at = y * width + drawn.patch.x as usize;
            for (pixel, value) in grey[at..at + columns].iter_mut().zip(row) {
                *pixel += drawn.amplitude * value;
            }
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

/// Adds the camera's noise and rounds to grey levels.
fn develop(scene: &Scene, grey: &[f32], random: &mut ChaCha8Rng) -> Vec<u8> {
    let (read, shot) = (scene.noise.read_variance as f32, scene.noise.shot_variance_per_grey as f32);
    let noise = field::smooth(scene.size, scene.noise.correlation, random);
    let developed = |(&grey, noise): (&f32, f32)| (grey + noise * (read + shot * grey.max(0.0)).sqrt() + 0.5) as u8;
    grey.iter().zip(noise).map(developed).collect()
}

/// What is left of a picture after the microscope has stored it as a JPEG, in whatever format it is handed on later.
fn compressed(picture: GrayImage, quality: u8) -> GrayImage {
    let mut bytes = Vec::new();
    let encoded = picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality));
    let decoded = encoded.and_then(|()| image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg));
    // A frame of at most 8192 pixels a side always fits a JPEG.
    decoded.map_or(picture, image::DynamicImage::into_luma8)
}
