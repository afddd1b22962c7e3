//! What to ask: selectors, expressions, how fine, and in which pieces.
//!
//! Every answer is bounded twice, by points of a series (servers refuse more than 11 000) and by
//! points of all its series together.

use plimsoll_model::{Kind, Metric, Role, Span, Timestamp};

use super::fleet::{Group, Pull};
use super::labels::{HOST, identity_labels};
use super::resolution::Resolution;
use super::source::{Source, Usage};

/// Points of one series in one answer. Prometheus refuses more than 11 000.
const POINTS_MAX: i64 = 10_000;

/// Points of one answer: about 8 MB of JSON, a second of a server's time.
const ANSWER_POINTS_MAX: i64 = 250_000;

/// Bytes of values in one selector. Proxies refuse addresses of more than 8 KiB, and an escaped
/// byte is up to three there.
const VALUES_BYTES_MAX: usize = 1_800;

/// Samples that a rate is taken over at least: one scrape that was lost must not leave a hole.
const RATE_SAMPLES_MIN: i64 = 4;

/// The time that is asked about, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: Timestamp,
    pub to: Timestamp,
}

/// The series of one answer, by the values of one label; none for all series of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    pub label: String,
    pub values: Vec<String>,
}

/// One question of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub matcher: Option<Matcher>,
    pub window: Window,
}

impl Window {
    pub fn length(self) -> Span {
        self.to.since(self.from)
    }

    /// The evaluations of a range query: at whole multiples of the step, so that two pieces, and
    /// two scans, look at the same moments.
    fn aligned(self, step: Span) -> Self {
        let step = step.as_millis().max(1);
        let up = |at: Timestamp| at.as_millis().saturating_add(step - 1).div_euclid(step) * step;
        let down = |at: Timestamp| at.as_millis().div_euclid(step) * step;
        let (from, to) = (Timestamp::from_millis(up(self.from)), down(self.to));
        Self { from, to: Timestamp::from_millis(to) }
    }
}

impl Piece {
    /// The same question as two smaller ones: fewer series, then less time. None where nothing
    /// smaller is left.
    pub fn halves(&self, step: Span) -> Option<[Self; 2]> {
        if let Some(Matcher { label, values }) = &self.matcher
            && values.len() > 1
        {
            let (one, other) = values.split_at(values.len() / 2);
            let part = |values: &[String]| Self {
                matcher: Some(Matcher { label: label.clone(), values: values.into() }),
                window: self.window,
            };
            return Some([part(one), part(other)]);
        }
        let steps = self.window.length().as_millis() / step.as_millis().max(1);
        if steps < 2 {
            return None;
        }
        let middle = self.window.from + Span::from_millis(steps / 2 * step.as_millis());
        let part = |from, to| Self { matcher: self.matcher.clone(), window: Window { from, to } };
        Some([part(self.window.from, middle), part(middle + step, self.window.to)])
    }
}

/// `{__name__="x",pod=~"a|b",namespace="shop"}`; `extra` is the user's own, as it is.
pub fn selector(name: &str, matcher: Option<&Matcher>, extra: Option<&str>) -> String {
    let mut text = format!("{{__name__={}", quoted(name));
    if let Some(Matcher { label, values }) = matcher {
        let values: Vec<_> = values.iter().map(|value| escaped(value)).collect();
        text.push_str(&format!(",{label}=~{}", quoted(&values.join("|"))));
    }
    if let Some(extra) = extra {
        text.push_str(&format!(",{extra}"));
    }
    text + "}"
}

/// All series with one of these names.
pub fn names_selector(names: &[String], extra: Option<&str>) -> String {
    let names: Vec<_> = names.iter().map(|name| escaped(name)).collect();
    let extra = extra.map(|extra| format!(",{extra}")).unwrap_or_default();
    format!("{{__name__=~{}{extra}}}", quoted(&names.join("|")))
}

