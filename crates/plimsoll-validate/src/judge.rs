//! The judgement: treated replicas against what they did before, and against the untreated.

use plimsoll_model::{
    Comparison, Exhaustion, Growth, InstanceName, Metric, Outcome, OutcomeKind, Sample, Span,
    Timestamp,
};

use crate::slope::floor_growth_per_hour;

/// A replica whose floor still rises with at least this share of the old growth still leaks. The
/// load may have halved meanwhile, and a leak per request halves with it.
const STILL_LEAKING_SHARE: f64 = 0.5;

/// Below this share of the old growth a floor counts as flat: caches and classes still settle for
/// minutes after a start, and a quarter of any growth worth a plan is more than they add.
const FLAT_SHARE: f64 = 0.25;

/// A replica may be silent for this long, or for a tenth of what its samples must cover: a live set
/// is only told when a collection ran, and at little load that takes its time.
const SILENCE_MIN: Span = Span::from_secs(60);

/// Spread put around the forecast of the next exhaustion: half as fast to half as fast again.
/// Until forecasts after a restart have been back-tested this stays wide.
const RECURRENCE_SPREAD: f64 = 0.5;

/// The fresh samples of one instance, from the end of its settling to now.
#[derive(Clone, Debug)]
pub struct TrialSeries<'a> {
    pub instance: InstanceName,
    pub samples: &'a [Sample],
}

/// Everything a judgement may know.
#[derive(Clone, Debug)]
pub struct Trial<'a> {
    pub now: Timestamp,
    pub metric: Metric,
    /// Growth per hour of one replica before anything was done.
    pub leak_per_hour: f64,
    pub limit: Option<f64>,
    pub treated: Vec<TrialSeries<'a>>,
    /// Replicas that nobody touched, over the same span; may be empty.
    pub untreated: Vec<TrialSeries<'a>>,
    /// Whether what the leak came from was taken away, not only its effect.
    pub cause_removed: bool,
    /// The least time that the samples of a replica must cover, up to now.
    pub covers: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Judgement {
    Settled(Outcome),
    /// More time is needed, and this is why.
    Unclear {
        reason: String,
    },
}

/// What became of the treated replicas. A fallen level counts for nothing: only growth does.
pub fn judge(trial: &Trial<'_>) -> Judgement {
    if trial.leak_per_hour <= 0.0 {
        return unclear("nothing grew before, so there is nothing to compare with".into());
    }
    if let Some(reason) = sides(trial).find_map(|(series, _)| too_little(trial, series)) {
        return unclear(reason);
    }
    let mut compared = Vec::new();
    for (series, treated) in sides(trial) {
        let Some(per_hour) = floor_growth_per_hour(series.samples) else {
            return unclear(format!(
                "{} has not shown a floor after its start yet",
                series.instance
            ));
        };
        let growth = Growth { per_hour, unit: trial.metric.unit() };
        compared.push(Comparison { instance: series.instance.clone(), treated, growth });
    }
    match worst_treated(&compared) {
        None => unclear("no treated replica reports yet".into()),
        Some(worst) => settle(trial, worst.clone(), compared),
    }
}

const fn unclear(reason: String) -> Judgement {
    Judgement::Unclear { reason }
}

/// Why the samples of a replica do not carry a judgement: too short, or too long ago.
fn too_little(trial: &Trial<'_>, series: &TrialSeries<'_>) -> Option<String> {
    let name = &series.instance;
    let (Some(first), Some(last)) = (series.samples.first(), series.samples.last()) else {
        return Some(format!("{name} has not reported since its start"));
    };
    let covered = last.at.since(first.at);
    if covered < trial.covers {
        return Some(format!("{name} was seen for {covered}, {} are needed", trial.covers));
    }
    let silent = trial.now.since(last.at);
    let silence_max = Span::from_millis(trial.covers.as_millis() / 10).max(SILENCE_MIN);
    (silent > silence_max).then(|| format!("{name} has not reported for {silent}"))
}

fn sides<'t, 's>(
    trial: &'t Trial<'s>,
) -> impl Iterator<Item = (&'t TrialSeries<'s>, bool)> + use<'t, 's> {
    let treated = trial.treated.iter().map(|series| (series, true));
    treated.chain(trial.untreated.iter().map(|series| (series, false)))
}

