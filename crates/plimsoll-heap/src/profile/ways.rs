//! The way of an allocated value up its stack, to the field or variable that keeps it.
//!
//! Each frame of the program's own says what becomes of the value there (`flow`): while it goes back
//! to the caller, or into an object that is just being made, the caller is asked. Without the
//! source, the nearest own frame is all there is. Not here: how much was allocated.

mod clues;
mod told;

use std::collections::HashMap;
use std::rc::Rc;

use super::evidence::{Wait, copies_below, copies_in, makes_the_same, opens_below};
use super::flow::{Body, Goes, Step, received, sends_on};
use super::listing::{Listing, place};
use super::nearest::Nearest;
use super::suspects::Listings;
use super::{Frame, NameId, Profile};
use crate::faults::Fault;
use clues::unlimited_cache;
use told::Told;

/// Frames of a stack that are walked. What keeps a value is near to where it was made.
const FRAMES_MAX: usize = 64;

/// Bytes of source that are looked at for one profile, each as often as it is: a few seconds. Those
/// of real programs need a hundredth; behind it the nearest own frame is all there is.
const LOOKS_MAX: u64 = 2 << 30;

/// Of a line, about, where a function is looked for and turns out to be another one.
const LINE_BYTES: u64 = 64;

/// Who keeps what is allocated below a stack, as far as can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// A function, or a class of Python.
    pub(super) owner: String,
    pub(super) field: Option<String>,
    pub(super) is_static: bool,
    pub(super) fault: Option<Fault>,
    /// The file and the line that named the field.
    pub(super) read_at: Option<(String, u32)>,
    /// Bytes outside of the heap that come with each object; 0 where some do and nobody knows.
    pub(super) outside_each: Option<u64>,
    pub(super) wait: Option<Wait>,
    /// Whether a frame of the program's own was found.
    pub(super) is_own: bool,
    /// Whether the source says that one variable or field holds it, and no collection.
    pub(super) is_single: bool,
}

/// What was learned on the way.
#[derive(Clone, Default)]
struct Facts {
    is_opened: bool,
    is_copied: bool,
    /// Whether a line makes the same each time, which only tells where it is kept each time.
    is_same: bool,
    outside_each: Option<u64>,
}

/// Finds places, and remembers what each line says.
pub(super) struct Ways<'a> {
    profile: &'a Profile,
    listings: &'a Listings,
    nearest: &'a Nearest,
    steps: HashMap<u32, Option<Rc<Known>>>,
    /// By file and first line.
    bodies: HashMap<(NameId, u32), Rc<Body>>,
    looks_left: u64,
}

/// What a line says, and the library's cache that its function's results go into.
struct Known {
    step: Step,
    cached_as: Option<String>,
}

impl<'a> Ways<'a> {
    pub(super) fn new(profile: &'a Profile, listings: &'a Listings, nearest: &'a Nearest) -> Self {
        Self {
            profile,
            listings,
            nearest,
            steps: HashMap::new(),
            bodies: HashMap::new(),
            looks_left: LOOKS_MAX,
        }
    }

    /// The place that keeps what the stack of a node allocated.
    pub(super) fn place(&mut self, node: Option<u32>) -> Place {
        let Some(node) = node else { return self.foreign(None) };
        let Some(first) = self.nearest.own(node) else { return self.foreign(Some(node)) };
        let mut facts = Facts::default();
        let below = self.callers(node).take_while(|at| *at != first).take(FRAMES_MAX);
        for at in below {
            let function = self.frame(at).function.unwrap_or_default();
            facts.is_copied |= copies_below(function);
            // What a library opens for its own ends it closes as well: `os.ReadFile` does.
            let is_called = self.profile.nodes[at as usize].caller == Some(first);
            facts.is_opened = is_called && opens_below(function);
        }
        let next = |at: &u32| {
            let caller = self.profile.nodes[*at as usize].caller?;
            self.nearest.own(caller)
        };
        let own = std::iter::successors(Some(first), next).take(FRAMES_MAX);
        let own: Vec<u32> = own.map(|at| self.profile.nodes[at as usize].frame).collect();
        self.up(&own, &mut facts, self.nearest.in_main(node))
    }

