//! Starting, wiring and stopping a server.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use plimsoll_control::{Settings, State};
use plimsoll_ingest::Rejections;
use plimsoll_ingest::admission::Admission;
use plimsoll_ingest::catalogue::Catalogue;
use plimsoll_ingest::otlp::REQUEST_BYTES_MAX;
use plimsoll_ingest::traffic::{Traffic, TrafficLimits};
use plimsoll_model::{JournalDraft, JournalKind, Span, Timestamp};
use plimsoll_store::{Arrived, JournalError, OpenError, Opened, ReadError, Store, WriteError};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use crate::clock::Clock;
use crate::driver::Driver;
use crate::ledger::Ledger;
use crate::restore::restore;
use crate::shared::{Counters, Intake, Parts, Shared};
use crate::token::{AGENT_TOKEN_FILE, OPERATOR_TOKEN_FILE, TokenError, token_at};
use crate::{agents, answer, api, approve, arrive, events, guard, metrics, openapi, otlp, page};

/// Distinct series that are taken from outside: a thousand instances with sixty metrics each.
const SERIES_MAX: NonZeroUsize = NonZeroUsize::new(60_000).expect("60000 is not zero");

/// What is kept on disk. Later versions downsample instead of forgetting.
pub(crate) const RETENTION: Span = Span::from_hours(14 * 24);

/// Between two rounds of forgetting.
const RETENTION_EVERY: Duration = Duration::from_secs(3600);

/// Between two looks at what traffic has settled.
const SETTLE_EVERY: Duration = Duration::from_secs(1);

