//! What the demo has seen, as a table for people and as JSON for programs.

use std::path::Path;

use plimsoll_model::{Assessment, Timestamp};
use plimsoll_wire::api::{IncidentView, ServiceView};
use plimsoll_wire::format_time;
use plimsoll_wire::incident::{IncidentRecord, IncidentStateShape};
use plimsoll_wire::receipt::{MeasuredShape, ReceiptResultShape, ReceiptShape};
use plimsoll_wire::scan::ScanService;
use plimsoll_wire::story::{Story, StoryAudit, StoryIncident, StoryLease};
use plimsoll_wire::words::{CauseWord, ChangeWord, VerdictWord};

use super::StoryKind;
use super::fleet::ORDERS_BAD;
use super::load::LoadTotals;
use super::script::seconds;
use crate::clock;
use crate::output::{clip, narrow_table, say};

/// Columns of the table, 100 characters with the gaps between them.
const WIDTHS: [usize; 4] = [6, 26, 31, 31];

/// Characters of a cell; the whole text is in the JSON and in the journal.
const CELL: usize = 220;

/// The services of the fleet that have a fault.
const FAULTY: [&str; 2] = ["orders", "ledger"];

/// The demo as it is told.
#[derive(Debug)]
pub(super) struct Tale {
    began_at: Timestamp,
    bad_deploy_at: Option<Timestamp>,
    rows: Vec<[String; 4]>,
    /// Steps of the plan that have been told already.
    steps_told: usize,
    incident: Option<IncidentRecord>,
    services: Vec<ServiceView>,
    /// Services that somebody was called for, and nothing was wrong with.
    accused: Vec<String>,
    lease: Option<StoryLease>,
    skipped: Vec<String>,
    audit: StoryAudit,
}

impl Tale {
    pub(super) fn new(skipped: Vec<String>) -> Self {
        Self {
            began_at: clock::now(),
            bad_deploy_at: None,
            rows: Vec::new(),
            steps_told: 0,
            incident: None,
            services: Vec::new(),
            accused: Vec::new(),
            lease: None,
            skipped,
            audit: StoryAudit::default(),
        }
    }

    /// One line of the story, told at once on standard error.
    pub(super) fn happened(&mut self, what: &str, why: &str, effect: &str) {
        let after = format!("{:.0} s", seconds(self.began_at, clock::now()));
        say(&format!("[{after:>6}] {what}{}", in_brackets(why, effect)));
        let cell = |text: &str| clip(&short_paths(text), CELL);
        self.rows.push([after, cell(what), cell(why), cell(effect)]);
    }

    pub(super) fn bad_deploy(&mut self, at: Timestamp) {
        self.bad_deploy_at = Some(at);
    }

    pub(super) fn incident_opened(&mut self, view: &IncidentView) {
        let Some(opened_on) = opened_on(&view.incident) else { return };
        let confidence = format!("confidence {:.2}", opened_on.confidence);
        let what = format!("orders is {} ({})", opened_on.verdict.word(), opened_on.cause.word());
        self.happened(&what, &opened_on.reason, &confidence);
        self.incident = Some(view.incident.clone());
    }

    pub(super) fn diagnosed(&mut self, view: &IncidentView) {
        let diagnosis = view.incident.diagnosis.as_ref();
        if let Some(best) = diagnosis.and_then(|diagnosis| diagnosis.explanations.first()) {
            let why = diagnosis.map_or("", |diagnosis| diagnosis.chosen_because.as_str());
            self.happened("diagnosed", why, &best.summary);
        }
        self.steps(view);
        if let Some(plan) = &view.incident.plan {
            let what = format!("{} waits for approval", plan.id);
            self.happened(&what, &plan.draft.reason, "");
        }
    }

    /// Tells the steps that have ended since the last look.
    pub(super) fn steps(&mut self, view: &IncidentView) {
        let ended = &view.incident.ended_steps;
        // A plan that replaced another one begins at its first step again.
        let told = if self.steps_told > ended.len() { 0 } else { self.steps_told };
        for end in ended.iter().skip(told) {
            self.step(&view.incident, end.step, &end.effect);
        }
        self.steps_told = ended.len();
    }

    pub(super) fn without_lease(&mut self, view: &IncidentView) {
        let plan = view.incident.plan.as_ref();
        let why = plan.map_or_else(String::new, |plan| plan.draft.reason.clone());
        self.skipped.push(format!("lease: {why}"));
        self.happened("no lease is taken", &why, "");
    }

