//! The statements of one function, taken apart once for all of its lines that a profile has.
//!
//! A hostile source has functions of half a thousand lines, and a profile asks for each line; what
//! is the same for all of them is found here. Not here: where a value goes (`flow`).

use std::collections::HashSet;
use std::ops::Range;

use super::super::evidence;
use super::super::listing::{
    Function, Language, Listing, Statement, assignment, call, place, uses,
};
use super::{NAMES_MAX, sent};

/// Names in one function that stand for what has to be closed.
const OPENED_MAX: usize = 16;

/// A function, taken apart.
#[derive(Debug)]
pub(in crate::profile) struct Body {
    pub(in crate::profile) function: Function,
    pub(super) language: Language,
    pub(super) statements: Vec<Statement>,
    /// Of each statement, what it puts somewhere or calls something with.
    values: Vec<Range<usize>>,
    /// Names that its lines declare.
    declared: HashSet<String>,
    /// The first target of each assignment, and the way that is assigned, if it is one.
    pub(super) assigned: Vec<(Vec<String>, Option<Vec<String>>)>,
    /// Names that stand for what has to be closed, and that the function does not itself close.
    pub(super) opened: Vec<String>,
    /// How far the statements of the function itself are set in.
    indent: usize,
    /// What it takes at most to follow one of its values, in bytes that are looked at.
    pub(in crate::profile) cost: u64,
}

impl Body {
    pub(in crate::profile) fn of(listing: &Listing, function: Function) -> Self {
        let language = listing.language;
        let statements = listing.statements(function.first, function.last);
        let bytes: usize = statements.iter().map(|one| one.text.len()).sum();
        let count = statements.len();
        let assigned = statements.iter().filter_map(|one| {
            let (targets, value) = assignment(&one.text, language)?;
            let path = place(targets.first()?)?.path;
            Some((path, place(value).map(|value| value.path)))
        });
        let set_in = |number: u32| {
            let line = listing.line(number);
            line.len() - line.trim_start().len()
        };
        let first = statements.iter().find(|one| one.first > function.first);
        let mut body = Self {
            language,
            values: statements.iter().map(|one| value_range(&one.text, language)).collect(),
            declared: declared(&statements, language),
            assigned: assigned.collect(),
            opened: Vec::new(),
            indent: first.map_or(0, |one| set_in(one.first)),
            cost: ((NAMES_MAX + 1) * (bytes + count * count)) as u64,
            function,
            statements,
        };
        body.opened = body.open_names(&set_in);
        body
    }

    pub(super) fn value(&self, at: usize) -> &str {
        &self.statements[at].text[self.values[at].clone()]
    }

    pub(super) fn is_parameter(&self, name: &str) -> bool {
        let receiver = self.function.receiver.as_deref() == Some(name);
        receiver || self.function.parameters.iter().any(|one| one.name == name)
    }

    /// Whether a name is the function's own: a parameter, or declared by one of its lines.
    pub(super) fn is_local(&self, name: &str) -> bool {
        self.is_parameter(name) || self.declared.contains(name)
    }

    fn open_names(&self, set_in: &impl Fn(u32) -> usize) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for statement in &self.statements {
            let Some((targets, value)) = assignment(&statement.text, self.language) else {
                continue;
            };
            // A reader around a file has to be closed; what was read has not.
            let wraps = |name: &String| {
                let given = uses(value, name).any(|after| !after.starts_with('.'));
                let callee = value.split('(').next().unwrap_or_default().rsplit('.').next();
                given && callee.is_some_and(|callee| callee.starts_with("New"))
            };
            if evidence::opens_in(value, self.language) || names.iter().any(wraps) {
                let targets = targets.iter().filter_map(|target| place(target));
                let targets = targets.map(|target| target.path.join("."));
                names.extend(targets.filter(|name| !self.closes(name, set_in)));
                names.truncate(OPENED_MAX);
            }
        }
        names
    }

    /// Whether the function closes what a name stands for, whatever happens in it.
    fn closes(&self, name: &str, set_in: &impl Fn(u32) -> usize) -> bool {
        let closing = match self.language {
            Language::Go => format!("{name}.Close("),
            Language::Python => format!("{name}.close("),
        };
        self.statements.iter().any(|one| {
            let with = one.text.strip_prefix("async ").unwrap_or(&one.text).strip_prefix("with ");
            let with = with.and_then(|text| text.rsplit_once(" as "));
            let with = with.is_some_and(|(_, of)| of.trim_end_matches(':').trim() == name);
            let deferred = one.text.strip_prefix("defer ");
            let deferred = deferred.is_some_and(|what| {
                what.starts_with(&closing) || what.starts_with("func()") && what.contains(&closing)
            });
            with || deferred || one.text.starts_with(&closing) && set_in(one.first) == self.indent
        })
    }

    /// Whether what a statement opens is closed by the function itself.
    pub(super) fn closes_what_it_opens(&self, statement: &Statement, listing: &Listing) -> bool {
        let text = statement.text.as_str();
        let set_in = |number: u32| {
            let line = listing.line(number);
            line.len() - line.trim_start().len()
        };
        let targets = assignment(text, self.language).map(|(targets, _)| targets);
        let places = targets.unwrap_or_default().into_iter().filter_map(place);
        let mut names = places.map(|target| target.path.join("."));
        text.starts_with("with ")
            || text.starts_with("async with ")
            || names.any(|name| self.closes(&name, &set_in))
    }
}

/// What a statement puts somewhere, or calls something with; all of it where it is neither.
fn value_range(text: &str, language: Language) -> Range<usize> {
    let range = |value: &str| {
        let start = value.as_ptr() as usize - text.as_ptr() as usize;
        start..start + value.len()
    };
    if let Some((_, value)) = sent(text).filter(|_| language == Language::Go) {
        return range(value);
    }
    if let Some((_, value)) = assignment(text, language) {
        return range(value);
    }
    call(text).map_or(0..text.len(), |(_, arguments)| range(arguments))
}

fn declared(statements: &[Statement], language: Language) -> HashSet<String> {
    let mut names: HashSet<String> = HashSet::new();
    for text in statements.iter().map(|one| one.text.as_str()) {
        if language == Language::Go {
            let var = text.strip_prefix("var ").and_then(|text| text.split([' ', '=', ',']).next());
            names.extend(var.map(str::to_owned));
            if !text.contains(":=") {
                continue;
            }
        }
        let targets = assignment(text, language).map(|(targets, _)| targets);
        names.extend(targets.unwrap_or_default().into_iter().map(str::to_owned));
    }
    if language == Language::Python {
        for global in statements.iter().filter_map(|one| one.text.strip_prefix("global ")) {
            for name in global.split(',') {
                names.remove(name.trim());
            }
        }
    }
    names
}
