//! The bytes of the attach protocol, version 1, which every HotSpot since 6 speaks.
//!
//! Pure. A request is `1`, a command and three arguments, each ended by NUL; an answer is a
//! decimal code, a line feed, and text until the end of the stream (`attachListener.cpp`).

/// Longest argument that HotSpot takes (`AttachOperation::arg_length_max`).
const ARGUMENT_BYTES_MAX: usize = 1024;

/// Longest command (`AttachOperation::name_length_max`).
const COMMAND_BYTES_MAX: usize = 16;

/// What the JVM said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: i32,
    pub(super) text: String,
}

pub(super) fn request(command: &str, arguments: [&str; 3]) -> Result<Vec<u8>, &'static str> {
    if command.len() > COMMAND_BYTES_MAX {
        return Err("a command has at most 16 bytes");
    }
    if arguments.iter().any(|argument| argument.len() > ARGUMENT_BYTES_MAX) {
        return Err("an argument has at most 1024 bytes");
    }
    let mut bytes = b"1\0".to_vec();
    for part in [command].into_iter().chain(arguments) {
        if part.contains('\0') {
            return Err("a NUL ends an argument, and cannot be in one");
        }
        bytes.extend(part.as_bytes());
        bytes.push(0);
    }
    Ok(bytes)
}

/// `None` when the bytes do not begin with a code.
pub(super) fn answer(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.iter().take(12).position(|byte| *byte == b'\n')?;
    let code = std::str::from_utf8(&bytes[..end]).ok()?.trim().parse().ok()?;
    let text = String::from_utf8_lossy(&bytes[end + 1..]).into_owned();
    Some(Answer { code, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_five_strings_each_ended_by_nul() {
        let bytes = request("jcmd", ["GC.heap_info", "", ""]).unwrap();
        assert_eq!(bytes, b"1\0jcmd\0GC.heap_info\0\0\0");
    }

    #[test]
    fn what_would_break_the_framing_is_not_sent() {
        assert!(request("jcmd", ["a\0b", "", ""]).is_err());
        assert!(request("jcmd", [&"x".repeat(1025), "", ""]).is_err());
        assert!(request("a-very-long-command", ["", "", ""]).is_err());
    }

    #[test]
    fn an_answer_is_a_code_and_a_text() {
        let check = |bytes: &[u8], want: Option<(i32, &str)>| {
            let found = answer(bytes).map(|answer| (answer.code, answer.text));
            assert_eq!(found, want.map(|(code, text)| (code, text.to_owned())));
        };
        check(b"0\n garbage-first", Some((0, " garbage-first")));
        check(
            b"-1\nOperation nonsense not recognized!",
            Some((-1, "Operation nonsense not recognized!")),
        );
        check(b"0\n\xff", Some((0, "\u{fffd}")));
        check(b"", None);
        check(b"0", None);
        check(b"HTTP/1.1 400\n", None);
        check(b"99999999999\n", None);
    }
}
