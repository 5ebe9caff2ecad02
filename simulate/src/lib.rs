//! Draws photographs of fibre end faces of which everything is known: the edges of core and cladding to a thousandth of
//! a pixel, and every defect with its mask and its contrast in multiples of the noise. Used by the `simulate` command, by
//! the demo as its microscope, by training, and by tests everywhere.
//!
//! Picture `index` depends on (preset, seed, index) alone: not on threads, time, the machine's load or the other
//! pictures. Never reads a photograph, never writes outside the folder it was given except for the truth file.
//!
//! From a preset to a file: [`Preset`] (distributions) → `scene` (one picture, decided) with `place` and `shape` (its
//! defects) and `look` and `profile` (its edges) → `paint` (pixels) with `field` (grain and noise) → `format` and `drop` (a file) → [`truth`] (COCO).

mod drop;
mod ellipse;
mod fibre;
mod field;
mod format;
mod look;
mod paint;
mod place;
mod preset;
mod profile;
mod reader;
mod run;
mod scene;
mod shape;
mod spread;
pub mod truth;

#[cfg(test)]
mod tests;

pub use fibre::FibreType;
pub use format::{Format, file_name};
use image::GrayImage;
pub use preset::Preset;
pub use reader::PresetError;
pub use run::{MOST_PICTURES, Progress, SimulateError, SimulateReport, SimulateSettings, run};
pub use truth::Truth;

/// Picture `index` of a preset, and what is true of it.
#[must_use]
pub fn render(preset: &Preset, seed: u64, index: u64) -> (GrayImage, Truth) {
    let scene = scene::Scene::plan(preset, seed, index);
    let picture = paint::picture(&scene, &mut scene::generator(preset, seed, index, 1));
    (picture, scene.truth())
}

/// What is true of picture `index`, without painting it.
#[must_use]
pub fn truth_of(preset: &Preset, seed: u64, index: u64) -> Truth {
    scene::Scene::plan(preset, seed, index).truth()
}
