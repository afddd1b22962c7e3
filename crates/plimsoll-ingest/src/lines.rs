//! Lines of a stream, each bounded: a line that is too long is skipped without being held.
//! Used by the readers of CSV and of JSON lines.

use std::io::{self, BufRead};

/// One line without its ending (`\n` or `\r\n`).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    Whole(&'a [u8]),
    /// Longer than the bound; its content was skipped.
    TooLong,
}

#[derive(Debug)]
pub(crate) struct Lines<R> {
    input: R,
    bytes_max: usize,
    buffer: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R, bytes_max: usize) -> Self {
        Self { input, bytes_max, buffer: Vec::new(), number: 0 }
    }

    /// The next line with its number, counted from 1; none at the end. A byte order mark before
    /// the first line is dropped.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        self.buffer.clear();
        let mut fits = true;
        let mut any = false;
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                break;
            }
            any = true;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let text = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or(chunk);
            fits = fits && self.buffer.len() + text.len() <= self.bytes_max;
            if fits {
                self.buffer.extend_from_slice(text);
            }
            let used = text.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.number += 1;
        let line = if fits { Line::Whole(self.content()) } else { Line::TooLong };
        Ok(Some((self.number, line)))
    }

    fn content(&self) -> &[u8] {
        let line = self.buffer.strip_suffix(b"\r").unwrap_or(&self.buffer);
        match self.number {
            1 => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
            _ => line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8], chunk: usize) -> Vec<Option<String>> {
        let mut lines = Lines::new(io::BufReader::with_capacity(chunk, input), 8);
        let mut out = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            out.push(match line {
                Line::Whole(bytes) => Some(String::from_utf8(bytes.to_vec()).unwrap()),
                Line::TooLong => None,
            });
            assert_eq!(number, out.len() as u64);
        }
        out
    }

    #[test]
    fn endings_and_the_byte_order_mark_are_not_content() {
        for chunk in [1, 3, 100] {
            let got = all(b"\xef\xbb\xbfa\r\n\nbc\nlast", chunk);
            let want = ["a", "", "bc", "last"].map(|line| Some(line.to_owned()));
            assert_eq!(got, want, "read in chunks of {chunk}");
        }
    }

    #[test]
    fn a_gigantic_line_is_skipped_and_the_next_one_read() {
        let input = [b"ok\n".to_vec(), vec![b'x'; 100_000], b"\nok\n".to_vec()].concat();
        let got = all(&input, 64);
        assert_eq!(got, [Some("ok".to_owned()), None, Some("ok".to_owned())]);
        let mut lines = Lines::new(input.as_slice(), 8);
        while lines.next().unwrap().is_some() {}
        assert!(lines.buffer.capacity() < 100, "the line was never held");
    }
}
