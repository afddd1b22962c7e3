//! Opens the inspector of a Node.js process, when it is not open, and connects to it.
//!
//! Not here: what is asked then (`v8`). SIGUSR1 is only sent to a process that has a handler for
//! it. A service with a handler of its own for SIGUSR1 cannot be told apart from outside: that
//! handler then runs, and no inspector opens.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::error::{InspectorError, InspectorStep};
use super::port;
use crate::clock::Stopwatch;
use crate::http::{self, HttpError};
use crate::process::{Held, ProcessFiles, Status};
use crate::sockets;

/// How often the port is looked for after the signal: the inspector opens in about 50 ms.
const PORT_POLL: Duration = Duration::from_millis(10);

/// When the expected port has not opened by then, a new one on loopback is taken for it: the port
/// may come from NODE_OPTIONS, which is not read, because the environment holds secrets.
const OTHER_PORT_AFTER: Duration = Duration::from_millis(500);

/// Largest list of targets that is taken. It has one target of some 500 bytes.
const TARGETS_BYTES_MAX: u64 = 64 << 10;

/// A connection to an inspector.
pub(super) struct Opened {
    pub(super) socket: WebSocketStream<TcpStream>,
    pub(super) opened_by_us: bool,
}

pub(super) async fn open(
    process: &ProcessFiles,
    patience: Duration,
    message_bytes_max: usize,
) -> Result<Opened, InspectorError> {
    let pid = process.pid();
    let step = InspectorStep::Find;
    let failed = |source| InspectorError::Sockets { pid, source };
    let arguments = process.arguments().map_err(|_| InspectorError::Gone { pid, step })?;
    let wanted = port::wanted_port(&arguments);
    let before = sockets::listening(process).map_err(failed)?;
    let open = before.iter().find(|address| address.port() == wanted);
    let (address, opened_by_us) = match open {
        Some(address) => (*address, false),
        None => (wake(process, wanted, &before, patience).await?, true),
    };
    let socket = connect(process, address, patience, message_bytes_max).await?;
    Ok(Opened { socket, opened_by_us })
}

/// Sends SIGUSR1, and waits until the process listens where it did not before.
async fn wake(
    process: &ProcessFiles,
    port: u16,
    before: &[SocketAddr],
    patience: Duration,
) -> Result<SocketAddr, InspectorError> {
    let watch = Stopwatch::start();
    let pid = process.pid();
    let step = InspectorStep::Open;
    let held = Held::new(pid).map_err(|_| InspectorError::Gone { pid, step })?;
    let status = process.status().map_err(|source| InspectorError::Status { pid, source })?;
    check_signal_is_safe(pid, &status)?;
    held.signal(Signal::USR1).map_err(|source| InspectorError::Signal { pid, source })?;
    loop {
        let now = sockets::listening(process).unwrap_or_default();
        let new: Vec<&SocketAddr> = now.iter().filter(|now| !before.contains(now)).collect();
        let is_late = watch.elapsed() > OTHER_PORT_AFTER;
        let is_other = |address: &SocketAddr| is_late && address.ip().is_loopback();
        let wanted = new.iter().find(|address| address.port() == port);
        if let Some(address) = wanted.or_else(|| new.iter().find(|address| is_other(address))) {
            return Ok(**address);
        }
        if !process.is_alive() {
            return Err(InspectorError::Gone { pid, step });
        }
        if watch.left_of(patience).is_zero() {
            return Err(InspectorError::NotOpened { pid, port, after: patience });
        }
        sleep(PORT_POLL).await;
    }
}

fn check_signal_is_safe(pid: u32, status: &Status) -> Result<(), InspectorError> {
    if status.is_dead() {
        return Err(InspectorError::Gone { pid, step: InspectorStep::Open });
    }
    if status.is_stopped() {
        return Err(InspectorError::Stopped { pid });
    }
    if !status.catches(Signal::USR1) {
        return Err(InspectorError::SignalKills { pid });
    }
    Ok(())
}

