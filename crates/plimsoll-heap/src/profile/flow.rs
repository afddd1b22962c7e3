//! Where a value goes that a line of a function makes: back to the caller, into a collection, into a
//! field, to another goroutine; as far as the lines of that one function tell.
//!
//! A heuristic over text: it follows names from statement to statement and takes the strongest
//! thing that happens to them. It does not know types, aliases, or which branch ran. Not here: the
//! way up a stack (`ways`).

mod body;

use super::evidence;
use super::listing::{
    Function, Language, Listing, Statement, Target, assignment, call, mentions, place,
};
pub(super) use body::Body;

/// Local names that are followed from one to the next.
const NAMES_MAX: usize = 6;

/// What becomes of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Goes {
    /// To whoever called.
    Back,
    /// Into a collection; the way to it, from the outermost name in.
    Into(Vec<String>),
    /// Into one field, or a variable that is none of the function's own.
    Field(Vec<String>),
    /// Into a chain of objects; the way to the end of it that is kept.
    Chain(Vec<String>),
    /// Over a channel.
    Sent(Vec<String>),
    /// Into a goroutine that begins here; what it waits for, if that is a channel.
    Goroutine(Option<String>),
    /// No further than a name of the function's own.
    Stays(String),
    /// The line calls this and keeps nothing of it.
    Dropped(String),
    Unknown,
}

/// What the lines of one function tell of a value.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) function: Function,
    pub(super) goes: Goes,
    /// The line that says where it goes.
    pub(super) line: u32,
    /// The statement that makes the value.
    pub(super) made_by: String,
    /// Whether what is kept is a function, and the value something that it captured.
    pub(super) in_function: bool,
    /// Whether it has to be closed, or is kept with what has to be.
    pub(super) is_opened: bool,
    /// Whether the function itself sees to the closing.
    pub(super) is_closed: bool,
    /// Whether the line that says where it goes is in a loop.
    pub(super) in_loop: bool,
    /// Bytes outside of the heap that the line takes each time; 0 where it does not tell how many.
    pub(super) outside_each: Option<u64>,
}

impl Step {
    /// What becomes of the value that the line makes; `None` where the function has no such line.
    pub(super) fn of(listing: &Listing, body: &Body, line: u32) -> Option<Self> {
        let holds = |one: &&Statement| (one.first..=one.last).contains(&line);
        // Literals of functions come behind what they are part of: the last is the innermost.
        let own = body.statements.iter().rfind(holds)?;
        let scope = Scope { body };
        let (goes, line) = scope.end_of(scope.made(own), own);
        let kept = body.statements.iter().rposition(|one| one.first == line);
        let kept_value = kept.map_or("", |at| body.value(at));
        let keeps_opened = body.opened.iter().any(|name| mentions(kept_value, name));
        let is_kept = matches!(goes, Goes::Into(_) | Goes::Field(_));
        let is_closed = body.closes_what_it_opens(own, listing);
        let opens = !is_closed && evidence::opens_in(&own.text, body.language);
        let kept_text = kept.map_or("", |at| body.statements[at].text.as_str());
        let in_function = matches!(goes, Goes::Into(_)) && is_function(kept_text);
        Some(Self {
            function: body.function.clone(),
            goes,
            line,
            made_by: own.text.clone(),
            in_function,
            is_opened: is_kept && keeps_opened || opens,
            is_closed,
            in_loop: in_loop(listing, body.function.first, line),
            outside_each: evidence::outside_bytes(&own.text),
        })
    }
}

struct Scope<'a> {
    body: &'a Body,
}

