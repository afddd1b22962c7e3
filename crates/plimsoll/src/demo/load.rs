//! The demo's customers: they order from the replicas of `orders` in turn, along a day's curve that
//! is squeezed into minutes. Used by `plimsoll demo` only.
//!
//! Not a benchmark: it never tries to catch up with what a slow fleet did not take. Such orders are
//! dropped and counted, so that a stalled replica cannot make it grow.

use std::f64::consts::TAU;
use std::time::Duration;

use reqwest::{Client, header};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

/// Products that exist; `demo/catalog` and `demo/recommend` know the same number.
const SKUS: u32 = 400;

/// Shoppers that exist. Far more than the eight segments that `orders` sorts them into, so that
/// every pair of product and segment is asked for.
const CUSTOMERS: u32 = 5000;

/// Share of orders with a second line.
const SECOND_LINE_SHARE: f64 = 0.3;

/// Orders that one replica may keep open; the next one is dropped. With a timeout of 3 s a stalled
/// replica costs its own share of the load and nothing else.
const OPEN_PER_REPLICA_MAX: usize = 16;

/// Longer than a full collection of the demo's heap, which is below a second.
const TIMEOUT: Duration = Duration::from_secs(3);
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// How often orders are sent: short against the distance of two orders at the peak.
const TICK: Duration = Duration::from_millis(10);

/// The longest pause of this program itself, in seconds, whose orders are sent afterwards.
const CATCH_UP_SECONDS_MAX: f64 = 0.25;

/// What is ordered, and where.
#[derive(Clone, Debug)]
pub(crate) struct LoadPlan {
    /// Loopback ports of the replicas of `orders`.
    pub(crate) ports: Vec<u16>,
    /// Orders a second over all replicas, in the mean of a period.
    pub(crate) mean_per_second: f64,
    /// How far the peak is above the mean, as a share of it; from 0 to 1.
    pub(crate) amplitude: f64,
    /// The length of the squeezed day.
    pub(crate) period: Duration,
    /// Decides which product is ordered when, and by whom.
    pub(crate) seed: u64,
}

/// What became of the orders. Those still open at the end are in `sent` alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LoadTotals {
    pub(crate) sent: u64,
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    /// Not sent, because their replica had too many open.
    pub(crate) dropped: u64,
}

#[derive(Debug, Error)]
pub(crate) enum LoadError {
    #[error("the load has no replica of `orders` to send to")]
    NoReplica,
    #[error("cannot make the HTTP client of the load")]
    Client(#[source] reqwest::Error),
}

impl LoadPlan {
    /// The load that the demo's faults are sized for: see `demo/README.md`.
    pub(crate) fn of_the_demo(ports: Vec<u16>) -> Self {
        let period = Duration::from_secs(120);
        Self { ports, mean_per_second: 60.0, amplitude: 0.4, period, seed: 1876 }
    }

    /// Orders a second, this long after the start: at the mean, and rising.
    fn rate(&self, since_start: Duration) -> f64 {
        let phase = TAU * since_start.as_secs_f64() / self.period.as_secs_f64();
        self.mean_per_second * (1.0 + self.amplitude * phase.sin())
    }
}

/// Orders until `stop` holds true or its sender is gone, then ends at once. `progress` is kept
/// current meanwhile.
pub(crate) async fn drive(
    plan: LoadPlan,
    mut stop: watch::Receiver<bool>,
    progress: watch::Sender<LoadTotals>,
) -> Result<LoadTotals, LoadError> {
    let mut customers = Customers::new(&plan)?;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let start = ticks.tick().await;
    let mut last = start;
    let mut due = 0.0;
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Ok(customers.totals),
            Some(answer) = customers.open.join_next() => customers.settle(&answer),
            now = ticks.tick() => {
                let elapsed = (now - last).as_secs_f64().min(CATCH_UP_SECONDS_MAX);
                due += plan.rate(now - start) * elapsed;
                last = now;
                while due >= 1.0 {
                    due -= 1.0;
                    customers.order();
                }
                progress.send_replace(customers.totals);
            }
        }
    }
}

/// The customers at work. Dropping them ends every open order.
struct Customers {
    client: Client,
    replicas: Vec<Replica>,
    open: JoinSet<Answer>,
    random: fastrand::Rng,
    /// In every order's id, so that a second run does not repeat the orders of the first.
    run: u32,
    totals: LoadTotals,
    turn: usize,
}

struct Replica {
    url: String,
    open: usize,
}

struct Answer {
    replica: usize,
    ok: bool,
}

impl Customers {
    fn new(plan: &LoadPlan) -> Result<Self, LoadError> {
        if plan.ports.is_empty() {
            return Err(LoadError::NoReplica);
        }
        let url = |port: &u16| format!("http://127.0.0.1:{port}/orders");
        let client = Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(OPEN_PER_REPLICA_MAX)
            .build()
            .map_err(LoadError::Client)?;
        Ok(Self {
            client,
            replicas: plan.ports.iter().map(|port| Replica { url: url(port), open: 0 }).collect(),
            open: JoinSet::new(),
            random: fastrand::Rng::with_seed(plan.seed),
            run: fastrand::u32(..),
            totals: LoadTotals::default(),
            turn: 0,
        })
    }