async fn connect(
    process: &ProcessFiles,
    address: SocketAddr,
    patience: Duration,
    message_bytes_max: usize,
) -> Result<WebSocketStream<TcpStream>, InspectorError> {
    let (pid, step) = (process.pid(), InspectorStep::Connect);
    let connecting = async {
        let path = target_path(process, address, patience).await?;
        let stream = stream(process, address, patience).await?;
        let limits = WebSocketConfig::default()
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        let url = format!("ws://{address}{path}");
        let handshake = tokio_tungstenite::client_async_with_config(url, stream, Some(limits));
        let (socket, _) = handshake.await.map_err(|source| InspectorError::Broken {
            pid,
            step,
            source: Box::new(source),
        })?;
        Ok(socket)
    };
    let out_of_time = |_| InspectorError::TimedOut { pid, step, after: patience };
    timeout(patience, connecting).await.map_err(out_of_time)?
}

async fn stream(
    process: &ProcessFiles,
    address: SocketAddr,
    patience: Duration,
) -> Result<TcpStream, InspectorError> {
    let pid = process.pid();
    sockets::connect(process, address, patience).await.map_err(|source| {
        if source.kind() == io::ErrorKind::PermissionDenied {
            InspectorError::OtherNetwork { pid, source }
        } else {
            InspectorError::Connect { pid, source }
        }
    })
}

/// The path of the only target, which is a random id: knowing it is the inspector's password.
async fn target_path(
    process: &ProcessFiles,
    address: SocketAddr,
    patience: Duration,
) -> Result<String, InspectorError> {
    let pid = process.pid();
    let mut stream = stream(process, address, patience).await?;
    let mut body = Vec::new();
    let refuse = |why| InspectorError::NotAnInspector { pid, port: address.port(), why };
    let status =
        http::get(&mut stream, "/json/list", TARGETS_BYTES_MAX, http::Body::Whole(&mut body)).await;
    let step = InspectorStep::Connect;
    match status {
        Ok(200) => parse_target_path(&body).map_err(refuse),
        Ok(_) => Err(refuse("it does not list its targets")),
        Err(HttpError::TooLong { .. }) => Err(refuse("too long")),
        Err(source) => Err(InspectorError::Http { pid, step, source }),
    }
}

/// Only the path is taken: the host in the answer could send us anywhere.
fn parse_target_path(body: &[u8]) -> Result<String, &'static str> {
    let targets: Value = serde_json::from_slice(body).map_err(|_| "its answer is not JSON")?;
    let url = targets[0]["webSocketDebuggerUrl"].as_str().ok_or("it lists no target")?;
    let rest = url.strip_prefix("ws://").ok_or("its target is not a web socket")?;
    let path = &rest[rest.find('/').ok_or("its target has no path")?..];
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
    if path.bytes().all(is_plain) {
        Ok(path.to_owned())
    } else {
        Err("its target is no plain path")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_path_of_the_target_is_taken() {
        let check = |body: &str, want: Result<&str, &'static str>| {
            assert_eq!(parse_target_path(body.as_bytes()), want.map(str::to_owned), "{body}");
        };
        let list = |url: &str| format!("[{{\"webSocketDebuggerUrl\": \"{url}\"}}]");
        check(&list("ws://127.0.0.1:9229/1b-2c"), Ok("/1b-2c"));
        check(&list("ws://evil.example/1b"), Ok("/1b"));
        check(&list("http://127.0.0.1/x"), Err("its target is not a web socket"));
        check(&list("ws://127.0.0.1"), Err("its target has no path"));
        check(&list("ws://h/a\\r\\nHost: b"), Err("its target is no plain path"));
        check("[]", Err("it lists no target"));
        check("{}", Err("it lists no target"));
        check("<html>", Err("its answer is not JSON"));
    }
}
