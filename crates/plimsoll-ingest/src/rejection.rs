//! Why something from outside was not taken: one closed list of reasons, and how often each was
//! met. Used by every decoder here, by `/metrics` and by the `inputs.rejected` of a scan.
//!
//! Not here: requests that cannot be read at all; those are the error enums of each decoder.

use std::collections::BTreeMap;
use std::fmt;

/// Examples kept of each reason. Three show whether it is one line or a habit; more is noise.
const EXAMPLES_MAX: usize = 3;

/// Distinct unknown metric names that are counted by name. An exporter has a few hundred names; a
/// hostile sender has no end of them.
const UNKNOWN_NAMES_MAX: usize = 256;

/// Longest text quoted from the input in a detail, in bytes. Enough to recognise a name.
const QUOTE_BYTES_MAX: usize = 120;

macro_rules! reasons {
    ($($variant:ident $name:literal $text:literal;)*) => {
        /// Why one line, event, data point or span was not taken. `Display` says what, why and
        /// what to do now.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $(#[doc = $text] $variant,)* }

        impl Reason {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The value of the `reason` label in `/metrics`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }

        impl fmt::Display for Reason {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $text,)* })
            }
        }
    };
}

reasons! {
    Unreadable "unreadable"
        "unreadable: it is not in the expected format; correct it at its source";
    LineTooLong "line_too_long"
        "line too long: a line is bounded so that memory is; split or drop it";
    ColumnCount "column_count"
        "wrong number of columns: a line must have as many as the header; is it cut off?";
    UnreadableTime "unreadable_time"
        "unreadable time: write Unix seconds, or RFC 3339 with an offset";
    TimeMissing "time_missing"
        "no time: a value without its moment cannot be placed; send its time";
    TimeInFuture "time_in_future"
        "time from the future: more than 5 minutes ahead of this machine; check both clocks";
    TimeTooOld "time_too_old"
        "time too old: more than 30 days ago; use `plimsoll scan` for data at rest";
    OutsideWindow "outside_window"
        "outside the time that was asked about: the answer is not to the question; check the server";
    UnreadableValue "unreadable_value"
        "unreadable value: a number is expected; correct it at its source";
    NotFinite "not_finite"
        "NaN or infinite: not a measurement; leave the sample out at its source";
    Negative "negative"
        "negative value: no canonical metric goes below zero; check the name and its unit";
    TooLarge "too_large"
        "value beyond 2^63: not a measurement; check the unit";
    UnknownMetric "unknown_metric"
        "unknown metric: neither canonical nor in the catalogue; add it to your catalogue file";
    NeedsAttributes "needs_attributes"
        "ambiguous metric: the name alone does not say what was measured; send its labels too";
    PartOfTotal "part_of_total"
        "part of a total: only the whole can be taken here; sum the parts first";
    Ambiguous "ambiguous"
        "ambiguous point: a second value for the same metric, instance and moment; send one";
    WrongUnit "wrong_unit"
        "wrong unit: the declared unit does not fit the metric; correct the unit or the name";
    WrongKind "wrong_kind"
        "wrong kind: counters come as cumulative sums and states as gauges; correct the instrument";
    DeltaTemporality "delta_temporality"
        "delta temporality: differences do not survive a loss; set the exporter to cumulative";
    UnsupportedShape "unsupported_shape"
        "histogram or summary: not read yet; send the number that you need as a gauge or a sum";
    MissingService "missing_service"
        "no service: `service.name` (or `service`) is missing or empty; set it at the sender";
    MissingInstance "missing_instance"
        "no instance: `service.instance.id` (or `instance`) is missing or empty; set it there";
    BadName "bad_name"
        "unusable name: too long, or holds control characters; shorten it at the sender";
    UnknownEventKind "unknown_event_kind"
        "unknown kind of event: it is not one of those in the API description; use one of them";
    TooManyAttributes "too_many_attributes"
        "too many attributes: their number is bounded; drop some at the sender";
    AttributeTooLong "attribute_too_long"
        "attribute too long: its length is bounded; shorten it at the sender";
    TooManyPoints "too_many_points"
        "too many in one request: the rest was not taken; send smaller batches";
    TooManySeries "too_many_series"
        "too many series: the bound is reached; drop labels or instances, or raise the bound";
    TooManyInstances "too_many_instances"
        "too many instances: the bound is reached; wait until idle ones are forgotten";
    OtherSource "other_source"
        "already measured: the agent reads this metric of this instance itself; nothing is lost";
    ImpossibleSpan "impossible_span"
        "impossible span: it ends before it starts or lasts over a day; check the sender's clock";
    SpanTooLate "span_too_late"
        "span too late: its interval is already settled; flush spans sooner";
}

/// One refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} ({detail})")]
pub struct Rejection {
    pub reason: Reason,
    /// What of the input it was about, quoted and shortened.
    pub detail: String,
}

impl Rejection {
    /// `detail` may quote the input: it is shortened, and control characters are escaped.
    pub fn new(reason: Reason, detail: &str) -> Self {
        Self { reason, detail: quotable(detail) }
    }
}

