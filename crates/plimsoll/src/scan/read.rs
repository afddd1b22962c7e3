//! Reading what a scan is asked about: telemetry, events and catalogue, from files, standard input
//! or a server, with everything that was refused said on standard error.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use plimsoll_ingest::catalogue::{Catalogue, CatalogueError};
use plimsoll_ingest::events::{self, EventsError};
use plimsoll_ingest::{CLOCK_AHEAD_MAX, Reason, Rejections};
use plimsoll_model::{Change, Observed, ServiceName, Signature, Span, Timestamp};

use super::Args;
use super::logs::{self, LogsError};
use super::passes::PassError;
use super::prometheus::{self, PullError, Pulled};
use super::source::{Source, SourceError, is_stdin, open};
use super::supply::{First, Supply};
use super::telemetry::SAMPLES_MAX;
use crate::exit::Failure;
use crate::output::{Progress, printable, say};

/// Events that are kept at most, and about as many bytes as [`SAMPLES_MAX`] samples: more than a
/// year of deploys of any fleet. A file with more is a log.
const CHANGES_MAX: usize = 1_000_000;

/// Two tellings of one event that lie no further apart are one: a scrape interval of minutes, and
/// the time that a rollout takes to its first replica.
const SAME_EVENT: Span = Span::from_hours(1);

/// Services named in an error.
const NAMED_MAX: usize = 10;

/// What a scan works on.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) telemetry: Supply,
    pub(crate) changes: Vec<Change>,
    /// Lines of all files that could not be used.
    pub(crate) rejected: u64,
}

/// Why there is nothing to scan.
#[derive(Debug, thiserror::Error)]
enum ScanError {
    #[error("cannot open `{}`; check that it exists and may be read", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Passes(#[from] PassError),
    #[error("the telemetry cannot be read from the server")]
    Server(#[source] PullError),
    #[error("the events in `{}` cannot be read; correct the file", path.display())]
    Events { path: PathBuf, source: EventsError },
    #[error("the catalogue `{}` cannot be used", path.display())]
    Catalogue { path: PathBuf, source: CatalogueError },
    #[error(transparent)]
    Logs(#[from] LogsError),
    #[error("two inputs cannot both be standard input; put one of them into a file")]
    OneStdin,
    #[error("none of the {rows} lines of telemetry could be used; correct what is named above")]
    NothingUsable { rows: u64 },
    #[error("no samples of the service `{service}`; the telemetry has: {known}")]
    NoSuchService { service: String, known: String },
    #[error(
        "{found} samples are more than the {SAMPLES_MAX} that are taken from a pipe; put them into a \
         file"
    )]
    TooManySamples { found: u64 },
    #[error("more than {CHANGES_MAX} events; leave out those that no one would blame for a leak")]
    TooManyEvents,
}

impl From<ScanError> for Failure {
    fn from(error: ScanError) -> Self {
        Self::bad_input(error)
    }
}

/// Reads everything that the arguments name.
pub(super) fn read(args: &Args, now: Timestamp, progress: &Progress) -> Result<Input, Failure> {
    let one_at_most = [&args.telemetry, &args.events].into_iter().flatten();
    let from_stdin = one_at_most.filter(|path| is_stdin(path)).count()
        + args.logs.iter().filter(|log| log.is_stdin()).count();
    if from_stdin > 1 {
        return Err(ScanError::OneStdin.into());
    }
    let catalogue = read_catalogue(args.catalogue.as_deref())?;
    let (mut changes, mut refused_changes) = match &args.events {
        Some(path) => read_changes(path)?,
        None => (Vec::new(), Rejections::default()),
    };
    let (mut telemetry, mut refused, unit) = match &args.telemetry {
        Some(path) => read_telemetry(args, path, &catalogue, now, progress)?,
        None => {
            let (telemetry, refused) = read_server(args, &catalogue, now, &mut changes, progress)?;
            (telemetry, refused, "line")
        }
    };
    let refused_lines = read_logs(args, &telemetry, &mut changes)?;
    if let Some(end) = believed_until(&telemetry, now) {
        refused.add_many(Reason::TimeInFuture, telemetry.count_after(end));
        telemetry.drop_after(end);
        let before = changes.len();
        changes.retain(|change| change.at <= end);
        refused_changes.add_many(Reason::TimeInFuture, (before - changes.len()) as u64);
    }
    say_refused(&what_is_read(args, unit), unit, &refused);
    if let Some(path) = &args.events {
        say_refused(&lines_of(path, "line"), "line", &refused_changes);
    }
    if telemetry.services() == 0 && !refused.is_empty() {
        return Err(ScanError::NothingUsable { rows: refused.total() }.into());
    }
    let rejected = refused.total() + refused_changes.total() + refused_lines;
    Ok(Input { telemetry, changes, rejected })
}

