//! The journal behind its lock, off the threads that answer requests: every entry is synced to disk
//! before it counts as written, and a sync may take as long as the disk likes.

use std::sync::{Arc, Mutex, PoisonError};

use plimsoll_model::{IncidentId, JournalDraft, Timestamp};
use plimsoll_store::{Journal, JournalError};
use plimsoll_wire::journal::JournalEntry;

#[derive(Clone, Debug)]
pub(crate) struct Ledger(Arc<Mutex<Journal>>);

impl Ledger {
    pub(crate) fn new(journal: Journal) -> Self {
        Self(Arc::new(Mutex::new(journal)))
    }

    /// Returns when the entry is on disk.
    pub(crate) async fn append(
        &self,
        draft: JournalDraft,
        at: Timestamp,
    ) -> Result<(), JournalError> {
        self.with(move |journal| journal.append(draft, at).map(drop)).await
    }

    /// The newest entries of an incident, oldest first. Reading the file does not hold up the loop,
    /// which writes meanwhile.
    pub(crate) async fn entries(
        &self,
        incident: IncidentId,
        most: usize,
    ) -> Result<Vec<JournalEntry>, JournalError> {
        let written = self.with(|journal| journal.written()).await;
        let read = move || written.entries(Some(&incident), most);
        tokio::task::spawn_blocking(read).await.expect("journal code does not panic")
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Journal) -> T + Send + 'static,
    ) -> T {
        let journal = Arc::clone(&self.0);
        let locked = move || work(&mut journal.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(locked).await.expect("journal code does not panic")
    }
}
