//! Event files as TensorBoard reads them: a length, its masked CRC-32C, a protobuf message, its masked CRC-32C.
//!
//! Only the fields that are used; numbers and names as in TensorFlow's `event.proto`, `summary.proto` and TensorBoard's
//! `plugin_data.proto` of the hparams plug-in.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    time::UNIX_EPOCH,
};

use prost::Message;

use crate::export::tfrecord::record;

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    #[prost(message, optional, tag = "4")]
    image: Option<Image>,
    #[prost(message, optional, tag = "9")]
    metadata: Option<Metadata>,
}

#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(int32, tag = "1")]
    height: i32,
    #[prost(int32, tag = "2")]
    width: i32,
    /// 1: gray.
    #[prost(int32, tag = "3")]
    colorspace: i32,
    /// A PNG file.
    #[prost(bytes = "vec", tag = "4")]
    encoded: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(message, optional, tag = "1")]
    plugin_data: Option<PluginData>,
}

#[derive(Clone, PartialEq, Message)]
struct PluginData {
    #[prost(string, tag = "1")]
    plugin_name: String,
    #[prost(bytes = "vec", tag = "2")]
    content: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct HParams {
    #[prost(int32, tag = "1")]
    version: i32,
    #[prost(message, optional, tag = "3")]
    session_start: Option<SessionStart>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionStart {
    #[prost(btree_map = "string, message", tag = "1")]
    hparams: std::collections::BTreeMap<String, Setting>,
    #[prost(string, tag = "4")]
    group_name: String,
}

/// `google.protobuf.Value`.
#[derive(Clone, PartialEq, Message)]
struct Setting {
    #[prost(oneof = "Kind", tags = "2, 3, 4")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(double, tag = "2")]
    Number(f64),
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(bool, tag = "4")]
    Bool(bool),
}

/// A hyper-parameter's value.
#[derive(Debug, Clone, PartialEq)]
pub enum HParam {
    Number(f64),
    Text(String),
    Bool(bool),
}

/// An event file that grows.
#[derive(Debug)]
pub struct Board {
    file: BufWriter<File>,
}

impl Board {
    /// A new file in the run's folder; TensorBoard reads all of them as one.
    ///
    /// # Errors
    /// The disk.
    pub fn begin(folder: &Path) -> io::Result<Self> {
        let now = UNIX_EPOCH.elapsed().unwrap_or_default();
        let (seconds, nanos, pid) = (now.as_secs(), now.subsec_nanos(), std::process::id());
        let name = format!("events.out.tfevents.{seconds:010}.{nanos:09}.{pid}.ferrule");
        let mut board = Self { file: BufWriter::new(File::create(folder.join(name))?) };
        board.write(Event { file_version: Some("brain.Event:2".into()), ..event(0) })?;
        Ok(board)
    }

    /// # Errors
    /// The disk.
    pub fn scalars<'a>(&mut self, step: u32, scalars: impl IntoIterator<Item = (&'a str, f64)>) -> io::Result<()> {
        let value =
            |(tag, value): (&str, f64)| Value { tag: tag.into(), simple_value: Some(value as f32), ..Value::default() };
        let summary = Summary { value: scalars.into_iter().map(value).collect() };
        self.write(Event { summary: Some(summary), ..event(step) })
    }

    /// A gray picture that is a PNG file already.
    ///
    /// # Errors
    /// The disk.
    pub fn picture(&mut self, step: u32, tag: &str, (width, height): (u32, u32), png: Vec<u8>) -> io::Result<()> {
        let (width, height) = (width.cast_signed(), height.cast_signed());
        let image = Image { height, width, colorspace: 1, encoded: png };
        let value = Value { tag: tag.into(), image: Some(image), ..Value::default() };
        self.write(Event { summary: Some(Summary { value: vec![value] }), ..event(step) })
    }

    /// What the run was made with.
    ///
    /// # Errors
    /// The disk.
    pub fn settings(&mut self, run: &str, settings: impl IntoIterator<Item = (String, HParam)>) -> io::Result<()> {
        let kind = |value| match value {
            HParam::Number(value) => Kind::Number(value),
            HParam::Text(value) => Kind::Text(value),
            HParam::Bool(value) => Kind::Bool(value),
        };
        let hparams = settings.into_iter().map(|(name, value)| (name, Setting { kind: Some(kind(value)) })).collect();
        let start = SessionStart { hparams, group_name: run.into() };
        let content = HParams { version: 0, session_start: Some(start) }.encode_to_vec();
        let data = PluginData { plugin_name: "hparams".into(), content };
        let tag = "_hparams_/session_start_info".into();
        let value = Value { tag, metadata: Some(Metadata { plugin_data: Some(data) }), ..Value::default() };
        self.write(Event { summary: Some(Summary { value: vec![value] }), ..event(0) })
    }

    fn write(&mut self, event: Event) -> io::Result<()> {
        record(&mut self.file, &event.encode_to_vec())?;
        // Seen while it trains.
        self.file.flush()
    }
}

fn event(step: u32) -> Event {
    let wall_time = UNIX_EPOCH.elapsed().map_or(0.0, |now| now.as_secs_f64());
    Event { wall_time, step: step.into(), ..Event::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every message of a file, its sums compared.
    fn read(bytes: &[u8]) -> Vec<Event> {
        let (mut rest, mut events) = (bytes, Vec::new());
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            let content = &rest[12..12 + length];
            let mut framed = Vec::new();
            record(&mut framed, content).unwrap();
            assert_eq!(&framed[..], &rest[..16 + length]);
            events.push(Event::decode(content).unwrap());
            rest = &rest[16 + length..];
        }
        events
    }

    #[test]
    fn an_event_file_holds_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut board = Board::begin(folder.path()).unwrap();
        board.settings("run", [("lr".to_owned(), HParam::Number(0.5))]).unwrap();
        board.scalars(3, [("val/loss", 0.25), ("val/auc", 0.75)]).unwrap();
        board.picture(3, "worst", (2, 1), vec![1, 2, 3]).unwrap();
        let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        assert!(path.file_name().unwrap().to_str().unwrap().starts_with("events.out.tfevents."));
        let events = read(&std::fs::read(path).unwrap());
        assert_eq!(events[0].file_version.as_deref(), Some("brain.Event:2"));
        let values = &events[2].summary.as_ref().unwrap().value;
        assert_eq!((events[2].step, values[1].tag.as_str(), values[1].simple_value), (3, "val/auc", Some(0.75)));
        assert_eq!(events.len(), 4);
    }
}
