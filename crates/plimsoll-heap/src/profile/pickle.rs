//! The part of Python's pickle that holds plain values and instances of named classes, read as a
//! tree of values. Nothing is ever called: an opcode that would construct, import or execute
//! anything else ends the reading.
//!
//! Not here: what the values mean (`tracemalloc`), which also says which classes may be named.

use std::collections::HashMap;

use thiserror::Error;

/// Values of one pickle. A snapshot has three for each live block: 40 bytes of memory each, and a
/// byte of the file at least.
const VALUES_MAX: usize = 32 << 20;
/// Deepest stack of values. Pickle puts a thousand elements on it before it folds them into a list.
const STACK_MAX: usize = 8 << 20;

/// Why bytes are not a pickle that is read here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PickleError {
    #[error("the pickle ends within the opcode at byte {at}: it is cut")]
    Cut { at: usize },
    #[error(
        "the opcode {opcode:#04x} at byte {at} is not of those that plain values are written with; \
         it is not executed"
    )]
    Opcode { opcode: u8, at: usize },
    #[error(
        "the pickle names {module}.{name} at byte {at}, which is no class of a snapshot; it is not loaded"
    )]
    Global { module: String, name: String, at: usize },
    #[error("the opcode at byte {at} takes a value that is not there: the pickle is damaged")]
    Missing { at: usize },
    #[error("the pickle holds more than {VALUES_MAX} values at byte {at}, the most that is taken")]
    Full { at: usize },
    #[error("the text at byte {at} is not UTF-8")]
    Text { at: usize },
}

/// A value, by its number in [`Pickle`].
pub(super) type Id = u32;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// `None`, a truth value, a float, or an integer beyond 64 bits: nothing that is needed.
    Other,
    Int(i64),
    Text(&'a str),
    Tuple(Box<[Id]>),
    List(Vec<Id>),
    /// Keys and values, in turn.
    Dict(Vec<Id>),
    Class(&'static str),
    /// An instance of a class, and what it was built with.
    Instance {
        class: &'static str,
        state: Option<Id>,
    },
}

/// All values of a pickle.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
}

