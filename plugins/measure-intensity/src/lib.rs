//! measure-intensity: gray levels of each zone, geometry of the fibre, sums over its defects, quality of the capture.
//!
//! One narrow plug-in, one pass over the picture. Intensities are NumPy's on the same mask: `mean`, `std` (population),
//! `min`, `max`, `p25`, `p50`, `p75` (linear), with a histogram of 256 bins. What a capture is worth is in `quality`.

mod defects;
mod focus;
mod geometry;
mod quality;

use ferrule_abi::{
    Attribute, Defect, Descriptor, Feature, Histogram, ImageView, Measurements, Measurer, ParameterSpec, Parameters,
    PixelFormat, Plugin, PluginError, SegmentationView, Slot, Value, ZoneName, export_plugins,
};
use ferrule_vision::{
    histogram::{self, Tally},
    plane::Plane,
    runs::label_runs,
};

/// Values a label can take: none, then the four zones.
pub(crate) const LABELS: usize = ZoneName::ALL.len() + 1;

/// Limits beyond which a capture is flagged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub dark_level: f64,
    pub saturated_share: f64,
    pub min_focus: f64,
    pub vignette: f64,
}

/// The plug-in.
///
/// `image/quality_score`, 0 to 100, is 100 times the product of five shares from 0 to 1:
/// - focus: `image/focus`, 1 for an edge of the glass as sharp as optics make it, falling as one over its width;
/// - exposure: the ferrule's median over `2 * dark_level`, at most 1;
/// - room: 1 less ten times the share of gray levels from 254 on, in the ferrule or the cladding, whichever is more;
/// - wholeness: the part of the cladding's outline that lies in the picture;
/// - evenness: the darker two corners' mean over that of the ferrule within 1.6 cladding radii, over `2 * vignette`, at most 1.
///
/// Without a fibre focus, wholeness and evenness count as 1, and the whole picture stands for the ferrule.
pub struct MeasureIntensity {
    cladding_um: f64,
    limits: Limits,
    tallies: Vec<Tally>,
    focus: focus::FocusMeter,
}

export_plugins!(measure: MeasureIntensity);

impl Plugin for MeasureIntensity {
    fn descriptor() -> Descriptor {
        let real = ParameterSpec::real;
        let summary = "Gray levels of each zone, geometry, sums over defects, and the capture's quality.";
        Descriptor::new("measure-intensity", env!("CARGO_PKG_VERSION"), Slot::Measure, summary).with_parameters(vec![
            real("cladding_um", 125.0, 10.0, 5000.0, "um", "Diameter of the cladding; the scale where none is known"),
            real("dark_level", 40.0, 0.0, 255.0, "gray", "Median of the ferrule below which a capture is dark"),
            real("saturated_share", 0.01, 0.0, 1.0, "", "Share of white pixels outside the core that is too much"),
            real("min_focus", 0.6, 0.0, 1.0, "", "Focus below which a capture is blurred"),
            real("vignette", 0.4, 0.0, 1.0, "", "Corner level relative to the fibre's surroundings that is too little"),
        ])
    }

    fn create(parameters: &Parameters) -> Result<Self, PluginError> {
        Ok(Self {
            cladding_um: parameters.real("cladding_um")?,
            limits: Limits {
                dark_level: parameters.real("dark_level")?,
                saturated_share: parameters.real("saturated_share")?,
                min_focus: parameters.real("min_focus")?,
                vignette: parameters.real("vignette")?,
            },
            tallies: vec![Tally::default(); LABELS],
            focus: focus::FocusMeter::default(),
        })
    }
}

impl Measurer for MeasureIntensity {
    fn measure(
        &mut self,
        image: &ImageView<'_>,
        segmentation: &SegmentationView<'_>,
        defects: &[Defect],
    ) -> Result<Measurements, PluginError> {
        if image.format != PixelFormat::Gray8 {
            return Err(PluginError::new("measure-intensity takes gray 8-bit pictures"));
        }
        let (width, height) = (image.width as usize, image.height as usize);
        let picture = Plane::new(image.pixels.as_slice(), width, height, image.stride as usize)
            .ok_or("the picture's pixels are fewer than its sides say")?;
        let labels = segmentation.labels.as_slice();
        if labels.len() != width * height {
            return Err(PluginError::new("the label map's size is not the picture's"));
        }
        self.tallies.iter_mut().for_each(Tally::clear);
        for (y, labels) in labels.chunks_exact(width).enumerate() {
            let row = picture.row(y);
            for (label, run) in label_runs(labels) {
                let zone = ZoneName::from_label(label).map_or(0, |zone| zone as usize);
                self.tallies[zone].add(&row[run]);
            }
        }
        let histograms: Vec<histogram::Histogram> = self.tallies.iter().map(Tally::histogram).collect();

        let mut out = Measurements::default();
        for zone in ZoneName::ALL {
            intensities(zone, &histograms[zone as usize], &mut out);
        }
        let scale = geometry::Scale::of(image, segmentation, self.cladding_um);
        out.features.extend(geometry::features(segmentation, &scale));
        out.features.extend(defects::features(defects, labels, width, &histograms));
        let focus = self.focus.measure(picture, segmentation);
        let quality = quality::judge(picture, segmentation, &histograms, focus, &self.limits);
        out.features.extend(quality.features());
        let flag = |flag: &&str| Attribute { name: "flag".into(), value: Value::Text((*flag).into()) };
        out.attributes.extend(quality.flags.iter().map(flag));
        Ok(out)
    }
}

pub(crate) fn feature(region: &str, name: &str, value: f64, unit: &str) -> Feature {
    Feature { region: region.into(), name: name.into(), value, unit: unit.into() }
}

fn intensities(zone: ZoneName, histogram: &histogram::Histogram, out: &mut Measurements) {
    let region = zone.as_str();
    let (Some(mean), Some(std), Some((min, max))) = (histogram.mean(), histogram.std(), histogram.range()) else {
        return;
    };
    let mut add = |name, value| out.features.push(feature(region, name, value, "gray"));
    add("mean", mean);
    add("std", std);
    add("min", f64::from(min));
    add("max", f64::from(max));
    for (name, percent) in [("p25", 25.0), ("p50", 50.0), ("p75", 75.0)] {
        if let Some(value) = histogram.percentile(percent) {
            add(name, value);
        }
    }
    out.histograms.push(Histogram {
        region: region.into(),
        name: "gray".into(),
        low: 0.0,
        high: 256.0,
        counts: histogram.counts.to_vec().into(),
    });
}

#[cfg(test)]
mod tests;
