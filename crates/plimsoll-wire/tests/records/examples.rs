//! One example of every noun that is written down, with every variant and every optional field
//! both present and missing. Used by the tests in `records.rs`.

use std::collections::BTreeMap;

use plimsoll_model::*;
use plimsoll_wire::digest::{evidence_digest, seal};

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_millis(1_780_000_000_000 + secs * 1000 + 7)
}

fn service() -> ServiceName {
    ServiceName::new("orders").unwrap()
}

fn instance(number: usize) -> InstanceName {
    InstanceName::new(&format!("orders-{number}")).unwrap()
}

fn version(text: &str) -> Version {
    Version::new(text).unwrap()
}

fn evidence() -> Evidence {
    Evidence {
        claim: "rises, \u{e9}ven after a collection".into(),
        weight: -0.1,
        source: "gc".into(),
    }
}

fn growth() -> Growth {
    Growth { per_hour: 41_234_567.123_456_78, unit: Unit::Bytes }
}

fn exhaustion() -> Exhaustion {
    Exhaustion { p10: at(3600), p50: at(7200), p90: at(14_400) }
}

pub(crate) fn change() -> Change {
    Change {
        at: at(-60),
        kind: ChangeKind::Deploy,
        service: service(),
        instance: None,
        version: Some(version("1.1.0")),
        attributes: BTreeMap::from([("message".into(), "a \"quoted\"\nline".into())]),
    }
}

pub(crate) fn assessments() -> Vec<Assessment> {
    let leaking = Assessment {
        at: at(0),
        service: service(),
        verdict: Verdict::Leaking,
        cause: Cause::Heap,
        confidence: 0.973_456_789_012_345_6,
        metric: Some(Metric::RuntimeHeapLive),
        onset: Some(at(-50)),
        growth: Some(growth()),
        exhaustion: Some(exhaustion()),
        instances: vec![instance(0), instance(1)],
        suspected_change: Some(change()),
        reason: "rises since 1.1.0".into(),
        evidence: vec![evidence()],
    };
    let undecided = Assessment {
        verdict: Verdict::Undecided,
        cause: Cause::None,
        metric: None,
        onset: None,
        growth: None,
        exhaustion: None,
        instances: Vec::new(),
        suspected_change: None,
        evidence: Vec::new(),
        ..leaking.clone()
    };
    vec![leaking, undecided]
}

pub(crate) fn actions() -> Vec<Action> {
    vec![
        Action::CollectGarbage,
        Action::CaptureHistogram,
        Action::SetMemoryHigh(Bytes(u64::MAX)),
        Action::SetSoftLimit(Bytes(0)),
        Action::Restart,
        Action::RunVersion(version("1.0.0")),
    ]
}

pub(crate) fn commands() -> Vec<Command> {
    let command = |action: Action| Command {
        id: CommandId::new("cmd-0a").unwrap(),
        plan: None,
        authority: Digest([9; 32]),
        service: service(),
        instance: instance(0),
        version: None,
        action,
        lease: None,
        not_after: at(300),
        reason: "look inside".into(),
    };
    let mut commands: Vec<_> = actions().into_iter().map(command).collect();
    commands.push(Command {
        plan: Some(PlanId::new("plan-1").unwrap()),
        version: Some(version("1.1.0")),
        lease: Some(Span::from_mins(40)),
        ..command(Action::SetMemoryHigh(Bytes::from_mib(300)))
    });
    commands
}

pub(crate) fn reaches() -> Vec<Reach> {
    let bare = Reach {
        service: service(),
        instance: instance(2),
        version: None,
        abilities: Vec::new(),
        missing: Vec::new(),
        versions: Vec::new(),
        predicted_pause: None,
    };
    let full = Reach {
        version: Some(version("1.1.0")),
        abilities: Ability::ALL.to_vec(),
        missing: vec![(Ability::SetMemoryHigh, "cgroup v1".into())],
        versions: vec![version("1.0.0"), version("1.1.0")],
        predicted_pause: Some(predicted()),
        ..bare.clone()
    };
    vec![bare, full]
}

fn predicted() -> PredictedPause {
    PredictedPause { pause: Span::from_millis(31), basis: "2 M objects".into() }
}

fn type_count() -> TypeCount {
    TypeCount { name: "demo.Order".into(), instances: 12_000, bytes: Bytes(1 << 40) }
}

pub(crate) fn capture() -> Capture {
    Capture {
        instance: instance(0),
        at: at(10),
        pause: Span::from_millis(44),
        types: vec![type_count()],
    }
}

pub(crate) fn receipts() -> Vec<Receipt> {
    let results = vec![
        ReceiptResult::Done(Measured::Collected {
            used_before: Bytes(500),
            used_after: Bytes(400),
            pause: Span::from_millis(12),
        }),
        ReceiptResult::Done(Measured::Counted {
            predicted: predicted(),
            pause: Span::from_millis(29),
            types: vec![type_count()],
        }),
        ReceiptResult::Done(Measured::Limited {
            what: "memory.high".into(),
            before: "max\n".into(),
            after: "314572800".into(),
            until: at(2400),
        }),
        ReceiptResult::Done(Measured::Replaced {
            version: Some(version("1.0.0")),
            ready_after: Span::from_millis(1800),
        }),
        ReceiptResult::Done(Measured::Replaced { version: None, ready_after: Span::ZERO }),
        ReceiptResult::Refused("it runs 1.2.0 now".into()),
        ReceiptResult::Failed("the JVM died; nothing was left behind".into()),
        ReceiptResult::Undone(Restored {
            what: "memory.high".into(),
            now: "max\n".into(),
            verified: true,
        }),
    ];
    let receipt = |result| Receipt {
        command: CommandId::new("cmd-0a").unwrap(),
        service: service(),
        instance: instance(0),
        action: Action::CollectGarbage,
        started_at: at(20),
        ended_at: at(21),
        result,
    };
    results.into_iter().map(receipt).collect()
}

