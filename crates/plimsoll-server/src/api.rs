//! What people and pages ask.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use plimsoll_model::{IncidentId, Metric, ServiceName, Span, Timestamp};
use plimsoll_wire::api::{ErrorBody, IncidentView, IncidentsAnswer, SeriesAnswer, ServicesAnswer};
use plimsoll_wire::format_time;
use plimsoll_wire::incident::IncidentRecord;
use serde::Deserialize;

use crate::answer::Failure;
use crate::driver::Unanswered;
use crate::shared::Shared;
use crate::view;

/// What a curve shows when no start is asked for.
const CURVE: Span = Span::from_hours(6);

/// Journal entries of one incident in one answer.
const TIMELINE_MAX: usize = 500;

#[derive(Debug, Deserialize)]
pub(crate) struct Curve {
    metric: Option<String>,
    since: Option<f64>,
}

#[utoipa::path(get, path = "/api/v1/services", responses(
    (status = 200, description = "Every service with its newest assessment", body = ServicesAnswer)
))]
pub(crate) async fn services(
    State(shared): State<Shared>,
) -> Result<Json<ServicesAnswer>, Failure> {
    let answer = shared.driver.read(|state| (view::services(state), view::inputs(state)));
    let (services, inputs) = answer.await?;
    let assessed_at = format_time(shared.clock.now());
    Ok(Json(ServicesAnswer { assessed_at, services, inputs }))
}

#[utoipa::path(get, path = "/api/v1/services/{name}/series", params(
    ("name" = String, Path, description = "The service"),
    ("metric" = Option<String>, Query, description = "A canonical metric; the one that spoke"),
    ("since" = Option<f64>, Query, description = "Unix seconds; six hours ago")
), responses(
    (status = 200, description = "One curve for each life", body = SeriesAnswer),
    (status = 404, description = "No such service", body = ErrorBody)
))]
pub(crate) async fn series(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(curve): Query<Curve>,
) -> Result<Json<SeriesAnswer>, Failure> {
    let unknown = || Failure::not_found(&format!("there is no service `{name}`"));
    let service = ServiceName::new(&name).map_err(|_| unknown())?;
    let metric = curve.metric.as_deref().map(str::parse::<Metric>).transpose();
    let metric = metric.map_err(|error| {
        Failure::bad_request(&error.to_string(), "ask for a name of docs/metrics.md")
    })?;
    let since = match curve.since {
        Some(secs) => Timestamp::from_millis((secs * 1000.0) as i64),
        None => shared.clock.now() - CURVE,
    };
    let curves = shared.driver.read(move |state| view::series(state, &service, metric, since));
    let curves = curves.await?.ok_or_else(unknown)?;
    Ok(Json(SeriesAnswer { series: curves }))
}

#[utoipa::path(get, path = "/api/v1/incidents", responses(
    (status = 200, description = "Newest first", body = IncidentsAnswer)
))]
pub(crate) async fn incidents(
    State(shared): State<Shared>,
) -> Result<Json<IncidentsAnswer>, Failure> {
    let incidents = shared.driver.read(view::incidents).await?;
    Ok(Json(IncidentsAnswer { incidents }))
}

#[utoipa::path(get, path = "/api/v1/incidents/{id}", responses(
    (status = 200, description = "One incident and its timeline", body = IncidentView),
    (status = 404, description = "No such incident", body = ErrorBody)
))]
pub(crate) async fn incident(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<IncidentView>, Failure> {
    let unknown = || Failure::not_found(&format!("there is no incident `{id}`"));
    let id = IncidentId::new(&id).map_err(|_| unknown())?;
    let asked = id.clone();
    let found = shared.driver.read(move |state| state.incident(&asked).map(IncidentRecord::from));
    let incident = found.await?.ok_or_else(unknown)?;
    let timeline = shared.journal.entries(id, TIMELINE_MAX).await;
    let timeline = timeline.map_err(|error| Failure::not_stored(&error))?;
    Ok(Json(IncidentView { incident, timeline }))
}

#[utoipa::path(get, path = "/healthz", responses((status = 200, description = "It is alive")))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

#[utoipa::path(get, path = "/readyz", responses(
    (status = 200, description = "It takes telemetry and can write"),
    (status = 503, description = "It cannot, with the reason", body = ErrorBody)
))]
pub(crate) async fn readyz(State(shared): State<Shared>) -> Result<&'static str, Failure> {
    if let Some(why) = shared.counters.why_stalled() {
        return Err(Unanswered::Stalled(why).into());
    }
    if let Some(why) = shared.counters.why_not_stored(shared.clock.now()) {
        return Err(Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "cannot_store",
            &format!("what comes in is refused: {why}"),
            "make room on the disk of the data directory; senders come again by themselves",
        ));
    }
    if let Some(why) = shared.counters.why_not_kept(shared.clock.now()) {
        return Err(Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "cannot_keep",
            &format!("outlines are not kept, and a start takes longer every minute: {why}"),
            "look at the disk of the data directory; it is tried again by itself",
        ));
    }
    shared.driver.read(|_| ()).await?;
    Ok("ready\n")
}