/// Unix seconds or RFC 3339, from the command line.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    const WRONG: &str = "write Unix seconds or RFC 3339 with an offset, as 2026-05-28T20:26:40Z";
    if let Ok(secs) = text.parse::<i64>() {
        return jiff::Timestamp::from_second(secs)
            .map(|moment| Timestamp::from_millis(moment.as_millisecond()))
            .map_err(|_| "beyond the calendar; is it in milliseconds? write seconds".into());
    }
    let moment = text.parse::<jiff::Timestamp>().map_err(|_| WRONG)?;
    Ok(Timestamp::from_millis(moment.as_millisecond()))
}

fn read_catalogue(path: Option<&Path>) -> Result<Catalogue, ScanError> {
    let Some(path) = path else { return Ok(Catalogue::built_in()) };
    let open = |source| ScanError::Open { path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(open)?;
    let wrong = |source| ScanError::Catalogue { path: path.to_owned(), source };
    Catalogue::built_in().extend(&text).map_err(wrong)
}

fn read_telemetry(
    args: &Args,
    path: &Path,
    catalogue: &Catalogue,
    now: Timestamp,
    progress: &Progress,
) -> Result<(Supply, Rejections, &'static str), ScanError> {
    let source = Source::open(path)?;
    let unit = source.unit();
    let chosen: BTreeSet<ServiceName> = args.chosen().into_iter().collect();
    let mut others = BTreeSet::new();
    let mut first = First::new(&source, SAMPLES_MAX, now + CLOCK_AHEAD_MAX);
    let refused = first.read(&source, catalogue, progress, &mut |teller| {
        let wanted = chosen.is_empty() || chosen.contains(&teller.service);
        // The first ones by name: parts of a file come in any order.
        if !wanted && others.insert(teller.service.clone()) && others.len() > NAMED_MAX {
            others.pop_last();
        }
        wanted
    })?;
    if !source.is_repeatable() && first.has_more_than_fits() {
        return Err(ScanError::TooManySamples { found: first.found() });
    }
    let supply = first.supply(source, catalogue.clone())?;
    check_chosen(&args.chosen(), &supply, others)?;
    Ok((supply, refused, unit))
}

/// Also adds what a server's curves tell of changes, unless a file told it first.
fn read_server(
    args: &Args,
    catalogue: &Catalogue,
    now: Timestamp,
    changes: &mut Vec<Change>,
    progress: &Progress,
) -> Result<(Supply, Rejections), ScanError> {
    let to = args.at.unwrap_or(now);
    let Pulled { telemetry, changes: found, rejections, others } =
        prometheus::read(&args.prometheus, &args.chosen(), catalogue, to, progress)
            .map_err(ScanError::Server)?;
    let telemetry = Supply::Held(telemetry);
    check_chosen(&args.chosen(), &telemetry, others)?;
    add_untold(changes, found);
    Ok((telemetry, rejections))
}

/// Adds what was found and not told of its service already.
fn add_untold(changes: &mut Vec<Change>, mut found: Vec<Change>) {
    let same = |one: &Change, other: &Change| {
        (one.kind == other.kind || one.instance.is_none() && is_kill(one) && is_kill(other))
            && agree(one.version.as_ref(), other.version.as_ref())
            && agree(one.instance.as_ref(), other.instance.as_ref())
            && one.at.since(other.at).as_millis().abs() <= SAME_EVENT.as_millis()
    };
    let mut told: BTreeMap<&ServiceName, Vec<&Change>> = BTreeMap::new();
    for change in changes.iter() {
        told.entry(&change.service).or_default().push(change);
    }
    found.retain(|one| {
        !told.get(&one.service).is_some_and(|told| told.iter().any(|other| same(one, other)))
    });
    changes.extend(found);
}

/// Who does not know a name does not contradict who does: a kernel knows no versions.
fn agree<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one == other)
}

/// Also one that another log told of no instance.
fn is_kill(change: &Change) -> bool {
    Observed::of(change).is_some_and(|seen| seen.signature == Signature::OomKill)
}

fn read_changes(path: &Path) -> Result<(Vec<Change>, Rejections), ScanError> {
    let mut changes = Vec::new();
    let mut too_many = false;
    let mut sink = |change| {
        too_many |= changes.len() >= CHANGES_MAX;
        if !too_many {
            changes.push(change);
        }
    };
    let summary = events::read(open(path).map_err(opening(path))?, None, &mut sink)
        .map_err(|source| ScanError::Events { path: path.to_owned(), source })?;
    if too_many { Err(ScanError::TooManyEvents) } else { Ok((changes, summary.rejections)) }
}

/// Adds what logs tell; of kills by the kernel only those that nobody told before.
fn read_logs(args: &Args, telemetry: &Supply, changes: &mut Vec<Change>) -> Result<u64, ScanError> {
    let services: Vec<ServiceName> = telemetry.names().into_iter().cloned().collect();
    let mut rejected = 0;
    for log in &args.logs {
        let (found, refused) = log.read(&services)?;
        let (kills, others) = logs::split(found);
        let told = changes.len();
        add_untold(changes, kills);
        let found = changes.iter_mut().skip(told).filter(|kill| kill.instance.is_none());
        found
            .filter(|kill| !telemetry.has_one_instance(&kill.service))
            .for_each(logs::of_some_instance);
        changes.extend(others);
        if changes.len() > CHANGES_MAX {
            return Err(ScanError::TooManyEvents);
        }
        say_refused(&lines_of(log.path(), "line"), "line", &refused);
        rejected += refused.total();
    }
    Ok(rejected)
}

