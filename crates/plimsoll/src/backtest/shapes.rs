//! From scores to the report that is printed.
//!
//! Not here: any counting (`plimsoll-backtest`), or the layout (`report`).

use std::collections::BTreeMap;

use plimsoll_backtest::calibration::{expected_error, reliability};
use plimsoll_backtest::summary::quantile;
use plimsoll_backtest::targets::{Bound, Target, by_family, targets};
use plimsoll_backtest::{Detector, Score, Summary};
use plimsoll_model::Half;
use plimsoll_wire::backtest::{
    BacktestBin, BacktestDetector, BacktestFamily, BacktestNumbers, BacktestReport, BacktestTarget,
    BacktestWrong,
};

use super::corpus::Corpus;
use super::run::{Finished, is_wrong};

/// The rule that the F1 target is measured against.
const REFERENCE: &str = "ols_1h";

pub(super) fn report(
    corpus: &Corpus,
    detectors: &[Box<dyn Detector>],
    finished: &Finished,
    (half, looks): (Option<Half>, usize),
) -> BacktestReport {
    let scored = || detectors.iter().zip(&finished.scores);
    let reference = scored().find(|(detector, _)| detector.name() == REFERENCE);
    let reference = reference.map_or(&[][..], |(_, scores)| scores);
    let ours = finished.scores.first().map_or(&[][..], Vec::as_slice);
    BacktestReport {
        corpus: corpus.name.clone(),
        origin: corpus.origin.clone(),
        half: half.map(Into::into),
        looks,
        cases: corpus.cases(),
        detectors: scored()
            .map(|(detector, scores)| of_detector(detector.as_ref(), scores))
            .collect(),
        targets: targets(ours, reference).iter().map(of_target).collect(),
        wrong: ours.iter().filter(|score| is_wrong(score)).map(wrong).collect(),
    }
}

fn of_detector(detector: &dyn Detector, scores: &[Score]) -> BacktestDetector {
    let all = Summary::of(scores);
    let families = by_family(scores).into_iter().map(|((label, family), sum)| BacktestFamily {
        family: family.to_owned(),
        label: label.into(),
        numbers: numbers(&sum),
    });
    let mut causes: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for ((is, said), count) in all.confusion() {
        causes.entry(is.to_owned()).or_default().insert(said.to_owned(), count);
    }
    let bin = |bin: plimsoll_backtest::calibration::Bin| BacktestBin {
        from: bin.from,
        to: bin.to,
        claims: bin.claims,
        stated: bin.stated,
        right: bin.right,
    };
    BacktestDetector {
        name: detector.name().to_owned(),
        rule: detector.rule().to_owned(),
        families: families.collect(),
        reliability: reliability(&all.claims).into_iter().map(bin).collect(),
        causes,
        all: numbers(&all),
    }
}

fn numbers(sum: &Summary) -> BacktestNumbers {
    BacktestNumbers {
        cases: sum.cases,
        precision: sum.precision(),
        recall: sum.recall(),
        f1: sum.f1(),
        false_leaks: sum.false_leaks,
        f1_of_alarms: sum.f1_of_alarms(),
        leaking: sum.leaking_cases,
        told: sum.told,
        delay_hours_p50: quantile(&sum.delays, 0.5),
        delay_hours_p90: quantile(&sum.delays, 0.9),
        runway_used_p50: quantile(&sum.used, 0.5),
        runway_used_p90: quantile(&sum.used, 0.9),
        alarms: sum.alarms,
        quiet_days: sum.quiet_days,
        alarms_per_1000_days: sum.alarms_per_1000_days(),
        pages: sum.pages,
        pages_per_1000_days: sum.pages_per_1000_days(),
        hours_between_looks_p50: quantile(&sum.hours_between_looks, 0.5),
        forecasts: sum.errors.len(),
        forecast_error_p50: quantile(&sum.errors, 0.5).filter(|error| error.is_finite()),
        forecast_coverage: sum.coverage(),
        cause_macro_f1: sum.cause_macro_f1(),
        blamed_rightly: sum.blamed_rightly,
        blamed_wrongly: sum.blamed_wrongly,
        blamed_nobody: sum.blamed_nobody,
        blamed_nobody_rightly: sum.blamed_nobody_rightly,
        calibration_error: expected_error(&reliability(&sum.claims)),
    }
}

fn of_target(target: &Target) -> BacktestTarget {
    let (least, most) = match target.bound {
        Bound::AtLeast(least) => (Some(least), None),
        Bound::AtMost(most) => (None, Some(most)),
        Bound::Between(least, most) => (Some(least), Some(most)),
    };
    BacktestTarget {
        name: target.name.to_owned(),
        least,
        most,
        measured: target.measured.filter(|measured| measured.is_finite()),
        met: target.met(),
        rationale: target.rationale.to_owned(),
    }
}

fn wrong(score: &Score) -> BacktestWrong {
    let what = match (score.leaks, score.said, score.alarms) {
        (true, false, 0) => "missed at the end".to_owned(),
        (true, false, alarms) => format!("missed at the end, and {alarms} false alarms before"),
        (false, true, _) => "called a leak at the end".to_owned(),
        (true, true, alarms) | (false, false, alarms) => {
            format!("{alarms} false alarms on the way")
        }
    };
    BacktestWrong {
        detector: "plimsoll".to_owned(),
        service: score.service.clone(),
        family: score.family.clone(),
        what,
    }
}
