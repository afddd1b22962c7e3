//! One HTTP question to a service on loopback, and the answer to it, with a bound on everything.
//!
//! HTTP/1.0, so that the answer ends where the connection does and comes in one piece. Why not the
//! client that `v8` uses to find its target: the connection may have been made inside another
//! network namespace, which only a stream that is handed in can be. Used by `go` and `v8`.

use std::io;
use std::str;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Most bytes of status line and headers that are taken.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Most headers.
const HEADERS_MAX: usize = 100;

/// How much is read at once.
const READ_BYTES: usize = 64 << 10;

/// What an answer begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    pub content_length: Option<u64>,
    /// Where the body begins.
    pub length: usize,
}

/// Why bytes are not the head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeadError {
    #[error("it does not begin with the status line of HTTP/1.x, at byte 0")]
    StatusLine,
    #[error("the header that begins at byte {at} has no colon or is not text")]
    Header { at: usize },
    #[error("the Content-Length at byte {at} is not a number, or there are two")]
    Length { at: usize },
    #[error("it is sent in pieces (Transfer-Encoding), which was not asked for, at byte {at}")]
    Pieces { at: usize },
    #[error("its headers are longer than {HEAD_BYTES_MAX} bytes or more than {HEADERS_MAX}")]
    TooLong,
}

/// Why a question has no answer.
#[derive(Debug, Error)]
pub enum HttpError {
    #[error("the connection broke")]
    Connection(#[source] io::Error),
    #[error("the answer is not HTTP: {0}")]
    Head(#[source] HeadError),
    #[error("the answer ended in the middle")]
    CutShort,
    #[error("nobody took the answer any more")]
    NotTaken,
    #[error("the answer is longer than {limit} bytes")]
    TooLong { limit: u64 },
}

impl Head {
    /// `None` when the head is not whole yet.
    ///
    /// # Errors
    /// When more bytes would not make it a head.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, HeadError> {
        let start = bytes.len().min(5);
        if bytes[..start] != b"HTTP/"[..start] {
            return Err(HeadError::StatusLine);
        }
        let searched = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
        let Some(end) = searched.windows(4).position(|four| four == b"\r\n\r\n") else {
            let is_over = bytes.len() >= HEAD_BYTES_MAX;
            return if is_over { Err(HeadError::TooLong) } else { Ok(None) };
        };
        Self::of_lines(&bytes[..end]).map(Some)
    }

    fn of_lines(head: &[u8]) -> Result<Self, HeadError> {
        let mut lines = head.split(|byte| *byte == b'\n');
        let status_line = lines.next().unwrap_or_default();
        let mut found =
            Self { status: status(status_line)?, content_length: None, length: head.len() + 4 };
        let mut at = status_line.len() + 1;
        for (count, line) in lines.enumerate() {
            if count >= HEADERS_MAX {
                return Err(HeadError::TooLong);
            }
            found.header(line, at)?;
            at += line.len() + 1;
        }
        Ok(found)
    }

    fn header(&mut self, line: &[u8], at: usize) -> Result<(), HeadError> {
        let text = str::from_utf8(line).map_err(|_| HeadError::Header { at })?;
        let (name, value) = text.trim_end().split_once(':').ok_or(HeadError::Header { at })?;
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(HeadError::Pieces { at });
        }
        if name.eq_ignore_ascii_case("content-length") {
            let length = value.trim().parse().map_err(|_| HeadError::Length { at })?;
            if self.content_length.replace(length).is_some() {
                return Err(HeadError::Length { at });
            }
        }
        Ok(())
    }
}

/// `HTTP/1.0 200 OK`
fn status(line: &[u8]) -> Result<u16, HeadError> {
    let text = str::from_utf8(line).map_err(|_| HeadError::StatusLine)?;
    let mut words = text.split_whitespace();
    let is_http = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
    let code = words.next().filter(|word| word.len() == 3).and_then(|word| word.parse().ok());
    code.filter(|_| is_http).ok_or(HeadError::StatusLine)
}

/// Where a body goes.
#[derive(Debug)]
pub(crate) enum Body<'a> {
    Whole(&'a mut Vec<u8>),
    /// As it comes; a receiver that is dropped ends it.
    Pieces(&'a mpsc::Sender<Vec<u8>>),
}

impl Body<'_> {
    async fn take(&mut self, bytes: &[u8]) -> Result<(), HttpError> {
        match self {
            Self::Whole(whole) => {
                whole.extend_from_slice(bytes);
                Ok(())
            }
            Self::Pieces(pieces) => {
                pieces.send(bytes.to_vec()).await.map_err(|_| HttpError::NotTaken)
            }
        }
    }
}

