//! The step between the supervisor and a supervised program: the same process, already forked,
//! that ties itself to the supervisor's life, joins its cgroup, bounds its open files, and then
//! becomes the program by `exec`.
//!
//! It is a program of its own (a hidden subcommand of `plimsoll`), because doing this between
//! fork and exec would need `unsafe`, and because in a program it may allocate and fail with
//! words. Used by the supervisor, which builds the arguments, and the command line, which calls
//! [`launch_child`].

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::getppid;

/// The hidden subcommand's name.
pub const SUBCOMMAND: &str = "exec-child";

/// Exit status of a launcher that could not become its program, as shells have it.
pub const EXIT_NOT_LAUNCHED: u8 = 127;

/// What the launcher is told, as it stands on its command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LaunchOrder {
    /// Process id of the supervisor.
    pub(crate) parent: i32,
    /// The `cgroup.procs` file of the group to join.
    pub(crate) group_file: Option<PathBuf>,
    pub(crate) fds_limit: Option<u64>,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
}

/// Why a program was not started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error(
        "`{SUBCOMMAND}` takes --parent PID [--group FILE] [--fds COUNT] -- PROGRAM [ARG...]; \
         it is called by the supervisor, not by people"
    )]
    Usage,
    #[error("the supervisor (process {expected}) has gone; the program is not started")]
    Orphaned { expected: i32 },
    #[error("cannot tie the program to the supervisor's life")]
    DeathSignal(#[source] nix::Error),
    #[error("cannot join the cgroup through {}", file.display())]
    JoinGroup { file: PathBuf, source: io::Error },
    #[error("cannot limit open files to {limit}")]
    LimitFiles { limit: u64, source: nix::Error },
    #[error("cannot run {}", program.display())]
    Exec { program: PathBuf, source: io::Error },
}

/// Becomes the program that the arguments (those after the subcommand's name) ask for; returns
/// only when it could not. The caller prints the error with its source and exits with
/// [`EXIT_NOT_LAUNCHED`].
pub fn launch_child(args: impl IntoIterator<Item = OsString>) -> LaunchError {
    match LaunchOrder::parse(args).map(LaunchOrder::carry_out) {
        Ok(error) | Err(error) => error,
    }
}

impl LaunchOrder {
    pub(crate) fn to_args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["--parent".into(), self.parent.to_string().into()];
        if let Some(file) = &self.group_file {
            args.extend(["--group".into(), file.into()]);
        }
        if let Some(limit) = self.fds_limit {
            args.extend(["--fds".into(), limit.to_string().into()]);
        }
        args.extend(["--".into(), self.program.clone().into_os_string()]);
        args.extend(self.args.iter().cloned());
        args
    }

    fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, LaunchError> {
        let mut args = args.into_iter();
        let (mut parent, mut group_file, mut fds_limit) = (None, None, None);
        loop {
            let name = args.next().ok_or(LaunchError::Usage)?;
            if name == "--" {
                break;
            }
            let value = args.next().ok_or(LaunchError::Usage)?;
            match name.to_str() {
                Some("--parent") => parent = number(&value),
                Some("--group") => group_file = Some(PathBuf::from(value)),
                Some("--fds") => fds_limit = Some(number(&value).ok_or(LaunchError::Usage)?),
                Some(_) | None => return Err(LaunchError::Usage),
            }
        }
        let program = args.next().ok_or(LaunchError::Usage)?.into();
        let parent = parent.ok_or(LaunchError::Usage)?;
        Ok(Self { parent, group_file, fds_limit, program, args: args.collect() })
    }

    fn carry_out(self) -> LaunchError {
        match self.prepare() {
            Ok(()) => {
                let source = Command::new(&self.program).args(&self.args).exec();
                LaunchError::Exec { program: self.program, source }
            }
            Err(error) => error,
        }
    }

    fn prepare(&self) -> Result<(), LaunchError> {
        // The signal comes when the *thread* that forked us ends; the supervisor forks from one
        // thread that lives as long as it does. `exec` keeps the setting, except for programs
        // with set-user-id or file capabilities, which no fleet of ours runs.
        prctl::set_pdeathsig(Signal::SIGKILL).map_err(LaunchError::DeathSignal)?;
        // Asked after the signal is armed, so that a death before it is seen here and a death
        // after it kills us: no gap between the two.
        if getppid().as_raw() != self.parent {
            return Err(LaunchError::Orphaned { expected: self.parent });
        }
        if let Some(file) = &self.group_file {
            join_group(file)
                .map_err(|source| LaunchError::JoinGroup { file: file.clone(), source })?;
        }
        match self.fds_limit {
            Some(limit) => {
                limit_files(limit).map_err(|source| LaunchError::LimitFiles { limit, source })
            }
            None => Ok(()),
        }
    }
}

fn number<N: std::str::FromStr>(value: &OsString) -> Option<N> {
    value.to_str().and_then(|text| text.parse().ok())
}

/// `0` stands for the writing process, in both cgroup versions.
fn join_group(file: &PathBuf) -> io::Result<()> {
    std::fs::OpenOptions::new().write(true).open(file)?.write_all(b"0")
}

/// Lowers both limits; the hard one is never raised, which would need a privilege.
fn limit_files(limit: u64) -> nix::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let limit = limit.min(hard);
    setrlimit(Resource::RLIMIT_NOFILE, limit, limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_survives_the_command_line() {
        let check = |group_file: Option<PathBuf>, fds_limit| {
            let order = LaunchOrder {
                parent: 42,
                group_file,
                fds_limit,
                program: "/usr/bin/env".into(),
                args: vec!["--parent".into(), "7".into(), "--".into(), "".into()],
            };
            assert_eq!(LaunchOrder::parse(order.to_args()).unwrap(), order);
        };
        check(None, None);
        check(Some("/sys/fs/cgroup/a b/cgroup.procs".into()), Some(256));
    }

    #[test]
    fn a_command_line_that_is_no_order_starts_nothing() {
        let check = |line: &str| {
            let error = LaunchOrder::parse(line.split(' ').map(OsString::from)).unwrap_err();
            assert!(matches!(error, LaunchError::Usage), "{line}");
        };
        check("");
        check("--parent 1");
        check("--parent x -- true");
        check("-- true");
        check("--parent 1 --fds many -- true");
        check("--parent 1 --other 2 -- true");
        check("--parent 1 --");
    }

    #[test]
    fn a_launcher_whose_supervisor_is_another_process_starts_nothing() {
        let order = ["--parent", "1", "--", "/nonexistent"].map(OsString::from);
        let expected = getppid().as_raw();
        let error = launch_child(order);
        if expected != 1 {
            assert!(matches!(error, LaunchError::Orphaned { expected: 1 }), "{error}");
        }
    }
}
