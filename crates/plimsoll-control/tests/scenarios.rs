//! Plays every file of `scenarios/` against the loop under a seeded clock.
//!
//! The shell is played by the runner below: it keeps what is saved, replays what was measured when
//! the server comes back, and carries commands to the simulated agent and receipts back.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use plimsoll_control::{Effect, Event, Settings, State, step};
use plimsoll_decide::Playbook;
use plimsoll_model::{
    Alert, Approval, Change, Incident, IncidentId, JournalDraft, JournalKind, Reading, Receipt,
    ServiceName, Span, Timestamp, Verdict,
};
use plimsoll_sim::scenario::{Deed, Expect, PolicyLine, Scenario, Since, World};

/// 2026-01-05, a Monday, 00:00 UTC.
const START: Timestamp = Timestamp::from_secs(1_767_571_200);
const AGENT: &str = "node-1";
const SEED: u64 = 20_260_105;

#[test]
fn every_scenario_comes_out_as_it_says() {
    let files = files();
    assert!(files.len() >= 12, "only {} scenarios were found", files.len());
    let failures: Vec<String> = files.iter().filter_map(|file| play(file).err()).collect();
    assert!(failures.is_empty(), "\n\n{}\n", failures.join("\n\n"));
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_scenario = |path: &PathBuf| path.extension().is_some_and(|end| end == "scn");
    let mut files: Vec<_> = entries.filter(is_scenario).collect();
    files.sort();
    files
}

fn play(file: &Path) -> Result<(), String> {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(file).unwrap();
    let scenario = Scenario::parse(&text).map_err(|error| format!("{name}: {error}"))?;
    let mut run = Run::new(&scenario);
    let mut moments = scenario.moments.iter().peekable();
    let mut now = START;
    while now.since(START) <= scenario.length {
        run.turn(now);
        while let Some(moment) = moments.next_if(|moment| START + moment.at <= now) {
            let done = run.deed(&moment.deed, now);
            done.map_err(|error| format!("{name}:{}: {error}\n{}", moment.line, run.story()))?;
        }
        now = now + scenario.step;
    }
    match moments.next() {
        None => Ok(()),
        Some(late) => Err(format!("{name}:{}: after the end of the scenario", late.line)),
    }
}

struct Run {
    world: World,
    settings: Settings,
    /// None while the server is dead.
    state: Option<State>,
    dead_until: Timestamp,
    /// What the store holds: what a restarted server starts from.
    saved: BTreeMap<IncidentId, Incident>,
    alerts: BTreeMap<ServiceName, Alert>,
    readings: Vec<Reading>,
    changes: Vec<Change>,
    journal: Vec<JournalDraft>,
    /// Receipts that no server has taken yet.
    receipts: Vec<Receipt>,
    verdicts_seen: BTreeSet<(ServiceName, &'static str)>,
    refusals: Vec<String>,
}

impl Run {
    fn new(scenario: &Scenario) -> Self {
        let settings = settings(scenario);
        Self {
            world: World::new(scenario, START, SEED),
            state: Some(State::new(settings.clone(), Vec::new(), START)),
            settings,
            dead_until: START,
            saved: BTreeMap::new(),
            alerts: BTreeMap::new(),
            readings: Vec::new(),
            changes: Vec::new(),
            journal: Vec::new(),
            receipts: Vec::new(),
            verdicts_seen: BTreeSet::new(),
            refusals: Vec::new(),
        }
    }

    fn turn(&mut self, now: Timestamp) {
        let readings = self.world.readings(now);
        self.receipts.extend(self.world.undo_leases(now));
        self.readings.extend(readings.clone());
        self.revive(now);
        self.feed(now, Event::Readings(readings));
        self.feed(now, Event::Reached { agent: AGENT.into(), reach: self.world.reach() });
        self.carry(now);
        self.feed(now, Event::Tick);
        self.carry(now);
        let Some(state) = &self.state else { return };
        for assessment in state.assessments() {
            self.verdicts_seen.insert((assessment.service.clone(), assessment.verdict.name()));
        }
    }

