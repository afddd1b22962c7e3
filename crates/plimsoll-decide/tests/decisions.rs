//! What is decided in which situation, and what is refused with which reason.

use plimsoll_decide::{Decision, Playbook, Policy, Situation, decide};
use plimsoll_model::{
    Ability, Action, Assessment, Bytes, Cause, Change, ChangeKind, Diagnosis, Digest, Draft,
    Growth, IncidentId, InstanceName, Metric, Phase, Reach, ServiceName, Span, StepAction,
    Timestamp, TypeGrowth, Unit, Verdict, Version,
};

const NOW: Timestamp = Timestamp::from_secs(1_000);

/// A service of three replicas that leaks since a deploy, with everything that a plan needs; each
/// test takes one thing away.
struct Scene {
    assessment: Assessment,
    diagnosis: Option<Diagnosis>,
    reach: Vec<Reach>,
    previous: Option<Version>,
    policy: Policy,
}

fn name(text: &str) -> InstanceName {
    InstanceName::new(text).expect("a name")
}

fn version(text: &str) -> Version {
    Version::new(text).expect("a version")
}

fn replicas() -> Vec<InstanceName> {
    ["orders-0", "orders-1", "orders-2"].map(name).to_vec()
}

impl Scene {
    fn new() -> Self {
        let service = ServiceName::new("orders").expect("a name");
        let reach = |instance: InstanceName| Reach {
            service: service.clone(),
            instance,
            version: Some(version("1.1.0")),
            abilities: vec![
                Ability::CollectGarbage,
                Ability::SetSoftLimit,
                Ability::Restart,
                Ability::RunVersion,
            ],
            missing: vec![(Ability::SetMemoryHigh, "there is no cgroup v2 here".into())],
            versions: vec![version("1.0.0"), version("1.1.0")],
            predicted_pause: None,
        };
        Self {
            assessment: assessment(&service),
            diagnosis: Some(diagnosis(0.9)),
            reach: replicas().into_iter().map(reach).collect(),
            previous: Some(version("1.0.0")),
            policy: Policy::default(),
        }
    }

    fn decide(&self) -> Decision {
        let incident = IncidentId::new("inc-orders-1").expect("an id");
        let footprint = self.reach.iter().map(|r| (&r.instance, Bytes::from_mib(100))).collect();
        let situation = Situation {
            now: NOW,
            incident: &incident,
            assessment: &self.assessment,
            diagnosis: self.diagnosis.as_ref(),
            reach: self.reach.iter().collect(),
            footprint,
            previous_version: self.previous.as_ref(),
            leak: Growth { per_hour: 1e9, unit: Unit::Bytes },
            limit: Some(3e8),
            watch: Span::from_secs(45),
            parent: None,
            evidence: Digest([7; 32]),
        };
        decide(&situation, &self.policy)
    }

    fn plan(&self) -> Draft {
        match self.decide() {
            Decision::Plan(draft) => *draft,
            Decision::Wait { reason } | Decision::Nothing { reason } => {
                panic!("no plan: {reason}")
            }
        }
    }

    #[track_caller]
    fn refuses(&self, because: &str) {
        match self.decide() {
            Decision::Nothing { reason } => assert!(reason.contains(because), "{reason}"),
            Decision::Wait { reason } => panic!("it waits: {reason}"),
            Decision::Plan(draft) => panic!("a plan was made: {}", draft.reason),
        }
    }

    #[track_caller]
    fn waits(&self, because: &str) {
        match self.decide() {
            Decision::Wait { reason } => assert!(reason.contains(because), "{reason}"),
            Decision::Nothing { reason } => panic!("it gives up: {reason}"),
            Decision::Plan(draft) => panic!("a plan was made: {}", draft.reason),
        }
    }
}

fn assessment(service: &ServiceName) -> Assessment {
    Assessment {
        at: NOW,
        service: service.clone(),
        verdict: Verdict::Leaking,
        cause: Cause::Heap,
        confidence: 0.97,
        metric: Some(Metric::RuntimeHeapLive),
        onset: Some(Timestamp::from_secs(500)),
        growth: None,
        exhaustion: None,
        instances: replicas(),
        suspected_change: Some(Change {
            at: Timestamp::from_secs(500),
            kind: ChangeKind::Deploy,
            service: service.clone(),
            instance: None,
            version: Some(version("1.1.0")),
            attributes: std::collections::BTreeMap::new(),
        }),
        reason: String::new(),
        evidence: Vec::new(),
    }
}

fn diagnosis(share: f64) -> Diagnosis {
    Diagnosis {
        at: NOW,
        instance: name("orders-1"),
        chosen_because: String::new(),
        growing: vec![TypeGrowth {
            name: "shop.Order".into(),
            instances: 100,
            bytes: 4800,
            share: 0.01,
            group_share: share,
            bytes_per_request: None,
        }],
        explanations: Vec::new(),
    }
}

fn acts(draft: &Draft) -> Vec<(String, String)> {
    let act = |step: &plimsoll_model::Step| match &step.action {
        StepAction::Act { instance, action, .. } => {
            Some((instance.to_string(), action.name().to_owned()))
        }
        StepAction::Check(_) | StepAction::Compare { .. } | StepAction::Judge { .. } => None,
    };
    draft.steps.iter().filter_map(act).collect()
}

