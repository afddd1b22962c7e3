//! Who may talk to the server.
//!
//! It listens on loopback, where a browser on the same machine can be made to talk to it by any
//! page: by a name that resolves to loopback, or by a plain form. So the host that was asked for
//! must be a loopback one, and what changes something needs a token that no page can read.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::answer::Failure;
use crate::shared::Shared;
use crate::token;

/// Refuses requests for a host that is not this machine.
pub(crate) async fn loopback_only(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    match host {
        Some(host) if is_loopback(host) => next.run(request).await,
        Some(_) | None => Failure::bad_request(
            "the request is not for a loopback host",
            "ask for 127.0.0.1, [::1] or localhost",
        )
        .into_response(),
    }
}

/// Lets agents and people through.
pub(crate) async fn agents_and_people(
    State(shared): State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    if bears(request.headers(), &shared.agent_token)
        || bears(request.headers(), &shared.operator_token)
    {
        return next.run(request).await;
    }
    Failure::unauthorized("agent or operator").into_response()
}

/// Lets agents through.
pub(crate) async fn agents(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    if is_agent(request.headers(), &shared) {
        return next.run(request).await;
    }
    Failure::unauthorized("agent").into_response()
}

/// Lets people through.
pub(crate) async fn people(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    if bears(request.headers(), &shared.operator_token) {
        return next.run(request).await;
    }
    Failure::unauthorized("operator").into_response()
}

pub(crate) fn is_agent(headers: &HeaderMap, shared: &Shared) -> bool {
    bears(headers, &shared.agent_token)
}

fn bears(headers: &HeaderMap, wanted: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer "));
    given.is_some_and(|given| token::same(given.trim(), wanted))
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let address: Option<std::net::IpAddr> = name.parse().ok();
    name == "localhost" || address.is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_hosts_are_served() {
        let check = |host: &str, want: bool| assert_eq!(is_loopback(host), want, "{host}");
        check("127.0.0.1:7300", true);
        check("localhost:7300", true);
        check("[::1]:7300", true);
        check("127.0.0.1.evil.example:7300", false);
        check("evil.example", false);
        check("", false);
    }
}
