//! A dump as a shape: roles of its types, and names of its references, for which it is read again.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;

use super::classes::Class;
use super::record::{ClassDump, Kind, Root, Visitor};
use super::window::id;
use super::{Hprof, HprofError, RootKind, Survey, index, roles};
use crate::by_id::ById;
use crate::class_name::{Origin, origin};
use crate::dominators::Dominators;
use crate::graph::Graph;
use crate::shape::{Label, Role, Shape};
use crate::source::{Hands, Progress, Source};

/// A dump with the bytes that it came from.
#[expect(missing_debug_implementations, reason = "what the caller gives has none")]
#[derive(Clone, Copy)]
pub struct HprofShape<'a> {
    pub hprof: &'a Hprof,
    pub source: &'a dyn Source,
    pub hands: &'a dyn Hands,
    pub progress: &'a dyn Progress,
}

/// Where one object refers to another, as the first place of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Bytes from the first field.
    Field(u32),
    Element(u64),
}

/// Looks for references from the objects of the question.
struct Looker<'a> {
    hprof: &'a Hprof,
    /// By address of who refers: addresses that are asked for.
    wanted: &'a ById<Vec<u64>>,
    found: HashMap<(u64, u64), Place>,
    array: Option<(u64, u64)>,
}

impl Looker<'_> {
    fn note(&mut self, from: u64, to: u64, place: Place) {
        let known = self.found.entry((from, to)).or_insert(place);
        *known = place.min(*known);
    }

    fn elements<const W: usize>(&mut self, ids: &[u8]) {
        let Some((from, mut at)) = self.array else { return };
        let wanted = &self.wanted[&from];
        for bytes in ids.chunks_exact(W) {
            let to = id::<W>(bytes);
            if wanted.contains(&to) {
                let known = self.found.entry((from, to)).or_insert(Place::Element(at));
                *known = Place::Element(at).min(*known);
            }
            at += 1;
        }
        self.array = Some((from, at));
    }
}

impl Visitor for Looker<'_> {
    #[inline]
    fn instance(&mut self, from: u64, class: u64, fields: &[u8]) {
        let Some(wanted) = self.wanted.get(&from) else { return };
        let Some(class) = self.hprof.classes.find(class) else { return };
        let width = self.hprof.top.id_size as usize;
        for at in &self.hprof.classes.of(class).references {
            let Some(bytes) = fields.get(*at as usize..*at as usize + width) else { return };
            let to = if width == 4 { id::<4>(bytes) } else { id::<8>(bytes) };
            if wanted.contains(&to) {
                self.note(from, to, Place::Field(*at));
            }
        }
    }

    fn array_begins(&mut self, from: u64, _: u64, _: u32) {
        self.array = self.wanted.contains_key(&from).then_some((from, 0));
    }

    fn array_part(&mut self, ids: &[u8]) {
        match self.hprof.top.id_size {
            4 => self.elements::<4>(ids),
            _ => self.elements::<8>(ids),
        }
    }

    fn array_ends(&mut self) {
        self.array = None;
    }

    fn primitives(&mut self, _: u64, _: Kind, _: u32) {}

    fn class(&mut self, _: ClassDump) {}

    fn root(&mut self, _: Root) {}
}

impl Hprof {
    /// The class that an object stands for.
    fn class_at(&self, address: u64) -> Option<&Class> {
        self.classes.find(address).map(|number| self.classes.of(number))
    }

    /// How a class refers to something, which its own record says.
    fn label_of_class(&self, class: &Class, to: u64) -> Option<Label> {
        let dump = &class.dump;
        let field = dump.statics.iter().find(|(_, target)| *target == to);
        if let Some((name, _)) = field {
            return Some(Label::Static(self.name(*name)));
        }
        let [signers, domain, resolved, other] = dump.others;
        let hidden = [
            (dump.loader, "class loader"),
            (dump.above, "superclass"),
            (signers, "signers"),
            (domain, "protection domain"),
            (resolved, "resolved references"),
            (other, "resolved references"),
        ];
        let known = hidden.iter().find(|(target, _)| *target == to);
        known.map(|(_, name)| Label::Hidden(name)).or_else(|| {
            let constant = dump.constants.iter().any(|(_, target)| *target == to);
            constant.then_some(Label::Hidden("constant"))
        })
    }

    fn name(&self, id: u64) -> String {
        self.top.names.get(id).map_or_else(|| format!("name 0x{id:x}"), Cow::into_owned)
    }

    /// A local variable, a class, or what the object's record said.
    fn label(&self, (from, to): (u32, u32), found: Option<Place>) -> Option<Label> {
        let address = self.addresses.address(from)?;
        if let Some(class) = self.class_at(address)
            && let Some(label) = self.label_of_class(class, self.addresses.address(to)?)
        {
            return Some(label);
        }
        let number = *self.graph.types.get(from as usize)?;
        match found {
            Some(Place::Element(at)) => Some(Label::Element(at)),
            Some(Place::Field(at)) => self.field(number, at),
            None => self.local(from, to).or_else(|| {
                let class = self.classes.of(number).dump.id;
                (class == self.addresses.address(to)?).then_some(Label::Hidden("class"))
            }),
        }
    }

    /// The field at a place in an instance.
    fn field(&self, class: u32, place: u32) -> Option<Label> {
        let wide = u64::from(self.top.id_size);
        let mut at = 0;
        for class in self.classes.line(class) {
            for (name, kind) in &class.dump.fields {
                if at == u64::from(place) {
                    return Some(Label::Field {
                        name: self.name(*name),
                        class: class.name.clone(),
                    });
                }
                at += kind.width(wide);
            }
        }
        None
    }

