//! The counters of one JVM at one moment, as typed figures.
//!
//! Pure. What a collector does not tell is `None`, never zero. Not here: the live set, which
//! takes more than one reading (`live`). Values of `-D` properties and arguments of the program
//! are never taken: they are where people put passwords.

use plimsoll_model::Bytes;

use super::format::{Counters, FormatError};

/// Generations, spaces and collectors that are looked for. HotSpot has 2, 3 and 3.
const ORDINALS_MAX: usize = 8;

/// Ticks per second when the JVM does not say: HotSpot counts in nanoseconds on Linux.
const TICKS_PER_SECOND_DEFAULT: f64 = 1e9;

/// Which collector a JVM runs. It decides what the counters mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CollectorFamily {
    Serial,
    Parallel,
    G1,
    /// Removed in JDK 14.
    ConcurrentMarkSweep,
    Z,
    Shenandoah,
    /// Epsilon, or one that is not known here.
    Other,
}

/// One space of the heap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// 0 is young, 1 is old, or the whole heap where there are no generations.
    pub generation: u8,
    pub name: String,
    pub used: Bytes,
    pub capacity: Bytes,
}

/// What one collector did since the JVM started.
#[derive(Clone, Debug, PartialEq)]
pub struct Collections {
    /// 0 young, 1 full, 2 and above the pauses of a concurrent collector.
    pub ordinal: u8,
    pub name: String,
    /// Moves when a collection begins.
    pub count: u64,
    /// Time in pauses.
    pub seconds: f64,
    pub last_entry_ticks: i64,
    /// Behind `last_entry_ticks` while a collection is running.
    pub last_exit_ticks: i64,
}

impl Collections {
    pub fn is_running(&self) -> bool {
        self.last_entry_ticks > self.last_exit_ticks
    }
}

/// Whether the JVM lets tools attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachCapability {
    Allowed,
    /// Started with `-XX:+DisableAttachMechanism`.
    Disabled,
    /// The JVM does not say; treat as disabled.
    Unknown,
}

/// One look at a JVM. Costs the JVM nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct JvmReading {
    pub collector: CollectorFamily,
    pub spaces: Vec<Space>,
    /// Sum of the spaces. Eden's part is of the last collection for Serial and Parallel, and of
    /// the last full region for G1.
    pub heap_used: Option<Bytes>,
    pub heap_committed: Option<Bytes>,
    /// What `-Xmx` came to.
    pub heap_max: Option<Bytes>,
    /// Old generation; the whole heap for ZGC and Shenandoah.
    pub old_used: Option<Bytes>,
    pub old_capacity: Option<Bytes>,
    pub metaspace_used: Option<Bytes>,
    pub classes_loaded: Option<u64>,
    pub threads_live: Option<u64>,
    pub collections: Vec<Collections>,
    pub attach: AttachCapability,
    pub java_version: Option<String>,
    /// The main class or jar, without the program's arguments.
    pub main: Option<String>,
    /// The `-X` options of the JVM that are switches or sizes; `-D` properties and all others are
    /// left out.
    pub options: Vec<String>,
}

impl JvmReading {
    /// # Errors
    /// When the bytes are not a counter file. A counter that is missing is `None` instead.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        Ok(Self::from_counters(&Counters::parse(bytes)?))
    }

    fn from_counters(counters: &Counters<'_>) -> Self {
        let spaces = spaces(counters);
        let collections = collections(counters);
        let collector = family(counters, &collections);
        let old: Vec<&Space> = spaces.iter().filter(|space| space.generation == 1).collect();
        let text = |name: &str| counters.text(name);
        Self {
            collector,
            heap_used: sum(&spaces, |space| space.used),
            heap_committed: sum(&spaces, |space| space.capacity),
            heap_max: heap_max(counters, collector),
            old_used: sum(&old, |space| space.used),
            old_capacity: sum(&old, |space| space.capacity),
            metaspace_used: bytes(counters, "sun.gc.metaspace.used"),
            classes_loaded: classes_loaded(counters),
            threads_live: count(counters, "java.threads.live"),
            attach: attach_capability(text("sun.rt.jvmCapabilities")),
            java_version: text("java.property.java.version").map(plain),
            main: text("sun.rt.javaCommand")
                .and_then(|command| command.split_whitespace().next())
                .map(plain),
            options: options(text("java.rt.vmArgs").unwrap_or_default()),
            spaces,
            collections,
        }
    }

    /// All collections since the start, pauses of concurrent collectors included.
    pub fn collection_count(&self) -> u64 {
        self.collections.iter().fold(0, |sum, collector| sum.saturating_add(collector.count))
    }

    /// All time in pauses since the start.
    pub fn collection_seconds(&self) -> f64 {
        self.collections.iter().map(|collector| collector.seconds).sum()
    }
}

