//! Profiles as text, with sources beside them; none of the planted programs.

use super::super::build::Builder;
use super::super::room::{ROWS_MAX, TEXT_BYTES_MAX};
use super::super::{Column, FrameKey, Sampling, Source};
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

/// Frames of a file that is not the program's own, each called by the one before, and a sample for
/// each of the stacks.
fn chain(depth: u32, function: Option<&str>, file: &str) -> Profile {
    let columns = vec![Column::of(Measure::InuseSpace)];
    let mut builder = Builder::new(Source::Heaptrack, columns, Sampling::Exact);
    let file = builder.name(file).unwrap();
    let function = function.and_then(|name| builder.name(name).unwrap());
    let mut caller = None;
    for line in 1..=depth {
        let key = FrameKey { function, file, line, ..FrameKey::default() };
        let frame = builder.frame(key).unwrap();
        caller = Some(builder.node(caller, frame).unwrap());
        builder.sample(caller, &[i64::from(line)]).unwrap();
    }
    builder.finish()
}

#[test]
fn a_stack_of_two_hundred_thousand_frames_takes_no_longer_than_as_many_short_ones() {
    // By the square of the depth these would take hours.
    for function in [None, Some("malloc")] {
        let profile = chain(200_000, function, "/usr/include/c++/14/new");
        let report = ProfileReport::of(&profile, &Listings::new()).unwrap();
        assert_eq!(report.suspects, []);
        assert_eq!(report.total, 200_000 * 200_001 / 2);
        let same = ProfileChange::of(&[profile.clone(), profile.clone()], &Listings::new());
        assert_eq!(same.unwrap().places, []);
        assert_eq!(wanted_sources(&profile), Vec::<String>::new());
    }
}

#[test]
fn rows_of_a_profile_with_long_names_are_bounded() {
    let check = |file: &str, lines: u32| {
        let profile = chain(lines, None, file);
        let report = ProfileReport::of(&profile, &Listings::new()).unwrap();
        let bytes: usize = report.places.iter().map(SiteSuspect::text_bytes).sum();
        assert!(bytes <= TEXT_BYTES_MAX && report.places.len() <= ROWS_MAX, "{bytes}");
        assert_eq!(report.places.len() + report.places_left_out, lines as usize);
        assert_eq!(report.functions.len() + report.functions_left_out, lines as usize);
        assert!(report.places_left_out > 0 && !report.places.is_empty());
        assert_eq!(report.places[0].site.line, lines, "the heaviest come first");
        let less = chain(1, None, file);
        let change = ProfileChange::of(&[less, profile], &Listings::new()).unwrap();
        assert!(change.places.len() <= ROWS_MAX && change.places_left_out > 0);
    };
    check(&format!("/{}.py", "x".repeat(16_000)), 50_000);
    check("/app/shop.py", ROWS_MAX as u32 + 5);
}

#[test]
fn a_stack_is_told_in_the_same_way_in_every_look() {
    // So many that they are not all followed, and in the second look the leak is the heaviest.
    let names: Vec<String> = (0..1100).map(|at| format!("main.f{at}")).collect();
    let frames: Vec<[(&str, u32); 1]> = names.iter().map(|name| [(&**name, 50)]).collect();
    let look = |bytes: u64| {
        let mut stacks: Vec<Stack<'_>> = vec![(9, bytes, KEPT)];
        stacks.extend(frames.iter().map(|frames| (100, 1 << 14, &frames[..])));
        heap(&stacks)
    };
    let change = ProfileChange::of(&[look(1 << 10), look(1 << 20)], &listings()).unwrap();
    let places: Vec<_> =
        change.places.iter().map(|(place, _)| (place.field.as_deref(), place.value)).collect();
    assert_eq!(places, [(Some("orders"), (1 << 20) - (1 << 10))]);
}

