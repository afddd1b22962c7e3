//! Every number that a verdict hangs on, declared once: what it is, its unit, its default, and
//! why it is that.
//!
//! Not here: numbers of pure arithmetic (how many blocks an envelope has), which stay where they
//! are used. The documents print [`ALL`].

/// One number that decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    pub name: &'static str,
    pub unit: &'static str,
    pub default: f64,
    pub rationale: &'static str,
}

pub const SAMPLES_MIN: Threshold = Threshold {
    name: "samples_min",
    unit: "samples",
    default: 30.0,
    rationale: "fewer cannot show a course at all, not even a flat one",
};

pub const SAMPLES_ALONE: Threshold = Threshold {
    name: "samples_alone",
    unit: "samples",
    default: 180.0,
    rationale: "a growth with nothing to compare it to may be a warm-up or a filling cache: those \
                take minutes at one second and hours at five minutes, and must have had the time \
                to slow down",
};

pub const SAMPLES_BESIDE: Threshold = Threshold {
    name: "samples_beside",
    unit: "samples",
    default: 90.0,
    rationale: "something flat stands beside the growth (the replicas, the time before), yet not \
                at equal uptime: a warm-up is not excluded by it, only made less likely",
};

pub const SAMPLES_CONTROLLED: Threshold = Threshold {
    name: "samples_controlled",
    unit: "samples",
    default: 30.0,
    rationale: "the same process before the change, or the previous version at equal uptime, did \
                not grow: that excludes warm-up and load, and only noise is left to exclude",
};

pub const FALL_COLLECTED: Threshold = Threshold {
    name: "fall_collected",
    unit: "share of the used heap",
    default: 0.2,
    rationale: "a full collection gives back at least this much of a heap that had grown to need \
                one; young collections give back less of the whole",
};

pub const GROWN_LAZILY: Threshold = Threshold {
    name: "grown_lazily",
    unit: "times the used heap before the rise",
    default: 2.0,
    rationale: "collectors that pace themselves by growth (V8, Go, G1) run a full collection by \
                the time the heap has about doubled; below that all of the rise may be garbage",
};

pub const SHARE_MATERIAL: Threshold = Threshold {
    name: "share_material",
    unit: "share of the limit",
    default: 0.02,
    rationale: "a rise below this is within what allocators and collectors move by themselves",
};

pub const SHARE_MATERIAL_UNLIMITED: Threshold = Threshold {
    name: "share_material_unlimited",
    unit: "share of the level",
    default: 0.10,
    rationale: "without a limit only the level itself can say what is much; percentages of a \
                small base mislead, so this is coarser",
};

pub const BYTES_MATERIAL: Threshold = Threshold {
    name: "bytes_material",
    unit: "bytes",
    default: 4_194_304.0,
    rationale: "without a limit, and below 4 MiB, nobody can act on it; a 12 MiB process that \
                breathes would raise it every hour",
};

pub const SHARE_MATERIAL_HELD: Threshold = Threshold {
    name: "share_material_held",
    unit: "share of the level before",
    default: 0.5,
    rationale: "limits of handles are often set a thousand times too high to measure by",
};

pub const HELD_MATERIAL: Threshold = Threshold {
    name: "held_material",
    unit: "handles, threads or connections",
    default: 16.0,
    rationale: "pools and keep-alive connections move by this much",
};

pub const HELD_MATERIAL_UNLIMITED: Threshold = Threshold {
    name: "held_material_unlimited",
    unit: "handles, threads or connections",
    default: 100.0,
    rationale: "without a limit, a pool that fills to its bound looks like a leak until it is full, \
                and most pools are bounded below this",
};

pub const DOUBLING_MAX: Threshold = Threshold {
    name: "doubling_max",
    unit: "hours",
    default: 336.0,
    rationale: "handles that double within two weeks are a leak however high their limit is set",
};

pub const DAY_SEEN: Threshold = Threshold {
    name: "day_seen",
    unit: "hours",
    default: 24.0,
    rationale: "where load is not measured, any rise may be the morning, until a whole day was seen; \
                and what rests may be the night, or gone, until then",
};

pub const MORNING: Threshold = Threshold {
    name: "morning",
    unit: "hours",
    default: 6.0,
    rationale: "a quarter of a day: a sine that has risen for longer is seen to bend, and an alert \
                that stood for longer may be about work that is done by day",
};

pub const RUNWAY_SHORT: Threshold = Threshold {
    name: "runway_short",
    unit: "hours",
    default: 12.0,
    rationale: "with less than that to the limit nobody can wait for the night to tell, or sleep",
};

pub const RUNWAY_MAX: Threshold = Threshold {
    name: "runway_max",
    unit: "hours",
    default: 2160.0,
    rationale: "a limit that is 90 days away is reached by fewer services than are redeployed",
};

pub const SURPRISE_MIN: Threshold = Threshold {
    name: "surprise_min",
    unit: "t of the increments",
    default: 4.0,
    rationale: "increments of a wandering level are independent, so their t keeps its promise \
                where a trend test on the levels has 14 to 44 % false positives",
};

