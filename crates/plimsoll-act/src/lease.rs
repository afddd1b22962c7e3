//! Limits that are set for a time, and undone by whoever set them.
//!
//! A lease is on disk, with what stood there before, *before* the limit is changed. So at any
//! moment of any death one of these holds: nothing was changed, or the file says how to undo it.
//! No server is needed to end one. An agent that starts again re-arms what has not ended.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use plimsoll_model::{
    Action, Bytes, Command, Measured, Receipt, ReceiptResult, Restored, Span, Timestamp,
};
use plimsoll_wire::format_time;
use plimsoll_wire::local::{Lease as LeaseShape, Leases, LocalFileError};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::cgroup::{GroupVersion, MemoryGroup};
use crate::{clock, durable, limit};

/// Leases at once on one machine. Each is a file under a limit; a plan has one a replica.
const LEASES_MAX: usize = 256;

/// Longest time that a change may stand. What should last longer is not containment.
const TERM_MAX: Span = Span::from_hours(24);

/// Undoing is tried this often at the usual rhythm, before it is reported as failed; then more
/// slowly, until it succeeds or the group is gone.
const QUICK_TRIES: u32 = 30;
const SLOW_RETRY: Duration = Duration::from_secs(30);

/// Every outstanding lease of one agent.
#[derive(Debug)]
pub struct LeaseBook {
    file: PathBuf,
    /// Held over each change on purpose: two changes of limits never overlap.
    outstanding: Mutex<Vec<Outstanding>>,
    /// The agent is going away: nobody would undo what is set now.
    closed: AtomicBool,
}

#[derive(Clone, Debug)]
struct Outstanding {
    command: Command,
    file: PathBuf,
    before: String,
    set: String,
    taken_at: Timestamp,
    until: Timestamp,
    /// The end on the monotonic clock: a wall clock that is set back cannot lengthen a lease.
    ends: Instant,
    failures: u32,
    not_before: Option<Instant>,
}

/// Why leases that may be outstanding cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot read the leases in {}; put back by hand what it names, then remove it",
    file.display()
)]
pub struct LeaseBookError {
    file: PathBuf,
    source: LeaseFileError,
}

/// What is wrong with the file itself.
#[derive(Debug, thiserror::Error)]
pub enum LeaseFileError {
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    #[error("its content is not understood")]
    Content(#[from] LocalFileError),
}

/// Why a limit was not set. Nothing was changed, unless the text says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    #[error("a limit is set for a time only, and the command names none")]
    NoTerm,
    #[error("a limit may stand for at most {TERM_MAX}, and the command asks for {0}")]
    Term(Span),
    #[error("the action sets no limit")]
    NotALimit,
    #[error("{wanted} is not there: {found}")]
    OtherVersion { wanted: &'static str, found: String },
    #[error("{0} is less than one page of memory")]
    TooSmall(Bytes),
    #[error("{} is under another lease until {}", file.display(), format_time(*until))]
    Leased { file: PathBuf, until: Timestamp },
    #[error("the agent is going away, and could not undo it")]
    Closed,
    #[error("{LEASES_MAX} leases are outstanding, which is the most there may be")]
    Full,
    #[error("cannot read {}", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("the lease could not be written down, so nothing was changed")]
    Persist(#[source] io::Error),
    #[error("cannot write {}; the lease stands, and undoes what may have been changed",
        file.display())]
    Write { file: PathBuf, source: io::Error },
    #[error("{} shows {found} after {wanted} was written; the lease stands, and undoes it",
        file.display())]
    NotTaken { file: PathBuf, wanted: String, found: String },
}

impl LimitError {
    /// Whether the limit was left as it was.
    pub const fn changed_nothing(&self) -> bool {
        !matches!(self, Self::Write { .. } | Self::NotTaken { .. })
    }
}

impl LeaseBook {
    /// Reads what a former agent left outstanding. Blocking for one small file.
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, LeaseBookError> {
        let file = folder.join("leases.json");
        match read_leases(&file, now) {
            Ok(outstanding) => {
                let outstanding = Mutex::new(outstanding);
                Ok(Self { file, outstanding, closed: AtomicBool::new(false) })
            }
            Err(source) => Err(LeaseBookError { file, source }),
        }
    }

