//! SIGKILL in the middle of what a server is told, and a new server on the same directory: in the
//! end it says what a server says that was never stopped.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;
use plimsoll_model::{Span, Timestamp};
use plimsoll_wire::format_time;
use plimsoll_wire::scan::ScanService;
use serde_json::Value;

use crate::corpus::{Parcel, cases, parcels};
use crate::{Server, now_millis};

/// Lives that end and begin, changes that are blamed and some that are not, one replica of several,
/// late rows and a clock that was set back.
const FAMILIES: [&str; 8] = [
    "leak-under-gc",
    "leak-oom-kills",
    "leak-one-replica",
    "leak-second-deploy",
    "leak-fds",
    "deploy-train",
    "nightly-restart",
    "bad-collector",
];

const KILLS: usize = 8;

/// A request takes so long, about.
const KILL_MILLIS_MAX: u64 = 15;

/// After so long every service was assessed again: it happens every 5 s.
const ASSESSED_WITHIN: Span = Span::from_secs(8);

/// A confidence may move with the seconds between two looks.
const CONFIDENCE: f64 = 0.005;

#[tokio::test]
async fn verdicts_after_kills_in_the_middle_are_those_of_a_server_that_was_never_stopped() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let end = Timestamp::from_millis(now_millis());
    let cases = cases(1, end, |family| FAMILIES.contains(&family));
    assert_eq!(cases.len(), FAMILIES.len());
    let parcels: Vec<_> = cases.iter().flat_map(parcels).collect();
    let kills: Vec<_> = (0..KILLS).map(|_| random.usize(..parcels.len())).collect();
    let (killed_home, steady_home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let steady = Server::start(steady_home.path());
    let mut killed = Server::start(killed_home.path());
    let mut torn = 0;
    for (index, parcel) in parcels.iter().enumerate() {
        assert!(send(&steady, parcel).await);
        for _ in kills.iter().filter(|kill| **kill == index) {
            let after = Duration::from_millis(random.u64(..KILL_MILLIS_MAX));
            torn += usize::from(!send_and_kill(&mut killed, parcel, after).await);
            drop(killed);
            killed = Server::start(killed_home.path());
        }
        assert!(send(&killed, parcel).await);
    }
    println!("{} parcels, {torn} of {KILLS} kills came before the answer", parcels.len());
    let told = Timestamp::from_millis(now_millis()) + ASSESSED_WITHIN;
    let (killed, steady) = (verdicts(&killed, told).await, verdicts(&steady, told).await);
    assert_eq!(steady.len(), cases.len());
    assert_eq!(killed.len(), cases.len());
    for (service, before) in &steady {
        let after = &killed[service];
        assert_eq!((after.verdict, after.cause), (before.verdict, before.cause), "{service}");
        assert_eq!(after.suspected_change, before.suspected_change, "{service}");
        assert_eq!(after.instances, before.instances, "{service}");
        let moved = (after.confidence - before.confidence).abs();
        assert!(moved <= CONFIDENCE, "{service}: {} {}", after.confidence, before.confidence);
    }
}

/// Whether it was acknowledged.
async fn send(server: &Server, parcel: &Parcel) -> bool {
    let request = server.post(parcel.path()).header("content-type", "application/json");
    match request.body(parcel.body()).send().await {
        Ok(answer) => {
            assert_eq!(answer.status(), 200);
            true
        }
        Err(_) => false,
    }
}

/// Whether it was acknowledged before the kill.
async fn send_and_kill(server: &mut Server, parcel: &Parcel, after: Duration) -> bool {
    let acknowledged = {
        let server = &*server;
        let kill = async {
            tokio::time::sleep(after).await;
            server.signal(Signal::SIGKILL);
        };
        tokio::join!(send(server, parcel), kill).0
    };
    let status = server.ended(Duration::from_secs(5)).await.expect("nothing survives this signal");
    assert!(!status.success());
    acknowledged
}

/// What is said of each service at a moment.
async fn verdicts(server: &Server, from: Timestamp) -> BTreeMap<String, ScanService> {
    let from = format_time(from);
    let said = async {
        loop {
            let answer = server.get("/api/v1/services").send().await.unwrap();
            let said: Value = answer.json().await.unwrap();
            // RFC 3339 in UTC is in the order of time.
            if said["assessed_at"].as_str().unwrap() > from.as_str() {
                let said: Vec<ScanService> =
                    serde_json::from_value(said["services"].clone()).unwrap();
                return said.into_iter().map(|one| (one.service.clone(), one)).collect();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), said).await.expect("it answers")
}
