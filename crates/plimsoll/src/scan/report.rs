//! A scan as a table for people: the worst first, the reason under each service.

use plimsoll_model::{Assessment, SharedOnset, Timestamp, Verdict};
use plimsoll_wire::scan::ScanInputs;

use crate::output::{clip, table as lay_out, wrap};

/// Columns of a service's name; longer ones are cut, the JSON has them whole.
const SERVICE_CHARS_MAX: usize = 24;

/// Columns of a suspected change.
const CHANGE_CHARS_MAX: usize = 22;

/// Services that are named of those that began to grow at once.
const SHARED_SHOWN: usize = 5;

/// All services in lines of 100 columns.
pub(super) fn table(
    at: Timestamp,
    assessments: &[Assessment],
    shared: Option<&SharedOnset>,
    inputs: &ScanInputs,
) -> String {
    let mut sorted: Vec<_> = assessments.iter().collect();
    sorted.sort_by_key(|assessment| urgency(assessment.verdict));
    let rows: Vec<_> = sorted.iter().map(|assessment| row(at, assessment)).collect();
    let headings = ["service", "verdict", "cause", "sure", "growth", "limit", "since"];
    let mut laid_out = lay_out(headings, &rows).into_iter();
    let mut lines: Vec<String> = laid_out.next().into_iter().collect();
    for (line, assessment) in laid_out.zip(sorted) {
        lines.push(line);
        lines.extend(wrap(&assessment.reason, 4));
    }
    lines.push(String::new());
    if let Some(found) = shared {
        lines.extend(wrap(&told_of_all(found), 0));
        lines.push(String::new());
    }
    lines.push(summary(assessments, inputs));
    lines.join("\n") + "\n"
}

/// With the names of a few; the JSON has all of them.
fn told_of_all(found: &SharedOnset) -> String {
    let names: Vec<_> = found.services.iter().take(SHARED_SHOWN).map(ToString::to_string).collect();
    let more = match found.services.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("AT ONCE: {} ({}{more})", found.reason, names.join(", "))
}

fn row(at: Timestamp, assessment: &Assessment) -> [String; 7] {
    let dash = || "-".to_owned();
    let change = assessment.suspected_change.as_ref().map(|change| match &change.version {
        Some(version) => format!("{} {version}", change.kind),
        None => change.kind.to_string(),
    });
    let onset = || assessment.onset.map(|onset| format!("{} ago", at.since(onset)));
    [
        clip(assessment.service.as_str(), SERVICE_CHARS_MAX),
        assessment.verdict.to_string(),
        assessment.cause.to_string(),
        format!("{:.0}%", assessment.confidence * 100.0),
        assessment.growth.map_or_else(dash, |growth| growth.to_string()),
        assessment.exhaustion.map_or_else(dash, |end| until(at, end.p50)),
        clip(&change.or_else(onset).unwrap_or_else(dash), CHANGE_CHARS_MAX),
    ]
}

fn until(at: Timestamp, end: Timestamp) -> String {
    if end <= at { "now".to_owned() } else { format!("in {}", end.since(at)) }
}

const fn urgency(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Leaking => 0,
        Verdict::Suspect => 1,
        Verdict::Undecided => 2,
        Verdict::Steady => 3,
    }
}

fn summary(assessments: &[Assessment], inputs: &ScanInputs) -> String {
    let count = |verdict| assessments.iter().filter(|a| a.verdict == verdict).count();
    let verdicts = [Verdict::Leaking, Verdict::Suspect, Verdict::Undecided, Verdict::Steady];
    let counts: Vec<_> = verdicts
        .iter()
        .filter(|verdict| count(**verdict) > 0)
        .map(|verdict| format!("{} {verdict}", count(*verdict)))
        .collect();
    let counts = if counts.is_empty() { "no services".to_owned() } else { counts.join(", ") };
    let rejected = match inputs.rejected {
        0 => String::new(),
        rejected => format!(", {rejected} lines rejected"),
    };
    let ScanInputs { series, samples, .. } = inputs;
    format!("{counts}; {samples} samples of {series} series{rejected}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_model::{Cause, Exhaustion, Growth, Metric, ServiceName, Span, Unit};

    fn assessment(service: &str, verdict: Verdict) -> Assessment {
        let at = Timestamp::from_secs(1_780_000_000);
        let end = at + Span::from_mins(185);
        Assessment {
            at,
            service: ServiceName::new(service).unwrap(),
            verdict,
            cause: Cause::Fragmentation,
            confidence: 0.97,
            metric: Some(Metric::RuntimeHeapLive),
            onset: Some(at - Span::from_mins(12)),
            growth: Some(Growth { per_hour: 1023.9 * 1_048_576.0, unit: Unit::Bytes }),
            exhaustion: Some(Exhaustion { p10: end, p50: end, p90: end }),
            instances: Vec::new(),
            suspected_change: None,
            reason: "the floor after collections rises steadily ".repeat(5),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn the_worst_stands_first_and_every_line_fits() {
        let at = Timestamp::from_secs(1_780_000_000);
        let long = "a-service-with-a-name-that-nobody-can-say-aloud";
        let all = [assessment(long, Verdict::Steady), assessment("orders", Verdict::Undecided)];
        let text = table(at, &all, None, &ScanInputs::default());
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert!(text.find("orders").unwrap() < text.find("a-service").unwrap(), "{text}");
        assert!(text.contains("1023.9 MiB/h  in 3h05m  12m00s ago"), "{text}");
        assert!(text.ends_with("1 undecided, 1 steady; 0 samples of 0 series\n"), "{text}");
    }

    #[test]
    fn what_began_at_once_is_told_below_the_services() {
        let at = Timestamp::from_secs(1_780_000_000);
        let service = |number| ServiceName::new(&format!("service-{number}")).unwrap();
        let found = SharedOnset {
            services: (0..7).map(service).collect(),
            from: at - Span::from_hours(3),
            to: at - Span::from_hours(2),
            chance: 1e-9,
            reason: "7 services began to grow within 1h00m of each other ".repeat(3),
        };
        let all = [assessment("service-1", Verdict::Leaking)];
        let text = table(at, &all, Some(&found), &ScanInputs::default());
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        let told = text.find("AT ONCE: 7 services").unwrap();
        assert!(told > text.find("service-1").unwrap(), "{text}");
        assert!(text.contains("service-4 and 2") && !text.contains("service-5"), "{text}");
    }
}
