//! What is usual at this hour, in words and as JSON.
//!
//! Not here: finding it, which is `plimsoll-detect`'s.

use plimsoll_detect::{Baseline, Hours, Moved, Speaker, TooLittle, Usual};
use plimsoll_model::{Timestamp, Unit};
use plimsoll_wire::explain::{
    ExplainBaseline, ExplainMissing, ExplainMoved, ExplainNext, ExplainUsual,
};
use plimsoll_wire::format_time;

use super::super::chart::{quantity, spell};
use super::heading;
use crate::output::wrap;

/// The section of the table.
pub(super) fn section(speaker: &Speaker) -> Vec<String> {
    let mut lines = vec![String::new(), heading("usual at this hour")];
    for baseline in &speaker.usual {
        let spoke = baseline.metric == speaker.metric;
        let matters = spoke.then_some(speaker.material);
        lines.extend(wrap(&format!("{}: {}", baseline.metric, level(baseline, matters)), 2));
        if let Some(moved) = &baseline.moved {
            lines.extend(wrap(&has_moved(moved, baseline.metric.unit()), 2));
        }
        if let Some(since) = baseline.leaks_since {
            let since = spell(since, MOMENT);
            let says = format!("it leaks since {since}: usual is what was seen before that");
            lines.extend(wrap(&says, 2));
        }
    }
    lines
}

const MOMENT: &str = "%Y-%m-%d %H:%M UTC";

fn level(baseline: &Baseline, matters: Option<f64>) -> String {
    match &baseline.usual {
        Ok(usual) => told(usual, baseline.metric.unit(), matters),
        Err(TooLittle { says, ready_at: Some(at) }) => {
            format!("not known yet: {says}; expected {}", spell(*at, MOMENT))
        }
        Err(TooLittle { says, ready_at: None }) => format!("not known: {says}"),
    }
}

fn told(usual: &Usual, unit: Unit, matters: Option<f64>) -> String {
    let hour = |format| format!("{} to {} UTC", spell(usual.window.0, format), clock(usual));
    let (when, times) = match usual.hours {
        Hours::OfTheWeek => (hour("%A %H:%M"), "weeks"),
        Hours::OfTheDay => (hour("%H:%M"), "days"),
        Hours::All => ("at any hour".into(), "cells"),
    };
    let next = usual.next.map_or_else(String::new, |(hours, at)| {
        let finer = match hours {
            Hours::OfTheWeek => "hour of the week",
            Hours::OfTheDay => "hour of the day",
            Hours::All => "everything",
        };
        format!("; by {finer} from {}", spell(at, MOMENT))
    });
    format!(
        "{when} p50 {}, p95 {}, of {} {times} from {} to {}; now {}, {} (percentile {:.0}, higher \
         than in {} of {} {times}){next}",
        quantity(unit, usual.p50),
        quantity(unit, usual.p95),
        usual.of,
        spell(usual.seen.0, MOMENT),
        spell(usual.seen.1, MOMENT),
        quantity(unit, usual.now),
        place(usual, unit, matters),
        usual.percentile,
        usual.lower_in,
        usual.of,
    )
}

fn clock(usual: &Usual) -> String {
    spell(usual.window.1, "%H:%M")
}

/// A percentile of 100 is reached by a hair as well: how far is said beside it.
fn place(usual: &Usual, unit: Unit, matters: Option<f64>) -> String {
    let above = usual.now - usual.p95;
    match matters {
        _ if above <= 0.0 => "not above the p95".into(),
        Some(matters) if above < matters => {
            format!("above the p95 by {}, which does not matter", quantity(unit, above))
        }
        Some(_) | None => format!("above the p95 by {}", quantity(unit, above)),
    }
}

fn has_moved(moved: &Moved, unit: Unit) -> String {
    let change = moved.change.as_ref().map_or_else(
        || "no change fits".to_owned(),
        |change| {
            let version = change.version.as_ref().map(|v| format!(" of {v}")).unwrap_or_default();
            let at = spell(change.at, MOMENT);
            format!("with the {}{version} at {at}", change.kind.name().replace('_', " "))
        },
    );
    format!(
        "normal has moved since {}, from {} to {}: {change}; usual is what was seen after that",
        spell(moved.since, MOMENT),
        quantity(unit, moved.from),
        quantity(unit, moved.to)
    )
}

pub(super) fn shape(baseline: &Baseline) -> ExplainBaseline {
    let missing = |missing: &TooLittle| ExplainMissing {
        says: missing.says.clone(),
        ready_at: missing.ready_at.map(format_time),
    };
    let moved = |moved: &Moved| ExplainMoved {
        since: format_time(moved.since),
        from: moved.from,
        to: moved.to,
        change: moved.change.as_ref().map(Into::into),
    };
    ExplainBaseline {
        metric: baseline.metric.to_string(),
        level: baseline.usual.as_ref().ok().map(usual_shape),
        missing: baseline.usual.as_ref().err().map(missing),
        moved: baseline.moved.as_ref().map(moved),
        leaks_since: baseline.leaks_since.map(format_time),
    }
}

fn usual_shape(usual: &Usual) -> ExplainUsual {
    let ends = |(from, to): (Timestamp, Timestamp)| [format_time(from), format_time(to)];
    ExplainUsual {
        hours: usual.hours.name().to_owned(),
        window: ends(usual.window),
        seen: ends(usual.seen),
        p50: usual.p50,
        p95: usual.p95,
        now: usual.now,
        percentile: usual.percentile,
        of: usual.of,
        lower_in: usual.lower_in,
        next: usual
            .next
            .map(|(hours, at)| ExplainNext { hours: hours.name().to_owned(), ts: format_time(at) }),
    }
}
