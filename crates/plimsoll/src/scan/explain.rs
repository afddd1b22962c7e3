//! `plimsoll scan --explain`: one verdict, with everything that it hung on.
//!
//! What is told is `plimsoll-detect`'s, the shape of the JSON `plimsoll-wire`'s; this lays it out.

mod usual;

use plimsoll_detect::{
    Explanation, Fits, OtherSeries, Picture, Rival, Score, Speaker, Standing, explain,
};
use plimsoll_model::{InstanceName, ServiceHistory, Timestamp, Verdict};
use plimsoll_wire::explain::{
    ExplainMark, ExplainOther, ExplainPicture, ExplainPoint, ExplainReport, ExplainRival,
    ExplainScore, ExplainSpeaker, ExplainTrend, FitsWord,
};
use plimsoll_wire::format_time;
use plimsoll_wire::scan::ScanInputs;

use super::chart::{chart, quantity};
use super::judge::Judged;
use super::read::Input;
use super::{exit_of, report};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Progress, narrow_table, print, print_json, say, wrap};

pub(super) fn run(
    input: Input,
    at: Timestamp,
    progress: Progress,
    format: Format,
) -> Result<Exit, Failure> {
    let Input { telemetry, changes, rejected } = input;
    progress.show("explaining");
    let ask = |history: &ServiceHistory| explain(history, at);
    let judged = telemetry.judge(changes, at, &progress, &ask).map_err(Failure::bad_input)?;
    let Some(Judged { verdict: explanation, series, samples, span, .. }) =
        judged.into_iter().next()
    else {
        say("plimsoll: the telemetry holds no samples, so there is nothing to explain");
        return Ok(Exit::CannotTell);
    };
    let inputs = ScanInputs::new(series, samples, rejected, span);
    drop(progress);
    match format {
        Format::Json => print_json(&shape(at, &explanation, inputs))?,
        Format::Table => print(&told(at, &explanation, &inputs))?,
    }
    Ok(exit_of(std::slice::from_ref(&explanation.assessment)))
}

/// The whole explanation for a person, in lines of 100 columns.
fn told(at: Timestamp, explanation: &Explanation, inputs: &ScanInputs) -> String {
    let assessment = &explanation.assessment;
    let table = report::table(at, std::slice::from_ref(assessment), None, inputs);
    let mut lines: Vec<String> = table.lines().map(str::to_owned).collect();
    if let Some(speaker) = &explanation.speaker {
        lines.extend(series(speaker));
        lines.push(String::new());
        lines.extend(chart(&speaker.picture, speaker.metric.unit(), speaker.limit));
        lines.extend(usual::section(speaker));
        lines.extend(explanations(speaker));
        lines.extend(evidence(explanation));
        lines.extend(["".into(), heading("what would change it")]);
        lines.extend(speaker.turns.iter().flat_map(|turn| wrap(turn, 2)));
    }
    lines.extend(others(&explanation.others));
    lines.join("\n") + "\n"
}

fn heading(text: &str) -> String {
    text.to_uppercase()
}

fn series(speaker: &Speaker) -> Vec<String> {
    let unit = speaker.metric.unit();
    let version = speaker.version.as_ref().map(|version| format!(" ({version})"));
    let limit = speaker.limit.map_or_else(|| "not known".into(), |limit| quantity(unit, limit));
    let mut lines = vec![String::new(), heading("the series that speaks")];
    lines.extend(wrap(
        &format!(
            "{} of {}{}: {}",
            speaker.metric,
            speaker.instance,
            version.unwrap_or_default(),
            speaker.chosen
        ),
        2,
    ));
    lines.extend(wrap(
        &format!(
            "level {}, limit {limit}, a rise below {} does not matter, {} samples",
            quantity(unit, speaker.level),
            quantity(unit, speaker.material),
            speaker.samples
        ),
        2,
    ));
    lines
}

fn explanations(speaker: &Speaker) -> Vec<String> {
    let row = |rival: &Rival| {
        let name = rival.name.name().replace('_', " ");
        let standing = rival.standing.name().replace('_', " ");
        [name, standing, score(rival.score.as_ref()), rival.says.clone()]
    };
    // What is believed stands first; the others keep the order in which they are asked.
    let mut sorted: Vec<&Rival> = speaker.rivals.iter().collect();
    sorted.sort_by_key(|rival| match rival.standing {
        Standing::Believed => 0,
        Standing::Possible => 1,
        Standing::Excluded => 2,
        Standing::NotAsked => 3,
    });
    let rows: Vec<_> = sorted.into_iter().map(row).collect();
    let headings = ["explanation", "standing", "score (fits if)", "why"];
    let table = narrow_table(headings, [23, 9, 18, 44], &rows);
    std::iter::once(String::new()).chain(table).collect()
}

fn score(score: Option<&Score>) -> String {
    let Some(score) = score else { return "-".into() };
    let whole = score.value.fract() == 0.0 && score.against.fract() == 0.0;
    let value = if whole { score.value.to_string() } else { short(score.value) };
    let sign = match score.fits {
        Fits::AtLeast => ">=",
        Fits::Below => "<",
    };
    format!("{value} ({sign} {})", score.against)
}

