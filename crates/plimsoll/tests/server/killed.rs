//! SIGKILL at random moments: what was acknowledged is there, once; a batch is there whole or not.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{Server, batch, now_millis, verify_audit};

const ROUNDS: usize = 20;

/// Samples of one batch, and batches of one round at most: below the number of points that a curve
/// is thinned to.
const SAMPLES: i64 = 5;
const BATCHES_MAX: i64 = 70;

/// The kill comes so late at most: after a few dozen batches on a slow disk.
const KILL_MILLIS_MAX: u64 = 150;

/// What a round sent: the first millisecond of each batch, and whether it was acknowledged.
struct Round {
    instance: String,
    batches: BTreeMap<i64, bool>,
    /// Deploys that were acknowledged.
    versions: Vec<String>,
}

#[tokio::test]
async fn a_server_that_is_killed_at_any_moment_keeps_what_it_acknowledged_once() {
    let home = tempfile::tempdir().unwrap();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let start = now_millis() - 600_000;
    let mut rounds: Vec<Round> = Vec::new();
    let mut server = Server::start(home.path());
    for number in 0..ROUNDS {
        let kill_after = Duration::from_millis(random.u64(0..KILL_MILLIS_MAX));
        let first = start + number as i64 * SAMPLES * BATCHES_MAX;
        rounds.push(killed(&mut server, number, first, kill_after).await);
        server = Server::start(home.path());
        for round in &rounds {
            check(&server, round).await;
        }
        check_events(&server, &rounds).await;
    }
    let sent = rounds.iter().flat_map(|round| round.batches.values());
    let acknowledged = sent.filter(|acknowledged| **acknowledged).count();
    println!("{ROUNDS} kills, {acknowledged} acknowledged batches");
    assert!(acknowledged > ROUNDS, "too few to say anything");
    drop(server);
    verify_audit(home.path());
}

/// Sends until the server is gone.
async fn killed(server: &mut Server, number: usize, first: i64, after: Duration) -> Round {
    let instance = format!("orders-{number}");
    let mut round = Round { instance, batches: BTreeMap::new(), versions: Vec::new() };
    {
        let server = &*server;
        let send = send(server, &mut round, first);
        let kill = async {
            tokio::time::sleep(after).await;
            server.signal(Signal::SIGKILL);
        };
        tokio::join!(send, kill);
    }
    let status = server.ended(Duration::from_secs(5)).await.expect("nothing survives this signal");
    assert!(!status.success());
    round
}

async fn send(server: &Server, round: &mut Round, first: i64) {
    for number in 0..BATCHES_MAX {
        let at = first + number * SAMPLES;
        let body = batch(&round.instance, at..at + SAMPLES, at);
        round.batches.insert(at, false);
        let Ok(answer) = server.post("/v1/metrics").json(&body).send().await else { return };
        assert_eq!(answer.status(), 200);
        round.batches.insert(at, true);
        let version = format!("{}.{number}", round.instance);
        let ts = at as f64 / 1000.0;
        let event = json!({"ts": ts, "kind": "deploy", "service": "orders", "version": version});
        match server.post("/api/v1/events").json(&event).send().await {
            Ok(answer) => assert_eq!(answer.status(), 200),
            Err(_) => return,
        }
        round.versions.push(version);
    }
}

async fn check(server: &Server, round: &Round) {
    let curve = server.curve(&round.instance).await;
    for (at, acknowledged) in &round.batches {
        let there = curve.range(at..&(at + SAMPLES)).filter(|(_, value)| *value == at).count();
        let instance = &round.instance;
        assert!(there == SAMPLES as usize || there == 0, "{there} of the batch {at} of {instance}");
        assert!(there > 0 || !acknowledged, "the batch {at} of {instance} is gone");
    }
    let whole = round.batches.len() * SAMPLES as usize;
    assert!(curve.len() <= whole, "more is there than was sent");
}

async fn check_events(server: &Server, rounds: &[Round]) {
    let answer = server.get("/api/v1/events?service=orders").send().await.unwrap();
    let found: Value = answer.json().await.unwrap();
    let events = found["events"].as_array().unwrap();
    // The answer holds the newest few hundred; those of the last round are among them.
    let last = rounds.last().unwrap();
    for version in &last.versions {
        let times = events.iter().filter(|event| event["version"] == version.as_str()).count();
        assert_eq!(times, 1, "the deploy of {version}");
    }
}
