//! Files put together instruction by instruction, as PyTorch writes them; real ones are read beside PyTorch itself.

use std::io::Write;

use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::*;

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in files {
        zip.start_file(*name, stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn text(text: &str) -> Vec<u8> {
    [&[b'X'][..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

fn tuple(numbers: &[u8]) -> Vec<u8> {
    let items = numbers.iter().flat_map(|number| [b'K', *number]);
    std::iter::once(b'(').chain(items).chain([b't']).collect()
}

/// A tensor of `class` over the storage `key`.
fn tensor(class: &str, key: &str, offset: u8, shape: &[u8], strides: &[u8]) -> Vec<u8> {
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
        text("storage"),
        format!("ctorch\n{class}\n").into_bytes(),
        text(key),
        text("cpu"),
        vec![b'K', 99, b't', b'Q', b'K', offset],
        tuple(shape),
        tuple(strides),
        b"\x89ccollections\nOrderedDict\n)RtR".to_vec(),
    ]
    .concat()
}

/// `OrderedDict` with its items and PyTorch's `_metadata`.
fn ordered(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items = items.iter().flat_map(|(name, value)| [text(name), value.clone()].concat());
    let metadata = [b"}".to_vec(), text("_metadata"), b"ccollections\nOrderedDict\n)Rsb".to_vec()].concat();
    [b"ccollections\nOrderedDict\n)R(".to_vec(), items.collect(), b"u".to_vec(), metadata].concat()
}

fn pickled(value: &[u8]) -> Vec<u8> {
    [b"\x80\x02", value, b"."].concat()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn a_state_dict_is_read_in_its_order_with_views_and_half_numbers_and_without_counters() {
    let dict = ordered(&[
        ("conv.weight", tensor("FloatStorage", "0", 0, &[2, 2], &[2, 1])),
        ("conv.turned", tensor("FloatStorage", "0", 0, &[2, 2], &[1, 2])),
        ("conv.bias", tensor("HalfStorage", "1", 1, &[1], &[1])),
        ("norm.num_batches_tracked", tensor("LongStorage", "2", 0, &[], &[])),
    ]);
    let halves: Vec<u8> = [f16::from_f32(8.0), f16::from_f32(0.5)].iter().flat_map(|half| half.to_le_bytes()).collect();
    let file = archive(&[
        ("net/data.pkl", &pickled(&dict)),
        ("net/byteorder", b"little"),
        ("net/data/0", &floats(&[1.0, 2.0, 3.0, 4.0])),
        ("net/data/1", &halves),
        ("net/data/2", &7_i64.to_le_bytes()),
    ]);
    let read = read(&file).unwrap();
    assert!(!read.scripted);
    let values: Vec<(&str, &[f32])> = read.weights.iter().map(|it| (it.name.as_str(), &it.values[..])).collect();
    let turned: (&str, &[f32]) = ("conv.turned", &[1.0, 3.0, 2.0, 4.0]);
    assert_eq!(values, [("conv.weight", &[1.0, 2.0, 3.0, 4.0][..]), turned, ("conv.bias", &[0.5][..])]);
    assert_eq!(read.weights[0].shape, [2, 2]);
}

#[test]
fn weights_are_found_within_a_checkpoint_and_behind_what_data_parallel_puts_before_them() {
    let inner = ordered(&[("module.w", tensor("FloatStorage", "0", 0, &[1], &[1]))]);
    let whole = [b"}(".to_vec(), text("epoch"), vec![b'K', 3], text("state_dict"), inner, b"u".to_vec()].concat();
    let file = archive(&[("a/data.pkl", &pickled(&whole)), ("a/data/0", &floats(&[2.5]))]);
    let read = read(&file).unwrap();
    assert_eq!(read.weights, [Weight { name: "w".into(), shape: vec![1], values: vec![2.5] }]);
    let tensors = safetensors(&read.weights);
    assert!(tensors.ends_with(&2.5_f32.to_le_bytes()) && tensors.len().is_multiple_of(4));
}

#[test]
fn modules_of_torchscript_name_their_weights_by_their_attributes() {
    let module = |state: Vec<u8>| [b"c__torch__\nNet\n)\x81".to_vec(), state, b"b".to_vec()].concat();
    let layer = [b"}(".to_vec(), text("weight"), tensor("FloatStorage", "0", 0, &[2], &[1]), b"u".to_vec()].concat();
    let state = [b"}(".to_vec(), text("training"), vec![0x89], text("fc"), module(layer), b"u".to_vec()].concat();
    let file = archive(&[("n/data.pkl", &pickled(&module(state))), ("n/data/0", &floats(&[1.0, -1.0]))]);
    let read = read(&file).unwrap();
    assert!(read.scripted);
    assert_eq!(read.weights, [Weight { name: "fc.weight".into(), shape: vec![2], values: vec![1.0, -1.0] }]);
}

#[test]
fn what_is_something_else_is_refused_in_one_line_and_nothing_is_run() {
    let refused = |value: &[u8], numbers: &[u8]| {
        read(&archive(&[("n/data.pkl", &pickled(value)), ("n/data/0", numbers)])).unwrap_err()
    };
    let call = [b"cos\nsystem\n(".to_vec(), text("true"), b"tR".to_vec()].concat();
    assert!(refused(&call, &[]).contains("os system"));
    let whole = b"c__main__\nNet\n)\x81}b";
    assert!(refused(whole, &[]).contains("state_dict()"));
    let short = ordered(&[("w", tensor("FloatStorage", "0", 0, &[3], &[1]))]);
    assert!(refused(&short, &floats(&[1.0, 2.0])).starts_with("w: "));
    let far = ordered(&[("w", tensor("FloatStorage", "0", 9, &[1], &[1]))]);
    assert!(refused(&far, &floats(&[1.0, 2.0])).contains("outside"));
    assert!(refused(b"}", &[]).contains("no weights"));
    assert!(read(b"PK\x03\x04 and nothing more").is_err());
    // A dict in itself has no end.
    let endless = [b"}q\x00".to_vec(), text("a"), b"h\x00s".to_vec()].concat();
    assert!(refused(&endless, &[]).contains("no end"));
    for end in 0..short.len() {
        assert!(Pickle::read(&short[..end]).is_err(), "cut at {end}");
    }
}
