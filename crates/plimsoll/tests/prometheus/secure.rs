//! A real Prometheus behind its own TLS and basic auth, with an authority that the test makes.
//!
//! Needs `openssl` besides Debian's `prometheus`, whose `ca-certificates` depend on it anyway.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::files::{Run, scan, scan_as};
use crate::server::{Prometheus, find};

const USER: &str = "s3cret-user";
/// With what must be escaped in an address, and what ends a user there.
const PASSWORD: &str = "s3cret pass:word";
const PASSWORD_IN_ADDRESS: &str = "s3cret%20pass%3Aword";
/// The password as bcrypt, with the fewest rounds that Prometheus takes.
const PASSWORD_HASH: &str = "$2b$04$6gAOYmlAC44Yp8iWfyoCROXIcSMY3SVyl/qbvXAS6xQ4LzWD4gilm";

/// When the samples below are, in Unix seconds: an hour.
const TO: i64 = 1_780_003_200;
const SAMPLES: i64 = 61;

/// The files of an authority, of a server that it vouches for, and of who may ask.
struct Keys(TempDir);

impl Keys {
    fn make() -> Option<Self> {
        let Some(openssl) = find("openssl") else {
            eprintln!("skipped: openssl is not installed");
            return None;
        };
        let keys = Self(TempDir::new().unwrap());
        let make = |arguments: &[&str]| {
            let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
            let run = Command::new(&openssl)
                .current_dir(keys.0.path())
                .args(["req", "-x509", "-days", "2"])
                .args(curve)
                .args(arguments)
                .output()
                .unwrap();
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        };
        make(&["-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority"]);
        let of_server = ["-keyout", "server.key", "-out", "server.pem", "-subj", "/CN=server"];
        let signed = ["-CA", "ca.pem", "-CAkey", "ca.key"];
        let name = ["-addext", "subjectAltName=IP:127.0.0.1"];
        let leaf = ["-addext", "basicConstraints=critical,CA:FALSE"];
        make(&[&of_server[..], &signed, &name, &leaf].concat());
        let web = format!(
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n\
             basic_auth_users:\n  {USER}: {PASSWORD_HASH}\n"
        );
        fs::write(keys.path("web.yml"), web).unwrap();
        fs::write(keys.path("user"), format!("{USER}:{PASSWORD}\n")).unwrap();
        fs::write(keys.path("wrong"), format!("{USER}:{PASSWORD}s\n")).unwrap();
        Some(keys)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

fn samples() -> String {
    let mut text = "# TYPE process_resident_memory_bytes gauge\n".to_owned();
    for at in (TO - 3600..=TO).step_by(60) {
        let labels = r#"job="shop",instance="a:80""#;
        writeln!(text, "process_resident_memory_bytes{{{labels}}} 50000000 {at}").unwrap();
    }
    text + "# EOF\n"
}

/// What is asked in every call below.
fn ask<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let window = ["--since", "1h", "--at", "1780003200", "--format", "json", "--log", "trace"];
    [&["--prometheus", url], &window[..], more].concat()
}

fn check_read(run: &Run) {
    assert_eq!(run.json()["inputs"]["samples"], Value::from(SAMPLES), "{run:?}");
    check_discreet(run);
}

fn check_refused(run: &Run, said: &[&str]) {
    assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
    said.iter().for_each(|part| assert!(run.err.contains(part), "{part}: {}", run.err));
    check_discreet(run);
}

/// Neither a message nor the log, however much of it is asked for, holds a secret: not as it was
/// given, and not as it is sent.
fn check_discreet(run: &Run) {
    for secret in ["s3cret", "czNjcmV0"] {
        assert!(!run.err.contains(secret) && !run.out.contains(secret), "{run:?}");
    }
}

#[test]
fn a_server_behind_tls_and_a_password_is_read_by_who_trusts_and_knows() {
    let Some(keys) = Keys::make() else { return };
    let web = format!("--web.config.file={}", keys.text("web.yml"));
    let Some(server) = Prometheus::start_secured(&samples(), &[&web]) else { return };
    let url = server.url().replace("http:", "https:");
    let (ca, user, wrong) = (keys.text("ca.pem"), keys.text("user"), keys.text("wrong"));
    let trusting = ["--ca-cert", &ca];
    let known = ["--ca-cert", &ca, "--basic-auth-file", &user];
    check_read(&scan(&ask(&url, &known)));
    let address = url.replace("://", &format!("://{USER}:{PASSWORD_IN_ADDRESS}@"));
    check_read(&scan(&ask(&address, &trusting)));
    let variable = ("PLIMSOLL_PROMETHEUS_BASIC_AUTH", &*format!("{USER}:{PASSWORD}"));
    check_read(&scan_as(&ask(&url, &trusting), &[variable]));
    // An authority that this machine knows needs no option.
    check_read(&scan_as(&ask(&url, &[]), &[variable, ("SSL_CERT_FILE", &ca)]));

    let unknown = ["no secure connection", "--ca-cert", "UnknownIssuer"];
    check_refused(&scan(&ask(&address, &[])), &unknown);
    check_refused(&scan(&ask(&url, &trusting)), &["401", "--basic-auth-file"]);
    let mistaken = ask(&url, &["--ca-cert", &ca, "--basic-auth-file", &wrong]);
    check_refused(&scan(&mistaken), &["401"]);
    // Its certificate is for another name.
    let other_name = url.replace("127.0.0.1", "localhost");
    check_refused(&scan(&ask(&other_name, &known)), &["no secure connection", "localhost"]);
    // Prometheus says itself what is wrong.
    let plain = server.url();
    check_refused(&scan(&ask(&plain, &["--basic-auth-file", &user])), &["400", "HTTPS server"]);
}

#[test]
fn who_speaks_no_tls_is_not_asked_without_it() {
    let Some(server) = Prometheus::start(&samples(), &[]) else { return };
    let secure = format!("https://{USER}:{PASSWORD_IN_ADDRESS}@");
    let secure = server.url().replace("http://", &secure);
    check_refused(&scan(&ask(&secure, &[])), &["no secure connection", "https address"]);
}

#[test]
fn an_authority_that_cannot_be_read_is_named_before_anybody_is_asked() {
    let files = TempDir::new().unwrap();
    let path = files.path().join("ca.pem");
    let ca = path.to_str().unwrap();
    let https = |ca: &str| scan(&ask("https://127.0.0.1:9", &["--ca-cert", ca]));
    check_refused(&https(ca), &["cannot read the certificates", ca]);
    fs::write(&path, "no certificate\n").unwrap();
    check_refused(&https(ca), &["holds no certificate", ca]);
    fs::write(&path, vec![b'x'; 2 << 20]).unwrap();
    check_refused(&https(ca), &["longer than 1 MiB", ca]);
    check_refused(&scan(&ask("http://127.0.0.1:9", &["--ca-cert", ca])), &["http asks nobody"]);
    let empty = files.path().join("authorities");
    fs::create_dir(&empty).unwrap();
    let none = [("SSL_CERT_FILE", ca), ("SSL_CERT_DIR", empty.to_str().unwrap())];
    let nobody = scan_as(&ask("https://127.0.0.1:9", &[]), &none);
    check_refused(&nobody, &["no certificates of authorities", "--ca-cert"]);
}
