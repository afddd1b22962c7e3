//! The agent of a scenario: it polls a real server for orders and carries them to the simulated
//! fleet, as an agent does: one long poll at a time, receipts repeated until they are taken.

use std::time::Duration;

use plimsoll_model::{Command, Receipt, Timestamp};
use plimsoll_server::{AGENT_TOKEN_FILE, token_at};
use plimsoll_sim::scenario::World;
use plimsoll_wire::agent::{Orders, Poll, verify};
use tokio::task::JoinHandle;

use crate::server::Server;

const NAME: &str = "node-1";

/// An answer that is due comes at once; this only keeps a test that fails from hanging.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
pub(crate) struct Agent {
    /// Not taken by any server yet.
    pub(crate) receipts: Vec<Receipt>,
    waiting: Option<JoinHandle<Orders>>,
}

impl Agent {
    /// Brings what it has and does what it is told, until there is nothing more to do at `now`.
    pub(crate) async fn carry(&mut self, server: &Server, world: &mut World, now: Timestamp) {
        while let Some(orders) = self.ask(server, world).await {
            self.forget(&orders);
            for command in commands(server, orders) {
                self.receipts.push(world.perform(&command, now));
            }
        }
        if self.waiting.is_none() {
            self.waiting = Some(tokio::spawn(self.poll(server, world)));
        }
    }

    /// The orders that are due, if any.
    async fn ask(&mut self, server: &Server, world: &World) -> Option<Orders> {
        if !self.receipts.is_empty() {
            // Dropping the long poll hangs up, as an agent that has news does.
            self.waiting.take().inspect(JoinHandle::abort);
            return Some(due(tokio::spawn(self.poll(server, world))).await);
        }
        let waiting = self.waiting.take_if(|poll| poll.is_finished());
        match waiting {
            Some(poll) => Some(due(poll).await),
            None if is_ordered(server).await => {
                let poll = self.waiting.take();
                let poll = poll.unwrap_or_else(|| tokio::spawn(self.poll(server, world)));
                Some(due(poll).await)
            }
            None => None,
        }
    }

    /// Hangs up; the server is gone.
    pub(crate) fn lose_server(&mut self) {
        self.waiting.take().inspect(JoinHandle::abort);
    }

    fn poll(&self, server: &Server, world: &World) -> impl Future<Output = Orders> + use<> {
        let poll = Poll {
            agent: NAME.into(),
            reach: world.reach().iter().map(Into::into).collect(),
            receipts: self.receipts.iter().map(Into::into).collect(),
        };
        let request = server.post_as_agent("/api/v1/agent/poll").json(&poll);
        async move {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200);
            answer.json().await.unwrap()
        }
    }

    fn forget(&mut self, orders: &Orders) {
        self.receipts.retain(|receipt| !orders.acknowledged.contains(&receipt.command.to_string()));
    }
}

async fn due(poll: JoinHandle<Orders>) -> Orders {
    let answer = tokio::time::timeout(PATIENCE, poll).await;
    answer.expect("orders that are due come at once").unwrap()
}

/// Whether any incident waits for a receipt.
async fn is_ordered(server: &Server) -> bool {
    let found = server.get("/api/v1/incidents").await;
    let incidents = found["incidents"].as_array().unwrap();
    incidents.iter().any(|incident| {
        let waits = &incident["state"]["wait"]["kind"];
        !incident["capturing"].is_null() || waits == "receipt"
    })
}

fn commands(server: &Server, orders: Orders) -> Vec<Command> {
    let key = token_at(&server.dir, AGENT_TOKEN_FILE).unwrap();
    orders.commands.into_iter().map(|signed| verify(signed, key.as_bytes()).unwrap()).collect()
}
