//! Records of the logs before JDK 9: `0.288: [GC 17024K->13057K(83008K), 0.0441346 secs]`, with
//! brackets within brackets where details are on, over as many lines as it takes.
//!
//! Threads write at once, so a record may hold a whole other one. Brackets are followed, each with
//! the text that stands in itself alone; the heap is told in that of the record.

use plimsoll_model::Bytes;

use super::sizes::{Occupancy, last_level, last_transition};
use super::stamp::Stamp;
use super::unified::collected as of_shenandoah;
use super::{Collected, GcEvent, Told};

/// Brackets within brackets that are followed. Details nest four deep, a torn log deeper.
const DEPTH_MAX: usize = 32;
/// Text of one bracket that is kept, in bytes: its name and sizes stand at its ends, and what
/// adaptive sizing writes in between is about 500.
const TEXT_BYTES_MAX: usize = 8 << 10;

/// How records begin.
const STARTS: [&str; 4] = ["GC", "Full GC", "Pause", "Concurrent cleanup"];

/// An open bracket.
#[derive(Debug, Default)]
struct Open {
    line: usize,
    stamp: Stamp,
    /// What stands in it and in no bracket within.
    own: String,
    young_after: Option<Bytes>,
    old_after: Option<Bytes>,
    /// A pause of CMS stands within.
    marks: bool,
}

/// Brackets that are open at the end of a line.
#[derive(Debug, Default)]
pub(super) struct Older {
    open: Vec<Open>,
    /// A pause of G1 whose heap is told further below.
    awaited: Option<GcEvent>,
    swept: bool,
}

/// Whether a line is one that a JVM writes above its first record.
pub(super) fn is_head(line: &str) -> bool {
    let vm = (line.starts_with("OpenJDK ") || line.starts_with("Java HotSpot(TM) "))
        && line.contains(" VM (")
        && line.contains(" for ");
    let stopped = "Total time for which application threads were stopped: ";
    vm || line.starts_with("CommandLine flags: -XX:") || line.contains(stopped)
}

impl Older {
    pub(super) fn line(&mut self, line: &str, number: usize, told: &mut Vec<Told>) {
        // Address ranges of a heap's layout open brackets and do not close them.
        if line.contains("[0x") {
            return;
        }
        self.swept |= line.contains("[CMS-concurrent-sweep: ");
        if begins_record(line) {
            self.give_up(told);
        } else if self.open.is_empty() && self.summary(line, number, told) {
            return;
        }
        let mut rest = line;
        let mut before = 0;
        while let Some(at) = rest.find(['[', ']']) {
            self.text(&rest[..at]);
            let bracket = rest.as_bytes()[at];
            before += at + 1;
            rest = &rest[at + 1..];
            if bracket == b'[' {
                self.begin(&line[..before - 1], rest, number);
            } else {
                self.end(number, told);
            }
        }
        self.text(rest);
        self.text(" ");
    }

    /// The line of a record that never ended.
    pub(super) fn unfinished(&self) -> Option<usize> {
        let open = self.open.first().map(|open| open.line);
        open.or_else(|| self.awaited.as_ref().map(|event| event.line))
    }

    fn give_up(&mut self, told: &mut Vec<Told>) {
        if let Some(line) = self.unfinished() {
            told.push(Told::Rejected { line });
        }
        self.open.clear();
        self.awaited = None;
    }

    fn begin(&mut self, before: &str, rest: &str, line: usize) {
        if self.open.is_empty() && !is_start(rest) {
            return;
        }
        if self.open.len() < DEPTH_MAX {
            self.open.push(Open { line, stamp: Stamp::before(before), ..Open::default() });
        }
    }

    fn text(&mut self, text: &str) {
        let Some(open) = self.open.last_mut() else { return };
        if open.own.len() + text.len() <= TEXT_BYTES_MAX {
            open.own.push_str(text);
        }
    }

    fn end(&mut self, line: usize, told: &mut Vec<Told>) {
        let Some(closed) = self.open.pop() else { return };
        if !is_start(&closed.own) {
            if let Some(around) = self.open.last_mut() {
                around.within(&closed.own);
            }
            return;
        }
        // A pause of G1 that was not told of when the next one ends is lost.
        if let Some(lost) = self.awaited.take() {
            told.push(Told::Rejected { line: lost.line });
        }
        match closed.event(line) {
            Ended::Event(mut event) => {
                if self.swept && event.collected == Collected::Young {
                    event.collected = Collected::AfterSweep;
                    self.swept = false;
                }
                told.push(Told::Event(event));
            }
            Ended::HeapFollows(event) => self.awaited = Some(event),
            Ended::Step => {}
            Ended::Nothing => told.push(Told::Rejected { line: closed.line }),
        }
    }