/// The moment after which a sample is from the future. None where the whole file says that this
/// machine's clock is the wrong one: telemetry at rest is often read elsewhere than it was made,
/// and then nothing of it may be lost. A few samples ahead are a broken clock of their sender, and
/// would move the moment of the assessment to where nothing else is.
fn believed_until(telemetry: &Supply, now: Timestamp) -> Option<Timestamp> {
    let end = now + CLOCK_AHEAD_MAX;
    let ahead = telemetry.count_after(end);
    if ahead > telemetry.gathered() / 2 {
        say("plimsoll: most samples are ahead of this machine's clock; they are taken as they are");
        return None;
    }
    Some(end)
}

fn check_chosen(
    chosen: &[ServiceName],
    telemetry: &Supply,
    others: BTreeSet<ServiceName>,
) -> Result<(), ScanError> {
    let Some(missing) = chosen.iter().find(|service| !telemetry.contains(service)) else {
        return Ok(());
    };
    let known = telemetry.names().into_iter().cloned().chain(others).take(NAMED_MAX);
    let known: Vec<_> = known.map(|service| service.to_string()).collect();
    let known = if known.is_empty() { "none".into() } else { known.join(", ") };
    Err(ScanError::NoSuchService { service: missing.to_string(), known })
}

fn opening(path: &Path) -> impl FnOnce(io::Error) -> ScanError {
    let path = path.to_owned();
    move |source| ScanError::Open { path, source }
}

fn what_is_read(args: &Args, unit: &str) -> String {
    let path = args.telemetry.as_deref();
    path.map_or_else(|| "values of the server's answers".into(), |path| lines_of(path, unit))
}

fn lines_of(path: &Path, unit: &str) -> String {
    let name = if is_stdin(path) { "standard input".into() } else { path.display().to_string() };
    format!("{unit}s of {name}")
}

fn say_refused(name: &str, unit: &str, refused: &Rejections) {
    if refused.is_empty() {
        return;
    }
    let mut text = format!("plimsoll: {} {} were not used", refused.total(), name);
    for (reason, count) in refused.counts() {
        text.push_str(&format!("\n  {count} x {reason}"));
        for example in refused.examples(reason) {
            let line = example.line.map(|line| format!("{unit} {line}: ")).unwrap_or_default();
            text.push_str(&format!("\n      {line}{}", printable(&example.detail)));
        }
    }
    say(&text);
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{ChangeKind, InstanceName, Version};

    use super::*;

    #[test]
    fn what_a_file_told_of_a_service_is_not_told_again() {
        let deploy = |service: &str, secs| Change {
            at: Timestamp::from_secs(secs),
            kind: ChangeKind::Deploy,
            service: ServiceName::new(service).unwrap(),
            instance: None,
            version: Version::new("2").ok(),
            attributes: BTreeMap::new(),
        };
        let mut changes = vec![deploy("cart", 1000), deploy("orders", 90_000)];
        let found = vec![deploy("cart", 1600), deploy("cart", 90_000), deploy("orders", 1000)];
        add_untold(&mut changes, found);
        let want = [("cart", 1000), ("orders", 90_000), ("cart", 90_000), ("orders", 1000)];
        assert_eq!(changes, want.map(|(service, secs)| deploy(service, secs)));
    }

    #[test]
    fn who_knows_no_instance_and_no_version_tells_of_the_same_kill() {
        let kill = |instance: Option<&str>, version: Option<&str>, secs| Change {
            at: Timestamp::from_secs(secs),
            kind: ChangeKind::OomKill,
            service: ServiceName::new("orders").unwrap(),
            instance: instance.map(|name| InstanceName::new(name).unwrap()),
            version: version.map(|name| Version::new(name).unwrap()),
            attributes: BTreeMap::new(),
        };
        let check = |told: &Change, found: Change, want: usize| {
            let mut changes = vec![told.clone()];
            add_untold(&mut changes, vec![found.clone()]);
            assert_eq!(changes.len(), want, "{told:?} and {found:?}");
        };
        let told = kill(Some("orders-0"), Some("2"), 5000);
        check(&told, kill(None, None, 5003), 1);
        check(&told, kill(Some("orders-0"), None, 5003), 1);
        check(&told, kill(Some("orders-1"), None, 5003), 2);
        check(&told, kill(None, Some("3"), 5003), 2);
        check(&told, kill(None, None, 9000), 2);
        check(&kill(None, None, 5000), kill(Some("orders-0"), None, 5003), 1);
        let mut logged = kill(None, None, 5000);
        logs::of_some_instance(&mut logged);
        check(&logged, kill(None, None, 5003), 1);
        check(&logged, kill(Some("orders-0"), None, 5003), 2);
    }
}
