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
    /// Channels of the first layer.
    pub width: i64,
    pub classes: Vec<String>,
    pub input: Input,
    pub threshold: f64,
}

/// Copies the weights into the models' folder with their cards; a state dict is kept beside them as it is.
///
/// # Errors
/// A file that is none of the three, or the disk.
pub fn import(file: &Path, what: &Imported, places: &Places) -> Result<Card, TrainingError> {
    let malformed = |reason: String| TrainingError::Malformed { path: file.into(), reason };
    let trouble = |path: &Path| {
        let path = path.to_owned();
        move |source| TrainingError::Io { path, source }
    };
    let given = fs::read(file).map_err(trouble(file))?;
    let of_torch = given.starts_with(ZIP).then(|| state_dict::read(&given)).transpose().map_err(malformed)?;
    let numbers = of_torch.as_ref().map(|it| state_dict::safetensors(&it.weights));
    let bytes = with_card(numbers.as_ref().unwrap_or(&given), what).ok_or_else(|| {
        malformed("it is neither safetensors nor of torch.save; in Python: torch.save(model.state_dict(), PATH)".into())
    })?;
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
    fs::create_dir_all(&places.models).map_err(trouble(&places.models))?;
    let path = places.models.join(format!("{}.safetensors", what.name));
    card::write(&path, &bytes).map_err(trouble(&path))?;
    let beside = path.with_extension("pt");
    if of_torch.is_some_and(|it| !it.scripted) {
        card::write(&beside, &given).map_err(trouble(&beside))?;
    } else if let Err(source) = fs::remove_file(&beside)
        && source.kind() != io::ErrorKind::NotFound
    {
        // Of a former model of that name.
        return Err(TrainingError::Io { path: beside, source });
    }
    card.save(places)?;
    Ok(card)
}

/// The same safetensors with the card that detectors read in its head; `None` where these bytes are none.
#[must_use]
pub fn with_card(bytes: &[u8], what: &Imported) -> Option<Vec<u8>> {
    let said = json!({
        "format": MODEL_FORMAT, "task": what.task, "network": what.network, "width": what.width, "input": what.input,
        "classes": what.classes, "threshold": what.threshold, "false_alarms": 0.0,
    });
    with_word(bytes, "ferrule", &said.to_string())
}

/// The same file with a word more in its head.
fn with_word(bytes: &[u8], name: &str, word: &str) -> Option<Vec<u8>> {
    let length = usize::try_from(u64::from_le_bytes(*bytes.first_chunk::<8>()?)).ok()?;
    let head = bytes.get(8..length.checked_add(8)?)?;
    let mut head: Map<String, Value> = serde_json::from_slice(head).ok()?;
    let words = head.entry("__metadata__").or_insert_with(|| Value::Object(Map::new()));
    words.as_object_mut()?.insert(name.into(), word.into());
    let mut head = Value::Object(head).to_string();
    head.extend(std::iter::repeat_n(' ', head.len().next_multiple_of(8) - head.len()));
    let mut out = (head.len() as u64).to_le_bytes().to_vec();
    out.extend(head.as_bytes());
    out.extend(&bytes[8 + length..]);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_more_leaves_the_numbers_where_they_were() {
        let head = r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
        let mut file = (head.len() as u64).to_le_bytes().to_vec();
        file.extend(head.as_bytes());
        file.extend(1.5_f32.to_le_bytes());
        let with = with_word(&file, "ferrule", "{\"a\":1}").unwrap();
        assert_eq!(with[with.len() - 4..], 1.5_f32.to_le_bytes());
        let length = u64::from_le_bytes(*with.first_chunk().unwrap()) as usize;
        let head: Value = serde_json::from_slice(&with[8..8 + length]).unwrap();
        assert_eq!((&head["__metadata__"]["ferrule"], with.len()), (&json!("{\"a\":1}"), 8 + length + 4));
        assert_eq!(with_word(b"no safetensors at all", "a", "b"), None);
    }
}
