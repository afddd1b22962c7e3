//! Whose code a frame is: the program's own, a dependency's, or that of the language.
//!
//! Told by names and paths alone, so it is a guess where a program hides both. Used to find the
//! frame that a person can change; a wrong guess names a frame further in or out, and no number
//! changes.

use super::Source;

/// Who wrote a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Whose {
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
const DEPENDENCY_PATHS: &[&str] =
    &["/site-packages/", "/dist-packages/", "/pkg/mod/", "/.cargo/registry/", "/node_modules/"];

/// Parts of paths of what comes with a language.
const LANGUAGE_PATHS: &[&str] = &["/rustc/", "/include/c++/", "/go/src/runtime/"];

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
    /// By the name of its file alone, where that is enough.
    pub(super) fn by_path(file: &str) -> Option<Self> {
        let is_go = Self::is_go(file);
        // Built without paths, a dependency of Go still has its version in its name.
        if is_go && (has_version(file) || is_vendored(file))
            || DEPENDENCY_PATHS.iter().any(|part| file.contains(part))
        {
            return Some(Self::Dependency);
        }
        let is_made_up = file.starts_with('<');
        let comes_along = LANGUAGE_PATHS.iter().any(|part| file.contains(part));
        (is_made_up || comes_along || is_of_python(file)).then_some(Self::Language)
    }

    pub(super) fn is_go(file: &str) -> bool {
        file.ends_with(".go") || file.ends_with(".s")
    }

    pub(super) fn by_function(function: &str, may_be_go: bool) -> Self {
        if may_be_go && is_of_go(function) {
            return Self::Language;
        }
        let bare = function.split('(').next().unwrap_or_default();
        let is_language = LANGUAGE_FUNCTIONS.iter().any(|start| function.starts_with(start))
            || ALLOCATORS.contains(&bare);
        if is_language { Self::Language } else { Self::Own }
    }

    pub(super) fn by_module(module: &str) -> Self {
        let name = module.rsplit('/').next().unwrap_or_default();
        let is_library = name.starts_with("lib") || name.starts_with("ld-") || name.contains(".so");
        if is_library || name.starts_with('[') { Self::Language } else { Self::Own }
    }
}

impl Source {
    /// Whether functions without a file may be Go's. Others have names such as `hash.part.0`.
    pub(super) const fn may_be_go(self) -> bool {
        match self {
            Self::Pprof | Self::HeapText => true,
            Self::Jemalloc | Self::Heaptrack | Self::Tracemalloc => false,
        }
    }
}

/// `github.com/lib/pq@v1.2.0/conn.go`
fn has_version(file: &str) -> bool {
    let mut after = file.split("@v").skip(1);
    after.any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// `/shop/vendor/github.com/lib/pq/conn.go`: a folder may be called so as well.
fn is_vendored(file: &str) -> bool {
    let mut below = file.split("/vendor/").skip(1);
    below.any(|rest| rest.split_once('/').is_some_and(|(domain, _)| domain.contains('.')))
}

/// `/usr/lib/python3.11/json/decoder.py`
fn is_of_python(file: &str) -> bool {
    let mut below = file.split("/lib/python").skip(1);
    below.any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn is_of_go(function: &str) -> bool {
    let package = function.split('(').next().unwrap_or_default();
    let first = package.split('/').next().unwrap_or_default();
    let first = first.split('.').next().unwrap_or_default();
    // A name without a package, as C has them, is none of Go's.
    function.contains('.') && GO_PACKAGES.contains(&first) && !is_clone(function)
}

/// `hash.part.0`, as GCC calls a part of a function that it made.
fn is_clone(function: &str) -> bool {
    const MARKS: [&str; 4] = ["part", "constprop", "isra", "cold"];
    function.split('.').skip(1).any(|part| MARKS.contains(&part))
}

#[cfg(test)]
mod tests {
    use super::super::nearest::Nearest;
    use super::super::{FrameKey, Profile, Sampling, build::Builder};
    use super::*;

    /// As it is told of the one frame of a profile.
    fn whose(source: Source, function: &str, file: &str) -> Whose {
        let mut builder = Builder::new(source, Vec::new(), Sampling::Exact);
        let (function, file) = (builder.name(function).unwrap(), builder.name(file).unwrap());
        let frame = builder.frame(FrameKey { function, file, ..FrameKey::default() }).unwrap();
        builder.node(None, frame).unwrap();
        let profile: Profile = builder.finish();
        Nearest::of(&profile).whose(frame)
    }

    #[test]
    fn code_is_told_by_its_name_and_its_place() {
        let check = |function: &str, file: &str, want| {
            let found = whose(Source::Pprof, function, file);
            assert_eq!(found, want, "{function} {file}");
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

    #[test]
    fn folders_and_functions_of_others_are_not_taken_for_those_of_a_language() {
        let check = |source, function: &str, file: &str, want| {
            assert_eq!(whose(source, function, file), want, "{function} {file}");
        };
        use Source::{Jemalloc, Pprof, Tracemalloc};
        check(Pprof, "main.serve", "/srv/me@vodafone/shop/main.go", Whose::Own);
        check(Pprof, "main.serve", "/srv/vendor/shop/main.go", Whose::Own);
        check(Tracemalloc, "", "/srv/vendor/shop.py", Whose::Own);
        let vendored = "/srv/vendor/github.com/lib/pq/conn.go";
        check(Pprof, "github.com/lib/pq.Open", vendored, Whose::Dependency);
        check(Tracemalloc, "", "/srv/lib/python_app/shop.py", Whose::Own);
        check(Jemalloc, "hash.part.0", "", Whose::Own);
        check(Jemalloc, "sort.constprop.0", "", Whose::Own);
        check(Pprof, "sort.constprop.0", "", Whose::Own);
        check(Pprof, "sort.Strings", "", Whose::Language);
    }
}
