//! The place at which a value comes to rest, by what the line says that puts it there.
//!
//! Not here: the way up to that line (`ways`).

use super::super::Frame;
use super::super::flow::{Goes, Step};
use super::super::listing::{Function, Language, Listing, Parameter};
use super::{Facts, Place, at};
use crate::faults::{Fault, tells_of_caches, tells_of_listeners};

/// Everything about the frame at which a value comes to rest.
pub(super) struct Told<'a> {
    pub(super) step: &'a Step,
    pub(super) listing: &'a Listing,
    pub(super) frame: &'a Frame<'a>,
    pub(super) facts: &'a Facts,
    pub(super) is_main: bool,
}

impl Told<'_> {
    pub(super) fn place(&self, here: Place) -> Place {
        let blocked = Some(Fault::BlockedGoroutine);
        let last = |path: &[String]| path.last().cloned();
        match &self.step.goes {
            Goes::Into(path) => self.kept(path, Some(self.collection(path)), here),
            Goes::Chain(path) => {
                let other_end = match (path.as_slice(), &self.step.function.class) {
                    ([_, end], Some(class)) => self.listing.other_end(class, end),
                    _ => None,
                };
                let head: Vec<String> = match other_end {
                    Some(head) => vec![path[0].clone(), head],
                    None => path.clone(),
                };
                self.kept(&head, Some(Fault::Chain), here)
            }
            Goes::Field(path) => {
                Place { is_single: !self.facts.is_telling(), ..self.kept(path, None, here) }
            }
            // What is sent again and again is received: somebody behind the channel keeps it.
            Goes::Sent(_) if self.step.in_loop => here.with(self.facts),
            Goes::Sent(path) => {
                Place { field: last(path), fault: blocked, read_at: self.read_at(), ..here }
            }
            Goes::Goroutine(Some(channel)) => {
                let field = Some(channel.clone());
                Place { field, fault: blocked, read_at: self.read_at(), ..here }
            }
            Goes::Goroutine(None) => {
                Place { is_single: !self.facts.is_telling(), ..here }.with(self.facts)
            }
            Goes::Stays(name) => match self.awaited() {
                // A goroutine whose function did not return holds what is in its variables.
                Some((field, line)) => {
                    let read_at = at(self.frame, line);
                    Place { field: Some(field), fault: blocked, read_at, ..here }
                }
                None => {
                    let (field, is_single) = (Some(name.clone()), !self.facts.is_telling());
                    Place { field, is_single, read_at: self.read_at(), ..here }.with(self.facts)
                }
            },
            Goes::Back | Goes::Dropped(_) | Goes::Unknown => here.with(self.facts),
        }
    }

    /// The channel that a function waits for, and the line; none in the main goroutine, which waits
    /// for as long as the program runs.
    fn awaited(&self) -> Option<(String, u32)> {
        let may_wait = self.listing.language == Language::Go && !self.is_main;
        let Function { first, last, .. } = self.step.function;
        self.listing.waits(first, last).filter(|_| may_wait)
    }

    /// An object that is made and kept by nobody, and is alive all the same.
    pub(super) fn cycle(&self, made: &str, here: Place) -> Option<Place> {
        let (field, line) = self.listing.cycle(made)?;
        let (field, read_at) = (Some(field), at(self.frame, line));
        let fault = Some(Fault::ReferenceCycle);
        Some(Place { owner: made.to_owned(), field, fault, read_at, ..here })
    }

    fn read_at(&self) -> Option<(String, u32)> {
        at(self.frame, self.step.line)
    }

    /// The holder of a way that ends in a field.
    pub(super) fn kept(&self, path: &[String], fault: Option<Fault>, here: Place) -> Place {
        let (root, function) = (&path[0], &self.step.function);
        let of_object = function.receiver.as_ref() == Some(root);
        let of_class = root == "cls" || self.listing.class_lines(root).is_some();
        let owner = match self.listing.language {
            Language::Go => here.owner.clone(),
            Language::Python if of_class && root != "cls" => root.clone(),
            Language::Python => function.class.clone().unwrap_or_else(|| function.name.clone()),
        };
        let is_shared = |one: &Parameter| one.name == *root && one.is_shared;
        let is_default = function.parameters.iter().any(is_shared);
        let is_parameter = function.parameters.iter().any(|one| one.name == *root);
        let is_static = of_class || is_default || path.len() == 1 && !of_object && !is_parameter;
        let fault = match fault {
            Some(Fault::Collection) if is_static => Some(Fault::StaticCollection),
            other => other,
        };
        let (field, read_at) = (path.last().cloned(), self.read_at());
        let outside_each = self.facts.outside_each;
        Place { owner, field, is_static, fault, read_at, outside_each, ..here }
    }

    /// What kind of mistake a collection would be that never gives anything back.
    fn collection(&self, path: &[String]) -> Fault {
        let name = path.last().map_or("", String::as_str);
        if self.listing.module().is_thread_local(&path[0]) {
            Fault::ThreadLocal
        } else if self.facts.is_opened {
            Fault::Unclosed
        } else if self.facts.outside_each.is_some() {
            Fault::OffHeap
        } else if tells_of_listeners(name) {
            Fault::Listener
        } else if tells_of_caches(name) {
            Fault::Cache
        } else if self.step.in_function {
            Fault::Closure
        } else if self.facts.is_copied || self.facts.is_same {
            Fault::Duplicates
        } else {
            Fault::Collection
        }
    }
}
