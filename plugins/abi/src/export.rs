//! From a plain Rust type to an exported plug-in: the traits, the panic guard, the macro.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use abi_stable::std_types::{RErr, ROk, RResult, RSlice, RStr, RString, RVec};

use crate::{
    Defect, Descriptor, DetectInput, Detections, GradeInput, ImageView, Instance, Measurements, Parameter, Parameters,
    PluginLibrary, Progress, Segmentation, SegmentationView, TrainReport, TrainRequest, Verdict,
};

/// Why a plug-in cannot answer: one line for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginError(String);

impl PluginError {
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PluginError {}

impl From<String> for PluginError {
    fn from(message: String) -> Self {
        Self(message)
    }
}

impl From<&str> for PluginError {
    fn from(message: &str) -> Self {
        Self(message.into())
    }
}

/// What every plug-in has, whatever its slot.
pub trait Plugin: Sized + Send + 'static {
    /// Who it is. The slot named here must be the one it is exported for.
    fn descriptor() -> Descriptor;

    /// Makes one, ready to work; buffers it keeps may grow with the first pictures.
    ///
    /// # Errors
    /// Parameters that cannot go together, a model file that cannot be read.
    fn create(parameters: &Parameters) -> Result<Self, PluginError>;

    /// An operation that the interface does not foresee.
    ///
    /// # Errors
    /// Says that it knows no such operation, unless overridden.
    fn call(&mut self, operation: &str, _bytes: &[u8]) -> Result<Vec<u8>, PluginError> {
        Err(PluginError::new(format!("{} has no operation `{operation}`", Self::descriptor().id)))
    }
}

/// Finds the zones of an end face.
pub trait Segmenter: Plugin {
    /// # Errors
    /// Only where it cannot look at the picture at all; no fibre found is `Ok` without zones.
    fn segment(&mut self, image: &ImageView<'_>) -> Result<Segmentation, PluginError>;
}

/// Finds defects.
pub trait Detector: Plugin {
    /// # Errors
    /// Only where it cannot look at the picture at all; nothing found is `Ok` without defects.
    fn detect(&mut self, image: &ImageView<'_>, segmentation: &SegmentationView<'_>)
    -> Result<Detections, PluginError>;

