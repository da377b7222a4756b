//! The index at a recording's end, Rerun's "manifest": what the file's tables are about and where
//! they are, so that readers can fetch some of them. Rerun 0.41 takes a file without one for a
//! damaged one.

use super::table::{self, Component, Table};
use super::wire::{Manifest, Span, Tuid};
use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeBinaryArray, RecordBatch, StringArray, UInt64Array,
};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A table that has been written.
pub(super) struct Entry<'a> {
    pub table: &'a Table,
    pub id: Tuid,
    pub span: Span,
    /// Bytes of Arrow IPC.
    pub payload: u64,
}

/// The index of a store's tables, in the order of the file.
pub(super) fn manifest(entries: &[Entry<'_>]) -> Result<Manifest, ArrowError> {
    let schema = columns(entries);
    let writer = StreamWriter::try_new(Vec::new(), &schema)?;
    // The hash is of what comes before the end of the stream.
    let schema_sha256 = Sha256::digest(writer.get_ref()).into();
    Ok(Manifest {
        schema_sha256,
        schema: writer.into_inner()?,
        rows: table::stream(&rows(entries)?)?,
    })
}

/// All columns of all tables, by name.
fn columns(entries: &[Entry<'_>]) -> Schema {
    let mut fields = BTreeMap::new();
    let mut add = |field: Field| _ = fields.insert(field.name().clone(), field);
    add(table::row_id());
    for Entry { table, .. } in entries {
        if let Some((name, values)) = table.index.column() {
            add(table::index_field(name, &values));
        }
        for column in &table.columns {
            let component = column.component.name();
            let name = match table.entity.as_str() {
                "/__properties" => format!("property:{component}"),
                entity => format!("{entity}:{component}"),
            };
            let mut about =
                vec![("rerun:entity_path", table.entity.as_str()), ("rerun:kind", "data")];
            if table.is_static() {
                about.push(("rerun:is_static", "true"));
            }
            if column.lists.values().is_empty() {
                about.push(("rerun:is_semantically_empty", "true"));
            }
            let field = Field::new(name, column.lists.data_type().clone(), true);
            add(table::described(field.with_metadata(column.component.metadata()), &about));
        }
    }
    Schema::new(fields.into_values().collect::<Vec<_>>())
}

/// A row per table: its place, and the range of the index for each kind of data.
fn rows(entries: &[Entry<'_>]) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    let mut add = |field: Field, array: ArrayRef| {
        fields.push(field);
        arrays.push(array);
    };
    let numbers = |number: &dyn Fn(&Entry) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(entries.iter().map(number)))
    };
    let ids: Vec<u8> = entries.iter().flat_map(|entry| entry.id.bytes()).collect();
    let entities = entries.iter().map(|entry| &entry.table.entity);
    let is_static: Vec<bool> = entries.iter().map(|entry| entry.table.is_static()).collect();
    let facts: [(&str, ArrayRef); 7] = [
        ("chunk_entity_path", Arc::new(StringArray::from_iter_values(entities))),
        ("chunk_id", Arc::new(FixedSizeBinaryArray::try_new(16, ids.into(), None)?)),
        ("chunk_is_static", Arc::new(BooleanArray::from(is_static))),
        ("chunk_num_rows", numbers(&|entry| entry.table.rows() as u64)),
        ("chunk_byte_offset", numbers(&|entry| entry.span.start)),
        ("chunk_byte_size", numbers(&|entry| entry.span.length)),
        ("chunk_byte_size_uncompressed", numbers(&|entry| entry.payload)),
    ];
    for (name, array) in facts {
        add(Field::new(name, array.data_type().clone(), false), array);
    }

    let components: BTreeMap<String, Component> = entries
        .iter()
        .flat_map(|entry| &entry.table.columns)
        .map(|column| (column.component.name(), column.component))
        .collect();
    let has = |entry: &Entry, component: &str| {
        entry.table.columns.iter().any(|column| column.component.name() == component)
    };
    for (name, component) in &components {
        let fixed: Vec<bool> =
            entries.iter().map(|entry| entry.table.is_static() && has(entry, name)).collect();
        let field = Field::new(format!("{name}:has_static_data"), DataType::Boolean, false)
            .with_metadata(component.metadata());
        add(
            table::described(field, &[("rerun:index", "rerun:static")]),
            Arc::new(BooleanArray::from(fixed)),
        );
    }

    // A store here has one index at most.
    let indexed = entries.iter().map(|entry| &entry.table.index).find(|i| i.bounds().is_some());
    let Some((index, (name, _))) = indexed.and_then(|index| Some((index, index.column()?))) else {
        return RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays);
    };
    let mut range = |prefix: &str, metadata: HashMap<String, String>, part: Option<&str>| {
        let about = |entry: &&Entry| part.is_none_or(|part| has(entry, part));
        let bounds: Vec<Option<(i64, i64)>> = entries
            .iter()
            .map(|entry| Some(entry).filter(about).and_then(|entry| entry.table.index.bounds()))
            .collect();
        if bounds.iter().all(Option::is_none) {
            return;
        }
        let starts = index.array(bounds.iter().map(|bound| bound.map(|(start, _)| start)));
        let ends = index.array(bounds.iter().map(|bound| bound.map(|(_, end)| end)));
        let rows = entries.iter().zip(&bounds).map(|(entry, bound)| match bound {
            Some(_) => entry.table.rows() as u64,
            None => 0,
        });
        let rows: ArrayRef = Arc::new(UInt64Array::from_iter_values(rows));
        let mut columns = vec![("start", starts), ("end", ends)];
        columns.extend(part.map(|_| ("num_rows", rows)));
        for (suffix, array) in columns {
            let field = Field::new(format!("{prefix}:{suffix}"), array.data_type().clone(), true);
            let field = field.with_metadata(metadata.clone());
            add(table::described(field, &[("rerun:index", name)]), array);
        }
    };
    range(name, HashMap::new(), None);
    for (part, component) in &components {
        range(&format!("{name}:{part}"), component.metadata(), Some(part));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}
