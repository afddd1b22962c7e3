//! Who a process is: its id and the moment it started, which together are never used twice on
//! one boot. Used to tell a cgroup of a living agent from one that a dead agent left.

use std::fs;
use std::io;

/// One process in the lifetime of one boot of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessIdentity {
    pub(crate) pid: i32,
    /// Clock ticks since boot, field 22 of `/proc/PID/stat`.
    pub(crate) started: u64,
}

impl ProcessIdentity {
    pub(crate) fn own() -> io::Result<Self> {
        let pid = nix::unistd::getpid().as_raw();
        let unreadable = || io::Error::other("/proc/self/stat has no start time");
        let started = started(pid).ok_or_else(unreadable)?;
        Ok(Self { pid, started })
    }

    pub(crate) fn is_alive(self) -> bool {
        started(self.pid) == Some(self.started)
    }
}

/// The pid namespace that ids of this process are counted in, as a number.
pub(crate) fn pid_namespace() -> io::Result<u64> {
    let link = fs::read_link("/proc/self/ns/pid")?;
    let text = link.to_string_lossy();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().map_err(|_| io::Error::other(format!("{text} names no pid namespace")))
}

/// None for a process that is gone, and for one that is dead and not yet reaped.
fn started(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse_started(&stat)
}

fn parse_started(stat: &str) -> Option<u64> {
    // The name in brackets may itself hold brackets and blanks: what follows the last one counts.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    let started = fields.nth(18)?.parse().ok()?;
    (state != "Z" && state != "X").then_some(started)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_itself_and_no_other() {
        let own = ProcessIdentity::own().unwrap();
        assert!(own.is_alive());
        assert!(!ProcessIdentity { started: own.started + 1, ..own }.is_alive());
        assert!(pid_namespace().unwrap() > 0);
    }

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let rest = "1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 777 9 9";
        let check = |head: &str, want| assert_eq!(parse_started(&format!("{head}{rest}")), want);
        check("12 (a) b (c) S ", Some(777));
        check("12 (a) Z ", None);
        check("12 (a", None);
    }
}
