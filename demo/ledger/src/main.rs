//! The ledger service of the demo fleet: POST /book appends a line to a journal file.
//!
//! Its fault is in `audit.rs` and sleeps until the config file says `audit_trail = on`: from then on
//! every request loses one file handle. Not here: anything that Plimsoll itself uses; the service is
//! on its own, and uses the standard library only.

mod audit;
mod clock;
mod http;
mod journal;
mod options;
mod spans;

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use audit::AuditTrail;
use http::{Connection, Request};
use journal::Journal;
use options::Options;
use spans::Spans;

/// Each connection has a thread. Three replicas of orders keep some twenty connections each.
const CONNECTIONS_MAX: usize = 128;

/// Wait after a refused `accept`, so that a process without free handles does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

struct Ledger {
    journal: Journal,
    audit: AuditTrail,
    spans: Spans,
    connections: AtomicUsize,
}

fn main() -> ExitCode {
    let outcome = Options::from_environment().map_err(io::Error::other).and_then(serve);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ledger cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// SIGTERM has its default action: every line of the journal is written before it is answered.
fn serve(options: Options) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
    let ledger = Arc::new(Ledger {
        journal: Journal::open(&options.directory)?,
        audit: AuditTrail::new(&options.directory, options.config),
        spans: Spans::start(options.telemetry)?,
        connections: AtomicUsize::new(0),
    });
    loop {
        match listener.accept() {
            Ok((stream, _)) => admit(&ledger, stream),
            // No handle is left for the connection. The caller waits in the backlog meanwhile.
            Err(_) => thread::sleep(ACCEPT_PAUSE),
        }
    }
}

/// Gives the connection a thread, or closes it when there are too many.
fn admit(ledger: &Arc<Ledger>, stream: TcpStream) {
    if ledger.connections.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
        ledger.connections.fetch_sub(1, Ordering::Relaxed);
        return;
    }
    let shared = Arc::clone(ledger);
    let started = thread::Builder::new().name("connection".into()).spawn(move || {
        // An error here is a caller that went away or does not speak HTTP: both end the connection.
        converse(&shared, stream).ok();
        shared.connections.fetch_sub(1, Ordering::Relaxed);
    });
    if started.is_err() {
        ledger.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

fn converse(ledger: &Ledger, stream: TcpStream) -> io::Result<()> {
    let mut connection = Connection::new(stream)?;
    while let Some(request) = connection.read()? {
        let (status, body) = answer(ledger, &request);
        connection.reply(status, &body)?;
    }
    Ok(())
}

fn answer(ledger: &Ledger, request: &Request) -> (u16, String) {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/healthz") => {
            (200, format!(r#"{{"ready":true,"spans_dropped":{}}}"#, ledger.spans.dropped()))
        }
        ("POST", "/book") => {
            let span = ledger.spans.begin(request.traceparent.as_deref(), "POST /book");
            let (status, body) = book(ledger, &request.body);
            ledger.spans.end(span, status);
            (status, body)
        }
        _ => (404, r#"{"error":"no such path"}"#.into()),
    }
}

/// The audit trail comes first: what cannot be audited must not be booked. That is why a ledger
/// without free handles answers 503 instead of booking on.
fn book(ledger: &Ledger, entry: &[u8]) -> (u16, String) {
    let Ok(entry) = str::from_utf8(entry) else {
        return (400, r#"{"error":"an entry is UTF-8 text"}"#.into());
    };
    let line = entry.replace(['\r', '\n'], " ");
    match ledger.audit.record(&line).and_then(|()| ledger.journal.append(&line)) {
        Ok(()) => (200, r#"{"booked":true}"#.into()),
        Err(error) => {
            (503, format!(r#"{{"error":{}}}"#, spans::quoted(&format!("not booked: {error}"))))
        }
    }
}