    /// What a goroutine waits for, in the line of its nearest own frame.
    pub(super) fn waiting(&self, node: Option<u32>) -> Place {
        let wait = node.and_then(|node| self.nearest.wait(node));
        let Some(own) = node.and_then(|node| self.nearest.own(node)) else {
            return Place { wait, ..self.foreign(node) };
        };
        let about = self.frame(own);
        let line = self.listing(&about).map(|listing| listing.line(about.line).trim());
        let field = line.and_then(|line| match wait? {
            Wait::Send => sends_on(line),
            Wait::Receive => received(line),
            Wait::Lock => before_call(line, &[".Lock(", ".RLock("]),
            Wait::Group => before_call(line, &[".Wait("]),
            Wait::Select => None,
        });
        let mut place = self.bare(&about);
        place.read_at = field.as_ref().and_then(|_| at(&about, about.line));
        let fault = wait.map(|_| Fault::BlockedGoroutine);
        Place { field, wait, fault, ..place }
    }

    /// A node, and those that called it.
    fn callers(&self, node: u32) -> impl Iterator<Item = u32> {
        std::iter::successors(Some(node), |at| self.profile.nodes[*at as usize].caller)
    }

    fn frame(&self, node: u32) -> Frame<'a> {
        self.profile.frame(self.profile.nodes[node as usize].frame)
    }

    /// The nearest frame that is not the language's, where none is the program's own.
    fn foreign(&self, node: Option<u32>) -> Place {
        let frame = node.map(|node| self.frame(self.nearest.place(node)));
        let place = self.bare(&frame.unwrap_or(Frame::default_of(0)));
        Place { is_own: false, ..place }
    }

    fn bare(&self, frame: &Frame<'_>) -> Place {
        Place {
            owner: owner(frame),
            field: None,
            is_static: false,
            fault: None,
            read_at: None,
            outside_each: None,
            wait: None,
            is_own: true,
            is_single: false,
        }
    }

    fn listing(&self, frame: &Frame<'_>) -> Option<&'a Listing> {
        self.listings.get(frame.file?)
    }

    fn known(&mut self, frame: u32) -> Option<Rc<Known>> {
        if let Some(known) = self.steps.get(&frame) {
            return known.clone();
        }
        let known = self.read(frame).map(Rc::new);
        self.steps.insert(frame, known.clone());
        known
    }

    fn read(&mut self, frame: u32) -> Option<Known> {
        let about = self.profile.frame(frame);
        let listing = self.listing(&about)?;
        let first = listing.function_start(about.line)?;
        let file = self.profile.frames[frame as usize].file?;
        let known = self.bodies.get(&(file, first)).cloned();
        let body = match known {
            Some(body) => body,
            None => {
                let function = listing.function(first).filter(|_| self.looks_left > 0)?;
                let lines = u64::from(function.last.saturating_sub(function.first));
                self.looks_left = self.looks_left.saturating_sub(lines * LINE_BYTES);
                // Another version of the source has another function there.
                let body = is_in(about.function, &function.name)
                    .then(|| Rc::new(Body::of(listing, function)))?;
                self.bodies.insert((file, first), Rc::clone(&body));
                body
            }
        };
        self.looks_left = self.looks_left.saturating_sub(body.cost);
        let is_here = about.line <= body.function.last
            && is_in(about.function, &body.function.name)
            && self.looks_left > 0;
        let step = is_here.then(|| Step::of(listing, &body, about.line))??;
        let cached_as = unlimited_cache(listing, &step);
        Some(Known { step, cached_as })
    }

    fn up(&mut self, own: &[u32], facts: &mut Facts, is_main: bool) -> Place {
        let mut callee: Option<Rc<Known>> = None;
        let mut nearest = self.bare(&self.profile.frame(own[0]));
        for frame in own {
            let about = self.profile.frame(*frame);
            let (Some(known), Some(listing)) = (self.known(*frame), self.listing(&about)) else {
                break;
            };
            let step = &known.step;
            facts.learn(step, callee.as_ref().map(|callee| &callee.step));
            let mut here = self.bare(&about);
            if about.function.is_none() {
                here.owner = step.function.full_name();
            }
            if callee.is_none() {
                nearest = here.clone();
            }
            if let Some(name) = known.cached_as.clone() {
                let read_at = at(&about, step.function.first);
                let (owner, field) = (step.function.name.clone(), Some(name));
                return Place { owner, field, fault: Some(Fault::Cache), read_at, ..here };
            }
            let told = Told { step, listing, frame: &about, facts, is_main };
            match (&step.goes, &callee) {
                (Goes::Back, _) => {}
                (Goes::Field(path), _) if is_of_new_object(step, path) => {
                    nearest = told.kept(path, None, here);
                }
                (Goes::Dropped(made), Some(callee)) => {
                    let is_made = callee.step.function.is_constructor();
                    let cycle = is_made.then(|| told.cycle(made, here)).flatten();
                    return cycle.unwrap_or_else(|| nearest.with(facts));
                }
                (Goes::Dropped(_) | Goes::Unknown, _) => return nearest.with(facts),
                _ => return told.place(here),
            }
            callee = Some(known);
        }
        nearest.with(facts)
    }
}

