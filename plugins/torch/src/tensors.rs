//! Weights as plain numbers, and the file they are kept in: safetensors (a u64 length, a JSON head, the numbers).
//!
//! Written by hand, for the whole format is one page (<https://github.com/huggingface/safetensors>), and so that it can be
//! tested where there is no libtorch. Real numbers of 32 bits only. Files are renamed into place: one that is there is whole.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::Path,
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A tensor by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// What a file held.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tensors {
    /// In the order of the file.
    pub tensors: Vec<Named>,
    /// Words beside them.
    pub words: BTreeMap<String, String>,
}

/// Why a file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum TensorsError {
    #[error("{path}: {source}")]
    Io { path: String, source: std::io::Error },
    #[error("{path} is no safetensors file: {reason}")]
    Malformed { path: String, reason: String },
}

#[derive(Serialize, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// The JSON head may not be longer: no file is believed about how much to reserve.
const MOST_HEAD: usize = 64 << 20;

impl Tensors {
    /// The tensor of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Named> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// The bytes of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut head: Vec<String> = Vec::with_capacity(self.tensors.len() + 1);
        if !self.words.is_empty() {
            head.push(format!("\"__metadata__\":{}", json(&self.words)));
        }
        let mut end = 0;
        for tensor in &self.tensors {
            let start = end;
            end += tensor.values.len() * 4;
            let entry = Entry { dtype: "F32".into(), shape: tensor.shape.clone(), data_offsets: [start, end] };
            head.push(format!("{}:{}", json(&tensor.name), json(&entry)));
        }
        let mut head = format!("{{{}}}", head.join(","));
        // The numbers begin at a multiple of eight.
        head.extend(std::iter::repeat_n(' ', head.len().next_multiple_of(8) - head.len()));
        let mut bytes = Vec::with_capacity(8 + head.len() + end);
        bytes.extend((head.len() as u64).to_le_bytes());
        bytes.extend(head.as_bytes());
        for tensor in &self.tensors {
            bytes.extend(tensor.values.iter().flat_map(|value| value.to_le_bytes()));
        }
        bytes
    }

    /// Reads the bytes of a file; `path` is for messages.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(bytes: &[u8], path: &str) -> Result<Self, TensorsError> {
        let wrong = |reason: &str| TensorsError::Malformed { path: path.into(), reason: reason.into() };
        let length = bytes.first_chunk::<8>().map(|length| u64::from_le_bytes(*length) as usize);
        let length = length.filter(|length| *length <= MOST_HEAD).ok_or_else(|| wrong("it has no head"))?;
        let head = bytes.get(8..8 + length).ok_or_else(|| wrong("it is cut off"))?;
        let data = &bytes[8 + length..];
        let entries: BTreeMap<String, &RawValue> =
            serde_json::from_slice(head).map_err(|error| wrong(&error.to_string()))?;
        let (mut tensors, mut words) = (Vec::new(), BTreeMap::new());
        for (name, raw) in entries {
            if name == "__metadata__" {
                words = serde_json::from_str(raw.get()).map_err(|error| wrong(&error.to_string()))?;
                continue;
            }
            let entry: Entry = serde_json::from_str(raw.get()).map_err(|error| wrong(&error.to_string()))?;
            if entry.dtype != "F32" {
                // A counter of batches, as PyTorch keeps one: nothing here needs it.
                if entry.dtype == "I64" {
                    continue;
                }
                return Err(wrong(&format!("{name} is of type {}; save it as float32", entry.dtype)));
            }
            let [start, end] = entry.data_offsets;
            let count = entry.shape.iter().try_fold(1_usize, |a, b| a.checked_mul(*b));
            let numbers = data.get(start..end).filter(|numbers| count == Some(numbers.len() / 4));
            let numbers = numbers.ok_or_else(|| wrong(&format!("{name} lies outside of it or is of another shape")))?;
            let values = numbers.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            tensors.push((start, Named { name, shape: entry.shape, values }));
        }
        tensors.sort_by_key(|(start, _)| *start);
        Ok(Self { tensors: tensors.into_iter().map(|(_, tensor)| tensor).collect(), words })
    }

    /// # Errors
    /// The file cannot be read, or is something else.
    pub fn read(path: &Path) -> Result<Self, TensorsError> {
        let shown = path.display().to_string();
        let bytes = fs::read(path).map_err(|source| TensorsError::Io { path: shown.clone(), source })?;
        Self::decode(&bytes, &shown)
    }

    /// # Errors
    /// The disk; an older file of that name is untouched then.
    pub fn write(&self, path: &Path) -> Result<(), TensorsError> {
        write_whole(path, &self.encode())
    }
}

/// Writes beside, syncs, renames.
///
/// # Errors
/// The disk; an older file of that name is untouched then.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), TensorsError> {
    let beside = path.with_extension("part");
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|source| {
        // What a full disk kept of it is in nobody's way then.
        let _ = fs::remove_file(&beside);
        TensorsError::Io { path: path.display().to_string(), source }
    })
}

fn json(value: &(impl Serialize + ?Sized)) -> String {
    // Strings, numbers and lists of them can always be written.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Tensors {
        let named = |name: &str, shape: &[usize], first: f32| Named {
            name: name.into(),
            shape: shape.to_vec(),
            values: (0..shape.iter().product::<usize>()).map(|at| first + at as f32).collect(),
        };
        let tensors = vec![named("b.weight", &[2, 3], 0.5), named("a.bias", &[], -7.0), named("empty", &[0, 4], 0.0)];
        Tensors { tensors, words: BTreeMap::from([("ferrule".into(), "{\"a\":\"ü\"}".into())]) }
    }

    #[test]
    fn tensors_are_read_back_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        some().write(&path).unwrap();
        assert_eq!(Tensors::read(&path).unwrap(), some());
    }

    #[test]
    fn a_file_that_is_cut_or_lies_about_its_length_is_refused_in_one_line() {
        let bytes = some().encode();
        for length in 0..bytes.len() {
            let error = Tensors::decode(&bytes[..length], "x").unwrap_err().to_string();
            assert!(error.starts_with("x is no safetensors file: ") && !error.contains('\n'), "{error}");
        }
        assert!(Tensors::decode(&[0xFF; 64], "x").is_err());
    }
}
