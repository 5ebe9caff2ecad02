//! TFRecord: shards of `tf.train.Example`, each record with its length and two masked checksums.
//!
//! Keys are those of TensorFlow's object detection tools, and beside them `image/label` (1 defect, 0 clean, -1 unknown) and
//! `image/mask/<zone>`. Masks are PNG files of the picture's size, 0 or 255. The messages are TensorFlow's
//! `example.proto` and `feature.proto`.

use std::{collections::BTreeMap, io::Write};

use prost::Message;

use super::{
    Export, ExportError, Progress, Written,
    coco::category,
    picture,
    whole::{trouble, whole},
};
use crate::{
    pipeline::artefacts,
    report::{Defect, ZoneName},
    store::Exhibit,
};

/// Images of a shard.
const SHARD: usize = 256;

#[derive(Clone, PartialEq, Message)]
struct Example {
    #[prost(message, optional, tag = "1")]
    features: Option<Features>,
}

#[derive(Clone, PartialEq, Message)]
struct Features {
    /// In the order of keys, so that equal examples are equal bytes.
    #[prost(btree_map = "string, message", tag = "1")]
    feature: BTreeMap<String, Feature>,
}

#[derive(Clone, PartialEq, Message)]
struct Feature {
    #[prost(oneof = "Kind", tags = "1, 2, 3")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(message, tag = "1")]
    Bytes(BytesList),
    #[prost(message, tag = "2")]
    Floats(FloatList),
    #[prost(message, tag = "3")]
    Integers(Int64List),
}

