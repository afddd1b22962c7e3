//! How the process ends when it is told to, and when it cannot begin.

use std::process::{Command, Output};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::{Server, verify_audit};

#[tokio::test]
async fn a_termination_or_an_interrupt_ends_it_in_order_while_an_agent_waits() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let home = tempfile::tempdir().unwrap();
        let mut server = Server::start(home.path());
        let poll = json!({"agent": "node-1", "reach": [], "receipts": []});
        let polling = tokio::spawn(server.post("/api/v1/agent/poll").json(&poll).send());
        let seen = async {
            loop {
                let answer = server.get("/metrics").send().await.unwrap();
                if answer.text().await.unwrap().contains("plimsoll_agent_polls_total 1\n") {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), seen).await.expect("the poll arrives");
        server.signal(signal);
        let status = server.ended(Duration::from_secs(3)).await.expect("it ends within 3 s");
        assert_eq!(status.code(), Some(0), "{signal}");
        polling.abort();
        verify_audit(home.path());
    }
}

#[tokio::test]
async fn a_directory_or_a_port_that_is_taken_is_named_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(home.path());
    let port = server.url.trim_start_matches("http://").to_owned();
    let second = |listen: &str, dir: &std::path::Path| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command.args(["server", "--listen", listen, "--dir"]).arg(dir).output().unwrap()
    };
    let other = tempfile::tempdir().unwrap();
    for (output, said) in [
        (second("127.0.0.1:0", home.path()), format!("in use by process {}", server.child.id())),
        (second(&port, other.path()), format!("listen on {port}")),
        (second("0.0.0.0:0", other.path()), "not a loopback address".into()),
    ] {
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(&said) && !text.contains("panicked"), "{text}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(4), 0), "{text}");
    }
}