    /// Several pictures at once, for detectors that are faster that way.
    fn detect_batch(&mut self, inputs: &[DetectInput<'_>]) -> Vec<Result<Detections, PluginError>> {
        inputs.iter().map(|input| self.detect(&input.image, &input.segmentation)).collect()
    }
}

/// Measures a picture and what was found in it.
pub trait Measurer: Plugin {
    /// # Errors
    /// Only where nothing can be measured.
    fn measure(
        &mut self,
        image: &ImageView<'_>,
        segmentation: &SegmentationView<'_>,
        defects: &[Defect],
    ) -> Result<Measurements, PluginError>;
}

/// Grades an end face by rules.
pub trait Grader: Plugin {
    /// # Errors
    /// Only for broken rules; too little to go by is the outcome `NotGraded`.
    fn grade(&mut self, input: &GradeInput<'_>) -> Result<Verdict, PluginError>;
}

/// Trains a network.
pub trait Trainer: Plugin {
    /// # Errors
    /// What stopped the training and what the person can do.
    fn train(&mut self, request: &TrainRequest<'_>, progress: Progress) -> Result<TrainReport, PluginError>;
}

/// An instance behind one face, whatever its slot.
trait AnyPlugin: Send {
    fn segment(&mut self, _: &ImageView<'_>) -> Result<Segmentation, PluginError> {
        Err(PluginError::new("this plug-in does not segment"))
    }
    fn detect_batch(&mut self, inputs: &[DetectInput<'_>]) -> Vec<Result<Detections, PluginError>> {
        inputs.iter().map(|_| Err(PluginError::new("this plug-in does not detect"))).collect()
    }
    fn detect(&mut self, _: &DetectInput<'_>) -> Result<Detections, PluginError> {
        Err(PluginError::new("this plug-in does not detect"))
    }
    fn measure(&mut self, _: &DetectInput<'_>, _: &[Defect]) -> Result<Measurements, PluginError> {
        Err(PluginError::new("this plug-in does not measure"))
    }
    fn grade(&mut self, _: &GradeInput<'_>) -> Result<Verdict, PluginError> {
        Err(PluginError::new("this plug-in does not grade"))
    }
    fn train(&mut self, _: &TrainRequest<'_>, _: Progress) -> Result<TrainReport, PluginError> {
        Err(PluginError::new("this plug-in does not train"))
    }
    fn call(&mut self, operation: &str, bytes: &[u8]) -> Result<Vec<u8>, PluginError>;
}

macro_rules! any_plugin {
    ($wrapper:ident, $slot:ident, $constructor:ident, { $($method:item)* }) => {
        struct $wrapper<T>(T);
        impl<T: $slot> AnyPlugin for $wrapper<T> {
            $($method)*
            fn call(&mut self, operation: &str, bytes: &[u8]) -> Result<Vec<u8>, PluginError> {
                self.0.call(operation, bytes)
            }
        }
        impl Entry {
            /// An exported plug-in of this slot.
            #[must_use]
            pub const fn $constructor<T: $slot>() -> Self {
                Self { descriptor: T::descriptor, create: |parameters| Ok(Box::new($wrapper(T::create(parameters)?))) }
            }
        }
    };
}

any_plugin!(SegmenterInstance, Segmenter, segment, {
    fn segment(&mut self, image: &ImageView<'_>) -> Result<Segmentation, PluginError> {
        self.0.segment(image)
    }
});
any_plugin!(DetectorInstance, Detector, detect, {
    fn detect(&mut self, input: &DetectInput<'_>) -> Result<Detections, PluginError> {
        self.0.detect(&input.image, &input.segmentation)
    }
    fn detect_batch(&mut self, inputs: &[DetectInput<'_>]) -> Vec<Result<Detections, PluginError>> {
        self.0.detect_batch(inputs)
    }
});
any_plugin!(MeasurerInstance, Measurer, measure, {
    fn measure(&mut self, input: &DetectInput<'_>, defects: &[Defect]) -> Result<Measurements, PluginError> {
        self.0.measure(&input.image, &input.segmentation, defects)
    }
});
any_plugin!(GraderInstance, Grader, grade, {
    fn grade(&mut self, input: &GradeInput<'_>) -> Result<Verdict, PluginError> {
        self.0.grade(input)
    }
});
any_plugin!(TrainerInstance, Trainer, train, {
    fn train(&mut self, request: &TrainRequest<'_>, progress: Progress) -> Result<TrainReport, PluginError> {
        self.0.train(request, progress)
    }
});

/// One exported plug-in, as [`export_plugins!`](crate::export_plugins) lists it.
#[doc(hidden)]
pub struct Entry {
    descriptor: fn() -> Descriptor,
    create: fn(&Parameters) -> Result<Box<dyn AnyPlugin>, PluginError>,
}

/// Runs `work`; a panic becomes an error with its message. The payload is forgotten, for its destructor may panic too.
fn guard<T>(work: impl FnOnce() -> Result<T, PluginError>) -> RResult<T, RString> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => ROk(value),
        Ok(Err(error)) => RErr(error.0.into()),
        Err(payload) => {
            let text = payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "a payload that is no text".into());
            std::mem::forget(payload);
            RErr(format!("panic: {text}").into())
        }
    }
}

/// # Safety
/// `instance` came from `create` and was not destroyed; no other thread uses it. The host's loader keeps this.
unsafe fn plugin<'a>(instance: Instance) -> &'a mut dyn AnyPlugin {
    unsafe { &mut **(instance.0 as *mut Box<dyn AnyPlugin>) }
}

/// The functions behind the root module. `describe` and `create` are the macro's, for they need the list of entries.
#[doc(hidden)]
pub mod __library {
    use super::*;

    pub fn describe(entries: &[Entry]) -> RVec<Descriptor> {
        match guard(|| Ok(entries.iter().map(|entry| (entry.descriptor)()).collect::<RVec<_>>())) {
            ROk(descriptors) => descriptors,
            RErr(_) => RVec::new(),
        }
    }

