//! What a file of Python says outside of its functions: which classes there are, which names hold
//! something for each thread, which functions have their results kept. Looked for once, when the
//! file is read: a hostile file has a million lines, and a profile asks about a thousand names.

use std::collections::{HashMap, HashSet};

use super::{Language, assignment};

/// Names of a file.
#[derive(Debug, Default)]
pub(in crate::profile) struct Module {
    /// The line in which each begins.
    classes: HashMap<String, u32>,
    thread_locals: HashSet<String>,
    /// By the function whose results are kept without a limit, the name that it is asked by.
    kept_results: HashMap<String, String>,
}

impl Module {
    pub(super) fn learn(&mut self, line: &str, number: u32) {
        if let Some(rest) = line.trim_start().strip_prefix("class ") {
            let name = rest.split(['(', ':', '[']).next().unwrap_or_default().trim();
            self.classes.entry(name.to_owned()).or_insert(number);
        }
        let is_outside = line.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if !is_outside || !["local(", "ContextVar(", "cache"].iter().any(|one| line.contains(one)) {
            return;
        }
        let Some((targets, value)) = assignment(line, Language::Python) else { return };
        if is_thread_local(value) {
            self.thread_locals.extend(targets.iter().map(|name| (*name).to_owned()));
        }
        let given = value.strip_suffix(')').and_then(|value| value.rsplit_once('('));
        let given = given.filter(|(decorator, _)| caches_without_limit(decorator));
        if let Some(((_, function), name)) = given.zip(targets.first()) {
            let known = self.kept_results.entry(function.to_owned());
            known.or_insert_with(|| (*name).to_owned());
        }
    }

    pub(in crate::profile) fn class(&self, name: &str) -> Option<u32> {
        self.classes.get(name).copied()
    }

    pub(in crate::profile) fn is_thread_local(&self, name: &str) -> bool {
        self.thread_locals.contains(name)
    }

    pub(in crate::profile) fn kept_results(&self, function: &str) -> Option<&str> {
        self.kept_results.get(function).map(String::as_str)
    }
}

fn is_thread_local(value: &str) -> bool {
    const KINDS: [&str; 3] = ["threading.local(", "local(", "ContextVar("];
    let value = value.rsplit_once("contextvars.").map_or(value, |(_, value)| value);
    KINDS.iter().any(|kind| value.starts_with(kind))
}

/// Whether a decorator keeps every result. Other libraries have a `cache` as well, and theirs take
/// arguments: `@cache(expire=60)`.
pub(in crate::profile) fn caches_without_limit(decorator: &str) -> bool {
    let decorator = decorator.strip_prefix("functools.").unwrap_or(decorator).trim();
    let Some((name, given)) = decorator.split_once('(') else { return decorator == "cache" };
    name == "lru_cache" && (given.starts_with("None") || given.contains("maxsize=None"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_decorators_without_a_limit_keep_everything() {
        let check = |decorator: &str, want| {
            assert_eq!(caches_without_limit(decorator), want, "{decorator}")
        };
        check("functools.lru_cache(maxsize=None)", true);
        check("lru_cache(None)", true);
        check("lru_cache(typed=True, maxsize=None)", true);
        check("cache", true);
        check("functools.cache", true);
        check("functools.lru_cache(maxsize=1000)", false);
        check("lru_cache", false);
        check("functools.cached_property", false);
        check("app.cache(60)", false);
        check("cache(expire=60)", false);
        check("cache()", false);
        check("app.cache", false);
    }
}
