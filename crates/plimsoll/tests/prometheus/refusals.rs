//! Servers that refuse, are busy, or are none: a clear error with what to do, and no answer.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::files::{Files, Run, scan};

/// Requests that one scripted server answers at most.
const REQUESTS_MAX: usize = 20;

/// A server that gives these answers, one a connection, and the last of them from then on. Returns
/// its address; it ends with the test's process.
fn scripted(answers: &'static [(&'static str, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let all = answers.iter().chain(std::iter::repeat(answers.last().unwrap()));
        for (answer, stream) in all.zip(listener.incoming()).take(REQUESTS_MAX) {
            drop(give(stream.unwrap(), answer));
        }
    });
    url
}

/// A server that answers each request line as it is told to.
fn routed(answer: fn(&str) -> (&'static str, String)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().take(REQUESTS_MAX * 5) {
            drop(route(stream.unwrap(), answer));
        }
    });
    url
}

fn route(stream: TcpStream, answer: fn(&str) -> (&'static str, String)) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let asked = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let (head, body) = answer(&asked);
    say(stream, &(head, &body))
}

fn give(stream: TcpStream, answer: &(&str, &str)) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    say(stream, answer)
}

fn say(mut stream: TcpStream, (head, body): &(&str, &str)) -> std::io::Result<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

fn check(run: &Run, said: &[&str]) {
    assert_eq!(run.code, 2, "{run:?}");
    assert_eq!(run.out, "", "no answer is better than half of one");
    said.iter().for_each(|part| assert!(run.err.contains(part), "{part}: {}", run.err));
    assert!(!run.err.contains("panicked"), "{}", run.err);
}

fn check_answer(answers: &'static [(&'static str, &'static str)], said: &[&str]) {
    check(&scan(&["--prometheus", &scripted(answers)]), said);
}

const EMPTY: &str = r#"{"status":"success","data":[]}"#;

/// A terminal is not commanded by it.
const REFUSED: &str = r#"{"status":"error","errorType":"bad_data","error":"no \u001b[2J such"}"#;

#[test]
fn a_server_that_is_none_or_refuses_is_told_apart() {
    check_answer(&[("401 Unauthorized", "")], &["401", "--bearer-token-file"]);
    check_answer(&[("403 Forbidden", "")], &["403"]);
    check_answer(&[("404 Not Found", "<html>")], &["no query API"]);
    check_answer(&[("200 OK", "<html>hello</html>")], &["not understood", "Prometheus"]);
    check_answer(&[("302 Found\r\nLocation: http://elsewhere/", "")], &["points elsewhere"]);
    check_answer(&[("400 Bad Request", REFUSED)], &["refused (400", "such"]);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = scan(&["--prometheus", &format!("http://user:secret@{free}")]);
    check(&run, &["no server answers", "check the address"]);
    assert!(!run.err.contains("secret"), "{}", run.err);
}

#[test]
fn wrong_usage_is_refused_before_anybody_is_asked() {
    check(&scan(&["--prometheus", "127.0.0.1:9090"]), &["http://127.0.0.1:9090"]);
    check(&scan(&["--prometheus", "ftp://metrics.example"]), &["http://127.0.0.1:9090"]);
    check(&scan(&["--prometheus", "http://h", "--telemetry", "t.csv"]), &["cannot be used with"]);
    check(&scan(&["--telemetry", "t.csv", "--since", "7d"]), &["cannot be used with"]);
    check(&scan(&["--prometheus", "http://h", "--since", "7"]), &["as 7d"]);
    let header = scan(&["--prometheus", "http://h", "--header", "a b: secret"]);
    check(&header, &["is not a header"]);
    assert!(!header.err.contains("secret"), "{}", header.err);
    let token = scan(&["--prometheus", "http://h", "--bearer-token-file", "/no/such/token"]);
    check(&token, &["/no/such/token"]);
}

#[test]
fn a_busy_server_is_asked_again_and_an_empty_one_has_nothing_to_tell() {
    let answers =
        &[("429 Too Many Requests\r\nRetry-After: 0", ""), ("503 Busy", ""), ("200 OK", EMPTY)];
    let run = scan(&["--prometheus", &scripted(answers)]);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.err.contains("no samples"), "{}", run.err);
    let answers = &[("429 Too Many Requests\r\nRetry-After: 0", "")];
    check_answer(answers, &["too busy", "429"]);
}

#[test]
fn headers_and_the_token_are_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
        let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        say(stream, &("200 OK", EMPTY)).unwrap();
        head.join("\n").to_lowercase()
    });
    let files = Files::new();
    let token = files.write("token", "s3cret\n");
    let token = token.to_str().unwrap();
    let run = scan(&[
        "--prometheus",
        &url,
        "--bearer-token-file",
        token,
        "--header",
        "X-Scope-OrgID: shop",
    ]);
    let head = asked.join().unwrap();
    assert!(head.starts_with("get /api/v1/label/__name__/values?start="), "{head}");
    assert!(head.contains("authorization: bearer s3cret"), "{head}");
    assert!(head.contains("x-scope-orgid: shop"), "{head}");
    assert!(!run.err.contains("s3cret"), "{}", run.err);
}

