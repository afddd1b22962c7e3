//! Writes small dumps, record by record, so that a test can say what each holds.
//!
//! Not a model of a heap: what is written need not make sense, which is what it is for.

/// A value of a field.
#[derive(Clone, Copy)]
pub(crate) enum Value {
    Reference(u64),
    Int(u32),
}

use Value::{Int, Reference};

const SEGMENT: u8 = 0x1c;

/// A dump in the making. Objects go into a segment, which `end_segment` puts behind what is there.
pub(crate) struct Dump {
    width: usize,
    whole: Vec<u8>,
    segment: Vec<u8>,
    classes: u32,
    /// Where records of objects begin, in the segment that is open, and in the dump.
    begun: Vec<usize>,
    pub(crate) records: Vec<usize>,
}

/// A class to write.
pub(crate) struct Class<'a> {
    pub(crate) id: u64,
    pub(crate) name: &'a str,
    pub(crate) above: u64,
    pub(crate) statics: &'a [(&'a str, Value)],
    pub(crate) fields: &'a [(&'a str, Value)],
}

impl Dump {
    pub(crate) fn new(width: usize) -> Self {
        let mut whole = b"JAVA PROFILE 1.0.2\0".to_vec();
        whole.extend((width as u32).to_be_bytes());
        whole.extend([0; 8]);
        let (segment, begun, records) = (Vec::new(), Vec::new(), Vec::new());
        Self { width, whole, segment, classes: 0, begun, records }
    }

    fn id(&self, id: u64) -> Vec<u8> {
        id.to_be_bytes()[8 - self.width..].to_vec()
    }

    /// A record of the file itself.
    pub(crate) fn record(&mut self, tag: u8, body: &[u8]) -> &mut Self {
        self.whole.push(tag);
        self.whole.extend([0; 4]);
        self.whole.extend((body.len() as u32).to_be_bytes());
        self.whole.extend(body);
        self
    }

    /// A name; its id is made of the text, so that it need not be kept.
    pub(crate) fn name(&mut self, text: &str) -> u64 {
        let id = text.bytes().fold(7_u32, |id, byte| id.wrapping_mul(31).wrapping_add(byte.into()));
        let body = [self.id(id.into()), text.as_bytes().to_vec()].concat();
        self.record(0x01, &body);
        id.into()
    }

    /// A class with its name, its load, and its record among the objects.
    pub(crate) fn class(&mut self, class: &Class<'_>) -> &mut Self {
        let name = self.name(class.name);
        self.classes += 1;
        let serial = self.classes.to_be_bytes().to_vec();
        let load = [serial, self.id(class.id), vec![0; 4], self.id(name)].concat();
        self.record(0x02, &load);
        self.class_record(class)
    }

    /// The record among the objects alone.
    pub(crate) fn class_record(&mut self, class: &Class<'_>) -> &mut Self {
        let mut body = [self.id(class.id), vec![0; 4], self.id(class.above)].concat();
        body.extend(vec![0; self.width * 5 + 4 + 2]);
        body.extend((class.statics.len() as u16).to_be_bytes());
        for (name, value) in class.statics {
            body.extend(self.field(name, *value));
            body.extend(self.value(*value));
        }
        body.extend((class.fields.len() as u16).to_be_bytes());
        for (name, value) in class.fields {
            body.extend(self.field(name, *value));
        }
        self.object(0x20, &body)
    }

    fn field(&mut self, name: &str, value: Value) -> Vec<u8> {
        let name = self.name(name);
        let kind = match value {
            Reference(_) => 2,
            Int(_) => 10,
        };
        [self.id(name), vec![kind]].concat()
    }

    fn value(&self, value: Value) -> Vec<u8> {
        match value {
            Reference(target) => self.id(target),
            Int(number) => number.to_be_bytes().to_vec(),
        }
    }

    /// A record among the objects.
    pub(crate) fn object(&mut self, tag: u8, body: &[u8]) -> &mut Self {
        self.begun.push(self.segment.len());
        self.segment.push(tag);
        self.segment.extend(body);
        self
    }

    pub(crate) fn instance(&mut self, id: u64, class: u64, values: &[Value]) -> &mut Self {
        let fields: Vec<u8> = values.iter().flat_map(|value| self.value(*value)).collect();
        let length = (fields.len() as u32).to_be_bytes().to_vec();
        self.object(0x21, &[self.id(id), vec![0; 4], self.id(class), length, fields].concat())
    }