pub const SURPRISE_CONTROLLED: Threshold = Threshold {
    name: "surprise_controlled",
    unit: "t of the increments",
    default: 3.5,
    rationale: "with a control the wander of the control is known, and less is left to chance",
};

pub const GIVEN_BACK_MAX: Threshold = Threshold {
    name: "given_back_max",
    unit: "share of the rise",
    default: 0.35,
    rationale: "what falls by a third of what it rose gives memory back; a leak does not",
};

pub const PACE_MIN: Threshold = Threshold {
    name: "pace_min",
    unit: "growth of the later half over the earlier",
    default: 0.5,
    rationale: "what has lost half of its pace is on its way to a level",
};

pub const PACE_REPEATED: Threshold = Threshold {
    name: "pace_repeated",
    unit: "growth of the later half over the earlier",
    default: 0.6,
    rationale: "a warm-up that comes again with every restart loses more of its pace than this",
};

pub const STRAIGHT: Threshold = Threshold {
    name: "straight",
    unit: "growth of a part over the whole",
    default: 0.75,
    rationale: "parts of a straight line grow at the pace of the whole, within what noise does",
};

pub const LATE_MIN: Threshold = Threshold {
    name: "late_min",
    unit: "growth of the last quarter over the whole",
    default: 0.35,
    rationale: "leaking is said only of what still goes on",
};

pub const WAIT_SHARE: Threshold = Threshold {
    name: "wait_share",
    unit: "time seen over time left",
    default: 0.05,
    rationale: "the longer there is to act, the surer one can afford to be; of a leak that fills in \
                two weeks 17 hours must be seen",
};

pub const CONFIRMED_SINCE: Threshold = Threshold {
    name: "confirmed_since",
    unit: "share of the rise seen",
    default: 0.12,
    rationale: "what grows by chance does not grow at two looks: it must have looked like a leak \
                without its newest eighth as well",
};

pub const LOOK_BACK: Threshold = Threshold {
    name: "look_back",
    unit: "share of the time seen",
    default: 0.2,
    rationale: "a leak that was told a fifth of its time ago is only taken back when it rests",
};

pub const GROWS_ON: Threshold = Threshold {
    name: "grows_on",
    unit: "growth since over growth before",
    default: 0.4,
    rationale: "a slower hour is no rest; less than this is",
};

pub const MARGIN: Threshold = Threshold {
    name: "margin",
    unit: "difference of log-likelihood",
    default: 4.0,
    rationale: "a rival must be about fifty times as likely before its story is preferred",
};

pub const CONTROL_SHARE: Threshold = Threshold {
    name: "control_share",
    unit: "growth of the control over the growth",
    default: 0.25,
    rationale: "a control that grows a quarter as fast is flat next to it",
};

pub const TREND_LEFT: Threshold = Threshold {
    name: "trend_left",
    unit: "share of the trend",
    default: 0.3,
    rationale: "when load takes away more than this much of the trend, load is the story",
};

pub const CONFIDENCE_LEAKING: Threshold = Threshold {
    name: "confidence_leaking",
    unit: "probability",
    default: 0.9,
    rationale: "below it a person should look before anybody acts",
};

pub const TOLD_SHARE: Threshold = Threshold {
    name: "told_share",
    unit: "time told over time since the onset",
    default: 0.1,
    rationale: "a leak that is told once may be chance; one that has been told for a tenth of its \
                time is not",
};

pub const REST_SHARE: Threshold = Threshold {
    name: "rest_share",
    unit: "time steady over time that the alert stood before",
    default: 0.25,
    rationale: "a leak pauses with the night and goes on in the morning: only a rest that is long by \
                its own measure ends an alert",
};

pub const RISK_PAGE: Threshold = Threshold {
    name: "risk_page",
    unit: "probability of a leak that reaches the limit within runway_short",
    default: 0.5,
    rationale: "somebody is woken when a night without him more likely than not ends at the limit",
};

pub const RISK_EASED: Threshold = Threshold {
    name: "risk_eased",
    unit: "probability of a leak that reaches the limit within runway_short",
    default: 0.3,
    rationale: "a page is a ticket again well below what made it one, so that nobody is paged for \
                each crossing of a line",
};

pub const SUSPECT_REST: Threshold = Threshold {
    name: "suspect_rest",
    unit: "hours steady",
    default: 0.25,
    rationale: "a suspicion that comes and goes within a quarter of an hour is one suspicion",
};

pub const STEADY_LEAST: Threshold = Threshold {
    name: "steady_least",
    unit: "probability",
    default: 0.70,
    rationale: "how often a steady verdict with the most against it is right, by the back-test",
};

pub const STEADY_MOST: Threshold = Threshold {
    name: "steady_most",
    unit: "probability",
    default: 0.93,
    rationale: "how often the flattest one is right: a leak may be too young to be seen",
};

