//! `plimsoll heap capture`: one file of what a process holds in memory, and what that took.
//!
//! The looking, the choosing and the taking are `plimsoll-runtime`'s; here are the words, the order
//! that they come in, and what is remembered for the next prediction.

mod memory;
mod redaction;
pub(super) mod shapes;
pub(super) mod target;
pub(super) mod words;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_runtime::attach::Population;
use plimsoll_runtime::capture::{
    CaptureError, Chosen, Contents, Offer, Order, Progress, Rung, Survey, Taken, Taking, choose,
    survey, take,
};
use plimsoll_runtime::output::{Destination, OutputError, folder_of};

pub(super) use self::memory::Memory;
use self::redaction::Redaction;
use crate::clock;
use crate::daemon::{block_on, data_dir, shutdown_on_signal};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Progress as Line, print, print_json, say};

/// From one line of progress to the next.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

const EXAMPLES: &str = "\
Rungs, best first: a JVM has dump (HPROF), histogram and counters; Node.js dump (V8 snapshot),
profile (sampled) and counters; Go profile (live heap by allocation site), goroutines and counters;
CPython and native programs counters. `auto` takes the best that nothing speaks against. What it
would cost is said before anything is done, and measured after; each capture makes the next
prediction better. The file is readable by its owner only, stays on this machine, and is there
whole or not at all.

Exit codes: 0 captured, or with --dry-run: it could be; 2 no such process, container or rung, or the
output cannot be there; 4 the capture was objected to, or failed.

Examples:
  plimsoll heap capture 4242 --dry-run
  plimsoll heap capture 4242
  plimsoll heap capture 3f1c9a2b7d10 --rung histogram --format json
  plimsoll heap capture 4242 --rung dump --max-pause 20 --output shop.hprof";

/// Capture the heap of a process: a dump, or what comes nearest to one without harm.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A process id, or the id of a container, in full or the first 6 digits and more.
    target: String,
    /// How deep to look.
    #[arg(long, value_enum, default_value_t = RungArg::Auto)]
    rung: RungArg,
    /// The file to write [default: heap-PROGRAM-PID-TIME with the ending of its format].
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file when it is there already.
    #[arg(long)]
    overwrite: bool,
    /// Collect garbage first, and capture what is left: less to read, and a longer pause.
    #[arg(long)]
    live: bool,
    /// Seconds that the service may stand still at most.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = seconds)]
    max_pause: f64,
    /// Go on although the pause may be longer.
    #[arg(long)]
    accept_pause: bool,
    /// Go on although the memory that it takes may not fit below the limit.
    #[arg(long)]
    accept_memory: bool,
    /// Take out values (texts, numbers) on the way to the output; only names, sizes and references
    /// stay. A JVM writes its dump to a folder of its own first, which nobody else may read and which
    /// is removed.
    #[arg(long)]
    redact: bool,
    /// Say what could be had and what it would cost, and take nothing.
    #[arg(long)]
    dry_run: bool,
    /// Where a Go service serves /debug/pprof/ [default: its ports on loopback are asked].
    #[arg(long, value_name = "IP:PORT")]
    address: Option<SocketAddr>,
    /// Folder, as the JVM sees it, in which it may write its dump [default: /tmp, else its working
    /// directory].
    #[arg(long, value_name = "FOLDER")]
    target_dir: Option<String>,
    /// How long a sampled profile watches.
    #[arg(long, value_name = "SECONDS", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Where it is remembered what captures took [default: ~/.local/share/plimsoll].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum RungArg {
    /// The best that nothing speaks against.
    Auto,
    /// Every object and every reference.
    Dump,
    /// Where what lives was allocated, by sampling.
    Profile,
    /// Objects by class.
    Histogram,
    /// Stacks of goroutines.
    Goroutines,
    /// Figures only, without a pause.
    Counters,
}

impl RungArg {
    fn rung(self) -> Option<Rung> {
        match self {
            Self::Auto => None,
            Self::Dump => Some(Rung::Dump),
            Self::Profile => Some(Rung::Profile),
            Self::Histogram => Some(Rung::Histogram),
            Self::Goroutines => Some(Rung::Goroutines),
            Self::Counters => Some(Rung::Counters),
        }
    }
}

pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "write seconds, from 0 to 86400, for example 2.5".to_owned())
}

pub(crate) fn run(args: Args, format: Format) -> Result<Exit, Failure> {
    block_on(capture(args, format))
}

