//! What a plug-in in C is shown: the interface's own values as C structures that borrow from them. Each is kept by the
//! caller until the call has returned.

use std::ffi::{CString, c_char};

use ferrule_abi::{
    self as abi, ROption,
    c::{self, TypeCode},
};

/// Texts that end with NUL; each stays where it is while more are added.
#[derive(Default)]
pub struct Texts(Vec<CString>);

impl Texts {
    /// Keeps a copy of the text, without the NULs that C would take for its end.
    pub fn lend(&mut self, text: &str) -> *const c_char {
        let bytes: Vec<u8> = text.bytes().filter(|byte| *byte != 0).collect();
        let text = CString::new(bytes).unwrap_or_default();
        let address = text.as_ptr();
        self.0.push(text);
        address
    }

    /// A named value. What its type does not name is zero and an empty text.
    pub fn named(&mut self, name: &str, value: &abi::Value) -> c::NamedValue {
        let (code, text) = match value {
            abi::Value::Bool(_) => (TypeCode::Bool, ""),
            abi::Value::Integer(_) => (TypeCode::Integer, ""),
            abi::Value::Real(_) => (TypeCode::Real, ""),
            abi::Value::Text(text) => (TypeCode::Text, text.as_str()),
        };
        let value = c::Value {
            r#type: code.code(),
            boolean: u32::from(matches!(value, abi::Value::Bool(true))),
            integer: if let abi::Value::Integer(value) = value { *value } else { 0 },
            real: if let abi::Value::Real(value) = value { *value } else { 0.0 },
            text: self.lend(text),
        };
        c::NamedValue { name: self.lend(name), value }
    }
}

/// A picture.
///
/// # Errors
/// Its pixels are fewer than its size says: a mistake of the host's, but one that C could not see.
pub fn image(view: &abi::ImageView<'_>) -> Result<c::Image, String> {
    let row = view.width as usize * view.format.bytes();
    let before = (view.height as usize).checked_sub(1).and_then(|rows| rows.checked_mul(view.stride as usize));
    let needed = before.and_then(|before| before.checked_add(row));
    if row == 0 || needed.is_none_or(|needed| needed > view.pixels.len()) {
        return Err(format!("cannot be given {} bytes as {} x {} pixels", view.pixels.len(), view.width, view.height));
    }
    Ok(c::Image {
        pixels: view.pixels.as_ptr(),
        format: view.format.code(),
        width: view.width,
        height: view.height,
        stride: view.stride,
        um_per_px: or_nan(view.um_per_px),
        pixel_aspect: or_nan(view.pixel_aspect),
    })
}

/// NaN for what is not known.
pub fn or_nan(value: ROption<f64>) -> f64 {
    value.unwrap_or(f64::NAN)
}

pub fn zones(zones: &[abi::Zone]) -> Vec<c::Zone> {
    let zone =
        |zone: &abi::Zone| c::Zone { outline: zone.outline, confidence: zone.confidence, name: zone.name.code() };
    zones.iter().map(zone).collect()
}

/// The segmentation in force over a picture, with its zones as [`zones`] made them.
///
/// # Errors
/// Labels are fewer than pixels, as in [`image`].
pub fn segmentation(
    view: &abi::SegmentationView<'_>,
    zones: &[c::Zone],
    pixels: usize,
) -> Result<c::Segmentation, String> {
    if view.labels.len() < pixels {
        return Err(format!("cannot be given {} labels for {pixels} pixels", view.labels.len()));
    }
    Ok(c::Segmentation { zones: zones.as_ptr(), zone_count: zones.len(), labels: view.labels.as_ptr() })
}

/// Defects, with what their attributes point to.
pub struct Defects {
    pub list: Vec<c::Defect>,
    _attributes: Vec<Vec<c::NamedValue>>,
    _texts: Texts,
}

pub fn defects(defects: &[abi::Defect]) -> Defects {
    let mut texts = Texts::default();
    let attributes: Vec<Vec<c::NamedValue>> = defects
        .iter()
        .map(|defect| defect.attributes.iter().map(|it| texts.named(&it.name, &it.value)).collect())
        .collect();
    let list = defects.iter().zip(&attributes).map(|(defect, attributes)| c::Defect {
        kind: defect.kind.code(),
        severity: defect.severity.code(),
        confidence: defect.confidence,
        bbox: defect.bbox,
        x: defect.x,
        y: defect.y,
        length_px: defect.length_px,
        width_px: defect.width_px,
        angle_deg: defect.angle_deg,
        area_px: defect.area_px,
        mask: defect.mask.as_ptr(),
        run_count: defect.mask.len(),
        attributes: attributes.as_ptr(),
        attribute_count: attributes.len(),
    });
    Defects { list: list.collect(), _attributes: attributes, _texts: texts }
}

pub fn graded(defects: &[abi::GradedDefect<'_>]) -> Vec<c::GradedDefect> {
    let graded = defects.iter().map(|defect| c::GradedDefect {
        kind: defect.kind.code(),
        severity: defect.severity.code(),
        confidence: defect.confidence,
        x: defect.x,
        y: defect.y,
        length_px: defect.length_px,
        width_px: defect.width_px,
        angle_deg: defect.angle_deg,
        area_px: defect.area_px,
        zone: defect.zone.map_or(0, abi::ZoneName::code),
        mask: defect.mask.as_ptr(),
        run_count: defect.mask.len(),
    });
    graded.collect()
}
