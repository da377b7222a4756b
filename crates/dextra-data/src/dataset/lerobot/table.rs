//! Tables in Parquet files: columns of numbers and texts, and of lists of them, as `pyarrow` lays them out.

use crate::DataError;
use crate::dataset::MAX_VALUES;
use parquet::basic::{
    Compression, ConvertedType, Encoding, LogicalType, Repetition, Type as Physical,
};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_typed_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type};
use parquet::file::metadata::{ColumnChunkMetaData, KeyValue};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Numbers or texts of a column, those of lists one after the other.
pub enum Values {
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Text(Vec<String>),
}

/// A column to be written.
pub struct Column {
    pub name: String,
    /// Values per list; `None` for a column without lists.
    pub width: Option<usize>,
    pub values: Values,
}

impl Column {
    pub fn new(name: impl Into<String>, width: Option<usize>, values: Values) -> Column {
        Column { name: name.into(), width, values }
    }

    fn kind(&self) -> Physical {
        match self.values {
            Values::I64(_) => Physical::INT64,
            Values::F32(_) => Physical::FLOAT,
            Values::F64(_) => Physical::DOUBLE,
            Values::Text(_) => Physical::BYTE_ARRAY,
        }
    }

    /// The type of the column; everything is optional, as in the files of `pyarrow`.
    fn layout(&self) -> parquet::errors::Result<TypePtr> {
        let leaf = |name: &str| {
            let leaf = Type::primitive_type_builder(name, self.kind())
                .with_repetition(Repetition::OPTIONAL);
            match self.values {
                Values::Text(_) => leaf.with_logical_type(Some(LogicalType::String)).build(),
                _ => leaf.build(),
            }
        };
        if self.width.is_none() {
            return leaf(&self.name).map(Arc::new);
        }
        let list = Type::group_type_builder("list")
            .with_repetition(Repetition::REPEATED)
            .with_fields(vec![Arc::new(leaf("element")?)])
            .build()?;
        let column = Type::group_type_builder(&self.name)
            .with_repetition(Repetition::OPTIONAL)
            .with_converted_type(ConvertedType::LIST)
            .with_logical_type(Some(LogicalType::List))
            .with_fields(vec![Arc::new(list)]);
        column.build().map(Arc::new)
    }
}

/// Writes a file of row groups.
pub struct TableWriter {
    path: PathBuf,
    writer: SerializedFileWriter<File>,
}

impl TableWriter {
    /// Starts a file with the columns of `like`; `metadata` are keys and texts of its own.
    pub fn new(
        path: PathBuf,
        file: File,
        like: &[Column],
        metadata: &[(&str, String)],
    ) -> Result<TableWriter, DataError> {
        let pairs = metadata.iter().map(|(key, text)| KeyValue::new(key.to_string(), text.clone()));
        // Measured floats hardly repeat, so a dictionary only costs time.
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_encoding(Encoding::PLAIN)
            .set_dictionary_enabled(false)
            .set_created_by(concat!("dextra ", env!("CARGO_PKG_VERSION")).to_owned());
        if !metadata.is_empty() {
            properties = properties.set_key_value_metadata(Some(pairs.collect()));
        }
        let writer = like
            .iter()
            .map(Column::layout)
            .collect::<parquet::errors::Result<Vec<TypePtr>>>()
            .and_then(|fields| Type::group_type_builder("schema").with_fields(fields).build())
            .and_then(|schema| {
                SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties.build()))
            });
        let writer = writer.map_err(|e| failed(&path, e))?;
        Ok(TableWriter { path, writer })
    }

    /// Adds a row group.
    pub fn group(&mut self, columns: &[Column]) -> Result<(), DataError> {
        self.try_group(columns).map_err(|e| failed(&self.path, e))
    }

    fn try_group(&mut self, columns: &[Column]) -> parquet::errors::Result<()> {
        let mut group = self.writer.next_row_group()?;
        for column in columns {
            let Some(mut writer) = group.next_column()? else { break };
            let count = match &column.values {
                Values::I64(values) => values.len(),
                Values::F32(values) => values.len(),
                Values::F64(values) => values.len(),
                Values::Text(values) => values.len(),
            };
            // Nothing is missing: every level is the deepest one.
            let (definition, repetition) = match column.width {
                None => (vec![1; count], None),
                Some(width) => {
                    let starts = (0..count).map(|i| i16::from(!i.is_multiple_of(width)));
                    (vec![3; count], Some(starts.collect::<Vec<i16>>()))
                }
            };
            let (def, rep) = (Some(&definition[..]), repetition.as_deref());
            match &column.values {
                Values::I64(values) => writer.typed::<Int64Type>().write_batch(values, def, rep)?,
                Values::F32(values) => writer.typed::<FloatType>().write_batch(values, def, rep)?,
                Values::F64(values) => {
                    writer.typed::<DoubleType>().write_batch(values, def, rep)?
                }
                Values::Text(values) => {
                    let texts: Vec<ByteArray> =
                        values.iter().map(|text| ByteArray::from(text.as_str())).collect();
                    writer.typed::<ByteArrayType>().write_batch(&texts, def, rep)?
                }
            };
            writer.close()?;
        }
        group.close().map(drop)
    }

    /// Bytes written so far.
    pub fn size(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// Completes the file.
    pub fn finish(self) -> Result<(), DataError> {
        self.writer.close().map(drop).map_err(|e| failed(&self.path, e))
    }
}