    fn order(&mut self) {
        let turn = self.turn;
        self.turn = (turn + 1) % self.replicas.len();
        // Drawn before the replica is looked at: what is ordered must not depend on its state.
        let body = self.next_order();
        let traceparent = traceparent(&mut self.random);
        let replica = &mut self.replicas[turn];
        if replica.open == OPEN_PER_REPLICA_MAX {
            self.totals.dropped += 1;
            return;
        }
        replica.open += 1;
        self.totals.sent += 1;
        let request = self
            .client
            .post(&replica.url)
            .header(header::CONTENT_TYPE, "application/json")
            .header("traceparent", traceparent)
            .body(body);
        self.open.spawn(async move { Answer { replica: turn, ok: is_taken(request).await } });
    }

    fn next_order(&mut self) -> String {
        let number = self.totals.sent + self.totals.dropped;
        let customer = self.random.u32(..CUSTOMERS);
        let lines = if self.random.f64() < SECOND_LINE_SHARE { 2 } else { 1 };
        let lines: Vec<_> = (0..lines).map(|_| line(&mut self.random)).collect();
        let order = serde_json::json!({
            "order_id": format!("order-{:08x}-{number}", self.run),
            "customer": format!("customer-{customer:05}"),
            "note": "leave it at the door",
            "lines": lines,
        });
        order.to_string()
    }

    fn settle(&mut self, answer: &Result<Answer, JoinError>) {
        // Nothing aborts an order while the customers are at work, and an order does not panic.
        let Ok(answer) = answer else { return };
        self.replicas[answer.replica].open -= 1;
        if answer.ok {
            self.totals.ok += 1;
        } else {
            self.totals.failed += 1;
        }
    }
}

/// Whether the order was taken. The body is read to its end, so that the connection is kept.
async fn is_taken(request: reqwest::RequestBuilder) -> bool {
    match request.send().await {
        Ok(response) => {
            let taken = response.status().is_success();
            response.bytes().await.is_ok() && taken
        }
        Err(_) => false,
    }
}

fn line(random: &mut fastrand::Rng) -> serde_json::Value {
    let sku = format!("sku-{:04}", random.u32(..SKUS));
    serde_json::json!({ "sku": sku, "quantity": random.u32(1..=5) })
}

/// The head of a new trace, as W3C trace context writes it; its ids must not be zero.
fn traceparent(random: &mut fastrand::Rng) -> String {
    format!("00-{:032x}-{:016x}-01", random.u128(1..), random.u64(1..))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    fn plan(ports: Vec<u16>) -> LoadPlan {
        LoadPlan { mean_per_second: 2000.0, ..LoadPlan::of_the_demo(ports) }
    }

    async fn listener() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    /// Answers this many orders, then says stop.
    async fn answer(listener: TcpListener, count: usize, stop: watch::Sender<bool>) {
        for _ in 0..count {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 2048];
            assert!(stream.read(&mut head).await.unwrap() > 0);
            stream.write_all(ANSWER).await.unwrap();
        }
        stop.send_replace(true);
    }

    #[test]
    fn the_day_has_its_mean_a_peak_and_a_trough() {
        let plan = LoadPlan::of_the_demo(vec![1]);
        let check = |second, expected: f64| {
            let rate = plan.rate(Duration::from_secs(second));
            assert!((rate - expected).abs() < 1e-6, "{second} s: {rate}");
        };
        check(0, 60.0);
        check(30, 84.0);
        check(60, 60.0);
        check(90, 36.0);
        check(120, 60.0);
    }

    #[test]
    fn the_same_seed_orders_the_same_products() {
        let bodies = || {
            let mut customers = Customers::new(&plan(vec![1])).unwrap();
            customers.run = 7;
            (0..20).map(|_| customers.next_order()).collect::<Vec<_>>()
        };
        assert_eq!(bodies(), bodies());
    }

    #[tokio::test]
    async fn the_load_ends_when_it_is_told_and_knows_what_it_did() {
        let (listener, port) = listener().await;
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(answer(listener, 100, stop));
        let progress = watch::Sender::new(LoadTotals::default());
        let totals = drive(plan(vec![port]), stopped, progress.clone()).await.unwrap();
        server.await.unwrap();
        assert!(totals.ok >= 50 && totals.ok <= 100, "{totals:?}");
        assert!(totals.sent <= totals.ok + totals.failed + OPEN_PER_REPLICA_MAX as u64);
        assert!(progress.borrow().sent <= totals.sent);
    }

    #[tokio::test]
    async fn a_stalled_replica_neither_piles_up_nor_starves_its_peer() {
        let (good, good_port) = listener().await;
        let (_stalled, stalled_port) = listener().await;
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(answer(good, 100, stop));
        let progress = watch::Sender::new(LoadTotals::default());
        let totals = drive(plan(vec![good_port, stalled_port]), stopped, progress).await.unwrap();
        server.await.unwrap();
        assert!(totals.ok >= 50, "{totals:?}");
        assert!(totals.dropped > 0, "{totals:?}");
        assert!(totals.sent - totals.ok - totals.failed <= 2 * OPEN_PER_REPLICA_MAX as u64);
    }

    #[tokio::test]
    async fn a_load_without_replicas_is_refused() {
        let (_stop, stopped) = watch::channel(false);
        let progress = watch::Sender::new(LoadTotals::default());
        let refused = drive(plan(vec![]), stopped, progress).await;
        assert!(matches!(refused, Err(LoadError::NoReplica)));
    }
}
