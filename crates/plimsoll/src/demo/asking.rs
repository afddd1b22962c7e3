//! The script's side of the API: what a person or a pipeline would ask and say.

use std::time::Duration;

use plimsoll_wire::api::{
    ApproveRequest, IncidentView, IncidentsAnswer, ServiceView, ServicesAnswer,
};
use plimsoll_wire::event::ChangeShape;
use plimsoll_wire::incident::IncidentRecord;
use reqwest::{Client, RequestBuilder};
use serde::de::DeserializeOwned;

/// Longer than any answer but a long poll, which the script does not make.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error("ask the server for {path}")]
    Ask { path: String, source: reqwest::Error },
    #[error("the server refuses {path}: {message}")]
    Refused { path: String, message: String },
}

/// One server, and the token that lets people change something.
#[derive(Clone, Debug)]
pub(super) struct Server {
    client: Client,
    base: String,
    token: String,
}

impl Server {
    pub(super) fn new(base: String, token: String) -> Result<Self, AskError> {
        let client = Client::builder().timeout(TIMEOUT).no_proxy().build();
        let client = client.map_err(|source| AskError::Ask { path: base.clone(), source })?;
        Ok(Self { client, base, token })
    }

    pub(super) async fn is_ready(&self) -> bool {
        let answer = self.client.get(format!("{}/readyz", self.base)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    pub(super) async fn services(&self) -> Result<Vec<ServiceView>, AskError> {
        self.get::<ServicesAnswer>("/api/v1/services").await.map(|answer| answer.services)
    }

    /// The newest incident of a service, with its timeline.
    pub(super) async fn incident(&self, service: &str) -> Result<Option<IncidentView>, AskError> {
        let Some(found) =
            self.incidents().await?.into_iter().find(|incident| incident.service == service)
        else {
            return Ok(None);
        };
        self.get(&format!("/api/v1/incidents/{}", found.id)).await.map(Some)
    }

    pub(super) async fn incidents(&self) -> Result<Vec<IncidentRecord>, AskError> {
        self.get::<IncidentsAnswer>("/api/v1/incidents").await.map(|answer| answer.incidents)
    }

    pub(super) async fn tell(&self, change: &ChangeShape) -> Result<(), AskError> {
        let path = "/api/v1/events";
        let request = self.client.post(format!("{}{path}", self.base)).json(change);
        self.send(path, request).await.map(drop)
    }

    pub(super) async fn approve(
        &self,
        plan: &str,
        request: &ApproveRequest,
    ) -> Result<(), AskError> {
        let path = format!("/api/v1/plans/{plan}/approve");
        let request = self.client.post(format!("{}{path}", self.base)).json(request);
        self.send(&path, request).await.map(drop)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, AskError> {
        let answer = self.send(path, self.client.get(format!("{}{path}", self.base))).await?;
        answer.json().await.map_err(|source| AskError::Ask { path: path.to_owned(), source })
    }

    async fn send(
        &self,
        path: &str,
        request: RequestBuilder,
    ) -> Result<reqwest::Response, AskError> {
        let asked = |source| AskError::Ask { path: path.to_owned(), source };
        let answer = request.bearer_auth(&self.token).send().await.map_err(asked)?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let message = answer.text().await.map_err(asked)?;
        Err(AskError::Refused { path: path.to_owned(), message })
    }
}
