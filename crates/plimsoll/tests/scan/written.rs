//! Simulated services in the forms that are read from files. Used by the tests of `scan` and
//! `backtest`.

use std::fmt::Write as _;

use plimsoll_model::{Change, Reading};
use plimsoll_wire::event::ChangeShape;

pub(crate) const HEADER: &str = "ts,service,version,instance,metric,value\n";

pub(crate) fn csv<'a>(readings: impl IntoIterator<Item = &'a Reading>) -> String {
    let mut text = HEADER.to_owned();
    for Reading { at, service, version, instance, metric, value } in readings {
        let version = version.as_ref().map_or("", |version| version.as_str());
        let at = at.as_secs_f64();
        writeln!(text, "{at},{service},{version},{instance},{metric},{value}").unwrap();
    }
    text
}

pub(crate) fn events<'a>(changes: impl IntoIterator<Item = &'a Change>) -> String {
    let line = |change| serde_json::to_string(&ChangeShape::from(change)).unwrap() + "\n";
    changes.into_iter().map(line).collect()
}
