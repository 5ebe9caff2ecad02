//! Where a training stands, in one file that is whole or not there: weights, the optimizer's memory, and counters.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    fault::Fault,
    optimizer::Optimizer,
    tensors::{Tensors, TensorsError},
    weights::Weights,
};

/// After each epoch.
pub const LAST: &str = "last.safetensors";
/// The best epoch's weights, with a card.
pub const BEST: &str = "best.safetensors";
/// The same for Python.
pub const BEST_PT: &str = "best.pt";

const WORD: &str = "ferrule.training";
const WEIGHTS: &str = "weights/";

/// Counters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Epochs that are behind it.
    pub epoch: u32,
    pub steps: u64,
    pub best_epoch: u32,
    pub best_score: f64,
    /// What must be the same to go on: settings and samples.
    pub fingerprint: String,
}

/// # Errors
/// libtorch's, or the disk's; the checkpoint before is untouched then.
pub fn save(folder: &Path, weights: &Weights, optimizer: &Optimizer, state: &State) -> Result<(), Fault> {
    let mut tensors = weights.numbers()?;
    tensors.iter_mut().for_each(|tensor| tensor.name.insert_str(0, WEIGHTS));
    tensors.extend(optimizer.numbers()?);
    let word = serde_json::to_string(state).map_err(|error| Fault::new(error.to_string()))?;
    let file = Tensors { tensors, words: [(WORD.to_owned(), word)].into() };
    file.write(&folder.join(LAST)).map_err(|error| no_disk(&error))
}

/// # Errors
/// The file is missing, damaged, or of another training.
pub fn load(path: &Path, weights: &mut Weights, optimizer: &mut Optimizer, fingerprint: &str) -> Result<State, Fault> {
    let shown = path.display().to_string();
    let mut file = Tensors::read(path)?;
    let state: State = file
        .words
        .get(WORD)
        .and_then(|word| serde_json::from_str(word).ok())
        .ok_or_else(|| Fault::new(format!("{shown} is no checkpoint of a training")))?;
    if state.fingerprint != fingerprint {
        return Err(Fault::new(format!(
            "{shown} is of other settings or other samples: the dataset or the command changed since; begin a new run"
        )));
    }
    for tensor in &mut file.tensors {
        if let Some(name) = tensor.name.strip_prefix(WEIGHTS) {
            tensor.name = name.to_owned();
        }
    }
    weights.take(&file, &shown)?;
    optimizer.take(&file, state.steps)?;
    Ok(state)
}

/// What a disk that takes no checkpoint means to a person.
pub fn no_disk(error: &TensorsError) -> Fault {
    Fault::new(format!("{error}; the run stands at its last checkpoint: make room, then `ferrule train --resume`"))
}
