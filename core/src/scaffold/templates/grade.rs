//! new-plugin: no defect on core or cladding may be larger than a limit.
//!
//! A beginning: replace [`NewPlugin::grade`] by something better. The types are explained in `ferrule-abi`.

use ferrule_abi::{
    Descriptor, GradeInput, GradedDefect, Grader, Outcome, ParameterSpec, Parameters, Plugin, PluginError, RVec, Slot,
    Verdict, ZoneName, ZoneVerdict, export_plugins,
};

/// The plug-in with its parameters.
pub struct NewPlugin {
    largest_um: f64,
}

impl Plugin for NewPlugin {
    fn descriptor() -> Descriptor {
        Descriptor::new("new-plugin", env!("CARGO_PKG_VERSION"), Slot::Grade, "No defect on the glass larger than a limit")
            .with_parameters(vec![ParameterSpec::real(
                "largest_um",
                5.0,
                0.0,
                1000.0,
                "um",
                "longest defect that core and cladding may have",
            )])
    }

    fn create(parameters: &Parameters) -> Result<Self, PluginError> {
        Ok(Self { largest_um: parameters.real("largest_um")? })
    }
}

impl Grader for NewPlugin {
    fn grade(&mut self, input: &GradeInput<'_>) -> Result<Verdict, PluginError> {
        let verdict = |overall, zones: Vec<ZoneVerdict>, reason: &str| Verdict {
            profile: "new-plugin".into(),
            overall,
            zones: zones.into(),
            reason: reason.into(),
            attributes: RVec::new(),
        };
        let Some(um_per_px) = input.um_per_px.into_option() else {
            // Too little to go by is an outcome, not an error.
            return Ok(verdict(Outcome::NotGraded, Vec::new(), "the scale is not known"));
        };
        let too_large = |zone: ZoneName| -> RVec<u32> {
            let breaks = |defect: &GradedDefect<'_>| {
                defect.zone.into_option() == Some(zone) && defect.length_px * um_per_px > self.largest_um
            };
            let places = input.defects.iter().enumerate().filter(|(_, defect)| breaks(defect));
            places.map(|(place, _)| place as u32).collect()
        };
        let zones = [ZoneName::Core, ZoneName::Cladding].map(|zone| {
            let defects = too_large(zone);
            let outcome = if defects.is_empty() { Outcome::Pass } else { Outcome::Fail };
            let rule = if defects.is_empty() { String::new() } else { format!("none over {} um", self.largest_um) };
            ZoneVerdict { zone, outcome, rule: rule.into(), defects }
        });
        let failed = zones.iter().any(|zone| zone.outcome == Outcome::Fail);
        Ok(verdict(if failed { Outcome::Fail } else { Outcome::Pass }, zones.into(), ""))
    }
}

export_plugins!(grade: NewPlugin);

#[cfg(test)]
mod tests {
    use ferrule_abi::{DefectKind, ROption, RSlice, Severity};

    use super::*;

    fn grade(um_per_px: Option<f64>, length_px: f64) -> Verdict {
        let mut plugin = NewPlugin::create(&Parameters::resolve(&NewPlugin::descriptor(), &[]).unwrap()).unwrap();
        let defect = GradedDefect {
            kind: DefectKind::Scratch,
            severity: Severity::Low,
            confidence: 1.0,
            zone: ROption::RSome(ZoneName::Core),
            x: 5.0,
            y: 5.0,
            area_px: 4,
            length_px,
            width_px: 1.0,
            angle_deg: 0.0,
            mask: RSlice::EMPTY,
        };
        let defects = [defect];
        let input = GradeInput {
            width: 10,
            height: 10,
            zones: RSlice::EMPTY,
            defects: defects.as_slice().into(),
            um_per_px: um_per_px.into(),
            pixel_aspect: 1.0,
            core_um: ROption::RNone,
            flags: RSlice::EMPTY,
        };
        plugin.grade(&input).unwrap()
    }

    #[test]
    fn a_long_defect_fails_its_zone_and_without_a_scale_nothing_is_graded() {
        let failed = grade(Some(1.0), 6.0);
        assert_eq!((failed.overall, failed.zones[0].outcome), (Outcome::Fail, Outcome::Fail));
        assert_eq!((failed.zones[0].defects.as_slice(), failed.zones[1].outcome), (&[0][..], Outcome::Pass));
        assert_eq!(grade(Some(0.5), 6.0).overall, Outcome::Pass);
        assert_eq!(grade(None, 6.0).overall, Outcome::NotGraded);
    }
}