/// How long open requests may take to end at a shutdown; longer than a long poll's answer.
const DRAIN: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct ServerOptions {
    /// Everything that survives is here.
    pub dir: PathBuf,
    /// Must be a loopback address in this version.
    pub listen: SocketAddr,
    pub settings: Settings,
    pub catalogue: Catalogue,
    /// What the loop goes by.
    pub clock: Clock,
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("{0} is not a loopback address; this version serves its own machine only")]
    NotLoopback(SocketAddr),
    #[error("listen on {address}; another program may hold the port, choose one with --listen")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("open the data directory")]
    Open(#[from] OpenError),
    #[error("read what an earlier run left")]
    Restore(#[from] ReadError),
    #[error("keep the outlines that were drawn from what an earlier run left")]
    Keep(#[from] WriteError),
    #[error("open the journal, or write into it")]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("the loop ended by itself, which is a bug; start the server again, nothing is lost")]
    LoopEnded,
    #[error("serve requests")]
    Serve(#[source] std::io::Error),
}

/// Serves until `shutdown` says so. `started` is told the address once requests are answered.
///
/// # Errors
/// When the address cannot be had, or the data directory cannot be opened or read.
pub async fn serve(
    options: ServerOptions,
    started: impl FnOnce(SocketAddr),
    shutdown: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    if !options.listen.ip().is_loopback() {
        return Err(ServeError::NotLoopback(options.listen));
    }
    let listen = |source| ServeError::Listen { address: options.listen, source };
    let listener = TcpListener::bind(options.listen).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let (driver, shared) = wire(options).await?;
    let (alive, ended) = oneshot::channel::<()>();
    let run = driver.run(shutdown.clone());
    let driver = tokio::spawn(async move {
        run.await;
        drop(alive);
    });
    let traffic = tokio::spawn(settle_traffic(shared.clone(), shutdown.clone()));
    let retention = tokio::spawn(forget_old(shared.clone(), shutdown.clone()));
    started(address);
    let stop = stopped(shutdown.clone());
    let serving = axum::serve(listener, router(shared)).with_graceful_shutdown(stop);
    tokio::select! {
        served = serving.into_future() => served.map_err(ServeError::Serve)?,
        // Without the loop there is nothing to serve. The end says so to whoever starts it again.
        () = ended_early(ended, shutdown.clone()) => return Err(ServeError::LoopEnded),
        // Long polls do not hold up the end.
        () = async { stopped(shutdown.clone()).await; tokio::time::sleep(DRAIN).await } => {}
    }
    for task in [driver, traffic, retention] {
        if let Err(error) = task.await {
            tracing::error!(%error, "a task of the server ended badly");
        }
    }
    Ok(())
}

/// Completes when the loop has ended and nobody had asked for it.
async fn ended_early(ended: oneshot::Receiver<()>, shutdown: watch::Receiver<bool>) {
    // The loop never sends: its end is the end of the channel, also when it panics.
    drop(ended.await);
    if *shutdown.borrow() {
        std::future::pending::<()>().await;
    }
}

pub(crate) async fn stopped(mut shutdown: watch::Receiver<bool>) {
    // An error means that whoever could say so is gone, which says so too.
    drop(shutdown.wait_for(|stop| *stop).await);
}

pub(crate) async fn wire(options: ServerOptions) -> Result<(Driver, Shared), ServeError> {
    let store = Arc::new(Store::open(&options.dir).await?);
    let opened = store.open_journal()?;
    let agent_token = token_at(&options.dir, AGENT_TOKEN_FILE)?;
    let operator_token = token_at(&options.dir, OPERATOR_TOKEN_FILE)?;
    let now = options.clock.now();
    let (state, keeper) = restore(&store, options.settings, now).await?;
    let journal = start_journal(opened, &state, now)?;
    let counters = Arc::new(Counters::default());
    let clock = options.clock;
    let (driver, handle) = Driver::new(
        state,
        keeper,
        (Arc::clone(&store), journal.clone()),
        Arc::clone(&counters),
        clock.clone(),
    );
    let intake = Intake {
        admission: Admission::new(SERIES_MAX),
        traffic: Traffic::new(TrafficLimits::default()),
        rejections: Rejections::default(),
    };
    let shared = Shared::new(Parts {
        driver: handle,
        store,
        journal,
        counters,
        clock,
        catalogue: options.catalogue,
        agent_token,
        operator_token,
        intake: Mutex::new(intake),
        handed: Mutex::default(),
        turn: Arc::default(),
    });
    Ok((driver, shared))
}

/// Says first what this run starts from, and what a crash had left behind.
fn start_journal(opened: Opened, state: &State, now: Timestamp) -> Result<Ledger, JournalError> {
    let Opened { mut journal, torn } = opened;
    let torn = torn.map(|path| ("torn_line_moved_to".to_owned(), path.display().to_string()));
    let draft = JournalDraft {
        kind: JournalKind::ServerStarted,
        who: "plimsoll/server".into(),
        incident: None,
        plan: None,
        what: format!("plimsoll {} started", env!("CARGO_PKG_VERSION")),
        why: format!("{} incidents are taken up", state.incidents().count()),
        facts: torn.into_iter().collect(),
    };
    journal.append(draft, now)?;
    Ok(Ledger::new(journal))
}

fn router(shared: Shared) -> Router {
    let people = Router::new()
        .route("/api/v1/plans/{id}/approve", post(approve::approve))
        .route_layer(from_fn_with_state(shared.clone(), guard::people));
    let agents = Router::new()
        .route("/api/v1/agent/poll", post(agents::poll))
        .route_layer(from_fn_with_state(shared.clone(), guard::agents));
    let both = Router::new()
        .route("/api/v1/events", post(events::post))
        .route_layer(from_fn_with_state(shared.clone(), guard::agents_and_people));
    let open = Router::new()
        .route("/healthz", get(api::healthz))
        .route("/readyz", get(api::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/api/openapi.json", get(openapi::document))
        .route("/api/v1/services", get(api::services))
        .route("/api/v1/services/{name}/series", get(api::series))
        .route("/api/v1/incidents", get(api::incidents))
        .route("/api/v1/incidents/{id}", get(api::incident))
        .route("/api/v1/events", get(events::list))
        .route("/v1/metrics", post(otlp::metrics))
        .route("/v1/traces", post(otlp::traces));
    Router::new()
        .merge(people)
        .merge(agents)
        .merge(both)
        .merge(open)
        .merge(page::routes())
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .layer(from_fn(guard::loopback_only))
        .layer(from_fn(answer::in_one_shape))
        .with_state(shared)
}

/// Turns spans into readings as their intervals settle.
async fn settle_traffic(shared: Shared, shutdown: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = stopped(shutdown.clone()) => return,
            () = shared.clock.sleep(SETTLE_EVERY) => {}
        }
        let settled = shared.intake().traffic.settle(shared.clock.now());
        let settled = Arrived::Readings(settled);
        if arrive::take(&shared, settled).await.is_err() {
            // Said where it was refused; traffic is a rate, and the next one tells as much.
            tracing::warn!("traffic of an interval was not stored");
        }
    }
}

async fn forget_old(shared: Shared, shutdown: watch::Receiver<bool>) {
    loop {
        if let Err(error) = shared.store.forget_before(shared.clock.now() - RETENTION).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "old samples are still kept");
        }
        tokio::select! {
            () = stopped(shutdown.clone()) => return,
            () = shared.clock.sleep(RETENTION_EVERY) => {}
        }
    }
}
