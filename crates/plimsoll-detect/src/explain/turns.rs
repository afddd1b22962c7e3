//! What would change a verdict: the gate that holds it, in words with numbers.
//!
//! Not here: the gates themselves (`gates`, `judge`), whose numbers are only read here.

use plimsoll_model::{Span, Timestamp, Verdict};

use crate::course::Study;
use crate::evidence::probability;
use crate::forecast::{runway, time_left};
use crate::gates::{counted, needs};
use crate::judge::{Finding, Why};
use crate::report::{quantity, told};
use crate::rivals::Story;
use crate::scene::Scene;
use crate::thresholds as limits;
use crate::trend::Trend;

/// What would change the verdict, the nearest first.
pub(super) fn turns(scene: &Scene<'_>, spoke: &Finding<'_>) -> Vec<String> {
    match spoke.verdict {
        Verdict::Leaking => leaking(spoke),
        Verdict::Suspect | Verdict::Undecided => waiting(scene, spoke),
        Verdict::Steady => steady(spoke),
    }
}

/// How near a gate is to closing, as a share of its threshold, and what would close it.
struct Slack(f64, String);

fn leaking(spoke: &Finding<'_>) -> Vec<String> {
    if let Some(again) = spoke.repeated {
        return vec![format!(
            "steady if more than a quarter of its runs stop to climb at the same pace: {} runs were \
             compared",
            again.runs
        )];
    }
    if spoke.why == Why::Restarted {
        return vec![
            "judged by itself again when the run since the restart was seen for long \
                     enough; a deploy in between would end this verdict at once"
                .into(),
        ];
    }
    let Some(trend) = spoke.study.trend else { return Vec::new() };
    if spoke.why == Why::GrowsOn {
        return vec![format!(
            "suspect or steady if it slows further: below {:.0} % of the pace at which it was told",
            100.0 * limits::GROWS_ON.default
        )];
    }
    let mut gates = gates(spoke, &trend);
    gates.sort_by(|a, b| a.0.total_cmp(&b.0));
    gates.into_iter().take(2).map(|Slack(_, says)| says).collect()
}

/// Every gate that a leak passed, with how far it was from closing.
fn gates(spoke: &Finding<'_>, trend: &Trend) -> Vec<Slack> {
    let study = &spoke.study;
    let unit = study.rung.metric.unit();
    let above = |value: f64, need: f64| (value - need) / need.max(f64::MIN_POSITIVE);
    let surprise = needs(&spoke.beside).1.default;
    let odds: f64 = spoke.evidence.iter().map(|fact| fact.weight).sum();
    let sure = limits::CONFIDENCE_LEAKING.default;
    let odds_needed = (sure / (1.0 - sure)).ln();
    let given_back = limits::GIVEN_BACK_MAX.default;
    let (late, pace) = (limits::LATE_MIN.default, limits::PACE_MIN.default);
    let percent = |share: f64| 100.0 * share;
    let mut gates = vec![
        Slack(
            above(trend.surprise, surprise),
            format!(
                "suspect if it grows less evenly: t of the increments is {:.1}, and below {surprise} \
                 it may be a wander",
                trend.surprise
            ),
        ),
        Slack(
            above(trend.late, late),
            format!(
                "steady or suspect if it slows: its last quarter grows at {:.0} % of the pace, and \
                 below {:.0} % it is coming to rest",
                percent(trend.late),
                percent(late)
            ),
        ),
        Slack(
            above(trend.pace, pace),
            format!(
                "steady or suspect if it slows: its later half grows at {:.0} % of the earlier, and \
                 below {:.0} % it is coming to rest",
                percent(trend.pace),
                percent(pace)
            ),
        ),
        Slack(
            (given_back - trend.given_back) / given_back,
            format!(
                "steady if it falls by {}, {:.0} % of its rise",
                quantity(unit, given_back * trend.rise),
                percent(given_back)
            ),
        ),
        Slack(
            above(odds, odds_needed),
            format!(
                "suspect if the evidence weakens: it adds up to {odds:+.2} of log-odds, and \
                 {odds_needed:+.2} is needed"
            ),
        ),
    ];
    if let Some(hours) = runway(trend, study.level, study.limit) {
        let most = limits::RUNWAY_MAX.default;
        let says =
            format!("steady if its limit were {most:.0} h away: it is reached in {hours:.1} h");
        gates.push(Slack(above(most, hours), says));
    }
    gates
}