#[derive(Clone, PartialEq, Message)]
struct BytesList {
    #[prost(bytes = "vec", repeated, tag = "1")]
    value: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct FloatList {
    #[prost(float, repeated, tag = "1")]
    value: Vec<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct Int64List {
    #[prost(int64, repeated, tag = "1")]
    value: Vec<i64>,
}

/// Writes `<split>-00000-of-000NN.tfrecord` for each part. Shards of an earlier export with other numbers go.
///
/// # Errors
/// See [`ExportError`]. An image whose picture cannot be read is left out and listed.
pub fn tfrecord(export: &Export<'_>, progress: &mut Progress<'_>) -> Result<Written, ExportError> {
    let mut written = export.begun()?;
    for (name, part) in export.pictured() {
        // Eight bytes an image, so that shards can be cut.
        let ids = export.reader.image_ids(part)?;
        let shards = ids.chunks(SHARD).count().max(1);
        for number in 0..shards {
            let images = ids.chunks(SHARD).nth(number).unwrap_or_default();
            let path = export.out.join(format!("{name}-{number:05}-of-{shards:05}.tfrecord"));
            let broken = trouble(&path);
            let file = whole(&path, |file| {
                for image in images {
                    let Some(exhibit) = export.reader.exhibit_of(*image)? else { continue };
                    match example(export, &exhibit) {
                        Ok(example) => record(file, &example.encode_to_vec()).map_err(&broken)?,
                        Err(reason) => written.skipped.push((exhibit.image, reason)),
                    }
                    written.items += 1;
                    progress(written.items)?;
                }
                Ok(())
            })?;
            written.files.push(file);
        }
        remove_others(export, name, shards);
    }
    Ok(written)
}

/// A reader's pattern `train-*` must not find shards of a larger or smaller dataset.
fn remove_others(export: &Export<'_>, name: &str, shards: usize) {
    let wanted = format!("-of-{shards:05}.tfrecord");
    for entry in std::fs::read_dir(&export.out).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let shard = file.to_str().and_then(|file| file.strip_prefix(name)).and_then(|rest| rest.strip_prefix('-'));
        let parts = shard.and_then(|rest| rest.strip_suffix(".tfrecord")).and_then(|rest| rest.split_once("-of-"));
        let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
        if parts.is_some_and(|(a, b)| is_number(a) && is_number(b)) && !file.to_string_lossy().ends_with(&wanted) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Length, its checksum, the bytes, theirs; all little endian.
pub(crate) fn record(file: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    let length = (bytes.len() as u64).to_le_bytes();
    file.write_all(&length)?;
    file.write_all(&masked(&length).to_le_bytes())?;
    file.write_all(bytes)?;
    file.write_all(&masked(bytes).to_le_bytes())
}

/// TensorFlow's `crc32c::Mask`.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn example(export: &Export<'_>, exhibit: &Exhibit) -> Result<Example, String> {
    let (encoded, format) = picture::encoded(export, exhibit)?;
    let inspection = &exhibit.inspection;
    let (width, height) = (inspection.width, inspection.height);
    let mut feature = BTreeMap::new();
    let mut put = |name: &str, kind: Kind| feature.insert(name.to_owned(), Feature { kind: Some(kind) });
    put("image/encoded", bytes([encoded]));
    put("image/format", bytes([format.into()]));
    put("image/width", integers([width.into()]));
    put("image/height", integers([height.into()]));
    put("image/filename", bytes([exhibit.filename.clone().into()]));
    put("image/source_id", bytes([exhibit.image.to_string().into()]));
    put("image/label", integers([exhibit.has_defect.map_or(-1, i64::from)]));
    for zone in [ZoneName::Core, ZoneName::Cladding, ZoneName::Ferrule] {
        let mask = picture::mask(export, exhibit.image, zone.as_str(), "png");
        put(&format!("image/mask/{zone}"), bytes(mask));
    }
    let defects = &inspection.defects;
    let edges: [(&str, Edge, u32); 4] = [
        ("xmin", |defect| defect.bbox[0], width),
        ("ymin", |defect| defect.bbox[1], height),
        ("xmax", |defect| defect.bbox[0] + defect.bbox[2], width),
        ("ymax", |defect| defect.bbox[1] + defect.bbox[3], height),
    ];
    for (name, edge, of) in edges {
        // Shares of the picture, from pixel edges.
        let share = |defect| f64::from(edge(defect)) / f64::from(of);
        put(&format!("image/object/bbox/{name}"), floats(defects.iter().map(share)));
    }
    put("image/object/class/text", bytes(defects.iter().map(|defect| defect.kind.as_str().into())));
    put("image/object/class/label", integers(defects.iter().map(|defect| category(defect.kind) as i64)));
    put("image/object/score", floats(defects.iter().map(|defect| defect.confidence)));
    let masks: Result<Vec<_>, String> = defects.iter().map(|defect| object_mask(defect, width, height)).collect();
    put("image/object/mask", bytes(masks?));
    Ok(Example { features: Some(Features { feature }) })
}

/// One edge of a defect's box.
type Edge = fn(&Defect) -> u32;

fn object_mask(defect: &Defect, width: u32, height: u32) -> Result<Vec<u8>, String> {
    let mut mask = vec![0; width as usize * height as usize];
    artefacts::draw(&defect.mask, width, 255, &mut mask);
    let mut png = Vec::new();
    artefacts::write_png(&mut png, &mask, width, height).map_err(|error| error.to_string())?;
    Ok(png)
}

fn bytes(values: impl IntoIterator<Item = Vec<u8>>) -> Kind {
    Kind::Bytes(BytesList { value: values.into_iter().collect() })
}

fn integers(values: impl IntoIterator<Item = i64>) -> Kind {
    Kind::Integers(Int64List { value: values.into_iter().collect() })
}

fn floats(values: impl IntoIterator<Item = f64>) -> Kind {
    Kind::Floats(FloatList { value: values.into_iter().map(|value| value as f32).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_framed_as_tensorflow_frames_it() {
        // As TFRecordWriter writes b"ferrule"; checked with the check value of CRC-32C, 0xE3069283.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xE306_9283);
        let mut file = Vec::new();
        record(&mut file, b"ferrule").unwrap();
        assert_eq!((file.len(), &file[..8]), (8 + 4 + 7 + 4, &[7, 0, 0, 0, 0, 0, 0, 0][..]));
        let unmasked = |at: usize| {
            let masked = u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
            masked.wrapping_sub(0xa282_ead8).rotate_left(15)
        };
        assert_eq!((unmasked(8), unmasked(19)), (crc32c::crc32c(&file[..8]), crc32c::crc32c(b"ferrule")));
    }
}
