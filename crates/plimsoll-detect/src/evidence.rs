//! What speaks for a leak and what speaks against, in log-odds, and the probability it adds up to.
//!
//! The weights are rounded results of simulated families; what they add up to is held against the
//! truth by `plimsoll backtest`. Not here: the gates that no weight can open (`gates`).

use plimsoll_model::{Evidence, Metric, Unit};

use crate::cohort::{Control, Repeated};
use crate::course::{Course, Study};
use crate::scene::{Run, Scene};
use crate::signs::about_signatures;
use crate::thresholds as limits;

/// Every fact with its weight, the prior first.
pub(crate) fn evidence(
    scene: &Scene<'_>,
    run: &Run<'_>,
    study: &Study,
    beside: &Control,
    repeated: Option<&Repeated>,
) -> Vec<Evidence> {
    let mut all = vec![fact(-2.0, "most services do not leak".into(), "prior")];
    let metric = study.rung.metric.name();
    if let Some(trend) = study.trend.filter(|_| study.course != Course::TooFew) {
        let weight = (1.5 + 1.5 * (trend.surprise.max(0.1) / 4.0).ln()).clamp(-3.0, 3.5);
        let claim = format!("its floor rises evenly (t of the increments {:.1})", trend.surprise);
        all.push(fact(weight, claim, metric));
        let kept = (1.0 - 2.0 * trend.given_back).clamp(-1.0, 1.0);
        let claim = format!("it gave back at most {:.0} % of its rise", 100.0 * trend.given_back);
        all.push(fact(kept, claim, metric));
        let going = (2.0 * trend.late.min(trend.pace) - 1.0).clamp(-2.0, 1.0);
        let claim = format!("the last quarter grows at {:.0} % of the pace", 100.0 * trend.late);
        all.push(fact(going, claim, metric));
        let size = trend.rise / study.material.max(f64::MIN_POSITIVE);
        let weight = (0.5 * size.max(0.05).ln()).clamp(-1.5, 1.5);
        all.push(fact(weight, format!("its rise is {size:.1} times what matters"), metric));
        let length = (trend.samples as f64 / limits::SAMPLES_ALONE.default).ln().clamp(-1.5, 1.0);
        all.push(fact(length, format!("{} samples show it", trend.samples), metric));
    }
    all.extend(about_load(run, study));
    all.extend(about_control(beside));
    all.extend(about_signatures(scene, run, study, repeated.is_some()));
    if let Some(again) = repeated {
        let claim = format!("{} runs climbed at the same pace, restarts only hid it", again.runs);
        all.push(fact(4.0, claim, metric));
    }
    if study.limit.is_none() && study.rung.metric.unit() == Unit::Bytes {
        all.push(fact(-0.3, "no limit is known to measure it by".into(), "limit"));
    }
    all
}

fn about_load(run: &Run<'_>, study: &Study) -> Option<Evidence> {
    let load = run.samples(Metric::ServiceRequestsRate) > 0;
    match (study.course, load) {
        (Course::Follows(_), _) => {
            let (metric, _) = study.moved_by?;
            Some(fact(-4.0, format!("it follows {metric} and does nothing else"), metric.name()))
        }
        (_, true) => {
            let claim = "load does not explain it".to_owned();
            Some(fact(0.8, claim, Metric::ServiceRequestsRate.name()))
        }
        (_, false) => Some(fact(-0.2, "load is not measured".into(), "traffic")),
    }
}

fn about_control(beside: &Control) -> Option<Evidence> {
    match beside {
        Control::Nothing => None,
        Control::Beside(claim) => Some(fact(1.0, claim.clone(), "cohort")),
        Control::Equal(claim, _) => Some(fact(2.5, claim.clone(), "cohort")),
        Control::SameAndRested(claim) => Some(fact(-4.0, claim.clone(), "cohort")),
        Control::SameEverSince(claim) => Some(fact(0.5, claim.clone(), "cohort")),
    }
}

fn fact(weight: f64, claim: String, source: &str) -> Evidence {
    Evidence { claim, weight, source: source.into() }
}

/// The probability of a leak that the evidence adds up to.
pub(crate) fn probability(evidence: &[Evidence]) -> f64 {
    let odds: f64 = evidence.iter().map(|fact| fact.weight).sum();
    1.0 / (1.0 + (-odds).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_add_up_in_log_odds() {
        assert!((probability(&[]) - 0.5).abs() < 1e-12);
        let facts = [fact(2.0, "a".into(), "x"), fact(-2.0, "b".into(), "y")];
        assert!((probability(&facts) - 0.5).abs() < 1e-12);
        assert!(probability(&facts[..1]) > 0.88);
    }
}