    pub fn create(entries: &[Entry], id: RStr<'_>, given: RSlice<'_, Parameter>) -> RResult<Instance, RString> {
        guard(|| {
            for entry in entries {
                let descriptor = (entry.descriptor)();
                if descriptor.id == id {
                    let parameters = Parameters::resolve(&descriptor, given.as_slice())?;
                    let plugin = (entry.create)(&parameters)?;
                    return Ok(Instance(Box::into_raw(Box::new(plugin)) as usize));
                }
            }
            Err(PluginError::new(format!("this library has no plug-in `{id}`")))
        })
    }

    /// The root module with everything but `describe` and `create` in place.
    #[must_use]
    pub fn root(
        describe: extern "C" fn() -> RVec<Descriptor>,
        create: extern "C" fn(RStr<'_>, RSlice<'_, Parameter>) -> RResult<Instance, RString>,
    ) -> PluginLibrary {
        PluginLibrary { describe, create, segment, detect, detect_batch, measure, grade, train, call, destroy }
    }

    extern "C" fn segment(instance: Instance, image: &ImageView<'_>) -> RResult<Segmentation, RString> {
        guard(|| unsafe { plugin(instance) }.segment(image))
    }

    extern "C" fn detect(instance: Instance, input: &DetectInput<'_>) -> RResult<Detections, RString> {
        guard(|| unsafe { plugin(instance) }.detect(input))
    }

    extern "C" fn detect_batch(
        instance: Instance,
        inputs: RSlice<'_, DetectInput<'_>>,
    ) -> RVec<RResult<Detections, RString>> {
        let answers = guard(|| Ok(unsafe { plugin(instance) }.detect_batch(inputs.as_slice())));
        match answers {
            ROk(answers) => {
                answers.into_iter().map(|answer| answer.map_err(|error| RString::from(error.0)).into()).collect()
            }
            RErr(message) => inputs.iter().map(|_| RErr(message.clone())).collect(),
        }
    }

    extern "C" fn measure(
        instance: Instance,
        input: &DetectInput<'_>,
        defects: RSlice<'_, Defect>,
    ) -> RResult<Measurements, RString> {
        guard(|| unsafe { plugin(instance) }.measure(input, defects.as_slice()))
    }

    extern "C" fn grade(instance: Instance, input: &GradeInput<'_>) -> RResult<Verdict, RString> {
        guard(|| unsafe { plugin(instance) }.grade(input))
    }

    extern "C" fn train(
        instance: Instance,
        request: &TrainRequest<'_>,
        progress: Progress,
    ) -> RResult<TrainReport, RString> {
        guard(|| unsafe { plugin(instance) }.train(request, progress))
    }

    extern "C" fn call(instance: Instance, operation: RStr<'_>, bytes: RSlice<'_, u8>) -> RResult<RVec<u8>, RString> {
        guard(|| unsafe { plugin(instance) }.call(operation.as_str(), bytes.as_slice()).map(RVec::from))
    }

