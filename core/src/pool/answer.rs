//! Checks a worker's answer before anyone believes it: a plug-in may have written over the worker's memory.
//!
//! It rejects whole answers and repairs nothing. What passes is safe to store and draw: numbers are finite, boxes and
//! masks lie inside the picture, lists and texts are bounded, names are plain. Called by the supervisor.

use std::collections::BTreeSet;

use crate::{
    dataset::fingerprint::CELLS,
    ids::ImageId,
    report::{Defect, Failure, Inspection, Outline},
    worker::messages::{Answer, StagedFile},
};

const MAX_DEFECTS: usize = 20_000;
const MAX_LIST: usize = 100_000;
const MAX_TEXT: usize = 16 << 10;
const MAX_ARTEFACTS: usize = 256;
/// `NAME_MAX` of Linux file systems.
const MAX_NAME: usize = 255;

/// What the job asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub job: u64,
    /// Whose content it is, where that is known.
    pub expected: Option<ImageId>,
    /// Files were asked for.
    pub artefacts: bool,
    pub max_megapixels: f64,
}

/// Says what is wrong with an answer, if anything is.
///
/// # Errors
/// The first thing that is, in words that end "an answer with …".
pub fn check(asked: &Asked, answer: &Answer) -> Result<(), String> {
    let ensure = |sound: bool, what: &str| if sound { Ok(()) } else { Err(format!("an answer with {what}")) };
    ensure(answer.job == asked.job, "another job's number")?;
    ensure(asked.artefacts || answer.artefacts.is_empty(), "files that nobody asked for")?;
    ensure(answer.artefacts.len() <= MAX_ARTEFACTS, "too many files")?;
    ensure(answer.artefacts.iter().all(is_plain), "a file name that is no plain name")?;
    let distinct: BTreeSet<_> = answer.artefacts.iter().map(|file| &file.name).collect();
    ensure(distinct.len() == answer.artefacts.len(), "the same file twice")?;
    let fingerprint = answer.fingerprint.as_ref();
    ensure(fingerprint.is_none_or(|print| print.grid.len() == CELLS), "a fingerprint of another size")?;
    ensure(answer.spent.len() <= MAX_LIST, "too many times")?;
    ensure(answer.spent.iter().all(|(_, ms)| ms.is_finite() && *ms >= 0.0), "an impossible time")?;
    match &answer.result {
        Err(Failure { stage, plugin, message, .. }) => {
            ensure(answer.artefacts.is_empty(), "results of a failure")?;
            let texts = [stage.len(), plugin.as_ref().map_or(0, String::len), message.len()];
            ensure(texts.iter().all(|length| *length <= MAX_TEXT), "a failure too long to tell")
        }
        Ok(inspection) => {
            let pixels = u64::from(inspection.width) * u64::from(inspection.height);
            ensure(pixels > 0 && pixels as f64 <= asked.max_megapixels * 1e6, "an impossible picture size")?;
            ensure(asked.expected.is_none_or(|id| id == inspection.image_id), "another image's identity")?;
            inspection_is_sound(inspection)
        }
    }
}

fn is_plain(file: &StagedFile) -> bool {
    let name = &file.name;
    !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.starts_with('.')
        && !name.chars().any(|c| c == '/' || c == '\\' || c.is_control())
}

