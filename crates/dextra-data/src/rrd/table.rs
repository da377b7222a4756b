//! A table of a recording, Rerun's "chunk": the rows of one entity over one index, each cell a list.
//!
//! Names and types of the columns are Rerun's, in the form that has not changed since 0.24.

use super::wire::Tuid;
use arrow_array::{
    Array, ArrayRef, BooleanArray, DurationNanosecondArray, FixedSizeBinaryArray,
    FixedSizeListArray, Float32Array, Float64Array, Int64Array, ListArray, RecordBatch,
    StringArray, UInt8Array, UInt32Array,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;

/// A column's name in Rerun: archetype, field, type of one element.
#[derive(Clone, Copy)]
pub(super) struct Component(pub &'static str, pub &'static str, pub &'static str);

impl Component {
    /// `Points3D:positions`.
    pub fn name(self) -> String {
        let short = self.0.rsplit('.').next().unwrap_or(self.0);
        format!("{short}:{}", self.1)
    }

    /// What Rerun calls the archetype, the field and the element.
    pub fn metadata(self) -> HashMap<String, String> {
        texts(&[
            ("rerun:archetype", self.0),
            ("rerun:component", &self.name()),
            ("rerun:component_type", self.2),
        ])
    }
}

/// One list per row.
pub(super) struct Column {
    pub component: Component,
    pub lists: ListArray,
}

impl Column {
    /// Cuts `values`, the elements of all rows in order, into rows of `lengths` elements.
    ///
    /// # Errors
    /// There are more elements than 32 bits count.
    pub fn new(
        component: Component,
        lengths: impl IntoIterator<Item = usize>,
        values: ArrayRef,
    ) -> Result<Column, ArrowError> {
        let lists = lists(lengths, values, true)?;
        Ok(Column { component, lists })
    }

    /// The column of a table of one row.
    pub fn one(component: Component, values: ArrayRef) -> Result<Column, ArrowError> {
        Column::new(component, [values.len()], values)
    }
}

/// What a table's rows are ordered by.
pub(super) enum Index {
    /// Nothing: its one row holds at all times.
    Static,
    /// Time in nanoseconds, ascending.
    Time(Vec<i64>),
    /// The version of a blueprint, which users' changes come after.
    Blueprint,
}

impl Index {
    /// The index's name and values; none where there is no column of them.
    pub fn column(&self) -> Option<(&'static str, ArrayRef)> {
        match self {
            Index::Static => None,
            Index::Time(times) => {
                Some((super::TIMELINE, self.array(times.iter().copied().map(Some))))
            }
            Index::Blueprint => Some(("blueprint", self.array([Some(0)]))),
        }
    }

    /// The first and the last value.
    pub fn bounds(&self) -> Option<(i64, i64)> {
        match self {
            Index::Static => None,
            Index::Time(times) => Some((*times.first()?, *times.last()?)),
            Index::Blueprint => Some((0, 0)),
        }
    }

    /// Values of the index's type.
    pub fn array(&self, values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
        match self {
            Index::Time(_) => Arc::new(DurationNanosecondArray::from_iter(values)),
            _ => Arc::new(Int64Array::from_iter(values)),
        }
    }
}

/// The rows of one entity.
pub(super) struct Table {
    pub entity: String,
    pub index: Index,
    pub columns: Vec<Column>,
}

impl Table {
    pub fn is_static(&self) -> bool {
        matches!(self.index, Index::Static)
    }

    pub fn rows(&self) -> usize {
        match &self.index {
            Index::Static | Index::Blueprint => 1,
            Index::Time(times) => times.len(),
        }
    }

    /// Takes in everything the table says.
    pub fn hash(&self, hash: &mut Sha256) {
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        part(self.entity.as_bytes());
        if let Index::Time(times) = &self.index {
            part(ScalarBuffer::from(times.clone()).inner());
        }
        for Column { component: Component(archetype, field, _), lists } in &self.columns {
            part(archetype.as_bytes());
            part(field.as_bytes());
            hash_array(&lists.to_data(), &mut part);
        }
    }

    /// The table as a stream of Arrow IPC. Its rows are called `id` and what follows it.
    pub fn encode(&self, id: Tuid) -> Result<Vec<u8>, ArrowError> {
        let rows = (id.order..).take(self.rows()).map(|order| Tuid { order, ..id }.bytes());
        let rows: Vec<u8> = rows.flatten().collect();
        let rows = FixedSizeBinaryArray::try_new(16, rows.into(), None)?;
        let mut fields = vec![described(row_id(), &[("rerun:is_sorted", "true")])];
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(rows)];
        if let Some((name, values)) = self.index.column() {
            fields.push(described(index_field(name, &values), &[("rerun:is_sorted", "true")]));
            arrays.push(values);
        }
        for Column { component, lists } in &self.columns {
            let field = Field::new(component.name(), lists.data_type().clone(), true);
            fields.push(described(
                field.with_metadata(component.metadata()),
                &[("rerun:kind", "data")],
            ));
            arrays.push(Arc::new(lists.clone()));
        }

        let id = u128::from_be_bytes(id.bytes());
        let schema = Schema::new_with_metadata(
            fields,
            texts(&[
                ("rerun:entity_path", &self.entity),
                ("rerun:id", &format!("{id:032X}")),
                // The version of these names and types, not of Rerun.
                ("sorbet:version", "0.1.0"),
            ]),
        );
        let batch = RecordBatch::try_new(Arc::new(schema), arrays)?;
        stream(&batch)
    }
}

/// The column of names of rows.
pub(super) fn row_id() -> Field {
    described(
        Field::new("rerun.controls.RowId", DataType::FixedSizeBinary(16), false),
        &[
            ("ARROW:extension:metadata", r#"{"namespace":"row"}"#),
            ("ARROW:extension:name", "rerun.datatypes.TUID"),
            ("rerun:kind", "control"),
        ],
    )
}

/// The column of an index with such values.
pub(super) fn index_field(name: &str, values: &ArrayRef) -> Field {
    let field = Field::new(name, values.data_type().clone(), true);
    described(field, &[("rerun:index_name", name), ("rerun:kind", "index")])
}

/// The field with more said about it.
pub(super) fn described(field: Field, metadata: &[(&str, &str)]) -> Field {
    let mut all = field.metadata().clone();
    all.extend(texts(metadata));
    field.with_metadata(all)
}

/// A stream of Arrow IPC with one batch.
pub(super) fn stream(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(batch)?;
    writer.into_inner()
}

/// Elements of one number.
pub(super) fn f32s(values: impl IntoIterator<Item = f32>) -> ArrayRef {
    Arc::new(Float32Array::from_iter_values(values))
}

/// Elements of one number.
pub(super) fn f64s(values: impl IntoIterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

/// Elements of one number.
pub(super) fn u8s(values: impl IntoIterator<Item = u8>) -> ArrayRef {
    Arc::new(UInt8Array::from_iter_values(values))
}

/// Elements of one number.
pub(super) fn u32s(values: impl IntoIterator<Item = u32>) -> ArrayRef {
    Arc::new(UInt32Array::from_iter_values(values))
}

/// One truth value.
pub(super) fn truth(value: bool) -> ArrayRef {
    Arc::new(BooleanArray::from(vec![value]))
}

/// Elements of one text.
pub(super) fn strings<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// Elements of `width` numbers.
pub(super) fn groups(numbers: ArrayRef, width: i32) -> Result<ArrayRef, ArrowError> {
    let item = Field::new("item", numbers.data_type().clone(), false);
    Ok(Arc::new(FixedSizeListArray::try_new(Arc::new(item), width, numbers, None)?))
}

/// Elements of `lengths` smaller elements.
pub(super) fn runs(
    lengths: impl IntoIterator<Item = usize>,
    values: ArrayRef,
) -> Result<ArrayRef, ArrowError> {
    Ok(Arc::new(lists(lengths, values, false)?))
}

fn lists(
    lengths: impl IntoIterator<Item = usize>,
    values: ArrayRef,
    nullable: bool,
) -> Result<ListArray, ArrowError> {
    let mut offsets = vec![0];
    let mut end = 0;
    for length in lengths {
        end += length;
        offsets.push(i32::try_from(end).map_err(|_| ArrowError::OffsetOverflowError(end))?);
    }
    let item = Field::new("item", values.data_type().clone(), nullable);
    ListArray::try_new(Arc::new(item), OffsetBuffer::new(offsets.into()), values, None)
}

fn texts(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn hash_array(data: &ArrayData, part: &mut impl FnMut(&[u8])) {
    data.buffers().iter().for_each(|buffer| part(buffer));
    data.child_data().iter().for_each(|child| hash_array(child, part));
}