    extern "C" fn destroy(instance: Instance) {
        let _ = guard(|| {
            drop(unsafe { Box::from_raw(instance.0 as *mut Box<dyn AnyPlugin>) });
            Ok(())
        });
    }
}

/// Exports plain Rust types as plug-ins of this library: `export_plugins!(detect: DetectScratch, measure: Width);`.
///
/// Names are the slots: `segment`, `detect`, `measure`, `grade`, `train`. Call it once a library, at its root.
#[macro_export]
macro_rules! export_plugins {
    ($($slot:ident: $plugin:ty),+ $(,)?) => {
        const _: () = {
            static ENTRIES: &[$crate::Entry] = &[$($crate::Entry::$slot::<$plugin>()),+];

            extern "C" fn describe() -> $crate::RVec<$crate::Descriptor> {
                $crate::__library::describe(ENTRIES)
            }
            extern "C" fn create(
                id: $crate::RStr<'_>,
                parameters: $crate::RSlice<'_, $crate::Parameter>,
            ) -> $crate::RResult<$crate::Instance, $crate::RString> {
                $crate::__library::create(ENTRIES, id, parameters)
            }
            fn root_module() -> $crate::PluginLibraryRef {
                use $crate::abi_stable::prefix_type::PrefixTypeTrait as _;
                $crate::__library::root(describe, create).leak_into_prefix()
            }
            extern "C" fn erased() -> $crate::abi_stable::library::RootModuleResult {
                $crate::abi_stable::library::__call_root_module_loader(root_module)
            }

            // What abi_stable's `export_root_module` writes, by hand: that macro would force every plug-in to depend on
            // abi_stable itself. A test holds the name to abi_stable's.
            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            pub static LIBRARY_HEADER: $crate::abi_stable::library::LibHeader = unsafe {
                $crate::abi_stable::library::LibHeader::from_constructor::<$crate::PluginLibraryRef>(
                    erased,
                    $crate::abi_stable::library::CheckTypeLayout::Yes,
                )
            };
        };
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ParameterSpec, Slot, Value};

    #[test]
    fn the_exported_name_is_the_one_that_abi_stable_looks_for() {
        assert_eq!(abi_stable::library::ROOT_MODULE_LOADER_NAME, "_1as_0lib_1header_0root_bmodule_bloader");
    }

    struct Moody;
    impl Plugin for Moody {
        fn descriptor() -> Descriptor {
            Descriptor::new("moody", "1.0.0", Slot::Detect, "panics when told to")
                .with_parameters(vec![ParameterSpec::real("sigma", 3.0, 1.0, 9.0, "sigma", "threshold")])
        }
        fn create(_: &Parameters) -> Result<Self, PluginError> {
            Ok(Self)
        }
    }
    impl Detector for Moody {
        fn detect(&mut self, image: &ImageView<'_>, _: &SegmentationView<'_>) -> Result<Detections, PluginError> {
            if image.width == 1 {
                panic!("too narrow")
            }
            Ok(Detections::default())
        }
    }
    static ENTRIES: &[Entry] = &[Entry::detect::<Moody>()];

    fn input(pixels: &[u8], width: u32) -> DetectInput<'_> {
        DetectInput {
            image: ImageView::gray8(pixels, width, 1).unwrap(),
            segmentation: SegmentationView { zones: RSlice::EMPTY, labels: RSlice::EMPTY },
        }
    }

    extern "C" fn describe() -> RVec<Descriptor> {
        __library::describe(ENTRIES)
    }
    extern "C" fn create(id: RStr<'_>, given: RSlice<'_, Parameter>) -> RResult<Instance, RString> {
        __library::create(ENTRIES, id, given)
    }

    #[test]
    fn a_panic_in_a_plugin_is_an_error_with_its_message() {
        let library = __library::root(describe, create);
        let instance = (library.create)("moody".into(), RSlice::EMPTY).into_result().unwrap();
        let error = (library.detect)(instance, &input(&[7], 1)).into_result().unwrap_err();
        assert_eq!(error, "panic: too narrow");
        assert!((library.detect)(instance, &input(&[7, 7], 2)).is_ok(), "the instance goes on after a panic");
        (library.destroy)(instance);
    }

    #[test]
    fn parameters_out_of_range_or_unknown_are_refused_with_what_is_expected() {
        let refuse = |name: &str, value| {
            let given = [Parameter { name: name.into(), value }];
            __library::create(ENTRIES, "moody".into(), RSlice::from_slice(&given)).into_result().unwrap_err()
        };
        assert_eq!(refuse("sigma", Value::Real(0.5)), "parameter `sigma` is 0.5, expected a number from 1 to 9");
        assert_eq!(refuse("sgma", Value::Real(2.0)), "moody has no parameter `sgma`; it has sigma");
    }

    #[test]
    fn an_operation_of_another_slot_is_an_error() {
        let library = __library::root(describe, create);
        let instance = (library.create)("moody".into(), RSlice::EMPTY).into_result().unwrap();
        let view = input(&[7, 7], 2).image;
        assert_eq!((library.segment)(instance, &view).into_result().unwrap_err(), "this plug-in does not segment");
        assert_eq!(
            (library.call)(instance, "tune".into(), RSlice::EMPTY).into_result().unwrap_err(),
            "moody has no operation `tune`"
        );
    }
}
