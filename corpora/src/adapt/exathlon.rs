//! `exathlon-normal`: Spark applications without a disturbance; two cases a run, the driver and the
//! executors.
//!
//! The machines below are left out: several runs share the same machines in the same hour, so they
//! would count twice.

use std::path::Path;

use plimsoll_model::{InstanceName, Label, Metric};

use super::draft::{Draft, instance};
use super::harvest::Harvest;
use super::table::{Table, files, stem};
use super::{AdaptError, moment};

/// Column endings, and what they are.
const METRICS: [(&str, Metric); 3] = [
    ("jvm_heap_used_value", Metric::RuntimeHeapUsed),
    ("jvm_heap_committed_value", Metric::RuntimeHeapCommitted),
    ("jvm_non-heap_used_value", Metric::RuntimeNonheapUsed),
];
const LIMIT: (&str, Metric) = ("jvm_heap_max_value", Metric::RuntimeHeapLimit);

struct Column {
    index: usize,
    driver: bool,
    process: InstanceName,
    metric: Metric,
}

pub(super) fn read(harvest: &mut Harvest, folder: &Path) -> Result<(), AdaptError> {
    let runs = files(folder, &[".csv", ".csv.gz"])?;
    for (index, path) in runs.iter().enumerate() {
        harvest.progress(index, runs.len());
        for draft in drafts(&stem(path), Table::open(path)?, harvest)? {
            harvest.case(draft)?;
        }
    }
    Ok(())
}

fn drafts(run: &str, table: Table, harvest: &mut Harvest) -> Result<[Draft; 2], AdaptError> {
    let time = table.column("t")?;
    let columns = columns(table.columns())?;
    let new = |what| Draft::new(&format!("{run}-{what}"), Label::Benign);
    let mut driver = new("driver")?.runtime("jvm");
    let mut executors = new("executors")?.runtime("jvm");
    table.each(harvest, |row| {
        let at = row.time(time, moment::unix)?;
        for Column { index, driver: of_driver, process, metric } in &columns {
            // -1 stands for nothing measured: the process is not running.
            let value = row.number(*index)?;
            if value < 0.0 {
                continue;
            }
            let draft = if *of_driver { &mut driver } else { &mut executors };
            if *metric == LIMIT.1 {
                draft.limit(at, process, *metric, value);
            } else {
                draft.push(at, process, *metric, value);
            }
        }
        Ok(())
    })?;
    Ok([driver, executors])
}

/// `driver_jvm_heap_used_value`, `2_jvm_heap_used_value`.
fn columns(names: &[String]) -> Result<Vec<Column>, AdaptError> {
    let mut columns = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let Some((owner, ending)) = name.split_once('_') else { continue };
        let known = METRICS.iter().chain([&LIMIT]).find(|(known, _)| *known == ending);
        let Some((_, metric)) = known else { continue };
        let driver = owner == "driver";
        if driver || owner.parse::<u32>().is_ok() {
            let name = if driver { owner.into() } else { format!("executor-{owner}") };
            columns.push(Column { index, driver, process: instance(&name)?, metric: *metric });
        }
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn driver_and_executors_are_two_cases_and_minus_one_is_nothing() {
        let text = "t,1_jvm_heap_used_value,2_jvm_heap_used_value,driver_jvm_heap_max_value,\
            driver_jvm_heap_used_value,driver_jvm_pools_PS-Old-Gen_used_value,node6_MEM_active\n\
            100,-1.0,30.0,900.0,50.0,7.0,3.0\n\
            101,20.0,-1,900.0,51.0,7.0,3.0\n";
        let told = drafts("r", Table::of_text(text), &mut Harvest::scratch()).unwrap();
        let want = [
            vec![
                "r-driver benign",
                "100 driver runtime.heap.limit 900",
                "100 driver runtime.heap.used 50",
                "101 driver runtime.heap.used 51",
            ],
            vec![
                "r-executors benign",
                "100 executor-2 runtime.heap.used 30",
                "101 executor-1 runtime.heap.used 20",
            ],
        ];
        assert_eq!(told.each_ref().map(Draft::told), want);
    }
}
