//! The profiles that pprof's own tests read, against what those tests expect.

use std::collections::HashMap;
use std::path::Path;

use plimsoll_heap::Kind;
use plimsoll_heap::profile::{Measure, Profile, ReadProfileError};

use crate::programs::{data, text};

/// What pprof prints of a profile: values of each sample with its addresses, and the mappings.
struct Expected {
    samples: Vec<(Vec<i64>, Vec<u64>)>,
    mappings: Vec<(u64, u64, String)>,
}

impl Expected {
    fn read(path: &Path) -> Self {
        let text = text(path);
        let (samples, rest) = text.split_once("Locations\n").unwrap();
        let (locations, mappings) = rest.split_once("Mappings\n").unwrap();
        let hex = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).unwrap();
        let addresses: HashMap<&str, u64> = locations
            .lines()
            .map(|line| {
                let mut words = line.split_whitespace();
                (words.next().unwrap().trim_end_matches(':'), hex(words.next().unwrap()))
            })
            .collect();
        let samples = samples.lines().skip_while(|line| !line.starts_with("Samples")).skip(2);
        let samples = samples.filter(|line| !line.trim_start().starts_with("bytes:"));
        let samples = samples.map(|line| {
            let (values, ids) = line.split_once(':').unwrap();
            let values = values.split_whitespace().map(|value| value.parse().unwrap());
            let ids = ids.split_whitespace().map(|id| addresses[id]);
            (values.collect(), ids.collect())
        });
        let mappings = mappings.lines().map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let mut range = words.next().unwrap().split('/').map(hex);
            let (start, end) = (range.next().unwrap(), range.next().unwrap());
            (start, end, words.next().unwrap_or_default().to_owned())
        });
        Self { samples: samples.collect(), mappings: mappings.collect() }
    }
}

#[test]
fn text_profiles_are_read_as_pprof_reads_them() {
    let Some(data) = data("pprof/google-pprof") else { return };
    for (name, count) in [("cppbench.heap", 31), ("cppbench.growth", 85), ("gobench.heap", 15)] {
        let expected = Expected::read(&data.join(format!("profile_{name}.string")));
        let bytes = std::fs::read(data.join(format!("profile_{name}"))).unwrap();
        let profile = Profile::read(&bytes).unwrap();
        assert_eq!((profile.sample_count(), expected.samples.len()), (count, count), "{name}");
        assert!(profile.complete && profile.rejected == 0, "{name}");
        for (index, (values, addresses)) in expected.samples.iter().enumerate() {
            assert_eq!(profile.values(index), values, "{name}, sample {index}");
            let want: Vec<_> = addresses.iter().map(|at| place(*at, &expected)).collect();
            let found = profile
                .stack(index)
                .map(|frame| (frame.module.unwrap_or_default().to_owned(), frame.address));
            assert_eq!(found.collect::<Vec<_>>(), want, "{name}, sample {index}");
        }
    }
}

/// The file that is mapped at an address, and the place in it.
fn place(address: u64, expected: &Expected) -> (String, u64) {
    let mut mappings = expected.mappings.iter();
    match mappings.find(|(start, end, _)| (*start..*end).contains(&address)) {
        Some((start, _, file)) => (file.clone(), address - start),
        None => (String::new(), address),
    }
}

#[test]
fn every_protobuf_profile_is_read() {
    let Some(data) = data("pprof/parca") else { return };
    let mut names: Vec<_> = std::fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "gz"))
        .collect();
    names.sort();
    assert!(names.len() >= 13, "{names:?}");
    let mut heap_profiles = 0;
    for path in names {
        let profile = Profile::read(&std::fs::read(&path).unwrap()).unwrap();
        assert!(profile.sample_count() > 0 && profile.complete, "{}", path.display());
        assert!((0..profile.sample_count()).all(|sample| profile.stack(sample).next().is_some()));
        heap_profiles += usize::from(profile.column(Measure::InuseSpace).is_some());
    }
    assert_eq!(heap_profiles, 3);
}

#[test]
fn profiles_of_other_kinds_are_refused_by_what_they_are() {
    let Some(data) = data("") else { return };
    let check = |name: &str, want: Result<Kind, &str>| {
        let bytes = std::fs::read(data.join(name)).unwrap();
        match (Profile::read(&bytes), want) {
            (Err(ReadProfileError::NotAProfile { kind }), Ok(want)) => assert_eq!(kind, want),
            (Err(ReadProfileError::Unknown(error)), Err(want)) => {
                assert!(error.to_string().contains(want), "{error}");
            }
            (read, want) => panic!("{name}: {read:?}, and not {want:?}"),
        }
    };
    check("hprof/hprof-slurp/hprof-64.bin", Ok(Kind::Hprof));
    check("heapsnapshot/stefanpenner-small.heapsnapshot", Ok(Kind::V8Snapshot));
    check("gclogs/gctoolkit/gclogs/preunified/ps/details/memoryleak1.log.gz", Ok(Kind::GcLog));
    check("pprof/google-pprof/profile_java.contention", Err("`--- contentionz 1 ---\\nf"));
    check("pprof/google-pprof/profile_java.heap", Err("`--- heapz 1 ---\\nformat"));
}
