//! An answer as `ferrule inspect --json` prints it: one object a line. Others rely on this shape, also for files that cannot
//! be inspected: the same keys, with `error` set.

use serde::Serialize;

use super::Answered;
use crate::{
    ids::ImageId,
    names,
    report::{
        Defect, DefectKind, Feature, Missing, Outcome, Part, Quality, Severity, Timings, Verdict, ZoneName, Zones,
    },
};

/// One line.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    /// Escaped where it has to be.
    path: String,
    /// The exact bytes, where `path` is not exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
    image_id: Option<ImageId>,
    width: Option<u32>,
    height: Option<u32>,
    um_per_px: Option<f64>,
    zones: Zones,
    defects: Vec<DefectLine<'a>>,
    has_defect: Option<bool>,
    quality: Quality,
    verdict: Verdict,
    features: &'a [Feature],
    incomplete: &'a [Missing],
    error: Option<String>,
    ms: Option<Timings>,
}

/// A defect without its mask.
#[derive(Debug, Serialize)]
struct DefectLine<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: DefectKind,
    severity: Severity,
    confidence: f64,
    bbox: [u32; 4],
    x: f64,
    y: f64,
    area_px: u32,
    length_px: f64,
    width_px: f64,
    angle_deg: f64,
    zone: Option<ZoneName>,
    plugin: &'a str,
    parts: &'a [Part],
}

impl<'a> Line<'a> {
    /// The line of an answer.
    #[must_use]
    pub fn of(answer: &'a Answered) -> Self {
        let bare = Self {
            path: names::display(&answer.path),
            path_b64: names::exact(&answer.path),
            image_id: answer.image_id,
            width: None,
            height: None,
            um_per_px: None,
            zones: Zones::default(),
            defects: Vec::new(),
            has_defect: None,
            quality: Quality::default(),
            verdict: Verdict {
                profile: None,
                overall: Outcome::NotGraded,
                failed: Vec::new(),
                zones: Vec::new(),
                reason: String::new(),
            },
            features: &[],
            incomplete: &[],
            error: None,
            ms: None,
        };
        let inspection = match &answer.result {
            Ok(inspection) => inspection,
            Err(failure) => return Self { error: Some(failure.to_string()), ..bare },
        };
        Self {
            width: Some(inspection.width),
            height: Some(inspection.height),
            um_per_px: inspection.um_per_px,
            zones: inspection.zones.clone(),
            defects: inspection.defects.iter().map(DefectLine::of).collect(),
            has_defect: inspection.has_defect,
            quality: inspection.quality.clone(),
            verdict: inspection.verdict.clone(),
            features: &inspection.features,
            incomplete: &inspection.incomplete,
            ms: Some(inspection.ms),
            ..bare
        }
    }
}

impl<'a> DefectLine<'a> {
    fn of(defect: &'a Defect) -> Self {
        Self {
            id: &defect.id,
            kind: defect.kind,
            severity: defect.severity,
            confidence: defect.confidence,
            bbox: defect.bbox,
            x: defect.x,
            y: defect.y,
            area_px: defect.area_px,
            length_px: defect.length_px,
            width_px: defect.width_px,
            angle_deg: defect.angle_deg,
            zone: defect.zone,
            plugin: &defect.plugin,
            parts: &defect.parts,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    use super::*;
    use crate::report::{Failure, Inspection, Outline};

    #[test]
    fn a_line_has_every_key_that_others_rely_on() {
        let outline = Outline { cx: 5.0, cy: 4.0, ax: 2.0, by: 2.5, angle_deg: 0.0, confidence: 0.9 };
        let defect = Defect {
            id: "x-1".into(),
            kind: DefectKind::Scratch,
            severity: Severity::High,
            confidence: 0.75,
            bbox: [1, 2, 3, 4],
            x: 2.0,
            y: 3.5,
            area_px: 5,
            length_px: 6.0,
            width_px: 1.5,
            angle_deg: -30.0,
            zone: Some(ZoneName::Cladding),
            plugin: "detect-scratch 1.0.0".into(),
            parts: vec![],
            mask: vec![[2, 1, 3]],
        };
        let inspection = Inspection {
            image_id: ImageId::of(b"a"),
            width: 10,
            height: 8,
            um_per_px: Some(0.5),
            zones: Zones { cladding: Some(outline), ..Zones::default() },
            defects: vec![defect],
            has_defect: Some(true),
            quality: Quality { score: Some(80.0), focus: None, flags: vec!["dark".into()] },
            verdict: Verdict {
                profile: None,
                overall: Outcome::NotGraded,
                failed: vec![],
                zones: vec![],
                reason: "no grader".into(),
            },
            features: vec![],
            histograms: vec![],
            incomplete: vec![],
            ms: Timings::default(),
        };
        let answer = Answered { path: "a.png".into(), image_id: Some(ImageId::of(b"a")), result: Ok(inspection) };
        insta::assert_snapshot!(serde_json::to_string_pretty(&Line::of(&answer)).unwrap());
    }

    #[test]
    fn a_file_that_cannot_be_inspected_is_an_object_with_the_same_keys() {
        let path = OsStr::from_bytes(b"in/\xff\n.png").into();
        let failure =
            Failure { stage: "decode".into(), plugin: None, message: "the file is empty".into(), transient: true };
        let answer = Answered { path, image_id: None, result: Err(failure) };
        insta::assert_snapshot!(serde_json::to_string_pretty(&Line::of(&answer)).unwrap());
    }
}
