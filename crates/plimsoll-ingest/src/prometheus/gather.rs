//! Curves in, readings out: parts added up, duplicates left out, each with its version; and what
//! happened meanwhile.

use std::collections::{BTreeMap, HashMap};

use plimsoll_model::{Change, Kind, Metric, Reading, Span, Timestamp};

use super::answer::{Curve, Labels};
use super::changes::Happenings;
use super::fleet::{Fleet, Member};
use super::join::{Joined, Values, join};
use super::labels::{self, HOST};
use super::source::Usage;
use crate::catalogue::{ANY_ATTRIBUTE, Catalogue, Resolution, Resolved};
use crate::rejection::{Reason, Rejection, Rejections};

/// Makes readings of answers. Sources are to be taken in the order of their list.
#[derive(Debug)]
pub struct Gatherer<'a> {
    fleet: &'a Fleet,
    catalogue: &'a Catalogue,
    from: Timestamp,
    step: Span,
    /// Who has told of a metric, and of which time.
    claims: HashMap<(usize, Metric), Vec<Claim>>,
    /// Where several variants tell a metric: the one that was told last, so that the next piece of
    /// time goes on with it.
    lasts: HashMap<(usize, usize, Metric), String>,
    happenings: Happenings,
    rejections: Rejections,
}

/// The time that one source has told a metric of one member for.
#[derive(Clone, Copy, Debug)]
struct Claim {
    source: usize,
    first: Timestamp,
    last: Timestamp,
}

/// What is left when everything was taken.
#[derive(Debug)]
pub struct Gathered {
    /// Deploys and OOM kills, in order of time.
    pub changes: Vec<Change>,
    /// Values that were none.
    pub rejections: Rejections,
}

/// All curves of one metric of one member with the same labels but for those that split a total.
#[derive(Debug, Default)]
struct Variant {
    whole: Option<Values>,
    parts: Vec<Values>,
}

impl<'a> Gatherer<'a> {
    /// `from` is the begin of what is pulled.
    pub fn new(fleet: &'a Fleet, catalogue: &'a Catalogue, from: Timestamp) -> Self {
        Self {
            fleet,
            catalogue,
            from,
            step: Span::ZERO,
            claims: HashMap::new(),
            lasts: HashMap::new(),
            happenings: Happenings::default(),
            rejections: Rejections::default(),
        }
    }

    /// Takes one answer. All parts of a total must be in it.
    pub fn take(
        &mut self,
        source: usize,
        curves: Vec<Curve>,
        step: Span,
        sink: &mut dyn FnMut(Reading),
    ) {
        let Some(usage) = self.fleet.source(source).map(|source| source.usage) else { return };
        self.step = self.step.max(step);
        if usage == Usage::LastEnd {
            self.ended(source, &curves, step);
            return;
        }
        for ((member, metric), variants) in self.sorted(source, usage, curves) {
            let key = (source, member, metric);
            let variants = variants.into_iter().filter_map(|(name, v)| Some((name, v.total()?)));
            let last = self.lasts.get(&key).map(String::as_str);
            let Joined { values, last } = join(variants.collect(), last, step);
            if let Some(last) = last {
                self.lasts.insert(key, last);
            }
            self.emit(source, member, metric, values, sink);
        }
    }

    pub fn finish(self) -> Gathered {
        let changes = self.happenings.changes(self.fleet, self.from, self.step);
        Gathered { changes, rejections: self.rejections }
    }

    fn ended(&mut self, source: usize, curves: &[Curve], step: Span) {
        let Some(name) = self.fleet.source(source).map(|source| &source.name) else { return };
        for Curve { labels, points } in curves {
            let killed = labels.get("reason").is_some_and(|reason| reason == "OOMKilled");
            if let Some(member) = self.fleet.member_of(name, labels).filter(|_| killed) {
                self.happenings.was_killed(member, points, step);
            }
        }
    }

    fn sorted(
        &mut self,
        source: usize,
        usage: Usage,
        curves: Vec<Curve>,
    ) -> BTreeMap<(usize, Metric), BTreeMap<String, Variant>> {
        let mut sorted: BTreeMap<(usize, Metric), BTreeMap<String, Variant>> = BTreeMap::new();
        let (fleet, catalogue) = (self.fleet, self.catalogue);
        let Some(name) = fleet.source(source).map(|source| source.name.as_str()) else {
            return sorted;
        };
        for Curve { labels, points } in curves {
            let Some(member) = fleet.member_of(name, &labels) else { continue };
            if let Usage::Rate(metric) = usage {
                let values = points.into_iter().filter(|(_, value)| value.is_finite());
                let values = values.map(|(at, value)| (at, Some(value))).collect();
                let variants = sorted.entry((member, metric)).or_default();
                // Split by hosts that are not its own, if any were asked about.
                let by_host = labels::host(&labels).is_none();
                let parts: Vec<_> = HOST.iter().filter(|_| by_host).map(|h| (*h).into()).collect();
                variants.entry(fingerprint(&labels, &parts)).or_default().parts.push(values);
                continue;
            }
            let attributes = labels::for_catalogue(name, &labels);
            let Resolution::Resolved(resolved) = catalogue.resolve(name, &attributes) else {
                continue;
            };
            let values = self.values(&resolved, &points);
            let variants = sorted.entry((member, resolved.metric)).or_default();
            let variant = variants.entry(fingerprint(&labels, resolved.parts)).or_default();
            if resolved.part {
                variant.parts.push(values);
            } else {
                variant.whole = Some(values);
            }
        }
        sorted
    }

