//! Snapshots of a real CPython, against its own statistics of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use plimsoll_heap::profile::{Granularity, Measure, Profile, difference};

use crate::programs::{find, output};

const PROGRAM: &str = include_str!("../fixtures/snapshot.py");

/// A snapshot with so many sessions, and what Python says of it: bytes by line, and blocks.
fn snapshot(
    python: &Path,
    folder: &Path,
    sessions: u32,
) -> (Profile, BTreeMap<String, (i64, i64)>) {
    let script = folder.join("shop.py");
    std::fs::write(&script, PROGRAM).unwrap();
    let path = folder.join(format!("{sessions}.tracemalloc"));
    let mut command = Command::new(python);
    let printed = output(command.arg(&script).arg(sessions.to_string()).arg(&path));
    let rows = printed.lines().map(|line| {
        let words: Vec<_> = line.split('\t').collect();
        let number = |word: &str| word.parse::<i64>().unwrap();
        (format!("{}:{}", words[0], words[1]), (number(words[2]), number(words[3])))
    });
    (Profile::read(&std::fs::read(path).unwrap()).unwrap(), rows.collect())
}

#[test]
fn a_snapshot_says_what_python_says_of_it() {
    let Some(python) = find("python3") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (before, few) = snapshot(&python, folder.path(), 10);
    let (after, many) = snapshot(&python, folder.path(), 500);
    let nothing = Profile::read(b"heap profile: 0: 0 [1: 1] @ heapprofile\n").unwrap();
    for (profile, want) in [(&before, few), (&after, many)] {
        let measure = Measure::InuseSpace;
        let growth = difference(&nothing, profile, measure, Granularity::Function).unwrap();
        let rows = growth.rows.iter().filter(|row| row.own.grown != 0);
        let rows = rows.map(|row| (row.site.to_string(), (row.own.grown, row.own.objects_grown)));
        assert_eq!(rows.collect::<BTreeMap<_, _>>(), want);
    }
    let growth = difference(&before, &after, Measure::InuseSpace, Granularity::Line).unwrap();
    let first = &growth.rows[0];
    assert!(first.site.to_string().ends_with("shop.py:14"), "{}", first.site);
    assert!(first.own.grown >= 490 * 1000 && first.own.error == 0, "{first:?}");
    assert!(growth.rows.iter().all(|row| row.own.grown == 0 || row.own.is_sure()));
}

#[test]
fn a_pickle_that_would_run_a_program_is_refused_and_runs_nothing() {
    let Some(python) = find("python3") else { return };
    let folder = tempfile::tempdir().unwrap();
    let made = "import os, pickle, sys, tracemalloc\n\
                class Trap:\n  def __reduce__(self): return (os.mkdir, ('trapped',))\n\
                trap = tracemalloc.Snapshot(Trap(), 1)\n\
                open(sys.argv[1], 'wb').write(pickle.dumps(trap))\n";
    let path = folder.path().join("trap");
    let mut command = Command::new(&python);
    output(command.args(["-c", made]).arg(&path).current_dir(folder.path()));
    let error = Profile::read(&std::fs::read(&path).unwrap()).unwrap_err();
    let source = std::error::Error::source(&error).and_then(std::error::Error::source);
    let told = source.unwrap().to_string();
    assert!(told.starts_with("the pickle names posix.mkdir at byte "), "{told}");
    assert!(!folder.path().join("trapped").exists());
}
