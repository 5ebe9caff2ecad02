//! segment-endface: finds core, cladding, adhesive and ferrule of a fibre end face, as ellipses.
//!
//! One narrow plug-in. From coarse to fine: the exposed frame (`frame`), closed rings in a reduced picture (`locate`),
//! the outermost of them that ends a zone (`rings`), its edge to a fraction of a pixel (`cladding`), the core inside it
//! (`core_edge`). A picture without an end face gets no zones and a reason; it is never given a guess.

mod cladding;
mod core_edge;
mod frame;
mod locate;
mod rings;
mod search;
mod settings;
mod slopes;

use ferrule_abi::{
    Attribute, Descriptor, Ellipse, ImageView, LABEL_NONE, Parameters, PixelFormat, Plugin, PluginError, RVec,
    Segmentation, Segmenter, Slot, Value, Zone, ZoneName, export_plugins,
};
use ferrule_vision::{ellipse::Ellipse as Outline, plane::Plane, raster};

use crate::{
    search::{EndFace, NoFibre, Search},
    settings::Settings,
};

/// The plug-in.
pub struct SegmentEndface {
    settings: Settings,
    search: Search,
}

export_plugins!(segment: SegmentEndface);

impl Plugin for SegmentEndface {
    fn descriptor() -> Descriptor {
        let summary = "Finds core, cladding, adhesive and ferrule of a fibre end face as ellipses.";
        Descriptor::new("segment-endface", env!("CARGO_PKG_VERSION"), Slot::Segment, summary)
            .with_parameters(settings::specs())
    }

    fn create(parameters: &Parameters) -> Result<Self, PluginError> {
        Ok(Self { settings: Settings::from_parameters(parameters)?, search: Search::default() })
    }
}

impl Segmenter for SegmentEndface {
    fn segment(&mut self, image: &ImageView<'_>) -> Result<Segmentation, PluginError> {
        if image.format != PixelFormat::Gray8 {
            return Err(PluginError::new("segment-endface takes gray 8-bit pictures"));
        }
        let (width, height) = (image.width as usize, image.height as usize);
        let picture = Plane::new(image.pixels.as_slice(), width, height, image.stride as usize)
            .ok_or("the picture's pixels are fewer than its sides say")?;
        let expected = image.um_per_px.into_option().filter(|scale| *scale > 0.0);
        let expected = expected.map(|scale| self.settings.cladding_um / (2.0 * scale));
        let aspect = image.pixel_aspect.into_option().filter(|aspect| *aspect > 0.0);
        let face = match self.search.end_face(picture, expected, &self.settings) {
            Ok(face) if face.cladding.outline.is_oval(aspect) => {
                return Ok(without_fibre(NoFibre::Oval, width * height));
            }
            Ok(face) => face,
            Err(reason) => return Ok(without_fibre(reason, width * height)),
        };
        Ok(self.answer(&face, width, height))
    }
}

fn without_fibre(reason: NoFibre, pixels: usize) -> Segmentation {
    Segmentation {
        zones: RVec::new(),
        labels: vec![LABEL_NONE; pixels].into(),
        attributes: vec![text("reason", reason.as_str())].into(),
    }
}

