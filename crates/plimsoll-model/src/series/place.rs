//! Where a reading belongs: which life of its instance, an old one or a new one.
//!
//! Not here: what a life holds. Used by [`ServiceHistory::record`] for every reading, so the common
//! case, one that belongs to the newest life of its instance, costs one look at that life.

use std::collections::BTreeMap;

use super::{Life, Reading, Series, SeriesLimit, ServiceHistory};
use crate::change::{Change, ChangeKind};
use crate::metric::Metric;
use crate::time::{Span, Timestamp};

/// Two start times closer than this are one: the kernel counts in ticks of 10 ms, and exporters
/// round to seconds.
const START_TOLERANCE_SECS: f64 = 1.5;

/// The life that takes the reading, made where there was none. None for a late reading that would
/// become the oldest life of a history that is full: it is what would be forgotten first.
pub(super) fn life_for(
    history: &mut ServiceHistory,
    reading: &Reading,
    limit: SeriesLimit,
) -> Option<usize> {
    let newest = history.lives.iter().rposition(|life| life.instance == reading.instance);
    let Some(newest) = newest else { return open(history, None, reading, limit) };
    let life = history.lives.get_mut(newest)?;
    if reading.at < life.started_at {
        return late(history, newest, reading, limit);
    }
    if !begins_again(life, &history.changes, reading) {
        adopt(life, reading);
        return Some(newest);
    }
    let restarted = !other_version(life, reading);
    if !restarted && reading.at < life.last_seen() {
        // Something of that version is late: its life did not come again.
        let before = history.lives.get(..newest).unwrap_or_default();
        let ran_then = |life: &Life| {
            life.instance == reading.instance
                && life.version == reading.version
                && life.started_at <= reading.at
        };
        if let Some(index) = before.iter().rposition(ran_then) {
            return Some(index);
        }
    }
    let index = open(history, None, reading, limit)?;
    if restarted {
        hand_over(history, index, reading.at);
    }
    Some(index)
}

/// Gives the life at an index what the one before it of the same instance took in since it began,
/// because what told of the restart came late. One that says it began before the one it replaced
/// gets what came since that was told.
fn hand_over(history: &mut ServiceHistory, index: usize, told_at: Timestamp) {
    let Some((earlier, [life, ..])) = history.lives.split_at_mut_checked(index) else { return };
    let Some(ended) = earlier.iter_mut().rev().find(|other| other.instance == life.instance) else {
        return;
    };
    let from = if life.started_at > ended.started_at { life.started_at } else { told_at };
    if ended.last_seen() >= from {
        life.series = cut(ended, from);
    }
}

/// Splits the lives that a restart ended and that went on as if nothing had been: the readings of
/// the new ones came before it was told. What is right for the readings that wait in the outlines
/// is near enough for those that do not.
pub(super) fn split(history: &mut ServiceHistory, change: &Change) {
    if !matches!(change.kind, ChangeKind::Restart | ChangeKind::OomKill) {
        return;
    }
    let mut index = history.lives.len();
    while let Some(before) = index.checked_sub(1) {
        index = before;
        let Some(life) = history.lives.get_mut(index) else { continue };
        let concerned = change.instance.as_ref().is_none_or(|name| *name == life.instance);
        let went_on = life.last_seen() >= change.at;
        if !concerned || !went_on || first_seen(life).is_none_or(|first| first >= change.at) {
            continue;
        }
        let series = cut(life, change.at);
        let began = Life {
            instance: life.instance.clone(),
            version: life.version.clone(),
            started_at: change.at,
            start_known: true,
            series,
        };
        if let Some(began) = with_start(began) {
            let later = |life: &Life| life.started_at > began.started_at;
            let place = history.lives.iter().skip(index + 1).position(later);
            let place = place.map_or(history.lives.len(), |further| index + 1 + further);
            history.lives.insert(place, began);
        }
    }
}

/// Takes from a life what it measured from a moment on.
fn cut(life: &mut Life, from: Timestamp) -> BTreeMap<Metric, Series> {
    let later = life.series.iter_mut().map(|(metric, series)| (*metric, series.split_off(from)));
    let later = later.filter(|(_, series)| series.last().is_some()).collect();
    life.series.retain(|_, series| series.last().is_some());
    later
}

fn first_seen(life: &Life) -> Option<Timestamp> {
    let firsts = life.series.values().map(|series| {
        let outlined = series.outline().first().map(|sample| sample.at);
        let kept = series.samples().first().map(|sample| sample.at);
        outlined.into_iter().chain(kept).min()
    });
    firsts.flatten().min()
}

/// The life as its readings tell its beginning; none where it has none.
fn with_start(mut life: Life) -> Option<Life> {
    life.started_at = match life.series(Metric::ProcessStartTime).and_then(Series::last) {
        Some(told) => moment_of(told.value).min(told.at),
        None => first_seen(&life)?,
    };
    Some(life)
}