/// Whether a column is in a file of `size` bytes; the reader takes that for granted.
fn is_inside(column: &ColumnChunkMetaData, size: u64) -> bool {
    let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
    let end = start.checked_add(column.compressed_size());
    start >= 0 && column.compressed_size() >= 0 && end.is_some_and(|end| end as u64 <= size)
}

fn failed(path: &Path, error: parquet::errors::ParquetError) -> DataError {
    DataError::io(path, "write", std::io::Error::other(error))
}

/// Reads a file of row groups.
pub struct Table {
    path: PathBuf,
    reader: SerializedFileReader<File>,
    /// First row of each row group, and the row after the last one.
    pub starts: Vec<usize>,
}

impl Table {
    pub fn open(path: &Path) -> Result<Table, DataError> {
        let file = File::open(path).map_err(|e| DataError::io(path, "read", e))?;
        let reader = SerializedFileReader::new(file)
            .map_err(|e| DataError::format(path, format!("not a readable Parquet file: {e}")))?;
        let size = std::fs::metadata(path).map_err(|e| DataError::io(path, "read", e))?.len();
        let mut starts = vec![0usize];
        for group in reader.metadata().row_groups() {
            if !group.columns().iter().all(|column| is_inside(column, size)) {
                return Err(DataError::format(path, "a column is not inside the file"));
            }
            let rows = usize::try_from(group.num_rows()).ok().filter(|&rows| rows <= MAX_VALUES);
            let end = rows.and_then(|rows| starts[starts.len() - 1].checked_add(rows));
            starts.push(end.ok_or_else(|| DataError::format(path, "a row group is too large"))?);
        }
        Ok(Table { path: path.to_owned(), reader, starts })
    }

    /// Rows of all row groups.
    pub fn rows(&self) -> usize {
        self.starts[self.starts.len() - 1]
    }

    /// Number of the column `name`.
    pub fn column(&self, name: &str) -> Result<usize, DataError> {
        let columns = self.reader.metadata().file_metadata().schema_descr().columns();
        columns.iter().position(|column| column.path().parts()[0] == name).ok_or_else(|| {
            let present = columns.iter().map(|column| column.path().parts()[0].clone()).collect();
            DataError::MissingField { file: self.path.clone(), field: name.to_owned(), present }
        })
    }

    /// Floats of column `column` in row group `group`, `width` in every row.
    pub fn floats(&self, group: usize, column: usize, width: usize) -> Result<Vec<f32>, DataError> {
        match self.reader(group, column)? {
            reader @ ColumnReader::FloatColumnReader(_) => {
                self.read::<FloatType>(reader, group, column, Some(width)).map(|(values, _)| values)
            }
            reader @ ColumnReader::DoubleColumnReader(_) => {
                let (values, _) = self.read::<DoubleType>(reader, group, column, Some(width))?;
                Ok(values.into_iter().map(|x| x as f32).collect())
            }
            _ => Err(self.problem(column, "floats were expected")),
        }
    }