/// A number with as many decimals as a person reads.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 10_000.0 => format!("{value:.0e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn evidence(explanation: &Explanation) -> Vec<String> {
    let all = &explanation.assessment.evidence;
    let row = |fact: &plimsoll_model::Evidence| {
        [format!("{:+.2}", fact.weight), fact.claim.clone(), fact.source.clone()]
    };
    let mut rows: Vec<_> = all.iter().map(row).collect();
    let sum: f64 = all.iter().map(|fact| fact.weight).sum();
    let leak = 100.0 / (1.0 + (-sum).exp());
    rows.push([format!("{sum:+.2}"), format!("together: {leak:.1} % for a leak"), String::new()]);
    let table = narrow_table(["weight", "evidence", "seen in"], [7, 61, 28], &rows);
    std::iter::once(String::new()).chain(table).collect()
}

fn others(others: &[OtherSeries]) -> Vec<String> {
    if others.is_empty() {
        return Vec::new();
    }
    let row = |(other, of): (&OtherSeries, Vec<&InstanceName>)| {
        let verdict = other.verdict.map_or("not asked", Verdict::name);
        [names(&of), other.metric.to_string(), verdict.to_owned(), other.says.clone()]
    };
    let rows: Vec<_> = alike(others).into_iter().map(row).collect();
    let headings = ["other series of", "metric", "verdict", "why"];
    let table = narrow_table(headings, [22, 28, 9, 35], &rows);
    std::iter::once(String::new()).chain(table).collect()
}

/// Series of which the same is said, in one row: replicas are many and mostly alike.
fn alike(others: &[OtherSeries]) -> Vec<(&OtherSeries, Vec<&InstanceName>)> {
    let mut rows: Vec<(&OtherSeries, Vec<&InstanceName>)> = Vec::new();
    for other in others {
        let same = |(one, _): &&mut (&OtherSeries, _)| {
            one.metric == other.metric && one.verdict == other.verdict && one.says == other.says
        };
        match rows.iter_mut().find(same) {
            Some((_, of)) => of.push(&other.instance),
            None => rows.push((other, vec![&other.instance])),
        }
    }
    rows
}

/// Names that are written out of those that share a row.
const NAMED_MAX: usize = 3;

fn names(of: &[&InstanceName]) -> String {
    let named: Vec<String> = of.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    match of.len().saturating_sub(NAMED_MAX) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

fn shape(at: Timestamp, explanation: &Explanation, inputs: ScanInputs) -> ExplainReport {
    let other = |other: &OtherSeries| ExplainOther {
        instance: other.instance.to_string(),
        metric: other.metric.to_string(),
        verdict: other.verdict.map(Into::into),
        says: other.says.clone(),
    };
    ExplainReport {
        assessed_at: format_time(at),
        service: (&explanation.assessment).into(),
        speaker: explanation.speaker.as_ref().map(speaker_shape),
        others: explanation.others.iter().map(other).collect(),
        inputs,
    }
}

fn speaker_shape(speaker: &Speaker) -> ExplainSpeaker {
    ExplainSpeaker {
        instance: speaker.instance.to_string(),
        version: speaker.version.as_ref().map(ToString::to_string),
        metric: speaker.metric.to_string(),
        unit: speaker.metric.unit().into(),
        chosen: speaker.chosen.clone(),
        samples: speaker.samples,
        level: speaker.level,
        limit: speaker.limit,
        material: speaker.material,
        explanations: speaker.rivals.iter().map(rival_shape).collect(),
        picture: picture_shape(&speaker.picture),
        usual: speaker.usual.iter().map(usual::shape).collect(),
        would_change: speaker.turns.clone(),
    }
}

fn rival_shape(rival: &Rival) -> ExplainRival {
    let score = |score: &Score| ExplainScore {
        measure: score.measure.to_owned(),
        value: score.value,
        fits: match score.fits {
            Fits::AtLeast => FitsWord::AtLeast,
            Fits::Below => FitsWord::Below,
        },
        against: score.against,
        threshold: score.threshold.map(str::to_owned),
    };
    ExplainRival {
        name: rival.name.name().to_owned(),
        standing: rival.standing.name().to_owned(),
        score: rival.score.as_ref().map(score),
        says: rival.says.clone(),
    }
}

fn picture_shape(picture: &Picture) -> ExplainPicture {
    let point =
        |(at, value): &(Timestamp, f64)| ExplainPoint { ts: format_time(*at), value: *value };
    let trend = |line: &plimsoll_detect::Line| ExplainTrend {
        from: format_time(line.from),
        to: format_time(line.to),
        begin: line.begin,
        end: line.end,
        per_hour: line.per_hour,
    };
    let mark = |mark: &plimsoll_detect::Mark| ExplainMark {
        ts: format_time(mark.at),
        what: mark.what.clone(),
    };
    ExplainPicture {
        of: picture.of.clone(),
        points: picture.points.iter().map(point).collect(),
        trend: picture.line.as_ref().map(trend),
        changes: picture.marks.iter().map(mark).collect(),
    }
}
