//! The function around a line: its name, whose it is, and its parameters.

use super::{Language, Listing};

/// Lines above a line in which its function begins; longer functions are generated.
const LINES_MAX: u32 = 500;

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::profile) struct Parameter {
    pub(in crate::profile) name: String,
    /// Whether its default is one collection for all calls.
    pub(in crate::profile) is_shared: bool,
}

/// A function of a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::profile) struct Function {
    pub(in crate::profile) name: String,
    /// The class that it stands in, or the type that it is a method of.
    pub(in crate::profile) class: Option<String>,
    /// What the object is called in it: Go lets its authors choose.
    pub(in crate::profile) receiver: Option<String>,
    pub(in crate::profile) parameters: Vec<Parameter>,
    /// Lines, from 1.
    pub(in crate::profile) first: u32,
    pub(in crate::profile) last: u32,
}

impl Function {
    /// With its class, as `Store.add`.
    pub(in crate::profile) fn full_name(&self) -> String {
        self.class.as_ref().map_or_else(|| self.name.clone(), |of| format!("{of}.{}", self.name))
    }

    /// Whether it makes the object that it is called on.
    pub(in crate::profile) fn is_constructor(&self) -> bool {
        matches!(&*self.name, "__init__" | "__new__" | "__post_init__")
    }
}

impl Listing {
    /// The function that a line stands in, the innermost of them in Python.
    pub(in crate::profile) fn function_at(&self, line: u32) -> Option<Function> {
        self.function(self.function_start(line)?)
    }

    /// The line in which the function begins that a line stands in.
    pub(in crate::profile) fn function_start(&self, line: u32) -> Option<u32> {
        if self.language == Language::Python {
            let above = std::iter::successors(self.statement_start(line), |at| self.outer(*at));
            let mut near = above.skip(1).take_while(|at| line - at <= LINES_MAX);
            return near.find(|at| is_def(self.line(*at).trim_start()));
        }
        let above = (line.saturating_sub(LINES_MAX).max(1)..=line).rev();
        let mut above = above.take_while(|at| *at == line || self.line(*at) != "}");
        above.find(|at| self.line(*at).starts_with("func "))
    }

    /// The function that begins in a line.
    pub(in crate::profile) fn function(&self, first: u32) -> Option<Function> {
        match self.language {
            Language::Go => self.go_function(first),
            Language::Python => self.python_function(first),
        }
    }

    /// Code is taken as `gofmt` leaves it: functions begin and end at the margin.
    fn go_function(&self, first: u32) -> Option<Function> {
        let mut below = first..first + LINES_MAX;
        let last = if self.line(first).ends_with('}') {
            first
        } else {
            below.find(|at| self.line(*at) == "}")?
        };
        let head = self.line(first).strip_prefix("func ")?;
        let (receiver, class, head) = match head.strip_prefix('(') {
            Some(method) => {
                let (of, head) = method.split_once(')')?;
                let (name, kind) = of.split_once(' ').unwrap_or(("", of));
                let kind = kind.trim().trim_start_matches('*').split('[').next()?;
                (Some(name.to_owned()), Some(kind.to_owned()), head.trim_start())
            }
            None => (None, None, head),
        };
        let (name, rest) = head.split_at(head.find(['(', '['])?);
        let inside = rest.split_once('(').map_or("", |(_, inside)| inside);
        let parameters = inside.split(')').next().unwrap_or_default().split(',');
        let parameters = parameters.filter_map(|one| one.split_whitespace().next());
        let parameter = |name: &str| Parameter { name: name.to_owned(), is_shared: false };
        let parameters = parameters.map(parameter).collect();
        Some(Function { name: name.to_owned(), class, receiver, parameters, first, last })
    }

    /// Blocks are told by how far they are set in.
    fn python_function(&self, first: u32) -> Option<Function> {
        let inside = self.indent(first)?;
        let of = self.statement(first, first + LINES_MAX);
        let head = of.text.trim_start_matches("async ").strip_prefix("def ")?;
        let (name, _) = head.split_once('(')?;
        let last = self.end_of_block(of.last, inside);
        let parameters = super::argument_lists(&of.text, name).next();
        let parameters = parameters.unwrap_or_default().into_iter().map(parameter).collect();
        let class = self.class_around(first);
        let receiver = class.as_ref().map(|_| "self".to_owned());
        Some(Function { name: name.to_owned(), class, receiver, parameters, first, last })
    }

