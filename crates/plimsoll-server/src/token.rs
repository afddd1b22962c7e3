//! The two secrets of a data directory: what agents and what people present.
//!
//! A token is made once and kept in a file that only its owner can read, so that a person on the
//! machine can use it and a page from elsewhere cannot.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Agents poll for commands and bring events with this one; it also signs their commands.
pub const AGENT_TOKEN_FILE: &str = "agent.token";

/// People approve plans with this one.
pub const OPERATOR_TOKEN_FILE: &str = "operator.token";

/// Random bytes in a token: beyond any guess, and 64 digits still fit a line.
const TOKEN_BYTES: usize = 32;

#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("read or make the token {}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("the token {} is empty; remove it to have a new one made", path.display())]
    Empty { path: PathBuf },
}

/// The token in `dir/name`; made when it is not there yet.
///
/// # Errors
/// When the file cannot be read or made, or holds nothing.
pub fn token_at(dir: &Path, name: &str) -> Result<String, TokenError> {
    let path = dir.join(name);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => make(&path),
        other => other,
    };
    let text = text.map_err(|source| TokenError::File { path: path.clone(), source })?;
    match text.trim() {
        "" => Err(TokenError::Empty { path }),
        token => Ok(token.to_owned()),
    }
}

fn make(path: &Path) -> std::io::Result<String> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(mut file) => {
            file.write_all(token.as_bytes())?;
            file.sync_all()?;
            Ok(token)
        }
        // Another process of ours was faster; its token is the token.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => fs::read_to_string(path),
        Err(error) => Err(error),
    }
}

/// Compares in time that does not depend on where the texts differ.
pub(crate) fn same(given: &str, wanted: &str) -> bool {
    let differ = |acc: u8, (a, b): (u8, u8)| acc | (a ^ b);
    given.len() == wanted.len() && given.bytes().zip(wanted.bytes()).fold(0, differ) == 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_only_its_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let token = token_at(dir.path(), AGENT_TOKEN_FILE).unwrap();
        assert_eq!(token.len(), 64);
        assert_eq!(token_at(dir.path(), AGENT_TOKEN_FILE).unwrap(), token);
        let mode = fs::metadata(dir.path().join(AGENT_TOKEN_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn an_empty_token_is_no_token() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(OPERATOR_TOKEN_FILE), "\n").unwrap();
        assert!(matches!(token_at(dir.path(), OPERATOR_TOKEN_FILE), Err(TokenError::Empty { .. })));
    }

    #[test]
    fn tokens_are_the_same_only_when_every_byte_is() {
        assert!(same("abc", "abc"));
        assert!(!same("abc", "abd"));
        assert!(!same("abc", "ab"));
    }
}
