//! `bitbrains-rnd`: virtual machines of a hosting provider, one case a machine. Nobody knows which
//! of them leaks.

use std::path::Path;

use plimsoll_model::{Label, Metric};

use super::draft::{Draft, instance};
use super::harvest::{Harvest, each_table};
use super::table::Table;
use super::{AdaptError, moment};

const KIB: f64 = 1024.0;

pub(super) fn read(harvest: &mut Harvest, folder: &Path) -> Result<(), AdaptError> {
    each_table(harvest, folder, draft)
}

fn draft(name: &str, table: Table, harvest: &mut Harvest) -> Result<Draft, AdaptError> {
    let time = table.column("epoch_s")?;
    let [capacity, usage] = [table.column("mem_capacity_kb")?, table.column("mem_usage_kb")?];
    let mut draft = Draft::new(name, Label::Unlabelled)?;
    let machine = instance(name)?;
    let mut off = 0;
    table.each(harvest, |row| {
        let at = row.time(time, moment::unix)?;
        let (capacity, usage) = (row.number(capacity)?, row.number(usage)?);
        // Without any memory assigned the machine is switched off.
        if capacity <= 0.0 {
            off += 1;
            return Ok(());
        }
        draft.limit(at, &machine, Metric::NodeMemoryAllocatable, capacity * KIB);
        draft.push(at, &machine, Metric::ContainerMemoryWorkingSet, usage * KIB);
        Ok(())
    })?;
    harvest.left_out("readings of machines that are switched off", off);
    Ok(draft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_assigned_is_the_limit_and_a_machine_without_any_is_off() {
        let text = "epoch_s,cpu_pct,mem_capacity_kb,mem_usage_kb\n\
            1372629804,1.97,4,2\n1372630104,1.77,4,0\n1372630404,0,0,0\n";
        let told = draft("vm_5", Table::of_text(text), &mut Harvest::scratch()).unwrap().told();
        let want = [
            "vm_5 unlabelled",
            "1372629804 vm_5 node.memory.allocatable 4096",
            "1372629804 vm_5 container.memory.working_set 2048",
            "1372630104 vm_5 container.memory.working_set 0",
        ];
        assert_eq!(told, want);
    }
}
