//! Scratch demo.
use plimsoll_detect::assess;
use plimsoll_model::*;
use std::collections::BTreeMap;

const MIB: f64 = 1_048_576.0;
struct Feed {
    service: ServiceName,
    readings: Vec<Reading>,
    changes: Vec<Change>,
}
impl Feed {
    fn new(name: &str) -> Self {
        Self { service: ServiceName::new(name).unwrap(), readings: vec![], changes: vec![] }
    }
    fn put(&mut self, t: i64, inst: &str, ver: &str, m: Metric, v: f64) {
        self.readings.push(Reading {
            at: Timestamp::from_secs(1_780_000_000 + t),
            service: self.service.clone(),
            version: Version::new(ver).ok(),
            instance: InstanceName::new(inst).unwrap(),
            metric: m,
            value: v,
        });
    }
    fn change(&mut self, t: i64, kind: ChangeKind, ver: &str) {
        self.changes.push(Change {
            at: Timestamp::from_secs(1_780_000_000 + t),
            kind,
            service: self.service.clone(),
            instance: None,
            version: Version::new(ver).ok(),
            attributes: BTreeMap::new(),
        });
    }
    fn at(&self, t: i64) -> Assessment {
        let mut h = ServiceHistory::new(self.service.clone());
        let now = Timestamp::from_secs(1_780_000_000 + t);
        for c in self.changes.iter().filter(|c| c.at <= now) {
            h.change(c.clone());
        }
        for r in self.readings.iter().filter(|r| r.at <= now) {
            h.record(r, SeriesLimit::NONE);
        }
        assess(&h, now)
    }
}
fn load(t: f64) -> f64 {
    1.0 + 0.4 * (t / 240.0 * std::f64::consts::TAU).sin()
}
fn show(name: &str, f: &Feed, from: i64, to: i64, by: i64) {
    let mut t = from;
    while t <= to {
        let a = f.at(t);
        println!(
            "{name} t={t} {} {} c={:.2} {:?} inst={} change={:?} onset={:?} :: {}",
            a.verdict,
            a.cause,
            a.confidence,
            a.metric.map(|m| m.name()),
            a.instances.len(),
            a.suspected_change
                .as_ref()
                .map(|c| (c.kind.name(), c.version.as_ref().map(|v| v.to_string()))),
            a.onset.map(|o| o.as_millis() / 1000 - 1_780_000_000),
            a.reason
        );
        t += by;
    }
}

