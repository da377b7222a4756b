//! PyTorch tensors: inside plain pickles, in the archives of `torch.save`, and in its older format.
//!
//! A tensor is a view (offset, lengths, strides) of a storage, whose bytes lie outside of the pickle
//! and are asked for by a persistent id `('storage', class, key, device, count)`. The device is of no
//! interest here. Formats: `torch/serialization.py`, `torch/_utils.py`.

use super::machine::{Machine, Refusal};
use super::{Id, Node};
use crate::Array;
use crate::npz::ElementType;
use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::sync::Arc;
use zip::ZipArchive;

/// What `torch.save` began with before it wrote zip archives.
pub(super) const LEGACY_MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;

/// Element of a storage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Element {
    /// One that NumPy has too.
    Plain(ElementType),
    /// The upper half of a 32-bit float.
    BFloat16,
}

impl Element {
    fn of(class: &str) -> Option<Element> {
        Some(Element::Plain(match class {
            "DoubleStorage" => ElementType::Float(8),
            "FloatStorage" => ElementType::Float(4),
            "HalfStorage" => ElementType::Float(2),
            "LongStorage" => ElementType::Int(8),
            "IntStorage" => ElementType::Int(4),
            "ShortStorage" => ElementType::Int(2),
            "CharStorage" => ElementType::Int(1),
            "ByteStorage" => ElementType::UInt(1),
            "BoolStorage" => ElementType::Bool,
            "BFloat16Storage" => return Some(Element::BFloat16),
            _ => return None,
        }))
    }

    fn size(self) -> usize {
        match self {
            Element::Plain(element) => element.size(),
            Element::BFloat16 => 2,
        }
    }
}

/// The bytes that tensors are views of.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    element: Element,
    bytes: Arc<[u8]>,
}

/// The element and key that a persistent id of a storage states.
pub(super) fn storage_key(machine: &Machine, id: Id) -> Option<(Element, String)> {
    let Node::Tuple(items) = &machine.nodes[id.index()] else {
        return None;
    };
    let (tag, class, key) = (*items.first()?, *items.get(1)?, *items.get(2)?);
    // A sixth item that is not None says that the storage is a view of another: long gone.
    let plain = items.get(5).is_none_or(|view| matches!(machine.nodes[view.index()], Node::None));
    match (&machine.nodes[tag.index()], &machine.nodes[class.index()], &machine.nodes[key.index()])
    {
        (Node::Text(tag), Node::Global(class), Node::Text(key)) if plain && &**tag == "storage" => {
            Some((Element::of(&class.1)?, key.to_string()))
        }
        _ => None,
    }
}

/// A storage from its bytes.
pub(super) fn storage(
    machine: &mut Machine,
    element: Element,
    bytes: Vec<u8>,
) -> Result<Node, String> {
    machine.charge(bytes.len())?;
    Ok(Node::Storage(Box::new(Storage { element, bytes: bytes.into() })))
}

