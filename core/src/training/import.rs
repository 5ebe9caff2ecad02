//! Model files from elsewhere: a state dict, TorchScript or safetensors gets the card that detectors read, and one for
//! people.

use std::{collections::BTreeMap, fs, io, path::Path};

use ferrule_vision::frame::MODEL_FORMAT;
use serde_json::{Map, Value, json};

use super::{
    Input, Places, Task, TrainingError,
    card::{self, Card},
    state_dict,
};
use crate::client::software;

/// How the zip of `torch.save` begins.
const ZIP: &[u8] = b"PK\x03\x04";

/// What an imported file does not say of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    pub name: String,
    pub task: Task,
    pub network: String,
    /// Channels of the first layer; `None` for as many as the weights have.
    pub width: Option<i64>,
    pub classes: Vec<String>,
    pub input: Input,
    pub threshold: f64,
}

/// A model file from elsewhere, understood and not yet taken in: what it is worth a plug-in can say before that.
#[derive(Debug)]
pub struct Incoming {
    /// For people.
    pub card: Card,
    /// Safetensors, with the card that detectors read in their head.
    pub weights: Vec<u8>,
    /// The file itself, where it is a state dict.
    state_dict: Option<Vec<u8>>,
}

impl Incoming {
    /// Reads weights and gives them their cards. Nothing is written, and nothing in the file is run.
    ///
    /// # Errors
    /// A file that cannot be read, or is neither a state dict nor TorchScript nor safetensors.
    pub fn read(file: &Path, what: &Imported) -> Result<Self, TrainingError> {
        let malformed = |reason: String| TrainingError::Malformed { path: file.into(), reason };
        let given = fs::read(file).map_err(|source| TrainingError::Unread { path: file.into(), source })?;
        let of_torch = given.starts_with(ZIP).then(|| state_dict::read(&given)).transpose().map_err(malformed)?;
        let numbers = of_torch.as_ref().map(|it| state_dict::safetensors(&it.weights));
        let weights = with_card(numbers.as_ref().unwrap_or(&given), what).map_err(|fault| malformed(fault.into()))?;
        let card = Card {
            name: what.name.clone(),
            task: what.task,
            network: what.network.clone(),
            classes: what.classes.clone(),
            threshold: Some(what.threshold),
            made: jiff::Timestamp::now().to_string(),
            software: software(),
            run: None,
            trainer: None,
            dataset: None,
            input: what.input,
            metrics: BTreeMap::new(),
        };
        Ok(Self { card, weights, state_dict: of_torch.is_some_and(|it| !it.scripted).then_some(given) })
    }

    /// Takes it into the models' folder, in place of a model of that name; a state dict is kept beside it as it is.
    ///
    /// # Errors
    /// The disk's.
    pub fn keep(self, places: &Places) -> Result<Card, TrainingError> {
        let trouble = |path: &Path| {
            let path = path.to_owned();
            move |source| TrainingError::Io { path, source }
        };
        fs::create_dir_all(&places.models).map_err(trouble(&places.models))?;
        let path = places.models.join(format!("{}.safetensors", self.card.name));
        card::write(&path, &self.weights).map_err(trouble(&path))?;
        let beside = path.with_extension("pt");
        if let Some(state_dict) = &self.state_dict {
            card::write(&beside, state_dict).map_err(trouble(&beside))?;
        } else if let Err(source) = fs::remove_file(&beside)
            && source.kind() != io::ErrorKind::NotFound
        {
            // Of a former model of that name.
            return Err(TrainingError::Io { path: beside, source });
        }
        self.card.save(places)?;
        Ok(self.card)
    }
}

