//! Services that begin to grow at one moment are told to a person, and no plan is made for them
//! while it stands; fewer are looked after one by one.

use plimsoll_control::{Effect, Event, Settings, State, step};
use plimsoll_decide::{Playbook, Policy};
use plimsoll_model::{
    Ability, Incident, IncidentState, InstanceName, JournalDraft, JournalKind, Metric, Reach,
    Reading, ServiceName, Span, Timestamp,
};

const MIB: f64 = 1_048_576.0;
const STEP: Span = Span::from_mins(10);
/// Four days: a shorter growth may be the day's.
const STEPS: i64 = 4 * 24 * 6;
/// When the growth begins.
const FROM: i64 = STEPS * 4 / 10;

fn moment(turn: i64) -> Timestamp {
    Timestamp::from_millis(STEP.as_millis() * turn)
}

fn service(number: usize) -> ServiceName {
    ServiceName::new(&format!("service-{number}")).expect("a name")
}

fn instance(number: usize, replica: usize) -> InstanceName {
    InstanceName::new(&format!("service-{number}-{replica}")).expect("a name")
}

fn readings(number: usize, replica: usize, turn: i64) -> Vec<Reading> {
    // A wobble of its own for each, a share of a percent.
    let wobble = ((turn * (7 + (2 * number + replica) as i64)) % 13) as f64 / 13.0;
    let grown = 1.6 * (turn - FROM).max(0) as f64;
    let held = (300.0 + 50.0 * number as f64) * (1.0 + 0.004 * wobble) + grown;
    let reading = |metric, value| Reading {
        at: moment(turn),
        service: service(number),
        version: None,
        instance: instance(number, replica),
        metric,
        value,
    };
    vec![
        reading(Metric::ContainerMemoryLimit, 2048.0 * MIB),
        reading(Metric::ContainerMemoryAnon, held * MIB),
    ]
}

fn reach(number: usize, replica: usize) -> Reach {
    Reach {
        service: service(number),
        instance: instance(number, replica),
        version: None,
        abilities: vec![Ability::SetMemoryHigh, Ability::Restart],
        missing: Vec::new(),
        versions: Vec::new(),
        predicted_pause: None,
    }
}

/// What is written down, and the incidents in the end, of so many services that begin together.
fn play(services: usize) -> (Vec<JournalDraft>, Vec<Incident>) {
    let policy = Policy { playbook: Playbook::RestartOnly, ..Policy::default() };
    let settings = Settings { policy, ..Settings::default() };
    let mut state = State::new(settings, Vec::new(), moment(0));
    let replicas = || (0..services).flat_map(|number| [(number, 0), (number, 1)]);
    let mut entries = Vec::new();
    for turn in 0..STEPS {
        let now = moment(turn) + Span::from_secs(1);
        let all = replicas().flat_map(|(number, replica)| readings(number, replica, turn));
        let reach = replicas().map(|(number, replica)| reach(number, replica)).collect();
        let reached = Event::Reached { agent: "agent".into(), reach };
        let all = all.collect();
        for event in [Event::Readings(all), reached, Event::Tick] {
            for effect in step(&mut state, now, event) {
                if let Effect::Record(draft) = effect {
                    entries.push(draft);
                }
            }
        }
    }
    (entries, state.incidents().cloned().collect())
}

fn count(entries: &[JournalDraft], kind: JournalKind) -> usize {
    entries.iter().filter(|entry| entry.kind == kind).count()
}

const TOLD: &str = "began to grow at once";

#[test]
fn services_that_begin_to_grow_at_once_get_no_plan_and_a_reason() {
    let (entries, incidents) = play(6);
    let told: Vec<_> = entries.iter().filter(|entry| entry.what.contains(TOLD)).collect();
    assert_eq!(told.len(), 1, "it is told when it comes up, once: {told:?}");
    assert_eq!(told[0].kind, JournalKind::SharedOnset);
    assert!(told[0].why.contains("suspect the measurement first"), "{told:?}");
    assert_eq!((incidents.len(), count(&entries, JournalKind::PlanMade)), (6, 0));
    for Incident { service, state, plan, .. } in &incidents {
        let IncidentState::Parked { reason } = state else { panic!("{service}: {state:?}") };
        assert!(plan.is_none() && reason.contains("suspect the measurement"), "{reason}");
    }
}

#[test]
fn a_few_that_begin_to_grow_at_once_get_their_plans() {
    let (entries, incidents) = play(3);
    assert!(entries.iter().all(|entry| !entry.what.contains(TOLD)));
    assert_eq!(incidents.len(), 3);
    assert!(incidents.iter().all(|incident| incident.plan.is_some()), "{incidents:?}");
}
