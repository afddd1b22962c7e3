//! Plays a scenario: moves the clock, lets the fleet be measured, does the deeds, checks what is
//! expected. What it knows of the server, it knows from the API.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_model::{Change, Incident, Reading, ServiceName, Span, Timestamp, Verdict};
use plimsoll_server::{Clock, Playbook, ServeError, Settings};
use plimsoll_sim::scenario::{Deed, Expect, Moment, PolicyLine, Scenario, Since, World};
use plimsoll_wire::alert::AlertRecord;
use plimsoll_wire::api::{ApproveRequest, ServiceView};
use plimsoll_wire::event::ChangeShape;
use plimsoll_wire::incident::IncidentRecord;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;

use crate::agent::Agent;
use crate::server::{Server, options};

/// 2026-01-05, a Monday, 00:00 UTC.
const START: Timestamp = Timestamp::from_secs(1_767_571_200);
const SEED: u64 = 20_260_105;

/// How often the directory of a server that was killed is tried: its tasks end when they next wait.
const RESTARTS_MAX: u32 = 200;

pub(crate) struct Play {
    pub(crate) world: World,
    pub(crate) agent: Agent,
    pub(crate) server: Option<Server>,
    pub(crate) now: Timestamp,
    step: Span,
    moments: std::vec::IntoIter<Moment>,
    settings: Settings,
    clock: watch::Sender<Timestamp>,
    dir: TempDir,
    dead_until: Timestamp,
    /// Measured, and not delivered yet.
    backlog: Vec<Reading>,
    services: BTreeMap<ServiceName, ServiceView>,
    verdicts_seen: BTreeSet<(ServiceName, &'static str)>,
    refusals: Vec<String>,
}

impl Play {
    pub(crate) async fn new(scenario: &Scenario) -> Self {
        let mut play = Self {
            world: World::new(scenario, START, SEED),
            agent: Agent::default(),
            server: None,
            now: START,
            step: scenario.step,
            moments: scenario.moments.clone().into_iter(),
            settings: settings(scenario),
            clock: watch::Sender::new(START),
            dir: tempfile::tempdir().unwrap(),
            dead_until: START,
            backlog: Vec::new(),
            services: BTreeMap::new(),
            verdicts_seen: BTreeSet::new(),
            refusals: Vec::new(),
        };
        play.revive().await;
        play
    }

    /// Plays on until so long after the start.
    pub(crate) async fn until(&mut self, end: Span) -> Result<(), String> {
        while self.now.since(START) <= end {
            self.turn().await;
            while let Some(next) = self.moments.as_slice().first()
                && START + next.at <= self.now
                && let Some(moment) = self.moments.next()
            {
                let done = self.deed(&moment.deed).await;
                done.map_err(|error| format!("{}: {error}", moment.line))?;
            }
            self.now = self.now + self.step;
        }
        Ok(())
    }

    async fn turn(&mut self) {
        self.backlog.extend(self.world.readings(self.now));
        self.agent.receipts.extend(self.world.undo_leases(self.now));
        self.revive().await;
        let Some(server) = &self.server else { return };
        server.measure(&self.backlog).await;
        self.backlog.clear();
        self.clock.send_replace(self.now);
        self.agent.carry(server, &mut self.world, self.now).await;
        let found = server.get("/api/v1/services").await;
        let services: Vec<ServiceView> = serde_json::from_value(found["services"].clone()).unwrap();
        for view in services {
            let service = ServiceName::new(&view.assessment.service).unwrap();
            let verdict = Verdict::from(view.assessment.verdict);
            self.verdicts_seen.insert((service.clone(), verdict.name()));
            self.services.insert(service, view);
        }
    }