pub(crate) fn diagnosis() -> Diagnosis {
    let explanation = |fault| Explanation {
        fault,
        summary: "orders are kept".into(),
        probability: 0.9,
        evidence: vec![evidence()],
    };
    let grown = |bytes_per_request| TypeGrowth {
        name: "demo.Order".into(),
        instances: -3,
        bytes: i64::MIN,
        share: 0.62,
        group_share: 1.0 / 3.0,
        bytes_per_request,
    };
    let faults =
        [FaultClass::UnboundedCollection, FaultClass::UnclosedHandles, FaultClass::Unexplained];
    Diagnosis {
        at: at(30),
        instance: instance(0),
        chosen_because: "it leaks most".into(),
        growing: vec![grown(None), grown(Some(1024.5))],
        explanations: faults.map(explanation).to_vec(),
    }
}

pub(crate) fn outcomes() -> Vec<Outcome> {
    let kinds = [
        OutcomeKind::Fixed,
        OutcomeKind::Stabilised,
        OutcomeKind::Contained,
        OutcomeKind::Masked,
        OutcomeKind::Unwound,
        OutcomeKind::Parked,
    ];
    let outcome = |kind: OutcomeKind| {
        let holds_on = matches!(kind, OutcomeKind::Masked | OutcomeKind::Contained);
        Outcome {
            kind,
            at: at(90),
            growth_before: holds_on.then(growth),
            compared: vec![Comparison {
                instance: instance(1),
                treated: holds_on,
                growth: growth(),
            }],
            recurrence: holds_on.then(exhaustion),
            reason: kind.name().into(),
        }
    };
    kinds.into_iter().map(outcome).collect()
}

pub(crate) fn plan() -> Plan {
    let step = |phase, action, risk, optional| Step {
        phase,
        action,
        risk,
        optional,
        reason: "because".into(),
    };
    let act = |action, lease| StepAction::Act { instance: instance(0), action, lease };
    let watch = Span::from_secs(30);
    let back = Action::RunVersion(version("1.0.0"));
    let replicas = StepAction::Check(Guard::ReplicasAtLeast(2));
    let runway = StepAction::Check(Guard::RunwayAtLeast(Span::from_mins(10)));
    let high = act(Action::SetMemoryHigh(Bytes(1)), Some(Span::from_mins(4)));
    seal(Draft {
        incident: IncidentId::new("inc-orders-1780000000").unwrap(),
        service: service(),
        version: Some(version("1.1.0")),
        instances: vec![instance(0)],
        made_at: at(40),
        expires_at: at(940),
        playbook: "jvm-heap-leak@1".into(),
        parent: None,
        steps: vec![
            step(Phase::Guard, replicas, RiskClass::R0, false),
            step(Phase::Guard, runway, RiskClass::R0, false),
            step(Phase::Contain, act(Action::CollectGarbage, None), RiskClass::R1, true),
            step(Phase::Contain, high, RiskClass::R2, true),
            step(Phase::Diagnose, StepAction::Compare { watch }, RiskClass::R3, false),
            step(Phase::Remediate, act(back, None), RiskClass::R4, false),
            step(Phase::Validate, StepAction::Judge { watch }, RiskClass::R0, false),
        ],
        expectation: Expectation {
            metric: Metric::RuntimeHeapLive,
            leak: growth(),
            limit: Some(268_435_456.0),
            promise: "flat".into(),
        },
        exhaustion: Some(exhaustion()),
        evidence: evidence_digest(&assessments()[0], Some(&diagnosis())),
        reason: "roll back".into(),
    })
}

pub(crate) fn incidents() -> Vec<Incident> {
    let plan = plan();
    let full = Incident {
        id: plan.draft.incident.clone(),
        service: service(),
        opened_at: at(0),
        opened_on: assessments().remove(0),
        state: IncidentState::Diagnosing { next_at: at(5) },
        subject: Some((instance(0), "it leaks most".into())),
        capturing: commands().pop(),
        captures: vec![capture()],
        diagnosis: Some(diagnosis()),
        approval: Some(Approval {
            plan: plan.id.clone(),
            digest: plan.digest,
            evidence: plan.draft.evidence,
            approver: "ana".into(),
            at: at(60),
        }),
        plan: Some(plan),
        receipts: receipts(),
        ended_steps: vec![StepEnd { step: 1, at: at(61), effect: "holds".into() }],
    };
    let in_state = |state| Incident { state, ..full.clone() };
    let running = |wait| in_state(IncidentState::Running { step: 3, since: at(50), wait });
    let bare = Incident {
        subject: None,
        capturing: None,
        captures: Vec::new(),
        diagnosis: None,
        plan: None,
        approval: None,
        receipts: Vec::new(),
        ended_steps: Vec::new(),
        ..in_state(IncidentState::Parked { reason: "nobody answered".into() })
    };
    vec![
        running(StepWait::Nothing),
        running(StepWait::Approval),
        running(StepWait::Receipt(commands().remove(0))),
        running(StepWait::Watch { until: at(99) }),
        in_state(IncidentState::Closed(outcomes().remove(3))),
        bare,
        full,
    ]
}
