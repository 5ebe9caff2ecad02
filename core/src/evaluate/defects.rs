//! Recall, precision and false alarms over all pictures whose defects are listed, and where they come from.
//!
//! Recall counts true defects, precision counts found ones; fragments of one true defect count once for precision. Whether
//! a defect is called by its right name is counted apart: a pit called a particle is found.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    calibration::Calibration,
    matching::{FoundOutcome, Matched, TruthOutcome, Verdict},
    picture::PictureScore,
    share::{Share, f1},
};
use crate::{
    report::{DefectKind, ZoneName},
    simulate::truth::Label,
};

/// Bounds of the bins of contrast, in multiples of the noise: people call 5 visible.
const CONTRASTS: [f64; 6] = [0.0, 3.0, 5.0, 8.0, 12.0, 20.0];

/// Everything about defects.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DefectFigures {
    /// Those whose defects are listed.
    pub pictures: u64,
    pub megapixels: f64,
    /// Of true defects, those found.
    pub recall: Share,
    /// Of found ones, those that are there; fragments count once, what lies in an area to ignore not at all.
    pub precision: Share,
    pub f1: Option<f64>,
    /// Right finds beyond the first about the same true defect.
    pub fragments: u64,
    /// In areas to ignore.
    pub neutral: u64,
    pub false_alarms: u64,
    pub false_alarms_per_megapixel: Option<f64>,
    /// Mean over pictures without a defect.
    pub false_alarms_per_clean_picture: Option<f64>,
    pub clean_pictures_with_false_alarms: Share,
    /// By true type for recall, by said type for precision. Class by class, then type by type; none that never occurs.
    pub by_type: Vec<Part>,
    /// By true zone.
    pub by_zone: Vec<Part>,
    pub by_contrast: Vec<ContrastBin>,
    /// True type against said type, of true defects with a find about them.
    pub confusion: Vec<Confusion>,
    /// Called by their right name, of the same.
    pub type_agreement: Share,
    /// Put into their right zone, likewise.
    pub zone_agreement: Share,
    /// Confidence of found defects against being right.
    pub calibration: Calibration,
}

/// One type, class or zone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    pub name: &'static str,
    pub recall: Share,
    pub precision: Share,
    pub f1: Option<f64>,
}

/// True defects of a range of contrasts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ContrastBin {
    /// In multiples of the noise; included.
    pub low: f64,
    /// Not included; `None` has no end.
    pub high: Option<f64>,
    pub recall: Share,
    pub scratch: Share,
    /// Everything that is no scratch.
    pub region: Share,
}

/// How often one type was called another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Confusion {
    pub truth: DefectKind,
    pub said: DefectKind,
    pub count: u64,
}

/// Scratches against everything else, as the field reports them.
pub(super) const fn class(kind: DefectKind) -> &'static str {
    if matches!(kind, DefectKind::Scratch) { "scratch" } else { "region" }
}

impl DefectFigures {
    /// Of the scored pictures.
    #[must_use]
    pub(super) fn of(pictures: &[PictureScore]) -> Self {
        let judged: Vec<(&PictureScore, &Matched)> =
            pictures.iter().filter_map(|picture| Some((picture, picture.matched.as_ref()?))).collect();
        let all: Vec<&Matched> = judged.iter().map(|(_, matched)| *matched).collect();
        let (recall, precision) = (recall(&all, |_| true), precision(&all, |_| true));
        let finds = || all.iter().flat_map(|matched| &matched.found);
        let false_alarms = alarms(finds());
        let megapixels: f64 = judged.iter().map(|(picture, _)| picture.megapixels).sum();
        let clean: Vec<&Matched> = judged
            .iter()
            .filter(|(picture, matched)| picture.label == Some(Label::Clean) && matched.truths.is_empty())
            .map(|(_, matched)| *matched)
            .collect();
        let on_clean: Vec<u64> = clean.iter().map(|matched| alarms(&matched.found)).collect();
        let right = finds().filter(|find| matches!(find.verdict, Verdict::Right(_))).count() as u64;
        let outcomes: Vec<(f64, bool)> = finds()
            .filter(|find| find.verdict != Verdict::Neutral)
            .map(|find| (find.confidence, find.verdict != Verdict::False))
            .collect();
        let (confusion, type_agreement) = confusion(&all);
        Self {
            pictures: judged.len() as u64,
            megapixels,
            f1: f1(&precision, &recall),
            fragments: right - precision.count,
            neutral: finds().filter(|find| find.verdict == Verdict::Neutral).count() as u64,
            false_alarms,
            false_alarms_per_megapixel: (megapixels > 0.0).then(|| false_alarms as f64 / megapixels),
            false_alarms_per_clean_picture: (!clean.is_empty())
                .then(|| on_clean.iter().sum::<u64>() as f64 / clean.len() as f64),
            clean_pictures_with_false_alarms: Share::among(on_clean.iter().map(|count| *count > 0)),
            by_type: by_type(&all),
            by_zone: by_zone(&all),
            by_contrast: by_contrast(&all),
            confusion,
            type_agreement,
            zone_agreement: zone_agreement(&all),
            calibration: Calibration::of(&outcomes),
            recall,
            precision,
        }
    }
}

