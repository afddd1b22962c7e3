//! A JVM's log of its collections, as events: when, what was collected, the heap before and after,
//! and how long the program stood still. From them follows what is alive.
//!
//! Takes the unified form (`-Xlog:gc`, JDK 9 and later, any decorations) and the older ones
//! (`-verbose:gc`, `PrintGC`, `PrintGCDetails`), of every HotSpot collector. Not here: phases,
//! regions, references and safepoints, and logs of other virtual machines.

mod live;
mod older;
mod sizes;
mod stamp;
mod trend;
mod unified;

use plimsoll_model::{Bytes, Timestamp};
use thiserror::Error;

pub use live::HeapSeries;
pub use sizes::Occupancy;

use older::Older;
use unified::Unified;

/// Events of one log, 120 bytes each: a collection every second for three weeks. Beyond it every
/// second young collection is forgotten; those that tell what is alive are not.
const EVENTS_MAX: usize = 2 << 20;

/// Bytes of one line that are read. Lines of G1 with every worker's times reach 4 kB; one log in
/// use has lost all its line ends, and is still read in parts.
const LINE_BYTES_MAX: usize = 1 << 20;

/// What a collection took garbage from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collected {
    /// The young generation: what is left holds old garbage.
    Young,
    /// The young generation, right after a concurrent sweep of the old one (CMS).
    AfterSweep,
    /// The young generation and some of the old regions (G1).
    Mixed,
    /// The whole heap, while the program stood still.
    Full,
    /// The whole heap, while the program ran (ZGC, Shenandoah).
    Concurrent,
    /// Nothing yet: a pause for marking.
    Nothing,
}

/// One collection, or one pause of a concurrent one.
#[derive(Clone, Debug, PartialEq)]
pub struct GcEvent {
    /// Where the event ends in the log, from 1.
    pub line: usize,
    /// Seconds since the JVM began.
    pub uptime: Option<f64>,
    pub wall: Option<Timestamp>,
    /// The number that unified logs give a collection.
    pub id: Option<u64>,
    pub collected: Collected,
    /// `None` for a pause whose line does not tell.
    pub heap: Option<Occupancy>,
    /// What the old generation held afterwards, where the log tells generations apart.
    pub old_after: Option<Bytes>,
    /// How long the program stood still; `None` where it ran, or the log does not tell.
    pub pause_secs: Option<f64>,
}

/// Which of its forms a log has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogForm {
    Unified,
    Older,
}

/// All that a log tells.
#[derive(Clone, Debug, PartialEq)]
pub struct GcLog {
    pub form: LogForm,
    pub events: Vec<GcEvent>,
    pub lines: usize,
    /// Records that began as a collection and could not be read: cut, or torn by other output.
    pub rejected: usize,
    /// Where the first of them began.
    pub first_rejected: Option<usize>,
    /// Young collections that were forgotten, because the log holds too many.
    pub forgotten: usize,
}

/// Why a text tells of no collection.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GcLogError {
    #[error("the log is empty")]
    Empty,
    #[error(
        "none of the {lines} lines tells of a collection; the log begins with `{start}`. Logs of \
         HotSpot are read, as `-Xlog:gc` or `-XX:+PrintGC` writes them"
    )]
    NoCollection { lines: usize, start: String },
    #[error(
        "{rejected} collections begin in the log and none of them can be read; the first is in \
         line {line}"
    )]
    Unreadable { rejected: usize, line: usize },
}

impl GcLog {
    /// Reads a whole log.
    ///
    /// # Errors
    /// When no line of it tells of a collection.
    pub fn parse(text: &str) -> Result<Self, GcLogError> {
        let mut reader = GcLogReader::default();
        // One log in use ends its lines with a carriage return alone.
        text.split(['\n', '\r']).for_each(|line| reader.line(line));
        reader.finish()
    }

    /// Events that collected something, which leaves out pauses for marking.
    pub fn collections(&self) -> impl Iterator<Item = &GcEvent> {
        self.events.iter().filter(|event| event.collected != Collected::Nothing)
    }
}

/// Reads a log line by line, so that it need not be in memory.
#[derive(Debug, Default)]
pub struct GcLogReader {
    unified: Unified,
    older: Older,
    events: Vec<GcEvent>,
    lines: usize,
    start: String,
    rejected: usize,
    first_rejected: Option<usize>,
    forgotten: usize,
}

/// What a line makes known.
#[derive(Debug, PartialEq)]
enum Told {
    Event(GcEvent),
    /// A collection that began in this line cannot be read.
    Rejected {
        line: usize,
    },
}

