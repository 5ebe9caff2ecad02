//! From a capture to connected deviations from the reference. Which of them count is [`crate::anomalies`]' to say.

use ferrule_abi::{
    Attribute, Descriptor, Detections, Detector, Ellipse, ImageView, Parameters, Plugin, PluginError, SegmentationView,
    Slot, Value, ZoneName,
};
use ferrule_vision::{
    components::{Components, runs_of},
    ellipse::Ellipse as Outline,
    reference::{
        align::{Aligner, Capture},
        compare::Comparer,
        frame::Frame,
    },
    shape::Run,
    usable::Usable,
};

use crate::{
    anomalies::{Site, judge, strength},
    settings::{Settings, reference, specs},
};

/// Radius of a telecom fibre's cladding, the scale where the microscope gives none.
const TELECOM_RADIUS_UM: f64 = 62.5;
/// A core below this confidence is not aligned by.
const SURE: f64 = 0.5;

/// Finds what clean captures do not show.
#[derive(Debug, Clone)]
pub struct DetectAnomaly {
    settings: Settings,
    comparer: Option<Comparer>,
    usable: Usable,
    aligner: Aligner,
    aligned: Vec<i16>,
    mask: Vec<u8>,
    runs: Vec<Run>,
    components: Components,
}

impl Plugin for DetectAnomaly {
    fn descriptor() -> Descriptor {
        Descriptor::new(
            "detect-anomaly",
            env!("CARGO_PKG_VERSION"),
            Slot::Detect,
            "Whatever deviates from a reference of clean end faces of the same kind",
        )
        .with_parameters(specs())
    }

    fn create(parameters: &Parameters) -> Result<Self, PluginError> {
        Ok(Self {
            settings: Settings::read(parameters)?,
            comparer: reference(parameters)?.map(Comparer::new),
            usable: Usable::default(),
            aligner: Aligner::default(),
            aligned: Vec::new(),
            mask: Vec::new(),
            runs: Vec::new(),
            components: Components::default(),
        })
    }
}

impl Detector for DetectAnomaly {
    fn detect(
        &mut self,
        image: &ImageView<'_>,
        segmentation: &SegmentationView<'_>,
    ) -> Result<Detections, PluginError> {
        let gray = image.as_gray8().ok_or("detect-anomaly takes gray 8-bit pictures without padding")?;
        let labels = segmentation.labels.as_slice();
        if labels.len() != gray.len() {
            return Err(PluginError::new("the label map has not the picture's size"));
        }
        let Self { settings, comparer, usable, aligner, aligned, mask, runs, components } = self;
        let Some(comparer) = comparer else {
            let attribute = Attribute { name: "reference".into(), value: Value::Text("none".into()) };
            return Ok(Detections { attributes: vec![attribute].into(), ..Detections::default() });
        };
        let zone = |name| segmentation.zone(name);
        let Some(cladding) = zone(ZoneName::Cladding).map(|zone| plain(zone.outline)) else {
            return Ok(Detections::default());
        };
        let core = zone(ZoneName::Core).filter(|zone| zone.confidence >= SURE).map(|zone| plain(zone.outline));
        let Some(frame) = Frame::new(&cladding, core.as_ref(), comparer.model().core_ratio) else {
            return Ok(Detections::default());
        };
        let (width, height) = (image.width as usize, image.height as usize);
        usable.find(gray, labels, width);
        let layout = comparer.model().layout;
        aligner.align(Capture { gray, usable: &usable.mask, width }, &frame, layout, aligned);
        comparer.compare(aligned, frame.radius_px() / f64::from(layout.cells));

        let floor = 0.5 * settings.min_contrast;
        mask.clear();
        let deviations = comparer.sigma.iter().zip(&comparer.gray);
        mask.extend(deviations.map(|(sigma, gray)| u8::from(sigma.abs() > settings.low && gray.abs() > floor)));
        runs_of(mask, layout.side(), runs);
        components.label(runs);
        let um_per_px = image.um_per_px.into_option().unwrap_or(TELECOM_RADIUS_UM / cladding.mean_radius());
        let site = Site { frame: &frame, width, height, labels, usable: &usable.mask, um_per_px };
        mark(mask, runs, layout.side(), 0);
        let mut defects = Vec::new();
        for cells in components.iter() {
            let Some(strength) = strength(cells, comparer, settings) else { continue };
            // One component at a time, so that no pixel belongs to two.
            mark(mask, cells, layout.side(), 1);
            defects.extend(judge(cells, strength, mask, layout, &site, settings));
            mark(mask, cells, layout.side(), 0);
        }
        Ok(Detections { defects: defects.into(), ..Detections::default() })
    }
}

fn mark(mask: &mut [u8], runs: &[Run], width: usize, value: u8) {
    for run in runs {
        let start = run.y as usize * width;
        mask[start + run.x as usize..start + run.end() as usize].fill(value);
    }
}

/// The interface's ellipse as the kernels take it.
fn plain(e: Ellipse) -> Outline {
    Outline { cx: e.cx, cy: e.cy, ax: e.ax, by: e.by, angle_deg: e.angle_deg }
}
