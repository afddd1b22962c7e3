//! One event in, effects out.

use plimsoll_model::{
    Alert, Approval, Change, Incident, JournalDraft, JournalKind, Reach, Reading, Receipt,
    ReceiptResult, ServiceName, Timestamp,
};

use crate::approval::{self, ApprovalRefusal};
use crate::state::{AgentSeen, State};
use crate::{book, capture, observe, run};

/// Everything that can happen to the loop.
#[derive(Clone, Debug)]
pub enum Event {
    Readings(Vec<Reading>),
    Changed(Change),
    /// An agent asked for its commands, and said what it can reach.
    Reached {
        agent: String,
        reach: Vec<Reach>,
    },
    Received(Receipt),
    Approved(Approval),
    /// Time has passed.
    Tick,
}

/// What the shell is to do. The order matters: what is recorded and saved comes before anything
/// that follows from it.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Append to the journal.
    Record(JournalDraft),
    /// Keep this state of the incident; it replaces the one before.
    Save(Box<Incident>),
    /// Keep this alert about a service in place of the one before; none ends it.
    SaveAlert(ServiceName, Option<Alert>),
    /// Tell whoever gave the approval that it was not taken.
    Refuse(ApprovalRefusal),
}

/// Agents that are kept in mind; a further one is not heard.
const AGENTS_MAX: usize = 1024;

/// Advances the loop by one event at `now`.
pub fn step(state: &mut State, now: Timestamp, event: Event) -> Vec<Effect> {
    match event {
        Event::Readings(readings) => {
            readings.iter().for_each(|reading| state.fleet.record(reading));
            Vec::new()
        }
        Event::Changed(change) => {
            state.fleet.change(change);
            Vec::new()
        }
        Event::Reached { agent, reach } => reached(state, now, agent, reach),
        Event::Received(receipt) => received(state, now, receipt),
        Event::Approved(approval) => approval::approve(state, now, approval),
        Event::Tick => tick(state, now),
    }
}

fn tick(state: &mut State, now: Timestamp) -> Vec<Effect> {
    let paused = now.since(state.ticked_at);
    if paused > state.settings.agent_lost_after || paused.as_millis() < 0 {
        state.resumed_at = now;
    }
    state.ticked_at = now;
    let mut effects = forget_lost_agents(state, now);
    effects.extend(observe::observe(state, now));
    effects.extend(book::open_incidents(state, now));
    effects.extend(book::close_recovered(state, now));
    effects.extend(advance_all(state, now));
    effects
}

/// Moves every open incident as far as it can go now.
fn advance_all(state: &mut State, now: Timestamp) -> Vec<Effect> {
    let mut effects = Vec::new();
    for id in state.book.open_ids() {
        let Some(before) = state.book.take(&id) else { continue };
        if !state.has_listened(&before.service, now) {
            state.book.put(before);
            continue;
        }
        let mut incident = before.clone();
        capture::advance(state, &mut incident, now, &mut effects);
        run::advance(state, &mut incident, now, &mut effects);
        if incident != before {
            effects.push(Effect::Save(incident.clone().into()));
        }
        state.book.put(incident);
    }
    effects
}

fn reached(state: &mut State, now: Timestamp, agent: String, reach: Vec<Reach>) -> Vec<Effect> {
    let known = state.agents.contains_key(&agent);
    if !known && state.agents.len() >= AGENTS_MAX {
        return Vec::new();
    }
    let mut effects = Vec::new();
    if !known {
        let what = format!("agent {agent} reaches {} instances", reach.len());
        effects.push(agent_entry(JournalKind::AgentSeen, what));
    }
    state.agents.insert(agent, AgentSeen { at: now, reach });
    effects
}

fn forget_lost_agents(state: &mut State, now: Timestamp) -> Vec<Effect> {
    let patience = state.settings.agent_lost_after;
    let lost = |seen: &AgentSeen| now.since(seen.at) > patience;
    let names: Vec<_> =
        state.agents.iter().filter(|(_, seen)| lost(seen)).map(|(name, _)| name.clone()).collect();
    let forget = |name: String| {
        state.agents.remove(&name);
        let what =
            format!("agent {name} was not heard of for {patience}; its leases end by themselves");
        agent_entry(JournalKind::AgentLost, what)
    };
    names.into_iter().map(forget).collect()
}

fn agent_entry(kind: JournalKind, what: String) -> Effect {
    Effect::Record(JournalDraft {
        kind,
        who: "plimsoll/control".into(),
        incident: None,
        plan: None,
        what,
        why: "agents ask for their commands, so that nothing has to be open towards them".into(),
        facts: Vec::new(),
    })
}

/// Files a receipt with the incident that ordered the act. One that was filed before changes
/// nothing, so an agent may say everything again after a lost answer.
fn received(state: &mut State, now: Timestamp, receipt: Receipt) -> Vec<Effect> {
    let ordered = |incident: &&Incident| orders(incident, &receipt);
    let Some(id) = state.book.incidents().find(ordered).map(|incident| incident.id.clone()) else {
        return vec![Effect::Record(unexpected(&receipt))];
    };
    let Some(mut incident) = state.book.take(&id) else { return Vec::new() };
    let mut effects = Vec::new();
    if !incident.receipts.contains(&receipt) {
        effects.push(Effect::Record(receipt_entry(&incident, &receipt)));
        incident.receipts.push(receipt.clone());
        capture::received(&mut incident, &receipt, now);
        run::received(&mut incident, &receipt, now, &mut effects);
        effects.push(Effect::Save(incident.clone().into()));
    }
    state.book.put(incident);
    effects.extend(advance_all(state, now));
    effects
}

/// Whether the incident waits for this receipt, or has had one of the same command before: the
/// undoing of a lease comes under the id of the act that took it.
fn orders(incident: &Incident, receipt: &Receipt) -> bool {
    capture::waits_for(incident, receipt)
        || run::waits_for(incident, receipt)
        || incident.receipts.iter().any(|filed| filed.command == receipt.command)
}

/// Something was done that nobody waits for any more: it came too late, or its incident is
/// forgotten. It was done all the same, so it is written down.
fn unexpected(receipt: &Receipt) -> JournalDraft {
    JournalDraft {
        kind: JournalKind::Receipt,
        who: "plimsoll/agent".into(),
        incident: None,
        plan: None,
        what: described(receipt),
        why: "nobody waits for it any more".into(),
        facts: vec![("command".into(), receipt.command.to_string())],
    }
}

fn described(receipt: &Receipt) -> String {
    let measured = run::measured_in_words(receipt);
    format!("{} on {}: {measured}", receipt.action.name(), receipt.instance)
}

fn receipt_entry(incident: &Incident, receipt: &Receipt) -> JournalDraft {
    let (kind, why) = match &receipt.result {
        ReceiptResult::Undone(_) => (JournalKind::LeaseUndone, "its lease ended"),
        ReceiptResult::Done(_) => (JournalKind::Receipt, "it was ordered"),
        ReceiptResult::Refused(_) => (JournalKind::Receipt, "it was ordered, and refused"),
        ReceiptResult::Failed(_) => (JournalKind::Receipt, "it was ordered, and failed"),
    };
    JournalDraft {
        kind,
        who: "plimsoll/agent".into(),
        incident: Some(incident.id.clone()),
        plan: incident.plan.as_ref().map(|plan| plan.id.clone()),
        what: described(receipt),
        why: why.into(),
        facts: vec![("command".into(), receipt.command.to_string())],
    }
}
