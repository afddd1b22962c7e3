//! What each way to look into a process costs, what speaks against it, and which one is taken.
//!
//! Pure. Not here: how the costs are known (`survey`).

use std::time::Duration;

use plimsoll_model::Bytes;
use thiserror::Error;

use super::error::CaptureError;
use super::{Contents, Order, Rung};
use crate::experience::PredictedSize;
use crate::identify::RuntimeKind;
use crate::pause::{CaptureKind, PredictedPause};
use crate::room::DiskRoom;

/// What a capture takes from the service and from the machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// `None` when the service does not stand still.
    pub pause: Option<PredictedPause>,
    pub file: PredictedSize,
    /// What the process takes beyond what it has.
    pub memory: Bytes,
    /// Under which the pause is remembered.
    pub kind: Option<CaptureKind>,
}

impl Cost {
    /// Of something that does not stop the service: no pause, no memory, a file of this size.
    pub(super) fn only_file(at_most: Bytes) -> Self {
        let file = PredictedSize { expected: at_most, at_most };
        Self { pause: None, file, memory: Bytes(0), kind: None }
    }
}

/// Why a capture is not made, though it could be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Objection {
    #[error("the runtime cannot be asked for it: {why}")]
    CannotAsk { why: String },
    #[error(
        "it holds values of users, and there is no redactor for it here; take another rung, or \
         have it written unredacted"
    )]
    Withheld,
    #[error(
        "the service would stand still for up to {:.1} s, and {:.1} s are allowed; ask for more \
         with --max-pause, or take it anyway with --accept-pause", .at_most.as_secs_f64(),
        .allowed.as_secs_f64()
    )]
    Pause { at_most: Duration, allowed: Duration },
    #[error(
        "the process would take {needed} more memory, and {headroom} are left below its limit; \
         raise the limit, or take it anyway with --accept-memory"
    )]
    Memory { needed: Bytes, headroom: Bytes },
    #[error(
        "the {place} needs room for {needed}, and {usable} are free beside a reserve of {reserve}; \
         make room or choose another disk"
    )]
    Disk { place: &'static str, needed: Bytes, usable: Bytes, reserve: Bytes },
}

/// One rung, as it can be had now.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    pub rung: Rung,
    pub contents: Contents,
    pub cost: Cost,
    pub objection: Option<Objection>,
}

/// What there is room for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Room {
    pub(super) output: DiskRoom,
    /// Where the process itself writes, when it does.
    pub(super) target: Option<DiskRoom>,
    pub(super) headroom: Option<Bytes>,
}

impl Offer {
    pub(super) fn new(rung: Rung, contents: Contents, cost: Cost) -> Self {
        Self { rung, contents, cost, objection: None }
    }

    pub(super) fn cannot_ask(mut self, why: &str) -> Self {
        self.objection = Some(Objection::CannotAsk { why: why.to_owned() });
        self
    }

    /// With the first thing that speaks against it, unless one is known already.
    pub(super) fn weighed(mut self, order: &Order, room: &Room) -> Self {
        let known = self.objection.take();
        self.objection = known
            .or_else(|| (order.withheld)(self.contents).then_some(Objection::Withheld))
            .or_else(|| self.pause_objection(order))
            .or_else(|| self.memory_objection(order, room))
            .or_else(|| self.disk_objection(room));
        self
    }

    fn pause_objection(&self, order: &Order) -> Option<Objection> {
        let at_most = self.cost.pause.as_ref()?.at_most;
        let allowed = order.pause_max;
        let is_over = at_most > allowed && !order.accept_pause;
        is_over.then_some(Objection::Pause { at_most, allowed })
    }

    fn memory_objection(&self, order: &Order, room: &Room) -> Option<Objection> {
        let writes = room.target.filter(|_| self.contents == Contents::Hprof);
        let in_memory = writes.filter(|disk| disk.in_memory).map(|_| self.cost.file.at_most.0);
        let needed = Bytes(self.cost.memory.0.saturating_add(in_memory.unwrap_or(0)));
        let headroom = room.headroom?;
        let is_over = needed > headroom && !order.accept_memory;
        is_over.then_some(Objection::Memory { needed, headroom })
    }

    fn disk_objection(&self, room: &Room) -> Option<Objection> {
        let one = self.cost.file.at_most;
        let short = |place, needed: Bytes, disk: DiskRoom| {
            let (usable, reserve) = (disk.usable(), disk.reserve);
            let is_short = needed > usable;
            is_short.then_some(Objection::Disk { place, needed, usable, reserve })
        };
        let target = room.target.filter(|_| self.contents == Contents::Hprof);
        let Some(target) = target else { return short("folder of the output", one, room.output) };
        if target.shares_with(&room.output) {
            // The dump of the process and our copy of it are there at once.
            let both = Bytes(one.0.saturating_mul(2));
            return short("disk of the process's folder and of the output", both, room.output);
        }
        short("folder in which the process writes", one, target)
            .or_else(|| short("folder of the output", one, room.output))
    }
}

