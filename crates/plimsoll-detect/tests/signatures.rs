//! What logs and the kernel said weighs where something grows, names it where nobody measured it,
//! and convicts nobody.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::collections::BTreeMap;

use plimsoll_detect::assess;
use plimsoll_model::{
    Assessment, Cause, Change, ChangeKind, Evidence, InstanceName, Metric, Reading,
    SIGNATURE_ATTRIBUTE, SeriesLimit, ServiceHistory, ServiceName, Signature, Span, Timestamp,
    Verdict, Version,
};

const START: Timestamp = Timestamp::from_secs(1_780_000_000);
const STEPS: i64 = 400;
const MIB: f64 = 1_048_576.0;

fn service() -> ServiceName {
    ServiceName::new("orders").unwrap()
}

fn said(signature: Signature, step: i64, instance: Option<&str>) -> Change {
    let kind = if signature == Signature::OomKill { ChangeKind::OomKill } else { ChangeKind::Log };
    let attribute = (SIGNATURE_ATTRIBUTE.to_owned(), signature.name().to_owned());
    Change {
        at: START + Span::from_mins(step),
        kind,
        service: service(),
        instance: instance.map(|name| InstanceName::new(name).unwrap()),
        version: None,
        attributes: BTreeMap::from([attribute]),
    }
}

/// One sample a minute of each metric of `orders-0`; version 2 runs from a step on.
fn assessed(
    metrics: &[(Metric, f64)],
    per_step: f64,
    deploy: i64,
    changes: &[Change],
) -> Assessment {
    let mut readings = Vec::new();
    for step in 0..STEPS {
        let version = Version::new(if step < deploy { "1" } else { "2" }).ok();
        let grown = per_step * (step - deploy.max(0)).max(0) as f64;
        for (metric, base) in metrics {
            // Noise without a generator: a sequence that never repeats within the test.
            let noise = ((step * 7919) % 101) as f64 / 101.0 - 0.5;
            let value = base
                + if *metric == Metric::ContainerMemoryLimit { 0.0 } else { grown + noise * MIB };
            readings.push(Reading {
                at: START + Span::from_mins(step),
                service: service(),
                version: version.clone(),
                instance: InstanceName::new("orders-0").unwrap(),
                metric: *metric,
                value,
            });
        }
    }
    let history = ServiceHistory::at_rest(service(), readings, changes.to_vec(), SeriesLimit::NONE);
    assess(&history, START + Span::from_mins(STEPS))
}

const RSS: [(Metric, f64); 2] =
    [(Metric::ProcessMemoryRss, 300.0 * MIB), (Metric::ContainerMemoryLimit, 1024.0 * MIB)];

fn of_signatures(found: &Assessment) -> Vec<&Evidence> {
    let named = |fact: &&Evidence| fact.source.parse::<Signature>().is_ok();
    found.evidence.iter().filter(named).collect()
}

#[test]
fn a_flat_series_is_acquitted_whatever_the_logs_say() {
    let changes: Vec<_> = Signature::ALL
        .iter()
        .filter(|signature| **signature != Signature::OomKill)
        .map(|signature| said(*signature, 200, None))
        .collect();
    let quiet = assessed(&RSS, 0.0, 0, &[]);
    let loud = assessed(&RSS, 0.0, 0, &changes);
    assert_eq!(quiet.verdict, Verdict::Steady);
    assert_eq!((loud.verdict, loud.confidence), (quiet.verdict, quiet.confidence));
    let facts = of_signatures(&loud);
    assert!(facts.len() > 3 && facts.iter().all(|fact| fact.weight == 0.0), "{facts:?}");
    assert!(facts.iter().all(|fact| fact.claim.contains("does not grow")), "{facts:?}");
}

