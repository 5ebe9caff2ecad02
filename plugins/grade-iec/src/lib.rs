//! grade-iec: passes or fails an end face zone by zone, by profiles that follow IEC 61300-3-35.
//!
//! One narrow plug-in. It sees no pixels: outlines, merged defects and the scale decide. The rules are data, the files in
//! `config/criteria` and a person's own text. What cannot be judged is not graded, and the verdict says why: a blurred
//! picture hides what it should fail for. It never decides what is stored.

mod face;
mod judge;
mod profile;
mod reader;
mod refusal;

use ferrule_abi::{
    Descriptor, GradeInput, Grader, Outcome, ParameterSpec, Parameters, Plugin, PluginError, RString, Slot, Verdict,
    ZoneName, ZoneVerdict, export_plugins,
};

use face::Face;
use profile::{Choice, Profile};

/// The plug-in.
pub struct GradeIec {
    choice: Choice,
    min_confidence: f64,
    /// Zones from the middle out that are judged.
    zones: &'static [ZoneName],
}

export_plugins!(grade: GradeIec);

const ALL_ZONES: &str = "ABCD";
const FIBRE_ZONES: &str = "AB";

impl Plugin for GradeIec {
    fn descriptor() -> Descriptor {
        let names = profile::names();
        let options: Vec<&str> = std::iter::once(profile::AUTO).chain(names.iter().map(String::as_str)).collect();
        let summary = "Pass or fail zone by zone, by profiles that follow IEC 61300-3-35.";
        Descriptor::new("grade-iec", env!("CARGO_PKG_VERSION"), Slot::Grade, summary).with_parameters(vec![
            ParameterSpec::choice(
                "profile",
                profile::AUTO,
                &options,
                "Rules to grade by; auto takes sm-pc-panduit for cores under 15 um, else mm-pc-panduit",
            ),
            ParameterSpec::text("rules", "An own profile as TOML, like the files in config/criteria; used instead"),
            ParameterSpec::choice("zones", ALL_ZONES, &[ALL_ZONES, FIBRE_ZONES], "AB for multi-fibre connectors (MT)"),
            ParameterSpec::real(
                "min_confidence",
                0.5,
                0.0,
                1.0,
                "",
                "Defects and outlines less sure than this do not count",
            ),
        ])
    }

    fn create(parameters: &Parameters) -> Result<Self, PluginError> {
        let all = ZoneName::ALL.as_slice();
        Ok(Self {
            choice: Choice::of(parameters.text("profile")?, parameters.text("rules")?)?,
            min_confidence: parameters.real("min_confidence")?,
            zones: if parameters.text("zones")? == FIBRE_ZONES { &all[..2] } else { all },
        })
    }
}

impl Grader for GradeIec {
    fn grade(&mut self, input: &GradeInput<'_>) -> Result<Verdict, PluginError> {
        let not_graded = |profile: &str, reason: String| Verdict {
            profile: profile.into(),
            overall: Outcome::NotGraded,
            zones: Default::default(),
            reason: reason.into(),
            attributes: Default::default(),
        };
        let face = match refusal::look(input, self.min_confidence) {
            Ok(face) => face,
            Err(reason) => return Ok(not_graded(self.choice.name(), reason)),
        };
        let profile = match self.choice.profile(face.core_um()) {
            Ok(profile) => profile,
            Err(reason) => return Ok(not_graded(self.choice.name(), reason)),
        };
        Ok(match refusal::misfit(profile, &face) {
            Some(reason) => not_graded(&profile.name, reason),
            None => self.judge(profile, &face, input),
        })
    }
}

impl GradeIec {
    fn judge(&self, profile: &Profile, face: &Face, input: &GradeInput<'_>) -> Verdict {
        let rings: Vec<_> = profile.rings.iter().filter(|ring| self.zones.contains(&ring.zone)).collect();
        let mut found = vec![judge::Found::default(); rings.len()];
        for (place, defect) in (0u32..).zip(input.defects.iter()) {
            // Written so that a confidence that is no number counts.
            if defect.confidence < self.min_confidence {
                continue;
            }
            if let Some(ring) = rings.iter().position(|ring| face.touches(defect, ring)) {
                found[ring].add(place, face.size_um(defect), defect.kind);
            }
        }
        let judged = rings.iter().zip(&found).map(|(ring, found)| judge::zone(ring, found, face.visible(ring)));
        let zones: Vec<ZoneVerdict> = judged.collect();
        let any = |outcome| zones.iter().find(|zone| zone.outcome == outcome);
        let (overall, reason) = match (any(Outcome::Fail), any(Outcome::NotGraded)) {
            (Some(_), _) => (Outcome::Fail, RString::new()),
            (None, Some(zone)) => (Outcome::NotGraded, format!("{}: {}", zone.zone.as_str(), zone.rule).into()),
            (None, None) => (Outcome::Pass, RString::new()),
        };
        Verdict {
            profile: profile.name.as_str().into(),
            overall,
            zones: zones.into(),
            reason,
            attributes: Default::default(),
        }
    }
}

#[cfg(test)]
mod tests;