    /// What is not a number is what a source writes that has none, so it is not refused.
    fn values(&mut self, resolved: &Resolved<'_>, points: &[(Timestamp, f64)]) -> Values {
        let mut values = Vec::with_capacity(points.len());
        for (at, given) in points {
            match resolved.value(*given, *at, 1.0) {
                Ok(value) => values.push((*at, value)),
                Err(Rejection { reason: Reason::NotFinite, .. }) => values.push((*at, None)),
                Err(rejection) => self.rejections.add(None, rejection),
            }
        }
        values
    }

    fn emit(
        &mut self,
        source: usize,
        id: usize,
        metric: Metric,
        values: Vec<(Timestamp, f64)>,
        sink: &mut dyn FnMut(Reading),
    ) {
        let fleet = self.fleet;
        let Some(Member { service, instance, versions, .. }) = fleet.members.get(id) else {
            return;
        };
        let claims = self.claims.entry((id, metric)).or_default();
        let others: Vec<Claim> = claims.iter().filter(|c| c.source != source).copied().collect();
        let told = |at| others.iter().any(|claim| claim.first <= at && at <= claim.last);
        let values: Vec<_> = values.into_iter().filter(|(at, _)| !told(*at)).collect();
        let (Some((first, _)), Some((last, _))) = (values.first(), values.last()) else { return };
        match claims.iter_mut().find(|claim| claim.source == source) {
            Some(claim) => {
                (claim.first, claim.last) = (claim.first.min(*first), claim.last.max(*last));
            }
            None => claims.push(Claim { source, first: *first, last: *last }),
        }
        if metric == Metric::ContainerRestarts && metric.kind() == Kind::Counter {
            self.happenings.restarted(id, &values);
        }
        for (at, value) in values {
            let version = versions.at(at).map(|(place, version)| {
                self.happenings.ran(id, place, version, at);
                version.clone()
            });
            let (service, instance) = (service.clone(), instance.clone());
            sink(Reading { at, service, version, instance, metric, value });
        }
    }
}

/// The labels without those that split a total, as one text. Where everything may split it, those
/// that say whom it is of.
fn fingerprint(labels: &Labels, parts: &[String]) -> String {
    let any = parts.iter().any(|part| part == ANY_ATTRIBUTE);
    let identity = |label: &str| labels::identity_labels().any(|known| known == label);
    let kept = labels.iter().filter(|(label, _)| match any {
        true => identity(label),
        false => *label != "__name__" && !parts.contains(label),
    });
    kept.map(|(label, value)| format!("{label}={value}\n")).collect()
}

impl Variant {
    /// The whole where it is told, else the sum of the parts.
    fn total(self) -> Option<Values> {
        let Self { whole, mut parts } = self;
        if whole.is_some() {
            return whole;
        }
        if parts.len() < 2 { parts.pop() } else { Some(sum(&parts)) }
    }
}

/// The sum at every moment at which no part is missing that was there before and comes again: a
/// sum that lacks a part looks like memory that was given back.
fn sum(parts: &[Values]) -> Values {
    let mut sums: BTreeMap<Timestamp, (Option<f64>, usize)> = BTreeMap::new();
    for (at, value) in parts.iter().flatten() {
        let (sum, count) = sums.entry(*at).or_default();
        *count += 1;
        if let Some(value) = value {
            *sum = Some(sum.unwrap_or(0.0) + value);
        }
    }
    let mut begins: Vec<_> = parts.iter().filter_map(|part| Some(part.first()?.0)).collect();
    let mut ends: Vec<_> = parts.iter().filter_map(|part| Some(part.last()?.0)).collect();
    begins.sort_unstable();
    ends.sort_unstable();
    let due = |at: Timestamp| {
        begins.partition_point(|begin| *begin <= at) - ends.partition_point(|end| *end < at)
    };
    let complete = sums.into_iter().filter(|(at, (_, count))| *count == due(*at));
    complete.map(|(at, (sum, _))| (at, sum)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_that_lacks_a_part_is_left_out() {
        let at = Timestamp::from_secs;
        let old = vec![(at(1), Some(5.0)), (at(2), Some(6.0)), (at(3), Some(7.0))];
        let eden = vec![(at(1), Some(1.0)), (at(3), Some(1.0))];
        let unlimited = vec![(at(1), None), (at(2), None), (at(3), None)];
        let late = vec![(at(3), Some(100.0))];
        let got = sum(&[old, eden, unlimited, late]);
        assert_eq!(got, [(at(1), Some(6.0)), (at(3), Some(108.0))]);
        assert_eq!(sum(&[vec![(at(1), None)], vec![(at(1), None)]]), [(at(1), None)]);
    }
}
