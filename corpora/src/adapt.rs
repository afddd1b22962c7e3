//! Turns public data sets into corpora: one reader a set, each saying what it took for what.
//!
//! What the sets are, how they are mapped and why they are labelled as they are stands in
//! `docs/real-data.md`. Not here: any judgement of the telemetry, and the data itself.

mod alibaba;
mod bitbrains;
mod draft;
mod eso_vlt;
mod exathlon;
mod gc_logs;
mod gc_record;
mod harvest;
mod llm_aging;
mod moment;
mod nezha;
mod rcd_sockshop;
mod smd;
mod social_network;
mod table;
mod tor_allocators;
mod tor_relay;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use plimsoll_model::IdError;
use thiserror::Error;

use self::harvest::Harvest;

/// Why a set could not be adapted. A line that cannot be read is none of these: it is counted.
#[derive(Debug, Error)]
pub(crate) enum AdaptError {
    #[error("cannot create {}; name a folder that does not exist yet", .0.display())]
    Create(PathBuf, #[source] io::Error),
    #[error("cannot write the corpus `{0}`")]
    Write(&'static str, #[source] io::Error),
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    #[error("{} is longer than {bytes} bytes; nothing of these sets is", path.display())]
    TooLarge { path: PathBuf, bytes: u64 },
    #[error("{}:{line}: the line is longer than {bytes} bytes", path.display())]
    LongLine { path: PathBuf, line: u64, bytes: u64 },
    #[error("{} has no column `{column}`; is it another file of the same name?", path.display())]
    Column { path: PathBuf, column: String },
    #[error("no line of {} can be used", .0.display())]
    Unusable(PathBuf),
    #[error("`{0}` cannot name a service or an instance")]
    Name(String, #[source] IdError),
}

type Read = fn(&mut Harvest, &Path) -> Result<(), AdaptError>;

enum Use {
    Cases(Read),
    /// The set is known, and has nothing for this purpose.
    Nothing(&'static str),
}

struct Set {
    name: &'static str,
    origin: &'static str,
    usage: Use,
}

const fn cases(name: &'static str, origin: &'static str, read: Read) -> Set {
    Set { name, origin, usage: Use::Cases(read) }
}

const fn nothing(name: &'static str, why: &'static str) -> Set {
    Set { name, origin: "", usage: Use::Nothing(why) }
}

const SETS: [Set; 14] = [
    cases("eso-vlt-leak", "BenjaminCarpenter480/memorytools, MIT", eso_vlt::read),
    cases("llm-software-aging", "chas42/llm-software-aging-research, MIT", llm_aging::read),
    cases("tor-relay-memory", "1aeo/TorUtils, Apache-2.0", tor_relay::read),
    cases("exathlon-normal", "Exathlon, CC BY-NC-SA 4.0", exathlon::read),
    cases("bitbrains-rnd", "GWA-T-12 Bitbrains, Grid Workloads Archive", bitbrains::read),
    cases(
        "alibaba2018-precog",
        "ansjin/memory_leak_detection, Apache-2.0; Alibaba cluster trace 2018",
        alibaba::read,
    ),
    cases("nezha", "IntelligentDDS/Nezha, MIT", nezha::read),
    cases("rcd-sockshop", "azamikram/rcd, no licence stated", rcd_sockshop::read),
    cases("smd-interfusion", "zhhlee/InterFusion, MIT", smd::read),
    cases(
        "socialnetwork-normal",
        "yzz9048/SocialNetwork-MonitorData, no licence stated",
        social_network::read,
    ),
    cases("gclogs", "microsoft/gctoolkit-testdata, MIT", gc_logs::read),
    nothing(
        "causalrca-sockshop",
        "each series is stretched to 0..1 over 5 minutes, so neither level nor effect is left",
    ),
    nothing("asd-interfusion", "its source does not say which columns are memory"),
    nothing("petshop", "it has no memory metric"),
];

/// Runs `adapt`, telling on standard error how it goes.
pub(crate) fn command(data: &Path, folder: &Path) -> ExitCode {
    match run(data, folder) {
        Ok(0) => {
            eprintln!("error: none of the known data sets is in {}", data.display());
            ExitCode::from(2)
        }
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(source) = cause {
                eprintln!("  because: {source}");
                cause = source.source();
            }
            ExitCode::from(2)
        }
    }
}

/// Writes a corpus for each set that is there, and says how many were written.
fn run(data: &Path, folder: &Path) -> Result<usize, AdaptError> {
    fs::create_dir(folder).map_err(|source| AdaptError::Create(folder.into(), source))?;
    let mut written = 0;
    for Set { name, origin, usage } in &SETS {
        let source = data.join(name);
        if !source.is_dir() {
            eprintln!("{name}: not in {}, skipped", data.display());
            continue;
        }
        match usage {
            Use::Nothing(why) => eprintln!("{name}: skipped, {why}"),
            Use::Cases(read) => {
                let mut harvest = Harvest::begin(&folder.join(name), name, origin)?;
                read(&mut harvest, &source)?;
                eprintln!("{}", harvest.finish()?);
                written += 1;
            }
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_any_known_set_writes_none() {
        let scratch = tempfile::tempdir().unwrap();
        let written = run(scratch.path(), &scratch.path().join("out")).unwrap();
        assert_eq!(written, 0);
    }

    #[test]
    fn a_folder_that_exists_is_never_written_to() {
        let scratch = tempfile::tempdir().unwrap();
        let error = run(scratch.path(), scratch.path()).unwrap_err();
        assert!(matches!(error, AdaptError::Create(..)), "{error}");
    }

    #[test]
    fn a_file_of_which_nothing_can_be_used_is_an_error_that_names_it() {
        let scratch = tempfile::tempdir().unwrap();
        let set = scratch.path().join("bitbrains-rnd");
        fs::create_dir(&set).unwrap();
        let text = "epoch_s,cpu_pct,mem_capacity_kb,mem_usage_kb\nnever,1,2,3\n";
        fs::write(set.join("vm_1.csv"), text).unwrap();
        let error = run(scratch.path(), &scratch.path().join("out")).unwrap_err().to_string();
        assert!(error.contains("vm_1.csv"), "{error}");
    }
}
