//! The way of an allocated value up its stack, to the field or variable that keeps it.
//!
//! Each frame of the program's own says what becomes of the value there (`flow`): while it goes back
//! to the caller, or into an object that is just being made, the caller is asked. Without the
//! source, the nearest own frame is all there is. Not here: how much was allocated.

mod clues;

use std::collections::HashMap;
use std::rc::Rc;

use super::evidence::{Wait, copies_below, copies_in, makes_the_same, opens_below};
use super::flow::{Goes, Step, received, sends_on};
use super::listing::{Language, Listing, place};
use super::suspects::Listings;
use super::{Frame, Profile, Whose};
use crate::faults::{Fault, tells_of_caches, tells_of_listeners};
use clues::unlimited_cache;

/// Frames of a stack that are walked. What keeps a value is near to where it was made.
const FRAMES_MAX: usize = 64;

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
    outside_each: Option<u64>,
}

/// Finds places, and remembers what each line says.
pub(super) struct Ways<'a> {
    profile: &'a Profile,
    listings: &'a Listings,
    steps: HashMap<u32, Option<Rc<Known>>>,
}

/// What a line says, and the library's cache that its function's results go into.
struct Known {
    step: Step,
    cached_as: Option<String>,
}

impl<'a> Ways<'a> {
    pub(super) fn new(profile: &'a Profile, listings: &'a Listings) -> Self {
        Self { profile, listings, steps: HashMap::new() }
    }

    /// The place that keeps what the stack of a node allocated.
    pub(super) fn place(&mut self, node: Option<u32>) -> Place {
        let frames = self.frames(node);
        let own: Vec<u32> =
            frames.iter().copied().filter(|frame| self.whose(*frame) == Whose::Own).collect();
        let Some(first) = own.first() else { return self.foreign(&frames) };
        let mut facts = Facts::default();
        for frame in frames.iter().take_while(|frame| *frame != first) {
            let function = self.profile.frame(*frame).function.unwrap_or_default();
            facts.is_opened |= opens_below(function);
            facts.is_copied |= copies_below(function);
        }
        let is_main = frames.last().is_none_or(|frame| {
            let function = self.profile.frame(*frame).function.unwrap_or_default();
            matches!(function, "runtime.main" | "main.main")
        });
        self.up(&own, &mut facts, is_main)
    }

    /// What a goroutine waits for, in the line of its nearest own frame.
    pub(super) fn waiting(&self, node: Option<u32>) -> Place {
        let frames = self.frames(node);
        let mut wait = None;
        for frame in frames {
            let about = self.profile.frame(frame);
            let function = about.function.unwrap_or_default();
            // The outer is the more telling: a mutex waits on a semaphore.
            wait = Wait::below(function).or(wait);
            if self.whose(frame) == Whose::Own {
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
                return Place { field, wait, fault, ..place };
            }
        }
        Place { wait, ..self.foreign(&[]) }
    }

    fn frames(&self, node: Option<u32>) -> Vec<u32> {
        let mut next = node;
        let mut frames = Vec::new();
        while let Some(node) = next.map(|node| self.profile.nodes[node as usize]) {
            frames.push(node.frame);
            next = node.caller.filter(|_| frames.len() < FRAMES_MAX);
        }
        frames
    }

    fn whose(&self, frame: u32) -> Whose {
        Whose::of(&self.profile.frame(frame))
    }

    /// The nearest frame that is not the language's, where none is the program's own.
    fn foreign(&self, frames: &[u32]) -> Place {
        let dependency = frames.iter().find(|frame| self.whose(**frame) == Whose::Dependency);
        let frame = dependency.or_else(|| frames.first());
        let place = frame.map(|frame| self.bare(&self.profile.frame(*frame)));
        let place = place.unwrap_or_else(|| self.bare(&Frame::default_of(0)));
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
        let about = self.profile.frame(frame);
        let known = self.listing(&about).and_then(|listing| {
            let step = Step::of(listing, about.line)?;
            let cached_as = unlimited_cache(listing, &step);
            // Another version of the source has another function there.
            is_in(about.function, &step.function.name).then_some(Known { step, cached_as })
        });
        let known = known.map(Rc::new);
        self.steps.insert(frame, known.clone());
        known
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
        self.is_opened |= step.is_opened;
        self.outside_each = self.outside_each.or(step.outside_each);
        self.is_copied |= copies_in(&step.made_by)
            || callee.is_some_and(|callee| makes_the_same(&step.made_by, &callee.function.name));
    }
}

/// Everything about the frame at which a value comes to rest.
struct Told<'a> {
    step: &'a Step,
    listing: &'a Listing,
    frame: &'a Frame<'a>,
    facts: &'a Facts,
    is_main: bool,
}

impl Told<'_> {
    fn place(&self, here: Place) -> Place {
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
            Goes::Sent(path) => {
                Place { field: last(path), fault: blocked, read_at: self.read_at(), ..here }
            }
            Goes::Goroutine(channel) => {
                Place { field: channel.clone(), fault: blocked, read_at: self.read_at(), ..here }
            }
            // A goroutine whose function did not return holds what is in its variables.
            Goes::Stays(_) if self.listing.language == Language::Go && !self.is_main => {
                let field = self.listing.waits(self.step.function.first, self.step.function.last);
                let read_at = field.as_ref().and_then(|(_, line)| at(self.frame, *line));
                Place { field: field.map(|(name, _)| name), fault: blocked, read_at, ..here }
            }
            Goes::Stays(name) => {
                let (field, is_single) = (Some(name.clone()), !self.facts.is_telling());
                Place { field, is_single, read_at: self.read_at(), ..here }.with(self.facts)
            }
            Goes::Back | Goes::Dropped(_) | Goes::Unknown => here.with(self.facts),
        }
    }

    /// An object that is made and kept by nobody, and is alive all the same.
    fn cycle(&self, made: &str, here: Place) -> Option<Place> {
        let (field, line) = self.listing.cycle(made)?;
        let (field, read_at) = (Some(field), at(self.frame, line));
        let fault = Some(Fault::ReferenceCycle);
        Some(Place { owner: made.to_owned(), field, fault, read_at, ..here })
    }

    fn read_at(&self) -> Option<(String, u32)> {
        at(self.frame, self.step.line)
    }

    /// The holder of a way that ends in a field.
    fn kept(&self, path: &[String], fault: Option<Fault>, here: Place) -> Place {
        let (root, function) = (&path[0], &self.step.function);
        let of_object = function.receiver.as_ref() == Some(root);
        let of_class = root == "cls" || self.listing.class_lines(root).is_some();
        let owner = match self.listing.language {
            Language::Go => here.owner.clone(),
            Language::Python if of_class && root != "cls" => root.clone(),
            Language::Python => function.class.clone().unwrap_or_else(|| function.name.clone()),
        };
        let is_shared = |one: &super::listing::Parameter| one.name == *root && one.is_shared;
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
        if self.listing.is_thread_local(&path[0]) {
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
        } else if self.facts.is_copied {
            Fault::Duplicates
        } else {
            Fault::Collection
        }
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
