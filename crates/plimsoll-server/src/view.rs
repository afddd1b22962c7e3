//! The state of the loop as the API shows it.

use std::collections::BTreeMap;

use plimsoll_control::State;
use plimsoll_model::{
    Assessment, Incident, Life, Metric, Sample, ServiceHistory, ServiceName, Timestamp,
};
use plimsoll_wire::api::{InstanceView, SeriesView, ServiceView};
use plimsoll_wire::format_time;
use plimsoll_wire::incident::IncidentRecord;
use plimsoll_wire::scan::ScanInputs;

/// Points of one curve: more than any screen shows, few enough for a poll every two seconds.
const POINTS_MAX: usize = 400;

/// What a curve shows of a service that no metric spoke for, in this order.
const SHOWN: [Metric; 5] = [
    Metric::RuntimeHeapLive,
    Metric::ContainerMemoryAnon,
    Metric::ProcessMemoryAnon,
    Metric::ProcessMemoryRss,
    Metric::ProcessFds,
];

pub(crate) fn services(state: &State) -> Vec<ServiceView> {
    let view = |assessment: &Assessment| {
        let history = state.history(&assessment.service);
        let metric = assessment.metric.or_else(|| history.and_then(shown_metric));
        let replicas = match history {
            Some(history) => history.current().map(|life| instance(life, metric)).collect(),
            None => Vec::new(),
        };
        let alert = state.alert(&assessment.service).map(Into::into);
        ServiceView { assessment: assessment.into(), alert, replicas }
    };
    state.assessments().map(view).collect()
}

pub(crate) fn inputs(state: &State) -> ScanInputs {
    let lives = || state.histories().flat_map(|history| &history.lives);
    let all = || lives().flat_map(|life| life.series.values());
    let samples: usize = all().map(|series| series.samples().len()).sum();
    let first = all().filter_map(|series| series.samples().first()).map(|sample| sample.at).min();
    let last = lives().map(Life::last_seen).max();
    ScanInputs::new(all().count() as u64, samples as u64, state.refused_readings(), first.zip(last))
}

/// The curves of one metric of a service, one for each life since a moment. The metric that is
/// shown when none is asked for is the one that spoke.
pub(crate) fn series(
    state: &State,
    service: &ServiceName,
    metric: Option<Metric>,
    since: Timestamp,
) -> Option<Vec<SeriesView>> {
    let history = state.history(service)?;
    let spoke = state.assessments().find(|assessment| assessment.service == *service);
    let spoke = spoke.and_then(|assessment| assessment.metric);
    let Some(metric) = metric.or(spoke).or_else(|| shown_metric(history)) else {
        return Some(Vec::new());
    };
    let curve = |life: &Life| {
        let end = Timestamp::from_millis(i64::MAX);
        let samples = life.series(metric)?.between(since, end);
        (!samples.is_empty()).then(|| SeriesView {
            service: service.to_string(),
            instance: life.instance.to_string(),
            version: life.version.as_ref().map(ToString::to_string),
            metric: metric.to_string(),
            unit: metric.unit().into(),
            points: thinned(samples),
        })
    };
    Some(history.lives.iter().filter_map(curve).collect())
}

pub(crate) fn incidents(state: &State) -> Vec<IncidentRecord> {
    let mut incidents: Vec<&Incident> = state.incidents().collect();
    incidents.sort_by_key(|incident| std::cmp::Reverse(incident.opened_at));
    incidents.into_iter().map(Into::into).collect()
}

fn shown_metric(history: &ServiceHistory) -> Option<Metric> {
    let has = |metric: &Metric| history.lives.iter().any(|life| life.series(*metric).is_some());
    SHOWN.into_iter().find(has)
}

fn instance(life: &Life, metric: Option<Metric>) -> InstanceView {
    let limit = metric.and_then(Metric::limited_by).and_then(|limit| life.latest(limit));
    let latest: BTreeMap<String, f64> = life
        .series
        .iter()
        .filter_map(|(metric, series)| Some((metric.to_string(), series.last()?.value)))
        .collect();
    InstanceView {
        instance: life.instance.to_string(),
        version: life.version.as_ref().map(ToString::to_string),
        last_seen: Some(format_time(life.last_seen())),
        metric: metric.map(|metric| metric.to_string()),
        level: metric.and_then(|metric| life.latest(metric)),
        limit,
        latest,
    }
}

/// Every so manieth sample, and always the last one.
fn thinned(samples: &[Sample]) -> Vec<(f64, f64)> {
    let stride = samples.len().div_ceil(POINTS_MAX).max(1);
    let point = |sample: &Sample| (sample.at.as_secs_f64(), sample.value);
    let mut points: Vec<_> = samples.iter().step_by(stride).map(point).collect();
    if let Some(last) = samples.last().map(point)
        && points.last() != Some(&last)
    {
        points.push(last);
    }
    points
}
