//! Lines of the unified log: `[0.160s][info ][gc] GC(0) Pause Young (Normal) 16M->2M(61M) 2.9ms`.
//!
//! Decorations may be any, in any order, or none; what counts is the message behind `GC(number)`.

use plimsoll_model::Bytes;

use super::sizes::last_transition;
use super::stamp::Stamp;
use super::{Collected, GcEvent, Told};

/// Generations that are old, as their line below `gc+heap` names them.
const OLD: [&str; 5] = ["CMS: ", "Tenured: ", "ParOldGen: ", "PSOldGen: ", "Old: "];

/// What lines above an event tell of it.
#[derive(Debug, Default)]
pub(super) struct Unified {
    /// The old generation after this collection.
    old_after: Option<(u64, Bytes)>,
    /// A concurrent sweep has ended, and no collection has followed.
    swept: bool,
}

impl Unified {
    /// Whether the line is one of the unified form.
    pub(super) fn line(&mut self, line: &str, number: usize, told: &mut Vec<Told>) -> bool {
        let (stamp, message) = decorations(line);
        let Some((id, message)) = numbered(message) else { return false };
        if let Some(old) = old_generation(message) {
            self.old_after = Some((id, old));
        } else if message.starts_with("Concurrent Sweep ") {
            self.swept = true;
        } else if let Some(event) = self.event(message, id) {
            let Stamp { uptime, wall } = stamp;
            told.push(Told::Event(GcEvent { line: number, uptime, wall, ..event }));
        }
        true
    }

    fn event(&mut self, message: &str, id: u64) -> Option<GcEvent> {
        let mut collected = collected(message)?;
        let heap = last_transition(message);
        let pause = millis(message).filter(|_| stands_still(message));
        // The line of the beginning has neither; other lines of the kind collect nothing.
        if heap.is_none() && (pause.is_none() || collected != Collected::Nothing) {
            return None;
        }
        if self.swept && collected == Collected::Young {
            collected = Collected::AfterSweep;
            self.swept = false;
        }
        let old_after = self.old_after.filter(|(of, _)| *of == id).map(|(_, old)| old);
        Some(GcEvent {
            line: 0,
            uptime: None,
            wall: None,
            id: Some(id),
            collected,
            heap,
            old_after,
            pause_secs: pause.map(|millis| millis / 1e3),
        })
    }
}

/// Whether a line has a decoration of the tag `gc`, as those above the first collection do.
pub(super) fn is_of_gc(line: &str) -> bool {
    let mut rest = line;
    let (mut is_gc, mut with_time) = (false, false);
    while let Some((decoration, after)) = decoration(rest) {
        let tag = decoration.trim();
        is_gc |= tag == "gc" || tag.starts_with("gc,");
        let mut stamp = Stamp::default();
        stamp.decoration(tag);
        with_time |= stamp != Stamp::default() || tag == "info";
        rest = after;
    }
    is_gc && with_time
}

/// What an event that begins like this collects; `None` where it is no event.
pub(super) fn collected(message: &str) -> Option<Collected> {
    let is = |start: &str| message.starts_with(start);
    // A full collection in place of a concurrent one that did not get through.
    if is("Pause Full") || is("Pause Degenerated GC") {
        return Some(Collected::Full);
    }
    if is("Pause Mixed") || is("Pause Young (Mixed)") {
        return Some(Collected::Mixed);
    }
    // In G1 of JDK 9 and 10 this is a young collection, with its cause; in CMS it only marks.
    if is("Pause Young") || is("Pause Initial Mark (") || is("Minor Collection (") {
        return Some(Collected::Young);
    }
    let whole = ["Garbage Collection (", "Major Collection (", "Concurrent cleanup"];
    if whole.iter().any(|start| is(start)) {
        return Some(Collected::Concurrent);
    }
    let pause = message.split_once("Pause ").is_some_and(|(before, _)| {
        // Generational ZGC says whose pause it is: `y: Pause Mark Start`.
        before.is_empty() || matches!(before, "y: " | "o: " | "Y: " | "O: ")
    });
    pause.then_some(Collected::Nothing)
}

fn stands_still(message: &str) -> bool {
    message.contains("Pause ")
}

