//! `plimsoll scan`: verdicts once, from files or from a Prometheus-compatible server.
//!
//! Reads, asks the detector for every service, prints. The judgement is `plimsoll-detect`'s, the
//! form of the answer `plimsoll-wire`'s.

mod chart;
mod explain;
mod judge;
mod logs;
mod passes;
mod prometheus;
mod read;
mod report;
mod source;
mod supply;
pub(crate) mod telemetry;

use std::path::PathBuf;

use clap::ArgGroup;
use plimsoll_model::{Assessment, ServiceHistory, ServiceName, SharedOnset, Timestamp, Verdict};
use plimsoll_wire::scan::{ScanInputs, ScanReport};

use self::read::Input;
pub(crate) use self::read::moment;
pub(crate) use self::source::open;
use crate::clock;
use crate::exit::{Exit, Failure};
use crate::output::{Format, Progress, print, print_json, say};

const EXAMPLES: &str = "\
Columns: ts (Unix seconds or RFC 3339), service, version, instance, metric, value; in any order.
Metric names are canonical ones; names of known exporters are taken too.
A sample over 5 minutes ahead of this machine's clock is rejected, unless most of them are.

Exit codes: 1 at least one service leaks; 3 nothing leaks, and at least one service is undecided or
suspect, or there are no samples; 0 everything is steady; 2 the input cannot be read.

Examples:
  plimsoll scan --telemetry telemetry.csv --events events.jsonl
  plimsoll scan --telemetry - --service orders --format json < telemetry.csv
  plimsoll scan --telemetry telemetry.csv --logs kern.log --logs orders/orders-0=app.log
  plimsoll scan --telemetry telemetry.csv --explain orders
  plimsoll scan --prometheus http://127.0.0.1:9090 --since 7d
  plimsoll scan --prometheus http://127.0.0.1:9090 --match 'namespace=\"shop\"' --format json";

/// Verdicts once, from telemetry at rest.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = ArgGroup::new("source").required(true).args(["telemetry", "prometheus"]))]
pub(crate) struct Args {
    /// Samples as Parquet, or as CSV with a header; `-` reads CSV from standard input.
    #[arg(long, value_name = "FILE")]
    telemetry: Option<PathBuf>,
    #[command(flatten)]
    prometheus: prometheus::Options,
    /// Deploys, restarts and other events, one JSON object a line; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// A log of the kernel or of a service, for what it says of memory and handles; may be repeated.
    /// Lines of text need SERVICE=FILE or SERVICE/INSTANCE=FILE, the kernel's and JSON need not.
    #[arg(long, value_name = "[NAME=]FILE", value_parser = logs::LogFile::parse)]
    logs: Vec<logs::LogFile>,
    /// Assess as of this moment (Unix seconds or RFC 3339) [default: the newest sample]
    #[arg(long, value_name = "TIME", value_parser = read::moment)]
    at: Option<Timestamp>,
    /// More names of metrics, as TOML in the form of the built-in catalogue.
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// Only this service; may be repeated.
    #[arg(long, value_name = "NAME", conflicts_with = "explain")]
    service: Vec<ServiceName>,
    /// Why the verdict on this service is what it is, and what would change it.
    #[arg(long, value_name = "SERVICE")]
    explain: Option<ServiceName>,
}

impl Args {
    /// The services that were asked for; none means all.
    fn chosen(&self) -> Vec<ServiceName> {
        self.explain.iter().chain(&self.service).cloned().collect()
    }
}

pub(crate) fn run(args: &Args, format: Format) -> Result<Exit, Failure> {
    let now = clock::now();
    let progress = Progress::new();
    let input = read::read(args, now, &progress)?;
    let at = args.at.or_else(|| input.telemetry.newest()).unwrap_or(now);
    if args.explain.is_some() {
        return explain::run(input, at, progress, format);
    }
    let Assessed { assessments, shared, inputs } = assess(input, at, &progress)?;
    drop(progress);
    match format {
        Format::Json => {
            print_json(&ScanReport::new(at, &assessments, shared.as_ref(), inputs))?;
        }
        Format::Table => {
            print(&report::table(at, &assessments, shared.as_ref(), &inputs))?;
        }
    }
    Ok(exit_of(&assessments))
}

/// What came of a scan.
struct Assessed {
    assessments: Vec<Assessment>,
    shared: Option<SharedOnset>,
    inputs: ScanInputs,
}

fn assess(input: Input, at: Timestamp, progress: &Progress) -> Result<Assessed, Failure> {
    let Input { telemetry, changes, rejected } = input;
    let ask = |history: &ServiceHistory| {
        let assessment = plimsoll_detect::assess(history, at);
        let beginning = plimsoll_detect::beginning(history, &assessment);
        (assessment, beginning)
    };
    let judged = telemetry.judge(changes, at, progress, &ask).map_err(Failure::bad_input)?;
    let series = judged.iter().map(|one| one.series).sum();
    let samples = judged.iter().map(|one| one.samples).sum();
    let from = judged.iter().filter_map(|one| one.span).map(|(from, _)| from).min();
    let to = judged.iter().filter_map(|one| one.span).map(|(_, to)| to).max();
    let verdicts = judged.into_iter().map(|one| one.verdict);
    let (assessments, beginnings): (Vec<_>, Vec<_>) = verdicts.unzip();
    let beginnings: Vec<_> = beginnings.into_iter().flatten().collect();
    let shared = plimsoll_detect::shared_onset(&beginnings, at);
    if assessments.is_empty() {
        say("plimsoll: the telemetry holds no samples, so nothing can be said of any service");
    }
    let inputs = ScanInputs::new(series, samples, rejected, from.zip(to));
    Ok(Assessed { assessments, shared, inputs })
}

fn exit_of(assessments: &[Assessment]) -> Exit {
    let any = |verdict| assessments.iter().any(|assessment| assessment.verdict == verdict);
    if any(Verdict::Leaking) {
        Exit::Found
    } else if any(Verdict::Suspect) || any(Verdict::Undecided) || assessments.is_empty() {
        Exit::CannotTell
    } else {
        Exit::NothingWrong
    }
}
