//! `plimsoll incident`, as its users have it: the real binary against whatever listens.
//!
//! The answers stand here as bytes, because half of them are ones that our server never gives.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread;

use plimsoll_wire::api::ErrorBody;
use serde_json::{Value, json};

const ID: &str = "inc-orders-1780000000";

/// Answers one request with these bytes; returns its own address.
fn listen(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut chunk = [0; 4096];
        while !request.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut chunk).unwrap();
            request.extend_from_slice(&chunk[..read]);
        }
        // Who hangs up on a hostile answer is right to.
        drop(stream.write_all(&answer));
    });
    url
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

fn record() -> Value {
    let text = include_str!("../../plimsoll-wire/tests/fixtures/incident-format-1.json");
    serde_json::from_str(text).unwrap()
}

fn incident(args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    let output = command.arg("incident").args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn check_failure(args: &[&str], code: i32, said: &str) {
    let (ended, out, err) = incident(args);
    assert_eq!((ended, out.as_str()), (code, ""), "{err}");
    assert!(err.contains(said) && !err.contains("panicked"), "{err}");
}

#[test]
fn incidents_are_listed_for_people_and_for_programs() {
    let body = json!({ "incidents": [record()] }).to_string();
    let (code, out, err) = incident(&["list", "--server", &listen(answer("200 OK", &body))]);
    assert!(code == 0 && out.contains(ID) && out.contains("running step 4"), "{out}{err}");
    let server = listen(answer("200 OK", &body));
    let (_, out, _) = incident(&["list", "--server", &server, "--format", "json"]);
    let list: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(list["incidents"][0], record(), "the whole record, as the server gave it");
}

#[test]
fn an_incident_is_shown_from_its_reason_to_its_last_step() {
    let mut view = record();
    view["timeline"] = json!([]);
    let server = listen(answer("200 OK", &view.to_string()));
    let (code, out, err) = incident(&["show", ID, "--server", &server]);
    assert_eq!(code, 0, "{err}");
    let plan = format!("Plan {}", view["plan"]["id"].as_str().unwrap());
    for part in ["rises since 1.1.0", "demo.Order", &plan, "2. guard: because"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
}

#[test]
fn an_unknown_incident_is_the_askers_mistake() {
    let body = ErrorBody::new("not_found", "there is no incident `x`", "list what there is");
    let body = serde_json::to_string(&body).unwrap();
    let server = listen(answer("404 Not Found", &body));
    check_failure(&["show", "x", "--server", &server], 2, "there is no incident `x`; list what");
}

#[test]
fn where_no_server_answers_it_says_how_to_start_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    check_failure(&["list", "--server", &url], 4, "start one with `plimsoll up`");
    check_failure(&["list", "--server", "127.0.0.1:7300"], 2, "write it as http://");
}

#[test]
fn what_is_no_plimsoll_server_is_not_believed() {
    let check = |bytes: Vec<u8>, said: &str| {
        check_failure(&["list", "--server", &listen(bytes)], 4, said);
    };
    check(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), "no server answers");
    check(answer("200 OK", "<html>"), "not understood");
    check(answer("500 Oops", "<html>"), "500");
    check(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{".to_vec(), "broke off");
    let mut endless = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n".to_vec();
    endless.resize(70 << 20, b' ');
    check(endless, "more than 67108864 bytes");
}