    /// Starts a server on what the one before left, when it is time.
    async fn revive(&mut self) {
        if self.server.is_some() || self.now < self.dead_until {
            return;
        }
        self.clock.send_replace(self.now);
        for _ in 0..RESTARTS_MAX {
            let options = plimsoll_server::ServerOptions {
                settings: self.settings.clone(),
                clock: Clock::Driven(self.clock.subscribe()),
                ..options(self.dir.path())
            };
            match Server::start(options).await {
                Ok(server) => {
                    self.server = Some(server);
                    return;
                }
                Err(ServeError::Open(_) | ServeError::Journal(_)) => {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        panic!("the directory of the server that was killed stays locked");
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().expect("the server is alive")
    }

    async fn deed(&mut self, deed: &Deed) -> Result<(), String> {
        let now = self.now;
        match deed {
            Deed::Deploy { service, version } => {
                let change = self.world.deploy(service, version, now);
                self.tell(&change).await;
            }
            Deed::Configure { service, key } => {
                let change = self.world.configure(service, key, now);
                self.tell(&change).await;
            }
            Deed::Restart { instance } => {
                let change = self.world.restart(instance, now);
                self.tell(&change.ok_or_else(|| format!("there is no {instance}"))?).await;
            }
            Deed::Gap { service, length } => self.world.silence(service, now + *length),
            Deed::BreakReplacement { service } => self.world.break_replacement(service),
            Deed::KillServer { length } => {
                self.agent.lose_server();
                self.server = None;
                self.dead_until = now + *length;
            }
            Deed::Approve { service, approver } => self.approve(service, approver).await?,
            Deed::Expect(expected) => self.expect(expected).await?,
        }
        Ok(())
    }

    async fn tell(&self, change: &Change) {
        let request = self.server().post_as_agent("/api/v1/events");
        let answer = request.json(&ChangeShape::from(change)).send().await.unwrap();
        let said: Value = answer.json().await.unwrap();
        assert_eq!(said["taken"], 1, "{said}");
    }

    async fn approve(&mut self, service: &ServiceName, approver: &str) -> Result<(), String> {
        let incident = self.newest(service).await.ok_or("there is no incident to approve")?;
        let plan = incident.plan.ok_or("there is no plan to approve")?;
        let request = ApproveRequest {
            digest: plan.digest.to_string(),
            evidence: plan.draft.evidence.to_string(),
            approver: approver.into(),
        };
        let path = format!("/api/v1/plans/{}/approve", plan.id);
        let answer = self.server().post_as_person(&path).json(&request).send().await.unwrap();
        if !answer.status().is_success() {
            let said: Value = answer.json().await.unwrap();
            self.refusals.push(said["error"]["message"].as_str().unwrap().into());
        }
        let Self { agent, server, world, now, .. } = self;
        agent.carry(server.as_ref().unwrap(), world, *now).await;
        Ok(())
    }

    pub(crate) async fn newest(&self, service: &ServiceName) -> Option<Incident> {
        let found = self.server().get("/api/v1/incidents").await;
        let found: Vec<IncidentRecord> =
            serde_json::from_value(found["incidents"].clone()).unwrap();
        let of_service = |record: &IncidentRecord| record.service == service.as_str();
        found.into_iter().find(of_service).map(|record| Incident::try_from(record).unwrap())
    }

    /// How many entries of a kind, with this in their reason, were written of an incident.
    pub(crate) async fn written(&self, incident: &Incident, kind: &str, because: &str) -> usize {
        let view = self.server().get(&format!("/api/v1/incidents/{}", incident.id)).await;
        let says = |entry: &&Value| {
            entry["kind"] == kind && entry["why"].as_str().unwrap().contains(because)
        };
        view["timeline"].as_array().unwrap().iter().filter(says).count()
    }

    async fn expect(&self, expected: &Expect) -> Result<(), String> {
        if let Some(service) = expected.incident_of() {
            let incident = self.newest(service).await.ok_or("there is no incident")?;
            let undone = matches!(expected, Expect::LeaseUndone { .. });
            if undone && self.written(&incident, "lease_undone", "").await == 0 {
                return Err("nobody wrote down that a lease was undone".into());
            }
            return expected.check_incident(&incident);
        }
        let (holds, found) = match expected {
            Expect::Verdict { .. } => return self.expect_verdict(expected),
            Expect::Never { service, verdict } => {
                let seen = self.verdicts_seen.contains(&(service.clone(), verdict.name()));
                (!seen, format!("{service} was {verdict} at some time"))
            }
            Expect::Alert { service, level, urgency } => {
                let found = self.services.get(service).and_then(|view| view.alert.as_ref());
                let as_said = |alert: &&AlertRecord| {
                    alert.level == (*level).into() && alert.urgency == (*urgency).into()
                };
                (found.filter(as_said).is_some(), format!("alert: {found:?}"))
            }
            Expect::NoAlert { service } => {
                let found = self.services.get(service).and_then(|view| view.alert.as_ref());
                (found.is_none(), format!("{found:?}"))
            }
            Expect::NoIncident { service } => {
                let found = self.newest(service).await.map(|found| found.opened_on.reason);
                (found.is_none(), format!("{service} has an incident: {found:?}"))
            }
            Expect::Runs { instance, version } => {
                let runs = self.world.version_of(instance);
                (runs == Some(version), format!("{instance} runs {runs:?}"))
            }
            Expect::PlanVoid { service, because } => {
                let incident = self.newest(service).await.ok_or("there is no incident")?;
                let written = self.written(&incident, "plan_void", because).await;
                (written > 0, "no plan became void for that reason".into())
            }
            Expect::ApprovalRefused { because } => {
                let found = self.refusals.iter().any(|refusal| refusal.contains(because));
                (found, format!("refusals: {:?}", self.refusals))
            }
            other => unreachable!("{other:?} is about an incident"),
        };
        if holds { Ok(()) } else { Err(found) }
    }

    fn expect_verdict(&self, expected: &Expect) -> Result<(), String> {
        let Expect::Verdict { service, verdict, cause, since, only, because } = expected else {
            unreachable!("only called for verdicts")
        };
        let found = self.services.get(service).ok_or("it was never assessed")?;
        let found = &found.assessment;
        let change = found.suspected_change.as_ref();
        let blames = |since: &Since| match (since, change) {
            (Since::Nothing, blamed) => blamed.is_none(),
            (Since::Change(..), None) => false,
            (Since::Change(kind, version), Some(blamed)) => {
                blamed.kind == (*kind).into()
                    && (version.is_none()
                        || version.as_ref().map(ToString::to_string) == blamed.version)
            }
        };
        let holds = found.verdict == (*verdict).into()
            && cause.is_none_or(|cause| found.cause == cause.into())
            && since.as_ref().is_none_or(blames)
            && only.as_ref().is_none_or(|only| found.instances == [only.to_string()])
            && because.as_ref().is_none_or(|text| found.reason.contains(text.as_str()));
        if holds { Ok(()) } else { Err(format!("{found:?}")) }
    }

    /// What was written down of every incident, for a test that fails.
    pub(crate) async fn story(&self) -> String {
        let Some(server) = &self.server else { return "the server is dead".into() };
        let found = server.get("/api/v1/incidents").await;
        let mut lines = Vec::new();
        for incident in found["incidents"].as_array().unwrap() {
            let path = format!("/api/v1/incidents/{}", incident["id"].as_str().unwrap());
            for entry in server.get(&path).await["timeline"].as_array().unwrap() {
                lines.push(format!("    {}: {} ({})", entry["kind"], entry["what"], entry["why"]));
            }
        }
        lines.join("\n")
    }
}

fn settings(scenario: &Scenario) -> Settings {
    let mut settings = Settings::default();
    settings.assess_every = settings.assess_every.max(scenario.step);
    let polls = Span::from_millis(scenario.step.as_millis() * 3);
    settings.agent_lost_after = settings.agent_lost_after.max(polls);
    for line in &scenario.policy {
        match line {
            PolicyLine::Lease(lease) => settings.policy.lease = *lease,
            PolicyLine::ApprovalWithin(within) => settings.policy.approval_within = *within,
            PolicyLine::Playbook(name) => {
                settings.policy.playbook = Playbook::named(name).expect("a built-in playbook");
            }
        }
    }
    settings
}
