//! Profiles that real allocators and heaptrack wrote of two small programs, against what the
//! programs do and what the allocators' own tools say of the same files.
//!
//! `sites`: `leak_session` keeps 40 000 blocks of 1000 bytes and frees 5000 of 3000, `keep_cache`
//! keeps 20 of 1 MiB. `leak`: 20 blocks of 100 000 bytes, freed; then 300 of 64 that are kept, and
//! 50 of 4096 that are freed.

use plimsoll_heap::profile::{Granularity, Measure, Profile, Sampling, difference};

fn fixture(name: &str) -> Profile {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    Profile::read(&std::fs::read(format!("{folder}/{name}")).unwrap()).unwrap()
}

/// What grew since nothing was there, by site: the profile itself.
fn sites(profile: &Profile, measure: Measure) -> Vec<(String, i64)> {
    let head = "heap profile: 0: 0 [1: 1] @ heapprofile\n";
    let nothing = Profile::read(head.as_bytes()).unwrap();
    let growth = difference(&nothing, profile, measure, Granularity::Line).unwrap();
    let rows = growth.rows.into_iter().filter(|row| row.own.grown > 0);
    rows.map(|row| (row.site.to_string(), row.own.grown)).collect()
}

#[test]
fn tcmalloc_counts_what_the_program_did() {
    let profile = fixture("tcmalloc.heap");
    assert_eq!(profile.sampling, Sampling::Exact);
    assert!(profile.complete && profile.rejected == 0);
    // `google-pprof --show_bytes` says the same.
    let held = [("/srv/a/sites+0x1166", 40_000_000), ("/srv/a/sites+0x118b", 20 << 20)];
    assert_eq!(sites(&profile, Measure::InuseSpace), held.map(|(site, by)| (site.to_owned(), by)));
    let all = [("/srv/a/sites+0x1166", 55_000_000), ("/srv/a/sites+0x118b", 20 << 20)];
    assert_eq!(sites(&profile, Measure::AllocSpace), all.map(|(site, by)| (site.to_owned(), by)));
    assert_eq!(profile.total(Measure::InuseObjects), Some(40_020));
}

#[test]
fn jemalloc_is_scaled_as_jeprof_does() {
    let profile = fixture("jemalloc.heap");
    // Of `jeprof --show_bytes`, rounded; and without, truncated.
    assert_eq!(profile.total(Measure::InuseSpace), Some(63_886_854));
    assert_eq!(profile.total(Measure::AllocSpace), Some(78_644_755));
    let held = sites(&profile, Measure::InuseSpace);
    let want = [("/srv/a/sites+0x1166", 42_799_971), ("/srv/a/sites+0x118b", 20_971_520)];
    let near =
        |(site, by): &(String, i64), want: (&str, i64)| site == want.0 && (by - want.1).abs() <= 1;
    assert!(held.iter().zip(want).all(|(found, want)| near(found, want)), "{held:?}");
}

#[test]
fn what_was_really_allocated_lies_within_the_stated_error() {
    let profile = fixture("jemalloc.heap");
    let nothing = Profile::read(b"heap profile: 0: 0 [1: 1] @ heapprofile\n").unwrap();
    let measure = Measure::InuseSpace;
    let growth = difference(&nothing, &profile, measure, Granularity::Line).unwrap();
    let leak = growth.rows[0].own;
    // jemalloc counts the size of its class, 1024, for what the program took, 1000.
    let really = 40_000 * 1024;
    let off = (leak.grown - really).unsigned_abs();
    assert!(off < 2 * leak.error && leak.error < 4_000_000, "{leak:?}");
    assert!(leak.is_sure());
    assert_eq!(growth.unseen.unwrap().0, 3 * 65_536);
}

#[test]
fn both_forms_of_heaptrack_say_what_heaptrack_print_says() {
    for name in ["heaptrack.txt", "heaptrack-raw.txt"] {
        let profile = fixture(name);
        // calls to allocation functions: 371; peak: 2.07M; leaked: 19.20K.
        assert_eq!(profile.total(Measure::AllocObjects), Some(371), "{name}");
        assert_eq!(profile.total(Measure::PeakSpace), Some(2_000_000 + 72_704), "{name}");
        assert_eq!(profile.total(Measure::InuseSpace), Some(300 * 64), "{name}");
        assert_eq!(profile.total(Measure::InuseObjects), Some(300), "{name}");
        assert!(profile.complete && profile.rejected == 0, "{name}");
    }
    let named = sites(&fixture("heaptrack.txt"), Measure::InuseSpace);
    assert_eq!(named, [("leak (/srv/a/leak.c:3)".to_owned(), 19_200)]);
    let raw = sites(&fixture("heaptrack-raw.txt"), Measure::InuseSpace);
    assert_eq!(raw, [("/srv/a/leak+0x1165".to_owned(), 19_200)]);
}
