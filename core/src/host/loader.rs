//! Opens a plug-in library and gives its plug-ins one face, whatever interface they were written for.
//!
//! Only for a worker or a probe, which can die; the engine never calls this. A library is never closed: destructors of
//! thread-local values and the interface's own layout map keep pointing into it. The process that loaded it is the unit
//! of unloading.

use std::{mem, path::Path};

use abi_stable::library::{LibraryError, RawLibrary, lib_header_from_raw_library};
use ferrule_abi as abi;

use super::{
    card::{CardError, DescriptorCard, printable},
    layout,
};
use crate::ids::PluginId;

/// What one plug-in can be asked. Errors are one line for a person.
pub trait Instance {
    /// # Errors
    /// The plug-in's own words.
    fn segment(&mut self, image: &abi::ImageView<'_>) -> Result<abi::Segmentation, String>;
    /// # Errors
    /// The plug-in's own words.
    fn detect(&mut self, input: &abi::DetectInput<'_>) -> Result<abi::Detections, String>;
    /// One answer a picture, in order.
    fn detect_batch(&mut self, inputs: &[abi::DetectInput<'_>]) -> Vec<Result<abi::Detections, String>> {
        inputs.iter().map(|input| self.detect(input)).collect()
    }
    /// # Errors
    /// The plug-in's own words.
    fn measure(&mut self, input: &abi::DetectInput<'_>, defects: &[abi::Defect]) -> Result<abi::Measurements, String>;
    /// An operation that the slots do not foresee.
    ///
    /// # Errors
    /// The plug-in's own words.
    fn call(&mut self, operation: &str, _bytes: &[u8]) -> Result<Vec<u8>, String> {
        Err(format!("there is no operation `{operation}`"))
    }
    /// # Errors
    /// The plug-in's own words.
    fn grade(&mut self, input: &abi::GradeInput<'_>) -> Result<abi::Verdict, String>;
}

type Create = dyn Fn(&PluginId, &[abi::Parameter]) -> Result<Box<dyn Instance>, String>;

/// A loaded library.
pub struct Library {
    pub cards: Vec<DescriptorCard>,
    create: Box<Create>,
}

/// Why a library was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot be opened: {0}")]
    Open(String),
    #[error("is no Ferrule plug-in: it does not export `{0}`")]
    NoRoot(String),
    /// `line` names the type and the field; `dump` is everything that the layout check said, for the log.
    #[error("was built against another version of ferrule-abi: {line}. Build it again with this version's ferrule-abi")]
    Layout { line: String, dump: String },
    #[error("offers no plug-in")]
    Empty,
    #[error("describes itself wrongly: {0}")]
    Card(#[from] CardError),
    #[error("offers `{0}` twice")]
    Twice(PluginId),
}

impl Library {
    /// Opens a Rust plug-in library. The path must be a private copy that is named by its content: the loader of the C
    /// library serves a known path from its cache, and a mapped file that is overwritten brings the process down.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let root = open_root(path)?;
        let mut cards: Vec<DescriptorCard> = Vec::new();
        for descriptor in &root.describe()() {
            let card = DescriptorCard::try_from(descriptor)?;
            if cards.iter().any(|other| other.id == card.id) {
                return Err(LoadError::Twice(card.id));
            }
            cards.push(card);
        }
        if cards.is_empty() {
            return Err(LoadError::Empty);
        }
        let create = move |id: &PluginId, parameters: &[abi::Parameter]| {
            let made = root.create()(id.as_str().into(), parameters.into()).into_result();
            made.map(|instance| Box::new(RustInstance { root, instance }) as Box<dyn Instance>).map_err(one_line)
        };
        Ok(Self { cards, create: Box::new(create) })
    }

    /// What the library says of that plug-in.
    #[must_use]
    pub fn card(&self, id: &PluginId) -> Option<&DescriptorCard> {
        self.cards.iter().find(|card| &card.id == id)
    }

    /// Makes an instance with these parameters over the defaults.
    ///
    /// # Errors
    /// The plug-in's own words: a parameter out of range, a model file that cannot be read.
    pub fn create(&self, id: &PluginId, parameters: &[abi::Parameter]) -> Result<Box<dyn Instance>, String> {
        (self.create)(id, parameters)
    }
}

/// `load_from_file` would do all this in one call, but it remembers the first library of a type and answers every later
/// path with it.
fn open_root(path: &Path) -> Result<abi::PluginLibraryRef, LoadError> {
    let raw = RawLibrary::load_at(path).map_err(|error| match error {
        LibraryError::OpenError { err, .. } => LoadError::Open(one_line(err.to_string())),
        other => LoadError::Open(one_line(other.to_string())),
    })?;
    // SAFETY: the header points into the library, which stays open for ever: `raw` is forgotten on every path.
    let root = unsafe { lib_header_from_raw_library(&raw) }
        .and_then(|header| header.init_root_module::<abi::PluginLibraryRef>());
    mem::forget(raw);
    root.map_err(|error| match error {
        LibraryError::GetSymbolError { symbol, .. } => {
            LoadError::NoRoot(printable(String::from_utf8_lossy(&symbol).trim_end_matches('\0')))
        }
        other => {
            let dump = other.to_string();
            LoadError::Layout { line: layout::explain(&dump), dump }
        }
    })
}

/// A plug-in's message as one printable line.
fn one_line(text: impl AsRef<str>) -> String {
    let words: Vec<&str> = text.as_ref().split_whitespace().collect();
    printable(&words.join(" "))
}

/// A plug-in behind the interface's root module.
struct RustInstance {
    root: abi::PluginLibraryRef,
    instance: abi::Instance,
}

impl Instance for RustInstance {
    fn segment(&mut self, image: &abi::ImageView<'_>) -> Result<abi::Segmentation, String> {
        self.root.segment()(self.instance, image).into_result().map_err(one_line)
    }

    fn detect(&mut self, input: &abi::DetectInput<'_>) -> Result<abi::Detections, String> {
        self.root.detect()(self.instance, input).into_result().map_err(one_line)
    }

    fn detect_batch(&mut self, inputs: &[abi::DetectInput<'_>]) -> Vec<Result<abi::Detections, String>> {
        let answers = self.root.detect_batch()(self.instance, inputs.into());
        answers.into_iter().map(|answer| answer.into_result().map_err(one_line)).collect()
    }

    fn measure(&mut self, input: &abi::DetectInput<'_>, defects: &[abi::Defect]) -> Result<abi::Measurements, String> {
        self.root.measure()(self.instance, input, defects.into()).into_result().map_err(one_line)
    }

    fn call(&mut self, operation: &str, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let answer = self.root.call()(self.instance, operation.into(), bytes.into());
        answer.into_result().map(Into::into).map_err(one_line)
    }

    fn grade(&mut self, input: &abi::GradeInput<'_>) -> Result<abi::Verdict, String> {
        self.root.grade()(self.instance, input).into_result().map_err(one_line)
    }
}

impl Drop for RustInstance {
    fn drop(&mut self) {
        self.root.destroy()(self.instance);
    }
}