/// What a suspect or undecided series waits for.
fn waiting(scene: &Scene<'_>, spoke: &Finding<'_>) -> Vec<String> {
    let study = &spoke.study;
    if let Why::TooFewSamples { ready_at } | Why::TooShort { ready_at } = &spoke.why {
        return vec![samples(scene, spoke, *ready_at)];
    }
    let Some(trend) = study.trend else { return Vec::new() };
    match &spoke.why {
        Why::StillSlowing => slowing(study, &trend),
        Why::Wanders => wandering(spoke, &trend),
        Why::StillFilling => vec![format!(
            "steady when the cache rests: the last quarter of the rise is {:.0} % of the pace, and \
             {:.0} % or less is rest",
            100.0 * trend.late,
            100.0 * limits::LATE_MIN.default
        )],
        Why::CannotTell(story) => cannot_tell(spoke, *story),
        Why::Steps => vec![
            "leaking if it rises between its steps as well".into(),
            "steady if no further step follows".into(),
        ],
        Why::Blind(what) => vec![format!(
            "leaking if a series nearer to what the program holds is measured and grows: {what}"
        )],
        Why::NoCollectionSeen => uncollected(study, &trend),
        Why::DayNotSeen => vec![day(spoke, &trend)],
        Why::TimeToWait => vec![time_to_wait(study, &trend)],
        Why::JustBegan => {
            let seen = trend.to - trend.from;
            let share = limits::CONFIRMED_SINCE.default;
            let more = span(seen * share / (1.0 - share));
            vec![format!("leaking if it still looks so after another {more} at this pace")]
        }
        // A leak but for its probability. The others are never suspect.
        Why::Grows
        | Why::GrowsOn
        | Why::GrowsAfterEveryRestart
        | Why::Restarted
        | Why::NothingMoved
        | Why::NeedsMore { .. }
        | Why::CameToRest
        | Why::AsItsControl(_)
        | Why::GivesBack
        | Why::BatchRuns
        | Why::Follows(_)
        | Why::OutOfSight
        | Why::TooFewSamples { .. }
        | Why::TooShort { .. }
        | Why::PageCacheOnly => vec![format!(
            "leaking if the evidence grows: it adds up to {:.3}, and {} is needed",
            probability(&spoke.evidence),
            limits::CONFIDENCE_LEAKING.default
        )],
    }
}

/// Samples that are seen, and those that are needed: from the moment at which the gate said that
/// enough will have been seen.
fn samples(scene: &Scene<'_>, spoke: &Finding<'_>, ready_at: Option<Timestamp>) -> String {
    let study = &spoke.study;
    let have = counted(study);
    let Some(ready_at) = ready_at else {
        return format!("anything else when more than {have} samples are seen");
    };
    let left = ready_at.since(scene.now);
    let need = have + missing(scene, spoke, ready_at);
    if matches!(spoke.why, Why::TooFewSamples { .. }) {
        return format!("a first verdict in {left}: {have} of {need} samples seen");
    }
    format!(
        "leaking if its floor rises for another {left} at this pace: {have} of {need} samples seen; \
         steady if it comes to rest before"
    )
}

fn missing(scene: &Scene<'_>, spoke: &Finding<'_>, ready_at: Timestamp) -> usize {
    let step = spoke.run.step_of(spoke.study.rung.metric);
    let hours = ready_at.since(scene.now).as_hours_f64();
    if step > 0.0 { (hours / step).round() as usize } else { 0 }
}

fn slowing(study: &Study, trend: &Trend) -> Vec<String> {
    let (ahead, pace) = (trend.late * trend.rise, limits::PACE_MIN.default);
    let room = study.limit.map_or(trend.rise, |limit| 0.5 * (limit - study.level));
    let unit = study.rung.metric.unit();
    let mut turns = vec![format!(
        "steady if it slows on: its later half grows at {:.0} % of the earlier and must be below \
         {:.0} %; at its present pace it would rise by {} in as long again, and must stay below {}",
        100.0 * trend.pace,
        100.0 * pace,
        quantity(unit, ahead),
        quantity(unit, room)
    )];
    turns.push(format!(
        "leaking if it stops slowing: a line must tell it better than a curve that comes to rest, by \
         less than {} of log-likelihood, now {:.1}",
        limits::MARGIN.default,
        trend.rests.unwrap_or(0.0)
    ));
    turns
}

fn wandering(spoke: &Finding<'_>, trend: &Trend) -> Vec<String> {
    let need = needs(&spoke.beside).1.default;
    vec![format!(
        "leaking if it rises more evenly: t of the increments is {:.1}, and {need} is needed",
        trend.surprise
    )]
}

fn cannot_tell(spoke: &Finding<'_>, story: Story) -> Vec<String> {
    let mut turns = vec![
        format!("leaking if {} falls and the level does not", told(story)),
        format!("steady if {} falls and the level falls with it", told(story)),
    ];
    let missing = limits::SAMPLES_ALONE.default - spoke.study.samples as f64;
    if missing > 0.0 {
        turns.push(format!(
            "suspect when both rise on: {} of {:.0} samples seen",
            spoke.study.samples,
            limits::SAMPLES_ALONE.default
        ));
    }
    turns
}