impl<'a> Pickle<'a> {
    /// Reads one; `class` says the name of an allowed class, by module and name.
    pub(super) fn read(
        bytes: &'a [u8],
        class: fn(&str, &str) -> Option<&'static str>,
    ) -> Result<Self, PickleError> {
        let mut machine = Machine {
            bytes,
            at: 0,
            class,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        loop {
            let at = machine.at;
            let opcode = machine.take::<1>(at)?[0];
            if opcode == b'.' {
                let root = machine.pop(at)?;
                return Ok(Self { values: machine.values, root });
            }
            machine.step(opcode, at)?;
        }
    }

    pub(super) const fn root(&self) -> Id {
        self.root
    }

    pub(super) fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id as usize]
    }

    /// The attribute of an instance that was built with a dictionary.
    pub(super) fn attribute(&self, id: Id, name: &str) -> Option<Id> {
        let Value::Instance { state: Some(state), .. } = self.value(id) else { return None };
        let Value::Dict(entries) = self.value(*state) else { return None };
        let found = entries
            .as_chunks::<2>()
            .0
            .iter()
            .find(|[key, _]| matches!(self.value(*key), Value::Text(text) if *text == name));
        found.map(|[_, value]| *value)
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    class: fn(&str, &str) -> Option<&'static str>,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    fn step(&mut self, opcode: u8, at: usize) -> Result<(), PickleError> {
        match opcode {
            // PROTO and FRAME say nothing that is needed.
            0x80 => self.take::<1>(at).map(drop),
            0x95 => self.take::<8>(at).map(drop),
            // NONE, NEWTRUE, NEWFALSE, BINFLOAT.
            b'N' | 0x88 | 0x89 => self.push(Value::Other, at),
            b'G' => {
                self.take::<8>(at)?;
                self.push(Value::Other, at)
            }
            b'K' | b'M' | b'J' | 0x8a => self.integer(opcode, at),
            0x8c | b'X' | 0x8d => self.text(opcode, at),
            b')' | 0x85..=0x87 | b't' => self.tuple(opcode, at),
            b']' => self.push(Value::List(Vec::new()), at),
            b'}' => self.push(Value::Dict(Vec::new()), at),
            b'(' => {
                self.marks.push(self.stack.len());
                self.within(self.marks.len(), STACK_MAX, at)
            }
            b'a' | b'e' | b's' | b'u' => self.extend(opcode, at),
            0x94 | b'q' | b'r' | b'h' | b'j' => self.remember(opcode, at),
            b'c' | 0x93 => self.global(opcode, at),
            0x81 | b'R' | b'b' => self.instance(opcode, at),
            b'0' => self.pop(at).map(drop),
            _ => Err(PickleError::Opcode { opcode, at }),
        }
    }

    /// BININT1, BININT2, BININT, LONG1.
    fn integer(&mut self, opcode: u8, at: usize) -> Result<(), PickleError> {
        let value = match opcode {
            b'K' => Value::Int(i64::from(self.take::<1>(at)?[0])),
            b'M' => Value::Int(i64::from(u16::from_le_bytes(self.take(at)?))),
            b'J' => Value::Int(i64::from(i32::from_le_bytes(self.take(at)?))),
            _ => {
                let length = usize::from(self.take::<1>(at)?[0]);
                long(self.slice(length, at)?).map_or(Value::Other, Value::Int)
            }
        };
        self.push(value, at)
    }

    /// SHORT_BINUNICODE, BINUNICODE, BINUNICODE8.
    fn text(&mut self, opcode: u8, at: usize) -> Result<(), PickleError> {
        let length = match opcode {
            0x8c => u64::from(self.take::<1>(at)?[0]),
            b'X' => u64::from(u32::from_le_bytes(self.take(at)?)),
            _ => u64::from_le_bytes(self.take(at)?),
        };
        let length = usize::try_from(length).map_err(|_| PickleError::Cut { at })?;
        let text = std::str::from_utf8(self.slice(length, at)?);
        // Python writes lone halves of surrogates too; a name of a file that has one is refused.
        self.push(Value::Text(text.map_err(|_| PickleError::Text { at })?), at)
    }

    /// EMPTY_TUPLE, TUPLE1 to TUPLE3, and TUPLE from the last mark on.
    fn tuple(&mut self, opcode: u8, at: usize) -> Result<(), PickleError> {
        let from = match opcode {
            b')' => Some(self.stack.len()),
            b't' => self.marks.pop(),
            _ => self.stack.len().checked_sub(usize::from(opcode - 0x84)),
        };
        let from = from.filter(|from| *from <= self.stack.len());
        let items = self.stack.split_off(from.ok_or(PickleError::Missing { at })?);
        self.push(Value::Tuple(items.into()), at)
    }

    /// APPEND and APPENDS to a list, SETITEM and SETITEMS to a dictionary.
    fn extend(&mut self, opcode: u8, at: usize) -> Result<(), PickleError> {
        let from = match opcode {
            b'a' => self.stack.len().checked_sub(1),
            b's' => self.stack.len().checked_sub(2),
            _ => self.marks.pop(),
        };
        let from = from.filter(|from| *from <= self.stack.len());
        let items = self.stack.split_off(from.ok_or(PickleError::Missing { at })?);
        let onto = *self.stack.last().ok_or(PickleError::Missing { at })?;
        match (opcode, &mut self.values[onto as usize]) {
            (b'a' | b'e', Value::List(kept)) | (b's' | b'u', Value::Dict(kept)) => {
                kept.extend(items);
                Ok(())
            }
            _ => Err(PickleError::Missing { at }),
        }
    }

    /// MEMOIZE, BINPUT, LONG_BINPUT; BINGET, LONG_BINGET.
    fn remember(&mut self, opcode: u8, at: usize) -> Result<(), PickleError> {
        let index = match opcode {
            0x94 => self.memo.len() as u32,
            b'q' | b'h' => u32::from(self.take::<1>(at)?[0]),
            _ => u32::from_le_bytes(self.take(at)?),
        };
        if matches!(opcode, b'h' | b'j') {
            let value = *self.memo.get(&index).ok_or(PickleError::Missing { at })?;
            self.stack.push(value);
            return self.within(self.stack.len(), STACK_MAX, at);
        }
        let top = *self.stack.last().ok_or(PickleError::Missing { at })?;
        self.memo.insert(index, top);
        self.within(self.memo.len(), VALUES_MAX, at)
    }

    /// GLOBAL with two lines, STACK_GLOBAL with two texts on the stack.
    fn global(&mut self, opcode: u8, at: usize) -> Result<(), PickleError> {
        let (module, name) = if opcode == b'c' {
            (self.line(at)?, self.line(at)?)
        } else {
            let (name, module) = (self.pop(at)?, self.pop(at)?);
            let text = |id: Id| match self.values[id as usize] {
                Value::Text(text) => Ok(text),
                _ => Err(PickleError::Missing { at }),
            };
            (text(module)?, text(name)?)
        };
        let Some(class) = (self.class)(module, name) else {
            let short = |text: &str| text.chars().filter(|c| !c.is_control()).take(60).collect();
            return Err(PickleError::Global { module: short(module), name: short(name), at });
        };
        self.push(Value::Class(class), at)
    }

    /// NEWOBJ and REDUCE make an instance of an allowed class with no arguments; BUILD gives it
    /// its state.
    fn instance(&mut self, opcode: u8, at: usize) -> Result<(), PickleError> {
        let argument = self.pop(at)?;
        let onto = *self.stack.last().ok_or(PickleError::Missing { at })?;
        if opcode == b'b' {
            let Value::Instance { state, .. } = &mut self.values[onto as usize] else {
                return Err(PickleError::Missing { at });
            };
            *state = Some(argument);
            return Ok(());
        }
        let without =
            matches!(&self.values[argument as usize], Value::Tuple(items) if items.is_empty());
        let class = match self.values[onto as usize] {
            Value::Class(class) if without => class,
            _ => return Err(PickleError::Missing { at }),
        };
        self.pop(at)?;
        self.push(Value::Instance { class, state: None }, at)
    }

    fn push(&mut self, value: Value<'a>, at: usize) -> Result<(), PickleError> {
        self.within(self.values.len(), VALUES_MAX, at)?;
        self.within(self.stack.len(), STACK_MAX, at)?;
        self.stack.push(self.values.len() as Id);
        self.values.push(value);
        Ok(())
    }

    fn pop(&mut self, at: usize) -> Result<Id, PickleError> {
        self.stack.pop().ok_or(PickleError::Missing { at })
    }

    fn within(&self, count: usize, max: usize, at: usize) -> Result<(), PickleError> {
        if count < max { Ok(()) } else { Err(PickleError::Full { at }) }
    }

    fn line(&mut self, at: usize) -> Result<&'a str, PickleError> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or(PickleError::Cut { at })?;
        let text = std::str::from_utf8(&rest[..length]).map_err(|_| PickleError::Text { at })?;
        self.at += length + 1;
        Ok(text)
    }

    fn take<const N: usize>(&mut self, at: usize) -> Result<[u8; N], PickleError> {
        let mut taken = [0; N];
        taken.copy_from_slice(self.slice(N, at)?);
        Ok(taken)
    }

    fn slice(&mut self, length: usize, at: usize) -> Result<&'a [u8], PickleError> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(PickleError::Cut { at })?;
        let slice = &self.bytes[self.at..end];
        self.at = end;
        Ok(slice)
    }
}

