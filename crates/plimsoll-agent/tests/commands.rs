//! The acting half of the agent against real processes, real cgroups where this machine lets us
//! make some, and a server that dies.

#![expect(clippy::unwrap_used, reason = "a test ends where its stage cannot be set up")]

#[path = "shared/jvm.rs"]
mod jvm;
#[path = "shared/mishaps.rs"]
mod mishaps;
#[path = "shared/port.rs"]
mod port;
#[path = "shared/proxy.rs"]
mod proxy;
#[path = "shared/server.rs"]
mod server;
#[path = "shared/stage.rs"]
mod stage;

use std::sync::Arc;
use std::time::Duration;

use plimsoll_agent::commands::{CommandsError, run_commands};
use plimsoll_agent::local_socket::{ask, config_path, socket_path};
use plimsoll_model::{Action, Bytes, Command, Measured, ReceiptResult, Span, Version};
use plimsoll_wire::local::{LocalReply, LocalRequest};
use server::{Server, TOKEN, wait};
use stage::{Agent, command, options, server, status, web};

const DEPLOY_LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_repeated_is_performed_once_also_by_the_next_agent() {
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let fleet = web(1);
    let agent = Agent::start(options(&server, folder.path(), fleet.clone())).await;
    let before = status(folder.path()).await.remove(0).pid;
    // A server that forgets: it neither acknowledges nor stops ordering.
    server.desk.lock().unwrap().deaf = true;
    server.order(command("c1", "web-0", Action::Restart));
    let result = server.result_of("c1").await;
    assert!(matches!(result, ReceiptResult::Done(Measured::Replaced { .. })), "{result:?}");
    let after = status(folder.path()).await.remove(0).pid;
    assert_ne!(before, after);
    server.polled(4).await;
    assert_eq!(status(folder.path()).await.remove(0).pid, after);
    agent.end().await;

    let agent = Agent::start(options(&server, folder.path(), fleet)).await;
    let before = status(folder.path()).await.remove(0).pid;
    server.polled(4).await;
    assert_eq!(status(folder.path()).await.remove(0).pid, before);
    let done = |result: &ReceiptResult| matches!(result, ReceiptResult::Done(_));
    assert!(server.desk.lock().unwrap().receipts.iter().all(|receipt| done(&receipt.result)));
    server.desk.lock().unwrap().deaf = false;
    server.polled(3).await;
    server.desk.lock().unwrap().receipts.clear();
    server.desk.lock().unwrap().ordered.clear();
    server.polled(2).await;
    assert_eq!(server.desk.lock().unwrap().receipts, [], "acknowledged receipts are repeated");
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_or_not_meant_for_what_runs_is_not_performed() {
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let agent = Agent::start(options(&server, folder.path(), web(1))).await;
    let before = status(folder.path()).await;
    let refusal = async |command: Command, want: &str| {
        let id = command.id.clone();
        server.order(command);
        match server.result_of(id.as_str()).await {
            ReceiptResult::Refused(why) => assert!(why.contains(want), "{why}"),
            other => panic!("{other:?}"),
        }
    };
    let old = Some(Version::new("0.9").unwrap());
    let drifted = Command { version: old, ..command("c1", "web-0", Action::Restart) };
    refusal(drifted, "web-0 runs 1 by now, and this was meant for 0.9").await;
    refusal(command("c2", "web-7", Action::Restart), "reaches no web-7 of web").await;
    refusal(command("c3", "shop-0", Action::Restart), "reaches no shop-0 of shop").await;
    let unknown = Action::RunVersion(Version::new("7").unwrap());
    refusal(command("c4", "web-0", unknown), "no launch for version 7").await;
    let leased = Some(Span::from_mins(1));
    let restart = Command { lease: leased, ..command("c5", "web-0", Action::Restart) };
    refusal(restart, "cannot bring back").await;
    refusal(command("c6", "web-0", Action::SetSoftLimit(Bytes(1 << 30))), "").await;

    server.desk.lock().unwrap().impostor = true;
    server.order(command("c7", "web-0", Action::Restart));
    server.polled(4).await;
    let answered =
        |desk: &server::Desk| desk.receipts.iter().any(|receipt| receipt.command.as_str() == "c7");
    assert!(!answered(&server.desk.lock().unwrap()));
    assert_eq!(status(folder.path()).await, before, "nothing was done");
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_ends_without_a_server_and_the_next_server_is_told() {
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let agent = Agent::start(options(&server, folder.path(), web(1))).await;
    let Some(cgroup) = status(folder.path()).await.remove(0).cgroup else {
        eprintln!("skipped: no memory cgroup can be made here");
        return agent.end().await;
    };
    let v2 = cgroup.join("memory.high").exists();
    let (file, action) = match v2 {
        true => ("memory.high", Action::SetMemoryHigh(Bytes::from_mib(200))),
        false => ("memory.soft_limit_in_bytes", Action::SetSoftLimit(Bytes::from_mib(200))),
    };
    let file = cgroup.join(file);
    let before = std::fs::read_to_string(&file).unwrap();
    let lease = Some(Span::from_secs(2));
    server.order(Command { lease, ..command("c1", "web-0", action) });
    let result = server.result_of("c1").await;
    let ReceiptResult::Done(Measured::Limited { after, .. }) = result else { panic!("{result:?}") };
    assert_eq!(after, "209715200");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "209715200\n");
    server.die();
    let restored = || (std::fs::read_to_string(&file).unwrap() == before).then_some(());
    wait("the limit is as it was", restored).await;

    let next = Server::start(Arc::clone(&server.port), Arc::clone(&server.desk));
    let is_undone = |result: &ReceiptResult| matches!(result, ReceiptResult::Undone(_));
    let receipt = next.receipt(|receipt| is_undone(&receipt.result)).await;
    assert_eq!(receipt.command.as_str(), "c1");
    let ReceiptResult::Undone(restored) = receipt.result else { panic!() };
    assert!(restored.verified, "{restored:?}");
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_rolls_one_replica_after_another_and_stops_at_the_first_that_fails() {
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let agent = Agent::start(options(&server, folder.path(), web(2))).await;
    let deploy = async |version: &str| {
        let (service, version) = ("web".to_owned(), version.to_owned());
        let request = LocalRequest::Deploy { service, version };
        ask(&socket_path(folder.path()), &request, DEPLOY_LIMIT).await.unwrap()
    };
    assert_eq!(deploy("2").await, LocalReply::Done);
    let versions = async || {
        let replicas = status(folder.path()).await.into_iter();
        replicas.map(|replica| (replica.version, replica.state)).collect::<Vec<_>>()
    };
    let two = [("2".to_owned(), "ready".to_owned()), ("2".to_owned(), "ready".to_owned())];
    assert_eq!(versions().await, two);
    let LocalReply::Failed { why } = deploy("bad").await else { panic!() };
    assert!(why.starts_with("web-0: version bad did not come up"), "{why}");
    assert!(why.ends_with("on bad are now: []"), "{why}");
    assert_eq!(versions().await, two);
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_socket_takes_configuration_and_nothing_outside_its_folder() {
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let agent = Agent::start(options(&server, folder.path(), web(1))).await;
    let socket = socket_path(folder.path());
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let configure = async |service: &str, file: &str| {
        let (service, file) = (service.to_owned(), file.to_owned());
        let request = LocalRequest::Configure { service, file, content: "pool = 9".to_owned() };
        ask(&socket, &request, Duration::from_secs(5)).await.unwrap()
    };
    assert_eq!(configure("web", "web.conf").await, LocalReply::Done);
    let path = config_path(folder.path(), "web", "web.conf");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "pool = 9");
    let refused = |reply: LocalReply| assert!(matches!(reply, LocalReply::Failed { .. }));
    refused(configure("web", "../../agent.conf").await);
    refused(configure("web", ".hidden").await);
    refused(configure("other", "web.conf").await);

    let second = run_commands(options(&server, folder.path(), web(1)), std::future::pending());
    let error = second.await.unwrap_err();
    assert!(matches!(error, CommandsError::Socket { .. }), "{error}");

    let stop = ask(&socket, &LocalRequest::Stop, Duration::from_secs(5)).await.unwrap();
    assert_eq!(stop, LocalReply::Done);
    agent.run.await.unwrap().unwrap();
    assert!(!socket.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_in_the_middle_of_a_command_reports_it_and_leaves_no_process() {
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let (state, spec) = (folder.path().join("state"), folder.path().join("fleet.json"));
    let fleet = web(1);
    std::fs::write(&spec, serde_json::to_vec(&fleet).unwrap()).unwrap();
    let mut host = std::process::Command::new(env!("CARGO_BIN_EXE_agent-host"))
        .args(["run", &server.url(), TOKEN])
        .args([&state, &spec])
        .spawn()
        .unwrap();
    let ready = || {
        server
            .desk
            .lock()
            .unwrap()
            .reach
            .iter()
            .any(|reach| reach.missing.iter().all(|(_, why)| why != "it is not ready"))
    };
    wait("the fleet is ready", || ready().then_some(())).await;
    let deaf = Action::RunVersion(Version::new("deaf").unwrap());
    server.order(command("c1", "web-0", deaf));
    wait("the command has begun", || state.join("commands/1.json").exists().then_some(())).await;
    let mut replica = None;
    while replica.is_none() {
        let found = status(&state).await.into_iter().find(|replica| replica.version == "deaf");
        replica = found.and_then(|replica| replica.pid);
    }
    host.kill().unwrap();
    host.wait().unwrap();
    let gone = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", replica.unwrap()));
        stat.map_or(true, |stat| stat.contains(") Z ")).then_some(())
    };
    wait("the replica is gone", gone).await;

    let agent = Agent::start(options(&server, &state, fleet)).await;
    assert_eq!(status(&state).await.remove(0).version, "1", "the version that was known to work");
    match server.result_of("c1").await {
        ReceiptResult::Failed(why) => assert!(why.contains("died in the middle"), "{why}"),
        other => panic!("{other:?}"),
    }
    server.polled(3).await;
    assert_eq!(status(&state).await.remove(0).version, "1", "it is not repeated");
    agent.end().await;
}
