//! A Unix socket for the people and scripts of this machine: one JSON request a line, one answer a
//! line. Deploys made here are what a deploy pipeline would do; telling the server of them is the
//! caller's part. Only the agent's own user may connect. Used by `commands`, and by
//! `plimsoll demo` as client.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plimsoll_model::{ServiceName, Version};
use plimsoll_wire::local::{LocalReply, LocalRequest};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use crate::performer::Performer;

/// Longest line either way. Configuration files are small.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Connections at once; more wait.
const CONNECTIONS_MAX: usize = 8;

/// A connection that says nothing for this long is closed.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// Why the socket was not asked, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("no agent listens on {}; start one with `plimsoll agent`", path.display())]
    Connect { path: PathBuf, source: io::Error },
    #[error("the agent on {} broke off", path.display())]
    Broken { path: PathBuf, source: io::Error },
    #[error("the agent on {} did not answer within {} s", path.display(), limit.as_secs())]
    TimedOut { path: PathBuf, limit: Duration },
    #[error("the agent on {} answered something else than a reply", path.display())]
    Reply { path: PathBuf, source: serde_json::Error },
}

/// The socket's file in an agent's folder.
pub fn socket_path(folder: &Path) -> PathBuf {
    folder.join("agent.sock")
}

/// Where `configure` writes a service's file. Services are started with this path.
pub fn config_path(folder: &Path, service: &str, file: &str) -> PathBuf {
    folder.join("config").join(service).join(file)
}

/// Asks an agent of this machine. A deploy answers when the last replica is ready, so give it
/// time.
pub async fn ask(
    socket: &Path,
    request: &LocalRequest,
    limit: Duration,
) -> Result<LocalReply, AskError> {
    let path = socket.to_owned();
    match timeout(limit, converse(socket, request)).await {
        Ok(reply) => reply,
        Err(_) => Err(AskError::TimedOut { path, limit }),
    }
}

async fn converse(socket: &Path, request: &LocalRequest) -> Result<LocalReply, AskError> {
    let path = || socket.to_owned();
    let broken = |source| AskError::Broken { path: path(), source };
    let connected = UnixStream::connect(socket).await;
    let stream = connected.map_err(|source| AskError::Connect { path: path(), source })?;
    let mut stream = BufReader::new(stream);
    stream.get_mut().write_all(&line_of(request)).await.map_err(broken)?;
    let line = read_line(&mut stream).await.map_err(broken)?.unwrap_or_default();
    serde_json::from_slice(&line).map_err(|source| AskError::Reply { path: path(), source })
}

/// Listens, and by that keeps a second agent out of the folder. Replaces a socket that a dead
/// agent left.
pub(crate) fn listen(folder: &Path) -> io::Result<UnixListener> {
    let path = socket_path(folder);
    if std::os::unix::net::UnixStream::connect(&path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another agent answers there"));
    }
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// The agent's end of the socket.
#[derive(Debug)]
pub(crate) struct LocalSocket {
    pub(crate) listener: UnixListener,
    pub(crate) folder: PathBuf,
    pub(crate) performer: Arc<Performer>,
    pub(crate) stop: Arc<Notify>,
}

impl LocalSocket {
    /// Serves for ever. Cancel it to stop.
    pub(crate) async fn run(self: Arc<Self>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let socket = Arc::clone(&self);
                    tokio::spawn(async move {
                        if let Err(error) = socket.serve(stream).await {
                            tracing::debug!(%error, "a local connection broke off");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    // Out of file handles, most likely: a pause lets some go.
                    tracing::warn!(%error, "cannot accept on the local socket");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn serve(&self, stream: UnixStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some(line) = timeout(IDLE_LIMIT, read_line(&mut stream)).await?? {
            let reply = match serde_json::from_slice(&line) {
                Ok(request) => self.answer(request).await,
                Err(error) => failed(format!("the request is not understood: {error}")),
            };
            stream.get_mut().write_all(&line_of(&reply)).await?;
        }
        Ok(())
    }

    async fn answer(&self, request: LocalRequest) -> LocalReply {
        let done = match request {
            LocalRequest::Deploy { service, version } => self.deploy(&service, &version).await,
            LocalRequest::Configure { service, file, content } => {
                self.configure(&service, &file, &content)
            }
            LocalRequest::Status => {
                return LocalReply::Status { replicas: self.performer.status() };
            }
            LocalRequest::Stop => {
                self.stop.notify_one();
                Ok(())
            }
        };
        done.map_or_else(failed, |()| LocalReply::Done)
    }

    async fn deploy(&self, service: &str, version: &str) -> Result<(), String> {
        let service = ServiceName::new(service).map_err(|error| format!("service: {error}"))?;
        let version = Version::new(version).map_err(|error| format!("version: {error}"))?;
        self.performer.deploy(&service, &version).await
    }

    fn configure(&self, service: &str, file: &str, content: &str) -> Result<(), String> {
        if !self.performer.services().any(|known| known.as_str() == service) {
            return Err(format!("no service `{service}` is supervised here"));
        }
        for name in [service, file] {
            if name.is_empty() || name.contains('/') || name.starts_with('.') {
                return Err(format!("`{name}` is not a plain file name"));
            }
        }
        let path = config_path(&self.folder, service, file);
        let folder = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(folder)
            .and_then(|()| plimsoll_act::durable::replace(&path, content.as_bytes()))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    }
}

fn failed(why: String) -> LocalReply {
    LocalReply::Failed { why }
}

fn line_of(shape: &impl serde::Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(shape).expect("requests and replies have text keys");
    line.push(b'\n');
    line
}

/// None at the end of the input. A line that is too long is an error, not a piece of one.
async fn read_line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    stream.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) => Err(io::Error::other("the line has no end, or is longer than 1 MiB")),
    }
}
