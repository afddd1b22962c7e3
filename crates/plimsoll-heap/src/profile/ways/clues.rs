//! What a source file says beside the lines of a stack: what a name of the module is, how a class
//! links its objects, whether the library keeps a function's results.
//!
//! As all reading of sources here: text, no types, and no answer where it is not plain.

use super::super::flow::{Goes, Step, received, sends_on};
use super::super::listing::{
    Language, Listing, assignment, caches_without_limit, mentions, place, uses,
};

impl Listing {
    /// The field by which objects of a class keep what is given themselves to keep, and the line
    /// that says so: they refer to each other.
    pub(super) fn cycle(&self, class: &str) -> Option<(String, u32)> {
        let (first, last) = self.class_lines(class)?;
        self.statements(first, last).iter().find_map(|one| {
            let (targets, value) = assignment(&one.text, self.language)?;
            let path = place(targets.first()?)?.path;
            let [root, field, ..] = path.as_slice() else { return None };
            // `self.widget = Widget(self)`, or `self.widget.page = self`
            let is_given = value.contains('(')
                && mentions(value, "self")
                && uses(value, "self").any(|after| !after.starts_with('.'));
            let is_put = path.len() > 2 && value == "self";
            (root == "self" && (is_given || is_put)).then(|| (field.clone(), one.first))
        })
    }

    /// The field that a class sets together with one end of a chain: the other end of it.
    pub(super) fn other_end(&self, class: &str, end: &str) -> Option<String> {
        let (first, last) = self.class_lines(class)?;
        let field = |text: &str| {
            let path = place(text)?.path;
            (path.len() == 2).then(|| path[1].clone())
        };
        self.statements(first, last).iter().find_map(|one| {
            let (targets, value) = assignment(&one.text, self.language)?;
            let mut set: Vec<String> = targets.into_iter().filter_map(field).collect();
            // `self.first = self.last = Link()`, or `self.first = self.last`
            set.extend(field(value));
            let together = set.len() > 1 && set.iter().any(|one| one == end);
            together.then(|| set.into_iter().find(|one| one != end))?
        })
    }

    /// What a function waits for on a channel, by its lines.
    pub(super) fn waits(&self, first: u32, last: u32) -> Option<(String, u32)> {
        let head = self.line(first);
        (first + 1..=last).find_map(|number| {
            let line = self.line(number).trim();
            let name = received(line).or_else(|| sends_on(line))?;
            let is_channel = line.contains("<-")
                || ["chan ", "<-chan "].iter().any(|kind| head.contains(&format!("{name} {kind}")));
            is_channel.then_some((name, number))
        })
    }
}

/// Decorators of one function that are looked at.
const DECORATORS_MAX: usize = 16;

/// The name under which results of a function are kept without a limit, by the library.
pub(super) fn unlimited_cache(listing: &Listing, step: &Step) -> Option<String> {
    if listing.language != Language::Python || step.goes != Goes::Back {
        return None;
    }
    let function = &step.function;
    let above = (1..function.first).rev().take(DECORATORS_MAX);
    let mut above = above.map_while(|number| listing.line(number).trim().strip_prefix('@'));
    if above.any(caches_without_limit) {
        return Some(function.name.clone());
    }
    listing.module().kept_results(&function.name).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::super::flow::Body;
    use super::*;

    fn python(source: &str) -> Listing {
        Listing::read("a.py", source).unwrap()
    }

    #[test]
    fn results_that_the_library_keeps_are_told_by_the_name_that_they_are_asked_by() {
        let check = |source: &str, line, want: Option<&str>| {
            let listing = python(source);
            let body = Body::of(&listing, listing.function_at(line).unwrap());
            let step = Step::of(&listing, &body, line).unwrap();
            assert_eq!(unlimited_cache(&listing, &step).as_deref(), want, "{source}");
        };
        let body = "def f(n):\n    return bytes(n)\n";
        check(&format!("@app.route\n@functools.cache\n{body}"), 4, Some("f"));
        check(&format!("@lru_cache(maxsize=10)\n{body}"), 3, None);
        let given =
            format!("{body}few = lru_cache(maxsize=9)(f)\nall = lru_cache(maxsize=None)(f)\n");
        check(&given, 2, Some("all"));
        check(body, 2, None);
    }

    #[test]
    fn a_class_tells_how_its_objects_hang_together() {
        let listing = python(
            "import threading\nHERE = threading.local()\nclass A:\n    def __init__(self, of):\n\
             \x20       self.of = of\n        self.part = Part(self, 3)\n        self.n = f(self.of)\n\
             class L:\n    def __init__(self):\n        self.first = self.last = None\n",
        );
        assert!(listing.module().is_thread_local("HERE") && !listing.module().is_thread_local("A"));
        assert_eq!(listing.cycle("A"), Some(("part".into(), 6)));
        assert_eq!(listing.cycle("L"), None);
        assert_eq!(listing.other_end("L", "last").as_deref(), Some("first"));
        assert_eq!(listing.other_end("A", "part"), None);
    }
}
