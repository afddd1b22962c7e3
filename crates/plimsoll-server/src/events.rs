//! Deploys, changes of configuration, restarts: what pipelines and agents tell, and what was told.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use plimsoll_control::Event;
use plimsoll_wire::api::ErrorBody;
use plimsoll_wire::event::ChangeShape;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::Failure;
use crate::clock;
use crate::shared::{Counters, Shared};

/// Events in one answer: a page of a year of daily deploys.
const EVENTS_MAX: usize = 500;

#[derive(Debug, Deserialize)]
pub(crate) struct Which {
    service: Option<String>,
}

#[utoipa::path(post, path = "/api/v1/events", request_body = ChangeShape, responses(
    (status = 200, description = "Taken; durable when answered"),
    (status = 400, description = "Not an event, with the reason", body = ErrorBody),
    (status = 401, description = "Without a token", body = ErrorBody)
))]
pub(crate) async fn post(
    State(shared): State<Shared>,
    body: Bytes,
) -> Result<Json<Value>, Failure> {
    let now = clock::now();
    let change = plimsoll_ingest::events::parse(&body, Some(now)).map_err(|rejection| {
        let why = rejection.to_string();
        shared.intake().rejections.add(None, rejection);
        Failure::bad_request(&why, "see the events format in docs/formats/events.md")
    })?;
    let stored = shared.store.append_changes(std::slice::from_ref(&change)).await;
    stored.map_err(|error| Failure::not_stored(&error))?;
    Counters::add(&shared.counters.changes, 1);
    shared.driver.step(Event::Changed(change)).await?;
    Ok(Json(json!({ "taken": 1 })))
}

#[utoipa::path(get, path = "/api/v1/events", params(
    ("service" = Option<String>, Query, description = "Only of this service")
), responses((status = 200, description = "The newest 500 events, oldest first")))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Query(which): Query<Which>,
) -> Result<Json<Value>, Failure> {
    let events = shared.driver.read(move |state| {
        let wanted = |service: &str| which.service.as_ref().is_none_or(|name| name == service);
        let histories = state.histories().filter(|history| wanted(history.service.as_str()));
        let mut changes: Vec<_> = histories.flat_map(|history| &history.changes).collect();
        changes.sort_by_key(|change| change.at);
        let skipped = changes.len().saturating_sub(EVENTS_MAX);
        changes.into_iter().skip(skipped).map(ChangeShape::from).collect::<Vec<_>>()
    });
    Ok(Json(json!({ "events": events.await? })))
}
