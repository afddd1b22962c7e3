//! `socialnetwork-normal`: pods of a social network under an even load for half an hour, one case a
//! service with its pods, and one for each machine below.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plimsoll_model::{InstanceName, Label, Metric};

use super::draft::{Draft, instance};
use super::harvest::Harvest;
use super::table::{Table, files, stem};
use super::{AdaptError, moment};

pub(super) fn read(harvest: &mut Harvest, folder: &Path) -> Result<(), AdaptError> {
    let mut services = BTreeMap::<String, Vec<(String, PathBuf)>>::new();
    for path in files(folder, &["_merged.csv", "_merged.csv.gz"])? {
        let pod = stem(&path).trim_end_matches("_merged").to_owned();
        services.entry(service_of(&pod).to_owned()).or_default().push((pod, path));
    }
    for (service, pods) in services {
        let mut draft = Draft::new(&service, Label::Benign)?;
        for (pod, path) in pods {
            add(&mut draft, &instance(&pod)?, Table::open(&path)?, harvest)?;
        }
        harvest.case(draft)?;
    }
    Ok(())
}

/// `user-service-7f795b7f5f-p4f8c` is a pod of `user-service`; `node5` is a machine.
fn service_of(pod: &str) -> &str {
    let mut parts = pod.rsplitn(3, '-');
    parts.nth(2).unwrap_or(pod)
}

/// Each metric has a column of times before its own. Machines have no working set; what they call
/// usage stands for it.
fn add(
    draft: &mut Draft,
    pod: &InstanceName,
    table: Table,
    harvest: &mut Harvest,
) -> Result<(), AdaptError> {
    let working_set = table.find("memory_working_set");
    let usage = table.column("memory_usage")?;
    let mut columns = vec![(working_set.unwrap_or(usage), Metric::ContainerMemoryWorkingSet)];
    if working_set.is_some() {
        columns.push((usage, Metric::ContainerMemoryUsage));
    }
    table.each(harvest, |row| {
        for (column, metric) in &columns {
            if let Some(value) = row.number_opt(*column)? {
                let at = row.time(column.saturating_sub(1), moment::unix)?;
                draft.push(at, pod, *metric, value);
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_of_one_service_are_its_replicas() {
        let check = |pod, want| assert_eq!(service_of(pod), want);
        check("user-service-7f795b7f5f-p4f8c", "user-service");
        check("nginx-thrift-c8c44f79c-t7lvw", "nginx-thrift");
        check("node5", "node5");
    }

    #[test]
    fn each_metric_is_read_at_its_own_time_and_an_empty_field_is_nothing() {
        let text = "timestamp,cpu_usage,timestamp,memory_usage,timestamp,memory_working_set\n\
            10.0,0.1,10,70,11,50\n20.0,0.1,,,21,51\n";
        let mut draft = Draft::new("user", Label::Benign).unwrap();
        let pod = instance("user-0").unwrap();
        add(&mut draft, &pod, Table::of_text(text), &mut Harvest::scratch()).unwrap();
        let want = [
            "user benign",
            "11 user-0 container.memory.working_set 50",
            "10 user-0 container.memory.usage 70",
            "21 user-0 container.memory.working_set 51",
        ];
        assert_eq!(draft.told(), want);
    }
}
