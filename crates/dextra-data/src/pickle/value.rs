//! Finding one's way in a pickle; every error names the file and the path to the value.

use super::{Id, Node, Pickle};
use crate::DataError;

/// Most numbers that one value is read into.
const MAX_NUMBERS: usize = 1 << 26;

/// Deepest nest of lists that is read as an array.
const MAX_AXES: usize = 8;

/// A value of a pickle, and how it was reached.
#[derive(Clone, Debug)]
pub struct Value<'a> {
    pickle: &'a Pickle,
    id: Id,
    /// Keys from the root, with `.` between them.
    path: String,
}

impl<'a> Value<'a> {
    pub(super) fn new(pickle: &'a Pickle, id: Id, path: String) -> Value<'a> {
        Value { pickle, id, path }
    }

    fn node(&self) -> &'a Node {
        &self.pickle.nodes[self.id.index()]
    }

    fn inner(&self, id: Id, key: &str) -> Value<'a> {
        let path = match self.path.is_empty() {
            true => key.to_owned(),
            false => format!("{}.{key}", self.path),
        };
        Value { pickle: self.pickle, id, path }
    }

    /// An error about this value.
    pub fn problem(&self, problem: impl Into<String>) -> DataError {
        let name = if self.path.is_empty() { "the whole pickle" } else { &self.path };
        DataError::field(&self.pickle.file, name, problem)
    }

    /// Keys from the root to here, with `.` between them.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether this is Python's `None`.
    pub fn is_none(&self) -> bool {
        matches!(self.node(), Node::None)
    }

    /// What this is, in words.
    pub fn kind(&self) -> String {
        match self.node() {
            Node::None => "None".to_owned(),
            Node::Bool(_) => "a bool".to_owned(),
            Node::Int(_) | Node::Float(_) => "a number".to_owned(),
            Node::Text(_) => "text".to_owned(),
            Node::Bytes(_) => "bytes".to_owned(),
            Node::List(items) => format!("a list of {}", items.len()),
            Node::Tuple(items) => format!("a tuple of {}", items.len()),
            Node::Set(items) => format!("a set of {}", items.len()),
            Node::Dict(entries) => format!("a dict of {}", entries.len()),
            Node::Array(array) => format!("an array of shape {:?}", array.shape()),
            Node::Objects(objects) => format!("an array of objects of shape {:?}", objects.0),
            Node::Global(name) => format!("the name `{}.{}`", name.0, name.1),
            Node::Object(object) => format!("an object of `{}.{}`", object.module, object.name),
            Node::Storage(_) => "a tensor's storage".to_owned(),
            Node::Persistent(_) => "a reference out of the file".to_owned(),
        }
    }

    /// `module.name` of an object's class, or of the function that would have made it.
    pub fn class(&self) -> Option<String> {
        match self.node() {
            Node::Object(object) => Some(format!("{}.{}", object.module, object.name)),
            _ => None,
        }
    }

    /// The value that stands under a text, in a dict or among an object's attributes. Of a key that
    /// stands there twice the last counts, as in Python.
    pub fn find(&self, key: &str) -> Option<Value<'a>> {
        let fits = |id: Id| match &self.pickle.nodes[id.index()] {
            Node::Text(text) => **text == *key,
            Node::Bytes(bytes) => **bytes == *key.as_bytes(),
            _ => false,
        };
        let found = self.entries().into_iter().rev().find(|(k, _)| fits(*k));
        found.map(|(_, value)| self.inner(value, key))
    }

    /// The same, or an error that lists the keys there are.
    pub fn get(&self, key: &str) -> Result<Value<'a>, DataError> {
        self.find(key).ok_or_else(|| DataError::MissingField {
            file: self.pickle.file.clone(),
            field: match self.path.is_empty() {
                true => key.to_owned(),
                false => format!("{}.{key}", self.path),
            },
            present: self.items().into_iter().take(21).map(|(key, _)| key).collect(),
        })
    }

    /// Keys, as text, and values of a dict or of an object's attributes, in the order of the file.
    pub fn items(&self) -> Vec<(String, Value<'a>)> {
        let name = |id: Id| match &self.pickle.nodes[id.index()] {
            Node::Text(text) => text.to_string(),
            Node::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Node::Int(n) => n.to_string(),
            _ => self.inner(id, "").kind(),
        };
        self.entries()
            .into_iter()
            .map(|(key, value)| (name(key), value))
            .map(|(key, value)| (key.clone(), self.inner(value, &key)))
            .collect()
    }

    /// Integer keys and values of a dict, sorted by key.
    pub fn numbered(&self) -> Result<Vec<(i64, Value<'a>)>, DataError> {
        let mut found = Vec::new();
        for (key, value) in self.entries() {
            let number = match &self.pickle.nodes[key.index()] {
                Node::Int(n) => i64::try_from(*n).ok(),
                Node::Array(array) if array.shape().is_empty() => {
                    array.i64s().and_then(|n| n.first().copied())
                }
                // Frames are numbered in text too: "00012".
                Node::Text(text) => text.parse().ok(),
                _ => None,
            };
            let number = number.ok_or_else(|| {
                self.problem(format!("{} is not a frame's number", self.inner(key, "").kind()))
            })?;
            found.push((number, self.inner(value, &number.to_string())));
        }
        found.sort_by_key(|(number, _)| *number);
        Ok(found)
    }

    /// Items of a list, tuple, set or array of objects.
    pub fn list(&self) -> Result<Vec<Value<'a>>, DataError> {
        let items: &[Id] = match self.node() {
            Node::List(items) | Node::Set(items) => items,
            Node::Tuple(items) => items,
            Node::Objects(objects) => &objects.1,
            _ => return Err(self.problem(format!("a list was expected, not {}", self.kind()))),
        };
        Ok(items.iter().enumerate().map(|(i, &id)| self.inner(id, &i.to_string())).collect())
    }

    /// The only item of an array of objects: `numpy.save` wraps anything in one.
    pub fn unwrapped(&self) -> Value<'a> {
        match self.node() {
            Node::Objects(objects) if objects.1.len() == 1 => {
                Value { pickle: self.pickle, id: objects.1[0], path: self.path.clone() }
            }
            _ => self.clone(),
        }
    }

    /// A text.
    pub fn text(&self) -> Result<String, DataError> {
        let found = match self.node() {
            Node::Text(text) => Some(text.to_string()),
            Node::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Node::Array(array) if array.count() == 1 => {
                array.strings().and_then(|mut texts| texts.pop())
            }
            _ => None,
        };
        found.ok_or_else(|| self.problem(format!("text was expected, not {}", self.kind())))
    }

    /// Bytes.
    pub fn bytes(&self) -> Result<&'a [u8], DataError> {
        match self.node() {
            Node::Bytes(bytes) => Ok(bytes),
            _ => Err(self.problem(format!("bytes were expected, not {}", self.kind()))),
        }
    }

    /// One number; an array of one element counts.
    pub fn number(&self) -> Result<f64, DataError> {
        match self.array()?.1[..] {
            [number] => Ok(number),
            _ => Err(self.problem(format!("one number was expected, not {}", self.kind()))),
        }
    }

    /// Shape and numbers, in C order, of an array, a tensor, a number, or a nest of lists of these.
    pub fn array(&self) -> Result<(Vec<usize>, Vec<f64>), DataError> {
        let mut numbers = Vec::new();
        let shape = self.collect(&mut numbers, MAX_AXES)?;
        Ok((shape, numbers))
    }

    /// The same, of exactly `count` numbers of whatever shape.
    pub fn numbers<const N: usize>(&self) -> Result<[f64; N], DataError> {
        let (shape, numbers) = self.array()?;
        numbers
            .try_into()
            .map_err(|_| self.problem(format!("{N} numbers were expected, the shape is {shape:?}")))
    }

    /// An array of rows `[T, width]`, or of anything that has `width` numbers per frame.
    pub fn rows(&self, width: usize) -> Result<Vec<Vec<f64>>, DataError> {
        let (shape, numbers) = self.array()?;
        let per_frame: usize = shape.iter().skip(1).product();
        if shape.is_empty() || per_frame != width {
            let problem = format!("the shape [T, {width}] was expected, not {shape:?}");
            return Err(self.problem(problem));
        }
        Ok(numbers.chunks_exact(width.max(1)).map(<[f64]>::to_vec).collect())
    }

    fn collect(&self, numbers: &mut Vec<f64>, depth: usize) -> Result<Vec<usize>, DataError> {
        let wrong = || self.problem(format!("numbers were expected, not {}", self.kind()));
        if numbers.len() > MAX_NUMBERS {
            return Err(self.problem(format!("more than {MAX_NUMBERS} numbers")));
        }
        match self.node() {
            Node::Bool(value) => numbers.push(f64::from(u8::from(*value))),
            Node::Int(value) => numbers.push(*value as f64),
            Node::Float(value) => numbers.push(*value),
            Node::Array(array) => {
                numbers.extend(array.f64s().ok_or_else(wrong)?);
                return Ok(array.shape().to_vec());
            }
            Node::List(_) | Node::Tuple(_) | Node::Objects(_) if depth > 0 => {
                let items = self.list()?;
                let mut shape: Option<Vec<usize>> = None;
                for item in &items {
                    let inner = item.collect(numbers, depth - 1)?;
                    if *shape.get_or_insert_with(|| inner.clone()) != inner {
                        let problem = format!("the shape {inner:?} follows another");
                        return Err(item.problem(problem));
                    }
                }
                let mut whole = match self.node() {
                    Node::Objects(objects) => objects.0.clone(),
                    _ => vec![items.len()],
                };
                whole.extend(shape.unwrap_or_default());
                return Ok(whole);
            }
            _ => return Err(wrong()),
        }
        Ok(Vec::new())
    }

    /// Keys and values of a dict, or of an object's state.
    fn entries(&self) -> Vec<(Id, Id)> {
        let dict = |id: Id| match &self.pickle.nodes[id.index()] {
            Node::Dict(entries) => entries.as_slice(),
            _ => &[],
        };
        match self.node() {
            Node::Dict(entries) => entries.clone(),
            Node::Object(object) => {
                let mut all = object.entries.clone();
                match object.state.map(|state| (state, &self.pickle.nodes[state.index()])) {
                    // `(attributes, slots)`.
                    Some((_, Node::Tuple(parts))) => {
                        all.extend(parts.iter().flat_map(|&part| dict(part)));
                    }
                    Some((state, _)) => all.extend(dict(state)),
                    None => {}
                }
                all
            }
            _ => Vec::new(),
        }
    }
}
