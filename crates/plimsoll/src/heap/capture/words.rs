//! What `plimsoll heap capture` says to a person: what could be had, how far it is, what it took.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use plimsoll_model::{Bytes, Timestamp};
use plimsoll_runtime::capture::{Contents, Offer, Progress, Survey, Taken};
use plimsoll_wire::format_time;

use crate::output::{printable, table, wrap};

/// Longest name of a program in the name of a file.
const NAME_CHARS_MAX: usize = 60;

/// What is said before anything is done.
pub(super) fn prediction(looked: &Survey) -> String {
    let Survey { order, identity, program, heap_used, offers, .. } = looked;
    let heap = heap_used.map_or(String::new(), |used| format!(", {used} of heap in use"));
    let head =
        format!("process {}: {program} ({}, {}){heap}", order.pid, identity.kind, identity.reason);
    let rows: Vec<[String; 4]> = offers.iter().map(row).collect();
    let mut lines = wrap(&head, 0);
    lines.extend(table(["rung", "predicted pause", "predicted file", "now"], &rows));
    for offer in offers {
        if let Some(objection) = &offer.objection {
            lines.extend(wrap(&format!("{}: {objection}", offer.rung), 2));
        } else if let Some(pause) = &offer.cost.pause {
            lines.extend(wrap(&format!("{}: {}", offer.rung, pause.basis), 2));
        }
    }
    lines.join("\n")
}

fn row(offer: &Offer) -> [String; 4] {
    let pause = offer.cost.pause.as_ref().map_or_else(
        || "none".to_owned(),
        |pause| format!("{}, at most {}", span(pause.expected), span(pause.at_most)),
    );
    let file = offer.cost.file;
    let file = match file.expected == file.at_most {
        true => format!("at most {}", file.at_most),
        false => format!("{}, at most {}", file.expected, file.at_most),
    };
    let now = if offer.objection.is_some() { "not now" } else { "can be had" };
    [offer.rung.to_string(), pause, file, now.to_owned()]
}

/// With `--dry-run`.
pub(super) fn would_take(offer: &Offer) -> String {
    format!("would take: {}; nothing was taken\n", offer.rung)
}

/// On the line that is written over.
pub(super) fn progress(offer: &Offer, progress: &Progress) -> String {
    let dumped = progress.dumped.load(Ordering::Relaxed);
    let written = progress.written.load(Ordering::Relaxed);
    let expected = offer.cost.file.expected;
    match (dumped, written) {
        (0, 0) => format!("asking for a {}", offer.rung),
        (_, 0) => format!("the process writes: {} of about {expected}", Bytes(dumped)),
        (0, _) => format!("written: {} of about {expected}", Bytes(written)),
        (_, _) => format!("taking over: {} of {}", Bytes(written), Bytes(dumped)),
    }
}

/// What was taken, and what it took beside what was predicted.
pub(super) fn taken(offer: &Offer, path: &Path, taken: &Taken) -> String {
    let path = printable(&path.display().to_string());
    let file = format!("{} of {} in {path}\n", taken.size, offer.rung);
    match (taken.pause, &offer.cost.pause) {
        (Some(pause), Some(predicted)) => format!(
            "{file}the service stood still for {} (predicted: {}, at most {})\n",
            span(pause),
            span(predicted.expected),
            span(predicted.at_most)
        ),
        (Some(pause), None) => format!("{file}the service stood still for {}\n", span(pause)),
        (None, _) => format!("{file}the service did not stand still\n"),
    }
}

/// `heap-Shop-4242-20261122T233102Z.hprof`
pub(in crate::heap) fn file_name(looked: &Survey, contents: Contents, now: Timestamp) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let program: String = looked.program.chars().map(plain).take(NAME_CHARS_MAX).collect();
    let (pid, extension) = (looked.order.pid, contents.extension());
    format!("heap-{program}-{pid}-{}.{extension}", compact(now))
}

fn compact(now: Timestamp) -> String {
    let text = format_time(now);
    let whole = text.split('.').next().unwrap_or(&text);
    whole.chars().filter(|c| !"-:".contains(*c)).chain(['Z']).collect()
}

fn span(duration: Duration) -> String {
    match duration.as_millis() {
        millis @ 0..10_000 => format!("{millis} ms"),
        _ => format!("{:.0} s", duration.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_in_the_name_of_a_file_has_no_colons() {
        assert_eq!(compact(Timestamp::from_secs(1_780_000_000)), "20260528T202640Z");
    }

    #[test]
    fn spans_are_read_at_a_glance() {
        assert_eq!(span(Duration::from_millis(9999)), "9999 ms");
        assert_eq!(span(Duration::from_millis(12_600)), "13 s");
    }
}
