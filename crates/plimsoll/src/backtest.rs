//! `plimsoll backtest`: scores our verdicts on a labelled corpus, beside the rules people run today.
//!
//! Reads the corpus and runs every detector over it; the scoring is `plimsoll-backtest`'s.

mod corpus;
mod report;
mod run;
mod shapes;

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use plimsoll_backtest::picture::reliability;
use plimsoll_backtest::{Detector, Plimsoll, Summary, calibration, peers};
use plimsoll_model::{Half, Span};

use self::corpus::Corpus;
use self::run::{Asked, Finished, run as run_all};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Progress, print, print_json, say};

const EXAMPLES: &str = "\
The form of a corpus is described in docs/formats/corpus.md, what is counted in docs/detection.md.
Every detector looks at the same moments of each case, and sees only what was measured until then.

Exit codes: 0 it was scored; 1 with --check, a target is missed; 2 the corpus cannot be read.

Examples:
  plimsoll backtest corpus/
  plimsoll backtest corpus/ --against none --half tune --family day_curve
  plimsoll backtest corpus/ --pictures wrong/ --format json > report.json";

/// Scores the detectors on a labelled corpus.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The corpus: a folder with corpus.json, truth.jsonl and telemetry/.
    corpus: PathBuf,
    /// Rules to compare with: `all`, `none`, or names, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "all", value_name = "NAMES")]
    against: Vec<String>,
    /// Which half of the families: the one that thresholds were chosen by, or the other.
    #[arg(long, value_enum, default_value_t = HalfArg::Report)]
    half: HalfArg,
    /// Only this family; may be repeated.
    #[arg(long, value_name = "NAME")]
    family: Vec<String>,
    /// Moments at which each case is looked at, evenly spread.
    #[arg(long, default_value = "100", value_name = "COUNT")]
    looks: NonZeroUsize,
    /// Hours between two looks at most: an alarm between them is not seen.
    #[arg(long, default_value = "6", value_name = "HOURS")]
    every: NonZeroUsize,
    /// Draws each case that Plimsoll gets wrong as SVG into this folder, and in `all/` how far its
    /// confidence keeps its promise.
    #[arg(long, value_name = "FOLDER")]
    pictures: Option<PathBuf>,
    /// End with exit code 1 when a target is missed.
    #[arg(long)]
    check: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum HalfArg {
    Report,
    Tune,
    All,
}

/// Looks that are taken of one case at most: more says nothing new and takes hours.
const LOOKS_MAX: usize = 2000;

/// Why nothing was scored.
#[derive(Debug, thiserror::Error)]
enum BacktestError {
    #[error("there is no rule `{name}` to compare with; there are: {known}")]
    NoSuchRule { name: String, known: String },
    #[error("{asked} looks are too many; {LOOKS_MAX} are the most that say something new")]
    TooManyLooks { asked: usize },
    #[error("no case of the corpus is in the chosen half and families; see truth.jsonl")]
    NothingChosen,
    #[error("cannot write the picture `{}`", path.display())]
    Picture { path: PathBuf, source: io::Error },
}

pub(crate) fn run(args: &Args, format: Format) -> Result<Exit, Failure> {
    let detectors = detectors(&args.against).map_err(Failure::bad_input)?;
    let looks = args.looks.get();
    if looks > LOOKS_MAX {
        return Err(Failure::bad_input(BacktestError::TooManyLooks { asked: looks }));
    }
    let progress = Progress::new();
    let corpus = Corpus::open(&args.corpus, &progress)?.chosen(args.half.half(), &args.family);
    if corpus.cases() == 0 {
        return Err(Failure::bad_input(BacktestError::NothingChosen));
    }
    let asked = Asked {
        looks: (looks, Span::from_hours(i64::try_from(args.every.get()).unwrap_or(i64::MAX))),
        drawn: args.pictures.is_some(),
    };
    let finished = run_all(&corpus, &detectors, asked, &progress)?;
    drop(progress);
    let exit = answer(args, (&corpus, &detectors), &finished, format)?;
    if let Some(folder) = &args.pictures {
        write_pictures(folder, &finished).map_err(Failure::failed)?;
    }
    Ok(exit)
}

fn answer(
    args: &Args,
    (corpus, detectors): (&Corpus, &[Box<dyn Detector>]),
    finished: &Finished,
    format: Format,
) -> Result<Exit, Failure> {
    let report = shapes::report(corpus, detectors, finished, (args.half.half(), args.looks.get()));
    match format {
        Format::Json => print_json(&report)?,
        Format::Table => print(&report::text(&report))?,
    }
    let missed = report.targets.iter().any(|target| target.met == Some(false));
    Ok(if args.check && missed { Exit::Found } else { Exit::NothingWrong })
}

impl HalfArg {
    const fn half(self) -> Option<Half> {
        match self {
            Self::Report => Some(Half::Report),
            Self::Tune => Some(Half::Tune),
            Self::All => None,
        }
    }
}

/// Ours first, then the chosen rules.
fn detectors(against: &[String]) -> Result<Vec<Box<dyn Detector>>, BacktestError> {
    let rules = peers::all();
    let names: Vec<&str> = rules.iter().map(|rule| rule.name()).collect();
    let general = |name: &&String| !matches!(name.as_str(), "all" | "none");
    if let Some(name) = against.iter().filter(general).find(|name| !names.contains(&name.as_str()))
    {
        return Err(BacktestError::NoSuchRule { name: name.clone(), known: names.join(", ") });
    }
    let asked = |name: &str| against.iter().any(|word| word == "all" || word == name);
    let ours: Box<dyn Detector> = Box::new(Plimsoll);
    Ok(std::iter::once(ours).chain(rules.into_iter().filter(|rule| asked(rule.name()))).collect())
}

/// Where the pictures of all cases together are: no service's name leads there.
const OF_ALL: &str = "all";

fn write_pictures(folder: &Path, finished: &Finished) -> Result<(), BacktestError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| BacktestError::Picture { path, source }
    };
    let of_all = folder.join(OF_ALL);
    fs::create_dir_all(&of_all).map_err(failed(&of_all))?;
    let ours = Summary::of(finished.scores.first().into_iter().flatten());
    let path = of_all.join("reliability.svg");
    fs::write(&path, reliability(&calibration::reliability(&ours.claims)))
        .map_err(failed(&path))?;
    for (index, picture) in finished.pictures.iter().enumerate() {
        let path = folder.join(file_name(index, &picture.service));
        fs::write(&path, &picture.svg).map_err(failed(&path))?;
    }
    say(&format!("plimsoll: {} pictures in {}", finished.pictures.len() + 1, folder.display()));
    Ok(())
}

/// A name that stays in its folder, whatever a service is called, and is no other picture's.
fn file_name(index: usize, service: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = service.chars().take(80).map(plain).collect();
    if name == service { format!("{name}.svg") } else { format!("{index:05}-{name}.svg") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_does_not_exist_is_named_with_those_that_do() {
        let error = detectors(&["ols_2h".into()]).err().map(|error| error.to_string());
        assert!(error.is_some_and(|text| text.contains("`ols_2h`") && text.contains("ols_1h")));
        assert_eq!(detectors(&["none".into()]).map(|all| all.len()).ok(), Some(1));
    }

    #[test]
    fn a_picture_stays_in_its_folder_whatever_its_service_is_called() {
        assert_eq!(file_name(3, "orders-4"), "orders-4.svg");
        assert_eq!(file_name(3, "../../etc/x"), "00003-.._.._etc_x.svg");
    }
}
