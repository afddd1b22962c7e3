//! The alert that everybody has: the working set above 90 % of the limit for five minutes.
//!
//! Published rules set 80 or 90 % and wait 2 to 15 minutes; 90 % and five are the middle of them.
//! Where no limit is known it cannot fire.

use plimsoll_model::{ServiceHistory, Span, Timestamp};

use super::memory::{Lives, Memory, View, WORKING_SET, held, watch};
use crate::detector::{Detector, Said};

/// The working set against its limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threshold90;

const SHARE: f64 = 0.9;
const FOR: Span = Span::from_mins(5);

impl Detector for Threshold90 {
    fn name(&self) -> &'static str {
        "threshold_90"
    }

    fn rule(&self) -> &'static str {
        "working set above 90 % of the limit, for 5 min (common alert rules)"
    }

    fn watch(&self, history: &ServiceHistory, looks: &[Timestamp]) -> Vec<Said> {
        // The `for`, and whatever lookback a coarse series has.
        let reach = FOR + Span::from_hours(24);
        let view = View { metrics: WORKING_SET, lives: Lives::Current, reach };
        watch(history, looks, view, |memory, at| {
            held(at, FOR, |at| exceeds(memory, at).unwrap_or(false))
        })
    }
}

/// None where there is nothing to compare.
fn exceeds(memory: &Memory<'_>, at: Timestamp) -> Option<bool> {
    Some(memory.value_at(at)? > SHARE * memory.limit_at(at)?)
}

#[cfg(test)]
mod tests {
    use super::super::drawn::{Drawn, GIB, alarms, first_alarm};
    use super::*;

    #[test]
    fn it_fires_five_minutes_after_ninety_percent() {
        let history = Drawn::default().history(|h| GIB * (0.1 * h).min(0.99));
        let hour = first_alarm(&Threshold90, &history, (8.5, 10.0, 1.0 / 60.0)).unwrap();
        assert!((9.08..9.12).contains(&hour), "{hour}");
    }

    #[test]
    fn a_short_burst_and_a_missing_limit_do_not_fire() {
        let burst = |h: f64| GIB * if (2.0..2.07).contains(&h) { 0.97 } else { 0.5 };
        let history = Drawn::default().history(burst);
        assert_eq!(first_alarm(&Threshold90, &history, (1.9, 2.3, 1.0 / 60.0)), None);
        let unlimited = Drawn { limit: None, ..Drawn::default() }.history(|_| GIB);
        assert!(!alarms(&Threshold90, &unlimited, 5.0));
    }

    #[test]
    fn a_coarse_series_is_read_by_its_newest_sample() {
        let drawn = Drawn { step_secs: 600, ..Drawn::default() };
        assert!(alarms(&Threshold90, &drawn.history(|_| 0.95 * GIB), 3.1));
    }
}