    /// Sets the limit that the command asks for on the group, for as long as it asks for.
    pub async fn limit(
        &self,
        command: &Command,
        group: &MemoryGroup,
    ) -> Result<Measured, LimitError> {
        let (file, set, term) = wanted(command, group)?;
        let mut outstanding = self.outstanding.lock().await;
        if self.closed.load(Ordering::SeqCst) {
            return Err(LimitError::Closed);
        }
        if let Some(lease) = outstanding.iter().find(|lease| lease.file == file) {
            return Err(LimitError::Leased { file, until: lease.until });
        }
        if outstanding.len() >= LEASES_MAX {
            return Err(LimitError::Full);
        }
        let before =
            limit::read(&file).map_err(|source| LimitError::Read { file: file.clone(), source })?;
        let now = clock::now();
        let lease = Outstanding {
            command: command.clone(),
            file: file.clone(),
            before: before.clone(),
            set: set.clone(),
            taken_at: now,
            until: now + term,
            ends: Instant::now() + duration(term),
            failures: 0,
            not_before: None,
        };
        outstanding.push(lease);
        if let Err(error) = self.persist(&outstanding) {
            outstanding.pop();
            return Err(LimitError::Persist(error));
        }
        let found = limit::write(&file, &set)
            .await
            .map_err(|source| LimitError::Write { file: file.clone(), source })?;
        let (what, after) = (file.display().to_string(), found.trim_end().to_owned());
        if found != set {
            let wanted = set.trim_end().to_owned();
            return Err(LimitError::NotTaken { file, wanted, found: after });
        }
        let before = before.trim_end().to_owned();
        Ok(Measured::Limited { what, before, after, until: now + term })
    }

    /// Undoes every lease that has ended; call it about twice a second. `record` is given each
    /// receipt before the lease leaves the disk: an agent that dies in between reports twice
    /// rather than never.
    pub async fn undo_ended(&self, record: impl FnMut(&Receipt)) {
        let now = clock::now();
        self.undo(|lease| lease.ended(now, Instant::now()), record).await;
    }

    /// Undoes every lease, and gives none any more: an agent that goes away in order leaves
    /// nothing behind.
    pub async fn undo_all(&self, record: impl FnMut(&Receipt)) {
        self.closed.store(true, Ordering::SeqCst);
        self.undo(|_| true, record).await;
    }

    /// When the last outstanding lease ends.
    pub async fn latest_end(&self) -> Option<Timestamp> {
        self.outstanding.lock().await.iter().map(|lease| lease.until).max()
    }

    async fn undo(&self, which: impl Fn(&Outstanding) -> bool, mut record: impl FnMut(&Receipt)) {
        let mut outstanding = self.outstanding.lock().await;
        let (mut index, mut undone) = (0, false);
        // A lease leaves the list after it was undone, so that a caller who is cancelled in the
        // middle loses none.
        while let Some(lease) = outstanding.get_mut(index) {
            if !which(lease) {
                index += 1;
                continue;
            }
            match put_back(lease).await {
                Ok(restored) => {
                    undone = true;
                    record(&lease.receipt(ReceiptResult::Undone(restored)));
                    outstanding.remove(index);
                }
                Err(error) => {
                    lease.failed(&error).iter().for_each(&mut record);
                    index += 1;
                }
            }
        }
        if undone && let Err(error) = self.persist(&outstanding) {
            // Undoing it once more after a restart finds the before-image, and changes nothing.
            tracing::warn!(%error, file = %self.file.display(), "an ended lease stays on disk");
        }
    }

    fn persist(&self, outstanding: &[Outstanding]) -> io::Result<()> {
        let leases = outstanding.iter().map(Outstanding::to_shape).collect();
        durable::replace(&self.file, &Leases::new(leases).to_json())
    }
}

impl Outstanding {
    fn ended(&self, now: Timestamp, instant: Instant) -> bool {
        let due = now >= self.until || instant >= self.ends;
        due && self.not_before.is_none_or(|at| instant >= at)
    }

    fn receipt(&self, result: ReceiptResult) -> Receipt {
        Receipt {
            command: self.command.id.clone(),
            service: self.command.service.clone(),
            instance: self.command.instance.clone(),
            action: self.command.action.clone(),
            started_at: self.taken_at,
            ended_at: clock::now(),
            result,
        }
    }