fn worst_treated(compared: &[Comparison]) -> Option<&Comparison> {
    let treated = compared.iter().filter(|comparison| comparison.treated);
    treated.max_by(|a, b| a.growth.per_hour.total_cmp(&b.growth.per_hour))
}

fn settle(trial: &Trial<'_>, worst: Comparison, compared: Vec<Comparison>) -> Judgement {
    let share = worst.growth.per_hour / trial.leak_per_hour;
    if share >= STILL_LEAKING_SHARE {
        return Judgement::Settled(masked(trial, &worst, compared));
    }
    if share > FLAT_SHARE {
        return unclear(format!(
            "{} still grows {} ({:.0} % of the leak)",
            worst.instance,
            worst.growth,
            share * 100.0
        ));
    }
    if let Some(rests) = resting_control(trial, &compared) {
        return unclear(format!("{rests} was not treated and does not grow either: no load?"));
    }
    Judgement::Settled(flat(trial, compared))
}

/// An untreated replica that has stopped leaking: then what made the treated ones flat made it flat
/// too, and it was not the treatment.
fn resting_control<'c>(trial: &Trial<'_>, compared: &'c [Comparison]) -> Option<&'c InstanceName> {
    let rests = |comparison: &&Comparison| {
        !comparison.treated && comparison.growth.per_hour <= FLAT_SHARE * trial.leak_per_hour
    };
    compared.iter().find(rests).map(|comparison| &comparison.instance)
}

fn masked(trial: &Trial<'_>, worst: &Comparison, compared: Vec<Comparison>) -> Outcome {
    let recurrence = recurrence(trial, worst);
    let when = match &recurrence {
        Some(when) => format!("; it is full again in about {}", when.p50.since(trial.now)),
        None => String::new(),
    };
    Outcome {
        kind: OutcomeKind::Masked,
        at: trial.now,
        growth_before: Some(before(trial)),
        reason: format!(
            "the level fell and the growth did not: {} grows {}, it was {}{when}",
            worst.instance,
            worst.growth,
            before(trial)
        ),
        compared,
        recurrence,
    }
}

fn flat(trial: &Trial<'_>, compared: Vec<Comparison>) -> Outcome {
    let control = untreated_growth(&compared);
    let against = match control {
        Some(growth) => format!(", while untreated replicas still grow {growth}"),
        None => String::new(),
    };
    let (kind, cause) = match trial.cause_removed {
        true => (OutcomeKind::Fixed, "what it came from is gone"),
        false => (OutcomeKind::Stabilised, "what it came from may still be there"),
    };
    Outcome {
        kind,
        at: trial.now,
        growth_before: Some(before(trial)),
        reason: format!(
            "the floor of every treated replica is flat (it grew {} before){against}; {cause}",
            before(trial)
        ),
        compared,
        recurrence: None,
    }
}

fn before(trial: &Trial<'_>) -> Growth {
    Growth { per_hour: trial.leak_per_hour, unit: trial.metric.unit() }
}

fn untreated_growth(compared: &[Comparison]) -> Option<Growth> {
    let untreated = compared.iter().filter(|comparison| !comparison.treated);
    untreated.map(|comparison| comparison.growth).min_by(|a, b| a.per_hour.total_cmp(&b.per_hour))
}

