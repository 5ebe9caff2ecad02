//! Questions as the interpreter reads them: one JSON object a line.

use ferrule_abi::{Defect, ImageView, PixelFormat, Value as ParameterValue, Zone};
use serde_json::{Map, Value, json};

use crate::sheet::Layout;

/// A question about a picture that was laid out.
pub fn question(
    image: &ImageView<'_>,
    layout: &Layout,
    zones: &[Zone],
    defects: &[Defect],
    parameters: &Map<String, Value>,
) -> String {
    let format = match image.format {
        PixelFormat::Gray8 => "gray8",
        PixelFormat::Gray16 => "gray16",
        PixelFormat::Rgb8 => "rgb8",
    };
    json!({
        "width": image.width,
        "height": image.height,
        "format": format,
        "bytes": layout.bytes,
        "pixels_at": 0,
        "labels_at": layout.labels_at,
        "found_at": layout.found_at,
        "um_per_px": image.um_per_px.into_option(),
        "pixel_aspect": image.pixel_aspect.into_option(),
        "zones": zones.iter().map(zone).collect::<Map<_, _>>(),
        "defects": defects.iter().map(defect).collect::<Vec<_>>(),
        "parameters": parameters,
    })
    .to_string()
}

fn zone(zone: &Zone) -> (String, Value) {
    let o = &zone.outline;
    let outline = json!({
        "cx": o.cx, "cy": o.cy, "ax": o.ax, "by": o.by, "angle_deg": o.angle_deg, "confidence": zone.confidence,
    });
    (zone.name.as_str().to_owned(), outline)
}

/// A defect without its mask: what measures over defects is asked for.
fn defect(defect: &Defect) -> Value {
    let b = defect.bbox;
    let attributes: Map<String, Value> =
        defect.attributes.iter().map(|a| (a.name.to_string(), plain(&a.value))).collect();
    json!({
        "type": defect.kind.as_str(),
        "severity": defect.severity.as_str(),
        "confidence": defect.confidence,
        "bbox": [b.x, b.y, b.width, b.height],
        "x": defect.x,
        "y": defect.y,
        "area_px": defect.area_px,
        "length_px": defect.length_px,
        "width_px": defect.width_px,
        "angle_deg": defect.angle_deg,
        "attributes": attributes,
    })
}

/// A parameter's or attribute's value as JSON.
pub fn plain(value: &ParameterValue) -> Value {
    match value {
        ParameterValue::Bool(value) => json!(value),
        ParameterValue::Integer(value) => json!(value),
        ParameterValue::Real(value) => json!(value),
        ParameterValue::Text(value) => json!(value.as_str()),
    }
}