    /// The lines of a class of Python, from 1.
    pub(in crate::profile) fn class_lines(&self, class: &str) -> Option<(u32, u32)> {
        let first = self.module().class(class)?;
        Some((first, self.end_of_block(first, self.indent(first)?)))
    }

    fn class_around(&self, line: u32) -> Option<String> {
        let text = self.line(self.outer(line)?).trim_start();
        let name = text.strip_prefix("class ")?.split(['(', ':', '[']).next()?;
        Some(name.trim().to_owned())
    }

    /// Continuation lines may be set in less than what they continue.
    fn statement_start(&self, line: u32) -> Option<u32> {
        (line.saturating_sub(20).max(1)..=line).rev().find(|at| {
            let text = self.line(*at).trim_start();
            !text.is_empty() && !text.starts_with([')', ']', '}', '.'])
        })
    }

    fn end_of_block(&self, head: u32, indent: usize) -> u32 {
        let end = self.line_count().min(head.saturating_add(LINES_MAX));
        let mut line = head + 1;
        while line <= end && self.indent(line).is_none_or(|of| of > indent) {
            // Continuation lines may be set in less than what they continue.
            line = self.statement(line, end).last + 1;
        }
        line - 1
    }

    /// Characters before the first one; `None` for an empty line.
    fn indent(&self, line: u32) -> Option<usize> {
        let text = self.line(line);
        (!text.is_empty()).then(|| text.len() - text.trim_start().len())
    }
}

fn is_def(text: &str) -> bool {
    text.starts_with("def ") || text.starts_with("async def ")
}

/// `name: type = default`
fn parameter(text: &str) -> Parameter {
    const SHARED: [&str; 6] = ["[]", "{}", "list()", "dict()", "set()", "defaultdict("];
    let name = text.split([':', '=']).next().unwrap_or_default().trim().trim_start_matches('*');
    let default = text.split_once('=').map_or("", |(_, default)| default.trim());
    let is_shared = SHARED.iter().any(|start| default.starts_with(start));
    Parameter { name: name.to_owned(), is_shared }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_around_a_line_of_go_is_found() {
        let source = "func (r *Registry[K]) login(user int, name string) {\n\tr.a()\n}\n\nvar x = 1\n\
                      func f[T any](t T) {\n\tg(func() {\n\t\th()\n\t})\n}\n";
        let listing = Listing::read("a.go", source).unwrap();
        let login = listing.function_at(2).unwrap();
        assert_eq!(login.class.as_deref(), Some("Registry"));
        assert_eq!(login.receiver.as_deref(), Some("r"));
        assert_eq!(login.parameters[1].name, "name");
        assert_eq!((login.first, login.last), (1, 3));
        assert_eq!(listing.function_at(5), None);
        let f = listing.function_at(8).unwrap();
        assert_eq!((&*f.name, f.parameters[0].name.as_str(), f.last), ("f", "t", 10));
    }

    #[test]
    fn the_function_around_a_line_of_python_is_found() {
        let source = "class A(B):\n    def f(\n        self, seen=[], n: int = 3\n    ):\n\
                      \x20       if n:\n            g(\n    n)\n\ndef h():\n    return 1\n\nx = h()\n";
        let listing = Listing::read("a.py", source).unwrap();
        let f = listing.function_at(6).unwrap();
        assert_eq!((&*f.name, f.class.as_deref()), ("f", Some("A")));
        assert_eq!(f.parameters[1], Parameter { name: "seen".into(), is_shared: true });
        assert_eq!((f.first, f.last), (2, 8));
        let h = listing.function_at(10).unwrap();
        assert_eq!((&*h.name, h.class, h.first), ("h", None, 9));
        assert_eq!(listing.function_at(12), None);
        assert_eq!(listing.class_lines("A"), Some((1, 8)));
    }
}
