//! `detect-torch`: the pixels that a network takes for defects, put together to defects with a kind and a confidence.

use ferrule_abi::{
    Attribute, BoundingBox, Defect, DefectKind, Descriptor, DetectInput, Detections, Detector, ImageView, Parameters,
    Plugin, PluginError, Profile, Run, SegmentationView, Severity, Slot, Value,
};
use ferrule_vision::{components::Components, frame::Frame, severity, shape::Shape};

use crate::{
    calibration::{Calibration, log_odds},
    card::Task,
    judge::{kind_of, numbers},
    model::{Model, specs},
};

/// Pictures a call of the network: more only cost memory on a processor.
const BATCH: usize = 8;

/// The plug-in.
pub struct DetectTorch {
    model: Option<Model>,
    least: u32,
}

impl Plugin for DetectTorch {
    fn descriptor() -> Descriptor {
        let summary = "defects pixel by pixel, by a trained network";
        let mut parameters = specs("network for the task `defects`");
        let help = "pixels that a defect must have in the network's square";
        parameters.push(ferrule_abi::ParameterSpec::integer("min_area", 3, 1, 10_000, "px", help));
        let mut descriptor = Descriptor::new("detect-torch", env!("CARGO_PKG_VERSION"), Slot::Detect, summary);
        descriptor.profile = Profile::Wide;
        descriptor.with_parameters(parameters)
    }

    fn create(parameters: &Parameters) -> Result<Self, PluginError> {
        Ok(Self { model: Model::of(parameters, Task::Defects)?, least: parameters.integer("min_area")? as u32 })
    }
}

impl Detector for DetectTorch {
    fn detect(
        &mut self,
        image: &ImageView<'_>,
        segmentation: &SegmentationView<'_>,
    ) -> Result<Detections, PluginError> {
        let one = [DetectInput { image: *image, segmentation: *segmentation }];
        self.detect_batch(&one).pop().unwrap_or_else(|| Ok(Detections::default()))
    }

    fn detect_batch(&mut self, inputs: &[DetectInput<'_>]) -> Vec<Result<Detections, PluginError>> {
        let Some(model) = &self.model else { return inputs.iter().map(|_| Ok(Detections::default())).collect() };
        inputs.chunks(BATCH).flat_map(|inputs| self.some(model, inputs)).collect()
    }
}

impl DetectTorch {
    fn some(&self, model: &Model, inputs: &[DetectInput<'_>]) -> Vec<Result<Detections, PluginError>> {
        let squares: Vec<Option<(Frame, Vec<u8>)>> =
            inputs.iter().map(|input| model.square(&input.image, &input.segmentation)).collect();
        let pixels: Vec<u8> = squares.iter().flatten().flat_map(|(_, square)| square.iter().copied()).collect();
        if pixels.is_empty() {
            return inputs.iter().map(|_| Ok(Detections::default())).collect();
        }
        let scores = match model.probabilities(&pixels).and_then(|scores| numbers(&scores)) {
            Ok(scores) => scores,
            Err(fault) => return inputs.iter().map(|_| Err(PluginError::new(fault.0.clone()))).collect(),
        };
        let side = model.card.input.side;
        let mut each = scores.chunks_exact(side * side * model.card.classes.len());
        let found = inputs.iter().zip(&squares).map(|(input, square)| {
            let Some((frame, _)) = square else { return Ok(Detections::default()) };
            Ok(self.defects(model, input, frame, each.next().unwrap_or_default()))
        });
        found.collect()
    }

    /// `scores` is one picture's: a plane of the square for each class.
    fn defects(&self, model: &Model, input: &DetectInput<'_>, frame: &Frame, scores: &[f32]) -> Detections {
        let (width, height) = (input.image.width as usize, input.image.height as usize);
        let plane = frame.side * frame.side;
        if scores.len() < plane {
            return Detections::default();
        }
        let wrong: Vec<f32> = scores[..plane].iter().map(|background| 1.0 - background).collect();
        let spread = frame.spread(&wrong, width, height);
        // A defect is as large as what is rather defect than not, and counts by its most suspicious pixels.
        let calibration = model.card.calibration;
        let outline = Calibration::default().score(calibration.log_odds_of(model.threshold)).clamp(1e-6, 0.5) as f32;
        let mask: Vec<u8> = spread.iter().map(|value| u8::from(*value >= outline)).collect();
        let (mut runs, mut components) = (Vec::new(), Components::default());
        ferrule_vision::components::runs_of(&mask, width, &mut runs);
        components.label(&runs);
        let least = (f64::from(self.least) * frame.step_x * frame.step_y).max(1.0) as u32;
        let pixels = Pixels { scores, frame };
        let found = components.iter().filter_map(|runs| {
            let shape = Shape::of(runs).filter(|shape| shape.area >= least)?;
            let score = calibration.score(log_odds(pixels.nothing_wrong(runs, least)));
            (score >= model.threshold).then(|| {
                let class = kind_of(scores, plane, pixels.places(runs));
                defect(runs, &shape, score, model, class, input)
            })
        });
        Detections { defects: found.collect(), ..Detections::default() }
    }
}

/// What the network says of a picture: probabilities of each class in the square.
struct Pixels<'a> {
    scores: &'a [f32],
    frame: &'a Frame,
}

impl Pixels<'_> {
    /// The probability of no defect that as many pixels stay below as a defect must have.
    fn nothing_wrong(&self, runs: &[ferrule_vision::shape::Run], least: u32) -> f32 {
        let mut all: Vec<f32> = self.places(runs).map(|at| self.scores[at]).collect();
        let Some(last) = all.len().checked_sub(1) else { return 1.0 };
        *all.select_nth_unstable_by((least as usize - 1).min(last), f32::total_cmp).1
    }

