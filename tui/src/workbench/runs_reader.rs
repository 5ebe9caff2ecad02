//! The read-only database as the screen's [`Runs`]: asks the store, reads what it keeps as JSON, cleans every text.

use std::{collections::BTreeMap, path::Path};

use ferrule_core::{
    store::{EpochRow, Reader, RunRow, StoreError},
    training::{self, Chosen, Places, Plan, card::Card},
    workspace::DatasetPaths,
};
use image::{DynamicImage, GrayImage, imageops::FilterType};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    picture::CellPicture,
    plain::clean,
    runs::{Epoch, Run, Runs, Summary, Worst, WorstKey},
    theme::Colours,
};

/// Runs that are listed; older ones are in the database.
const MOST: usize = 1_000;

/// Trainings of a workspace, read.
pub struct DatasetRuns {
    paths: DatasetPaths,
    places: Places,
    reader: Reader,
}

impl DatasetRuns {
    /// Opens the database of an existing dataset. The error is one line for a person.
    pub fn open(paths: &DatasetPaths, places: &Places) -> Result<Self, String> {
        let reader = Reader::open(paths).map_err(|error| line(&error))?;
        Ok(Self { paths: paths.clone(), places: places.clone(), reader })
    }
}

/// What a run keeps as JSON.
#[derive(Default, Deserialize)]
struct Kept {
    plan: Option<Plan>,
    #[serde(default)]
    dataset: String,
    #[serde(default)]
    samples: Vec<Count>,
    #[serde(default)]
    classes: Vec<String>,
}

#[derive(Deserialize)]
struct Count {
    split: String,
    class: String,
    count: u64,
}

#[derive(Deserialize)]
struct Sample {
    image_id: String,
    item: usize,
    class: usize,
    said: usize,
    score: f64,
    loss: f64,
}

impl Runs for DatasetRuns {
    fn list(&mut self) -> Result<Vec<Run>, String> {
        let rows = self.reader.runs().map_err(|error| line(&error))?;
        let (cards, _) = Card::all(&self.places.models);
        Ok(rows.into_iter().take(MOST).map(|row| run(row, &self.places, &cards)).collect())
    }

    fn epochs(&mut self, run: &str, after: u32) -> Result<Vec<Epoch>, String> {
        let rows = self.reader.epochs_after(run, after).map_err(|error| line(&error))?;
        let mut epochs: Vec<Epoch> = rows.iter().map(epoch).collect();
        // Samples of one epoch are shown at a time: the last one's and the best one's.
        let last = epochs.len().saturating_sub(1);
        for (place, epoch) in epochs.iter_mut().enumerate() {
            if place != last && epoch.figures.get("best") != Some(&1.0) {
                epoch.worst = Vec::new();
            }
        }
        Ok(epochs)
    }

    fn summary(&mut self, plan: &Plan) -> Result<Summary, String> {
        let chosen = training::choose(plan, &self.paths, &self.reader).map_err(|error| clean(&error.to_string()))?;
        Ok(Summary {
            counts: chosen.counts().into_iter().map(clean_count).collect(),
            left_out: chosen.left_out.iter().map(|(why, count)| (clean(why), *count)).collect(),
        })
    }

    fn worst(&mut self, key: &WorstKey, feed: &Path, items: &[usize]) -> Vec<Option<CellPicture>> {
        items.iter().map(|item| picture(training::plane(feed, *item)?, key)).collect()
    }
}

fn line(error: &StoreError) -> String {
    clean(&error.to_string())
}

fn run(row: RunRow, places: &Places, cards: &[Card]) -> Run {
    let kept: Kept = serde_json::from_str(&row.settings).unwrap_or_default();
    let model = cards.iter().find(|card| card.run.as_deref() == Some(&row.run)).map(|card| clean(&card.name));
    let best: Map<String, Value> =
        row.best.as_deref().and_then(|figures| serde_json::from_str(figures).ok()).unwrap_or_default();
    let counts = kept.samples.into_iter().map(|Count { split, class, count }| Chosen { split, class, count });
    Run {
        feed: kept.plan.as_ref().map(|plan| places.feed(plan, &kept.dataset)),
        name: clean(&row.run),
        task: clean(&row.task),
        network: clean(&row.network),
        state: clean(&row.state),
        started: row.started_at.parse().ok(),
        best_epoch: row.best_epoch,
        best: numbers(&best),
        message: row.message.as_deref().map(clean),
        notes: clean(&row.notes),
        tags: clean(&row.tags),
        plan: kept.plan,
        samples: counts.map(clean_count).collect(),
        classes: kept.classes.iter().map(|class| clean(class)).collect(),
        model,
    }
}

fn clean_count(count: Chosen) -> Chosen {
    Chosen { split: clean(&count.split), class: clean(&count.class), count: count.count }
}

fn numbers(figures: &Map<String, Value>) -> BTreeMap<String, f64> {
    let number = |value: &Value| match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        value => value.as_f64(),
    };
    figures.iter().filter_map(|(name, value)| Some((clean(name), number(value)?))).collect()
}

