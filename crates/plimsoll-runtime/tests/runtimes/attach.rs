//! The attach protocol against real JVMs, willing ones and others.
//! Not here: what is read without asking the JVM (`hsperfdata.rs`).

use std::time::Duration;

use plimsoll_runtime::{RuntimeKind, identify};

use crate::jvm;
use crate::program::{Program, find, proc_root, within};
use plimsoll_heap::{ClassHistogram, Origin, difference, dominant};
use plimsoll_runtime::attach::{AttachError, Jvm, Patience, Population, Step};
use rustix::process::Signal;

const DEADLINE: Duration = Duration::from_secs(60);

fn patient(program: &Program) -> Jvm {
    let patience = Patience { attach: DEADLINE, answer: DEADLINE };
    Jvm::new(proc_root(), program.pid(), patience)
}

fn impatient(program: &Program) -> Jvm {
    let patience =
        Patience { attach: Duration::from_millis(300), answer: Duration::from_millis(300) };
    Jvm::new(proc_root(), program.pid(), patience)
}

async fn histogram(jvm: &Jvm, of: Population) -> ClassHistogram {
    let captured = jvm.class_histogram(of).await.expect("the JVM is willing");
    assert!(captured.took > Duration::ZERO);
    ClassHistogram::parse(&captured.text).expect("a JVM wrote it")
}

#[tokio::test]
async fn two_histograms_of_a_leaking_program_name_the_class_and_its_count() {
    let Some(mut program) = jvm::start(&[]) else { return };
    let jvm = patient(&program);
    program.say("leak 1000");
    program.expect_line("kept 1000");
    let before = histogram(&jvm, Population::Live).await;
    program.say("leak 5000");
    program.expect_line("kept 6000");
    let after = histogram(&jvm, Population::Live).await;
    assert!(before.complete && after.complete);

    let growth = difference(&before, &after);
    let found = dominant(&growth).unwrap();
    assert_eq!((found.class.as_str(), found.origin), ("Leak$Order", Origin::Application));
    assert_eq!(found.instances_grown, 5000);
    assert!(found.group_share > 0.95, "{found:?}");
    assert!(found.own_share < 0.5, "{found:?}");
    let ties: Vec<_> = found.group.iter().map(|tie| tie.class.as_str()).collect();
    for class in ["byte[]", "java.util.HashMap$Node", "java.lang.String"] {
        assert!(ties.contains(&class), "{class} is missing in {ties:?}");
    }
    let all = histogram(&jvm, Population::All).await;
    assert!(all.total.instances >= 6000);
    assert!(!jvm::has_trigger(&program));
}

#[tokio::test]
async fn flags_are_read_and_a_manageable_one_is_set() {
    let Some(program) = jvm::start(&[]) else { return };
    let jvm = patient(&program);
    assert!(jvm.flags().await.unwrap().contains("-XX:MaxHeapSize=134217728"));
    assert!(jvm.heap_info().await.unwrap().contains("heap"));
    jvm.set_flag("SoftMaxHeapSize", "67108864").await.unwrap();
    let flag = jvm.print_flag("SoftMaxHeapSize").await.unwrap();
    assert_eq!(flag, "-XX:SoftMaxHeapSize=67108864");
    jvm.run_gc().await.unwrap();

    let refused = jvm.set_flag("MaxHeapSize", "1").await.unwrap_err();
    assert!(matches!(refused, AttachError::Refused { .. }), "{refused}");
    let unknown = jvm.jcmd("GC.nonsense").await.unwrap_err();
    assert!(matches!(unknown, AttachError::Refused { .. }), "{unknown}");
    let broken = jvm.set_flag("a\0b", "1").await.unwrap_err();
    assert!(matches!(broken, AttachError::Command { .. }), "{broken}");
}

#[tokio::test]
async fn a_jvm_with_xrs_is_asked_through_the_socket_that_it_opens_itself() {
    let Some(mut program) = jvm::start(&["-Xrs"]) else { return };
    patient(&program).run_gc().await.unwrap();
    survives(&mut program);
}

#[tokio::test]
async fn a_jvm_that_sigquit_would_kill_is_not_signalled() {
    let Some(mut program) = jvm::start(&["-Xrs"]) else { return };
    // As the cleaners of /tmp do.
    std::fs::remove_file(format!("/tmp/.java_pid{}", program.pid())).unwrap();
    let error = patient(&program).run_gc().await.unwrap_err();
    assert!(matches!(error, AttachError::SignalKills { .. }), "{error}");
    survives(&mut program);
}

#[tokio::test]
async fn a_jvm_that_forbids_attach_is_not_signalled() {
    let Some(mut program) = jvm::start(&["-XX:+DisableAttachMechanism"]) else { return };
    let error = patient(&program).run_gc().await.unwrap_err();
    assert!(matches!(error, AttachError::Disabled { .. }), "{error}");
    survives(&mut program);
}

#[tokio::test]
async fn a_jvm_without_counters_is_not_signalled() {
    let Some(mut program) = jvm::start(&["-XX:-UsePerfData"]) else { return };
    let error = patient(&program).run_gc().await.unwrap_err();
    assert!(matches!(error, AttachError::NotHotSpot { .. }), "{error}");
    survives(&mut program);
}

