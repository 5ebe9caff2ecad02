//! new-plugin: the cladding as the dark disc of a picture.
//!
//! A beginning: replace [`NewPlugin::segment`] by something better. The types are explained in `ferrule-abi`.

use ferrule_abi::{
    Descriptor, Ellipse, ImageView, ParameterSpec, Parameters, Plugin, PluginError, Segmentation, Segmenter, Slot,
    Zone, ZoneName, export_plugins,
};

/// The plug-in with its parameters.
pub struct NewPlugin {
    threshold: f64,
    min_radius: f64,
}

impl Plugin for NewPlugin {
    fn descriptor() -> Descriptor {
        Descriptor::new("new-plugin", env!("CARGO_PKG_VERSION"), Slot::Segment, "The cladding as the dark disc of a picture")
            .with_parameters(vec![
                ParameterSpec::real("threshold", 0.5, 0.05, 0.95, "ratio", "between the darkest and the brightest gray"),
                ParameterSpec::real("min_radius", 8.0, 1.0, 10_000.0, "px", "a smaller disc is no fibre"),
            ])
    }

    fn create(parameters: &Parameters) -> Result<Self, PluginError> {
        Ok(Self { threshold: parameters.real("threshold")?, min_radius: parameters.real("min_radius")? })
    }
}

impl Segmenter for NewPlugin {
    fn segment(&mut self, image: &ImageView<'_>) -> Result<Segmentation, PluginError> {
        let pixels = image.as_gray8().ok_or("new-plugin takes gray 8-bit pictures")?;
        let width = image.width as usize;
        let low = f64::from(pixels.iter().copied().min().unwrap_or(0));
        let high = f64::from(pixels.iter().copied().max().unwrap_or(0));
        let limit = low + self.threshold * (high - low);
        let dark = || {
            let places = pixels.iter().enumerate().filter(|(_, gray)| f64::from(**gray) < limit);
            places.map(|(at, _)| ((at % width) as f64, (at / width) as f64))
        };
        let count = dark().count() as f64;
        if count < 1.0 {
            // No fibre is an answer, not an error.
            return Ok(Segmentation::default());
        }
        let (sx, sy) = dark().fold((0.0, 0.0), |(sx, sy), (x, y)| (sx + x, sy + y));
        let (cx, cy) = (sx / count, sy / count);
        let (vx, vy) = dark().fold((0.0, 0.0), |(vx, vy), (x, y)| (vx + (x - cx).powi(2), vy + (y - cy).powi(2)));
        // The variance of a disc's pixels along an axis is a quarter of the semi-axis squared.
        let (ax, by) = (2.0 * (vx / count).sqrt(), 2.0 * (vy / count).sqrt());
        if ax.min(by) < self.min_radius {
            return Ok(Segmentation::default());
        }
        let outline = Ellipse { cx, cy, ax, by, angle_deg: 0.0 };
        // How much of what is dark lies inside, and how much of the inside is dark.
        let inside = dark().filter(|(x, y)| outline.radius_at(*x, *y) <= 1.0).count() as f64;
        let area = std::f64::consts::PI * ax * by;
        let confidence = (inside / count.max(area)).clamp(0.0, 1.0);
        let zones = vec![Zone { name: ZoneName::Cladding, outline, confidence }];
        Ok(Segmentation { zones: zones.into(), ..Segmentation::default() })
    }
}

export_plugins!(segment: NewPlugin);

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(gray: impl Fn(f64, f64) -> u8) -> Segmentation {
        let mut plugin = NewPlugin::create(&Parameters::resolve(&NewPlugin::descriptor(), &[]).unwrap()).unwrap();
        let pixels: Vec<u8> = (0..120 * 90).map(|at| gray(f64::from(at % 120), f64::from(at / 120))).collect();
        plugin.segment(&ImageView::gray8(&pixels, 120, 90).unwrap()).unwrap()
    }

    #[test]
    fn a_dark_disc_is_the_cladding() {
        let found = segment(|x, y| if (x - 55.0).hypot(y - 40.0) <= 25.0 { 70 } else { 160 });
        let cladding = found.zone(ZoneName::Cladding).unwrap();
        let Ellipse { cx, cy, ax, by, .. } = cladding.outline;
        assert!((cx - 55.0).abs() < 0.1 && (cy - 40.0).abs() < 0.1, "{cladding:?}");
        assert!((ax - 25.0).abs() < 0.5 && (by - 25.0).abs() < 0.5, "{cladding:?}");
        assert!(cladding.confidence > 0.9);
    }

    #[test]
    fn a_picture_of_nothing_has_no_fibre() {
        assert!(segment(|_, _| 120).zones.is_empty());
    }
}
