//! Input that is absent, broken or hostile: a clear error or a counted rejection, and never a
//! panic, a wrong number or a hang.

use std::fs;
use std::process::{Command, Stdio};

use crate::files::{Files, Run, rows, scan, scan_with_input};
use crate::written::HEADER;

const BEGIN: i64 = 1_780_000_000;

fn some_rows() -> String {
    rows(BEGIN, "orders-0", "process.fds", &[5.0; 60])
}

fn check_refused(run: &Run, said: &[&str]) {
    assert_eq!(run.code, 2, "{run:?}");
    assert_eq!(run.out, "", "no answer is better than half of one");
    said.iter().for_each(|part| assert!(run.err.contains(part), "{part}: {}", run.err));
    assert!(!run.err.contains("panicked"), "{}", run.err);
}

/// The good rows and one bad line: it is counted, named and shown, and everything else is used.
fn check_counted(bad: &[u8], said: &[&str]) {
    let content = [HEADER.as_bytes(), some_rows().as_bytes(), bad].concat();
    let run = Files::new().scan(content, &[]);
    let inputs = &run.json()["inputs"];
    assert_eq!(inputs["rejected"], 1, "{run:?}");
    assert_eq!(inputs["samples"], 60, "{run:?}");
    said.iter().for_each(|part| assert!(run.err.contains(part), "{part}: {}", run.err));
}

#[test]
fn a_file_that_is_not_there_or_not_a_file_is_refused_with_what_to_do() {
    check_refused(&scan(&["--telemetry", "/no/such/file.csv"]), &["cannot open", "check that"]);
    check_refused(&scan(&["--telemetry", "/tmp"]), &["`/tmp`", "because: "]);
    let files = Files::new();
    check_refused(&files.scan(HEADER, &["--events", "/no/such.jsonl"]), &["/no/such.jsonl"]);
    check_refused(&files.scan(HEADER, &["--catalogue", "/no/such.toml"]), &["/no/such.toml"]);
    let damaged = b"PAR1 and then nothing that would be Parquet";
    check_refused(&files.scan(damaged, &[]), &["Parquet", "to its end"]);
    let piped = scan_with_input(&["--telemetry", "-"], damaged);
    check_refused(&piped, &["Parquet", "name the file"]);
    check_refused(&scan(&["--telemetry", "-", "--events", "-"]), &["both", "standard input"]);
}

#[test]
fn a_file_that_is_not_telemetry_is_refused_with_what_is_missing() {
    let check = |content: &[u8], said: &[&str]| {
        check_refused(&Files::new().scan(content, &[]), said);
    };
    check(b"", &["empty", "ts, service"]);
    check(b"\n\n", &["empty"]);
    check(b"ts,service,version,instance,value\n1,a,1,a-0,5\n", &["no column `metric`"]);
    check(b"1780000000,orders,1.0,orders-0,process.fds,5\n", &["no column"]);
    check(&[0x89, b'P', b'N', b'G', 0, 0xff, 0xfe, b'\n', 0x80], &["not readable as CSV"]);
    check(&vec![b'x'; 1 << 20], &["not readable as CSV"]);
}

#[test]
fn a_header_alone_is_not_enough_to_tell() {
    let run = Files::new().scan(HEADER, &[]);
    assert_eq!(run.code, 3, "{run:?}");
    assert_eq!(run.json()["services"].as_array().map(Vec::len), Some(0));
    assert!(run.err.contains("no samples"), "{}", run.err);
}

#[test]
fn one_bad_line_is_counted_and_the_rest_is_used() {
    check_counted(b"1780000100,orders,1,orders-0,process.fds,NaN\n", &["NaN or infinite"]);
    check_counted(b"1780000100,orders,1,orders-0,process.fds,inf\n", &["NaN or infinite"]);
    check_counted(b"1780000100,orders,1,orders-0,process.fds,-5\n", &["negative"]);
    check_counted(
        b"1780000100,orders,1,orders-0,blood.pressure,5\n",
        &["blood.pressure", "line 62"],
    );
    check_counted(b"yesterday,orders,1,orders-0,process.fds,5\n", &["yesterday", "Unix seconds"]);
    check_counted(b"1780000100,orders,1,orders-0,pro", &["cut off", "line 62"]);
    check_counted(b"1780000100,,1,orders-0,process.fds,5\n", &["no service"]);
    check_counted(&vec![b'x'; 300_000], &["line too long"]);
    check_counted(b"1780000100,orders,1,\xff\xfe,process.fds,5\n", &["not UTF-8"]);
    check_counted(b"1780000100,orders,1,\"orders-0,process.fds,5\n", &["quote"]);
}

