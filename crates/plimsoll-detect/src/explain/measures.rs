//! What each explanation hangs on: its measure, the threshold it is held against, and a sentence.
//!
//! The measures are those of the study and of the evidence, read and never taken again.

use plimsoll_model::{Metric, Outline, Unit, Verdict};

use super::rivals::{Fits, RivalName, Score};
use crate::cohort::{Control, RUNS_MIN};
use crate::course::{Course, STEPS_SHARE, Study};
use crate::evidence::probability;
use crate::forecast::runway;
use crate::gates::needs;
use crate::judge::{Finding, Why};
use crate::report::{quantity, told};
use crate::rivals::{Relation, Story, drivers_of, is_measured};
use crate::scene::{Run, Scene};
use crate::thresholds as limits;
use crate::trend::Trend;

/// What a measure says of an explanation, before it is known which one decided.
pub(super) struct Draft {
    /// None: it could not be asked.
    pub(super) possible: Option<bool>,
    pub(super) score: Option<Score>,
    pub(super) says: String,
}

impl Draft {
    fn unasked(says: impl Into<String>) -> Self {
        Self { possible: None, score: None, says: says.into() }
    }

    fn by(score: Score, says: impl Into<String>) -> Self {
        Self { possible: Some(score.speaks_for()), score: Some(score), says: says.into() }
    }

    fn plain(possible: bool, says: impl Into<String>) -> Self {
        Self { possible: Some(possible), score: None, says: says.into() }
    }
}

pub(super) fn draft(scene: &Scene<'_>, spoke: &Finding<'_>, name: RivalName) -> Draft {
    let study = &spoke.study;
    match name {
        RivalName::Leak => return leak(spoke),
        RivalName::Restarts => return restarts(scene, spoke),
        _ if study.course == Course::TooFew => return Draft::unasked("too little was seen to ask"),
        RivalName::Load => return follows(spoke, Story::Load),
        RivalName::Backlog => return follows(spoke, Story::Backlog),
        RivalName::Cache => return follows(spoke, Story::Cache),
        RivalName::Season => return season(spoke),
        RivalName::Batch => return batch(spoke),
        RivalName::Flat
        | RivalName::Garbage
        | RivalName::Rest
        | RivalName::Step
        | RivalName::Wander
        | RivalName::Control => {}
    }
    let Some(trend) = study.trend else { return Draft::unasked("nothing rises") };
    match name {
        RivalName::Flat => flat(spoke, &trend),
        RivalName::Step => step(spoke),
        RivalName::Rest => rest(spoke, &trend),
        _ if trend.rise < study.material => {
            Draft::unasked("no rise that matters is left to explain")
        }
        RivalName::Garbage => garbage(spoke, &trend),
        RivalName::Wander => wander(spoke, &trend),
        RivalName::Control
        | RivalName::Load
        | RivalName::Backlog
        | RivalName::Cache
        | RivalName::Season
        | RivalName::Batch
        | RivalName::Leak
        | RivalName::Restarts => control(&spoke.beside),
    }
}

fn flat(spoke: &Finding<'_>, trend: &Trend) -> Draft {
    let study = &spoke.study;
    let unit = study.rung.metric.unit();
    if spoke.why == Why::OutOfSight {
        let hours = runway(trend, study.level, study.limit).unwrap_or(f64::INFINITY);
        let score = Score::of(&limits::RUNWAY_MAX, hours, Fits::AtLeast);
        return Draft::by(score, "it rises so slowly that its limit is out of sight");
    }
    let threshold = match (unit, study.limit) {
        (Unit::Bytes, Some(_)) => limits::SHARE_MATERIAL,
        (Unit::Bytes, None) => limits::SHARE_MATERIAL_UNLIMITED,
        (Unit::Count | Unit::Seconds | Unit::PerSecond, Some(_)) => limits::HELD_MATERIAL,
        (Unit::Count | Unit::Seconds | Unit::PerSecond, None) => limits::HELD_MATERIAL_UNLIMITED,
    };
    let score = Score {
        measure: "rise of the floor, in rises that matter",
        value: trend.rise / study.material.max(f64::MIN_POSITIVE),
        fits: Fits::Below,
        against: 1.0,
        threshold: Some(threshold.name),
    };
    let (rise, matters) = (signed(unit, trend.rise), quantity(unit, study.material));
    let says = format!("its floor rose by {rise}, and {matters} would matter");
    Draft::by(score, says)
}

fn signed(unit: Unit, value: f64) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{}", quantity(unit, value.abs()))
}

