//! An inspection that has something of everything. Here for the tests of the store, and for the seeds of those that break a
//! worker's answer.

use ferrule_core::{
    ids::ImageId,
    report::{
        Defect, DefectKind, Feature, Histogram, Inspection, Outcome, Outline, Part, Quality, Severity, Timings,
        Verdict, ZoneName, ZoneVerdict, Zones,
    },
};

pub fn inspection(image: ImageId) -> Inspection {
    let outline = |ax: f64, by: f64| Outline { cx: 320.5, cy: 200.25, ax, by, angle_deg: 1.5, confidence: 0.9 };
    let part = |plugin: &str| Part {
        plugin: plugin.into(),
        kind: DefectKind::Pit,
        severity: Severity::Medium,
        confidence: 0.8,
        bbox: [10, 20, 3, 2],
        area_px: 5,
    };
    let defect = |n: u32, kind, parts| Defect {
        id: format!("{image}-{n}"),
        kind,
        severity: Severity::Medium,
        confidence: 0.8,
        bbox: [10, 20, 3, 2],
        x: 11.0,
        y: 20.4,
        area_px: 5,
        length_px: 3.1,
        width_px: 1.9,
        angle_deg: -12.0,
        zone: (n == 1).then_some(ZoneName::Cladding),
        plugin: "detect-region 1.2.0".into(),
        parts,
        mask: vec![[20, 10, 3], [21, 11, 2]],
    };
    let feature = |region: &str, name: &str, value| Feature {
        region: region.into(),
        name: name.into(),
        value,
        unit: "gray".into(),
        plugin: "measure-intensity 1.2.0".into(),
    };
    let mut features = Vec::new();
    for region in ["core", "cladding", "ferrule"] {
        for (name, value) in [
            ("mean", 120.5),
            ("std", 4.25),
            ("min", 3.0),
            ("max", 250.0),
            ("p25", 100.0),
            ("p50", 121.0),
            ("p75", 130.0),
        ] {
            features.push(feature(region, name, value));
        }
    }
    features.push(feature("core", "grad_mean", 2.5));
    Inspection {
        image_id: image,
        width: 640,
        height: 480,
        um_per_px: Some(0.424),
        zones: Zones {
            core: Some(outline(20.0, 18.0)),
            cladding: Some(outline(150.0, 140.0)),
            adhesive: None,
            ferrule: None,
        },
        defects: vec![
            defect(1, DefectKind::Pit, vec![part("detect-region 1.2.0"), part("detect-scratch 1.0.0")]),
            defect(2, DefectKind::Scratch, vec![]),
        ],
        has_defect: Some(true),
        quality: Quality { score: Some(81.5), focus: None, flags: vec!["dark".into()] },
        verdict: Verdict {
            profile: Some("SM PC".into()),
            overall: Outcome::Fail,
            failed: vec!["cladding: none over 5 µm".into()],
            zones: vec![ZoneVerdict {
                zone: ZoneName::Cladding,
                outcome: Outcome::Fail,
                rule: "none over 5 µm".into(),
                defects: vec![format!("{image}-1")],
            }],
            reason: String::new(),
        },
        features,
        histograms: vec![Histogram {
            region: "core".into(),
            name: "intensity".into(),
            low: 0.0,
            high: 256.0,
            counts: vec![0, 5, 0, 12],
            plugin: "measure-intensity 1.2.0".into(),
        }],
        incomplete: vec![],
        ms: Timings { decode: 5.0, segment: 2.0, detect: 6.5, measure: 1.0, grade: 0.25, artefacts: 3.0 },
    }
}