impl GcLogReader {
    /// Takes the next line, without its end.
    pub fn line(&mut self, line: &str) {
        const START_CHARS: usize = 60;
        self.lines += 1;
        if self.start.is_empty() {
            self.start = line.chars().filter(|c| !c.is_control()).take(START_CHARS).collect();
        }
        let mut end = line.len().min(LINE_BYTES_MAX);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let mut told = Vec::new();
        if !self.unified.line(&line[..end], self.lines, &mut told) {
            self.older.line(&line[..end], self.lines, &mut told);
        }
        for told in told {
            match told {
                Told::Event(event) => self.push(event),
                Told::Rejected { line } => {
                    self.rejected += 1;
                    self.first_rejected.get_or_insert(line);
                }
            }
        }
    }

    /// # Errors
    /// When no line told of a collection.
    pub fn finish(mut self) -> Result<GcLog, GcLogError> {
        if let Some(line) = self.older.unfinished() {
            self.rejected += 1;
            self.first_rejected.get_or_insert(line);
        }
        if self.events.is_empty() {
            return Err(match self.first_rejected {
                Some(line) => GcLogError::Unreadable { rejected: self.rejected, line },
                None if self.start.is_empty() => GcLogError::Empty,
                None => GcLogError::NoCollection { lines: self.lines, start: self.start },
            });
        }
        let unified = self.events.iter().any(|event| event.id.is_some());
        Ok(GcLog {
            form: if unified { LogForm::Unified } else { LogForm::Older },
            events: self.events,
            lines: self.lines,
            rejected: self.rejected,
            first_rejected: self.first_rejected,
            forgotten: self.forgotten,
        })
    }

    fn push(&mut self, event: GcEvent) {
        if self.events.len() >= EVENTS_MAX {
            self.thin();
        }
        if self.events.len() < EVENTS_MAX {
            self.events.push(event);
        } else {
            self.forgotten += 1;
        }
    }

    fn thin(&mut self) {
        let before = self.events.len();
        let mut keep = false;
        self.events.retain(|event| match event.collected {
            Collected::Young | Collected::Nothing => {
                keep = !keep;
                keep
            }
            Collected::AfterSweep | Collected::Mixed | Collected::Full | Collected::Concurrent => {
                true
            }
        });
        self.forgotten += before - self.events.len();
    }
}

/// Whether the first bytes of a file are those of a log: a collection, or what a JVM writes above
/// the first one.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut reader = GcLogReader::default();
    text.split(['\n', '\r']).any(|line| {
        reader.line(line);
        !reader.events.is_empty() || unified::is_of_gc(line) || older::is_head(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_log_is_refused_with_a_reason() {
        let check = |text: &str, want: &str| {
            assert_eq!(GcLog::parse(text).unwrap_err().to_string(), want);
        };
        check("\n", "the log is empty");
        let foreign = "none of the 2 lines tells of a collection; the log begins with `<verbosegc>`. \
                       Logs of HotSpot are read, as `-Xlog:gc` or `-XX:+PrintGC` writes them";
        check("<verbosegc>\n", foreign);
        let torn =
            "1 collections begin in the log and none of them can be read; the first is in line 2";
        check("x\n1.0: [GC [ParNew: 5K->\n", torn);
    }

    #[test]
    fn a_log_that_is_too_long_forgets_young_collections_only() {
        let mut reader = GcLogReader::default();
        for number in 0..10_u32 {
            let kind = if number % 5 == 0 { "Full" } else { "Young" };
            reader.line(&format!("[{number}.0s] GC({number}) Pause {kind} (x) 9M->5M(9M) 1.0ms"));
        }
        reader.thin();
        let log = reader.finish().unwrap();
        assert_eq!((log.events.len(), log.forgotten), (6, 4));
        assert_eq!(log.events.iter().filter(|event| event.collected == Collected::Full).count(), 2);
    }

    #[test]
    fn a_log_is_known_by_its_first_lines() {
        let check = |text: &str, want| assert_eq!(begins(text.as_bytes()), want, "{text}");
        check("[0.005s][info][gc] Using G1\n", true);
        check("[2022-11-10T03:37:32.125-0800][0.1s][info][gc,init] Version: 17\n", true);
        check("OpenJDK 64-Bit Server VM (25.71-b00) for linux-amd64 JRE (1.8.0_71-b00)\n", true);
        check("2.1: [Full GC 9K->5K(9K), 0.1 secs]\n", true);
        check("[info] started\n", false);
        check("the GC of [GC] was [gc\n", false);
    }
}
