//! `llm-software-aging`: a host that serves a small language generator, one case a run.
//!
//! Host-wide: `used` of psutil is without buffers and cache, so it stands as working set.

use std::path::Path;

use plimsoll_model::{Label, Metric};

use super::draft::{Draft, instance};
use super::harvest::{Harvest, each_table};
use super::table::Table;
use super::{AdaptError, moment};

pub(super) fn read(harvest: &mut Harvest, folder: &Path) -> Result<(), AdaptError> {
    each_table(harvest, folder, draft)
}

fn draft(run: &str, table: Table, harvest: &mut Harvest) -> Result<Draft, AdaptError> {
    let time = table.column("currentTime")?;
    let [total, available] = [table.column("totalMemory")?, table.column("availableMemory")?];
    let used = table.column("usedMemory")?;
    let [buffers, cached] = [table.column("buffersMemory")?, table.column("cachedMemory")?];
    // The study shows growth and does not say that it is a leak.
    let mut draft = Draft::new(run, Label::Unlabelled)?.runtime("python");
    let host = instance("host")?;
    table.each(harvest, |row| {
        let at = row.time(time, moment::civil)?;
        let cache = row.number(buffers)? + row.number(cached)?;
        let (used, available) = (row.number(used)?, row.number(available)?);
        draft.limit(at, &host, Metric::NodeMemoryAllocatable, row.number(total)?);
        draft.push(at, &host, Metric::ContainerMemoryWorkingSet, used);
        draft.push(at, &host, Metric::ContainerMemoryFile, cache);
        draft.push(at, &host, Metric::NodeMemoryAvailable, available);
        Ok(())
    })?;
    Ok(draft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_is_the_working_set_and_buffers_belong_to_the_cache() {
        let text = "currentTime,totalMemory,availableMemory,usedMemory,buffersMemory,cachedMemory\n\
            2024-01-07 15:45:29.231146,1000,900,80,5,15\n";
        let told = draft("run", Table::of_text(text), &mut Harvest::scratch()).unwrap().told();
        let want = [
            "run unlabelled",
            "1704642329.231 host node.memory.allocatable 1000",
            "1704642329.231 host container.memory.working_set 80",
            "1704642329.231 host container.memory.file 20",
            "1704642329.231 host node.memory.available 900",
        ];
        assert_eq!(told, want);
    }
}
