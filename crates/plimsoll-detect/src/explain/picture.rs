//! The picture that a series was judged by: its floor, its trend, and the changes along it.
//!
//! Not here: drawing it, which is the shell's.

use plimsoll_model::Timestamp;

use crate::cohort::Control;
use crate::course::Course;
use crate::judge::Finding;
use crate::scene::Scene;

/// What a chart shows.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// What the points are, in words.
    pub of: String,
    /// Oldest first.
    pub points: Vec<(Timestamp, f64)>,
    pub line: Option<Line>,
    pub marks: Vec<Mark>,
}

/// The trend of the stretch that decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    pub from: Timestamp,
    pub to: Timestamp,
    /// The level at `from` and at `to`.
    pub begin: f64,
    pub end: f64,
    pub per_hour: f64,
}

/// A change on the axis of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    pub at: Timestamp,
    pub what: String,
}

/// A change this near before the first point still belongs to the picture, as a share of its time.
const BEFORE: f64 = 0.05;

/// Marks beyond this are not read any more; the latest are kept.
const MARKS_MAX: usize = 9;

pub(super) fn picture(scene: &Scene<'_>, spoke: &Finding<'_>) -> Picture {
    let study = &spoke.study;
    let mut points: Vec<(f64, f64)> = study.points.iter().map(|p| (p.at, p.value)).collect();
    let judged = !points.is_empty();
    if !judged {
        let blocks = scene.blocks(&spoke.run, &study.rung);
        points = blocks.iter().map(|block| (block.at, block.value)).collect();
    }
    let line = study.trend.map(|trend| Line {
        from: scene.moment(trend.from),
        to: scene.moment(trend.to),
        begin: trend.level - trend.rise,
        end: trend.level,
        per_hour: trend.per_hour,
    });
    Picture {
        of: if judged { described(spoke) } else { "what was measured".into() },
        marks: marks(scene, spoke, &points),
        points: points.into_iter().map(|(at, value)| (scene.moment(at), value)).collect(),
        line,
    }
}

fn described(spoke: &Finding<'_>) -> String {
    let study = &spoke.study;
    let mut parts = Vec::new();
    if study.rung.beyond_heap {
        parts.push("the heap".to_owned());
    }
    if let Some((metric, _)) = study.moved_by
        && !matches!(study.course, Course::Follows(_))
    {
        parts.push(format!("what moves with {metric}"));
    }
    if study.period.is_some_and(|period| period.is_seen()) {
        parts.push("a period".to_owned());
    }
    // The same condition under which the judge takes the study of the difference.
    if matches!(&spoke.beside, Control::Equal(_, Some(apart)) if apart.course == Course::Growing) {
        parts.push("its control at equal uptime".to_owned());
    }
    let without = if parts.is_empty() { String::new() } else { " without ".to_owned() };
    format!("floor of {}{without}{}", study.rung.metric, parts.join(" and "))
}

fn marks(scene: &Scene<'_>, spoke: &Finding<'_>, points: &[(f64, f64)]) -> Vec<Mark> {
    let (Some((first, _)), Some((last, _))) = (points.first(), points.last()) else {
        return Vec::new();
    };
    let begin = first - BEFORE * (last - first);
    let near = scene.changes().iter().filter(|change| {
        let about = change.instance.as_ref().is_none_or(|name| *name == spoke.run.life.instance);
        about && (begin..=*last).contains(&scene.hours(change.at))
    });
    let mark = |change: &plimsoll_model::Change| {
        let version = change.version.as_ref().map(|v| format!(" {v}")).unwrap_or_default();
        Mark { at: change.at, what: format!("{}{version}", change.kind.name().replace('_', " ")) }
    };
    let mut marks: Vec<Mark> = near.map(mark).collect();
    marks.drain(..marks.len().saturating_sub(MARKS_MAX));
    marks
}