/// The last word, where it is a length in milliseconds.
fn millis(message: &str) -> Option<f64> {
    let word = message.split_whitespace().next_back()?;
    let number: f64 = word.strip_suffix("ms")?.replace(',', ".").parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

fn old_generation(message: &str) -> Option<Bytes> {
    let message = message.trim_start();
    let sizes = OLD.iter().find_map(|name| message.strip_prefix(name))?;
    // Spaces within the generation follow on the same line; its own size comes first.
    let end = sizes.find(' ').unwrap_or(sizes.len());
    last_transition(&sizes[..end]).map(|sizes| sizes.after)
}

fn decorations(line: &str) -> (Stamp, &str) {
    let mut stamp = Stamp::default();
    let mut rest = line;
    while let Some((text, after)) = decoration(rest) {
        stamp.decoration(text.trim());
        rest = after;
    }
    (stamp, rest.trim_start())
}

fn decoration(rest: &str) -> Option<(&str, &str)> {
    let (text, after) = rest.strip_prefix('[')?.split_once(']')?;
    (!text.contains('[')).then_some((text, after))
}

/// `GC(12) message`.
fn numbered(message: &str) -> Option<(u64, &str)> {
    let (number, message) = message.strip_prefix("GC(")?.split_once(')')?;
    Some((number.parse().ok()?, message.strip_prefix(' ')?))
}

#[cfg(test)]
mod tests {
    use super::super::GcLog;
    use super::*;

    /// Kind, after in MiB, pause in ms.
    fn check(text: &str, want: &[(Collected, Option<u64>, Option<f64>)]) {
        let log = GcLog::parse(text).unwrap();
        let found = log.events.iter().map(|event| {
            let after = event.heap.map(|heap| heap.after.0 >> 20);
            (event.collected, after, event.pause_secs.map(|secs| (secs * 1e6).round() / 1e3))
        });
        let found: Vec<_> = found.collect();
        assert_eq!(found, want, "{text}");
        assert_eq!(log.rejected, 0);
    }

    #[test]
    fn pauses_of_g1_of_every_age_are_read() {
        check(
            "[0.1s][info][gc,start] GC(0) Pause Young (Normal) (G1 Evacuation Pause)\n\
             [0.2s][info][gc] GC(0) Pause Young (Normal) (G1 Evacuation Pause) 24M->11M(256M) 7.965ms\n\
             [0.3s][info][gc] GC(1) Pause Young (Mixed) (G1 Evacuation Pause) 24M->9M(256M) 1.5ms\n\
             [0.3s][info][gc] GC(2) Pause Mixed (G1 Evacuation Pause) 24M->8M(256M) 1.5ms\n\
             [0.3s][info][gc] GC(3) Pause Initial Mark (G1 Humongous) 24M->7M(256M) 1.5ms\n\
             [0.4s][info][gc] GC(4) Pause Remark 30M->29M(256M) 2.5ms\n\
             [0.4s][info][gc] GC(4) Concurrent Mark Cycle 30.1ms\n\
             [0.5s][info][gc] GC(5) Pause Full (System.gc()) 30M->3M(256M) 20ms\n",
            &[
                (Collected::Young, Some(11), Some(7.965)),
                (Collected::Mixed, Some(9), Some(1.5)),
                (Collected::Mixed, Some(8), Some(1.5)),
                (Collected::Young, Some(7), Some(1.5)),
                (Collected::Nothing, Some(29), Some(2.5)),
                (Collected::Full, Some(3), Some(20.0)),
            ],
        );
    }

    #[test]
    fn collectors_that_run_beside_the_program_are_read() {
        check(
            "GC(0) Pause Mark Start 0.005ms\n\
             GC(0) Garbage Collection (Warmup) 106M(10%)->44M(4%)\n\
             GC(1) y: Pause Mark Start 0.006ms\n\
             GC(1) Minor Collection (Allocation Rate) 106M(10%)->80M(8%) 0.012s\n\
             GC(2) Major Collection (Proactive) 106M(10%)->40M(4%) 0.5s\n\
             GC(3) Concurrent cleanup 40M->30M(256M) 0.050ms\n\
             GC(3) Concurrent reset 0.1ms\n\
             GC(4) Pause Degenerated GC (Mark) 200M->50M(256M) 20.5ms\n",
            &[
                (Collected::Nothing, None, Some(0.005)),
                (Collected::Concurrent, Some(44), None),
                (Collected::Nothing, None, Some(0.006)),
                (Collected::Young, Some(80), None),
                (Collected::Concurrent, Some(40), None),
                (Collected::Concurrent, Some(30), None),
                (Collected::Full, Some(50), Some(20.5)),
            ],
        );
    }

    #[test]
    fn the_first_collection_after_a_sweep_tells_what_the_old_generation_holds() {
        let log = GcLog::parse(
            "[0.1s] GC(1) Concurrent Sweep 10.1ms\n\
             [0.2s] GC(2) ParNew: 17393K->2175K(19648K)\n[0.2s] GC(2) CMS: 900K->1024K(43712K)\n\
             [0.2s] GC(2) Pause Young (Allocation Failure) 17M->3M(61M) 2.9ms\n\
             [0.3s] GC(3) Pause Young (Allocation Failure) 17M->4M(61M) 2.9ms\n",
        );
        let events = log.unwrap().events;
        assert_eq!(events[0].collected, Collected::AfterSweep);
        assert_eq!(events[0].old_after, Some(Bytes(1 << 20)));
        assert_eq!((events[1].collected, events[1].old_after), (Collected::Young, None));
    }
}
