//! Small real services for the tests of this crate: Python's own HTTP server is the one that comes
//! up, a shell that exits and a sleeper are the ones that do not.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use plimsoll_act::supervisor::{Supervisor, SupervisorOptions};
use plimsoll_model::{InstanceName, Version};
use plimsoll_wire::fleet::{FleetSpec, Launch, ReplicaSpec, ServiceSpec};

pub(crate) fn shell(script: &str) -> Launch {
    let args = vec!["-c".to_owned(), script.to_owned()];
    Launch { program: "/bin/sh".into(), args, env: BTreeMap::new() }
}

/// `good` and `better` come up, `exits` ends at once, `deaf` never listens.
pub(crate) fn fleet(replicas: u32) -> FleetSpec {
    let serve = "exec python3 -m http.server --bind 127.0.0.1 $PORT";
    let launches = [
        ("good", shell(serve)),
        ("better", shell(&format!("BETTER=yes {serve}"))),
        ("exits", shell("exit 3")),
        ("deaf", shell("sleep 1000 & exec sleep 1000")),
    ];
    let replica = |number| ReplicaSpec { instance: format!("web-{number}"), port: free_port() };
    let service = ServiceSpec {
        service: "web".to_owned(),
        version: "good".to_owned(),
        launches: launches.map(|(name, launch)| (name.to_owned(), launch)).into(),
        replicas: (0..replicas).map(replica).collect(),
        ready_path: "/".to_owned(),
        memory_limit_bytes: Some(256 << 20),
        fds_limit: Some(64),
    };
    FleetSpec { services: vec![service] }
}

pub(crate) fn prepare(fleet: &FleetSpec, folder: &Path) -> Supervisor {
    let options = SupervisorOptions {
        launcher: vec![env!("CARGO_BIN_EXE_act-host").into(), "exec-child".into()],
        folder: folder.to_owned(),
        otlp_endpoint: "http://127.0.0.1:1".to_owned(),
    };
    Supervisor::prepare(fleet, options).unwrap()
}

pub(crate) fn instance(name: &str) -> InstanceName {
    InstanceName::new(name).unwrap()
}

pub(crate) fn version(name: &str) -> Version {
    Version::new(name).unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Waits until the condition holds, and fails with its name when it does not in time.
#[expect(clippy::disallowed_methods, reason = "a test waits on the machine's clock")]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether the process runs; a dead one that nobody has reaped does not.
pub(crate) fn runs(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
