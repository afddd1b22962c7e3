//! Incidents as text for people. The JSON of the same commands has everything.

use plimsoll_model::{Bytes, Growth, Timestamp};
use plimsoll_wire::api::IncidentView;
use plimsoll_wire::assessment::{EvidenceShape, GrowthShape};
use plimsoll_wire::diagnosis::{DiagnosisShape, TypeGrowthShape};
use plimsoll_wire::incident::{IncidentRecord, IncidentStateShape, StepWaitShape};
use plimsoll_wire::outcome::OutcomeShape;
use plimsoll_wire::plan::PlanShape;

use crate::output::{clip, printable, table, wrap};

/// Growing types that are shown: the ones behind these are never the leak.
const TYPES_MAX: usize = 5;

/// Columns of a type's name.
const TYPE_CHARS_MAX: usize = 48;

/// One line an incident.
pub(super) fn list(incidents: &[IncidentRecord], now: Timestamp) -> String {
    if incidents.is_empty() {
        return "no incidents\n".to_owned();
    }
    let row = |incident: &IncidentRecord| {
        [
            clip(&incident.id, 44),
            clip(&incident.service, 20),
            incident.opened_on.cause.word().to_owned(),
            ago(&incident.opened_at, now),
            state(&incident.state),
        ]
    };
    let rows: Vec<_> = incidents.iter().map(row).collect();
    table(["incident", "service", "cause", "opened", "state"], &rows).join("\n") + "\n"
}

/// One incident, from its reason to its outcome.
pub(super) fn one(view: &IncidentView) -> String {
    let IncidentView { incident, timeline } = view;
    let opened = &incident.opened_on;
    let head = format!("{}  {}", incident.id, state(&incident.state));
    let mut lines = vec![printable(&head)];
    lines.extend(wrap(&opened.reason, 2));
    lines.extend(opened.evidence.iter().flat_map(evidence));
    if let IncidentStateShape::Parked { reason } = &incident.state {
        section(&mut lines, "Parked");
        lines.extend(wrap(reason, 2));
    }
    incident.diagnosis.iter().for_each(|diagnosis| add_diagnosis(&mut lines, diagnosis));
    incident.plan.iter().for_each(|plan| add_plan(&mut lines, plan, incident));
    if let IncidentStateShape::Closed { outcome } = &incident.state {
        add_outcome(&mut lines, outcome);
    }
    if !timeline.is_empty() {
        section(&mut lines, "What happened");
    }
    for entry in timeline {
        let text = format!("{}  {}: {} ({})", entry.at, entry.who, entry.what, entry.why);
        lines.extend(wrap(&text, 2));
    }
    lines.join("\n") + "\n"
}

fn section(lines: &mut Vec<String>, title: &str) {
    lines.extend([String::new(), title.to_owned()]);
}

fn evidence(evidence: &EvidenceShape) -> Vec<String> {
    wrap(&format!("{:+.1}  {} [{}]", evidence.weight, evidence.claim, evidence.source), 4)
}

fn add_diagnosis(lines: &mut Vec<String>, diagnosis: &DiagnosisShape) {
    section(lines, "Diagnosis");
    for explanation in &diagnosis.explanations {
        let sure = explanation.probability * 100.0;
        lines.extend(wrap(&format!("{sure:.0}%  {}", explanation.summary), 2));
    }
    let row = |growth: &TypeGrowthShape| {
        let each = growth.bytes_per_request.map(|bytes| format!("{bytes:.0} B"));
        [
            clip(&growth.name, TYPE_CHARS_MAX),
            format!("{:+}", growth.instances),
            Bytes(growth.bytes.unsigned_abs()).to_string(),
            format!("{:.0}%", growth.share * 100.0),
            each.unwrap_or_else(|| "-".to_owned()),
        ]
    };
    let rows: Vec<_> = diagnosis.growing.iter().take(TYPES_MAX).map(row).collect();
    if !rows.is_empty() {
        let laid_out = table(["growing type", "objects", "bytes", "share", "a request"], &rows);
        lines.extend(laid_out.into_iter().map(|line| format!("  {line}")));
    }
}

fn add_plan(lines: &mut Vec<String>, plan: &PlanShape, incident: &IncidentRecord) {
    section(lines, &format!("Plan {} ({})", printable(&plan.id), printable(&plan.digest)));
    lines.extend(wrap(&plan.draft.reason, 2));
    for (index, step) in (0_u64..).zip(&plan.draft.steps) {
        let ended = incident.ended_steps.iter().find(|end| end.step == index);
        let state = ended.map_or("waits", |end| end.effect.as_str());
        let text = format!("{}. {}: {} -> {state}", index + 1, step.phase.word(), step.reason);
        lines.extend(wrap(&text, 2));
    }
}

fn add_outcome(lines: &mut Vec<String>, outcome: &OutcomeShape) {
    section(lines, &format!("Outcome: {}", outcome.kind.word()));
    lines.extend(wrap(&outcome.reason, 2));
    for compared in &outcome.compared {
        let treated = if compared.treated { "treated" } else { "untreated" };
        let text = format!("{} ({treated}): {}", compared.instance, growth(compared.growth));
        lines.extend(wrap(&text, 4));
    }
    if let Some(recurrence) = &outcome.recurrence {
        lines.extend(wrap(&format!("the limit is reached again about {}", recurrence.p50), 2));
    }
}

fn growth(shape: GrowthShape) -> String {
    Growth { per_hour: shape.per_hour, unit: shape.unit.into() }.to_string()
}

fn state(state: &IncidentStateShape) -> String {
    match state {
        IncidentStateShape::Diagnosing { .. } => "diagnosing".to_owned(),
        IncidentStateShape::Running { wait: StepWaitShape::Approval, .. } => {
            "awaiting approval".to_owned()
        }
        IncidentStateShape::Running { step, .. } => format!("running step {}", step + 1),
        IncidentStateShape::Parked { .. } => "parked".to_owned(),
        IncidentStateShape::Closed { outcome } => format!("closed: {}", outcome.kind.word()),
    }
}

fn ago(at: &str, now: Timestamp) -> String {
    match at.parse::<jiff::Timestamp>() {
        Ok(at) => format!("{} ago", now.since(Timestamp::from_millis(at.as_millisecond()))),
        Err(_) => at.to_owned(),
    }
}
