//! What agents ask: commands for them, receipts from them, in one long poll.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use plimsoll_control::Event;
use plimsoll_model::{Command, Reach, Receipt};
use plimsoll_wire::agent::{Orders, Poll, sign};

use crate::answer::Failure;
use crate::shared::Shared;

/// How long a poll waits for something to do. Agents count as lost after three of it.
const POLL: Duration = Duration::from_secs(10);

/// Least time between two answers that say the same: an agent that asks while it is still at work
/// gets its commands again, not all the time.
const AGAIN: Duration = Duration::from_secs(1);

/// Instances and receipts in one poll; more than any node runs.
const REACH_MAX: usize = 4096;

#[utoipa::path(post, path = "/api/v1/agent/poll", responses(
    (status = 200, description = "Receipts that are durable, and commands to perform"),
    (status = 401, description = "Without the agent token", body = plimsoll_wire::api::ErrorBody)
))]
pub(crate) async fn poll(
    State(shared): State<Shared>,
    Json(poll): Json<Poll>,
) -> Result<Json<Orders>, Failure> {
    shared.counters.polls.fetch_add(1, Ordering::Relaxed);
    Failure::unless_name(&poll.agent, "say in `agent` which agent asks")?;
    let (reach, receipts) = understood(poll.reach, poll.receipts)?;
    let agent = poll.agent;
    // What it reaches before what it did: whatever follows from a receipt needs the reach.
    shared.driver.step(Event::Reached { agent: agent.clone(), reach }).await?;
    let mut acknowledged = Vec::with_capacity(receipts.len());
    for receipt in receipts {
        let id = receipt.command.to_string();
        shared.driver.step(Event::Received(receipt)).await?;
        acknowledged.push(id);
    }
    let commands = wait_for_commands(&shared, &agent, !acknowledged.is_empty()).await?;
    let key = shared.agent_token.as_bytes();
    let commands = commands.iter().map(|command| sign(command, key)).collect();
    Ok(Json(Orders { acknowledged, commands }))
}

fn understood(
    reach: Vec<plimsoll_wire::reach::ReachShape>,
    receipts: Vec<plimsoll_wire::receipt::ReceiptShape>,
) -> Result<(Vec<Reach>, Vec<Receipt>), Failure> {
    if reach.len() > REACH_MAX || receipts.len() > REACH_MAX {
        return Err(Failure::bad_request(
            &format!("more than {REACH_MAX} instances or receipts in one poll"),
            "run one agent on each node",
        ));
    }
    let reach: Result<Vec<Reach>, _> = reach.into_iter().map(Reach::try_from).collect();
    let receipts: Result<Vec<Receipt>, _> = receipts.into_iter().map(Receipt::try_from).collect();
    let newer = "run agent and server of the same version";
    let reach = reach.map_err(|error| Failure::bad_request(&error.to_string(), newer))?;
    let receipts = receipts.map_err(|error| Failure::bad_request(&error.to_string(), newer))?;
    Ok((reach, receipts))
}

/// The commands that are outstanding for the agent, as soon as one is new to it.
async fn wait_for_commands(
    shared: &Shared,
    agent: &str,
    answer_soon: bool,
) -> Result<Vec<Command>, Failure> {
    let patience = if answer_soon { Duration::ZERO } else { POLL };
    let end = shared.clock.sleep(patience);
    tokio::pin!(end);
    let mut stepped = shared.driver.stepped();
    loop {
        stepped.mark_unchanged();
        let asked = agent.to_owned();
        let commands: Vec<Command> = shared
            .driver
            .read(move |state| state.outstanding(&asked).into_iter().cloned().collect())
            .await?;
        let ids: BTreeSet<_> = commands.iter().map(|command| command.id.to_string()).collect();
        if shared.hand(agent, ids) {
            return Ok(commands);
        }
        let again = shared.clock.sleep(AGAIN);
        tokio::select! {
            () = &mut end => return Ok(commands),
            () = again, if !commands.is_empty() => return Ok(commands),
            changed = stepped.changed() => if changed.is_err() { return Ok(commands) },
        }
    }
}
