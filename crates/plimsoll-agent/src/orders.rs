//! The stream of orders: the agent polls its server, says what it can reach and which receipts it
//! has, and is told what to do. The server being away delays orders and receipts, and loses none.
//! Used by `commands`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_act::performed::Unacknowledged;
use plimsoll_model::{Command, ServiceName};
use plimsoll_wire::agent::{Orders, Poll, SignedCommand, verify};
use reqwest::Client;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use crate::performer::{Performer, in_words};

/// How long an answer may take. The server holds a poll for up to ten seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(25);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// From one poll to the next, at least: a server repeats a command until it has the receipt, and
/// answers at once while it does.
const POLL_PAUSE: Duration = Duration::from_millis(200);

/// Pause after a failed poll, doubled up to the longest: a server that is back is seen soon.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LONGEST: Duration = Duration::from_secs(2);

/// Largest answer that is read: some hundred commands.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Commands with receipts in one poll. One with a histogram has about 50 KiB, and at the longest
/// class names 500 KiB: together they stay below the 2 MiB that HTTP servers take by default.
const REPORTED_MAX: usize = 4;

/// Commands that may wait for one service. What does not fit is repeated by the server.
const QUEUE_LENGTH: usize = 16;

/// Where orders come from, and the key that proves them.
pub(crate) struct OrderStream {
    client: Client,
    url: String,
    agent: String,
    key: Vec<u8>,
    authorization: HeaderValue,
    performer: Arc<Performer>,
    queues: BTreeMap<ServiceName, mpsc::Sender<Command>>,
    /// For all services that are not of the fleet, known and unknown.
    others: mpsc::Sender<Command>,
}

/// Why one poll brought nothing.
#[derive(Debug, thiserror::Error)]
enum PollError {
    #[error("the receipts on disk cannot be read")]
    Receipts(#[from] plimsoll_act::performed::PerformedError),
    #[error("looking at what can be reached ended by itself, which is a bug: restart the agent")]
    Reach(#[source] tokio::task::JoinError),
    #[error("the poll cannot be written as JSON")]
    Write(#[source] serde_json::Error),
    #[error("the server cannot be reached")]
    Away(#[from] reqwest::Error),
    #[error("the server answered {0}")]
    Status(reqwest::StatusCode),
    #[error("the answer is longer than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
    #[error("the answer holds no orders")]
    Read(#[source] serde_json::Error),
}

impl OrderStream {
    /// None when the token cannot stand in a header. Starts a task for each service; they end
    /// with the stream.
    pub(crate) fn new(
        client: Client,
        server: &str,
        agent: &str,
        token: &str,
        performer: Arc<Performer>,
    ) -> Option<Self> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
        authorization.set_sensitive(true);
        let services = performer.services().cloned();
        let queues = services.map(|service| (service, start_queue(&performer))).collect();
        let others = start_queue(&performer);
        Some(Self {
            client,
            url: format!("{}/api/v1/agent/poll", server.trim_end_matches('/')),
            agent: agent.to_owned(),
            key: token.as_bytes().to_vec(),
            authorization,
            performer,
            queues,
            others,
        })
    }

    pub(crate) fn client() -> Result<Client, reqwest::Error> {
        Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .pool_max_idle_per_host(1)
            .redirect(reqwest::redirect::Policy::none())
            // The poll carries the key that commands are signed with: it goes to the server that
            // was named, and to nobody whom the environment names.
            .no_proxy()
            .build()
    }

    /// Polls for ever. Cancel it to stop.
    pub(crate) async fn run(&self) {
        let mut retry = RETRY_FIRST;
        loop {
            let next = Instant::now() + POLL_PAUSE;
            // A receipt that comes up while the server holds the poll is reported at once. What
            // the dropped poll would have brought is repeated by the server.
            let polled = tokio::select! {
                polled = self.poll() => polled,
                () = self.performer.news.notified() => Ok(()),
            };
            match polled {
                Ok(()) => {
                    retry = RETRY_FIRST;
                    sleep_until(next).await;
                }
                Err(error) => {
                    report(retry, &error);
                    sleep(retry).await;
                    retry = retry.saturating_mul(2).min(RETRY_LONGEST);
                }
            }
        }
    }

    /// One poll: reports, takes the acknowledgements, and passes on the commands.
    async fn poll(&self) -> Result<(), PollError> {
        let reported = self.performer.performed.unacknowledged(REPORTED_MAX)?;
        let orders = self.ask(&reported).await?;
        self.performer.performed.acknowledge(&orders.acknowledged, &reported)?;
        for signed in orders.commands {
            self.take(signed);
        }
        Ok(())
    }

    /// Reports what there is without waiting for orders: the last thing before the agent goes.
    pub(crate) async fn farewell(&self) {
        let farewell = async {
            let reported = self.performer.performed.unacknowledged(REPORTED_MAX)?;
            if reported.receipts.is_empty() {
                return Ok(());
            }
            let orders = self.ask(&reported).await?;
            Ok::<_, PollError>(
                self.performer.performed.acknowledge(&orders.acknowledged, &reported)?,
            )
        };
        if let Err(error) = farewell.await {
            tracing::debug!(why = in_words(&error), "receipts are reported after the next start");
        }
    }

    async fn ask(&self, reported: &Unacknowledged) -> Result<Orders, PollError> {
        let performer = Arc::clone(&self.performer);
        let reach = tokio::task::spawn_blocking(move || performer.reach()).await;
        let reach = reach.map_err(PollError::Reach)?;
        let poll = Poll {
            agent: self.agent.clone(),
            reach: reach.iter().map(Into::into).collect(),
            receipts: reported.receipts.clone(),
        };
        let request = self.client.post(&self.url);
        let request = request.header(AUTHORIZATION, self.authorization.clone());
        let request = request.header(CONTENT_TYPE, "application/json");
        let body = serde_json::to_vec(&poll).map_err(PollError::Write)?;
        let mut response = request.body(body).send().await?;
        if !response.status().is_success() {
            return Err(PollError::Status(response.status()));
        }
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if answer.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(PollError::TooLong);
            }
            answer.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&answer).map_err(PollError::Read)
    }

    /// An order that does not prove itself is dropped; the server learns nothing from it, since
    /// it is most likely not the one who sent it.
    fn take(&self, signed: SignedCommand) {
        let command = match verify(signed, &self.key) {
            Ok(command) => command,
            Err(error) => return tracing::error!(why = in_words(&error), "an order is ignored"),
        };
        let queue = self.queues.get(&command.service).unwrap_or(&self.others);
        drop(queue.try_send(command));
    }
}

/// Performs the commands of a queue in the order in which they came.
fn start_queue(performer: &Arc<Performer>) -> mpsc::Sender<Command> {
    let (sender, mut queue) = mpsc::channel(QUEUE_LENGTH);
    let performer = Arc::clone(performer);
    tokio::spawn(async move {
        while let Some(command) = queue.recv().await {
            performer.perform(command).await;
        }
    });
    sender
}

/// The first failure of an outage is a warning; a long outage does not fill the log.
fn report(retry: Duration, error: &PollError) {
    let why = in_words(error);
    match retry == RETRY_FIRST {
        true => tracing::warn!(why, "no orders; leases end without them, and polling goes on"),
        false => tracing::debug!(why, "still no orders"),
    }
}
