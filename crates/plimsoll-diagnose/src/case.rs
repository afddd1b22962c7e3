//! One incident's evidence, and the explanations that compete for it.

use plimsoll_model::{
    Assessment, Capture, Cause, Diagnosis, Evidence, Explanation, FaultClass, InstanceName,
    Timestamp,
};

use crate::heap::{self, HeapFinding};

/// Probability that is left for "something else" when the captures point at one class: what they
/// cannot see is who holds it.
const UNSEEN: f64 = 0.05;

const ONE_CAPTURE: &str = "growth is told from two captures on";

/// Everything a diagnosis may know.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    pub now: Timestamp,
    pub assessment: &'a Assessment,
    /// Of one instance, in order of time.
    pub captures: &'a [Capture],
    /// Requests served between the first and the last capture, where they are seen.
    pub requests: Option<f64>,
    pub subject: InstanceName,
    pub chosen_because: String,
}

/// The explanations of the case, best first. "Unexplained" is always among them.
pub fn diagnose(case: &Case<'_>) -> Diagnosis {
    let (growing, explanations) = match case.assessment.cause {
        Cause::Heap => match heap::compare(case.captures, case.requests) {
            Some(finding) => {
                let explanations = explain_heap(case, &finding);
                (finding.growing, explanations)
            }
            None => (Vec::new(), vec![unexplained(1.0, ONE_CAPTURE)]),
        },
        Cause::Handles => (Vec::new(), vec![unclosed(case), unexplained(UNSEEN, "")]),
        cause => {
            let why = format!("no capture shows what {cause} memory is made of");
            (Vec::new(), vec![unexplained(1.0, &why)])
        }
    };
    Diagnosis {
        at: case.now,
        instance: case.subject.clone(),
        chosen_because: case.chosen_because.clone(),
        growing,
        explanations,
    }
}

fn explain_heap(case: &Case<'_>, finding: &HeapFinding) -> Vec<Explanation> {
    let Some(top) = finding.growing.first() else {
        return vec![unexplained(1.0, &finding.reason)];
    };
    let probability = (top.group_share * (1.0 - UNSEEN)).clamp(0.0, 1.0);
    let per_request = match top.bytes_per_request {
        Some(bytes) => format!(", {:.1} KiB a request", bytes / 1024.0),
        None => String::new(),
    };
    let summary = format!(
        "objects of {} accumulate in {}: {:+} in {}, {:.0} % of the growth with what they \
         hold{per_request}",
        top.name,
        case.subject,
        top.instances,
        finding.apart,
        top.group_share * 100.0
    );
    let evidence = Evidence {
        claim: format!(
            "{:+} objects of {}, {:+} bytes of their own; {}",
            top.instances, top.name, top.bytes, finding.reason
        ),
        weight: log_odds(probability),
        source: format!("class histograms of {}", case.subject),
    };
    vec![
        Explanation {
            fault: FaultClass::UnboundedCollection,
            summary,
            probability,
            evidence: vec![evidence],
        },
        unexplained(1.0 - probability, "the rest of the growth has no single owner"),
    ]
}

fn unclosed(case: &Case<'_>) -> Explanation {
    Explanation {
        fault: FaultClass::UnclosedHandles,
        summary: format!("{} opens handles and does not close them", case.assessment.service),
        probability: 1.0 - UNSEEN,
        evidence: case.assessment.evidence.clone(),
    }
}

fn unexplained(probability: f64, why: &str) -> Explanation {
    Explanation {
        fault: FaultClass::Unexplained,
        summary: match why {
            "" => "something that was not looked at".to_owned(),
            _ => why.to_owned(),
        },
        probability,
        evidence: Vec::new(),
    }
}

/// Bounded, so that a certain share does not weigh infinitely.
fn log_odds(probability: f64) -> f64 {
    let bounded = probability.clamp(0.01, 0.99);
    (bounded / (1.0 - bounded)).ln()
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{Bytes, Metric, ServiceName, Span, TypeCount, Verdict};

    use super::*;

    fn assessment(cause: Cause) -> Assessment {
        Assessment {
            at: Timestamp::from_secs(100),
            service: ServiceName::new("orders").unwrap(),
            verdict: Verdict::Leaking,
            cause,
            confidence: 0.97,
            metric: Some(Metric::RuntimeHeapLive),
            onset: None,
            growth: None,
            exhaustion: None,
            instances: vec![subject()],
            suspected_change: None,
            reason: String::new(),
            evidence: Vec::new(),
        }
    }

    fn subject() -> InstanceName {
        InstanceName::new("orders-0").unwrap()
    }

    fn capture(at: i64, orders: u64) -> Capture {
        let count = |name: &str, instances, bytes| TypeCount {
            name: name.into(),
            instances,
            bytes: Bytes(bytes),
        };
        Capture {
            instance: subject(),
            at: Timestamp::from_secs(at),
            pause: Span::from_millis(40),
            types: vec![
                count("shop.orders.Order", orders, orders * 48),
                count("byte[]", 9000 + orders, (9000 + orders) * 1000),
                count("java.lang.String", 5000, 120_000),
            ],
        }
    }

    fn check(cause: Cause, captures: &[Capture], requests: Option<f64>) -> Diagnosis {
        diagnose(&Case {
            now: Timestamp::from_secs(100),
            assessment: &assessment(cause),
            captures,
            requests,
            subject: subject(),
            chosen_because: "the only one".into(),
        })
    }

    #[test]
    fn the_class_of_the_program_is_named_and_not_the_bytes_it_is_made_of() {
        let captures = [capture(10, 100), capture(40, 700)];
        let diagnosis = check(Cause::Heap, &captures, Some(600.0));
        let top = diagnosis.top().unwrap();
        assert_eq!((top.name.as_str(), top.instances), ("shop.orders.Order", 600));
        assert!(top.group_share > 0.95, "{top:?}");
        assert!((top.bytes_per_request.unwrap() - 1048.0).abs() < 1.0, "{top:?}");
        assert_eq!(diagnosis.explanations[0].fault, FaultClass::UnboundedCollection);
    }

    #[test]
    fn one_capture_explains_nothing_and_says_so() {
        let diagnosis = check(Cause::Heap, &[capture(10, 100)], None);
        assert_eq!(diagnosis.explanations[0].fault, FaultClass::Unexplained);
        assert!(diagnosis.top().is_none());
    }

    #[test]
    fn two_equal_captures_explain_nothing_and_say_so() {
        let captures = [capture(10, 100), capture(40, 100)];
        let diagnosis = check(Cause::Heap, &captures, None);
        assert_eq!(diagnosis.explanations[0].fault, FaultClass::Unexplained);
        assert!(diagnosis.explanations[0].summary.contains("no class grew"));
    }

    #[test]
    fn handles_need_no_capture() {
        let diagnosis = check(Cause::Handles, &[], None);
        assert_eq!(diagnosis.explanations[0].fault, FaultClass::UnclosedHandles);
    }
}