fn count(counters: &Counters<'_>, name: &str) -> Option<u64> {
    u64::try_from(counters.long(name)?).ok()
}

fn bytes(counters: &Counters<'_>, name: &str) -> Option<Bytes> {
    count(counters, name).map(Bytes)
}

/// G1 adds 8 bytes to each capacity, three times that to a whole generation, so that no tool
/// divides by zero (`G1MonitoringSupport::pad_capacity`). No real capacity is below a page.
fn without_padding(size: Bytes) -> Bytes {
    const PAGE: u64 = 4096;
    Bytes(size.0 - size.0 % PAGE)
}

fn spaces(counters: &Counters<'_>) -> Vec<Space> {
    let mut found = Vec::new();
    for generation in 0..2_u8 {
        for space in 0..ORDINALS_MAX {
            let prefix = format!("sun.gc.generation.{generation}.space.{space}");
            let size = |what: &str| bytes(counters, &format!("{prefix}.{what}"));
            let (Some(used), Some(capacity)) = (size("used"), size("capacity")) else { break };
            let name =
                counters.text(&format!("{prefix}.name")).map_or_else(|| "space".to_owned(), plain);
            found.push(Space { generation, name, used, capacity: without_padding(capacity) });
        }
    }
    found
}

fn sum<S: std::borrow::Borrow<Space>>(
    spaces: &[S],
    size: impl Fn(&Space) -> Bytes,
) -> Option<Bytes> {
    let total = spaces.iter().fold(0_u64, |sum, space| sum.saturating_add(size(space.borrow()).0));
    (!spaces.is_empty()).then_some(Bytes(total))
}

fn collections(counters: &Counters<'_>) -> Vec<Collections> {
    let frequency = counters.long("sun.os.hrt.frequency").filter(|ticks| *ticks > 0);
    let per_second = frequency.map_or(TICKS_PER_SECOND_DEFAULT, |ticks| ticks as f64);
    (0..ORDINALS_MAX as u8)
        .filter_map(|ordinal| {
            let long = |what| counters.long(&format!("sun.gc.collector.{ordinal}.{what}"));
            let name = counters.text(&format!("sun.gc.collector.{ordinal}.name"))?;
            Some(Collections {
                ordinal,
                name: plain(name),
                count: u64::try_from(long("invocations")?).ok()?,
                seconds: long("time")?.max(0) as f64 / per_second,
                last_entry_ticks: long("lastEntryTime").unwrap_or(0),
                last_exit_ticks: long("lastExitTime").unwrap_or(0),
            })
        })
        .collect()
}

/// By the names of the collectors (JDK 9 and later), else by the policy (JDK 8).
fn family(counters: &Counters<'_>, collections: &[Collections]) -> CollectorFamily {
    let policy = counters.text("sun.gc.policy.name").unwrap_or_default();
    let names = collections.iter().map(|collector| collector.name.as_str());
    names.chain([policy]).find_map(family_of_name).unwrap_or(CollectorFamily::Other)
}

/// How the names of a family's collectors begin, in any JDK since 8.
const FAMILY_OF_PREFIX: [(&str, CollectorFamily); 12] = [
    ("Serial", CollectorFamily::Serial),
    ("Copy", CollectorFamily::Serial),
    ("MSC", CollectorFamily::Serial),
    ("Parallel", CollectorFamily::Parallel),
    ("PS", CollectorFamily::Parallel),
    ("G1", CollectorFamily::G1),
    ("GarbageFirst", CollectorFamily::G1),
    ("CMS", CollectorFamily::ConcurrentMarkSweep),
    ("PCopy", CollectorFamily::ConcurrentMarkSweep),
    ("ParNew", CollectorFamily::ConcurrentMarkSweep),
    ("Z", CollectorFamily::Z),
    ("Shenandoah", CollectorFamily::Shenandoah),
];

fn family_of_name(name: &str) -> Option<CollectorFamily> {
    FAMILY_OF_PREFIX.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, family)| *family)
}

