//! What is usual at this hour: the level that a series had at the same hour of the week or of the
//! day, where the newest level stands among those, and since when that is the normal.
//!
//! Made from outlines alone whenever it is asked for: nothing is kept for it. It explains and changes
//! no verdict. Not here: the words of it, which are the shell's. Used by `explain`.

mod cells;
mod drift;

use plimsoll_model::{Change, Metric, Timestamp, Verdict};

use self::cells::{Cell, end_of, joined};
use crate::judge::Finding;
use crate::rivals::{DRIVERS, Story};
use crate::scene::Scene;
use crate::thresholds as limits;

/// What is usual for one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    pub metric: Metric,
    pub usual: Result<Usual, TooLittle>,
    /// Normal has moved: the baseline is made of what came after.
    pub moved: Option<Moved>,
    /// It leaks since then: the baseline is made of what came before.
    pub leaks_since: Option<Timestamp>,
}

/// What levels are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hours {
    /// The same time on the same day of earlier weeks.
    OfTheWeek,
    /// The same time on earlier days.
    OfTheDay,
    /// Everything that was seen.
    All,
}

/// The usual level, and the newest beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usual {
    pub hours: Hours,
    /// The time that `now` is the mean of, and whose like it is compared with.
    pub window: (Timestamp, Timestamp),
    /// Where what it is made of begins and ends.
    pub seen: (Timestamp, Timestamp),
    pub p50: f64,
    pub p95: f64,
    pub now: f64,
    /// The share of samples that lay lower than `now`, in percent; its equals count half.
    pub percentile: f64,
    /// How many weeks, days or cells it is made of, and in how many of them the level was lower.
    pub of: usize,
    pub lower_in: usize,
    /// What it will be compared with next, and when. None where nothing finer comes.
    pub next: Option<(Hours, Timestamp)>,
}

/// Why nothing is known to be usual.
#[derive(Clone, Debug, PartialEq)]
pub struct TooLittle {
    pub says: String,
    /// None where time alone does not bring it.
    pub ready_at: Option<Timestamp>,
}

/// The level is another one since a moment, and stays there.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    pub since: Timestamp,
    /// The middle of the floor before, and since.
    pub from: f64,
    pub to: f64,
    /// The change that fits the onset. None is an answer.
    pub change: Option<Change>,
}

impl Hours {
    pub const fn name(self) -> &'static str {
        match self {
            Self::OfTheWeek => "hour_of_week",
            Self::OfTheDay => "hour_of_day",
            Self::All => "all",
        }
    }

    /// How far apart the likes of an hour are, and how many are needed.
    fn apart(self) -> Option<(f64, f64)> {
        match self {
            Self::OfTheWeek => Some((7.0 * DAY, limits::BASELINE_WEEKS.default)),
            Self::OfTheDay => Some((DAY, limits::BASELINE_DAYS.default)),
            Self::All => None,
        }
    }
}

/// In hours.
pub(crate) const DAY: f64 = 24.0;

/// What is usual for the series that spoke, and for the load where it is measured.
///
/// Cost: at most a copy of the outlines of this series over the lives that followed each other.
pub(crate) fn baselines(scene: &Scene<'_>, spoke: &Finding<'_>) -> Vec<Baseline> {
    let onset = spoke.onset.as_ref().map(|onset| onset.at);
    let leaks_since = onset.filter(|_| spoke.verdict == Verdict::Leaking);
    let metric = spoke.study.rung.metric;
    let own = of_series(scene, spoke, metric, Some(spoke.study.material), leaks_since);
    let load = DRIVERS.iter().find(|(load, story)| {
        *story == Story::Load && *load != metric && spoke.run.samples(*load) > 0
    });
    let load = load.map(|(load, _)| of_series(scene, spoke, *load, None, None));
    std::iter::once(own).chain(load).collect()
}

fn of_series(
    scene: &Scene<'_>,
    spoke: &Finding<'_>,
    metric: Metric,
    material: Option<f64>,
    leaks_since: Option<Timestamp>,
) -> Baseline {
    let all = joined(scene, &spoke.run, metric);
    // Traffic runs into no limit: its own level says what is much.
    let material = material.unwrap_or_else(|| {
        let means: Vec<Weighed> = all.iter().map(|cell| (cell.mean, cell.samples)).collect();
        limits::SHARE_MATERIAL_UNLIMITED.default * quantile(&means, 0.5)
    });
    let newest = newest(&all);
    let before = all.split_at(newest).0;
    let sound = match leaks_since {
        // A cell that the onset lies in is part of the leak.
        Some(onset) => {
            let onset = scene.hours(onset);
            before.split_at(before.partition_point(|cell| cell.to <= onset)).0
        }
        None => before,
    };
    let found = drift::last(scene, &spoke.run, metric, sound, material);
    let (begin, moved) = found.map_or((0, None), |(begin, moved)| (begin, Some(moved)));
    let window = all.split_at(newest).1;
    let seen = sound.split_at(begin).1;
    Baseline { metric, usual: usual(scene, seen, window, leaks_since), moved, leaks_since }
}

/// The newest hour at most, and at most this share of what was seen, so that ten minutes have a
/// before as well.
const WINDOW: f64 = 1.0;
const WINDOW_SHARE: f64 = 0.05;

/// Where the cells begin that the newest level is the mean of: those that reach into the window.
fn newest(cells: &[Cell]) -> usize {
    let Some(first) = cells.first() else { return 0 };
    let end = end_of(cells);
    let begin = end - WINDOW.min(WINDOW_SHARE * (end - first.from));
    cells.partition_point(|cell| cell.to <= begin).min(cells.len() - 1)
}

