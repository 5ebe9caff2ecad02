//! One plug-in for each slot that an interpreter can serve.

use ferrule_abi::{
    Defect, Descriptor, Detections, Detector, ImageView, Measurements, Measurer, ParameterKind, ParameterSpec,
    Parameters, Plugin, PluginError, Profile, Segmentation, SegmentationView, Segmenter, Slot, Value, Zone,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, json};

use crate::{
    answers::{Detected, Measured, Segmented},
    interpreter::Interpreter,
    questions::question,
    sheet::{Layout, Sheet},
};

/// The operation that says what the file offers: answers `{"environment", "descriptor"}` as JSON.
const DESCRIBE: &str = "describe";

fn specs() -> Vec<ParameterSpec> {
    let text = |name: &str, default: &str, help: &str| ParameterSpec {
        name: name.into(),
        kind: ParameterKind::Text,
        default: Value::Text(default.into()),
        unit: "".into(),
        help: help.into(),
    };
    vec![
        ParameterSpec::file("script", "the Python file; without one nothing is found"),
        text("interpreter", "python3", "the Python 3 that serves it: a name on the path or a path; it needs NumPy"),
        text("parameters", "{}", "the file's own parameters, as a JSON object"),
    ]
}

fn descriptor(id: &str, slot: Slot, summary: &str) -> Descriptor {
    let plain = Descriptor::new(id, env!("CARGO_PKG_VERSION"), slot, summary).with_parameters(specs());
    Descriptor { profile: Profile::Wide, ..plain }
}

/// An interpreter with its file, the memory, and the parameters that it is given with each question.
#[derive(Debug)]
struct Served {
    interpreter: Interpreter,
    sheet: Sheet,
    parameters: Map<String, serde_json::Value>,
}

impl Served {
    /// `None` where no file is named.
    fn start(parameters: &Parameters) -> Result<Option<Self>, PluginError> {
        let script = parameters.text("script")?;
        if script.is_empty() {
            return Ok(None);
        }
        let given: Map<String, serde_json::Value> = serde_json::from_str(parameters.text("parameters")?)
            .map_err(|error| PluginError::new(format!("`parameters` is no JSON object: {error}")))?;
        let sheet = Sheet::new().map_err(|error| PluginError::new(format!("no memory to share: {error}")))?;
        let interpreter = Interpreter::start(parameters.text("interpreter")?, script, &sheet)?;
        let mut parameters = defaults(&interpreter.hello.descriptor);
        for (name, value) in given {
            if !parameters.contains_key(&name) {
                return Err(PluginError::new(format!("the file has no parameter `{name}`")));
            }
            parameters.insert(name, value);
        }
        Ok(Some(Self { interpreter, sheet, parameters }))
    }

    fn ask<T: DeserializeOwned>(
        &mut self,
        image: &ImageView<'_>,
        labels: &[u8],
        zones: &[Zone],
        defects: &[Defect],
    ) -> Result<(T, Layout), PluginError> {
        let layout = self.sheet.lay_out(image, labels);
        let layout = layout.map_err(|error| PluginError::new(format!("no memory for the picture: {error}")))?;
        let question = question(image, &layout, zones, defects, &self.parameters);
        Ok((self.interpreter.ask(&question)?, layout))
    }

    fn call(served: Option<&Self>, operation: &str) -> Result<Vec<u8>, PluginError> {
        let served = served.ok_or("no script is named")?;
        if operation != DESCRIBE {
            return Err(PluginError::new(format!("there is no operation `{operation}`, only `{DESCRIBE}`")));
        }
        let hello = &served.interpreter.hello;
        let told = json!({"environment": hello.environment, "descriptor": hello.descriptor});
        Ok(told.to_string().into_bytes())
    }
}

/// The parameters as the file describes them, at their defaults.
fn defaults(descriptor: &serde_json::Value) -> Map<String, serde_json::Value> {
    let described = descriptor["parameters"].as_array().into_iter().flatten();
    described.filter_map(|spec| Some((spec["name"].as_str()?.to_owned(), spec["default"].clone()))).collect()
}

macro_rules! python {
    ($name:ident, $id:literal, $slot:ident, $summary:literal) => {
        #[doc = $summary]
        #[derive(Debug)]
        pub struct $name(Option<Served>);

        impl Plugin for $name {
            fn descriptor() -> Descriptor {
                descriptor($id, Slot::$slot, $summary)
            }

            fn create(parameters: &Parameters) -> Result<Self, PluginError> {
                Served::start(parameters).map(Self)
            }

            fn call(&mut self, operation: &str, _: &[u8]) -> Result<Vec<u8>, PluginError> {
                Served::call(self.0.as_ref(), operation)
            }
        }
    };
}

python!(PythonSegment, "python-segment", Segment, "Zones found by a Python file");
python!(PythonDetect, "python-detect", Detect, "Defects found by a Python file");
python!(PythonMeasure, "python-measure", Measure, "Features measured by a Python file");

impl Segmenter for PythonSegment {
    fn segment(&mut self, image: &ImageView<'_>) -> Result<Segmentation, PluginError> {
        let Some(served) = &mut self.0 else { return Ok(Segmentation::default()) };
        served.ask::<Segmented>(image, &[], &[], &[])?.0.read()
    }
}

impl Detector for PythonDetect {
    fn detect(&mut self, image: &ImageView<'_>, seen: &SegmentationView<'_>) -> Result<Detections, PluginError> {
        let Some(served) = &mut self.0 else { return Ok(Detections::default()) };
        let (labels, zones) = (seen.labels.as_slice(), seen.zones.as_slice());
        let (detected, layout): (Detected, _) = served.ask(image, labels, zones, &[])?;
        detected.read(&served.sheet.found(&layout), image.width as usize)
    }
}

impl Measurer for PythonMeasure {
    fn measure(
        &mut self,
        image: &ImageView<'_>,
        seen: &SegmentationView<'_>,
        defects: &[Defect],
    ) -> Result<Measurements, PluginError> {
        let Some(served) = &mut self.0 else { return Ok(Measurements::default()) };
        let (labels, zones) = (seen.labels.as_slice(), seen.zones.as_slice());
        Ok(served.ask::<Measured>(image, labels, zones, defects)?.0.read())
    }
}