impl Scope<'_> {
    /// Where a statement puts what it makes, without following names.
    fn made(&self, statement: &Statement) -> Goes {
        let text = statement.text.trim_end_matches(';');
        let word = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).next();
        if matches!(word, Some("return" | "yield")) {
            return Goes::Back;
        }
        if let Some((channel, _)) = sent(text).filter(|_| self.body.language == Language::Go) {
            return Goes::Sent(channel.path);
        }
        if let Some((targets, value)) = assignment(text, self.body.language) {
            return self.assigned(&targets, value);
        }
        let Some((callee, _)) = call(text) else { return Goes::Unknown };
        if let Some(collection) = self.added_to(&callee) {
            return Goes::Into(collection);
        }
        match callee.as_slice() {
            // What is called fills itself, as a builder of texts does.
            [name, _] if self.body.is_local(name) && !self.body.is_parameter(name) => {
                Goes::Stays(name.clone())
            }
            [.., name] => Goes::Dropped(name.clone()),
            [] => Goes::Unknown,
        }
    }

    fn assigned(&self, targets: &[&str], value: &str) -> Goes {
        let places: Vec<Target> = targets.iter().filter_map(|target| place(target)).collect();
        let fields = places.iter().find(|place| place.is_indexed || place.path.len() > 1);
        let is_bound = |place: &&Target| !matches!(place.path[0].as_str(), "_" | "err" | "ok");
        let Some(target) = fields.or_else(|| places.iter().find(is_bound)) else {
            return Goes::Unknown;
        };
        let appends = value.strip_prefix("append(").and_then(|rest| rest.split(',').next());
        let appends = appends.and_then(place).is_some_and(|first| first.path == target.path);
        let path = target.path.clone();
        match path.as_slice() {
            [name] if self.body.is_local(name) && !target.is_indexed => Goes::Stays(name.clone()),
            _ if target.is_indexed || appends => Goes::Into(path),
            _ => Goes::Field(path),
        }
    }

    /// The collection that a method adds to.
    fn added_to(&self, callee: &[String]) -> Option<Vec<String>> {
        const PYTHON: [&str; 10] = [
            "append",
            "appendleft",
            "add",
            "insert",
            "extend",
            "setdefault",
            "put",
            "push",
            "update",
            "register",
        ];
        const GO: [&str; 6] = ["Store", "LoadOrStore", "PushBack", "PushFront", "Swap", "Append"];
        let (method, collection) = callee.split_last()?;
        let methods: &[&str] = match self.body.language {
            Language::Go => &GO,
            Language::Python => &PYTHON,
        };
        (methods.contains(&method.as_str()) && !collection.is_empty()).then(|| collection.to_vec())
    }

    /// Follows names of the function's own until a value is somewhere, and says in which line.
    fn end_of(&self, goes: Goes, from: &Statement) -> (Goes, u32) {
        let (mut goes, mut line) = (goes, from.first);
        let mut followed: Vec<String> = Vec::new();
        while followed.len() < NAMES_MAX {
            let name = match &goes {
                Goes::Stays(name) => name.clone(),
                Goes::Into(path) | Goes::Field(path) | Goes::Chain(path)
                    if self.body.is_local(&path[0]) && !self.body.is_parameter(&path[0]) =>
                {
                    path[0].clone()
                }
                Goes::Field(path) => {
                    let at = self.body.statements.iter().position(|one| one.first == line);
                    let value = at.map_or("", |at| self.body.value(at));
                    let chain = self.chain(path, value);
                    return (chain.map_or_else(|| goes.clone(), Goes::Chain), line);
                }
                Goes::Back
                | Goes::Into(_)
                | Goes::Chain(_)
                | Goes::Sent(_)
                | Goes::Goroutine(_)
                | Goes::Dropped(_)
                | Goes::Unknown => break,
            };
            if followed.contains(&name) {
                break;
            }
            let Some((next, at)) = self.strongest(&name, line) else { break };
            followed.push(name);
            (goes, line) = (next, at);
        }
        (goes, line)
    }

    /// The strongest thing that happens to a name, but for the line that it comes from.
    fn strongest(&self, name: &str, from: u32) -> Option<(Goes, u32)> {
        let mut found: Option<(u8, Goes, u32)> = None;
        for (at, statement) in self.body.statements.iter().enumerate() {
            if statement.first == from {
                continue;
            }
            let Some(goes) = self.use_of(name, at) else { continue };
            let rank = self.rank(&goes);
            if found.as_ref().is_none_or(|(best, ..)| rank > *best) {
                found = Some((rank, goes, statement.first));
            }
        }
        found.map(|(_, goes, line)| (goes, line))
    }

    fn rank(&self, goes: &Goes) -> u8 {
        match goes {
            Goes::Into(path)
                if !self.body.is_local(&path[0]) || self.body.is_parameter(&path[0]) =>
            {
                7
            }
            Goes::Chain(_) => 6,
            Goes::Field(path)
                if !self.body.is_local(&path[0]) || self.body.is_parameter(&path[0]) =>
            {
                5
            }
            Goes::Back => 4,
            Goes::Sent(_) => 3,
            Goes::Goroutine(_) => 2,
            Goes::Into(_) | Goes::Field(_) | Goes::Stays(_) => 1,
            Goes::Dropped(_) | Goes::Unknown => 0,
        }
    }

    /// What a statement does with a name, if it keeps it anywhere.
    fn use_of(&self, name: &str, at: usize) -> Option<Goes> {
        let value = self.body.value(at);
        if !mentions(value, name) {
            return None;
        }
        let statement = &self.body.statements[at];
        let text = &statement.text;
        if !is_function(text) && !mentions_whole(value, name) {
            return None;
        }
        if self.body.language == Language::Go && text.starts_with("go ") {
            return Some(Goes::Goroutine(received(text)));
        }
        match self.made(statement) {
            Goes::Stays(other) if other == name => None,
            Goes::Dropped(_) | Goes::Unknown => None,
            Goes::Field(path) => match self.chain(&path, value) {
                Some(end) => Some(Goes::Chain(end)),
                None => Some(Goes::Field(path)),
            },
            goes => Some(goes),
        }
    }

    /// A chain is known by its links: `list.last.next = link` and then `list.last = link`, or
    /// `link.next = list.first` and then `list.first = link`. Where both ends are kept, the one that
    /// stays where it is holds everything.
    fn chain(&self, path: &[String], value: &str) -> Option<Vec<String>> {
        let assigned = &self.body.assigned;
        let moves_on = |end: &[String]| assigned.iter().any(|(target, _)| target == end);
        let tail = match path {
            // `list.last.next = link`
            [.., _, _, _] if moves_on(&path[..path.len() - 1]) => &path[..path.len() - 1],
            // `list.last = link`, beside `list.last.next = link`
            [_, _]
                if assigned.iter().any(|(target, _)| {
                    target.len() == path.len() + 1 && target.starts_with(path)
                }) =>
            {
                path
            }
            [_, _] => {
                // `list.first = link`, beside `link.next = list.first`
                let links = |(target, of): &(Vec<String>, Option<Vec<String>>)| {
                    of.as_deref() == Some(path) && target.len() == 2 && target[0] == value
                };
                return assigned.iter().any(links).then(|| path.to_vec());
            }
            _ => return None,
        };
        let (owner, last) = tail.split_at(tail.len() - 1);
        let other = |target: &Vec<String>| {
            target.len() == tail.len()
                && target.starts_with(owner)
                && target[owner.len()] != last[0]
        };
        let same_value = |of: &Option<Vec<String>>| {
            of.as_ref().is_some_and(|of| of.len() == 1 && of[0] == value)
        };
        let head = assigned.iter().find(|(target, of)| other(target) && same_value(of));
        Some(head.map_or_else(|| tail.to_vec(), |(target, _)| target.clone()))
    }
}

