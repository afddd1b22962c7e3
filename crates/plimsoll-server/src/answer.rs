//! Answers that are not a success, in one shape.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use plimsoll_wire::api::ErrorBody;

use crate::driver::Gone;

/// What went wrong, why, and what to do now.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    body: ErrorBody,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: &str, message: &str, what_now: &str) -> Self {
        Self { status, body: ErrorBody::new(code, message, what_now) }
    }

    pub(crate) fn not_found(what: &str) -> Self {
        let list = "list what there is, and try a name from it";
        Self::new(StatusCode::NOT_FOUND, "not_found", what, list)
    }

    pub(crate) fn bad_request(message: &str, what_now: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message, what_now)
    }

    pub(crate) fn unauthorized(which: &str) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            &format!("this needs the {which} token of the server's data directory"),
            "send it as `Authorization: Bearer <token>`",
        )
    }

    /// The store did not take it; the same request may be sent again.
    pub(crate) fn not_stored(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "not stored");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not_stored",
            &format!("it was not stored: {error}"),
            "nothing of it was kept; send it again, and look at the disk of the server",
        )
    }
}

impl From<Gone> for Failure {
    fn from(gone: Gone) -> Self {
        let again = "try again in a few seconds";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", &gone.to_string(), again)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let again = axum::http::HeaderValue::from_static("2");
            response.headers_mut().insert(axum::http::header::RETRY_AFTER, again);
        }
        response
    }
}
