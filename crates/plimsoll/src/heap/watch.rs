//! `plimsoll heap watch`: cheap looks at a running process, again and again, and what grew.
//!
//! A look is a class histogram of a JVM or a heap profile of a Go service, taken as `heap capture`
//! takes it, with the same care. What grew is `plimsoll-heap`'s to say.

mod look;
mod words;
mod work;

use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_heap::Watch;
use plimsoll_model::Span;
use plimsoll_runtime::capture::CaptureError;
use tokio::sync::watch;
use tokio::time::Instant;

use self::look::{LookError, Looker};
use self::work::{Counter, WorkCounter};
use super::capture::target;
use crate::daemon::{block_on, shutdown_on_signal};
use crate::exit::{Exit, Failure, with_sources};
use crate::output::{Format, print_part, print_part_json, say};
use crate::spans::span;

const EXAMPLES: &str = "\
Ends when it was interrupted, when the process ended, when nobody reads its output any more, or after
--count looks.

Exit codes: 0 nothing of the program's own grew in every step, or there were fewer than three steps;
1 a type did; 2 there is no such process, or its runtime gives no cheap look; 4 the first look failed.

Examples:
  plimsoll heap watch 4242
  plimsoll heap watch 4242 --every 1m --count 30 --keep looks/
  plimsoll heap watch 4242 --work http://127.0.0.1:8080/metrics#http_requests_total
  plimsoll heap watch 4242 --every 30s --format json";

/// Looks in a row that may fail before it is given up: a service may be busy for a while.
const FAILURES_MAX: u32 = 3;

/// What grows in a running process, by cheap looks at it again and again.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The process, or its container, by id.
    #[arg(value_name = "PID|CONTAINER")]
    target: String,
    /// Time between two looks.
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = span)]
    every: Span,
    /// Looks until it ends by itself.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(2..))]
    count: Option<u32>,
    /// A counter of requests, or of other work, to tell growth for each: an endpoint in Prometheus'
    /// text format, and the metric, whose series are summed.
    #[arg(long, value_name = "URL#METRIC")]
    work: Option<WorkCounter>,
    /// Count garbage too: a JVM need not collect for it, and growth is told less exactly.
    #[arg(long)]
    garbage: bool,
    /// Longest pause that a look may need, in seconds, worst case.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = super::capture::seconds)]
    max_pause: f64,
    /// Folder in which every look is kept as a file.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Where a Go service serves /debug/pprof/ [default: its ports on loopback are asked].
    #[arg(long, value_name = "IP:PORT")]
    address: Option<std::net::SocketAddr>,
    /// Folder of what is remembered of captures.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, format: Format) -> Result<Exit, Failure> {
    block_on(watch(args, format))
}

async fn watch(args: &Args, format: Format) -> Result<Exit, Failure> {
    let (_sender, mut stop) = shutdown_on_signal()?;
    let pid = target::find(Path::new("/proc"), &args.target)?;
    let mut looker = Looker::new(args, pid, stop.clone()).map_err(failure)?;
    let counter = args.work.as_ref().map(Counter::new).transpose()?;
    let every = Duration::from_millis(args.every.as_millis().unsigned_abs());
    let started = Instant::now();
    let mut watch = Watch::default();
    let (mut looks, mut failures) = (0, 0);
    if let Some(counter) = &counter {
        // A counter that is named wrong is told before the service is stopped for a look.
        counter.read().await.map_err(Failure::bad_input)?;
    }
    while !*stop.borrow() {
        let next = Instant::now() + every;
        match looker.look(looks).await {
            Ok(types) => {
                failures = 0;
                looks += 1;
                let at_secs = started.elapsed().as_secs_f64();
                let work = read_work(counter.as_ref()).await;
                watch.add(plimsoll_heap::Look { at_secs, work, types });
                if !tell(&watch, looks, format)? {
                    break;
                }
            }
            Err(error) if looks == 0 => return Err(failure(error)),
            Err(error) => {
                say(&with_sources(&error));
                failures += 1;
                if error.is_final() || failures == FAILURES_MAX {
                    break;
                }
            }
        }
        if args.count == Some(looks) || is_stopped(&mut stop, next).await {
            break;
        }
    }
    let growth = watch.growth();
    let is_found = growth.is_some_and(|growth| growth.steady_leader().is_some());
    Ok(if is_found { Exit::Found } else { Exit::NothingWrong })
}

/// Waits for the next look; whether there is none.
async fn is_stopped(stop: &mut watch::Receiver<bool>, next: Instant) -> bool {
    tokio::select! {
        () = tokio::time::sleep_until(next) => false,
        _ = stop.wait_for(|stop| *stop) => true,
    }
}

/// A counter that cannot be read costs the column, and not the look.
async fn read_work(counter: Option<&Counter>) -> Option<f64> {
    match counter?.read().await {
        Ok(work) => Some(work),
        Err(error) => {
            say(&with_sources(&error));
            None
        }
    }
}

/// Tells the growth so far; whether anyone still reads.
fn tell(watch: &Watch, looks: u32, format: Format) -> Result<bool, Failure> {
    match (format, watch.growth()) {
        (Format::Json, growth) => print_part_json(&words::shape(growth.as_ref(), looks)),
        (Format::Table, None) => {
            say("plimsoll: the first look was taken; growth is told from the second on");
            Ok(true)
        }
        (Format::Table, Some(growth)) => print_part(&words::text(&growth)),
    }
}

fn failure(error: LookError) -> Failure {
    match error {
        LookError::Capture(CaptureError::NoProcess { .. } | CaptureError::Ended { .. })
        | LookError::NoLooks { .. }
        | LookError::Keep { .. } => Failure::bad_input(error),
        LookError::Capture(_) | LookError::Ended { .. } | LookError::Unreadable { .. } => {
            Failure::failed(error)
        }
    }
}
