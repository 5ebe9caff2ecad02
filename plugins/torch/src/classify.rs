//! `classify-torch`: the probability of each class of a whole picture, as features; and whether it is defective.

use ferrule_abi::{
    Defect, Descriptor, Feature, ImageView, Measurements, Measurer, Parameters, Plugin, PluginError, Profile,
    SegmentationView, Slot,
};

use crate::{
    calibration::log_odds,
    card::Task,
    judge::numbers,
    model::{Model, specs},
};

/// The plug-in.
pub struct ClassifyTorch {
    model: Option<Model>,
}

impl Plugin for ClassifyTorch {
    fn descriptor() -> Descriptor {
        let summary = "says whether a picture is clean or defective, by a trained network";
        let parameters = specs("network for the task `classify`");
        let mut descriptor = Descriptor::new("classify-torch", env!("CARGO_PKG_VERSION"), Slot::Measure, summary);
        descriptor.profile = Profile::Wide;
        descriptor.with_parameters(parameters)
    }

    fn create(parameters: &Parameters) -> Result<Self, PluginError> {
        Ok(Self { model: Model::of(parameters, Task::Classify)? })
    }
}

impl Measurer for ClassifyTorch {
    fn measure(
        &mut self,
        image: &ImageView<'_>,
        segmentation: &SegmentationView<'_>,
        _: &[Defect],
    ) -> Result<Measurements, PluginError> {
        let mut said = Measurements::default();
        let Some(model) = &self.model else { return Ok(said) };
        let Some((_, square)) = model.square(image, segmentation) else { return Ok(said) };
        let scores = numbers(&model.probabilities(&square)?)?;
        let mut tell = |name: String, value: f64| {
            said.features.push(Feature { region: "image".into(), name: name.into(), value, unit: "ratio".into() });
        };
        for (class, score) in model.card.classes.iter().zip(&scores) {
            tell(format!("probability_{class}"), (*score).into());
        }
        let odds = log_odds(scores.first().copied().unwrap_or(1.0));
        let score = model.card.calibration.score(odds);
        tell("defect_score".into(), score);
        // The word that counts as the picture's label.
        tell("has_defect".into(), f64::from(u8::from(score >= model.threshold)));
        Ok(said)
    }
}