fn alarms<'a>(finds: impl IntoIterator<Item = &'a FoundOutcome>) -> u64 {
    finds.into_iter().filter(|find| find.verdict == Verdict::False).count() as u64
}

fn recall(all: &[&Matched], wanted: impl Fn(&TruthOutcome) -> bool) -> Share {
    let truths = all.iter().flat_map(|matched| &matched.truths).filter(|truth| wanted(truth));
    Share::among(truths.map(|truth| truth.is_found))
}

fn precision(all: &[&Matched], wanted: impl Fn(&FoundOutcome) -> bool) -> Share {
    let (mut right, mut wrong) = (0, 0);
    for matched in all {
        let finds = || matched.found.iter().filter(|find| wanted(find));
        wrong += alarms(finds());
        let about = finds().filter_map(|find| match find.verdict {
            Verdict::Right(place) => Some(place),
            Verdict::Neutral | Verdict::False => None,
        });
        right += about.collect::<BTreeSet<usize>>().len() as u64;
    }
    Share::of(right, right + wrong)
}

fn part(name: &'static str, recall: Share, precision: Share) -> Option<Part> {
    (recall.of + precision.of > 0).then(|| Part { name, recall, precision, f1: f1(&precision, &recall) })
}

fn by_type(all: &[&Matched]) -> Vec<Part> {
    let classes = ["scratch", "region"].into_iter().map(|name| {
        let recall = recall(all, |truth| truth.kind.is_some_and(|kind| class(kind) == name));
        part(name, recall, precision(all, |find| class(find.kind) == name))
    });
    let kinds = DefectKind::ALL.iter().filter(|kind| **kind != DefectKind::Scratch).map(|kind| {
        part(kind.as_str(), recall(all, |truth| truth.kind == Some(*kind)), precision(all, |find| find.kind == *kind))
    });
    classes.chain(kinds).flatten().collect()
}

fn by_zone(all: &[&Matched]) -> Vec<Part> {
    let zones = [ZoneName::Core, ZoneName::Cladding, ZoneName::Ferrule].into_iter();
    let parts = zones.map(|zone| {
        let recall = recall(all, |truth| truth.zone == Some(zone));
        part(zone.as_str(), recall, precision(all, |find| find.zone == Some(zone)))
    });
    parts.flatten().collect()
}

fn by_contrast(all: &[&Matched]) -> Vec<ContrastBin> {
    let bins = CONTRASTS.iter().enumerate().map(|(place, low)| {
        let high = CONTRASTS.get(place + 1).copied();
        let inside = |truth: &TruthOutcome| {
            truth.contrast_sigma.is_some_and(|sigma| sigma >= *low && high.is_none_or(|high| sigma < high))
        };
        let of_class = |name: &'static str| {
            recall(all, move |truth| inside(truth) && truth.kind.is_some_and(|kind| class(kind) == name))
        };
        ContrastBin {
            low: *low,
            high,
            recall: recall(all, inside),
            scratch: of_class("scratch"),
            region: of_class("region"),
        }
    });
    bins.filter(|bin| bin.recall.of > 0).collect()
}

fn confusion(all: &[&Matched]) -> (Vec<Confusion>, Share) {
    let mut counts: BTreeMap<(DefectKind, DefectKind), u64> = BTreeMap::new();
    for truth in all.iter().flat_map(|matched| &matched.truths) {
        if let (Some(kind), Some(called)) = (truth.kind, truth.called) {
            *counts.entry((kind, called)).or_default() += 1;
        }
    }
    let total = counts.values().sum();
    let same = counts.iter().filter(|((truth, said), _)| truth == said).map(|(_, count)| count).sum();
    let rows = counts.into_iter().map(|((truth, said), count)| Confusion { truth, said, count });
    (rows.collect(), Share::of(same, total))
}

fn zone_agreement(all: &[&Matched]) -> Share {
    let right = all.iter().flat_map(|matched| &matched.found).filter(|find| matches!(find.verdict, Verdict::Right(_)));
    Share::among(right.filter(|find| find.zone.is_some()).map(|find| find.zone == find.said_zone))
}