fn recurrence(trial: &Trial<'_>, worst: &Comparison) -> Option<Exhaustion> {
    let series = trial.treated.iter().find(|series| series.instance == worst.instance)?;
    let level = series.samples.last()?.value;
    let hours = (trial.limit? - level).max(0.0) / worst.growth.per_hour;
    let after = |factor: f64| trial.now + Span::from_secs_f64(hours * 3600.0 * factor);
    Some(Exhaustion {
        p10: after(1.0 / (1.0 + RECURRENCE_SPREAD)),
        p50: after(1.0),
        p90: after(1.0 + RECURRENCE_SPREAD),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAK: f64 = 3600.0;

    fn rising(per_second: f64) -> Vec<Sample> {
        let sample = |s| Sample {
            at: Timestamp::from_secs(s),
            value: 100.0 + per_second * s as f64 + 30.0 * (s % 4) as f64,
        };
        (0..60).map(sample).collect()
    }

    fn check(treated: f64, untreated: Option<f64>, cause_removed: bool) -> Judgement {
        let name = |text| InstanceName::new(text).unwrap();
        let (treated, untreated) = (rising(treated), untreated.map(rising));
        judge(&Trial {
            now: Timestamp::from_secs(60),
            metric: Metric::RuntimeHeapLive,
            leak_per_hour: LEAK,
            limit: Some(10_000.0),
            treated: vec![TrialSeries { instance: name("orders-0"), samples: &treated }],
            untreated: untreated
                .iter()
                .map(|samples| TrialSeries { instance: name("orders-2"), samples })
                .collect(),
            cause_removed,
            covers: Span::from_secs(15),
        })
    }

    fn kind(judgement: &Judgement) -> Option<OutcomeKind> {
        match judgement {
            Judgement::Settled(outcome) => Some(outcome.kind),
            Judgement::Unclear { .. } => None,
        }
    }

    #[test]
    fn a_flat_floor_is_fixed_only_when_the_cause_is_gone() {
        assert_eq!(kind(&check(0.0, Some(1.0), true)), Some(OutcomeKind::Fixed));
        assert_eq!(kind(&check(0.0, None, false)), Some(OutcomeKind::Stabilised));
    }

    #[test]
    fn a_restart_that_leaks_on_is_masked_with_the_time_of_the_next_exhaustion() {
        let judgement = check(0.9, None, false);
        assert_eq!(kind(&judgement), Some(OutcomeKind::Masked));
        let Judgement::Settled(outcome) = judgement else { unreachable!() };
        let runway = outcome.recurrence.unwrap().p50.since(Timestamp::from_secs(60));
        assert!((9_000..12_000).contains(&(runway.as_millis() / 1000)), "{runway}");
    }

    #[test]
    fn between_flat_and_leaking_the_judge_asks_for_time() {
        assert_eq!(kind(&check(0.4, None, true)), None);
    }

    #[test]
    fn a_replica_without_samples_is_not_judged() {
        let trial = Trial {
            now: Timestamp::from_secs(60),
            metric: Metric::RuntimeHeapLive,
            leak_per_hour: LEAK,
            limit: None,
            treated: Vec::new(),
            untreated: Vec::new(),
            cause_removed: true,
            covers: Span::from_secs(15),
        };
        assert_eq!(kind(&judge(&trial)), None);
    }

    #[test]
    fn when_the_untreated_rest_as_well_nothing_is_proved() {
        assert_eq!(kind(&check(0.0, Some(0.0), true)), None);
    }

    #[test]
    fn samples_that_are_old_or_few_prove_nothing() {
        let flat = rising(0.0);
        let at = |now: i64, count: usize| {
            let instance = InstanceName::new("orders-0").unwrap();
            let judgement = judge(&Trial {
                now: Timestamp::from_secs(now),
                metric: Metric::RuntimeHeapLive,
                leak_per_hour: LEAK,
                limit: None,
                treated: vec![TrialSeries { instance, samples: &flat[..count] }],
                untreated: Vec::new(),
                cause_removed: true,
                covers: Span::from_secs(15),
            });
            kind(&judgement)
        };
        assert_eq!(at(60, 60), Some(OutcomeKind::Fixed));
        assert_eq!(at(300, 60), None, "it has not reported for minutes");
        assert_eq!(at(12, 12), None, "twelve seconds are too short");
    }

    #[test]
    fn without_a_growth_before_there_is_no_judgement() {
        let flat = rising(0.0);
        let instance = InstanceName::new("orders-0").unwrap();
        let judgement = judge(&Trial {
            now: Timestamp::from_secs(60),
            metric: Metric::RuntimeHeapLive,
            leak_per_hour: 0.0,
            limit: None,
            treated: vec![TrialSeries { instance, samples: &flat }],
            untreated: Vec::new(),
            cause_removed: true,
            covers: Span::from_secs(15),
        });
        assert_eq!(kind(&judgement), None);
    }
}
