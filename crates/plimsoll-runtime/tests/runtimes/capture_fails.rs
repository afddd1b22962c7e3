//! Captures of JVMs that die, stop, refuse, or have no room: each ends soon, says why, and leaves
//! nothing behind, neither here nor in the JVM's folder.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use plimsoll_model::Bytes;
use plimsoll_runtime::capture::{CaptureError, Objection, Order, Rung, survey};
use plimsoll_runtime::experience::{Experience, Measured};
use plimsoll_runtime::output::OutputError;
use plimsoll_runtime::pause::CaptureKind;
use rustix::process::Signal;

use crate::capturing::{Output, captured, has_remains, struck, take_surveyed};
use crate::jvm;
use crate::program::{Program, skipped, within};

/// A JVM whose dump takes some time, and an order for that, into a folder that can be looked at.
fn large(output: &Output, options: &[&str]) -> Option<(Program, Order)> {
    let mut program = jvm::start(options)?;
    program.say("leak 300000");
    program.expect_line("kept 300000");
    let mut order = output.order(program.pid(), Some(Rung::Dump));
    order.target_folder = Some(program.folder.path().to_string_lossy().into_owned());
    Some((program, order))
}

fn nothing_is_left(output: &Output, program: &Program) {
    assert!(output.is_empty());
    assert!(!has_remains(program.folder.path()));
}

#[tokio::test]
async fn a_jvm_that_dies_in_the_middle_of_a_dump_leaves_nothing() {
    let output = Output::new();
    let Some((program, order)) = large(&output, &[]) else { return };
    let error = struck(order, &output.file(), |_| program.signal(Signal::KILL)).await;
    assert!(matches!(error, CaptureError::Gone { .. } | CaptureError::Attach(_)), "{error}");
    assert!(error.to_string().contains("ended"), "{error}");
    nothing_is_left(&output, &program);
}

#[tokio::test]
async fn a_jvm_that_stops_in_the_middle_of_a_dump_is_given_up_and_leaves_nothing() {
    let output = Output::new();
    let Some((mut program, mut order)) = large(&output, &[]) else { return };
    order.stopped_patience = Duration::from_millis(200);
    let error = struck(order, &output.file(), |_| program.signal(Signal::STOP)).await;
    assert!(matches!(error, CaptureError::Stopped { .. }), "{error}");
    nothing_is_left(&output, &program);
    program.signal(Signal::CONT);
    program.say("leak 1");
    program.expect_line("kept 300001");
    nothing_is_left(&output, &program);
}

#[tokio::test]
async fn a_dump_that_is_given_up_leaves_nothing_and_a_jvm_that_goes_on() {
    let output = Output::new();
    let Some((mut program, order)) = large(&output, &[]) else { return };
    let error = struck(order, &output.file(), |stop| assert!(!stop.send_replace(true))).await;
    assert!(matches!(error, CaptureError::GivenUp { .. }), "{error}");
    nothing_is_left(&output, &program);
    program.say("leak 1");
    program.expect_line("kept 300001");
}

#[tokio::test]
async fn a_jvm_that_is_stopped_is_not_asked() {
    let Some(program) = jvm::start(&[]) else { return };
    program.signal(Signal::STOP);
    program.wait_until_state('T');
    let output = Output::new();
    let order = output.order(program.pid(), Some(Rung::Dump));
    let error = captured(order, &output.file()).await.unwrap_err();
    assert!(
        matches!(&error, CaptureError::Objected { objection: Objection::CannotAsk { why }, .. }
        if why.contains("stopped")),
        "{error}"
    );
    let order = output.order(program.pid(), None);
    captured(order, &output.file()).await.expect("counters need no answer");
}

