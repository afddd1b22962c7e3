//! A heap as those see it who look for what holds memory: types with a role, references with a
//! name. One shape for every runtime whose heap is a graph.

use std::borrow::Cow;
use std::io;

use crate::dominators::Dominators;
use crate::faults::Fault;
use crate::graph::Graph;
use crate::hprof::Survey;

/// What a type is to someone who looks for an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Part of a collection or a wrapper: it holds, and owns nothing. A hash table's entries.
    Plumbing,
    /// A text, number or buffer: it says nothing of who it belongs to.
    Value,
    /// A class with its static fields, or a scope with its variables.
    Scope,
    Thread,
    /// What classes are loaded by.
    Loader,
    /// Anything else: objects of the program.
    Object,
}

/// How one node refers to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// A field of an object, by the class that declares it.
    Field { name: String, class: String },
    /// A static field, or a variable of a scope.
    Static(String),
    /// An element of an array.
    Element(u64),
    /// A local variable in a frame of a thread.
    Local { frame: String },
    /// Something that the program did not name, as a class its loader.
    Hidden(&'static str),
}

impl Label {
    /// The name that the program gave, if it gave one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Field { name, .. } | Self::Static(name) => Some(name),
            Self::Element(_) | Self::Local { .. } | Self::Hidden(_) => None,
        }
    }
}

/// A heap that can be asked.
pub trait Shape: Sync {
    fn graph(&self) -> &Graph;

    fn dominators(&self) -> &Dominators;

    /// Types have numbers below this.
    fn types(&self) -> usize;

    fn type_name(&self, number: u32) -> &str;

    fn role(&self, number: u32) -> Role;

    /// Whether the program's authors wrote the type of a node, or the class that it is, as far as
    /// its name tells: not the language's library, nor a widespread one.
    fn is_own(&self, node: u32) -> bool;

    /// Whether a type is that of functions, which hold what they captured.
    fn is_function(&self, type_name: &str) -> bool;

    /// What a node is called: a class by its own name, everything else by its type's.
    fn node_name(&self, node: u32) -> Cow<'_, str>;

    /// How nodes refer to each other, in the order of the question; None where they do not.
    ///
    /// # Errors
    /// When the dump has to be read again and cannot be.
    fn labels(&self, references: &[(u32, u32)]) -> io::Result<Vec<Option<Label>>>;

    /// Why a node is alive whoever refers to it, in words; None if it is not so.
    fn root(&self, node: u32) -> Option<&'static str>;

    /// The name of the static field or variable by which a scope refers to a node, where it is known
    /// without reading the dump again.
    fn static_name(&self, scope: u32, node: u32) -> Option<Cow<'_, str>>;

    /// Whether a thread holds a node by a running method: work that is going on.
    fn is_in_flight(&self, thread: u32, node: u32) -> bool;

    /// What else the dump tells: memory outside of the heap, the same data many times. None of formats
    /// that do not tell, and where it was not asked.
    fn survey(&self) -> Option<&Survey>;

    /// The type of objects that own memory outside of the heap, where that is not in the heap's own
    /// sizes.
    fn buffer_type(&self) -> Option<&'static str>;

    /// What a node refers to without keeping it alive, if it does.
    fn weak_target(&self, from: u32) -> Option<u32>;

    /// Whether a reference does not keep its target alive.
    fn is_weak(&self, from: u32, to: u32) -> bool {
        self.weak_target(from) == Some(to)
    }

    /// Whether what objects of a type hold is work that is going on.
    fn is_work(&self, _type_number: u32) -> bool {
        false
    }

    /// What kind of mistake much of a type is, or much in a collection of this type.
    fn tells(&self, _type_number: u32) -> Option<Fault> {
        None
    }

    /// Whether objects of a type are the program itself, as its modules and its code are: many of them
    /// are no mistake.
    fn is_program(&self, _type_number: u32) -> bool {
        false
    }

    /// Whether an object has no class, so that nothing but the way to it has a name.
    fn is_nameless(&self, _node: u32) -> bool {
        false
    }

    /// The role of a node's type.
    fn role_of(&self, node: u32) -> Role {
        self.graph().types.get(node as usize).map_or(Role::Object, |kind| self.role(*kind))
    }
}