#[test]
fn what_was_only_allocated_accuses_nobody() {
    let columns = || vec![Column::of(Measure::AllocSpace)];
    let look = |bytes: i64| {
        let mut builder = Builder::new(Source::Pprof, columns(), Sampling::Exact);
        let function = builder.name("main.serve").unwrap();
        let frame = builder.frame(FrameKey { function, ..FrameKey::default() }).unwrap();
        let stack = builder.stack([frame]).unwrap();
        builder.sample(stack, &[bytes]).unwrap();
        builder.finish()
    };
    let change = ProfileChange::of(&[look(1 << 20), look(1 << 30)], &Listings::new()).unwrap();
    assert_eq!((change.suspects.len(), change.places.len()), (0, 1));
    assert!(!change.tells_what_is_held());
}

#[test]
fn a_profile_that_only_counts_objects_is_compared_with_objects() {
    let look = |objects: i64| {
        let columns = vec![Column::of(Measure::InuseObjects)];
        let mut builder = Builder::new(Source::Pprof, columns, Sampling::Exact);
        let function = builder.name("main.serve").unwrap();
        let frame = builder.frame(FrameKey { function, ..FrameKey::default() }).unwrap();
        let stack = builder.stack([frame]).unwrap();
        builder.sample(stack, &[objects]).unwrap();
        builder.finish()
    };
    let suspects =
        |objects| ProfileReport::of(&look(objects), &Listings::new()).unwrap().suspects.len();
    assert_eq!((suspects(OBJECTS_MIN - 1), suspects(OBJECTS_MIN)), (0, 1));
    let grown = |by: i64| {
        let looks = [look(500), look(500 + by)];
        ProfileChange::of(&looks, &Listings::new()).unwrap().suspects.len()
    };
    assert_eq!((grown(500), grown(5000)), (0, 1));
}

#[test]
fn a_goroutine_for_each_connection_is_not_accused_by_one_look() {
    let waits: &[(&str, u32)] = &[("runtime.selectgo", 1), ("main.write", 60), ("main.serve", 61)];
    let report = ProfileReport::of(&goroutines(&[(5000, waits)]), &listings()).unwrap();
    assert_eq!(report.suspects, []);
    assert_eq!(report.places[0].wait, Some(Wait::Select));
    let looks = [goroutines(&[(5000, waits)]), goroutines(&[(6000, waits)])];
    assert_eq!(ProfileChange::of(&looks, &listings()).unwrap().suspects.len(), 1);
}

/// The file that has these lines, and the place that a heap of one stack through them is in.
fn placed(source: &str, stack: Stack<'_>) -> (Option<Fault>, Option<String>, bool, u64) {
    let listings = Listings::from([("/m.go".into(), Listing::read("/m.go", source).unwrap())]);
    let report = ProfileReport::of(&heap(&[stack]), &listings).unwrap();
    let place = &report.places[0];
    (place.fault, place.field.clone(), !report.suspects.is_empty(), place.outside)
}

#[test]
fn what_few_goroutines_have_in_their_variables_is_no_leak() {
    const OF_WORKER: &[(&str, u32)] = &[("main.work", 2)];
    let worker = "func work(jobs chan int) {\n\tbuf := make([]byte, 64<<20)\n\tfor job := range \
                  jobs {\n\t\tdo(job, buf)\n\t}\n}\n";
    let (fault, _, is_accused, _) = placed(worker, (8, 512 << 20, OF_WORKER));
    assert_eq!((fault, is_accused), (None, false));
    let (fault, field, is_accused, _) = placed(worker, (5000, 512 << 20, OF_WORKER));
    assert_eq!((fault, is_accused), (Some(Fault::BlockedGoroutine), true));
    assert_eq!(field.as_deref(), Some("jobs"));
    let handler =
        "func work(r *Request) {\n\tbody, err := io.ReadAll(r.Body)\n\tuse(body, err)\n}\n";
    let (fault, _, is_accused, _) = placed(handler, (5000, 512 << 20, OF_WORKER));
    assert_eq!((fault, is_accused), (None, false));
    let sender = "func work(results chan Row) {\n\tfor next() {\n\t\trow := load()\n\t\tresults <- row\n\t}\n}\n";
    let (fault, ..) = placed(sender, (5000, 512 << 20, &[("main.work", 3)]));
    assert_eq!(fault, None);
}