#[test]
fn a_terminal_is_not_commanded_by_the_input() {
    let bad = b"1780000100,orders,1,orders-0,\x1b[2Jname,5\n";
    let run = Files::new().scan([HEADER.as_bytes(), some_rows().as_bytes(), bad].concat(), &[]);
    assert!(!run.err.contains('\x1b') && run.err.contains("unknown metric"), "{}", run.err);
}

#[test]
fn a_few_samples_from_the_future_are_rejected_and_do_not_move_the_assessment() {
    let future = rows(9_000_000_000, "orders-0", "process.fds", &[5.0; 3]);
    let run = Files::new().scan(format!("{HEADER}{}{future}", some_rows()), &[]);
    let report = run.json();
    assert_eq!(report["inputs"]["rejected"], 3);
    assert_eq!(report["inputs"]["samples"], 60);
    assert_eq!(report["assessed_at"], "2026-05-28T20:27:39.000Z");
    assert!(run.err.contains("time from the future"), "{}", run.err);
}

#[test]
fn a_whole_file_from_the_future_was_made_by_another_clock_and_is_used() {
    let future = rows(9_000_000_000, "orders-0", "process.fds", &[5.0; 60]);
    let run = Files::new().scan(format!("{HEADER}{future}"), &[]);
    assert_eq!(run.json()["inputs"]["samples"], 60);
    assert!(run.err.contains("ahead of this machine's clock"), "{}", run.err);
}

#[test]
fn telemetry_of_which_nothing_can_be_used_is_refused() {
    let run = Files::new().scan(format!("{HEADER}nonsense\n\x00\x01\x02\n"), &[]);
    check_refused(&run, &["none of the 2 lines", "wrong number of columns"]);
}

#[test]
fn bad_events_are_counted_beside_bad_lines() {
    let files = Files::new();
    let events = files.write("events.jsonl", "nonsense\n{\"ts\":1,\"kind\":\"party\"}\n");
    let content = format!("{HEADER}{}", some_rows());
    let run = files.scan(content, &["--events", events.to_str().unwrap()]);
    assert_eq!(run.json()["inputs"]["rejected"], 2);
    assert!(run.err.contains("2 lines of") && run.err.contains("events.jsonl"), "{}", run.err);
}

#[test]
fn wrong_usage_is_refused_with_the_right_one() {
    let files = Files::new();
    let content = format!("{HEADER}{}", some_rows());
    check_refused(&files.scan(&content, &["--at", "noon"]), &["RFC 3339"]);
    check_refused(&files.scan(&content, &["--service", "ordres"]), &["`ordres`", "orders"]);
    check_refused(&scan(&["--telemetry", "t.csv", "--format", "yaml"]), &["yaml", "json"]);
    check_refused(&files.scan(&content, &["--log", "=,="]), &["--log"]);
    check_refused(&scan(&[]), &["--telemetry"]);
}

#[test]
fn a_reader_that_closed_the_pipe_is_no_failure_and_a_full_disk_is() {
    let files = Files::new();
    let path = files.write("t.csv", format!("{HEADER}{}", some_rows()));
    let run = |stdout: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command.args(["scan", "--telemetry"]).arg(&path).stdout(stdout).stderr(Stdio::piped());
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (code, err) = run(writer.into());
    assert!(matches!(code, Some(0..=3)) && err.is_empty(), "{code:?}: {err}");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (code, err) = run(full.into());
    assert!(code == Some(4) && err.contains("disk full"), "{code:?}: {err}");
}
