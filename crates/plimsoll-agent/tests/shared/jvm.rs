//! Collections and histograms of real JVMs, of the fleet and of the machine.

use std::time::Duration;

use plimsoll_agent::collect::Watch;
use plimsoll_agent::commands::CommandOptions;
use plimsoll_agent::reach::Found;
use plimsoll_agent::{AgentOptions, run_collector};
use plimsoll_model::{
    Ability, Action, Command, InstanceName, Measured, ReceiptResult, ServiceName, Span,
};
use plimsoll_wire::fleet::FleetSpec;
use tokio::sync::watch;

use crate::server::wait;
use crate::stage::{Agent, command, launch, options, server, service};

const SHOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/Shop.java");

/// A child that ends with its test.
struct Jvm(std::process::Child);

impl Drop for Jvm {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn found(pid: u32, instance: &str) -> Found {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let (service, _) = instance.rsplit_once('-').unwrap();
    Found {
        service: ServiceName::new(service).unwrap(),
        instance: InstanceName::new(instance).unwrap(),
        version: None,
        pid,
        start_ticks: fields.split(' ').nth(19).unwrap().parse().unwrap(),
        own_group: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_nobody_here_started_is_captured_and_not_replaced() {
    if std::process::Command::new("java").arg("-version").output().is_err() {
        return eprintln!("skipped: java is not installed");
    }
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let jvm = std::process::Command::new("java").args(["-Xmx128m", SHOP]).env("PORT", "0").spawn();
    let jvm = Jvm(jvm.unwrap());
    let ours = found(jvm.0.id(), "shop-0");
    let other = Found { start_ticks: ours.start_ticks + 1, ..found(jvm.0.id(), "shop-1") };
    let (_sender, seen) = watch::channel(vec![ours, other]);
    let options = options(&server, folder.path(), FleetSpec::default());
    let agent = Agent::start(CommandOptions { fleet: None, found: Some(seen), ..options }).await;
    let reach = || {
        let desk = server.desk.lock().unwrap();
        desk.reach.iter().find(|reach| reach.can(Ability::CaptureHistogram)).cloned()
    };
    let reach = wait("the JVM can be asked", reach).await;
    assert_eq!(reach.instance.as_str(), "shop-0", "the other one has another start");
    assert!(!reach.can(Ability::Restart) && !reach.can(Ability::SetSoftLimit));

    let order = |id: &str, instance: &str, action| {
        server.order(Command { version: None, ..command(id, instance, action) });
    };
    order("c1", "shop-0", Action::CaptureHistogram);
    let result = server.result_of("c1").await;
    assert!(matches!(result, ReceiptResult::Done(Measured::Counted { .. })), "{result:?}");
    let refused = async |id: &str, want: &str| match server.result_of(id).await {
        ReceiptResult::Refused(why) => assert!(why.contains(want), "{why}"),
        other => panic!("{other:?}"),
    };
    order("c2", "shop-0", Action::Restart);
    refused("c2", "no supervisor").await;
    order("c3", "shop-1", Action::CaptureHistogram);
    refused("c3", "not ready").await;
    agent.end().await;
}

/// A `/proc` in which one process exists: the test looks at nobody else's.
fn proc_with_only(pid: u32) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for name in ["stat", "mounts", "meminfo", "self", &pid.to_string()] {
        std::os::unix::fs::symlink(format!("/proc/{name}"), root.path().join(name)).unwrap();
    }
    root
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_without_a_fleet_reaches_a_jvm_that_it_found() {
    if std::process::Command::new("java").arg("-version").output().is_err() {
        return eprintln!("skipped: java is not installed");
    }
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let mut java = std::process::Command::new("java");
    java.args(["-Xmx128m", SHOP]).env("PORT", "0").env("OTEL_SERVICE_NAME", "found");
    let jvm = Jvm(java.env_remove("OTEL_RESOURCE_ATTRIBUTES").spawn().unwrap());
    let proc = proc_with_only(jvm.0.id());
    let here = InstanceName::new("here").unwrap();
    let (publish, found) = watch::channel(Vec::new());
    let mut collect = AgentOptions::new(&server.url(), Watch::MACHINE, here);
    collect.interval = Duration::from_millis(100);
    collect.collect.proc_root = proc.path().to_owned();
    collect.found = Some(publish);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let collecting = tokio::spawn(run_collector(collect, async { drop(stopped.await) }));
    let options = options(&server, folder.path(), FleetSpec::default());
    let agent = Agent::start(CommandOptions { fleet: None, found: Some(found), ..options }).await;

    let reach = || {
        let desk = server.desk.lock().unwrap();
        desk.reach.iter().find(|reach| reach.can(Ability::CaptureHistogram)).cloned()
    };
    let reach = wait("the JVM is found and can be asked", reach).await;
    assert_eq!(reach.instance.as_str(), format!("found-{}", jvm.0.id()));
    assert!(reach.can(Ability::CollectGarbage));
    let why_not = |ability| reach.missing.iter().find(|(one, _)| *one == ability);
    for ability in [Ability::Restart, Ability::RunVersion] {
        assert!(why_not(ability).unwrap().1.contains("not started by the supervisor"));
    }
    let order = |id: &str, action| {
        let command = command(id, reach.instance.as_str(), action);
        server.order(Command { version: None, ..command });
    };
    order("c1", Action::CollectGarbage);
    let result = server.result_of("c1").await;
    assert!(matches!(result, ReceiptResult::Done(Measured::Collected { .. })), "{result:?}");
    order("c2", Action::CaptureHistogram);
    let result = server.result_of("c2").await;
    assert!(matches!(result, ReceiptResult::Done(Measured::Counted { .. })), "{result:?}");

    drop(jvm);
    let gone = || server.desk.lock().unwrap().reach.is_empty().then_some(());
    wait("the JVM is not offered any more", gone).await;
    agent.end().await;
    drop(stop);
    collecting.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jvm_is_collected_and_counted_with_the_pause_that_was_predicted() {
    if std::process::Command::new("java").arg("-version").output().is_err() {
        return eprintln!("skipped: java is not installed");
    }
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let launches = [("1".to_owned(), launch("java", &["-Xmx128m", SHOP]))];
    let fleet = FleetSpec { services: vec![service("shop", launches.into(), 1)] };
    let agent = Agent::start(options(&server, folder.path(), fleet)).await;
    let reach = || {
        let desk = server.desk.lock().unwrap();
        desk.reach.iter().find(|reach| reach.can(Ability::CaptureHistogram)).cloned()
    };
    let reach = wait("the JVM can be asked", reach).await;
    assert!(reach.can(Ability::CollectGarbage) && reach.can(Ability::Restart));
    assert!(!reach.can(Ability::RunVersion));
    assert!(reach.predicted_pause.unwrap().basis.contains("class histogram of live objects"));

    server.order(command("c1", "shop-0", Action::CollectGarbage));
    let result = server.result_of("c1").await;
    let ReceiptResult::Done(Measured::Collected { used_before, used_after, .. }) = result else {
        panic!("{result:?}")
    };
    assert!(used_after < used_before, "{used_after} {used_before}");
    server.order(command("c2", "shop-0", Action::CaptureHistogram));
    let result = server.result_of("c2").await;
    let ReceiptResult::Done(Measured::Counted { pause, types, .. }) = result else {
        panic!("{result:?}")
    };
    assert!(pause > Span::ZERO);
    let orders = types.iter().find(|row| row.name.ends_with("Shop$Order")).unwrap();
    assert_eq!(orders.instances, 50_000);
    agent.end().await;
}