#[test]
fn a_main_goroutine_is_known_however_deep_its_stack_is() {
    let source = "func work(jobs chan int) {\n\tbuf := make([]byte, 9)\n\t<-jobs\n\tuse(buf)\n}\n";
    let mut frames = vec![("main.work", 2)];
    frames.extend([("main.again", 50); 100]);
    let (deep, ..) = placed(source, (5000, 512 << 20, &frames));
    assert_eq!(deep, Some(Fault::BlockedGoroutine));
    frames.extend([("main.main", 60), ("runtime.main", 70)]);
    let (deep, ..) = placed(source, (5000, 512 << 20, &frames));
    assert_eq!(deep, None);
}

#[test]
fn a_table_that_is_loaded_once_by_name_is_no_duplicate() {
    let once = "func main() {\n\ttable := load(\"prices.bin\")\n\tserve(table)\n}\n\n\
                func load(name string) []byte {\n\treturn make([]byte, 9)\n}\n";
    let frames: &[(&str, u32)] = &[("main.load", 7), ("main.main", 2), ("runtime.main", 9)];
    assert!(!placed(once, (5000, 512 << 20, frames)).2);
    let each = "func add(n int) {\n\tterms := load(\"terms\")\n\tALL = append(ALL, terms)\n}\n\n\
                func load(name string) []byte {\n\treturn make([]byte, 9)\n}\n";
    let frames: &[(&str, u32)] = &[("main.load", 7), ("main.add", 2)];
    let (fault, field, is_accused, _) = placed(each, (5000, 512 << 20, frames));
    assert_eq!((fault, field.as_deref()), (Some(Fault::Duplicates), Some("ALL")));
    assert!(is_accused);
}

#[test]
fn what_a_library_opens_and_closes_is_not_open() {
    let keep = |line: &str| {
        format!("func add(n string) {{\n\tdata := {line}\n\tALL = append(ALL, data)\n}}\n")
    };
    let fault = |line: &str, frames: Frames<'_>| placed(&keep(line), (5000, 512 << 20, frames)).0;
    let opened: Frames<'_> = &[("os.newFile", 1), ("os.Open", 2), ("main.add", 2)];
    assert_eq!(fault("open(n)", opened), Some(Fault::Unclosed));
    let read: Frames<'_> =
        &[("os.newFile", 1), ("os.Open", 2), ("os.ReadFile", 3), ("main.add", 2)];
    assert_eq!(fault("read(n)", read), Some(Fault::StaticCollection));
    let row: Frames<'_> = &[
        ("database/sql.(*DB).QueryContext", 1),
        ("database/sql.(*DB).QueryRow", 2),
        ("main.add", 2),
    ];
    assert_eq!(fault("db.QueryRow(n).Scan()", row), Some(Fault::StaticCollection));
}

#[test]
fn memory_outside_of_the_heap_is_counted_where_it_is_taken_and_nowhere_else() {
    let source = "func add(n int) {\n\tALL = append(ALL, Picture{unix.Mmap(fd, 0, 1 << 20), \
                  tags(n)})\n}\n\nfunc tags(n int) []string {\n\treturn make([]string, n)\n}\n";
    let (fault, _, _, outside) = placed(source, (10, 1000, &[("main.add", 2)]));
    assert_eq!((fault, outside), (Some(Fault::OffHeap), 10 << 20));
    let of_tags: Frames<'_> = &[("main.tags", 6), ("main.add", 2)];
    let (fault, _, _, outside) = placed(source, (10, 1000, of_tags));
    assert_eq!((fault, outside), (Some(Fault::StaticCollection), 0));
}
