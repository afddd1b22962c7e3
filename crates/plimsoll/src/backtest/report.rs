//! A report as text: the targets, the detectors side by side, families, and what went wrong.

use plimsoll_wire::backtest::{
    BacktestDetector, BacktestFamily, BacktestNumbers, BacktestReport, BacktestTarget,
};
use plimsoll_wire::words::{HalfWord, LabelWord};

use crate::output::table;

/// Wrong cases that are listed; all of them are in the JSON.
const WRONG_SHOWN: usize = 40;

pub(super) fn text(report: &BacktestReport) -> String {
    let half = match report.half {
        Some(HalfWord::Report) => "the families that nothing was tuned on",
        Some(HalfWord::Tune) => "the families that were tuned on",
        None => "all families",
    };
    let BacktestReport { corpus, cases, looks, .. } = report;
    let mut lines = vec![format!("{corpus}: {cases} cases of {half}, {looks} looks each")];
    if let Some(ours) = report.detectors.first()
        && let Some(apart) = ours.all.hours_between_looks_p50
    {
        lines.push(format!("{} between two looks (median)", hours(Some(apart))));
    }
    lines.push(String::new());
    lines.extend(side_by_side(&report.detectors));
    for detector in report.detectors.iter().take(1) {
        lines.push(String::new());
        lines.extend(families(detector));
    }
    lines.push(String::new());
    lines.extend(targets(&report.targets));
    if !report.wrong.is_empty() {
        lines.push(String::new());
        let rows = report.wrong.iter().take(WRONG_SHOWN);
        let rows: Vec<_> = rows.map(|w| [w.service.clone(), w.what.clone()]).collect();
        lines.extend(table(["wrong case", "what"], &rows));
        if let Some(more) = report.wrong.len().checked_sub(WRONG_SHOWN).filter(|more| *more > 0) {
            lines.push(format!("and {more} more; --format json has all"));
        }
    }
    lines.join("\n") + "\n"
}

fn side_by_side(detectors: &[BacktestDetector]) -> Vec<String> {
    let headings = [
        "detector",
        "precision",
        "recall",
        "F1",
        "F1 alarms",
        "told",
        "delay",
        "used",
        "false/1000d",
        "pages/1000d",
    ];
    let row = |detector: &BacktestDetector| {
        let all = &detector.all;
        [
            detector.name.clone(),
            ratio(all.precision),
            ratio(all.recall),
            ratio(all.f1),
            ratio(all.f1_of_alarms),
            format!("{}/{}", all.told, all.leaking),
            hours(all.delay_hours_p50),
            ratio(all.runway_used_p50),
            number(all.alarms_per_1000_days),
            number(all.pages_per_1000_days),
        ]
    };
    table(headings, &detectors.iter().map(row).collect::<Vec<_>>())
}

fn families(detector: &BacktestDetector) -> Vec<String> {
    let headings = ["family", "is", "cases", "right", "told", "delay p50", "alarms", "false/1000d"];
    let row = |family: &BacktestFamily| {
        let BacktestFamily { family, label, numbers } = family;
        [
            family.clone(),
            label.word().to_owned(),
            numbers.cases.to_string(),
            right(*label, numbers),
            if numbers.leaking > 0 {
                format!("{}/{}", numbers.told, numbers.leaking)
            } else {
                dash()
            },
            hours(numbers.delay_hours_p50),
            numbers.alarms.to_string(),
            number(numbers.alarms_per_1000_days),
        ]
    };
    table(headings, &detector.families.iter().map(row).collect::<Vec<_>>())
}

fn targets(targets: &[BacktestTarget]) -> Vec<String> {
    let row = |target: &BacktestTarget| {
        let bound = match (target.least, target.most) {
            (Some(least), Some(most)) => format!("{least} to {most}"),
            (Some(least), None) => format!(">= {least}"),
            (None, Some(most)) => format!("<= {most}"),
            (None, None) => dash(),
        };
        let met = match target.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "not measured",
        };
        [target.name.clone(), bound, ratio(target.measured), met.to_owned()]
    };
    table(["target", "bound", "measured", ""], &targets.iter().map(row).collect::<Vec<_>>())
}

fn right(label: LabelWord, numbers: &BacktestNumbers) -> String {
    match label {
        LabelWord::Leaking => ratio(numbers.recall),
        LabelWord::Benign => ratio(Some(1.0 - numbers.false_leaks as f64 / numbers.cases as f64)),
        LabelWord::Unlabelled => dash(),
    }
}

fn dash() -> String {
    "-".to_owned()
}

fn ratio(value: Option<f64>) -> String {
    value.map_or_else(dash, |value| format!("{value:.3}"))
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(dash, |value| format!("{value:.2}"))
}

fn hours(value: Option<f64>) -> String {
    value.map_or_else(dash, |hours| match hours {
        0.0..1.0 => format!("{:.0} min", hours * 60.0),
        _ => format!("{hours:.1} h"),
    })
}
