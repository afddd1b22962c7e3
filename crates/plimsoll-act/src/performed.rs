//! Which commands were begun here, and what came of each: the reason why the same command twice
//! is performed once, over deaths of the server and of the agent.
//!
//! One file for each command, written before the act and after it. The newest
//! `COMMANDS_MAX` are kept. An act cannot be taken back when its receipt cannot be written: the
//! receipt is then kept in memory and offered to the server all the same, and the write is tried
//! again. Used by the agent's order loop.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use plimsoll_model::{Command, CommandId, Receipt, ReceiptResult, Timestamp};
use plimsoll_wire::ShapeError;
use plimsoll_wire::local::{BegunCommand, LocalFileError};
use plimsoll_wire::receipt::ReceiptShape;

use crate::durable;

/// Commands remembered. A server repeats a command until it has the receipt, at most minutes
/// later; at the highest rate that budgets allow this is weeks.
const COMMANDS_MAX: usize = 1000;

/// Commands whose newest state is in memory only. While that many wait for the disk no further
/// one is begun: with the largest histograms they hold 32 MiB.
const UNSAVED_MAX: usize = 64;

/// The commands that this agent has begun.
#[derive(Debug)]
pub struct Performed {
    folder: PathBuf,
    index: Mutex<Index>,
}

#[derive(Debug, Default)]
struct Index {
    by_id: HashMap<CommandId, u64>,
    by_number: BTreeMap<u64, CommandId>,
    running: BTreeSet<u64>,
    /// Commands with receipts that the server has not acknowledged.
    unacknowledged: BTreeSet<u64>,
    unsaved: BTreeMap<u64, Unsaved>,
}

/// What the file of a command does not hold yet.
#[derive(Debug, Default)]
struct Unsaved {
    /// They follow those in the file.
    receipts: Vec<ReceiptShape>,
    acknowledged: Option<usize>,
}

/// Whether a command is to be performed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// For the first time: perform it.
    Now,
    /// It is being performed already.
    Running,
    /// It was performed; its receipts are offered to the server again.
    Ended,
}

/// Receipts to report, with how many receipts of each command they make complete.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unacknowledged {
    pub receipts: Vec<ReceiptShape>,
    counts: HashMap<String, usize>,
}

/// Why the record of commands cannot be read or written. Without it nothing may be performed.
#[derive(Debug, thiserror::Error)]
pub enum PerformedError {
    #[error("cannot {what} {}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot understand {}; move it away to go on without it", path.display())]
    Content { path: PathBuf, source: LocalFileError },
    #[error("command {0} was not begun here")]
    NotBegun(CommandId),
    #[error("{0} commands wait for their receipts to be written; make room on the disk")]
    Unsaved(usize),
}

impl Performed {
    /// Reads the record. A command that was begun and has no receipt is given one that says so:
    /// the agent died in the middle of it, and it is not repeated. Blocking.
    pub fn open(state: &Path, now: Timestamp) -> Result<Self, PerformedError> {
        let folder = state.join("commands");
        std::fs::create_dir_all(&folder).map_err(io_error("make", &folder))?;
        let performed = Self { folder, index: Mutex::default() };
        for number in performed.numbers()? {
            performed.reopen(number, now)?;
        }
        Ok(performed)
    }

    /// Writes down that the command is about to be performed. Blocking for a synced write.
    pub fn begin(&self, command: &Command, now: Timestamp) -> Result<Begin, PerformedError> {
        let mut index = self.index();
        if let Some(number) = index.by_id.get(&command.id).copied() {
            if index.running.contains(&number) {
                return Ok(Begin::Running);
            }
            self.newest(&index, number)?;
            index.unsaved.entry(number).or_default().acknowledged = Some(0);
            index.unacknowledged.insert(number);
            self.save_or_wait(&mut index, number);
            return Ok(Begin::Ended);
        }
        if index.unsaved.len() >= UNSAVED_MAX {
            return Err(PerformedError::Unsaved(index.unsaved.len()));
        }
        let number = index.by_number.last_key_value().map_or(1, |(last, _)| last + 1);
        self.write(number, &BegunCommand::new(command, now))?;
        index.add(number, command.id.clone());
        index.running.insert(number);
        self.forget_oldest(&mut index);
        Ok(Begin::Now)
    }

    /// Writes down what came of a command, or that its lease has ended. When that fails, the
    /// receipt is kept in memory, and offered like any other, until [`Self::save_unsaved`]
    /// succeeds; only that of a command which was not begun here is not kept.
    pub fn add(&self, receipt: &Receipt) -> Result<(), PerformedError> {
        let mut index = self.index();
        let number = index.by_id.get(&receipt.command).copied();
        let number = number.ok_or_else(|| PerformedError::NotBegun(receipt.command.clone()))?;
        index.unsaved.entry(number).or_default().receipts.push(receipt.into());
        index.running.remove(&number);
        index.unacknowledged.insert(number);
        self.save(&mut index, number)
    }

    /// Tries once more to write down what could not be written: also what the server has
    /// acknowledged meanwhile, as the next agent would take it for a command without a receipt.
    /// Returns how many commands still wait for the disk. Call it at the rhythm of the leases.
    pub fn save_unsaved(&self) -> usize {
        let mut index = self.index();
        for number in index.unsaved.keys().copied().collect::<Vec<_>>() {
            self.save_or_wait(&mut index, number);
        }
        index.unsaved.len()
    }