/// The same safetensors with the card that detectors read in its head.
///
/// # Errors
/// Bytes that are no safetensors, or hold no layer that could be a network's first.
pub fn with_card(bytes: &[u8], what: &Imported) -> Result<Vec<u8>, &'static str> {
    let (mut head, numbers) = opened(bytes)
        .ok_or("it is neither safetensors nor of torch.save; in Python: torch.save(model.state_dict(), PATH)")?;
    let width = what.width.or_else(|| first_width(&head)).ok_or("it holds no convolution: it is of no network here")?;
    let said = json!({
        "format": MODEL_FORMAT, "task": what.task, "network": what.network, "width": width, "input": what.input,
        "classes": what.classes, "threshold": what.threshold, "false_alarms": 0.0,
    });
    let words = head.entry("__metadata__").or_insert_with(|| Value::Object(Map::new()));
    let words = words.as_object_mut().ok_or("its head is no safetensors' head")?;
    words.insert("ferrule".into(), said.to_string().into());
    Ok(closed(head, numbers))
}

/// Channels that the first layer makes: the convolution that takes the fewest planes.
fn first_width(head: &Map<String, Value>) -> Option<i64> {
    let shape = |tensor: &Value| serde_json::from_value::<[i64; 4]>(tensor.get("shape")?.clone()).ok();
    head.values().filter_map(shape).min_by_key(|[_, planes, ..]| *planes).map(|[channels, ..]| channels)
}

/// A safetensors file's head and numbers.
fn opened(bytes: &[u8]) -> Option<(Map<String, Value>, &[u8])> {
    let length = usize::try_from(u64::from_le_bytes(*bytes.first_chunk::<8>()?)).ok()?;
    let head = bytes.get(8..length.checked_add(8)?)?;
    Some((serde_json::from_slice(head).ok()?, &bytes[8 + length..]))
}

fn closed(head: Map<String, Value>, numbers: &[u8]) -> Vec<u8> {
    let mut head = Value::Object(head).to_string();
    head.extend(std::iter::repeat_n(' ', head.len().next_multiple_of(8) - head.len()));
    let mut out = (head.len() as u64).to_le_bytes().to_vec();
    out.extend(head.as_bytes());
    out.extend(numbers);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::{Crop, Levels};

    fn file(head: &Value) -> Vec<u8> {
        closed(head.as_object().unwrap().clone(), &1.5_f32.to_le_bytes())
    }

    fn what(width: Option<i64>) -> Imported {
        Imported {
            name: "a".into(),
            task: Task::Classify,
            network: "resnet".into(),
            width,
            classes: vec!["clean".into(), "defective".into()],
            input: Input { side: 64, crop: Crop::Frame, margin: 1.5, levels: Levels::Raw },
            threshold: 0.5,
        }
    }

    fn said(file: &[u8]) -> Value {
        let (head, numbers) = opened(file).unwrap();
        assert_eq!(numbers, 1.5_f32.to_le_bytes(), "the numbers stay where they were");
        serde_json::from_str(head["__metadata__"]["ferrule"].as_str().unwrap()).unwrap()
    }

    #[test]
    fn a_card_says_the_width_that_the_first_layer_has_or_the_one_that_was_asked_for() {
        let given = file(&json!({
            "a.weight": {"dtype": "F32", "shape": [48, 24, 3, 3], "data_offsets": [0, 4]},
            "b.bias": {"dtype": "F32", "shape": [24], "data_offsets": [0, 4]},
            "stem.weight": {"dtype": "F32", "shape": [24, 1, 3, 3], "data_offsets": [0, 4]},
        }));
        assert_eq!(said(&with_card(&given, &what(None)).unwrap())["width"], 24);
        assert_eq!(said(&with_card(&given, &what(Some(8))).unwrap())["width"], 8);
    }

    #[test]
    fn what_is_no_network_or_no_safetensors_gets_no_card() {
        let flat = file(&json!({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}));
        assert!(with_card(&flat, &what(None)).unwrap_err().contains("no convolution"));
        assert!(with_card(b"no safetensors at all", &what(None)).unwrap_err().contains("torch.save"));
    }
}
