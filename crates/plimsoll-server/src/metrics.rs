//! What the server says of itself, in the Prometheus text format.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use plimsoll_model::{Urgency, Verdict};

use crate::answer::Failure;
use crate::shared::Shared;

/// What a start would have to take in again.
const UNKEPT: (&str, &str) = ("plimsoll_services_unkept", "plimsoll_arrivals_unkept");

/// What is asked of the loop, in one look.
struct Loop {
    services: usize,
    leaking: usize,
    alerts: usize,
    paging: usize,
    series: usize,
    samples: usize,
    incidents_open: usize,
    agents_reach: usize,
    refused: u64,
}

#[utoipa::path(get, path = "/metrics", responses(
    (status = 200, description = "Self-telemetry, Prometheus text format")
))]
pub(crate) async fn metrics(State(shared): State<Shared>) -> Result<impl IntoResponse, Failure> {
    let seen = shared.driver.read(look).await?;
    let mut text = String::new();
    let counters = &shared.counters;
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed) as f64;
    let rows = [
        ("plimsoll_readings_total", "counter", "Readings stored", count(&counters.readings)),
        ("plimsoll_spans_total", "counter", "Spans counted", count(&counters.spans)),
        ("plimsoll_changes_total", "counter", "Events stored", count(&counters.changes)),
        ("plimsoll_agent_polls_total", "counter", "Polls of agents", count(&counters.polls)),
        ("plimsoll_readings_refused_total", "counter", "Over services_max", seen.refused as f64),
        ("plimsoll_services", "gauge", "Services followed", seen.services as f64),
        ("plimsoll_services_leaking", "gauge", "Services that leak", seen.leaking as f64),
        ("plimsoll_alerts", "gauge", "Services with a standing alert", seen.alerts as f64),
        ("plimsoll_alerts_paging", "gauge", "Of those, the ones that page", seen.paging as f64),
        ("plimsoll_series", "gauge", "Series in memory", seen.series as f64),
        ("plimsoll_samples", "gauge", "Samples in memory", seen.samples as f64),
        ("plimsoll_incidents_open", "gauge", "Incidents open", seen.incidents_open as f64),
        ("plimsoll_instances_in_reach", "gauge", "Reached by agents", seen.agents_reach as f64),
    ];
    for (name, kind, help, value) in rows {
        write_row(&mut text, name, kind, help, value);
    }
    let (services, arrivals) = counters.how_much_unkept();
    write_row(&mut text, UNKEPT.0, "gauge", "Services with news not kept", services as f64);
    write_row(&mut text, UNKEPT.1, "gauge", "Taken in again by a start", arrivals as f64);
    write_intake(&mut text, &shared);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text))
}

fn look(state: &plimsoll_control::State) -> Loop {
    let lives = || state.histories().flat_map(|history| &history.lives);
    let all = || lives().flat_map(|life| life.series.values());
    Loop {
        services: state.histories().count(),
        leaking: state.assessments().filter(|a| a.verdict == Verdict::Leaking).count(),
        alerts: state.alerts().count(),
        paging: state.alerts().filter(|alert| alert.urgency == Urgency::Page).count(),
        series: all().count(),
        samples: all().map(|series| series.samples().len()).sum(),
        incidents_open: state.incidents().filter(|incident| incident.is_open()).count(),
        agents_reach: state.reach().count(),
        refused: state.refused_readings(),
    }
}

fn write_row(text: &mut String, name: &str, kind: &str, help: &str, value: f64) {
    writeln!(text, "# HELP {name} {help}.\n# TYPE {name} {kind}\n{name} {value}")
        .expect("a string takes what is written to it");
}

fn write_intake(text: &mut String, shared: &Shared) {
    let (rejected, admitted, flows) = {
        let intake = shared.intake();
        let rejected: Vec<_> = intake.rejections.counts().collect();
        (rejected, intake.admission.series(), intake.traffic.instances())
    };
    write_row(text, "plimsoll_series_admitted", "gauge", "Series pushed here", admitted as f64);
    write_row(text, "plimsoll_traffic_instances", "gauge", "Instances with spans", flows as f64);
    let name = "plimsoll_rejected_total";
    writeln!(text, "# HELP {name} What was refused, by reason.\n# TYPE {name} counter")
        .expect("a string takes what is written to it");
    for (reason, count) in rejected {
        writeln!(text, "{name}{{reason=\"{}\"}} {count}", reason.name())
            .expect("a string takes what is written to it");
    }
}
