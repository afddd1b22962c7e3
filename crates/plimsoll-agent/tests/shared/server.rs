//! The server's side of the order stream, as small as it can be: it signs what it is told to
//! order, repeats it until it has the receipt, and keeps what agents report.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use plimsoll_model::{Command, Reach, Receipt, ReceiptResult};
use plimsoll_wire::agent::{Orders, Poll, sign};
use tokio::task::JoinHandle;

use crate::port::Port;

pub(crate) const TOKEN: &str = "a-token-of-the-tests";

#[derive(Debug, Default)]
pub(crate) struct Desk {
    pub(crate) ordered: Vec<Command>,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) reach: Vec<Reach>,
    pub(crate) polls: usize,
    /// Whether receipts are acknowledged, and so not repeated.
    pub(crate) deaf: bool,
    /// Signs with another key.
    pub(crate) impostor: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) desk: Arc<Mutex<Desk>>,
    pub(crate) port: Arc<Port>,
    task: Arc<JoinHandle<()>>,
    dead: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start(port: Arc<Port>, desk: Arc<Mutex<Desk>>) -> Self {
        let listener = port.listen();
        let router = Router::new().route("/api/v1/agent/poll", post(poll));
        let dead = Arc::new(AtomicBool::new(false));
        let router = router.with_state((Arc::clone(&desk), Arc::clone(&dead)));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { desk, port, task: Arc::new(task), dead }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// Nobody listens any more, and who is connected already gets no orders.
    pub(crate) fn die(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.task.abort();
    }

    pub(crate) fn order(&self, command: Command) {
        self.desk.lock().unwrap().ordered.push(command);
    }

    /// Waits for a receipt that `wanted` takes.
    pub(crate) async fn receipt(&self, wanted: impl Fn(&Receipt) -> bool) -> Receipt {
        wait("the receipt", || {
            let desk = self.desk.lock().unwrap();
            desk.receipts.iter().find(|receipt| wanted(receipt)).cloned()
        })
        .await
    }

    pub(crate) async fn result_of(&self, command: &str) -> ReceiptResult {
        self.receipt(|receipt| receipt.command.as_str() == command).await.result
    }

    /// Waits until the server has been polled so many times more.
    pub(crate) async fn polled(&self, times: usize) {
        let polls = || self.desk.lock().unwrap().polls;
        let before = polls();
        wait("polls", || (polls() >= before + times).then_some(())).await;
    }
}

async fn poll(
    State((desk, dead)): State<(Arc<Mutex<Desk>>, Arc<AtomicBool>)>,
    headers: HeaderMap,
    Json(poll): Json<Poll>,
) -> Result<Json<Orders>, StatusCode> {
    if dead.load(Ordering::SeqCst) {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let bearer = format!("Bearer {TOKEN}");
    if headers.get("authorization").and_then(|value| value.to_str().ok()) != Some(&bearer) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let mut desk = desk.lock().unwrap();
    desk.polls += 1;
    desk.reach = poll.reach.into_iter().map(|reach| reach.try_into().unwrap()).collect();
    let mut orders = Orders::default();
    for receipt in poll.receipts {
        let receipt = Receipt::try_from(receipt).unwrap();
        if !desk.deaf {
            orders.acknowledged.push(receipt.command.to_string());
        }
        desk.receipts.push(receipt);
    }
    let key = if desk.impostor { b"another key".as_slice() } else { TOKEN.as_bytes() };
    let is_open = |command: &&Command| {
        desk.deaf || !desk.receipts.iter().any(|receipt| receipt.command == command.id)
    };
    orders.commands =
        desk.ordered.iter().filter(is_open).map(|command| sign(command, key)).collect();
    Ok(Json(orders))
}

/// Waits until there is something, and fails when there is nothing in time.
pub(crate) async fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look() {
                break found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(40), found).await;
    found.unwrap_or_else(|_| panic!("not within 40 s: {what}"))
}
