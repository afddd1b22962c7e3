//! Deploys, changes of configuration, restarts: what pipelines and agents tell, and what was told.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use plimsoll_ingest::Rejections;
use plimsoll_model::{Change, Timestamp};
use plimsoll_store::Arrived;
use plimsoll_wire::api::{ErrorBody, EventsAnswer};
use plimsoll_wire::event::ChangeShape;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::Failure;
use crate::arrive;
use crate::shared::Shared;

/// Events in one answer: a page of a year of daily deploys.
const EVENTS_MAX: usize = 500;

#[derive(Debug, Deserialize)]
pub(crate) struct Which {
    service: Option<String>,
}

#[utoipa::path(post, path = "/api/v1/events", request_body = ChangeShape, responses(
    (status = 200, description = "How many events were taken; those are durable"),
    (status = 400, description = "No event among the lines, with the reason", body = ErrorBody),
    (status = 401, description = "Without a token", body = ErrorBody)
))]
pub(crate) async fn post(
    State(shared): State<Shared>,
    body: Bytes,
) -> Result<Json<Value>, Failure> {
    let (changes, rejections) = understood(&body, shared.clock.now())?;
    shared.intake().rejections.merge(rejections.clone());
    if changes.is_empty() && !rejections.is_empty() {
        let format = "send one JSON object a line: ts, kind, service, and what else is known";
        return Err(Failure::bad_request(&rejections.to_string(), format));
    }
    let taken = changes.len();
    arrive::take(&shared, Arrived::Changes(changes)).await?;
    let rejected = rejections.total();
    let why = (rejected > 0).then(|| rejections.to_string());
    Ok(Json(json!({ "taken": taken, "rejected": rejected, "why": why })))
}

/// One event a line. A single object that was laid out over several lines is an event too.
fn understood(body: &[u8], now: Timestamp) -> Result<(Vec<Change>, Rejections), Failure> {
    if let Ok(change) = plimsoll_ingest::events::parse(body, Some(now)) {
        return Ok((vec![change], Rejections::default()));
    }
    let mut changes = Vec::new();
    let read = plimsoll_ingest::events::read(body, Some(now), &mut |change| changes.push(change));
    let summary =
        read.map_err(|error| Failure::bad_request(&error.to_string(), "send it again"))?;
    Ok((changes, summary.rejections))
}

#[utoipa::path(get, path = "/api/v1/events", params(
    ("service" = Option<String>, Query, description = "Only of this service")
), responses((status = 200, description = "The newest 500 events", body = EventsAnswer)))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Query(which): Query<Which>,
) -> Result<Json<EventsAnswer>, Failure> {
    let events = shared.driver.read(move |state| {
        let wanted = |service: &str| which.service.as_ref().is_none_or(|name| name == service);
        let histories = state.histories().filter(|history| wanted(history.service.as_str()));
        let mut changes: Vec<_> = histories.flat_map(|history| &history.changes).collect();
        changes.sort_by_key(|change| change.at);
        let skipped = changes.len().saturating_sub(EVENTS_MAX);
        changes.into_iter().skip(skipped).map(ChangeShape::from).collect::<Vec<_>>()
    });
    Ok(Json(EventsAnswer { events: events.await? }))
}