#[test]
fn a_leaking_deploy_is_rolled_back_one_replica_at_a_time_with_the_last_one_as_control() {
    let draft = Scene::new().plan();
    assert_eq!(draft.playbook, "roll-back-leaking-deploy");
    let replaced: Vec<_> = acts(&draft).into_iter().filter(|a| a.1 == "process.rollback").collect();
    let names: Vec<_> = replaced.iter().map(|(instance, _)| instance.as_str()).collect();
    assert_eq!(names, ["orders-0", "orders-1", "orders-2"]);
    let compare = draft.steps.iter().position(|s| matches!(s.action, StepAction::Compare { .. }));
    let last = draft.steps.iter().rposition(|s| matches!(s.action, StepAction::Act { .. }));
    assert_eq!(compare.map(|at| at + 1), last, "the comparison stands before the last replica");
}

#[test]
fn the_phases_keep_their_order_and_what_cannot_be_undone_needs_an_approval() {
    let draft = Scene::new().plan();
    let phases: Vec<Phase> = draft.steps.iter().map(|step| step.phase).collect();
    assert!(phases.is_sorted(), "{phases:?}");
    for step in &draft.steps {
        let is_rollback =
            matches!(&step.action, StepAction::Act { action: Action::RunVersion(_), .. });
        assert_eq!(step.risk.needs_approval(), is_rollback, "{step:?}");
    }
}

#[test]
fn a_limit_is_leased_and_stands_on_the_replica_that_was_looked_at() {
    let draft = Scene::new().plan();
    let limit = draft.steps.iter().find_map(|step| match &step.action {
        StepAction::Act { instance, action: Action::SetSoftLimit(bytes), lease } => {
            Some((instance.as_str(), *bytes, *lease))
        }
        _ => None,
    });
    let (instance, bytes, lease) = limit.expect("there is a soft limit");
    assert_eq!((instance, lease), ("orders-1", Some(Policy::default().lease)));
    assert_eq!(bytes, Bytes((104_857_600.0 * 1.1) as u64));
}

#[test]
fn a_machine_without_limits_still_gets_a_plan_that_says_so() {
    let mut scene = Scene::new();
    for reach in &mut scene.reach {
        reach.abilities.retain(|ability| *ability != Ability::SetSoftLimit);
    }
    let draft = scene.plan();
    assert!(draft.reason.contains("there is no cgroup v2 here"), "{}", draft.reason);
}

#[test]
fn restarting_only_treats_all_and_claims_no_cure() {
    let mut scene = Scene::new();
    scene.policy.playbook = Playbook::RestartOnly;
    let draft = scene.plan();
    assert_eq!(acts(&draft).iter().filter(|(_, act)| act == "process.restart").count(), 3);
    assert!(!draft.steps.iter().any(|step| step.risk.needs_approval()));
}

#[test]
fn a_growth_that_is_not_explained_is_escalated() {
    let mut scene = Scene::new();
    scene.diagnosis = Some(diagnosis(0.4));
    scene.refuses("explains 40 % of the growth");
}

#[test]
fn what_is_not_sure_not_leaking_or_not_reached_is_not_acted_on() {
    let mut unsure = Scene::new();
    unsure.assessment.confidence = 0.85;
    unsure.waits("confidence 0.85 is below 0.90");
    let mut steady = Scene::new();
    steady.assessment.verdict = Verdict::Steady;
    steady.refuses("the verdict is steady by now");
    let mut alone = Scene::new();
    alone.reach.clear();
    alone.waits("no agent reaches orders-0");
}

#[test]
fn half_of_a_service_is_not_rolled_back() {
    let mut scene = Scene::new();
    scene.reach[2].abilities.clear();
    let draft = scene.plan();
    assert_eq!(draft.playbook, "contain-only");
    assert!(draft.reason.contains("process.rollback is not possible on orders-2"));
    assert!(!acts(&draft).iter().any(|(_, act)| act.starts_with("process.")), "{draft:?}");
}

#[test]
fn a_replica_that_has_not_leaked_enough_to_be_named_is_rolled_back_too() {
    let mut scene = Scene::new();
    scene.assessment.instances.truncate(1);
    let order = ["orders-1", "orders-2", "orders-0"].map(name);
    assert_eq!(scene.plan().instances, order, "the one that was seen leaking is the control");
}

#[test]
fn replicas_of_several_versions_are_left_to_whoever_deploys() {
    let mut scene = Scene::new();
    scene.reach[1].version = Some(version("1.2.0"));
    scene.waits("the affected replicas run 1.1.0 and 1.2.0");
}

#[test]
fn without_a_deploy_that_fits_nothing_is_undone_and_time_is_won() {
    let contained = |scene: Scene, because: &str| {
        let draft = scene.plan();
        assert_eq!(draft.playbook, "contain-only");
        assert!(draft.reason.contains(because), "{}", draft.reason);
    };
    let mut unexplained = Scene::new();
    unexplained.assessment.suspected_change = None;
    contained(unexplained, "no change fits the onset");
    let mut config = Scene::new();
    let change = config.assessment.suspected_change.as_mut().expect("it is set");
    change.kind = ChangeKind::ConfigChange;
    contained(config, "no actuator can undo it here");
    let mut first_version = Scene::new();
    first_version.previous = None;
    contained(first_version, "no actuator can undo it here");
}

#[test]
fn handles_are_not_contained_by_a_memory_limit() {
    let mut scene = Scene::new();
    scene.assessment.cause = Cause::Handles;
    scene.assessment.suspected_change = None;
    scene.refuses("no change fits the onset");
}