fn inspection_is_sound(inspection: &Inspection) -> Result<(), String> {
    let ensure = |sound: bool, what: &str| if sound { Ok(()) } else { Err(format!("an answer with {what}")) };
    let (width, height) = (inspection.width, inspection.height);
    ensure(inspection.um_per_px.is_none_or(|scale| scale.is_finite() && scale > 0.0), "an impossible scale")?;
    ensure(inspection.zones.iter().all(|(_, outline)| outline_is_sound(outline)), "an impossible outline")?;
    ensure(inspection.defects.len() <= MAX_DEFECTS, "too many defects")?;
    ensure(inspection.defects.iter().all(|defect| defect_is_sound(defect, width, height)), "an impossible defect")?;
    let distinct: BTreeSet<&str> = inspection.defects.iter().map(|defect| defect.id.as_str()).collect();
    ensure(distinct.len() == inspection.defects.len(), "the same defect twice")?;

    let quality = &inspection.quality;
    let figures = [quality.score, quality.focus].into_iter().flatten();
    ensure(figures.into_iter().all(f64::is_finite), "a quality that is no number")?;
    ensure(inspection.features.len() <= MAX_LIST, "too many features")?;
    ensure(inspection.features.iter().all(|feature| feature.value.is_finite()), "a feature that is no number")?;
    ensure(inspection.histograms.len() <= MAX_LIST, "too many histograms")?;
    let sound = |low: f64, high: f64, bins: usize| low.is_finite() && high.is_finite() && bins <= MAX_LIST;
    let histograms = || inspection.histograms.iter();
    ensure(histograms().all(|h| sound(h.low, h.high, h.counts.len())), "an impossible histogram")?;
    let ms = inspection.ms;
    let times = [ms.decode, ms.segment, ms.detect, ms.measure, ms.grade, ms.artefacts];
    ensure(times.iter().all(|time| time.is_finite() && *time >= 0.0), "an impossible time")?;
    let verdict = &inspection.verdict;
    let lists = [quality.flags.len(), verdict.failed.len(), verdict.zones.len(), inspection.incomplete.len()];
    ensure(lists.iter().all(|length| *length <= MAX_LIST), "a list too long")?;
    ensure(texts(inspection).all(|text| text.len() <= MAX_TEXT), "a text too long")
}

fn unit(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

fn outline_is_sound(outline: &Outline) -> bool {
    let Outline { cx, cy, ax, by, angle_deg, confidence } = *outline;
    [cx, cy, ax, by, angle_deg].iter().all(|v| v.is_finite()) && ax > 0.0 && by > 0.0 && unit(confidence)
}

fn defect_is_sound(defect: &Defect, width: u32, height: u32) -> bool {
    let inside = |[x, y, w, h]: [u32; 4]| {
        w > 0
            && h > 0
            && u64::from(x) + u64::from(w) <= u64::from(width)
            && u64::from(y) + u64::from(h) <= u64::from(height)
    };
    let pixels = u64::from(width) * u64::from(height);
    let numbers = [defect.x, defect.y, defect.length_px, defect.width_px, defect.angle_deg];
    let run = |[y, x, length]: &[u32; 3]| *y < height && u64::from(*x) + u64::from(*length) <= u64::from(width);
    // Rising and apart, so their sum is bounded by the picture and drawing them is linear.
    let rising = |pair: &[[u32; 3]]| {
        let ([y, x, length], [next_y, next_x, _]) = (pair[0], pair[1]);
        y < next_y || (y == next_y && u64::from(x) + u64::from(length) <= u64::from(next_x))
    };
    inside(defect.bbox)
        && u64::from(defect.area_px) <= pixels
        && numbers.iter().all(|number| number.is_finite())
        && unit(defect.confidence)
        && defect.mask.iter().all(run)
        && defect.mask.windows(2).all(rising)
        && defect.parts.len() <= MAX_LIST
        && defect.parts.iter().all(|part| unit(part.confidence) && inside(part.bbox))
}

/// Every text of an inspection.
fn texts(inspection: &Inspection) -> impl Iterator<Item = &str> {
    let verdict = &inspection.verdict;
    let defects = inspection.defects.iter().flat_map(|defect| {
        [&defect.id, &defect.plugin].into_iter().chain(defect.parts.iter().map(|part| &part.plugin))
    });
    let features = inspection.features.iter().flat_map(|f| [&f.region, &f.name, &f.unit, &f.plugin]);
    let histograms = inspection.histograms.iter().flat_map(|h| [&h.region, &h.name, &h.plugin]);
    let missing = inspection.incomplete.iter().flat_map(|missing| [&missing.plugin, &missing.reason]);
    let zones = verdict.zones.iter().flat_map(|zone| [&zone.rule].into_iter().chain(&zone.defects));
    let rest = inspection.quality.flags.iter().chain(&verdict.failed).chain(&verdict.profile).chain([&verdict.reason]);
    defects.chain(features).chain(histograms).chain(missing).chain(zones).chain(rest).map(String::as_str)
}
