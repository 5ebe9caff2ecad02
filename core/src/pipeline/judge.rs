//! From checked answers to what an inspection says: has it a defect, is the picture good enough, what is the verdict.

use ferrule_abi as abi;

use super::{merge::Merged, zones::Scale};
use crate::{
    host::card::printable,
    report::{DefectKind, Feature, Missing, Outcome, Quality, Severity, Verdict, ZoneName, ZoneVerdict, classified},
    settings::Severities,
};

/// Whether something worth a label was found. Without a fibre or with somebody's results missing there is no answer, not
/// even "yes": a label must not depend on which plug-in happened to fail. A classifier's word comes before the defects'.
pub fn has_defect(
    defects: &[Merged],
    label: &Severities,
    fibre: bool,
    incomplete: &[Missing],
    features: &[Feature],
) -> Option<bool> {
    let counts = |merged: &Merged| {
        merged.defect.confidence >= label.min_confidence && severity(merged.defect.severity) >= label.min_severity
    };
    let found = || classified(features).map_or_else(|| defects.iter().any(counts), |said| said.value >= 0.5);
    (fibre && incomplete.is_empty()).then(found)
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
pub fn graded<'a>(defects: &'a [Merged], zones: &[Option<abi::ZoneName>]) -> Vec<abi::GradedDefect<'a>> {
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
        angle_deg: defect.angle_deg,
        mask: defect.mask.as_slice().into(),
    });
    graded.collect()
}

/// A grader's input, for a picture of that width and height.
pub fn grade_input<'a>(
    (width, height): (u32, u32),
    zones: &'a [abi::Zone],
    defects: &'a [abi::GradedDefect<'a>],
    (scale, core_um): (&Scale, Option<f64>),
    flags: &'a [abi::RString],
) -> abi::GradeInput<'a> {
    let known = |value: Option<f64>| value.map_or(abi::ROption::RNone, abi::ROption::RSome);
    abi::GradeInput {
        width,
        height,
        zones: zones.into(),
        defects: defects.into(),
        um_per_px: known(scale.um_per_px),
        pixel_aspect: scale.pixel_aspect,
        core_um: known(core_um),
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

/// A pass is believed only if everybody looked: where a plug-in's results are missing, so may be what fails. A failure
/// stands, for more results would not take it back.
pub fn pass_only_if_complete(verdict: Verdict, detectors: usize, incomplete: &[Missing]) -> Verdict {
    if verdict.overall != Outcome::Pass {
        return verdict;
    }
    let reason = match incomplete.first() {
        Some(missing) => format!("{} gave no results", missing.plugin),
        None if detectors == 0 => "no detector in the pipeline".to_owned(),
        None => return verdict,
    };
    Verdict { overall: Outcome::NotGraded, reason, ..verdict }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_without_everybodys_results_is_not_graded_and_a_failure_stands() {
        let verdict = |overall| Verdict { overall, reason: String::new(), ..not_graded("") };
        let missing = [Missing { plugin: "detect-scratch 1.0.0".into(), reason: "it crashed".into() }];
        let judged = |overall, detectors, missing: &[Missing]| {
            let verdict = pass_only_if_complete(verdict(overall), detectors, missing);
            (verdict.overall, verdict.reason)
        };
        assert_eq!(judged(Outcome::Pass, 2, &[]), (Outcome::Pass, String::new()));
        let doubted = judged(Outcome::Pass, 2, &missing);
        assert_eq!(doubted, (Outcome::NotGraded, "detect-scratch 1.0.0 gave no results".into()));
        assert_eq!(judged(Outcome::Pass, 0, &[]), (Outcome::NotGraded, "no detector in the pipeline".into()));
        assert_eq!(judged(Outcome::Fail, 2, &missing), (Outcome::Fail, String::new()));
    }
}
