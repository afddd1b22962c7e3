//! The demo's fleet: its sources are in this binary, and are written to a run directory, compiled
//! where the language wants it, and described as a `FleetSpec` for the local supervisor.
//!
//! Starts nothing that outlives the call. What cannot run on this machine is left out, with the
//! reason. What each service does, and its fault, is told in `demo/README.md`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, path};

use plimsoll_wire::fleet::{FleetSpec, Launch, ReplicaSpec, ServiceSpec};
use thiserror::Error;

use super::runtimes::{find_java, find_ledger, find_node, find_python};

const MIB: u64 = 1024 * 1024;

/// Replicas of `orders`: one can be rolled back while two others still leak.
const ORDERS_REPLICAS: usize = 3;

/// The version of `orders` that the demo begins with, and rolls back to.
pub(crate) const ORDERS_GOOD: &str = "1.0.0";
/// The version of `orders` that leaks.
pub(crate) const ORDERS_BAD: &str = "1.1.0";
/// The version of `catalog` that the demo begins with.
pub(crate) const CATALOG_FIRST: &str = "2.0.0";
/// The harmless version of `catalog` that follows the bad one of `orders`.
pub(crate) const CATALOG_DECOY: &str = "2.1.0";
pub(crate) const RECOMMEND_VERSION: &str = "3.2.0";
pub(crate) const LEDGER_VERSION: &str = "0.9.0";

/// A small heap, so that the leak fills it in about 13 minutes at the demo's load; a young
/// generation that the load fills every few seconds; and tenuring after three collections, so that
/// the old generation holds what is kept, soon, and nothing else. The serial collector has one
/// number for that. One compiler keeps the process itself flat, and without memory it ends rather
/// than limp.
const ORDERS_JVM: [&str; 10] = [
    "-XX:+UseSerialGC",
    "-Xms320m",
    "-Xmx320m",
    "-Xmn16m",
    "-XX:SurvivorRatio=3",
    "-XX:TargetSurvivorRatio=90",
    "-XX:MaxTenuringThreshold=2",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Dsun.net.httpserver.nodelay=true",
];
const ORDERS_MEMORY_LIMIT: u64 = 512 * MIB;

/// A small young generation: resident memory stays within 2 MiB after the warm-up. With 8 MiB, in
/// which more would die young, V8 grows and shrinks it with the load, and resident memory swings by
/// 12 MiB, which would look like a leak for half a minute at a time.
const CATALOG_NODE: [&str; 2] = ["--max-old-space-size=128", "--max-semi-space-size=2"];
const CATALOG_MEMORY_LIMIT: u64 = 512 * MIB;

/// From this size on, in bytes, each allocation is a mapping of its own: every cache entry is. Entries
/// of different sizes that replace each other in one heap fragment it, and resident memory would go
/// on rising after the cache is full.
const RECOMMEND_MMAP_THRESHOLD: &str = "16384";
const RECOMMEND_MEMORY_LIMIT: u64 = 256 * MIB;

const LEDGER_MEMORY_LIMIT: u64 = 64 * MIB;
/// At 60 lost handles a second gone in four and a half minutes. Not more, because the hard limit of
/// a shell is often not more.
const LEDGER_FDS_LIMIT: u64 = 16_384;

macro_rules! sources {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../demo/", $path)))),*]
    };
}

/// A path below `demo/`, and what the file holds.
type Source = (&'static str, &'static str);

const ORDERS_SHARED: &[Source] = sources![
    "orders/shared/Downstream.java",
    "orders/shared/Json.java",
    "orders/shared/Order.java",
    "orders/shared/OrderLine.java",
    "orders/shared/Orders.java",
    "orders/shared/Refused.java",
    "orders/shared/SpanExporter.java",
    "orders/shared/TraceContext.java",
];
const ORDERS_GOOD_BOOK: &[Source] = sources!["orders/1.0.0/OrderBook.java"];
const ORDERS_BAD_BOOK: &[Source] = sources!["orders/1.1.0/OrderBook.java"];
const CATALOG_SHARED: &[Source] = sources!["catalog/server.js", "catalog/spans.js"];
const CATALOG_FIRST_PRICE: &[Source] = sources!["catalog/2.0.0/price.js"];
const CATALOG_DECOY_PRICE: &[Source] = sources!["catalog/2.1.0/price.js"];
const RECOMMEND: &[Source] = sources!["recommend/recommend.py", "recommend/spans.py"];

/// A fleet that is ready to be started.
#[derive(Clone, Debug)]
pub(crate) struct DemoFleet {
    pub(crate) spec: FleetSpec,
    pub(crate) skipped: Vec<Skipped>,
    ledger_config: PathBuf,
}

/// A service that cannot run on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skipped {
    pub(crate) service: &'static str,
    /// What is missing, and what would help.
    pub(crate) reason: String,
}