/// Whether a line stands in a loop of the function that begins in another one. Loops are told by
/// how far lines are set in.
fn in_loop(listing: &Listing, first: u32, line: u32) -> bool {
    let set_in = |text: &str| text.len() - text.trim_start().len();
    let mut inside = set_in(listing.line(line));
    (first + 1..line).rev().map(|at| listing.line(at)).any(|text| {
        let is_outer = !text.is_empty() && set_in(text) < inside;
        if is_outer {
            inside = set_in(text);
        }
        let head = text.trim_start();
        is_outer && (head.starts_with("for ") || head.starts_with("while "))
    })
}

fn is_function(text: &str) -> bool {
    text.contains("func(") || text.contains("lambda ") || text.contains("lambda:")
}

/// Whether more of a name is used than how long it is.
fn mentions_whole(text: &str, name: &str) -> bool {
    const MEASURES: [&str; 4] = ["len(", "cap(", "range ", "str("];
    let mut text = text.to_owned();
    for measure in MEASURES {
        text = text.replace(&format!("{measure}{name}"), "");
    }
    mentions(&text, name)
}

/// `channel <- value`
fn sent(text: &str) -> Option<(Target, &str)> {
    let (channel, value) = text.split_once(" <- ")?;
    let channel = channel.trim_start_matches("case ").trim();
    Some((place(channel)?, value.trim_end_matches(':')))
}

/// What a line receives from, or ranges over: `<-waiting.Done()` is `waiting`.
pub(super) fn received(text: &str) -> Option<String> {
    let from = match text.split_once("<-") {
        Some((before, from)) if !before.ends_with("chan") => from,
        Some(_) | None => text.split_once("range ")?.1,
    };
    let end = from.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'));
    let mut names: Vec<&str> = from[..end.unwrap_or(from.len())].trim().split('.').collect();
    // `Done` is how a context is asked for its channel.
    if end.is_some_and(|end| from[end..].starts_with('(')) && names.len() > 1 {
        names.pop();
    }
    names.last().map(|name| (*name).to_owned()).filter(|name| !name.is_empty())
}

/// The channel that a line sends on.
pub(super) fn sends_on(text: &str) -> Option<String> {
    sent(text)?.0.path.pop()
}

#[cfg(test)]
mod tests;
