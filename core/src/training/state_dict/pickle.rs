//! Reads the pickle inside a PyTorch file without Python: the few instructions that `torch.save` and TorchScript write, and
//! no call but those that put a tensor together. Nothing is run.
//!
//! What the instructions mean is told in `pickletools.py` of CPython; which ones occur, in `torch/serialization.py` and
//! `torch/csrc/jit/serialization/pickler.cpp` of PyTorch.

use std::collections::HashMap;

/// A value that instructions have made; containers name others by their places in [`Pickle::nodes`].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// Something that no weights depend on.
    Other,
    Integer(i64),
    Text(String),
    /// Module and name of a class or function.
    Global(String),
    Tuple(Vec<usize>),
    List(Vec<usize>),
    Dict(Vec<(usize, usize)>),
    /// An instance of a scripted module; its attributes, once they are known.
    Object(Option<usize>),
    Storage(Storage),
    Tensor(Tensor),
}

/// Numbers in a file of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Storage {
    /// PyTorch's class: `FloatStorage`.
    pub class: String,
    /// Name of the file.
    pub key: String,
}

/// A view onto a storage; everything is counted in numbers, not in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tensor {
    pub storage: Storage,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// What a pickle holds.
#[derive(Debug)]
pub(super) struct Pickle {
    pub nodes: Vec<Node>,
    pub root: usize,
}

impl Pickle {
    /// Follows the instructions.
    ///
    /// # Errors
    /// In a few words: an instruction or a call that no state dict has, or an end before the end.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut machine =
            Machine { bytes, at: 0, nodes: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
        while let Some(instruction) = machine.byte() {
            if instruction == b'.' {
                let root = machine.pop()?;
                return Ok(Self { nodes: machine.nodes, root });
            }
            machine.follow(instruction)?;
        }
        Err(cut())
    }
}

fn cut() -> String {
    "its pickle ends too early".into()
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<usize>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, usize>,
}

