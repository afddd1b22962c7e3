//! One set on its way into a corpus: the cases that were written, the lines that were not read, and
//! what was left out on purpose. Says so on standard error.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{IsTerminal, stderr};
use std::path::Path;

use plimsoll_model::Label;

use super::AdaptError;
use super::draft::Draft;
use super::table::{Misfit, Table, files, stem};
use crate::write::Corpus;

/// Lines of one file that are shown; the others are only counted.
const SHOWN_PER_FILE: u64 = 3;

/// A set that is being read.
pub(super) struct Harvest {
    name: &'static str,
    corpus: Option<Corpus>,
    tally: Tally,
}

/// What came of a set.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tally {
    name: &'static str,
    cases: BTreeMap<Label, u64>,
    container_days: f64,
    readings: u64,
    rejected_lines: u64,
    left_out: BTreeMap<&'static str, u64>,
}

impl Harvest {
    pub(super) fn begin(
        folder: &Path,
        name: &'static str,
        origin: &str,
    ) -> Result<Self, AdaptError> {
        let corpus = Corpus::create(folder, name, origin);
        let corpus = corpus.map_err(|source| AdaptError::Create(folder.into(), source))?;
        Ok(Self { name, corpus: Some(corpus), tally: Tally { name, ..Tally::default() } })
    }

    /// One that writes nothing.
    #[cfg(test)]
    pub(super) fn scratch() -> Self {
        Self { name: "scratch", corpus: None, tally: Tally::default() }
    }

    #[cfg(test)]
    pub(super) fn rejected(&self) -> u64 {
        self.tally.rejected_lines
    }

    /// Writes a case. One without a reading is none, and is counted as left out.
    pub(super) fn case(&mut self, draft: Draft) -> Result<(), AdaptError> {
        if draft.readings().is_empty() {
            self.left_out("series without a value", 1);
            return Ok(());
        }
        *self.tally.cases.entry(draft.label()).or_default() += 1;
        self.tally.container_days += draft.container_days();
        self.tally.readings += draft.readings().len() as u64;
        let (truth, readings, changes) = draft.finish(self.name);
        let Some(corpus) = &mut self.corpus else { return Ok(()) };
        let written = corpus.case(&truth, readings, &changes);
        written.map_err(|source| AdaptError::Write(self.name, source))
    }

    /// Counts a line that cannot be used; the first ones of a file are shown. `nth` of that file.
    pub(super) fn reject(&mut self, path: &Path, line: u64, misfit: &Misfit, nth: u64) {
        self.tally.rejected_lines += 1;
        if nth <= SHOWN_PER_FILE {
            eprintln!("{}:{line}: not used: {misfit}", path.display());
        }
        if nth == SHOWN_PER_FILE {
            eprintln!("{}: further lines that are not used are only counted", path.display());
        }
    }

    /// Counts what could be read and does not belong into a corpus.
    pub(super) fn left_out(&mut self, what: &'static str, count: u64) {
        if count > 0 {
            *self.tally.left_out.entry(what).or_default() += count;
        }
    }

    /// Says how far it is, to a person who watches.
    pub(super) fn progress(&self, done: usize, all: usize) {
        if self.corpus.is_some() && stderr().is_terminal() {
            eprint!("\r{}: {done} of {all} files\r", self.name);
        }
    }

    pub(super) fn finish(self) -> Result<Tally, AdaptError> {
        if let Some(corpus) = self.corpus {
            corpus.finish().map_err(|source| AdaptError::Write(self.name, source))?;
        }
        Ok(self.tally)
    }
}

/// Writes the one case of each table of a folder, named by its file.
pub(super) fn each_table(
    harvest: &mut Harvest,
    folder: &Path,
    draft: fn(&str, Table, &mut Harvest) -> Result<Draft, AdaptError>,
) -> Result<(), AdaptError> {
    let tables = files(folder, &[".csv", ".csv.gz"])?;
    for (index, path) in tables.iter().enumerate() {
        harvest.progress(index, tables.len());
        let draft = draft(&stem(path), Table::open(path)?, harvest)?;
        harvest.case(draft)?;
    }
    Ok(())
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |label| self.cases.get(&label).copied().unwrap_or_default();
        let [leaking, benign, unlabelled] =
            [Label::Leaking, Label::Benign, Label::Unlabelled].map(of);
        let cases = leaking + benign + unlabelled;
        write!(
            f,
            "{}: {cases} cases ({leaking} leaking, {benign} benign, {unlabelled} unlabelled), \
             {:.1} container-days, {} readings, {} lines not used",
            self.name, self.container_days, self.readings, self.rejected_lines
        )?;
        self.left_out.iter().try_for_each(|(what, count)| write!(f, "; left out: {count} {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::draft::instance;
    use plimsoll_model::{Metric, Timestamp};

    #[test]
    fn a_set_says_what_came_of_it() {
        let mut harvest = Harvest::scratch();
        let mut draft = Draft::new("a", Label::Benign).unwrap();
        let pod = instance("a-0").unwrap();
        for secs in [0, 43_200] {
            draft.push(Timestamp::from_secs(secs), &pod, Metric::ProcessMemoryRss, 1.0);
        }
        harvest.case(draft).unwrap();
        harvest.case(Draft::new("empty", Label::Leaking).unwrap()).unwrap();
        harvest.reject(Path::new("a.csv"), 7, &Misfit::Missing, 1);
        let told = harvest.finish().unwrap().to_string();
        let want = ": 1 cases (0 leaking, 1 benign, 0 unlabelled), 0.5 container-days, 2 readings, \
                    1 lines not used; left out: 1 series without a value";
        assert_eq!(told, want);
    }
}