/// As under a quota: the dump is 20 MB and more, and no file may have more than 4 MB.
#[tokio::test]
async fn a_jvm_that_cannot_write_its_dump_whole_leaves_nothing() {
    let output = Output::new();
    let Some((program, order)) = large(&output, &[]) else { return };
    let limit = format!("--fsize={}", 4 << 20);
    let pid = program.pid().to_string();
    let limited = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
    if !limited.is_ok_and(|status| status.success()) {
        return skipped("prlimit is not here");
    }
    let error = captured(order, &output.file()).await.unwrap_err();
    assert!(matches!(error, CaptureError::DumpFailed { .. }), "{error}");
    nothing_is_left(&output, &program);
}

/// A small file system in memory, for as long as this lives.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(path: &'a Path) -> Option<Self> {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=8m", "none"]).arg(path);
        if command.output().is_ok_and(|output| output.status.success()) {
            return Some(Self(path));
        }
        skipped("no file system can be mounted here");
        None
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0).status());
    }
}

/// As if dumps of this program had been small before, so that the prediction lets it pass.
fn misled() -> Experience {
    let mut experience = Experience::new();
    experience.remember(Measured {
        kind: CaptureKind::JvmDumpAll,
        program: "Leak".to_owned(),
        heap: Bytes::from_mib(100),
        pause: Duration::from_millis(100),
        file: Bytes::from_mib(4),
    });
    experience
}

#[tokio::test]
async fn a_disk_that_is_too_small_is_told_before_and_one_that_fills_up_leaves_nothing() {
    let output = Output::new();
    let Some((mut program, mut order)) = large(&output, &[]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(folder.path()) else { return };
    order.output_folder = folder.path().to_owned();
    let file = folder.path().join("capture");
    let error = captured(order.clone(), &file).await.unwrap_err();
    assert!(matches!(&error, CaptureError::Objected { objection: Objection::Disk { .. }, .. }));

    let looked = survey(order, &misled()).await.unwrap();
    let error = take_surveyed(looked, &file).await.unwrap_err();
    assert!(matches!(&error, CaptureError::Output(OutputError::Write { .. })), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    nothing_is_left(&output, &program);
    program.say("leak 1");
    program.expect_line("kept 300001");
}

#[tokio::test]
async fn a_jvm_that_cannot_be_asked_is_not_signalled_and_its_counters_are_had() {
    let output = Output::new();
    let Some(mut program) = jvm::start(&["-Xrs"]) else { return };
    // As the cleaners of /tmp do.
    std::fs::remove_file(format!("/tmp/.java_pid{}", program.pid())).unwrap();
    let order = output.order(program.pid(), Some(Rung::Dump));
    let error = captured(order, &output.file()).await.unwrap_err();
    assert!(
        matches!(&error, CaptureError::Objected { objection: Objection::CannotAsk { why }, .. }
        if why.contains("SIGQUIT")),
        "{error}"
    );
    assert!(output.is_empty());
    captured(output.order(program.pid(), None), &output.file()).await.unwrap();
    program.say("leak 1");
    program.expect_line("kept 1");
}

#[tokio::test]
async fn what_is_there_already_is_told_before_the_service_stands_still() {
    let output = Output::new();
    let Some(program) = jvm::start(&[]) else { return };
    std::fs::write(output.file(), "theirs").unwrap();
    let order = output.order(program.pid(), Some(Rung::Dump));
    let error = captured(order, &output.file()).await.unwrap_err();
    assert!(matches!(error, CaptureError::Output(OutputError::Exists { .. })), "{error}");
    assert_eq!(std::fs::read(output.file()).unwrap(), b"theirs");
}

#[tokio::test]
async fn a_process_that_is_not_there_is_no_process() {
    let output = Output::new();
    let error = captured(output.order(u32::MAX, None), &output.file()).await.unwrap_err();
    assert!(matches!(error, CaptureError::NoProcess { .. }), "{error}");
    let Some(mut program) = jvm::start(&[]) else { return };
    let pid = program.pid();
    program.signal(Signal::KILL);
    within(Duration::from_secs(20), || !program.is_running());
    let error = captured(output.order(pid, None), &output.file()).await.unwrap_err();
    assert!(matches!(error, CaptureError::NoProcess { .. } | CaptureError::Ended { .. }));
}
