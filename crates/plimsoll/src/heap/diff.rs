//! `plimsoll heap diff`: what grew between two or more looks at one program's heap.

use std::path::PathBuf;

use plimsoll_heap::{Growth, HeapDifference, Kind, Signatures, heap_difference, short, thousands};

use super::sources::Sources;
use super::whole::{Reading, human};
use super::{classes, looks, shapes, sites};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Progress, print, print_json, table};

const EXAMPLES: &str = "\
Exit codes: 0 nothing of the program's own grew, 1 something did.

Examples:
  plimsoll heap diff before.hprof after.hprof
  plimsoll heap diff before.hprof after.hprof --work 5000
  plimsoll heap diff before.heapsnapshot after.heapsnapshot
  plimsoll heap diff start.hprof busy.hprof idle.hprof --format json
  plimsoll heap diff first.pb.gz second.pb.gz     # profiles of memory or of goroutines
  plimsoll heap diff first.snapshot second.snapshot --no-source
  plimsoll heap diff classes-1.txt classes-2.txt  # what jcmd PID GC.class_histogram printed";

/// Rows that are printed.
const ROWS: usize = 15;

/// What grew between looks at a heap, by who holds it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Two or more dumps, profiles or class histograms of one program, in the order of time.
    #[arg(required = true, num_args = 2..)]
    dumps: Vec<PathBuf>,
    /// Requests, or any other work, done between the first and the last: growth is told for each.
    #[arg(long, value_name = "COUNT", value_parser = work)]
    work: Option<f64>,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    reading: Reading,
}

fn work(text: &str) -> Result<f64, String> {
    let count: Option<f64> = text.parse().ok();
    let count = count.filter(|count| count.is_finite() && *count > 0.0);
    count.ok_or_else(|| "write a number above 0".into())
}

pub(crate) fn run(args: &Args, format: Format) -> Result<Exit, Failure> {
    match looks::kind_of_all(&args.dumps)? {
        Some(Kind::ClassHistogram) => return classes::grown(&args.dumps, args.work, format),
        Some(kind) if kind.is_profile() => {
            return sites::difference(&args.dumps, args.work, args.sources, format);
        }
        Some(_) | None => {}
    }
    let progress = Progress::new();
    let mut looks = Vec::new();
    let mut difference = None;
    for (at, path) in args.dumps.iter().enumerate() {
        args.reading.ask(path, &progress, |shape, _| {
            looks.push(Signatures::of(shape));
            if at + 1 == args.dumps.len() {
                difference = Some(heap_difference(&looks, shape).map_err(Failure::failed)?);
            }
            Ok(())
        })?;
    }
    drop(progress);
    let Some(difference) = difference else { return Ok(Exit::CannotTell) };
    match format {
        Format::Json => print_json(&shapes::difference(&difference, args.work))?,
        Format::Table => print(&(text(&difference, args.work).join("\n") + "\n"))?,
    }
    let blamed = |growth: &Growth| growth.is_own && !growth.is_in_flight && growth.bytes > 0;
    let is_found = difference.rows.iter().any(blamed);
    Ok(if is_found { Exit::Found } else { Exit::NothingWrong })
}

fn text(difference: &HeapDifference, work: Option<f64>) -> Vec<String> {
    let mut lines = vec![format!("The heap grew by {}", signed(difference.bytes)), String::new()];
    let (in_flight, blamed): (Vec<&Growth>, Vec<&Growth>) =
        difference.rows.iter().partition(|growth| growth.is_in_flight);
    let rows = blamed.iter().take(ROWS);
    let rows: Vec<_> = rows.map(|growth| row(growth, difference.bytes, work)).collect();
    lines.extend(table(["growth", "share", "where", "what", "remark"], &rows));
    let held: i64 = in_flight.iter().map(|growth| growth.bytes).sum();
    if held > 0 {
        let told = signed(held);
        lines.push(format!("Not blamed: {told} more that running methods hold (work in flight)"));
    }
    lines
}

fn row(growth: &Growth, total: i64, work: Option<f64>) -> [String; 5] {
    let share = if total > 0 {
        format!("{:.1} %", growth.bytes as f64 / total as f64 * 100.0)
    } else {
        "-".into()
    };
    let place = match (&growth.field, &growth.owner) {
        (Some(field), Some(owner)) if owner.starts_with('(') => {
            format!("variable {field} of {owner}")
        }
        (Some(field), Some(owner)) if growth.is_static => {
            format!("static {field} of {}", owner.trim_start_matches("class "))
        }
        (Some(field), Some(owner)) => format!("field {field} of {owner}"),
        (_, Some(owner)) => owner.clone(),
        (_, None) => "roots".into(),
    };
    let more = growth.elements.iter().take(2).map(|grown| {
        let per =
            work.map_or(String::new(), |work| format!(" ({:.2} each)", grown.count as f64 / work));
        format!("+{} {}{per}", thousands(grown.count.unsigned_abs()), short(&grown.kind))
    });
    let what = more.collect::<Vec<_>>().join(", ");
    let remark = if growth.is_steady { "" } else { "not in every step" };
    [signed(growth.bytes), share, place, what, remark.into()]
}

fn signed(bytes: i64) -> String {
    let sign = if bytes < 0 { "-" } else { "" };
    format!("{sign}{}", human(bytes.unsigned_abs()))
}
