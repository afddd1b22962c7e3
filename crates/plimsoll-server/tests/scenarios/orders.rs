//! Orders, receipts and approvals of a leak that runs, as an agent and a person send them.

use plimsoll_model::{
    Incident, Measured, Reach, Receipt, ReceiptResult, Restored, ServiceName, Span, Timestamp,
};
use plimsoll_sim::scenario::Scenario;
use plimsoll_wire::agent::{Orders, Poll};
use serde_json::{Value, json};

use crate::play::Play;
use crate::server::Server;

const LEAK: &str = "
every 1s for 16m
service orders of 3 on runtime.heap.live limit 320MiB
    version 1.0.0 40MiB warms 6MiB in 8s noise 0.5%
    version 1.1.0 40MiB + 25MiB/min warms 6MiB in 8s noise 0.5%
    can heap.histogram cgroup.soft_limit process.rollback
at 3m    deploy orders 1.1.0
at 330s  expect orders waiting for approval
";

/// A leak that was looked at and contained, and whose plan waits.
async fn waiting() -> (Play, Incident) {
    let mut play = Play::new(&Scenario::parse(LEAK).unwrap()).await;
    if let Err(error) = play.until(Span::from_secs(330)).await {
        panic!("{error}\n{}", play.story().await);
    }
    let incident = orders(&play).await;
    (play, incident)
}

async fn orders(play: &Play) -> Incident {
    play.newest(&ServiceName::new("orders").unwrap()).await.unwrap()
}

/// What the agent would say when the lease of the incident's containment ends.
fn undone(incident: &Incident, now: Timestamp) -> Receipt {
    let limited = |receipt: &&Receipt| {
        matches!(receipt.result, ReceiptResult::Done(Measured::Limited { .. }))
    };
    let done = incident.receipts.iter().find(limited).expect("the leak was contained");
    let what = "soft limit".into();
    let restored = Restored { what, now: "unlimited".into(), verified: true };
    let result = ReceiptResult::Undone(restored);
    Receipt { started_at: now, ended_at: now, result, ..done.clone() }
}

