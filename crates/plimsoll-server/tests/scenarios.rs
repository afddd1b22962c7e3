//! Scenarios through the real sockets: the files that `plimsoll-control` plays against the loop
//! alone are played here through OTLP, events, polls and approvals of a real server, under a clock
//! that the player moves. Only the fleet is simulated.
//!
//! The orders of the loop are tested here too, because they need a leak that runs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

#[path = "scenarios/agent.rs"]
mod agent;
#[path = "scenarios/orders.rs"]
mod orders;
#[path = "scenarios/play.rs"]
mod play;
#[path = "support/server.rs"]
mod server;

use std::path::Path;

use plimsoll_sim::scenario::Scenario;

use play::Play;

async fn check(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let scenario = Scenario::parse(&text).unwrap();
    let mut play = Play::new(&scenario).await;
    let end = scenario.length;
    if let Err(error) = play.until(end).await {
        panic!("{file}:{error}\n{}", play.story().await);
    }
    play.agent.lose_server();
    let server = play.server.take().unwrap();
    let dir = server.dir.clone();
    server.stop().await.unwrap();
    let checked = plimsoll_store::verify(&dir).unwrap();
    assert!(checked.verified, "{file}: {:?}", checked.fault);
}

#[tokio::test]
async fn a_leak_is_found_rolled_back_and_judged_and_the_decoy_is_not() {
    check("leak_after_deploy_with_decoy.scn").await;
}

#[tokio::test]
async fn a_restart_alone_is_told_to_be_masked() {
    check("masked_restart.scn").await;
}

#[tokio::test]
async fn a_plan_that_nobody_approves_expires() {
    check("approval_that_expires.scn").await;
}

#[tokio::test]
async fn a_lease_outlives_the_server_and_the_next_one_takes_the_plan_up() {
    check("lease_outlives_the_server.scn").await;
}

#[tokio::test]
async fn a_plan_is_void_when_what_it_was_made_for_has_changed() {
    check("plan_void_by_drift.scn").await;
}

#[tokio::test]
async fn a_replica_that_does_not_come_up_stops_the_plan() {
    check("replica_that_does_not_come_up.scn").await;
}

#[tokio::test]
async fn handles_that_leak_since_a_change_of_configuration_are_told_so() {
    check("handles_after_config_change.scn").await;
}

#[tokio::test]
async fn too_little_data_is_said_to_be_too_little() {
    check("too_little_data.scn").await;
}