#[derive(Debug, Error)]
pub(crate) enum FleetError {
    #[error("cannot write the demo's programs to {path}", path = path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot find a free port for `{instance}`")]
    Port { instance: String, source: io::Error },
    #[error("cannot start the Java compiler {path}", path = path.display())]
    Compiler { path: PathBuf, source: io::Error },
    #[error("the Java compiler refuses `orders` {version}: {message}")]
    Compile { version: &'static str, message: String },
}

impl DemoFleet {
    /// Turns the audit trail of `ledger` on or off: the config change that starts its leak. The
    /// service sees it within a second of its next request.
    pub(crate) fn set_audit_trail(&self, on: bool) -> Result<(), FleetError> {
        write_config(&self.ledger_config, on)
    }
}

/// Writes, compiles and describes the fleet. `binaries` is where the `ledger` binary is, which is
/// the directory of this program. Blocks for some seconds, most of them the Java compiler's.
pub(crate) fn prepare(
    run_dir: &Path,
    binaries: &Path,
    next_port: &mut dyn FnMut() -> io::Result<u16>,
) -> Result<DemoFleet, FleetError> {
    let run_dir = path::absolute(run_dir).map_err(failed_to_write(run_dir))?;
    let ledger_config = run_dir.join("ledger").join("ledger.conf");
    let mut yard = Yard { run_dir, next_port, spec: FleetSpec::default(), skipped: Vec::new() };
    yard.build("catalog", find_node(), Yard::catalog)?;
    yard.build("ledger", find_ledger(binaries), |yard, program| {
        yard.ledger(program, &ledger_config)
    })?;
    yard.build("recommend", find_python(), Yard::recommend)?;
    yard.build("orders", find_java(), Yard::orders)?;
    let Yard { spec, skipped, .. } = yard;
    Ok(DemoFleet { spec, skipped, ledger_config })
}

/// Where the fleet is built, and what is done of it.
struct Yard<'a> {
    run_dir: PathBuf,
    next_port: &'a mut dyn FnMut() -> io::Result<u16>,
    spec: FleetSpec,
    skipped: Vec<Skipped>,
}

impl Yard<'_> {
    fn build(
        &mut self,
        service: &'static str,
        runtime: Result<PathBuf, String>,
        build: impl FnOnce(&mut Self, PathBuf) -> Result<ServiceSpec, FleetError>,
    ) -> Result<(), FleetError> {
        match runtime {
            Ok(program) => {
                let built = build(self, program)?;
                self.spec.services.push(built);
            }
            Err(reason) => self.skipped.push(Skipped { service, reason }),
        }
        Ok(())
    }

    fn catalog(&mut self, node: PathBuf) -> Result<ServiceSpec, FleetError> {
        let mut launches = BTreeMap::new();
        let versions = [(CATALOG_FIRST, CATALOG_FIRST_PRICE), (CATALOG_DECOY, CATALOG_DECOY_PRICE)];
        for (version, price) in versions {
            let directory = self.run_dir.join("catalog").join(version);
            write_sources(&directory, &[CATALOG_SHARED, price])?;
            let mut args = texts(&CATALOG_NODE);
            args.push(text(&directory.join("server.js")));
            launches.insert(version.to_owned(), launch(&node, args));
        }
        Ok(ServiceSpec {
            replicas: self.replicas("catalog", 1)?,
            memory_limit_bytes: Some(CATALOG_MEMORY_LIMIT),
            ..service("catalog", CATALOG_FIRST, launches)
        })
    }

    fn ledger(&mut self, program: PathBuf, config: &Path) -> Result<ServiceSpec, FleetError> {
        let directory = self.run_dir.join("ledger");
        fs::create_dir_all(&directory).map_err(failed_to_write(&directory))?;
        write_config(config, false)?;
        let mut launch = launch(&program, Vec::new());
        launch.env.insert("LEDGER_CONFIG".into(), text(config));
        launch.env.insert("LEDGER_DIR".into(), text(&directory));
        let launches = BTreeMap::from([(LEDGER_VERSION.to_owned(), launch)]);
        Ok(ServiceSpec {
            replicas: self.replicas("ledger", 1)?,
            memory_limit_bytes: Some(LEDGER_MEMORY_LIMIT),
            fds_limit: Some(LEDGER_FDS_LIMIT),
            ..service("ledger", LEDGER_VERSION, launches)
        })
    }

    fn recommend(&mut self, python: PathBuf) -> Result<ServiceSpec, FleetError> {
        let directory = self.run_dir.join("recommend").join(RECOMMEND_VERSION);
        write_sources(&directory, &[RECOMMEND])?;
        let args = vec!["-B".into(), text(&directory.join("recommend.py"))];
        let mut launch = launch(&python, args);
        launch.env.insert("MALLOC_MMAP_THRESHOLD_".into(), RECOMMEND_MMAP_THRESHOLD.into());
        let launches = BTreeMap::from([(RECOMMEND_VERSION.to_owned(), launch)]);
        Ok(ServiceSpec {
            replicas: self.replicas("recommend", 1)?,
            memory_limit_bytes: Some(RECOMMEND_MEMORY_LIMIT),
            ..service("recommend", RECOMMEND_VERSION, launches)
        })
    }

    /// Last of all, because it is told where the others are.
    fn orders(&mut self, java_home: PathBuf) -> Result<ServiceSpec, FleetError> {
        let neighbours: Vec<_> = self.spec.services.iter().filter_map(address).collect();
        let mut launches = BTreeMap::new();
        for (version, book) in [(ORDERS_GOOD, ORDERS_GOOD_BOOK), (ORDERS_BAD, ORDERS_BAD_BOOK)] {
            let directory = self.run_dir.join("orders").join(version);
            let sources = [ORDERS_SHARED, book];
            write_sources(&directory, &sources)?;
            compile(&java_home, version, &directory, &sources)?;
            let mut args = texts(&ORDERS_JVM);
            args.extend(["-cp".into(), text(&directory), "shop.orders.Orders".into()]);
            let mut launch = launch(&java_home.join("bin/java"), args);
            launch.env.extend(neighbours.iter().cloned());
            launches.insert(version.to_owned(), launch);
        }
        Ok(ServiceSpec {
            replicas: self.replicas("orders", ORDERS_REPLICAS)?,
            memory_limit_bytes: Some(ORDERS_MEMORY_LIMIT),
            ..service("orders", ORDERS_GOOD, launches)
        })
    }

    fn replicas(&mut self, service: &str, count: usize) -> Result<Vec<ReplicaSpec>, FleetError> {
        let mut replica = |number| {
            let instance = format!("{service}-{number}");
            match (self.next_port)() {
                Ok(port) => Ok(ReplicaSpec { instance, port }),
                Err(source) => Err(FleetError::Port { instance, source }),
            }
        };
        (0..count).map(&mut replica).collect()
    }
}