/// An integer of two's complement, the least byte first.
fn long(bytes: &[u8]) -> Option<i64> {
    let mut wide = [0; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    if bytes.last().is_some_and(|byte| byte & 0x80 != 0) {
        wide[bytes.len()..].fill(0xff);
    }
    Some(i64::from_le_bytes(wide))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Pickle<'_>, PickleError> {
        Pickle::read(bytes, |module, name| {
            (module == "tracemalloc" && name == "Snapshot").then_some("Snapshot")
        })
    }

    #[test]
    fn plain_values_are_read() {
        // pickle.dumps([(1, 300, -2, 2**40), 'a'], 4)
        let bytes =
            b"\x80\x04](\x28K\x01M\x2c\x01J\xfe\xff\xff\xff\x8a\x06\x00\x00\x00\x00\x00\x01t\
                      \x8c\x01ae.";
        let pickle = read(bytes).unwrap();
        let Value::List(items) = pickle.value(pickle.root()) else { panic!("{pickle:?}") };
        let Value::Tuple(numbers) = pickle.value(items[0]) else { panic!("{pickle:?}") };
        let numbers: Vec<_> = numbers.iter().map(|id| pickle.value(*id)).collect();
        assert_eq!(numbers, [1, 300, -2, 1 << 40].map(Value::Int).iter().collect::<Vec<_>>());
        assert_eq!(*pickle.value(items[1]), Value::Text("a"));
    }

    #[test]
    fn a_pickle_that_would_run_something_is_refused_and_named() {
        let check = |bytes: &[u8], want: &str| {
            let error = read(bytes).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        };
        // os.system('true'), by GLOBAL and by STACK_GLOBAL.
        check(b"\x80\x03cos\nsystem\nX\x04\0\0\0true\x85R.", "names os.system at byte 2");
        check(b"\x80\x04\x8c\x05posix\x8c\x06system\x93.", "names posix.system at byte 17");
        // INST, OBJ, EXT1, PERSID.
        for opcode in [b'i', b'o', 0x82, b'P'] {
            check(&[0x80, 4, opcode, 1], "at byte 2 is not of those");
        }
        // A class of ours, called with an argument.
        check(b"ctracemalloc\nSnapshot\nK\x01\x85R.", "takes a value that is not there");
    }

    #[test]
    fn what_is_cut_or_damaged_is_refused_where_it_is() {
        let check = |bytes: &[u8], want| assert_eq!(read(bytes).unwrap_err(), want);
        check(b"", PickleError::Cut { at: 0 });
        check(b"\x80\x04X\xff\xff\xff\xffa", PickleError::Cut { at: 2 });
        check(b"\x86.", PickleError::Missing { at: 0 });
        check(b"t.", PickleError::Missing { at: 0 });
        check(b"K\x01h\x05.", PickleError::Missing { at: 2 });
        check(b"K\x01K\x02a.", PickleError::Missing { at: 4 });
        check(b"(0e.", PickleError::Missing { at: 1 });
        check(b"K\x01(0t.", PickleError::Missing { at: 4 });
    }
}
