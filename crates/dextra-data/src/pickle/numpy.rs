//! NumPy arrays, scalars and element types, as NumPy pickles them.

use super::machine::Machine;
use super::{Id, Node};
use crate::Array;
use crate::npz::{ElementType, element_type};

/// Bytes and order of one element.
type Element = (ElementType, bool);

/// The state of an array, `(version, shape, dtype, fortran_order, data)`; `None` when its elements
/// are not numbers or text, and it stays the object it is.
pub(super) fn array(machine: &mut Machine, state: Id) -> Result<Option<Node>, String> {
    let Node::Tuple(items) = &machine.nodes[state.index()] else {
        return Ok(None);
    };
    let [_, shape, dtype, fortran, data] = items[..] else {
        return Ok(None);
    };
    let shape = lengths(machine, shape)?;
    let fortran = matches!(machine.nodes[fortran.index()], Node::Bool(true) | Node::Int(1));
    // An array of objects has a list where others have their bytes.
    if let Node::List(items) = &machine.nodes[data.index()] {
        let items = items.clone();
        machine.charge(4 * items.len())?;
        let count = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        if count != Some(items.len()) {
            return Err(format!("shape {shape:?} for {} objects", items.len()));
        }
        return Ok(Some(Node::Objects(Box::new((shape, items)))));
    }
    let Some(element) = element(machine, dtype)? else {
        return Ok(None);
    };
    from_bytes(machine, element, fortran, shape, data)
}

/// `scalar(dtype, data)`: an array without axes.
pub(super) fn scalar(machine: &mut Machine, args: &[Id]) -> Result<Option<Node>, String> {
    let [dtype, data] = args[..] else {
        return Ok(None);
    };
    match element(machine, dtype)? {
        Some(element) => from_bytes(machine, element, false, Vec::new(), data),
        None => Ok(None),
    }
}

/// `_frombuffer(data, dtype, shape, order)`, of protocol 5.
pub(super) fn from_buffer(machine: &mut Machine, args: &[Id]) -> Result<Option<Node>, String> {
    let [data, dtype, shape, order, ..] = args[..] else {
        return Ok(None);
    };
    let fortran = matches!(&machine.nodes[order.index()], Node::Text(order) if &**order == "F");
    let shape = lengths(machine, shape)?;
    match element(machine, dtype)? {
        Some(element) => from_bytes(machine, element, fortran, shape, data),
        None => Ok(None),
    }
}

fn from_bytes(
    machine: &mut Machine,
    (element, big_endian): Element,
    fortran: bool,
    shape: Vec<usize>,
    data: Id,
) -> Result<Option<Node>, String> {
    let bytes = match &machine.nodes[data.index()] {
        Node::Bytes(bytes) => bytes.len(),
        _ => return Ok(None),
    };
    machine.charge(bytes)?;
    let Node::Bytes(bytes) = &machine.nodes[data.index()] else {
        return Ok(None);
    };
    let array = Array::new(element, big_endian, fortran, shape, bytes.to_vec())?;
    Ok(Some(Node::Array(Box::new(array))))
}

/// The tuple of an array's lengths.
pub(super) fn lengths(machine: &Machine, shape: Id) -> Result<Vec<usize>, String> {
    let items: &[Id] = match &machine.nodes[shape.index()] {
        Node::Tuple(items) => items,
        Node::List(items) => items,
        _ => return Err("the shape of an array is not a tuple".to_owned()),
    };
    if items.len() > 32 {
        return Err("an array of more than 32 axes".to_owned());
    }
    let length = |id: &Id| match machine.nodes[id.index()] {
        Node::Int(n) => usize::try_from(n).ok(),
        _ => None,
    };
    let lengths: Option<Vec<usize>> = items.iter().map(length).collect();
    lengths.ok_or_else(|| "the shape of an array is not a tuple of lengths".to_owned())
}

/// A `numpy.dtype` object: `dtype('f8', ...)` with the state `(version, '<', ...)`. `None` when it
/// is not one of plain numbers or text.
fn element(machine: &Machine, dtype: Id) -> Result<Option<Element>, String> {
    let Node::Object(object) = &machine.nodes[dtype.index()] else {
        return Err("the element type of an array is not a dtype".to_owned());
    };
    let word = |id: Id| match &machine.nodes[id.index()] {
        Node::Text(text) => Some(text.to_string()),
        Node::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
        _ => None,
    };
    let item = |tuple: Id, index: usize| match &machine.nodes[tuple.index()] {
        Node::Tuple(items) => items.get(index).copied(),
        _ => None,
    };
    let Some(code) = item(object.args, 0).and_then(word) else {
        return Ok(None);
    };
    let order = object.state.and_then(|state| item(state, 1)).and_then(word);
    let Ok((element, _)) = element_type(&code) else {
        return Ok(None);
    };
    if matches!(element, ElementType::Object) {
        return Ok(None);
    }
    Ok(Some((element, order.as_deref() == Some(">"))))
}