    /// The heap around a pause of G1: `[Eden: .. Heap: 14.0M(256.0M)->6.0M(256.0M)]`, or in JDK 6
    /// and early 7 `[ 14M->6M(256M)]`. Whether the line is one.
    fn summary(&mut self, line: &str, number: usize, told: &mut Vec<Told>) -> bool {
        let text = line.trim();
        let heap = match text.split_once(" Heap: ") {
            Some((eden, heap)) if eden.starts_with("[Eden: ") => last_transition(heap),
            Some(_) => None,
            None => {
                let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
                let bare = bare.filter(|text| !text.contains([':', '[']));
                bare.and_then(last_transition)
            }
        };
        let Some(heap) = heap else { return false };
        if let Some(event) = self.awaited.take() {
            let heap = Some(heap);
            told.push(Told::Event(GcEvent { heap, line: number, ..event }));
        }
        true
    }
}

/// What a record that closed is.
enum Ended {
    Event(GcEvent),
    HeapFollows(GcEvent),
    /// A step of a concurrent cycle, which is no pause.
    Step,
    Nothing,
}

impl Open {
    /// Takes what a bracket within tells.
    fn within(&mut self, text: &str) {
        let is = |names: &[&str]| names.iter().any(|name| text.starts_with(name));
        self.marks |= is(&["1 CMS-initial-mark", "1 CMS-remark"]);
        let Some(sizes) = last_transition(text) else { return };
        if is(&["ParNew", "DefNew", "PSYoungGen", "ASParNew"]) {
            self.young_after = Some(sizes.after);
        } else if is(&["CMS:", "CMS ", "CMS", "Tenured", "PSOldGen", "ParOldGen", "ASCMS"])
            && !is(&["CMS Perm", "CMS-concurrent"])
        {
            self.old_after = Some(sizes.after);
        }
    }

    fn event(&self, line: usize) -> Ended {
        let own = self.own.as_str();
        if own.starts_with("GC concurrent-") {
            return Ended::Step;
        }
        let pause_secs = pause(own);
        let moved = last_transition(own);
        let Some(collected) = self.collected(moved) else { return Ended::Nothing };
        let heap = moved.or_else(|| last_level(own));
        let event = GcEvent {
            line,
            uptime: self.stamp.uptime,
            wall: self.stamp.wall,
            id: None,
            collected,
            heap,
            old_after: self.old_after.or_else(|| self.old_beside_young(heap)),
            pause_secs: pause_secs.filter(|_| !own.starts_with("Concurrent")),
        };
        let only_paused = collected == Collected::Nothing && pause_secs.is_some();
        if heap.is_some() || only_paused {
            Ended::Event(event)
        } else if own.starts_with("GC pause") {
            Ended::HeapFollows(GcEvent { line: self.line, ..event })
        } else {
            Ended::Nothing
        }
    }

    fn old_beside_young(&self, heap: Option<Occupancy>) -> Option<Bytes> {
        let (heap, young) = (heap?.after, self.young_after?);
        heap.0.checked_sub(young.0).map(Bytes)
    }

    fn collected(&self, moved: Option<Occupancy>) -> Option<Collected> {
        let own = self.own.as_str();
        if own.starts_with("Pause ") || own.starts_with("Concurrent") {
            return of_shenandoah(own);
        }
        let marks = ["GC remark", "GC cleanup", "GC (CMS Initial Mark)", "GC (CMS Final Remark)"];
        let by_name = marks.iter().any(|name| own.starts_with(name));
        if self.marks || (by_name && (moved.is_none() || own.starts_with("GC cleanup"))) {
            return Some(Collected::Nothing);
        }
        // A young collection that could not promote goes on as a full one, in the same record.
        if own.starts_with("Full GC") || (self.old_after.is_some() && moved.is_some()) {
            return Some(Collected::Full);
        }
        if own.starts_with("GC pause") {
            let mixed = own.contains("(mixed)") || own.contains("(partial)");
            return Some(if mixed { Collected::Mixed } else { Collected::Young });
        }
        if moved.is_some() {
            return Some(Collected::Young);
        }
        // Without details, the pauses of CMS are a level alone.
        last_level(own).map(|_| Collected::Nothing)
    }
}

/// `0.0441346 secs`, in some languages `0,0441346`; Shenandoah of JDK 8 writes `0.441 ms`.
fn pause(own: &str) -> Option<f64> {
    let (text, scale) = match own.rfind(" secs") {
        Some(at) => (&own[..at], 1.0),
        None => (&own[..own.rfind(" ms")?], 1e-3),
    };
    let of_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',');
    let digits = &text[text.trim_end_matches(of_number).len()..];
    let digits = digits.trim_start_matches(',').replace(',', ".");
    let number: f64 = digits.parse().ok()?;
    number.is_finite().then_some(number * scale)
}

