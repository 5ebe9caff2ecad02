//! The plug-in as the host calls it, on end faces of 0.5 µm a pixel in a picture of 400 µm.

mod growth;
mod profiles;
mod refusals;
mod table;
mod verdicts;

use ferrule_abi::{
    DefectKind, Ellipse, GradeInput, GradedDefect, Grader, Outcome, Parameter, Parameters, Plugin, PluginError,
    ROption, RString, Run, Severity, Value, Verdict, Zone, ZoneName,
};

use crate::GradeIec;

const SIDE: u32 = 800;
const UM_PER_PX: f64 = 0.5;
const CENTRE: f64 = 400.0;

/// An end face to be graded. Every test begins with a clean single-mode one and changes what it is about.
#[derive(Debug, Clone)]
struct EndFace {
    zones: Vec<Zone>,
    um_per_px: Option<f64>,
    aspect: f64,
    core_um: Option<f64>,
    flags: Vec<RString>,
    defects: Vec<Spot>,
}

/// A defect with its own mask.
#[derive(Debug, Clone)]
struct Spot {
    kind: DefectKind,
    confidence: f64,
    x: f64,
    y: f64,
    area_px: u32,
    width_px: f64,
    angle_deg: f64,
    mask: Vec<Run>,
}

impl EndFace {
    fn with_core(core_um: f64) -> Self {
        let zone = |name, diameter_um: f64| {
            let radius = diameter_um / 2.0 / UM_PER_PX;
            let outline = Ellipse { cx: CENTRE, cy: CENTRE, ax: radius, by: radius, angle_deg: 0.0 };
            Zone { name, outline, confidence: 0.9 }
        };
        Self {
            zones: vec![zone(ZoneName::Core, core_um), zone(ZoneName::Cladding, 125.0)],
            um_per_px: Some(UM_PER_PX),
            aspect: 1.0,
            core_um: None,
            flags: Vec::new(),
            defects: Vec::new(),
        }
    }

    fn single_mode() -> Self {
        Self::with_core(9.0)
    }

    fn multimode() -> Self {
        Self::with_core(50.0)
    }

    fn with(mut self, spot: Spot) -> Self {
        self.defects.push(spot);
        self
    }

    fn grade(&self, parameters: &[(&str, Value)]) -> Verdict {
        let defects: Vec<GradedDefect<'_>> = self.defects.iter().map(Spot::graded).collect();
        let known = |value: Option<f64>| value.map_or(ROption::RNone, ROption::RSome);
        let input = GradeInput {
            width: SIDE,
            height: SIDE,
            zones: self.zones.as_slice().into(),
            defects: defects.as_slice().into(),
            um_per_px: known(self.um_per_px),
            pixel_aspect: self.aspect,
            core_um: known(self.core_um),
            flags: self.flags.as_slice().into(),
        };
        grader(parameters).unwrap().grade(&input).unwrap()
    }

    /// By one of the profiles that ship.
    fn by(&self, profile: &str) -> Verdict {
        self.grade(&[("profile", Value::Text(profile.into()))])
    }
}

fn grader(parameters: &[(&str, Value)]) -> Result<GradeIec, PluginError> {
    let given: Vec<Parameter> =
        parameters.iter().map(|(name, value)| Parameter { name: (*name).into(), value: value.clone() }).collect();
    GradeIec::create(&Parameters::resolve(&GradeIec::descriptor(), &given)?)
}

impl Spot {
    fn graded(&self) -> GradedDefect<'_> {
        GradedDefect {
            kind: self.kind,
            severity: Severity::Low,
            confidence: self.confidence,
            zone: ROption::RNone,
            x: self.x,
            y: self.y,
            area_px: self.area_px,
            length_px: 10.0,
            width_px: self.width_px,
            angle_deg: self.angle_deg,
            mask: self.mask.as_slice().into(),
        }
    }

    /// A pit of that diameter, its nearest pixel so far from the middle.
    fn pit(distance_um: f64, diameter_um: f64) -> Self {
        let x = CENTRE + distance_um / UM_PER_PX;
        let radius = diameter_um / 2.0 / UM_PER_PX;
        Self {
            kind: DefectKind::Pit,
            confidence: 0.9,
            x,
            y: CENTRE,
            area_px: (std::f64::consts::PI * radius * radius).round() as u32,
            width_px: 1.0,
            angle_deg: 0.0,
            mask: vec![Run { y: CENTRE as u32, x: x as u32, length: 1 }],
        }
    }

    /// An upright scratch of that width, its nearest pixel so far from the middle.
    fn scratch(distance_um: f64, width_um: f64) -> Self {
        let pit = Self::pit(distance_um, 1.0);
        Self { kind: DefectKind::Scratch, width_px: width_um / UM_PER_PX, angle_deg: 90.0, ..pit }
    }
}

/// Zones that failed, with their rules.
fn failed(verdict: &Verdict) -> Vec<(ZoneName, String)> {
    let failed = verdict.zones.iter().filter(|zone| zone.outcome == Outcome::Fail);
    failed.map(|zone| (zone.zone, zone.rule.to_string())).collect()
}
