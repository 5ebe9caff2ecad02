//! Sums over what the detectors found: how many, and how much of each zone they take.

use ferrule_abi::{Defect, Feature, ZoneName};
use ferrule_vision::{histogram::Histogram, runs::label_runs};

use crate::{LABELS, feature};

/// `defect_count`, `defect_area_px`, `defect_area_share` of the image and of each zone that is there. A defect counts in
/// the innermost zone it touches (IEC 61300-3-35); its pixels count where they lie.
pub fn features(defects: &[Defect], labels: &[u8], width: usize, histograms: &[Histogram]) -> Vec<Feature> {
    let (mut counts, mut areas) = ([0u64; LABELS], [0u64; LABELS]);
    for defect in defects {
        let mut innermost = 0;
        for run in &defect.mask {
            let start = run.y as usize * width + run.x as usize;
            // A mask is another plug-in's word: what reaches outside the picture is not counted.
            let inside = run.x as usize + run.length as usize <= width;
            let Some(labels) = labels.get(start..start + run.length as usize).filter(|_| inside) else { continue };
            for (label, run) in label_runs(labels) {
                let zone = ZoneName::from_label(label).map_or(0, |zone| zone as usize);
                areas[zone] += run.len() as u64;
                if zone > 0 && (innermost == 0 || zone < innermost) {
                    innermost = zone;
                }
            }
        }
        counts[innermost] += 1;
    }
    let mut list = Vec::new();
    let mut add = |region: &str, count: u64, area: u64, pixels: u64| {
        list.push(feature(region, "defect_count", count as f64, "count"));
        list.push(feature(region, "defect_area_px", area as f64, "px"));
        if pixels > 0 {
            list.push(feature(region, "defect_area_share", area as f64 / pixels as f64, "ratio"));
        }
    };
    let pixels = |label: usize| histograms[label].total();
    let zones: u64 = (1..LABELS).map(pixels).sum();
    add("image", defects.len() as u64, areas.iter().sum(), if zones > 0 { zones } else { pixels(0) });
    for zone in ZoneName::ALL {
        let label = zone as usize;
        if pixels(label) > 0 {
            add(zone.as_str(), counts[label], areas[label], pixels(label));
        }
    }
    list
}
