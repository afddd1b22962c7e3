//! What is left of a series when load, backlog, caches and the time of day have taken their part.
//!
//! Not here: how a part is recognised (`rivals`, `season`), or what the remainder does (`course`).

use plimsoll_model::Metric;

use crate::course::Course;
use crate::envelope::{Block, along, coarser, floor, span, without_teeth};
use crate::rivals::{Compared, DRIVERS, Relation, Story, compared};
use crate::scene::{Run, Scene};
use crate::season::{Period, period};
use crate::trend::Point;

/// Blocks on which another series is compared with this one.
pub(crate) const COMPARED: usize = 96;

/// Fewer blocks follow any shape that six numbers can take.
const SEASON_BLOCKS: usize = 40;

/// What is left of a series when its rivals have taken their part.
pub(crate) struct Remainder {
    pub(crate) free: Vec<Block>,
    pub(crate) load: Option<Vec<f64>>,
    pub(crate) moved_by: Option<(Metric, Story)>,
    pub(crate) seasonal: bool,
    pub(crate) course: Option<Course>,
    /// Every series that was heard, with what came of it.
    pub(crate) heard: Vec<(Metric, Story, Compared)>,
    pub(crate) period: Option<Period>,
}

impl Remainder {
    pub(crate) fn of(scene: &Scene<'_>, run: &Run<'_>, blocks: &[Block], material: f64) -> Self {
        let mut found = Self {
            free: blocks.to_vec(),
            load: None,
            moved_by: None,
            seasonal: false,
            course: None,
            heard: Vec::new(),
            period: None,
        };
        if span(blocks) < material {
            return found;
        }
        let coarse = coarser(blocks, COMPARED);
        for (metric, story) in DRIVERS {
            let measured = run.outline(metric).filter(|outline| outline.samples() >= 8);
            let Some(outline) = measured else { continue };
            let driver = along(blocks, outline, scene.origin);
            if story == Story::Load && found.load.is_none() {
                found.load = Some(driver.clone());
            }
            let beside = along(&coarse, outline, scene.origin);
            let Some(said) = compared(&coarse, &beside) else { continue };
            found.heard.push((metric, story, said));
            found.weigh((metric, story), said.relation, (&driver, material));
            if matches!(found.course, Some(Course::Follows(_))) {
                return found;
            }
        }
        // Garbage folds into false seasons, so a season is sought in the floor where there is one.
        let envelope = floor(blocks);
        let sought = if without_teeth(&envelope) { &envelope } else { &coarse };
        if found.moved_by.is_none() && sought.len() >= SEASON_BLOCKS {
            found.period = period(sought);
        }
        if let Some(part) = found.period.and_then(|period| period.part(blocks)) {
            found.take(&part);
            found.seasonal = true;
        }
        found
    }

    fn weigh(
        &mut self,
        (metric, story): (Metric, Story),
        found: Relation,
        (driver, material): (&[f64], f64),
    ) {
        match found {
            Relation::Apart => {}
            Relation::Follows { .. } => {
                self.moved_by = Some((metric, story));
                self.course = Some(Course::Follows(story));
            }
            Relation::CannotTell => self.course = Some(Course::CannotTell(story)),
            Relation::Beside { per_unit } => {
                let low = driver.iter().copied().fold(f64::INFINITY, f64::min);
                let high = driver.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                if per_unit * (high - low) < material {
                    return;
                }
                let mean = driver.iter().sum::<f64>() / driver.len().max(1) as f64;
                let part: Vec<f64> = driver.iter().map(|d| per_unit * (d - mean)).collect();
                self.take(&part);
                self.moved_by = self.moved_by.or(Some((metric, story)));
            }
        }
    }

    fn take(&mut self, part: &[f64]) {
        for (block, part) in self.free.iter_mut().zip(part) {
            block.value -= part;
        }
    }
}

/// Puts the floor on the axis of work: the load so far, where load is known.
pub(crate) fn points(floor: &[Block], load: Option<&[f64]>, fine: &[Block]) -> Vec<Point> {
    let mut done = 0.0;
    let mut before = fine.first().map_or(0.0, |block| block.at);
    let work: Vec<(f64, f64)> = load
        .map(|load| {
            let steps = fine.iter().zip(load).map(|(block, load)| {
                done += load.max(0.0) * (block.at - before);
                before = block.at;
                (block.at, done)
            });
            steps.collect()
        })
        .unwrap_or_default();
    let work_at = |at: f64| {
        let index = work.partition_point(|(when, _)| *when < at);
        work.get(index).or_else(|| work.last()).map_or(at, |(_, done)| *done)
    };
    let point = |block: &Block| Point {
        at: block.at,
        work: work_at(block.at),
        value: block.value,
        samples: block.samples,
    };
    floor.iter().map(point).collect()
}
