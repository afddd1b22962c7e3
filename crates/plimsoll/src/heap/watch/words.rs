//! What a watch says of the growth so far: a table for people, a line of JSON for programs.

use plimsoll_heap::{Rise, WatchGrowth, short, thousands};
use plimsoll_wire::heap::{HEAP_VERSION, HeapRiseShape, HeapWatchShape};

use super::super::whole::human;
use crate::output::table;

/// Rows that are printed.
const ROWS: usize = 10;

pub(super) fn text(growth: &WatchGrowth) -> String {
    let steps = if growth.steps == 1 { "step" } else { "steps" };
    let work = growth.work.map_or(String::new(), |work| format!(", {work:.0} requests"));
    let grown = human(growth.grown);
    let minutes = growth.secs / 60.0;
    let mut lines =
        vec![format!("{grown} grew in {minutes:.1} min and {} {steps}{work}", growth.steps)];
    lines.push(match (&growth.leader, growth.steady_leader()) {
        (Ok(leader), Some(_)) => format!(
            "{} grows in every step and pulls {:.0} % of the growth along",
            leader.class,
            leader.group_share * 100.0
        ),
        (Ok(leader), None) => format!(
            "{} pulls {:.0} % of the growth along so far",
            leader.class,
            leader.group_share * 100.0
        ),
        (Err(none), _) => none.reason().to_owned(),
    });
    let rows: Vec<_> = growth.rises.iter().take(ROWS).map(|rise| row(rise, growth)).collect();
    lines.extend(table(
        ["growth", "share", "an hour", "a request", "objects", "steps up", "type"],
        &rows,
    ));
    lines.join("\n") + "\n\n"
}

fn row(rise: &Rise, growth: &WatchGrowth) -> [String; 7] {
    [
        human(rise.bytes.unsigned_abs()),
        format!("{:.0} %", rise.share * 100.0),
        human(rise.bytes_per_hour as u64),
        rise.bytes_per_work.map_or_else(|| "-".to_owned(), |bytes| format!("{bytes:.1} B")),
        format!(
            "{}{}",
            if rise.objects < 0 { "-" } else { "+" },
            thousands(rise.objects.unsigned_abs())
        ),
        format!("{} of {}", rise.steps_grown, growth.steps),
        short(&rise.kind).to_owned(),
    ]
}

/// `growth` is null of the first look.
pub(super) fn shape(growth: Option<&WatchGrowth>, looks: u32) -> HeapWatchShape {
    let leader = growth.and_then(|growth| growth.leader.as_ref().ok());
    HeapWatchShape {
        version: HEAP_VERSION,
        looks,
        seconds: growth.map_or(0.0, |growth| growth.secs),
        work: growth.and_then(|growth| growth.work),
        steps: growth.map_or(0, |growth| growth.steps as u64),
        grown_bytes: growth.map_or(0, |growth| growth.grown),
        leader: leader.map(|leader| leader.class.clone()),
        leader_share: leader.map(|leader| leader.group_share),
        is_steady: growth.is_some_and(|growth| growth.steady_leader().is_some()),
        rises: growth.into_iter().flat_map(|growth| &growth.rises).map(rise).collect(),
    }
}

fn rise(rise: &Rise) -> HeapRiseShape {
    HeapRiseShape {
        kind: rise.kind.clone(),
        objects: rise.objects,
        bytes: rise.bytes,
        share: rise.share,
        bytes_per_hour: rise.bytes_per_hour,
        bytes_per_work: rise.bytes_per_work,
        steps_grown: rise.steps_grown as u64,
    }
}