    fn local(&self, from: u32, to: u32) -> Option<Label> {
        let thread = self.threads.iter().find(|thread| thread.node == from)?;
        let (frame, _) = thread.locals.iter().find(|(_, local)| *local == to)?;
        let frame = self.frame(thread.stack, *frame).unwrap_or_else(|| "unknown frame".into());
        Some(Label::Local { frame })
    }

    /// A frame of a stack as `Class.method (File.java:12)`.
    fn frame(&self, stack: u32, frame: u32) -> Option<String> {
        let frames = self.top.stacks.get(&stack)?;
        let frame = self.top.frames.get(frames.get(frame as usize)?)?;
        let class = self.top.class_serials.get(&frame.class_serial);
        let class = class.and_then(|class| self.top.class_name(*class)).unwrap_or_default();
        let method = self.name(frame.method);
        let file = self.top.names.get(frame.file);
        Some(match file.filter(|_| frame.line > 0) {
            Some(file) => format!("{class}.{method} ({file}:{})", frame.line),
            None => format!("{class}.{method}"),
        })
    }
}

impl Shape for HprofShape<'_> {
    fn graph(&self) -> &Graph {
        &self.hprof.graph
    }

    fn dominators(&self) -> &Dominators {
        &self.hprof.dominators
    }

    fn types(&self) -> usize {
        self.hprof.classes.all.len()
    }

    fn type_name(&self, number: u32) -> &str {
        &self.hprof.classes.of(number).name
    }

    fn role(&self, number: u32) -> Role {
        roles::role(self.hprof.classes.line(number).map(|class| class.name.as_str()))
    }

    fn is_own(&self, node: u32) -> bool {
        let name = self.node_name(node);
        origin(name.strip_prefix("class ").unwrap_or(&name)) == Origin::Application
    }

    fn is_function(&self, type_name: &str) -> bool {
        type_name.contains("$$Lambda")
    }

    fn node_name(&self, node: u32) -> Cow<'_, str> {
        let class = self.hprof.addresses.address(node);
        match class.and_then(|address| self.hprof.class_at(address)) {
            Some(class) => Cow::Owned(format!("class {}", class.name)),
            None => Cow::Borrowed(self.hprof.type_name(node)),
        }
    }

    fn labels(&self, references: &[(u32, u32)]) -> io::Result<Vec<Option<Label>>> {
        let addresses = &self.hprof.addresses;
        let at = |node: u32| addresses.address(node).unwrap_or(0);
        let mut wanted: ById<Vec<u64>> = ById::default();
        for (from, to) in references {
            wanted.entry(at(*from)).or_default().push(at(*to));
        }
        let begin =
            |_| Looker { hprof: self.hprof, wanted: &wanted, found: HashMap::new(), array: None };
        let told = (self.progress, "reading names of references");
        let begin_part = |looker: &mut Looker<'_>| looker.array = None;
        let top = &self.hprof.top;
        let lookers = index::read(self.source, top, self.hands, told, begin, begin_part);
        let (lookers, _) = lookers.map_err(unreadable)?;
        let place = |(from, to): (u32, u32)| {
            let found = lookers.iter().filter_map(|looker| looker.found.get(&(at(from), at(to))));
            found.min().copied()
        };
        let label = |reference: &(u32, u32)| self.hprof.label(*reference, place(*reference));
        Ok(references.iter().map(label).collect())
    }

    fn root(&self, node: u32) -> Option<&'static str> {
        let kinds = &self.hprof.root_kinds;
        let at = kinds.binary_search_by_key(&node, |(root, _)| *root).ok()?;
        Some(words(kinds[at].1))
    }

    fn static_name(&self, scope: u32, node: u32) -> Option<Cow<'_, str>> {
        let class = self.hprof.class_at(self.hprof.addresses.address(scope)?)?;
        let to = self.hprof.addresses.address(node)?;
        let (name, _) = class.dump.statics.iter().find(|(_, target)| *target == to)?;
        self.hprof.top.names.get(*name)
    }

    fn is_in_flight(&self, thread: u32, node: u32) -> bool {
        let thread = self.hprof.threads.iter().find(|one| one.node == thread);
        thread.is_some_and(|thread| thread.locals.iter().any(|(_, local)| *local == node))
    }

    fn survey(&self) -> Option<&Survey> {
        self.hprof.survey()
    }

    fn buffer_type(&self) -> Option<&'static str> {
        Some("java.nio.DirectByteBuffer")
    }

    fn weak_target(&self, from: u32) -> Option<u32> {
        let weak = &self.hprof.weak;
        let at = weak.binary_search_by_key(&from, |(from, _)| *from).ok()?;
        Some(weak[at].1)
    }
}

fn unreadable(error: HprofError) -> io::Error {
    match error {
        HprofError::Unreadable(error) => error,
        other => io::Error::other(other),
    }
}

/// Why something is alive that no object refers to.
const fn words(kind: RootKind) -> &'static str {
    match kind {
        RootKind::Thread => "a running thread",
        RootKind::Frame => "a variable of a running method",
        RootKind::JniGlobal => "a global reference of native code",
        RootKind::JniLocal => "a local reference of native code",
        RootKind::SystemClass => "a class of the JVM",
        RootKind::Monitor => "a lock that is held",
        RootKind::NativeStack => "the native stack of a thread",
        RootKind::ThreadBlock => "a thread that waits",
        RootKind::Finalizing => "the queue of finalizers",
        RootKind::ReferenceCleanup => "the clean-up of references",
        RootKind::InternedString => "the table of interned strings",
        RootKind::Debugger => "a debugger",
        RootKind::Runtime => "the runtime itself",
        RootKind::Unknown => "a root of an unknown kind",
    }
}
