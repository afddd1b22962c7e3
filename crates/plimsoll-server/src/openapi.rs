//! The OpenAPI document, put together from the handlers themselves.

use axum::Json;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Plimsoll",
        description = "Services, incidents, plans and events of one Plimsoll server. Times are \
                       RFC 3339 in UTC, events carry Unix seconds. Errors have one shape."
    ),
    paths(
        crate::api::services,
        crate::api::series,
        crate::api::incidents,
        crate::api::incident,
        crate::api::healthz,
        crate::api::readyz,
        crate::approve::approve,
        crate::events::list,
        crate::events::post,
        crate::agents::poll,
        crate::metrics::metrics,
        crate::openapi::document,
        crate::otlp::metrics,
        crate::otlp::traces,
    )
)]
struct Document;

#[utoipa::path(get, path = "/api/openapi.json", responses(
    (status = 200, description = "This document")
))]
pub(crate) async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(Document::openapi())
}
