//! A detector as its author left it: one pit in the middle of every picture, as large as its one parameter says.

#![allow(non_local_definitions, dead_code)]

mod interface;

use abi_stable::{
    export_root_module,
    prefix_type::PrefixTypeTrait,
    std_types::{
        RResult::{self, RErr, ROk},
        RSlice, RStr, RString, RVec,
    },
};

use interface::*;

extern "C" fn describe() -> RVec<Descriptor> {
    let size = ParameterSpec {
        name: "size".into(),
        kind: ParameterKind::Integer { low: 1, high: 100 },
        default: Value::Integer(5),
        unit: "px".into(),
        help: "a side of the pit".into(),
    };
    let descriptor = Descriptor {
        id: "frozen".into(),
        version: "1.0.0".into(),
        slot: Slot::Detect,
        summary: "one pit in the middle".into(),
        profile: Profile::Narrow,
        accepts: vec![PixelFormat::Gray8].into(),
        parameters: vec![size].into(),
        attributes: RVec::new(),
    };
    vec![descriptor].into()
}

extern "C" fn create(id: RStr<'_>, parameters: RSlice<'_, Parameter>) -> RResult<Instance, RString> {
    let size = parameters.iter().find(|parameter| parameter.name == "size").map(|parameter| &parameter.value);
    match (id.as_str(), size) {
        ("frozen", None) => ROk(Instance(5)),
        ("frozen", Some(Value::Integer(size))) => ROk(Instance(*size as usize)),
        _ => RErr("there is only `frozen`, and its size is a whole number".into()),
    }
}

extern "C" fn segment(_: Instance, _: &ImageView<'_>) -> RResult<Segmentation, RString> {
    RErr("a detector does not segment".into())
}

extern "C" fn detect(instance: Instance, input: &DetectInput<'_>) -> RResult<Detections, RString> {
    let size = instance.0 as u32;
    let (left, top) = (input.image.width / 2, input.image.height / 2);
    let middle = f64::from(size - 1) / 2.0;
    let pit = Defect {
        kind: DefectKind::Pit,
        severity: Severity::Medium,
        confidence: 0.9,
        bbox: BoundingBox { x: left, y: top, width: size, height: size },
        x: f64::from(left) + middle,
        y: f64::from(top) + middle,
        area_px: size * size,
        length_px: f64::from(size),
        width_px: f64::from(size),
        angle_deg: 0.0,
        mask: (top..top + size).map(|y| Run { y, x: left, length: size }).collect(),
        attributes: vec![Attribute { name: "author".into(), value: Value::Text("gone".into()) }].into(),
    };
    ROk(Detections { defects: vec![pit].into(), attributes: RVec::new() })
}

extern "C" fn detect_batch(
    instance: Instance,
    inputs: RSlice<'_, DetectInput<'_>>,
) -> RVec<RResult<Detections, RString>> {
    inputs.iter().map(|input| detect(instance, input)).collect()
}

extern "C" fn measure(_: Instance, _: &DetectInput<'_>, _: RSlice<'_, Defect>) -> RResult<Measurements, RString> {
    RErr("a detector does not measure".into())
}

extern "C" fn grade(_: Instance, _: &GradeInput<'_>) -> RResult<Verdict, RString> {
    RErr("a detector does not grade".into())
}

extern "C" fn train(_: Instance, _: &TrainRequest<'_>, _: Progress) -> RResult<TrainReport, RString> {
    RErr("a detector does not train".into())
}

extern "C" fn call(_: Instance, _: RStr<'_>, _: RSlice<'_, u8>) -> RResult<RVec<u8>, RString> {
    RErr("there are no operations".into())
}

extern "C" fn destroy(_: Instance) {}

#[export_root_module]
pub fn root() -> PluginLibraryRef {
    PluginLibrary { describe, create, segment, detect, detect_batch, measure, grade, train, call, destroy }
        .leak_into_prefix()
}
