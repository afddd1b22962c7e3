//! The standing alerts: each is followed at every assessment, and what becomes of it is written down
//! and kept, so that a restarted server neither raises nor ends one for that.
//!
//! Not here: when an alert is raised or over (`plimsoll_detect::follow`), or who is told.

use std::collections::BTreeMap;

use plimsoll_model::{
    Alert, AlertTurn, Assessment, JournalDraft, JournalKind, ServiceHistory, ServiceName,
};

use crate::fleet::Fleet;
use crate::step::Effect;

#[derive(Debug, Default)]
pub(crate) struct Alerts(BTreeMap<ServiceName, Alert>);

impl Alerts {
    /// Those that stood when an earlier run ended.
    pub(crate) fn restored(alerts: Vec<Alert>) -> Self {
        Self(alerts.into_iter().map(|alert| (alert.service.clone(), alert)).collect())
    }

    pub(crate) fn get(&self, service: &ServiceName) -> Option<&Alert> {
        self.0.get(service)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Alert> {
        self.0.values()
    }

    pub(crate) fn follow(
        &mut self,
        assessment: &Assessment,
        history: &ServiceHistory,
    ) -> Vec<Effect> {
        let service = &assessment.service;
        let before = self.0.remove(service);
        let (after, turn) = plimsoll_detect::follow(before.as_ref(), assessment, history);
        let told = after.as_ref().or(before.as_ref()).zip(turn);
        let mut effects: Vec<Effect> = told
            .map(|(alert, (turn, why))| Effect::Record(changed(alert, turn, why)))
            .into_iter()
            .collect();
        if after != before {
            effects.push(Effect::SaveAlert(service.clone(), after.clone()));
        }
        self.0.extend(after.map(|alert| (service.clone(), alert)));
        effects
    }

    /// Ends the alerts about services that are followed no more.
    pub(crate) fn forget(&mut self, fleet: &Fleet) -> Vec<Effect> {
        let gone = |service: &ServiceName, _: &mut Alert| fleet.history(service).is_none();
        let gone = self.0.extract_if(.., gone);
        let end = |(service, alert): (ServiceName, Alert)| {
            let why = "the service was not heard of for long, and others took its place";
            let written = changed(&alert, AlertTurn::Resolved, why.into());
            [Effect::Record(written), Effect::SaveAlert(service, None)]
        };
        gone.flat_map(end).collect()
    }
}

fn changed(alert: &Alert, turn: AlertTurn, why: String) -> JournalDraft {
    let Alert { service, level, urgency, raised_at, .. } = alert;
    JournalDraft {
        kind: JournalKind::AlertChanged,
        who: "plimsoll/detect".into(),
        incident: None,
        plan: None,
        what: format!("the alert about {service} is {turn}: {level}, {urgency}"),
        why,
        facts: vec![("raised_at".into(), plimsoll_wire::format_time(*raised_at))],
    }
}
