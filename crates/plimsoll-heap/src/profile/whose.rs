//! Whose code a frame is: the program's own, a dependency's, or that of the language.
//!
//! Told by names and paths alone, so it is a guess where a program hides both. Used to find the
//! frame that a person can change; a wrong guess names a frame further in or out, and no number
//! changes.

use super::Frame;

/// Who wrote a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    /// The program's authors, as far as can be told.
    Own,
    Dependency,
    /// The runtime and the standard library.
    Language,
}

/// First parts of the import paths of Go's standard library.
const GO_PACKAGES: &[&str] = &[
    "archive",
    "arena",
    "bufio",
    "builtin",
    "bytes",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "index",
    "internal",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "slices",
    "sort",
    "strconv",
    "strings",
    "structs",
    "sync",
    "syscall",
    "testing",
    "text",
    "time",
    "type",
    "unicode",
    "unique",
    "unsafe",
    "vendor",
    "weak",
];

/// Parts of paths below which dependencies are installed.
const DEPENDENCY_PATHS: &[&str] = &[
    "/site-packages/",
    "/dist-packages/",
    "/pkg/mod/",
    "/vendor/",
    "/.cargo/registry/",
    "/node_modules/",
];

/// Parts of paths of what comes with a language.
const LANGUAGE_PATHS: &[&str] = &["/lib/python", "/rustc/", "/include/c++/", "/go/src/runtime/"];

/// Beginnings of functions of the libraries of C++ and Rust.
const LANGUAGE_FUNCTIONS: &[&str] = &[
    "std::",
    "__gnu_cxx::",
    "core::",
    "alloc::",
    "<alloc::",
    "<core::",
    "<std::",
    "operator new",
    "__libc_",
    "_start",
    "__cxa_",
    "void std::",
    "hashbrown::",
];

/// Functions that allocate for whoever calls them.
const ALLOCATORS: &[&str] = &[
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "memalign",
    "aligned_alloc",
    "posix_memalign",
    "valloc",
    "strdup",
    "mmap",
];

impl Whose {
    pub fn of(frame: &Frame<'_>) -> Self {
        if let Some(found) = frame.file.and_then(by_path) {
            return found;
        }
        if let Some(function) = frame.function {
            let is_go = frame.file.is_none_or(|file| file.ends_with(".go") || file.ends_with(".s"));
            if is_go && is_of_go(function) {
                return Self::Language;
            }
            return by_function(function);
        }
        match (frame.file, frame.module) {
            (None, Some(module)) => by_module(module),
            // Nothing is known, so nobody can be sent there.
            (None, None) => Self::Language,
            (Some(_), _) => Self::Own,
        }
    }
}

fn by_path(file: &str) -> Option<Whose> {
    // Built without paths, a dependency of Go still has its version in its name.
    let has_version = file.ends_with(".go") && file.contains("@v");
    if has_version || DEPENDENCY_PATHS.iter().any(|part| file.contains(part)) {
        return Some(Whose::Dependency);
    }
    let is_made_up = file.starts_with('<');
    (is_made_up || LANGUAGE_PATHS.iter().any(|part| file.contains(part))).then_some(Whose::Language)
}

fn is_of_go(function: &str) -> bool {
    let package = function.split('(').next().unwrap_or_default();
    let first = package.split('/').next().unwrap_or_default();
    let first = first.split('.').next().unwrap_or_default();
    // A name without a package, as C has them, is none of Go's.
    function.contains('.') && GO_PACKAGES.contains(&first)
}

fn by_function(function: &str) -> Whose {
    let bare = function.split('(').next().unwrap_or_default();
    let is_language = LANGUAGE_FUNCTIONS.iter().any(|start| function.starts_with(start))
        || ALLOCATORS.contains(&bare);
    if is_language { Whose::Language } else { Whose::Own }
}

fn by_module(module: &str) -> Whose {
    let name = module.rsplit('/').next().unwrap_or_default();
    let is_library = name.starts_with("lib") || name.starts_with("ld-") || name.contains(".so");
    if is_library || name.starts_with('[') { Whose::Language } else { Whose::Own }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_told_by_its_name_and_its_place() {
        let check = |function: &'static str, file: &'static str, want| {
            let some = |text: &'static str| Some(text).filter(|text| !text.is_empty());
            let (function, file) = (some(function), some(file));
            let frame = Frame { function, file, line: 1, module: None, address: 0 };
            assert_eq!(Whose::of(&frame), want, "{frame:?}");
        };
        check("main.text", "/shop/main.go", Whose::Own);
        check("github.com/acme/shop/orders.(*Book).Add", "/src/shop/orders/book.go", Whose::Own);
        check("strings.(*Builder).Grow", "/usr/local/go/src/strings/builder.go", Whose::Language);
        check("internal/bytealg.MakeNoZero", "/usr/lib/go/src/runtime/slice.go", Whose::Language);
        check("net/http.(*conn).serve", "net/http/server.go", Whose::Language);
        check("github.com/lib/pq.Open", "/go/pkg/mod/github.com/lib/pq/conn.go", Whose::Dependency);
        check("github.com/lib/pq.Open", "github.com/lib/pq@v1.2.0/conn.go", Whose::Dependency);
        check("", "/app/shop.py", Whose::Own);
        check("", "/usr/lib/python3.11/json/decoder.py", Whose::Language);
        check("", "/venv/lib/python3.11/site-packages/flask/app.py", Whose::Dependency);
        check("", "<frozen importlib._bootstrap>", Whose::Language);
        check("std::vector<int>::push_back(int)", "", Whose::Language);
        check("malloc", "", Whose::Language);
        check("Cache::insert(Key const&)", "/src/cache.cc", Whose::Own);
        check("", "", Whose::Language);
    }
}
