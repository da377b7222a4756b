//! The stack machine that pickles are programs for, with everything that acts taken out.
//!
//! Opcodes are those of Python's `pickletools`, protocols 0 to 5. There is no recursion: values
//! live in one flat list and refer to each other by index, so depth costs nothing.

use super::{Id, MAX_MARKS, MAX_NODES, Node, Object, numpy, text, torch};
use std::collections::HashMap;

/// Why a pickle cannot be read, and where.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    /// Offset of the opcode in the pickle.
    pub offset: usize,
    /// One sentence.
    pub problem: String,
}

/// Looks up the bytes of a tensor's storage by its key.
pub(super) type Storages<'a> = &'a mut dyn FnMut(&str) -> Result<Option<Vec<u8>>, String>;

/// A pickle being read.
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    pub nodes: Vec<Node>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    storages: Storages<'a>,
    /// Bytes that may still be copied: what a memo makes cheap to write must not be dear to read.
    pub budget: u64,
    /// How many archives this pickle is inside of.
    pub depth: usize,
}

impl<'a> Machine<'a> {
    /// A machine at the start of `bytes`.
    pub fn new(bytes: &'a [u8], storages: Storages<'a>, budget: u64, depth: usize) -> Machine<'a> {
        Machine {
            bytes,
            at: 0,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            storages,
            budget,
            depth,
        }
    }

    /// Runs to the opcode STOP and returns the value, and the offset behind that opcode.
    pub fn run(&mut self) -> Result<(Id, usize), Refusal> {
        loop {
            let offset = self.at;
            let stopped = match self.take(1).map(|op| op[0]) {
                Ok(b'.') => self.pop().map(Some).map_err(|e| format!("{e} (STOP)")),
                Ok(op) => self.step(op).map(|()| None).map_err(|e| format!("{e} ({})", shown(op))),
                Err(_) => Err("the pickle is cut short: no STOP".to_owned()),
            };
            match stopped {
                Ok(Some(root)) => return Ok((root, self.at)),
                Ok(None) => {}
                Err(problem) => return Err(Refusal { offset, problem }),
            }
        }
    }

    fn step(&mut self, op: u8) -> Result<(), String> {
        match op {
            b'(' => {
                if self.marks.len() == MAX_MARKS {
                    return Err(format!("more than {MAX_MARKS} nested marks"));
                }
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => {
                // On a mark, POP takes the mark.
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                    return Ok(());
                }
                self.pop().map(drop)
            }
            b'1' => self.pop_mark().map(drop),
            b'2' => {
                let top = self.top()?;
                self.refer(top)
            }
            0x80 => match self.take(1)?[0] {
                0..=5 => Ok(()),
                other => Err(format!("unknown protocol {other}")),
            },
            0x95 => self.take(8).map(drop),
            b'N' => self.push(Node::None),
            0x88 => self.push(Node::Bool(true)),
            0x89 => self.push(Node::Bool(false)),
            b'I' => {
                let node = match self.line()? {
                    b"01" => Node::Bool(true),
                    b"00" => Node::Bool(false),
                    digits => Node::Int(text::integer(digits)?),
                };
                self.push(node)
            }
            b'L' => {
                let value = text::integer(self.line()?)?;
                self.push(Node::Int(value))
            }
            b'J' => {
                let value = self.unsigned(4)? as u32 as i32;
                self.push(Node::Int(value.into()))
            }
            b'K' => self.small(1),
            b'M' => self.small(2),
            0x8a => {
                let length = self.unsigned(1)?;
                self.long(length)
            }
            0x8b => {
                let length = self.unsigned(4)?;
                self.long(length)
            }
            b'F' => {
                let value = text::float(self.line()?)?;
                self.push(Node::Float(value))
            }
            b'G' => {
                let bits = self.unsigned(8)?.swap_bytes();
                self.push(Node::Float(f64::from_bits(bits)))
            }
            b'S' => {
                let value = text::quoted(self.line()?)?;
                self.push(Node::Bytes(value.into()))
            }
            b'T' | b'B' => self.raw(4),
            b'U' | b'C' => self.raw(1),
            0x8e | 0x96 => self.raw(8),
            b'V' => {
                let value = text::unicode_escapes(self.line()?);
                self.push(Node::Text(value.into()))
            }
            0x8c => self.text(1),
            b'X' => self.text(4),
            0x8d => self.text(8),
            b')' => self.push(Node::Tuple(Box::default())),
            0x85..=0x87 => {
                let count = usize::from(op - 0x84);
                let mut items = vec![Id(0); count];
                for slot in items.iter_mut().rev() {
                    *slot = self.pop()?;
                }
                self.push(Node::Tuple(items.into()))
            }
            b't' => {
                let items = self.pop_mark()?;
                self.push(Node::Tuple(items.into()))
            }
            b']' => self.push(Node::List(Vec::new())),
            b'l' => {
                let items = self.pop_mark()?;
                self.push(Node::List(items))
            }
            b'}' => self.push(Node::Dict(Vec::new())),
            b'd' => {
                let items = self.pop_mark()?;
                let entries = pairs(&items)?;
                self.push(Node::Dict(entries))
            }
            0x8f => self.push(Node::Set(Vec::new())),
            0x91 => {
                let items = self.pop_mark()?;
                self.push(Node::Set(items))
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.append(&items)
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(vec![(key, value)])
            }
            b'u' => {
                let items = self.pop_mark()?;
                let entries = pairs(&items)?;
                self.set_items(entries)
            }
            b'p' => {
                let key = text::integer(self.line()?)?;
                self.put(u64::try_from(key).map_err(|_| "a negative memo index")?)
            }
            b'q' => {
                let key = self.unsigned(1)?;
                self.put(key)
            }
            b'r' => {
                let key = self.unsigned(4)?;
                self.put(key)
            }
            0x94 => self.put(self.memo.len() as u64),
            b'g' => {
                let key = text::integer(self.line()?)?;
                self.get(u64::try_from(key).map_err(|_| "a negative memo index")?)
            }
            b'h' => {
                let key = self.unsigned(1)?;
                self.get(key)
            }
            b'j' => {
                let key = self.unsigned(4)?;
                self.get(key)
            }
            b'c' => {
                let (module, name) = (self.word()?, self.word()?);
                self.push(Node::Global(Box::new((module, name))))
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let word = |id: Id| match &self.nodes[id.index()] {
                    Node::Text(word) => Ok(word.to_string()),
                    _ => Err("the name of a global is not text"),
                };
                let global = (word(module)?, word(name)?);
                self.push(Node::Global(Box::new(global)))
            }
            b'R' => {
                let (args, callable) = (self.pop()?, self.pop()?);
                self.call(callable, args)
            }
            0x81 => {
                let (args, class) = (self.pop()?, self.pop()?);
                self.instance(class, args)
            }
            0x92 => {
                let (_, args, class) = (self.pop()?, self.pop()?, self.pop()?);
                self.instance(class, args)
            }
            b'i' => {
                let global = (self.word()?, self.word()?);
                let class = self.add(Node::Global(Box::new(global)))?;
                let items = self.pop_mark()?;
                let args = self.add(Node::Tuple(items.into()))?;
                self.instance(class, args)
            }
            b'o' => {
                let mut items = self.pop_mark()?;
                if items.is_empty() {
                    return Err("an object without a class".to_owned());
                }
                let class = items.remove(0);
                let args = self.add(Node::Tuple(items.into()))?;
                self.instance(class, args)
            }
            b'b' => {
                let state = self.pop()?;
                self.build(state)
            }
            b'P' => {
                let line = text::unicode_escapes(self.line()?);
                let id = self.add(Node::Text(line.into()))?;
                self.persistent(id)
            }
            b'Q' => {
                let id = self.pop()?;
                self.persistent(id)
            }
            0x82..=0x84 => Err("extension codes are never looked up".to_owned()),
            0x97 | 0x98 => Err("the data are in a buffer outside of the file".to_owned()),
            _ => Err("not an opcode of any pickle protocol".to_owned()),
        }
    }

    /// Makes a value.
    pub fn add(&mut self, node: Node) -> Result<Id, String> {
        if self.nodes.len() == MAX_NODES {
            return Err(format!("more than {MAX_NODES} values"));
        }
        self.nodes.push(node);
        Ok(Id(self.nodes.len() as u32 - 1))
    }

    /// Accounts for `bytes` about to be copied.
    pub fn charge(&mut self, bytes: usize) -> Result<(), String> {
        self.budget = self.budget.checked_sub(bytes as u64).ok_or(
            "the pickle says the same data again and again: it would take far more memory than its \
             own size",
        )?;
        Ok(())
    }

    fn push(&mut self, node: Node) -> Result<(), String> {
        let id = self.add(node)?;
        self.refer(id)
    }

    fn refer(&mut self, id: Id) -> Result<(), String> {
        if self.stack.len() == MAX_NODES {
            return Err(format!("more than {MAX_NODES} values on the stack"));
        }
        self.stack.push(id);
        Ok(())
    }

    fn top(&self) -> Result<Id, String> {
        let fence = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(&id) if self.stack.len() > fence => Ok(id),
            _ => Err("the stack is empty".to_owned()),
        }
    }

    fn pop(&mut self) -> Result<Id, String> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or("no mark on the stack")?;
        Ok(self.stack.split_off(mark))
    }

    fn put(&mut self, key: u64) -> Result<(), String> {
        if self.memo.len() == MAX_NODES {
            return Err(format!("more than {MAX_NODES} memo entries"));
        }
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn get(&mut self, key: u64) -> Result<(), String> {
        let id = *self.memo.get(&key).ok_or_else(|| format!("memo entry {key} was never made"))?;
        self.refer(id)
    }

    fn append(&mut self, items: &[Id]) -> Result<(), String> {
        let target = self.top()?;
        match &mut self.nodes[target.index()] {
            Node::List(list) | Node::Set(list) => list.extend(items),
            Node::Object(object) => object.items.extend(items),
            _ => return Err("items are appended to what is neither list nor set".to_owned()),
        }
        Ok(())
    }

    fn set_items(&mut self, entries: Vec<(Id, Id)>) -> Result<(), String> {
        let target = self.top()?;
        match &mut self.nodes[target.index()] {
            Node::Dict(dict) => dict.extend(entries),
            Node::Object(object) => object.entries.extend(entries),
            _ => return Err("entries are set in what is not a dict".to_owned()),
        }
        Ok(())
    }

    /// `callable(*args)`: for a few known names the value they make, for all others a note of what
    /// would have been called.
    fn call(&mut self, callable: Id, args: Id) -> Result<(), String> {
        let Node::Global(global) = &self.nodes[callable.index()] else {
            return Err("what is called is not a global name".to_owned());
        };
        let (module, name) = (global.0.clone(), global.1.clone());
        let items: Vec<Id> = match &self.nodes[args.index()] {
            Node::Tuple(items) => items.to_vec(),
            _ => return Err("the arguments of a call are not a tuple".to_owned()),
        };
        let node = match (module.as_str(), name.as_str()) {
            ("collections", "OrderedDict" | "defaultdict") => self.dictionary(&items),
            ("_codecs", "encode") => self.encoded(&items)?,
            ("__builtin__" | "builtins", "bytes" | "bytearray") if items.is_empty() => {
                Some(Node::Bytes(Box::default()))
            }
            ("__builtin__" | "builtins", "set" | "frozenset" | "list" | "tuple") => {
                self.collection(&name, &items)
            }
            ("copy_reg" | "copyreg", "_reconstructor" | "__newobj__") if !items.is_empty() => {
                return self.instance(items[0], args);
            }
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => {
                numpy::scalar(self, &items)?
            }
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => {
                numpy::from_buffer(self, &items)?
            }
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => {
                torch::tensor(self, &items)?
            }
            ("torch._utils", "_rebuild_parameter") if !items.is_empty() => {
                return self.refer(items[0]);
            }
            ("torch.storage", "_load_from_bytes") => torch::blob(self, &items)?,
            _ => None,
        };
        match node {
            Some(node) => self.push(node),
            None => self.push(Node::Object(Box::new(Object::new(module, name, args)))),
        }
    }

    fn dictionary(&self, items: &[Id]) -> Option<Node> {
        let Some(Node::List(pairs)) = items.first().map(|id| &self.nodes[id.index()]) else {
            return Some(Node::Dict(Vec::new()));
        };
        let entry = |id: &Id| match &self.nodes[id.index()] {
            Node::List(pair) if pair.len() == 2 => Some((pair[0], pair[1])),
            Node::Tuple(pair) if pair.len() == 2 => Some((pair[0], pair[1])),
            _ => None,
        };
        pairs.iter().map(entry).collect::<Option<Vec<_>>>().map(Node::Dict)
    }

    /// Protocols below 3 write bytes as text, to be encoded.
    fn encoded(&mut self, items: &[Id]) -> Result<Option<Node>, String> {
        let Some(Node::Text(text)) = items.first().map(|id| &self.nodes[id.index()]) else {
            return Ok(None);
        };
        let bytes: Option<Vec<u8>> =
            text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        let bytes = bytes.ok_or("text beyond latin1 where bytes are encoded")?;
        self.charge(bytes.len())?;
        Ok(Some(Node::Bytes(bytes.into())))
    }

    fn collection(&mut self, name: &str, items: &[Id]) -> Option<Node> {
        let content = match items.first().map(|id| &self.nodes[id.index()]) {
            None => Vec::new(),
            Some(Node::List(content) | Node::Set(content)) => content.clone(),
            Some(Node::Tuple(content)) => content.to_vec(),
            Some(_) => return None,
        };
        self.charge(4 * content.len()).ok()?;
        Some(match name {
            "list" => Node::List(content),
            "tuple" => Node::Tuple(content.into()),
            _ => Node::Set(content),
        })
    }

    fn instance(&mut self, class: Id, args: Id) -> Result<(), String> {
        let Node::Global(global) = &self.nodes[class.index()] else {
            return Err("the class of an object is not a global name".to_owned());
        };
        let (module, name) = (global.0.clone(), global.1.clone());
        self.push(Node::Object(Box::new(Object::new(module, name, args))))
    }

    /// Gives the object on top its state.
    fn build(&mut self, state: Id) -> Result<(), String> {
        let target = self.top()?;
        let made = match &self.nodes[target.index()] {
            Node::Object(object) if object.is("_reconstruct") => numpy::array(self, state)?,
            _ => None,
        };
        match (&mut self.nodes[target.index()], made) {
            (node, Some(array)) => *node = array,
            (Node::Object(object), None) => object.state = Some(state),
            // Attributes of an ordered dict and the like; what it holds came before.
            (Node::Dict(_) | Node::List(_) | Node::Set(_), None) => {}
            _ => return Err("a state is given to what is not an object".to_owned()),
        }
        Ok(())
    }

    /// What a persistent id stands for: the storage of a tensor, or nothing known.
    fn persistent(&mut self, id: Id) -> Result<(), String> {
        let node = match torch::storage_key(self, id) {
            Some((element, key)) => match (self.storages)(&key)? {
                Some(bytes) => torch::storage(self, element, bytes)?,
                None => Node::Persistent(id),
            },
            None => Node::Persistent(id),
        };
        self.push(node)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or("the pickle is cut short")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn line(&mut self) -> Result<&'a [u8], String> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&b| b == b'\n').ok_or("the pickle is cut short")?;
        self.at += length + 1;
        Ok(&rest[..length])
    }

    fn word(&mut self) -> Result<String, String> {
        let line = self.line()?;
        let word = std::str::from_utf8(line).map_err(|_| "a name that is not text")?;
        Ok(word.to_owned())
    }

    fn unsigned(&mut self, width: usize) -> Result<u64, String> {
        Ok(self.take(width)?.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    fn sized(&mut self, width: usize) -> Result<&'a [u8], String> {
        let length = self.unsigned(width)?;
        self.take(usize::try_from(length).map_err(|_| "the pickle is cut short")?)
    }

    fn small(&mut self, width: usize) -> Result<(), String> {
        let value = self.unsigned(width)?;
        self.push(Node::Int(value.into()))
    }

    fn long(&mut self, length: u64) -> Result<(), String> {
        let raw = self.take(usize::try_from(length).map_err(|_| "the pickle is cut short")?)?;
        if raw.len() > 16 {
            return Err(format!("an integer of {} bytes; at most 16 are read", raw.len()));
        }
        let negative = raw.last().is_some_and(|&byte| byte >> 7 == 1);
        let mut wide = [if negative { 0xff } else { 0 }; 16];
        wide[..raw.len()].copy_from_slice(raw);
        self.push(Node::Int(i128::from_le_bytes(wide)))
    }

    fn raw(&mut self, width: usize) -> Result<(), String> {
        let bytes = self.sized(width)?;
        self.push(Node::Bytes(bytes.into()))
    }

    fn text(&mut self, width: usize) -> Result<(), String> {
        let bytes = self.sized(width)?;
        self.push(Node::Text(String::from_utf8_lossy(bytes).into()))
    }
}

/// Keys and values that follow each other.
fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, String> {
    if items.len() % 2 == 1 {
        return Err("a dict's key without its value".to_owned());
    }
    Ok(items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

/// An opcode in words for an error.
fn shown(op: u8) -> String {
    let name = match op {
        b'R' => "REDUCE",
        b'b' => "BUILD",
        b'c' => "GLOBAL",
        0x93 => "STACK_GLOBAL",
        0x81 | 0x92 => "NEWOBJ",
        b'i' => "INST",
        b'o' => "OBJ",
        b'Q' | b'P' => "PERSID",
        0x80 => "PROTO",
        b'a' | b'e' => "APPEND",
        b's' | b'u' => "SETITEM",
        b'g' | b'h' | b'j' => "GET",
        _ => return format!("opcode 0x{op:02x}"),
    };
    name.to_owned()
}
