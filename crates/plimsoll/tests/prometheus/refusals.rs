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
    check(&scan(&["--prometheus", "https://metrics.example"]), &["https is not spoken"]);
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
