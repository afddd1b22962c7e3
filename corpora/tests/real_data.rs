//! Adapts the public data sets, where they are: in the folder that `PLIMSOLL_DATA` names, else in
//! `../shared/data` beside the workspace. Without them it says that it was skipped.
//!
//! Of the two sets with dozens of machines only the first few are taken, so that it stays quick.

#![expect(clippy::unwrap_used, reason = "a test ends where its stage cannot be set up")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use plimsoll_wire::corpus::{CorpusManifest, FORMAT, TruthShape};
use plimsoll_wire::words::{HalfWord, LabelWord};

/// Machines that are taken of a set that has many.
const MACHINES: usize = 3;
const MANY_MACHINES: [&str; 2] = ["alibaba2018-precog", "bitbrains-rnd"];

/// Cases that leak, per set: everything that the sources call a leak, and nothing else.
const LEAKING: [(&str, &[&str]); 2] = [
    (
        "eso-vlt-leak",
        &["tdcsarv_377208-tdcsarvControl-400924", "tdcsarv_382396-tdcsarvControl-419565"],
    ),
    ("gclogs", &["preunified-generated-leakerNoDetails", "preunified-ps-details-memoryleak1"]),
];

fn data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let named = std::env::var_os("PLIMSOLL_DATA").map(PathBuf::from);
    let folder = named.or_else(|| beside.is_dir().then_some(beside))?;
    // Links to it are made elsewhere, so it must not be relative.
    Some(fs::canonicalize(folder).unwrap())
}

/// Links to all sets, and to a few machines of the large ones.
fn excerpt(data: &Path, folder: &Path) {
    for entry in fs::read_dir(data).unwrap() {
        let set = entry.unwrap();
        let link = folder.join(set.file_name());
        let many = MANY_MACHINES.iter().any(|name| *name == set.file_name());
        if many {
            fs::create_dir(&link).unwrap();
            let machines = fs::read_dir(set.path()).unwrap().map(|entry| entry.unwrap());
            let machines: BTreeSet<_> = machines.map(|entry| entry.file_name()).collect();
            let tables = machines.iter().filter(|name| name.to_string_lossy().contains(".csv"));
            for name in tables.take(MACHINES) {
                std::os::unix::fs::symlink(set.path().join(name), link.join(name)).unwrap();
            }
        } else {
            std::os::unix::fs::symlink(set.path(), link).unwrap();
        }
    }
}

/// Checks that truth and telemetry are of the same cases, and gives the truth.
fn truth(corpus: &Path) -> Vec<TruthShape> {
    let manifest = fs::read_to_string(corpus.join("corpus.json")).unwrap();
    let manifest: CorpusManifest = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest.format, FORMAT);
    assert!(!manifest.origin.is_empty());
    let lines = fs::read_to_string(corpus.join("truth.jsonl")).unwrap();
    let truth: Vec<TruthShape> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for case in &truth {
        assert_eq!((case.half, case.family.as_str()), (HalfWord::Report, manifest.name.as_str()));
        let path = corpus.join("telemetry").join(format!("{}.csv", case.service));
        let telemetry = fs::read_to_string(&path).unwrap();
        let mut rows = 0;
        for row in telemetry.lines().skip(1) {
            let fields: Vec<&str> = row.split(',').collect();
            assert_eq!((fields.len(), fields[1]), (6, case.service.as_str()), "{row}");
            assert!(fields[5].parse::<f64>().unwrap().is_finite(), "{row}");
            rows += 1;
        }
        assert!(rows > 0, "{} has no readings", path.display());
    }
    let files = fs::read_dir(corpus.join("telemetry")).unwrap().count();
    assert_eq!(files, truth.len(), "{}: two cases share a name", corpus.display());
    truth
}

#[test]
fn every_set_with_memory_becomes_a_corpus_that_says_what_its_source_says() {
    let Some(data) = data() else {
        eprintln!("skipped: the data sets are not here; PLIMSOLL_DATA names their folder");
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let (taken, out) = (scratch.path().join("data"), scratch.path().join("out"));
    fs::create_dir(&taken).unwrap();
    excerpt(&data, &taken);
    let mut adapt = Command::new(env!("CARGO_BIN_EXE_corpora"));
    let told = adapt.arg("adapt").args([&taken, &out]).output().unwrap();
    let told_text = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{told_text}");
    let leaking = BTreeMap::from(LEAKING);
    let mut corpora = 0;
    for entry in fs::read_dir(&out).unwrap() {
        let corpus = entry.unwrap();
        let truth = truth(&corpus.path());
        let name = corpus.file_name().into_string().unwrap();
        let leaks = truth.iter().filter(|case| case.label == LabelWord::Leaking);
        let leaks: BTreeSet<&str> = leaks.map(|case| case.service.as_str()).collect();
        let want = leaking
            .get(name.as_str())
            .map_or_else(BTreeSet::new, |leaks| leaks.iter().copied().collect());
        assert_eq!(leaks, want, "{name}");
        corpora += 1;
    }
    assert!(corpora > 0, "{told_text}");
    for skipped in ["causalrca-sockshop", "asd-interfusion", "petshop"] {
        let line = told_text.lines().any(|line| line.starts_with(&format!("{skipped}: ")));
        assert!(line, "{skipped}: {told_text}");
    }
}