#[tokio::test]
async fn a_process_that_is_no_jvm_is_not_signalled() {
    let error = Jvm::new(proc_root(), std::process::id(), Patience::default()).flags().await;
    let error = error.unwrap_err();
    assert!(matches!(error, AttachError::SignalKills { .. }), "{error}");
    let gone = Jvm::new(proc_root(), u32::MAX, Patience::default()).flags().await.unwrap_err();
    assert!(matches!(gone, AttachError::Gone { step: Step::Check, .. }), "{gone}");
}

/// The first line that it writes now is the answer: SIGQUIT would have printed its threads.
fn survives(program: &mut Program) {
    program.say("leak 1");
    program.expect_line("kept 1");
    assert!(program.is_running());
    assert!(!jvm::has_trigger(program));
}

/// Looks without a pause: the JVM opens its socket within milliseconds.
async fn placed(program: &Program) {
    while !jvm::has_trigger(program) {
        tokio::task::yield_now().await;
    }
}

/// Runs a request, and sends the signal in the moment in which the trigger is placed: after the
/// checks, and before the JVM has opened its socket.
async fn attach_and_send(program: &Program, jvm: &Jvm, signal: Signal) -> AttachError {
    let request = jvm.run_gc();
    let strike = async {
        tokio::time::timeout(DEADLINE, placed(program)).await.expect("a trigger is placed");
        program.signal(signal);
    };
    let (answer, ()) = tokio::join!(request, strike);
    answer.expect_err("the JVM could not answer any more")
}

#[tokio::test]
async fn a_jvm_that_is_killed_in_the_middle_of_an_attach_is_gone_and_leaves_no_file() {
    let Some(program) = jvm::start(&[]) else { return };
    let error = attach_and_send(&program, &patient(&program), Signal::KILL).await;
    assert!(matches!(error, AttachError::Gone { .. }), "{error}");
    assert!(!jvm::has_trigger(&program));
}

#[tokio::test]
async fn a_jvm_that_stops_in_the_middle_of_an_attach_times_out_and_leaves_no_file() {
    let Some(mut program) = jvm::start(&[]) else { return };
    let error = attach_and_send(&program, &impatient(&program), Signal::STOP).await;
    assert!(matches!(error, AttachError::TimedOut { step: Step::Wake, .. }), "{error}");
    assert!(!jvm::has_trigger(&program));

    let stopped = patient(&program).run_gc().await.unwrap_err();
    assert!(matches!(stopped, AttachError::Stopped { .. }), "{stopped}");
    program.signal(Signal::CONT);
    program.wait_until_state('S');
    survives(&mut program);
    patient(&program).run_gc().await.unwrap();
}

#[tokio::test]
async fn a_jvm_that_stops_while_it_answers_times_out() {
    let Some(program) = jvm::start(&[]) else { return };
    patient(&program).run_gc().await.unwrap();
    let jvm = impatient(&program);
    let stop = async { program.signal(Signal::STOP) };
    let (answer, ()) = tokio::join!(jvm.class_histogram(Population::Live), stop);
    let error = answer.unwrap_err();
    assert!(matches!(error, AttachError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn a_request_that_is_dropped_in_the_middle_leaves_no_file() {
    let Some(program) = jvm::start(&[]) else { return };
    let jvm = patient(&program);
    tokio::select! {
        answer = jvm.run_gc() => panic!("answered before the trigger was seen: {answer:?}"),
        () = placed(&program) => {}
    }
    within(Duration::from_secs(20), || !jvm::has_trigger(&program));
}

#[tokio::test]
async fn root_asks_a_jvm_of_another_user() {
    const NOBODY: u32 = 65_534;
    let Some(mut program) = jvm::start_as_user(NOBODY) else { return };
    assert!(patient(&program).heap_info().await.unwrap().contains("heap"));
    survives(&mut program);
}

#[tokio::test]
async fn a_jvm_in_namespaces_of_its_own_is_asked_from_outside() {
    let Some(program) = jvm::start_in_namespaces() else { return };
    let pid = program.only_child();
    let captured = Jvm::new(proc_root(), pid, Patience::default())
        .class_histogram(Population::All)
        .await
        .unwrap();
    assert!(captured.text.contains("java.lang.String"));
    let folder = std::fs::read_dir(program.folder.path()).unwrap().flatten();
    let left: Vec<_> =
        folder.filter(|entry| entry.file_name().to_string_lossy().starts_with(".attach")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn runtimes_without_a_socket_are_recognised_too() {
    let check = |program: &str, script: &str, kind: RuntimeKind| {
        let Some(_) = find(program) else { return };
        let folder = tempfile::tempdir().unwrap();
        let running = Program::start("sh", &["-c", &format!("echo ready; exec {script}")], folder);
        within(DEADLINE, || {
            let identity = identify(proc_root(), running.pid());
            identity.kind == kind && identity.reason.contains(program)
        });
    };
    check("python3", "python3 -c 'input()'", RuntimeKind::CPython);
    check("gofmt", "gofmt", RuntimeKind::Go);
    check("cat", "cat", RuntimeKind::Native);
}

#[tokio::test]
async fn a_jvm_is_recognised_by_what_it_maps() {
    let Some(program) = jvm::start(&[]) else { return };
    let identity = identify(proc_root(), program.pid());
    assert_eq!(identity.kind, RuntimeKind::Jvm, "{}", identity.reason);
}
