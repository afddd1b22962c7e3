//! The audit trail, off unless the config file says `audit_trail = on`. The file is read again when
//! it changed, and looked at once a second at most.
//!
//! THE FAULT OF THE DEMO: each audited request opens the audit file anew and its handle is kept in a
//! list that nothing drains, until the process has no handle left.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::clock;

const CONFIG_LOOK_EVERY: Duration = Duration::from_secs(1);
const CONFIG_BYTES_MAX: u64 = 64 * 1024;

pub(crate) struct AuditTrail {
    path: PathBuf,
    config: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    on: bool,
    looked_at: Option<Instant>,
    changed_at: Option<SystemTime>,
    /// Meant to be closed when the day's audit is signed off. Nobody wrote the signing off.
    awaiting_sign_off: Vec<File>,
}

impl AuditTrail {
    pub(crate) fn new(directory: &Path, config: Option<PathBuf>) -> Self {
        Self { path: directory.join("audit.log"), config, state: Mutex::default() }
    }

    pub(crate) fn record(&self, line: &str) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.read_config(&mut state, clock::now());
        if !state.on {
            return Ok(());
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(format!("audited {line}\n").as_bytes())?;
        state.awaiting_sign_off.push(file);
        Ok(())
    }

    fn read_config(&self, state: &mut State, now: Instant) {
        let Some(config) = &self.config else { return };
        if state.looked_at.is_some_and(|looked| now.duration_since(looked) < CONFIG_LOOK_EVERY) {
            return;
        }
        state.looked_at = Some(now);
        // A config file that is away, or cannot be opened for want of handles, changes nothing.
        let Ok(file) = fs::metadata(config) else { return };
        let changed_at = file.modified().ok();
        if changed_at == state.changed_at || file.len() > CONFIG_BYTES_MAX {
            return;
        }
        let Ok(text) = fs::read_to_string(config) else { return };
        state.changed_at = changed_at;
        state.on = is_on(&text);
    }
}

/// The last line that names the setting counts; every other line is none of our business.
fn is_on(config: &str) -> bool {
    let mut settings = config.lines().filter_map(|line| line.split_once('='));
    let trail = settings.rfind(|(key, _)| key.trim() == "audit_trail");
    trail.is_some_and(|(_, value)| value.trim() == "on")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trail_is_off_unless_the_config_says_on() {
        let check = |config, expected| assert_eq!(is_on(config), expected, "{config:?}");
        check("", false);
        check("audit_trail", false);
        check("audit_trail = off\n", false);
        check("# of the auditors\naudit_trail=on\n", true);
        check("audit_trail = on\naudit_trail = off\n", false);
    }
}
