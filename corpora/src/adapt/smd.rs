//! `smd-interfusion`: machines of an internet company, minute by minute, one case a machine. Its
//! labels are of anomalies of any kind, so nobody knows which leaks.
//!
//! Values are stretched to 0..1 over each machine's five weeks. The shape is left, the level and
//! the limit are not: 1 stands as 1 GiB, and there is no limit.

use std::path::Path;

use plimsoll_model::{Label, Metric, Span};

use super::draft::{Draft, instance};
use super::harvest::Harvest;
use super::table::{Table, files, stem};
use super::{AdaptError, moment};

/// Bytes that stand for the largest value.
const WHOLE: f64 = 1_073_741_824.0;

pub(super) fn read(harvest: &mut Harvest, folder: &Path) -> Result<(), AdaptError> {
    let train = files(folder, &["_train.csv", "_train.csv.gz"])?;
    let test = files(folder, &["_test.csv", "_test.csv.gz"])?;
    for (index, path) in train.iter().enumerate() {
        harvest.progress(index, train.len());
        let stem_of_train = stem(path);
        let machine = stem_of_train.trim_end_matches("_train");
        let mut tables = vec![Table::open(path)?];
        // The second half goes on in the minute after the first.
        if let Some(second) = test.iter().find(|path| stem(path) == format!("{machine}_test")) {
            tables.push(Table::open(second)?);
        }
        let draft = draft(machine, tables, harvest)?;
        harvest.case(draft)?;
    }
    Ok(())
}

fn draft(name: &str, tables: Vec<Table>, harvest: &mut Harvest) -> Result<Draft, AdaptError> {
    let mut draft = Draft::new(name, Label::Unlabelled)?;
    let machine = instance(name)?;
    let mut minute = 0;
    for table in tables {
        // Used memory without cache; `mem_u` is with it.
        let used = table.column("mem_u_e")?;
        table.each(harvest, |row| {
            let at = moment::EPOCH + Span::from_mins(minute);
            minute += 1;
            let value = row.number(used)? * WHOLE;
            draft.push(at, &machine, Metric::ContainerMemoryWorkingSet, value);
            Ok(())
        })?;
    }
    Ok(draft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_half_goes_on_where_the_first_ends_and_a_bad_line_keeps_its_minute() {
        let first = Table::of_text("cpu_r,mem_u,mem_u_e,label\n0.1,0.9,0.5,0\n0.1,0.9,x,0\n");
        let second = Table::of_text("cpu_r,mem_u,mem_u_e,label\n0.1,0.9,0.25,0\n");
        let mut harvest = Harvest::scratch();
        let told = draft("m", vec![first, second], &mut harvest).unwrap().told();
        let want = [
            "m unlabelled",
            "1780272000 m container.memory.working_set 536870912",
            "1780272120 m container.memory.working_set 268435456",
        ];
        assert_eq!(told, want);
        assert_eq!(harvest.rejected(), 1);
    }
}