/// When the servers below are asked about, in Unix seconds: an hour.
const TO: i64 = 1_780_003_200;
const FROM: i64 = TO - 3600;

const TOO_LARGE: (&str, &str) = ("413 Payload Too Large", "");

/// A server with three names, which answers everything but what `instead` answers for it.
fn holds(asked: &str, instead: Option<(&'static str, &str)>) -> (&'static str, String) {
    let ok = |data: &str| ("200 OK", format!(r#"{{"status":"success","data":{data}}}"#));
    if let Some((status, body)) = instead {
        return (status, body.to_owned());
    }
    if asked.contains("/__name__/values") {
        return ok(r#"["process_resident_memory_bytes","process_open_fds","shop_build_info"]"#);
    }
    let of = |version: &str| format!(r#"{{"job":"shop","instance":"a:80"{version}}}"#);
    if asked.contains("/series") {
        let [one, two] = [of(r#","version":"1""#), of(r#","version":"2""#)];
        let builds = asked.contains("_build_info");
        return ok(&if builds { format!("[{one},{two}]") } else { format!("[{}]", of("")) });
    }
    // How far apart the samples lie is not told.
    let points = if asked.contains("count_over_time") { Vec::new() } else { flat() };
    let curve = format!(r#"{{"metric":{},"values":[{}]}}"#, of(""), points.join(","));
    ok(&format!(r#"{{"resultType":"matrix","result":[{curve}]}}"#))
}

/// A point each minute, and one of 1970.
fn flat() -> Vec<String> {
    let inside = (FROM..=TO).step_by(60).map(|secs| format!(r#"[{secs},"1000000"]"#));
    inside.chain([r#"[5,"7"]"#.to_owned()]).collect()
}

fn ask(answer: fn(&str) -> (&'static str, String)) -> Run {
    let url = routed(answer);
    let at = TO.to_string();
    let window = ["--since", "1h", "--step", "60s", "--at", &at, "--format", "json"];
    scan(&[&["--prometheus", &url], &window[..]].concat())
}

#[test]
fn a_point_of_another_time_is_rejected_and_not_assessed() {
    let run = ask(|asked| holds(asked, None));
    let inputs = &run.json()["inputs"];
    assert_eq!(inputs["samples"], 122, "{run:?}");
    assert_eq!(inputs["from"], "2026-05-28T20:20:00.000Z", "{run:?}");
    // Two metrics, and the witness of versions.
    assert_eq!(inputs["rejected"], 3, "{run:?}");
    assert!(run.err.contains("outside the time"), "{}", run.err);
}

#[test]
fn a_name_that_cannot_be_listed_or_read_is_named_and_the_rest_is_used() {
    let run = ask(|asked| {
        let listing = asked.contains("/series") && asked.contains("process_open_fds");
        holds(asked, listing.then_some(TOO_LARGE))
    });
    assert!(run.err.contains("process_open_fds was not read"), "{}", run.err);
    assert_eq!(run.json()["inputs"]["samples"], 61, "{run:?}");
    let run = ask(|asked| {
        let refused = asked.contains("/series") && asked.contains("_build_info");
        holds(asked, refused.then_some(("400 Bad Request", REFUSED)))
    });
    assert!(run.err.contains("shop_build_info was not read"), "{}", run.err);
    assert!(!run.err.contains('\x1b'), "{}", run.err);
    assert_eq!(run.json()["inputs"]["samples"], 122, "{run:?}");
    let run = ask(|asked| {
        let witness = asked.contains("/query_range") && asked.contains("_build_info");
        holds(asked, witness.then_some(TOO_LARGE))
    });
    assert!(run.err.contains("shop_build_info was not read"), "{}", run.err);
    assert_eq!(run.json()["inputs"]["samples"], 122, "{run:?}");
}

#[test]
fn what_is_too_much_to_list_at_once_is_listed_in_parts() {
    let run = ask(|asked| {
        let whole = asked.contains(&format!("start={FROM}&end={TO}"));
        holds(asked, (whole && asked.contains("/series")).then_some(TOO_LARGE))
    });
    assert!(!run.err.contains("was not read"), "{}", run.err);
    assert_eq!(run.json()["inputs"]["samples"], 122, "{run:?}");
}

#[test]
fn a_server_that_cannot_list_anything_is_not_said_to_have_too_many_series() {
    let run = ask(|asked| holds(asked, asked.contains("/series").then_some(TOO_LARGE)));
    check(&run, &["cannot list", "--match", "--since"]);
    assert!(!run.err.contains("2000000"), "{}", run.err);
}
