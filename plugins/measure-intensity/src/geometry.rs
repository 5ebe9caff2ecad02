//! Sizes and shape of the zones, in pixels and in micrometres.
//!
//! Lengths in pixels are counted along y; where pixels are not square, x is brought to the same unit first. A source
//! that does not state its pixels' aspect is taken to have square ones, unless the cladding says otherwise.

use ferrule_abi::{Ellipse, Feature, ImageView, SegmentationView, ZoneName};

use crate::feature;

/// What is known of the picture's scale.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Micrometres a pixel along y: the microscope's setting, else from the cladding's diameter; `None` without both.
    pub um_per_px: Option<f64>,
    /// Width of a pixel divided by its height.
    pub aspect: f64,
    /// True where the cladding told the aspect, so that its own ellipticity is not known.
    pub from_cladding: bool,
}

/// Claddings are round to a percent or two (IEC 60793-2: non-circularity); more than this is the pixels' doing.
const ROUND: f64 = 0.03;

impl Scale {
    pub fn of(image: &ImageView<'_>, segmentation: &SegmentationView<'_>, cladding_um: f64) -> Self {
        let known = |value: f64| (value.is_finite() && value > 0.0).then_some(value);
        let outline = segmentation.zone(ZoneName::Cladding).map(|zone| zone.outline).filter(Ellipse::is_sound);
        let set = image.pixel_aspect.into_option().and_then(known);
        let seen = outline.map(|o| o.by / o.ax).filter(|aspect| (aspect - 1.0).abs() > ROUND);
        let aspect = set.or(seen).unwrap_or(1.0);
        let from_cladding = || outline.map(|o| cladding_um / (2.0 * squared(&o, aspect).mean_radius()));
        Self {
            um_per_px: image.um_per_px.into_option().and_then(known).or_else(from_cladding),
            aspect,
            from_cladding: set.is_none() && seen.is_some(),
        }
    }
}

/// The outline on square pixels. Only its size and ratio are used, so the small turn of its axes is left out.
fn squared(outline: &Ellipse, aspect: f64) -> Ellipse {
    Ellipse { cx: outline.cx * aspect, ax: outline.ax * aspect, ..*outline }
}

/// `centre_x`, `centre_y` (in pixels of the picture), `radius_px`, `radius_um`, `ellipticity` (1 - short / long axis) of core and cladding; of the image `um_per_px` and the
/// core's `concentricity_px`, `concentricity_um`: the distance between the two centres (IEC 60793-1-20's error).
pub fn features(segmentation: &SegmentationView<'_>, scale: &Scale) -> Vec<Feature> {
    let mut list = Vec::new();
    if let Some(um_per_px) = scale.um_per_px {
        list.push(feature("image", "um_per_px", um_per_px, "um"));
    }
    let zone = |name| {
        let outline = segmentation.zone(name)?.outline;
        outline.is_sound().then(|| squared(&outline, scale.aspect))
    };
    // In the picture, not on square pixels, so that they are the outline's.
    let centre = |outline: &Ellipse| [("centre_x", outline.cx / scale.aspect), ("centre_y", outline.cy)];
    let (core, cladding) = (zone(ZoneName::Core), zone(ZoneName::Cladding));
    let ferrule = zone(ZoneName::Ferrule);
    for (name, outline) in [(ZoneName::Core, core), (ZoneName::Cladding, cladding), (ZoneName::Ferrule, ferrule)] {
        let Some(outline) = outline else { continue };
        let radius = outline.mean_radius();
        list.extend(centre(&outline).map(|(axis, value)| feature(name.as_str(), axis, value, "px")));
        list.push(feature(name.as_str(), "radius_px", radius, "px"));
        if let Some(um_per_px) = scale.um_per_px {
            list.push(feature(name.as_str(), "radius_um", radius * um_per_px, "um"));
        }
        let unknown = scale.from_cladding && name == ZoneName::Cladding;
        if name != ZoneName::Ferrule && !unknown {
            let ellipticity = 1.0 - outline.ax.min(outline.by) / outline.ax.max(outline.by);
            list.push(feature(name.as_str(), "ellipticity", ellipticity, "ratio"));
        }
    }
    if let (Some(core), Some(cladding)) = (core, cladding) {
        let offset = (core.cx - cladding.cx).hypot(core.cy - cladding.cy);
        list.push(feature("core", "concentricity_px", offset, "px"));
        if let Some(um_per_px) = scale.um_per_px {
            list.push(feature("core", "concentricity_um", offset * um_per_px, "um"));
        }
        list.push(feature("core", "radius_share", core.mean_radius() / cladding.mean_radius(), "ratio"));
    }
    list
}
