//! `eso-vlt-leak`: processes of a telescope's control software, one case a process.
//!
//! What the set calls memory is the virtual size (its recorder stores psutil's `vms`). No canonical
//! metric means that, so it stands as resident size, which is where detection looks for processes.

use std::collections::BTreeMap;
use std::path::Path;

use plimsoll_model::{Label, Metric, Timestamp};

use super::draft::{Draft, instance};
use super::harvest::Harvest;
use super::table::{Misfit, Table, files, stem};
use super::{AdaptError, moment};

/// Fewer readings than this are a process of a few seconds, of which nothing can be said: half a
/// minute at one reading a second.
const READINGS_MIN: usize = 30;

/// One line of `labels.csv`.
struct Labelled {
    file: String,
    process: String,
    leaking: bool,
    note: String,
}

struct Process {
    name: String,
    samples: Vec<(Timestamp, f64)>,
}

pub(super) fn read(harvest: &mut Harvest, folder: &Path) -> Result<(), AdaptError> {
    let labels = labels(Table::open(&folder.join("labels.csv"))?, harvest)?;
    let runs: Vec<_> = files(folder, &[".csv", ".csv.gz"])?;
    let runs: Vec<_> = runs.iter().filter(|path| stem(path) != "labels").collect();
    for (index, path) in runs.iter().enumerate() {
        harvest.progress(index, runs.len());
        for draft in drafts(&stem(path), Table::open(path)?, &labels, harvest)? {
            harvest.case(draft)?;
        }
    }
    Ok(())
}

fn labels(table: Table, harvest: &mut Harvest) -> Result<Vec<Labelled>, AdaptError> {
    let [file, process] = [table.column("file")?, table.column("process")?];
    let [leaking, note] = [table.column("leaking")?, table.column("note")?];
    let mut labels = Vec::new();
    table.each(harvest, |row| {
        labels.push(Labelled {
            file: row.text(file)?.into(),
            process: row.text(process)?.into(),
            leaking: row.number(leaking)? > 0.0,
            note: row.text(note)?.into(),
        });
        Ok(())
    })?;
    Ok(labels)
}

fn drafts(
    run: &str,
    table: Table,
    labels: &[Labelled],
    harvest: &mut Harvest,
) -> Result<Vec<Draft>, AdaptError> {
    let mut drafts = Vec::new();
    for (pid, process) in processes(table, harvest)? {
        if process.samples.len() < READINGS_MIN {
            harvest.left_out("processes of a few seconds", 1);
            continue;
        }
        let label = label(labels, run, &process.name, pid);
        let case = format!("{run}-{}-{pid}", process.name);
        let mut draft = Draft::new(&case, label)?.runtime("native");
        if let Some(revision) = run.strip_prefix("tdcsarv_") {
            draft = draft.version(revision)?;
        }
        let id = instance(&pid.to_string())?;
        if label == Label::Leaking {
            draft.leaks(&id);
        }
        for (at, bytes) in process.samples {
            draft.push(at, &id, Metric::ProcessMemoryRss, bytes);
        }
        drafts.push(draft);
    }
    Ok(drafts)
}

fn processes(table: Table, harvest: &mut Harvest) -> Result<BTreeMap<u64, Process>, AdaptError> {
    let [pid, name] = [table.column("Process ID")?, table.column("Process Name")?];
    let [time, memory] = [table.column("Time")?, table.column("Memory Usage")?];
    let mut processes = BTreeMap::new();
    let mut ended = 0;
    table.each(harvest, |row| {
        let id = row.text(pid)?;
        let id: u64 = id.parse().map_err(|_| Misfit::Number(id.into()))?;
        let at = row.time(time, moment::civil)?;
        let bytes = row.number(memory)?;
        // A process that has ended and was not yet waited for has no memory.
        if bytes <= 0.0 {
            ended += 1;
            return Ok(());
        }
        let name = row.text(name)?;
        let new = || Process { name: name.into(), samples: Vec::new() };
        processes.entry(id).or_insert_with(new).samples.push((at, bytes));
        Ok(())
    })?;
    harvest.left_out("readings of processes that had ended", ended);
    Ok(processes)
}

/// The set labels a process by run, name and, in the note, its id; and all others with one line.
fn label(labels: &[Labelled], run: &str, process: &str, pid: u64) -> Label {
    let own = |label: &&Labelled| {
        let same_pid = label.note.split(' ').any(|word| word == pid.to_string());
        stem(Path::new(&label.file)) == run && label.process == process && same_pid
    };
    let others = |label: &&Labelled| label.file == "*";
    match labels.iter().find(own).or_else(|| labels.iter().find(others)) {
        Some(label) if label.leaking => Label::Leaking,
        Some(_) => Label::Benign,
        None => Label::Unlabelled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: &str = "file,revision,process,leaking,note\n\
        tdcsarv_1.csv,1,control,1,fast leak pid 400924\n\
        tdcsarv_2.csv,2,control,0,trunk fixed pid 5\n\
        *,*,(every other process),0,start-up ramps only\n";

    #[test]
    fn the_named_process_leaks_and_every_other_one_does_not() {
        let labels = labels(Table::of_text(LABELS), &mut Harvest::scratch()).unwrap();
        let check = |run, process, pid, want| {
            assert_eq!(label(&labels, run, process, pid), want, "{run} {process} {pid}");
        };
        check("tdcsarv_1", "control", 400_924, Label::Leaking);
        check("tdcsarv_1", "control", 400_925, Label::Benign);
        check("tdcsarv_1", "logManager", 400_924, Label::Benign);
        check("tdcsarv_2", "control", 5, Label::Benign);
        assert_eq!(label(&[], "tdcsarv_1", "control", 1), Label::Unlabelled);
    }

    #[test]
    fn a_process_that_ended_has_no_reading_and_one_of_seconds_is_no_case() {
        let text = "Process ID,Process Name,Time,Memory Usage\n\
            7,qsemu,2024-04-26 12:43:30.260145,5705728\n\
            7,qsemu,2024-04-26 12:43:31.260145,0\n\
            x,qsemu,2024-04-26 12:43:31.260145,0\n";
        let mut harvest = Harvest::scratch();
        let processes = processes(Table::of_text(text), &mut harvest).unwrap();
        assert_eq!(processes[&7].samples.len(), 1);
        assert_eq!(harvest.rejected(), 1);
        let none = drafts("tdcsarv_1", Table::of_text(text), &[], &mut harvest).unwrap();
        assert!(none.is_empty());
    }
}