    pub(super) fn lease_taken(&mut self, view: &IncidentView, killed_at: Timestamp) {
        let taken = view.incident.receipts.iter().find_map(|receipt| match &receipt.result {
            ReceiptResultShape::Done { measured: MeasuredShape::Limited { what, after, .. } } => {
                Some((receipt.ended_at.clone(), what.clone(), after.clone()))
            }
            ReceiptResultShape::Done { .. }
            | ReceiptResultShape::Refused { .. }
            | ReceiptResultShape::Failed { .. }
            | ReceiptResultShape::Undone { .. } => None,
        });
        let Some((taken_at, what, after)) = taken else { return };
        self.lease = Some(StoryLease {
            taken_at,
            server_killed_at: Some(format_time(killed_at)),
            undone_at: None,
            what: what.clone(),
        });
        let why = "a containment must end by itself";
        self.happened("the server is killed (SIGKILL)", why, &format!("{what} is {after}"));
    }

    pub(super) fn lease_undone(&mut self, at: Timestamp, file: &str, before: &str) {
        if let Some(lease) = &mut self.lease {
            lease.undone_at = Some(format_time(at));
        }
        let effect = format!("{file} is {before} again");
        self.happened("the lease has ended", "nobody is there to end it", &effect);
    }

    pub(super) fn approved(&mut self, plan: &str, approver: &str) {
        self.happened(&format!("{plan} is approved"), &format!("by {approver}"), "");
    }

    pub(super) fn ended(&mut self, view: &IncidentView) {
        self.steps(view);
        if let IncidentStateShape::Closed { outcome } = &view.incident.state {
            let what = format!("outcome: {}", outcome.kind.word());
            let recurrence = outcome.recurrence.as_ref();
            let effect = recurrence
                .map_or_else(String::new, |when| format!("full again about {}", when.p50));
            self.happened(&what, &outcome.reason, &effect);
        }
        self.incident = Some(view.incident.clone());
    }

    pub(super) fn services(&mut self, services: Vec<ServiceView>) {
        for view in &services {
            let ScanService { service, verdict, cause, reason, .. } = &view.assessment;
            if service != "orders" {
                let what = format!("{service} is {} ({})", verdict.word(), cause.word());
                self.happened(&what, reason, "");
            }
        }
        self.services = services;
    }

    /// Nothing may be said of anything but the two services that have a fault.
    pub(super) fn incidents(&mut self, incidents: Vec<IncidentRecord>) {
        let others = incidents.into_iter().map(|incident| incident.service);
        self.accused.extend(others.filter(|name| !FAULTY.contains(&name.as_str())));
    }

    pub(super) fn load(&mut self, totals: LoadTotals) {
        let LoadTotals { sent, ok, failed, dropped } = totals;
        let effect = format!("{ok} of {sent} orders answered, {failed} failed, {dropped} dropped");
        self.happened("the load ends", "", &effect);
    }

    /// Checks the journal as `plimsoll audit verify` does, offline.
    pub(super) fn audit(&mut self, data: std::path::PathBuf) {
        self.audit = verified(&data);
        let effect = match self.audit.verified {
            true => format!("{} entries, unbroken", self.audit.entries),
            false => "the chain is broken".into(),
        };
        self.happened(
            "the journal is verified",
            "every step is in it, chained by digests",
            &effect,
        );
    }

    pub(super) fn table(&self) -> String {
        let headings = ["after", "what", "why", "measured effect"];
        let lines = narrow_table(headings, WIDTHS, &self.rows);
        lines.join("\n") + "\n"
    }

    pub(super) fn story(&self) -> Story {
        let outcome = self.incident.as_ref().and_then(|incident| match &incident.state {
            IncidentStateShape::Closed { outcome } => Some(outcome.clone()),
            IncidentStateShape::Diagnosing { .. }
            | IncidentStateShape::Running { .. }
            | IncidentStateShape::Parked { .. } => None,
        });
        let receipts = self.incident.as_ref().map_or_else(Vec::new, |i| i.receipts.clone());
        Story {
            services: self.verdicts(),
            incident: self.incident.as_ref().map(|incident| self.brief(incident)),
            receipts: receipts.into_iter().map(shortened).collect(),
            lease: self.lease.clone(),
            outcome: outcome.as_ref().map(|outcome| outcome.kind),
            predicted_recurrence: outcome.and_then(|outcome| outcome.recurrence),
            skipped: self.skipped.clone(),
            audit: self.audit,
        }
    }