/// Asks for a path, which is ours and needs no escaping, and hands the body over as it comes.
/// Returns the status once the body is whole; a body is only handed over with status 200.
///
/// # Errors
/// See [`HttpError`].
pub(crate) async fn get(
    stream: &mut TcpStream,
    path: &str,
    limit: u64,
    mut body: Body<'_>,
) -> Result<u16, HttpError> {
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(HttpError::Connection)?;
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(head) = Head::parse(&bytes).map_err(HttpError::Head)? {
            break head;
        }
        if read(stream, &mut bytes).await? == 0 {
            return Err(HttpError::CutShort);
        }
    };
    if head.status != 200 {
        return Ok(head.status);
    }
    bytes.drain(..head.length);
    let mut taken = 0_u64;
    loop {
        taken = taken.saturating_add(bytes.len() as u64);
        if taken > limit {
            return Err(HttpError::TooLong { limit });
        }
        body.take(&bytes).await?;
        bytes.clear();
        if head.content_length.is_some_and(|length| taken >= length) {
            return Ok(head.status);
        }
        if read(stream, &mut bytes).await? == 0 {
            let is_whole = head.content_length.is_none_or(|length| taken == length);
            return if is_whole { Ok(head.status) } else { Err(HttpError::CutShort) };
        }
    }
}

async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<usize, HttpError> {
    let mut piece = vec![0; READ_BYTES];
    let count = stream.read(&mut piece).await.map_err(HttpError::Connection)?;
    bytes.extend_from_slice(&piece[..count]);
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, length and body, when the head is whole.
    type Told<'a> = Option<(u16, Option<u64>, &'a str)>;

    fn check(text: &str, want: Result<Told<'_>, HeadError>) {
        let found = Head::parse(text.as_bytes());
        let found = found.map(|head| head.map(|h| (h.status, h.content_length, &text[h.length..])));
        assert_eq!(found, want, "{text:?}");
    }

    #[test]
    fn the_head_of_an_answer_is_told_from_its_body() {
        check("HTTP/1.0 200 OK\r\nX: y\r\n\r\nbody", Ok(Some((200, None, "body"))));
        check("HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\n", Ok(Some((404, Some(3), ""))));
        check("HTTP/1.0 200\r\n\r\n", Ok(Some((200, None, ""))));
        check("", Ok(None));
        check("HT", Ok(None));
        check("HTTP/1.0 200 OK\r\nX: y\r\n", Ok(None));
    }

    #[test]
    fn what_is_no_answer_names_the_byte() {
        check("SSH-2.0-OpenSSH\r\n\r\n", Err(HeadError::StatusLine));
        check("HTTP/2 200\r\n\r\n", Err(HeadError::StatusLine));
        check("HTTP/1.0 2000 OK\r\n\r\n", Err(HeadError::StatusLine));
        check("HTTP/1.0 200 OK\r\nnone\r\n\r\n", Err(HeadError::Header { at: 17 }));
        check("HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n", Err(HeadError::Length { at: 17 }));
        let two = "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n";
        check(two, Err(HeadError::Length { at: 36 }));
        let pieces = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(pieces, Err(HeadError::Pieces { at: 17 }));
        let long = format!("HTTP/1.0 200 OK\r\nX: {}", "y".repeat(HEAD_BYTES_MAX));
        check(&long, Err(HeadError::TooLong));
        let many = format!("HTTP/1.0 200 OK\r\n{}\r\n", "X: y\r\n".repeat(101));
        check(&many, Err(HeadError::TooLong));
    }

    /// Serves one answer, and says what was asked and how it was taken.
    async fn asked(answer: &'static [u8], limit: u64) -> (Result<u16, HttpError>, Vec<u8>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = [0; 512];
            let count = stream.read(&mut question).await.unwrap();
            assert!(question[..count].starts_with(b"GET /x HTTP/1.0\r\n"));
            // The other side may have seen enough.
            drop(stream.write_all(answer).await);
        };
        let asking = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let mut body = Vec::new();
            let status = get(&mut stream, "/x", limit, Body::Whole(&mut body)).await;
            (status, body)
        };
        tokio::join!(asking, serving).0
    }

    #[tokio::test]
    async fn a_body_is_whole_or_an_error() {
        let (status, body) = asked(b"HTTP/1.0 200 OK\r\n\r\nabc", 10).await;
        assert_eq!((status.unwrap(), body.as_slice()), (200, b"abc".as_slice()));
        let (status, _) = asked(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", 10).await;
        assert!(matches!(status.unwrap_err(), HttpError::CutShort));
        let (status, _) = asked(b"HTTP/1.0 200 OK\r\n\r\nabc", 2).await;
        assert!(matches!(status.unwrap_err(), HttpError::TooLong { limit: 2 }));
        let (status, _) = asked(b"HTTP/1.0 20", 2).await;
        assert!(matches!(status.unwrap_err(), HttpError::CutShort));
        let (status, body) = asked(b"HTTP/1.0 403 No\r\n\r\nreason", 100).await;
        assert_eq!((status.unwrap(), body.len()), (403, 0));
    }
}
