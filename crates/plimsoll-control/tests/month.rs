//! A program that hunts leaks must not leak: a simulated month runs in flat memory.

use std::num::NonZeroUsize;

use plimsoll_control::{Event, Settings, State, step};
use plimsoll_model::{SeriesLimit, ServiceName, Span, Timestamp, Version};
use plimsoll_sim::scenario::{Scenario, World};

const START: Timestamp = Timestamp::from_secs(1_767_571_200);

const FLEET: &str = "every 5m for 30d
service web of 3 on process.memory.anon limit 2GiB
    version 1 900MiB wave 300MiB every 1d noise 1%
    version 2 900MiB wave 300MiB every 1d noise 1%
service leaky of 2 on process.memory.anon limit 1GiB
    version 1 200MiB + 9MiB/h noise 1%
    version 2 200MiB + 9MiB/h noise 1%";

/// Everything that the loop holds that could grow with time.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    samples: usize,
    lives: usize,
    changes: usize,
    incidents: usize,
}

fn held(state: &State) -> Held {
    let lives = || state.histories().flat_map(|history| &history.lives);
    Held {
        samples: lives().flat_map(|l| l.series.values()).map(|s| s.samples().len()).sum(),
        lives: lives().count(),
        changes: state.histories().map(|history| history.changes.len()).sum(),
        incidents: state.incidents().count(),
    }
}

#[test]
fn a_simulated_month_of_daily_deploys_runs_in_flat_memory() {
    let scenario = Scenario::parse(FLEET).expect("the fleet above is in the notation");
    let mut world = World::new(&scenario, START, 7);
    let few = |count| NonZeroUsize::new(count).expect("not zero");
    let settings = Settings {
        series: SeriesLimit { samples: few(256), lives: few(16) },
        assess_every: Span::from_hours(1),
        incidents_max: 8,
        ..Settings::default()
    };
    let mut state = State::new(settings, Vec::new(), START);
    let mut most_by_day: Vec<usize> = Vec::new();
    let mut now = START;
    while now.since(START) < scenario.length {
        step(&mut state, now, Event::Readings(world.readings(now)));
        let day = now.since(START).as_millis() / 86_400_000;
        if now.since(START).as_millis() % 86_400_000 == 0 {
            deploy_all(&mut world, &mut state, now, if day % 2 == 0 { "1" } else { "2" });
            most_by_day.push(held(&state).samples);
        }
        step(&mut state, now, Event::Tick);
        now = now + scenario.step;
    }
    let end = held(&state);
    // Two services, 16 lives each, 3 series of 256 samples a life.
    assert!(end.samples <= 2 * 16 * 3 * 256, "{end:?}");
    assert!(end.lives <= 32 && end.incidents <= 8 && end.changes <= 60, "{end:?}");
    let (week_two, week_four) = (most_by_day[14], most_by_day[29]);
    assert!(week_four <= week_two + week_two / 10, "grew from {week_two} to {week_four} samples");
}

fn deploy_all(world: &mut World, state: &mut State, now: Timestamp, version: &str) {
    for service in ["web", "leaky"] {
        let service = ServiceName::new(service).expect("a name");
        let version = Version::new(version).expect("a version");
        let change = world.deploy(&service, &version, now);
        step(state, now, Event::Changed(change));
    }
}
