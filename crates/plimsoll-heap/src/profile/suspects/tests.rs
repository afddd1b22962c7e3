//! Profiles as text, with sources beside them; none of the planted programs.

use super::*;

/// Functions and lines, innermost first.
type Frames<'a> = &'a [(&'a str, u32)];
/// Objects, bytes, and where they were allocated.
type Stack<'a> = (u32, u64, Frames<'a>);

/// A Go profile of goroutines, then lines of `count @ ..` with one frame each.
fn goroutines(stacks: &[(u32, Frames<'_>)]) -> Profile {
    let total: u32 = stacks.iter().map(|(count, _)| count).sum();
    let mut text = format!("goroutine profile: total {total}\n");
    for (at, (count, frames)) in stacks.iter().enumerate() {
        text.push_str(&format!("{count} @ {:#x}\n", 0x1000 + at));
        for (function, line) in *frames {
            text.push_str(&format!("#\t{:#x}\t{function}+0xe\t/m.go:{line}\n", 0x1000 + at));
        }
        text.push('\n');
    }
    Profile::read(text.as_bytes()).unwrap()
}

/// `in use: bytes` of each stack, in exact counts.
fn heap(stacks: &[Stack<'_>]) -> Profile {
    let objects: u32 = stacks.iter().map(|(count, ..)| count).sum();
    let bytes: u64 = stacks.iter().map(|(_, bytes, _)| bytes).sum();
    let mut text = format!("heap profile: {objects}: {bytes} [{objects}: {bytes}] @ heap/2\n");
    for (at, (count, bytes, frames)) in stacks.iter().enumerate() {
        text.push_str(&format!("{count}: {bytes} [{count}: {bytes}] @ {:#x}\n", 0x1000 + at));
        for (function, line) in *frames {
            text.push_str(&format!("#\t{:#x}\t{function}+0xe\t/m.go:{line}\n", 0x1000 + at));
        }
        text.push('\n');
    }
    Profile::read(text.as_bytes()).unwrap()
}

const SOURCE: &str = "package main\n\nfunc (s *Store) keep(n int) {\n\torder := load(n)\n\
                      \ts.orders[n] = order\n}\n\nfunc load(n int) *Order {\n\treturn &Order{n}\n}\n\n\
                      func (s *Store) fill() {\n\ts.model = load(1)\n}\n\n\
                      func work(jobs chan int) {\n\tfor job := range jobs {\n\t\tdo(job)\n\t}\n}\n";

fn listings() -> Listings {
    Listings::from([("/m.go".to_owned(), Listing::read("/m.go", SOURCE).unwrap())])
}

const KEPT: &[(&str, u32)] = &[("main.load", 9), ("main.(*Store).keep", 4), ("main.main", 40)];
const MISC: &[(&str, u32)] = &[("main.setUp", 50), ("main.main", 41)];

#[test]
fn what_is_returned_is_told_by_the_collection_that_keeps_it() {
    let profile = heap(&[(9000, 9 << 20, KEPT), (100, 1 << 20, MISC)]);
    assert_eq!(wanted_sources(&profile), ["/m.go"]);
    let report = ProfileReport::of(&profile, &listings()).unwrap();
    let first = &report.suspects[0];
    assert_eq!(first.owner, "main.(*Store).keep");
    assert_eq!(first.field.as_deref(), Some("orders"));
    assert_eq!(first.fault, Some(Fault::Collection));
    assert_eq!(first.read_at, Some(("/m.go".into(), 5)));
    assert!((first.share - 0.9).abs() < 1e-9);
    assert_eq!((report.total, report.objects, first.objects), (10 << 20, 9100, 9000));
    assert_eq!(first.site.line, 9);
    let without = ProfileReport::of(&profile, &Listings::new()).unwrap();
    let first = &without.suspects[0];
    assert_eq!((first.owner.as_str(), &first.field, first.fault), ("main.load", &None, None));
}

#[test]
fn a_source_of_another_version_is_not_believed() {
    let profile = heap(&[(9000, 9 << 20, &[("main.other", 4), ("main.main", 40)])]);
    let report = ProfileReport::of(&profile, &listings()).unwrap();
    assert_eq!(
        (report.suspects[0].owner.as_str(), &report.suspects[0].field),
        ("main.other", &None)
    );
}

#[test]
fn what_is_small_or_spread_is_not_suspected() {
    let check = |stacks: &[Stack<'_>]| {
        let report = ProfileReport::of(&heap(stacks), &listings()).unwrap();
        assert_eq!(report.suspects, [], "{stacks:?}");
        assert!(!report.places.is_empty());
    };
    check(&[(900, BYTES_MIN - 1, KEPT)]);
    let names: Vec<String> = (0..5).map(|at| format!("main.f{at}")).collect();
    let frames: Vec<[(&str, u32); 1]> = names.iter().map(|name| [(&**name, 1)]).collect();
    let spread: Vec<Stack<'_>> = frames.iter().map(|frames| (100, 8 << 20, &frames[..])).collect();
    check(&spread);
    check(&[(9000, 90 << 20, &[("runtime.malg", 1)])]);
    // A model that is loaded once is large, and no leak.
    check(&[(9000, 90 << 20, &[("main.load", 9), ("main.(*Store).fill", 13), ("main.main", 7)])]);
}

#[test]
fn goroutines_that_wait_are_told_with_their_channel() {
    let waits: &[(&str, u32)] =
        &[("runtime.gopark", 1), ("runtime.chanrecv2", 2), ("main.work", 17)];
    let serves: &[(&str, u32)] = &[("internal/poll.runtime_pollWait", 1), ("main.serve", 60)];
    let profile = goroutines(&[(1500, waits), (4000, serves)]);
    let report = ProfileReport::of(&profile, &listings()).unwrap();
    let [first] = report.suspects.as_slice() else { panic!("{report:?}") };
    assert_eq!((first.owner.as_str(), first.field.as_deref()), ("main.work", Some("jobs")));
    assert_eq!((first.fault, first.wait), (Some(Fault::BlockedGoroutine), Some(Wait::Receive)));
    let pool = goroutines(&[(WAITING_MIN as u32 - 1, waits)]);
    assert_eq!(ProfileReport::of(&pool, &listings()).unwrap().suspects, []);
}

#[test]
fn growth_is_blamed_where_it_is_and_not_on_what_was_there() {
    let before = heap(&[(1000, 1 << 20, KEPT), (100, 64 << 20, MISC)]);
    let after = heap(&[(1500, 3 << 19, KEPT), (100, 64 << 20, MISC)]);
    let change = ProfileChange::of(&[before.clone(), after.clone()], &listings()).unwrap();
    let [first] = change.suspects.as_slice() else { panic!("{change:?}") };
    assert_eq!(first.field.as_deref(), Some("orders"));
    assert_eq!((first.value, first.objects, change.grown), (1 << 19, 500, 1 << 19));
    let none = ProfileChange::of(&[after.clone(), before.clone()], &listings()).unwrap();
    assert_eq!((none.suspects.len(), none.grown), (0, -(1 << 19)));
    // What shrank again in between is not a leak that goes on.
    let wave = ProfileChange::of(&[before.clone(), after.clone(), before, after], &listings());
    assert_eq!(wave.unwrap().suspects, []);
}

#[test]
fn profiles_of_different_kinds_are_not_compared() {
    let waits = goroutines(&[(5, &[("main.f", 1)])]);
    let bytes = heap(&[(5, 5, MISC)]);
    let error = ProfileChange::of(&[waits, bytes], &Listings::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "profile 1 has no InuseSpace, which the others have; compare profiles of one kind"
    );
}