pub const SHARED_SERVICES: Threshold = Threshold {
    name: "shared_services",
    unit: "services",
    default: 5.0,
    rationale: "fewer that begin to grow at one moment may depend on each other, as a service and \
                those that call it; five unrelated ones share something",
};

pub const SHARED_WINDOW: Threshold = Threshold {
    name: "shared_window",
    unit: "share of the time watched",
    default: 0.03,
    rationale: "how far apart two beginnings may be found that were one moment: the beginning of a \
                growth is known to about this share of the time that it is seen in",
};

pub const SHARED_WATCHED: Threshold = Threshold {
    name: "shared_watched",
    unit: "windows",
    default: 10.0,
    rationale: "a service that was watched for less can have begun in few other places, so that it \
                began just there tells nothing, and it would speak for all of the group",
};

pub const SHARED_CHANCE: Threshold = Threshold {
    name: "shared_chance",
    unit: "probability",
    default: 0.001,
    rationale: "that independent beginnings lie so together; it is asked at every assessment, and \
                while it stands no plan is made, so it must be no matter of luck",
};

pub const BASELINE_WEEKS: Threshold = Threshold {
    name: "baseline_weeks",
    unit: "weeks",
    default: 3.0,
    rationale: "with fewer, one holiday is half of what an hour of the week is compared with",
};

pub const BASELINE_DAYS: Threshold = Threshold {
    name: "baseline_days",
    unit: "days",
    default: 3.0,
    rationale: "of three the middle one is none of the extremes; what an hour usually does cannot be \
                told from fewer",
};

pub const BASELINE_CELLS: Threshold = Threshold {
    name: "baseline_cells",
    unit: "cells of an outline",
    default: 80.0,
    rationale: "four cells lie above the p95 of them, and it is half of an outline that has just \
                been merged",
};

pub const BASELINE_BLUR: Threshold = Threshold {
    name: "baseline_blur",
    unit: "hours of a cell",
    default: 6.0,
    rationale: "a cell that is longer than a quarter of a day holds the morning and the night; the \
                cells of one process stay below it for 40 days at least",
};

pub const DRIFT_CELLS: Threshold = Threshold {
    name: "drift_cells",
    unit: "cells of an outline",
    default: 20.0,
    rationale: "a level of fewer has no middle that a warm-up or a batch at its end does not move",
};

pub const DRIFT_SPREADS: Threshold = Threshold {
    name: "drift_spreads",
    unit: "robust standard deviations",
    default: 4.0,
    rationale: "a new level that lies within what the old one did anyway is the old normal",
};

pub const DRIFT_AT_ONCE: Threshold = Threshold {
    name: "drift_at_once",
    unit: "share of the move",
    default: 0.6,
    rationale: "normal moves at a moment; what creeps moves a tenth of its way there, and is the \
                verdict's to tell",
};

pub const DRIFT_LASTS: Threshold = Threshold {
    name: "drift_lasts",
    unit: "hours on either side",
    default: 120.0,
    rationale: "of five days a weekend is the smaller part, so that it is no new normal; a change \
                that fits the onset explains it sooner, after a day (day_seen)",
};

/// All of them, in the order in which a verdict meets them.
pub const ALL: &[Threshold] = &[
    SAMPLES_MIN,
    SAMPLES_ALONE,
    SAMPLES_BESIDE,
    SAMPLES_CONTROLLED,
    FALL_COLLECTED,
    GROWN_LAZILY,
    SHARE_MATERIAL,
    SHARE_MATERIAL_UNLIMITED,
    BYTES_MATERIAL,
    SHARE_MATERIAL_HELD,
    HELD_MATERIAL,
    HELD_MATERIAL_UNLIMITED,
    RUNWAY_MAX,
    DOUBLING_MAX,
    DAY_SEEN,
    MORNING,
    RUNWAY_SHORT,
    SURPRISE_MIN,
    SURPRISE_CONTROLLED,
    GIVEN_BACK_MAX,
    PACE_MIN,
    PACE_REPEATED,
    STRAIGHT,
    LATE_MIN,
    WAIT_SHARE,
    CONFIRMED_SINCE,
    LOOK_BACK,
    GROWS_ON,
    MARGIN,
    CONTROL_SHARE,
    TREND_LEFT,
    CONFIDENCE_LEAKING,
    TOLD_SHARE,
    REST_SHARE,
    RISK_PAGE,
    RISK_EASED,
    SUSPECT_REST,
    STEADY_LEAST,
    STEADY_MOST,
    SHARED_SERVICES,
    SHARED_WINDOW,
    SHARED_WATCHED,
    SHARED_CHANCE,
    BASELINE_WEEKS,
    BASELINE_DAYS,
    BASELINE_CELLS,
    BASELINE_BLUR,
    DRIFT_CELLS,
    DRIFT_SPREADS,
    DRIFT_AT_ONCE,
    DRIFT_LASTS,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_threshold_has_its_own_name_and_a_reason() {
        let mut names: Vec<_> = ALL.iter().map(|threshold| threshold.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|threshold| threshold.rationale.len() > 20));
    }
}
