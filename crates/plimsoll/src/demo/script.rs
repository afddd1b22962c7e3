//! The script of the demo: what a team does to its fleet, and what is waited for.
//!
//! It only does what a person or a pipeline would do. When the leak is detected, what is
//! diagnosed, contained, replaced and judged comes from the server and its agent.

use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_model::{Change, ChangeKind, ServiceName, Timestamp, Version};
use plimsoll_wire::api::{ApproveRequest, IncidentView};
use plimsoll_wire::event::ChangeShape;
use plimsoll_wire::incident::{IncidentStateShape, StepWaitShape};
use plimsoll_wire::receipt::{MeasuredShape, ReceiptResultShape, ReceiptShape};
use plimsoll_wire::words::VerdictWord;
use tokio::time::Instant;

use super::StoryKind;
use super::fleet::{CATALOG_DECOY, CATALOG_FIRST, LEDGER_VERSION, ORDERS_BAD, ORDERS_GOOD};
use super::stage::{LEASE, LOOK, Stage, StageError};
use super::tale::Tale;
use crate::clock;
use crate::exit::Failure;

/// How long the good version runs before the bad one: its replicas must have come to rest, because
/// what they did at equal uptime is what the bad ones are compared with.
const BASELINE: Duration = Duration::from_secs(75);

/// From the bad deploy to the innocent one, and to the change of configuration.
const DECOY_AFTER: Duration = Duration::from_secs(12);
const CONFIG_AFTER: Duration = Duration::from_secs(20);

/// The whole story is told within this after the bad deploy.
const STORY_WITHIN: Duration = Duration::from_secs(360);

/// How much longer than its term a lease may stand before the story has failed.
const LEASE_SLACK: Duration = Duration::from_secs(15);

/// Who approves in the demo.
const APPROVER: &str = "demo-operator";

