//! Everything the loop remembers, and what can be asked of it.

use std::collections::BTreeMap;

use plimsoll_model::{
    Alert, Assessment, Command, Incident, IncidentId, IncidentState, InstanceName, Reach, Reading,
    ServiceHistory, ServiceName, Span, StepWait, Timestamp,
};

use crate::alerts::Alerts;
use crate::book::Book;
use crate::fleet::Fleet;
use crate::observe::Verdicts;
use crate::settings::Settings;

#[derive(Debug)]
pub struct State {
    pub(crate) settings: Settings,
    pub(crate) fleet: Fleet,
    pub(crate) verdicts: Verdicts,
    pub(crate) alerts: Alerts,
    pub(crate) book: Book,
    pub(crate) agents: BTreeMap<String, AgentSeen>,
    /// When this run began, or went on after a pause of the whole process. Nobody can have
    /// answered before.
    pub(crate) resumed_at: Timestamp,
    pub(crate) ticked_at: Timestamp,
}

/// What an agent said last.
#[derive(Clone, Debug)]
pub(crate) struct AgentSeen {
    pub(crate) at: Timestamp,
    pub(crate) reach: Vec<Reach>,
}

impl State {
    /// A state with the incidents of an earlier run. Readings and changes of that run are replayed
    /// as events; they may come before or after the first live ones.
    pub fn new(settings: Settings, incidents: Vec<Incident>, now: Timestamp) -> Self {
        let book = Book::restored(incidents);
        let fleet = Fleet::new(settings.series, settings.services_max);
        Self {
            settings,
            fleet,
            verdicts: Verdicts::default(),
            alerts: Alerts::default(),
            book,
            agents: BTreeMap::new(),
            resumed_at: now,
            ticked_at: now,
        }
    }

    /// Goes on with the alerts that stood when an earlier run ended.
    #[must_use]
    pub fn with_alerts(mut self, alerts: Vec<Alert>) -> Self {
        self.alerts = Alerts::restored(alerts);
        self
    }

    pub fn alert(&self, service: &ServiceName) -> Option<&Alert> {
        self.alerts.get(service)
    }

    /// Standing alerts, in order of service.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.all()
    }

    /// Takes up a history of an earlier run as its outlines tell it. Before anything of this run.
    pub fn restore(&mut self, history: ServiceHistory) {
        self.fleet.restore(history);
    }

    /// Gives back a reading that a history which was taken up has in its outlines: curves are drawn
    /// from it.
    pub fn remember(&mut self, reading: &Reading) {
        self.fleet.remember(reading);
    }

    /// The newest assessment of every service, in order of name.
    pub fn assessments(&self) -> impl Iterator<Item = &Assessment> {
        self.verdicts.latest()
    }

    pub fn history(&self, service: &ServiceName) -> Option<&ServiceHistory> {
        self.fleet.history(service)
    }

    pub fn histories(&self) -> impl Iterator<Item = &ServiceHistory> {
        self.fleet.histories()
    }

    /// Readings refused because too many services were seen already.
    pub fn refused_readings(&self) -> u64 {
        self.fleet.refused
    }

    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.book.incidents()
    }

    pub fn incident(&self, id: &IncidentId) -> Option<&Incident> {
        self.book.get(id)
    }

    /// What an agent can do, for every instance in the reach of any agent.
    pub fn reach(&self) -> impl Iterator<Item = &Reach> {
        self.agents.values().flat_map(|agent| &agent.reach)
    }

    /// Commands that wait for their receipt, for the instances that `agent` reaches.
    pub fn outstanding(&self, agent: &str) -> Vec<&Command> {
        let Some(seen) = self.agents.get(agent) else { return Vec::new() };
        let reaches = |name: &InstanceName| seen.reach.iter().any(|r| r.instance == *name);
        let open = self.book.incidents().filter_map(waiting_for);
        open.filter(|command| reaches(&command.instance)).collect()
    }

    /// How long something has been waited for, not counting the time in which nobody could answer:
    /// before this run began, or while the whole process stood still.
    pub(crate) fn waited(&self, since: Timestamp, now: Timestamp) -> Span {
        now.since(since.max(self.resumed_at))
    }

    /// Whether the agents of a service have had the time to say what they reach. Until then an
    /// incident that was taken up again looks as if nobody could do anything about it.
    pub(crate) fn has_listened(&self, service: &ServiceName, now: Timestamp) -> bool {
        self.reach().any(|reach| reach.service == *service)
            || now.since(self.resumed_at) > self.settings.agent_lost_after
    }

    pub(crate) fn reach_of(&self, service: &ServiceName) -> Vec<&Reach> {
        let mut reach: Vec<_> = self.reach().filter(|reach| reach.service == *service).collect();
        reach.sort_by(|a, b| a.instance.cmp(&b.instance));
        reach
    }
}

fn waiting_for(incident: &Incident) -> Option<&Command> {
    match &incident.state {
        IncidentState::Diagnosing { .. } => incident.capturing.as_ref(),
        IncidentState::Running { wait: StepWait::Receipt(command), .. } => Some(command),
        IncidentState::Running { .. } | IncidentState::Parked { .. } | IncidentState::Closed(_) => {
            None
        }
    }
}
