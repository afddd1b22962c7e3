//! What a survey wants to know of instances, by class: data, and where the fields are.

use super::super::classes::{Class, Classes};
use super::super::record::Kind;
use super::super::top::Top;

/// Collections, and the field that says how many elements are in them.
const SIZES: &[(&str, &str)] = &[
    ("java.util.ArrayDeque", "size"),
    ("java.util.ArrayList", "size"),
    ("java.util.HashMap", "size"),
    ("java.util.Hashtable", "count"),
    ("java.util.IdentityHashMap", "size"),
    ("java.util.LinkedList", "size"),
    ("java.util.PriorityQueue", "size"),
    ("java.util.TreeMap", "size"),
    ("java.util.Vector", "elementCount"),
    ("java.util.WeakHashMap", "size"),
    ("java.util.concurrent.ConcurrentHashMap", "baseCount"),
    ("android.util.ArrayMap", "mSize"),
    ("android.util.SparseArray", "mSize"),
];

/// Who frees memory outside of the heap: there is one for each piece, whatever slices and
/// duplicates of the buffer there are.
const DIRECT: &[&str] = &["java.nio.DirectByteBuffer$Deallocator", "java.nio.Bits$Deallocator"];
const MAPPED: &[&str] = &["sun.nio.ch.FileChannelImpl$Unmapper"];

/// What waits for its finalizer, with the class and field that link those whose time has come.
const FINALIZERS: &[(&str, &str)] =
    &[("java.lang.ref.Finalizer", "next"), ("java.lang.ref.FinalizerReference", "queueNext")];

/// Types that have to be closed.
const RESOURCES: &[&str] = &[
    "java.io.FileInputStream",
    "java.io.FileOutputStream",
    "java.io.RandomAccessFile",
    "java.net.DatagramSocket",
    "java.net.ServerSocket",
    "java.net.Socket",
    "java.net.URLConnection",
    "java.util.Scanner",
    "java.util.jar.JarFile",
    "java.util.zip.Deflater",
    "java.util.zip.Inflater",
    "java.util.zip.InflaterInputStream",
    "java.util.zip.ZipFile",
    "sun.nio.ch.DatagramChannelImpl",
    "sun.nio.ch.FileChannelImpl",
    "sun.nio.ch.ServerSocketChannelImpl",
    "sun.nio.ch.SocketChannelImpl",
];

/// How types of database drivers end: they implement interfaces, which no dump tells.
const RESOURCE_ENDINGS: &[&str] = &["Connection", "ResultSet", "Statement"];

/// What an instance of a class is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Nothing,
    /// Where it says how many elements it has.
    Collection(Field),
    Direct {
        address: Field,
        size: Field,
    },
    Mapped {
        address: Field,
        size: Field,
    },
    Finalizer {
        referent: Field,
        link: Field,
    },
    /// Where it says that it is closed, if it does.
    Resource(Option<Field>),
}

/// A field of instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    at: usize,
    width: usize,
}

impl Field {
    /// The value, whatever it is, as a number.
    pub(super) fn of(self, fields: &[u8]) -> Option<u64> {
        let bytes = fields.get(self.at..self.at.checked_add(self.width)?)?;
        Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }
}

/// A field by name, of the first class in the line that is wanted.
fn field(
    classes: &Classes,
    number: u32,
    top: &Top,
    is_wanted: impl Fn(&Class, &str) -> bool,
) -> Option<Field> {
    let wide = u64::from(top.id_size);
    let mut at = 0_u64;
    for class in classes.line(number) {
        for (name, kind) in &class.dump.fields {
            let width = kind.width(wide);
            if top.names.get(*name).is_some_and(|name| is_wanted(class, &name)) {
                return Some(Field { at: usize::try_from(at).ok()?, width: width as usize });
            }
            at += width;
        }
    }
    None
}

/// What instances of a class are asked for.
fn plan(classes: &Classes, number: u32, top: &Top) -> Plan {
    let own = |name: &str| field(classes, number, top, |_, field| field == name);
    let line = || classes.line(number).map(|class| class.name.as_str());
    let memory = || Some((own("address")?, own("size")?));
    let is_one_of = |names: &[&str]| line().any(|name| names.contains(&name));
    if let Some((of, name)) = SIZES.iter().find(|(of, _)| line().any(|name| name == *of)) {
        let size = field(classes, number, top, |class, field| class.name == *of && field == *name);
        return size.map_or(Plan::Nothing, Plan::Collection);
    }
    if is_one_of(DIRECT) {
        return memory().map_or(Plan::Nothing, |(address, size)| Plan::Direct { address, size });
    }
    if is_one_of(MAPPED) {
        return memory().map_or(Plan::Nothing, |(address, size)| Plan::Mapped { address, size });
    }
    let finalizer = FINALIZERS.iter().find(|(of, _)| line().next() == Some(of));
    if let Some((_, link)) = finalizer {
        let of_reference = |wanted: &str| {
            let is_wanted = |class: &Class, field: &str| {
                class.name == "java.lang.ref.Reference" && field == wanted
            };
            field(classes, number, top, is_wanted)
        };
        let fields = of_reference("referent").zip(of_reference(link));
        return fields.map_or(Plan::Nothing, |(referent, link)| Plan::Finalizer { referent, link });
    }
    let is_driver = |name: &str| {
        let is_application = crate::class_name::origin(name) != crate::class_name::Origin::Jdk;
        is_application && RESOURCE_ENDINGS.iter().any(|ending| name.ends_with(ending))
    };
    if is_one_of(RESOURCES) || line().any(is_driver) {
        let is_flag = |kind: &str| matches!(kind, "closed" | "isClosed" | "closeRequested");
        let flag = field(classes, number, top, |_, field| is_flag(field));
        // Others name a lock or a reason so.
        return Plan::Resource(flag.filter(|flag| flag.width as u64 == Kind::Boolean.width(0)));
    }
    Plan::Nothing
}

/// Of all classes that have instances, by number.
pub(super) fn plans(classes: &Classes, top: &Top) -> Vec<Plan> {
    (0..classes.all.len() as u32).map(|number| plan(classes, number, top)).collect()
}
