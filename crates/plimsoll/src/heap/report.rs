//! `plimsoll heap report`: what a heap dump holds and who holds it, suspects first.

use std::fs;
use std::io;
use std::path::PathBuf;

use plimsoll_heap::{Accused, HeapReport, Kind, Survey, Suspect, short, thousands, words};

use super::sources::Sources;
use super::whole::{Flaws, Reading, human, is_too_little_memory, say_flaws};
use super::{classes, collections, looks, page, shapes, sites};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Progress, print, print_json, say, table, wrap};

const EXAMPLES: &str = "\
Exit codes: 0 nobody is suspected, 1 somebody is; 3 the file cannot tell (a profile of what was allocated,
a GC log that is too short).

Examples:
  plimsoll heap report shop.hprof
  plimsoll heap report shop.hprof.gz --html shop.html
  plimsoll heap report shop.heapsnapshot
  plimsoll heap report huge.hprof --memory 512M
  plimsoll heap report shop.hprof --histogram --format json
  plimsoll heap report heap.pb.gz           # a profile of Go, tcmalloc, jemalloc, heaptrack, Python
  plimsoll heap report goroutine.pb.gz      # what goroutines wait for
  plimsoll heap report classes.txt          # what jcmd PID GC.class_histogram printed
  plimsoll heap report gc.log               # what is alive after collections, and its trend";

/// Rows of each table that are printed.
const ROWS: usize = 15;

/// Who holds the memory of a heap dump, suspects first.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A heap dump, an allocation profile, a class histogram or a GC log, packed with gzip or not.
    dump: PathBuf,
    /// Only count objects by type: one reading, and little memory.
    #[arg(long)]
    histogram: bool,
    /// Also write one page with everything, which needs no network.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    reading: Reading,
}

/// The page could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the page `{}`", path.display())]
struct PageError {
    path: PathBuf,
    source: io::Error,
}

pub(crate) fn run(args: &Args, format: Format) -> Result<Exit, Failure> {
    match looks::kind(&args.dump) {
        Some(Kind::ClassHistogram) => return classes::report(&args.dump, format),
        Some(Kind::GcLog) => return collections::report(&args.dump, format),
        Some(kind) if kind.is_profile() => return sites::report(&args.dump, args.sources, format),
        Some(_) | None => {}
    }
    let progress = Progress::new();
    if args.histogram {
        return histogram(args, format, &progress);
    }
    let asked = args.reading.ask_all(&args.dump, &progress, |shape, flaws| {
        progress.show("looking for who holds memory");
        Ok((HeapReport::of(shape, &args.reading.cores()).map_err(Failure::failed)?, flaws))
    });
    let (report, flaws) = match asked {
        Err(failure) if is_too_little_memory(&failure) => {
            say(&format!("{failure}"));
            say("plimsoll: who holds memory needs more; this is the histogram");
            return histogram(args, format, &progress);
        }
        asked => asked?,
    };
    drop(progress);
    if let Some(path) = &args.html {
        let text = page::of(&report, &flaws, &args.dump.display().to_string());
        let text = text.map_err(Failure::failed)?;
        let failed = |source| PageError { path: path.clone(), source };
        fs::write(path, text).map_err(failed).map_err(Failure::failed)?;
    }
    answer(&report, &flaws, format)?;
    Ok(if report.accused.is_empty() { Exit::NothingWrong } else { Exit::Found })
}

fn histogram(args: &Args, format: Format, progress: &Progress) -> Result<Exit, Failure> {
    let tally = args.reading.tally(&args.dump, progress)?;
    progress.show("");
    let damaged_parts = tally.damaged_parts as u64;
    say_flaws(&args.dump, Flaws { cut_at: tally.cut.map(|end| end.at), damaged_parts });
    match format {
        Format::Json => print_json(&shapes::histogram(&tally))?,
        Format::Table => {
            let all = &tally.total;
            let (objects, bytes) = (thousands(all.instances), human(all.bytes.0));
            let mut lines = vec![format!("{objects} objects, {bytes}"), String::new()];
            let rows = tally.rows.iter().take(2 * ROWS);
            let rows: Vec<_> = rows
                .map(|row| [thousands(row.instances), human(row.bytes.0), row.class.clone()])
                .collect();
            lines.extend(table(["objects", "bytes", "type"], &rows));
            print(&(lines.join("\n") + "\n"))?;
        }
    }
    Ok(Exit::NothingWrong)
}

fn answer(report: &HeapReport, flaws: &Flaws, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => print_json(&shapes::report(report, flaws)),
        Format::Table => print(&(text(report).join("\n") + "\n")),
    }
}

fn text(report: &HeapReport) -> Vec<String> {
    let mut lines = vec![format!(
        "{} objects: {} alive, {} garbage",
        thousands(report.objects),
        human(report.alive),
        human(report.garbage)
    )];
    lines.push(String::new());
    match report.accused.as_slice() {
        [] => lines.push("Nobody is suspected: no one holds a large part of the heap.".into()),
        accused => {
            for (at, accused) in accused.iter().enumerate() {
                lines.extend(accusation(at + 1, accused));
            }
        }
    }
    lines.push(String::new());
    lines.extend(report.survey.iter().flat_map(waste));
    lines.push("Who holds memory".into());
    let rows: Vec<_> = report.holders.iter().take(ROWS).map(holder).collect();
    lines.extend(table(["bytes", "share", "holder", "what"], &rows));
    lines.push(String::new());
    lines.push("What there is".into());
    let rows: Vec<_> = report
        .types
        .iter()
        .take(ROWS)
        .map(|held| [thousands(held.count), human(held.retained), held.kind.clone()])
        .collect();
    lines.extend(table(["objects", "bytes", "type"], &rows));
    lines
}

/// What is held without need, and what no histogram counts.
fn waste(survey: &Survey) -> Vec<String> {
    let waste = shapes::waste(survey);
    let about = if waste.duplicates_estimated { "about " } else { "" };
    vec![
        format!(
            "{about}{} of doubles of the same data, {} of empty slots in tables and lists",
            human(waste.duplicate_bytes),
            human(waste.empty_slot_bytes)
        ),
        format!(
            "{} outside of the heap in {} buffers, {} objects wait for their finalizer",
            human(waste.off_heap_bytes),
            thousands(waste.off_heap_buffers),
            thousands(waste.waiting_finalizers)
        ),
        String::new(),
    ]
}

fn holder(suspect: &Suspect) -> [String; 4] {
    let collection = short(&suspect.collection);
    let what = match suspect.elements.first() {
        // Objects without a collection of their own, or one alone.
        Some(held) if held.kind == suspect.collection => {
            format!("{} {collection}", thousands(held.count))
        }
        Some(held) => format!("{collection} of {} {}", thousands(held.count), short(&held.kind)),
        None => collection.to_owned(),
    };
    [human(suspect.retained), format!("{:.1} %", suspect.share * 100.0), suspect.place(), what]
}

fn accusation(number: usize, accused: &Accused) -> Vec<String> {
    let suspect = &accused.suspect;
    let mut lines = wrap(&format!("{number}. {} ({})", words(suspect), human(suspect.retained)), 0);
    lines.extend(wrap(&format!("It looks like {}.", suspect.fault.words()), 3));
    lines.extend(wrap(&format!("To mend it: {}.", suspect.fault.fix()), 3));
    if let Some(root) = accused.root {
        lines.push(format!("   Alive because of {root}:"));
        lines.extend(accused.way.iter().map(|step| format!("     {step}")));
    }
    lines
}
