//! Kinds of mistakes that make a heap grow, and how each is mended. Data; used by `suspects`.

/// What went wrong, most likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    StaticCollection,
    Collection,
    Listener,
    ThreadLocal,
    ClassLoader,
    OffHeap,
    Unclosed,
    Duplicates,
    BlockedGoroutine,
    Cache,
    Closure,
    Chain,
    ReferenceCycle,
    LargeObject,
}

impl Fault {
    pub const ALL: [Self; 14] = [
        Self::StaticCollection,
        Self::Collection,
        Self::Listener,
        Self::ThreadLocal,
        Self::ClassLoader,
        Self::OffHeap,
        Self::Unclosed,
        Self::Duplicates,
        Self::BlockedGoroutine,
        Self::Cache,
        Self::Closure,
        Self::Chain,
        Self::ReferenceCycle,
        Self::LargeObject,
    ];

    /// The stable name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StaticCollection => "static_collection",
            Self::Collection => "collection",
            Self::Listener => "listener",
            Self::ThreadLocal => "thread_local",
            Self::ClassLoader => "class_loader",
            Self::OffHeap => "off_heap",
            Self::Unclosed => "unclosed_resource",
            Self::Duplicates => "duplicate_data",
            Self::BlockedGoroutine => "blocked_goroutine",
            Self::Cache => "cache_without_limit",
            Self::Closure => "closure",
            Self::Chain => "chain",
            Self::ReferenceCycle => "reference_cycle",
            Self::LargeObject => "large_object",
        }
    }

    pub const fn words(self) -> &'static str {
        match self {
            Self::StaticCollection => "a static collection that only grows",
            Self::Collection => "a collection that only grows",
            Self::Listener => "listeners that are added and never removed",
            Self::ThreadLocal => "a ThreadLocal that outlives its request in a pooled thread",
            Self::ClassLoader => "class loaders that are kept alive after their code is gone",
            Self::OffHeap => "buffers outside of the heap that are never released",
            Self::Unclosed => "resources that are opened and never closed",
            Self::Duplicates => "the same data held many times",
            Self::BlockedGoroutine => "goroutines that wait for something that never comes",
            Self::Cache => "a cache without a limit",
            Self::Closure => "functions that are kept, with everything they captured",
            Self::Chain => "a chain of objects whose beginning is kept",
            Self::ReferenceCycle => "objects that refer to each other and are not collected",
            Self::LargeObject => "a single object of great size",
        }
    }

    /// What mends it, as a pattern.
    pub const fn fix(self) -> &'static str {
        match self {
            Self::StaticCollection | Self::Collection => {
                "remove what is done with, or bound the collection (a size or an age at which the \
                 oldest entry goes)"
            }
            Self::Listener => {
                "remove the listener where its owner ends (close, dispose, finally), or hold it \
                 weakly"
            }
            Self::ThreadLocal => {
                "call remove() in a finally block before the thread goes back to its pool (in Python, \
                 delete the attribute, or reset the context variable)"
            }
            Self::ClassLoader => {
                "find the one reference from outside (a ThreadLocal, a driver, a timer, a listener) on \
                 the path below and drop it when the application is undeployed; close the loader"
            }
            Self::OffHeap => {
                "reuse buffers from a pool, release them explicitly, and bound them (in a JVM with \
                 -XX:MaxDirectMemorySize)"
            }
            Self::Unclosed => {
                "open it in try-with-resources (defer, with, using), so that every way out closes it"
            }
            Self::Duplicates => "share one instance: intern it, or keep a table of values by key",
            Self::BlockedGoroutine => {
                "give the wait an end: a context with a deadline, a buffered channel, or a close of \
                 the channel by the sender"
            }
            Self::Cache => "give the cache a maximum size or an expiry, and count its evictions",
            Self::Closure => "drop the function when it was called, and capture only what it needs",
            Self::Chain => "cut the chain behind what is still needed, or keep a bounded queue",
            Self::ReferenceCycle => {
                "hold the way back weakly (weakref), or cut it when the object is done with; let the \
                 collector of cycles run"
            }
            Self::LargeObject => "work in pieces, or on a stream, instead of holding the whole",
        }
    }
}

/// Parts of names of fields and types that tell of listeners; in lower case.
const LISTENERS: &[&str] = &["listener", "handler", "observer", "subscriber", "callback", "hook"];

/// Parts of names that tell of caches; in lower case.
const CACHES: &[&str] = &["cache", "memo"];

/// Types that have to be closed, by their full names.
const RESOURCES: &[&str] = &[
    "java.io.FileInputStream",
    "java.io.FileOutputStream",
    "java.io.RandomAccessFile",
    "java.net.Socket",
    "java.net.ServerSocket",
    "java.net.URLConnection",
    "java.nio.channels.FileChannel",
    "java.util.zip.Deflater",
    "java.util.zip.Inflater",
    "java.util.zip.GZIPInputStream",
    "java.util.zip.ZipFile",
    "java.util.jar.JarFile",
    "java.util.Scanner",
    "sun.nio.ch.FileChannelImpl",
    "sun.nio.ch.SocketChannelImpl",
    "Socket",
    "TCP",
    "Server",
    "ReadStream",
    "WriteStream",
    "FileHandle",
    "FSReqCallback",
    "FSWatcher",
    "StatWatcher",
];

/// Ends of names of types that have to be closed, whoever wrote them.
const RESOURCE_ENDS: &[&str] = &[
    "Connection",
    "Statement",
    "ResultSet",
    "InputStream",
    "OutputStream",
    "Socket",
    "Channel",
    "Cursor",
    "Reader",
    "Writer",
];

pub(crate) fn tells_of_listeners(name: &str) -> bool {
    has_part(name, LISTENERS)
}

pub(crate) fn tells_of_caches(name: &str) -> bool {
    has_part(name, CACHES)
}

fn has_part(name: &str, parts: &[&str]) -> bool {
    let name = name.to_ascii_lowercase();
    parts.iter().any(|part| name.contains(part))
}

pub(crate) fn is_resource(kind: &str) -> bool {
    RESOURCES.contains(&kind) || RESOURCE_ENDS.iter().any(|end| kind.ends_with(end))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own() {
        let names: BTreeSet<_> = Fault::ALL.iter().map(|fault| fault.name()).collect();
        assert_eq!(names.len(), Fault::ALL.len());
    }

    #[test]
    fn names_tell_what_a_collection_is_for() {
        assert!(tells_of_listeners("onCloseHandlers"));
        assert!(tells_of_listeners("com.shop.PriceListener"));
        assert!(!tells_of_listeners("sessions"));
        assert!(tells_of_caches("PRICE_CACHE"));
        assert!(is_resource("com.mysql.jdbc.ServerPreparedStatement"));
        assert!(!is_resource("com.shop.Order"));
    }
}
