//! Why a verdict is what it is: the explanations that competed, the picture they were judged by, and
//! what would change the verdict.
//!
//! Reads what [`crate::assess`] has studied and weighed, and judges nothing itself: every measure
//! here is the one that the verdict hung on. Used by `plimsoll scan --explain`.

mod measures;
mod picture;
mod rivals;
mod turns;

use plimsoll_model::{
    Assessment, InstanceName, Metric, ServiceHistory, Timestamp, Unit, Verdict, Version,
};

pub use self::picture::{Line, Mark, Picture};
pub use self::rivals::{Fits, Rival, RivalName, Score, Standing};
use crate::baseline::{Baseline, baselines};
use crate::judge::{Finding, findings};
use crate::ladder::measured;
use crate::report::{reason, report, speaker};
use crate::scene::{Run, Scene};

/// An assessment, and how it came about.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Exactly what [`crate::assess`] says.
    pub assessment: Assessment,
    /// The series that spoke. None where nothing is measured that could leak.
    pub speaker: Option<Speaker>,
    /// Every other series that could have spoken, of every instance that runs.
    pub others: Vec<OtherSeries>,
}

/// The series that spoke for the service.
#[derive(Clone, Debug)]
pub struct Speaker {
    pub instance: InstanceName,
    pub version: Option<Version>,
    pub metric: Metric,
    /// Why this series and no other, in words.
    pub chosen: String,
    pub samples: usize,
    /// The newest value, in the unit of the metric.
    pub level: f64,
    pub limit: Option<f64>,
    /// A rise below this does not matter.
    pub material: f64,
    /// In the order in which a verdict meets them.
    pub rivals: Vec<Rival>,
    pub picture: Picture,
    /// What is usual for it at this hour, and for the load where it is measured.
    pub usual: Vec<Baseline>,
    /// What would change the verdict, the nearest first.
    pub turns: Vec<String>,
}

/// A series that did not speak.
#[derive(Clone, Debug)]
pub struct OtherSeries {
    pub instance: InstanceName,
    pub metric: Metric,
    /// None where it was not asked.
    pub verdict: Option<Verdict>,
    pub says: String,
}

/// Explains the assessment of one service at one moment, with the same arguments as
/// [`crate::assess`] and about the same cost.
pub fn explain(history: &ServiceHistory, now: Timestamp) -> Explanation {
    let scene = Scene::of(history, now);
    let findings = findings(&scene);
    let Some(spoke) = speaker(&findings) else {
        let others = unasked(&scene, &[]);
        return Explanation { assessment: report(&scene, &[]), speaker: None, others };
    };
    let mut others: Vec<OtherSeries> = findings
        .iter()
        .filter(|found| !std::ptr::eq(*found, spoke))
        .map(|found| other(&scene, found))
        .collect();
    others.extend(unasked(&scene, &findings));
    let speaker = Some(speaking(&scene, spoke, findings.len()));
    Explanation { assessment: report(&scene, &findings), speaker, others }
}

fn speaking(scene: &Scene<'_>, spoke: &Finding<'_>, of: usize) -> Speaker {
    let study = &spoke.study;
    let rivals = rivals::rivals(scene, spoke);
    Speaker {
        instance: spoke.run.life.instance.clone(),
        version: spoke.run.life.version.clone(),
        metric: study.rung.metric,
        chosen: chosen(spoke, of),
        samples: study.samples,
        level: study.level,
        limit: study.limit,
        material: study.material,
        turns: turns::turns(scene, spoke),
        picture: picture::picture(scene, spoke),
        usual: baselines(scene, spoke),
        rivals,
    }
}

fn chosen(spoke: &Finding<'_>, of: usize) -> String {
    let place = if spoke.study.rung.beyond_heap {
        "what the footprint does beyond the heap, which rests"
    } else {
        match spoke.study.rung.metric {
            Metric::RuntimeHeapLive => {
                "what lives after a collection, the nearest to what it holds"
            }
            Metric::RuntimeHeapUsed => "the heap; what lives in it is not measured by itself",
            metric if metric.unit() == Unit::Bytes => {
                "the memory nearest to what the program holds, of what is measured"
            }
            _ => "what it holds besides memory, which is judged by itself",
        }
    };
    match of {
        0 | 1 => format!("{place}; no other series was asked"),
        _ => {
            format!("{place}; of {of} series that were asked it has the gravest and surest verdict")
        }
    }
}

fn other(scene: &Scene<'_>, found: &Finding<'_>) -> OtherSeries {
    let instance = found.run.life.instance.clone();
    let says = reason(scene, found, std::slice::from_ref(&instance), 1);
    OtherSeries { instance, metric: found.study.rung.metric, verdict: Some(found.verdict), says }
}

/// Series of the ladder that are measured and were not asked.
fn unasked(scene: &Scene<'_>, findings: &[Finding<'_>]) -> Vec<OtherSeries> {
    let of_run = |run: &Run<'_>| -> Vec<OtherSeries> {
        let asked = |metric: Metric| {
            findings.iter().any(|found| {
                found.run.life.instance == run.life.instance && found.study.rung.metric == metric
            })
        };
        let rungs = measured(run.life, scene.silent_before(run)).into_iter();
        let rungs = rungs.filter(|rung| !asked(rung.metric));
        let silent = |metric: Metric| {
            let says = match metric.unit() {
                Unit::Bytes => "a series nearer to what the program holds speaks instead",
                Unit::Count | Unit::Seconds | Unit::PerSecond => "does not move by itself",
            };
            let instance = run.life.instance.clone();
            OtherSeries { instance, metric, verdict: None, says: says.into() }
        };
        rungs.map(|rung| silent(rung.metric)).collect()
    };
    scene.running().iter().flat_map(of_run).collect()
}

#[cfg(test)]
mod tests;
