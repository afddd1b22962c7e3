//! The incident book: opening, finding, keeping within bounds.

use std::collections::BTreeMap;

use plimsoll_model::{
    Assessment, Incident, IncidentId, IncidentState, JournalDraft, JournalKind, Measured, Outcome,
    OutcomeKind, Receipt, ReceiptResult, Timestamp,
};

use crate::state::State;
use crate::step::Effect;

#[derive(Debug, Default)]
pub(crate) struct Book {
    incidents: BTreeMap<IncidentId, Incident>,
}

impl Book {
    pub(crate) fn restored(incidents: Vec<Incident>) -> Self {
        Self { incidents: incidents.into_iter().map(|i| (i.id.clone(), i)).collect() }
    }

    pub(crate) fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values()
    }

    pub(crate) fn get(&self, id: &IncidentId) -> Option<&Incident> {
        self.incidents.get(id)
    }

    pub(crate) fn open_ids(&self) -> Vec<IncidentId> {
        let open = self.incidents.values().filter(|incident| incident.is_open());
        open.map(|incident| incident.id.clone()).collect()
    }

    /// Takes an incident out to be advanced; it goes back with [`Self::put`].
    pub(crate) fn take(&mut self, id: &IncidentId) -> Option<Incident> {
        self.incidents.remove(id)
    }

    pub(crate) fn put(&mut self, incident: Incident) {
        self.incidents.insert(incident.id.clone(), incident);
    }

    /// A name for a new incident that no other one has.
    fn free_id(&self, assessment: &Assessment, now: Timestamp) -> IncidentId {
        let seconds = now.as_millis().div_euclid(1000);
        // A service name may be as long as an identifier is allowed to be, so only its head is used.
        let head: String = assessment.service.as_str().chars().take(48).collect();
        let id = |second: i64| {
            IncidentId::new(&format!("inc-{head}-{second}")).expect("short and printable")
        };
        let free = (seconds..).map(id).find(|id| !self.incidents.contains_key(id));
        free.expect("the book is bounded, so a later second is free")
    }

    /// Forgets the oldest incidents that are over, down to the bound.
    fn trim(&mut self, incidents_max: usize) {
        while self.incidents.len() > incidents_max {
            let over = self.incidents.values().filter(|incident| !incident.is_open());
            let Some(oldest) = over.min_by_key(|i| i.opened_at).map(|i| i.id.clone()) else {
                return;
            };
            self.incidents.remove(&oldest);
        }
    }

    /// Whether this leak has been told already: by an incident that is not over, or by one that
    /// ended after the leak began. A masked leak is the same leak and does not open a second one; a
    /// parked one stands for its own cause only.
    fn tells(&self, assessment: &Assessment) -> bool {
        let same = |incident: &&Incident| {
            incident.service == assessment.service && incident.opened_on.metric == assessment.metric
        };
        self.incidents.values().filter(same).any(|incident| match &incident.state {
            IncidentState::Diagnosing { .. } | IncidentState::Running { .. } => true,
            IncidentState::Parked { .. } => {
                incident.opened_on.suspected_change == assessment.suspected_change
            }
            // Stable is not cured: what comes back is told again.
            IncidentState::Closed(outcome) if outcome.kind == OutcomeKind::Stabilised => false,
            IncidentState::Closed(outcome) => {
                assessment.onset.is_none_or(|onset| onset <= outcome.at)
            }
        })
    }
}

/// Opens an incident for every leak that is settled and not told yet.
pub(crate) fn open_incidents(state: &mut State, now: Timestamp) -> Vec<Effect> {
    let settled: Vec<_> = state.verdicts.settled(&state.settings).cloned().collect();
    let mut effects = Vec::new();
    for assessment in settled {
        if state.book.tells(&assessment) {
            continue;
        }
        let id = state.book.free_id(&assessment, now);
        let incident = opened(id, assessment, now);
        effects.push(Effect::Record(told(&incident)));
        effects.push(Effect::Save(incident.clone().into()));
        state.book.put(incident);
    }
    state.book.trim(state.settings.incidents_max);
    effects
}

/// Closes parked incidents whose service is steady again: somebody acted, or it went by itself.
/// Until then a parked incident stands for its leak, and no second one is opened.
pub(crate) fn close_recovered(state: &mut State, now: Timestamp) -> Vec<Effect> {
    let State { verdicts, book, .. } = state;
    let mut effects = Vec::new();
    for incident in book.incidents.values_mut() {
        let IncidentState::Parked { .. } = &incident.state else { continue };
        let Some(latest) = verdicts.recovered(&incident.service) else { continue };
        if holds_lease(incident) {
            continue;
        }
        let outcome = Outcome {
            kind: OutcomeKind::Stabilised,
            at: now,
            growth_before: incident.opened_on.growth,
            compared: Vec::new(),
            recurrence: None,
            reason: format!("it is steady by now, and no plan did it: {}", latest.reason),
        };
        effects.push(Effect::Record(closed(incident, &outcome)));
        incident.state = IncidentState::Closed(outcome);
        effects.push(Effect::Save(incident.clone().into()));
    }
    effects
}

/// Whether a limit still stands that this incident asked for: what is steady under it proves nothing.
fn holds_lease(incident: &Incident) -> bool {
    let undone = |taken: &Receipt| {
        incident.receipts.iter().any(|receipt| {
            receipt.command == taken.command && matches!(receipt.result, ReceiptResult::Undone(_))
        })
    };
    let taken = |receipt: &&Receipt| {
        matches!(receipt.result, ReceiptResult::Done(Measured::Limited { .. }))
    };
    incident.receipts.iter().filter(taken).any(|receipt| !undone(receipt))
}

fn closed(incident: &Incident, outcome: &Outcome) -> JournalDraft {
    JournalDraft {
        kind: JournalKind::IncidentClosed,
        who: "plimsoll/control".into(),
        incident: Some(incident.id.clone()),
        plan: None,
        what: format!("{} is closed", incident.id),
        why: outcome.reason.clone(),
        facts: Vec::new(),
    }
}

fn opened(id: IncidentId, assessment: Assessment, now: Timestamp) -> Incident {
    Incident {
        id,
        service: assessment.service.clone(),
        opened_at: now,
        opened_on: assessment,
        state: IncidentState::Diagnosing { next_at: now },
        subject: None,
        capturing: None,
        captures: Vec::new(),
        diagnosis: None,
        plan: None,
        approval: None,
        receipts: Vec::new(),
        ended_steps: Vec::new(),
    }
}

fn told(incident: &Incident) -> JournalDraft {
    let assessment = &incident.opened_on;
    let change = assessment.suspected_change.as_ref();
    let mut facts = vec![("confidence".to_owned(), format!("{:.4}", assessment.confidence))];
    if let Some(growth) = assessment.growth {
        facts.push(("growth".into(), growth.to_string()));
    }
    if let Some(change) = change {
        let version = change.version.as_ref().map_or("", |version| version.as_str());
        facts.push(("suspected_change".into(), format!("{} {version}", change.kind)));
    }
    for evidence in &assessment.evidence {
        let text =
            format!("{} ({}, weight {:+.2})", evidence.claim, evidence.source, evidence.weight);
        facts.push(("evidence".into(), text));
    }
    JournalDraft {
        kind: JournalKind::IncidentOpened,
        who: "plimsoll/control".into(),
        incident: Some(incident.id.clone()),
        plan: None,
        what: format!("{} is leaking ({})", incident.service, assessment.cause),
        why: assessment.reason.clone(),
        facts,
    }
}
