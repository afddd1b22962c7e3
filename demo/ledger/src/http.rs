//! The HTTP/1.1 that the demo fleet speaks: small requests with a length, on kept connections. Not
//! a general server: no chunks, no upgrades. Every length is bounded and every wait has an end.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const HEAD_BYTES_MAX: u64 = 16 * 1024;
const BODY_BYTES_MAX: usize = 64 * 1024;
/// A connection that says nothing for this long gives its thread back.
const SILENCE_MAX: Duration = Duration::from_secs(10);

pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) traceparent: Option<String>,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.set_write_timeout(Some(SILENCE_MAX))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// The next request, or `None` when the caller closed the connection between two requests.
    pub(crate) fn read(&mut self) -> io::Result<Option<Request>> {
        let mut head = (&mut self.stream).take(HEAD_BYTES_MAX);
        let Some(first) = read_line(&mut head)? else { return Ok(None) };
        let mut words = first.split_ascii_whitespace().map(str::to_owned);
        let (Some(method), Some(path)) = (words.next(), words.next()) else {
            return Err(malformed("a request line has a method and a path"));
        };
        let mut request = Request { method, path, traceparent: None, body: Vec::new() };
        let mut body_bytes = 0;
        loop {
            let line = read_line(&mut head)?.ok_or_else(|| malformed("the head is too long"))?;
            if line.is_empty() {
                break;
            }
            let Some((name, value)) = line.split_once(':') else {
                return Err(malformed("a header has a colon"));
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => {
                    let bytes = value.trim().parse();
                    body_bytes = bytes.map_err(|_| malformed("the length is not a number"))?;
                }
                "traceparent" => request.traceparent = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        if body_bytes > BODY_BYTES_MAX {
            return Err(malformed("the body is too long"));
        }
        request.body.resize(body_bytes, 0);
        self.stream.read_exact(&mut request.body)?;
        Ok(Some(request))
    }

    pub(crate) fn reply(&mut self, status: u16, body: &str) -> io::Result<()> {
        let reason = if status == 200 { "OK" } else { "Refused" };
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.stream.get_mut().write_all((head + body).as_bytes())
    }
}

/// One line without its ending; `None` at the end of what may be read.
fn read_line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    if !line.ends_with('\n') {
        return Err(malformed("the head ends within a line"));
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(Some(line))
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
