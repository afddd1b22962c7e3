//! The questions in their order: which names there are, whose their series are, how far apart the
//! samples lie, and then the curves, in pieces that the server answers.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet, VecDeque};

use plimsoll_ingest::Rejections;
use plimsoll_ingest::catalogue::Catalogue;
use plimsoll_ingest::prometheus::{
    self as api, Curve, Curves, Directory, Fleet, Gathered, Gatherer, Labels, Resolution, Source,
    Window,
};
use plimsoll_model::{ServiceName, Span, Timestamp};

use super::client::{AskError, Client};
use super::{Options, PullError, Pulled, Step};
use crate::output::{Progress, printable, say};
use crate::scan::telemetry::{SAMPLES_MAX, Telemetry};

/// Samples of a series that are asked for at most. A week at 15 s has ten times as many, and says
/// no more about a trend than the floor of each ten.
const POINTS_MAX: i64 = 4_000;

/// Samples of a series below which days are no longer told from trends; before that, fewer series
/// have to do.
const POINTS_MIN: i64 = 300;

/// Samples of all series, with room for those that are two curves of one.
const TOTAL_MAX: i64 = (SAMPLES_MAX / 10 * 9) as i64;

/// Names in one question about names, where a server cannot list all of them.
const NAMES_AT_ONCE: usize = 50;

/// Services that are named where another was asked for.
const ALIKE_MAX: usize = 10;

/// How often the time of a question about label sets is halved: 16 pieces. A server that cannot
/// list a name over such a piece cannot over a smaller one: it looks at blocks of hours.
const LISTING_HALVINGS_MAX: u32 = 4;

/// Names in a row that a server is too slow to list, before the scan ends: each takes minutes.
const UNLISTED_MAX: usize = 3;

/// One scan of one server.
pub(super) struct Pull<'a> {
    pub(super) client: Client,
    pub(super) options: &'a Options,
    pub(super) catalogue: &'a Catalogue,
    pub(super) window: Window,
    pub(super) progress: &'a Progress,
    /// Points of answers that are none.
    pub(super) refused: RefCell<Rejections>,
}