#[derive(Debug, thiserror::Error)]
enum ScriptError {
    #[error("{what} was not seen within {} s of the bad deploy", STORY_WITHIN.as_secs())]
    TooLate { what: &'static str },
    #[error("the lease on {} was not undone in time", file.display())]
    LeaseStays { file: PathBuf },
    #[error("the incident is parked: {reason}")]
    Parked { reason: String },
    #[error("read {}", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("`{0}` cannot be named")]
    Name(&'static str),
}

type Told<T> = Result<T, Failure>;

/// Plays the story from the first request to the outcome.
pub(super) async fn play(stage: &mut Stage, kind: StoryKind, tale: &mut Tale) -> Told<()> {
    stage.ready().await?;
    tale.happened("the fleet runs", "load follows a day squeezed into two minutes", "");
    tokio::time::sleep(BASELINE).await;
    let deployed_at = Instant::now();
    deploy_bad_version(stage, tale).await?;
    // Everything else goes on while the two innocent changes are made.
    let script = Script { deadline: deployed_at + STORY_WITHIN };
    decoy_and_config(stage, tale, deployed_at).await?;
    let incident = script.until(stage, "an incident of orders", Some).await?;
    tale.incident_opened(&incident);
    if kind == StoryKind::Fixed {
        let waiting = script.until(stage, "a plan that waits for approval", waits).await?;
        tale.diagnosed(&waiting);
        survive_the_server(stage, tale, &waiting).await?;
        script.approve(stage, tale).await?;
    }
    let over = |view: IncidentView| {
        tale.steps(&view);
        is_over(view)
    };
    let ended = script.until(stage, "an outcome", over).await?;
    tale.ended(&ended);
    if let IncidentStateShape::Parked { reason } = &ended.incident.state {
        return Err(Failure::failed(ScriptError::Parked { reason: reason.clone() }));
    }
    script.others_are_judged(stage, tale).await
}

async fn deploy_bad_version(stage: &Stage, tale: &mut Tale) -> Told<()> {
    tale.bad_deploy(clock::now());
    tell(stage, ChangeKind::Deploy, "orders", Some(ORDERS_BAD)).await?;
    stage.deploy("orders", ORDERS_BAD).await.map_err(Failure::failed)?;
    let before = format!("from {ORDERS_GOOD}: it keeps every order in a map that nothing empties");
    tale.happened(&format!("deploy orders {ORDERS_BAD}"), &before, "");
    Ok(())
}

async fn decoy_and_config(stage: &Stage, tale: &mut Tale, since: Instant) -> Told<()> {
    tokio::time::sleep_until(since + DECOY_AFTER).await;
    if stage.runs("catalog") {
        tell(stage, ChangeKind::Deploy, "catalog", Some(CATALOG_DECOY)).await?;
        stage.deploy("catalog", CATALOG_DECOY).await.map_err(Failure::failed)?;
        let why = format!("from {CATALOG_FIRST}: harmless, and later than the bad deploy");
        tale.happened(&format!("deploy catalog {CATALOG_DECOY}"), &why, "");
    }
    tokio::time::sleep_until(since + CONFIG_AFTER).await;
    if stage.runs("ledger") {
        stage.fleet.set_audit_trail(true).map_err(Failure::failed)?;
        tell(stage, ChangeKind::ConfigChange, "ledger", None).await?;
        let why = format!("in {LEDGER_VERSION}: from now on each request loses a file handle");
        tale.happened("ledger: audit_trail = on", &why, "");
    }
    Ok(())
}

async fn tell(
    stage: &Stage,
    kind: ChangeKind,
    service: &'static str,
    version: Option<&'static str>,
) -> Told<()> {
    let name = |_| Failure::failed(ScriptError::Name(service));
    let mut change = Change {
        at: clock::now(),
        kind,
        service: ServiceName::new(service).map_err(name)?,
        instance: None,
        version: version.map(Version::new).transpose().map_err(name)?,
        attributes: std::collections::BTreeMap::new(),
    };
    if kind == ChangeKind::ConfigChange {
        change.attributes.insert("key".into(), "audit_trail".into());
    }
    stage.server.tell(&ChangeShape::from(&change)).await.map_err(Failure::failed)
}

/// Kills the server while the agent holds a lease, and watches the lease end without it.
async fn survive_the_server(
    stage: &mut Stage,
    tale: &mut Tale,
    waiting: &IncidentView,
) -> Told<()> {
    let Some((file, before)) = waiting.incident.receipts.iter().find_map(limited) else {
        tale.without_lease(waiting);
        return Ok(());
    };
    stage.kill_server().await.map_err(Failure::failed)?;
    let killed_at = clock::now();
    tale.lease_taken(waiting, killed_at);
    let deadline = Instant::now() + LEASE + LEASE_SLACK;
    while read(&file)? != before {
        if Instant::now() > deadline {
            return Err(Failure::failed(ScriptError::LeaseStays { file }));
        }
        tokio::time::sleep(LOOK).await;
    }
    tale.lease_undone(clock::now(), &file.display().to_string(), &before);
    stage.restart_server().await.map_err(Failure::failed)?;
    tale.happened("the server is started again", "it takes up the plan where it was", "");
    Ok(())
}

/// The file that a lease changed, and what stood there before.
fn limited(receipt: &ReceiptShape) -> Option<(PathBuf, String)> {
    match &receipt.result {
        ReceiptResultShape::Done { measured: MeasuredShape::Limited { what, before, .. } } => {
            Some((PathBuf::from(what), before.clone()))
        }
        ReceiptResultShape::Done { .. }
        | ReceiptResultShape::Refused { .. }
        | ReceiptResultShape::Failed { .. }
        | ReceiptResultShape::Undone { .. } => None,
    }
}

fn read(file: &Path) -> Told<String> {
    let text = std::fs::read_to_string(file);
    let read = |source| Failure::failed(ScriptError::Read { file: file.to_owned(), source });
    text.map(|text| text.trim_end().to_owned()).map_err(read)
}

fn waits(incident: IncidentView) -> Option<IncidentView> {
    match &incident.incident.state {
        IncidentStateShape::Running { wait: StepWaitShape::Approval, .. } => Some(incident),
        IncidentStateShape::Parked { .. } | IncidentStateShape::Closed { .. } => Some(incident),
        IncidentStateShape::Running { .. } | IncidentStateShape::Diagnosing { .. } => None,
    }
}

fn is_over(incident: IncidentView) -> Option<IncidentView> {
    match &incident.incident.state {
        IncidentStateShape::Parked { .. } | IncidentStateShape::Closed { .. } => Some(incident),
        IncidentStateShape::Running { .. } | IncidentStateShape::Diagnosing { .. } => None,
    }
}

struct Script {
    deadline: Instant,
}

impl Script {
    /// Looks at the incident of `orders` until it shows what is waited for.
    async fn until(
        &self,
        stage: &Stage,
        what: &'static str,
        mut shows: impl FnMut(IncidentView) -> Option<IncidentView>,
    ) -> Told<IncidentView> {
        loop {
            let seen = stage.server.incident("orders").await.map_err(Failure::failed)?;
            if let Some(found) = seen.and_then(&mut shows) {
                return Ok(found);
            }
            self.go_on(what).await?;
        }
    }

    /// Approves the plan that stands; one that became void meanwhile is followed by another.
    async fn approve(&self, stage: &Stage, tale: &mut Tale) -> Told<()> {
        loop {
            let waiting = self.until(stage, "a plan that waits for approval", waits).await?;
            let Some(plan) = waiting.incident.plan else { return Ok(()) };
            let request = ApproveRequest {
                digest: plan.digest,
                evidence: plan.draft.evidence,
                approver: APPROVER.into(),
            };
            match stage.server.approve(&plan.id, &request).await {
                Ok(()) => {
                    tale.approved(&plan.id, APPROVER);
                    return Ok(());
                }
                Err(refused) => tracing::info!(%refused, "the plan is read again"),
            }
            self.go_on("an approval that is taken").await?;
        }
    }

    /// The verdicts on the rest of the fleet: what leaks is told, what looks like it is steady.
    async fn others_are_judged(&self, stage: &Stage, tale: &mut Tale) -> Told<()> {
        loop {
            let services = stage.server.services().await.map_err(Failure::failed)?;
            let verdict = |name: &str| {
                let found = services.iter().find(|view| view.assessment.service == name);
                found.map(|view| view.assessment.verdict)
            };
            let told = |name: &str, wanted| !stage.runs(name) || verdict(name) == Some(wanted);
            let all = told("ledger", VerdictWord::Leaking)
                && told("catalog", VerdictWord::Steady)
                && told("recommend", VerdictWord::Steady);
            if all || Instant::now() > self.deadline {
                tale.services(services);
                tale.incidents(stage.server.incidents().await.map_err(Failure::failed)?);
                tale.load(stage.load());
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn go_on(&self, what: &'static str) -> Told<()> {
        if Instant::now() > self.deadline {
            return Err(Failure::failed(ScriptError::TooLate { what }));
        }
        tokio::time::sleep(LOOK).await;
        Ok(())
    }
}

/// Seconds between two moments, for a story.
pub(super) fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.since(from).as_secs_f64()
}

impl From<StageError> for Failure {
    fn from(error: StageError) -> Self {
        Self::failed(error)
    }
}
