//! What goes wrong in a training or a judgement, in one line with what can be done.

use ferrule_abi::PluginError;
use tch::TchError;

use crate::tensors::TensorsError;

/// One line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

impl Fault {
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// Whether it is for want of memory.
    #[must_use]
    pub fn is_memory(&self) -> bool {
        let text = self.0.to_lowercase();
        ["out of memory", "can't allocate memory", "cannot allocate memory", "defaultcpuallocator"]
            .iter()
            .any(|words| text.contains(words))
    }
}

impl From<TchError> for Fault {
    /// libtorch's messages end in pages of C++ frames; the first line says it.
    fn from(error: TchError) -> Self {
        let text = error.to_string();
        Self(text.lines().find(|line| !line.trim().is_empty()).unwrap_or("libtorch gives no reason").trim().to_owned())
    }
}

impl From<TensorsError> for Fault {
    fn from(error: TensorsError) -> Self {
        Self(error.to_string())
    }
}

impl From<PluginError> for Fault {
    fn from(error: PluginError) -> Self {
        Self(error.to_string())
    }
}

impl From<Fault> for PluginError {
    fn from(fault: Fault) -> Self {
        Self::new(fault.0)
    }
}