impl Pull<'_> {
    pub(super) fn run(&self, chosen: &[ServiceName]) -> Result<Pulled, PullError> {
        self.progress.show("asking which metrics there are");
        let sources = api::sources(self.catalogue, &self.names()?);
        let mut fleet = self.fleet(&sources)?;
        let mut telemetry = Telemetry::default();
        let known = fleet.services();
        if let Some(missing) = chosen.iter().find(|service| !known.contains(service)) {
            let others = most_alike(missing, known);
            let (changes, rejections) = (Vec::new(), Rejections::default());
            return Ok(Pulled { telemetry, changes, rejections, others });
        }
        fleet.choose(chosen);
        self.versions(&mut fleet, &sources)?;
        let Gathered { changes, mut rejections } = self.curves(&fleet, &sources, &mut telemetry)?;
        rejections.merge(self.refused.take());
        Ok(Pulled { telemetry, changes, rejections, others: BTreeSet::new() })
    }

    fn names(&self) -> Result<Vec<String>, PullError> {
        let ask = |selector: Option<&str>| {
            let (from, to) = self.ends();
            let mut query = vec![("start", from.as_str()), ("end", to.as_str())];
            query.extend(selector.map(|selector| ("match[]", selector)));
            let body = self.client.get(&["label", "__name__", "values"], &query)?;
            api::names(&body).map_err(|error| self.client.not_understood(error))
        };
        let extra = self.options.matching.as_deref();
        let every = extra.map(|extra| format!("{{{extra}}}"));
        match ask(every.as_deref()) {
            Err(AskError::TooLarge(_)) => {}
            other => return Ok(other?),
        }
        let mut names = Vec::new();
        for known in api::known_names(self.catalogue).chunks(NAMES_AT_ONCE) {
            names.extend(ask(Some(&api::names_selector(known, extra)))?);
        }
        Ok(names)
    }

    fn fleet(&self, sources: &[Source]) -> Result<Fleet, PullError> {
        let mut directory = Directory::new(self.catalogue, sources);
        let (mut unlisted, mut slow) = (0, 0);
        for (id, source) in sources.iter().enumerate() {
            let (done, total) = (id + 1, sources.len());
            self.progress.show(&format!("asking who has {} ({done} of {total})", source.name));
            match self.list(source, &mut |labels| Ok(directory.add(id, labels)?)) {
                Err(PullError::Ask(source @ AskError::TooLarge(_))) if slow + 1 >= UNLISTED_MAX => {
                    return Err(PullError::NotListed { names: slow + 1, source });
                }
                read => {
                    slow = if is_too_large(&read) { slow + 1 } else { 0 };
                    unlisted += usize::from(unread(&source.name, read)?);
                }
            }
        }
        if unlisted > 0 && unlisted == sources.len() {
            return Err(PullError::NothingAnswered { names: unlisted });
        }
        Ok(directory.settle())
    }

    /// The label sets of one name: of the whole time, or where that is too much, of parts of it.
    fn list(
        &self,
        source: &Source,
        take: &mut dyn FnMut(&[Labels]) -> Result<(), PullError>,
    ) -> Result<(), PullError> {
        let selector = api::selector(&source.name, None, self.options.matching.as_deref());
        let mut left = vec![(self.window, 0)];
        let mut known: HashSet<Labels> = HashSet::new();
        while let Some((window, halvings)) = left.pop() {
            let (from, to) = (secs(window.from), secs(window.to));
            let query =
                [("match[]", selector.as_str()), ("start", from.as_str()), ("end", to.as_str())];
            let body = match self.client.get(&["series"], &query) {
                Err(AskError::TooLarge(_)) if halvings < LISTING_HALVINGS_MAX => {
                    let middle = window.from + Span::from_millis(window.length().as_millis() / 2);
                    left.push((Window { from: middle, ..window }, halvings + 1));
                    left.push((Window { to: middle, ..window }, halvings + 1));
                    continue;
                }
                other => other?,
            };
            let mut all = api::series(&body).map_err(|error| self.client.not_understood(error))?;
            if halvings > 0 {
                // Most are there in more than one part.
                all.retain(|labels| known.insert(labels.clone()));
            }
            take(&all)?;
        }
        Ok(())
    }

    fn versions(&self, fleet: &mut Fleet, sources: &[Source]) -> Result<(), PullError> {
        for pull in fleet.witnesses() {
            let Some(source) = sources.get(pull.source) else { continue };
            self.progress.show(&format!("asking when which version ran ({})", source.name));
            let read = self.how(source, &pull, POINTS_MAX).and_then(|how| {
                self.range(source, &pull, how, &mut |curves| {
                    fleet.learn(pull.source, &curves, how.step);
                    Ok(())
                })
            });
            unread(&source.name, read)?;
        }
        Ok(())
    }

    fn curves(
        &self,
        fleet: &Fleet,
        sources: &[Source],
        telemetry: &mut Telemetry,
    ) -> Result<Gathered, PullError> {
        let pulls = fleet.pulls();
        let series: u64 =
            pulls.iter().flat_map(|pull| &pull.groups).map(|group| u64::from(group.series)).sum();
        let points = TOTAL_MAX / i64::try_from(series.max(1)).unwrap_or(i64::MAX);
        if points < POINTS_MIN {
            return Err(PullError::TooMuch { series });
        }
        let mut gatherer = Gatherer::new(fleet, self.catalogue, self.window.from);
        let mut missed = 0;
        for (done, pull) in pulls.iter().enumerate() {
            let Some(source) = sources.get(pull.source) else { continue };
            let (name, total) = (&source.name, pulls.len());
            let mut take = |curves: Vec<Curve>, step: Span| {
                gatherer.take(pull.source, curves, step, &mut |reading| telemetry.add(reading));
                self.progress.show(&format!(
                    "reading {name} ({} of {total} metrics), {} samples so far",
                    done + 1,
                    telemetry.gathered()
                ));
                match telemetry.gathered() > SAMPLES_MAX {
                    true => Err(PullError::TooMuch { series }),
                    false => Ok(()),
                }
            };
            let how = self.how(source, pull, points.min(POINTS_MAX));
            let read = how.and_then(|how| {
                self.range(source, pull, how, &mut |curves| take(curves, how.step))
            });
            missed += usize::from(unread(name, read)?);
        }
        if missed > 0 && missed == pulls.len() {
            return Err(PullError::NothingAnswered { names: missed });
        }
        Ok(gatherer.finish())
    }

    /// How fine one metric is asked for.
    fn how(&self, source: &Source, pull: &api::Pull, points: i64) -> Result<Resolution, PullError> {
        let extra = self.options.matching.as_deref();
        let (expression, look) = api::density(pull, &source.name, extra, self.window);
        let counts = match self.query(&expression, self.window, look.step) {
            Ok(curves) => curves,
            Err(AskError::TooLarge(_)) => Vec::new(),
            Err(other) => return Err(other.into()),
        };
        let most = counts.iter().flat_map(|curve| &curve.points).map(|(_, count)| *count);
        let native = most.reduce(f64::max).and_then(|c| api::native_interval(look.native, c));
        Ok(match self.options.step {
            Step::Auto => api::resolution(self.window.length(), native, points),
            Step::Fixed(step) => Resolution { step, native: native.unwrap_or(step) },
        })
    }

    /// Asks for everything of one metric, and for less at a time where that is too much.
    fn range(
        &self,
        source: &Source,
        pull: &api::Pull,
        how: Resolution,
        take: &mut dyn FnMut(Vec<Curve>) -> Result<(), PullError>,
    ) -> Result<(), PullError> {
        let mut left: VecDeque<_> = api::pieces(pull, self.window, how.step).into();
        while let Some(piece) = left.pop_front() {
            let matching = self.options.matching.as_deref();
            let selector = api::selector(&source.name, piece.matcher.as_ref(), matching);
            let expression = api::expression(source, pull, &selector, how);
            match self.query(&expression, piece.window, how.step) {
                Ok(curves) => take(curves)?,
                Err(AskError::TooLarge(why)) => {
                    let Some([first, second]) = piece.halves(how.step) else {
                        return Err(AskError::TooLarge(why).into());
                    };
                    left.push_front(second);
                    left.push_front(first);
                }
                Err(other) => return Err(other.into()),
            }
        }
        Ok(())
    }

    fn query(&self, expression: &str, window: Window, asked: Span) -> Result<Vec<Curve>, AskError> {
        let (start, end) = (secs(window.from), secs(window.to));
        let step = asked.as_secs_f64().to_string();
        let query = [
            ("query", expression),
            ("start", start.as_str()),
            ("end", end.as_str()),
            ("step", step.as_str()),
        ];
        let body = self.client.get(&["query_range"], &query)?;
        let Curves { curves, rejections } =
            api::matrix(&body, window, asked).map_err(|error| self.client.not_understood(error))?;
        self.refused.borrow_mut().merge(rejections);
        Ok(curves)
    }

    fn ends(&self) -> (String, String) {
        (secs(self.window.from), secs(self.window.to))
    }
}

