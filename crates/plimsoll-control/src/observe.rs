//! Assessing every service, and telling when a verdict has changed.

use std::collections::{BTreeMap, VecDeque};

use plimsoll_model::{
    Assessment, JournalDraft, JournalKind, ServiceName, SharedOnset, Timestamp, Verdict,
};

use crate::settings::Settings;
use crate::state::State;
use crate::step::Effect;

/// Assessments in a row that must say `steady` before a parked incident is closed. A minute at the
/// default pace: a verdict that flickers does not take an incident off somebody's list.
const STEADY_TO_CLOSE: u32 = 12;

/// Rounds for which services that began to grow at once stay so when they are no longer seen to. A
/// minute at the default pace: one that lies at the edge and flickers is written down once, and no
/// plan slips through a gap.
const AT_ONCE_ROUNDS: usize = 12;

/// Services that one entry of the journal names.
const NAMES_MAX: usize = 20;

/// The newest assessment of each service, and for how long it has said the same.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    by_service: BTreeMap<ServiceName, Standing>,
    assessed_at: Option<Timestamp>,
    /// Services that began to grow at one moment, by each of the newest rounds; the newest last.
    shared: VecDeque<Option<SharedOnset>>,
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
        self.shared.iter().rev().flatten().find(|found| found.services.contains(service))
    }

    /// The newest assessment of a service that has been steady for long enough to be believed.
    pub(crate) fn recovered(&self, service: &ServiceName) -> Option<&Assessment> {
        let standing = self.by_service.get(service)?;
        (standing.steady_in_a_row >= STEADY_TO_CLOSE).then_some(&standing.latest)
    }

    /// Told when it comes up, not at every round while it stands.
    fn put_shared(&mut self, found: Option<SharedOnset>) -> Option<Effect> {
        let stands = self.shared.iter().any(Option::is_some);
        let told = found.as_ref().filter(|_| !stands).map(began_at_once);
        if self.shared.len() >= AT_ONCE_ROUNDS {
            self.shared.pop_front();
        }
        self.shared.push_back(found);
        told.map(Effect::Record)
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
    effects.extend(verdicts.put_shared(plimsoll_detect::shared_onset(&beginnings, now)));
    effects
}

fn began_at_once(found: &SharedOnset) -> JournalDraft {
    let names = found.services.iter().take(NAMES_MAX).map(ToString::to_string);
    JournalDraft {
        kind: JournalKind::SharedOnset,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_began_at_once_is_written_once_and_held_through_a_flicker() {
        let orders = ServiceName::new("orders").unwrap();
        let found = SharedOnset {
            services: vec![orders.clone()],
            from: Timestamp::from_secs(0),
            to: Timestamp::from_secs(0),
            chance: 1e-9,
            reason: "so it is".into(),
        };
        // One that it leaves out for a moment, as it lies at the edge of the window.
        let others = SharedOnset { services: Vec::new(), ..found.clone() };
        let mut verdicts = Verdicts::default();
        let mut round = |found: Option<&SharedOnset>| {
            let told = verdicts.put_shared(found.cloned()).is_some();
            (told, verdicts.doubt(&orders).is_some())
        };
        assert_eq!(round(None), (false, false));
        assert_eq!(round(Some(&found)), (true, true));
        assert_eq!(round(None), (false, true), "a gap releases no plan");
        assert_eq!(round(Some(&found)), (false, true), "and is not told again");
        assert_eq!(round(Some(&others)), (false, true));
        for _ in 0..AT_ONCE_ROUNDS - 2 {
            assert_eq!(round(None), (false, true));
        }
        assert_eq!(round(None), (false, false), "it is over");
        assert_eq!(round(None), (false, false));
        assert_eq!(round(Some(&found)), (true, true), "and comes up again");
    }
}