fn heap_max(counters: &Counters<'_>, collector: CollectorFamily) -> Option<Bytes> {
    let generation = |index: u8| {
        let name = format!("sun.gc.generation.{index}.maxCapacity");
        bytes(counters, &name).map(without_padding)
    };
    let (young, old) = (generation(0), generation(1)?);
    Some(match collector {
        CollectorFamily::Serial
        | CollectorFamily::Parallel
        | CollectorFamily::ConcurrentMarkSweep => {
            Bytes(old.0.saturating_add(young.unwrap_or_default().0))
        }
        // Both generations of these may grow to the whole heap, so the maxima do not add up.
        CollectorFamily::G1
        | CollectorFamily::Z
        | CollectorFamily::Shenandoah
        | CollectorFamily::Other => old.max(young.unwrap_or_default()),
    })
}

/// Classes from the shared archive are counted apart by the JVM, and are loaded all the same.
fn classes_loaded(counters: &Counters<'_>) -> Option<u64> {
    let class = |name: &str| count(counters, &format!("java.cls.{name}")).unwrap_or(0);
    let loaded = count(counters, "java.cls.loadedClasses")?;
    let all = loaded.saturating_add(class("sharedLoadedClasses"));
    Some(
        all.saturating_sub(class("unloadedClasses")).saturating_sub(class("sharedUnloadedClasses")),
    )
}

fn attach_capability(capabilities: Option<&str>) -> AttachCapability {
    match capabilities.and_then(|text| text.bytes().next()) {
        Some(b'1') => AttachCapability::Allowed,
        Some(b'0') => AttachCapability::Disabled,
        Some(_) | None => AttachCapability::Unknown,
    }
}

/// Most options and longest text that are kept of a JVM.
const OPTIONS_MAX: usize = 256;
const TEXT_CHARS_MAX: usize = 256;

/// A text that another process wrote, fit for a log.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
}

fn options(vm_args: &str) -> Vec<String> {
    let words = vm_args.split_whitespace().filter(|word| is_harmless(word));
    words.take(OPTIONS_MAX).map(plain).collect()
}

/// Switches and sizes only: `-XX:OnOutOfMemoryError=` and its like hold commands, and commands
/// hold passwords.
fn is_harmless(word: &str) -> bool {
    let is_size =
        |value: &str| value.bytes().all(|b| b.is_ascii_digit() || b".kKmMgGtT".contains(&b));
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric());
    match word.strip_prefix("-XX:") {
        Some(flag) => match flag.split_once('=') {
            Some((name, value)) => is_name(name) && is_size(value),
            None => is_name(flag.trim_start_matches(['+', '-'])),
        },
        None => word.strip_prefix("-X").is_some_and(is_name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_properties_are_not_taken() {
        let options = options(
            "-Xmx256m -Ddb.password=-Xsecret -XX:+UseG1GC -javaagent:a=key -XX:NewSize=1.5g \
             -XX:OnError=page_--token_abc -Xlog:gc:/x -XX:-UseTLAB",
        );
        assert_eq!(options, ["-Xmx256m", "-XX:+UseG1GC", "-XX:NewSize=1.5g", "-XX:-UseTLAB"]);
    }

    #[test]
    fn the_collector_is_known_by_the_names_of_old_and_new_jdks() {
        let check = |name: &str, want| assert_eq!(family_of_name(name), want, "{name}");
        check("Serial young collection pauses", Some(CollectorFamily::Serial));
        check("Copy:MSC", Some(CollectorFamily::Serial));
        check("PCopy", Some(CollectorFamily::ConcurrentMarkSweep));
        check("PSScavenge", Some(CollectorFamily::Parallel));
        check("ParNew:CMS", Some(CollectorFamily::ConcurrentMarkSweep));
        check("G1 young collection pauses", Some(CollectorFamily::G1));
        check("ZGC major collection pauses", Some(CollectorFamily::Z));
        check("Z concurrent cycle pauses", Some(CollectorFamily::Z));
        check("Shenandoah full", Some(CollectorFamily::Shenandoah));
        check("Epsilon", None);
    }

    #[test]
    fn a_capability_that_is_not_stated_is_not_taken_as_allowed() {
        assert_eq!(attach_capability(Some("1100")), AttachCapability::Allowed);
        assert_eq!(attach_capability(Some("0100")), AttachCapability::Disabled);
        assert_eq!(attach_capability(Some("")), AttachCapability::Unknown);
        assert_eq!(attach_capability(None), AttachCapability::Unknown);
    }
}
