//! Seeds that no person types: frames of a worker, the head of a library, a model file.

use std::collections::BTreeMap;

use ferrule_core::{
    ids::ImageId,
    worker::{
        frames::{Incoming, MAX_ANSWER, write_frame},
        messages::{Answer, ArtefactFolder, FromWorker, StagedFile},
    },
};

#[path = "../../../core/tests/store/sample.rs"]
mod sample;

/// (target, file, bytes)
pub fn made() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    vec![
        ("answer", "done", answer()),
        ("answer", "small", small()),
        ("elf", "library", library()),
        ("model", "weights", model()),
    ]
}

pub fn is_answer(bytes: &[u8]) -> bool {
    let mut incoming = Incoming::default();
    let mut bytes = bytes;
    incoming.fill(&mut bytes).is_ok() && incoming.next::<FromWorker>(MAX_ANSWER).is_ok_and(|message| message.is_some())
}

pub fn is_model(bytes: &[u8]) -> bool {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    serde_json::from_slice::<BTreeMap<String, serde_json::Value>>(&bytes[8..8 + length]).is_ok()
}

fn frame(message: &FromWorker) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(&mut bytes, message).unwrap();
    bytes
}

fn answer() -> Vec<u8> {
    let image = ImageId::of(b"a picture");
    let inspection = sample::inspection(image);
    let artefacts = vec![StagedFile { folder: ArtefactFolder::Masks, name: format!("{image}_core_mask.png") }];
    frame(&FromWorker::Done(Box::new(Answer {
        job: 7,
        result: Ok(inspection),
        artefacts,
        fingerprint: None,
        spent: vec![("detect-region".parse().unwrap(), 4.5)],
    })))
}

/// Several in a row, as they come over a line.
fn small() -> Vec<u8> {
    let refused = FromWorker::Refused {
        pipeline: ferrule_core::ids::PipelineId::of("a pipeline"),
        plugin: Some("detect-region".parse().unwrap()),
        reason: "it is too old".into(),
    };
    let turn = FromWorker::Turn { plugin: "detect-region".parse().unwrap() };
    [frame(&turn), frame(&refused), frame(&FromWorker::Gridded(Ok(vec![1, 2, 3])))].concat()
}

/// A shared object of one segment and one section.
fn library() -> Vec<u8> {
    let mut bytes = vec![0; 512];
    bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    let machine: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    put(16, &3_u16.to_le_bytes());
    put(18, &machine.to_le_bytes());
    put(32, &64_u64.to_le_bytes());
    put(40, &256_u64.to_le_bytes());
    for (at, value) in [(54, 56_u16), (56, 1), (58, 64), (60, 1)] {
        put(at, &value.to_le_bytes());
    }
    put(64, &1_u32.to_le_bytes());
    put(72, &0_u64.to_le_bytes());
    put(96, &512_u64.to_le_bytes());
    put(260, &1_u32.to_le_bytes());
    put(280, &320_u64.to_le_bytes());
    put(288, &64_u64.to_le_bytes());
    bytes
}

fn model() -> Vec<u8> {
    let head = r#"{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#;
    let mut file = (head.len() as u64).to_le_bytes().to_vec();
    file.extend(head.as_bytes());
    file.extend([0; 16]);
    file
}