    /// A receipt for the failure that is reported, which is one of many.
    fn failed(&mut self, error: &io::Error) -> Option<Receipt> {
        self.failures = self.failures.saturating_add(1);
        if self.failures < QUICK_TRIES {
            return None;
        }
        self.not_before = Some(Instant::now() + SLOW_RETRY);
        let (file, before) = (self.file.display(), self.before.trim_end());
        let text = format!(
            "cannot put {before} back into {file} ({error}); the limit stands, and undoing it is \
             tried every {} s",
            SLOW_RETRY.as_secs()
        );
        (self.failures == QUICK_TRIES).then(|| self.receipt(ReceiptResult::Failed(text)))
    }

    fn to_shape(&self) -> LeaseShape {
        LeaseShape {
            command: (&self.command).into(),
            file: self.file.clone(),
            before: self.before.clone(),
            set: self.set.clone(),
            taken_at: format_time(self.taken_at),
            until: format_time(self.until),
        }
    }

    fn from_shape(shape: LeaseShape, now: Timestamp) -> Result<Self, LocalFileError> {
        let (taken_at, until) = (shape.taken_at()?, shape.until()?);
        // At most its whole term again, should the clock have been set back meanwhile.
        let left = until.since(now).min(until.since(taken_at));
        Ok(Self {
            command: shape.command.try_into()?,
            file: shape.file,
            before: shape.before,
            set: shape.set,
            taken_at,
            until,
            ends: Instant::now() + duration(left),
            failures: 0,
            not_before: None,
        })
    }
}

fn read_leases(file: &Path, now: Timestamp) -> Result<Vec<Outstanding>, LeaseFileError> {
    let Some(content) = durable::read_if_there(file)? else { return Ok(Vec::new()) };
    let leases = Leases::from_json(&content)?.leases.into_iter();
    Ok(leases.map(|lease| Outstanding::from_shape(lease, now)).collect::<Result<_, _>>()?)
}

/// The file to write, what to write, and for how long.
fn wanted(command: &Command, group: &MemoryGroup) -> Result<(PathBuf, String, Span), LimitError> {
    let (version, limit) = match command.action {
        Action::SetMemoryHigh(limit) => (GroupVersion::V2, limit),
        Action::SetSoftLimit(limit) => (GroupVersion::V1, limit),
        Action::CollectGarbage
        | Action::CaptureHistogram
        | Action::Restart
        | Action::RunVersion(_) => return Err(LimitError::NotALimit),
    };
    if version != group.version {
        let found = group.soft_limit_file().display().to_string();
        return Err(LimitError::OtherVersion { wanted: version.soft_limit_file(), found });
    }
    let term = command.lease.filter(|term| *term > Span::ZERO).ok_or(LimitError::NoTerm)?;
    if term > TERM_MAX {
        return Err(LimitError::Term(term));
    }
    let set = limit::as_printed(limit);
    if set == "0\n" {
        return Err(LimitError::TooSmall(limit));
    }
    Ok((group.soft_limit_file(), set, term))
}

async fn put_back(lease: &Outstanding) -> io::Result<Restored> {
    let what = lease.file.display().to_string();
    let found = match limit::read(&lease.file) {
        Ok(found) => found,
        // The folder of a group that is gone is no longer there; a new one of that name starts
        // without the limit, so there is nothing left to undo.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let now = "nothing: the cgroup is gone, and the limit with it".to_owned();
            return Ok(Restored { what, now, verified: false });
        }
        Err(error) => return Err(error),
    };
    if found != lease.set && found != lease.before {
        let now = format!("{} (set by somebody else, and left alone)", found.trim_end());
        return Ok(Restored { what, now, verified: false });
    }
    let found = match found == lease.before {
        true => found,
        false => limit::write(&lease.file, &lease.before).await?,
    };
    if found != lease.before {
        return Err(io::Error::other(format!("it shows {}", found.trim_end())));
    }
    Ok(Restored { what, now: found.trim_end().to_owned(), verified: true })
}

fn duration(span: Span) -> Duration {
    Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(0))
}
