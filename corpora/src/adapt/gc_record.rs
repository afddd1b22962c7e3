//! What the heap held after each collection, from the log of a JVM: the unified form (`-Xlog:gc`)
//! and the older ones (`-verbose:gc`, `PrintGC`, `PrintGCDetails`).
//!
//! As much of these formats as occupancy needs. Concurrent cycles, references, regions and phases
//! are passed over: only pauses that collect say what is held.

use plimsoll_model::Timestamp;

use super::moment;

/// Bytes of one record that are kept. A record that is longer lost its closing bracket.
const RECORD_BYTES_MAX: usize = 16 << 10;

/// The heap after one collection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Collection {
    /// Seconds since the JVM began.
    pub(super) uptime: Option<f64>,
    pub(super) wall: Option<Timestamp>,
    pub(super) after: f64,
    pub(super) committed: f64,
    /// Everything was collected, so what is left is alive.
    pub(super) full: bool,
}

/// When a record began.
#[derive(Clone, Copy, Debug)]
struct Start {
    uptime: Option<f64>,
    wall: Option<Timestamp>,
    full: bool,
}

/// A record of the older form that is not closed yet.
#[derive(Debug)]
struct Open {
    start: Start,
    depth: u32,
    /// What stands in the record itself, without what is in brackets within it.
    own: String,
}

/// Reads a log line by line.
#[derive(Debug, Default)]
pub(super) struct GcLog {
    collections: Vec<Collection>,
    open: Option<Open>,
    last: Option<Start>,
}

impl GcLog {
    pub(super) fn line(&mut self, line: &str) {
        if line.starts_with('[') && line.contains("GC(") {
            self.unified(line);
        } else if !line.contains("[0x") {
            // A line with addresses is of the heap's layout, and its brackets do not match.
            self.older(line);
        }
    }

    pub(super) fn finish(self) -> Vec<Collection> {
        self.collections
    }

    /// `[0.160s][info ][gc] GC(0) Pause Young (Allocation Failure) 16M->2M(61M) 2.928ms`
    fn unified(&mut self, line: &str) {
        let full = line.contains(" Pause Full");
        if !full && !line.contains(" Pause Young") && !line.contains(" Pause Mixed") {
            return;
        }
        let Some((after, committed)) = last_transition(line) else { return };
        let mut start = Start { uptime: None, wall: None, full };
        for stamp in line.split('[').skip(1).map_while(|part| part.split_once(']')) {
            start.uptime = start.uptime.or_else(|| seconds(stamp.0));
            start.wall = start.wall.or_else(|| moment::with_offset(stamp.0));
            if !stamp.1.is_empty() {
                break;
            }
        }
        self.push(start, after, committed);
    }

    fn older(&mut self, line: &str) {
        if let Some((start, rest)) = begins(line) {
            self.open = Some(Open { start, depth: 0, own: String::new() });
            self.last = Some(start);
            self.go_on(rest);
        } else if self.open.is_some() {
            self.go_on(line);
        } else if let Some((after, committed)) = g1_summary(line)
            && let Some(start) = self.last.take()
        {
            self.push(start, after, committed);
        }
    }

    fn go_on(&mut self, text: &str) {
        let Some(mut open) = self.open.take() else { return };
        for c in text.chars() {
            match c {
                '[' => open.depth += 1,
                ']' => open.depth = open.depth.saturating_sub(1),
                _ if open.depth == 1 => open.own.push(c),
                _ => {}
            }
            if open.depth == 0 {
                if let Some((after, committed)) = last_transition(&open.own) {
                    self.push(open.start, after, committed);
                    self.last = None;
                }
                return;
            }
        }
        open.own.push(' ');
        if open.own.len() <= RECORD_BYTES_MAX {
            self.open = Some(open);
        }
    }

    fn push(&mut self, start: Start, after: f64, committed: f64) {
        let Start { uptime, wall, full } = start;
        self.collections.push(Collection { uptime, wall, after, committed, full });
    }
}

