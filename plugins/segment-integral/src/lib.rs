//! segment-integral: finds core, cladding, adhesive and ferrule of a fibre end face, by another way than segment-endface.
//!
//! One narrow plug-in. No edges vote here: whole circles are summed (`operator`), their outlines are fitted in closed form
//! to random few edges (`edges`, with `ferrule_vision::direct_fit`). Finding and fitting are independent of
//! segment-endface, so that where the two agree, that says something; which of several closed outlines is the cladding is
//! told by like rules (the outermost that counts, no halo), so that there both can be wrong together. A picture without an
//! end face gets no zones and a reason.

mod core;
mod edges;
mod operator;
mod profile;
mod search;
mod settings;

use ferrule_abi::{
    Attribute, Descriptor, Ellipse, ImageView, Parameters, PixelFormat, Plugin, PluginError, RVec, Segmentation,
    Segmenter, Slot, Value, Zone, ZoneName, export_plugins,
};
use ferrule_vision::{ellipse::Ellipse as Outline, plane::Plane};

use crate::{
    search::{EndFace, NoFibre, Search},
    settings::Settings,
};

/// The plug-in.
pub struct SegmentIntegral {
    settings: Settings,
    search: Search,
}

export_plugins!(segment: SegmentIntegral);

impl Plugin for SegmentIntegral {
    fn descriptor() -> Descriptor {
        let summary = "Finds core and cladding by sums along circles and closed-form fits: a second opinion.";
        Descriptor::new("segment-integral", env!("CARGO_PKG_VERSION"), Slot::Segment, summary)
            .with_parameters(settings::specs())
    }

    fn create(parameters: &Parameters) -> Result<Self, PluginError> {
        Ok(Self { settings: Settings::from_parameters(parameters)?, search: Search::default() })
    }
}

impl Segmenter for SegmentIntegral {
    fn segment(&mut self, image: &ImageView<'_>) -> Result<Segmentation, PluginError> {
        if image.format != PixelFormat::Gray8 {
            return Err(PluginError::new("segment-integral takes gray 8-bit pictures"));
        }
        let (width, height) = (image.width as usize, image.height as usize);
        let picture = Plane::new(image.pixels.as_slice(), width, height, image.stride as usize)
            .ok_or("the picture's pixels are fewer than its sides say")?;
        let expected = image.um_per_px.into_option().filter(|scale| *scale > 0.0);
        let expected = expected.map(|scale| self.settings.cladding_um / (2.0 * scale));
        let aspect = image.pixel_aspect.into_option().filter(|aspect| *aspect > 0.0);
        let found = self.search.end_face(picture, expected, &self.settings);
        let round = |face: EndFace| if face.cladding.outline.is_oval(aspect) { Err(NoFibre::Oval) } else { Ok(face) };
        Ok(match found.and_then(round) {
            Ok(face) => self.answer(&face, width, height),
            // Without zones the host's own label map is empty, as it should be.
            Err(reason) => Segmentation {
                zones: RVec::new(),
                labels: RVec::new(),
                attributes: vec![text("reason", reason.as_str())].into(),
            },
        })
    }
}

impl SegmentIntegral {
    /// The outlines; the host draws the label map from them.
    fn answer(&self, face: &EndFace, width: usize, height: usize) -> Segmentation {
        let cladding = face.cladding.outline;
        let radius = cladding.mean_radius();
        // The glue line has no edge of its own in most pictures; its width is the connector's, not the picture's.
        let glue = (self.settings.adhesive_um * 2.0 * radius / self.settings.cladding_um).max(2.0) / radius;
        let contact = self.settings.contact_um / self.settings.cladding_um;
        let across = cladding.cx.max(width as f64 - 1.0 - cladding.cx) / cladding.ax;
        let down = cladding.cy.max(height as f64 - 1.0 - cladding.cy) / cladding.by;
        let ferrule = cladding.scaled(contact.min(across.max(down)).max(1.0 + 2.0 * glue));

        let mut zones = Vec::with_capacity(4);
        let mut zone = |name, outline: Outline, confidence| {
            let Outline { cx, cy, ax, by, angle_deg } = outline;
            zones.push(Zone { name, outline: Ellipse { cx, cy, ax, by, angle_deg }, confidence });
        };
        if let Some(core) = face.core {
            zone(ZoneName::Core, core.outline, core.confidence);
        }
        zone(ZoneName::Cladding, cladding, face.confidence);
        zone(ZoneName::Adhesive, cladding.scaled(1.0 + glue), face.confidence);
        zone(ZoneName::Ferrule, ferrule, face.confidence);
        let mut attributes = vec![
            // Square pixels show a round fibre as a circle.
            real("pixel_aspect", cladding.by / cladding.ax),
            real("edge_spread_px", face.cladding.spread_px),
            real("edge_coverage", face.cladding.inlier_share),
            text("polarity", if face.sign > 0.0 { "dark" } else { "bright" }),
        ];
        if face.covered {
            attributes.push(text("edge", "covered"));
        }
        if let Some(core) = face.core {
            attributes.push(real("core_contrast", core.contrast));
        }
        Segmentation { zones: zones.into(), labels: RVec::new(), attributes: attributes.into() }
    }
}

fn real(name: &str, value: f64) -> Attribute {
    Attribute { name: name.into(), value: Value::Real(value) }
}

fn text(name: &str, value: &str) -> Attribute {
    Attribute { name: name.into(), value: Value::Text(value.into()) }
}

#[cfg(test)]
mod tests;
