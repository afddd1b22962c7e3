//! Reading a corpus: the truth and the events at once, the telemetry file by file, so that a corpus
//! of any size fits.
//!
//! A case without telemetry, or telemetry without a truth, is an error: a score over less than the
//! whole corpus would be a lie. Not here: any scoring.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use plimsoll_backtest::{Case, Truth};
use plimsoll_ingest::catalogue::Catalogue;
use plimsoll_ingest::csv::{self, CsvError};
use plimsoll_ingest::events::{self, EventsError};
use plimsoll_model::{Change, Half, SeriesLimit, ServiceName, Timestamp, Version};
use plimsoll_wire::corpus::{CorpusManifest, FORMAT, TruthShape};

use crate::exit::Failure;
use crate::output::Progress;
use crate::scan::telemetry::{SAMPLES_MAX, Telemetry, by_service};
use crate::scan::{moment, open};

/// Cases that a corpus may have: their truths are held in memory.
const CASES_MAX: usize = 1_000_000;

/// Why a corpus cannot be scored.
#[derive(Debug, thiserror::Error)]
pub(super) enum CorpusError {
    #[error("cannot read `{}`; a corpus is a folder as docs/formats/corpus.md says", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("`{}` is not the manifest of a corpus", path.display())]
    Manifest { path: PathBuf, source: serde_json::Error },
    #[error("the corpus has the form `{found}`, and this program reads `{FORMAT}`")]
    Form { found: String },
    #[error("line {line} of `{}` is not a truth", path.display())]
    Truth { path: PathBuf, line: usize, source: serde_json::Error },
    #[error("line {line} of `{}`: {what}", path.display())]
    Field { path: PathBuf, line: usize, what: String },
    #[error("the events in `{}` cannot be read", path.display())]
    Events { path: PathBuf, source: EventsError },
    #[error("`{}` is not telemetry that can be read", path.display())]
    Telemetry { path: PathBuf, source: CsvError },
    #[error("{count} lines of `{}` cannot be used; a score over less than all would be a lie", path.display())]
    Rejected { path: PathBuf, count: u64 },
    #[error("`{}` has more than {SAMPLES_MAX} samples; split it by service", path.display())]
    TooLarge { path: PathBuf },
    #[error("`{service}` in `{}` has no line in truth.jsonl", path.display())]
    NoTruth { service: String, path: PathBuf },
    #[error("the case `{service}` is in two files; put each case whole into one")]
    Twice { service: String },
    #[error("the case `{service}` has no telemetry")]
    NoTelemetry { service: String },
}

impl From<CorpusError> for Failure {
    fn from(error: CorpusError) -> Self {
        Self::bad_input(error)
    }
}

/// A corpus whose telemetry is still in its files.
#[derive(Debug)]
pub(super) struct Corpus {
    pub(super) name: String,
    pub(super) origin: String,
    pub(super) files: Vec<PathBuf>,
    truths: BTreeMap<ServiceName, Truth>,
    /// Cases that were left out by choice.
    others: BTreeSet<ServiceName>,
    changes: BTreeMap<ServiceName, Vec<Change>>,
    catalogue: Catalogue,
}

impl Corpus {
    pub(super) fn open(folder: &Path, progress: &Progress) -> Result<Self, CorpusError> {
        progress.show("reading the truth");
        let path = folder.join("corpus.json");
        let text = fs::read_to_string(&path).map_err(opening(&path))?;
        let manifest: CorpusManifest =
            serde_json::from_str(&text).map_err(|source| CorpusError::Manifest { path, source })?;
        if manifest.format != FORMAT {
            return Err(CorpusError::Form { found: manifest.format });
        }
        Ok(Self {
            name: manifest.name,
            origin: manifest.origin,
            files: telemetry_files(&folder.join("telemetry"))?,
            truths: read_truths(&folder.join("truth.jsonl"))?,
            others: BTreeSet::new(),
            changes: read_changes(&folder.join("events.jsonl"))?,
            catalogue: Catalogue::built_in(),
        })
    }

    /// Leaves out the cases of other halves and families.
    pub(super) fn chosen(mut self, half: Option<Half>, families: &[String]) -> Self {
        let wanted = |truth: &Truth| {
            half.is_none_or(|half| truth.half == half)
                && (families.is_empty() || families.contains(&truth.family))
        };
        let (chosen, others) = self.truths.into_iter().partition(|(_, truth)| wanted(truth));
        self.truths = chosen;
        let others: BTreeMap<ServiceName, Truth> = others;
        self.others = others.into_keys().collect();
        self
    }

    pub(super) fn cases(&self) -> usize {
        self.truths.len()
    }

    /// The chosen cases of one file.
    pub(super) fn read(&self, path: &Path) -> Result<Vec<Case>, CorpusError> {
        let mut telemetry = Telemetry::default();
        let mut unknown = None;
        let input = open(path).map_err(opening(path))?;
        let summary = csv::read(input, &self.catalogue, None, &mut |reading| {
            if self.truths.contains_key(&reading.service) {
                telemetry.add(reading);
            } else if !self.others.contains(&reading.service) {
                unknown.get_or_insert(reading.service);
            }
        })
        .map_err(|source| CorpusError::Telemetry { path: path.to_owned(), source })?;
        let path = || path.to_owned();
        if let Some(service) = unknown {
            return Err(CorpusError::NoTruth { service: service.to_string(), path: path() });
        }
        if !summary.rejections.is_empty() {
            let count = summary.rejections.total();
            return Err(CorpusError::Rejected { path: path(), count });
        }
        if telemetry.gathered() > SAMPLES_MAX {
            return Err(CorpusError::TooLarge { path: path() });
        }
        Ok(self.with_truths(telemetry))
    }

