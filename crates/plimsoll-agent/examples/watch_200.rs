//! Measures what the agent costs: 200 labelled processes, a round every 5 s, for 60 s.
//!
//! `cargo run --release -p plimsoll-agent --example watch_200` prints the share of one core and
//! the peak of resident memory of this process, which runs nothing but the agent: the server that
//! takes the batches is a child. Exits with 1 when a limit is passed.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};
use plimsoll_agent::collect::Watch;
use plimsoll_agent::{AgentOptions, run_collector};
use plimsoll_model::InstanceName;

const PROCESSES: usize = 200;
const LASTS: Duration = Duration::from_secs(60);

/// The agent's own limits.
const CORE_SHARE_MAX: f64 = 0.01;
const RSS_MIB_MAX: f64 = 60.0;

/// Children that end with the measurement.
struct Fleet(Vec<Child>);

impl Drop for Fleet {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let ended = child.kill().and_then(|()| child.wait());
            ended.map_or_else(|error| eprintln!("a child did not end: {error}"), drop);
        }
    }
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be built");
    if std::env::args().nth(1).as_deref() == Some("sink") {
        runtime.block_on(serve());
        return ExitCode::SUCCESS;
    }
    let (mut fleet, server) = start_sink();
    fleet.0.extend((0..PROCESSES).map(start_sleeper));
    runtime.block_on(measure(&server))
}

async fn measure(server: &str) -> ExitCode {
    let node = InstanceName::new("here").expect("a short literal is a name");
    let options = AgentOptions::new(server, Watch::Labelled, node);
    let counters = std::sync::Arc::clone(&options.counters);
    run_collector(options, tokio::time::sleep(LASTS)).await.expect("the agent runs");
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("a process may see its own usage");
    let micros = |time: TimeVal| time.num_microseconds() as f64;
    let cpu_secs = (micros(usage.user_time()) + micros(usage.system_time())) / 1e6;
    let share = cpu_secs / LASTS.as_secs_f64();
    let rss_mib = usage.max_rss() as f64 / 1024.0;
    let instances = counters.instances();
    println!("instances watched   {instances}");
    println!("share of one core   {:.3} % (limit {} %)", share * 100.0, CORE_SHARE_MAX * 100.0);
    println!("peak resident size  {rss_mib:.1} MiB (limit {RSS_MIB_MAX} MiB)");
    counters.all().iter().for_each(|(name, count)| println!("{name:<40} {count}"));
    let all_watched = instances >= PROCESSES as u64 && counters.batches_delivered() > 0;
    if all_watched && share < CORE_SHARE_MAX && rss_mib < RSS_MIB_MAX {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn start_sleeper(number: usize) -> Child {
    let attributes = format!("service.version=1.0.0,service.instance.id=sleeper-{number}");
    Command::new("sleep")
        .arg("600")
        .env("OTEL_SERVICE_NAME", format!("sleeper-{}", number / 10))
        .env("OTEL_RESOURCE_ATTRIBUTES", attributes)
        .spawn()
        .expect("`sleep` can be started")
}

fn start_sink() -> (Fleet, String) {
    let program = std::env::current_exe().expect("this program has a path");
    let mut sink = Command::new(program)
        .arg("sink")
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program can be started again");
    let stdout = sink.stdout.take().expect("the output of the sink is piped");
    let mut address = String::new();
    BufReader::new(stdout).read_line(&mut address).expect("the sink prints its address");
    (Fleet(vec![sink]), format!("http://{}", address.trim()))
}

async fn serve() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    println!("{}", listener.local_addr().expect("a bound socket has an address"));
    let take = |body: Bytes| async move { drop(body) };
    let router = Router::new().route("/v1/metrics", post(take)).route("/api/v1/events", post(take));
    axum::serve(listener, router).await.expect("the sink serves until it is killed");
}
