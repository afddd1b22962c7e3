//! Everything that label sets alone tell: who is measured, by which names, who owns the pods, and
//! which versions there were. It is filled name by name, and then becomes a [`Fleet`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use plimsoll_model::{Level, Metric, Role, Version};

use super::answer::Labels;
use super::fleet::Fleet;
use super::labels::{self, Place, of_object};
use super::source::{self, Source, Usage};
use crate::catalogue::{Catalogue, Resolution};

/// Series that are kept track of at most: a fleet of a hundred thousand containers with twenty
/// measures each, in about 200 MB. More is cut by a matcher first.
const SERIES_MAX: usize = 2_000_000;

/// The bound on series is reached.
#[derive(Debug, thiserror::Error)]
#[error("the server has more than {SERIES_MAX} series that could be read; choose some of them")]
pub struct TooManySeries;

/// A pod, or something else of a namespace, by cluster, namespace and name.
pub(super) type Object = (String, String, String);

/// What is known so far.
#[derive(Debug)]
pub struct Directory<'a> {
    catalogue: &'a Catalogue,
    pub(super) sources: &'a [Source],
    pub(super) places: Vec<Place>,
    pub(super) hints: Vec<Hints>,
    ids: HashMap<Place, usize>,
    /// Kind and name of the owner of each pod, replica set and job.
    pub(super) pods: HashMap<Object, (String, String)>,
    pub(super) replica_sets: HashMap<Object, (String, String)>,
    pub(super) jobs: HashMap<Object, (String, String)>,
    pub(super) init_containers: HashSet<Place>,
    pub(super) seen: Vec<Seen>,
    series: usize,
}

/// What the series of one place say of it.
#[derive(Debug, Default)]
pub(super) struct Hints {
    pub(super) app: Option<String>,
    /// By rank of belief and number of the source.
    pub(super) versions: BTreeMap<(u8, usize), BTreeSet<Version>>,
    /// Something that can leak is measured.
    pub(super) speaks: bool,
}

/// What one source has.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) metric: Option<Metric>,
    /// Place and group of each series that is of use.
    pub(super) series: Vec<(usize, usize)>,
    /// The groups, by label and value.
    pub(super) groups: Vec<(String, String)>,
    ids: HashMap<(String, String), usize>,
    /// Series that are of no use.
    pub(super) dropped: usize,
}

impl<'a> Directory<'a> {
    pub fn new(catalogue: &'a Catalogue, sources: &'a [Source]) -> Self {
        Self {
            catalogue,
            sources,
            places: Vec::new(),
            hints: Vec::new(),
            ids: HashMap::new(),
            pods: HashMap::new(),
            replica_sets: HashMap::new(),
            jobs: HashMap::new(),
            init_containers: HashSet::new(),
            seen: sources.iter().map(|_| Seen::default()).collect(),
            series: 0,
        }
    }

    /// Takes the label sets of one source, by its place in the list.
    pub fn add(&mut self, source: usize, all: &[Labels]) -> Result<(), TooManySeries> {
        let Some(Source { name, usage }) = self.sources.get(source) else { return Ok(()) };
        self.series += all.len();
        if self.series > SERIES_MAX {
            return Err(TooManySeries);
        }
        for labels in all {
            match usage {
                Usage::Owner => self.owner(name, labels),
                Usage::InitContainer => {
                    self.init_containers.extend(labels::place(name, labels));
                }
                Usage::Version(rank) => self.told(source, *rank, labels),
                Usage::LastEnd | Usage::Metric | Usage::Rate(_) => self.measured(source, labels),
            }
        }
        Ok(())
    }

    /// Gives everything its name. Services are in no order.
    pub fn settle(self) -> Fleet {
        Fleet::of(self)
    }

