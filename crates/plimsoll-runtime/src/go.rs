//! Asks a Go service for its profiles, where it serves `net/http/pprof`.
//!
//! Not here: what the profiles say. A service that does not serve them cannot be asked: the
//! runtime has no door of its own. Only used for processes that are known to be Go.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::http::{self, Body, HttpError};
use crate::process::ProcessFiles;
use crate::sockets;

/// Ports that are asked whether they serve profiles.
const PORTS_MAX: usize = 16;

/// How long a port may take to say what it is. A listing of profiles takes a millisecond; a port
/// that waits for the other side to speak first never answers.
const PORT_PATIENCE: Duration = Duration::from_secs(2);

/// Longest listing of profiles that is read: it has some 2 KB.
const LISTING_BYTES_MAX: u64 = 256 << 10;

/// Largest profile: sampled stacks, of which even large services have some thousand.
const PROFILE_BYTES_MAX: u64 = 256 << 20;

/// A profile of the Go runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoProfile {
    /// Live heap by allocation site, after a collection that is asked for, because the profile is
    /// of the last collection otherwise.
    Heap,
    /// Goroutines by stack.
    Goroutines,
}

impl GoProfile {
    const fn path(self) -> &'static str {
        match self {
            Self::Heap => "/debug/pprof/heap?gc=1",
            Self::Goroutines => "/debug/pprof/goroutine",
        }
    }
}

/// Why a Go service cannot be asked.
#[derive(Debug, Error)]
pub enum PprofError {
    #[error("could not read what process {pid} listens on; run as root or as its user")]
    Sockets { pid: u32, source: io::Error },
    #[error(
        "process {pid} serves no /debug/pprof/ on loopback ({asked} ports were asked); have it \
         import net/http/pprof, or name the address with --address"
    )]
    NotServed { pid: u32, asked: usize },
    #[error("could not connect to {address} of process {pid}")]
    Connect { pid: u32, address: SocketAddr, source: io::Error },
    #[error("process {pid} was asked on {address} and did not answer as pprof does")]
    Http { pid: u32, address: SocketAddr, source: HttpError },
    #[error(
        "process {pid} answered {path} on {address} with status {status}; does it serve profiles \
         under another path?"
    )]
    Status { pid: u32, address: SocketAddr, path: &'static str, status: u16 },
    #[error("process {pid} was still writing its profile after {} s; ask again", .after.as_secs())]
    TimedOut { pid: u32, after: Duration },
}

/// A place where a process serves its profiles.
#[derive(Clone, Debug)]
pub struct Pprof {
    process: ProcessFiles,
    address: SocketAddr,
}

impl Pprof {
    /// Looks for it among the ports on which the process listens and that loopback reaches, or
    /// takes the address that a person named.
    ///
    /// # Errors
    /// When there is none.
    pub async fn find(
        proc_root: &Path,
        pid: u32,
        address: Option<SocketAddr>,
    ) -> Result<Self, PprofError> {
        let process = ProcessFiles::new(proc_root, pid);
        if let Some(address) = address {
            return Ok(Self { process, address });
        }
        let listening =
            sockets::listening(&process).map_err(|source| PprofError::Sockets { pid, source })?;
        let local = listening.into_iter().filter(|address| address.ip().is_loopback());
        let mut asked = 0;
        for address in local.take(PORTS_MAX) {
            asked += 1;
            let found = Self { process: process.clone(), address };
            if found.serves_profiles().await {
                return Ok(found);
            }
        }
        Err(PprofError::NotServed { pid, asked })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    async fn serves_profiles(&self) -> bool {
        let mut listing = Vec::new();
        let asking = async {
            let connecting = sockets::connect(&self.process, self.address, PORT_PATIENCE);
            let mut stream = connecting.await.map_err(HttpError::Connection)?;
            http::get(&mut stream, "/debug/pprof/", LISTING_BYTES_MAX, Body::Whole(&mut listing))
                .await
        };
        let answered = matches!(timeout(PORT_PATIENCE, asking).await, Ok(Ok(200)));
        let listing = String::from_utf8_lossy(&listing);
        answered && listing.contains("heap") && listing.contains("goroutine")
    }

    /// Fetches a profile, gzipped as the service sends it. The service goes on meanwhile; the
    /// collection runs beside it.
    ///
    /// # Errors
    /// See [`PprofError`]; a receiver that is dropped ends it as well.
    pub async fn fetch(
        &self,
        profile: GoProfile,
        patience: Duration,
        pieces: &mpsc::Sender<Vec<u8>>,
    ) -> Result<(), PprofError> {
        let (pid, address) = (self.process.pid(), self.address);
        let path = profile.path();
        let asking = async {
            let connecting = sockets::connect(&self.process, address, PORT_PATIENCE);
            let mut stream =
                connecting.await.map_err(|source| PprofError::Connect { pid, address, source })?;
            http::get(&mut stream, path, PROFILE_BYTES_MAX, Body::Pieces(pieces))
                .await
                .map_err(|source| PprofError::Http { pid, address, source })
        };
        let late = |_| PprofError::TimedOut { pid, after: patience };
        match timeout(patience, asking).await.map_err(late)?? {
            200 => Ok(()),
            status => Err(PprofError::Status { pid, address, path, status }),
        }
    }
}