/// What to evaluate at each step. A window instead of the newest sample: what has gone is gone at
/// once and not five minutes later, and where several samples fall into a step it is said which
/// one is meant. For what grows that is the lowest, because the floor tells a leak from garbage.
pub fn expression(source: &Source, pull: &Pull, selector: &str, how: Resolution) -> String {
    let over = Span::from_millis(how.step.as_millis().max(how.native.as_millis()));
    if let Usage::Rate(_) = source.usage {
        let over = over.as_millis().max(how.native.as_millis() * RATE_SAMPLES_MIN);
        let hosts = HOST.into_iter().filter(|_| pull.hosts);
        let kept: Vec<_> = identity_labels().chain(hosts).collect();
        return format!("sum by ({}) (rate({selector}[{over}ms]))", kept.join(","));
    }
    let function = match pull.metric {
        Some(metric) if how.step > how.native => summary(metric),
        Some(_) | None => "last_over_time",
    };
    format!("{function}({selector}[{}ms])", over.as_millis())
}

fn summary(metric: Metric) -> &'static str {
    match (metric.kind(), metric.role()) {
        (Kind::Counter, _) => "last_over_time",
        (Kind::Gauge, Role::Footprint | Role::LiveSet | Role::Native | Role::Held) => {
            "min_over_time"
        }
        (Kind::Gauge, Role::Traffic) => "avg_over_time",
        (Kind::Gauge, Role::Limit | Role::Collection | Role::Pressure | Role::Life) => {
            "last_over_time"
        }
    }
}

/// The questions that bring a metric whole.
pub fn pieces(pull: &Pull, window: Window, step: Span) -> Vec<Piece> {
    let window = window.aligned(step);
    let step_millis = step.as_millis().max(1);
    if window.to < window.from {
        return Vec::new();
    }
    let points = window.length().as_millis() / step_millis + 1;
    let series = (ANSWER_POINTS_MAX / points.min(POINTS_MAX)).max(1);
    let mut chunks = Vec::new();
    let mut from = window.from;
    while from <= window.to {
        let to = (from + Span::from_millis((POINTS_MAX - 1) * step_millis)).min(window.to);
        chunks.push(Window { from, to });
        from = to + step;
    }
    let matchers = matchers(pull, u32::try_from(series).unwrap_or(u32::MAX));
    let of = |matcher: &Option<Matcher>| {
        let matcher = matcher.clone();
        chunks.iter().map(move |window| Piece { matcher: matcher.clone(), window: *window })
    };
    matchers.iter().flat_map(of).collect()
}

fn matchers(pull: &Pull, series_max: u32) -> Vec<Option<Matcher>> {
    let total: u32 = pull.groups.iter().map(|group| group.series).sum();
    if pull.whole && total <= series_max {
        return vec![None];
    }
    let mut all: Vec<Option<Matcher>> = Vec::new();
    let (mut series, mut bytes) = (0, 0);
    for Group { label, value, series: more } in &pull.groups {
        let longer = value.len() + 1;
        match all.last_mut() {
            Some(Some(last))
                if last.label == *label
                    && series + more <= series_max
                    && bytes + longer <= VALUES_BYTES_MAX =>
            {
                last.values.push(value.clone());
                (series, bytes) = (series + more, bytes + longer);
            }
            Some(_) | None => {
                all.push(Some(Matcher { label: label.clone(), values: vec![value.clone()] }));
                (series, bytes) = (*more, longer);
            }
        }
    }
    all
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            _ => quoted.push(character),
        }
    }
    quoted + "\""
}