fn usual(
    scene: &Scene<'_>,
    seen: &[Cell],
    window: &[Cell],
    leaks_since: Option<Timestamp>,
) -> Result<Usual, TooLittle> {
    let Some(first_now) = window.first() else {
        return Err(TooLittle { says: "it is not measured".into(), ready_at: None });
    };
    let (from, to) = (first_now.from, end_of(window));
    let finest = [Hours::OfTheWeek, Hours::OfTheDay].into_iter().find_map(|hours| {
        let (apart, need) = hours.apart()?;
        let likes = likes(seen, (from, to), apart);
        (likes.len() as f64 >= need).then_some((hours, likes))
    });
    let (hours, likes) = match finest {
        Some(found) => found,
        None => {
            missing(scene, seen, window, leaks_since)?;
            (Hours::All, seen.iter().map(|cell| (cell.mean, cell.samples)).collect())
        }
    };
    let samples: f64 = window.iter().map(|cell| cell.samples).sum();
    let now = window.iter().map(|cell| cell.mean * cell.samples).sum::<f64>() / samples;
    let ends = (seen.first().map_or(from, |cell| cell.from), end_of(seen));
    Ok(Usual {
        hours,
        window: (scene.moment(from), scene.moment(to)),
        seen: (scene.moment(ends.0), scene.moment(ends.1)),
        p50: quantile(&likes, 0.5),
        p95: quantile(&likes, 0.95),
        now,
        percentile: percentile(&likes, now),
        of: likes.len(),
        lower_in: likes.iter().filter(|(value, _)| *value < now).count(),
        next: next(scene, hours, seen, (from, to)).filter(|_| leaks_since.is_none()),
    })
}

/// A level, and the samples that it is the mean of.
type Weighed = (f64, f64);

/// What was seen at the same time of earlier days (or weeks), newest first. Half of the window must
/// have been seen for a day to count.
fn likes(seen: &[Cell], (from, to): (f64, f64), apart: f64) -> Vec<Weighed> {
    let Some(first) = seen.first() else { return Vec::new() };
    let count = ((to - first.from) / apart).ceil().max(0.0) as usize;
    let day = |back: usize| {
        let (from, to) = (from - apart * back as f64, to - apart * back as f64);
        let begin = seen.partition_point(|cell| cell.to <= from);
        let (mut sum, mut samples, mut time) = (0.0, 0.0, 0.0);
        for cell in seen.iter().skip(begin).take_while(|cell| cell.from < to) {
            let shared = cell.to.min(to) - cell.from.max(from);
            if !cell.is_fine() || shared <= 0.0 {
                continue;
            }
            let part = cell.samples * shared / cell.length();
            sum += cell.mean * part;
            samples += part;
            time += shared;
        }
        (time >= 0.5 * (to - from) && samples > 0.0).then(|| (sum / samples, samples))
    };
    (1..=count).filter_map(day).collect()
}

/// Says what is missing where not even everything that was seen is enough.
fn missing(
    scene: &Scene<'_>,
    seen: &[Cell],
    window: &[Cell],
    leaks_since: Option<Timestamp>,
) -> Result<(), TooLittle> {
    let need = limits::BASELINE_CELLS.default;
    let hours: f64 = seen.iter().map(Cell::length).sum();
    if hours >= limits::DAY_SEEN.default || seen.len() as f64 >= need {
        return Ok(());
    }
    let of = if leaks_since.is_some() { " before the leak" } else { "" };
    let says = format!(
        "{} of {need} cells and {hours:.1} of {} hours were seen{of}; one of the two is needed",
        seen.len(),
        limits::DAY_SEEN.default
    );
    let cell = window.iter().chain(seen).map(Cell::length).fold(0.0, f64::max);
    // The newest level will be that of a longer window by then, which is not part of what was seen.
    let full = limits::DAY_SEEN.default.min(cell * need);
    let then = WINDOW.min(WINDOW_SHARE * full / (1.0 - WINDOW_SHARE));
    let now: f64 = window.iter().map(Cell::length).sum();
    let wait = (full - hours) + (then - now).max(0.0) + cell;
    let ready = cell > 0.0 && leaks_since.is_none();
    Err(TooLittle { says, ready_at: ready.then(|| scene.moment(end_of(window) + wait)) })
}

/// When something finer than this is there, if it is seen as until now.
fn next(
    scene: &Scene<'_>,
    hours: Hours,
    seen: &[Cell],
    window: (f64, f64),
) -> Option<(Hours, Timestamp)> {
    let finer = match hours {
        Hours::OfTheWeek => return None,
        Hours::OfTheDay => Hours::OfTheWeek,
        Hours::All => Hours::OfTheDay,
    };
    let (apart, need) = finer.apart()?;
    let have = likes(seen, window, apart).len() as f64;
    let fine = seen.last().is_some_and(Cell::is_fine);
    fine.then(|| (finer, scene.moment(window.1 + apart * (need - have))))
}

fn quantile(levels: &[Weighed], share: f64) -> f64 {
    let mut sorted = levels.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all: f64 = sorted.iter().map(|(_, samples)| samples).sum();
    let mut below = 0.0;
    for (value, samples) in &sorted {
        below += samples;
        if below >= share * all {
            return *value;
        }
    }
    sorted.last().map_or(0.0, |(value, _)| *value)
}

fn percentile(levels: &[Weighed], now: f64) -> f64 {
    let all: f64 = levels.iter().map(|(_, samples)| samples).sum();
    let part = |(value, samples): &Weighed| match value.total_cmp(&now) {
        std::cmp::Ordering::Less => *samples,
        std::cmp::Ordering::Equal => 0.5 * samples,
        std::cmp::Ordering::Greater => 0.0,
    };
    100.0 * levels.iter().map(part).sum::<f64>() / all.max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests;