    pub(crate) fn references(&mut self, id: u64, class: u64, targets: &[u64]) -> &mut Self {
        let ids: Vec<u8> = targets.iter().flat_map(|target| self.id(*target)).collect();
        let length = (targets.len() as u32).to_be_bytes().to_vec();
        self.object(0x22, &[self.id(id), vec![0; 4], length, self.id(class), ids].concat())
    }

    pub(crate) fn bytes(&mut self, id: u64, values: &[u8]) -> &mut Self {
        self.lying_bytes(id, values.len() as u32, values)
    }

    /// An array of bytes that says to be of another length.
    pub(crate) fn lying_bytes(&mut self, id: u64, length: u32, values: &[u8]) -> &mut Self {
        let head = [self.id(id), vec![0; 4], length.to_be_bytes().to_vec(), vec![8]].concat();
        self.object(0x23, &[head, values.to_vec()].concat())
    }

    pub(crate) fn root(&mut self, tag: u8, id: u64, rest: &[u32]) -> &mut Self {
        let rest = rest.iter().flat_map(|number| number.to_be_bytes()).collect();
        self.object(tag, &[self.id(id), rest].concat())
    }

    pub(crate) fn end_segment(&mut self) -> &mut Self {
        self.end_segment_as(SEGMENT)
    }

    pub(crate) fn end_segment_as(&mut self, tag: u8) -> &mut Self {
        let begin = self.whole.len() + 9;
        self.records.extend(self.begun.drain(..).map(|at| begin + at));
        let segment = std::mem::take(&mut self.segment);
        self.record(tag, &segment)
    }

    /// With the record that says that this is all.
    pub(crate) fn end(&mut self) -> Vec<u8> {
        self.end_without_mark();
        self.record(0x2c, &[]).whole.clone()
    }

    /// As files before 1.0.2 end.
    pub(crate) fn end_without_mark(&mut self) -> Vec<u8> {
        if !self.segment.is_empty() {
            self.end_segment();
        }
        self.whole.clone()
    }
}

pub(crate) const OBJECT: u64 = 0x1000;
pub(crate) const CLASS: u64 = 0x1008;
pub(crate) const ARRAY: u64 = 0x1010;
pub(crate) const SESSION: u64 = 0x1018;
pub(crate) const STORE: u64 = 0x1020;
pub(crate) const TABLE: u64 = 0x2000;

const STATICS: &[(&str, Value)] = &[("SESSIONS", Reference(TABLE)), ("LIMIT", Int(7))];
const FIELDS: &[(&str, Value)] = &[("page", Reference(0)), ("number", Int(0))];

/// Classes of a small shop: its store has a static field with an array of sessions.
pub(crate) fn classes(dump: &mut Dump) {
    let plain = |id, name, above| Class { id, name, above, statics: &[], fields: &[] };
    dump.class(&plain(OBJECT, "java/lang/Object", 0));
    dump.class(&plain(CLASS, "java/lang/Class", OBJECT));
    dump.class(&plain(ARRAY, "[Ljava/lang/Object;", OBJECT));
    dump.class(&Class { fields: FIELDS, ..plain(SESSION, "com/shop/Session", OBJECT) });
    dump.class(&Class { statics: STATICS, ..plain(STORE, "com/shop/Store", OBJECT) });
    for class in [OBJECT, CLASS, STORE] {
        dump.root(0x05, class, &[]);
    }
}

/// Sessions with a page each, from an address on, and their table.
pub(crate) fn sessions(dump: &mut Dump, count: u64, page: &[u8], step: u64) {
    let session = |at: u64| TABLE + step * (1000 + 2 * at);
    let ids: Vec<u64> = (0..count).map(session).collect();
    dump.references(TABLE, ARRAY, &ids);
    for (number, id) in (0..).zip(&ids) {
        let values = [Reference(*id + step), Int(number)];
        dump.instance(*id, SESSION, &values).bytes(*id + step, page);
    }
}

/// The shop with some sessions.
pub(crate) fn shop(width: usize, count: u64, page: &[u8]) -> Dump {
    let mut dump = Dump::new(width);
    classes(&mut dump);
    dump.end_segment();
    sessions(&mut dump, count, page, 8);
    dump
}