fn uncollected(study: &Study, trend: &Trend) -> Vec<String> {
    let unit = study.rung.metric.unit();
    let before = (study.level - trend.rise).max(0.0);
    let enough = quantity(unit, limits::GROWN_LAZILY.default * before);
    let level = quantity(unit, study.level);
    vec![
        format!(
            "steady if a full collection takes the rise back, leaking if it takes {:.0} % of the heap \
             and the rise stays",
            100.0 * limits::FALL_COLLECTED.default
        ),
        format!("leaking if it reaches {enough} without one: it is at {level}"),
    ]
}

fn day(spoke: &Finding<'_>, trend: &Trend) -> String {
    let seen = spoke.run.to.since(spoke.run.from).as_hours_f64();
    let left = span(limits::DAY_SEEN.default - seen);
    format!(
        "leaking if it rises for another {left}, until a whole day was seen ({seen:.1} h of {:.0} h); \
         sooner if it stays as straight for {:.0} h (now {:.1} h), if its limit comes within {:.0} h, \
         or if the requests are measured",
        limits::DAY_SEEN.default,
        limits::MORNING.default,
        trend.to - trend.from,
        limits::RUNWAY_SHORT.default
    )
}

/// It has been seen for `seen`, and needs a share of the time that is left, which shrinks meanwhile.
fn time_to_wait(study: &Study, trend: &Trend) -> String {
    let (seen, left) = (trend.to - trend.from, time_left(trend, study));
    let share = limits::WAIT_SHARE.default;
    let more = (share * left - seen) / (1.0 + share);
    format!(
        "leaking if its floor rises for another {} at this pace: seen for {}, and {:.0} % of the {} \
         that are left to act are needed",
        span(more),
        span(seen),
        100.0 * share,
        span(left)
    )
}

fn steady(spoke: &Finding<'_>) -> Vec<String> {
    let study = &spoke.study;
    let unit = study.rung.metric.unit();
    let rise = study.trend.map_or(0.0, |trend| trend.rise).max(0.0);
    let moved = format!(
        "suspect or leaking if its floor rises by {} and goes on: it rose by {} in {}",
        quantity(unit, study.material),
        quantity(unit, rise),
        span(study.trend.map_or(0.0, |trend| trend.to - trend.from))
    );
    let one = match &spoke.why {
        Why::Follows(story) | Why::CannotTell(story) => {
            format!("suspect or leaking if {} falls and the level does not", told(*story))
        }
        Why::OutOfSight => out_of_sight(study),
        Why::AsItsControl(_) => {
            "leaking if it goes on to rise where what ran before came to rest, \
                                 or grows twice as fast"
                .into()
        }
        Why::BatchRuns => "judged by its rise again when the batch has ended".into(),
        Why::CameToRest | Why::StillSlowing => rested(study, moved),
        Why::GivesBack => format!(
            "suspect or leaking if it stops giving back: less than {:.0} % of a rise of {}",
            100.0 * limits::GIVEN_BACK_MAX.default,
            quantity(unit, study.material)
        ),
        Why::Wanders => return study.trend.map(|t| wandering(spoke, &t)).unwrap_or_default(),
        Why::NothingMoved
        | Why::NeedsMore { .. }
        | Why::PageCacheOnly
        | Why::Steps
        | Why::StillFilling
        | Why::Blind(_)
        | Why::NoCollectionSeen
        | Why::DayNotSeen
        | Why::TimeToWait
        | Why::JustBegan
        | Why::TooFewSamples { .. }
        | Why::TooShort { .. }
        | Why::Grows
        | Why::GrowsOn
        | Why::GrowsAfterEveryRestart
        | Why::Restarted => moved,
    };
    vec![one]
}

fn out_of_sight(study: &Study) -> String {
    let hours = study.trend.and_then(|trend| runway(&trend, study.level, study.limit));
    let pace = hours.map_or(0.0, |hours| hours / limits::RUNWAY_MAX.default);
    format!(
        "leaking if it grows {pace:.1} times as fast: its limit would be {:.0} h away",
        limits::RUNWAY_MAX.default
    )
}

fn rested(study: &Study, moved: String) -> String {
    let Some(trend) = study.trend.filter(|trend| trend.rise >= study.material) else {
        return moved;
    };
    format!(
        "suspect if it speeds up again: its last quarter grows at {:.0} % of the pace (rest is below \
         {:.0} %), its later half at {:.0} % of the earlier (below {:.0} %)",
        100.0 * trend.late,
        100.0 * limits::LATE_MIN.default,
        100.0 * trend.pace,
        100.0 * limits::PACE_MIN.default
    )
}

fn span(hours: f64) -> Span {
    Span::from_secs_f64(hours.max(0.0) * 3600.0)
}
