//! Weights out of the files that `torch.save` and `torch.jit.save` write, as safetensors. No Python and no libtorch: a zip
//! of plain numbers, and a pickle that says what they are.

mod pickle;

use std::io::{Cursor, Read};

use half::{bf16, f16};
use serde_json::{Map, Value, json};
use zip::ZipArchive;

use self::pickle::{Node, Pickle, Storage};

/// A tensor by its name in the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// Modules in modules are not followed deeper than this.
const DEEPEST: usize = 64;
/// Values that are looked at: what names itself again and again ends.
const MOST_VISITS: usize = 1 << 20;
/// Where a checkpoint keeps the weights beside other things.
const WHOLES: [&str; 3] = ["state_dict", "model_state_dict", "model"];

/// What a `.pt` file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct StateDict {
    /// In the order of the file; those of 16 and 64 bits as 32 bits. Whole numbers, as counters of batches are, are left out.
    pub weights: Vec<Weight>,
    /// It is TorchScript: `torch.load(weights_only=True)` does not take it.
    pub scripted: bool,
}

/// Reads the weights of a `.pt` file.
///
/// # Errors
/// In one line: what the file is instead.
pub fn read(bytes: &[u8]) -> Result<StateDict, String> {
    if bytes.starts_with(b"\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") {
        return Err("it was saved in the form that PyTorch had before 1.6; load and save it once more".into());
    }
    let mut archive = Archive::open(bytes)?;
    let pickle = Pickle::read(&archive.read("data.pkl")?)?;
    let mut walk = Walk { nodes: &pickle.nodes, visits: 0, found: Vec::new() };
    walk.look(walk.whole(pickle.root), String::new(), 0)?;
    let mut found = walk.found;
    // As `DataParallel` names them.
    if found.iter().all(|(name, _)| name.starts_with("module.")) {
        found.iter_mut().for_each(|(name, _)| drop(name.drain(.."module.".len())));
    }
    let mut weights = Vec::new();
    for (name, tensor) in found {
        if let Some(values) = archive.numbers(tensor).map_err(|reason| format!("{name}: {reason}"))? {
            weights.push(Weight { name, shape: tensor.shape.clone(), values });
        }
    }
    let scripted = matches!(pickle.nodes[pickle.root], Node::Object(_));
    if weights.is_empty() { Err("it holds no weights".into()) } else { Ok(StateDict { weights, scripted }) }
}

/// The same as the bytes of a safetensors file.
#[must_use]
pub fn safetensors(weights: &[Weight]) -> Vec<u8> {
    let (mut head, mut end) = (Map::new(), 0);
    for weight in weights {
        let start = end;
        end += weight.values.len() * 4;
        head.insert(weight.name.clone(), json!({"dtype": "F32", "shape": weight.shape, "data_offsets": [start, end]}));
    }
    let mut head = Value::Object(head).to_string();
    head.extend(std::iter::repeat_n(' ', head.len().next_multiple_of(8) - head.len()));
    let mut out = (head.len() as u64).to_le_bytes().to_vec();
    out.extend(head.as_bytes());
    out.extend(weights.iter().flat_map(|weight| &weight.values).flat_map(|value| value.to_le_bytes()));
    out
}

/// Finds the tensors and their names.
struct Walk<'a> {
    nodes: &'a [Node],
    visits: usize,
    found: Vec<(String, &'a pickle::Tensor)>,
}

impl<'a> Walk<'a> {
    /// The dict of weights within a checkpoint's, where it is one.
    fn whole(&self, root: usize) -> usize {
        let Node::Dict(items) = &self.nodes[root] else { return root };
        let named = |name: &str| {
            let of = |(key, _): &&(usize, usize)| matches!(&self.nodes[*key], Node::Text(text) if text == name);
            items.iter().find(of).map(|(_, value)| *value)
        };
        let dict = |place: &usize| matches!(self.nodes[*place], Node::Dict(_) | Node::Object(_));
        WHOLES.into_iter().find_map(|name| named(name).filter(dict)).unwrap_or(root)
    }