/// Whether the text of a bracket begins as a record does. The workers of G1, and a step of its
/// remark, have brackets of their own, which are none.
fn is_start(text: &str) -> bool {
    let found = STARTS.iter().find_map(|start| text.strip_prefix(start));
    found.is_some_and(|rest| {
        let part = rest.starts_with(" Worker") || rest.starts_with(" ref-proc");
        !part && !rest.starts_with(|c: char| c.is_ascii_alphabetic())
    })
}

/// Whether a record of its own begins at the start of a line, behind its stamps alone.
fn begins_record(line: &str) -> bool {
    let Some((before, rest)) = line.split_once('[') else { return false };
    let stamps = before.bytes().all(|byte| {
        byte.is_ascii_digit() || matches!(byte, b'T' | b':' | b'.' | b',' | b'-' | b'+' | b' ')
    });
    stamps && is_start(rest)
}

#[cfg(test)]
mod tests {
    use super::super::GcLog;
    use super::*;

    /// Kind, after in KiB, pause in ms; in order.
    fn check(text: &str, want: &[(Collected, Option<u64>, Option<u64>)], rejected: usize) {
        let log = GcLog::parse(text).unwrap();
        let found = log.events.iter().map(|event| {
            let pause = event.pause_secs.map(|secs| (secs * 1e3).round() as u64);
            (event.collected, event.heap.map(|heap| heap.after.0 >> 10), pause)
        });
        assert_eq!(found.collect::<Vec<_>>(), want, "{text}");
        assert_eq!(log.rejected, rejected, "{text}");
    }

    #[test]
    fn records_of_every_collector_are_read() {
        let young = |after| (Collected::Young, Some(after), Some(100));
        check("0.2: [GC 9K->5K(9K), 0.1 secs]", &[young(5)], 0);
        check("0.2: [GC [PSYoungGen: 6K->1K(7K)] 9K->4K(9K), 0.1 secs]", &[young(4)], 0);
        check(
            "0.2: [GC0.2: [ParNew\nnew threshold 1\n: 6K->1K(7K), 0,1 secs] 9K->3K(9K), 0,1 secs]",
            &[young(3)],
            0,
        );
        let escalated = "0.2: [GC 0.2: [DefNew: 6K->6K(7K), 0.1 secs]0.3: [Tenured: 3K->1K(7K), 0.1 \
                         secs] 9K->2K(9K), 0.1 secs]";
        check(escalated, &[(Collected::Full, Some(2), Some(100))], 0);
        let g1 = "0.2: [GC pause (mixed), 0.1 secs]\n   [GC Worker Start (ms): Min: 1]\n\
                  [Eden: 1.0M(1.0M)->0.0B(1.0M) Heap: 8.0K(13.0M)->7.0K(13.0M)]\n\
                  0.3: [GC remark 0.3: [GC ref-proc, 0.1 secs], 0.1 secs]";
        let mark = (Collected::Nothing, None, Some(100));
        check(g1, &[(Collected::Mixed, Some(7), Some(100)), mark], 0);
        check(
            "0.3: [Concurrent cleanup 9K->6K(9K), 0.1 ms]",
            &[(Collected::Concurrent, Some(6), None)],
            0,
        );
    }

    #[test]
    fn a_collection_within_the_record_of_another_is_read_too() {
        let text = "1.1: [GC[YG occupancy: 13 K (18 K)]1.1: [GC 1.1: [ParNew: 13K->2K(18K), 0.1 secs] \
                    13K->8K(20K), 0.1 secs]\n1.2: [Rescan, 0.1 secs][1 CMS-remark: 6K(9K)] \
                    8K(20K), 0.2 secs]\n1.3: [CMS-concurrent-sweep: 0.1/0.2 secs]\n\
                    2.0: [GC 9K->5K(20K), 0.1 secs]\n";
        let want = [
            (Collected::Young, Some(8), Some(100)),
            (Collected::Nothing, Some(8), Some(200)),
            (Collected::AfterSweep, Some(5), Some(100)),
        ];
        check(text, &want, 0);
    }

    #[test]
    fn a_torn_record_is_counted_and_costs_no_other() {
        let text =
            "0.1: [GC [ParNew: 6K->\n0.2: [GC 9K->5K(9K), 0.1 secs]\n0.3: [GC \u{e9}.5 secs]\n";
        check(text, &[(Collected::Young, Some(5), Some(100))], 2);
    }
}