#[test]
fn a_growing_series_is_more_certain_by_a_bounded_weight() {
    let quiet = assessed(&RSS, 0.5 * MIB, 0, &[]);
    let heap = [said(Signature::HeapFull, 200, Some("orders-0"))];
    let told = assessed(&RSS, 0.5 * MIB, 0, &heap);
    assert_eq!((quiet.verdict, told.verdict), (Verdict::Leaking, Verdict::Leaking));
    assert!(told.confidence > quiet.confidence, "{} {}", told.confidence, quiet.confidence);
    let facts = of_signatures(&told);
    assert_eq!(facts.len(), 1);
    assert!(facts[0].claim.contains("out of heap (once)"), "{facts:?}");
    let all: Vec<_> = Signature::ALL
        .iter()
        .filter(|signature| **signature != Signature::OomKill)
        .flat_map(|signature| (100..200).map(|step| said(*signature, step, None)))
        .collect();
    let loud = assessed(&RSS, 0.5 * MIB, 0, &all);
    let sum: f64 = of_signatures(&loud).iter().map(|fact| fact.weight).sum();
    assert!((sum - 2.0).abs() < 1e-9, "{sum}");
    assert!(of_signatures(&loud).iter().any(|fact| fact.claim.contains("(100 times)")));
}

#[test]
fn a_signature_names_what_nobody_measured() {
    let check = |metrics: &[(Metric, f64)], signature: Option<Signature>, want: Cause| {
        let changes: Vec<_> = signature.map(|one| said(one, 300, None)).into_iter().collect();
        let found = assessed(metrics, 0.5 * MIB, 0, &changes);
        assert_eq!((found.verdict, found.cause), (Verdict::Leaking, want), "{signature:?}");
    };
    check(&RSS, None, Cause::Native);
    check(&RSS, Some(Signature::TooManyFiles), Cause::Handles);
    check(&RSS, Some(Signature::HeapFull), Cause::Heap);
    check(&RSS, Some(Signature::BufferLeak), Cause::Native);
    check(&RSS, Some(Signature::NoMoreThreads), Cause::Threads);
    check(&RSS, Some(Signature::OomKillChild), Cause::Native);
    let heap = (Metric::RuntimeHeapLive, 200.0 * MIB);
    check(&[RSS[0], RSS[1], heap], Some(Signature::BufferLeak), Cause::Heap);
}

#[test]
fn what_was_said_of_others_and_of_another_version_is_not_about_this() {
    let weigh = |change: Change| {
        let found = assessed(&RSS, 1.5 * MIB, 150, &[change]);
        of_signatures(&found).len()
    };
    assert_eq!(weigh(said(Signature::HeapFull, 300, Some("orders-0"))), 1);
    assert_eq!(weigh(said(Signature::HeapFull, 300, Some("orders-9"))), 1, "it runs no more");
    assert_eq!(weigh(said(Signature::HeapFull, 100, Some("orders-0"))), 0, "of version 1");
    assert_eq!(weigh(said(Signature::HeapFull, STEPS + 5, Some("orders-0"))), 0, "not yet said");
}

/// A fleet of replicas that all complain, each of itself: what one says is not about another.
#[test]
fn what_a_running_replica_says_is_about_itself_alone() {
    const REPLICAS: usize = 100;
    let name = |replica: usize| format!("orders-{replica}");
    let mut readings = Vec::new();
    for (replica, step) in (0..REPLICAS).flat_map(|replica| (0..STEPS).map(move |s| (replica, s))) {
        let noise = ((step * 7919) % 101) as f64 / 101.0 - 0.5;
        let grown = if replica == 7 { 0.5 * step as f64 } else { 0.0 };
        readings.push(Reading {
            at: START + Span::from_mins(step),
            service: service(),
            version: None,
            instance: InstanceName::new(&name(replica)).unwrap(),
            metric: Metric::ProcessMemoryRss,
            value: (300.0 + grown + noise) * MIB,
        });
    }
    readings.sort_by_key(|reading| reading.at);
    let complain = |of: &dyn Fn(usize) -> bool| -> Vec<Change> {
        let of: Vec<_> = (0..REPLICAS).filter(|replica| of(*replica)).map(name).collect();
        let each = |step| of.iter().map(move |name| said(Signature::HeapFull, step, Some(name)));
        (100..300).flat_map(each).collect()
    };
    let weigh = |changes: Vec<Change>| {
        let readings = readings.clone();
        let history = ServiceHistory::at_rest(service(), readings, changes, SeriesLimit::NONE);
        let found = assess(&history, START + Span::from_mins(STEPS));
        of_signatures(&found).into_iter().map(|fact| fact.claim.clone()).collect::<Vec<_>>()
    };
    assert_eq!(weigh(complain(&|replica| replica != 7)), [""; 0]);
    let [claim] = weigh(complain(&|_| true)).try_into().unwrap();
    assert!(claim.contains("(200 times)"), "{claim}");
}
