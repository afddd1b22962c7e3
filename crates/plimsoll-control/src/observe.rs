//! Assessing every service, and telling when a verdict has changed.

use std::collections::BTreeMap;

use plimsoll_model::{
    Assessment, JournalDraft, JournalKind, ServiceName, SharedOnset, Timestamp, Verdict,
};

use crate::settings::Settings;
use crate::state::State;
use crate::step::Effect;

/// Assessments in a row that must say `steady` before a parked incident is closed. A minute at the
/// default pace: a verdict that flickers does not take an incident off somebody's list.
const STEADY_TO_CLOSE: u32 = 12;

/// Services that one entry of the journal names.
const NAMES_MAX: usize = 20;

/// The newest assessment of each service, and for how long it has said the same.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    by_service: BTreeMap<ServiceName, Standing>,
    assessed_at: Option<Timestamp>,
    /// Services that began to grow at one moment, by the newest round.
    shared: Option<SharedOnset>,
}

#[derive(Debug)]
struct Standing {
    latest: Assessment,
    /// Assessments in a row that said `leaking` with enough confidence.
    leaking_in_a_row: u32,
    /// Assessments in a row that said `steady`.
    steady_in_a_row: u32,
}

impl Verdicts {
    pub(crate) fn latest(&self) -> impl Iterator<Item = &Assessment> {
        self.by_service.values().map(|standing| &standing.latest)
    }

    pub(crate) fn of(&self, service: &ServiceName) -> Option<&Assessment> {
        self.by_service.get(service).map(|standing| &standing.latest)
    }

    /// Assessments that have said `leaking` often enough in a row to be followed up.
    pub(crate) fn settled<'a>(
        &'a self,
        settings: &'a Settings,
    ) -> impl Iterator<Item = &'a Assessment> {
        let settled = |standing: &&Standing| standing.leaking_in_a_row >= settings.open_after;
        self.by_service.values().filter(settled).map(|standing| &standing.latest)
    }

    /// Why a growth of this service may be none of its own.
    pub(crate) fn doubt(&self, service: &ServiceName) -> Option<&SharedOnset> {
        self.shared.as_ref().filter(|found| found.services.contains(service))
    }

    /// The newest assessment of a service that has been steady for long enough to be believed.
    pub(crate) fn recovered(&self, service: &ServiceName) -> Option<&Assessment> {
        let standing = self.by_service.get(service)?;
        (standing.steady_in_a_row >= STEADY_TO_CLOSE).then_some(&standing.latest)
    }

    fn put(&mut self, assessment: Assessment, settings: &Settings) -> Option<Effect> {
        let sure = assessment.verdict == Verdict::Leaking
            && assessment.confidence >= settings.open_confidence;
        let before = self.by_service.get(&assessment.service);
        let changed = before.is_none_or(|before| {
            (before.latest.verdict, before.latest.cause) != (assessment.verdict, assessment.cause)
        });
        let in_a_row = |count: Option<u32>, goes_on: bool| match goes_on {
            true => count.unwrap_or(0).saturating_add(1),
            false => 0,
        };
        let leaking_in_a_row = in_a_row(before.map(|b| b.leaking_in_a_row), sure);
        let steady = assessment.verdict == Verdict::Steady;
        let steady_in_a_row = in_a_row(before.map(|b| b.steady_in_a_row), steady);
        let effect = changed.then(|| Effect::Record(verdict_changed(&assessment)));
        let standing = Standing { latest: assessment, leaking_in_a_row, steady_in_a_row };
        self.by_service.insert(standing.latest.service.clone(), standing);
        effect
    }
}

/// Assesses all services when the last round is long enough ago.
pub(crate) fn observe(state: &mut State, now: Timestamp) -> Vec<Effect> {
    let due = state.verdicts.assessed_at.is_none_or(|at| {
        let since = now.since(at);
        since >= state.settings.assess_every || since.as_millis() < 0
    });
    if !due {
        return Vec::new();
    }
    state.verdicts.assessed_at = Some(now);
    let State { fleet, verdicts, alerts, settings, .. } = state;
    verdicts.by_service.retain(|service, _| fleet.history(service).is_some());
    let (mut effects, mut beginnings) = (alerts.forget(fleet), Vec::new());
    for history in fleet.histories() {
        let assessment = plimsoll_detect::assess(history, now);
        beginnings.extend(plimsoll_detect::beginning(history, &assessment));
        effects.extend(alerts.follow(&assessment, history));
        effects.extend(verdicts.put(assessment, settings));
    }
    let found = plimsoll_detect::shared_onset(&beginnings, now);
    if let Some(found) = found.as_ref().filter(|_| verdicts.shared.is_none()) {
        effects.push(Effect::Record(began_at_once(found)));
    }
    verdicts.shared = found;
    effects
}

/// Told when it comes up, not at every round while it stands.
fn began_at_once(found: &SharedOnset) -> JournalDraft {
    let names = found.services.iter().take(NAMES_MAX).map(ToString::to_string);
    JournalDraft {
        kind: JournalKind::VerdictChanged,
        who: "plimsoll/detect".into(),
        incident: None,
        plan: None,
        what: format!(
            "{} services began to grow at once; no plan is made for them",
            found.services.len()
        ),
        why: found.reason.clone(),
        facts: vec![
            ("chance".into(), format!("{:.1e}", found.chance)),
            ("services".into(), names.collect::<Vec<_>>().join(", ")),
        ],
    }
}

fn verdict_changed(assessment: &Assessment) -> JournalDraft {
    JournalDraft {
        kind: JournalKind::VerdictChanged,
        who: "plimsoll/detect".into(),
        incident: None,
        plan: None,
        what: format!("{} is {} ({})", assessment.service, assessment.verdict, assessment.cause),
        why: assessment.reason.clone(),
        facts: vec![
            ("confidence".into(), format!("{:.4}", assessment.confidence)),
            (
                "assessment".into(),
                plimsoll_wire::digest::evidence_digest(assessment, None).to_string(),
            ),
        ],
    }
}
