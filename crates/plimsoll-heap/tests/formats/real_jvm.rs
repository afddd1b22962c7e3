//! Logs of a real JVM, of each of its collectors, with different decorations.

use std::process::Command;

use plimsoll_heap::gc_log::{Collected, GcLog, LogForm};
use plimsoll_model::Timestamp;

use crate::programs::{find, output};

const PROGRAM: &str = include_str!("../fixtures/Churn.java");

/// What the program still holds at its end.
const KEPT_BYTES: f64 = 24e6;

#[test]
fn every_collector_tells_what_is_alive_at_the_end() {
    let (Some(java), Some(_)) = (find("java"), find("javac")) else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Churn.java"), PROGRAM).unwrap();
    output(Command::new("javac").arg("Churn.java").current_dir(folder.path()));
    let known = output(Command::new(&java).args(["-XX:+PrintFlagsFinal", "-version"]));
    for collector in ["Serial", "Parallel", "G1", "Z", "Shenandoah"] {
        let flag = format!("Use{collector}GC");
        if !known.contains(&flag) {
            continue;
        }
        for (what, decorations) in [("gc", "uptime"), ("gc*", "time,uptimemillis,pid,tags,level")] {
            let mut command = Command::new(&java);
            command.arg(format!("-XX:+{flag}")).args(["-Xmx128m", "-cp", "."]);
            command.arg(format!("-Xlog:{what}:file=gc.log:{decorations}")).arg("Churn");
            assert_eq!(output(command.current_dir(folder.path())).trim(), "240");
            let text = std::fs::read_to_string(folder.path().join("gc.log")).unwrap();
            let log = GcLog::parse(&text).unwrap();
            assert_eq!((log.form, log.rejected), (LogForm::Unified, 0), "{collector}");
            assert!(log.events.iter().all(|event| event.uptime.is_some()), "{collector}");
            let lives = log.heap_series(Timestamp::from_secs(1_780_000_000));
            let [life] = lives.as_slice() else { panic!("{collector}: {} JVMs", lives.len()) };
            let lowest = life.live.iter().rev().take(2).map(|sample| sample.value);
            let lowest = lowest.fold(f64::INFINITY, f64::min);
            // A collector that stops nobody may have begun before the last was kept; above lies a page
            // or a region of each thread, and on a busy machine what was allocated meanwhile.
            let near = 0.75 * KEPT_BYTES..2.5 * KEPT_BYTES;
            assert!(near.contains(&lowest), "{collector}: {lowest}");
            let collections = log.collections().count();
            assert!(collections >= 2 && life.used.len() <= collections, "{collector}");
            let stops = matches!(collector, "Serial" | "Parallel" | "G1");
            // The others collect fully when they cannot keep up.
            let mut full = log.events.iter().filter(|event| event.collected == Collected::Full);
            assert!(!stops || full.next().is_some(), "{collector}");
        }
    }
}
