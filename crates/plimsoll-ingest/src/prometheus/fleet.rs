//! Who is measured, by name: services, instances and versions, and what to pull for whom.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use plimsoll_model::{InstanceName, Metric, ServiceName, Span, Timestamp, Version};

use super::answer::{Curve, Labels};
use super::directory::{Directory, Hints, Seen};
use super::labels::{self, Place};
use super::naming::Naming;
use super::source::Source;
use super::versions::Timeline;

/// Steps without a sample after which a version is taken to have ended.
const VERSION_GAP_STEPS: i64 = 3;

/// One instance of a service.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) service: ServiceName,
    pub(super) instance: InstanceName,
    pub(super) versions: Timeline,
    /// The source that tells its several versions apart, until that is settled.
    witness: Option<usize>,
    starts: Vec<(Timestamp, Version)>,
}

/// All instances that something can be said of.
#[derive(Debug)]
pub struct Fleet {
    sources: Vec<Source>,
    seen: Vec<Seen>,
    /// Of each place that was seen.
    members_of: Vec<Option<usize>>,
    /// Of each place: it has a host.
    hosts: Vec<bool>,
    ids: HashMap<Place, usize>,
    pub(super) members: Vec<Member>,
}

/// The series of one source that are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// Place in the list of sources.
    pub source: usize,
    pub metric: Option<Metric>,
    pub groups: Vec<Group>,
    /// These are all series that the source has.
    pub whole: bool,
    /// Some of them are told apart by their host.
    pub hosts: bool,
}

/// Series that stay together, because they are about the same thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub label: String,
    pub value: String,
    pub series: u32,
}

impl Fleet {
    pub(super) fn of(directory: Directory<'_>) -> Self {
        let naming = Naming::of(&directory);
        let mut members: Vec<Member> = Vec::new();
        let mut known: HashMap<(ServiceName, InstanceName), usize> = HashMap::new();
        let mut hints_of: Vec<Vec<&Hints>> = Vec::new();
        let mut members_of = Vec::new();
        for (place, hints) in directory.places.iter().zip(&directory.hints) {
            let name = naming.name(place, hints);
            let id = name.map(|(service, instance)| {
                *known.entry((service.clone(), instance.clone())).or_insert_with(|| {
                    members.push(Member::new(service, instance));
                    hints_of.push(Vec::new());
                    members.len() - 1
                })
            });
            if let Some(all) = id.and_then(|id| hints_of.get_mut(id)) {
                all.push(hints);
            }
            members_of.push(id);
        }
        let silent =
            |id: &usize| !hints_of.get(*id).is_some_and(|all| all.iter().any(|hints| hints.speaks));
        let members_of = members_of.into_iter().map(|id| id.filter(|id| !silent(id))).collect();
        for (member, hints) in members.iter_mut().zip(hints_of) {
            member.settle(&hints);
        }
        let Directory { sources, seen, places, .. } = directory;
        let hosts = places.iter().map(Place::has_host).collect();
        let ids = places.into_iter().enumerate().map(|(id, place)| (place, id)).collect();
        Self { sources: sources.to_vec(), seen, members_of, hosts, ids, members }
    }

    /// Every service that something is measured of.
    pub fn services(&self) -> BTreeSet<&ServiceName> {
        let members = self.members_of.iter().flatten().filter_map(|id| self.members.get(*id));
        members.map(|member| &member.service).collect()
    }

    /// Leaves out everybody else, where somebody is named.
    pub fn choose(&mut self, chosen: &[ServiceName]) {
        if chosen.is_empty() {
            return;
        }
        for place in &mut self.members_of {
            let member = place.and_then(|id| self.members.get(id));
            if !member.is_some_and(|member| chosen.contains(&member.service)) {
                *place = None;
            }
        }
    }

    /// Where several versions of an instance are known by name: what tells when each ran.
    pub fn witnesses(&self) -> Vec<Pull> {
        let of = |source| self.pull(source, |member| member.witness == Some(source));
        (0..self.sources.len()).filter_map(of).collect()
    }

    /// What to pull, in this order.
    pub fn pulls(&self) -> Vec<Pull> {
        let measures = |source: &usize| self.seen.get(*source).is_some_and(|s| s.metric.is_some());
        (0..self.sources.len()).filter(measures).filter_map(|s| self.pull(s, |_| true)).collect()
    }

    /// Learns from the answer about a witness when its versions ran.
    pub fn learn(&mut self, source: usize, curves: &[Curve], step: Span) {
        let Some(name) = self.sources.get(source).map(|source| source.name.clone()) else { return };
        let gap = step.as_millis().saturating_mul(VERSION_GAP_STEPS);
        for Curve { labels, points } in curves {
            let version = labels::version(&name, labels).and_then(|text| Version::new(&text).ok());
            let id = self.member_of(&name, labels);
            let (Some(version), Some(id)) = (version, id) else { continue };
            let Some(member) = self.members.get_mut(id) else { continue };
            if member.witness != Some(source) {
                continue;
            }
            let mut before: Option<Timestamp> = None;
            for (at, _) in points {
                if before.is_none_or(|before| at.since(before).as_millis() > gap) {
                    member.starts.push((*at, version.clone()));
                }
                before = Some(*at);
            }
            member.versions = Timeline::of(member.starts.clone());
        }
    }

    pub(super) fn source(&self, source: usize) -> Option<&Source> {
        self.sources.get(source)
    }

    pub(super) fn member_of(&self, name: &str, labels: &Labels) -> Option<usize> {
        let id = self.ids.get(&labels::place(name, labels)?)?;
        *self.members_of.get(*id)?
    }

    fn pull(&self, source: usize, wanted: impl Fn(&Member) -> bool) -> Option<Pull> {
        let seen = self.seen.get(source)?;
        let mut counts: BTreeMap<&(String, String), u32> = BTreeMap::new();
        let mut left_out = seen.dropped;
        let mut hosts = false;
        for (place, group) in &seen.series {
            let member = self.members_of.get(*place).copied().flatten();
            let member = member.and_then(|id| self.members.get(id));
            match (member, seen.groups.get(*group)) {
                (Some(member), Some(group)) if wanted(member) => {
                    *counts.entry(group).or_default() += 1;
                    hosts |= self.hosts.get(*place).copied().unwrap_or_default();
                }
                _ => left_out += 1,
            }
        }
        let group = |((label, value), series): (&(String, String), u32)| Group {
            label: label.clone(),
            value: value.clone(),
            series,
        };
        let groups: Vec<_> = counts.into_iter().map(group).collect();
        let whole = left_out == 0;
        (!groups.is_empty()).then_some(Pull { source, metric: seen.metric, groups, whole, hosts })
    }
}

impl Member {
    fn new(service: ServiceName, instance: InstanceName) -> Self {
        let versions = Timeline::default();
        Self { service, instance, versions, witness: None, starts: Vec::new() }
    }

    /// Takes the versions of who is believed most. One version ran all the time; of several it is
    /// to be asked when.
    fn settle(&mut self, hints: &[&Hints]) {
        let mut all: BTreeMap<(u8, usize), BTreeSet<&Version>> = BTreeMap::new();
        for (key, versions) in hints.iter().flat_map(|hints| &hints.versions) {
            all.entry(*key).or_default().extend(versions);
        }
        let Some((&(_, source), versions)) = all.first_key_value() else { return };
        if let Some(first) = versions.first() {
            self.versions = Timeline::constant((*first).clone());
        }
        self.witness = (versions.len() > 1).then_some(source);
    }
}