/// The text as a regular expression that matches nothing else.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if r"\.+*?()|[]{}^$".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: i64 = 1_780_000_200;

    fn window(secs: i64) -> Window {
        let from = Timestamp::from_secs(FROM);
        Window { from, to: from + Span::from_secs(secs) }
    }

    fn pull(groups: u32, series: u32, whole: bool) -> Pull {
        let group = |number| Group { label: "pod".into(), value: format!("a-{number}"), series };
        Pull {
            source: 0,
            metric: None,
            groups: (0..groups).map(group).collect(),
            whole,
            hosts: false,
        }
    }

    fn source(usage: Usage) -> Source {
        Source { name: "x".into(), usage }
    }

    #[test]
    fn a_selector_means_its_values_and_nothing_else() {
        let values = vec!["a.b".to_owned(), r#"c"d\e"#.to_owned()];
        let matcher = Matcher { label: "pod".into(), values };
        assert_eq!(
            selector("x:y", Some(&matcher), Some(r#"namespace="shop""#)),
            r#"{__name__="x:y",pod=~"a\\.b|c\"d\\\\e",namespace="shop"}"#
        );
        assert_eq!(selector("x", None, None), r#"{__name__="x"}"#);
        let names = ["a".to_owned(), "b.c".to_owned()];
        assert_eq!(names_selector(&names, Some("d=\"e\"")), r#"{__name__=~"a|b\\.c",d="e"}"#);
    }

    #[test]
    fn a_coarse_step_keeps_the_floor_of_what_grows_and_the_last_of_the_rest() {
        let check = |metric, step, want: &str| {
            let how = Resolution { step: Span::from_secs(step), native: Span::from_secs(15) };
            let pull = Pull { metric: Some(metric), ..pull(1, 1, true) };
            let text = expression(&source(Usage::Metric), &pull, "{}", how);
            assert_eq!(text, want);
        };
        check(Metric::RuntimeHeapUsed, 60, "min_over_time({}[60000ms])");
        check(Metric::RuntimeHeapUsed, 15, "last_over_time({}[15000ms])");
        check(Metric::RuntimeGcCount, 60, "last_over_time({}[60000ms])");
        check(Metric::ContainerMemoryLimit, 60, "last_over_time({}[60000ms])");
        check(Metric::ServiceRequestsInFlight, 60, "avg_over_time({}[60000ms])");
        let how = Resolution { step: Span::from_secs(15), native: Span::from_secs(15) };
        let rate = Usage::Rate(Metric::ServiceRequestsRate);
        let text = expression(&source(rate), &pull(1, 1, true), "{}", how);
        assert!(text.starts_with("sum by (cluster,job,instance,pod,"), "{text}");
        assert!(text.ends_with("(rate({}[60000ms]))"), "{text}");
        assert!(!text.contains(",host,"), "it is often the one that a request was for: {text}");
        let pull = Pull { hosts: true, ..pull(1, 1, true) };
        let text = expression(&source(rate), &pull, "{}", how);
        assert!(text.contains(",host,"), "{text}");
    }

    #[test]
    fn answers_are_bounded_in_series_and_in_points() {
        let step = Span::from_secs(15);
        let day = window(86_400);
        let all = pieces(&pull(100, 1, false), day, step);
        let sizes: Vec<_> = all.iter().map(|p| p.matcher.as_ref().unwrap().values.len()).collect();
        assert_eq!(sizes, [43, 43, 14]);
        assert_eq!(pieces(&pull(10, 1, true), day, step)[0].matcher, None);
        let long = pieces(&pull(1, 1, true), window(15 * 25_000), step);
        assert_eq!(long.len(), 3);
        let longest = Span::from_secs(15 * 10_000);
        assert!(long.iter().all(|piece| piece.window.length() < longest));
        assert_eq!(long[1].window.from.since(long[0].window.to), step);
        let points: i64 = long.iter().map(|p| p.window.length().as_millis() / 15_000 + 1).sum();
        assert_eq!(points, 25_001);
    }

    #[test]
    fn a_piece_that_is_too_large_falls_into_two_that_are_the_whole() {
        let step = Span::from_secs(60);
        let whole = &pieces(&pull(3, 1, false), window(600), step)[0];
        let [one, other] = whole.halves(step).unwrap();
        let values = |piece: &Piece| piece.matcher.as_ref().unwrap().values.len();
        assert_eq!((values(&one), values(&other)), (1, 2));
        let [early, late] = one.halves(step).unwrap();
        assert_eq!((early.window.from, late.window.to), (one.window.from, one.window.to));
        assert_eq!(late.window.from.since(early.window.to), step);
        let single = Piece { matcher: None, window: window(60) };
        assert_eq!(single.halves(step), None);
    }

    #[test]
    fn names_that_do_not_fit_an_address_go_into_several_selectors() {
        let mut pull = pull(100, 1, false);
        pull.groups.iter_mut().for_each(|group| group.value.push_str(&"x".repeat(200)));
        let all = pieces(&pull, window(60), Span::from_secs(60));
        assert_eq!(all.len(), 13);
    }
}
