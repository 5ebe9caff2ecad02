//! Every table as a Parquet file, written column by column in groups of rows; every column may hold NULL.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path, sync::Arc};

use parquet::{
    basic::{Compression, ConvertedType, Repetition, Type as Physical},
    data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type},
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::{Type, TypePtr},
};

use super::{
    Export, ExportError, Progress, Written,
    tables::{ALL, Kind, Table},
    whole::{trouble, whole},
};
use crate::{names, store::Cell};

/// Rows held before they are written.
const GROUP: usize = 16_384;
/// Or bytes of texts and masks.
const GROUP_BYTES: usize = 32 << 20;

/// Values of one column: those that are not NULL, and which rows have one.
#[derive(Debug)]
enum Column {
    Integer(Vec<i64>),
    Real(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Names(Vec<ByteArray>),
}

/// Writes `<table>.parquet` for every table.
///
/// # Errors
/// See [`ExportError`].
pub fn parquet(export: &Export<'_>, progress: &mut Progress<'_>) -> Result<Written, ExportError> {
    let mut written = Written::default();
    for table in ALL {
        let path = export.out.join(format!("{}.parquet", table.name));
        let broken = trouble(&path);
        let failed = |error: ParquetError| broken(std::io::Error::other(error));
        let file = whole(&path, |file| {
            let properties = WriterProperties::builder()
                .set_compression(Compression::SNAPPY)
                .set_created_by(format!("ferrule {}", env!("CARGO_PKG_VERSION")))
                .build();
            let schema = schema(&table).map_err(failed)?;
            let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).map_err(failed)?;
            let mut group = Group::new(&table);
            export.reader.each_row(&table.selection(&mut String::new()), |cells| {
                group.add(cells);
                written.items += 1;
                progress(written.items)?;
                if group.is_full() { group.write(&mut writer).map_err(failed) } else { Ok(()) }
            })?;
            group.write(&mut writer).map_err(failed)?;
            writer.close().map(drop).map_err(failed)
        })?;
        written.files.push(file);
    }
    Ok(written)
}

fn schema(table: &Table) -> Result<TypePtr, ParquetError> {
    let field = |(name, kind)| {
        let (physical, converted) = match kind {
            Kind::Text | Kind::Name => (Physical::BYTE_ARRAY, ConvertedType::UTF8),
            Kind::Bytes => (Physical::BYTE_ARRAY, ConvertedType::NONE),
            Kind::Integer => (Physical::INT64, ConvertedType::NONE),
            Kind::Real => (Physical::DOUBLE, ConvertedType::NONE),
        };
        let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
        builder.with_converted_type(converted).build().map(Arc::new)
    };
    let fields = table.columns().map(field).collect::<Result<_, _>>()?;
    Type::group_type_builder(table.name).with_fields(fields).build().map(Arc::new)
}

/// Rows on their way into a file.
struct Group {
    /// With 1 for each row that has a value, 0 for NULL.
    columns: Vec<(Column, Vec<i16>)>,
    bytes: usize,
}

impl Group {
    fn new(table: &Table) -> Self {
        let column = |(_, kind)| match kind {
            Kind::Integer => Column::Integer(Vec::new()),
            Kind::Real => Column::Real(Vec::new()),
            Kind::Text | Kind::Bytes => Column::Bytes(Vec::new()),
            Kind::Name => Column::Names(Vec::new()),
        };
        Self { columns: table.columns().map(|it| (column(it), Vec::new())).collect(), bytes: 0 }
    }

    fn add(&mut self, cells: &[Cell<'_>]) {
        for ((column, levels), cell) in self.columns.iter_mut().zip(cells) {
            let some = match (column, cell) {
                (_, Cell::Null) => false,
                (Column::Integer(values), Cell::Integer(value)) => push(values, *value),
                (Column::Real(values), Cell::Real(value)) => push(values, *value),
                (Column::Real(values), Cell::Integer(value)) => push(values, *value as f64),
                (Column::Bytes(values), Cell::Text(text)) => {
                    self.bytes += text.len();
                    push(values, ByteArray::from(text.as_bytes().to_vec()))
                }
                (Column::Names(values), Cell::Bytes(path)) => {
                    let name = Path::new(OsStr::from_bytes(path)).file_name().unwrap_or_default();
                    push(values, ByteArray::from(names::display(Path::new(name)).into_bytes()))
                }
                (Column::Bytes(values), Cell::Bytes(bytes)) => {
                    self.bytes += bytes.len();
                    push(values, ByteArray::from(bytes.to_vec()))
                }
                // The schema is strict: no other kind is stored.
                (Column::Integer(_) | Column::Real(_) | Column::Bytes(_) | Column::Names(_), _) => false,
            };
            levels.push(i16::from(some));
        }
    }

    fn is_full(&self) -> bool {
        self.columns.first().is_some_and(|(_, levels)| levels.len() >= GROUP) || self.bytes >= GROUP_BYTES
    }

    fn write<W: std::io::Write + Send>(&mut self, file: &mut SerializedFileWriter<W>) -> Result<(), ParquetError> {
        if self.columns.iter().all(|(_, levels)| levels.is_empty()) {
            return Ok(());
        }
        let mut group = file.next_row_group()?;
        for (column, levels) in &mut self.columns {
            let Some(mut writer) = group.next_column()? else { break };
            match column {
                Column::Integer(values) => {
                    writer.typed::<Int64Type>().write_batch(values, Some(levels), None)?;
                    values.clear();
                }
                Column::Real(values) => {
                    writer.typed::<DoubleType>().write_batch(values, Some(levels), None)?;
                    values.clear();
                }
                Column::Bytes(values) | Column::Names(values) => {
                    writer.typed::<ByteArrayType>().write_batch(values, Some(levels), None)?;
                    values.clear();
                }
            }
            levels.clear();
            writer.close()?;
        }
        self.bytes = 0;
        group.close().map(drop)
    }
}

fn push<T>(values: &mut Vec<T>, value: T) -> bool {
    values.push(value);
    true
}