    fn look(&mut self, place: usize, name: String, depth: usize) -> Result<(), String> {
        self.visits += 1;
        if depth > DEEPEST || self.visits > MOST_VISITS {
            return Err("its modules have no end".into());
        }
        match &self.nodes[place] {
            Node::Tensor(tensor) => self.found.push((name, tensor)),
            Node::Object(Some(state)) => self.look(*state, name, depth + 1)?,
            Node::Dict(items) => {
                for (key, value) in items {
                    if let Node::Text(key) = &self.nodes[*key] {
                        let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                        self.look(*value, name, depth + 1)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// The folder in it that everything lies in, with its slash.
    folder: String,
    size: u64,
    /// The last storage: views onto one follow each other.
    last: Option<(String, Vec<u8>)>,
}

impl<'a> Archive<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, String> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|_| "it is no file of torch.save".to_owned())?;
        let folder = zip.file_names().find_map(|name| name.strip_suffix("data.pkl")).map(str::to_owned);
        let folder = folder.filter(|folder| folder.ends_with('/')).ok_or("it is a zip file, but not of torch.save")?;
        let mut archive = Self { zip, folder, size: bytes.len() as u64, last: None };
        match archive.read("byteorder") {
            Ok(order) if order.trim_ascii() == b"big" => Err("its numbers have their bytes the other way round".into()),
            _ => Ok(archive),
        }
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let name = format!("{}{name}", self.folder);
        let file = self.zip.by_name(&name).map_err(|error| format!("{name}: {error}"))?;
        let mut bytes = Vec::new();
        // Stored, not packed: no file in it is larger than all of it.
        file.take(self.size).read_to_end(&mut bytes).map_err(|error| format!("{name}: {error}"))?;
        Ok(bytes)
    }

    /// The numbers of a tensor in the order of its shape; `None` for whole numbers.
    fn numbers(&mut self, tensor: &pickle::Tensor) -> Result<Option<Vec<f32>>, String> {
        let Some(kind) = Kind::of(&tensor.storage)? else { return Ok(None) };
        if self.last.as_ref().is_none_or(|(key, _)| *key != tensor.storage.key) {
            let bytes = self.read(&format!("data/{}", tensor.storage.key))?;
            self.last = Some((tensor.storage.key.clone(), bytes));
        }
        let bytes = self.last.as_ref().map_or(&[][..], |(_, bytes)| bytes);
        let outside = || "it lies outside of its numbers".to_owned();
        let count = tensor.shape.iter().try_fold(1_usize, |all, side| all.checked_mul(*side)).ok_or_else(outside)?;
        if count > bytes.len() {
            return Err(outside());
        }
        let mut values = Vec::with_capacity(count);
        let mut index = vec![0_usize; tensor.shape.len()];
        for _ in 0..count {
            let steps = index.iter().zip(&tensor.strides);
            let place = steps
                .into_iter()
                .try_fold(tensor.offset, |sum, (at, stride)| sum.checked_add(at.checked_mul(*stride)?));
            let at = place.and_then(|place| place.checked_mul(kind.bytes())).ok_or_else(outside)?;
            let number = at.checked_add(kind.bytes()).and_then(|end| bytes.get(at..end)).ok_or_else(outside)?;
            values.push(kind.number(number));
            for (at, side) in index.iter_mut().zip(&tensor.shape).rev() {
                *at += 1;
                if *at < *side {
                    break;
                }
                *at = 0;
            }
        }
        Ok(Some(values))
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Half,
    Brain,
    Single,
    Double,
}

impl Kind {
    fn of(storage: &Storage) -> Result<Option<Self>, String> {
        Ok(match storage.class.as_str() {
            "HalfStorage" => Some(Self::Half),
            "BFloat16Storage" => Some(Self::Brain),
            "FloatStorage" => Some(Self::Single),
            "DoubleStorage" => Some(Self::Double),
            "LongStorage" | "IntStorage" | "ShortStorage" | "CharStorage" | "ByteStorage" | "BoolStorage" => None,
            other => return Err(format!("numbers of the kind {other}; save it as float32")),
        })
    }

    const fn bytes(self) -> usize {
        match self {
            Self::Half | Self::Brain => 2,
            Self::Single => 4,
            Self::Double => 8,
        }
    }

    /// Of as many bytes as it has.
    fn number(self, bytes: &[u8]) -> f32 {
        let (two, four, eight) = (bytes.first_chunk(), bytes.first_chunk(), bytes.first_chunk());
        match self {
            Self::Half => two.map_or(f32::NAN, |bytes| f16::from_le_bytes(*bytes).to_f32()),
            Self::Brain => two.map_or(f32::NAN, |bytes| bf16::from_le_bytes(*bytes).to_f32()),
            Self::Single => four.map_or(f32::NAN, |bytes| f32::from_le_bytes(*bytes)),
            Self::Double => eight.map_or(f32::NAN, |bytes| f64::from_le_bytes(*bytes) as f32),
        }
    }
}

#[cfg(test)]
mod tests;