/// A reading from before the newest life: of the life that ran then, of the beginning of the one
/// that came next, or of one that nobody has told of yet.
fn late(
    history: &mut ServiceHistory,
    newest: usize,
    reading: &Reading,
    limit: SeriesLimit,
) -> Option<usize> {
    let same = |life: &Life| life.instance == reading.instance;
    let before = |life: &Life| same(life) && life.started_at <= reading.at;
    let ran_then = history.lives.iter().rposition(before);
    if let Some(index) = ran_then
        && let Some(life) = history.lives.get_mut(index)
        && !begins_again(life, &history.changes, reading)
    {
        adopt(life, reading);
        return Some(index);
    }
    let after = |life: &Life| same(life) && life.started_at > reading.at;
    let next = history.lives.iter().position(after).unwrap_or(newest);
    if let Some(life) = history.lives.get_mut(next)
        && may_have_begun_earlier(life, reading)
    {
        life.started_at = life.started_at.min(reading.at);
        adopt(life, reading);
        return Some(next);
    }
    open(history, Some(next), reading, limit)
}

/// Makes a life for the reading: at the end, or in the past before the life at an index.
fn open(
    history: &mut ServiceHistory,
    before: Option<usize>,
    reading: &Reading,
    limit: SeriesLimit,
) -> Option<usize> {
    let mut index = before.unwrap_or(history.lives.len());
    if history.lives.len() >= limit.lives.get() {
        let victim = forgettable(&history.lives, reading.at)?;
        if before == Some(victim) && victim == 0 {
            return None;
        }
        history.lives.remove(victim);
        index -= usize::from(victim < index);
    }
    let earlier = history.lives.get(..index).unwrap_or_default();
    let replaces_another = earlier.iter().any(|life| life.instance == reading.instance);
    history.lives.insert(index, first_life(reading, replaces_another));
    Some(index)
}

/// The life that a full history can do without: the oldest one that another has replaced, else the
/// one that was silent for longest, if that is long. Replicas that report are never pushed out by
/// names that keep coming; those are turned away.
fn forgettable(lives: &[Life], now: Timestamp) -> Option<usize> {
    let replaced = |index: usize, life: &Life| {
        lives.iter().skip(index + 1).any(|later| later.instance == life.instance)
    };
    let oldest_replaced = lives.iter().enumerate().position(|(i, life)| replaced(i, life));
    oldest_replaced.or_else(|| {
        let (index, longest) = lives.iter().enumerate().min_by_key(|(_, life)| life.last_seen())?;
        (now.since(longest.last_seen()) > SILENT).then_some(index)
    })
}

/// The life to forget where one has to be.
pub(super) fn least_missed(lives: &[Life]) -> usize {
    forgettable(lives, Timestamp::from_millis(i64::MAX)).unwrap_or_default()
}

/// A replica that was not heard of for so long has gone: longer than any restart.
const SILENT: Span = Span::from_mins(10);

/// Whether the life, which was first seen after the reading, may be the one it was taken of: the
/// same version, and no start time that says otherwise.
fn may_have_begun_earlier(life: &Life, reading: &Reading) -> bool {
    if other_version(life, reading) {
        return false;
    }
    let start_told = life.series(Metric::ProcessStartTime).is_some();
    !start_told || life.started_at.since(reading.at).as_secs_f64() <= START_TOLERANCE_SECS
}

fn begins_again(life: &Life, changes: &[Change], reading: &Reading) -> bool {
    let other_start = reading.metric == Metric::ProcessStartTime
        && life
            .latest(Metric::ProcessStartTime)
            .is_some_and(|was| (was - reading.value).abs() > START_TOLERANCE_SECS);
    let restarted = reading.metric == Metric::ContainerRestarts
        && life.latest(Metric::ContainerRestarts).is_some_and(|was| reading.value > was);
    other_version(life, reading)
        || other_start
        || restarted
        || restarted_between(life, changes, reading)
}

fn other_version(life: &Life, reading: &Reading) -> bool {
    match (&life.version, &reading.version) {
        (Some(was), Some(is)) => was != is,
        (None, _) | (_, None) => false,
    }
}

/// Cost: a search among the changes; those before the life was last seen are not looked at, because
/// every reading asks this.
fn restarted_between(life: &Life, changes: &[Change], reading: &Reading) -> bool {
    let until = changes.partition_point(|change| change.at <= reading.at);
    let earlier = changes.get(..until).unwrap_or_default();
    if earlier.is_empty() {
        return false;
    }
    let last_seen = life.last_seen();
    earlier.iter().rev().take_while(|change| change.at > last_seen).any(|change| {
        matches!(change.kind, ChangeKind::Restart | ChangeKind::OomKill)
            // One that names no instance means every instance.
            && change.instance.as_ref().is_none_or(|name| *name == life.instance)
    })
}

fn adopt(life: &mut Life, reading: &Reading) {
    if life.version.is_none() {
        life.version.clone_from(&reading.version);
    }
    if reading.metric == Metric::ProcessStartTime {
        life.started_at = start_of(reading);
        life.start_known = true;
    }
}

fn first_life(reading: &Reading, replaces_another: bool) -> Life {
    let start_known = reading.metric == Metric::ProcessStartTime;
    Life {
        instance: reading.instance.clone(),
        version: reading.version.clone(),
        started_at: if start_known { start_of(reading) } else { reading.at },
        start_known: start_known || replaces_another,
        series: BTreeMap::new(),
    }
}

fn start_of(reading: &Reading) -> Timestamp {
    moment_of(reading.value).min(reading.at)
}

fn moment_of(secs: f64) -> Timestamp {
    Timestamp::from_millis((secs * 1000.0) as i64)
}

#[cfg(test)]
mod tests;