fn epoch(row: &EpochRow) -> Epoch {
    let mut figures: Map<String, Value> = serde_json::from_str(&row.figures).unwrap_or_default();
    let mut take = |name: &str| figures.remove(name).unwrap_or_default();
    let confusion = serde_json::from_value(take("val_confusion")).unwrap_or_default();
    let worst: Vec<Sample> = serde_json::from_value(take("val_worst")).unwrap_or_default();
    Epoch {
        epoch: row.epoch,
        at: row.at.parse().ok(),
        seconds: row.seconds,
        figures: numbers(&figures),
        confusion,
        worst: worst
            .into_iter()
            .map(|Sample { image_id, item, class, said, score, loss }| Worst {
                image: clean(&image_id),
                item,
                class,
                said,
                score,
                loss,
            })
            .collect(),
    }
}

/// A sample as half blocks, or where there are no colours in characters from light to dense.
fn picture((pixels, side): (Vec<u8>, usize), key: &WorstKey) -> Option<CellPicture> {
    let side = u32::try_from(side).ok()?;
    let gray = GrayImage::from_raw(side, side, pixels)?;
    // Cells are about twice as high as wide.
    let rows = key.room.height.min(key.room.width / 2).max(1);
    let (width, height) = (u32::from(rows) * 2, u32::from(rows));
    if key.colours == Colours::None {
        return Some(CellPicture::dense(&standing_out(&gray, width, height)));
    }
    let small = DynamicImage::ImageLuma8(gray).resize_exact(width, height * 2, FilterType::Triangle).to_rgb8();
    Some(CellPicture::halfblocks(&small, key.colours))
}

/// What a pixel differs from its cell to stand for it, in standard deviations of the noise.
const STANDS_OUT: f32 = 4.5;
/// Standard deviations that the shades reach over at least, so that noise is no picture.
const REACH: f32 = 10.0;

/// A few shades do not show a hundred pixels' mean that is a shade off: a pixel that stands out of its cell stands for it,
/// and what there is lies over the whole range.
fn standing_out(gray: &GrayImage, width: u32, height: u32) -> GrayImage {
    let span = |cell: u32, cells: u32, pixels: u32| cell * pixels / cells..((cell + 1) * pixels).div_ceil(cells);
    let cells = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let cells: Vec<Vec<f32>> = cells
        .map(|(x, y)| {
            let across = span(x, width, gray.width());
            let pixels = span(y, height, gray.height()).flat_map(|y| across.clone().map(move |x| (x, y)));
            pixels.map(|(x, y)| f32::from(gray.get_pixel(x, y).0[0])).collect()
        })
        .collect();
    let means: Vec<f32> = cells.iter().map(|cell| cell.iter().sum::<f32>() / cell.len().max(1) as f32).collect();
    let off = |(cell, mean): (&Vec<f32>, &f32)| cell.iter().map(|pixel| (pixel - mean).abs()).collect::<Vec<_>>();
    let mut off: Vec<f32> = cells.iter().zip(&means).flat_map(off).collect();
    let middle = off.len() / 2;
    // Of a Gaussian the median of the magnitudes is 0.6745 deviations; a level is never without its rounding.
    let usual = if off.is_empty() { 0.0 } else { *off.select_nth_unstable_by(middle, f32::total_cmp).1 };
    let noise = (usual / 0.6745).max(0.3);
    let shown = cells.iter().zip(&means).map(|(cell, mean)| {
        let farthest = cell.iter().max_by(|a, b| (*a - mean).abs().total_cmp(&(*b - mean).abs()));
        *farthest.filter(|pixel| (*pixel - mean).abs() > STANDS_OUT * noise).unwrap_or(mean)
    });
    let shown: Vec<f32> = shown.collect();
    let (low, high) = shown.iter().fold((f32::MAX, f32::MIN), |(low, high), value| (low.min(*value), high.max(*value)));
    let range = (high - low).max(REACH * noise);
    let from = (low + high - range) / 2.0;
    let shades = shown.iter().map(|value| ((value - from) / range * 255.0) as u8).collect();
    GrayImage::from_raw(width, height, shades).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_a_dot_of_a_few_pixels_stands_out_and_noise_does_not() {
        let noisy = |x: u32, y: u32| 120 + (x * 7 + y * 13) as u8 % 5;
        let field = |dot: u8| {
            GrayImage::from_fn(96, 96, |x, y| {
                let within = (40..43).contains(&x) && (70..73).contains(&y);
                image::Luma([if within { dot } else { noisy(x, y) }])
            })
        };
        let small = standing_out(&field(95), 24, 12);
        let dark = small.enumerate_pixels().filter(|(_, _, p)| p.0[0] < 64).map(|(x, y, _)| (x, y));
        assert_eq!(dark.collect::<Vec<_>>(), [(10, 8), (10, 9)], "{small:?}");
        let even = standing_out(&field(122), 24, 12);
        let (low, high) = (even.iter().min().unwrap(), even.iter().max().unwrap());
        assert!(high - low < 64, "noise is drawn over {low} to {high}");
        assert_eq!(standing_out(&GrayImage::new(5, 5), 8, 4).dimensions(), (8, 4), "also of fewer pixels than cells");
    }
}