fn service(name: &str, version: &str, launches: BTreeMap<String, Launch>) -> ServiceSpec {
    ServiceSpec {
        service: name.into(),
        version: version.into(),
        launches,
        replicas: Vec::new(),
        ready_path: "/healthz".into(),
        memory_limit_bytes: None,
        fds_limit: None,
    }
}

/// Every service has few allocator arenas: with one per thread, resident memory creeps for as long
/// as new threads meet new arenas, which is a look-alike that the demo does not tell of.
fn launch(program: &Path, args: Vec<String>) -> Launch {
    let env = BTreeMap::from([("MALLOC_ARENA_MAX".to_owned(), "2".to_owned())]);
    Launch { program: program.to_owned(), args, env }
}

/// The variable that tells `orders` where a service is.
fn address(service: &ServiceSpec) -> Option<(String, String)> {
    let port = service.replicas.first()?.port;
    let name = format!("{}_URL", service.service.to_ascii_uppercase());
    Some((name, format!("http://127.0.0.1:{port}")))
}

fn compile(
    java_home: &Path,
    version: &'static str,
    directory: &Path,
    sources: &[&[Source]],
) -> Result<(), FleetError> {
    let path = java_home.join("bin/javac");
    let output = Command::new(&path)
        .args(["-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1", "--release", "17", "-d"])
        .arg(directory)
        .args(
            sources.iter().copied().flatten().map(|(source, _)| directory.join(file_name(source))),
        )
        .output()
        .map_err(|source| FleetError::Compiler { path, source })?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(FleetError::Compile { version, message })
}

/// Writes the files side by side: the folders below `demo/` only tell versions apart.
fn write_sources(directory: &Path, sources: &[&[Source]]) -> Result<(), FleetError> {
    fs::create_dir_all(directory).map_err(failed_to_write(directory))?;
    for (source, content) in sources.iter().copied().flatten() {
        let path = directory.join(file_name(source));
        fs::write(&path, content).map_err(failed_to_write(&path))?;
    }
    Ok(())
}

/// Replaced as a whole, so that the service never reads half of it.
fn write_config(path: &Path, audit_trail: bool) -> Result<(), FleetError> {
    let value = if audit_trail { "on" } else { "off" };
    let next = path.with_extension("conf.next");
    fs::write(&next, format!("audit_trail = {value}\n")).map_err(failed_to_write(&next))?;
    fs::rename(&next, path).map_err(failed_to_write(path))
}

fn failed_to_write(path: &Path) -> impl FnOnce(io::Error) -> FleetError {
    let path = path.to_owned();
    move |source| FleetError::Write { path, source }
}

fn file_name(source: &str) -> &str {
    source.rsplit_once('/').map_or(source, |(_, name)| name)
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// Paths of the run directory are made of names that we chose; what stands above them may be any
/// bytes, of which a loss here would show as a file that is not found.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