fn garbage(spoke: &Finding<'_>, trend: &Trend) -> Draft {
    let study = &spoke.study;
    if spoke.why == Why::NoCollectionSeen {
        let outline = spoke.run.outline(study.rung.metric);
        let deepest = outline.map_or(0.0, Outline::deepest_fall);
        let score = Score::of(&limits::FALL_COLLECTED, deepest, Fits::Below);
        return Draft::by(score, "no collection has given back enough to show what lives");
    }
    let score = Score::of(&limits::GIVEN_BACK_MAX, trend.given_back, Fits::AtLeast);
    let says = if study.rung.metric == Metric::RuntimeHeapLive {
        "measured after collections, so no garbage is in it; this is how much of its rise it gave \
         back"
            .to_owned()
    } else {
        let swing = quantity(study.rung.metric.unit(), study.swing);
        format!("it falls back by up to {swing}; this is what its floor gave back of the rise")
    };
    Draft::by(score, says)
}

fn follows(spoke: &Finding<'_>, story: Story) -> Draft {
    let study = &spoke.study;
    let heard = study.heard.iter().filter(|(_, of, _)| *of == story);
    let best = heard.max_by(|(_, _, a), (_, _, b)| {
        rank(a.relation).cmp(&rank(b.relation)).then(a.margin.total_cmp(&b.margin))
    });
    let Some((metric, _, said)) = best else { return not_heard(spoke, story) };
    let score = Score::of(&limits::MARGIN, said.margin, Fits::AtLeast);
    let left = format!("{:.0} % of the trend left", 100.0 * said.trend_left.min(9.99));
    let (possible, says) = match said.relation {
        Relation::Apart => (false, format!("it does not follow {metric}: {left} beside it")),
        Relation::Beside { .. } => {
            (false, format!("it moves with {metric} and rises besides; that part is taken out"))
        }
        Relation::Follows { .. } => (true, format!("it follows {metric}: {left} beside it")),
        Relation::CannotTell if excused(spoke) => (
            false,
            format!("it rises with {metric}, but its control carried that load and did not"),
        ),
        Relation::CannotTell => (true, format!("it rises as evenly as {metric} does")),
    };
    let gate = spoke.why == Why::CannotTell(story);
    Draft { possible: Some(possible || gate), score: Some(score), says }
}

const fn rank(relation: Relation) -> u8 {
    match relation {
        Relation::Apart => 0,
        Relation::Beside { .. } => 1,
        Relation::CannotTell => 2,
        Relation::Follows { .. } => 3,
    }
}

fn excused(spoke: &Finding<'_>) -> bool {
    matches!(spoke.beside, Control::Equal(_, _)) && !matches!(spoke.why, Why::CannotTell(_))
}

fn not_heard(spoke: &Finding<'_>, story: Story) -> Draft {
    let told_before = matches!(spoke.study.course, Course::Follows(_));
    if told_before {
        return Draft::unasked("another series tells it already");
    }
    if is_measured(&spoke.run, story) {
        return Draft::unasked("nothing moves that it would have to explain");
    }
    let metrics: Vec<&str> = drivers_of(story).map(Metric::name).collect();
    Draft::unasked(format!("{} is not measured ({})", told(story), metrics.join(", ")))
}

fn season(spoke: &Finding<'_>) -> Draft {
    let study = &spoke.study;
    if spoke.why == Why::DayNotSeen {
        let seen = spoke.run.to.since(spoke.run.from).as_hours_f64();
        let score = Score::of(&limits::DAY_SEEN, seen, Fits::Below);
        return Draft::by(
            score,
            "load is not measured and no whole day was seen: it may be the day",
        );
    }
    let Some(period) = study.period else {
        return Draft::unasked(
            "no period was sought: too little moves, or a measured series tells it",
        );
    };
    let score = Score {
        measure: "share that the best period leaves of what a line leaves",
        value: period.left,
        fits: Fits::Below,
        against: period.left_max,
        threshold: None,
    };
    let hours = period.hours;
    let says = if period.is_seen() {
        format!("a period of {hours:.2} h comes again; it is taken out, and the rest is judged")
    } else {
        format!("the best period, {hours:.2} h, does not come again or tells too little")
    };
    Draft { possible: Some(false), score: Some(score), says }
}

fn batch(spoke: &Finding<'_>) -> Draft {
    let study = &spoke.study;
    if spoke.why == Why::BatchRuns {
        return Draft::plain(true, "a batch was announced when the rise began");
    }
    let comes_again = (study.repeats || study.seasonal) && study.mostly_low;
    let says = if comes_again {
        "the same hump comes again, and in between it stands at its floor"
    } else {
        "none was announced when a rise began, and no hump comes again and again"
    };
    Draft::plain(comes_again, says)
}

