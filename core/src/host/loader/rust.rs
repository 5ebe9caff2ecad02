//! Libraries written in Rust: abi_stable's root module, whose layout is checked type by type.

use std::{mem, path::Path};

use abi_stable::library::{LibraryError, RawLibrary, lib_header_from_raw_library};
use ferrule_abi as abi;

use super::{super::layout, Instance, LoadError, Opened, one_line};
use crate::ids::PluginId;

/// Opens the library; `None` if it has no such root module.
pub(super) fn open(path: &Path) -> Result<Option<Opened>, LoadError> {
    let Some(root) = open_root(path)? else { return Ok(None) };
    let create = move |id: &PluginId, parameters: &[abi::Parameter]| {
        let made = root.create()(id.as_str().into(), parameters.into()).into_result();
        made.map(|instance| Box::new(RustInstance { root, instance }) as Box<dyn Instance>).map_err(one_line)
    };
    Ok(Some(Opened { descriptors: root.describe()().into(), create: Box::new(create) }))
}

/// `load_from_file` would do all this in one call, but it remembers the first library of a type and answers every later
/// path with it.
fn open_root(path: &Path) -> Result<Option<abi::PluginLibraryRef>, LoadError> {
    let raw = RawLibrary::load_at(path).map_err(|error| match error {
        LibraryError::OpenError { err, .. } => LoadError::Open(one_line(err.to_string())),
        other => LoadError::Open(one_line(other.to_string())),
    })?;
    // SAFETY: the header points into the library, which stays open for ever: `raw` is forgotten on every path.
    let root = unsafe { lib_header_from_raw_library(&raw) }
        .and_then(|header| header.init_root_module::<abi::PluginLibraryRef>());
    mem::forget(raw);
    match root {
        Ok(root) => Ok(Some(root)),
        Err(LibraryError::GetSymbolError { .. }) => Ok(None),
        Err(other) => {
            let dump = other.to_string();
            Err(LoadError::Layout { line: layout::explain(&dump), dump })
        }
    }
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

    fn train(&mut self, request: &abi::TrainRequest<'_>, progress: abi::Progress) -> Result<abi::TrainReport, String> {
        self.root.train()(self.instance, request, progress).into_result().map_err(one_line)
    }
}

impl Drop for RustInstance {
    fn drop(&mut self) {
        self.root.destroy()(self.instance);
    }
}
