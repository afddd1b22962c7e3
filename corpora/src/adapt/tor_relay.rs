//! `tor-relay-memory`: production relays under several allocators, one case a relay; two where a
//! relay was moved to an allocator of which the source says that it stays flat.
//!
//! Which group is under which allocator is in `tor_allocators`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plimsoll_model::{Label, Metric, Timestamp};

use super::draft::{Draft, instance};
use super::harvest::Harvest;
use super::table::{Table, folders};
use super::tor_allocators::{self, Allocator};
use super::{AdaptError, moment};

/// 2026-01-04T22:00:00, as the source writes it: the five allocators were compared from then on.
const COMPARED_FROM: Timestamp = Timestamp::from_secs(1_767_564_000);

/// Groups of the investigation of 2025 that its report calls stable; all others it calls
/// fragmented.
const STABLE_GROUPS: [&str; 2] = ["A", "E"];

const KIB: f64 = 1024.0;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Measured {
    at: Timestamp,
    rss: f64,
    /// The highest resident size of the process so far. It never falls while a process lives.
    peak: Option<f64>,
}

struct Relay {
    group: String,
    measured: Vec<Measured>,
}

pub(super) fn read(harvest: &mut Harvest, folder: &Path) -> Result<(), AdaptError> {
    for study in folders(folder)? {
        let [measurements, memory] =
            ["measurements.csv", "memory.csv"].map(|name: &str| study.join(name));
        if measurements.is_file() {
            fragmentation(measurements, harvest)?;
        } else if memory.is_file() {
            let allocators = tor_allocators::read(&study.join("groups"))?;
            for (name, relay) in relays(Table::open(&memory)?, harvest)? {
                for draft in compared(&name, &relay, allocators.get(&name))? {
                    harvest.case(draft)?;
                }
            }
        }
    }
    Ok(())
}

fn fragmentation(path: PathBuf, harvest: &mut Harvest) -> Result<(), AdaptError> {
    for (name, relay) in relays(Table::open(&path)?, harvest)? {
        let stable = STABLE_GROUPS.contains(&relay.group.as_str());
        let label = if stable { Label::Benign } else { Label::Unlabelled };
        harvest.case(draft(&format!("2025-{name}"), label, &relay.measured)?)?;
    }
    Ok(())
}

/// By nickname: the fingerprint is missing in a part of the rows.
fn relays(table: Table, harvest: &mut Harvest) -> Result<BTreeMap<String, Relay>, AdaptError> {
    let [time, kind] = [table.column("timestamp")?, table.column("type")?];
    let [name, rss] = [table.column("nickname")?, table.column("rss_kb")?];
    let (peak, group) = (table.column("hwm_kb")?, table.find("group"));
    let mut relays = BTreeMap::<String, Relay>::new();
    let mut sums = 0;
    table.each(harvest, |row| {
        if row.text(kind)? == "aggregate" {
            sums += 1;
            return Ok(());
        }
        let at = row.time(time, moment::civil)?;
        let rss = row.number(rss)? * KIB;
        let peak = row.number_opt(peak)?.map(|peak| peak * KIB);
        let group = group.map_or(Ok(""), |group| row.text(group))?;
        let new = || Relay { group: group.into(), measured: Vec::new() };
        let relay = relays.entry(row.text(name)?.into()).or_insert_with(new);
        relay.measured.push(Measured { at, rss, peak });
        Ok(())
    })?;
    harvest.left_out("rows that sum over all relays", sums);
    relays.values_mut().for_each(|relay| relay.measured.sort_by_key(|measured| measured.at));
    Ok(relays)
}

fn compared(
    name: &str,
    relay: &Relay,
    allocator: Option<&Allocator>,
) -> Result<Vec<Draft>, AdaptError> {
    let moved = restarts(&relay.measured).last().copied();
    let moved = moved.filter(|index| relay.measured[*index].at >= COMPARED_FROM);
    let (Some(allocator), Some(moved)) = (allocator, moved) else {
        return Ok(vec![draft(name, Label::Unlabelled, &relay.measured)?]);
    };
    if !allocator.stays_flat {
        return Ok(vec![draft(name, Label::Unlabelled, &relay.measured)?]);
    }
    let (before, after) = relay.measured.split_at(moved);
    let after = draft(&format!("{name}-{}", allocator.name), Label::Benign, after)?;
    Ok(vec![draft(name, Label::Unlabelled, before)?, after])
}

fn draft(name: &str, label: Label, measured: &[Measured]) -> Result<Draft, AdaptError> {
    let mut draft = Draft::new(name, label)?.runtime("native");
    let process = instance(name)?;
    for Measured { at, rss, .. } in measured {
        draft.push(*at, &process, Metric::ProcessMemoryRss, *rss);
    }
    for index in restarts(measured) {
        draft.restarted(measured[index].at, &process);
    }
    Ok(draft)
}

/// The first readings of new processes: a peak that is lower than before is another process's.
fn restarts(measured: &[Measured]) -> Vec<usize> {
    let new = |pair: &[Measured]| matches!((pair[0].peak, pair[1].peak), (Some(before), Some(now)) if now < before);
    let pairs = measured.windows(2).enumerate();
    pairs.filter(|(_, pair)| new(pair)).map(|(index, _)| index + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: &str = "timestamp,server,type,fingerprint,nickname,rss_kb,hwm_kb\n\
        2026-01-04T02:00:01,go,relay,D6,ocdp,600,700\n\
        2026-01-04T02:00:01,go,aggregate,,,,\n\
        2026-01-05T10:58:06,go,relay,,ocdp,100,110\n\
        2026-01-05T12:58:06,go,relay,D6,ocdp,90,110\n\
        2026-01-05T13:58:06,go,relay,D6,ocdp,lots,110\n";

    fn cases(allocator: Option<&Allocator>) -> Vec<Vec<String>> {
        let relays = relays(Table::of_text(MEMORY), &mut Harvest::scratch()).unwrap();
        let drafts = compared("ocdp", &relays["ocdp"], allocator).unwrap();
        drafts.iter().map(Draft::told).collect()
    }

    #[test]
    fn what_ran_before_a_move_to_a_flat_allocator_is_a_case_of_its_own() {
        let flat = Allocator { name: "mimalloc209".into(), stays_flat: true };
        let want = [
            vec!["ocdp unlabelled", "1767492001 ocdp process.memory.rss 614400"],
            vec![
                "ocdp-mimalloc209 benign",
                "1767610686 ocdp-mimalloc209 process.memory.rss 102400",
                "1767617886 ocdp-mimalloc209 process.memory.rss 92160",
            ],
        ];
        assert_eq!(cases(Some(&flat)), want);
    }

    #[test]
    fn under_another_allocator_the_relay_is_one_case_with_its_restart() {
        let grows = Allocator { name: "mimalloc301".into(), stays_flat: false };
        for allocator in [None, Some(&grows)] {
            let told = cases(allocator);
            assert_eq!((told.len(), told[0][0].as_str()), (1, "ocdp unlabelled"));
            assert_eq!(told[0].last().unwrap(), "1767610686 restart");
        }
    }
}
