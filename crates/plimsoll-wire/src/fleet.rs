//! What the local supervisor is told to run. Written by `plimsoll demo`, read by the agent that
//! hosts the supervisor.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Every service of a fleet on one machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetSpec {
    pub services: Vec<ServiceSpec>,
}

/// One service: how each of its versions is started, and its replicas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpec {
    pub service: String,
    /// The version that runs at first; a key of `launches`.
    pub version: String,
    pub launches: BTreeMap<String, Launch>,
    pub replicas: Vec<ReplicaSpec>,
    /// Path that answers 200 once a replica is ready, for example `/healthz`.
    pub ready_path: String,
    /// Hard limit of each replica's own memory cgroup, where the machine has a writable one.
    pub memory_limit_bytes: Option<u64>,
    /// Soft and hard limit of open files of each replica.
    pub fds_limit: Option<u64>,
}

/// How one version is started. The supervisor adds `PORT` and the `OTEL_*` variables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Launch {
    pub program: PathBuf,
    pub args: Vec<String>,
    pub env: BTreeMap<String, String>,
}

/// One replica and the loopback port that it listens on in every version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaSpec {
    pub instance: String,
    pub port: u16,
}
