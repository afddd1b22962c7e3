//! What the loop holds is bounded by names that come from outside, whoever sends them.

use plimsoll_control::{Event, Settings, State, step};
use plimsoll_model::{InstanceName, Metric, Reading, ServiceName, Timestamp};

fn reading(service: &str, at: i64) -> Reading {
    Reading {
        at: Timestamp::from_secs(at),
        service: ServiceName::new(service).expect("a name"),
        version: None,
        instance: InstanceName::new(&format!("{service}-0")).expect("a name"),
        metric: Metric::ProcessMemoryRss,
        value: 1e6,
    }
}

fn names(state: &State) -> Vec<String> {
    state.histories().map(|history| history.service.to_string()).collect()
}

fn few_services() -> State {
    let settings = Settings { services_max: 2, ..Settings::default() };
    State::new(settings, Vec::new(), Timestamp::from_secs(0))
}

fn hear(state: &mut State, service: &str, at: i64) {
    step(state, Timestamp::from_secs(at), Event::Readings(vec![reading(service, at)]));
}

#[test]
fn a_service_too_many_is_refused_and_counted_while_the_others_are_heard() {
    let mut state = few_services();
    hear(&mut state, "a", 1);
    hear(&mut state, "b", 2);
    hear(&mut state, "c", 3);
    assert_eq!((names(&state), state.refused_readings()), (vec!["a".into(), "b".into()], 1));
}

#[test]
fn a_silent_service_makes_room_for_a_new_one() {
    let mut state = few_services();
    hear(&mut state, "a", 1);
    hear(&mut state, "b", 7000);
    hear(&mut state, "c", 7200);
    assert_eq!(names(&state), ["b", "c"]);
    step(&mut state, Timestamp::from_secs(7201), Event::Tick);
    assert!(state.assessments().all(|assessment| assessment.service.as_str() != "a"));
}

#[test]
fn what_is_measured_of_the_machine_is_no_service() {
    let mut state = few_services();
    let mut node = reading("node", 1);
    node.metric = Metric::NodeMemoryAvailable;
    step(&mut state, node.at, Event::Readings(vec![node]));
    assert_eq!(names(&state), Vec::<String>::new());
}
