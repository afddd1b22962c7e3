//! `rcd-sockshop`: 13 containers of a demo shop, five quiet minutes and five with a fault, twenty
//! times; one case for each container of each part.
//!
//! Quiet and faulty parts are days apart and of other processes, so they are never one series.

use std::path::Path;

use plimsoll_model::{Label, Metric};

use super::draft::{Draft, instance};
use super::harvest::Harvest;
use super::table::{Table, folders};
use super::{AdaptError, moment};

const RUNTIMES: [(&str, &str); 13] = [
    ("carts", "jvm"),
    ("carts-db", "native"),
    ("catalogue", "go"),
    ("catalogue-db", "native"),
    ("front-end", "node"),
    ("orders", "jvm"),
    ("orders-db", "native"),
    ("payment", "go"),
    ("queue-master", "jvm"),
    ("rabbitmq", "unknown"),
    ("shipping", "jvm"),
    ("user", "go"),
    ("user-db", "native"),
];

/// A part of one repetition: `carts-mem`, `1`, `anomalous`.
struct Part<'a> {
    fault: &'a str,
    repetition: &'a str,
    name: &'a str,
}

pub(super) fn read(harvest: &mut Harvest, folder: &Path) -> Result<(), AdaptError> {
    let faults = folders(folder)?;
    for (index, fault) in faults.iter().enumerate() {
        harvest.progress(index, faults.len());
        for repetition in folders(fault)? {
            for name in ["normal", "anomalous"] {
                let path = repetition.join(name).with_extension("csv");
                if !path.is_file() {
                    continue;
                }
                let [fault, repetition] = [fault, &repetition].map(|path| last(path));
                let part = Part { fault: &fault, repetition: &repetition, name };
                for draft in drafts(&part, Table::open(&path)?, harvest)? {
                    harvest.case(draft)?;
                }
            }
        }
    }
    Ok(())
}

fn last(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn drafts(part: &Part<'_>, table: Table, harvest: &mut Harvest) -> Result<Vec<Draft>, AdaptError> {
    let time = table.column("time")?;
    let mut cases = Vec::new();
    for name in table.columns() {
        let Some(container) = name.strip_suffix("_mem") else { continue };
        let columns = [
            (table.find(name), Metric::ContainerMemoryWorkingSet),
            (table.find(&format!("{container}_lod")), Metric::ServiceRequestsRate),
            (table.find(&format!("{container}_lat_99")), Metric::ServiceLatencyP99),
        ];
        let runtime = RUNTIMES.iter().find(|(known, _)| *known == container);
        let runtime = runtime.map_or("unknown", |(_, runtime)| runtime);
        let Part { fault, repetition, name } = part;
        let service = format!("{fault}-{repetition}-{name}-{container}");
        let draft = Draft::new(&service, label(part, container))?.runtime(runtime);
        cases.push((draft, instance(container)?, columns));
    }
    table.each(harvest, |row| {
        let at = row.time(time, moment::unix)?;
        for (draft, container, columns) in &mut cases {
            for (column, metric) in columns {
                let Some(column) = column else { continue };
                if let Some(value) = row.number_opt(*column)? {
                    draft.push(at, container, *metric, value);
                }
            }
        }
        Ok(())
    })?;
    Ok(cases.into_iter().map(|(draft, ..)| draft).collect())
}

/// A memory hog is a load that is put on, no leak of the service, and it looks like one: of the
/// container that it hits nothing is said.
fn label(part: &Part<'_>, container: &str) -> Label {
    let hit = part.fault.strip_suffix("-mem") == Some(container) && part.name != "normal";
    if hit { Label::Unlabelled } else { Label::Benign }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_container_that_a_memory_hog_hits_is_without_a_label() {
        let check = |fault, name, container, want| {
            let part = Part { fault, repetition: "1", name };
            assert_eq!(label(&part, container), want, "{fault} {name} {container}");
        };
        check("carts-mem", "anomalous", "carts", Label::Unlabelled);
        check("carts-mem", "normal", "carts", Label::Benign);
        check("carts-mem", "anomalous", "carts-db", Label::Benign);
        check("carts-cpu", "anomalous", "carts", Label::Benign);
    }

    #[test]
    fn each_container_is_a_case_with_its_load_where_it_is_measured() {
        let text = "time,carts_cpu,carts_mem,user_mem,carts_lod,carts_lat_50,carts_lat_99\n\
            1652567100,1.2,300,20,4.2,4.6,9.6\n1652567101,1.2,301,,4.2,4.6,9.6\n";
        let part = Part { fault: "user-mem", repetition: "2", name: "normal" };
        let told = drafts(&part, Table::of_text(text), &mut Harvest::scratch()).unwrap();
        let told: Vec<_> = told.iter().map(Draft::told).collect();
        let want = [
            vec![
                "user-mem-2-normal-carts benign",
                "1652567100 carts container.memory.working_set 300",
                "1652567100 carts service.requests.rate 4.2",
                "1652567100 carts service.latency.p99 9.6",
                "1652567101 carts container.memory.working_set 301",
                "1652567101 carts service.requests.rate 4.2",
                "1652567101 carts service.latency.p99 9.6",
            ],
            vec![
                "user-mem-2-normal-user benign",
                "1652567100 user container.memory.working_set 20",
            ],
        ];
        assert_eq!(told, want);
    }
}