    fn revive(&mut self, now: Timestamp) {
        if self.state.is_some() || now < self.dead_until {
            return;
        }
        let saved = self.saved.values().cloned().collect();
        let alerts = self.alerts.values().cloned().collect();
        let state = State::new(self.settings.clone(), saved, now).with_alerts(alerts);
        self.state = Some(state);
        self.feed(now, Event::Readings(self.readings.clone()));
        for change in self.changes.clone() {
            self.feed(now, Event::Changed(change));
        }
        // A server's first tick comes before any agent has spoken.
        self.feed(now, Event::Tick);
    }

    /// Commands to the agent, receipts back, as long as a server is there to hear.
    fn carry(&mut self, now: Timestamp) {
        if let Some(state) = &self.state {
            let commands: Vec<_> = state.outstanding(AGENT).into_iter().cloned().collect();
            for command in commands {
                self.receipts.push(self.world.perform(&command, now));
            }
            for receipt in std::mem::take(&mut self.receipts) {
                self.feed(now, Event::Received(receipt));
            }
        }
    }

    fn feed(&mut self, now: Timestamp, event: Event) {
        let Some(state) = &mut self.state else { return };
        for effect in step(state, now, event) {
            match effect {
                Effect::Record(draft) => self.journal.push(draft),
                Effect::Save(incident) => {
                    self.saved.insert(incident.id.clone(), *incident);
                }
                Effect::SaveAlert(service, alert) => {
                    self.alerts.remove(&service);
                    self.alerts.extend(alert.map(|alert| (service, alert)));
                }
                Effect::Refuse(refusal) => self.refusals.push(refusal.to_string()),
            }
        }
    }

    fn changed(&mut self, now: Timestamp, change: Change) {
        self.changes.push(change.clone());
        self.feed(now, Event::Changed(change));
    }

    fn deed(&mut self, deed: &Deed, now: Timestamp) -> Result<(), String> {
        match deed {
            Deed::Deploy { service, version } => {
                let change = self.world.deploy(service, version, now);
                self.changed(now, change);
            }
            Deed::Configure { service, key } => {
                let change = self.world.configure(service, key, now);
                self.changed(now, change);
            }
            Deed::Restart { instance } => {
                let change = self.world.restart(instance, now);
                let change = change.ok_or_else(|| format!("there is no {instance}"))?;
                self.changed(now, change);
            }
            Deed::Gap { service, length } => self.world.silence(service, now + *length),
            Deed::BreakReplacement { service } => self.world.break_replacement(service),
            Deed::KillServer { length } => {
                self.state = None;
                self.dead_until = now + *length;
            }
            Deed::Approve { service, approver } => self.approve(service, approver, now)?,
            Deed::Expect(expected) => self.expect(expected)?,
        }
        Ok(())
    }

    fn approve(
        &mut self,
        service: &ServiceName,
        approver: &str,
        now: Timestamp,
    ) -> Result<(), String> {
        let plan = self.newest(service)?.plan.clone();
        let plan = plan.ok_or_else(|| format!("{service} has no plan to approve"))?;
        let approval = Approval {
            plan: plan.id,
            digest: plan.digest,
            evidence: plan.draft.evidence,
            approver: approver.into(),
            at: now,
        };
        self.feed(now, Event::Approved(approval));
        self.carry(now);
        Ok(())
    }

    fn newest(&self, service: &ServiceName) -> Result<&Incident, String> {
        let of = self.saved.values().filter(|incident| incident.service == *service);
        of.max_by_key(|i| i.opened_at).ok_or_else(|| format!("there is no incident of {service}"))
    }

