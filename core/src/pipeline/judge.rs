//! From checked answers to what an inspection says: has it a defect, is the picture good enough, what is the verdict.

use ferrule_abi as abi;

use super::{merge::Merged, zones::Scale};
use crate::{
    host::card::printable,
    report::{DefectKind, Feature, Missing, Outcome, Quality, Severity, Verdict, ZoneName, ZoneVerdict},
    settings::Severities,
};

/// Whether something worth a label was found. Without a fibre or with somebody's results missing there is no answer, not
/// even "yes": a label must not depend on which plug-in happened to fail.
pub fn has_defect(defects: &[Merged], label: &Severities, fibre: bool, incomplete: &[Missing]) -> Option<bool> {
    let counts = |merged: &Merged| {
        merged.defect.confidence >= label.min_confidence && severity(merged.defect.severity) >= label.min_severity
    };
    (fibre && incomplete.is_empty()).then(|| defects.iter().any(counts))
}

/// Score and focus from the features that the interface names, remarks from attributes and from the decoder.
pub fn quality(features: &[Feature], mut flags: Vec<String>) -> Quality {
    let image = |name: &str| {
        let found = features.iter().find(|feature| feature.region == "image" && feature.name == name);
        found.map(|feature| feature.value)
    };
    flags.sort();
    flags.dedup();
    Quality {
        score: image("quality_score").map(|score| score.clamp(0.0, 100.0)),
        focus: image("focus").map(|focus| focus.clamp(0.0, 1.0)),
        flags,
    }
}

/// The remarks among a plug-in's attributes.
pub fn flags(attributes: &[abi::Attribute]) -> impl Iterator<Item = String> {
    let remarks = attributes.iter().filter(|attribute| attribute.name == "flag");
    remarks.filter_map(|attribute| match &attribute.value {
        abi::Value::Text(text) if !text.is_empty() => Some(printable(text)),
        _ => None,
    })
}

/// What a grader gets of the merged defects, in their order.
pub fn graded(defects: &[Merged], zones: &[Option<abi::ZoneName>]) -> Vec<abi::GradedDefect> {
    let pairs = defects.iter().zip(zones);
    let graded = pairs.map(|(Merged { defect, .. }, zone)| abi::GradedDefect {
        kind: defect.kind,
        severity: defect.severity,
        confidence: defect.confidence,
        zone: zone.map_or(abi::ROption::RNone, abi::ROption::RSome),
        x: defect.x,
        y: defect.y,
        area_px: defect.area_px,
        length_px: defect.length_px,
        width_px: defect.width_px,
    });
    graded.collect()
}

/// A grader's input.
pub fn grade_input<'a>(
    zones: &'a [abi::Zone],
    defects: &'a [abi::GradedDefect],
    scale: &Scale,
    flags: &'a [abi::RString],
) -> abi::GradeInput<'a> {
    abi::GradeInput {
        zones: zones.into(),
        defects: defects.into(),
        um_per_px: scale.um_per_px.map_or(abi::ROption::RNone, abi::ROption::RSome),
        pixel_aspect: scale.pixel_aspect,
        flags: flags.into(),
    }
}

/// A grader's answer, with the defects called by their ids.
pub fn verdict(answer: &abi::Verdict, ids: &[String]) -> Verdict {
    let zones: Vec<ZoneVerdict> = answer
        .zones
        .iter()
        .map(|zone| ZoneVerdict {
            zone: zone_name(zone.zone),
            outcome: outcome(zone.outcome),
            rule: printable(&zone.rule),
            defects: zone.defects.iter().map(|place| ids[*place as usize].clone()).collect(),
        })
        .collect();
    let failed = zones.iter().filter(|zone| zone.outcome == Outcome::Fail);
    Verdict {
        profile: Some(printable(&answer.profile)).filter(|profile| !profile.is_empty()),
        overall: outcome(answer.overall),
        failed: failed.map(|zone| format!("{}: {}", zone.zone, zone.rule)).collect(),
        zones,
        reason: printable(&answer.reason),
    }
}

/// Nobody graded, and why.
pub fn not_graded(reason: &str) -> Verdict {
    Verdict { profile: None, overall: Outcome::NotGraded, failed: Vec::new(), zones: Vec::new(), reason: reason.into() }
}

const fn outcome(outcome: abi::Outcome) -> Outcome {
    match outcome {
        abi::Outcome::Pass => Outcome::Pass,
        abi::Outcome::Fail => Outcome::Fail,
        abi::Outcome::NotGraded => Outcome::NotGraded,
    }
}

/// The interface's zone in results' words.
pub const fn zone_name(zone: abi::ZoneName) -> ZoneName {
    match zone {
        abi::ZoneName::Core => ZoneName::Core,
        abi::ZoneName::Cladding => ZoneName::Cladding,
        abi::ZoneName::Adhesive => ZoneName::Adhesive,
        abi::ZoneName::Ferrule => ZoneName::Ferrule,
    }
}

/// The interface's severity in results' words.
pub const fn severity(severity: abi::Severity) -> Severity {
    match severity {
        abi::Severity::Negligible => Severity::Negligible,
        abi::Severity::Low => Severity::Low,
        abi::Severity::Medium => Severity::Medium,
        abi::Severity::High => Severity::High,
        abi::Severity::Critical => Severity::Critical,
    }
}

/// The interface's kind in results' words.
pub const fn kind(kind: abi::DefectKind) -> DefectKind {
    match kind {
        abi::DefectKind::Scratch => DefectKind::Scratch,
        abi::DefectKind::Pit => DefectKind::Pit,
        abi::DefectKind::Chip => DefectKind::Chip,
        abi::DefectKind::Particle => DefectKind::Particle,
        abi::DefectKind::Residue => DefectKind::Residue,
        abi::DefectKind::Anomaly => DefectKind::Anomaly,
    }
}