/// One kept example of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The line, counted from 1 with the header; none for what has no lines.
    pub line: Option<u64>,
    pub detail: String,
}

/// How often each reason was met, with the first examples. Bounded whatever comes in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejections {
    counts: BTreeMap<Reason, u64>,
    examples: BTreeMap<Reason, Vec<Example>>,
    unknown_metrics: BTreeMap<String, u64>,
}

impl Rejections {
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    pub fn count(&self, reason: Reason) -> u64 {
        self.counts.get(&reason).copied().unwrap_or(0)
    }

    /// Every reason that was met, in the order of the list.
    pub fn counts(&self) -> impl Iterator<Item = (Reason, u64)> {
        self.counts.iter().map(|(reason, count)| (*reason, *count))
    }

    pub fn examples(&self, reason: Reason) -> &[Example] {
        self.examples.get(&reason).map_or(&[], Vec::as_slice)
    }

    /// Unknown metric names and how often each was met; the first 256 distinct ones.
    pub fn unknown_metrics(&self) -> impl Iterator<Item = (&str, u64)> {
        self.unknown_metrics.iter().map(|(name, count)| (name.as_str(), *count))
    }

    pub fn add(&mut self, line: Option<u64>, rejection: Rejection) {
        if rejection.reason == Reason::UnknownMetric {
            self.count_name(&rejection.detail);
        }
        self.add_many(rejection.reason, 1);
        let examples = self.examples.entry(rejection.reason).or_default();
        if examples.len() < EXAMPLES_MAX {
            examples.push(Example { line, detail: rejection.detail });
        }
    }

    /// Counts without an example, for what is refused in bulk.
    pub fn add_many(&mut self, reason: Reason, count: u64) {
        if count > 0 {
            *self.counts.entry(reason).or_default() += count;
        }
    }

    pub fn merge(&mut self, other: Self) {
        for (reason, count) in other.counts {
            self.add_many(reason, count);
        }
        for (reason, examples) in other.examples {
            let kept = self.examples.entry(reason).or_default();
            let room = EXAMPLES_MAX.saturating_sub(kept.len());
            kept.extend(examples.into_iter().take(room));
        }
        for (name, count) in other.unknown_metrics {
            if self.unknown_metrics.len() < UNKNOWN_NAMES_MAX
                || self.unknown_metrics.contains_key(&name)
            {
                *self.unknown_metrics.entry(name).or_default() += count;
            }
        }
    }

    fn count_name(&mut self, name: &str) {
        if let Some(count) = self.unknown_metrics.get_mut(name) {
            *count += 1;
        } else if self.unknown_metrics.len() < UNKNOWN_NAMES_MAX {
            self.unknown_metrics.insert(name.into(), 1);
        }
    }
}

/// `2 rejected: unknown metric: ... (1, for example line 3: foo); ...`, one sentence a reason.
impl fmt::Display for Rejections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rejected", self.total())?;
        for (index, (reason, count)) in self.counts().enumerate() {
            let separator = if index == 0 { ": " } else { "; " };
            write!(f, "{separator}{count} x {reason}")?;
            match self.examples(reason).first() {
                Some(Example { line: Some(line), detail }) => {
                    write!(f, " (for example line {line}: {detail})")?;
                }
                Some(Example { line: None, detail }) => write!(f, " (for example {detail})")?,
                None => {}
            }
        }
        Ok(())
    }
}

/// The start of a foreign text, with its control characters escaped.
pub(crate) fn quotable(text: &str) -> String {
    let mut quoted = String::new();
    for character in text.chars() {
        if quoted.len() >= QUOTE_BYTES_MAX {
            quoted.push_str("...");
            break;
        }
        if character.is_control() {
            quoted.extend(character.escape_default());
        } else {
            quoted.push(character);
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_distinct_labels_and_say_what_why_and_what_now() {
        let names: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|r| r.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            let text = reason.to_string();
            assert!(text.contains(": ") && !text.ends_with('.'), "{text}");
        }
    }

    #[test]
    fn counting_stays_bounded_under_endless_names() {
        let mut rejections = Rejections::default();
        for index in 0..10_000 {
            let name = format!("metric_{index}");
            rejections.add(Some(index), Rejection::new(Reason::UnknownMetric, &name));
        }
        let twice = rejections.clone();
        rejections.merge(twice);
        assert_eq!(rejections.total(), 20_000);
        assert_eq!(rejections.unknown_metrics().count(), UNKNOWN_NAMES_MAX);
        assert_eq!(rejections.unknown_metrics().next(), Some(("metric_0", 2)));
        assert_eq!(rejections.examples(Reason::UnknownMetric).len(), EXAMPLES_MAX);
    }

    #[test]
    fn a_quoted_input_is_short_and_printable() {
        let hostile = format!("\x1b[2J\n{}", "x".repeat(100_000));
        let rejection = Rejection::new(Reason::BadName, &hostile);
        assert!(rejection.detail.len() < QUOTE_BYTES_MAX + 20);
        assert!(!rejection.detail.chars().any(char::is_control));
    }
}