/// The last record of the older form that begins in a line, and its text from the bracket on. One
/// line may hold several where threads wrote at once.
fn begins(line: &str) -> Option<(Start, &str)> {
    let places = [line.rfind("[GC"), line.rfind("[Full GC")];
    let place = places.into_iter().flatten().max()?;
    let (before, record) = line.split_at_checked(place)?;
    // Steps of a concurrent cycle give nothing back, or not by themselves.
    if ["[GC concurrent", "[GC cleanup", "[GC remark"].iter().any(|step| record.starts_with(step)) {
        return None;
    }
    let mut words = before.trim_end().trim_end_matches(':').rsplit([' ', ':']);
    let uptime = words.next().and_then(|word| {
        let digits = word.rsplit(|c: char| !c.is_ascii_digit() && c != '.').next()?;
        digits.parse().ok()
    });
    let wall = before.split(": ").find_map(|part| moment::with_offset(part.trim_end_matches(':')));
    let full = record.starts_with("[Full GC");
    (uptime.is_some() || wall.is_some()).then_some((Start { uptime, wall, full }, record))
}

/// `0.160s`, `160ms`.
fn seconds(stamp: &str) -> Option<f64> {
    if let Some(millis) = stamp.strip_suffix("ms") {
        return millis.parse().ok().map(|millis: f64| millis / 1000.0);
    }
    stamp.strip_suffix('s')?.parse().ok()
}

/// `[Eden: 24.0M(24.0M)->0.0B(13.0M) Survivors: ... Heap: 24.0M(256.0M)->21.0M(256.0M)]`, and of
/// JDK 6 `[ 24M->21M(256M)]`.
fn g1_summary(line: &str) -> Option<(f64, f64)> {
    if let Some((_, heap)) = line.split_once("Heap: ") {
        return last_transition(heap);
    }
    last_transition(line.trim_start().strip_prefix("[ ")?)
}

/// What is used and what is committed after the last `A->B(C)` or `A(X)->B(C)` of a text, in bytes.
fn last_transition(text: &str) -> Option<(f64, f64)> {
    let (before, after) = text.rsplit_once("->")?;
    let before = match before.strip_suffix(')') {
        Some(sized) => sized.rsplit_once('(')?.0,
        None => before,
    };
    // Not a size: something else has an arrow.
    size(before.rsplit(|c: char| !c.is_ascii_digit() && c != '.' && !is_unit(c)).next()?)?;
    let (used, rest) = after.split_once('(')?;
    let (committed, _) = rest.split_once(')')?;
    Some((size(used)?, size(committed)?))
}

/// `50668K`, `24.0M`, `0.0B`.
fn size(text: &str) -> Option<f64> {
    let unit = text.chars().last().filter(|unit| is_unit(*unit))?;
    let number: f64 = text[..text.len() - 1].parse().ok()?;
    let bytes = number * f64::from(1_u32 << unit_shift(unit));
    (bytes.is_finite() && bytes >= 0.0).then_some(bytes)
}

const fn is_unit(c: char) -> bool {
    matches!(c, 'B' | 'K' | 'M' | 'G')
}

