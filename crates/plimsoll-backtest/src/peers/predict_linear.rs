//! The alert that most teams have: `predict_linear(working_set[6h], 4*3600) > limit`.
//!
//! As Prometheus computes it: least squares over the samples of the range, from two samples on,
//! extrapolated from the moment of evaluation. The published rule mostly stands without a `for`;
//! it gets the five minutes here that are common beside it, because without them any two first
//! samples would alarm. Where no limit is known the comparison has no right side and cannot fire.

use plimsoll_model::{ServiceHistory, Span, Timestamp};

use super::line::Line;
use super::memory::{Lives, Memory, View, WORKING_SET, held, watch};
use crate::detector::{Detector, Said};

/// Six hours of the working set, prolonged by four.
#[derive(Clone, Copy, Debug, Default)]
pub struct PredictLinear;

const RANGE: Span = Span::from_hours(6);
const AHEAD_HOURS: f64 = 4.0;
const FOR: Span = Span::from_mins(5);

impl Detector for PredictLinear {
    fn name(&self) -> &'static str {
        "predict_linear"
    }

    fn rule(&self) -> &'static str {
        "predict_linear(container_memory_working_set_bytes[6h], 4*3600) > limit, for 5 min \
         (Prometheus)"
    }

    fn watch(&self, history: &ServiceHistory, looks: &[Timestamp]) -> Vec<Said> {
        let view = View { metrics: WORKING_SET, lives: Lives::Current, reach: RANGE + FOR };
        watch(history, looks, view, |memory, at| {
            held(at, FOR, |at| exceeds(memory, at).unwrap_or(false))
        })
    }
}

/// None where there is nothing to compare.
fn exceeds(memory: &Memory<'_>, at: Timestamp) -> Option<bool> {
    let limit = memory.limit_at(at)?;
    let range = memory.range(at - RANGE, at);
    let points = range.iter().map(|sample| (sample.at.since(at).as_hours_f64(), sample.value));
    Some(Line::through(points)?.at(AHEAD_HOURS) > limit)
}

#[cfg(test)]
mod tests {
    use super::super::drawn::{Drawn, GIB, alarms, first_alarm, noise};
    use super::*;

    fn first(share: impl Fn(f64) -> f64) -> Option<f64> {
        let history = Drawn::default().history(|h| GIB * (share(h) + 0.002 * noise(h)));
        first_alarm(&PredictLinear, &history, (0.5, 24.0, 0.25))
    }

    #[test]
    fn it_fires_when_the_line_reaches_the_limit_in_four_hours() {
        // 5 % of the limit an hour from 30 %: 80 % at 10 h, and 4 h are 20 %.
        let hour = first(|h| 0.3 + 0.05 * h).unwrap();
        assert!((9.5..10.6).contains(&hour), "{hour}");
    }

    #[test]
    fn it_fires_on_a_warm_up_and_not_on_a_flat_course() {
        assert!(first(|h| 0.1 + 0.5 * (1.0 - (-h).exp())).is_some());
        assert_eq!(first(|_| 0.8), None);
    }

    #[test]
    fn a_single_sample_and_a_missing_limit_predict_nothing() {
        let steep = |h: f64| GIB * (0.5 + h);
        let lone = Drawn { hours: 0.1, step_secs: 400, ..Drawn::default() }.history(steep);
        assert!(!alarms(&PredictLinear, &lone, 0.05));
        let unlimited = Drawn { limit: None, ..Drawn::default() }.history(steep);
        assert!(!alarms(&PredictLinear, &unlimited, 2.0));
    }
}
