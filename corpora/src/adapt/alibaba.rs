//! `alibaba2018-precog`: hosts of a cluster that mixes services and batch jobs, one case a host.
//!
//! Only a share of the memory is known, so a percent stands as 1 GiB of a host of 100 GiB.

use std::path::Path;

use plimsoll_model::{Label, Metric, Timestamp};

use super::draft::{Draft, instance};
use super::harvest::{Harvest, each_table};
use super::table::{Row, Table};
use super::{AdaptError, moment};

/// Bytes that stand for one percent.
const PERCENT: f64 = 1_073_741_824.0;

pub(super) fn read(harvest: &mut Harvest, folder: &Path) -> Result<(), AdaptError> {
    each_table(harvest, folder, draft)
}

fn draft(name: &str, table: Table, harvest: &mut Harvest) -> Result<Draft, AdaptError> {
    type ReadTime = fn(&str) -> Option<Timestamp>;
    let share = table.column("mem_util_percent")?;
    // The two hosts with a label come resampled, with a first column that has no name.
    let (time, read_time): (_, ReadTime) = match table.find("epoch_s") {
        Some(column) => (column, moment::unix),
        None => (table.column("")?, moment::civil),
    };
    let label = table.find("label");
    let machine = instance(name)?;
    let mut samples = Vec::new();
    let mut normal = label.is_some();
    table.each(harvest, |row: &Row<'_>| {
        samples.push((row.time(time, read_time)?, row.number(share)?));
        normal &= label.map_or(Ok(""), |label| row.text(label))? == "Normal";
        Ok(())
    })?;
    // "Anomaly" is no leak by itself: that host swings between 59 and 97 % and ends where it began.
    let label = if normal { Label::Benign } else { Label::Unlabelled };
    let mut draft = Draft::new(name, label)?;
    for (at, share) in samples {
        draft.limit(at, &machine, Metric::NodeMemoryAllocatable, 100.0 * PERCENT);
        draft.push(at, &machine, Metric::ContainerMemoryWorkingSet, share * PERCENT);
    }
    Ok(draft)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &'static str) -> Vec<String> {
        draft("m_1", Table::of_text(text), &mut Harvest::scratch()).unwrap().told()
    }

    #[test]
    fn a_percent_stands_as_a_gibibyte_of_a_hundred() {
        let want = [
            "m_1 unlabelled",
            "1304261370 m_1 node.memory.allocatable 107374182400",
            "1304261370 m_1 container.memory.working_set 2147483648",
        ];
        assert_eq!(told("epoch_s,mem_util_percent,is_test\n1304261370,2,0\n"), want);
    }

    #[test]
    fn normal_is_benign_and_anomaly_is_not_called_a_leak() {
        let normal = ",machine_id,mem_util_percent,label\n2018-01-01 00:00:00,m_1,84.0,Normal\n";
        assert_eq!(told(normal)[0], "m_1 benign");
        let anomaly = ",machine_id,mem_util_percent,label\n2018-01-01 00:00:00,m_1,84.0,Anomaly\n";
        assert_eq!(told(anomaly)[0], "m_1 unlabelled");
    }
}
