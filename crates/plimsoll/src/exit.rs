//! How a command ends: the exit codes, and a failure with the code that it earns.
//!
//! Not the errors themselves: each command has its own enum, whose texts say what, why, what now.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// The exit codes of every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    NothingWrong,
    /// A leak, a regression, a failed check.
    Found,
    BadInput,
    /// Not enough data for an answer.
    CannotTell,
    Failed,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::NothingWrong => 0,
            Exit::Found => 1,
            Exit::BadInput => 2,
            Exit::CannotTell => 3,
            Exit::Failed => 4,
        })
    }
}

/// Why a command has no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    error: Box<dyn Error + Send + Sync>,
}

impl Failure {
    pub(crate) fn bad_input(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit: Exit::BadInput, error: error.into() }
    }

    pub(crate) fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit: Exit::Failed, error: error.into() }
    }
}

impl Failure {
    /// Whether the error, or one that caused it, is of a kind.
    pub(crate) fn is<E: Error + 'static>(&self, wanted: impl Fn(&E) -> bool) -> bool {
        let mut next: Option<&(dyn Error + 'static)> = Some(self.error.as_ref());
        while let Some(error) = next {
            if error.downcast_ref().is_some_and(&wanted) {
                return true;
            }
            next = error.source();
        }
        false
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_sources(self.error.as_ref()))
    }
}

/// An error and what caused it, one cause a line: sources are linked and not printed inside.
pub(crate) fn with_sources(error: &dyn Error) -> String {
    let mut text = format!("plimsoll: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!("\n  because: {cause}"));
        source = cause.source();
    }
    text
}

/// `--log` is not a filter.
#[derive(Debug, thiserror::Error)]
#[error("--log is not a filter; write a level (`info`) or levels by module (`plimsoll=debug`)")]
pub(crate) struct BadFilter(#[source] pub(crate) tracing_subscriber::filter::ParseError);

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the file; check it")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_failure_prints_its_causes_each_on_a_line() {
        let failure = Failure::bad_input(Outer(std::io::Error::other("disk on fire")));
        assert_eq!(
            failure.to_string(),
            "plimsoll: cannot read the file; check it\n  because: disk on fire"
        );
        assert_eq!(failure.exit, Exit::BadInput);
    }
}