impl SegmentEndface {
    fn answer(&self, face: &EndFace, width: usize, height: usize) -> Segmentation {
        let cladding = face.cladding.outline;
        let radius = cladding.mean_radius();
        // The glue line has no edge of its own in most pictures; its width is the connector's, not the picture's.
        let um_to_px = 2.0 * radius / self.settings.cladding_um;
        let glue = (self.settings.adhesive_um * um_to_px).max(2.0) / radius;
        let adhesive = cladding.scaled(1.0 + glue);
        let contact = self.settings.contact_um / self.settings.cladding_um;
        let farthest = farthest_side(&cladding, width, height);
        let ferrule = cladding.scaled(contact.min(farthest).max(1.0 + 2.0 * glue));

        // Written once, in order: zeros first and the ferrule over them would be the picture's size twice.
        let frame = face.frame;
        let mut labels = Vec::with_capacity(width * height);
        labels.resize(frame.y0 * width, LABEL_NONE);
        for y in frame.y0..frame.y1 {
            labels.resize(y * width + frame.x0, LABEL_NONE);
            labels.resize(y * width + frame.x1, ZoneName::Ferrule as u8);
        }
        labels.resize(width * height, LABEL_NONE);
        let drawn = [(Some(adhesive), ZoneName::Adhesive), (Some(cladding), ZoneName::Cladding)]
            .into_iter()
            .chain([(face.core.map(|core| core.outline), ZoneName::Core)]);
        for (outline, name) in drawn {
            let Some(outline) = outline else { continue };
            for (y, span) in raster::ellipse_spans(&outline, width, height) {
                let (from, to) = (span.start.max(frame.x0), span.end.min(frame.x1));
                if y >= frame.y0 && y < frame.y1 && from < to {
                    labels[y * width + from..y * width + to].fill(name as u8);
                }
            }
        }

        let mut zones = Vec::with_capacity(4);
        let mut zone = |name, outline, confidence| zones.push(Zone { name, outline: abi(outline), confidence });
        if let Some(core) = face.core {
            zone(ZoneName::Core, core.outline, core.confidence);
        }
        zone(ZoneName::Cladding, cladding, face.confidence);
        zone(ZoneName::Adhesive, adhesive, face.confidence);
        zone(ZoneName::Ferrule, ferrule, face.confidence);
        Segmentation { zones: zones.into(), labels: labels.into(), attributes: attributes(face).into() }
    }
}

/// Size, relative to the outline, at which it would just reach the side of the picture that is farthest from it.
fn farthest_side(outline: &Outline, width: usize, height: usize) -> f64 {
    let across = outline.cx.max(width as f64 - 1.0 - outline.cx) / outline.ax;
    let down = outline.cy.max(height as f64 - 1.0 - outline.cy) / outline.by;
    across.max(down)
}

fn attributes(face: &EndFace) -> Vec<Attribute> {
    let outline = face.cladding.outline;
    let mut list = vec![
        // Square pixels show a round fibre as a circle.
        real("pixel_aspect", outline.by / outline.ax),
        real("edge_spread_px", face.cladding.spread_px),
        real("edge_coverage", face.cladding.coverage),
        text("polarity", if face.sign > 0.0 { "dark" } else { "bright" }),
        integer("frame_x0", face.frame.x0),
        integer("frame_y0", face.frame.y0),
        integer("frame_x1", face.frame.x1),
        integer("frame_y1", face.frame.y1),
    ];
    if face.cladding.held {
        list.push(text("edge", "covered"));
    }
    if let Some(core) = face.core {
        list.push(real("core_contrast", core.contrast));
    }
    if let Some(glass) = face.glass {
        list.extend([
            real("glass_cx", glass.cx),
            real("glass_cy", glass.cy),
            real("glass_ax", glass.ax),
            real("glass_by", glass.by),
            real("glass_angle_deg", glass.angle_deg),
            real("glue_gap_px", outline.mean_radius() - glass.mean_radius()),
        ]);
    }
    list
}

fn real(name: &str, value: f64) -> Attribute {
    Attribute { name: name.into(), value: Value::Real(value) }
}

fn integer(name: &str, value: usize) -> Attribute {
    Attribute { name: name.into(), value: Value::Integer(value as i64) }
}

fn text(name: &str, value: &str) -> Attribute {
    Attribute { name: name.into(), value: Value::Text(value.into()) }
}

fn abi(outline: Outline) -> Ellipse {
    Ellipse { cx: outline.cx, cy: outline.cy, ax: outline.ax, by: outline.by, angle_deg: outline.angle_deg }
}

#[cfg(test)]
mod tests;