    fn expect(&self, expected: &Expect) -> Result<(), String> {
        match expected {
            Expect::Verdict { service, .. } => self.expect_verdict(service, expected),
            Expect::Never { service, verdict } => {
                let seen = self.verdicts_seen.contains(&(service.clone(), verdict.name()));
                check(!seen, || format!("{service} was {verdict} at some time"))
            }
            Expect::Alert { service, level, urgency } => {
                let found = self.alerts.get(service).map(|alert| (alert.level, alert.urgency));
                check(found == Some((*level, *urgency)), || format!("alert: {found:?}"))
            }
            Expect::NoAlert { service } => {
                let found = self.alerts.get(service);
                check(found.is_none(), || format!("{found:?}"))
            }
            Expect::NoIncident { service } => {
                let found = self.newest(service).ok().map(|i| i.opened_on.reason.clone());
                check(found.is_none(), || format!("{service} has an incident: {found:?}"))
            }
            Expect::Runs { instance, version } => {
                let runs = self.world.version_of(instance);
                check(runs == Some(version), || format!("{instance} runs {runs:?}"))
            }
            Expect::ApprovalRefused { because } => {
                let found = self.refusals.iter().any(|refusal| refusal.contains(because));
                check(found, || format!("refusals: {:?}", self.refusals))
            }
            Expect::PlanVoid { service, because } => {
                let id = &self.newest(service)?.id;
                let found = self.journal.iter().any(|entry| {
                    entry.kind == JournalKind::PlanVoid
                        && entry.incident.as_ref() == Some(id)
                        && entry.why.contains(because.as_str())
                });
                check(found, || "no plan became void for that reason".into())
            }
            Expect::LeaseUndone { service } => {
                let written = self.journal.iter().any(|e| e.kind == JournalKind::LeaseUndone);
                check(written, || "nobody wrote down that a lease was undone".into())?;
                expected.check_incident(self.newest(service)?)
            }
            Expect::Plan { service, .. }
            | Expect::NoPlan { service, .. }
            | Expect::Waiting { service }
            | Expect::Outcome { service, .. }
            | Expect::Recurrence { service }
            | Expect::Parked { service, .. }
            | Expect::Growing { service, .. } => expected.check_incident(self.newest(service)?),
        }
    }

    fn expect_verdict(&self, service: &ServiceName, expected: &Expect) -> Result<(), String> {
        let Expect::Verdict { verdict, cause, since, only, because, .. } = expected else {
            unreachable!("only called for verdicts")
        };
        let state = self.state.as_ref().ok_or("the server is dead")?;
        let found = state.assessments().find(|assessment| assessment.service == *service);
        let Some(found) = found else {
            return check(*verdict == Verdict::Undecided, || "it was never assessed".into());
        };
        let told = || {
            format!(
                "{service} is {} ({}), confidence {:.2}, since {:?}, {:?}: {}",
                found.verdict,
                found.cause,
                found.confidence,
                found.suspected_change,
                found.instances,
                found.reason
            )
        };
        check(found.verdict == *verdict, told)?;
        check(cause.is_none_or(|cause| cause == found.cause), told)?;
        check(only.as_ref().is_none_or(|only| found.instances == [only.clone()]), told)?;
        check(because.as_ref().is_none_or(|text| found.reason.contains(text.as_str())), told)?;
        let change = found.suspected_change.as_ref();
        let since_fits = since.as_ref().is_none_or(|since| match (since, change) {
            (Since::Nothing, blamed) => blamed.is_none(),
            (Since::Change(..), None) => false,
            (Since::Change(kind, version), Some(blamed)) => {
                blamed.kind == *kind && (version.is_none() || blamed.version == *version)
            }
        });
        check(since_fits, told)
    }

    fn story(&self) -> String {
        let lines = self.journal.iter().map(|e| format!("    {}: {} ({})", e.kind, e.what, e.why));
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn settings(scenario: &Scenario) -> Settings {
    let mut settings = Settings::default();
    settings.assess_every = settings.assess_every.max(scenario.step);
    settings.agent_lost_after =
        settings.agent_lost_after.max(Span::from_millis(scenario.step.as_millis() * 3));
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