/// A poll with receipts, so that it is answered at once.
async fn send(server: &Server, agent: &str, reach: &[Reach], receipts: &[Receipt]) -> Orders {
    let receipts = receipts.iter().map(Into::into).collect();
    let poll =
        Poll { agent: agent.into(), reach: reach.iter().map(Into::into).collect(), receipts };
    let request = server.post_as_agent("/api/v1/agent/poll").json(&poll);
    request.send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn an_undoing_is_filed_beside_the_act_and_what_is_acknowledged_survives_a_kill() {
    let (mut play, incident) = waiting().await;
    let (filed, receipts) = (incident.receipts.len(), play.written(&incident, "receipt", "").await);
    assert_eq!(filed, receipts, "each receipt has its entry");
    let undone = undone(&incident, play.now);
    let told = send(play.server(), "node-1", &[], &[undone.clone(), undone.clone()]).await;
    assert_eq!(told.acknowledged, vec![undone.command.to_string(); 2]);

    // The kill comes right after the answer.
    play.agent.lose_server();
    play.server = None;
    play.until(Span::from_secs(332)).await.unwrap();
    let after = orders(&play).await;
    assert_eq!(after.receipts.len(), filed + 1);
    assert!(after.receipts.contains(&undone));
    assert_eq!(play.written(&incident, "lease_undone", "").await, 1);

    let again = send(play.server(), "node-1", &[], &[undone]).await;
    assert_eq!(again.acknowledged.len(), 1, "it may be said again, and is taken as said");
    assert_eq!(orders(&play).await.receipts.len(), filed + 1);
    assert_eq!(play.written(&incident, "lease_undone", "").await, 1);
    assert_eq!(play.written(&incident, "receipt", "").await, receipts);
}

#[tokio::test]
async fn a_receipt_that_nobody_ordered_is_acknowledged_and_not_filed() {
    let (play, incident) = waiting().await;
    let mut strange = undone(&incident, play.now);
    strange.command = plimsoll_model::CommandId::new("cmd-of-another-server").unwrap();
    let told = send(play.server(), "node-1", &[], &[strange]).await;
    assert_eq!(told.acknowledged, ["cmd-of-another-server"], "else it came again for ever");
    assert_eq!(orders(&play).await.receipts, incident.receipts);
}

struct Answer {
    status: u16,
    code: Value,
}

async fn approve(server: &Server, plan: &str, body: &Value) -> Answer {
    let request = server.post_as_person(&format!("/api/v1/plans/{plan}/approve")).json(body);
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let said: Value = answer.json().await.unwrap();
    let what_now = said["error"]["what_now"].as_str();
    assert!(status == 200 || what_now.is_some_and(|text| !text.is_empty()), "{said}");
    Answer { status, code: said["error"]["code"].clone() }
}

#[tokio::test]
async fn an_approval_counts_only_for_exactly_this_plan_on_exactly_this_evidence() {
    let (mut play, incident) = waiting().await;
    let plan = incident.plan.clone().unwrap();
    let right = json!({
        "digest": plan.digest.to_string(),
        "evidence": plan.draft.evidence.to_string(),
        "approver": "anna",
    });
    let other = "ab".repeat(32);
    for (id, field, value, status, code) in [
        (plan.id.as_str(), "digest", other.as_str(), 409, "another_plan"),
        (plan.id.as_str(), "evidence", other.as_str(), 409, "another_evidence"),
        ("plan-of-yesterday", "approver", "anna", 404, "no_such_plan"),
        (plan.id.as_str(), "digest", "deadbeef", 400, "bad_request"),
        (plan.id.as_str(), "approver", "  ", 400, "bad_request"),
        (plan.id.as_str(), "approver", "anna\u{1b}[2J", 400, "bad_request"),
        (plan.id.as_str(), "approver", "plimsoll/decide", 409, "author_is_approver"),
        (plan.id.as_str(), "force", "true", 422, "bad_request"),
    ] {
        let mut body = right.clone();
        body[field] = value.into();
        let answer = approve(play.server(), id, &body).await;
        assert_eq!((answer.status, answer.code), (status, code.into()), "{field}: {value}");
        assert!(orders(&play).await.approval.is_none(), "{field}: {value}");
    }
    for _ in 0..2 {
        assert_eq!(approve(play.server(), plan.id.as_str(), &right).await.status, 200);
    }
    assert_eq!(orders(&play).await.approval.unwrap().approver, "anna");
    assert_eq!(play.written(&incident, "approval_given", "").await, 1, "twice is once");
    assert_eq!(play.written(&incident, "approval_refused", "").await, 3);
    play.until(Span::from_secs(345)).await.unwrap();
    let done =
        orders(&play).await.receipts.into_iter().any(|receipt| {
            matches!(receipt.result, ReceiptResult::Done(Measured::Replaced { .. }))
        });
    assert!(done, "the plan went on: {}", play.story().await);
}

#[tokio::test]
async fn orders_are_only_for_the_agent_that_reaches_the_instance() {
    let (play, incident) = waiting().await;
    let plan = incident.plan.clone().unwrap();
    let body = json!({
        "digest": plan.digest.to_string(),
        "evidence": plan.draft.evidence.to_string(),
        "approver": "anna",
    });
    assert_eq!(approve(play.server(), plan.id.as_str(), &body).await.status, 200);
    let undone = [undone(&incident, play.now)];
    let reach = play.world.reach();
    let (first, others): (Vec<_>, Vec<_>) =
        reach.into_iter().partition(|reach| reach.instance.as_str() == "orders-0");
    let told = send(play.server(), "node-2", &others, &undone).await;
    assert!(told.commands.is_empty(), "{told:?}");
    let told = send(play.server(), "node-1", &first, &undone).await;
    let named: Vec<_> = told.commands.iter().map(|signed| &signed.command.instance).collect();
    assert_eq!(named, ["orders-0"]);
}
