//! A case as a picture, so that a person sees why a verdict went wrong: what was measured, what is
//! true, and when which detector said "leak".
//!
//! One self-contained SVG, no script. Not here: which cases are worth a picture.

mod reliability;

pub use reliability::reliability;

use plimsoll_model::{Label, Metric, Sample, Timestamp};

use crate::case::Case;
use crate::detector::Said;

/// Pixels.
const WIDTH: f64 = 960.0;
const LEFT: f64 = 110.0;
const TOP: f64 = 56.0;
const CHART: f64 = 220.0;
const STRIP: f64 = 16.0;

/// Points of one line: more than pixels would not be seen.
const POINTS_MAX: usize = 800;

/// Lines of one chart, a line for each life: more cannot be told apart.
const LINES_MAX: usize = 64;

const INK: [&str; 4] = ["#1b6ca8", "#b5651d", "#2e7d32", "#7b1fa2"];

/// Draws what was measured over what each detector said.
pub fn draw(case: &Case, names: &[&str], said: &[Vec<Said>]) -> String {
    let Some((from, to)) = case.span() else { return String::new() };
    let metric = speaking(case, said);
    let strips = TOP + CHART + 24.0;
    let height = strips + STRIP * names.len() as f64 + 40.0;
    let axis = Axis { from, to };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    title(&mut svg, case, metric, said);
    truth(&mut svg, case, &axis);
    if let Some(metric) = metric {
        lines(&mut svg, case, metric, &axis);
    }
    for (row, (name, said)) in names.iter().zip(said).enumerate() {
        strip(&mut svg, &axis, (name, strips + STRIP * row as f64), said);
    }
    text(&mut svg, (LEFT, height - 12.0), &format!("{} long", to.since(from)));
    svg.push_str("</svg>\n");
    svg
}

/// Where a moment lies.
struct Axis {
    from: Timestamp,
    to: Timestamp,
}

impl Axis {
    fn x(&self, at: Timestamp) -> f64 {
        let length = self.to.since(self.from).as_secs_f64().max(f64::MIN_POSITIVE);
        let share = (at.since(self.from).as_secs_f64() / length).clamp(0.0, 1.0);
        LEFT + share * (WIDTH - LEFT - 16.0)
    }
}

/// The metric that our last assessment spoke of, else the one with the most samples.
fn speaking(case: &Case, said: &[Vec<Said>]) -> Option<Metric> {
    let spoke = said.iter().flatten().rev().find_map(|said| said.assessment.as_ref()?.metric);
    let series = || case.history.lives.iter().flat_map(|life| &life.series);
    let longest = series().max_by_key(|(_, series)| series.samples().len());
    spoke.or_else(|| longest.map(|(metric, _)| *metric))
}

fn title(svg: &mut String, case: &Case, metric: Option<Metric>, said: &[Vec<Said>]) {
    let label = match case.truth.label {
        Label::Leaking => "leaking",
        Label::Benign => "benign",
        Label::Unlabelled => "unlabelled",
    };
    let metric = metric.map_or("", Metric::name);
    let name = &case.history.service;
    text(svg, (LEFT, 18.0), &format!("{name}: {label} ({}); {metric}", case.truth.family));
    let last = said.first().and_then(|ours| ours.last()?.assessment.as_ref());
    if let Some(last) = last {
        text(svg, (LEFT, 36.0), &format!("said at the end: {}; {}", last.verdict, last.reason));
    }
}

fn truth(svg: &mut String, case: &Case, axis: &Axis) {
    if let Some(onset) = case.truth.onset {
        let (x, end) = (axis.x(onset), axis.x(case.truth.ends.unwrap_or(axis.to)));
        svg.push_str(&format!(
            "<rect x=\"{x:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{CHART}\" fill=\"#fde7e7\"/>\n",
            (end - x).max(1.0)
        ));
    }
    for change in &case.history.changes {
        let x = axis.x(change.at);
        svg.push_str(&format!(
            "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{:.1}\" stroke=\"#999999\" \
             stroke-dasharray=\"3 3\"><title>{}</title></line>\n",
            TOP + CHART,
            change.kind.name()
        ));
    }
}

fn lines(svg: &mut String, case: &Case, metric: Metric, axis: &Axis) {
    let of_life = |life: &plimsoll_model::Life| {
        life.series(metric).map(|series| series.samples().to_vec()).unwrap_or_default()
    };
    let all: Vec<Vec<Sample>> = case.history.lives.iter().map(of_life).collect();
    let highest = all.iter().flatten().map(|sample| sample.value).fold(0.0, f64::max);
    let y = |value: f64| TOP + CHART * (1.0 - value / highest.max(f64::MIN_POSITIVE));
    text(svg, (4.0, TOP + 10.0), &format!("{highest:.3e}"));
    text(svg, (4.0, TOP + CHART), "0");
    for (index, samples) in all.iter().take(LINES_MAX).enumerate() {
        let every = samples.len().div_ceil(POINTS_MAX).max(1);
        let points = samples.iter().step_by(every);
        let points = points.map(|s| format!("{:.1},{:.1}", axis.x(s.at), y(s.value)));
        let ink = INK.get(index % INK.len()).copied().unwrap_or("#000000");
        svg.push_str(&format!(
            "<polyline fill=\"none\" stroke=\"{ink}\" points=\"{}\"/>\n",
            points.collect::<Vec<_>>().join(" ")
        ));
    }
}

fn strip(svg: &mut String, axis: &Axis, (name, top): (&str, f64), said: &[Said]) {
    text(svg, (4.0, top + STRIP - 4.0), name);
    let mut before = axis.from;
    for look in said {
        let (x, end) = (axis.x(before), axis.x(look.at));
        let fill = if look.leaking { "#c62828" } else { "#e8eef2" };
        svg.push_str(&format!(
            "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{fill}\"/>\n",
            end - x + 0.2,
            STRIP - 4.0
        ));
        before = look.at;
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), words: &str) {
    let escaped = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    svg.push_str(&format!("<text x=\"{x:.1}\" y=\"{y:.1}\">{escaped}</text>\n"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Truth;
    use plimsoll_model::{Half, InstanceName, Reading, SeriesLimit, ServiceHistory, ServiceName};

    #[test]
    fn a_picture_shows_the_series_the_truth_and_every_detector() {
        let service = ServiceName::new("orders").unwrap();
        let mut history = ServiceHistory::new(service.clone());
        for second in 0..100 {
            let reading = Reading {
                at: Timestamp::from_secs(second),
                service: service.clone(),
                version: None,
                instance: InstanceName::new("x").unwrap(),
                metric: Metric::ProcessMemoryRss,
                value: second as f64,
            };
            history.record(&reading, SeriesLimit::NONE);
        }
        let truth = Truth {
            family: "line & slope".into(),
            half: Half::Report,
            label: Label::Leaking,
            cause: None,
            onset: Some(Timestamp::from_secs(10)),
            ends: None,
            instances: Vec::new(),
            change: None,
            exhausted_at: None,
            growth_per_hour: None,
        };
        let said = |at| {
            let leaking = at > 50;
            Said { at: Timestamp::from_secs(at), leaking, pages: leaking, assessment: None }
        };
        let said = vec![vec![said(50), said(99)], vec![said(50), said(99)]];
        let svg = draw(&Case { history, truth }, &["ours", "other"], &said);
        for part in ["line &amp; slope", "#fde7e7", "polyline", ">ours<", ">other<", "#c62828"] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
    }
}