/// `_rebuild_tensor_v2(storage, offset, lengths, strides, ...)` as an array in C order; `None` where
/// the storage is not known.
pub(super) fn tensor(machine: &mut Machine, args: &[Id]) -> Result<Option<Node>, String> {
    let [storage, offset, lengths, strides, ..] = args[..] else {
        return Ok(None);
    };
    let Node::Storage(storage) = &machine.nodes[storage.index()] else {
        return Ok(None);
    };
    let storage = storage.as_ref().clone();
    let Node::Int(offset) = machine.nodes[offset.index()] else {
        return Err("the offset of a tensor is not a number".to_owned());
    };
    let offset = usize::try_from(offset).map_err(|_| "a negative offset of a tensor")?;
    let shape = super::numpy::lengths(machine, lengths)?;
    let strides = super::numpy::lengths(machine, strides)?;
    if shape.len() != strides.len() {
        return Err(format!("a tensor of {} axes with {} strides", shape.len(), strides.len()));
    }
    let width = storage.element.size();
    let count = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
    let count = count.ok_or("the shape overflows")?;
    machine.charge(count.saturating_mul(width.max(4)))?;
    let last = shape.iter().zip(&strides).try_fold(offset, |at, (&n, &stride)| {
        at.checked_add(n.saturating_sub(1).checked_mul(stride)?)
    });
    let held = storage.bytes.len() / width;
    if count > 0 && last.is_none_or(|last| last >= held) {
        return Err(format!("a tensor of shape {shape:?} reaches beyond its {held} elements"));
    }
    let mut bytes = Vec::with_capacity(count * width);
    let mut index = vec![0; shape.len()];
    for _ in 0..count {
        let at = offset + index.iter().zip(&strides).map(|(i, s)| i * s).sum::<usize>();
        let raw = &storage.bytes[at * width..(at + 1) * width];
        if storage.element == Element::BFloat16 {
            bytes.extend([0, 0]);
        }
        bytes.extend(raw);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    let element = match storage.element {
        Element::Plain(element) => element,
        Element::BFloat16 => ElementType::Float(4),
    };
    Ok(Some(Node::Array(Box::new(Array::new(element, false, false, shape, bytes)?))))
}

/// `_load_from_bytes(blob)`: the storage in a blob of the older format, as a plain pickle of a tensor
/// has it.
pub(super) fn blob(machine: &mut Machine, args: &[Id]) -> Result<Option<Node>, String> {
    let length = match args.first().map(|id| &machine.nodes[id.index()]) {
        Some(Node::Bytes(bytes)) => bytes.len(),
        _ => return Ok(None),
    };
    if machine.depth > 0 {
        return Err("an archive inside of an archive inside of a pickle".to_owned());
    }
    // It is read twice, and its bytes are copied.
    machine.charge(3 * length)?;
    let Node::Bytes(bytes) = &machine.nodes[args[0].index()] else {
        return Ok(None);
    };
    let inside = |e: Refusal| format!("{} at byte {} of a tensor's storage", e.problem, e.offset);
    let (mut nodes, root, budget) =
        legacy(bytes, machine.budget, machine.depth + 1).map_err(inside)?;
    machine.budget = budget;
    match nodes.swap_remove(root.index()) {
        Node::Storage(storage) => Ok(Some(Node::Storage(storage))),
        _ => Err("not the storage of a tensor".to_owned()),
    }
}

/// Values, the root among them, and what is left of the budget.
type Loaded = (Vec<Node>, Id, u64);

/// The format of `torch.save` before 1.6: three pickles of no interest, the value, the keys of its
/// storages, then per key the count and the bytes.
pub(super) fn legacy(bytes: &[u8], budget: u64, depth: usize) -> Result<Loaded, Refusal> {
    let mut at = 0;
    for part in 0..3 {
        let (node, length) = single(&bytes[at..]).map_err(|e| further(e, at))?;
        if part == 0 && !matches!(node, Some(Node::Int(LEGACY_MAGIC))) {
            let problem = "not an archive of torch.save".to_owned();
            return Err(Refusal { offset: at, problem });
        }
        at += length;
    }
    let value = at;
    // Storages come after the value that refers to them: once for their names, once for their data.
    let mut elements = HashMap::new();
    let mut unknown = |_: &str| Ok(None);
    let mut machine = Machine::new(&bytes[value..], &mut unknown, budget, depth);
    let (_, length) = machine.run().map_err(|e| further(e, value))?;
    for node in &machine.nodes {
        let Node::Persistent(id) = node else { continue };
        if let Some((element, key)) = storage_key(&machine, *id) {
            elements.insert(key, element);
        }
    }
    at += length;
    let mut unknown = |_: &str| Ok(None);
    let mut machine = Machine::new(&bytes[at..], &mut unknown, budget, depth);
    let (list, length) = machine.run().map_err(|e| further(e, at))?;
    let keys: Vec<String> = match &machine.nodes[list.index()] {
        Node::List(ids) => ids
            .iter()
            .filter_map(|id| match &machine.nodes[id.index()] {
                Node::Text(key) => Some(key.to_string()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    at += length;
    let mut stored: HashMap<&str, &[u8]> = HashMap::new();
    for key in &keys {
        let cut = || Refusal { offset: at, problem: format!("storage {key} is cut short") };
        let element = *elements.get(key).ok_or_else(|| Refusal {
            offset: at,
            problem: format!("storage {key} is of an unknown kind"),
        })?;
        let head = bytes.get(at..at + 8).and_then(|head| head.try_into().ok()).ok_or_else(cut)?;
        let count = usize::try_from(u64::from_le_bytes(head)).map_err(|_| cut())?;
        let size = count.checked_mul(element.size()).ok_or_else(cut)?;
        let end = (at + 8).checked_add(size).ok_or_else(cut)?;
        stored.insert(key, bytes.get(at + 8..end).ok_or_else(cut)?);
        at = end;
    }
    let mut given = |key: &str| Ok(stored.get(key).map(|bytes| bytes.to_vec()));
    let mut machine = Machine::new(&bytes[value..], &mut given, budget, depth);
    let (root, _) = machine.run().map_err(|e| further(e, value))?;
    Ok((machine.nodes, root, machine.budget))
}

/// The archive that `torch.save` writes: `NAME/data.pkl`, and each storage as `NAME/data/KEY`.
pub(super) fn archive(bytes: Vec<u8>, budget: u64) -> Result<Loaded, Refusal> {
    let whole = |problem: String| Refusal { offset: 0, problem };
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|e| whole(e.to_string()))?;
    let found = zip
        .file_names()
        .find_map(|name| name.ok().and_then(|n| n.strip_suffix("data.pkl").map(str::to_owned)));
    let folder =
        found.ok_or_else(|| whole("a zip archive without `data.pkl`: not torch.save's".into()))?;
    let order = member(&mut zip, &format!("{folder}byteorder"), 64).ok().flatten();
    if order.is_some_and(|order| order.starts_with(b"big")) {
        return Err(whole("tensors are big-endian, which is not supported".to_owned()));
    }
    let pickle = member(&mut zip, &format!("{folder}data.pkl"), budget)
        .and_then(|found| found.ok_or_else(|| "no `data.pkl`".to_owned()))
        .map_err(whole)?;
    let mut given = |key: &str| member(&mut zip, &format!("{folder}data/{key}"), budget);
    let mut machine = Machine::new(&pickle, &mut given, budget, 0);
    let (root, _) = machine.run()?;
    Ok((machine.nodes, root, machine.budget))
}

/// One member of a zip archive, of at most `limit` bytes; `None` when it is not there.
fn member(
    zip: &mut ZipArchive<Cursor<Vec<u8>>>,
    name: &str,
    limit: u64,
) -> Result<Option<Vec<u8>>, String> {
    let file = match zip.by_name(name) {
        Ok(file) => file,
        Err(zip::result::ZipError::FileNotFound) => return Ok(None),
        Err(e) => return Err(format!("`{name}` of the archive: {e}")),
    };
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| format!("`{name}` of the archive: {e}"))?;
    if bytes.len() as u64 > limit {
        return Err(format!("`{name}` of the archive has more than {limit} bytes"));
    }
    Ok(Some(bytes))
}

/// The value of one small pickle, and its length.
pub(super) fn single(bytes: &[u8]) -> Result<(Option<Node>, usize), Refusal> {
    let mut unknown = |_: &str| Ok(None);
    let mut machine = Machine::new(bytes, &mut unknown, 0, 1);
    let (root, length) = machine.run()?;
    Ok((machine.nodes.get(root.index()).cloned(), length))
}

fn further(refusal: Refusal, by: usize) -> Refusal {
    Refusal { offset: refusal.offset + by, ..refusal }
}