const fn unit_shift(unit: char) -> u32 {
    match unit {
        'K' => 10,
        'M' => 20,
        'G' => 30,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Per collection: seconds, KiB used after it, KiB committed, whether everything was collected.
    fn check(log: &str, want: &[(f64, f64, f64, bool)]) {
        let mut reader = GcLog::default();
        log.lines().for_each(|line| reader.line(line));
        let got = reader.finish().into_iter().map(|c| {
            (c.uptime.unwrap_or(f64::NAN), c.after / 1024.0, c.committed / 1024.0, c.full)
        });
        assert_eq!(got.collect::<Vec<_>>(), want, "{log}");
    }

    #[test]
    fn plain_records_of_the_older_form_are_read() {
        let log = "0.555: [GC 58256K->50668K(83008K), 0.0284159 secs]\n\
                   0.585: [GC 50934K(83008K), 0.0049002 secs]\n\
                   125.519: [Full GC 9645K->3827K(83008K), 0.0596353 secs]";
        check(log, &[(0.555, 50668.0, 83008.0, false), (125.519, 3827.0, 83008.0, true)]);
    }

    #[test]
    fn of_a_detailed_record_the_whole_heap_counts_and_not_a_part_of_it() {
        check(
            "83.1: [GC 76.5: [ParNew: 235968K->26176K(235968K), 0.41 secs] \
             447718K->318720K(1022400K), 0.4181168 secs] [Times: user=2.05 sys=0.11, real=0.42 secs]",
            &[(83.1, 318720.0, 1022400.0, false)],
        );
        check(
            "2.112: [Full GC 2.112: [Tenured: 9210K->48950K(349568K), 0.09 secs] \
             102064K->48950K(506816K), [Perm : 16379K->16379K(16384K)], 0.0916361 secs]",
            &[(2.112, 48950.0, 506816.0, true)],
        );
    }

    #[test]
    fn a_record_over_several_lines_is_put_together() {
        let log = "1.143: [GC\n\
                   Desired survivor size 2097152 bytes, new threshold 7 (max 15)\n \
                   - age   1:    2686296 bytes,    2686296 total\n \
                   8148K->1714K(47104K), 0.0063185 secs]\n\
                   1.090: [Full GC 1714K->1619K(47104K), 0.0509082 secs]";
        check(log, &[(1.143, 1714.0, 47104.0, false), (1.09, 1619.0, 47104.0, true)]);
    }

    #[test]
    fn a_record_that_began_within_another_is_the_one_that_collected() {
        check(
            "11.960: [GC[YG occupancy: 1308733 K (1887488 K)]11.961: [GC 11.961: [ParNew: \
             1308733K->28278K(1887488K), 0.01 secs] 1308733K->28278K(20761856K), 0.0198110 secs]",
            &[(11.961, 28278.0, 20_761_856.0, false)],
        );
    }

    #[test]
    fn g1_tells_the_heap_in_a_line_of_its_own() {
        let log = "0.279: [GC pause (G1 Evacuation Pause) (young), 0.0123 secs]\n   \
                   [Parallel Time: 10.4 ms, GC Workers: 8]\n   \
                   [Eden: 24.0M(24.0M)->0.0B(13.0M) Survivors: 0.0B->3072.0K \
                   Heap: 24.0M(256.0M)->21.0M(256.0M)]\n\
                   0.300: [GC concurrent-root-region-scan-start]\n\
                   0.500: [GC cleanup 10M->8M(256M), 0.001 secs]";
        check(log, &[(0.279, 21504.0, 262_144.0, false)]);
    }

    #[test]
    fn pauses_of_the_unified_form_are_read_and_its_other_lines_are_not() {
        let log = "[0.1s][info ][gc,heap      ] GC(0) ParNew: 17393K->2175K(19648K)\n\
                   [0.160s][info ][gc] GC(0) Pause Young (Allocation Failure) 16M->2M(61M) 2.928ms\n\
                   [0.170s][info ][gc] GC(1) Pause Remark 20M->20M(61M) 1.0ms\n\
                   [0.180s][info ][gc,start] GC(2) Pause Full (System.gc())\n\
                   [0.190s][info ][gc] GC(2) Pause Full (System.gc()) 20M->1M(61M) 1.0ms";
        check(log, &[(0.16, 2048.0, 62464.0, false), (0.19, 1024.0, 62464.0, true)]);
    }

    #[test]
    fn real_dates_are_read_in_both_forms() {
        let wall = |line: &str| {
            let mut reader = GcLog::default();
            reader.line(line);
            reader.finish()[0]
        };
        let older = wall(
            "2014-11-29T06:29:09.903+0000: 440.849: [GC 440.849: [ParNew: 5K->3K(9K), 0.3 secs] \
             5K->4K(9K), 0.3 secs]",
        );
        assert_eq!(older.wall, Some(Timestamp::from_millis(1_417_242_549_903)));
        assert_eq!(older.uptime, Some(440.849));
        let unified = wall(
            "[2022-11-10T03:37:32.126-0800][2.700s][info][gc] GC(0) Pause Young (Normal) 9M->2M(9M) 1ms",
        );
        assert_eq!(unified.wall, Some(Timestamp::from_millis(1_668_080_252_126)));
        assert_eq!(unified.uptime, Some(2.7));
    }

    #[test]
    fn a_broken_log_says_nothing_and_costs_nothing() {
        check("1.0: [GC 5K->", &[]);
        check("]]]] -> ()", &[]);
        check("1.0: [GC K->K(K)]", &[]);
        check("[GC 5K->3K(9K), 0.1 secs]", &[]);
        check("1.0: [GC \u{fffd}5K->3K(9K), 0.1 secs]", &[(1.0, 3.0, 9.0, false)]);
        check("1.0: [GC 5\u{fffd}->3K(9\u{fffd}), 0.1 secs]", &[]);
        let endless = format!("1.0: [GC {}\n 5K->3K(9K), 0.1 secs]", "x".repeat(20_000));
        check(&endless, &[]);
    }
}
