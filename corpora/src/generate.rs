//! Draws the published corpus and writes it: which families, how many cases, from which seeds.
//!
//! Not here: the families (`plimsoll_sim::corpus`), and the form of the files (`write`).

use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use plimsoll_model::{Half, Timestamp};
use plimsoll_sim::corpus::{self, CorpusCase, Family};
use plimsoll_wire::corpus::TruthShape;
use plimsoll_wire::format_time;

use crate::write::Corpus;

/// A half of the families, as it is written on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HalfName {
    Tune,
    Report,
}

/// What to draw.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Of each family.
    pub(crate) cases: u64,
    pub(crate) seed: u64,
    pub(crate) half: Option<HalfName>,
    /// All where none is named.
    pub(crate) families: Vec<String>,
}

/// Why no corpus was written, or only a part of one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GenerateError {
    #[error("no family is named `{name}`; there are: {}", names())]
    NoSuchFamily { name: String },
    #[error("no case is wanted: none of the named families is in that half, or `--cases` is 0")]
    Nothing,
    #[error("cannot create the corpus in {}; it must be a new folder", folder.display())]
    Create { folder: PathBuf, source: io::Error },
    #[error("cannot write case {service}; delete the unfinished corpus in {}", folder.display())]
    Write { service: String, folder: PathBuf, source: io::Error },
    #[error("cannot finish the corpus in {}; delete it and try again", folder.display())]
    Finish { folder: PathBuf, source: io::Error },
}

/// Writes the corpus into a new folder, with progress on standard error.
pub(crate) fn generate(folder: &Path, wanted: &Wanted) -> Result<(), GenerateError> {
    let families = wanted.families()?;
    if families.is_empty() || wanted.cases == 0 {
        return Err(GenerateError::Nothing);
    }
    let owned = || folder.to_owned();
    let mut corpus = Corpus::create(folder, "plimsoll", &wanted.origin())
        .map_err(|source| GenerateError::Create { folder: owned(), source })?;
    let mut rows = 0;
    for (done, family) in families.iter().enumerate() {
        eprintln!("{:3} of {}  {}", done + 1, families.len(), family.name);
        for seed in wanted.seeds() {
            let case = corpus::draw(family, seed);
            rows += case.readings.len();
            let truth = truth(&case);
            corpus.case(&truth, case.readings, &case.changes).map_err(|source| {
                GenerateError::Write { service: truth.service.clone(), folder: owned(), source }
            })?;
        }
    }
    corpus.finish().map_err(|source| GenerateError::Finish { folder: owned(), source })?;
    let cases = families.len() as u64 * wanted.cases;
    eprintln!("{} cases, {rows} rows in {}", cases, folder.display());
    Ok(())
}

impl Wanted {
    fn families(&self) -> Result<Vec<&'static Family>, GenerateError> {
        let all = corpus::families();
        let unknown = self.families.iter().find(|name| !all.iter().any(|f| f.name == **name));
        if let Some(name) = unknown {
            return Err(GenerateError::NoSuchFamily { name: name.clone() });
        }
        let named = |family: &&Family| {
            self.families.is_empty() || self.families.iter().any(|name| name == family.name)
        };
        let of_half =
            |family: &&Family| self.half.is_none_or(|half| Half::from(half) == family.half);
        Ok(all.iter().filter(named).filter(of_half).collect())
    }

    /// No seed of one corpus is one of the next: `--seed 2` draws none of the cases of `--seed 1`.
    fn seeds(&self) -> impl Iterator<Item = u64> + use<> {
        let first = self.seed.wrapping_mul(self.cases);
        (0..self.cases).map(move |case| first.wrapping_add(case))
    }

    fn origin(&self) -> String {
        format!("drawn by `corpora generate`, seed {}, {} cases a family", self.seed, self.cases)
    }
}

impl From<HalfName> for Half {
    fn from(half: HalfName) -> Self {
        match half {
            HalfName::Tune => Self::Tune,
            HalfName::Report => Self::Report,
        }
    }
}

fn names() -> String {
    let names: Vec<&str> = corpus::families().iter().map(|family| family.name).collect();
    names.join(", ")
}

/// The truth of a case in the form of the file.
fn truth(case: &CorpusCase) -> TruthShape {
    let CorpusCase { service, family, half, label, runtime, truth, .. } = case;
    let time = |at: Option<Timestamp>| at.map(format_time);
    TruthShape {
        service: service.to_string(),
        family: (*family).to_owned(),
        half: (*half).into(),
        label: (*label).into(),
        cause: truth.cause.map(Into::into),
        onset: time(truth.onset),
        ends: time(truth.ends),
        instances: truth.instances.iter().map(ToString::to_string).collect(),
        change: truth.change.as_ref().map(Into::into),
        exhausted_at: time(truth.exhausted_at),
        growth_per_hour: truth.growth_per_hour,
        runtime: Some(runtime.name().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(half: Option<HalfName>, families: &[&str]) -> Wanted {
        let families = families.iter().map(|name| (*name).to_owned()).collect();
        Wanted { cases: 2, seed: 3, half, families }
    }

    #[test]
    fn a_family_that_does_not_exist_is_refused_by_name() {
        let error = wanted(None, &["leak-fds", "leak-fbs"]).families().unwrap_err().to_string();
        assert!(error.contains("`leak-fbs`") && error.contains("leak-fds"), "{error}");
    }

    #[test]
    fn a_half_narrows_what_is_named() {
        let count = |half, names: &[&str]| wanted(half, names).families().unwrap().len();
        let both = count(Some(HalfName::Tune), &[]) + count(Some(HalfName::Report), &[]);
        assert_eq!(both, count(None, &[]));
        assert_eq!(count(Some(HalfName::Tune), &["leak-fds"]), 1);
        assert_eq!(count(Some(HalfName::Report), &["leak-fds"]), 0);
    }

    #[test]
    fn another_seed_shares_no_case() {
        let seeds = |seed| Wanted { seed, ..wanted(None, &[]) }.seeds();
        assert!(seeds(1).all(|one| seeds(2).all(|two| one != two)));
    }

    #[test]
    fn what_is_written_is_a_whole_corpus_and_an_existing_folder_is_left_alone() {
        let folder = std::env::temp_dir().join(format!("corpora-{}", std::process::id()));
        let wanted = wanted(None, &["leak-flag", "quiet"]);
        generate(&folder, &wanted).unwrap();
        let again = generate(&folder, &wanted).unwrap_err().to_string();
        let truth = std::fs::read_to_string(folder.join("truth.jsonl")).unwrap();
        let shapes: Vec<TruthShape> =
            truth.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for shape in &shapes {
            let file = folder.join("telemetry").join(format!("{}.csv", shape.service));
            assert!(std::fs::read_to_string(file).unwrap().lines().count() > 500);
        }
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(shapes.len(), 4);
        assert!(shapes[0].change.is_some() && shapes[0].onset.is_some());
        assert!(again.contains("new folder"), "{again}");
    }
}
