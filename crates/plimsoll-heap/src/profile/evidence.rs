//! Names of functions that tell what a value is: something to be closed, a copy, memory outside of
//! the heap. Data, and how it is looked up in stacks and in lines.

use super::listing::{Language, after_arguments, argument_lists};

/// Functions of Go that open what their caller has to close. Whole names: `QueryRow` closes its
/// own rows.
const OPENING_FRAMES: &[&str] = &[
    "os.Open",
    "os.OpenFile",
    "os.Create",
    "os.CreateTemp",
    "net.Dial",
    "net.DialTimeout",
    "net.(*Dialer).Dial",
    "net.(*Dialer).DialContext",
    "crypto/tls.Dial",
    "crypto/tls.DialWithDialer",
    "database/sql.(*DB).Query",
    "database/sql.(*DB).QueryContext",
    "database/sql.(*DB).Prepare",
    "database/sql.(*DB).PrepareContext",
    "database/sql.(*Stmt).Query",
    "database/sql.(*Stmt).QueryContext",
];

/// Functions of Go that copy what they are given.
const COPYING_FRAMES: &[&str] = &["strings.Clone", "bytes.Clone", "slices.Clone", "maps.Clone"];

/// Calls that open what has to be closed, as they stand in source.
const OPENING_CALLS_GO: &[&str] = &[
    "os.Open(",
    "os.OpenFile(",
    "os.Create(",
    "os.CreateTemp(",
    "net.Dial(",
    "net.DialTimeout(",
    "tls.Dial(",
    "sql.Open(",
    ".Query(",
    ".QueryContext(",
    ".Prepare(",
    ".PrepareContext(",
    "http.Get(",
    // A listener takes nothing; what a visitor is accepted by takes it.
    ".Accept()",
];
const OPENING_CALLS_PYTHON: &[&str] = &[
    "open(",
    "io.open(",
    "os.open(",
    "io.FileIO(",
    "gzip.open(",
    "tarfile.open(",
    "ZipFile(",
    "socket.socket(",
    "socket.create_connection(",
    ".cursor(",
    ".execute(",
    "sqlite3.connect(",
    "psycopg2.connect(",
    "subprocess.Popen(",
    "urlopen(",
    "requests.Session(",
    "ClientSession(",
    "TemporaryFile(",
    "NamedTemporaryFile(",
];

/// Calls that copy, as they stand in source. Those of Go are seen in stacks.
const COPYING_CALLS: &[&str] = &["copy.copy(", "copy.deepcopy(", "deepcopy("];

/// Calls that take memory which the runtime does not count, and which argument tells how much.
const OUTSIDE_CALLS: &[(&str, usize)] = &[
    ("mmap.mmap", 1),
    ("SharedMemory", 2),
    ("unix.Mmap", 2),
    ("syscall.Mmap", 2),
    ("C.malloc", 0),
    ("C.calloc", 1),
];

pub(super) fn opens_below(function: &str) -> bool {
    OPENING_FRAMES.contains(&function)
}

pub(super) fn copies_below(function: &str) -> bool {
    COPYING_FRAMES.contains(&function.split('[').next().unwrap_or_default())
}

pub(super) fn opens_in(text: &str, language: Language) -> bool {
    let calls = match language {
        Language::Go => OPENING_CALLS_GO,
        Language::Python => OPENING_CALLS_PYTHON,
    };
    calls.iter().any(|call| has_last_call(text, call))
}

pub(super) fn copies_in(text: &str) -> bool {
    COPYING_CALLS.iter().any(|call| has_call(text, call))
}

/// Calls of one kind in one statement that are looked at.
const CALLS_MAX: usize = 16;

/// `URL.Query()` opens nothing: what is opened has a name.
fn has_call(text: &str, call: &str) -> bool {
    text.match_indices(call).take(CALLS_MAX).any(|(at, _)| {
        let before = text[..at].chars().next_back().unwrap_or(' ');
        let is_whole =
            call.starts_with('.') || !(before.is_alphanumeric() || before == '_' || before == '.');
        is_whole && (!call.starts_with(".Query(") || !text[at + call.len()..].starts_with(')'))
    })
}

/// The same, and nothing is called on what it gives: that gives data, and what was opened is gone.
fn has_last_call(text: &str, call: &str) -> bool {
    has_call(text, call)
        && text.match_indices(call).take(CALLS_MAX).any(|(at, found)| {
            let open = at + found.find('(').unwrap_or(0);
            !after_arguments(&text[open..]).starts_with('.')
        })
}

