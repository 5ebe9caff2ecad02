//! Opens a plug-in library and gives its plug-ins one face, whatever interface they were written for: `rust` or `c`.
//!
//! Only for a worker or a probe, which can die; the engine never calls this. A library is never closed: destructors of
//! thread-local values and the interface's own layout map keep pointing into it. The process that loaded it is the unit
//! of unloading.

use std::{error::Error, mem, path::Path, ptr::NonNull};

use abi_stable::library::ROOT_MODULE_LOADER_NAME;
use ferrule_abi as abi;
use libloading::os::unix;

use serde::Deserialize;

use super::{
    card::{CardError, DescriptorCard, printable},
    script::{self, Script},
};
use crate::{ids::PluginId, worker::messages::ParameterValue};

mod c;
mod rust;

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
    /// # Errors
    /// The plug-in's own words; none but one written in Rust trains.
    fn train(&mut self, _: &abi::TrainRequest<'_>, _: abi::Progress) -> Result<abi::TrainReport, String> {
        Err("this plug-in does not train".into())
    }
}

type Create = dyn Fn(&PluginId, &[abi::Parameter]) -> Result<Box<dyn Instance>, String>;

/// A library as one of the interfaces opened it.
struct Opened {
    /// What it says of itself, not yet believed.
    descriptors: Vec<abi::Descriptor>,
    create: Box<Create>,
}

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
    #[error(
        "is no Ferrule plug-in: it exports neither `{ROOT_MODULE_LOADER_NAME}` (written in Rust) nor `{}` (written in C)",
        abi::c::SYMBOL
    )]
    NoRoot,
    /// `line` names the type and the field; `dump` is everything that the layout check said, for the log.
    #[error("was built against another version of ferrule-abi: {line}. Build it again with this version's ferrule-abi")]
    Layout { line: String, dump: String },
    #[error(
        "exports a `{}` of version {found}, version {} is understood. Build it again with this version's ferrule_plugin.h",
        abi::c::SYMBOL,
        abi::c::VERSION
    )]
    TableVersion { found: u32 },
    #[error(
        "exports a `{}` of {found} bytes, version {} has {needed}: begin the table with FERRULE_PLUGIN_HEAD",
        abi::c::SYMBOL,
        abi::c::VERSION
    )]
    TableSize { found: u32, needed: usize },
    /// A function that what the library offers cannot do without.
    #[error("has NULL for `{function}` in its `{}`", abi::c::SYMBOL)]
    Unfilled { function: &'static str },
    #[error("offers no plug-in")]
    Empty,
    #[error("describes itself wrongly: {0}")]
    Card(#[from] CardError),
    /// A library in C that fails to describe itself, or describes what there cannot be.
    #[error("describes itself wrongly: {0}")]
    Described(String),
    #[error("offers `{0}` twice")]
    Twice(PluginId),
}

impl Library {
    /// Opens a plug-in library. The path must be a private copy that is named by its content: the loader of the C
    /// library serves a known path from its cache, and a mapped file that is overwritten brings the process down.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let table = open(path)?;
        let opened = match (rust::open(path)?, table) {
            (Some(opened), _) => opened,
            (None, Some(table)) => c::open(table)?,
            (None, None) => return Err(LoadError::NoRoot),
        };
        let mut cards: Vec<DescriptorCard> = Vec::new();
        for descriptor in &opened.descriptors {
            let card = DescriptorCard::try_from(descriptor)?;
            if cards.iter().any(|other| other.id == card.id) {
                return Err(LoadError::Twice(card.id));
            }
            cards.push(card);
        }
        if cards.is_empty() {
            return Err(LoadError::Empty);
        }
        Ok(Self { cards, create: opened.create })
    }

    /// A Python file, served by the bridge library at `bridge`; both are private copies. Starts an interpreter to hear what
    /// the file says of itself, and gives that interpreter's and its packages' versions too.
    ///
    /// # Errors
    /// No bridge, no interpreter, a file that does not describe itself; in one line.
    pub fn of_script(bridge: &Path, script: &Script) -> Result<(Self, String), String> {
        #[derive(Deserialize)]
        struct Told {
            environment: String,
            descriptor: serde_json::Value,
        }
        let bridge = Self::load(bridge).map_err(|error| format!("the Python bridge {error}"))?;
        // Any of the bridge's plug-ins can ask a file what it is.
        let asked = bridge.create(&script.served_by, &script.parameters(&[]))?.call("describe", &[])?;
        let told: Told = serde_json::from_slice(&asked).map_err(|error| format!("its description: {error}"))?;
        let descriptor = script::descriptor(&told.descriptor)?;
        let card =
            DescriptorCard::try_from(&descriptor).map_err(|error| format!("it describes itself wrongly: {error}"))?;
        let server = Script::server(card.slot).ok_or("a Python file cannot serve that slot")?;
        let script = script.clone();
        let create = move |_: &PluginId, parameters: &[abi::Parameter]| {
            let given: Vec<(String, ParameterValue)> =
                parameters.iter().map(|given| (given.name.to_string(), (&given.value).into())).collect();
            bridge.create(&server, &script.parameters(&given))
        };
        Ok((Self { cards: vec![card], create: Box::new(create) }, told.environment))
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

/// Opens the library for as long as the process lives; gives the address of its table for plug-ins in C, if it has one.
///
/// Before abi_stable does, which would bind functions only as they are called: one that is nowhere to be found is to be
/// told now, and not to end a worker in the middle of a capture.
fn open(path: &Path) -> Result<Option<NonNull<abi::c::Plugin>>, LoadError> {
    // SAFETY: constructors of the library run: to open it is to trust it, and the process is one that may die of it.
    let opened = unsafe { unix::Library::open(Some(path), unix::RTLD_NOW | unix::RTLD_LOCAL) };
    let library = opened.map_err(|error| {
        let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        LoadError::Open(one_line(reason))
    })?;
    // SAFETY: only the address is taken; what lies there is judged by its first two numbers.
    let table = unsafe { library.get::<*const abi::c::Plugin>(abi::c::SYMBOL) }.map(unix::Symbol::as_raw_ptr);
    mem::forget(library);
    Ok(table.ok().and_then(|address| NonNull::new(address.cast())))
}

/// A plug-in's message as one printable line.
fn one_line(text: impl AsRef<str>) -> String {
    let words: Vec<&str> = text.as_ref().split_whitespace().collect();
    printable(&words.join(" "))
}
