//! Whether a replica answers: one HTTP/1.0 GET on loopback. Not an HTTP client: it reads a status
//! line and nothing else. Used by the supervisor.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A replica that needs longer than this to say that it is ready is not.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// `HTTP/1.1 200` is twelve bytes; what follows does not matter.
const STATUS_LINE_BYTES: usize = 12;

/// Nothing when the path answers 200, else why it does not count as ready.
pub(crate) async fn probe(port: u16, path: &str) -> Result<(), String> {
    match timeout(ANSWER_LIMIT, ask(port, path)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {} s", ANSWER_LIMIT.as_secs())),
    }
}

async fn ask(port: u16, path: &str) -> Result<(), String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut head = [0; STATUS_LINE_BYTES];
    stream.read_exact(&mut head).await.map_err(|error| error.to_string())?;
    status(&head)
}

fn status(head: &[u8; STATUS_LINE_BYTES]) -> Result<(), String> {
    let text = String::from_utf8_lossy(head);
    match text.split_once(' ') {
        Some((protocol, "200")) if protocol.starts_with("HTTP/1.") => Ok(()),
        Some((protocol, code)) if protocol.starts_with("HTTP/") => {
            Err(format!("it answers {code}"))
        }
        Some(_) | None => Err("what listens there does not speak HTTP".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_200_is_ready() {
        let check = |head: &[u8; 12], want: Result<(), &str>| {
            assert_eq!(status(head), want.map_err(str::to_owned));
        };
        check(b"HTTP/1.1 200", Ok(()));
        check(b"HTTP/1.0 200", Ok(()));
        check(b"HTTP/1.1 503", Err("it answers 503"));
        check(b"SSH-2.0-Open", Err("what listens there does not speak HTTP"));
        check(b"220 smtp.exa", Err("what listens there does not speak HTTP"));
        check(b"HTTP/1.1 20 ", Err("it answers 20 "));
    }

    #[tokio::test]
    async fn a_port_that_nobody_listens_on_is_not_ready() {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert!(probe(port, "/").await.unwrap_err().contains("refused"));
    }
}