    /// Where in the square a component's pixels lie.
    fn places(&self, runs: &[ferrule_vision::shape::Run]) -> impl Iterator<Item = usize> {
        let last = self.frame.side as f64 - 1.0;
        runs.iter().flat_map(|run| (run.x..run.end()).map(|x| (f64::from(x), f64::from(run.y)))).map(move |(x, y)| {
            let (u, v) = self.frame.place_of(x, y);
            v.clamp(0.0, last).round() as usize * self.frame.side + u.clamp(0.0, last).round() as usize
        })
    }
}

fn defect(
    runs: &[ferrule_vision::shape::Run],
    shape: &Shape,
    score: f64,
    model: &Model,
    class: usize,
    input: &DetectInput<'_>,
) -> Defect {
    let name = model.card.classes.get(class).map_or("anomaly", String::as_str);
    let kind = DefectKind::ALL.into_iter().find(|kind| kind.as_str() == name).unwrap_or(DefectKind::Anomaly);
    let threshold = model.threshold;
    // One half at the threshold that was chosen, which is where a person begins to agree.
    let confidence = 0.5 + 0.5 * ((score - threshold) / (1.0 - threshold).max(1e-6)).clamp(0.0, 1.0);
    let [x, y, width, height] = shape.bbox;
    Defect {
        kind,
        severity: severity_of(runs, shape, kind, input),
        confidence,
        bbox: BoundingBox { x, y, width, height },
        x: shape.x,
        y: shape.y,
        area_px: shape.area,
        length_px: shape.length,
        width_px: shape.width,
        angle_deg: shape.angle_deg,
        mask: runs.iter().map(|run| Run { y: run.y, x: run.x, length: run.length }).collect(),
        attributes: vec![Attribute { name: "score".into(), value: Value::Real(score) }].into(),
    }
}

/// By size and place alone: a network tells no contrast, so it is taken as that of a plain defect.
fn severity_of(
    runs: &[ferrule_vision::shape::Run],
    shape: &Shape,
    kind: DefectKind,
    input: &DetectInput<'_>,
) -> Severity {
    const PLAIN_SIGMA: f64 = 8.0;
    const USUAL_CLADDING_UM: f64 = 125.0;
    let labels = input.segmentation.labels.as_slice();
    let width = input.image.width as usize;
    let touched = runs.iter().flat_map(|run| {
        let start = run.y as usize * width;
        labels.get(start + run.x as usize..start + run.end() as usize).unwrap_or_default()
    });
    let place = touched.map(|label| severity::Place::of_label(*label)).max().unwrap_or(severity::Place::Ferrule);
    let cladding = input.segmentation.zones.iter().find(|zone| zone.name == ferrule_abi::ZoneName::Cladding);
    let fitted = cladding.map(|zone| USUAL_CLADDING_UM / (2.0 * zone.outline.mean_radius()));
    let um_per_px = input.image.um_per_px.into_option().or(fitted).unwrap_or(1.0);
    let across = match kind {
        DefectKind::Scratch => shape.width,
        _ => 2.0 * (f64::from(shape.area) / std::f64::consts::PI).sqrt(),
    };
    Severity::ALL[severity::level(across * um_per_px, PLAIN_SIGMA, place)]
}