fn rest(spoke: &Finding<'_>, trend: &Trend) -> Draft {
    let study = &spoke.study;
    if trend.rise < study.material {
        let says = "no rise that matters is left to come to rest";
        return Draft { says: rested_early(spoke).unwrap_or(says).into(), ..Draft::unasked("") };
    }
    let lost_pace = matches!(study.course, Course::Levelled | Course::Slowing);
    let margin = trend.rests.unwrap_or(f64::NEG_INFINITY);
    let by_shape = Score::of(&limits::MARGIN, margin, Fits::AtLeast);
    let (late, pace) = (100.0 * trend.late, 100.0 * trend.pace);
    let paces = format!(
        "its last quarter grows at {late:.0} % of the pace, its later half at {pace:.0} % of the \
         earlier"
    );
    if lost_pace && !by_shape.speaks_for() {
        let by_pace = match trend.late < limits::LATE_MIN.default {
            true => Score::of(&limits::LATE_MIN, trend.late, Fits::Below),
            false => Score::of(&limits::PACE_MIN, trend.pace, Fits::Below),
        };
        return Draft::by(by_pace, paces);
    }
    let says = match trend.rests {
        Some(_) => format!("a curve that comes to rest, held against a line; {paces}"),
        None => format!("no curve that comes to rest fits; {paces}"),
    };
    Draft::by(by_shape, says)
}

fn rested_early(spoke: &Finding<'_>) -> Option<&'static str> {
    let early = spoke.why == Why::CameToRest;
    early.then_some("it began lower, rose early, and has rested since")
}

fn step(spoke: &Finding<'_>) -> Draft {
    let study = &spoke.study;
    let score = Score {
        measure: "share of the span that jumps make",
        value: study.jumped,
        fits: Fits::AtLeast,
        against: STEPS_SHARE,
        threshold: None,
    };
    if let Why::NeedsMore { than } = spoke.why {
        let was = quantity(study.rung.metric.unit(), than);
        let says = format!("it stepped up from {was} and stays there");
        return Draft { possible: Some(true), score: Some(score), says };
    }
    let says = match study.stepped {
        Some(_) => "a few jumps make most of its span, with levels between them",
        None => "no few jumps with levels between them make it",
    };
    Draft { possible: Some(study.stepped.is_some()), score: Some(score), says: says.into() }
}

fn wander(spoke: &Finding<'_>, trend: &Trend) -> Draft {
    let (_, need) = needs(&spoke.beside);
    let score = Score::of(&need, trend.surprise, Fits::Below);
    let says = "t of its increments: how far they are from those of a level without direction";
    Draft::by(score, says)
}

fn control(beside: &Control) -> Draft {
    match beside {
        Control::Nothing => {
            Draft::unasked("no earlier run, other version or flat replica to hold it against")
        }
        Control::Beside(claim) => Draft::plain(false, format!("{claim}; not at equal uptime")),
        Control::Equal(claim, _) => Draft::plain(false, claim.clone()),
        Control::SameAndRested(claim) => Draft::plain(true, claim.clone()),
        Control::SameEverSince(claim) => {
            Draft::plain(false, format!("{claim}, and never came to rest"))
        }
    }
}

fn leak(spoke: &Finding<'_>) -> Draft {
    let score = Score::of(&limits::CONFIDENCE_LEAKING, probability(&spoke.evidence), Fits::AtLeast);
    let rising = spoke.study.trend.map(|trend| pace(&spoke.study, &trend));
    let rising = rising.unwrap_or_else(|| "nothing rises".to_owned());
    let (possible, says) = match spoke.verdict {
        Verdict::Leaking => (true, format!("{rising}, and nothing else tells it better")),
        Verdict::Suspect => (true, format!("{rising}; something else is not excluded yet")),
        Verdict::Undecided => (true, format!("{rising}; too little was seen")),
        Verdict::Steady => (false, format!("{rising}; something else tells it better")),
    };
    Draft { possible: Some(possible), score: Some(score), says }
}

fn pace(study: &Study, trend: &Trend) -> String {
    let unit = study.rung.metric.unit();
    format!("its floor grows by {} an hour", signed(unit, trend.per_hour))
}

fn restarts(scene: &Scene<'_>, spoke: &Finding<'_>) -> Draft {
    let same = |run: &&Run<'_>| run.life.version == spoke.run.life.version;
    let seen = 1 + scene.earlier(&spoke.run).filter(same).count();
    let score = Score {
        measure: "runs of this version",
        value: seen as f64,
        fits: Fits::AtLeast,
        against: RUNS_MIN as f64,
        threshold: None,
    };
    if let Some(again) = spoke.repeated {
        let says = format!("{} runs climbed at the same pace", again.runs);
        return Draft { possible: Some(true), score: Some(score), says };
    }
    if seen < RUNS_MIN {
        let says = "too few restarts were seen to compare the runs";
        return Draft { score: Some(score), ..Draft::unasked(says) };
    }
    Draft {
        possible: Some(false),
        score: Some(score),
        says: "the runs did not climb alike, or this run tells more by itself".into(),
    }
}
