//! new-plugin: mean and contrast of each zone, and how many defects there are.
//!
//! A beginning: replace [`NewPlugin::measure`] by something better. The types are explained in `ferrule-abi`.

use ferrule_abi::{
    Defect, Descriptor, Feature, ImageView, Measurements, Measurer, ParameterSpec, Parameters, Plugin, PluginError,
    SegmentationView, Slot, ZoneName, export_plugins,
};

/// The plug-in with its parameters.
pub struct NewPlugin {
    min_confidence: f64,
}

impl Plugin for NewPlugin {
    fn descriptor() -> Descriptor {
        Descriptor::new("new-plugin", env!("CARGO_PKG_VERSION"), Slot::Measure, "Mean and contrast of each zone, defects")
            .with_parameters(vec![ParameterSpec::real(
                "min_confidence",
                0.5,
                0.0,
                1.0,
                "ratio",
                "less certain defects are not counted",
            )])
    }

    fn create(parameters: &Parameters) -> Result<Self, PluginError> {
        Ok(Self { min_confidence: parameters.real("min_confidence")? })
    }
}

impl Measurer for NewPlugin {
    fn measure(
        &mut self,
        image: &ImageView<'_>,
        found: &SegmentationView<'_>,
        defects: &[Defect],
    ) -> Result<Measurements, PluginError> {
        let pixels = image.as_gray8().ok_or("new-plugin takes gray 8-bit pictures")?;
        let mut features = Vec::new();
        let mut feature = |region: &str, name: &str, value: f64, unit: &str| {
            features.push(Feature { region: region.into(), name: name.into(), value, unit: unit.into() });
        };
        for zone in ZoneName::ALL {
            let inside = || {
                let labelled = pixels.iter().zip(found.labels.as_slice());
                labelled.filter(|(_, label)| **label == zone as u8).map(|(gray, _)| f64::from(*gray))
            };
            let count = inside().count() as f64;
            // The mean of no pixels does not exist, and is left out.
            if count > 0.0 {
                let mean = inside().sum::<f64>() / count;
                let variance = inside().map(|gray| (gray - mean).powi(2)).sum::<f64>() / count;
                feature(zone.as_str(), "new_plugin_mean", mean, "gray");
                feature(zone.as_str(), "new_plugin_contrast", variance.sqrt() / mean.max(1.0), "ratio");
            }
        }
        let certain = defects.iter().filter(|defect| defect.confidence >= self.min_confidence).count();
        feature("image", "new_plugin_defects", certain as f64, "count");
        Ok(Measurements { features: features.into(), ..Measurements::default() })
    }
}

export_plugins!(measure: NewPlugin);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_zone_that_is_there_is_measured() {
        let mut plugin = NewPlugin::create(&Parameters::resolve(&NewPlugin::descriptor(), &[]).unwrap()).unwrap();
        let pixels = [10, 30, 200, 200];
        let labels = [ZoneName::Core as u8, ZoneName::Core as u8, ZoneName::Cladding as u8, 0];
        let image = ImageView::gray8(&pixels, 2, 2).unwrap();
        let found = SegmentationView { zones: [].as_slice().into(), labels: labels.as_slice().into() };
        let measured = plugin.measure(&image, &found, &[]).unwrap().features;
        let told: Vec<(&str, &str, f64)> =
            measured.iter().map(|it| (it.region.as_str(), it.name.as_str(), it.value)).collect();
        assert_eq!(
            told,
            [
                ("core", "new_plugin_mean", 20.0),
                ("core", "new_plugin_contrast", 0.5),
                ("cladding", "new_plugin_mean", 200.0),
                ("cladding", "new_plugin_contrast", 0.0),
                ("image", "new_plugin_defects", 0.0)
            ]
        );
    }
}