/// Which of the offers is taken: the one that was asked for, or the best that nothing speaks
/// against.
///
/// # Errors
/// When something speaks against it, or it is not offered.
pub fn choose(order: &Order, kind: RuntimeKind, offers: &[Offer]) -> Result<Chosen, CaptureError> {
    let pid = order.pid;
    let in_question = |offer: &Offer| match order.rung {
        Some(asked) => offer.rung == asked,
        None => offer.rung != Rung::Goroutines,
    };
    let mut objected = None;
    for (index, offer) in offers.iter().enumerate().filter(|(_, offer)| in_question(offer)) {
        match &offer.objection {
            None => return Ok(Chosen(index)),
            Some(objection) => objected = Some((offer.rung, objection.clone())),
        }
    }
    let Some((rung, objection)) = objected else {
        let offered: Vec<&str> = Rung::of(kind).iter().map(|rung| rung.word()).collect();
        let rung = order.rung.unwrap_or(Rung::Counters);
        return Err(CaptureError::NotOffered { kind, rung, offered: offered.join(", ") });
    };
    Err(CaptureError::Objected { pid, rung, objection })
}

/// The place of an offer among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen(pub usize);

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const MIB: u64 = 1 << 20;

    fn disk(free_mib: u64, id: u64) -> DiskRoom {
        let (free, total) = (Bytes(free_mib * MIB), Bytes(9000 * MIB + id));
        DiskRoom { free, total, reserve: Bytes(100 * MIB), id, in_memory: false }
    }

    fn order() -> Order {
        Order::new(Path::new("/proc"), 7, Path::new("."))
    }

    fn dump(pause_ms: u64, file_mib: u64) -> Offer {
        let at_most = Duration::from_millis(pause_ms);
        let pause = PredictedPause { expected: at_most / 2, at_most, basis: String::new() };
        let mut cost = Cost::only_file(Bytes(file_mib * MIB));
        cost.pause = Some(pause);
        cost.memory = Bytes(50 * MIB);
        Offer::new(Rung::Dump, Contents::Hprof, cost)
    }

    fn roomy() -> Room {
        Room { output: disk(1000, 1), target: None, headroom: None }
    }

    fn objection(order: &Order, offer: Offer, room: &Room) -> String {
        offer.weighed(order, room).objection.map_or_else(String::new, |found| found.to_string())
    }

    #[test]
    fn each_thing_that_speaks_against_a_dump_is_named_with_its_figures() {
        let check = |offer: Offer, room: Room, want: &str| {
            let said = objection(&order(), offer, &room);
            assert!(said.contains(want) && said.is_empty() == want.is_empty(), "{said}");
        };
        check(dump(5000, 900), roomy(), "");
        check(dump(5001, 1), roomy(), "up to 5.0 s, and 5.0 s are allowed");
        check(dump(1, 901), roomy(), "room for 901.0 MiB, and 900.0 MiB are free");
        let same = Room { target: Some(disk(1000, 1)), ..roomy() };
        check(dump(1, 451), same, "and of the output needs room for 902.0 MiB");
        let other = Room { target: Some(disk(200, 2)), ..roomy() };
        check(dump(1, 101), other, "in which the process writes needs room for 101.0 MiB");
        let tight = Room { headroom: Some(Bytes(49 * MIB)), ..roomy() };
        check(dump(1, 1), tight, "take 50.0 MiB more memory, and 49.0 MiB are left");
        let mut memory = disk(1000, 2);
        memory.in_memory = true;
        let room = Room { target: Some(memory), headroom: Some(Bytes(100 * MIB)), ..roomy() };
        check(dump(1, 51), room, "take 101.0 MiB more");
    }

    #[test]
    fn what_a_person_accepts_is_not_objected_to() {
        let tight = Room { headroom: Some(Bytes(0)), ..roomy() };
        let mut order = order();
        order.accept_memory = true;
        order.accept_pause = true;
        assert_eq!(objection(&order, dump(99_999, 1), &tight), "");
        order.withheld = Contents::holds_values;
        assert!(objection(&order, dump(1, 1), &tight).contains("no redactor"));
    }

    #[test]
    fn the_best_that_nothing_speaks_against_is_taken() {
        let counters = || Offer::new(Rung::Counters, Contents::Counters, Cost::only_file(Bytes(1)));
        let goroutines =
            || Offer::new(Rung::Goroutines, Contents::Goroutines, Cost::only_file(Bytes(1)));
        let check = |rung: Option<Rung>, offers: &[Offer], want: Option<usize>| {
            let mut order = order();
            order.rung = rung;
            let chosen = choose(&order, RuntimeKind::Jvm, offers);
            assert_eq!(chosen.as_ref().ok().map(|chosen| chosen.0), want, "{chosen:?}");
        };
        let fine = [dump(1, 1), goroutines(), counters()];
        check(None, &fine, Some(0));
        check(Some(Rung::Counters), &fine, Some(2));
        check(Some(Rung::Histogram), &fine, None);
        let poor = [dump(1, 1).cannot_ask("no"), goroutines(), counters()];
        check(None, &poor, Some(2));
        check(Some(Rung::Dump), &poor, None);
        check(Some(Rung::Goroutines), &poor, Some(1));
        check(None, &[], None);
    }
}
