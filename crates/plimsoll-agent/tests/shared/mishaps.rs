//! Commands that meet a full disk, come too late, or are polled for where a proxy is named.

use std::path::Path;

use plimsoll_act::clock;
use plimsoll_model::{Action, Command, Measured, ReceiptResult, Span, Version};
use plimsoll_wire::fleet::FleetSpec;

use crate::proxy;
use crate::server::wait;
use crate::stage::{Agent, command, options, server, shell, status, web};

/// One replica, and a version `gated` that comes up as soon as the file `gate` is there.
fn gated(gate: &Path) -> FleetSpec {
    let mut fleet = web(1);
    let script = format!(
        "until [ -e '{}' ]; do sleep 0.05; done; exec python3 -m http.server --bind 127.0.0.1 $PORT",
        gate.display()
    );
    fleet.services[0].launches.insert("gated".to_owned(), shell(&script));
    fleet
}

fn run_gated(id: &str) -> Command {
    command(id, "web-0", Action::RunVersion(Version::new("gated").unwrap()))
}

fn is_done(result: &ReceiptResult) -> bool {
    matches!(result, ReceiptResult::Done(Measured::Replaced { .. }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_finds_no_room_is_reported_and_is_on_disk_once_there_is_room() {
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let (state, gate) = (folder.path().join("state"), folder.path().join("gate"));
    let agent = Agent::start(options(&server, &state, gated(&gate))).await;
    // Never acknowledged: what is reported after the restart is what the disk holds.
    server.desk.lock().unwrap().deaf = true;
    server.order(run_gated("c1"));
    let record = state.join("commands/1.json");
    wait("the command has begun", || record.exists().then_some(())).await;
    let no_room = state.join("commands/1.json.new");
    std::os::unix::fs::symlink("/dev/full", &no_room).unwrap();
    std::fs::write(&gate, "").unwrap();
    let result = server.result_of("c1").await;
    assert!(is_done(&result), "{result:?}");
    let on_disk = || std::fs::read_to_string(&record).unwrap().contains("ended_at");
    assert!(!on_disk());
    // Neither does it repeat the command, which would write the record too.
    server.desk.lock().unwrap().ordered.clear();
    server.polled(3).await;
    std::fs::remove_file(&no_room).unwrap();
    wait("the receipt is on disk", || on_disk().then_some(())).await;
    agent.end().await;

    let agent = Agent::start(options(&server, &state, gated(&gate))).await;
    server.desk.lock().unwrap().receipts.clear();
    let result = server.result_of("c1").await;
    assert!(is_done(&result), "{result:?}");
    assert_eq!(status(&state).await.remove(0).version, "gated");
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_waited_too_long_behind_another_is_refused() {
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let (state, gate) = (folder.path().join("state"), folder.path().join("gate"));
    let agent = Agent::start(options(&server, &state, gated(&gate))).await;
    server.order(run_gated("c1"));
    let begun = || state.join("commands/1.json").exists().then_some(());
    wait("the first has begun", begun).await;
    let not_after = clock::now() + Span::from_millis(300);
    let version = Some(Version::new("gated").unwrap());
    server.order(Command { not_after, version, ..command("c2", "web-0", Action::Restart) });
    wait("the second is too late", || (clock::now() > not_after).then_some(())).await;
    std::fs::write(&gate, "").unwrap();
    assert!(is_done(&server.result_of("c1").await));
    let before = status(&state).await;
    match server.result_of("c2").await {
        ReceiptResult::Refused(why) => {
            assert!(why.starts_with("it was to be begun by 20"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(status(&state).await, before, "nothing was done");
    agent.end().await;
}

#[test]
fn orders_are_polled_for_at_the_server_whatever_proxy_is_named() {
    proxy::passes_and_ignores_the_proxy(
        "what_is_not_signed_or_not_meant_for_what_runs_is_not_performed",
    );
}