    /// Integers of column `name`, one in every row, of all row groups.
    pub fn integers(&self, name: &str) -> Result<Vec<usize>, DataError> {
        let column = self.column(name)?;
        let mut all = Vec::new();
        for group in 0..self.starts.len() - 1 {
            let reader = self.reader(group, column)?;
            let ColumnReader::Int64ColumnReader(_) = reader else {
                return Err(self.problem(column, "integers of 64 bits were expected"));
            };
            let (values, _) = self.read::<Int64Type>(reader, group, column, Some(1))?;
            for value in values {
                let value = usize::try_from(value);
                all.push(value.map_err(|_| self.problem(column, "a number below zero"))?);
            }
        }
        Ok(all)
    }

    /// Texts of column `name`, `[rows][any number]`, of all row groups.
    pub fn texts(&self, name: &str) -> Result<Vec<Vec<String>>, DataError> {
        let column = self.column(name)?;
        let mut all = Vec::new();
        for group in 0..self.starts.len() - 1 {
            let reader = self.reader(group, column)?;
            let ColumnReader::ByteArrayColumnReader(_) = reader else {
                return Err(self.problem(column, "texts were expected"));
            };
            let (values, starts) = self.read::<ByteArrayType>(reader, group, column, None)?;
            let texts: Result<Vec<String>, _> =
                values.iter().map(|text| text.as_utf8().map(str::to_owned)).collect();
            let texts = texts.map_err(|_| self.problem(column, "a text is not UTF-8"))?;
            all.extend(starts.windows(2).map(|pair| texts[pair[0]..pair[1]].to_vec()));
        }
        Ok(all)
    }

    fn reader(&self, group: usize, column: usize) -> Result<ColumnReader, DataError> {
        let group = self.reader.get_row_group(group);
        let reader = group.and_then(|group| group.get_column_reader(column));
        reader.map_err(|e| self.problem(column, e.to_string()))
    }

    /// Values of a column and where those of each row begin; without `width` rows may differ.
    fn read<T: DataType>(
        &self,
        reader: ColumnReader,
        group: usize,
        column: usize,
        width: Option<usize>,
    ) -> Result<(Vec<T::T>, Vec<usize>), DataError> {
        let metadata = self.reader.metadata();
        let column_type = metadata.file_metadata().schema_descr().column(column);
        let rows = self.starts[group + 1] - self.starts[group];
        let chunk = metadata.row_group(group).column(column);
        let count = usize::try_from(chunk.num_values()).ok().filter(|&n| n <= MAX_VALUES);
        let count = count.filter(|&n| width.is_none_or(|width| n == rows.saturating_mul(width)));
        let Some(count) = count else {
            let problem = format!("{} values in {rows} rows", chunk.num_values());
            return Err(self.problem(column, problem));
        };
        let mut reader: ColumnReaderImpl<T> = get_typed_column_reader(reader);
        let (mut values, mut definition, mut repetition) = (Vec::new(), Vec::new(), Vec::new());
        while values.len() < count {
            let (records, ..) = reader
                .read_records(rows, Some(&mut definition), Some(&mut repetition), &mut values)
                .map_err(|e| self.problem(column, e.to_string()))?;
            if records == 0 || values.len() > MAX_VALUES {
                break;
            }
        }
        let deepest = column_type.max_def_level();
        if values.len() != count || definition.iter().any(|&level| level != deepest) {
            return Err(self.problem(column, "values are missing"));
        }
        if column_type.max_rep_level() == 0 {
            return Ok((values, (0..=count).collect()));
        }
        let begins = |&i: &usize| i == count || repetition.get(i) == Some(&0);
        let starts: Vec<usize> = match width {
            // Tested without a list of starts, which as large as this takes longer than the values.
            Some(width) => {
                let regular = repetition.chunks(width).all(|row| {
                    row.len() == width && row[0] == 0 && row[1..].iter().all(|&level| level > 0)
                });
                if regular {
                    Vec::new()
                } else {
                    return Err(self.problem(column, "lists of different lengths"));
                }
            }
            None => (0..=count).filter(begins).collect(),
        };
        if width.is_none() && starts.len() != rows + 1 {
            return Err(self.problem(column, "empty lists, or other numbers of rows than stated"));
        }
        Ok((values, starts))
    }

    fn problem(&self, column: usize, problem: impl Into<String>) -> DataError {
        let columns = self.reader.metadata().file_metadata().schema_descr().columns();
        DataError::field(&self.path, &columns[column].path().parts()[0], problem)
    }
}
