//! Every detector over every case, file by file, on all cores.
//!
//! Not here: reading a file (`corpus`), or scoring what was said (`plimsoll-backtest`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use plimsoll_backtest::picture::draw;
use plimsoll_backtest::{Case, Detector, Said, Score, looks, score};
use plimsoll_model::{Label, Span};

use super::corpus::{Corpus, CorpusError};
use crate::cores::on_every_core;
use crate::output::Progress;

/// Everything that was scored.
#[derive(Debug, Default)]
pub(super) struct Finished {
    /// The scores of each detector, cases in order of name.
    pub(super) scores: Vec<Vec<Score>>,
    pub(super) pictures: Vec<Picture>,
}

/// How each case is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// At least so many looks, at most so far apart.
    pub(super) looks: (usize, Span),
    /// Whether what went wrong is drawn.
    pub(super) drawn: bool,
}

/// A case that Plimsoll got wrong.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) service: String,
    pub(super) svg: String,
}

/// What one case came to.
struct OfCase {
    scores: Vec<Score>,
    picture: Option<Picture>,
}

pub(super) fn run(
    corpus: &Corpus,
    detectors: &[Box<dyn Detector>],
    asked: Asked,
    progress: &Progress,
) -> Result<Finished, CorpusError> {
    let count = AtomicUsize::new(0);
    let done = on_every_core(corpus.files.iter().collect(), |path: &PathBuf| {
        let found = of_file(corpus, path, detectors, asked)?;
        let scored = count.fetch_add(found.len(), Ordering::Relaxed) + found.len();
        progress.show(&format!("scored {scored} of {} cases", corpus.cases()));
        Ok(found)
    })?;
    let mut done: Vec<OfCase> = done.into_iter().flatten().collect();
    done.sort_by(|a, b| name(a).cmp(name(b)));
    if let Some(pair) = done.windows(2).find(|pair| name(&pair[0]) == name(&pair[1])) {
        return Err(CorpusError::Twice { service: name(&pair[0]).to_owned() });
    }
    let seen: BTreeSet<String> = done.iter().map(|case| name(case).to_owned()).collect();
    corpus.check_complete(&seen)?;
    Ok(gathered(done, detectors.len()))
}

fn name(case: &OfCase) -> &str {
    case.scores.first().map_or("", |score| score.service.as_str())
}

fn gathered(done: Vec<OfCase>, detectors: usize) -> Finished {
    let mut finished = Finished { scores: vec![Vec::new(); detectors], pictures: Vec::new() };
    for case in done {
        finished.pictures.extend(case.picture);
        for (scores, score) in finished.scores.iter_mut().zip(case.scores) {
            scores.push(score);
        }
    }
    finished
}

fn of_file(
    corpus: &Corpus,
    path: &Path,
    detectors: &[Box<dyn Detector>],
    asked: Asked,
) -> Result<Vec<OfCase>, CorpusError> {
    let cases = corpus.read(path)?;
    Ok(cases.iter().filter_map(|case| of_case(case, detectors, asked)).collect())
}

fn of_case(case: &Case, detectors: &[Box<dyn Detector>], asked: Asked) -> Option<OfCase> {
    let at = looks(case.span()?, asked.looks);
    let said: Vec<Vec<Said>> =
        detectors.iter().map(|detector| detector.watch(&case.history, &at)).collect();
    let scores: Vec<Score> = said.iter().map(|said| score(case, said)).collect();
    let ours = scores.first()?;
    let picture = (asked.drawn && is_wrong(ours)).then(|| {
        let names: Vec<&str> = detectors.iter().map(|detector| detector.name()).collect();
        Picture { service: ours.service.clone(), svg: draw(case, &names, &said) }
    });
    Some(OfCase { scores, picture })
}

/// Worth a look: a wrong verdict at the end, or an alarm on the way.
pub(super) fn is_wrong(score: &Score) -> bool {
    score.alarms > 0 || (score.label != Label::Unlabelled && score.leaks != score.said)
}
