//! A server that was told everything as it happened says of every family of the corpus what
//! `plimsoll scan` says of the same telemetry at rest.

use std::process::Command;
use std::time::Duration;

use plimsoll_ingest::catalogue::Catalogue;
use plimsoll_model::{Span, Timestamp};
use plimsoll_server::{Clock, ServerOptions, Settings, serve};
use plimsoll_wire::scan::{ScanReport, ScanService};
use reqwest::Client;
use serde_json::Value;
use tokio::sync::{oneshot, watch};

use crate::corpus::{Parcel, cases, files, parcels};

/// Before any clock that reads this.
const END: Timestamp = Timestamp::from_secs(1_779_926_400);

const SEED: u64 = 1;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_streaming_path_and_scan_say_the_same_of_every_family() {
    let home = tempfile::tempdir().unwrap();
    let cases = cases(SEED, END, |_| true);
    let streamed = streamed(cases.iter().flat_map(parcels)).await;
    let (rows, events) = files(&cases);
    std::fs::write(home.path().join("rows.csv"), rows).unwrap();
    std::fs::write(home.path().join("events.jsonl"), events).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    command.current_dir(home.path()).args(["scan", "--format", "json", "--telemetry", "rows.csv"]);
    let at = (END.as_millis() / 1000).to_string();
    let output = command.args(["--events", "events.jsonl", "--at", &at]).output().unwrap();
    let scanned: ScanReport = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((scanned.services.len(), streamed.len()), (cases.len(), cases.len()));
    let mut wrong = Vec::new();
    for (scanned, streamed) in scanned.services.iter().zip(&streamed) {
        if brief(scanned) != brief(streamed) {
            wrong.push(format!("scan   {:?}\nserver {:?}", brief(scanned), brief(streamed)));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

fn brief(said: &ScanService) -> impl PartialEq + std::fmt::Debug {
    let ScanService { service, verdict, cause, confidence, instances, suspected_change, .. } = said;
    let said = (service.clone(), *verdict, *cause, confidence.to_string());
    (said, instances.clone(), suspected_change.clone())
}

/// What a server says at the end that was told everything before it.
async fn streamed(parcels: impl Iterator<Item = Parcel>) -> Vec<ScanService> {
    let home = tempfile::tempdir().unwrap();
    let (hand, clock) = watch::channel(END - Span::from_secs(60));
    let (_stop, shutdown) = watch::channel(false);
    let options = ServerOptions {
        dir: home.path().to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        settings: Settings::default(),
        catalogue: Catalogue::built_in(),
        clock: Clock::Driven(clock),
    };
    let (told, started) = oneshot::channel();
    let server = tokio::spawn(serve(options, |address| told.send(address).unwrap(), shutdown));
    let url = format!("http://{}", started.await.unwrap());
    let token = std::fs::read_to_string(home.path().join("agent.token")).unwrap();
    let http = Client::builder().no_proxy().build().unwrap();
    for parcel in parcels {
        let kind = "application/json";
        let request = http.post(format!("{url}{}", parcel.path())).bearer_auth(&token);
        let answer = request.header("content-type", kind).body(parcel.body()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let said: Value = answer.json().await.unwrap();
        let partial = said.get("partialSuccess").filter(|partial| !partial.is_null());
        assert!(partial.is_none() && said["why"].is_null(), "{said}");
    }
    hand.send_replace(END);
    let said = async {
        loop {
            let answer = http.get(format!("{url}/api/v1/services")).send().await.unwrap();
            let said: Value = answer.json().await.unwrap();
            // There is none before the clock was moved: nothing had come when it last struck.
            let said: Vec<ScanService> = serde_json::from_value(said["services"].clone()).unwrap();
            if !said.is_empty() {
                return said;
            }
        }
    };
    let said = tokio::time::timeout(Duration::from_secs(60), said).await;
    server.abort();
    said.expect("the clock has reached the end")
}
