//! `plimsoll heap report` of a GC log: what was alive after collections that leave no garbage, how
//! it went on, and what the detector says of it.

use std::path::Path;

use plimsoll_heap::gc_log::{GcLog, HeapSeries, LogForm};
use plimsoll_heap::thousands;
use plimsoll_model::{
    Assessment, IdError, InstanceName, Metric, Reading, Sample, SeriesLimit, ServiceHistory,
    ServiceName, Timestamp, Verdict,
};
use plimsoll_wire::heap::{GcLogShape, GcMomentShape, GcRunShape, HEAP_VERSION};

use super::looks;
use super::whole::human;
use crate::exit::{Exit, Failure};
use crate::output::{Format, print, print_json, say, table, wrap};

/// Moments of a run that are printed, evenly chosen.
const MOMENTS: usize = 12;

/// What a log's service is called where a name is needed.
const NAME: &str = "the JVM";

pub(super) fn report(path: &Path, format: Format) -> Result<Exit, Failure> {
    let log = looks::log(path)?;
    if log.rejected > 0 {
        let (path, count) = (path.display(), log.rejected);
        say(&format!("plimsoll: {count} collections in `{path}` cannot be read and are left out"));
    }
    // Without a calendar, moments are counted from the start of the JVM.
    let runs = log.heap_series(Timestamp::from_secs(0));
    let last = runs.last().expect("a log that could be parsed tells of a collection, so of a run");
    let judged = judge(last).map_err(Failure::failed)?;
    match format {
        Format::Json => print_json(&shape(&log, &runs, &judged))?,
        Format::Table => print(&(text(&log, &runs, &judged).join("\n") + "\n"))?,
    }
    Ok(match judged.verdict {
        Verdict::Leaking => Exit::Found,
        Verdict::Suspect | Verdict::Undecided => Exit::CannotTell,
        Verdict::Steady => Exit::NothingWrong,
    })
}

/// What the detector says of one run.
fn judge(run: &HeapSeries) -> Result<Assessment, IdError> {
    let (service, instance) = (ServiceName::new(NAME)?, InstanceName::new(NAME)?);
    let series = [
        (Metric::RuntimeHeapLive, &run.live),
        (Metric::RuntimeHeapUsed, &run.used),
        (Metric::RuntimeHeapCommitted, &run.committed),
    ];
    let readings = series.into_iter().flat_map(|(metric, samples)| {
        let (service, instance) = (&service, &instance);
        samples.iter().map(move |sample| Reading {
            at: sample.at,
            service: service.clone(),
            version: None,
            instance: instance.clone(),
            metric,
            value: sample.value,
        })
    });
    let newest = run.used.last().map_or(Timestamp::from_secs(0), |sample| sample.at);
    let readings = readings.collect();
    let history = ServiceHistory::at_rest(service.clone(), readings, vec![], SeriesLimit::OUTLINES);
    Ok(plimsoll_detect::assess(&history, newest))
}

fn text(log: &GcLog, runs: &[HeapSeries], judged: &Assessment) -> Vec<String> {
    let count = thousands(log.collections().count() as u64);
    let mut lines = vec![format!("{count} collections of {} runs of a JVM", runs.len())];
    for (at, run) in runs.iter().enumerate() {
        lines.push(String::new());
        lines.extend(wrap(&format!("Run {}: {}", at + 1, trend(run)), 0));
        let step = run.live.len().div_ceil(MOMENTS).max(1);
        // The newest is always told.
        let chosen = run.live.iter().rev().step_by(step).collect::<Vec<_>>();
        let rows: Vec<[String; 2]> =
            chosen.into_iter().rev().map(|sample| moment(log, sample)).collect();
        if !rows.is_empty() {
            lines.extend(table(["at", "alive"], &rows));
        }
    }
    lines.push(String::new());
    let said =
        format!("The detector says of the last run: {}: {}", judged.verdict.name(), judged.reason);
    lines.extend(wrap(&said, 0));
    lines
}

fn trend(run: &HeapSeries) -> String {
    let Some((first, last)) = run.live.first().zip(run.live.last()) else {
        return "no collection in it left nothing but what is alive, so it tells of no live set; a \
                full collection would (jcmd PID GC.run)"
            .into();
    };
    let (from, to) = (human(first.value as u64), human(last.value as u64));
    let hours = last.at.since(first.at).as_hours_f64();
    let span = match hours {
        hours if hours < 0.05 => format!("{:.0} s", hours * 3600.0),
        hours if hours < 2.0 => format!("{:.0} min", hours * 60.0),
        hours => format!("{hours:.1} h"),
    };
    let count = thousands(run.live.len() as u64);
    let how = match run.live_per_hour() {
        None => "too few, or in too short a time, to tell a trend".to_owned(),
        Some(slope) if slope < 0.0 => format!("it falls by {} an hour", human(-slope as u64)),
        Some(slope) => format!("it rises by {} an hour", human(slope as u64)),
    };
    format!(
        "{from} were alive after the first and {to} after the last of {count} collections that \
             leave no garbage, in {span}; {how}."
    )
}

fn moment(log: &GcLog, sample: &Sample) -> [String; 2] {
    let at = if log.is_dated() {
        jiff::Timestamp::from_millisecond(sample.at.as_millis())
            .map_or_else(|_| "-".into(), |moment| moment.to_string())
    } else {
        format!("{:.1} s", sample.at.as_secs_f64())
    };
    [at, human(sample.value as u64)]
}

fn shape(log: &GcLog, runs: &[HeapSeries], judged: &Assessment) -> GcLogShape {
    let moment =
        |sample: &Sample| GcMomentShape { at: sample.at.as_secs_f64(), bytes: sample.value as u64 };
    GcLogShape {
        version: HEAP_VERSION,
        form: match log.form {
            LogForm::Unified => "unified",
            LogForm::Older => "older",
        }
        .into(),
        collections: log.collections().count() as u64,
        rejected: log.rejected as u64,
        dated: log.is_dated(),
        verdict: judged.verdict.name().into(),
        reason: judged.reason.clone(),
        growth_bytes_per_hour: judged.growth.as_ref().map(|growth| growth.per_hour),
        runs: runs
            .iter()
            .map(|run| GcRunShape {
                live: run.live.iter().map(moment).collect(),
                trend_bytes_per_hour: run.live_per_hour(),
            })
            .collect(),
    }
}