impl Place {
    /// What the stack alone tells.
    fn with(self, facts: &Facts) -> Self {
        let fault = match facts {
            Facts { is_opened: true, .. } => Some(Fault::Unclosed),
            Facts { outside_each: Some(_), .. } => Some(Fault::OffHeap),
            Facts { is_copied: true, .. } => Some(Fault::Duplicates),
            Facts { .. } => self.fault,
        };
        Self { fault, outside_each: facts.outside_each, ..self }
    }
}

impl Facts {
    /// Whether they make a mistake likely, whoever keeps the value.
    const fn is_telling(&self) -> bool {
        self.is_opened || self.is_copied || self.outside_each.is_some()
    }

    fn learn(&mut self, step: &Step, callee: Option<&Step>) {
        let is_nearest = callee.is_none();
        self.is_opened = step.is_opened || self.is_opened && !(is_nearest && step.is_closed);
        // A line further out takes it once for everything that is allocated below it.
        self.outside_each = self.outside_each.or_else(|| step.outside_each.filter(|_| is_nearest));
        self.is_copied |= copies_in(&step.made_by);
        self.is_same |=
            callee.is_some_and(|callee| makes_the_same(&step.made_by, &callee.function.name));
    }
}

/// An object that is being made goes to whoever makes it, with its fields.
fn is_of_new_object(step: &Step, path: &[String]) -> bool {
    step.function.is_constructor() && step.function.receiver.as_ref() == path.first()
}

fn before_call(line: &str, calls: &[&str]) -> Option<String> {
    let (before, _) = calls.iter().find_map(|call| line.split_once(call))?;
    let target = before.rsplit(|c: char| c.is_whitespace()).next()?;
    place(target)?.path.pop()
}

fn at(frame: &Frame<'_>, line: u32) -> Option<(String, u32)> {
    Some((frame.file?.to_owned(), line))
}

/// Whether a frame of Go is in this function, or in a literal inside of it. Python's have no names.
fn is_in(frame: Option<&str>, function: &str) -> bool {
    let Some(frame) = frame else { return true };
    let local = frame.rsplit('/').next().unwrap_or_default();
    local.split('.').any(|part| part.split('[').next() == Some(function))
}

/// A function without the literals inside of it, or the file and line where no function is known.
fn owner(frame: &Frame<'_>) -> String {
    match (frame.function, frame.file) {
        (Some(function), _) => without_literals(function).to_owned(),
        (None, Some(file)) => {
            format!("{}:{}", file.rsplit('/').next().unwrap_or(file), frame.line)
        }
        (None, None) => {
            let module = frame.module.and_then(|module| module.rsplit('/').next());
            format!("{}+{:#x}", module.unwrap_or("?"), frame.address)
        }
    }
}

/// `main.remind.func1.2` is in `main.remind`.
fn without_literals(function: &str) -> &str {
    let Some((start, _)) = function.split_once(".func") else { return function };
    let rest = &function[start.len() + ".func".len()..];
    if rest.starts_with(|c: char| c.is_ascii_digit()) { start } else { function }
}

impl Frame<'_> {
    const fn default_of(address: u64) -> Self {
        Self { function: None, file: None, line: 0, module: None, address }
    }
}

#[cfg(test)]
mod tests;