    /// What the server has yet to write down, oldest first, of at most `most` commands.
    pub fn unacknowledged(&self, most: usize) -> Result<Unacknowledged, PerformedError> {
        let index = self.index();
        let mut found = Unacknowledged::default();
        for number in index.unacknowledged.iter().take(most) {
            let begun = self.newest(&index, *number)?;
            found.counts.insert(begun.command.id, begun.receipts.len());
            found.receipts.extend(begun.receipts.into_iter().skip(begun.acknowledged));
        }
        Ok(found)
    }

    /// The server has written down these commands' receipts, as far as `reported` held them: one
    /// that came up meanwhile stays unacknowledged.
    pub fn acknowledge(
        &self,
        commands: &[String],
        reported: &Unacknowledged,
    ) -> Result<(), PerformedError> {
        let mut index = self.index();
        for command in commands {
            let Some(count) = reported.counts.get(command) else { continue };
            let number = CommandId::new(command).ok().and_then(|id| index.by_id.get(&id).copied());
            let Some(number) = number else { continue };
            index.unsaved.entry(number).or_default().acknowledged = Some(*count);
            if self.newest(&index, number)?.receipts.len() <= *count {
                index.unacknowledged.remove(&number);
            }
            self.save_or_wait(&mut index, number);
        }
        Ok(())
    }

    fn reopen(&self, number: u64, now: Timestamp) -> Result<(), PerformedError> {
        let begun = self.read(number)?;
        let content = |source: ShapeError| self.content(number, source.into());
        let command = Command::try_from(begun.command.clone()).map_err(content)?;
        let mut index = self.index();
        index.add(number, command.id.clone());
        if begun.receipts.is_empty() {
            let started_at = begun.begun_at().map_err(content)?;
            let receipt = (&interrupted(command, started_at, now)).into();
            index.unsaved.entry(number).or_default().receipts.push(receipt);
            // An agent that does not start would leave its leases without an end.
            self.save_or_wait(&mut index, number);
        }
        if begun.receipts.is_empty() || begun.acknowledged < begun.receipts.len() {
            index.unacknowledged.insert(number);
        }
        Ok(())
    }

    fn numbers(&self) -> Result<BTreeSet<u64>, PerformedError> {
        let entries = std::fs::read_dir(&self.folder).map_err(io_error("list", &self.folder))?;
        let number = |name: &str| name.strip_suffix(".json")?.parse().ok();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter_map(|name| number(&name)).collect())
    }

    /// Oldest first, and none that still runs or waits for the disk.
    fn forget_oldest(&self, index: &mut Index) {
        let surplus = index.by_number.len().saturating_sub(COMMANDS_MAX);
        let needed = |number| index.running.contains(number) || index.unsaved.contains_key(number);
        let oldest = index.by_number.keys().filter(|number| !needed(number));
        for number in oldest.copied().take(surplus).collect::<Vec<_>>() {
            if let Err(error) = durable::remove(&self.path(number)) {
                tracing::warn!(%error, number, "an old command's record stays");
            }
            index.remove(number);
        }
    }

    /// The state of a command, whether or not all of it is on disk.
    fn newest(&self, index: &Index, number: u64) -> Result<BegunCommand, PerformedError> {
        let mut begun = self.read(number)?;
        if let Some(unsaved) = index.unsaved.get(&number) {
            begun.receipts.extend(unsaved.receipts.iter().cloned());
            begun.acknowledged = unsaved.acknowledged.unwrap_or(begun.acknowledged);
        }
        Ok(begun)
    }

    /// Brings what is in memory only to the disk, or keeps it in memory.
    fn save(&self, index: &mut Index, number: u64) -> Result<(), PerformedError> {
        let newest = self.newest(index, number)?;
        self.write(number, &newest)?;
        index.unsaved.remove(&number);
        Ok(())
    }

    /// For what may wait: the failure of the receipt itself was told, and nothing is lost.
    fn save_or_wait(&self, index: &mut Index, number: u64) {
        if let Err(error) = self.save(index, number) {
            tracing::debug!(%error, number, "the record of a command is not on disk yet");
        }
    }

    fn index(&self) -> std::sync::MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number}.json"))
    }

    fn read(&self, number: u64) -> Result<BegunCommand, PerformedError> {
        let path = self.path(number);
        let content = std::fs::read(&path).map_err(io_error("read", &path))?;
        BegunCommand::from_json(&content).map_err(|source| self.content(number, source))
    }

    fn write(&self, number: u64, begun: &BegunCommand) -> Result<(), PerformedError> {
        let path = self.path(number);
        durable::replace(&path, &begun.to_json()).map_err(io_error("write", &path))
    }

    fn content(&self, number: u64, source: LocalFileError) -> PerformedError {
        PerformedError::Content { path: self.path(number), source }
    }
}

impl Index {
    fn add(&mut self, number: u64, id: CommandId) {
        self.by_id.insert(id.clone(), number);
        self.by_number.insert(number, id);
    }

    fn remove(&mut self, number: u64) {
        if let Some(id) = self.by_number.remove(&number) {
            self.by_id.remove(&id);
        }
        self.unacknowledged.remove(&number);
    }
}

fn interrupted(command: Command, started_at: Timestamp, now: Timestamp) -> Receipt {
    let text = "the agent died in the middle of it, or before its receipt could be written down; \
                what it had done by then is not known, and it is not repeated; a limit that it \
                set is undone when its lease ends";
    Receipt {
        command: command.id,
        service: command.service,
        instance: command.instance,
        action: command.action,
        started_at,
        ended_at: now,
        result: ReceiptResult::Failed(text.to_owned()),
    }
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PerformedError {
    let path = path.to_owned();
    move |source| PerformedError::Io { what, path, source }
}