async fn capture(args: Args, format: Format) -> Result<Exit, Failure> {
    let (_sender, stop) = shutdown_on_signal()?;
    let pid = target::find(Path::new("/proc"), &args.target)?;
    let mut memory = Memory::load(&data_dir(args.dir.clone())?);
    let redaction = if args.redact { Redaction::Always } else { Redaction::Never };
    let order = order(&args, pid, redaction);
    let looked = survey(order, memory.experience()).await.map_err(failure)?;
    if *stop.borrow() {
        looked.close().await;
        return Err(failure(CaptureError::GivenUp { pid }));
    }
    say(&words::prediction(&looked));
    let chosen = match choose(&looked.order, looked.identity.kind, &looked.offers) {
        Ok(chosen) => chosen,
        Err(error) => {
            looked.close().await;
            return Err(failure(error));
        }
    };
    let offer = looked.offers[chosen.0].clone();
    let mut answer = shapes::answer(&looked);
    if args.dry_run {
        looked.close().await;
        return finish(format, &answer, words::would_take(&offer));
    }
    let destination = destination(&args, &looked, offer.contents);
    let path = destination.path.clone();
    let sieve = redaction.sieve(offer.contents);
    let (progress, form) = (Progress::default(), shapes::counters_file);
    let taking = Taking { destination, sieve, stop, progress, form };
    let taken = follow(looked, chosen, &offer, taking).await.map_err(failure)?;
    if let Some(measured) = taken.measured.clone() {
        memory.remember(measured);
    }
    let without_values = redaction.leaves_out_values(offer.contents);
    answer.taken = Some(shapes::taken(&offer, &path, &taken, without_values));
    finish(format, &answer, words::taken(&offer, &path, &taken))
}

fn finish(
    format: Format,
    answer: &plimsoll_wire::heap_capture::CaptureAnswer,
    words: String,
) -> Result<Exit, Failure> {
    match format {
        Format::Json => print_json(answer)?,
        Format::Table => print(&words)?,
    }
    Ok(Exit::NothingWrong)
}

fn order(args: &Args, pid: u32, redaction: Redaction) -> Order {
    let folder = args.output.as_deref().map_or_else(|| Path::new("."), folder_of);
    let mut order = Order::new(Path::new("/proc"), pid, folder);
    order.rung = args.rung.rung();
    order.objects = if args.live { Population::Live } else { Population::All };
    order.pause_max = Duration::from_secs_f64(args.max_pause);
    order.accept_pause = args.accept_pause;
    order.accept_memory = args.accept_memory;
    order.go_address = args.address;
    order.target_folder = args.target_dir.clone();
    order.profile_span = Duration::from_secs(args.seconds);
    order.withheld = redaction.withheld();
    order
}

fn destination(args: &Args, looked: &Survey, contents: Contents) -> Destination {
    let path = args
        .output
        .clone()
        .unwrap_or_else(|| PathBuf::from(words::file_name(looked, contents, clock::now())));
    Destination { path, overwrite: args.overwrite }
}

/// Takes it, and shows how far it is.
async fn follow(
    looked: Survey,
    chosen: Chosen,
    offer: &Offer,
    taking: Taking,
) -> Result<Taken, CaptureError> {
    let progress = taking.progress.clone();
    let line = Line::new();
    let mut taken = std::pin::pin!(take(looked, chosen, taking));
    loop {
        tokio::select! {
            taken = &mut taken => return taken,
            () = tokio::time::sleep(PROGRESS_EVERY) => line.show(&words::progress(offer, &progress)),
        }
    }
}

/// Bad input is what another command line would put right.
fn failure(error: CaptureError) -> Failure {
    match error {
        CaptureError::NoProcess { .. }
        | CaptureError::Ended { .. }
        | CaptureError::NotOffered { .. }
        | CaptureError::OutputFolder { .. }
        | CaptureError::Output(
            OutputError::Folder { .. } | OutputError::Exists { .. } | OutputError::Name { .. },
        ) => Failure::bad_input(error),
        CaptureError::Gone { .. }
        | CaptureError::Stopped { .. }
        | CaptureError::GivenUp { .. }
        | CaptureError::Objected { .. }
        | CaptureError::Attach(_)
        | CaptureError::Inspector(_)
        | CaptureError::Pprof(_)
        | CaptureError::Handover(_)
        | CaptureError::Output(OutputError::Write { .. } | OutputError::GivenUp { .. })
        | CaptureError::DumpFailed { .. }
        | CaptureError::DumpCut { .. }
        | CaptureError::Flawed { .. } => Failure::failed(error),
    }
}