/// Whether one metric could not be read, which is said: one less is a weaker verdict, and none is no
/// verdict. Anything else that went wrong ends the scan.
fn unread(name: &str, read: Result<(), PullError>) -> Result<bool, PullError> {
    match read {
        Ok(()) => Ok(false),
        Err(PullError::Ask(AskError::TooLarge(why) | AskError::Refused { said: why, .. })) => {
            let (name, why) = (printable(name), printable(&why));
            say(&format!("plimsoll: {name} was not read: {why}"));
            Ok(true)
        }
        Err(other) => Err(other),
    }
}

const fn is_too_large(read: &Result<(), PullError>) -> bool {
    matches!(read, Err(PullError::Ask(AskError::TooLarge(_))))
}

/// The services that begin as the missing one does come first: a name is mistyped at its end.
fn most_alike(missing: &ServiceName, known: BTreeSet<&ServiceName>) -> BTreeSet<ServiceName> {
    let alike = |name: &ServiceName| {
        let pairs = name.as_str().bytes().zip(missing.as_str().bytes());
        Reverse(pairs.take_while(|(one, other)| one == other).count())
    };
    let mut known: Vec<_> = known.into_iter().collect();
    known.sort_by_key(|name| alike(name));
    known.into_iter().take(ALIKE_MAX).cloned().collect()
}

/// Unix seconds with their fraction, as every such server reads them.
fn secs(at: Timestamp) -> String {
    at.as_secs_f64().to_string()
}
