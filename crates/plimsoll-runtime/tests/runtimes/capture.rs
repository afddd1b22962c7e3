//! Captures of real JVMs that are willing, under load, of another user, and in namespaces.
//! Not here: those that go wrong (`capture_fails.rs`), and other runtimes (`capture_others.rs`).

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use plimsoll_heap::ClassHistogram;
use plimsoll_model::Bytes;
use plimsoll_runtime::attach::Population;
use plimsoll_runtime::capture::{Offer, Rung, choose, survey};
use plimsoll_runtime::container::{ContainerId, processes_of};
use plimsoll_runtime::experience::Experience;

use crate::capturing::{Output, captured, has_remains, take_surveyed};
use crate::jvm;
use crate::program::{Program, proc_root, skipped};

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// The whole dump of `Leak`, its owner's only, with the name of the class that it keeps.
fn check_dump(output: &Output, size: Bytes) {
    let bytes = std::fs::read(output.file()).expect("the capture has its name");
    assert_eq!(bytes.len() as u64, size.0);
    assert!(bytes.starts_with(b"JAVA PROFILE 1.0."));
    assert!(contains(&bytes, "Leak$Order"));
    let mode = output.file().metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_dump_is_whole_and_nothing_is_left_where_the_jvm_wrote_it() {
    let Some(mut program) = jvm::start(&[]) else { return };
    program.say("leak 100000");
    program.expect_line("kept 100000");
    let output = Output::new();
    let mut order = output.order(program.pid(), Some(Rung::Dump));
    order.target_folder = Some(program.folder.path().to_string_lossy().into_owned());
    let looked = survey(order, &Experience::new()).await.unwrap();
    let used = looked.heap_used.unwrap();
    assert!(used > Bytes::from_mib(15) && used < Bytes::from_mib(128), "{used}");
    assert_eq!(looked.program, "Leak");
    let at_most = looked.offers[0].cost.file.at_most;

    let taken = take_surveyed(looked, &output.file()).await.unwrap();
    check_dump(&output, taken.size);
    assert!(taken.size <= at_most, "{} {at_most}", taken.size);
    assert!(taken.pause.unwrap() > Duration::from_millis(1));
    assert!(!has_remains(program.folder.path()));
    program.say("leak 1");
    program.expect_line("kept 100001");
}

#[tokio::test]
async fn a_histogram_is_captured_live_or_with_garbage() {
    let Some(mut program) = jvm::start(&[]) else { return };
    program.say("leak 1000");
    program.expect_line("kept 1000");
    for objects in [Population::All, Population::Live] {
        let output = Output::new();
        let mut order = output.order(program.pid(), Some(Rung::Histogram));
        order.objects = objects;
        captured(order, &output.file()).await.unwrap();
        let text = std::fs::read_to_string(output.file()).unwrap();
        let histogram = ClassHistogram::parse(&text).unwrap();
        let order = histogram.rows.iter().find(|row| row.class == "Leak$Order").unwrap();
        assert_eq!(order.instances, 1000);
    }
}

#[tokio::test]
async fn counters_ask_the_jvm_nothing() {
    let Some(program) = jvm::start(&["-XX:+DisableAttachMechanism"]) else { return };
    let output = Output::new();
    captured(output.order(program.pid(), None), &output.file()).await.unwrap();
    let text = std::fs::read_to_string(output.file()).unwrap();
    assert!(text.contains("heap_used: Some") && text.contains("rss: Some"), "{text}");
    assert!(!jvm::has_trigger(&program));
}

fn dump_of(offers: &[Offer]) -> &Offer {
    offers.iter().find(|offer| offer.rung == Rung::Dump).expect("a JVM has dumps")
}

/// The promise: from the fourth capture on, the prediction of the pause is within a factor of two.
/// The median of five, because this machine is shared, and one pause may meet a busy moment.
#[tokio::test]
async fn after_three_dumps_under_load_the_pause_is_predicted_within_a_factor_of_two() {
    let Some(mut program) = jvm::start(&["-Xmx384m"]) else { return };
    program.say("leak 400000");
    program.expect_line("kept 400000");
    for _ in 0..2000 {
        program.say("churn");
    }
    program.expect_line("churned");
    let mut experience = Experience::new();
    let mut ratios = Vec::new();
    for round in 0..8 {
        let output = Output::new();
        let order = output.order(program.pid(), Some(Rung::Dump));
        let looked = survey(order, &experience).await.unwrap();
        let predicted = dump_of(&looked.offers).cost.pause.clone().unwrap();
        let taken = take_surveyed(looked, &output.file()).await.unwrap();
        let pause = taken.pause.unwrap();
        if round >= 3 {
            assert!(predicted.basis.contains("of this program"), "{}", predicted.basis);
            ratios.push(predicted.expected.as_secs_f64() / pause.as_secs_f64());
        }
        experience.remember(taken.measured.unwrap());
    }
    assert!(program.is_running());
    ratios.sort_by(f64::total_cmp);
    assert!((0.5..=2.0).contains(&ratios[2]), "predicted over measured: {ratios:?}");
}

#[tokio::test]
async fn root_captures_a_jvm_of_another_user() {
    const NOBODY: u32 = 65_534;
    let Some(mut program) = jvm::start_as_user(NOBODY) else { return };
    program.say("leak 1000");
    program.expect_line("kept 1000");
    let output = Output::new();
    let order = output.order(program.pid(), Some(Rung::Dump));
    let taken = captured(order, &output.file()).await.unwrap();
    check_dump(&output, taken.size);
    assert_eq!(output.file().metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_jvm_in_namespaces_of_its_own_is_captured_from_outside() {
    let Some(mut program) = jvm::start_in_namespaces() else { return };
    let pid = program.only_child();
    program.say("leak 1000");
    program.expect_line("kept 1000");
    let output = Output::new();
    let taken = captured(output.order(pid, Some(Rung::Dump)), &output.file()).await.unwrap();
    check_dump(&output, taken.size);
    let inside = format!("/proc/{pid}/root/tmp");
    assert!(!has_remains(Path::new(&inside)));
    // Its /tmp is memory: a dump there counts against its limit.
    let looked = survey(output.order(pid, Some(Rung::Dump)), &Experience::new()).await.unwrap();
    assert!(!has_remains(program.folder.path()), "it is not in the working directory");
    assert!(has_remains(Path::new(&inside)));
    looked.close().await;
    assert!(!has_remains(Path::new(&inside)));
}

/// A memory group with the name of a container, of version 1, where this machine has such.
struct Group(std::path::PathBuf);

impl Group {
    fn with(id: &str, program: &Program, limit: Bytes) -> Option<Self> {
        let path = Path::new("/sys/fs/cgroup/memory/docker-test").join(id);
        let is_made = std::fs::create_dir_all(&path).is_ok();
        let group = Self(path);
        let write = |file: &str, text: String| std::fs::write(group.0.join(file), text).is_ok();
        if is_made
            && write("memory.limit_in_bytes", limit.0.to_string())
            && write("cgroup.procs", program.pid().to_string())
        {
            return Some(group);
        }
        skipped("memory groups of version 1 cannot be made here");
        None
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its process has ended by then; the kernel refuses to remove a group that is in use.
        drop(std::fs::remove_dir(&self.0));
        drop(std::fs::remove_dir(self.0.parent().expect("it has one")));
    }
}

#[tokio::test]
async fn a_container_is_found_by_its_id_and_its_limit_is_what_binds() {
    let Some(program) = jvm::start(&["-Xmx64m"]) else { return };
    let id = format!("{:064x}", u128::from(std::process::id()) << 96 | 0xfeed);
    let Some(_group) = Group::with(&id, &program, Bytes::from_mib(300)) else { return };
    let short = ContainerId::new(&id).unwrap();
    assert_eq!(processes_of(proc_root(), &short).unwrap(), [program.pid()]);
    let output = Output::new();
    let order = output.order(program.pid(), None);
    let mut looked = survey(order, &Experience::new()).await.unwrap();
    let chosen = choose(&looked.order, looked.identity.kind, &looked.offers).unwrap();
    assert_eq!(looked.offers[chosen.0].rung, Rung::Dump);
    let room = plimsoll_runtime::room::memory_headroom(&plimsoll_runtime::ProcessFiles::new(
        proc_root(),
        program.pid(),
    ));
    assert!(room.unwrap() < Bytes::from_mib(300), "{room:?}");
    looked.offers.clear();
    looked.close().await;
    drop(program);
}