    fn with_truths(&self, telemetry: Telemetry) -> Vec<Case> {
        let changes = telemetry.names().filter_map(|name| self.changes.get(name)).flatten();
        let changes = changes.cloned().collect();
        let case = |history: plimsoll_model::ServiceHistory| {
            let truth = self.truths.get(&history.service)?.clone();
            Some(Case { history, truth })
        };
        let parts = telemetry.parts(&by_service(changes));
        let histories = parts.into_iter().map(|part| part.gather(SeriesLimit::NONE, None));
        histories.filter_map(|found| case(found.history)).collect()
    }

    /// An error where a chosen case was not among those that were `seen`.
    pub(super) fn check_complete(&self, seen: &BTreeSet<String>) -> Result<(), CorpusError> {
        match self.truths.keys().find(|service| !seen.contains(service.as_str())) {
            Some(service) => Err(CorpusError::NoTelemetry { service: service.to_string() }),
            None => Ok(()),
        }
    }
}

fn opening(path: &Path) -> impl FnOnce(io::Error) -> CorpusError {
    let path = path.to_owned();
    move |source| CorpusError::Open { path, source }
}

fn telemetry_files(folder: &Path) -> Result<Vec<PathBuf>, CorpusError> {
    let entries = fs::read_dir(folder).map_err(opening(folder))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(opening(folder))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "csv"));
    paths.sort();
    Ok(paths)
}

fn read_changes(path: &Path) -> Result<BTreeMap<ServiceName, Vec<Change>>, CorpusError> {
    let mut changes: BTreeMap<ServiceName, Vec<Change>> = BTreeMap::new();
    if !path.exists() {
        return Ok(changes);
    }
    let input = open(path).map_err(opening(path))?;
    let summary = events::read(input, None, &mut |change: Change| {
        changes.entry(change.service.clone()).or_default().push(change);
    })
    .map_err(|source| CorpusError::Events { path: path.to_owned(), source })?;
    match summary.rejections.total() {
        0 => Ok(changes),
        count => Err(CorpusError::Rejected { path: path.to_owned(), count }),
    }
}

fn read_truths(path: &Path) -> Result<BTreeMap<ServiceName, Truth>, CorpusError> {
    let file = File::open(path).map_err(opening(path))?;
    let mut truths = BTreeMap::new();
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(opening(path))?;
        let place = index + 1;
        let wrong = |what: String| CorpusError::Field { path: path.to_owned(), line: place, what };
        let shape: TruthShape = serde_json::from_str(&line)
            .map_err(|source| CorpusError::Truth { path: path.to_owned(), line: place, source })?;
        let (service, truth) = truth(shape).map_err(wrong)?;
        if truths.insert(service.clone(), truth).is_some() {
            return Err(wrong(format!("the case `{service}` has a truth already")));
        }
        if truths.len() > CASES_MAX {
            return Err(wrong(format!("more than {CASES_MAX} cases; split the corpus")));
        }
    }
    Ok(truths)
}

fn truth(shape: TruthShape) -> Result<(ServiceName, Truth), String> {
    let time = |field: &str, text: &Option<String>| -> Result<Option<Timestamp>, String> {
        let read = |text: &String| moment(text).map_err(|what| format!("`{field}`: {what}"));
        text.as_ref().map(read).transpose()
    };
    let name = |text: &str| ServiceName::new(text).map_err(|error| format!("`service`: {error}"));
    let service = name(&shape.service)?;
    let instance = |text: &String| {
        plimsoll_model::InstanceName::new(text).map_err(|error| format!("`instances`: {error}"))
    };
    let onset = time("onset", &shape.onset)?;
    let change = match &shape.change {
        Some(change) => Some(Change {
            at: moment(&change.ts).map_err(|what| format!("`change.ts`: {what}"))?,
            kind: change.kind.into(),
            service: service.clone(),
            instance: None,
            version: version(change.version.as_deref())?,
            attributes: BTreeMap::new(),
        }),
        None => None,
    };
    let truth = Truth {
        half: shape.half.into(),
        label: shape.label.into(),
        cause: shape.cause.map(Into::into),
        onset,
        ends: time("ends", &shape.ends)?,
        instances: shape.instances.iter().map(instance).collect::<Result<_, _>>()?,
        change,
        exhausted_at: time("exhausted_at", &shape.exhausted_at)?,
        growth_per_hour: shape.growth_per_hour,
        family: shape.family,
    };
    Ok((service, truth))
}

fn version(text: Option<&str>) -> Result<Option<Version>, String> {
    text.map(|text| Version::new(text).map_err(|error| format!("`change.version`: {error}")))
        .transpose()
}