    /// What the story still owes, in words; nothing when it is right.
    pub(super) fn missing(&self, kind: StoryKind) -> Vec<String> {
        let story = self.story();
        let skipped = |name: &str| story.skipped.iter().any(|line| line.starts_with(name));
        let mut missing = Vec::new();
        let mut owe = |holds: bool, what: &str| {
            if !holds {
                missing.push(what.to_owned());
            }
        };
        owe(story.outcome == Some(kind.outcome()), "the outcome is another one");
        owe(convicted(&story), "orders is not leaking since the deploy of the bad version");
        owe(story.incident.is_some_and(|i| i.growing_class.is_some()), "no growing class");
        let is = |name: &str, verdict| {
            let found = story.services.iter().find(|service| service.service == name);
            skipped(name) || found.is_some_and(|service| service.verdict == verdict)
        };
        owe(is("ledger", VerdictWord::Leaking), "ledger is not leaking");
        owe(is("catalog", VerdictWord::Steady), "catalog is not steady");
        owe(is("recommend", VerdictWord::Steady), "recommend is not steady");
        if kind == StoryKind::Fixed {
            let undone = story.lease.as_ref().is_some_and(|lease| lease.undone_at.is_some());
            owe(undone || skipped("lease"), "no lease was seen to end");
        } else {
            owe(story.predicted_recurrence.is_some(), "no recurrence is predicted");
        }
        owe(self.accused.is_empty(), &format!("accused without a fault: {:?}", self.accused));
        owe(story.audit.verified, "the journal is not verified");
        missing
    }

    /// The assessment that opened the incident for the service that had one, the last one for all
    /// others: after the rollback nothing leaks any more.
    fn verdicts(&self) -> Vec<ScanService> {
        let verdict = |view: &ServiceView| match &self.incident {
            Some(incident) if incident.service == view.assessment.service => {
                opened_on(incident).unwrap_or_else(|| view.assessment.clone())
            }
            Some(_) | None => view.assessment.clone(),
        };
        self.services.iter().map(verdict).collect()
    }

    fn brief(&self, incident: &IncidentRecord) -> StoryIncident {
        let opened_at = incident.opened_at.parse::<jiff::Timestamp>().ok();
        let detected = opened_at.zip(self.bad_deploy_at).map(|(opened, deployed)| {
            seconds(deployed, Timestamp::from_millis(opened.as_millisecond()))
        });
        let top = incident.diagnosis.as_ref().and_then(|diagnosis| diagnosis.growing.first());
        let change = opened_on(incident).and_then(|service| service.suspected_change);
        StoryIncident {
            service: incident.service.clone(),
            version: change.and_then(|change| change.version),
            detected_after_s: detected.unwrap_or_default(),
            growing_class: top.map(|top| top.name.clone()),
            growing_class_share: top.map(|top| top.group_share),
        }
    }

    fn step(&mut self, incident: &IncidentRecord, step: u64, effect: &str) {
        let steps = incident.plan.as_ref().map(|plan| plan.draft.steps.as_slice());
        let index = usize::try_from(step).unwrap_or(usize::MAX);
        let Some(step) = steps.and_then(|steps| steps.get(index)) else { return };
        self.happened(step.phase.word(), &step.reason, effect);
    }
}

/// What the incident was opened on, as a scan says it.
fn opened_on(incident: &IncidentRecord) -> Option<ScanService> {
    Assessment::try_from(incident.opened_on.clone()).ok().map(|opened_on| (&opened_on).into())
}

fn convicted(story: &Story) -> bool {
    let orders = story.services.iter().find(|service| service.service == "orders");
    orders.is_some_and(|orders| {
        let change = orders.suspected_change.as_ref();
        orders.verdict == VerdictWord::Leaking
            && orders.cause == CauseWord::Heap
            && change.is_some_and(|change| {
                change.kind == ChangeWord::Deploy && change.version.as_deref() == Some(ORDERS_BAD)
            })
    })
}

/// Types of a histogram that a story repeats; all of them are in the incident.
const TYPES_TOLD: usize = 20;

fn shortened(mut receipt: ReceiptShape) -> ReceiptShape {
    if let ReceiptResultShape::Done { measured: MeasuredShape::Counted { types, .. } } =
        &mut receipt.result
    {
        types.truncate(TYPES_TOLD);
    }
    receipt
}

fn verified(data: &Path) -> StoryAudit {
    match plimsoll_store::verify(data) {
        Ok(found) => StoryAudit { entries: found.entries, verified: found.verified },
        Err(error) => {
            say(&crate::exit::with_sources(&error));
            StoryAudit::default()
        }
    }
}

/// Words that are long paths, by their last two parts: the folder of an instance and the file.
fn short_paths(text: &str) -> String {
    let short = |word: &str| match word.rsplit('/').collect::<Vec<_>>().as_slice() {
        [file, folder, _, _, ..] if word.starts_with('/') => format!(".../{folder}/{file}"),
        _ => word.to_owned(),
    };
    text.split(' ').map(short).collect::<Vec<_>>().join(" ")
}

fn in_brackets(why: &str, effect: &str) -> String {
    match (why, effect) {
        ("", "") => String::new(),
        (text, "") | ("", text) => format!(": {text}"),
        (why, effect) => format!(": {why}; {effect}"),
    }
}
