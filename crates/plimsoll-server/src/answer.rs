//! Answers that are not a success, in one shape, whoever refused: a handler of ours, or the router
//! and its extractors, which speak plain text.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use plimsoll_wire::api::ErrorBody;

use crate::driver::Unanswered;

/// Longest name of an approver or an agent, in bytes.
const NAME_BYTES_MAX: usize = 128;

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

    /// A name that is written into the journal and shown to people: short, and one line.
    pub(crate) fn unless_name(name: &str, what_now: &str) -> Result<(), Self> {
        let fits = !name.is_empty() && name.len() <= NAME_BYTES_MAX;
        if fits && !name.chars().any(char::is_control) {
            return Ok(());
        }
        let wanted = format!("a name of 1 to {NAME_BYTES_MAX} bytes is needed, on one line");
        Err(Self::bad_request(&wanted, what_now))
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

/// Longest plain text of a refusal that is passed on, in bytes; the router's are one line.
const REFUSAL_BYTES_MAX: usize = 4096;

/// Puts refusals of the router into the shape of ours.
pub(crate) async fn in_one_shape(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let json = header::HeaderValue::from_static("application/json");
    let is_ours = response.headers().get(header::CONTENT_TYPE) == Some(&json);
    if !response.status().is_client_error() || is_ours {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, REFUSAL_BYTES_MAX).await.unwrap_or_default();
    let (code, what_now) = named(parts.status);
    let said = String::from_utf8_lossy(&body);
    let message = match said.trim() {
        "" => parts.status.canonical_reason().unwrap_or("refused").to_lowercase(),
        said => said.to_owned(),
    };
    let shaped = serde_json::to_vec(&ErrorBody::new(code, message, what_now)).unwrap_or_default();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, json);
    Response::from_parts(parts, Body::from(shaped))
}

fn named(status: StatusCode) -> (&'static str, &'static str) {
    let document = "/api/openapi.json says what there is, and what it takes";
    match status {
        StatusCode::NOT_FOUND => ("not_found", document),
        StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", document),
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "send less at once"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("unsupported_media_type", document),
        _other => ("bad_request", document),
    }
}

impl From<Unanswered> for Failure {
    fn from(why: Unanswered) -> Self {
        let (code, what_now) = match why {
            Unanswered::Gone => ("shutting_down", "try again in a few seconds"),
            Unanswered::Stalled(_) => {
                ("cannot_write", "make room on the disk of the data directory, then try again")
            }
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, &why.to_string(), what_now)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let again = header::HeaderValue::from_static("2");
            response.headers_mut().insert(header::RETRY_AFTER, again);
        }
        response
    }
}
