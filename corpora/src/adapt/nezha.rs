//! `nezha`: ten services of an online shop over two days with faults, none of them of memory; one
//! case a service.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plimsoll_model::{InstanceName, Label, Metric, Timestamp};

use super::draft::{Draft, instance};
use super::harvest::Harvest;
use super::table::{Table, files, folders, stem};
use super::{AdaptError, moment};

const MIB: f64 = 1_048_576.0;

/// The limit is only known as usage over its rate. It is believed when this share of all rows
/// agrees on it, within [`LIMIT_TOLERANCE`]: in two of the twenty files the rate counts more than
/// the usage does.
const LIMIT_AGREED_MIN: f64 = 0.9;
/// Relative. Both numbers come with 15 digits, so what agrees agrees well.
const LIMIT_TOLERANCE: f64 = 0.001;

/// What each service is written in, by the shop's own documentation.
const RUNTIMES: [(&str, &str); 10] = [
    ("adservice", "jvm"),
    ("cartservice", "dotnet"),
    ("checkoutservice", "go"),
    ("currencyservice", "node"),
    ("emailservice", "python"),
    ("frontend", "go"),
    ("paymentservice", "node"),
    ("productcatalogservice", "go"),
    ("recommendationservice", "python"),
    ("shippingservice", "go"),
];

struct Measured {
    at: Timestamp,
    bytes: f64,
    rate: f64,
    requests: Option<f64>,
    slowest: Option<f64>,
}

pub(super) fn read(harvest: &mut Harvest, folder: &Path) -> Result<(), AdaptError> {
    let services = services(folder)?;
    for (index, (service, pods)) in services.iter().enumerate() {
        harvest.progress(index, services.len());
        let runtime = RUNTIMES.iter().find(|(name, _)| name == service);
        let runtime = runtime.map_or("unknown", |(_, runtime)| runtime);
        let mut draft = Draft::new(service, Label::Benign)?.runtime(runtime);
        for path in pods {
            add(&mut draft, &pod(path)?, Table::open(path)?, harvest)?;
        }
        harvest.case(draft)?;
    }
    Ok(())
}

/// The files of each service's pods, of all days.
fn services(folder: &Path) -> Result<BTreeMap<String, Vec<PathBuf>>, AdaptError> {
    let mut services = BTreeMap::<String, Vec<PathBuf>>::new();
    for day in folders(folder)? {
        for path in files(&day, &["_metric.csv", "_metric.csv.gz"])? {
            let stem = stem(&path);
            let service = stem.split('-').next().unwrap_or_default();
            services.entry(service.to_owned()).or_default().push(path);
        }
    }
    Ok(services)
}

fn pod(path: &Path) -> Result<InstanceName, AdaptError> {
    let stem = stem(path);
    instance(stem.strip_suffix("_metric").unwrap_or(&stem))
}

fn add(
    draft: &mut Draft,
    pod: &InstanceName,
    table: Table,
    harvest: &mut Harvest,
) -> Result<(), AdaptError> {
    // Not `TimeStamp`: in one file it is in the year 2028.
    let time = table.column("Time")?;
    let [usage, rate] = [table.column("MemoryUsage(Mi)")?, table.column("MemoryUsageRate(%)")?];
    let [load, latency] =
        [table.column("PodWorkload(Ops)")?, table.column("PodServerLatencyP99(s)")?];
    let mut measured = Vec::new();
    table.each(harvest, |row| {
        measured.push(Measured {
            at: row.time(time, moment::of_go)?,
            bytes: row.number(usage)? * MIB,
            rate: row.number(rate)?,
            requests: row.number_opt(load)?,
            slowest: row.number_opt(latency)?,
        });
        Ok(())
    })?;
    let limit = agreed_limit(&measured);
    for Measured { at, bytes, requests, slowest, .. } in measured {
        if let Some(limit) = limit {
            draft.limit(at, pod, Metric::ContainerMemoryLimit, limit);
        }
        draft.push(at, pod, Metric::ContainerMemoryWorkingSet, bytes);
        let traffic =
            [(Metric::ServiceRequestsRate, requests), (Metric::ServiceLatencyP99, slowest)];
        for (metric, value) in traffic {
            if let Some(value) = value {
                draft.push(at, pod, metric, value);
            }
        }
    }
    Ok(())
}

fn agreed_limit(measured: &[Measured]) -> Option<f64> {
    let known = measured.iter().filter(|row| row.rate > 0.0);
    let mut limits: Vec<f64> = known.map(|row| row.bytes / row.rate * 100.0).collect();
    limits.sort_by(f64::total_cmp);
    let middle = limits.get(limits.len() / 2).copied()?;
    let agrees = |limit: &&f64| (**limit - middle).abs() <= middle * LIMIT_TOLERANCE;
    let agreed = limits.iter().filter(agrees).count() as f64;
    (agreed >= LIMIT_AGREED_MIN * measured.len() as f64).then_some(middle.round())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &'static str) -> Vec<String> {
        let mut draft = Draft::new("cart", Label::Benign).unwrap();
        let pod = instance("cart-0").unwrap();
        add(&mut draft, &pod, Table::of_text(text), &mut Harvest::scratch()).unwrap();
        draft.told()
    }

    #[test]
    fn time_is_taken_from_the_text_and_the_limit_from_usage_and_rate() {
        let told = told(
            "Time,TimeStamp,MemoryUsage(Mi),MemoryUsageRate(%),PodWorkload(Ops),PodServerLatencyP99(s)\n\
             2022-08-22 03:51:19.607158889 +0000 UTC m=+0.1,1861140279,1,25,5.5,0.02\n\
             2022-08-22 03:52:19.0 +0000 UTC m=+60.1,1861140339,2,50,5.5,NaN\n",
        );
        let want = [
            "cart benign",
            "1661140279.607 cart-0 container.memory.limit 4194304",
            "1661140279.607 cart-0 container.memory.working_set 1048576",
            "1661140279.607 cart-0 service.requests.rate 5.5",
            "1661140279.607 cart-0 service.latency.p99 0.02",
            "1661140339 cart-0 container.memory.working_set 2097152",
            "1661140339 cart-0 service.requests.rate 5.5",
        ];
        assert_eq!(told, want);
    }

    #[test]
    fn a_limit_that_the_rows_do_not_agree_on_is_not_believed() {
        let row = |bytes, rate| Measured {
            at: moment::EPOCH,
            bytes,
            rate,
            requests: None,
            slowest: None,
        };
        let check = |rows: &[Measured], want| assert_eq!(agreed_limit(rows), want);
        check(&[row(1.0, 25.0), row(2.0, 50.0)], Some(4.0));
        check(&[row(1.0, 25.0), row(2.0, 25.0)], None);
        check(&[row(1.0, 0.0)], None);
    }
}
