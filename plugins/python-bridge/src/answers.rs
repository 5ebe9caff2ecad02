//! Answers of the interpreter, made into the interface's own: masks become runs, runs give a defect its geometry.

use std::collections::BTreeMap;

use ferrule_abi::{
    Attribute, BoundingBox, Defect, DefectKind, Detections, Ellipse, Feature, Measurements, PluginError, RVec,
    Segmentation, Severity, Value, Zone, ZoneName,
};
use ferrule_vision::{
    components::{Components, runs_of},
    shape::{Run, Shape},
};
use serde::Deserialize;

/// To `detect`: what the numbers in the masks stand for.
#[derive(Debug, Deserialize)]
pub struct Detected {
    defects: Vec<Told>,
    /// The only number's pixels are several defects: each connected part is one.
    split: bool,
}

#[derive(Debug, Deserialize)]
struct Told {
    #[serde(rename = "type")]
    kind: String,
    confidence: f64,
    severity: Option<String>,
    attributes: BTreeMap<String, serde_json::Value>,
}

/// To `segment`.
#[derive(Debug, Deserialize)]
pub struct Segmented {
    zones: BTreeMap<String, Outline>,
}

#[derive(Debug, Deserialize)]
struct Outline {
    cx: f64,
    cy: f64,
    ax: f64,
    by: f64,
    angle_deg: f64,
    confidence: f64,
}

/// To `measure`: region, name, value, unit.
#[derive(Debug, Deserialize)]
pub struct Measured {
    features: Vec<(String, String, f64, String)>,
}

impl Detected {
    /// The defects, by the masks in `found`.
    ///
    /// # Errors
    /// A type or severity that there is not.
    pub fn read(self, found: &[u16], width: usize) -> Result<Detections, PluginError> {
        if self.defects.is_empty() {
            return Ok(Detections::default());
        }
        let masks = if self.split { parts(found, width) } else { numbered(found, width, self.defects.len()) };
        let mut defects = RVec::new();
        for (number, runs) in masks.iter().enumerate() {
            let told = if self.split { self.defects.first() } else { self.defects.get(number) };
            // A mask that later ones have covered all of is gone.
            if let (Some(told), Some(shape)) = (told, Shape::of(runs)) {
                defects.push(told.defect(&shape, runs)?);
            }
        }
        Ok(Detections { defects, attributes: RVec::new() })
    }
}

/// The pixels of each number from 1 on, as runs in rising order.
fn numbered(found: &[u16], width: usize, count: usize) -> Vec<Vec<Run>> {
    let mut masks: Vec<Vec<Run>> = vec![Vec::new(); count];
    for (y, row) in found.chunks_exact(width.max(1)).enumerate() {
        let mut x = 0;
        for stretch in row.chunk_by(|a, b| a == b) {
            let length = stretch.len();
            if let Some(mask) = usize::from(stretch[0]).checked_sub(1).and_then(|number| masks.get_mut(number)) {
                mask.push(Run { y: y as u32, x: x as u32, length: length as u32 });
            }
            x += length;
        }
    }
    masks
}

/// The connected parts of everything that is not 0.
fn parts(found: &[u16], width: usize) -> Vec<Vec<Run>> {
    let mask: Vec<u8> = found.iter().map(|number| u8::from(*number != 0)).collect();
    let (mut runs, mut components) = (Vec::new(), Components::default());
    runs_of(&mask, width, &mut runs);
    components.label(&runs);
    components.iter().map(<[Run]>::to_vec).collect()
}

impl Told {
    fn defect(&self, shape: &Shape, runs: &[Run]) -> Result<Defect, PluginError> {
        let kind = DefectKind::ALL.into_iter().find(|kind| kind.as_str() == self.kind);
        let kind = kind.ok_or_else(|| PluginError::new(format!("a defect of type `{}`", self.kind)))?;
        let severity = match &self.severity {
            // The script gives no rule of its own: in the middle.
            None => Severity::Medium,
            Some(name) => {
                let known = Severity::ALL.into_iter().find(|severity| severity.as_str() == name);
                known.ok_or_else(|| PluginError::new(format!("a defect of severity `{name}`")))?
            }
        };
        let [x, y, width, height] = shape.bbox;
        Ok(Defect {
            kind,
            severity,
            confidence: self.confidence,
            bbox: BoundingBox { x, y, width, height },
            x: shape.x,
            y: shape.y,
            area_px: shape.area,
            length_px: shape.length,
            width_px: shape.width,
            angle_deg: shape.angle_deg,
            mask: runs.iter().map(|run| ferrule_abi::Run { y: run.y, x: run.x, length: run.length }).collect(),
            attributes: self.attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
        })
    }
}

fn attribute(name: &str, value: &serde_json::Value) -> Attribute {
    let value = match value {
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Integer(whole),
            (None, real) => Value::Real(real.unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::Text(text.as_str().into()),
        other => Value::Text(other.to_string().into()),
    };
    Attribute { name: name.into(), value }
}

impl Segmented {
    /// The zones; the host draws the labels.
    ///
    /// # Errors
    /// A zone that there is not.
    pub fn read(self) -> Result<Segmentation, PluginError> {
        let mut zones = RVec::new();
        for (name, Outline { cx, cy, ax, by, angle_deg, confidence }) in self.zones {
            let known = ZoneName::ALL.into_iter().find(|zone| zone.as_str() == name);
            let name = known.ok_or_else(|| PluginError::new(format!("a zone named `{name}`")))?;
            zones.push(Zone { name, outline: Ellipse { cx, cy, ax, by, angle_deg }, confidence });
        }
        Ok(Segmentation { zones, ..Segmentation::default() })
    }
}

impl Measured {
    /// The features.
    #[must_use]
    pub fn read(self) -> Measurements {
        let feature = |(region, name, value, unit): (String, String, f64, String)| Feature {
            region: region.into(),
            name: name.into(),
            value,
            unit: unit.into(),
        };
        Measurements { features: self.features.into_iter().map(feature).collect(), ..Measurements::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: &str) -> Told {
        Told { kind: kind.into(), confidence: 0.7, severity: None, attributes: BTreeMap::new() }
    }

    #[test]
    fn numbers_become_defects_in_their_order_and_covered_ones_vanish() {
        let found = [1, 1, 0, 3, 0, 1, 3, 3];
        let answer = Detected { defects: vec![told("pit"), told("chip"), told("scratch")], split: false };
        let found = answer.read(&found, 4).unwrap().defects;
        let seen: Vec<_> = found.iter().map(|defect| (defect.kind, defect.area_px)).collect();
        assert_eq!(seen, [(DefectKind::Pit, 3), (DefectKind::Scratch, 3)]);
        assert_eq!((found[0].bbox.width, found[0].bbox.height), (2, 2));
    }

    #[test]
    fn a_plain_mask_is_taken_apart() {
        let found = [1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1];
        let answer = Detected { defects: vec![told("anomaly")], split: true };
        let areas: Vec<u32> = answer.read(&found, 6).unwrap().defects.iter().map(|defect| defect.area_px).collect();
        assert_eq!(areas, [2, 3], "8-connected");
    }

    #[test]
    fn a_word_that_does_not_exist_is_named() {
        let refused = |kind: &str, severity: Option<&str>| {
            let told = Told { severity: severity.map(Into::into), ..told(kind) };
            Detected { defects: vec![told], split: false }.read(&[1], 1).unwrap_err().to_string()
        };
        assert!(refused("hole", None).contains("`hole`"));
        assert!(refused("pit", Some("AWFUL")).contains("`AWFUL`"));
    }
}
