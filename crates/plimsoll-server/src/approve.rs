//! Consent to a plan.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use plimsoll_control::{ApprovalRefusal, Event};
use plimsoll_model::{Approval, PlanId, Timestamp};
use plimsoll_wire::api::{ApproveRequest, ErrorBody};
use serde_json::{Value, json};

use crate::answer::Failure;
use crate::shared::Shared;

#[utoipa::path(post, path = "/api/v1/plans/{id}/approve", request_body = ApproveRequest, responses(
    (status = 200, description = "The plan goes on"),
    (status = 401, description = "Without the operator token", body = ErrorBody),
    (status = 409, description = "Refused, with the reason", body = ErrorBody)
))]
pub(crate) async fn approve(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Json(request): Json<ApproveRequest>,
) -> Result<Json<Value>, Failure> {
    let approval = understood(&id, request, shared.clock.now())?;
    let refusals = shared.driver.step(Event::Approved(approval)).await?;
    match refusals.into_iter().next() {
        None => Ok(Json(json!({ "approved": id }))),
        Some(refusal) => Err(refused(&refusal)),
    }
}

fn understood(id: &str, request: ApproveRequest, at: Timestamp) -> Result<Approval, Failure> {
    let copy = "copy plan, digest and evidence from the incident";
    let wrong = |what: &str| Failure::bad_request(&format!("`{what}` is not understood"), copy);
    let approver = request.approver.trim();
    Failure::unless_name(approver, "say in `approver` who approves")?;
    Ok(Approval {
        plan: PlanId::new(id).map_err(|_| wrong("plan"))?,
        digest: request.digest.parse().map_err(|_| wrong("digest"))?,
        evidence: request.evidence.parse().map_err(|_| wrong("evidence"))?,
        approver: approver.to_owned(),
        at,
    })
}

fn refused(refusal: &ApprovalRefusal) -> Failure {
    let (status, code) = match refusal {
        ApprovalRefusal::NoSuchPlan(_) => (StatusCode::NOT_FOUND, "no_such_plan"),
        ApprovalRefusal::AnotherPlan => (StatusCode::CONFLICT, "another_plan"),
        ApprovalRefusal::AnotherEvidence => (StatusCode::CONFLICT, "another_evidence"),
        ApprovalRefusal::AuthorIsApprover => (StatusCode::CONFLICT, "author_is_approver"),
        ApprovalRefusal::Expired => (StatusCode::CONFLICT, "plan_expired"),
        ApprovalRefusal::Void(_) => (StatusCode::CONFLICT, "plan_void"),
        ApprovalRefusal::NotWaiting => (StatusCode::CONFLICT, "not_waiting"),
    };
    Failure::new(status, code, &refusal.to_string(), "read the incident, then decide again")
}