/// Bytes outside of the heap that a line takes each time: 0 where it takes some and does not tell
/// how many.
pub(super) fn outside_bytes(text: &str) -> Option<u64> {
    OUTSIDE_CALLS.iter().find_map(|(call, argument)| {
        let arguments = argument_lists(text, call).next()?;
        let named = arguments
            .iter()
            .find_map(|one| one.strip_prefix("size=").or_else(|| one.strip_prefix("length=")));
        let size = named.or_else(|| arguments.get(*argument).copied());
        Some(size.and_then(constant).unwrap_or(0))
    })
}

/// The value of a text such as `1 << 20` or `64 * 1024`.
fn constant(text: &str) -> Option<u64> {
    if let Some((base, shift)) = text.split_once("<<") {
        let shift = u32::try_from(constant(shift)?).ok()?;
        return constant(base)?.checked_mul(1_u64.checked_shl(shift)?);
    }
    let factors = text.split('*').map(|one| one.trim().replace('_', "").parse::<u64>());
    factors.into_iter().try_fold(1_u64, |product, one| product.checked_mul(one.ok()?))
}

/// Whether a call of a function of the program has nothing but constants as arguments, a text among
/// them: it makes the same each time.
pub(super) fn makes_the_same(text: &str, function: &str) -> bool {
    let makes_objects = function.starts_with(char::is_uppercase)
        || function.to_ascii_lowercase().starts_with("new")
        || function.starts_with('_');
    let is_text = |argument: &&str| *argument == "\"\"";
    let is_constant = |argument: &&str| is_text(argument) || constant(argument).is_some();
    !makes_objects
        && argument_lists(text, function)
            .any(|arguments| arguments.iter().all(is_constant) && arguments.iter().any(is_text))
}

/// What a goroutine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wait {
    Send,
    Receive,
    Select,
    Lock,
    Group,
}

/// Functions of Go in which goroutines wait for one another; beginnings of names.
const WAITS: &[(&str, Wait)] = &[
    ("runtime.chansend", Wait::Send),
    ("runtime.chanrecv", Wait::Receive),
    ("runtime.selectgo", Wait::Select),
    ("runtime.block", Wait::Select),
    ("sync.(*WaitGroup).Wait", Wait::Group),
    ("sync.(*Cond).Wait", Wait::Group),
    ("sync.(*Mutex).", Wait::Lock),
    ("sync.(*RWMutex).", Wait::Lock),
    ("internal/sync.(*Mutex).", Wait::Lock),
];

impl Wait {
    pub(super) fn below(function: &str) -> Option<Self> {
        WAITS.iter().find(|(start, _)| function.starts_with(start)).map(|(_, wait)| *wait)
    }

    /// As in "they wait ..".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Send => "to send on a channel that nobody receives from",
            Self::Receive => "to receive from a channel that nobody sends on or closes",
            Self::Select => "in a select of which no case becomes ready",
            Self::Lock => "for a lock that is not released",
            Self::Group => "for others to finish or to signal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_what_they_open_copy_and_take() {
        assert!(opens_in("reader = io.BufferedReader(io.FileIO(name))", Language::Python));
        assert!(opens_in("rows, err := db.Query(text)", Language::Go));
        assert!(!opens_in("name := r.URL.Query().Get(key)", Language::Go));
        assert!(!opens_in("self.open(name); reopen(name)", Language::Python));
        assert!(!opens_in("rows := db.Query(text).All()", Language::Go));
        assert!(!opens_in("CACHE[k] = db.execute(q).fetchall()", Language::Python));
        assert!(opens_in("c = sqlite3.connect(name).cursor()", Language::Python));
        assert!(opens_in("conn, err := listener.Accept()", Language::Go));
        assert!(!opens_in("node.Accept(visitor)", Language::Go));
        assert!(opens_below("os.OpenFile") && !opens_below("os.ReadDir"));
        assert!(!opens_below("database/sql.(*DB).QueryRow"));
        assert!(copies_below("slices.Clone[...]") && copies_in("x = copy.deepcopy(y)"));
        assert_eq!(outside_bytes("a = mmap.mmap(-1, 1 << 20)"), Some(1 << 20));
        assert_eq!(outside_bytes("a = SharedMemory(create=True, size=64 * 1024)"), Some(65_536));
        assert_eq!(outside_bytes("a = mmap.mmap(f.fileno(), length)"), Some(0));
        assert_eq!(outside_bytes("a = bytearray(9)"), None);
        assert_eq!(constant("1 << 999"), None);
    }

    #[test]
    fn only_a_call_with_constants_makes_the_same() {
        assert!(makes_the_same("terms = a if b else text(\"\", 1, 1500)", "text"));
        assert!(!makes_the_same("terms = text(\"\", at, 1500)", "text"));
        assert!(!makes_the_same("terms = text(f\"\", 1)", "text"));
        assert!(!makes_the_same("page = buffer(4096)", "buffer"));
        assert!(!makes_the_same("page = Page(\"\")", "Page"));
    }
}