impl<'a> Machine<'a> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(count).ok_or_else(cut)?;
        let bytes = self.bytes.get(self.at..end).ok_or_else(cut)?;
        self.at = end;
        Ok(bytes)
    }

    /// An unsigned number of that many bytes, the least first.
    fn number(&mut self, bytes: usize) -> Result<usize, String> {
        let bytes = self.take(bytes)?;
        Ok(bytes.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    }

    fn text(&mut self, bytes: usize) -> Result<String, String> {
        String::from_utf8(self.take(bytes)?.to_vec()).map_err(|_| "a name in it is no UTF-8".into())
    }

    fn line(&mut self) -> Result<String, String> {
        let length = self.bytes[self.at..].iter().position(|byte| *byte == b'\n').ok_or_else(cut)?;
        let line = self.text(length)?;
        self.at += 1;
        Ok(line)
    }

    fn push(&mut self, node: Node) {
        self.nodes.push(node);
        self.stack.push(self.nodes.len() - 1);
    }

    fn pop(&mut self) -> Result<usize, String> {
        self.stack.pop().ok_or_else(|| "its pickle takes what it never put".into())
    }

    /// What was put since the last mark.
    fn marked(&mut self) -> Result<Vec<usize>, String> {
        let from = self.marks.pop().filter(|from| *from <= self.stack.len());
        from.map(|from| self.stack.split_off(from)).ok_or_else(|| "its pickle ends what it never began".into())
    }

    fn top(&self) -> Result<usize, String> {
        self.stack.last().copied().ok_or_else(|| "its pickle takes what it never put".into())
    }

    fn tuple(&mut self, count: usize) -> Result<(), String> {
        let from = self.stack.len().checked_sub(count).ok_or_else(cut)?;
        let items = self.stack.split_off(from);
        self.push(Node::Tuple(items));
        Ok(())
    }

    fn follow(&mut self, instruction: u8) -> Result<(), String> {
        match instruction {
            // Protocol, frame: nothing that would change what follows.
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'}' => self.push(Node::Dict(Vec::new())),
            b']' => self.push(Node::List(Vec::new())),
            b')' => self.push(Node::Tuple(Vec::new())),
            b'N' | 0x88 | 0x89 => self.push(Node::Other),
            b'K' => self.integer(1)?,
            b'M' => self.integer(2)?,
            b'J' => {
                let bytes = self.take(4)?.first_chunk().copied().unwrap_or_default();
                self.push(Node::Integer(i32::from_le_bytes(bytes).into()));
            }
            0x8a => self.long()?,
            b'G' => {
                self.take(8)?;
                self.push(Node::Other);
            }
            b'X' => self.words(4)?,
            0x8c => self.words(1)?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Node::Global(format!("{module} {name}")));
            }
            0x93 => self.global()?,
            b'q' => self.remember(1)?,
            b'r' => self.remember(4)?,
            0x94 => {
                let (place, top) = (self.memo.len() as u32, self.top()?);
                self.memo.insert(place, top);
            }
            b'h' => self.recall(1)?,
            b'j' => self.recall(4)?,
            b't' => {
                let items = self.marked()?;
                self.push(Node::Tuple(items));
            }
            0x85..=0x87 => self.tuple(usize::from(instruction - 0x84))?,
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.marked()?;
                self.append(items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(&[key, value])?;
            }
            b'u' => {
                let items = self.marked()?;
                self.set(&items)?;
            }
            b'Q' => self.storage()?,
            b'R' => self.call()?,
            0x81 => self.instance()?,
            b'b' => self.build()?,
            b'0' => drop(self.pop()?),
            other => return Err(format!("its pickle has the instruction {other:#04x}, which no state dict needs")),
        }
        Ok(())
    }

    fn integer(&mut self, bytes: usize) -> Result<(), String> {
        let value = self.number(bytes)?;
        self.push(Node::Integer(value as i64));
        Ok(())
    }

    /// A number of any length; what weights need fits eight bytes.
    fn long(&mut self) -> Result<(), String> {
        let length = self.number(1)?;
        let bytes = self.take(length)?;
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut whole = if negative { [0xff; 8] } else { [0; 8] };
        let node = match whole.get_mut(..length) {
            Some(room) => {
                room.copy_from_slice(bytes);
                Node::Integer(i64::from_le_bytes(whole))
            }
            None => Node::Other,
        };
        self.push(node);
        Ok(())
    }

    fn words(&mut self, bytes: usize) -> Result<(), String> {
        let length = self.number(bytes)?;
        let text = self.text(length)?;
        self.push(Node::Text(text));
        Ok(())
    }

    fn global(&mut self) -> Result<(), String> {
        let (name, module) = (self.pop()?, self.pop()?);
        let (Node::Text(module), Node::Text(name)) = (&self.nodes[module], &self.nodes[name]) else {
            return Err("its pickle names something without a name".into());
        };
        let global = format!("{module} {name}");
        self.push(Node::Global(global));
        Ok(())
    }

    fn remember(&mut self, bytes: usize) -> Result<(), String> {
        let (place, top) = (self.number(bytes)? as u32, self.top()?);
        self.memo.insert(place, top);
        Ok(())
    }

    fn recall(&mut self, bytes: usize) -> Result<(), String> {
        let place = self.number(bytes)? as u32;
        let known = self.memo.get(&place).copied();
        self.stack.push(known.ok_or_else(|| "its pickle recalls what it never remembered".to_owned())?);
        Ok(())
    }

    fn append(&mut self, items: Vec<usize>) -> Result<(), String> {
        let list = self.top()?;
        match &mut self.nodes[list] {
            Node::List(known) => known.extend(items),
            _ => return Err("its pickle appends to something that is no list".into()),
        }
        Ok(())
    }

    fn set(&mut self, items: &[usize]) -> Result<(), String> {
        let dict = self.top()?;
        match &mut self.nodes[dict] {
            Node::Dict(known) => known.extend(items.as_chunks::<2>().0.iter().map(|[key, value]| (*key, *value))),
            _ => return Err("its pickle sets items of something that is no dict".into()),
        }
        Ok(())
    }

    /// `("storage", class, key, device, count)`.
    fn storage(&mut self) -> Result<(), String> {
        let place = self.pop()?;
        let odd = || "its pickle names numbers in a way of its own".to_owned();
        let Node::Tuple(parts) = &self.nodes[place] else { return Err(odd()) };
        let [_, class, key, ..] = parts[..] else { return Err(odd()) };
        let (Node::Global(class), Node::Text(key)) = (&self.nodes[class], &self.nodes[key]) else { return Err(odd()) };
        let class = class.rsplit(' ').next().unwrap_or_default().to_owned();
        let storage = Storage { class, key: key.clone() };
        self.push(Node::Storage(storage));
        Ok(())
    }

    fn call(&mut self) -> Result<(), String> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let Node::Global(callee) = &self.nodes[callee] else { return Err("its pickle calls no function".into()) };
        let Node::Tuple(arguments) = &self.nodes[arguments] else {
            return Err(format!("its pickle calls {callee} without arguments"));
        };
        let node = match callee.as_str() {
            "collections OrderedDict" if arguments.is_empty() => Node::Dict(Vec::new()),
            "torch._utils _rebuild_tensor_v2" | "torch._utils _rebuild_tensor" => Node::Tensor(self.tensor(arguments)?),
            // A tensor, or a list, with a word about it.
            "torch._utils _rebuild_parameter" | "torch.jit._pickle restore_type_tag" => self.first(arguments)?,
            lists if lists.starts_with("torch.jit._pickle build_") => self.first(arguments)?,
            // A device, a dtype, a size: nothing that weights depend on.
            "torch device" | "torch Size" => Node::Other,
            other => {
                return Err(format!(
                    "its pickle calls {other}, and nothing is run here; in Python: torch.save(model.state_dict(), PATH)"
                ));
            }
        };
        self.push(node);
        Ok(())
    }

    fn first(&self, arguments: &[usize]) -> Result<Node, String> {
        arguments.first().map(|place| self.nodes[*place].clone()).ok_or_else(cut)
    }

    fn tensor(&self, arguments: &[usize]) -> Result<Tensor, String> {
        let odd = || "a tensor in it is put together in a way of its own".to_owned();
        let [storage, offset, shape, strides, ..] = *arguments else { return Err(odd()) };
        let Node::Storage(storage) = &self.nodes[storage] else { return Err(odd()) };
        let Node::Integer(offset) = self.nodes[offset] else { return Err(odd()) };
        let counts = |place: usize| {
            let Node::Tuple(parts) = &self.nodes[place] else { return Err(odd()) };
            let count = |part: &usize| match self.nodes[*part] {
                Node::Integer(count) => usize::try_from(count).map_err(|_| odd()),
                _ => Err(odd()),
            };
            parts.iter().map(count).collect::<Result<Vec<usize>, String>>()
        };
        let (shape, strides) = (counts(shape)?, counts(strides)?);
        if shape.len() != strides.len() {
            return Err(odd());
        }
        let offset = usize::try_from(offset).map_err(|_| odd())?;
        Ok(Tensor { storage: storage.clone(), offset, shape, strides })
    }

    fn instance(&mut self) -> Result<(), String> {
        let (_, class) = (self.pop()?, self.pop()?);
        match &self.nodes[class] {
            Node::Global(class) if class.starts_with("__torch__") => self.push(Node::Object(None)),
            Node::Global(class) => {
                return Err(format!(
                    "it holds a whole {class}, which only Python can read; there: torch.save(model.state_dict(), PATH)"
                ));
            }
            _ => return Err("its pickle makes an instance of nothing".into()),
        }
        Ok(())
    }

    fn build(&mut self) -> Result<(), String> {
        let (state, object) = (self.pop()?, self.top()?);
        if let Node::Object(known) = &mut self.nodes[object] {
            *known = Some(state);
        }
        // Else attributes of a dict: versions of its modules.
        Ok(())
    }
}
