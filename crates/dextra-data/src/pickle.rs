//! Python pickles as inert data: read, never executed.
//!
//! A pickle is a program; Python runs it, and with it whatever it names. Here its opcodes
//! (protocols 0 to 5) only build a list of nodes. A name such as `os.system` stays a name and a
//! call a note of what would have been called; the few calls that are understood (NumPy arrays,
//! PyTorch tensors, dictionaries, bytes) are done by code of this module. `torch.save` archives of
//! both formats are read too.
//!
//! Safe on any bytes: values refer to each other by index, so neither depth nor cycles need a stack,
//! and what may be taken is bounded by [`MAX_BYTES`], [`MAX_NODES`], [`MAX_MARKS`] and by a budget
//! for copies, which a memo would otherwise make cheap to ask for.

mod machine;
mod numpy;
mod text;
mod torch;
mod value;

#[cfg(test)]
mod tests;

pub use value::Value;

use crate::{Array, DataError, atomic};
use machine::{Machine, Refusal};
use std::path::{Path, PathBuf};

/// Largest file, bytes.
pub const MAX_BYTES: u64 = 1 << 29;

/// Most values of one pickle. An hour of two MANO hands and ten objects per frame needs a tenth.
pub const MAX_NODES: usize = 1 << 23;

/// Most marks that are open at once: the nesting of lists that are written in one piece.
pub const MAX_MARKS: usize = 1 << 12;

/// Bytes that may be copied beside four times the file's size: a tensor may repeat one element.
const COPY_BYTES: u64 = 1 << 28;

/// Index of a value in its pickle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id(u32);

impl Id {
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// One value.
#[derive(Clone, Debug)]
enum Node {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Box<str>),
    /// Bytes, and the texts of Python 2, whose encoding nothing states.
    Bytes(Box<[u8]>),
    List(Vec<Id>),
    Tuple(Box<[Id]>),
    Set(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A NumPy array or scalar, or a PyTorch tensor.
    Array(Box<Array>),
    /// A NumPy array of objects: lengths and items in C order.
    Objects(Box<(Vec<usize>, Vec<Id>)>),
    /// A name, `(module, name)`, that Python would import.
    Global(Box<(String, String)>),
    Object(Box<Object>),
    /// What tensors are views of.
    Storage(Box<torch::Storage>),
    /// A reference to something outside of the file.
    Persistent(Id),
}

/// An object that Python would make: the class or function, what it would be given, and its state.
#[derive(Clone, Debug)]
struct Object {
    module: String,
    name: String,
    args: Id,
    state: Option<Id>,
    items: Vec<Id>,
    entries: Vec<(Id, Id)>,
}

impl Object {
    fn new(module: String, name: String, args: Id) -> Object {
        Object { module, name, args, state: None, items: Vec::new(), entries: Vec::new() }
    }

    /// Whether this is what NumPy's `name` makes.
    fn is(&self, name: &str) -> bool {
        self.name == name && self.module.split('.').next() == Some("numpy")
    }
}

/// A pickle that was read.
#[derive(Debug)]
pub struct Pickle {
    file: PathBuf,
    nodes: Vec<Node>,
    root: Id,
    sha256: String,
}

impl Pickle {
    /// Reads a pickle, or an archive of `torch.save`.
    ///
    /// # Errors
    /// The file cannot be read, is above [`MAX_BYTES`], or is not such a file; the error has the
    /// offset of the opcode concerned.
    pub fn open(path: &Path) -> Result<Pickle, DataError> {
        Pickle::from_bytes(path, atomic::read_file(path, MAX_BYTES)?)
    }

    /// The same for bytes already in memory; `path` names them in errors.
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Pickle, DataError> {
        let sha256 = atomic::sha256_hex(&bytes);
        let loaded = load(bytes);
        let (nodes, root) = loaded.map_err(|Refusal { offset, problem }| DataError::Pickle {
            file: path.to_owned(),
            offset,
            problem,
        })?;
        Ok(Pickle { file: path.to_owned(), nodes, root, sha256 })
    }

    /// The file this was read from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// SHA-256 of the bytes, hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The value that Python's `load` would return.
    pub fn root(&self) -> Value<'_> {
        Value::new(self, self.root, String::new())
    }
}

fn load(bytes: Vec<u8>) -> Result<(Vec<Node>, Id), Refusal> {
    let budget = COPY_BYTES + 4 * bytes.len() as u64;
    if bytes.is_empty() {
        return Err(Refusal { offset: 0, problem: "the file is empty".to_owned() });
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return torch::archive(bytes, budget).map(|(nodes, root, _)| (nodes, root));
    }
    let mut unknown = |_: &str| Ok(None);
    let mut machine = Machine::new(&bytes, &mut unknown, budget, 0);
    let (root, end) = machine.run()?;
    if matches!(machine.nodes[root.index()], Node::Int(torch::LEGACY_MAGIC)) {
        return torch::legacy(&bytes, budget, 0).map(|(nodes, root, _)| (nodes, root));
    }
    if end < bytes.len() {
        let problem = format!("{} bytes follow the end of the pickle", bytes.len() - end);
        return Err(Refusal { offset: end, problem });
    }
    Ok((machine.nodes, root))
}