    fn owner(&mut self, name: &str, labels: &Labels) {
        let object = |label| of_object(labels, label).unwrap_or_default().to_owned();
        let cluster = labels::text(labels, "cluster").unwrap_or_default().to_owned();
        let (map, label) = match name {
            "kube_replicaset_owner" => (&mut self.replica_sets, "replicaset"),
            "kube_job_owner" => (&mut self.jobs, "job_name"),
            _ => (&mut self.pods, "pod"),
        };
        let (kind, owner) = (object("owner_kind"), object("owner_name"));
        // Who has no owner is written `<none>`.
        if !owner.is_empty() && !owner.starts_with('<') {
            map.insert((cluster, object("namespace"), object(label)), (kind, owner));
        }
    }

    /// A series that tells of somebody and measures nothing.
    fn told(&mut self, source: usize, rank: u8, labels: &Labels) {
        let Some(name) = self.sources.get(source).map(|source| source.name.as_str()) else {
            return;
        };
        let Some(place) = labels::place(name, labels) else { return };
        self.keep(source, place, rank, labels);
    }

    fn measured(&mut self, source: usize, labels: &Labels) {
        let Some(Source { name, usage }) = self.sources.get(source) else { return };
        let metric = match usage {
            Usage::Rate(metric) => Some(*metric),
            Usage::LastEnd => labels
                .get("reason")
                .filter(|why| *why == "OOMKilled")
                .map(|_| Metric::ContainerRestarts),
            Usage::Metric => readable(self.catalogue, name, labels),
            Usage::Owner | Usage::InitContainer | Usage::Version(_) => None,
        };
        let place = labels::place(name, labels);
        let (Some(metric), Some(place)) = (metric, place) else {
            self.drop_one(source);
            return;
        };
        let image = name.starts_with("container_");
        let rank = if image { source::IMAGE_VERSION } else { source::OWN_VERSION };
        let id = self.keep(source, place, rank, labels);
        if let Some(hints) = self.hints.get_mut(id) {
            hints.speaks |= *usage == Usage::Metric && can_leak(metric);
        }
        if let Some(seen) = self.seen.get_mut(source) {
            seen.metric.get_or_insert(metric);
        }
    }

    fn keep(&mut self, source: usize, place: Place, rank: u8, labels: &Labels) -> usize {
        let name = self.sources.get(source).map_or("", |source| source.name.as_str());
        let group = labels::group(name, labels);
        let id = *self.ids.entry(place.clone()).or_insert_with(|| {
            self.places.push(place);
            self.hints.push(Hints::default());
            self.places.len() - 1
        });
        if let Some(hints) = self.hints.get_mut(id) {
            if hints.app.is_none() {
                hints.app = labels::app(name, labels).map(str::to_owned);
            }
            let version = labels::version(name, labels).and_then(|text| Version::new(&text).ok());
            if let Some(version) = version {
                hints.versions.entry((rank, source)).or_default().insert(version);
            }
        }
        if let Some(seen) = self.seen.get_mut(source) {
            let next = seen.groups.len();
            let group_id = *seen.ids.entry(group.clone()).or_insert(next);
            if group_id == next {
                seen.groups.push(group);
            }
            seen.series.push((id, group_id));
        }
        id
    }

    fn drop_one(&mut self, source: usize) {
        if let Some(seen) = self.seen.get_mut(source) {
            seen.dropped += 1;
        }
    }
}

/// The metric that a series is of. An age is not read: its sample was taken up to a step before the
/// moment of the answer, and a start that wanders by that much looks like a restart.
fn readable(catalogue: &Catalogue, name: &str, labels: &Labels) -> Option<Metric> {
    match catalogue.resolve(name, &labels::for_catalogue(name, labels)) {
        Resolution::Resolved(resolved) => {
            let read = !resolved.age && resolved.metric.level() != Level::Node;
            read.then_some(resolved.metric)
        }
        Resolution::Ignored | Resolution::NeedsAttributes | Resolution::Unknown => None,
    }
}

fn can_leak(metric: Metric) -> bool {
    match metric.role() {
        Role::Footprint | Role::LiveSet | Role::Native | Role::Held => true,
        Role::Limit | Role::Collection | Role::Pressure | Role::Traffic | Role::Life => false,
    }
}