#[test]
fn orders() {
    for (pace, seed, with_rate, per_instance_limit) in [
        (0.3, 1u64, true, 256.0),
        (0.6, 2, true, 512.0),
        (1.0, 3, true, 512.0),
        (0.6, 4, false, 512.0),
    ] {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut f = Feed::new("orders");
        f.change(80, ChangeKind::Deploy, "1.1.0");
        let mut state: Vec<(f64, f64, i64, i64)> = (0..3).map(|_| (20.0, 20.0, 0, 0)).collect(); // true live, shown, born, next gc
        for t in 0..240i64 {
            for i in 0..3usize {
                let roll = 80 + 3 + 4 * i as i64;
                let ver = if t < roll { "1.0.0" } else { "1.1.0" };
                if t == roll {
                    state[i] = (20.0, 0.0, t, t);
                }
                if t >= roll - 2 && t < roll {
                    continue;
                }
                let age = t - state[i].2;
                let warm = 12.0 * (1.0 - (-(age as f64) / 4.0).exp());
                if ver == "1.1.0" {
                    state[i].0 += pace * load(t as f64) * (0.9 + 0.2 * rng.f64());
                }
                if t >= state[i].3 {
                    state[i].1 = state[i].0 + warm + rng.f64() * 0.5;
                    state[i].3 = t + rng.i64(2..10);
                }
                let inst = format!("orders-{i}");
                f.put(t, &inst, ver, Metric::ProcessStartTime, (1_780_000_000 + state[i].2) as f64);
                f.put(t, &inst, ver, Metric::RuntimeHeapLive, state[i].1 * MIB);
                f.put(
                    t,
                    &inst,
                    ver,
                    Metric::RuntimeHeapUsed,
                    (state[i].0 + warm + rng.f64() * 30.0) * MIB,
                );
                f.put(t, &inst, ver, Metric::RuntimeHeapLimit, per_instance_limit * MIB);
                f.put(
                    t,
                    &inst,
                    ver,
                    Metric::ProcessMemoryRss,
                    (120.0 + state[i].0 + warm * 3.0 + rng.f64() * 2.0) * MIB,
                );
                f.put(t, &inst, ver, Metric::ProcessFds, 60.0 + (rng.f64() * 6.0).floor());
                f.put(t, &inst, ver, Metric::ProcessFdsLimit, 1_048_576.0);
                f.put(
                    t,
                    &inst,
                    ver,
                    Metric::ProcessThreads,
                    30.0 + (20.0 * (1.0 - (-(age as f64) / 5.0).exp())).floor(),
                );
                if with_rate {
                    f.put(
                        t,
                        &inst,
                        ver,
                        Metric::ServiceRequestsRate,
                        20.0 * load(t as f64) + rng.f64() * 3.0,
                    );
                }
            }
        }
        println!("--- pace {pace} rate {with_rate}");
        show("orders", &f, 20, 80, 20);
        show("orders", &f, 90, 235, 10);
    }
}
#[test]
fn recommend() {
    for (tau, linear) in [(30.0, false), (45.0, false), (60.0, false), (120.0, true)] {
        let mut rng = fastrand::Rng::with_seed(5);
        let mut f = Feed::new("recommend");
        for t in 0..360i64 {
            f.put(t, "recommend-0", "1.0.0", Metric::ProcessStartTime, 1_780_000_000.0);
            let x = t as f64;
            let fill = if linear { (x / tau).min(1.0) } else { (1.0 - (-x / tau).exp()) };
            let noise = rng.f64() * 0.5;
            f.put(
                t,
                "recommend-0",
                "1.0.0",
                Metric::ProcessMemoryRss,
                (30.0 + 80.0 * fill + noise) * MIB,
            );
            f.put(t, "recommend-0", "1.0.0", Metric::ProcessFds, 12.0 + (rng.f64() * 4.0).floor());
            f.put(
                t,
                "recommend-0",
                "1.0.0",
                Metric::ServiceRequestsRate,
                20.0 * load(x) + rng.f64(),
            );
        }
        println!("--- tau {tau} linear {linear}");
        show("recommend", &f, 10, 359, 20);
    }
}
#[test]
fn catalog() {
    let mut rng = fastrand::Rng::with_seed(5);
    let mut f = Feed::new("catalog");
    f.change(140, ChangeKind::Deploy, "1.0.1");
    for t in 0..360i64 {
        let (born, ver) = if t < 142 { (0, "1.0.0") } else { (142, "1.0.1") };
        let x = (t - born) as f64;
        f.put(t, "catalog-0", ver, Metric::ProcessStartTime, 1_780_000_000.0 + born as f64);
        let warm = 1.0 - (-x / 10.0).exp();
        let r = rng.f64();
        f.put(
            t,
            "catalog-0",
            ver,
            Metric::RuntimeHeapUsed,
            (8.0 + 20.0 * warm + (t % 7) as f64 * 2.0) * MIB,
        );
        f.put(t, "catalog-0", ver, Metric::ProcessMemoryRss, (45.0 + 60.0 * warm + r) * MIB);
        f.put(t, "catalog-0", ver, Metric::ServiceRequestsRate, 20.0 * load(t as f64) + rng.f64());
    }
    show("catalog", &f, 10, 359, 20);
}
#[test]
fn ledger() {
    let mut rng = fastrand::Rng::with_seed(5);
    let mut f = Feed::new("ledger");
    f.change(120, ChangeKind::ConfigChange, "");
    let mut held = 0.0;
    for t in 0..300i64 {
        f.put(t, "ledger-0", "1.0.0", Metric::ProcessStartTime, 1_780_000_000.0);
        let rate = 8.0 * load(t as f64);
        if t >= 121 {
            held += rate;
        }
        f.put(
            t,
            "ledger-0",
            "1.0.0",
            Metric::ProcessFds,
            (14.0f64 + rng.f64() * 6.0 + held).floor(),
        );
        f.put(t, "ledger-0", "1.0.0", Metric::ProcessFdsLimit, 4096.0);
        let noise = rng.f64() * 0.2;
        f.put(
            t,
            "ledger-0",
            "1.0.0",
            Metric::ProcessMemoryRss,
            (9.0 + held * 0.0005 + noise) * MIB,
        );
        f.put(t, "ledger-0", "1.0.0", Metric::ServiceRequestsRate, rate + rng.f64());
    }
    show("ledger", &f, 10, 299, 10);
}
#[test]
fn masked_and_rolled_back() {
    for (what, version, pace) in [("masked", "1.1.0", 0.6), ("rollback", "1.0.0", 0.0)] {
        let mut rng = fastrand::Rng::with_seed(9);
        let mut f = Feed::new("orders");
        f.change(80, ChangeKind::Deploy, "1.1.0");
        if what == "rollback" {
            f.change(200, ChangeKind::Deploy, "1.0.0");
        }
        let mut live = [20.0f64; 3];
        let mut born = [0i64; 3];
        let mut next = [0i64; 3];
        let mut shown = [0.0f64; 3];
        for t in 0..330i64 {
            for i in 0..3usize {
                let roll = 80 + 3 + 4 * i as i64;
                let again = 203 + 6 * i as i64;
                let (ver, p) = if t < roll {
                    ("1.0.0", 0.0)
                } else if t < again {
                    ("1.1.0", 0.6)
                } else {
                    (version, pace)
                };
                if t == roll || t == again {
                    live[i] = 20.0;
                    born[i] = t;
                    next[i] = t;
                }
                let age = (t - born[i]) as f64;
                let warm = 12.0 * (1.0 - (-age / 4.0).exp());
                live[i] += p * load(t as f64);
                if t >= next[i] {
                    shown[i] = live[i] + warm + rng.f64() * 0.5;
                    next[i] = t + rng.i64(2..8);
                }
                let inst = format!("orders-{i}");
                f.put(t, &inst, ver, Metric::ProcessStartTime, (1_780_000_000 + born[i]) as f64);
                f.put(t, &inst, ver, Metric::RuntimeHeapLive, shown[i] * MIB);
                f.put(t, &inst, ver, Metric::RuntimeHeapLimit, 384.0 * MIB);
                f.put(
                    t,
                    &inst,
                    ver,
                    Metric::ServiceRequestsRate,
                    20.0 * load(t as f64) + rng.f64() * 3.0,
                );
            }
        }
        println!("--- {what}");
        show("orders", &f, 110, 329, 10);
    }
}
